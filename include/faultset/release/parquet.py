"""Tables to parquet and back: the same rows give the same bytes, whatever order they came in."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from faultset import tables
from faultset.errors import InputError
from faultset.storage import explain_os_errors
from faultset.tables import Table

ROW_GROUP_SIZE = 131_072
COMPRESSION_LEVEL = 3


def write_table(table: Table, rows: Iterable[Any], path: Path) -> int:
    """Write ``rows`` (instances of ``table.row``) to ``path``, ordered by the table's key, nulls first.

    Returns:
        The number of rows.

    Raises:
        SetupError: the disk is full, read-only, ...
    """
    data = tables.to_arrow(table, in_order(table, rows))
    with explain_os_errors(path):
        pq.write_table(
            data,
            path,
            row_group_size=ROW_GROUP_SIZE,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            version="2.6",
            write_page_checksum=True,
        )
    return int(data.num_rows)


def in_order(table: Table, rows: Iterable[Any]) -> list[Any]:
    """Return ``rows`` ordered by the table's key, nulls first; rows of one key by everything else they say."""

    def key(row: Any) -> tuple[tuple[bool, Any], ...]:
        values = (getattr(row, name) for name in table.key)
        return tuple((value is not None, value) for value in values)

    ordered = sorted(rows, key=key)
    # Only where a key is not unique is the (slower) look at whole rows needed to be independent of the input's order.
    if any(key(one) == key(other) for one, other in itertools.pairwise(ordered)):
        ordered.sort(key=lambda row: (key(row), repr(row)))
    return ordered


def read_table(table: Table, path: Path) -> list[Any]:
    """Return the rows of a file that ``write_table`` wrote, as instances of ``table.row``.

    Raises:
        InputError: the file is missing, damaged, or has other columns than the table declares.
    """
    return rows(table, read_arrow(path), path)


def rows(table: Table, data: pa.Table, where: object) -> list[Any]:
    """Return the rows of Arrow data that was read from ``where``, as instances of ``table.row``.

    Raises:
        InputError: it has other columns than the table declares.
    """
    if not data.schema.equals(_schema_of(table, data.column_names)):
        raise InputError(where, f"the columns are not those of the table {table.name}", "build the dataset again")
    with whole(where):
        return tables.from_arrow(table, data)


def _schema_of(table: Table, present: Sequence[str]) -> pa.Schema:
    """Return the declared schema, without columns that an older version of the tool did not write yet."""
    optional = {field.name for field in dataclasses.fields(table.row) if field.default is not dataclasses.MISSING}
    return pa.schema([field for field in tables.schema(table) if field.name in present or field.name not in optional])


def read_arrow(path: Path) -> pa.Table:
    """Return the file's content.

    Raises:
        InputError: the file is missing or is no whole parquet file.
        SetupError: it cannot be read.
    """
    if not path.is_file():
        raise InputError(path, "the table is missing", "build the dataset again, or restore the file from a copy")
    with explain_os_errors(path), whole(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read()


def decode_arrow(data: bytes, where: object) -> pa.Table:
    """Return the content of a file whose bytes were read from ``where``.

    Raises:
        InputError: they are no whole parquet file.
    """
    with whole(where), pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
        return file.read()


def layout(path: Path) -> tuple[int, pa.Schema]:
    """Return the number of rows and the columns; no row is read.

    Raises:
        InputError: the file is no parquet file.
        SetupError: it cannot be read.
    """
    with explain_os_errors(path), whole(path), pq.ParquetFile(path) as file:
        return file.metadata.num_rows, file.schema_arrow


def batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the content in order, at most ``rows`` rows at a time and none of them empty; little is held in memory.

    Raises:
        InputError: the file is damaged.
        SetupError: it cannot be read.
    """
    with (
        explain_os_errors(path),
        whole(path),
        pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file,
    ):
        for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
            if batch.num_rows:
                yield batch


def describe(path: Path) -> tuple[int, tuple[dict[str, object], ...]]:
    """Return the number of rows and, for each column, its name, type and whether it can be null.

    Raises:
        InputError: the file is no parquet file.
    """
    rows, schema = layout(path)
    return rows, tuple({"name": f.name, "type": str(f.type), "nullable": f.nullable} for f in schema)


@contextlib.contextmanager
def whole(path: object) -> Iterator[None]:
    """Turn what pyarrow raises on a damaged file, or on values that Python cannot hold, into one clear line.

    Raises:
        InputError: names the file.
    """
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise InputError(
            path, "this is no whole parquet file", "build the dataset again, or run faultset verify"
        ) from error
