"""The figures that Rally keeps beside the data: series (down-sampled), histograms, load profile, tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultset.simulator.plan import SECOND, Floats, Microseconds, WorkloadPlan
from faultset.simulator.timeline import Load

_POINTS = 1000  # Rally draws at most this many points of a series
_VIEWS = ("Square Root Choice", "Sturges Formula", "Rice Rule")
_COLUMNS = ["Action", "Min (sec)", "Median (sec)", "90%ile (sec)", "95%ile (sec)", "Max (sec)", "Avg (sec)", "Success"]


@dataclass(frozen=True, slots=True)
class Series:
    """Seconds an iteration.

    Attributes:
        duration_s: duration without idle time.
        idle_s: idle time.
        actions: atomic action -> duration, NaN where the iteration failed before it.
    """

    duration_s: Floats
    idle_s: Floats
    actions: tuple[tuple[str, Floats], ...]


def durations_of(load: Load, plan: WorkloadPlan) -> Series:
    """Return the durations of ``load``; a failed iteration fails in its first action."""
    duration = (load.ended_us - load.started_us - load.idle_us) / SECOND
    actions = []
    for place, (name, share) in enumerate(plan.actions):
        otherwise = duration if place == 0 else np.nan
        actions.append((name, np.where(load.failed, otherwise, duration * share)))
    return Series(duration, load.idle_us / SECOND, tuple(actions))


def charts(load: Load, series: Series) -> dict[str, Any]:
    """Return the report's ``iterations``, ``load_profile``, ``atomic`` and ``table``."""
    passed = ~load.failed
    lines = [
        ("duration", np.where(passed, series.duration_s, 0)),
        ("idle_duration", np.where(passed, series.idle_s, 0)),
    ]
    failed_line = [("failed_duration", np.where(passed, 0, series.duration_s))] if load.failed.any() else []
    actions = [(name, np.nan_to_num(np.where(passed, seconds, 0))) for name, seconds in series.actions]
    return {
        "iterations": {
            "iter": [[name, _zipped(line)] for name, line in lines + failed_line],
            "pie": [["success", int(passed.sum())], ["errors", int(load.failed.sum())]],
            "histogram": _histograms([("task", series.duration_s[passed])], disabled=(None,)),
        },
        "load_profile": [["parallel iterations", _load_profile(load.started_us, load.ended_us)]],
        "atomic": {
            "histogram": _histograms(
                [(name, seconds[passed]) for name, seconds in series.actions], disabled=range(len(actions))
            ),
            "iter": [[name, _zipped(line)] for name, line in actions + failed_line],
            "pie": [[name, float(line.mean())] for name, line in actions],
        },
        "table": _table(load, series),
    }


def summary(load: Load, series: Series) -> dict[str, Any]:
    """Return ``statistics.durations`` of a result JSON."""
    rows = [_row(name, load, seconds) for name, seconds in _all_durations(series)]
    atomics, (total, *parts) = rows[: len(series.actions)], rows[len(series.actions) :]
    return {"total": {**total, "children": parts}, "atomics": atomics}


def _all_durations(series: Series) -> list[tuple[str, Floats]]:
    return [
        *series.actions,
        ("total", series.duration_s + series.idle_s),
        ("duration", series.duration_s),
        ("idle_duration", series.idle_s),
    ]


def _row(name: str, load: Load, seconds: Floats) -> dict[str, Any]:
    known = ~np.isnan(seconds)
    values = seconds[known]
    share = 100.0 * float((~load.failed[known]).mean()) if len(values) else 0.0
    figures = [float(f(values)) if len(values) else None for f in _FIGURES]
    rounded = [round(figure, 3) if figure is not None else "n/a" for figure in figures]
    return {
        "data": {
            "iteration_count": len(values),
            **dict(zip(("min", "median", "90%ile", "95%ile", "max", "avg"), rounded, strict=True)),
            "success": f"{share:.1f}%",
        },
        "count_per_iteration": 1,
        "name": name,
        "display_name": name,
        "children": [],
    }


_FIGURES = (
    np.min,
    np.median,
    lambda values: np.percentile(values, 90),
    lambda values: np.percentile(values, 95),
    np.max,
    np.mean,
)


def _table(load: Load, series: Series) -> dict[str, Any]:
    count = len(series.actions)
    rows = []
    for place, (name, seconds) in enumerate(_all_durations(series)):
        data = _row(name, load, seconds)["data"]
        label = f" -> {name}" if place > count else name
        figures = [data[key] for key in ("min", "median", "90%ile", "95%ile", "max", "avg", "success")]
        rows.append([label, *figures, data["iteration_count"]])
    styles = {str(count): "rich", str(count + 1): "oblique", str(count + 2): "oblique"}
    return {"cols": [*_COLUMNS, "Count"], "rows": rows, "styles": styles}


def _zipped(values: Floats) -> list[list[float]]:
    """Return ``[[number, value], ...]``, above 1000 points as weighted means, like Rally's own."""
    count = len(values)
    if count <= _POINTS:
        return [[number, float(value)] for number, value in enumerate(values, start=1)]
    ratio = count / _POINTS
    edges = np.arange(_POINTS + 1) * ratio
    sums = np.interp(edges, np.arange(count + 1), np.concatenate(([0.0], np.cumsum(values))))
    means = np.diff(sums) / ratio
    places = [math.ceil(edge - 1e-9) - int(ratio / 2) for edge in edges[1:]]
    places[0], places[-1] = 1, count
    return [[place, float(mean)] for place, mean in zip(places, means, strict=True)]


def _histograms(data: list[tuple[str, Floats]], disabled: Any) -> dict[str, Any]:
    views = [
        [
            {"key": key, "view": view, "disabled": off, "values": _bins(values, which)}
            for (key, values), off in zip(data, disabled, strict=True)
        ]
        for which, view in enumerate(_VIEWS)
    ]
    return {"data": views, "views": [{"id": which, "name": view} for which, view in enumerate(_VIEWS)]}


def _bins(values: Floats, view: int) -> list[dict[str, Any]]:
    count = len(values)
    if not count:
        return []
    bins = math.ceil((math.sqrt(count), math.log2(count) + 1, 2 * count ** (1 / 3))[view])
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=bins, range=(low, max(high, low + 1e-6)))
    return [{"x": float(edge), "y": int(number)} for edge, number in zip(edges[1:], counts, strict=True)]


def _load_profile(started: Microseconds, ended: Microseconds) -> list[list[float]]:
    """Return the mean number of parallel iterations in each hundredth of the load's duration, and 2 % beyond."""
    begin = int(started[0])
    starts, ends = np.sort(started - begin), np.sort(ended - begin)
    step = float(ends[-1]) * 1.02 / 100
    edges: Floats = np.arange(101, dtype=np.float64) * step
    busy = _elapsed(edges, starts) - _elapsed(edges, ends)
    means = np.concatenate(([0.0], np.diff(busy) / step))
    return [[float(edge) / SECOND, float(mean)] for edge, mean in zip(edges, means, strict=True)]


def _elapsed(edges: Floats, moments: Microseconds) -> Floats:
    """Return, for each edge, the sum of the times that have passed since the moments before it."""
    before = np.searchsorted(moments, edges)
    return np.asarray(before * edges - np.concatenate(([0.0], np.cumsum(moments)))[before])
