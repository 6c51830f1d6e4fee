"""Metrics, logs and traces as OpenTelemetry's exporters write them to files: OTLP in JSON.

A message stands on each line, or the file is one document. Ids are hexadecimal, enumerations whole numbers, 64-bit
numbers texts; a resource's attributes name host and service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import orjson
import polars as pl

from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import json_rows, nodes, times
from faultset.sources.telemetry.format import ColumnType, Format, Layout, Long, Missing, Rows, Source, Values
from faultset.sources.telemetry.head import Head
from faultset.sources.telemetry.json_rows import Table, first_of, text

_HOSTS = ("host.name", "k8s.node.name", "host.id", "container.name", "k8s.pod.name")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")  # as protobuf writes it in JSON, too
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_ERROR = 2
_SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")

METRICS: dict[str, ColumnType] = {
    "time_unix_nano": pl.Int64,
    "kpi": pl.String,
    "value": pl.Float64,
    "metric": pl.String,
    "unit": pl.String,
    "type": pl.String,
    "service": pl.String,
    "attributes": pl.String,
}
LOGS: dict[str, ColumnType] = {
    "time_unix_nano": pl.Int64,
    "severity": pl.String,
    "body": pl.String,
    "service": pl.String,
    "trace_id": pl.String,
    "span_id": pl.String,
    "attributes": pl.String,
}
TRACES: dict[str, ColumnType] = {
    "start_time_unix_nano": pl.Int64,
    "end_time_unix_nano": pl.Int64,
    "trace_id": pl.String,
    "span_id": pl.String,
    "parent_span_id": pl.String,
    "name": pl.String,
    "span_kind": pl.Int64,
    "service": pl.String,
    "status_code": pl.Int64,
    "attributes": pl.String,
}


@dataclass(frozen=True, slots=True)
class _Signal:
    """One of the three: the key of its messages, its columns, and how a batch becomes rows."""

    key: str
    kind: TelemetryKind
    columns: Mapping[str, ColumnType]
    add: Callable[[Table, Mapping[str, Any], str | None], None]
    time: str


# --- values ---------------------------------------------------------------------------------------------------------


def _value(value: Any) -> object:
    """Return what an attribute's value holds: a text, a number, a truth value, a list or a mapping."""
    if not isinstance(value, dict) or not value:
        return None
    [(kind, inner), *_] = value.items()
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_value(one) for one in inner.get("values", ())]
    if kind == "kvlistValue":
        return _attributes(inner.get("values", ()))
    return inner


def _attributes(pairs: Any) -> dict[str, object]:
    return {str(pair["key"]): _value(pair.get("value")) for pair in pairs or ()}


def _resource(batch: Mapping[str, Any], fallback: str | None) -> tuple[str | None, str | None]:
    """Return the node and the service of a batch; without a host, what runs there stands for it."""
    told = _attributes(batch.get("resource", {}).get("attributes"))
    service = text(told.get("service.name"))
    host = first_of(told, _HOSTS)
    return (json_rows.short(host) if host else fallback or service), service


def _scopes(batch: Mapping[str, Any], key: str, old: str) -> Iterator[Mapping[str, Any]]:
    yield from batch.get(key) or batch.get(old) or ()


def _nano(value: object) -> int | None:
    """Return nanoseconds since the epoch; None for 0, which says that they are not known."""
    return int(str(value)) or None if value is not None else None


_Metric = tuple[str, str, bool, str, str | None]
"""A metric's name and kind, whether it grows, its unit, and its service."""


# --- metrics --------------------------------------------------------------------------------------------------------


def _add_metrics(table: Table, batch: Mapping[str, Any], fallback: str | None) -> None:
    node, service = _resource(batch, fallback)
    for scope in _scopes(batch, "scopeMetrics", "instrumentationLibraryMetrics"):
        for metric in scope.get("metrics", ()):
            name, unit = str(metric["name"]), metric.get("unit") or ""
            for kind, told in metric.items():
                if kind in _KINDS and told:
                    grows = kind != "gauge" and told.get("aggregationTemporality") in _CUMULATIVE
                    grows = grows and (kind != "sum" or bool(told.get("isMonotonic")))
                    add = _add_numbers if kind in {"gauge", "sum"} else _add_distributions
                    add(table, node, (name, kind, grows, unit, service), told.get("dataPoints", ()))


def _add_numbers(table: Table, node: str | None, of: _Metric, points: Sequence[Mapping[str, Any]]) -> None:
    """Add points that hold a number each."""
    name, kind, grows, unit, service = of
    how = f"{kind}, cumulative" if grows else kind
    for point in points:
        value = point.get("asDouble")
        if value is None and (value := point.get("asInt")) is None:
            continue
        kpi, written = _named(name, orjson.dumps(point.get("attributes") or ()))
        table.add(node, int(point["timeUnixNano"]) or None, kpi, float(value), name, unit, how, service, written)


def _add_distributions(table: Table, node: str | None, of: _Metric, points: Sequence[Mapping[str, Any]]) -> None:
    """Add the numbers of points that hold several each."""
    name, kind, grows, unit, service = of
    for point in points:
        attributes, when = orjson.dumps(point.get("attributes") or ()), int(point["timeUnixNano"]) or None
        for suffix, value, adds_up in _numbers(point):
            metric = f"{name}{suffix}"
            kpi, written = _named(metric, attributes)
            how = f"{kind}, cumulative" if grows and adds_up else kind
            table.add(node, when, kpi, value, metric, unit, how, service, written)


@lru_cache(100_000)
def _named(metric: str, attributes: bytes) -> tuple[str, str | None]:
    """Return the KPI of a metric with these attributes, and the attributes as JSON: series come again and again."""
    told = _attributes(orjson.loads(attributes))
    return nodes.kpi(metric, {key: text(value) or "" for key, value in told.items()}), text(told) if told else None


def _numbers(point: Mapping[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """Yield what a point of a distribution holds: the end of the KPI's name, the number, whether it adds up."""
    for name in ("count", "sum"):
        if name in point:
            yield f".{name}", float(point[name]), True
    for name in ("min", "max"):
        if name in point:
            yield f".{name}", float(point[name]), False
    for one in point.get("quantileValues", ()):
        yield f".quantile.{one.get('quantile', 0)}", float(one.get("value", 0)), False


# --- logs and traces ------------------------------------------------------------------------------------------------


def _add_logs(table: Table, batch: Mapping[str, Any], fallback: str | None) -> None:
    node, service = _resource(batch, fallback)
    for scope in _scopes(batch, "scopeLogs", "instrumentationLibraryLogs"):
        for record in scope.get("logRecords", scope.get("logs", ())):
            attributes = _attributes(record.get("attributes"))
            table.add(
                node,
                _nano(record.get("timeUnixNano")) or _nano(record.get("observedTimeUnixNano")),
                _severity(record),
                text(_value(record.get("body"))),
                service,
                record.get("traceId") or None,
                record.get("spanId") or None,
                text(attributes) if attributes else None,
            )


def _severity(record: Mapping[str, Any]) -> str | None:
    written = record.get("severityText")
    number = record.get("severityNumber")
    if written or not isinstance(number, int) or not 1 <= number <= 24:
        return str(written) if written else None
    return _SEVERITIES[(number - 1) // 4]


def _add_traces(table: Table, batch: Mapping[str, Any], fallback: str | None) -> None:
    node, service = _resource(batch, fallback)
    for scope in _scopes(batch, "scopeSpans", "instrumentationLibrarySpans"):
        for span in scope.get("spans", ()):
            attributes = _attributes(span.get("attributes"))
            table.add(
                node,
                _nano(span.get("startTimeUnixNano")),
                _nano(span.get("endTimeUnixNano")),
                span.get("traceId"),
                span.get("spanId"),
                span.get("parentSpanId") or None,
                span.get("name"),
                _code(span.get("kind")),
                service,
                _code((span.get("status") or {}).get("code")),
                text(attributes) if attributes else None,
            )


def _code(value: object) -> int | None:
    """Return an enumeration's number; some exporters write its name, of which errors are known."""
    if isinstance(value, int):
        return value
    return _ERROR if value == "STATUS_CODE_ERROR" else None


def spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what each row says of a span: it is a whole one, whose time is its start."""
    took = (pl.col("end_time_unix_nano") - pl.col("start_time_unix_nano")) // 1000
    return frame.select(
        pl.col("span_id").alias("span"),
        pl.col("parent_span_id").alias("parent"),
        pl.col("name").alias("operation"),
        pl.col("service"),
        pl.lit(value=True).alias("is_start"),
        pl.col("end_time_unix_nano").is_not_null().alias("is_stop"),
        took.alias("took_us"),
        (pl.col("status_code") == _ERROR).fill_null(value=False).alias("failed"),
    )


_SIGNALS = (
    _Signal("resourceMetrics", "metrics", METRICS, _add_metrics, "time_unix_nano"),
    _Signal("resourceLogs", "logs", LOGS, _add_logs, "time_unix_nano"),
    _Signal("resourceSpans", "traces", TRACES, _add_traces, "start_time_unix_nano"),
)


# --- files ----------------------------------------------------------------------------------------------------------


def _signal(head: Head) -> _Signal | None:
    """Return the signal of a file: the one that is wanted, where it holds several."""
    found = [one for one in _SIGNALS if one.key in head.keys or any(one.key in line for line in head.lines)]
    return next((one for one in found if one.kind == head.file.kind), found[0] if found else None)


def _recognise(head: Head) -> Layout | Missing:
    if not head.is_json:
        return Missing("it is no JSON", 0.0)
    signal = _signal(head)
    if signal is None:
        return Missing('"resourceMetrics", "resourceLogs" or "resourceSpans" is missing', 0.2)
    return _layout(signal, head.file)


def _layout(signal: _Signal, file: TelemetryFile) -> Layout:
    common = Layout(
        format=FORMAT.name,
        kind=signal.kind,
        columns=signal.columns,
        time=(signal.time,),
        clock=lambda frame: times.of_nanoseconds(frame[signal.time]),
        row_uncertainty_s=0.0,
        tells_nodes=True,
        others=pl.String,
        blurs_s=(file.time_blur_s or 0.0,),
    )
    if signal.kind == "metrics":
        return replace(
            common, long=Long("kpi", "value"), values=Values(counter_mark=("type", ", cumulative")), in_series=True
        )
    if signal.kind == "logs":
        return replace(common, text="body", level="severity")
    return replace(common, text="name", spans=spans, span_columns=tuple(TRACES))


def _rows(source: Source) -> Rows:
    signal = next(one for one in _SIGNALS if one.kind == source.layout.kind)
    fallback = json_rows.known_node(source.file)

    def add_batch(table: Table, batch: Mapping[str, Any]) -> None:
        signal.add(table, batch, fallback)

    def add_message(table: Table, message: Mapping[str, Any]) -> None:
        for batch in message.get(signal.key, ()):
            add_batch(table, batch)

    if source.head.lines:
        return json_rows.rows_of_lines(source, signal.columns, add_message)
    return json_rows.rows_of_objects(source, 2, signal.columns, add_batch)


FORMAT = Format(
    id="otlp",
    name="OTLP JSON",
    kinds=("metrics", "logs", "traces"),
    about="the Collector's file exporter, or an SDK's exporter to a file: a message a line, or one document",
    sample=(
        '{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"cmp01"}}]},'
        '"scopeMetrics":[{"metrics":[{"name":"system.memory.usage","unit":"By","gauge":{"dataPoints":'
        '[{"timeUnixNano":"1763487222000000000","asInt":"15024152576"}]}}]}]}]}\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
