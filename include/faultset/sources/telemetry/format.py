"""What a telemetry format is: how its files are recognised, how they are laid out, and how their rows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry.nodes import PORT

if TYPE_CHECKING:
    from faultset.sources.telemetry.compression import ByteStream
    from faultset.sources.telemetry.head import Head

Microseconds = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
ColumnType = pl.DataType | type[pl.DataType]
Types = Mapping[str, ColumnType]
NOT_KNOWN = np.iinfo(np.int64).min
# What a row says of a span: which it is and within which, what was done by which service, whether the row's time is its
# start or its stop, how long it took where the row tells (microseconds), and whether it failed.
SPAN_COLUMNS: Mapping[str, ColumnType] = {
    "span": pl.String,
    "parent": pl.String,
    "operation": pl.String,
    "service": pl.String,
    "is_start": pl.Boolean,
    "is_stop": pl.Boolean,
    "took_us": pl.Int64,
    "failed": pl.Boolean,
}


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of some rows, as their texts say, before any zone is applied.

    Attributes:
        us: microseconds since the epoch; wall-clock time of the source's zone where ``wall``, UTC elsewhere;
            ``NOT_KNOWN`` where the row has none.
        wall: which rows have wall-clock time.
        beside: wall-clock microseconds of a second text that says the same moment, ``NOT_KNOWN`` where there is none;
            None where the format has only one.
        unreadable: rows with a text that is no time; None where there is none.
        abbreviations: what stands behind the times (``CEST``, "" where nothing does) -> rows.
    """

    us: Microseconds
    wall: Flags
    beside: Microseconds | None = None
    unreadable: Flags | None = None
    abbreviations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Long:
    """Which columns of a row that holds one value say whose value it is."""

    kpi: str
    value: str


@dataclass(frozen=True, slots=True)
class Values:
    """What a format knows of its numbers.

    Attributes:
        bounds: KPI -> least and greatest possible value; None where there is none.
        smoothed: whether a KPI is an average over time that repeats, minutes later, what others say.
        counter: whether a KPI only grows, so that its rate is what moves.
        counter_mark: a column, and how its text ends in rows of such a KPI; None where the KPI's name alone tells.
        usual: the KPIs that a figure shows first.
        note: what a reader has to know of all of them; "" for nothing.
    """

    bounds: Callable[[str], tuple[float | None, float | None]] = lambda _: (None, None)
    smoothed: Callable[[str], bool] = lambda _: False
    counter: Callable[[str], bool] = lambda _: False
    counter_mark: tuple[str, str] | None = None
    usual: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file is laid out: what its format, its header and its first rows tell.

    Attributes:
        format: name of the format, as messages call it.
        kind: what the file holds.
        columns: columns that are sure, with their types. An integer column may hold decimal numbers, and is read as
            such where one does.
        time: the columns that tell the time, which ``clock`` needs.
        clock: their texts -> times.
        row_uncertainty_s: a row's true time lies in [time, time + this).
        node: the column that names the node; None where ``fixed_node`` or the file's name does.
        fixed_node: the node that header or declaration name; None where neither does.
        text: the column in which a row could name the injection; None where there is none.
        others: the type of columns beside the declared ones; None where it is told by their values.
        abbreviation: texts of the time -> what stands behind each.
        level: the column with the level of a log line; None where there is none.
        spans: rows -> what each says of a span, with ``SPAN_COLUMNS``; None where rows are no spans.
        span_columns: the columns that ``spans`` needs.
        long: where a row holds one value of a KPI that it names.
        kpis: the columns that are KPIs; None for all that hold numbers.
        values: what is known of the numbers.
        split: header -> node of a column and its name there, where one row tells of several nodes.
        in_series: whether rows stand series after series, so that time may run back where another begins.
        tells_nodes: whether its reader says itself of which node each row is.
        blurs_s: how far, in seconds, a row may lag behind what it tells of: of all rows, or those that ``Block.blur``
            chooses from.
        limits: numbers of rows that a tool gives unless it is told otherwise: a file of just so many may be cut.
        limit_note: what to do about it.
        iteration: the columns of the id of a span's trace, and of the number of the iteration that it belongs to.
    """

    format: str
    kind: TelemetryKind
    columns: Mapping[str, ColumnType]
    time: tuple[str, ...]
    clock: Callable[[pl.DataFrame], Clock]
    row_uncertainty_s: float
    node: str | None = None
    fixed_node: str | None = None
    text: str | None = None
    others: ColumnType | None = None
    abbreviation: Callable[[pl.DataFrame], pl.Series] | None = None
    level: str | None = None
    spans: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    span_columns: tuple[str, ...] = ()
    long: Long | None = None
    kpis: frozenset[str] | None = None
    values: Values = Values()
    split: Mapping[str, tuple[str, str]] | None = None
    in_series: bool = False
    tells_nodes: bool = False
    blurs_s: tuple[float, ...] = (0.0,)
    limits: tuple[int, ...] = ()
    limit_note: str = ""
    iteration: tuple[str | None, str | None] = (None, None)

    @property
    def names_nodes(self) -> bool:
        """Whether its rows name their nodes."""
        return self.node is not None or self.split is not None or self.tells_nodes

    def is_kpi(self, column: str) -> bool:
        """Whether numbers in ``column`` are a KPI's."""
        return column not in self.time and (self.kpis is None or column in self.kpis)


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a file is not of a format.

    Attributes:
        problem: what is missing, in words that follow the file's name.
        share: how much of what the format needs is there, 0 to 1: the nearest format is the one to speak of.
    """

    problem: str
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Oddities:
    """What could not be read as it stands.

    Attributes:
        count: how often.
        first: line (from 0 in the block, from 1 in the file) and problem of the first ones.
    """

    count: int = 0
    first: tuple[tuple[int, str], ...] = ()

    SHOWN = 20

    @classmethod
    def of(cls, told: Sequence[tuple[int, str]]) -> Oddities:
        """Return all that was told, of which the first are shown."""
        return cls(len(told), tuple(told[: cls.SHOWN]))

    def __add__(self, other: Oddities) -> Oddities:
        return Oddities(self.count + other.count, (*self.first, *other.first)[: self.SHOWN])

    def after(self, lines: int) -> Oddities:
        """Return the same with the lines counted from ``lines`` earlier on."""
        return Oddities(self.count, tuple((line + lines, problem) for line, problem in self.first))


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows.

    Attributes:
        frame: the source's columns.
        clock: their times.
        nodes: short name of the node of each row, null where it has none; None where the file's name tells.
        lines: how many lines of the file they take.
        unterminated: the last row, and with it the file, ends without a line feed.
        places: of each row, its place among the block's rows in the source; None where all were kept.
        source_rows: how many rows the block has in the source; None: as many as are here.
        left_out: rows that are not whole, or have no time.
        nulled: values that are none, and are null here.
        headers: how often the header stands again.
        blur: of each row, the place of its blur in the layout's; None where there is only one.
    """

    frame: pl.DataFrame
    clock: Clock
    nodes: pl.Series | None
    lines: int
    unterminated: bool = False
    places: Microseconds | None = None
    source_rows: int | None = None
    left_out: Oddities = Oddities()
    nulled: Oddities = Oddities()
    headers: int = 0
    blur: npt.NDArray[np.int8] | None = None

    @property
    def rows_in_source(self) -> int:
        """How many rows of the source the block stands for."""
        return len(self.frame) if self.source_rows is None else self.source_rows


@dataclass(frozen=True, slots=True)
class Rows:
    """An open file of telemetry.

    Attributes:
        layout: how it is laid out.
        types: its columns in their order, with their types.
        blocks: the rows; each is to be called once, in any thread, in any order.
        position: tells at which byte the rows end that were given out so far; None where a format has no such place.
    """

    layout: Layout
    types: Types
    blocks: Iterator[Callable[[], Block]]
    position: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Some consecutive blocks of a file, which are read alone.

    Attributes:
        begin: the byte at which their first row begins; None: behind the header, where the first block does.
        start: the byte from which on the file is read block by block; what lies between ``begin`` and it belongs to a
            row that the block before does not hold whole.
        stop: the byte at which their last block ends; a row that is not whole there is not theirs. None: to the end.
    """

    begin: int | None
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened and recognised, and what of it is wanted.

    Attributes:
        file: the file.
        head: its first bytes, already read from ``stream``.
        stream: the rest.
        layout: how it is laid out.
        types: types that take the place of the declared or inferred ones.
        only: columns to read beside those that tell time and node; None for all.
        span: the blocks that are wanted, of a format whose rows can be read from any place on; None for all.
    """

    file: TelemetryFile
    head: Head
    stream: ByteStream
    layout: Layout
    types: Types
    only: tuple[str, ...] | None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A telemetry format: one of these a file of this folder.

    Attributes:
        id: what ``format`` in ``experiment.yaml`` calls it.
        name: what messages call it.
        kinds: what its files may hold.
        about: which tool writes it, and how, in one line.
        sample: the first lines of a file.
        recognise: the head of a file -> its layout, or what is missing.
        rows: opens the rows of a file so recognised.
    """

    id: str
    name: str
    kinds: tuple[TelemetryKind, ...]
    about: str
    sample: str
    recognise: Callable[[Head], Layout | Missing]
    rows: Callable[[Source], Rows]


def microseconds(times: pl.Series) -> Microseconds:
    """Return a column of ``Datetime('us')`` as integers, ``NOT_KNOWN`` where it is null."""
    numbers = times.cast(pl.Int64)
    return (numbers.fill_null(NOT_KNOWN) if numbers.null_count() else numbers).to_numpy()


def unreadable(flags: pl.Series) -> Flags | None:
    """Return which rows hold a text that is no time; None where none does."""
    return flags.fill_null(value=False).to_numpy() if flags.any() else None


def service_name(project: pl.Expr, service: pl.Expr) -> pl.Expr:
    """Return the name of a service as its processes are called, such as nova-compute: project and part of it."""
    whole = service.is_null() | (service == "") | (service == project)
    named = project.is_null() | (project == "") | service.str.starts_with(pl.concat_str([project, pl.lit("-")]))
    return (
        pl.when(whole)
        .then(project)
        .when(named)
        .then(service)
        .otherwise(pl.concat_str([project, service], separator="-"))
    )


def short_name(host: pl.Series) -> pl.Series:
    """Return the first label of each host name, without a port; an IP stays whole, "" becomes null."""
    names = host.str.strip_chars()
    if names.str.contains(":", literal=True).any():
        names = names.str.replace(PORT, "${1}").str.strip_chars("[]")
    is_ip = names.str.contains(r"^[0-9.]+$|:")
    frame = pl.DataFrame({"name": names, "is_ip": is_ip})
    return frame.select(
        pl.when(pl.col("name") == "")
        .then(None)
        .when(pl.col("is_ip"))
        .then(pl.col("name"))
        .otherwise(pl.col("name").str.split(".").list.first())
        .alias("node")
    )["node"]
