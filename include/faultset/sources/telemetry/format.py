"""What a telemetry format declares: its columns, where a row says its time and node, and how exact the time is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from faultset.records.telemetry import TelemetryKind

Microseconds = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
ColumnType = pl.DataType | type[pl.DataType]
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
        unreadable: first row with a text that is no time; None where there is none.
        abbreviations: what stands behind the times (``CEST``, "" where nothing does) -> rows.
    """

    us: Microseconds
    wall: Flags
    beside: Microseconds | None = None
    unreadable: int | None = None
    abbreviations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Form:
    """A telemetry format.

    Attributes:
        name: how messages call it.
        kind: what it holds.
        columns: the columns that must be there, with their types. An integer column may hold decimal numbers, and is
            read as such where one does.
        time: the columns that tell the time, which ``clock`` needs.
        clock: their texts -> times.
        row_uncertainty_s: a row's true time lies in [time, time + this).
        node: the column that names the node; None where the file's name does.
        text: the column in which a row could name the injection; None where there is none.
        others: the type of columns beside the declared ones; None where it is told by their values.
        knows: whether a further column can be part of this format.
        abbreviation: texts of the time -> what stands behind each.
        level: the column with the level of a log line; None where there is none.
        spans: rows -> what each says of a span, with ``SPAN_COLUMNS``; None where rows are no spans.
        span_columns: the columns that ``spans`` needs.
    """

    name: str
    kind: TelemetryKind
    columns: Mapping[str, ColumnType]
    time: tuple[str, ...]
    clock: Callable[[pl.DataFrame], Clock]
    row_uncertainty_s: float
    node: str | None
    text: str | None
    others: ColumnType | None
    knows: Callable[[str], bool] = lambda _: True
    abbreviation: Callable[[pl.DataFrame], pl.Series] | None = None
    level: str | None = None
    spans: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    span_columns: tuple[str, ...] = ()


def microseconds(times: pl.Series) -> Microseconds:
    """Return a column of ``Datetime('us')`` as integers, ``NOT_KNOWN`` where it is null."""
    numbers = times.cast(pl.Int64)
    return (numbers.fill_null(NOT_KNOWN) if numbers.null_count() else numbers).to_numpy()


def first_true(flags: pl.Series) -> int | None:
    """Return the place of the first true value, None where there is none."""
    return flags.arg_max() if flags.any() else None


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
    """Return the first label of each host name; an IP stays whole, "" becomes null."""
    names = host.str.strip_chars()
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
