"""Rows of a CSV file of telemetry, block by block: bounded in memory, whatever the size of the file, in its own order.

A block is some megabytes of whole rows. Blocks can be parsed side by side; each is a function to call, and knows what
it needs. Polars parses; where it finds anything odd, ``csv_repair`` goes through that one block row by row.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry import csv_repair
from faultset.sources.telemetry.compression import CutOffError
from faultset.sources.telemetry.format import (
    NOT_KNOWN,
    Block,
    ColumnType,
    Layout,
    Oddities,
    Rows,
    Source,
    Types,
    short_name,
)
from faultset.sources.telemetry.problems import BrokenRowError

BLOCK = 4 * 1024**2
ROW_LIMIT = 64 * 1024**2


def read(source: Source) -> Rows:
    """Return the rows of a CSV file."""
    layout, header = source.layout, source.head.header
    known = {name: source.types.get(name) or layout.columns.get(name) or layout.others for name in header}
    complete: dict[str, ColumnType] = {name: kind or pl.String for name, kind in known.items()}
    open_ends = [name for name, kind in known.items() if kind is None]
    if open_ends:
        complete |= _inferred(source.head.sample, open_ends, numbers=layout.kind == "metrics")
    wanted = wanted_of(header, layout, source.only)
    parse = partial(_parsed, layout=layout, types=complete, wanted=wanted)
    blocks = _Blocks(source, quoted=is_quoted(layout))
    return Rows(
        layout,
        written(layout, {name: complete[name] for name in wanted}),
        (partial(parse, data, last=last) for data, last in blocks),
        position=lambda: blocks.position,
    )


def is_quoted(layout: Layout) -> bool:
    """Whether a field can hold a line feed, between quotation marks."""
    return layout.kind != "metrics"


def wanted_of(header: Sequence[str], layout: Layout, only: Sequence[str] | None) -> list[str]:
    """Return the columns to read: those asked for, and those that tell time and node."""
    if only is None:
        return list(header)
    needed = {*layout.time, layout.node, *only}
    own_names = layout.split or {}
    return [name for name in header if name in needed or own_names.get(name, ("", ""))[1] in needed]


def _inferred(sample: Mapping[str, Sequence[str]], names: Sequence[str], *, numbers: bool) -> dict[str, ColumnType]:
    """Return the types of columns that no format declares, by their first values: a number or a text.

    Args:
        sample: column -> its first values.
        names: those that are asked for.
        numbers: whether a column without any value is thought to hold numbers.
    """
    found: dict[str, ColumnType] = {}
    for name in names:
        written = [text for value in sample.get(name, ()) if (text := value.strip())]
        known = [text for text in written if text not in csv_repair.NO_VALUES]
        if not known:
            found[name] = pl.Float64() if numbers and not written else pl.String()
        elif all(csv_repair.is_valid(text, pl.Int64) for text in known):
            found[name] = pl.Int64()
        elif all(csv_repair.number(text) is not None for text in known):
            found[name] = pl.Float64()
    return found


# --- blocks of whole rows -------------------------------------------------------------------------------------------


class _Blocks:
    """Blocks of whole rows of a file, or of a span of it; ``position``: the byte at which those yielded so far end."""

    def __init__(self, source: Source, *, quoted: bool) -> None:
        """Begin at the source's span; ``quoted``: whether a field can hold a line feed, between quotation marks."""
        self._source = source
        self._quoted = quoted
        self.position = len(source.head.data) - len(source.head.body)
        if source.span is not None and source.span.begin is not None:
            self.position = source.span.begin

    def _rest(self) -> bytes:
        """Return what was read already, or what of the first row lies before the span."""
        span, stream = self._source.span, self._source.stream
        if span is None or span.begin is None:
            return self._source.head.body
        stream.jump(span.begin)
        return stream.read(span.start - span.begin)

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        """Yield blocks of whole rows, and whether it is the last one of the file.

        Raises:
            CutOffError: the archive is damaged or cut off; all whole rows before have been yielded.
        """
        span, stream = self._source.span, self._source.stream
        left = None if span is None or span.stop is None else (span.stop - span.start) // BLOCK
        pending, over = [self._rest()], False
        while not over and left != 0:
            failure: CutOffError | None = None
            try:
                pending.append(stream.read(BLOCK))
            except CutOffError as error:
                failure = error
            left = None if left is None else left - 1
            over = failure is not None or len(pending[-1]) < BLOCK
            body = b"".join(pending) if over and not failure else _whole_rows(pending, quoted=self._quoted)
            self.position += len(body)
            if body:
                yield body, over
            if failure:
                raise failure
            if sum(map(len, pending)) > ROW_LIMIT:
                raise CutOffError(f"a row has more than {ROW_LIMIT:,} bytes; is a quotation mark left open?")


def _whole_rows(pending: list[bytes], *, quoted: bool) -> bytes:
    """Take the whole rows from the front of ``pending`` (parts that follow each other) and leave the rest there."""
    *before, last = pending
    quotes = sum(part.count(b'"') for part in pending) if quoted else 0
    end = len(last)
    while end:
        # A line feed between quotes ends no row.
        earlier = last.rfind(b"\n", 0, end) + 1
        quotes -= last.count(b'"', earlier, end) if quoted else 0
        if quotes % 2 == 0 and earlier:
            pending[:] = [last[earlier:]]
            return b"".join((*before, memoryview(last)[:earlier]))
        end = earlier - 1 if earlier else 0
    return b""


# --- parsing --------------------------------------------------------------------------------------------------------


def _parsed(data: bytes, *, layout: Layout, types: Types, wanted: Sequence[str], last: bool) -> Block:
    """Parse one block; what cannot be read in it is left out or null, and told.

    Raises:
        ColumnTypeError: a column that no format declares, or an integer one, holds something else.
        BrokenRowError: no row of the block has a time that can be read.
    """
    if not data.strip():
        return _block(layout, pl.DataFrame(schema={name: types[name] for name in wanted}), data.count(b"\n"))
    frame = _at_once(data, types, wanted)
    if frame is None:
        repaired = csv_repair.repaired(data, layout, types, last=last)
        frame = _at_once(b"".join(repaired.rows), types, wanted)
        if frame is None:
            place = _first_refused(repaired.rows, types, wanted)
            raise BrokenRowError(int(repaired.places[place]), int(repaired.lines[place]), "it is no CSV")
        ends = len(repaired.lines) > 0 and repaired.lines[-1] == data.count(b"\n")  # behind the last line feed
        block = _block(
            layout,
            frame.select(wanted),
            data.count(b"\n"),
            unterminated=last and ends,
            lines_of=repaired.lines,
        )
        return replace(
            _placed(block, repaired.places, repaired.source_rows),
            left_out=repaired.left_out + block.left_out,
            nulled=repaired.nulled + block.nulled,
            headers=repaired.headers,
        )
    ended = not last or data.endswith(b"\n")
    return _block(layout, frame.select(wanted), data.count(b"\n"), unterminated=not ended, data=data)


def _placed(block: Block, places: np.ndarray, source_rows: int) -> Block:
    """Return the block with its rows' places among all rows of the source."""
    here = places if block.places is None else places[block.places]
    return replace(block, places=here, source_rows=source_rows)


def _at_once(data: bytes, types: Types, wanted: Sequence[str]) -> pl.DataFrame | None:
    """Return all rows as Polars reads them; None where anything is odd."""
    if not data.strip():
        return pl.DataFrame(schema=dict(types))
    try:
        frame = pl.read_csv(data, has_header=False, schema=dict(types), columns=_places(types, wanted))
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        return None
    # A row with too few fields shows in the last column, and so does a blank line.
    if frame[list(types)[-1]].null_count() and not csv_repair.all_whole(data, len(types), len(frame)):
        return None
    return frame


def _first_refused(rows: Sequence[bytes], types: Types, wanted: Sequence[str]) -> int:
    """Return the place of the row up to which Polars does not read ``rows``, though it reads those before."""
    return bisect_left(
        range(len(rows)), True, key=lambda last: _at_once(b"".join(rows[: last + 1]), types, wanted) is None
    )


def _places(types: Types, wanted: Sequence[str]) -> list[int] | None:
    """Return where the wanted columns stand, the last one always among them: a short row shows there."""
    if len(wanted) == len(types):
        return None
    return [place for place, name in enumerate(types) if name in wanted or place == len(types) - 1]


def framed(layout: Layout, frame: pl.DataFrame, lines: int = 0) -> Block:
    """Return rows that are there already as a block.

    Raises:
        BrokenRowError: no row has a time that can be read.
    """
    return _block(layout, frame, lines, lines_of=np.arange(len(frame)))


def _block(
    layout: Layout,
    frame: pl.DataFrame,
    lines: int,
    *,
    unterminated: bool = False,
    data: bytes | None = None,
    lines_of: np.ndarray | None = None,
) -> Block:
    """Return rows with their times and nodes; of metrics, rows without a time that can be read are left out.

    Raises:
        BrokenRowError: no row has a time that can be read.
    """
    clock = layout.clock(frame)
    bad = clock.unreadable
    if layout.kind == "metrics" and (unknown := clock.us == NOT_KNOWN).any():
        bad = unknown if bad is None else bad | unknown
    if bad is None:
        return _split(layout, Block(frame, clock, _nodes(layout, frame), lines, unterminated))
    at = np.flatnonzero(bad)
    if lines_of is None:
        lines_of = csv_repair.lines_of(data) if data is not None else np.arange(len(frame))
    if len(at) == len(frame):
        raise BrokenRowError(0, int(lines_of[0]), _no_time(layout, frame, 0))
    told = tuple((int(lines_of[place]), _no_time(layout, frame, int(place))) for place in at[: Oddities.SHOWN])
    odd = Oddities(len(at), told)
    if layout.kind != "metrics":
        return replace(_split(layout, Block(frame, clock, _nodes(layout, frame), lines, unterminated)), nulled=odd)
    kept = frame.filter(~pl.Series(bad))
    block = _split(layout, Block(kept, layout.clock(kept), _nodes(layout, kept), lines, unterminated))
    return replace(_placed(block, np.flatnonzero(~bad), len(frame)), left_out=odd)


def _no_time(layout: Layout, frame: pl.DataFrame, row: int) -> str:
    values = (frame[name][row] for name in layout.time)
    texts = " ".join(repr(redact("" if value is None else str(value))[:80]) for value in values)
    return f"{texts} is no time that can be read"


def _nodes(layout: Layout, frame: pl.DataFrame) -> pl.Series | None:
    return short_name(frame[layout.node]) if layout.node else None


# --- one row that tells of several nodes ----------------------------------------------------------------------------


def written(layout: Layout, types: Mapping[str, ColumnType]) -> dict[str, ColumnType]:
    """Return the columns as they are written: those of one KPI of several nodes are one."""
    if layout.split is None:
        return dict(types)
    found: dict[str, ColumnType] = {}
    for name, kind in types.items():
        own = layout.split[name][1] if name in layout.split else name
        found[own] = kind if found.get(own, kind) == kind else pl.Float64()
    return found


def _split(layout: Layout, block: Block) -> Block:
    """Return a row a node where one row tells of several; each keeps the place of its row in the source."""
    if layout.split is None or block.nodes is not None:
        return block
    shared = [name for name in block.frame.columns if name not in layout.split]
    types = written(layout, block.frame.schema)
    rows, parts = pl.Series("place", np.arange(len(block.frame))), []
    for node in dict.fromkeys(node for node, _ in layout.split.values()):
        own = {name: to for name, (of, to) in layout.split.items() if of == node and name in block.frame.columns}
        part = block.frame.select(*shared, *(pl.col(name).alias(to) for name, to in own.items()), place=rows)
        absent = [pl.lit(None, kind).alias(name) for name, kind in types.items() if name not in part.columns]
        casts = [pl.col(name).cast(kind) for name, kind in types.items() if name in part.columns]
        parts.append(part.with_columns(*absent, *casts, pl.lit(node).alias("node of the row")))
    together = pl.concat([part.select(*types, "place", "node of the row") for part in parts]).sort(
        "place", maintain_order=True
    )
    places = together["place"].to_numpy()
    frame = together.select(list(types))
    before = block.places if block.places is not None else np.arange(len(block.frame))
    return replace(
        block,
        frame=frame,
        clock=layout.clock(frame),
        nodes=short_name(together["node of the row"]),
        places=before[places],
        source_rows=block.rows_in_source,
    )
