"""What differs between two versions, row by row, by the key of each table.

A row of telemetry is the row of that number of that file; a file of another name holds other records. How a value is
packed (encodings, row groups, order of rows, large texts) is no part of a record; whether it may be null is.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from faultset import storage, tables
from faultset.release import injection_changes, parquet, rowwise
from faultset.release.difference_words import in_words, labels_in_words, reason_of, summary_of
from faultset.release.fingerprint import sha256_of
from faultset.release.injection_changes import InjectionChange
from faultset.release.number import Change
from faultset.release.table_difference import (
    LABELS,
    NODE,
    ROW,
    SHOWN,
    TELEMETRY,
    ChangedRow,
    Key,
    RetypedColumn,
    TableDifference,
    Values,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions.

    Attributes:
        tables: an entry for every table of either.
        injections: the injections that differ in what was done, hit or moved, in order of id.
    """

    tables: tuple[TableDifference, ...]
    injections: tuple[InjectionChange, ...] = field(default=())

    @property
    def breaks(self) -> bool:
        """Whether anything that was there changed or went."""
        return any(table.breaks for table in self.tables)

    @property
    def extends(self) -> bool:
        """Whether anything was added."""
        return any(table.extends for table in self.tables)

    @property
    def change(self) -> Change:
        """What the difference does to those who rely on the old version."""
        if self.breaks:
            return "major"
        return "minor" if self.extends else "patch"

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON: change, summary, words, and each table with its keys."""
        return {
            "change": self.change,
            "summary": self.summary(),
            "words": self.words(),
            "tables": [table.as_dict() for table in self.tables],
            "injections": [injection.as_dict() for injection in self.injections],
        }

    def words(self) -> list[str]:
        """Return a sentence for each kind of difference in each table, with the first keys of each; plain text."""
        return [line for table in self.tables for line in in_words(table)] or ["No record differs."]

    def injection_words(self) -> list[str]:
        """Return a sentence an injection that differs: what it gained, lost, and what else is said of it now."""
        return [injection.words() for injection in self.injections]

    def label_words(self) -> list[str]:
        """Return a sentence a file of telemetry whose labels changed: how many rows, on which nodes, which labels."""
        return [line for table in self.tables if (line := labels_in_words(table))]

    def reasons(self) -> list[str]:
        """Return what makes the change what it is, a few words a table."""
        return [reason_of(table) for table in self.tables if (table.breaks if self.breaks else table.extends)]

    def summary(self) -> str:
        """Return one line, such as ``injections +1, targets +2 -1 ~3``; "" where no record differs."""
        return ", ".join(part for table in self.tables if (part := summary_of(table)))


def diff(old: Path, new: Path) -> Difference:
    """Compare the tables of two folders by key.

    Raises:
        InputError: a table is damaged.
        SetupError: a table cannot be read.
    """
    before, after = _tables_in(old), _tables_in(new)
    names = sorted(before.keys() | after.keys(), key=_declared_order)
    found = []
    for name in names:
        with parquet.whole(after.get(name) or before[name]):
            found.append(_table(name, before.get(name), after.get(name)))
    return Difference(tuple(_renamed(found, before, after)), injection_changes.between(before, after))


def _renamed(
    found: list[TableDifference], before: dict[str, Path], after: dict[str, Path]
) -> Iterator[TableDifference]:
    """Say of each file of telemetry that is new whether it is one that went, under another name."""
    gone = {table.table: before[table.table] for table in found if table.state == "removed"}
    for table in found:
        if table.state == "added" and table.table.startswith(TELEMETRY):
            same = (name for name, path in gone.items() if _same_bytes(path, after[table.table]))
            yield replace(table, renamed_from=next(same, None))
        else:
            yield table


def _same_bytes(old: Path, new: Path) -> bool:
    with storage.explain_os_errors(new):
        return old.stat().st_size == new.stat().st_size and sha256_of(old) == sha256_of(new)


def _tables_in(folder: Path) -> dict[str, Path]:
    found = (name for name in storage.files(folder) if name.endswith(".parquet") and not name.startswith("validation/"))
    return {name.removesuffix(".parquet"): folder / name for name in found}


def _declared_order(name: str) -> tuple[int, str]:
    declared = [table.name for table in tables.EVERY_TABLE]
    return (declared.index(name) if name in declared else len(declared), name)


def _table(name: str, old: Path | None, new: Path | None) -> TableDifference:
    if old is None or new is None:
        return _only_one(name, old, new)
    rows_before, schema_before = parquet.layout(old)
    rows_after, schema_after = parquet.layout(new)
    fields_before = {field.name: field for field in schema_before}
    fields_after = {field.name: field for field in schema_after}
    types_before = {name: rowwise.logical(field.type) for name, field in fields_before.items()}
    types_after = {name: rowwise.logical(field.type) for name, field in fields_after.items()}
    shared = tuple(column for column in types_before if types_before[column] == types_after.get(column))
    return TableDifference(
        name,
        "kept",
        rows_before=rows_before,
        rows_after=rows_after,
        columns_added=tuple(column for column in types_after if column not in types_before),
        columns_removed=tuple(column for column in types_before if column not in types_after),
        columns_retyped=tuple(
            RetypedColumn(column, str(types_before[column]), str(types_after[column]))
            for column in types_before
            if column in types_after and column not in shared
        ),
        columns_loosened=tuple(
            column for column in shared if fields_after[column].nullable and not fields_before[column].nullable
        ),
        **_row_differences(name, old, new, shared, numbered=pa.types.is_integer(types_before.get(ROW, pa.null()))),
    )


def _row_differences(name: str, old: Path, new: Path, shared: tuple[str, ...], *, numbered: bool) -> dict[str, Any]:
    if name.startswith(TELEMETRY) and numbered and ROW in shared:
        if _same_bytes(old, new):
            return {"key": (ROW,)}
        if rowwise.unique(old, ROW) and rowwise.unique(new, ROW):
            return _by_row_number(old, new, shared)
    before, after = parquet.read_arrow(old), parquet.read_arrow(new)
    key = _key(name, shared)
    added, removed, differing = _rows(before, after, key, shared)
    estimates = next((table.estimates for table in tables.EVERY_TABLE if table.name == name), frozenset())
    changed = tuple(row for row in differing if not estimates.issuperset(row.columns))
    reestimated = len(differing) - len(changed)
    return {"key": key, "added": added, "removed": removed, "changed": changed, "reestimated": reestimated}


def _by_row_number(old: Path, new: Path, shared: tuple[str, ...]) -> dict[str, Any]:
    """Compare files of telemetry, which can have millions of rows."""
    layout = rowwise.Layout(
        ROW,
        tuple(column for column in shared if column != ROW),
        LABELS,
        NODE if NODE in shared else None,
    )
    tally = rowwise.compare(rowwise.batches(old, layout), rowwise.batches(new, layout), layout, SHOWN)
    return {
        "key": (ROW,),
        "added": tuple((number,) for number in tally.first_added),
        "removed": tuple((number,) for number in tally.first_removed),
        "changed": tuple(ChangedRow((number,), columns) for number, columns in tally.first_changed),
        "columns_changed": tuple(sorted(tally.columns.items())),
        "relabeled": tuple(sorted(tally.relabeled.items())),
        "more_added": tally.added - len(tally.first_added),
        "more_removed": tally.removed - len(tally.first_removed),
        "more_changed": tally.changed - len(tally.first_changed),
    }


def _only_one(name: str, old: Path | None, new: Path | None) -> TableDifference:
    path = new or old
    assert path is not None  # noqa: S101 (the name came from one of the two)  # nosec B101
    if name.startswith(TELEMETRY):
        rows, _ = parquet.layout(path)
        if old is None:
            return TableDifference(name, "added", (ROW,), 0, rows, more_added=rows)
        return TableDifference(name, "removed", (ROW,), rows, 0, more_removed=rows)
    data = parquet.read_arrow(path)
    key = _key(name, tuple(data.column_names))
    keys = _sorted(key for key, _ in _records(data, key, ()))
    if old is None:
        return TableDifference(name, "added", key, 0, data.num_rows, added=keys)
    return TableDifference(name, "removed", key, data.num_rows, 0, removed=keys)


def _key(name: str, shared: tuple[str, ...]) -> tuple[str, ...]:
    """Return the declared key; all shared columns where none is declared or a part of it is not comparable."""
    table = next((table for table in tables.EVERY_TABLE if table.name == name), None)
    declared = tuple(part for part in table.key if part in shared or part not in table.later_key) if table else ()
    return declared if declared and set(declared) <= set(shared) else shared


def _rows(
    before: pa.Table, after: pa.Table, key: tuple[str, ...], shared: tuple[str, ...]
) -> tuple[tuple[Key, ...], tuple[Key, ...], tuple[ChangedRow, ...]]:
    if before.select(list(shared)).equals(after.select(list(shared))):  # most often so, and much quicker
        return (), (), ()
    rest = tuple(column for column in shared if column not in key)
    old, new = _grouped(before, key, rest), _grouped(after, key, rest)
    added: list[Key] = []
    removed: list[Key] = []
    changed: list[ChangedRow] = []
    for one in old.keys() | new.keys():
        gone, come = _unmatched(old.get(one, []), new.get(one, []))
        pairs = min(len(gone), len(come))
        changed += [
            ChangedRow(one, tuple(c for c, a, b in zip(rest, was, now, strict=True) if a != b))
            for was, now in zip(gone, come, strict=False)
        ]
        removed += [one] * (len(gone) - pairs)
        added += [one] * (len(come) - pairs)
    return _sorted(added), _sorted(removed), tuple(sorted(changed, key=lambda row: _order(row.key)))


def _unmatched(old: list[Values], new: list[Values]) -> tuple[list[Values], list[Values]]:
    """Return the rows of one key without an equal on the other side; a damaged table can have several of one key."""
    if old == new:
        return [], []
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return sorted(gone.elements(), key=repr), sorted(come.elements(), key=repr)


def _grouped(data: pa.Table, key: tuple[str, ...], rest: tuple[str, ...]) -> dict[Key, list[Values]]:
    groups: dict[Key, list[Values]] = defaultdict(list)
    for one, values in _records(data, key, rest):
        groups[one].append(values)
    return groups


def _records(data: pa.Table, key: tuple[str, ...], rest: tuple[str, ...]) -> Iterator[tuple[Key, Values]]:
    keys = [_plain(data[name]) for name in key]
    values = [_plain(_as_count(data[name])) for name in rest]
    for row in range(data.num_rows):
        yield tuple(column[row] for column in keys), tuple(column[row] for column in values)


def _plain(column: pa.ChunkedArray) -> list[Any]:
    return [_comparable(value) for value in column.to_pylist()]


def _as_count(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as numbers: they compare the same, and are far quicker to take out."""
    return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column


def _comparable(value: Any) -> Any:
    """Return ``value`` so that it can be looked up and equals itself (NaN does not)."""
    if isinstance(value, list):
        return tuple(_comparable(part) for part in value)
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return "NaN"
    return value


def _sorted(keys: Iterator[Key] | list[Key]) -> tuple[Key, ...]:
    return tuple(sorted(keys, key=_order))


def _order(key: Key) -> tuple[tuple[bool, str, Any], ...]:
    return tuple(
        (part is not None, type(part).__name__, repr(part) if isinstance(part, tuple) else part) for part in key
    )
