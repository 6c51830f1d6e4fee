"""What the metrics say about each injection: impacts, and the pictures of the run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faultset import figures
from faultset.pipeline.gathering import Progress, silent
from faultset.pipeline.telemetry import read_metrics, require_known_nodes
from faultset.records import Cluster, TelemetryFile
from faultset.storage import reported
from faultset.tables import ImpactRow, InjectionRow
from faultset.truth import Truth
from faultset.truth.impact_windows import Parameters, Series
from faultset.truth.impacts import detect
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
    found = detect(series, truth.injections, parameters)
    return Analysis(
        injections=truth.injections,
        impacts=found.impacts,
        notes=(),
        summary={"parameters": asdict(parameters)} if series else {},
        series=series,
    )


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
                injections=truth.injections,
                targets=truth.targets,
                iterations=truth.iterations,
                impacts=analysis.impacts,
                series=series,
            ),
            folder / "overview.png",
        )
        for injection in truth.injections:
            figures.injection_figure(
                figures.InjectionData(
                    injection=injection,
                    injections=truth.injections,
                    targets=[target for target in truth.targets if target.injection_id == injection.injection_id],
                    iterations=truth.iterations,
                    impacts=[impact for impact in analysis.impacts if impact.injection_id == injection.injection_id],
                    series=series,
                ),
                folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', injection.injection_id)}.png",
            )
