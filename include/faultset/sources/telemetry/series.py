"""A file's KPIs as numbers over time, for finding what a fault moved: only the columns asked for are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import forms_of
from faultset.sources.telemetry.compression import CutOffError
from faultset.sources.telemetry.format import ColumnType, Flags, Microseconds
from faultset.sources.telemetry.rows import Block, BrokenRowError, ColumnTypeError, open_rows
from faultset.sources.telemetry.wall_clock import in_range, to_utc

Values = npt.NDArray[np.float64]
Series = tuple[Microseconds, Values]
Kept = Callable[[Microseconds], Flags]
_SECOND = 1_000_000


def read_series(
    file: TelemetryFile, kpis: Collection[str] | None = None, kept: Kept | None = None
) -> dict[str, Series]:
    """Return, for each KPI, its times (UTC, microseconds since the epoch, ascending) and its values.

    Rows of one second are spread evenly within it, in the order of the file. A missing value is NaN. Where wall-clock
    time repeats, the first pass is taken.

    Args:
        file: a file of metrics.
        kpis: the columns wanted; None for all that hold numbers.
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
) -> dict[str, Series]:
    times: list[Microseconds] = []
    values: dict[str, list[Values]] = {}
    with open_rows(file, forms_of(file), types=types, only=None if kpis is None else list(kpis)) as rows:
        time = rows.form.time
        numeric = [name for name, kind in rows.types.items() if name not in time and kind != pl.String]
        missing = [name for name in kpis or () if name not in numeric]
        if missing:
            raise InputError(file.name, f"has no numbers in a column {missing[0]!r}", f"it has {', '.join(numeric)}")
        for block, _ in numbered(file, (parse() for parse in rows.blocks)):
            if not len(block.frame):
                continue
            us = _utc(file, block)
            wanted = slice(None) if kept is None else kept(us)
            times.append(us[wanted])
            for name in numeric:
                column = block.frame[name].cast(pl.Float64).fill_null(float("nan"))
                values.setdefault(name, []).append(column.to_numpy()[wanted])
    if not times:
        raise InputError(file.name, "has no rows", "give a file with rows")
    us = np.concatenate(times)
    width = round(rows.form.row_uncertainty_s * _SECOND)
    if (us[1:] >= us[:-1]).all():
        spread = spread_within(us, width)
        return {name: (spread, np.concatenate(values.pop(name))) for name in list(values)}
    order = np.argsort(us, kind="stable")
    spread = spread_within(us[order], width)
    return {name: (spread, np.concatenate(values.pop(name))[order]) for name in list(values)}


def numbered(file: TelemetryFile, blocks: Iterator[Block]) -> Iterator[tuple[Block, int]]:
    """Yield each block with the number of rows before it; a broken row becomes the one error that names it.

    Raises:
        InputError: a row is broken, or the file ends within one.
    """
    row, line = 0, 1
    try:
        for block in blocks:
            yield block, row
            row += len(block.frame)
            line += block.lines
    except BrokenRowError as error:
        raise _broken_row(file, row, line, error) from error
    except CutOffError as error:
        raise _cut_off(file, row, error) from error


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


def _utc(file: TelemetryFile, block: Block) -> Microseconds:
    us = block.clock.us
    if not in_range(us):
        raise InputError(file.name, "has a time outside of 1970 to 2200", "correct the row")
    return np.where(block.clock.wall, to_utc(us, file.time_zone).us, us) + file.shift_us


def spread_within(us: Microseconds, width_us: int) -> Microseconds:
    """Return ascending times, those that are equal spread evenly over the ``width_us`` that each of them stands for."""
    if not len(us) or not width_us:
        return us
    starts = np.flatnonzero(np.concatenate(([True], us[1:] != us[:-1])))
    counts = np.diff(np.concatenate((starts, [len(us)])))
    place = np.arange(len(us)) - np.repeat(starts, counts)
    return np.asarray(us + place * width_us // np.repeat(counts, counts))
