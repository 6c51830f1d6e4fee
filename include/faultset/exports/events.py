"""Lines of logs and spans of traces under names that do not depend on their source, for layouts that have such names.

A source's columns are recognised by their names, whatever their case. A row that names the injection itself is left
out: it would give the answer away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from faultset.moments import Window

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset
    from faultset.dataset.telemetry import Telemetry

_MESSAGE = ("message", "payload", "log", "line", "body", "msg", "text")
_LEVEL = ("level", "log_level", "severity", "severitytext", "detected_level", "loglevel", "severity_text")
# Of OSProfiler the base is the trace and the trace is the span; where there is no base, names mean what they say.
_TRACE, _SPAN_OF_BASE = ("base_id",), ("trace_id",)
_TRACE_ID = ("traceid", "trace_id")
_SPAN_ID = ("spanid", "span_id")
_PARENT = ("parentspanid", "parent_span_id", "parent_id", "parentid")
_OPERATION = ("operationname", "operation_name", "span_name", "spanname", "name", "operation")
_SERVICE = ("servicename", "service_name", "service.name", "project", "service")
_DURATION_US = ("duration_us", "duration")
_BEGUN, _ENDED = ("started_at", "start_time", "starttime"), ("ended_at", "end_time", "endtime")
_STEP = r"[-_](start|stop)$"

LINES = ("time", "service_name", "level", "message")
SPANS = ("time", "trace_id", "span_id", "parent_span_id", "service_name", "span_name", "duration_us")


@dataclass(frozen=True, slots=True)
class Events:
    """Rows with the columns of ``LINES`` or ``SPANS``, ascending, and what was left out: in words -> how many rows."""

    rows: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)


def lines(dataset: Dataset, window: Window, services: Mapping[str, str]) -> Events:
    """Return the lines of logs of a window; ``services``: node -> how the layout names it."""
    rows, named = _rows(dataset.logs, window)
    if rows is None:
        return Events(pd.DataFrame(columns=list(LINES)))
    message = _first(rows, _MESSAGE)
    if message is None:
        return Events(
            pd.DataFrame(columns=list(LINES)), {"lines of logs, of which no column is known as text": len(rows)}
        )
    found = pd.DataFrame({"time": rows["timestamp"], "service_name": _service(rows["node"], services)})
    level = _first(rows, _LEVEL)
    found["level"] = None if level is None else level.str.upper()
    found["message"] = message
    return Events(found.sort_values("time", kind="stable", ignore_index=True), named)


def spans(dataset: Dataset, window: Window, services: Mapping[str, str]) -> Events:
    """Return the spans of traces of a window: whole ones, and those of which start and stop are rows of their own."""
    rows, named = _rows(dataset.traces, window)
    if rows is None:
        return Events(pd.DataFrame(columns=list(SPANS)))
    has_base = _first(rows, _TRACE) is not None
    base, trace = _column(rows, _TRACE), _column(rows, _TRACE_ID)
    span = _column(rows, _SPAN_ID).fillna(_column(rows, _SPAN_OF_BASE) if has_base else _nothing(rows))
    if span.isna().all():
        return Events(
            pd.DataFrame(columns=list(SPANS)), {"rows of traces, none of whose columns is known as an id": len(rows)}
        )
    name, service = _column(rows, _OPERATION).fillna("unknown"), _column(rows, _SERVICE)
    step = name.str.extract(_STEP, expand=False)
    found = pd.DataFrame(
        {
            "time": rows["timestamp"],
            "trace_id": base.fillna(trace),
            "span_id": span,
            "parent_span_id": _column(rows, _PARENT),
            "service_name": _service(rows["node"], services).fillna(service),
            "span_name": service.fillna("") + service.notna().map({True: " ", False: ""}) + _plain(name),
            "duration_us": _duration(rows),
            "step": step,
        }
    )
    whole = _joined(found[found["span_id"].notna() & found["time"].notna()])
    unfinished = {"spans whose end was not seen": int(whole["duration_us"].isna().sum())}
    whole = whole[whole["duration_us"].notna()].astype({"duration_us": "int64"})
    return Events(whole.sort_values("time", kind="stable", ignore_index=True), {**named, **unfinished})


def _joined(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row a span: a start and the stop of the same id are one."""
    is_stop = found["step"] == "stop"
    ended = found[is_stop].drop_duplicates("span_id").set_index("span_id")["time"]
    begun = found[~is_stop].drop_duplicates(["span_id", "time", "span_name"]).drop(columns="step")
    took = (ended.reindex(begun["span_id"]).set_axis(begun.index) - begun["time"]).dt.total_seconds() * 1e6
    begun["duration_us"] = begun["duration_us"].fillna(took.where(took >= 0)).round()
    return begun


def _rows(telemetry: Telemetry, window: Window) -> tuple[pd.DataFrame | None, dict[str, int]]:
    if not telemetry.parts:
        return None, {}
    rows = telemetry(during=window)
    naming = rows["names_injection"] if "names_injection" in rows else pd.Series(data=False, index=rows.index)
    kept = rows[~naming & rows["timestamp"].notna()]
    return kept, {f"rows of {telemetry.kind} that name the injection": int(naming.sum())}


def said(left_out: Mapping[str, int]) -> list[str]:
    """Return what was left out, in words; nothing of what there was none."""
    return [f"{count:,} {text}" for text, count in left_out.items() if count]


def _first(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series | None:
    known = {str(column).casefold(): column for column in reversed(rows.columns)}
    return next((rows[known[name]].astype("str") for name in names if name in known), None)


def _column(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the text of the first of these columns that a row has: files of one kind may differ in their names."""
    found = _nothing(rows)
    for column in rows.columns:
        if str(column).casefold() in names:
            text = rows[column].astype("str").where(rows[column].notna())
            found = found.fillna(text)
    return found


def _nothing(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(None, index=rows.index, dtype="str")


def _service(node: pd.Series, services: Mapping[str, str]) -> pd.Series:
    return node.map(lambda name: services.get(name, name), na_action="ignore").astype("str").where(node.notna())


def _plain(name: pd.Series) -> pd.Series:
    return name.str.replace(_STEP, "", regex=True)


def _duration(rows: pd.DataFrame) -> pd.Series:
    """Return microseconds; of a span that is a row of its own."""
    found = pd.to_numeric(_column(rows, _DURATION_US), errors="coerce")
    ended, begun = (  # both in the source's own zone, which does not matter to their distance
        pd.to_datetime(_column(rows, names), errors="coerce", utc=True, format="ISO8601") for names in (_ENDED, _BEGUN)
    )
    took = (ended - begun).dt.total_seconds() * 1e6
    return found.fillna(took.where(took >= 0)).astype("float64")
