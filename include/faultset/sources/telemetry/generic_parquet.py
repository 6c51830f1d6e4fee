"""Any parquet file of metrics, wide or long: its columns are recognised as those of a CSV are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from faultset.errors import InputError
from faultset.sources.kit.files import local_path
from faultset.sources.telemetry import csv_rows, generic
from faultset.sources.telemetry.format import Block, ColumnType, Format, Layout, Missing, Rows, Source
from faultset.sources.telemetry.head import Head

_BATCH_ROWS = 65_536
_SAMPLE_ROWS = 1000
_DAMAGED = (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError)


def _type(kind: pa.DataType) -> ColumnType:
    """Return the type that a column is read as: a whole number, a decimal one, or a text."""
    if pa.types.is_integer(kind):
        return pl.Int64
    return pl.Float64 if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else pl.String


def _read(batch: pa.RecordBatch) -> pl.DataFrame:
    """Return a batch with times as ISO 8601 texts, an offset behind them where they have one."""
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    columns = []
    for field in batch.schema:
        column = pl.col(field.name)
        if pa.types.is_timestamp(field.type):
            text = column.cast(pl.Datetime("us", "UTC" if field.type.tz else None)).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")
            columns.append(text + "Z" if field.type.tz else text)
        elif pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            columns.append(pl.lit(None, pl.String).alias(field.name))
        else:
            columns.append(column.cast(_type(field.type), strict=False))
    return frame.select(columns)


def _recognise(head: Head) -> Layout | Missing:
    if not head.is_parquet:
        return Missing("it is no parquet file", 0.0)
    with _opened(head.file.uri, head.file.name) as file:
        numbers = frozenset(field.name for field in file.schema_arrow if _type(field.type) != pl.String)
        batch = next(file.iter_batches(_SAMPLE_ROWS), None)
        first = pl.DataFrame() if batch is None else _read(batch)
    texts = {name: [_text(value) for value in first[name].to_list()] for name in first.columns}
    if not any(texts.values()):
        return Missing("it has no rows", 0.5)
    return generic.layout(head.file, generic.Columns(texts, numbers), FORMAT.name)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _opened(uri: str, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(local_path(uri))
    except _DAMAGED as error:
        raise InputError(name, f"is no whole parquet file ({error})", "copy the file again") from error


def _rows(source: Source) -> Rows:
    with _opened(source.file.uri, source.file.name) as file:
        types = {field.name: _type(field.type) for field in file.schema_arrow}
    wanted = list(types) if source.only is None else csv_rows.wanted_of(list(types), source.layout, source.only)
    blocks = _blocks(source, wanted)
    return Rows(source.layout, csv_rows.written(source.layout, {name: types[name] for name in wanted}), blocks)


def _blocks(source: Source, wanted: list[str]) -> Iterator[Callable[[], Block]]:
    with _opened(source.file.uri, source.file.name) as file:
        batches = file.iter_batches(_BATCH_ROWS, columns=wanted)
        while True:
            try:
                batch = next(batches, None)
            except _DAMAGED as error:
                raise InputError(source.file.name, f"cannot be read on ({error})", "copy the file again") from error
            if batch is None:
                return
            yield partial(_block, source.layout, batch)


def _block(layout: Layout, batch: pa.RecordBatch) -> Block:
    return csv_rows.framed(layout, _read(batch))


FORMAT = Format(
    id="parquet",
    name="parquet of metrics",
    kinds=("metrics",),
    about="any parquet file with a column of times and columns of numbers: pandas, Polars, a data lake",
    sample="",
    recognise=_recognise,
    rows=_rows,
)
