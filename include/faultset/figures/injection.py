"""One injection close up: the command, the KPIs of what it acted on, the impact, the recovery, what failed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from faultset.fault_span import known_end
from faultset.figures import style
from faultset.figures.style import Series
from faultset.moments import epoch_us, from_epoch
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow

_SECOND = 1_000_000
_MOST_ROWS = 12
_LEAST_BEFORE_S = 150
_MOST_AROUND_S = 1800
_QUIET_S = 300  # what the normal band is taken from
_OTHERS = 0.25  # how dense other injections are shaded


@dataclass(frozen=True, slots=True)
class InjectionData:
    """What a close-up shows.

    Attributes:
        injection: the row of the dataset's table; of the other tables only what concerns it is drawn.
        injections: all of the experiment, so that a neighbour in time is seen.
        targets: rows of any injection, as are the following.
        iterations: of all workloads.
        impacts: detected and reviewed.
        series: KPIs of the nodes, at least from some minutes before to some minutes after.
    """

    injection: InjectionRow
    injections: Sequence[InjectionRow] = ()
    targets: Sequence[TargetRow] = ()
    iterations: Sequence[IterationRow] = ()
    impacts: Sequence[ImpactRow] = ()
    series: Sequence[Series] = ()


def injection_figure(data: InjectionData, path: Path) -> Path:
    """Draw ``data`` into ``path`` (PNG, 1200 pixels wide) and return it; what has nothing to show is no panel."""
    with style.plain_style():
        impacts = [row for row in data.impacts if row.injection_id == data.injection.injection_id]
        targets = [row for row in data.targets if row.injection_id == data.injection.injection_id]
        start_us, end_us = around(data.injection, impacts)
        rows, left_out = _rows(data.series, targets, impacts)
        iterations, depth = _lanes(data.iterations, start_us, end_us)
        drawn = style.by_kpi(rows)
        heights = [0.35 + 0.11 * min(20, max(3, depth))] if iterations or not drawn else []
        first = len(heights)
        heights += [1.35 * height for height, _, _ in drawn]
        lines = [*_facts(data.injection, targets, iterations), *_missing(data, iterations, rows), *left_out]
        figure, panels = style.stacked(heights, head_in=1.2 + 0.2 * len(lines))
        style.heading(figure, _title(data), lines)
        style.time_axis(panels[-1], start_us, end_us)
        if first:
            _iterations(panels[0], iterations, depth)
        for panel, (_, one, is_heading) in zip(panels[first:], drawn, strict=True):
            if is_heading:
                style.group_heading(panel, one)
            else:
                _kpi(panel, one, data.injection, impacts, (start_us, end_us))
        others = _in_view(data, start_us, end_us)
        for panel in panels:
            _neighbours(panel, others)
            style.shade(panel, [data.injection])
        _seconds_axis(panels[0], data.injection, start_us, end_us)
        _legend(figure, panels[0], impacts, data.injection, has_others=bool(others), has_iterations=bool(iterations))
        return style.saved(figure, path)


def around(injection: InjectionRow, impacts: Sequence[ImpactRow]) -> tuple[int, int]:
    """Return from when to when (microseconds) a close-up reaches: fault and impacts, with some time around."""
    start, end = epoch_us(injection.started_at), epoch_us(known_end(injection))
    last = max([end, *(epoch_us(row.ended_at) for row in impacts if row.injection_id == injection.injection_id)])
    margin = max(_LEAST_BEFORE_S * _SECOND, (last - start) // 2)
    most = _MOST_AROUND_S * _SECOND
    return start - min(margin, most), max(end, min(last, start + most)) + min(margin, most)


# --- what is shown --------------------------------------------------------------------------------------------------


def _title(data: InjectionData) -> str:
    every = data.injections or [data.injection]
    return f"Injection {style.injection_names(every, data.targets).get(data.injection.injection_id, '')}"


def _facts(row: InjectionRow, targets: Sequence[TargetRow], iterations: Sequence[_Bar]) -> list[str]:
    nodes = list(dict.fromkeys(target.node for target in targets if style.is_hit(target)))
    took = (row.ended_at - row.started_at).total_seconds()
    failed = sum(one.failed for one in iterations)
    parts = [
        f"command {row.started_at:%Y-%m-%d %H:%M:%S} UTC, {took:.1f} s",
        *filter(None, [style.fault_end_in_words(row)]),
        f"hit: {', '.join(nodes[:6]) or ('nothing' if targets else 'unknown')}{' …' if len(nodes) > 6 else ''}",
        f"effect: {row.effect}",
        f"outcome: {row.outcome or 'unknown'}",
        f"{failed} failed iteration{'' if failed == 1 else 's'} in view",
    ]
    return [row.injection_id, "  ·  ".join(parts)]


def _missing(data: InjectionData, iterations: Sequence[_Bar], rows: Sequence[Series]) -> list[str]:
    """Return what there is no panel of, in words."""
    lines = []
    if not iterations:
        why = "no iteration ran here" if data.iterations else "no iterations are at hand"
        lines.append(f"{why}, as far as the inputs hold times")
    if not rows:
        lines.append("no metrics of its targets are at hand")
    return lines


def _rows(
    series: Sequence[Series], targets: Sequence[TargetRow], impacts: Sequence[ImpactRow]
) -> tuple[list[Series], list[str]]:
    """Return the KPIs to draw, and what is left out, in words; where any moved, one that did not is not drawn."""
    moved = {(row.node, row.kpi) for row in impacts}
    nodes = {row.node for row in targets if style.is_hit(row)} | {row.node for row in impacts}
    ours = [one for one in series if one.node in nodes and not (one.is_empty or one.is_constant)]
    kpis = {kpi for _, kpi in moved} & {one.kpi for one in ours}
    drawn = [one for one in ours if (one.kpi in kpis if kpis else not one.is_smoothed)]
    ranked = sorted(drawn, key=lambda one: (one.kpi, (one.node, one.kpi) not in moved, one.node))
    shown = ranked[:_MOST_ROWS]
    left_out = []
    if len(ranked) > len(shown):
        left_out.append(f"Shown are {len(shown)} of {len(ranked)} KPIs of nodes: those that moved first.")
    left_out += style.not_shown({one.kpi for one in ours} - {one.kpi for one in ranked}, "did not move")
    return shown, left_out


@dataclass(frozen=True, slots=True)
class _Bar:
    """An iteration in view: microseconds, and the lane it is drawn in."""

    start: int
    end: int
    failed: bool
    lane: int


def _lanes(iterations: Sequence[IterationRow], start_us: int, end_us: int) -> tuple[list[_Bar], int]:
    """Return the iterations in view, each in a lane that is free then, and the number of lanes."""
    first, last = (from_epoch(at / _SECOND) for at in (start_us, end_us))
    known = sorted(
        (epoch_us(row.started_at), epoch_us(row.ended_at), row.failed)
        for row in iterations
        if row.started_at is not None and row.ended_at is not None and row.ended_at >= first and row.started_at < last
    )
    free: list[int] = []
    bars = []
    for start, end, failed in known:
        lane = next((place for place, until in enumerate(free) if until <= start), len(free))
        free[lane:] = [end, *free[lane + 1 :]]
        bars.append(_Bar(start, end, failed, lane))
    return bars, len(free)


# --- panels ---------------------------------------------------------------------------------------------------------


def _iterations(panel: Axes, bars: Sequence[_Bar], depth: int) -> None:
    style.row_label(panel, "iterations", strong=True)
    panel.set_yticks([])
    panel.grid(visible=False)
    panel.set_ylim(max(depth, 1), 0)
    for failed, colour in ((False, style.SKY), (True, style.VERMILLION)):
        some = [bar for bar in bars if bar.failed == failed]
        panel.barh(
            [bar.lane + 0.5 for bar in some],
            [style.day(bar.end) - style.day(bar.start) for bar in some],
            left=[style.day(bar.start) for bar in some],
            height=0.9 if failed else 0.7,
            color=colour,
            # A failed iteration can be over in milliseconds: its edge is seen however short it is.
            edgecolor=style.VERMILLION if failed else "white",
            linewidth=1.2 if failed else 0.5 * (len(bars) < 500),
            zorder=2,
        )


def _kpi(
    panel: Axes, one: Series, injection: InjectionRow, impacts: Sequence[ImpactRow], span_us: tuple[int, int]
) -> None:
    mine = [row for row in impacts if (row.node, row.kpi) == (one.node, one.kpi)]
    unit = style.unit_of(one.kpi, float(np.nanmax(one.high)))
    style.row_label(panel, one.node, strong=bool(mine))
    style.draw(panel, one, *span_us, strong=bool(mine))
    _normal_band(panel, one, epoch_us(injection.started_at), unit.divisor)
    ended = known_end(injection)
    for row in mine:
        _recovery(panel, max(ended, row.started_at), row.ended_at)
    style.mark_impacts(panel, mine, sizes=True)


def _normal_band(panel: Axes, one: Series, start_us: int, divisor: float) -> None:
    """Shade where the KPI lay in the minutes before: its median, and three robust standard deviations around it."""
    quiet = one.between(start_us - _QUIET_S * _SECOND, start_us)
    values = ((quiet.low + quiet.high) / 2)[np.isfinite(quiet.low)] / divisor
    if len(values) < 10:
        return
    middle = float(np.median(values))
    spread = 3 * 1.4826 * float(np.median(np.abs(values - middle)))
    panel.axhspan(middle - spread, middle + spread, color=style.GREEN, alpha=0.10, linewidth=0, zorder=0.3)
    panel.axhline(middle, color=style.GREEN, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)


def _recovery(panel: Axes, start: dt.datetime, end: dt.datetime) -> None:
    if end > start:
        left, right = style.day(epoch_us(start)), style.day(epoch_us(end))
        panel.axvspan(
            left, right, ymin=0.07, facecolor="none", edgecolor=style.PALE, hatch="//", linewidth=0, zorder=0.2
        )


def _in_view(data: InjectionData, start_us: int, end_us: int) -> list[tuple[float, float]]:
    """Return from when to when other injections are in view, in days."""
    spans = [
        (epoch_us(row.started_at), epoch_us(known_end(row)))
        for row in data.injections
        if row.injection_id != data.injection.injection_id
    ]
    return [(style.day(start), style.day(end)) for start, end in spans if end >= start_us and start < end_us]


def _neighbours(panel: Axes, others: Sequence[tuple[float, float]]) -> None:
    """Show other injections in view as grey spans."""
    for start, end in others:
        panel.axvspan(start, end, color=style.GREY, alpha=_OTHERS, linewidth=0.5, zorder=0.5)


def _seconds_axis(panel: Axes, injection: InjectionRow, start_us: int, end_us: int) -> None:
    """Put seconds since the command's start above the first panel."""
    zero_us = epoch_us(injection.started_at)
    above = panel.twiny()
    above.set_xlim((start_us - zero_us) / _SECOND, (end_us - zero_us) / _SECOND)
    above.set_xlabel("seconds since the command began", color=style.GREY, fontsize=8.5, labelpad=3)
    above.tick_params(colors=style.GREY, labelsize=8)
    above.grid(visible=False)
    above.spines["top"].set_visible(True)


def _legend(
    figure: Figure,
    panel: Axes,
    impacts: Sequence[ImpactRow],
    injection: InjectionRow,
    *,
    has_others: bool,
    has_iterations: bool,
) -> None:
    lasting = "fault lasting" if injection.fault_ended_at else "fault perhaps lasting"
    handles: list[Patch | Line2D] = [
        Patch(facecolor=style.ORANGE, alpha=0.5, label="command running"),
        *([Patch(facecolor=style.ORANGE, alpha=0.2, label=lasting)] if style.outlasts(injection) else []),
        *([Patch(facecolor=style.GREY, alpha=_OTHERS, label="another injection")] if has_others else []),
        *([Patch(facecolor=style.SKY, label="iteration")] if has_iterations else []),
        *([Patch(facecolor=style.VERMILLION, label="failed iteration")] if has_iterations else []),
        Line2D([], [], color=style.GREEN, linestyle="--", label="normal: 5 min before, ± 3 robust sd"),
    ]
    sources = {row.source for row in impacts}
    if "detected" in sources:
        handles.append(Line2D([], [], color=style.VERMILLION, linewidth=3.5, label="impact, detected"))
    if "reviewed" in sources:
        handles.append(Line2D([], [], color=style.PURPLE, linewidth=3.5, label="impact, reviewed"))
    if impacts:
        handles.append(Patch(facecolor="white", edgecolor=style.PALE, hatch="///", label="recovery"))
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.005, 1.0),
        ncols=len(handles),
        borderaxespad=0.0,
        bbox_transform=panel.transAxes + ScaledTranslation(0, 0.44, figure.dpi_scale_trans),
    )
