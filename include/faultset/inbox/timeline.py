"""The timeline of a run as SVG inside of a page: a band for each workload, and its injections in lanes below the load.

Injections are numbered by their start, as in the table beside the timeline. What took effect is told by fill and
outline, so that it can be read without colours, too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultset.errors import printable
from faultset.moments import UTC
from faultset.pages.environment import escaped

Row = Mapping[str, Any]

_WIDTH, _LEFT, _RIGHT, _TOP = 1120, 250, 30, 34
_LOAD_HEIGHT, _LANE, _BOX, _GAP, _AXIS = 12, 21, 17, 16, 46
_MOST_BANDS, _MOST_LANES, _MOST_NUMBERED = 40, 12, 80
_LONGEST_NAME = 32
_LOAD, _INK, _MUTE, _GRID = "#b7c9dc", "#1f2328", "#59636e", "#e4e8ec"
# Fill, outline, dashes and ink of the number; the fills differ in lightness as well as in hue.
_EFFECTS = {
    "full": ("#a33c00", "#a33c00", "", "#fff"),
    "partial": ("#f2b233", "#7a4b00", "", _INK),
    "none": ("#fff", "#7a4b00", "", _INK),
    "unknown": ("#eef1f4", _MUTE, "3 2", _INK),
}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_MOST_TICKS = 8
_DAY = 86400


@dataclass(frozen=True, slots=True)
class _Box:
    """An injection where it is drawn; ``number`` is None where there is no room for one.

    ``until`` is where the fault ends, or the time ends that it may have lasted: the command's end or further right.
    """

    row: Row
    number: int | None
    x: float
    width: float
    lane: int
    until: float


@dataclass(frozen=True, slots=True)
class _Band:
    """A workload with its injections."""

    workload: Row
    boxes: tuple[_Box, ...]

    @property
    def lanes(self) -> int:
        return max((box.lane + 1 for box in self.boxes), default=0)

    @property
    def height(self) -> int:
        return max(_LOAD_HEIGHT + 6 + self.lanes * _LANE, 34) + _GAP


def numbered(injections: Sequence[Row]) -> list[Row]:
    """Return injections in the order of their numbers, which count from 1."""
    return sorted(injections, key=lambda row: (row["started_at"] or "9", row["injection_id"]))


def draw(recognised: Mapping[str, Sequence[Row]]) -> str:
    """Return an SVG of all workloads with their injections and a legend; "" where no time is known.

    Args:
        recognised: ``workloads`` and ``injections`` as plain JSON values, times in ISO 8601.
    """
    rows = numbered(recognised.get("injections", ()))
    timed = [(number, row) for number, row in enumerate(rows, start=1) if row["started_at"]]
    workloads = [one for one in recognised.get("workloads", ()) if _moments(one, timed)]
    if not workloads:
        return ""
    moments = [moment for one in workloads for moment in _moments(one, timed)]
    scale = _Scale(min(moments), max(max(moments) - min(moments), 1.0))
    shown = sorted(workloads, key=lambda one: min(_moments(one, timed)))[:_MOST_BANDS]
    bands = [_band(one, timed, scale) for one in shown]
    height = _TOP + sum(band.height for band in bands) + _AXIS
    label = f"{_count(len(timed), 'injection')} in {_count(len(workloads), 'workload')}, over time"
    more = (
        f'<p class="mute">{_count(len(workloads) - len(shown), "more workload")} not drawn.</p>'
        if len(workloads) > len(shown)
        else ""
    )
    return (
        f'<div class="timeline"><svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">'
        f"{_legend()}{_axis(scale, height - _AXIS)}{''.join(_drawn(bands, scale, timed))}</svg></div>{more}"
    )


class _Scale:
    """Epoch seconds to pixels."""

    def __init__(self, first: float, length: float) -> None:
        self.first, self.length = first - 0.02 * length, 1.04 * length

    @property
    def last(self) -> float:
        return self.first + self.length

    def x(self, second: float) -> float:
        return _LEFT + (second - self.first) / self.length * (_WIDTH - _LEFT - _RIGHT)


def _moments(workload: Row, timed: Sequence[tuple[int, Row]]) -> list[float]:
    """All moments that are known of a workload; its injections stand in where its own times are not known."""
    rows = [workload, *(row for _, row in timed if row["workload_id"] == workload["workload_id"])]
    return [_second(row[key]) for row in rows for key in ("started_at", "ended_at", "fault_ended_at") if row.get(key)]


# --- bands and lanes ------------------------------------------------------------------------------------------------


def _band(workload: Row, timed: Sequence[tuple[int, Row]], scale: _Scale) -> _Band:
    own = [(number, row) for number, row in timed if row["workload_id"] == workload["workload_id"]]
    with_numbers = len(own) <= _MOST_NUMBERED
    ends: list[float] = []
    boxes = []
    for number, row in own:
        start, end = _second(row["started_at"]), _second(row["ended_at"] or row["started_at"])
        x = scale.x(start)
        width = max(scale.x(end) - x, _room(number) if with_numbers else 2.0)
        until = max(scale.x(min(_fault_end(row, end), scale.last)), x + width)
        lane = next((lane for lane, taken in enumerate(ends) if taken <= x), len(ends))
        if lane < _MOST_LANES:
            ends[lane : lane + 1] = [until + 2]
        boxes.append(_Box(row, number if with_numbers else None, x, width, min(lane, _MOST_LANES - 1), until))
    return _Band(workload, tuple(boxes))


def _room(number: int) -> float:
    """Pixels that a number needs."""
    return 8.0 * len(str(number)) + 6


def _drawn(bands: Sequence[_Band], scale: _Scale, timed: Sequence[tuple[int, Row]]) -> Iterator[str]:
    y = _TOP
    for band in bands:
        moments = _moments(band.workload, timed)
        x = scale.x(min(moments))
        width = max(scale.x(max(moments)) - x, 2.0)
        yield _name(band.workload, y)
        yield (
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_LOAD_HEIGHT}" rx="3" fill="{_LOAD}">'
            f"<title>{_said(band.workload['name'])}: {_span(min(moments), max(moments))}</title></rect>"
        )
        for box in band.boxes:
            yield _box(box, y + _LOAD_HEIGHT + 6 + box.lane * _LANE)
        y += band.height


def _name(workload: Row, y: int) -> str:
    name = printable(str(workload["name"])) or "(no name)"
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    place = f", position {workload['position']}" if workload.get("position") else ""
    below = f"{_count(int(workload['iterations']), 'iteration')}{place}"
    return (
        f'<text x="{_LEFT - 12}" y="{y + 11}" text-anchor="end" font-size="12.5" fill="{_INK}">{escaped(shown)}'
        f"<title>{escaped(name)}</title></text>"
        f'<text x="{_LEFT - 12}" y="{y + 27}" text-anchor="end" font-size="12" fill="{_MUTE}">{below}</text>'
    )


def _box(box: _Box, y: int) -> str:
    row = box.row
    fill, outline, dashes, ink = _EFFECTS.get(str(row["effect"]), _EFFECTS["unknown"])
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    start, end = _second(row["started_at"]), _second(row["ended_at"] or row["started_at"])
    title = f"{row['injection_id']}: {row['unit']} {row['value']}, {_span(start, end)}, effect {row['effect']}"
    drawn = _lasting(box, y, outline) + (
        f'<rect x="{box.x:.1f}" y="{y}" width="{box.width:.1f}" height="{_BOX}" rx="2" fill="{fill}" '
        f'stroke="{outline}"{dashed}><title>{_said(title)}</title></rect>'
    )
    if box.number is None:
        return drawn
    middle = f'x="{box.x + box.width / 2:.1f}" y="{y + 13}" text-anchor="middle"'
    return f'{drawn}<text {middle} font-size="12" fill="{ink}" pointer-events="none">{box.number}</text>'


def _lasting(box: _Box, y: int, outline: str) -> str:
    """The fault behind its command, as a line; dashed where its end is not known, with the reason as its title."""
    left = box.x + box.width
    if box.until <= left:
        return ""
    dashed = ' stroke-dasharray="4 4"' if box.row.get("fault_ended_at") is None else ""
    title = f"{box.row['injection_id']}: the fault's end: {box.row.get('fault_end_reason') or 'unknown'}"
    middle = y + _BOX / 2
    return (
        f'<line x1="{left:.1f}" y1="{middle}" x2="{box.until:.1f}" y2="{middle}" stroke="{outline}" '
        f'stroke-width="5"{dashed}><title>{_said(title)}</title></line>'
    )


def _fault_end(row: Row, command_end: float) -> float:
    """Return when the fault ended, or until when it may have lasted, as epoch seconds; never before its command."""
    known = row.get("fault_ended_at") or row.get("fault_open_until")
    return max(command_end, _second(known)) if known else command_end


# --- what stands around it ------------------------------------------------------------------------------------------


def _legend() -> str:
    parts = [f'<rect x="{_LEFT}" y="6" width="22" height="10" rx="3" fill="{_LOAD}"/>', _word(_LEFT + 28, "load")]
    x = _LEFT + 76
    for effect, (fill, outline, dashes, _) in _EFFECTS.items():
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        parts.append(
            f'<rect x="{x}" y="4" width="16" height="14" rx="2" fill="{fill}" stroke="{outline}"{dashed}/>'
            f"{_word(x + 22, f'injection, effect {effect}')}"
        )
        x += 180
    return "".join(parts)


def _word(x: int, text: str) -> str:
    return f'<text x="{x}" y="15" font-size="12" fill="{_MUTE}">{text}</text>'


def _axis(scale: _Scale, y: int) -> str:
    step = next((step for step in _STEPS if scale.length / step <= _MOST_TICKS), 0)
    step = step or _DAY * int(scale.length / _DAY / _MOST_TICKS + 1)
    parts = [f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="{_MUTE}"/>']
    day = ""
    for second in range(-int(-scale.first // step) * step, int(scale.last) + 1, step):
        moment, x = dt.datetime.fromtimestamp(second, UTC), scale.x(second)
        clock = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
        parts.append(
            f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{y}" stroke="{_GRID}"/>'
            f'<text x="{x:.1f}" y="{y + 17}" text-anchor="middle" font-size="12" fill="{_INK}">{clock}</text>'
        )
        if f"{moment:%Y-%m-%d}" != day:
            day = f"{moment:%Y-%m-%d}"
            parts.append(
                f'<text x="{x:.1f}" y="{y + 34}" text-anchor="middle" font-size="12" fill="{_MUTE}">{day}</text>'
            )
    parts.append(
        f'<text x="{_LEFT - 40}" y="{y + 17}" text-anchor="end" font-size="12" fill="{_MUTE}">time in UTC</text>'
    )
    return "".join(parts)


def _span(start: float, end: float) -> str:
    first, last = (dt.datetime.fromtimestamp(second, UTC) for second in (start, end))
    return f"{first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC ({end - start:,.0f} s)"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _said(text: object) -> str:
    return escaped(printable(str(text)))


def _second(text: str) -> float:
    return dt.datetime.fromisoformat(text).timestamp()
