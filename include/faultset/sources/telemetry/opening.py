"""A file of telemetry is opened, its format recognised by its content, and its rows read block by block."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from faultset.errors import InputError, nearest
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit.files import read_head
from faultset.sources.telemetry.compression import ByteStream, CutOffError, unpacked
from faultset.sources.telemetry.csv_rows import read as read_csv
from faultset.sources.telemetry.format import (
    Block,
    Format,
    Layout,
    Missing,
    Oddities,
    Rows,
    Source,
    Span,
    Types,
)
from faultset.sources.telemetry.head import Head
from faultset.sources.telemetry.problems import BrokenRowError
from faultset.sources.telemetry.registry import FORMATS

HEAD = 4 * 1024**2
"""How much of a file is read first, to recognise it by."""

Only = Callable[[Layout], Sequence[str]]


@contextmanager
def open_rows(
    file: TelemetryFile, *, types: Types | None = None, only: Only | None = None, span: Span | None = None
) -> Iterator[Rows]:
    """Open ``file``.

    Args:
        file: the file.
        types: types that take the place of the declared or inferred ones (after a ``ColumnTypeError``).
        only: the columns to read beside those that tell time and node; None for all.
        span: the blocks to read, of a file that is ``divisible``; None for all.

    Raises:
        InputError: it cannot be opened, or it is of no format that is known; no row has been read then.
    """
    with _opened(file) as (head, stream):
        form, layout = recognised(head)
        wanted = None if only is None else tuple(only(layout))
        yield form.rows(Source(file, head, stream, layout, types or {}, wanted, span))


@contextmanager
def _opened(file: TelemetryFile) -> Iterator[tuple[Head, ByteStream]]:
    """Open a file and read its head; parquet is read by its place, and gives no bytes."""
    if read_head(file.uri, 4) == b"PAR1":
        yield Head(file, b"PAR1"), ByteStream(io.BytesIO(), file.name, None)
        return
    with unpacked(file) as stream:
        try:
            head = Head(file, stream.read(HEAD))
        except CutOffError as error:
            raise InputError(file.name, f"row 1: {error}", "copy the file again") from error
        yield head, stream


def recognised(head: Head) -> tuple[Format, Layout]:
    """Return the format of a file, and its layout.

    Raises:
        InputError: it is of no format of its kind; names the nearest one and what is missing.
    """
    file = head.file
    candidates = [one for one in FORMATS if file.kind in one.kinds]
    if file.format is not None:
        candidates = [_declared(file)]
    missing: list[tuple[Format, Missing]] = []
    for one in candidates:
        answer = one.recognise(head)
        if isinstance(answer, Layout) and answer.kind == file.kind:
            return one, answer
        if isinstance(answer, Layout):
            answer = Missing(f"holds {answer.kind}, not {file.kind}", 0.9)
        missing.append((one, answer))
    near, answer = max(missing, key=lambda pair: pair[1].share)
    where = file.name if head.is_json or head.is_parquet else f"{file.name}:1"
    raise InputError(
        where,
        f"is of no format of {file.kind} that is known here; nearest is {near.name}: {answer.problem}",
        "say more in experiment.yaml (format, time_column, node_column, node, values); faultset formats lists them",
    )


def _declared(file: TelemetryFile) -> Format:
    by_id = {one.id: one for one in FORMATS}
    form = by_id.get(file.format or "")
    if form is None or file.kind not in form.kinds:
        fitting = sorted(name for name, one in by_id.items() if file.kind in one.kinds)
        raise InputError(
            file.name,
            f'there is no format "{file.format}" of {file.kind}{nearest(file.format or "", fitting)}',
            f"the formats of {file.kind} are {', '.join(fitting)}",
        )
    return form


def divisible(file: TelemetryFile) -> Layout | None:
    """Return the layout of a file whose rows can be read from any place on: a CSV that is not packed; None for others.

    Raises:
        InputError: it cannot be opened, or it is of no format that is known.
    """
    with _opened(file) as (head, stream):
        form, layout = recognised(head)
        return layout if form.rows is read_csv and not stream.is_packed else None


def kind_of(file: TelemetryFile) -> tuple[Format, Layout] | None:
    """Return the format and layout of a file of which nothing is declared; None where it is of none.

    Raises:
        InputError: it cannot be read.
    """
    with _opened(file) as (head, _):
        answers = ((one, one.recognise(head)) for one in FORMATS)
        return next(((one, answer) for one, answer in answers if isinstance(answer, Layout)), None)


# --- blocks of a file -----------------------------------------------------------------------------------------------


def numbered(
    file: TelemetryFile, blocks: Iterator[Block], *, row: int = 0, line: int = 1
) -> Iterator[tuple[Block, int]]:
    """Yield each block with the number of rows before it in the source; oddities name their lines in the file.

    Args:
        file: the file.
        blocks: its blocks in their order.
        row: how many rows stand before the first one.
        line: how many lines do, the header's among them.

    Raises:
        InputError: nothing can be read from a row on, or the file ends within one.
    """
    try:
        for block in blocks:
            yield _in_file(block, line), row
            row += block.rows_in_source
            line += block.lines
    except BrokenRowError as error:
        raise _broken_row(file, row, line, error) from error
    except CutOffError as error:
        raise _cut_off(file, row, error) from error


def _in_file(block: Block, lines: int) -> Block:
    """Return a block before which so many lines lie, with the lines of its oddities counted from 1 in the file."""
    if not block.left_out.count and not block.nulled.count:
        return block
    return replace(block, left_out=block.left_out.after(lines + 1), nulled=block.nulled.after(lines + 1))


def _broken_row(file: TelemetryFile, row: int, line: int, error: BrokenRowError) -> InputError:
    """Return the error that names the row: ``row`` rows and ``line`` lines lie before its block."""
    return InputError(
        f"{file.name}:{line + error.line + 1}",
        f"row {row + error.row + 1:,}: {error.problem}",
        "correct or remove the row, or copy the file again",
    )


def _cut_off(file: TelemetryFile, row: int, error: CutOffError) -> InputError:
    """Return the error of a file that ends too early: ``row`` rows could be read."""
    return InputError(file.name, f"it ends too early, after row {row:,}: {error}", "copy the file again")


def no_rows(file: TelemetryFile, left_out: Oddities) -> InputError:
    """Return the error of a file without a row that can be read."""
    if not left_out.count:
        return InputError(file.name, "has no rows", "give a file with rows, or remove it from telemetry")
    line, problem = left_out.first[0]
    rows = "its only row cannot" if left_out.count == 1 else f"none of its {left_out.count:,} rows can"
    return InputError(f"{file.name}:{line}", f"{rows} be read: {problem}", "copy the file again")
