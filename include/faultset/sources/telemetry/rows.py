"""Rows of a telemetry file, block by block: bounded in memory, whatever the size of the file, and in its own order.

A block is some megabytes of whole rows. Blocks can be parsed side by side; each is a function to call, and knows what
it needs. Polars parses; where it finds anything odd, Python's ``csv`` reads that one block again and says which row.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import polars as pl

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile
from faultset.settings import limits
from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry.compression import ByteStream, CutOffError, unpacked
from faultset.sources.telemetry.format import Clock, ColumnType, Form, short_name
from faultset.sources.telemetry.osprofiler import spans

BLOCK = 4 * 1024**2
_ROW_LIMIT = 64 * 1024**2
_HEADER_LIMIT = 256 * 1024
_INFER_ROWS = 1000
_JSON_ROWS = 65_536
Types = Mapping[str, ColumnType]


class BrokenRowError(Exception):
    """A row cannot be read.

    Attributes:
        row: its place in the block, from 0.
        line: its last line in the block, from 0.
        problem: what is wrong.
        column: the column concerned, where only this one is.
    """

    def __init__(self, row: int, line: int, problem: str, column: str | None = None) -> None:
        super().__init__(problem)
        self.row = row
        self.line = line
        self.problem = problem
        self.column = column


class ColumnTypeError(Exception):
    """A column holds values of another type than was thought: read the file again with ``to``."""

    def __init__(self, column: str, to: ColumnType) -> None:
        super().__init__(column)
        self.column = column
        self.to = to


@dataclass(frozen=True, slots=True)
class Block:
    """Some consecutive rows.

    Attributes:
        frame: the source's columns.
        clock: their times.
        nodes: short name of the node of each row, null where it has none; None where the file's name tells.
        lines: how many lines of the file they take.
        unterminated: the last row, and with it the file, ends without a line feed.
    """

    frame: pl.DataFrame
    clock: Clock
    nodes: pl.Series | None
    lines: int
    unterminated: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """An open file of telemetry.

    Attributes:
        form: its format.
        types: its columns in their order, with their types.
        blocks: the rows; each is to be called once, in any thread, in any order.
    """

    form: Form
    types: Types
    blocks: Iterator[Callable[[], Block]]


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the caller chose: types of columns, and which to read."""

    types: Types
    only: Sequence[str] | None


@contextmanager
def open_rows(
    file: TelemetryFile, forms: Sequence[Form], *, types: Types | None = None, only: Sequence[str] | None = None
) -> Iterator[Rows]:
    """Open ``file``, one of ``forms``.

    Args:
        file: the file.
        forms: the formats it may have.
        types: types that take the place of the declared or inferred ones (after a ``ColumnTypeError``).
        only: columns to read beside those that tell time and node; None for all.

    Raises:
        InputError: it cannot be opened, or its columns are those of no format; no row has been read then.
    """
    with unpacked(file) as stream:
        try:
            head = stream.read(BLOCK)
        except CutOffError as error:
            raise InputError(file.name, f"row 1: {error}", "copy the file again") from error
        if head[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            yield _json_rows(file, forms, head, stream)
        else:
            header, rest = _header(file, head)
            yield _csv_rows(_form_of(file, forms, header), header, stream, rest, _Choice(types or {}, only))


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json_rows(file: TelemetryFile, forms: Sequence[Form], head: bytes, stream: ByteStream) -> Rows:
    form = next((form for form in forms if "JSON" in form.name), None)
    if form is None:
        raise InputError(file.name, f"is JSON, which is no format of {file.kind}", _known(forms))
    allowed = limits()
    try:
        data = head + stream.read(allowed.traces_json_bytes)
    except CutOffError as error:
        raise InputError(file.name, f"row 1: {error}", "copy the file again") from error
    allowed.check("traces_json_bytes", len(data), file.name)
    try:
        frame = spans(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise InputError(file.name, str(error), "give the JSON that osprofiler trace show --json wrote") from error
    parts = (frame[start : start + _JSON_ROWS] for start in range(0, len(frame), _JSON_ROWS))
    return Rows(form, dict(frame.schema), (partial(_block, form, part, 0) for part in parts))


# --- CSV ------------------------------------------------------------------------------------------------------------


def _csv_rows(form: Form, header: Sequence[str], stream: ByteStream, rest: bytes, choice: _Choice) -> Rows:
    known = {name: choice.types.get(name) or form.columns.get(name) or form.others for name in header}
    complete = {name: kind or pl.String for name, kind in known.items()}
    open_ends = [name for name, kind in known.items() if kind is None]
    if open_ends:
        complete |= _inferred(rest, header, open_ends)
    wanted = _wanted(header, form, choice.only)
    parse = partial(_parsed, form=form, types=complete, wanted=wanted)
    return Rows(
        form,
        {name: complete[name] for name in wanted},
        (partial(parse, data, last=last) for data, last in _blocks(rest, stream)),
    )


def _wanted(header: Sequence[str], form: Form, only: Sequence[str] | None) -> list[str]:
    if only is None:
        return list(header)
    needed = {*form.time, form.node, *only}
    return [name for name in header if name in needed]


def _header(file: TelemetryFile, head: bytes) -> tuple[list[str], bytes]:
    """Return the names of the columns and the bytes behind them."""
    end = head.find(b"\n", 0, _HEADER_LIMIT)
    line = head[: end if end >= 0 else _HEADER_LIMIT]
    try:
        names = next(csv.reader([line.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file.name}:1", f"the header cannot be read ({error})", "save it as UTF-8 CSV") from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"{file.name}:1", f"the header names {redact(twice[0])!r} twice", "give each column its own name"
        )
    return names, head[end + 1 :] if end >= 0 else b""


def _form_of(file: TelemetryFile, forms: Sequence[Form], header: Sequence[str]) -> Form:
    """Return the format that ``header`` belongs to."""
    csv_forms = [form for form in forms if "JSON" not in form.name]
    form = min(csv_forms, key=lambda form: len(form.columns.keys() - set(header)))
    missing = [name for name in form.columns if name not in header]
    if missing:
        near = difflib.get_close_matches(missing[0], [name for name in header if name not in form.columns], n=1)
        hint = f" ({near[0]!r} is there)" if near else ""
        raise InputError(
            f"{file.name}:1", f"column {missing[0]!r} is missing{hint}", f"{_known(forms)}: {', '.join(form.columns)}"
        )
    unknown = [name for name in header if name not in form.columns and not form.knows(name)]
    if unknown:
        near = difflib.get_close_matches(unknown[0], form.columns, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"{file.name}:1",
            f"column {redact(unknown[0])!r} is unknown to {form.name}{hint}",
            "rename or remove the column",
        )
    return form


def _known(forms: Sequence[Form]) -> str:
    return "known here: " + ", ".join(form.name for form in forms)


def _inferred(body: bytes, header: Sequence[str], names: Sequence[str]) -> dict[str, ColumnType]:
    """Return the types of columns that no format declares, by their first values: a number or a text."""
    try:
        frame = pl.read_csv(
            body,
            has_header=False,
            new_columns=list(header),
            n_rows=_INFER_ROWS,
            infer_schema_length=_INFER_ROWS,
            truncate_ragged_lines=True,
        )
    except pl.exceptions.PolarsError:
        return {}  # parsing names the row that is wrong
    numbers = (pl.Int64, pl.Float64)
    return {
        name: frame.schema[name] for name in names if name in frame.columns and isinstance(frame.schema[name], numbers)
    }


# --- blocks of whole rows -------------------------------------------------------------------------------------------


def _blocks(rest: bytes, stream: ByteStream) -> Iterator[tuple[bytes, bool]]:
    """Yield blocks of whole rows, and whether it is the last one.

    Raises:
        CutOffError: the archive is damaged or cut off; all whole rows before have been yielded.
    """
    pending, over = [rest], False
    while not over:
        failure: CutOffError | None = None
        try:
            pending.append(stream.read(BLOCK))
        except CutOffError as error:
            failure = error
        over = failure is not None or len(pending[-1]) < BLOCK
        body = b"".join(pending) if over and not failure else _whole_rows(pending)
        if body:
            yield body, over
        if failure:
            raise failure
        if sum(map(len, pending)) > _ROW_LIMIT:
            raise CutOffError(f"a row has more than {_ROW_LIMIT:,} bytes; is a quotation mark left open?")


def _whole_rows(pending: list[bytes]) -> bytes:
    """Take the whole rows from the front of ``pending`` (parts that follow each other) and leave the rest there."""
    *before, last = pending
    quotes = sum(part.count(b'"') for part in pending)
    end = len(last)
    while end:
        # A line feed between quotes ends no row.
        earlier = last.rfind(b"\n", 0, end) + 1
        quotes -= last.count(b'"', earlier, end)
        if quotes % 2 == 0 and earlier:
            pending[:] = [last[earlier:]]
            return b"".join((*before, memoryview(last)[:earlier]))
        end = earlier - 1 if earlier else 0
    return b""


# --- parsing --------------------------------------------------------------------------------------------------------


def _parsed(data: bytes, *, form: Form, types: Types, wanted: Sequence[str], last: bool) -> Block:
    """Parse one block.

    Raises:
        BrokenRowError: a row has too few or too many fields, a text where a number belongs, or no time.
        ColumnTypeError: a column that no format declares, or an integer one, holds something else.
    """
    if not data.strip():
        return _block(form, pl.DataFrame(schema={name: types[name] for name in wanted}), data.count(b"\n"))
    try:
        frame = pl.read_csv(data, has_header=False, schema=dict(types), columns=_places(types, wanted))
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise _diagnosis(data, form, types, last=last) from error
    if frame[list(types)[-1]].null_count():
        frame = _without_blank_lines(frame, data, types, last=last)
    try:
        return _block(form, frame.select(wanted), data.count(b"\n"), unterminated=last and not data.endswith(b"\n"))
    except BrokenRowError as error:
        raise BrokenRowError(error.row, _line_of(data, error.row), error.problem) from error


def _places(types: Types, wanted: Sequence[str]) -> list[int] | None:
    """Return where the wanted columns stand, the last one always among them: a short row shows there."""
    if len(wanted) == len(types):
        return None
    return [place for place, name in enumerate(types) if name in wanted or place == len(types) - 1]


def _line_of(data: bytes, row: int) -> int:
    """Return the line, from 0, on which a row ends."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""))
    rows = (reader.line_num - 1 for fields in reader if fields)
    return next(itertools.islice(rows, row, None), row)


def _block(form: Form, frame: pl.DataFrame, lines: int, *, unterminated: bool = False) -> Block:
    clock = form.clock(frame)
    if clock.unreadable is not None:
        texts = " ".join(repr(redact(frame[name][clock.unreadable] or "")[:80]) for name in form.time)
        raise BrokenRowError(clock.unreadable, clock.unreadable, f"{texts} is no time that can be read")
    nodes = short_name(frame[form.node]) if form.node else None
    return Block(frame, clock, nodes, lines, unterminated)


def _without_blank_lines(frame: pl.DataFrame, data: bytes, types: Types, *, last: bool) -> pl.DataFrame:
    """Return ``frame`` without the rows that Polars makes of blank lines.

    Raises:
        BrokenRowError: what looked like missing values is a row with too few fields.
    """
    keep: list[bool] = []
    reader = csv.reader(io.StringIO(data.decode(), newline=""))
    try:
        for row in reader:
            if row and len(row) != len(types):
                raise _wrong_count(len(keep), reader.line_num, len(row), len(types), last=last, data=data)
            keep.append(bool(row))
    except csv.Error as error:
        raise BrokenRowError(len(keep), reader.line_num, f"it is no CSV ({error})") from error
    if len(keep) != len(frame):
        raise BrokenRowError(0, 0, f"it, or one of the {len(frame):,} rows after it, is no CSV")
    return frame if all(keep) else frame.filter(pl.Series(keep))


def _wrong_count(row: int, line: int, found: int, wanted: int, *, last: bool, data: bytes) -> BrokenRowError:
    cut = last and found < wanted and line >= data.count(b"\n")
    ending = "; the file is cut off here" if cut else ""
    return BrokenRowError(row, line - 1, f"it has {found} instead of {wanted} fields{ending}")


def _diagnosis(data: bytes, form: Form, types: Types, *, last: bool) -> Exception:
    """Return which row Polars could not read, and why."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].count(b"\n")
        return BrokenRowError(before, before, "it is not UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""))
    change: ColumnTypeError | None = None
    number = 0
    try:
        for row in reader:
            if not row:
                continue
            if len(row) != len(types):
                return _wrong_count(number, reader.line_num, len(row), len(types), last=last, data=data)
            for (name, kind), value in zip(types.items(), row, strict=True):
                if not _is_valid(value, kind):
                    problem = f"{name} is {redact(value)[:40]!r}, no number"
                    to = _wider(value, kind, declared=name in form.columns)
                    if to is None:
                        return BrokenRowError(number, reader.line_num - 1, problem, name)
                    change = change or ColumnTypeError(name, to)
            number += 1
    except csv.Error as error:
        return BrokenRowError(number, reader.line_num, f"it is no CSV ({error})")
    return change or BrokenRowError(0, 0, f"it, or one of the {number:,} rows after it, is no CSV")


def _is_valid(value: str, kind: ColumnType) -> bool:
    if kind == pl.String or not value:
        return True
    if kind == pl.Int64:
        digits = value.strip().lstrip("+-")
        return digits.isascii() and digits.isdigit() and -(2**63) <= int(value) < 2**63
    return _number(value) is not None


def _wider(value: str, kind: ColumnType, *, declared: bool) -> ColumnType | None:
    """Return the type that can hold ``value`` too; None where a declared column holds no number."""
    if kind == pl.Int64 and _number(value) is not None:
        return pl.Float64
    return None if declared else pl.String


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if "_" not in value and not (math.isinf(number) and "inf" not in value.lower()) else None
