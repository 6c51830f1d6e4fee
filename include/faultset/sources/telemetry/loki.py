"""Log lines of Loki as ``logcli query -o jsonl`` writes them: a JSON object a line, with labels, line and timestamp.

Without ``--limit`` logcli gives 30 lines, whatever there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from faultset.sources.telemetry import json_rows, times
from faultset.sources.telemetry.format import ColumnType, Format, Layout, Missing, Rows, Source
from faultset.sources.telemetry.head import Head
from faultset.sources.telemetry.json_rows import Table, first_of, text

DEFAULT_LIMIT = 30
_HOSTS = ("node", "nodename", "node_name", "host", "hostname", "instance", "k8s_node_name", "pod")
_LEVELS = ("level", "detected_level", "severity", "log_level", "lvl")
_SERVICES = ("service_name", "service", "app", "container", "job")
COLUMNS: dict[str, ColumnType] = {
    "time": pl.String,
    "line": pl.String,
    "level": pl.String,
    "service": pl.String,
    "labels": pl.String,
}


def _recognise(head: Head) -> Layout | Missing:
    if not head.lines:
        return Missing("it has no JSON object a line", 0.1 if head.is_json else 0.0)
    first = head.lines[0]
    absent = [name for name in ("labels", "line", "timestamp") if name not in first]
    if absent:
        return Missing(f'"{absent[0]}" is missing', 1 - len(absent) / 3)
    return Layout(
        format=FORMAT.name,
        kind="logs",
        columns=COLUMNS,
        time=("time",),
        clock=lambda frame: times.of_texts(frame["time"]),
        row_uncertainty_s=0.0,
        text="line",
        others=pl.String,
        level="level",
        tells_nodes=True,
        limits=(DEFAULT_LIMIT, 5000),
        limit_note="ask logcli again with --limit=0, or --limit above the number of lines",
    )


def _rows(source: Source) -> Rows:
    fallback = json_rows.known_node(source.file)

    def add(table: Table, value: Mapping[str, Any]) -> None:
        labels = value["labels"]
        host = first_of(labels, _HOSTS)
        table.add(
            json_rows.short(host) if host else fallback,
            text(value["timestamp"]),
            text(value["line"]),
            first_of(labels, _LEVELS),
            first_of(labels, _SERVICES),
            text(labels),
        )

    return json_rows.rows_of_lines(source, COLUMNS, add)


FORMAT = Format(
    id="loki",
    name="Loki jsonl",
    kinds=("logs",),
    about="logcli query '{…}' --from … --to … --limit=0 -o jsonl",
    sample=(
        '{"labels":{"host":"cmp01","level":"error"},"line":"connection lost","timestamp":"2025-11-18T17:33:41.787Z"}\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
