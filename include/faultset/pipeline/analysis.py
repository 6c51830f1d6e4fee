"""What telemetry and load say about each injection: impacts, and the pictures of the run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from faultset import figures
from faultset.impacts.agreement import agreement
from faultset.impacts.calibration import calibrate
from faultset.impacts.detect import detect, target_nodes
from faultset.impacts.events import ask
from faultset.impacts.found import Tested
from faultset.impacts.windows import SECOND, Parameters, Series
from faultset.labels.tolerance import Recorded, tolerance
from faultset.moments import Window
from faultset.pipeline.events import load_events, read_events
from faultset.pipeline.progress import Progress, silent
from faultset.pipeline.series import Metrics, read_metrics
from faultset.records.cluster import Cluster
from faultset.records.telemetry import TelemetryFile
from faultset.sources.reviewed_impacts import read_reviewed_impacts
from faultset.storage import reported
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow
from faultset.truth import Truth
from faultset.truth.outcome import assigned, outcomes
from faultset.truth.placement import Placement


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in telemetry and load.

    Attributes:
        injections: the truth's, with their outcome.
        impacts: detected and reviewed.
        tests: every question whether something moved, and its answer.
        notes: what the analysis could not use, a sentence each.
        summary: how impacts were found and how far to trust them, as plain JSON values for the manifest.
        series: (node, KPI) -> what was recorded of the metrics.
        smoothed: KPIs that are averages, which repeat later what others say.
        usual: KPIs that a figure shows first.
    """

    injections: tuple[InjectionRow, ...]
    impacts: tuple[ImpactRow, ...]
    tests: tuple[ImpactTestRow, ...]
    notes: tuple[str, ...]
    summary: dict[str, Any]
    series: Mapping[tuple[str, str], Series]
    smoothed: frozenset[str] = frozenset()
    usual: frozenset[str] = frozenset()


def analyse(
    truth: Truth,
    cluster: Cluster | None,
    declared: Sequence[TelemetryFile],
    reviewed: str | None,
    progress: Progress = silent,
) -> Analysis:
    """Find the impacts of all injections in metrics, logs and traces, and on the load itself.

    Raises:
        InputError: a file of telemetry or of reviewed impacts is wrong.
    """
    placement = Placement(cluster)
    metrics = read_metrics(declared, placement, truth.injections, progress)
    happened = read_events(declared, placement, truth.injections, progress)
    series = metrics.series
    parameters = Parameters()
    targets = target_nodes(truth.targets)
    groups = (*happened.groups, *load_events(truth.workloads, truth.iterations)) if declared else ()
    others = ask(groups, truth.injections, parameters, targets)
    detection = detect(series, truth.injections, parameters, targets, others)
    tests = tuple(map(_test, detection.tested))
    by_hand, notes = _reviewed(reviewed, truth.injections, placement)
    injected = {row.injection_id: row.started_at for row in truth.injections}
    detected = tuple(_widened(row, metrics.blur_s, injected) for row in detection.impacts)
    impacts = (*detected, *by_hand)
    return Analysis(
        injections=_with_outcomes(truth, detection.impacts, tests) if tests else truth.injections,
        impacts=impacts,
        tests=tests,
        notes=(*notes, *happened.notes),
        summary={
            **_summary(truth, metrics, impacts, parameters),
            "quiet_hours_read_share_of_events": dict(happened.quiet_share),
            "calibration": [asdict(one) for one in calibrate(series, truth.injections, parameters, targets)],
        }
        if tests
        else {},
        series=series,
        smoothed=metrics.smoothed,
        usual=metrics.usual,
    )


def _widened(row: ImpactRow, blur_s: Mapping[tuple[str, str], float], injected: Mapping[str, dt.datetime]) -> ImpactRow:
    """Return an impact as it may have begun: a value that lags behind shows a move late; never before its injection."""
    lag_s = blur_s.get((row.node, row.kpi), 0.0) if row.source_kind == "metrics" else 0.0
    if not lag_s:
        return row
    earliest = row.started_at - dt.timedelta(seconds=lag_s)
    return replace(row, started_at=min(row.started_at, max(earliest, injected.get(row.injection_id, earliest))))


def _summary(truth: Truth, metrics: Metrics, impacts: Sequence[ImpactRow], parameters: Parameters) -> dict[str, Any]:
    """Return how impacts were found and how far to trust labels, as plain values."""
    width = round(parameters.row_resolution_s * SECOND)
    rows_us = {node: us // width * width for node, us in metrics.rows_us.items()}
    recorded = Recorded(truth.iterations, rows_us, parameters.row_resolution_s)
    agreed = agreement([row for row in impacts if row.source_kind == "metrics"])  # nobody reviews anything else
    return {
        "tolerance": [asdict(one) for one in tolerance(truth.injections, truth.targets, impacts, recorded)],
        "agreement": asdict(agreed) if agreed else None,
        "parameters": {**asdict(parameters), "quiet_hours_read_share": metrics.quiet_share},
    }


def _test(tested: Tested) -> ImpactTestRow:
    return ImpactTestRow(
        injection_id=tested.injection_id,
        node=tested.node,
        kpi=tested.kpi,
        source_kind=tested.source_kind,
        tested=tested.why_not is None,
        why_not=tested.why_not,
        p_value=tested.p_value,
        adjusted_p_value=tested.adjusted_p_value,
        score=tested.score,
        found=tested.moved,
        detectable_sd=tested.detectable_sd,
        detectable_once_sd=tested.detectable_once_sd,
    )


def _with_outcomes(
    truth: Truth, impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]
) -> tuple[InjectionRow, ...]:
    decided = outcomes(truth.injections, truth.targets, impacts, truth.iterations, tests)
    return tuple(
        replace(one, outcome=decided[one.injection_id][0], outcome_reason=decided[one.injection_id][1])
        for one in truth.injections
    )


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


Draw = Callable[[str, Truth, "Analysis", Path], None]


def draw_nothing(title: str, truth: Truth, analysis: Analysis, folder: Path) -> None:
    """Draw no picture: with hundreds of injections they take minutes."""


def draw(title: str, truth: Truth, analysis: Analysis, folder: Path) -> None:
    """Draw the run on one page and each injection close up, as PNG files in ``folder``.

    Raises:
        SetupError: the folder cannot be written.
    """
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        series = [
            replace(
                figures.Series.of_rows(node, kpi, one.time_us, one.value),
                is_smoothed=kpi in analysis.smoothed,
                is_usual=kpi in analysis.usual,
            )
            for (node, kpi), one in analysis.series.items()
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
