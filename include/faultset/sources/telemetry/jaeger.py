"""Traces as Jaeger's API and UI give them: JSON, times in microseconds, the service in ``processes``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from faultset.sources.telemetry import json_rows, times
from faultset.sources.telemetry.format import ColumnType, Format, Layout, Missing, Rows, Source
from faultset.sources.telemetry.head import Head
from faultset.sources.telemetry.json_rows import Table, first_of, text

_HOSTS = ("hostname", "host.name", "k8s.node.name", "host", "node", "k8s.pod.name")
COLUMNS: dict[str, ColumnType] = {
    "start_time_us": pl.Int64,
    "duration_us": pl.Int64,
    "trace_id": pl.String,
    "span_id": pl.String,
    "parent_span_id": pl.String,
    "operation": pl.String,
    "service": pl.String,
    "failed": pl.String,
    "tags": pl.String,
}


def _spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what each row says: it is a whole span, whose time is its start."""
    return frame.select(
        pl.col("span_id").alias("span"),
        pl.col("parent_span_id").alias("parent"),
        pl.col("operation"),
        pl.col("service"),
        pl.lit(value=True).alias("is_start"),
        pl.col("duration_us").is_not_null().alias("is_stop"),
        pl.col("duration_us").alias("took_us"),
        (pl.col("failed") == "true").fill_null(value=False).alias("failed"),
    )


def _recognise(head: Head) -> Layout | Missing:
    if not head.is_json:
        return Missing("it is no JSON", 0.0)
    needed = {name: f'"{name}"'.encode() in head.text for name in ("traceID", "operationName", "startTime")}
    absent = [name for name, there in needed.items() if not there]
    if absent or not {"data", "spans"} & head.keys:
        problem = f'"{absent[0]}" is missing' if absent else 'it has no "data" of traces'
        return Missing(problem, 0.7 * (1 - len(absent) / len(needed)))
    return Layout(
        format=FORMAT.name,
        kind="traces",
        columns=COLUMNS,
        time=("start_time_us",),
        clock=lambda frame: times.of_microseconds(frame["start_time_us"]),
        row_uncertainty_s=0.0,
        text="operation",
        others=pl.String,
        spans=_spans,
        span_columns=tuple(COLUMNS),
        tells_nodes=True,
    )


def _tags(pairs: Any) -> dict[str, Any]:
    return {str(pair["key"]): pair.get("value") for pair in pairs or ()}


def _rows(source: Source) -> Rows:
    fallback = json_rows.known_node(source.file)

    def add(table: Table, trace: Mapping[str, Any]) -> None:
        processes = {
            name: (str(process.get("serviceName") or ""), _tags(process.get("tags")))
            for name, process in (trace.get("processes") or {}).items()
        }
        for span in trace.get("spans") or ():
            inline = span.get("process") or {}
            service, tags = processes.get(span.get("processID")) or (
                str(inline.get("serviceName") or ""),
                _tags(inline.get("tags")),
            )
            host = first_of(tags, _HOSTS)
            own = _tags(span.get("tags"))
            failed = str(own.get("error", "")).lower() == "true" or own.get("otel.status_code") == "ERROR"
            parent = next(
                (one.get("spanID") for one in span.get("references") or () if one.get("refType") == "CHILD_OF"),
                span.get("parentSpanID"),
            )
            table.add(
                json_rows.short(host) if host else fallback or service or None,
                int(span["startTime"]),
                None if span.get("duration") is None else int(span["duration"]),
                text(span.get("traceID")),
                text(span.get("spanID")),
                text(parent) or None,
                text(span.get("operationName")),
                service or None,
                "true" if failed else "false",
                text(own) if own else None,
            )

    depth = 2 if "data" in source.head.keys else 1 if source.head.is_list else 0
    return json_rows.rows_of_objects(source, depth, COLUMNS, add)


FORMAT = Format(
    id="jaeger",
    name="Jaeger JSON",
    kinds=("traces",),
    about="curl 'http://jaeger:16686/api/traces?service=…&limit=1500', or the UI's download",
    sample=(
        '{"data":[{"traceID":"5b8e","spans":[{"traceID":"5b8e","spanID":"eee1","operationName":"GET /","references":[],'
        '"startTime":1763487222000000,"duration":1200,"tags":[],"processID":"p1"}],"processes":{"p1":'
        '{"serviceName":"front","tags":[{"key":"hostname","type":"string","value":"cmp01"}]}}}]}\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
