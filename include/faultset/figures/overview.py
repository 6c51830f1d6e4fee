"""The run on one page: what was injected, how the load ran, what failed, and the KPIs of every node."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from faultset.fault_span import known_end
from faultset.figures import style
from faultset.figures.style import Series
from faultset.moments import epoch_us
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow, WorkloadRow

_MOST_ROWS = 24
_MOST_KPIS = 3
_MOST_POINTS = 4000
_FEW = 300


@dataclass(frozen=True, slots=True)
class OverviewData:
    """What an overview shows.

    Attributes:
        title: of the experiment.
        workloads: rows of the dataset's tables, in any order, as are the following.
        injections: what was injected.
        targets: what they acted on.
        iterations: of all workloads; those without times are counted and not drawn.
        impacts: detected and reviewed.
        series: KPIs of the nodes.
    """

    title: str
    workloads: Sequence[WorkloadRow] = ()
    injections: Sequence[InjectionRow] = ()
    targets: Sequence[TargetRow] = ()
    iterations: Sequence[IterationRow] = ()
    impacts: Sequence[ImpactRow] = ()
    series: Sequence[Series] = ()


def overview(data: OverviewData, path: Path) -> Path:
    """Draw ``data`` into ``path`` (PNG, 1200 pixels wide) and return it; what has nothing to show is no panel."""
    with style.plain_style():
        start_us, end_us = _span(data)
        rows, left_out = _rows(data)
        lanes = _lanes(data.injections)
        load, no_load = _load(data.iterations, (start_us, end_us))
        drawn = style.by_kpi(rows)
        heights = [0.16 + 0.2 * max(1, min(4, max(lanes.values(), default=0) + 1)), *(height for height, _ in load)]
        heights += [height for height, _, _ in drawn]
        notes = [_summary(data), *no_load, *left_out]
        figure, panels = style.stacked(heights, head_in=0.82 + 0.2 * len(notes))
        style.heading(figure, data.title, notes)
        style.time_axis(panels[-1], start_us, end_us)
        _injections(panels[0], data, lanes)
        for panel, (_, draw) in zip(panels[1:], load, strict=False):
            draw(panel)
        for panel, (_, one, is_heading) in zip(panels[1 + len(load) :], drawn, strict=True):
            if is_heading:
                style.group_heading(panel, one)
            else:
                _kpi(panel, one, data, start_us, end_us)
        for panel in panels[1:]:
            style.shade(panel, data.injections)
        _legend(panels[0], data, {one.node for one in rows}, has_load=bool(load))
        return style.saved(figure, path)


# --- what is shown --------------------------------------------------------------------------------------------------


def _span(data: OverviewData) -> tuple[int, int]:
    """Return from when to when: the run and its injections, a twentieth on each side; else all metrics there are."""
    spans: list[tuple[dt.datetime | None, dt.datetime | None]] = [
        *((row.started_at, row.ended_at) for row in data.iterations),
        *((row.started_at, known_end(row)) for row in data.injections),
        *((row.started_at, row.ended_at) for row in data.impacts),
        *(_ran(row) for row in data.workloads),
    ]
    known = [epoch_us(moment) for span in spans for moment in span if moment is not None]
    known = known or [int(at) for one in data.series if len(one.times_us) for at in one.times_us[[0, -1]]]
    if not known:
        return 0, 3_600_000_000
    start, end = min(known), max(known)
    margin = max(30_000_000, (end - start) // 20)
    return start - margin, end + margin


def _ran(row: WorkloadRow) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return from when to when a workload ran; about so where the inputs only tell when it was created."""
    if row.started_at is not None or row.created_at is None:
        return row.started_at, row.ended_at
    return row.created_at, row.created_at + dt.timedelta(seconds=row.load_duration_s or 0.0)


def _rows(data: OverviewData) -> tuple[list[Series], list[str]]:
    """Return the series to draw, a KPI after the other, and what is not drawn, in words.

    Where anything moved, a KPI that did not is not drawn.
    """
    by_name = {(one.node, one.kpi): one for one in data.series if not one.is_empty}
    varying = {one.kpi for one in by_name.values() if not one.is_constant}
    moved = Counter(row.kpi for row in data.impacts if row.kpi in varying)
    usual = {one.kpi for one in data.series if one.is_usual}
    ranked = sorted(varying, key=lambda kpi: (kpi not in usual, -moved[kpi], kpi))
    kpis = ([kpi for kpi in ranked if kpi in (moved or usual)] or ranked)[:_MOST_KPIS]
    nodes = style.ranked_nodes(data.series, data.targets, data.impacts)
    most = _MOST_ROWS // max(1, len(kpis))
    shown = sorted(nodes[:most])
    notes = [] if by_name else ["No metrics are at hand."]
    if len(nodes) > most:
        notes.append(f"Shown are {most} of {len(nodes)} nodes: those with impacts first, then those hit, then by name.")
    others = varying - set(kpis)
    notes += style.not_shown(others & moved.keys(), "moved too")
    notes += style.not_shown(others - moved.keys(), "did not move")
    return [by_name[node, kpi] for kpi in kpis for node in shown if (node, kpi) in by_name], notes


def _load(
    iterations: Sequence[IterationRow], span_us: tuple[int, int]
) -> tuple[list[tuple[float, Callable[[Axes], None]]], list[str]]:
    """Return the panels of the load with their heights, and why one is missing, in words."""
    timed = _timed(iterations)
    if not len(timed.starts):
        return [], ["No iteration has a time in the inputs." if iterations else "No iterations are at hand."]
    durations = (0.9, partial(_durations, timed=timed))
    if len(timed.starts) < len(iterations) / 2:
        return [durations], ["How many iterations ran is not drawn: the inputs hold no times of most."]
    return [(0.8, partial(_running, timed=timed, span_us=span_us)), durations], []


def _summary(data: OverviewData) -> str:
    failed = sum(row.failed for row in data.iterations)
    untimed = sum(row.started_at is None or row.ended_at is None for row in data.iterations)
    nodes = len({one.node for one in data.series})
    parts = [
        _count(len(data.injections), "injection"),
        f"{_count(len(data.iterations), 'iteration')}, {failed:,} failed"
        + (f", {untimed:,} without times" if untimed else ""),
        f"{_count(len(data.impacts), 'impact')} on KPIs",
        f"metrics of {_count(nodes, 'node')}",
    ]
    return "  ·  ".join(parts)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _lanes(injections: Sequence[InjectionRow]) -> dict[str, int]:
    """Return injection id -> lane, so that injections that overlap in time lie below each other."""
    free: list[int] = []
    lanes = {}
    for row in sorted(injections, key=lambda one: (one.started_at, one.injection_id)):
        start, end = epoch_us(row.started_at), epoch_us(known_end(row))
        lane = next((place for place, until in enumerate(free) if until <= start), len(free))
        free[lane:] = [end, *free[lane + 1 :]]
        lanes[row.injection_id] = lane
    return lanes


# --- panels ---------------------------------------------------------------------------------------------------------


def _injections(panel: Axes, data: OverviewData, lanes: dict[str, int]) -> None:
    style.row_label(panel, "injections", "", strong=True)
    panel.set_yticks([])
    panel.spines[["left", "bottom"]].set_visible(False)
    panel.tick_params(bottom=False)
    depth = max(lanes.values(), default=0) + 1
    panel.set_ylim(depth, 0)
    if not lanes:
        style.nothing(panel, "nothing was injected")
    names = style.injection_names(data.injections, data.targets)
    for row in data.injections:
        start, end = style.day(epoch_us(row.started_at)), style.day(epoch_us(row.ended_at))
        lane = lanes[row.injection_id]
        until = style.day(epoch_us(known_end(row)))
        panel.broken_barh([(end, until - end)], (lane + 0.32, 0.36), facecolor=style.ORANGE, alpha=0.45)
        panel.broken_barh([(start, end - start)], (lane + 0.12, 0.76), facecolor=style.ORANGE, edgecolor=style.ORANGE)
        panel.plot([start, start], [lane + 0.02, lane + 0.98], color=style.ORANGE, linewidth=2)
    for row, label in _labels(data.injections, lanes, names, panel.get_xlim()):
        start, end = style.day(epoch_us(row.started_at)), style.day(epoch_us(known_end(row)))
        style.beside(panel, (start, end), 1 - (lanes[row.injection_id] + 0.5) / depth, label)


def _labels(
    injections: Sequence[InjectionRow], lanes: dict[str, int], names: dict[str, str], shown: tuple[float, float]
) -> list[tuple[InjectionRow, str]]:
    """Return the injections to name: in full, or by number, as far as there is room before the next one of the lane."""
    following: dict[int, float] = {}
    found: list[tuple[InjectionRow, str]] = []
    for row in sorted(injections, key=lambda one: epoch_us(one.started_at), reverse=True):
        lane, end = lanes[row.injection_id], style.day(epoch_us(known_end(row)))
        room = following.get(lane, shown[1]) - end
        name = names[row.injection_id]
        fitting = [text for text in (name, name.split(" ", 1)[0]) if style.width_of(text, shown) < room]
        found.extend((row, text) for text in fitting[:1])
        following[lane] = style.day(epoch_us(row.started_at))
    return found


@dataclass(frozen=True, slots=True)
class _Timed:
    """Iterations with known times, by start: starts and ends in microseconds, and whether each failed."""

    starts: style.Microseconds
    ends: style.Microseconds
    failed: np.ndarray


def _timed(iterations: Sequence[IterationRow]) -> _Timed:
    known = sorted(
        (epoch_us(row.started_at), epoch_us(row.ended_at), row.failed)
        for row in iterations
        if row.started_at is not None and row.ended_at is not None
    )
    table = np.asarray(known, dtype=np.int64).reshape(-1, 3)
    return _Timed(table[:, 0], table[:, 1], table[:, 2].astype(bool))


def _running(panel: Axes, timed: _Timed, span_us: tuple[int, int]) -> None:
    """Draw how many iterations run at a time, on average over a 400th of the page."""
    style.row_label(panel, "iterations", "running", strong=True)
    starts, ends = timed.starts, timed.ends
    edges = np.linspace(*span_us, 401).astype(np.int64)
    # The time spent in iterations up to each edge: all that began before it, less what they ran on after it.
    spent = sum(
        sign * (np.searchsorted(at, edges) * edges - np.concatenate(([0], np.cumsum(at)))[np.searchsorted(at, edges)])
        for sign, at in ((1, np.sort(starts)), (-1, np.sort(ends)))
    )
    running = np.diff(spent) / np.diff(edges)
    panel.fill_between(style.days(edges[1:]), 0, running, step="pre", color=style.SKY, alpha=0.35, linewidth=0)
    panel.step(style.days(edges[1:]), running, where="pre", color=style.BLUE, linewidth=0.9)
    panel.set_ylim(0, max(1.0, float(running.max())) * 1.15)
    style.few_ticks(panel, whole=True)


def _durations(panel: Axes, timed: _Timed) -> None:
    """Draw a point an iteration at its start; failed ones are crosses, with a line to their end."""
    style.row_label(panel, "iteration", "time (s)", strong=True)
    starts, ends, failed = timed.starts, timed.ends, timed.failed
    lasted = (ends - starts) / 1e6
    passed, bad = np.flatnonzero(~failed), np.flatnonzero(failed)
    passed, bad = _some(passed, lasted), _some(bad, lasted)
    x = style.days(starts)
    panel.scatter(x[passed], lasted[passed], s=7, color=style.SKY, linewidths=0, zorder=2)
    few = len(bad) <= _FEW
    panel.hlines(lasted[bad], x[bad], style.days(ends[bad]), color=style.VERMILLION, linewidth=0.9, zorder=3)
    panel.scatter(
        x[bad],
        lasted[bad],
        s=26 if few else 5,
        color=style.VERMILLION,
        marker="x",
        linewidths=1.2 if few else 0.6,
        zorder=3,
    )
    panel.set_ylim(0, float(lasted.max()) * 1.12 or 1.0)
    style.few_ticks(panel)


def _some(rows: np.ndarray, lasted: np.ndarray) -> np.ndarray:
    """Return at most ``_MOST_POINTS`` of ``rows``: the longest, and of the others one in so many."""
    if len(rows) <= _MOST_POINTS:
        return rows
    longest = rows[np.argsort(-lasted[rows], kind="stable")[: _MOST_POINTS // 10]]
    return np.union1d(longest, rows[:: -(-len(rows) // (_MOST_POINTS - len(longest)))])


def _kpi(panel: Axes, one: Series, data: OverviewData, start_us: int, end_us: int) -> None:
    impacts = [row for row in data.impacts if (row.node, row.kpi) == (one.node, one.kpi)]
    target = any(row.node == one.node and style.is_hit(row) for row in data.targets)
    style.row_label(panel, one.node, strong=target)
    style.draw(panel, one, start_us, end_us, strong=target)
    style.mark_impacts(panel, impacts)


def _legend(panel: Axes, data: OverviewData, nodes: Collection[str], *, has_load: bool) -> None:
    handles: list[Patch | Line2D] = [Patch(facecolor=style.ORANGE, alpha=0.5, label="command running")]
    if has_load:
        handles.append(Line2D([], [], color=style.VERMILLION, marker="x", linewidth=0, label="failed iteration"))
    hit = {row.node for row in data.targets if style.is_hit(row)}
    if hit & set(nodes):
        handles.append(Line2D([], [], color=style.BLUE, label="node that was hit"))
    if set(nodes) - hit:
        handles.append(Line2D([], [], color=style.GREY, label="other node"))
    sources = {row.source for row in data.impacts}
    if "detected" in sources:
        handles.append(Line2D([], [], color=style.VERMILLION, linewidth=3.5, label="impact, detected"))
    if "reviewed" in sources:
        handles.append(Line2D([], [], color=style.PURPLE, linewidth=3.5, label="impact, reviewed by a person"))
    panel.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.005, 1.02), ncols=len(handles), borderaxespad=0.0
    )
