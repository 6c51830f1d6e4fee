"""The corrections of an experiment, applied to what they are about; one that is about nothing is an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import polars as pl

from faultset import catalog
from faultset.catalog import Correction, Experiment
from faultset.errors import InputError
from faultset.records.evidence import TimeCorrection
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import node_of
from faultset.sources.telemetry.opening import open_rows
from faultset.sources.telemetry.problems import BrokenRowError, ColumnTypeError
from faultset.truth import corrections


def corrected(experiment: Experiment, files: Sequence[TelemetryFile]) -> tuple[TelemetryFile, ...]:
    """Return the experiment's files of telemetry with what is to be corrected in each.

    Raises:
        InputError: a correction fits no file; names the line.
    """
    found = list(files)
    for index, correction in _of_telemetry(experiment):
        declared = correction.model_dump()
        places = [place for place, file in enumerate(found) if corrections.fits(declared, file.kind, file.name)]
        if not places:
            names = ", ".join(file.name for file in found if file.kind == correction.kind) or "none"
            raise InputError(
                _where(experiment, index),
                f'no file of {correction.kind} fits corrections[{index}].files "{correction.files}"',
                f"correct the pattern; the files are {names}",
            )
        for place in places:
            found[place] = _apply(found[place], correction)
    return tuple(found)


def _apply(file: TelemetryFile, correction: Correction) -> TelemetryFile:
    if correction.shift is not None:
        return corrections.shifted(file, correction.shift)
    return corrections.renamed(file, correction.node or "", correction.true_node or "")


def require_nodes(experiment: Experiment, files: Sequence[TelemetryFile]) -> None:
    """Look whether each corrected name of a node stands in one of its files; reads rows until it was seen.

    Raises:
        InputError: it stands in none; names the line. Or a file cannot be read.
    """
    for index, correction in _of_telemetry(experiment):
        if correction.node is None:
            continue
        declared = correction.model_dump()
        meant = [file for file in files if corrections.fits(declared, file.kind, file.name)]
        if not any(_names(file, correction.node) for file in meant):
            raise InputError(
                _where(experiment, index),
                f'no row of the files that fit "{correction.files}" is of a node {correction.node}',
                "correct node: it is the short name that the source uses",
            )


def _names(file: TelemetryFile, node: str) -> bool:
    plain = dataclasses.replace(file, shift_us=0, renamed=(), hosts=((node.lower(), node),))
    while True:
        try:
            with open_rows(plain, only=lambda _: ()) as rows:
                if not rows.layout.names_nodes:
                    return (rows.layout.fixed_node or node_of(plain)) == node
                return any(node in _nodes(nodes) for nodes in (block().nodes for block in rows.blocks))
        except (ColumnTypeError, BrokenRowError):
            return True  # labeling reads all of it, and says which row is wrong


def _nodes(nodes: pl.Series | None) -> frozenset[str]:
    return frozenset() if nodes is None else frozenset(nodes.drop_nulls().unique().to_list())


def times(experiment: Experiment) -> tuple[TimeCorrection, ...]:
    """Return the declared corrections of injections' times."""
    return tuple(
        TimeCorrection(
            injection=one.injection,
            workload=one.workload,
            hook=one.hook,
            value=one.value,
            started_at=one.started_at,
            ended_at=one.ended_at,
            uncertainty_s=one.uncertainty_s or 0.0,
            reason=one.reason,
            where=_where(experiment, index),
            fault_ended_at=one.fault_ended_at,
        )
        for index, one in enumerate(experiment.corrections)
        if one.what == "injection_time"
    )


def of_telemetry(experiment: Experiment) -> tuple[str, ...]:
    """Return a sentence for each correction of telemetry."""
    found = (corrections.sentence(one.model_dump()) for _, one in _of_telemetry(experiment))
    return tuple(f"{corrections.CORRECTED}{sentence}" for sentence in found)


def _of_telemetry(experiment: Experiment) -> Iterator[tuple[int, Correction]]:
    return ((index, one) for index, one in enumerate(experiment.corrections) if one.what != "injection_time")


def _where(experiment: Experiment, index: int) -> str:
    return catalog.where(experiment, ("corrections", index))
