"""What happened in a file of logs or traces, and when: lines by level, and spans by service; the texts are left out.

Blocks are read one after the other, and of each only times and short names are kept, and only of the time asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from faultset.errors import InputError, printable
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry.format import NOT_KNOWN, Block, Layout, Microseconds
from faultset.sources.telemetry.opening import numbered, open_rows
from faultset.sources.telemetry.series import Kept
from faultset.sources.telemetry.wall_clock import declared_zone, in_range, to_utc

LEVELS = ("TRACE", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL")
ALIASES = {
    "WARN": "WARNING", "ERR": "ERROR", "SEVERE": "ERROR", "FATAL": "CRITICAL", "CRIT": "CRITICAL", "ALERT": "CRITICAL",
    "EMERG": "CRITICAL", "EMERGENCY": "CRITICAL", "PANIC": "CRITICAL", "INFORMATION": "INFO", "AUDIT": "INFO",
}  # fmt: skip
OTHER = "other"  # lines without a level, or with one that is none of these
_CLOCK_US = 10_000  # how far the clocks of two hosts may be apart where one waits for the other
_NAME = 80
_SPAN_TYPES: dict[str, type[pl.DataType]] = {
    "span": pl.UInt64, "parent": pl.UInt64, "key": pl.UInt64, "us": pl.Int64, "is_start": pl.Boolean,
    "is_stop": pl.Boolean, "took_us": pl.Int64, "failed": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a file of logs.

    Attributes:
        times: (node, level) -> when, ascending, microseconds since the epoch; lines of no node are left out.
        recorded: node -> first and last time of its lines.
    """

    times: Mapping[tuple[str, str], Microseconds]
    recorded: Mapping[str, tuple[int, int]]


def read_lines(file: TelemetryFile, kept: Kept | None = None) -> Lines:
    """Return when lines of each level came from each node.

    Args:
        file: a file of logs.
        kept: times (UTC, microseconds) -> which are wanted; None for all. The others are never held.

    Raises:
        InputError: the file cannot be read; names the row.
    """
    parts: dict[tuple[str, str], list[Microseconds]] = {}
    recorded: dict[str, tuple[int, int]] = {}
    with open_rows(file, only=lambda layout: [layout.level] if layout.level else []) as rows:
        level = rows.layout.level
        for block, us in _known(file, (parse() for parse in rows.blocks), kept):
            told = _level(block.frame[level]) if level and level in block.frame.columns else pl.lit(OTHER)
            nodes = block.nodes if block.nodes is not None else [rows.layout.fixed_node] * len(us)
            frame = pl.DataFrame({"node": pl.Series(nodes, dtype=pl.String), "us": us}).with_columns(level=told)
            frame = frame.filter(pl.col("us") != NOT_KNOWN, pl.col("node").is_not_null())
            for (node, name), some in frame.partition_by("node", "level", as_dict=True).items():
                times = some["us"].to_numpy()
                parts.setdefault((str(node), str(name)), []).append(times)
                recorded[str(node)] = _wider(recorded.get(str(node)), times)
    return Lines({key: np.sort(np.concatenate(some)) for key, some in parts.items()}, recorded)


def _level(text: pl.Series) -> pl.Series:
    names = text.str.strip_chars().str.to_uppercase().replace(ALIASES)
    return names.set(~names.is_in(LEVELS).fill_null(value=False), OTHER)


def _wider(known: tuple[int, int] | None, us: Microseconds) -> tuple[int, int]:
    first, last = int(us.min()), int(us.max())
    return (min(first, known[0]), max(last, known[1])) if known else (first, last)


# --- spans ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of a file of traces.

    Attributes:
        frame: a row a span: ``host`` (null where none is named), ``service``, ``operation``, ``started``, ``ended``
            (UTC, microseconds; null where that was not seen), ``own_us`` (how long it took without the calls inside it
            that it waited for; null where an end was not seen) and ``failed``.
        recorded: first and last time of all rows; None where there are none.
    """

    frame: pl.DataFrame
    recorded: tuple[int, int] | None


def read_spans(file: TelemetryFile, kept: Kept | None = None) -> Spans:
    """Return the spans of a file, whether a row is a whole span or only its start or its stop.

    Args:
        file: a file of traces.
        kept: times (UTC, microseconds) -> which are wanted; None for all. The others are never held.

    Raises:
        InputError: the file cannot be read; names the row.
    """
    parts: list[pl.DataFrame] = []
    names: dict[int, tuple[str | None, str, str]] = {}
    recorded: tuple[int, int] | None = None
    with open_rows(file, only=lambda layout: layout.span_columns) as rows:
        for block, us in _known(file, (parse() for parse in rows.blocks), kept):
            frame = _marks(rows.layout, block, us, names)
            if len(frame):
                parts.append(frame)
                recorded = _wider(recorded, frame["us"].to_numpy())
    marks = pl.concat(parts) if parts else pl.DataFrame(schema=_SPAN_TYPES)
    return Spans(_named(_whole(marks), names), recorded)


def _marks(
    layout: Layout, block: Block, us: Microseconds, names: dict[int, tuple[str | None, str, str]]
) -> pl.DataFrame:
    """Return what the rows of a block say of spans, names replaced by numbers, which are added to ``names``."""
    if layout.spans is None:
        return pl.DataFrame(schema=_SPAN_TYPES)
    hosts = block.nodes if block.nodes is not None else pl.Series([layout.fixed_node] * len(us), dtype=pl.String)
    frame = layout.spans(block.frame).with_columns(host=hosts, us=pl.Series(us))
    frame = frame.filter(pl.col("us") != NOT_KNOWN, pl.col("span").is_not_null(), pl.col("service").is_not_null())
    frame = frame.with_columns(key=pl.struct("host", "service", "operation").hash())
    for key, host, service, operation in frame.select("key", "host", "service", "operation").unique("key").iter_rows():
        names.setdefault(key, (host, _safe(service), _safe(operation or "")))
    return frame.select(
        pl.col("span").hash().alias("span"), pl.col("parent").hash().alias("parent"), *list(_SPAN_TYPES)[2:]
    )


def _safe(name: str) -> str:
    """Return a name as it may stand in a table: on one line, short and without secrets."""
    return printable(redact(name), _NAME)


def _whole(marks: pl.DataFrame) -> pl.DataFrame:
    """Return a row a span from rows of starts, stops and whole spans."""
    start, stop = pl.col("us").filter(pl.col("is_start")), pl.col("us").filter(pl.col("is_stop"))
    spans = marks.group_by("span").agg(
        pl.col("parent").first(),
        pl.col("key").filter(pl.col("is_start")).first().fill_null(pl.col("key").first()),
        start.min().alias("started"),
        (stop + pl.col("took_us").filter(pl.col("is_stop")).fill_null(0)).max().alias("ended"),
        pl.col("failed").any(),
    )
    spans = spans.filter(pl.col("started").is_not_null() | pl.col("failed"))
    took = pl.when(pl.col("ended") >= pl.col("started")).then(pl.col("ended") - pl.col("started"))
    spans = spans.with_columns(took=took)
    spans = spans.join(_waited_for(spans), left_on="span", right_on="parent", how="left", maintain_order="left")
    own = (pl.col("took") - pl.col("waited").fill_null(0)).clip(0)
    return spans.select(
        "key", "started", "ended", "failed", own_us=pl.when(~pl.col("open").fill_null(value=False)).then(own)
    )


def _waited_for(spans: pl.DataFrame) -> pl.DataFrame:
    """Return by parent how long calls inside it took in all, ``waited``, and whether one's end is not known, ``open``.

    Those at the same time count once. Only calls that ended before the parent did: for others it did not wait.
    """
    parents = spans.filter(pl.col("took").is_not_null()).select(parent="span", from_us="started", to_us="ended")
    calls = spans.select("parent", "started", "ended").join(parents, on="parent").sort("parent", "started")
    inside = (pl.col("started") >= pl.col("from_us") - _CLOCK_US) & (pl.col("ended") <= pl.col("to_us") + _CLOCK_US)
    ended = pl.when(inside).then(pl.col("ended"))
    before = ended.cum_max().forward_fill().shift(1).over("parent")
    alone = (ended - pl.max_horizontal(pl.col("started"), before)).clip(0)
    return (
        calls.with_columns(alone=alone)
        .group_by("parent")
        .agg(pl.col("alone").sum().alias("waited"), pl.col("ended").is_null().any().alias("open"))
    )


def _named(spans: pl.DataFrame, names: Mapping[int, tuple[str | None, str, str]]) -> pl.DataFrame:
    keys = pl.DataFrame(
        {
            "key": pl.Series(list(names), dtype=pl.UInt64),
            "host": pl.Series([host for host, _, _ in names.values()], dtype=pl.String),
            "service": pl.Series([service for _, service, _ in names.values()], dtype=pl.String),
            "operation": pl.Series([operation for _, _, operation in names.values()], dtype=pl.String),
        }
    )
    return spans.join(keys, on="key").drop("key").sort("started", "ended", "service")


# --- both -----------------------------------------------------------------------------------------------------------


def _known(file: TelemetryFile, blocks: Iterator[Block], kept: Kept | None) -> Iterator[tuple[Block, Microseconds]]:
    """Yield blocks and the rows' times in UTC, as corrected; ``NOT_KNOWN`` where there is none, or it is not wanted.

    Raises:
        InputError: a row is broken, or lies outside of 1970 to 2200.
    """
    renamed = dict(file.renamed)
    for block, _ in numbered(file, blocks):
        if not len(block.frame):
            continue
        clock = block.clock
        known = clock.us != NOT_KNOWN
        if not in_range(clock.us[known]):
            raise InputError(file.name, "has a time outside of 1970 to 2200", "correct the row")
        us = clock.us.copy()
        wall = clock.wall & known
        if wall.any():
            us[wall] = to_utc(clock.us[wall], declared_zone(file, clock.us[wall])).us
        us[known] += file.shift_us
        if kept is not None:
            known[known] = kept(us[known])
        us[~known] = NOT_KNOWN
        nodes = block.nodes.replace(renamed) if block.nodes is not None and renamed else block.nodes
        yield replace(block, nodes=nodes), us
