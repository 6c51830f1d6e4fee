"""Tables as parquet sees them: what the declaration of a column comes to, and rows to arrow and back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from faultset.tables.every_table import EVERY_TABLE, Table
from faultset.tables.shared_columns import Column


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column as a table uses it."""

    name: str
    arrow_type: pa.DataType
    nullable: bool
    column: Column


_ARROW: dict[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    dt.datetime: pa.timestamp("us", tz="UTC"),
    list[str]: pa.list_(pa.string()),
}


@functools.cache
def columns(table: Table) -> tuple[ColumnSpec, ...]:
    """Return the table's columns in order."""
    hints = typing.get_type_hints(table.row, include_extras=True)
    return tuple(_spec(field.name, hints[field.name]) for field in dataclasses.fields(table.row))


def _spec(name: str, hint: Any) -> ColumnSpec:
    base, column = typing.get_args(hint)
    nullable = isinstance(base, types.UnionType)
    if nullable:
        base = next(part for part in typing.get_args(base) if part is not type(None))
    return ColumnSpec(name, _ARROW[base], nullable, column)


@functools.cache
def schema(table: Table) -> pa.Schema:
    """Return the Arrow schema; each field carries its description and unit as metadata."""
    return pa.schema(
        [
            pa.field(
                spec.name,
                spec.arrow_type,
                nullable=spec.nullable,
                metadata={"description": spec.column.description, "unit": spec.column.unit},
            )
            for spec in columns(table)
        ]
    )


def to_arrow(table: Table, rows: Iterable[Any]) -> pa.Table:
    """Return ``rows`` (instances of ``table.row``) as an Arrow table with the declared schema, in the given order."""
    rows = list(rows)
    return pa.Table.from_pydict(
        {spec.name: [getattr(row, spec.name) for row in rows] for spec in columns(table)}, schema=schema(table)
    )


def from_arrow(table: Table, data: pa.Table) -> list[Any]:
    """Return the rows of ``data`` as instances of ``table.row``."""
    return [table.row(**record) for record in data.to_pylist()]


def references(table: Table) -> dict[str, Table]:
    """Return column -> table that it points into: a column named as another table's key is that key there."""
    keys = {other.key[0]: other for other in EVERY_TABLE if len(other.key) == 1 and other is not table}
    return {spec.name: keys[spec.name] for spec in columns(table) if spec.name in keys}
