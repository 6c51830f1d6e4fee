"""Labeled telemetry of a simulated experiment beside what the simulator knows of each of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultset import pipeline, simulator
from faultset.pipeline import analysis, telemetry
from faultset.pipeline.build_folder import BuildFolder
from faultset.records.telemetry import TelemetryFile
from faultset.settings import Settings
from faultset.truth import Truth, decide

_BESIDE_US = 2_000_000
_LONGEST_US = 3_600_000_000
_COLUMNS = {
    *("timestamp", "node", "is_anomalous", "injection_ids", "node_injection_ids", "phase", "is_boundary"),
    "names_injection",
}


@dataclass(frozen=True)
class Labeled:
    """One file: its rows as labeled, and the truth of each.

    Attributes:
        ids: the simulator's id of an injection -> ours.
        unknown: (our id of an injection, node) where no input tells whether the fault took hold.
        unplaced: our ids of injections of which no input tells where they acted.
        impacts: (our id of an injection, node) where an impact was found.
        open: our id of an injection whose fault's end no file tells, and the moments (microseconds) between which its
            rows have to be undecided: from its command's end to the end of the run, without the seconds beside them.
    """

    path: str
    kind: str
    rows: dict[str, np.ndarray]
    truth: simulator.RowTruth
    ids: dict[str, str]
    unknown: set[tuple[str, str]]
    unplaced: set[str]
    impacts: set[tuple[str, str]]
    open: tuple[tuple[str, int, int], ...]


def labeled(scenario: str, seed: int, folder: Path, **options: object) -> tuple[simulator.Truth, Iterator[Labeled]]:
    """Simulate, decide and label an experiment, by the functions that a build calls; no figures, no validation."""
    made = simulator.simulate(scenario, folder / "experiments" / scenario, seed=seed, **options)
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    build = pipeline.extract(scenario, settings)
    steps = BuildFolder(build, settings)
    evidence, declared = steps.evidence(), steps.declared()
    truth = decide.decide(evidence)
    found = analysis.analyse(truth, evidence.cluster, declared.files, declared.reviewed)
    labeler = telemetry.Labeler.of(
        scenario,
        evidence.cluster,
        workloads=truth.workloads,
        triggers=truth.triggers,
        injections=found.injections,
        targets=truth.targets,
        iterations=truth.iterations,
        impacts=found.impacts,
    )
    return made, _files(made, truth, found, labeler, declared.files, folder=folder / "labeled")


def _files(
    made: simulator.Truth,
    truth: Truth,
    found: analysis.Analysis,
    labeler: telemetry.Labeler,
    declared: Sequence[TelemetryFile],
    *,
    folder: Path,
) -> Iterator[Labeled]:
    ids = _ids(made, truth)
    unknown = {
        (row.injection_id, row.node) for row in truth.targets if row.effective is None and row.commanded is not False
    }
    placed = {row.injection_id for row in truth.targets}
    unplaced = {row.injection_id for row in found.injections if row.effect != "none"} - placed
    impacts = {(row.injection_id, row.node) for row in found.impacts}
    for file, path in zip(declared, telemetry.labeled_paths(declared), strict=True):
        labeler.label(file, path, folder)
        names = [name for name in pq.read_schema(folder / path).names if name in _COLUMNS]
        table = pq.read_table(folder / path, columns=names)
        rows = {name: _array(table[name]) for name in names}
        row_truth = simulator.row_truth(made, file.name)
        yield Labeled(path, file.kind, rows, row_truth, ids, unknown, unplaced, impacts, _open(made, ids))


def _open(made: simulator.Truth, ids: dict[str, str]) -> tuple[tuple[str, int, int], ...]:
    run_end = max(one.ended_at_us for one in made.workloads if one.ended_at_us is not None)
    return tuple(
        (ids[one.injection_id], one.ended_at_us + _BESIDE_US, min(run_end, one.ended_at_us + _LONGEST_US) - _BESIDE_US)
        for one in made.injections
        if one.fault_end_known_us is None and one.injection_id in ids
    )


def _array(column: pa.ChunkedArray) -> np.ndarray:
    found = np.empty(len(column), object)
    found[:] = column.to_pylist()
    return found


def _ids(made: simulator.Truth, truth: Truth) -> dict[str, str]:
    names = {row.workload_id: (row.name, row.position) for row in truth.workloads}
    hooks = {row.trigger_id: row.hook_index for row in truth.triggers}
    ours = {(*names[r.workload_id], hooks[r.trigger_id], r.unit, r.value): r.injection_id for r in truth.injections}
    known = {
        (workload.name, workload.position, one.hook_index, one.unit, float(one.value)): one.injection_id
        for workload in made.workloads
        for one in workload.injections
    }
    return {theirs: ours[key] for key, theirs in known.items() if key in ours}


@dataclass
class Compared:
    """Rows of a file by how their labels were judged; ``wrong`` says what is wrong, a sentence a row.

    Attributes:
        rows: all rows.
        compared: rows whose every label was compared.
        boundary: rows that the text of their time leaves open, and undecided ones of a repeated hour: not compared.
        recovery: rows in recovery, whose end is a matter of the impact found: not compared.
        open: rows after a command whose fault may still last: up to the end of the run they have to be undecided.
        unknown: rows of which an injection concerns the node because no input tells whether it took hold there, or
            where it did; it has to be named, whatever is true.
        by_impact: rows of which an injection that did not take hold on the node concerns it, for an impact found there:
            a false impact, or one of another fault.
        wrong: what is wrong in the rows compared.
    """

    rows: int = 0
    compared: int = 0
    boundary: int = 0
    recovery: int = 0
    open: int = 0
    unknown: int = 0
    by_impact: int = 0
    wrong: list[str] = field(default_factory=list)

    def __add__(self, other: Compared) -> Compared:
        return Compared(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def compare(file: Labeled) -> Compared:
    """Hold the labels of every row against the truth."""
    found = Compared(rows=len(file.truth.true_us))
    assert len(file.rows["phase"]) == found.rows
    for i in range(found.rows):
        if any(file.truth.true_us[i] >= start for _, start, _ in file.open):
            found.open += 1
            problem = _open_problem(file, i)
            if problem:
                found.wrong.append(f"{file.path} row {i}: {problem}")
            continue
        # The order of the rows can tell which pass of a repeated hour a row is of: then it has to be the right one.
        if file.truth.is_boundary[i] or (file.truth.is_repeated[i] and file.rows["is_boundary"][i]):
            found.boundary += 1
        elif file.rows["phase"][i] == "recovery":
            found.recovery += 1
        else:
            found.compared += 1
            problem = _problem(file, i, found)
            if problem:
                found.wrong.append(f"{file.path} row {i}: {problem}")
    return found


def _open_problem(file: Labeled, i: int) -> str | None:
    """Return what is wrong with a row after a command whose fault may still last."""
    lasting = {name for name, start, end in file.open if start <= file.truth.true_us[i] < end}
    if not lasting or (file.rows["is_boundary"][i] and lasting <= set(file.rows["injection_ids"][i])):
        return None
    return f"decided, although {lasting} may last"


def _problem(file: Labeled, i: int, found: Compared) -> str | None:
    """Return what is wrong with a row."""
    phase, ids, node = file.rows["phase"][i], set(file.rows["injection_ids"][i]), file.truth.node[i]
    covering = {file.ids[name] for name in file.truth.injection_ids[i] if name in file.ids}
    if file.rows["node"][i] != node:
        return f"node {file.rows['node'][i]}, want {node}"
    # A recovering injection may be named beside those that are being injected.
    if (phase == "injection") != bool(covering) or not covering <= ids:
        return f"{phase} {ids}, want {covering}"
    if ids != covering:
        found.recovery += 1
        found.compared -= 1
        return None
    if file.rows["is_boundary"][i]:
        return "called a boundary"
    want = _concerning(file, i, node, covering, found)
    own, anomalous = set(file.rows["node_injection_ids"][i]), file.rows["is_anomalous"][i]
    if own != want:
        return f"of the node {own}, want {want}"
    return None if anomalous == bool(want) else f"anomalous {anomalous} with {own}"


def _concerning(file: Labeled, i: int, node: str, covering: set[str], found: Compared) -> set[str]:
    """Return which of the ids concern the row's node; counts the row where a rule says so, or an impact."""
    hit = {file.ids[name] for name in file.truth.hit_by[i] if name in file.ids}
    by_rule = {name for name in covering - hit if (name, node) in file.unknown or name in file.unplaced}
    by_impact = {name for name in covering - hit - by_rule if (name, node) in file.impacts}
    found.unknown += bool(by_rule)
    found.by_impact += bool(by_impact)
    return hit | by_rule | by_impact
