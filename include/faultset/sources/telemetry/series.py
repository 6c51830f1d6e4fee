"""A file's KPIs as numbers over time, for finding what a fault moved: only the columns asked for are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import node_of, true_name
from faultset.sources.telemetry.format import Block, ColumnType, Flags, Layout, Microseconds, Oddities, Rows
from faultset.sources.telemetry.opening import no_rows, numbered, open_rows
from faultset.sources.telemetry.problems import ColumnTypeError
from faultset.sources.telemetry.wall_clock import declared_zone, in_range, to_utc

Values = npt.NDArray[np.float64]
Series = tuple[Microseconds, Values]
Kept = Callable[[Microseconds], Flags]
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class FileSeries:
    """The KPIs of a file.

    Attributes:
        series: node and KPI -> times and values.
        blur_s: node and KPI -> by how much values lag behind at most, in seconds; those that do not are left out.
        smoothed: KPIs that are averages, which repeat later what others say.
        usual: KPIs that a figure shows first.
    """

    series: dict[tuple[str, str], Series]
    blur_s: dict[tuple[str, str], float]
    smoothed: frozenset[str] = frozenset()
    usual: frozenset[str] = frozenset()


def read_series(
    file: TelemetryFile, kpis: Collection[str] | None = None, kept: Kept | None = None
) -> dict[tuple[str, str], Series]:
    """Return the series of ``read_file`` alone."""
    return read_file(file, kpis, kept).series


def read_file(file: TelemetryFile, kpis: Collection[str] | None = None, kept: Kept | None = None) -> FileSeries:
    """Return, for each node and KPI, its times (UTC, microseconds since the epoch, ascending) and its values.

    Rows of one second are spread evenly within it, in the order of the file. A missing value is NaN. Where wall-clock
    time repeats, the first pass is taken. Of a KPI that only grows, the values are its rate per second.

    Args:
        file: a file of metrics.
        kpis: those wanted; None for all.
        kept: times (UTC, microseconds) -> which rows are wanted; None for all. The others are never held.

    Raises:
        InputError: the file cannot be read; names the row.
    """
    types: dict[str, ColumnType] = {}
    while True:
        try:
            return _read(file, kpis, kept, types)
        except ColumnTypeError as change:
            types[change.column] = change.to


def _read(
    file: TelemetryFile, kpis: Collection[str] | None, kept: Kept | None, types: dict[str, ColumnType]
) -> FileSeries:
    parts = _Parts()

    def only(layout: Layout) -> list[str]:
        marks = [layout.values.counter_mark[0]] if layout.values.counter_mark else []
        return [layout.long.kpi, layout.long.value, *marks] if layout.long else list(kpis or ())

    with open_rows(file, types=types, only=None if kpis is None else only) as rows:
        layout = rows.layout
        numeric = _numeric(rows)
        missing = [name for name in kpis or () if name not in numeric] if layout.long is None else []
        if missing:
            raise InputError(file.name, f"has no numbers in a column {missing[0]!r}", f"it has {', '.join(numeric)}")
        count, left_out = 0, Oddities()
        counters: set[str] = set()
        for block, _ in numbered(file, (parse() for parse in rows.blocks)):
            left_out += block.left_out
            if not len(block.frame):
                continue
            count += len(block.frame)
            us = _utc(file, block)
            reading = _Reading(file, layout, numeric, np.ones(len(us), bool) if kept is None else kept(us))
            _add(parts, reading, block, us)
            counters |= _counters(layout, block.frame)
    if not count:
        raise no_rows(file, left_out)
    width = round(layout.row_uncertainty_s * _SECOND)
    found = parts.series(width)
    if kpis is not None:
        found = {key: series for key, series in found.items() if key[1] in kpis}
    growing = {key for key in found if key[1] in counters or layout.values.counter(key[1])}
    return FileSeries(
        {key: rate(series) if key in growing else series for key, series in found.items()},
        {key: blur_s for key in found if (blur_s := parts.blur_s.get(key, max(layout.blurs_s)))},
        smoothed=frozenset(kpi for _, kpi in found if layout.values.smoothed(kpi)),
        usual=frozenset(kpi for _, kpi in found if kpi in layout.values.usual),
    )


def _counters(layout: Layout, frame: pl.DataFrame) -> set[str]:
    """Return the KPIs of which rows say that they only grow."""
    if layout.long is None or layout.values.counter_mark is None:
        return set()
    column, ending = layout.values.counter_mark
    return set(frame.filter(pl.col(column).str.ends_with(ending))[layout.long.kpi].unique().to_list())


def _numeric(rows: Rows) -> list[str]:
    """Return the columns that are KPIs."""
    return [name for name, kind in rows.types.items() if rows.layout.is_kpi(name) and kind != pl.String]


class _Parts:
    """The values of KPIs, block by block; the times of those that stand in one row are held once."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[Microseconds]] = {}
        self._values: dict[tuple[str, str], dict[str, list[Values]]] = {}
        self.blur_s: dict[tuple[str, str], float] = {}

    def add(self, node: str, row: str, us: Microseconds, values: Mapping[str, Values]) -> None:
        """Add values at ``us``; ``row`` is what KPIs of the same rows have in common."""
        self._times.setdefault((node, row), []).append(us)
        by_kpi = self._values.setdefault((node, row), {})
        for kpi, some in values.items():
            by_kpi.setdefault(kpi, []).append(some)

    def series(self, width_us: int) -> dict[tuple[str, str], Series]:
        """Return what was added, in order of time; it is given away."""
        found: dict[tuple[str, str], Series] = {}
        for (node, row), times in self._times.items():
            us = np.concatenate(times)
            order = None if (us[1:] >= us[:-1]).all() else np.argsort(us, kind="stable")
            spread = spread_within(us if order is None else us[order], width_us)
            by_kpi = self._values.pop((node, row))
            for kpi in list(by_kpi):
                values = np.concatenate(by_kpi.pop(kpi))
                found[node, kpi] = (spread, values if order is None else values[order])
        return found


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a block is read: its file, the columns that are KPIs, and which rows are wanted."""

    file: TelemetryFile
    layout: Layout
    numeric: Sequence[str]
    wanted: Flags

    @property
    def node(self) -> str:
        """The node that all rows are of, where they do not tell."""
        return true_name(self.file, self.layout.fixed_node) if self.layout.fixed_node else node_of(self.file)


def _add(parts: _Parts, reading: _Reading, block: Block, us: Microseconds) -> None:
    """Add the wanted rows of a block."""
    layout, wanted = reading.layout, reading.wanted
    frame, times = (block.frame, us) if wanted.all() else (block.frame.filter(pl.Series(wanted)), us[wanted])
    if layout.long is None and block.nodes is None:
        parts.add(reading.node, "", times, {name: _floats(frame[name]) for name in reading.numeric})
        return
    names = [layout.long.value] if layout.long else list(reading.numeric)
    told = frame.select(
        *(pl.col(name).cast(pl.Float64) for name in names),
        pl.Series("us of the row", times),
        _node_of_each(reading, block),
        *([pl.col(layout.long.kpi).alias("kpi of the row")] if layout.long else []),
        *([pl.Series("blur of the row", block.blur[wanted])] if block.blur is not None else []),
    ).filter(pl.col("node of the row").is_not_null())
    by = ["node of the row", *(["kpi of the row"] if layout.long else [])]
    for key, some in told.partition_by(by, as_dict=True, maintain_order=True).items():
        node, at = str(key[0]), some["us of the row"].to_numpy()
        if layout.long:
            kpi = str(key[1])
            parts.add(node, kpi, at, {kpi: _floats(some[layout.long.value])})
            if block.blur is not None:
                blur_s = layout.blurs_s[int(some["blur of the row"].max())]  # type: ignore[arg-type]
                parts.blur_s[node, kpi] = max(blur_s, parts.blur_s.get((node, kpi), 0.0))
        else:
            parts.add(node, "", at, {name: _floats(some[name]) for name in reading.numeric})


def _node_of_each(reading: _Reading, block: Block) -> pl.Series:
    if block.nodes is None:
        return pl.Series("node of the row", [reading.node] * int(reading.wanted.sum()), dtype=pl.String)
    nodes = block.nodes.filter(pl.Series(reading.wanted))
    names = {name: true_name(reading.file, name) for name in nodes.drop_nulls().unique().to_list()}
    return nodes.replace(names).alias("node of the row")


def _floats(column: pl.Series) -> Values:
    return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy())


def rate(series: Series) -> Series:
    """Return by how much a KPI that only grows does so, per second, at the later of each two values.

    Where it shrinks it was set back to zero, as a restart does: what it has since then is what it grew by.
    """
    us, values = series
    known = np.isfinite(values)
    us, values = us[known], values[known]
    if len(us) < 2:
        return us[:0], values[:0]
    grown = np.diff(values)
    grown = np.where(grown < 0, values[1:], grown)
    seconds = np.diff(us) / _SECOND
    later = seconds > 0
    return us[1:][later], grown[later] / seconds[later]


def _utc(file: TelemetryFile, block: Block) -> Microseconds:
    us = block.clock.us
    if not in_range(us):
        raise InputError(file.name, "has a time outside of 1970 to 2200", "correct the row")
    wall = block.clock.wall
    if wall.any():
        us = np.where(wall, to_utc(us, declared_zone(file, us[wall])).us, us)
    return us + file.shift_us


def spread_within(us: Microseconds, width_us: int) -> Microseconds:
    """Return ascending times, those that are equal spread evenly over the ``width_us`` that each of them stands for."""
    if not len(us) or not width_us:
        return us
    starts = np.flatnonzero(np.concatenate(([True], us[1:] != us[:-1])))
    counts = np.diff(np.concatenate((starts, [len(us)])))
    place = np.arange(len(us)) - np.repeat(starts, counts)
    return np.asarray(us + place * width_us // np.repeat(counts, counts))
