"""A table of a dataset as typed rows, and as pandas or Arrow all at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import pandas as pd
import pyarrow as pa

from faultset import tables
from faultset.dataset import columns, notebook
from faultset.errors import InputError
from faultset.release import parquet
from faultset.tables import Table

if TYPE_CHECKING:
    from faultset.dataset.files import File

Row = TypeVar("Row")


class Rows(Sequence[Row], Generic[Row]):
    """A table's rows, in its order; ``.pandas()`` and ``.arrow()`` give all of them at once.

    Columns that a newer tool added stand in those alone; those that an older one did not write have their default.
    """

    def __init__(self, table: Table, data: pa.Table, rows: Sequence[Row]) -> None:
        self._table = table
        self._data = data
        self._rows = rows

    @classmethod
    def of(cls, table: Table, file: File) -> Rows[Any]:
        """Read a table.

        Raises:
            InputError: the file is damaged, or lacks a column.
            SetupError: it cannot be read.
        """
        data = file.table()
        return Rows(table, data, _typed(table, data, file))

    def where(self, wanted: Callable[[Row], bool]) -> Rows[Row]:
        """Return the rows for which ``wanted`` holds."""
        return self._taken([place for place, row in enumerate(self._rows) if wanted(row)])

    def sorted(self, key: Callable[[Row], Any]) -> Rows[Row]:
        """Return the rows in the order of ``key``."""
        return self._taken(sorted(range(len(self)), key=lambda place: key(self._rows[place])))

    def _taken(self, places: Sequence[int]) -> Rows[Row]:
        if list(places) == list(range(len(self))):
            return self
        data = self._data.take(pa.array(places, pa.int64()))
        return Rows(self._table, data, [self._rows[place] for place in places])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} {self._table.name}>"

    def _repr_html_(self) -> str:
        facts = {"rows": len(self), "columns": columns.few(self._data.column_names)}
        return notebook.html(self._table.name, facts)

    def arrow(self) -> pa.Table:
        """Return the table as Arrow."""
        return self._data

    def pandas(self) -> pd.DataFrame:
        """Return the table as pandas."""
        frame: pd.DataFrame = self._data.to_pandas()
        return frame


def _typed(table: Table, data: pa.Table, where: object) -> list[Any]:
    optional = {field.name for field in dataclasses.fields(table.row) if field.default is not dataclasses.MISSING}
    declared = tables.schema(table)
    known = [field for field in declared if field.name in data.column_names]
    missing = [name for name in declared.names if name not in data.column_names and name not in optional]
    changed = [field.name for field in known if not data.schema.field(field.name).type.equals(field.type)]
    if missing or changed:
        raise InputError(
            where, f"the table {table.name} has no column {(missing or changed)[0]} of its type", "use a newer faultset"
        )
    with parquet.whole(where):
        return tables.from_arrow(table, data.select([field.name for field in known]))
