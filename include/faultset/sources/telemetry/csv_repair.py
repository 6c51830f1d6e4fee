"""A block of CSV that has something odd in it, gone through row by row: what is whole is kept, the rest is told.

A row of another length than its header is never read as it stands: whichever cell is missing, all behind it would have
moved under another name.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry.format import ColumnType, Layout, Microseconds, Oddities, Types
from faultset.sources.telemetry.problems import BrokenRowError, ColumnTypeError

NO_VALUES = ("N/A", "n/a", "NA", "NaN", "nan", "NAN", "None", "none", "null", "NULL", "-", "--", "?", "nil", "unknown")
"""What tools write where a number is not known."""
_WHOLE = re.compile(r"(?P<sign>[+-]?)0*(?P<digits>[0-9]{1,19})")
_LONGEST_ROW = 200  # lines; a row that takes more of them is a quotation mark that was left open


@dataclass(frozen=True, slots=True)
class Repaired:
    """The whole rows of a block.

    Attributes:
        rows: them, each as CSV with a line feed behind it.
        places: of each, its place among the block's rows.
        lines: of each, the line it ends on, from 0 in the block.
        source_rows: how many rows the block has, the odd ones included.
        left_out: rows that are not whole.
        nulled: values that are no numbers.
        headers: how often the header stood again.
    """

    rows: list[bytes]
    places: Microseconds
    lines: Microseconds
    source_rows: int
    left_out: Oddities
    nulled: Oddities
    headers: int


@dataclass(slots=True)
class _Found:
    """What was found so far."""

    kept: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)
    nulled: list[tuple[int, str]] = field(default_factory=list)
    rows: int = 0
    headers: int = 0


def repaired(data: bytes, layout: Layout, types: Types, *, last: bool) -> Repaired:
    """Return the rows of ``data`` that are whole, with null where a number should be and is not.

    Args:
        data: a block of rows.
        layout: how the file is laid out.
        types: all its columns.
        last: whether the file ends with the block.

    Raises:
        ColumnTypeError: a column that no format declares holds a text, or an integer one a decimal number.
        BrokenRowError: a quotation mark is left open over many lines.
    """
    found = _Found()
    change: ColumnTypeError | None = None
    for text, fields, line in _rows(data, one_line=layout.kind == "metrics"):
        if not fields:
            continue
        if len(fields) == len(types) and fields == list(types):
            found.headers += 1
            continue
        problem = _problem(text, fields, types, cut=last and line >= data.count(b"\n"))
        if problem:
            found.left_out.append((line, problem))
        else:
            plain = _without_blanks(fields, types)
            wrong = _wrong(plain, types)
            change = change or _wider(plain, types, layout, wrong)
            for place in wrong:
                found.nulled.append((line, f"{list(types)[place]} is {redact(fields[place])[:40]!r}, no number"))
            as_it_stands = plain == fields and not wrong and not _is_misquoted(text)
            found.kept.append(text if as_it_stands else _without(plain, wrong))
            found.places.append(found.rows)
            found.lines.append(line)
        found.rows += 1
    if change is not None:
        raise change
    return Repaired(
        rows=[text.encode() for text in found.kept],
        places=np.array(found.places, np.int64),
        lines=np.array(found.lines, np.int64),
        source_rows=found.rows,
        left_out=Oddities.of(found.left_out),
        nulled=Oddities.of(found.nulled),
        headers=found.headers,
    )


def _rows(data: bytes, *, one_line: bool) -> Iterator[tuple[str, list[str], int]]:
    """Yield each row's text with a line feed behind it, its fields, and the line it ends on, from 0.

    Args:
        data: a block of rows.
        one_line: whether no field can hold a line feed, so that a stray quotation mark spoils its own line alone.
    """
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if one_line:
        for number, line in enumerate(lines):
            yield f"{line}\n", _fields(line), number
        return
    reader = csv.reader(f"{line}\n" for line in lines)
    begin = 0
    try:
        for fields in reader:
            if reader.line_num - begin > _LONGEST_ROW and len(lines) == reader.line_num:
                raise BrokenRowError(0, begin, "a quotation mark is left open from here on")
            yield "\n".join(lines[begin : reader.line_num]) + "\n", fields, reader.line_num - 1
            begin = reader.line_num
    except csv.Error as error:
        raise BrokenRowError(0, reader.line_num - 1, f"it is no CSV ({error})") from error


def _fields(line: str) -> list[str]:
    line = line.removesuffix("\r")
    if '"' not in line:
        return line.split(",") if line.strip() else []
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return [line]


def _problem(text: str, fields: list[str], types: Types, *, cut: bool) -> str:
    """Return why a row is not whole; "" where it is."""
    if len(fields) != len(types):
        ending = "; the file is cut off here" if cut and len(fields) < len(types) else ""
        return f"it has {len(fields)} instead of {len(types)} fields{ending}"
    if any("\udc80" <= letter <= "\udcff" for letter in text):
        return "it is not UTF-8"
    return "a quotation mark is left open" if text.count('"') % 2 else ""


def _without_blanks(fields: list[str], types: Types) -> list[str]:
    """Return the fields without the blanks around numbers: Polars reads a number behind them, but none before them."""
    return [value if kind == pl.String else value.strip() for value, kind in zip(fields, types.values(), strict=True)]


def _is_misquoted(text: str) -> bool:
    """Whether letters stand behind a closing quotation mark, which Polars takes for no CSV."""
    if '"' not in text:
        return False
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return True
    return False


def _wrong(fields: list[str], types: Types) -> list[int]:
    """Return the places of fields that are not of their column's type."""
    return [
        place
        for place, (value, kind) in enumerate(zip(fields, types.values(), strict=True))
        if not is_valid(value, kind)
    ]


def _wider(fields: list[str], types: Types, layout: Layout, wrong: list[int]) -> ColumnTypeError | None:
    """Return that a column has another type than was thought; None where what is wrong is wrong in this row alone."""
    names, kinds = list(types), list(types.values())
    for place in wrong:
        name, value = names[place], fields[place]
        if kinds[place] == pl.Int64 and number(value) is not None:
            return ColumnTypeError(name, pl.Float64)
        if name not in layout.columns and value not in NO_VALUES:
            return ColumnTypeError(name, pl.String)
    return None


def _without(fields: list[str], wrong: list[int]) -> str:
    buffer = io.StringIO()
    row = ["" if place in wrong else value for place, value in enumerate(fields)]
    csv.writer(buffer, lineterminator="\n").writerow(row)
    return buffer.getvalue()


def is_valid(value: str, kind: ColumnType) -> bool:
    """Whether Polars reads a field, without blanks around it, as one of a column of this type; an empty one always."""
    if kind == pl.String or not value:
        return True
    if kind == pl.Int64:
        whole = _WHOLE.fullmatch(value)
        return whole is not None and -(2**63) <= int(whole["sign"] + whole["digits"]) < 2**63
    return number(value) is not None


def number(value: str) -> float | None:
    """Return the number that a text says; None where it says none in plain digits, or one that is too large."""
    if not value.isascii() or "_" in value:  # Python reads digits of other scripts, and 1_0
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return None if math.isinf(found) and "inf" not in value.lower() else found


# --- blocks without anything odd ------------------------------------------------------------------------------------


def all_whole(data: bytes, fields: int, rows: int) -> bool:
    """Whether each row has so many fields, and no line is blank; ``rows`` is how many Polars made of ``data``."""
    if b'"' in data:
        try:
            lengths = [len(row) for row in csv.reader(io.StringIO(data.decode(), newline=""))]
        except (csv.Error, UnicodeDecodeError):
            return False
        return len(lengths) == rows and set(lengths) <= {fields}
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    commas = np.searchsorted(np.flatnonzero(letters == ord(",")), ends)
    counts = np.diff(commas, prepend=0)
    if len(ends) != rows or not (counts == fields - 1).all():
        return False
    return fields > 1 or bool((np.diff(ends, prepend=-1) > 1).all())


def lines_of(data: bytes) -> Microseconds:
    """Return the line, from 0, that each row ends on."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""))
    return np.array([reader.line_num - 1 for row in reader if row], np.int64)
