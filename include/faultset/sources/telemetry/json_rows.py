"""What readers of JSON telemetry share: parts of a document or lines become blocks of rows, a few at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any

import orjson
import polars as pl

from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit.collector import collector_paused
from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry import json_parts, node_of
from faultset.sources.telemetry.csv_rows import framed
from faultset.sources.telemetry.format import Block, ColumnType, Layout, Oddities, Rows, Source, short_name
from faultset.sources.telemetry.problems import BrokenRowError

NO_HEADER = -1
"""What the first line is counted as in a block: the lines of a file are counted from behind a header."""


class Table:
    """Rows in the making."""

    def __init__(self, columns: Mapping[str, ColumnType]) -> None:
        self._types = columns
        self._rows: list[tuple[object, ...]] = []
        self._nodes: list[str | None] = []
        self._lines: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def at_line(self, line: int) -> None:
        """Say on which line the rows stand that are added next."""
        self._lines.append((len(self._rows), line))

    def add(self, node: str | None, *values: object) -> None:
        """Add a row; ``values`` in the order of the columns."""
        self._nodes.append(node)
        self._rows.append(values)

    def block(self, layout: Layout, lines: int = 0) -> Block:
        """Return the rows as a block."""
        values = zip(*self._rows, strict=True) if self._rows else ((),) * len(self._types)
        columns, odd = dict(zip(self._types, values, strict=True)), Oddities()
        try:
            frame = pl.DataFrame(columns, schema=dict(self._types))
        except (TypeError, pl.exceptions.PolarsError):
            fitting = {name: [_fitting(value, kind) for value in columns[name]] for name, kind in self._types.items()}
            frame = pl.DataFrame(fitting, schema=dict(self._types))
            odd = Oddities.of([one for name in self._types for one in self._unfit(name, columns[name], fitting[name])])
        block = with_nodes(framed(layout, frame, lines), pl.Series(self._nodes, dtype=pl.String))
        return replace(block, nulled=odd + block.nulled) if odd.count else block

    def _unfit(self, name: str, values: Sequence[object], fitting: Sequence[object]) -> Iterator[tuple[int, str]]:
        """Yield line and problem of each value that its column cannot hold."""
        for row, (value, kept) in enumerate(zip(values, fitting, strict=True)):
            if value is not None and kept is None:
                place = bisect_right(self._lines, row, key=itemgetter(0)) - 1
                kind = "number" if self._types[name].is_numeric() else "text"
                yield self._lines[place][1] if place >= 0 else 0, f"{name}: {redact(str(value))[:80]!r} is no {kind}"


def _fitting(value: object, kind: ColumnType) -> object:
    """Return a value as its column holds it; None where it cannot."""
    if kind == pl.String:
        return text(value)
    if not isinstance(value, int | float | str):
        return None
    try:
        number = float(value) if kind == pl.Float64 else int(value)
    except (ValueError, OverflowError):
        return None
    return number if kind == pl.Float64 or -(2**63) <= number < 2**63 else None


def with_nodes(block: Block, nodes: pl.Series) -> Block:
    """Return the block with the node of each of its rows; ``nodes`` are those of all rows, those left out included."""
    kept = nodes if block.places is None else nodes.gather(block.places)
    return replace(block, nodes=kept)


def rows_of_lines(
    source: Source, columns: Mapping[str, ColumnType], add: Callable[[Table, Mapping[str, Any]], None]
) -> Rows:
    """Return the rows of a file that has a JSON object a line; a line that is none is left out and named."""
    parse = partial(_lines, source.layout, columns, add)
    parts = json_parts.lines(source.head.text, source.stream)
    return Rows(source.layout, dict(columns), (partial(parse, part) for part in parts))


def _lines(
    layout: Layout,
    columns: Mapping[str, ColumnType],
    add: Callable[[Table, Mapping[str, Any]], None],
    data: bytes,
) -> Block:
    table = Table(columns)
    odd: list[tuple[int, str]] = []
    lines = data.split(b"\n")
    with collector_paused():
        for number, line in enumerate(lines, start=NO_HEADER):
            if not line.strip():
                continue
            try:
                value = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                odd.append((number, f"it is no JSON ({error})"))
                continue
            if isinstance(value, dict):
                _added(table, add, value, number, odd)
            else:
                odd.append((number, "it is no JSON object"))
        block = table.block(layout, data.count(b"\n"))
    return replace(block, left_out=Oddities.of(odd) + block.left_out, source_rows=block.rows_in_source + len(odd))


def _added(
    table: Table,
    add: Callable[[Table, Mapping[str, Any]], None],
    value: Mapping[str, Any],
    number: int,
    odd: list[tuple[int, str]],
) -> None:
    table.at_line(number)
    try:
        add(table, value)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError) as error:
        odd.append((number, f"it has not the form of the others ({type(error).__name__}: {error})"))


def rows_of_objects(
    source: Source, depth: int, columns: Mapping[str, ColumnType], add: Callable[[Table, Mapping[str, Any]], None]
) -> Rows:
    """Return the rows of the objects that stand ``depth`` brackets deep in a document."""
    parse = partial(_objects, source.layout, columns, add)
    return Rows(source.layout, dict(columns), (partial(parse, part) for part in parts_of(source, depth)))


def parts_of(source: Source, depth: int) -> Iterator[list[bytes]]:
    """Return the objects that stand ``depth`` brackets deep in a document, some at a time."""
    return json_parts.elements(source.head.text, source.stream, depth)


def _objects(
    layout: Layout,
    columns: Mapping[str, ColumnType],
    add: Callable[[Table, Mapping[str, Any]], None],
    parts: Sequence[bytes],
) -> Block:
    table = Table(columns)
    odd: list[tuple[int, str]] = []
    with collector_paused():
        for part in parts:
            value = loaded(part)
            if isinstance(value, dict):
                _added(table, add, value, 0, odd)
        block = table.block(layout)
    return replace(block, left_out=Oddities.of(odd) + block.left_out)


def loaded(part: bytes) -> Any:
    """Return the value of a part of a document.

    Raises:
        BrokenRowError: it is no JSON.
    """
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError as error:
        raise BrokenRowError(0, 0, f"it is no JSON ({error})") from error


def text(value: object) -> str | None:
    """Return a value as a text; lists and mappings as JSON."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def first_of(told: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return what is told under the first of ``names`` that says anything, as a text."""
    return next((str(told[name]) for name in names if told.get(name)), None)


def known_node(file: TelemetryFile) -> str | None:
    """Return the node that a file is declared to be of, or named after; None where it is named after none."""
    if file.node is not None:
        return file.node
    named = node_of(file)
    return named if named.lower() in dict(file.hosts) or named in dict(file.hosts).values() else None


@lru_cache(10_000)
def short(host: str) -> str | None:
    """Return the first label of a host's name; None for a blank one."""
    name: str | None = short_name(pl.Series([host]))[0]
    return name
