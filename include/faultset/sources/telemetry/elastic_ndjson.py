"""Logs of Elasticsearch as JSON, a document a line: hits with ``_source``, as elasticdump writes them, or bare ones.

Fields within fields become columns with dots between their names; those that the first lines do not have stand together
in ``other_fields``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from faultset.sources.telemetry import elastic_logs, json_rows, times
from faultset.sources.telemetry.format import ColumnType, Format, Layout, Missing, Rows, Source
from faultset.sources.telemetry.head import Head
from faultset.sources.telemetry.json_rows import Table, text

_TIMES = ("@timestamp", "timestamp", "time", "ts", "Timestamp")
_MOST_COLUMNS = 200
_OTHERS = "other_fields"


def _fields(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of a document, those within others with a dot between the names."""
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _fields(inner, f"{above}{name}.")
        else:
            yield f"{above}{name}", inner


def _document(line: Mapping[str, Any]) -> Mapping[str, Any]:
    source = line.get("_source", line)
    return source if isinstance(source, dict) else {}


def _recognise(head: Head) -> Layout | Missing:
    if not head.lines:
        return Missing("it has no JSON object a line", 0.1 if head.is_json else 0.0)
    names = list(dict.fromkeys(name for line in head.lines for name, _ in _fields(_document(line))))
    time = head.file.time_column or next((name for name in _TIMES if name in names), None)
    message = next((name for name in elastic_logs.TEXTS if name in names), None)
    node = head.file.node_column or next((name for name in elastic_logs.NODES if name in names), None)
    needed = {"@timestamp": time, "message": message}
    absent = [name for name, there in needed.items() if there is None]
    if absent:
        return Missing(f"{absent[0]} is missing", 0.5 * (1 - len(absent) / len(needed)) + 0.1)
    columns: dict[str, ColumnType] = dict.fromkeys([*names[:_MOST_COLUMNS], str(time), str(message)], pl.String)
    first = [text(dict(_fields(_document(line))).get(str(time))) or "" for line in head.lines]
    told = times.recognise(first)
    return Layout(
        format=FORMAT.name,
        kind="logs",
        columns={**columns, _OTHERS: pl.String},
        time=(str(time),),
        clock=lambda frame: (told.clock if told else times.of_texts)(frame[str(time)]),
        row_uncertainty_s=told.uncertainty_s if told else 0.001,
        node=node,
        fixed_node=None if node else head.file.node,
        text=message,
        others=pl.String,
        level=next((name for name in elastic_logs.LEVELS if name in names), None),
        tells_nodes=True,
        limits=(10_000,),
        limit_note="ask Elasticsearch with search_after or the scroll API, which give more than 10,000 documents",
    )


def _rows(source: Source) -> Rows:
    layout = source.layout
    names = [name for name in layout.columns if name != _OTHERS]
    known = set(names)
    fallback = layout.fixed_node or json_rows.known_node(source.file)

    def add(table: Table, line: Mapping[str, Any]) -> None:
        fields = dict(_fields(_document(line)))
        host = fields.get(layout.node) if layout.node else None
        others = {name: value for name, value in fields.items() if name not in known}
        table.add(
            json_rows.short(str(host)) if host else fallback,
            *(text(fields.get(name)) for name in names),
            text(others) if others else None,
        )

    return json_rows.rows_of_lines(source, layout.columns, add)


FORMAT = Format(
    id="elastic-ndjson",
    name="Elasticsearch NDJSON",
    kinds=("logs",),
    about="elasticdump --type=data, or the documents of an index, one a line",
    sample=(
        '{"_index":"flog-2025.11.18","_source":{"@timestamp":"2025-11-18T17:33:41.787Z","host":{"name":"cmp01"},'
        '"log":{"level":"ERROR"},"message":"connection lost"}}\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
