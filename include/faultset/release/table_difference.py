"""What differs in one table between two versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from faultset import tables

SHOWN = 20
ROW = "source_row"
NODE = "node"
TELEMETRY = tuple(f"{table.name}/" for table in tables.TELEMETRY)
# What says which row it is; everything else that is added to a source's rows is a label.
_PLACE = frozenset({"timestamp", NODE, ROW})
LABELS = frozenset(spec.name for table in tables.TELEMETRY for spec in tables.columns(table)) - _PLACE
Key = tuple[Any, ...]
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is in both versions, and the columns in which it differs."""

    key: Key
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RetypedColumn:
    """A column that is in both versions, with another type."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TableDifference:
    """What differs in one table.

    Of telemetry, only the first rows that differ are named, the others are counted.

    Attributes:
        table: the table's file without its ending, such as ``injections``.
        state: whether both versions have the table, or it was ``added`` or ``removed`` as a whole.
        key: the columns that identify a row; all compared columns for a table that declares no key.
        rows_before: number of rows in the old version.
        rows_after: number of rows in the new version.
        added: keys of the rows that only the new version has.
        removed: keys of the rows that only the old version has.
        changed: rows that both have, and that differ in a column that both have.
        columns_added: columns that only the new version has.
        columns_removed: columns that only the old version has.
        columns_retyped: columns whose type differs; their values are not compared.
        columns_loosened: columns that were never null and now may be.
        columns_changed: column -> rows of telemetry that differ in it.
        relabeled: node -> rows of telemetry whose labels changed; "" for rows without a node.
        renamed_from: the file of the old version with the same bytes, of a file that is new under this name.
        more_added: rows that only the new version has, beside those that ``added`` names.
        more_removed: likewise.
        more_changed: likewise.
        reestimated: rows that both have, and that differ in the table's estimates only.
    """

    table: str
    state: Literal["kept", "added", "removed"]
    key: tuple[str, ...]
    rows_before: int
    rows_after: int
    added: tuple[Key, ...] = ()
    removed: tuple[Key, ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()
    columns_retyped: tuple[RetypedColumn, ...] = ()
    columns_loosened: tuple[str, ...] = ()
    columns_changed: tuple[tuple[str, int], ...] = ()
    relabeled: tuple[tuple[str, int], ...] = ()
    renamed_from: str | None = None
    more_added: int = 0
    more_removed: int = 0
    more_changed: int = 0
    reestimated: int = 0

    @property
    def rows_added(self) -> int:
        """Number of rows that only the new version has."""
        return len(self.added) + self.more_added

    @property
    def rows_removed(self) -> int:
        """Number of rows that only the old version has."""
        return len(self.removed) + self.more_removed

    @property
    def rows_changed(self) -> int:
        """Number of rows that both have, and that differ."""
        return len(self.changed) + self.more_changed

    @property
    def breaks(self) -> bool:
        """Whether a record, column or type that was there changed or went."""
        return self.state == "removed" or any(
            (self.rows_removed, self.rows_changed, self.columns_removed, self.columns_retyped, self.columns_loosened)
        )

    @property
    def extends(self) -> bool:
        """Whether something was added, or estimated anew."""
        return self.state == "added" or any((self.rows_added, self.columns_added, self.reestimated))

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {
            "table": self.table,
            "state": self.state,
            "key": list(self.key),
            "rows_before": self.rows_before,
            "rows_after": self.rows_after,
            "rows_added": self.rows_added,
            "rows_removed": self.rows_removed,
            "rows_changed": self.rows_changed,
            "rows_reestimated": self.reestimated,
            "added": [_plain_key(key) for key in self.added],
            "removed": [_plain_key(key) for key in self.removed],
            "changed": [{"key": _plain_key(row.key), "columns": list(row.columns)} for row in self.changed],
            "columns_added": list(self.columns_added),
            "columns_removed": list(self.columns_removed),
            "columns_retyped": [
                {"name": column.name, "before": column.before, "after": column.after} for column in self.columns_retyped
            ],
            "columns_loosened": list(self.columns_loosened),
            "columns_changed": dict(self.columns_changed),
            "relabeled": dict(self.relabeled),
            "renamed_from": self.renamed_from,
        }


def _plain_key(key: Key) -> list[object]:
    return [part if part is None or isinstance(part, str | int | float | bool) else str(part) for part in key]
