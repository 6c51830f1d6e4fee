"""One set of columns a kind of telemetry, whatever its files say: the union, with types that hold all.

A folder of such files reads as one table in any tool.
"""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultset import tables
from faultset.labels.writer import Writer
from faultset.storage import explain_os_errors

FIRST = ("timestamp", "node", "source_row")
_LABELED = (tables.TelemetryLabels, tables.MetricsLabels, tables.LogLabels)
LABELS = tuple(dict.fromkeys(field.name for row in _LABELED for field in dataclasses.fields(row)))[len(FIRST) :]
_BATCH_ROWS = 65_536


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that values of both keep their meaning in: whole numbers become decimals, anything else text."""
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if _is_number(one) and _is_number(other):
        return pa.int64() if pa.types.is_integer(one) and pa.types.is_integer(other) else pa.float64()
    if _is_moment(one) and _is_moment(other):
        return pa.timestamp("us", tz="UTC")
    if pa.types.is_list(one) and pa.types.is_list(other):
        return pa.list_(common_type(one.value_type, other.value_type))
    return pa.string()


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def union(files: Iterable[Mapping[str, pa.DataType]]) -> pa.Schema:
    """Return the columns of files read as one: the sources' columns as they come, time, node and row, the labels.

    Args:
        files: column -> type of each file.
    """
    found: dict[str, pa.DataType] = {}
    for columns in files:
        for name, kind in columns.items():
            found[name] = common_type(found[name], kind) if name in found else kind
    own = [name for name in found if name not in FIRST and name not in LABELS]
    ordered = [name for name in (*own, *FIRST, *LABELS) if name in found]
    return pa.schema([pa.field(name, found[name]) for name in ordered])


def conform(data: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return ``data`` with exactly these columns; what it lacks is null. A number that no decimal holds is rounded."""
    columns = [
        _cast(data[field.name], field.type) if field.name in data.column_names else pa.nulls(len(data), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type.equals(kind):
        return column
    if pa.types.is_string(kind) and pa.types.is_list(column.type):
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, kind)])
    return pc.cast(column, kind, safe=False)


# --- files ------------------------------------------------------------------------------------------------------------


def align(folder: Path) -> list[Path]:
    """Give all parquet files of a folder the same columns; returns those that were written anew.

    Safe to repeat. A file is replaced, never changed: it may be kept elsewhere, too.

    Raises:
        SetupError: a file cannot be read or written.
    """
    with explain_os_errors(folder):
        schemas = {path: pq.read_schema(path) for path in sorted(folder.glob("*.parquet"))}
    if all(schema.equals(other) for schema, other in pairwise(schemas.values())):
        return []
    wanted = union({field.name: field.type for field in schema} for schema in schemas.values())
    # A column that only some files have can be null in all of them; else nothing about a column changes.
    everywhere = set.intersection(*({*schema.names} for schema in schemas.values()))
    merged = pa.schema([field.with_nullable(_nullable(field.name, schemas, everywhere)) for field in wanted])
    differing = [path for path, schema in schemas.items() if not schema.equals(merged)]
    for path in differing:
        _rewrite(path, merged)
    return differing


def _nullable(name: str, schemas: Mapping[Path, pa.Schema], everywhere: set[str]) -> bool:
    return name not in everywhere or any(schema.field(name).nullable for schema in schemas.values())


def _rewrite(path: Path, schema: pa.Schema) -> None:
    draft = path.with_name(f".{uuid.uuid4().hex}.part")
    with explain_os_errors(path):
        try:
            with pq.ParquetFile(path) as source, contextlib.closing(Writer(draft, schema)) as writer:
                for batch in source.iter_batches(_BATCH_ROWS):
                    writer.add(conform(pa.Table.from_batches([batch]), schema))
                writer.flush()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
