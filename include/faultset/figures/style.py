"""What all figures share: colours that colour-blind readers tell apart, units, the time axis, bytes that repeat.

Only matplotlib's object interface is used, so that no state is shared between figures. All text that comes from a
report is drawn as plain text: neither ``$`` nor a control character means anything in it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
import numpy as np
import numpy.typing as npt
from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from faultset.errors import printable
from faultset.fault_span import span_of
from faultset.moments import UTC, epoch_us
from faultset.tables import ImpactRow, InjectionRow, TargetRow

Microseconds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Okabe and Ito's palette: told apart by readers with any common colour blindness.
BLACK, GREY, PALE = "#000000", "#5f6368", "#d8dade"
ORANGE, SKY, GREEN, BLUE, VERMILLION, PURPLE = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"

WIDTH_IN, DPI = 12.0, 100  # 1200 pixels
COLUMNS = 1000
"""Points of a line at most: one a pixel, each with the lowest and the highest value, so that spikes stay visible."""

_DAY_US = 86_400_000_000
_RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.edgecolor": "#9aa0a6",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "both",
    "grid.color": "#e8eaed",
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 8,
    "ytick.labelsize": 7.5,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
}


# --- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Series:
    """A KPI of a node over time, as recorded, or already as the lowest and highest value of short spans.

    Attributes:
        node: short name.
        kpi: column of the metrics.
        times_us: (n,) ascending.
        low: (n,) values in the source's own unit; NaN where there is none.
        high: (n,) the same as ``low`` where each point is one row.
        is_smoothed: it is an average, which repeats later what others say.
        is_usual: a figure shows it first.
    """

    node: str
    kpi: str
    times_us: Microseconds
    low: Floats
    high: Floats
    is_smoothed: bool = False
    is_usual: bool = False

    @classmethod
    def of_rows(cls, node: str, kpi: str, times_us: Microseconds, values: Floats) -> Series:
        """Return rows in any order as a series."""
        ordered = np.argsort(times_us, kind="stable")
        kept = np.asarray(values, dtype=np.float64)[ordered]
        return cls(node, kpi, np.asarray(times_us, dtype=np.int64)[ordered], kept, kept)

    def between(self, start_us: int, end_us: int) -> Series:
        """Return what lies in [start_us, end_us)."""
        first, last = np.searchsorted(self.times_us, (start_us, end_us))
        return Series(self.node, self.kpi, self.times_us[first:last], self.low[first:last], self.high[first:last])

    @property
    def is_empty(self) -> bool:
        """Whether no value is known."""
        return not bool(np.isfinite(self.low).any())

    @property
    def is_constant(self) -> bool:
        """Whether nothing ever changes, such as the number of cores."""
        low, high = self.low[np.isfinite(self.low)], self.high[np.isfinite(self.high)]
        return bool(low.size == 0 or low.min() == high.max())


def thinned(series: Series, start_us: int, end_us: int, columns: int = COLUMNS) -> Series:
    """Return at most ``columns`` points in [start_us, end_us), each with the lowest and highest value of its span."""
    part = series.between(start_us, end_us)
    known = np.isfinite(part.low) & np.isfinite(part.high)
    times, low, high = part.times_us[known], part.low[known], part.high[known]
    if len(times) <= columns:
        return Series(series.node, series.kpi, times, low, high)
    place = (times - start_us) * columns // max(1, end_us - start_us)
    first = np.flatnonzero(np.diff(place, prepend=-1))
    return Series(
        series.node,
        series.kpi,
        times[first],
        np.minimum.reduceat(low, first),
        np.maximum.reduceat(high, first),
        series.is_smoothed,
        series.is_usual,
    )


@dataclass(frozen=True, slots=True)
class Unit:
    """How a KPI is shown: ``label`` on the axis, the source's values divided by ``divisor``."""

    label: str
    divisor: float


def unit_of(kpi: str, highest: float) -> Unit:
    """Return the unit of glances' KPI names; a KPI of another name is shown as it is, without one."""
    group, _, what = kpi.partition(".")
    if what == "percent" or (group == "cpu" and what in {"user", "system", "idle", "iowait", "total", "nice", "steal"}):
        return Unit("%", 1.0)
    if group in {"mem", "memswap", "fs"} and highest >= 2**20:
        return Unit("GiB", 2.0**30) if highest >= 2**30 else Unit("MiB", 2.0**20)
    if group == "load" and what.startswith("min"):
        return Unit("tasks", 1.0)
    return Unit("", 1.0)


def injection_names(injections: Iterable[InjectionRow], targets: Iterable[TargetRow]) -> dict[str, str]:
    """Return injection id -> a short label: its number by start, the action and what it acted on."""
    acted_on: dict[str, list[str]] = {}
    for target in targets:
        if is_hit(target):
            acted_on.setdefault(target.injection_id, []).append(target.container or target.component or target.node)
    names = {}
    for number, row in enumerate(sorted(injections, key=lambda one: (one.started_at, one.injection_id)), start=1):
        what = list(dict.fromkeys(acted_on.get(row.injection_id, ())))
        shown = ", ".join(what) if len(what) <= 1 else f"{what[0]} and {len(what) - 1} more"
        names[row.injection_id] = safe(" ".join(filter(None, (f"{number}", row.action or "fault", shown))), 48)
    return names


def safe(text: str, limit: int = 120) -> str:
    """Return untrusted ``text`` as one harmless line."""
    return printable(text, limit)


# --- drawing --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def plain_style() -> Iterator[None]:
    """Draw in this project's style, whatever the machine's own matplotlib settings say."""
    with matplotlib.style.context(["default", _RC]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # shown as a box, which is enough
        yield


def stacked(heights_in: Sequence[float], head_in: float, foot_in: float = 0.62) -> tuple[Figure, list[Axes]]:
    """Return a page of panels that share one time axis, below ``head_in`` inches for titles."""
    height = sum(heights_in) + head_in + foot_in
    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(heights_in),
        1,
        height_ratios=list(heights_in),
        left=0.112,
        right=0.972,
        top=1 - head_in / height,
        bottom=foot_in / height,
        hspace=0.2,
    )
    first = figure.add_subplot(grid[0])
    rest = [figure.add_subplot(grid[place], sharex=first) for place in range(1, len(heights_in))]
    panels = [first, *rest]
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False, bottom=False)
    return figure, panels


def heading(figure: Figure, title: str, lines: Sequence[str]) -> None:
    """Write a title and lines below it at the top left."""
    height = figure.get_figheight()
    figure.text(
        0.012, 1 - 0.12 / height, safe(title, 110), fontsize=14, weight="bold", va="top", parse_math=False, color=BLACK
    )
    for place, line in enumerate(lines):
        top = 1 - (0.44 + 0.2 * place) / height
        figure.text(0.012, top, safe(line, 200), fontsize=9.5, va="top", parse_math=False, color=GREY)


def row_label(panel: Axes, name: str, unit: str = "", *, strong: bool) -> None:
    """Write the panel's name, and its unit below, left of it."""
    panel.set_ylabel(
        "\n".join(filter(None, (safe(name, 16), unit))),
        rotation=0,
        ha="right",
        va="center",
        color=BLACK if strong else GREY,
        weight="bold" if strong else "normal",
        parse_math=False,
    )
    panel.yaxis.set_label_coords(-0.05, 0.5)


def group_heading(panel: Axes, series: Series) -> None:
    """Turn the panel into the heading of the rows of a KPI: its name and unit."""
    panel.set_axis_off()
    unit = unit_of(series.kpi, float(np.nanmax(series.high, initial=0.0)))
    name = f"{series.kpi} ({unit.label})" if unit.label else series.kpi
    panel.text(
        0, 0.0, safe(name), transform=panel.transAxes, fontsize=9.5, weight="bold", va="bottom", parse_math=False
    )


def time_axis(panel: Axes, start_us: int, end_us: int) -> None:
    """Make the panel's time axis run from start to end, in UTC, and say so."""
    panel.set_xlim(day(start_us), day(end_us))
    locator = dates.AutoDateLocator(tz=UTC, minticks=5, maxticks=12)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_locator(locator)
    span_s = (end_us - start_us) / 1e6
    formatter = dates.DateFormatter(_time_format(span_s), tz=UTC)  # type: ignore[no-untyped-call]
    panel.xaxis.set_major_formatter(formatter)
    first, last = (dt.datetime.fromtimestamp(at // 1_000_000, UTC).date() for at in (start_us, end_us))
    dates_shown = f"{first}" if first == last else f"{first} to {last}"
    panel.set_xlabel(f"time (UTC), {dates_shown}", color=GREY, labelpad=4)


def _time_format(span_s: float) -> str:
    if span_s > 2 * 86_400:
        return "%m-%d %H:%M"
    return "%H:%M" if span_s > 20 * 60 else "%H:%M:%S"


def few_ticks(panel: Axes, count: int = 3, *, whole: bool = False) -> None:
    """Put few, round values on the panel's y axis, as themselves: no offset is left for the reader to add."""
    panel.yaxis.set_major_locator(MaxNLocator(nbins=count, integer=whole, min_n_ticks=2))
    panel.ticklabel_format(axis="y", style="plain", useOffset=False)


def day(us: int) -> float:
    """Return a moment, in microseconds since the epoch, as matplotlib counts time."""
    return us / _DAY_US


def days(us: Microseconds) -> Floats:
    """Return moments, in microseconds since the epoch, as matplotlib counts time."""
    return np.asarray(us / _DAY_US)


def shade(panel: Axes, injections: Iterable[InjectionRow]) -> None:
    """Shade the command windows; each has an edge of a fixed width, so that a short one is seen too.

    A fault that outlasts its command is shaded lighter up to its end; with a dotted edge where that is not known.
    """
    for row in injections:
        start, end = day(epoch_us(row.started_at)), day(epoch_us(row.ended_at))
        panel.axvspan(start, end, facecolor=ORANGE, alpha=0.28, linewidth=0, zorder=0.5)
        panel.axvline(start, color=ORANGE, linewidth=1.0, zorder=0.6)
        left, right = panel.get_xlim()
        until = min(day(epoch_us(span_of(row).end_latest)), right)
        if until > max(end, left) and outlasts(row):
            panel.axvspan(end, until, facecolor=ORANGE, alpha=0.13, linewidth=0, zorder=0.45)
            if row.fault_ended_at is None:
                panel.axvline(end, color=ORANGE, linewidth=1.0, linestyle=":", zorder=0.6)


def outlasts(row: InjectionRow) -> bool:
    """Return whether a fault lasts longer than its command, or may."""
    return row.fault_end_source != "command" and span_of(row).end_latest > row.ended_at


def fault_end_in_words(row: InjectionRow) -> str:
    """Return when the fault ended where that is not with its command; "" where it is."""
    if not outlasts(row):
        return ""
    if row.fault_ended_at is None:
        return "the fault's end is unknown"
    return f"the fault lasted {(row.fault_ended_at - row.started_at).total_seconds():,.1f} s"


def draw(panel: Axes, series: Series, start_us: int, end_us: int, *, strong: bool) -> None:
    """Draw a KPI, with its own unit, over [start_us, end_us); a gap in the data is a gap in the line."""
    seen = thinned(series, start_us, end_us)
    if seen.is_empty:
        nothing(panel, "no values here")
        return
    unit = unit_of(series.kpi, float(seen.high.max()))
    at, low, high = _with_gaps(seen)
    x, low, high = days(at), low / unit.divisor, high / unit.divisor
    colour = BLUE if strong else GREY
    panel.fill_between(x, low, high, color=colour, linewidth=0.6, alpha=0.45)
    panel.plot(x, (low + high) / 2, color=colour, linewidth=0.8, zorder=2)
    panel.margins(y=0.16)  # room for the marks of impacts
    few_ticks(panel)


def _with_gaps(series: Series) -> tuple[Microseconds, Floats, Floats]:
    steps = np.diff(series.times_us)
    if not len(steps):
        return series.times_us, series.low, series.high
    gaps = np.flatnonzero(steps > max(5 * float(np.median(steps)), 5e6)) + 1
    at = np.insert(series.times_us, gaps, series.times_us[gaps - 1] + 1)
    return at, np.insert(series.low, gaps, np.nan), np.insert(series.high, gaps, np.nan)


def mark_impacts(panel: Axes, impacts: Iterable[ImpactRow], *, sizes: bool = False) -> None:
    """Mark impacts by bars along the panel: detected ones at its foot, reviewed ones at its head."""
    for row in impacts:
        start, end = day(epoch_us(row.started_at)), day(epoch_us(row.ended_at))
        detected = row.source == "detected"
        colour, foot = (VERMILLION, 0.0) if detected else (PURPLE, 0.93)
        panel.axvspan(start, end, ymin=foot, ymax=foot + 0.07, color=colour, linewidth=0.8, zorder=3)
        panel.axvspan(start, end, color=colour, alpha=0.10, linewidth=0, zorder=0.4)
        if detected:
            beside(panel, (start, end), 0.02, _impact_text(row, sizes=sizes), VERMILLION)


def width_of(text: str, shown: tuple[float, float]) -> float:
    """Return about how wide ``text`` is in small print, with some space, where an axis shows ``shown``."""
    return (shown[1] - shown[0]) * (0.008 + 0.006 * len(text))


def beside(panel: Axes, span: tuple[float, float], height: float, text: str, colour: str = BLACK) -> None:
    """Write ``text`` after ``span`` (days) at a height (0 to 1) of the panel, or before it for want of room."""
    shown = panel.get_xlim()
    after = span[1] + width_of(text, shown) < shown[1]
    panel.annotate(
        text,
        (span[1] if after else span[0], height),
        xycoords=("data", "axes fraction"),
        xytext=(4 if after else -4, 0),
        textcoords="offset points",
        fontsize=8,
        color=colour,
        ha="left" if after else "right",
        va="bottom" if height < 0.1 else "center",
        annotation_clip=True,
        parse_math=False,
    )


def _impact_text(row: ImpactRow, *, sizes: bool) -> str:
    arrow = {"up": "▲", "down": "▼"}.get(row.direction or "", "")
    size = f" {abs(row.score):.1f} sd" if sizes and row.score is not None else ""
    return f"{arrow}{size}".strip()


def by_kpi(rows: Iterable[Series]) -> list[tuple[float, Series, bool]]:
    """Return (height in inches, series, whether it is its KPI's heading): a heading before the rows of each KPI."""
    found: list[tuple[float, Series, bool]] = []
    for one in rows:
        if not found or found[-1][1].kpi != one.kpi:
            found.append((0.2, one, True))
        found.append((0.56, one, False))
    return found


def nothing(panel: Axes, why: str) -> None:
    """Say in the panel why it is empty."""
    panel.set_yticks([])
    panel.grid(visible=False)
    panel.text(
        0.5,
        0.5,
        safe(why),
        transform=panel.transAxes,
        ha="center",
        va="center",
        color=GREY,
        style="italic",
        parse_math=False,
    )


def saved(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG without anything that changes from one drawing to the next; return its path."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata=_no_metadata())
    path.write_bytes(buffer.getvalue())
    return path


def _no_metadata() -> Mapping[str, None]:
    return {"Software": None}


def is_hit(target: TargetRow) -> bool:
    """Whether the injection acted there, as far as is known: it went there, and is not known to have done nothing."""
    return target.commanded is not False and target.effective is not False


def not_shown(kpis: Iterable[str], why: str) -> list[str]:
    """Return a line that names the KPIs that a figure leaves out, the first of them; none where there are none."""
    names = sorted(kpis)
    return [f"Not shown, {why}: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}."] if names else []


def ranked_nodes(series: Iterable[Series], targets: Iterable[TargetRow], impacts: Iterable[ImpactRow]) -> list[str]:
    """Return the nodes that have series: those with impacts first, then targets, then the others, each by name."""
    hit = {row.node for row in impacts}
    meant = {row.node for row in targets if is_hit(row)}
    nodes = {one.node for one in series if not one.is_empty}
    return sorted(nodes, key=lambda node: (node not in hit, node not in meant, node))
