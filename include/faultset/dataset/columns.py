"""One set of columns a kind of telemetry, whatever the files of a dataset say: the union, with types that hold all."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from faultset import tables
from faultset.errors import InputError, nearest

FIRST = ("timestamp", "node", "source_row")
_LABELED = (tables.TelemetryLabels, tables.MetricsLabels, tables.LogLabels)
LABELS = tuple(dict.fromkeys(field.name for row in _LABELED for field in dataclasses.fields(row)))[len(FIRST) :]
_WITH_ZONE = re.compile(r"timestamp\[(s|ms|us|ns), tz=([^\]]{1,60})\]")
_LIST = re.compile(r"(?:large_)?list<(?:item|element|array_element): (.{1,200}?)(?: not null)?>")
_DICTIONARY = re.compile(r"dictionary<values=([^,<>]{1,60}), .*>")
_SHOWN = 20


def type_named(text: str) -> pa.DataType:
    """Return the Arrow type that a manifest names; of a dictionary that of its values.

    Raises:
        InputError: this version does not know it.
    """
    if match := _WITH_ZONE.fullmatch(text):
        return pa.timestamp(match[1], tz=match[2])
    if match := _LIST.fullmatch(text):
        return pa.list_(type_named(match[1]))
    if match := _DICTIONARY.fullmatch(text):
        return type_named(match[1])
    try:
        return pa.type_for_alias(text)
    except ValueError:
        raise InputError(text, "the manifest names a type that is not known", "use a newer faultset") from None


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
    """Return the columns of files read as one: time, node and row, the sources' columns as they come, the labels.

    Args:
        files: column -> type of each file.
    """
    found: dict[str, pa.DataType] = {}
    for columns in files:
        for name, kind in columns.items():
            found[name] = common_type(found[name], kind) if name in found else kind
    own = [name for name in found if name not in FIRST and name not in LABELS]
    ordered = [name for name in (*FIRST, *own, *LABELS) if name in found]
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


def chosen(schema: pa.Schema, wanted: Sequence[str] | str | None, where: str) -> list[str]:
    """Return the columns to read: those wanted, and always time, node, row number and labels.

    Args:
        schema: all there are.
        wanted: source columns, or a single one; None for all.
        where: what the error names.

    Raises:
        InputError: there is no such column; names the nearest.
    """
    names = list(schema.names)
    if wanted is None:
        return names
    asked = list(dict.fromkeys([wanted] if isinstance(wanted, str) else wanted))
    for name in asked:
        if name not in names:
            raise InputError(
                where, f'there is no column "{name}"{nearest(str(name), names)}', f"there are {few(names)}"
            )
    around = {*FIRST, *LABELS}
    return [name for name in names if name in FIRST] + [
        *(name for name in asked if name not in around),
        *(name for name in names if name in LABELS),
    ]


def few(names: Sequence[str]) -> str:
    """Return names for an error line; of many the first."""
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
