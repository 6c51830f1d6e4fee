"""What the metrics say about each injection: impacts, and the pictures of the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from faultset import figures
from faultset.moments import Window
from faultset.pipeline.gathering import Progress, silent
from faultset.pipeline.telemetry import read_metrics, require_known_nodes
from faultset.records import Cluster, TelemetryFile
from faultset.sources.reviewed_impacts import read_reviewed_impacts
from faultset.storage import reported
from faultset.tables import ImpactRow, InjectionRow
from faultset.truth import Truth
from faultset.truth.impact_windows import Parameters, Series
from faultset.truth.impacts import detect
from faultset.truth.outcome import assigned, outcome_of
from faultset.truth.placement import Placement


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in the metrics.

    Attributes:
        injections: the truth's, with their outcome.
        impacts: detected and reviewed.
        notes: what the analysis could not use, a sentence each.
        summary: how impacts were found and how far to trust them, as plain JSON values for the manifest.
        series: (node, KPI) -> what was recorded.
    """

    injections: tuple[InjectionRow, ...]
    impacts: tuple[ImpactRow, ...]
    notes: tuple[str, ...]
    summary: dict[str, Any]
    series: Mapping[tuple[str, str], Series]


def analyse(
    truth: Truth,
    cluster: Cluster | None,
    declared: Sequence[TelemetryFile],
    reviewed: str | None,
    progress: Progress = silent,
) -> Analysis:
    """Find the impacts of all injections in the metrics.

    Raises:
        InputError: a file of metrics or of reviewed impacts is wrong.
    """
    placement = Placement(cluster)
    series = read_metrics(declared, placement, progress)
    nodes = frozenset(node.name for node in cluster.nodes) if cluster else None
    if series:
        require_known_nodes(series, nodes, next(file.name for file in declared if file.kind == "metrics"))
    parameters = Parameters()
    detected = detect(series, truth.injections, parameters).impacts
    by_hand, notes = _reviewed(reviewed, truth.injections, placement)
    return Analysis(
        injections=_with_outcomes(truth, detected) if series else truth.injections,
        impacts=(*detected, *by_hand),
        notes=notes,
        summary={"parameters": asdict(parameters)} if series else {},
        series=series,
    )


def _with_outcomes(truth: Truth, impacts: Sequence[ImpactRow]) -> tuple[InjectionRow, ...]:
    decided = []
    for injection in truth.injections:
        what, why = outcome_of(
            injection,
            truth.injections,
            [target for target in truth.targets if target.injection_id == injection.injection_id],
            [impact for impact in impacts if impact.injection_id == injection.injection_id],
            truth.iterations,
        )
        decided.append(replace(injection, outcome=what, outcome_reason=why))
    return tuple(decided)


def _reviewed(
    uri: str | None, injections: Sequence[InjectionRow], placement: Placement
) -> tuple[tuple[ImpactRow, ...], tuple[str, ...]]:
    """Read what a person reviewed; an impact that belongs to no injection is a note, not a row."""
    rows, notes = [], []
    for one in read_reviewed_impacts(uri) if uri else ():
        node = placement.place(one.node).name
        injection, why = assigned(node, one.kpi, Window(one.started_at, one.ended_at), injections)
        if not injection:
            notes.append(f"reviewed impacts, line {one.line}: {why}")
            continue
        rows.append(
            ImpactRow(
                injection_id=injection,
                node=node,
                kpi=one.kpi,
                started_at=one.started_at,
                ended_at=one.ended_at,
                direction=None,
                source="reviewed",
                method="by hand",
                score=None,
                p_value=None,
            )
        )
    return tuple(rows), tuple(notes)


def draw(title: str, truth: Truth, analysis: Analysis, folder: Path) -> None:
    """Draw the run on one page and each injection close up, as PNG files in ``folder``.

    Raises:
        SetupError: the folder cannot be written.
    """
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        series = [
            figures.Series.of_rows(node, kpi, one.time_us, one.value) for (node, kpi), one in analysis.series.items()
        ]
        figures.overview(
            figures.OverviewData(
                title=title,
                workloads=truth.workloads,
                injections=truth.injections,
                targets=truth.targets,
                iterations=truth.iterations,
                impacts=analysis.impacts,
                series=series,
            ),
            folder / "overview.png",
        )
        in_order = sorted(truth.injections, key=lambda one: (one.started_at, one.injection_id))
        for number, injection in enumerate(in_order, start=1):
            figures.injection_figure(
                figures.InjectionData(
                    injection=injection,
                    injections=truth.injections,
                    targets=[target for target in truth.targets if target.injection_id == injection.injection_id],
                    iterations=truth.iterations,
                    impacts=[impact for impact in analysis.impacts if impact.injection_id == injection.injection_id],
                    series=series,
                ),
                folder / f"injection-{number:03}.png",
            )
