"""What telemetry and load say about each injection: impacts, and the pictures of the run."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from faultset import figures, recipe
from faultset.impacts.agreement import agreement
from faultset.impacts.calibration import calibrate
from faultset.impacts.detect import detect, target_nodes
from faultset.impacts.events import ask
from faultset.impacts.found import Tested
from faultset.impacts.windows import SECOND, Parameters
from faultset.labels.tolerance import Recorded, tolerance
from faultset.moments import Window
from faultset.pipeline.events import load_events, read_events
from faultset.pipeline.series import Metrics, read_metrics
from faultset.pipeline.telemetry import identity
from faultset.records.cluster import Cluster
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit import files
from faultset.sources.reviewed_impacts import read_reviewed_impacts
from faultset.storage import explain_os_errors
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow
from faultset.truth import Truth
from faultset.truth.outcome import assigned, outcomes
from faultset.truth.placement import Placement


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in telemetry and load.

    Attributes:
        injections: the truth's, with their outcome.
        impacts: detected and reviewed.
        tests: every question whether something moved, and its answer.
        notes: what the analysis could not use, a sentence each.
        summary: how impacts were found and how far to trust them, as plain JSON values for the manifest.
    """

    injections: tuple[InjectionRow, ...]
    impacts: tuple[ImpactRow, ...]
    tests: tuple[ImpactTestRow, ...]
    notes: tuple[str, ...]
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Analysis(Findings):
    """What was found, and the metrics that it was found in, read where somebody asks for them: a picture does."""

    metrics: Callable[[], Metrics]


_FINDINGS = TypeAdapter(Findings)


def analyse(
    truth: Truth,
    cluster: Cluster | None,
    declared: Sequence[TelemetryFile],
    reviewed: str | None,
    *,
    cache: Path | None = None,
) -> Analysis:
    """Find the impacts of all injections in metrics, logs and traces, and on the load itself.

    Args:
        truth: what was decided.
        cluster: what runs where; None where nobody says.
        declared: the files of telemetry.
        reviewed: the file of reviewed impacts; None where there is none.
        cache: keeps findings by all that they come of; None keeps none.

    Raises:
        InputError: a file of telemetry or of reviewed impacts is wrong.
        SetupError: the cache cannot be written.
    """
    metrics = functools.cache(lambda: read_metrics(declared, Placement(cluster), truth.injections))
    if cache is None:
        return _with_metrics(_findings(truth, cluster, declared, reviewed, metrics()), metrics)
    kept = cache / f"{_key(truth, cluster, declared, reviewed)}.json"
    with explain_os_errors(kept), contextlib.suppress(FileNotFoundError, ValueError):  # cut off: as if there were none
        return _with_metrics(_FINDINGS.validate_json(kept.read_bytes()), metrics)
    findings = _findings(truth, cluster, declared, reviewed, metrics())
    with explain_os_errors(kept):
        cache.mkdir(parents=True, exist_ok=True)
        draft = kept.with_name(f".{kept.name}.{uuid.uuid4().hex}")
        draft.write_text(json.dumps(_FINDINGS.dump_python(findings, mode="json")))  # which keeps what is no number
        draft.rename(kept)
    return _with_metrics(findings, metrics)


def _with_metrics(findings: Findings, metrics: Callable[[], Metrics]) -> Analysis:
    return Analysis(**{field.name: getattr(findings, field.name) for field in fields(Findings)}, metrics=metrics)


def _key(truth: Truth, cluster: Cluster | None, declared: Sequence[TelemetryFile], reviewed: str | None) -> str:
    """Return all that findings come of, as one hex digest: content, declarations, what was decided, and recipe."""
    contents = [identity(file) for file in declared]
    by_hand = files.sha256_of(reviewed) if reviewed else None
    return hashlib.sha256(repr((recipe.digest(), contents, by_hand, cluster, truth)).encode()).hexdigest()


def _findings(
    truth: Truth,
    cluster: Cluster | None,
    declared: Sequence[TelemetryFile],
    reviewed: str | None,
    metrics: Metrics,
) -> Findings:
    placement = Placement(cluster)
    happened = read_events(declared, placement, truth.injections)
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
    return Findings(
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
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        metrics = analysis.metrics()
        series = [
            replace(
                figures.Series.of_rows(node, kpi, one.time_us, one.value),
                is_smoothed=kpi in metrics.smoothed,
                is_usual=kpi in metrics.usual,
            )
            for (node, kpi), one in metrics.series.items()
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
