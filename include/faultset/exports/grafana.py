"""Grafana: annotations of what was injected, a dashboard of what moved, and the series that it shows.

``annotations.json`` holds bodies of ``POST /api/annotations``; the dashboard shows the same regions by themselves, from
``faultset_injection``, so that it also works where nobody may write annotations.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultset.errors import printable
from faultset.exports import openmetrics
from faultset.exports.layout import Layout, Tell, write_json

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

_SCHEMA = 41
_MOST_PANELS = 60
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 12, 8


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write ``annotations.json``, ``dashboard.json`` and the series as OpenMetrics."""
    left_out = openmetrics.write(dataset, folder, tell)
    write_json(folder / "annotations.json", _annotations(dataset))
    kpis = _shown(dataset)
    if len(kpis) > _MOST_PANELS:
        left_out.append(f"panels of {len(kpis) - _MOST_PANELS} KPIs; those with most impacts have one")
    write_json(folder / "dashboard.json", _dashboard(dataset, kpis[:_MOST_PANELS]))
    return left_out


def _shown(dataset: Dataset) -> list[str]:
    """Return the KPIs, those with most impacts first."""
    kpis = list(dataset.metrics.values) if dataset.metrics.parts else []
    moved = dict.fromkeys(kpis, 0)
    for impact in dataset.impacts:
        if impact.kpi in moved:
            moved[impact.kpi] += 1
    return sorted(kpis, key=lambda kpi: -moved[kpi])


def _annotations(dataset: Dataset) -> list[dict[str, Any]]:
    return [*_injections(dataset), *_impacts(dataset)]


def _injections(dataset: Dataset) -> Iterable[dict[str, Any]]:
    nodes: dict[str, set[str]] = {}
    for target in dataset.targets:
        nodes.setdefault(target.injection_id, set()).add(target.node)
    for injection, window in dataset.windows(margin="0s"):
        yield {
            "time": math.floor(window.start.timestamp() * 1000),
            "timeEnd": math.ceil(window.end.timestamp() * 1000),
            "tags": ["faultset", "injection", dataset.slug, *sorted(nodes.get(injection.injection_id, ()))],
            "text": printable(
                f"{injection.action or 'injection'}: {injection.injection_id}, effect {injection.effect}"
            ),
        }


def _impacts(dataset: Dataset) -> Iterable[dict[str, Any]]:
    for impact in dataset.impacts:
        yield {
            "time": math.floor(impact.started_at.timestamp() * 1000),
            "timeEnd": math.ceil(impact.ended_at.timestamp() * 1000),
            "tags": ["faultset", "impact", dataset.slug, impact.node],
            "text": printable(f"{impact.kpi} of {impact.node} {impact.direction or 'moved'}: {impact.injection_id}"),
        }


def _dashboard(dataset: Dataset, kpis: list[str]) -> dict[str, Any]:
    names = openmetrics.names_of(dataset.metrics.values) if kpis else {}
    windows = [window for _, window in dataset.windows(margin="5min")]
    return {
        "uid": f"faultset-{dataset.slug}"[:40],
        "title": printable(dataset.manifest.title),
        "description": f"{dataset.slug} {dataset.version}, fingerprint {dataset.manifest.fingerprint}",
        "tags": ["faultset"],
        "timezone": "utc",
        "schemaVersion": _SCHEMA,
        "editable": True,
        "time": {
            "from": min(window.start for window in windows).isoformat().replace("+00:00", "Z") if windows else "now-1h",
            "to": max(window.end for window in windows).isoformat().replace("+00:00", "Z") if windows else "now",
        },
        "templating": {"list": [_datasource(), _node()]},
        "annotations": {"list": [_regions(dataset), _written(dataset)]},
        "panels": [_panel(place, kpi, names[kpi]) for place, kpi in enumerate(kpis)],
    }


def _datasource() -> dict[str, Any]:
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "current": {}}


def _node() -> dict[str, Any]:
    return {
        "type": "query",
        "name": "node",
        "label": "Node",
        "datasource": _SOURCE,
        "query": f"label_values({openmetrics.ANOMALOUS}, node)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _regions(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": f"Injections of {dataset.slug}",
        "enable": True,
        "iconColor": "red",
        "datasource": _SOURCE,
        "expr": f"{openmetrics.INJECTION} == 1",
        "step": "1s",
        "titleFormat": "{{action}}",
        "textFormat": "{{injection_id}}",
        "tagKeys": "action",
    }


def _written(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": "Annotations that were posted",
        "enable": True,
        "iconColor": "orange",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "target": {"type": "tags", "matchAny": False, "limit": 1000, "tags": ["faultset", dataset.slug]},
    }


def _panel(place: int, kpi: str, name: str) -> dict[str, Any]:
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": printable(kpi),
        "datasource": _SOURCE,
        "gridPos": {"x": place % 2 * _WIDTH, "y": place // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "targets": [
            {
                "refId": "A",
                "datasource": _SOURCE,
                "expr": f'{name}{{node=~"$node"}}',
                "legendFormat": "{{node}}",
            }
        ],
        "fieldConfig": {"defaults": {"unit": "short", "custom": {"lineWidth": 1, "spanNulls": False}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}},
    }


LAYOUT = Layout(
    "grafana",
    "Grafana 10 and later with a Prometheus data source",
    write,
    (
        *openmetrics.LAYOUT.lost,
        "uncertain ends: a region begins at the earliest and ends at the latest possible moment",
    ),
    "promtool tsdb create-blocks-from openmetrics DIR/metrics.openmetrics DATA  # then import DIR/dashboard.json",
)
