"""Any table of metrics: which column is the time, which the node, and which hold KPIs; declared, or told by content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from faultset.errors import nearest
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import nodes, times
from faultset.sources.telemetry.format import ColumnType, Layout, Long, Missing

TIMES = (
    *("timestamp", "time", "now.iso", "now", "@timestamp", "datetime", "date_time", "date", "ts", "epoch", "_time"),
    *("unix_time", "unixtime", "time_iso", "timestamp_ms", "timestamp_us", "timestamp_ns", "collected_at", "at"),
)
NODES = (
    *("node", "host", "hostname", "instance", "nodename", "node_name", "host.name", "host_name", "machine", "server"),
    *("kubernetes_node", "k8s.node.name"),
)
NAMES = ("kpi", "metric", "name", "metric_name", "__name__", "_field", "variable", "measurement", "key", "series")
VALUES = ("value", "_value", "val", "mean", "average", "avg")


@dataclass(frozen=True, slots=True)
class Columns:
    """What is known of the columns of a table.

    Attributes:
        first: column -> its first values, as text.
        numbers: those that hold numbers.
    """

    first: Mapping[str, Sequence[str]]
    numbers: frozenset[str]


def layout(file: TelemetryFile, columns: Columns, format_name: str) -> Layout | Missing:
    """Return how the table is laid out.

    Args:
        file: the file, with what is declared of it.
        columns: its columns.
        format_name: how messages call its format.
    """
    absent = _declared_and_absent(file, columns)
    if absent:
        return absent
    time = file.time_column or _time(columns)
    if time is None:
        return Missing("no column holds times that can be read; time_column can name it", 0.5)
    told = times.recognise(columns.first[time])
    if told is None:
        return Missing(f"column {time!r} holds no times that can be read", 0.6)
    others = [name for name in columns.first if name != time]
    node = file.node_column or (None if file.node else _named(NODES, [n for n in others if n not in columns.numbers]))
    long = _long(file, columns, [name for name in others if name != node])
    kpis = _kpis(file, columns, [name for name in others if name != node], long)
    if isinstance(kpis, Missing):
        return kpis
    fixed, split = (file.node, None) if node is None else (None, None)
    if node is None and fixed is None and long is None:
        fixed, split = _in_header(kpis)
    return Layout(
        format=format_name,
        kind="metrics",
        columns=_types(time, told, node, long),
        time=(time,),
        clock=lambda frame: told.clock(frame[time]),
        row_uncertainty_s=told.uncertainty_s,
        node=node,
        fixed_node=fixed,
        abbreviation=None if told.is_number else lambda frame: times.abbreviations(frame[time].cast(pl.String)),
        long=long,
        kpis=frozenset(split[name][1] if split and name in split else name for name in kpis),
        blurs_s=(file.time_blur_s or 0.0,),
        split=split,
    )


def _declared_and_absent(file: TelemetryFile, columns: Columns) -> Missing | None:
    declared = {"time_column": file.time_column, "node_column": file.node_column}
    named = [(key, name) for key, name in declared.items() if name] + [("values", name) for name in file.values]
    for key, name in named:
        if name not in columns.first:
            return Missing(
                f'{key} names "{name}", and there is no such column{nearest(name, list(columns.first))}', 0.9
            )
    return None


def _time(columns: Columns) -> str | None:
    """Return the column of times: by its name and values, else the first one that holds nothing but times."""
    known = [name for name in columns.first if times.recognise(columns.first[name])]
    named = _named(TIMES, known)
    if named is not None:
        return named
    return next((name for name in known if name not in columns.numbers or name == next(iter(columns.first))), None)


def _named(wanted: Sequence[str], names: Sequence[str]) -> str | None:
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    return next((by_lower[name] for name in wanted if name in by_lower), None)


def _long(file: TelemetryFile, columns: Columns, others: Sequence[str]) -> Long | None:
    """Return which columns hold a KPI's name and its value, where a row holds one value."""
    numbers = [name for name in others if name in columns.numbers]
    name = _named(NAMES, [name for name in others if name not in columns.numbers])
    if name is None:
        return None
    if len(file.values) == 1:
        return Long(name, file.values[0])
    value = _named(VALUES, numbers) or (numbers[0] if len(numbers) == 1 else None)
    return Long(name, value) if value is not None and not file.values else None


def _kpis(file: TelemetryFile, columns: Columns, others: Sequence[str], long: Long | None) -> Sequence[str] | Missing:
    if long is not None:
        return [long.value]
    if file.values:
        return file.values
    found = [name for name in others if name in columns.numbers]
    return found or Missing("no column beside the time holds numbers", 0.6)


def _in_header(kpis: Sequence[str]) -> tuple[str | None, dict[str, tuple[str, str]] | None]:
    """Return the node that all columns are of, or which column is of which node where they differ."""
    named = nodes.of_columns(kpis)
    if not named or len(named) < len(kpis):
        return None, None
    all_nodes = {node for node, _ in named.values()}
    return (all_nodes.pop(), None) if len(all_nodes) == 1 else (None, named)


def _types(time: str, told: times.TimeColumn, node: str | None, long: Long | None) -> dict[str, ColumnType]:
    found: dict[str, ColumnType] = {} if told.is_number else {time: pl.String}
    if node is not None:
        found[node] = pl.String
    if long is not None:
        found |= {long.kpi: pl.String, long.value: pl.Float64}
    return found
