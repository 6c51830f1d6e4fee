"""What differs between two versions, in sentences of plain text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from faultset.errors import printable
from faultset.release.table_difference import LABELS, SHOWN, Key, TableDifference


def summary_of(table: TableDifference) -> str:
    """Return a table's difference in a few words, such as ``targets +2 -1 ~3``; "" where there is none."""
    if table.state != "kept":
        return f"{table.table} {'new' if table.state == 'added' else 'gone'}"
    signed = (("+", table.rows_added), ("-", table.rows_removed), ("~", table.rows_changed))
    parts = [f"{sign}{count}" for sign, count in signed if count]
    parts += [f"{table.reestimated} estimated anew"] if table.reestimated else []
    columns = [f"+{name}" for name in table.columns_added]
    columns += [f"-{name}" for name in table.columns_removed]
    columns += [f"~{column.name}" for column in table.columns_retyped]
    columns += [f"~{name}" for name in table.columns_loosened]
    if columns:
        parts.append(f"columns {' '.join(columns)}")
    return f"{table.table} {' '.join(parts)}" if parts else ""


def in_words(table: TableDifference) -> Iterator[str]:
    """Yield a sentence for each kind of difference in a table."""
    if table.state != "kept":
        was = f", with the bytes of {table.renamed_from}: a file was renamed" if table.renamed_from else ""
        yield f"{table.table}: the whole table {'is new' if table.state == 'added' else 'went'}{was}."
        return
    if table.columns_added:
        yield f"{table.table}: new columns {', '.join(table.columns_added)}."
    if table.columns_removed:
        yield f"{table.table}: columns that went: {', '.join(table.columns_removed)}."
    for column in table.columns_retyped:
        yield f"{table.table}: column {column.name} was {column.before} and is {column.after}."
    for name in table.columns_loosened:
        yield f"{table.table}: column {name} was never null and now may be."
    changed = (f"{_key_words(row.key)} ({', '.join(row.columns)})" for row in table.changed)
    for what, count, rows in (
        ("added", table.rows_added, map(_key_words, table.added)),
        ("removed", table.rows_removed, map(_key_words, table.removed)),
        ("changed", table.rows_changed, changed),
    ):
        if count:
            yield f"{table.table}: {count} {what}: {_listed(rows, count)}."
    if table.reestimated:
        yield f"{table.table}: {table.reestimated} estimated anew, with the same answer."


def labels_in_words(table: TableDifference) -> str:
    """Return a sentence on the labels of a file of telemetry; "" where none changed."""
    if not table.relabeled:
        return ""
    nodes = (f"{printable(node, 120) or 'no node'} {count}" for node, count in table.relabeled)
    labels = ", ".join(f"{name} {count}" for name, count in table.columns_changed if name in LABELS)
    total = sum(count for _, count in table.relabeled)
    return f"{table.table}: labels of {total} rows changed, on {_listed(nodes, len(table.relabeled))} ({labels})."


def reason_of(table: TableDifference) -> str:
    """Return what in a table breaks what was there; where nothing does, what was added."""
    parts = []
    if table.state != "kept":
        parts.append("is new" if table.state == "added" else "went")
    for count, what in (
        (table.rows_removed, "rows went"),
        (table.rows_changed, "rows changed"),
        (len(table.columns_removed), "columns went"),
        (len(table.columns_retyped), "columns have another type"),
        (len(table.columns_loosened), "columns may be null now"),
    ):
        if count and table.state == "kept":
            parts.append(f"{count} {what}")
    added = (
        (table.rows_added, "rows were added"),
        (len(table.columns_added), "columns were added"),
        (table.reestimated, "rows were estimated anew"),
    )
    if not parts:
        parts = [f"{count} {what}" for count, what in added if count]
    return f"{table.table}: {', '.join(parts)}"


def _key_words(key: Key) -> str:
    """Return a key in words; parts that are null at its end, such as a pod where there is none, say nothing."""
    said = max((place for place, part in enumerate(key, start=1) if part is not None), default=1)
    return " / ".join("null" if part is None else printable(str(part), 120) for part in key[:said])


def _listed(parts: Iterable[str], count: int) -> str:
    shown = list(itertools.islice(parts, SHOWN))
    more = f"; and {count - len(shown)} more" if count > len(shown) else ""
    return "; ".join(shown) + more
