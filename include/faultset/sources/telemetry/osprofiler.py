"""Traces as OSProfiler's JSON: one tree a trace, or a list of them; a row a span, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import orjson
import polars as pl

from faultset.errors import InputError
from faultset.settings import limits
from faultset.sources.kit.collector import collector_paused
from faultset.sources.telemetry.compression import CutOffError
from faultset.sources.telemetry.csv_rows import framed
from faultset.sources.telemetry.format import (
    Clock,
    Format,
    Layout,
    Missing,
    Rows,
    Source,
    microseconds,
    service_name,
    unreadable,
)
from faultset.sources.telemetry.head import Head

_PATTERN = "%Y-%m-%dT%H:%M:%S%.f"
_ENDS = ("started_at", "ended_at")
_POINT = "meta.raw_payload."
_ROWS = 65_536
COLUMNS: dict[str, type[pl.DataType]] = {
    "host": pl.String,
    "name": pl.String,
    "service": pl.String,
    "project": pl.String,
    "started_at": pl.String,
    "ended_at": pl.String,
    "started": pl.Int64,
    "finished": pl.Int64,
    "exception": pl.String,
    "trace_id": pl.String,
    "parent_id": pl.String,
    "base_id": pl.String,
}


def spans(data: bytes) -> pl.DataFrame:
    """Return the spans of ``data``, a row each with ``COLUMNS``; ``started``, ``finished``: ms since the trace began.

    Raises:
        ValueError: it is no OSProfiler JSON; the message says why.
    """
    with collector_paused():
        try:
            trees = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"is no valid JSON: {error}") from error
        rows = [_row(span) for span in _walk(trees)]
    if not rows:
        raise ValueError("holds no spans")
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _walk(trees: object) -> Iterator[dict[str, Any]]:
    """Yield the spans below the roots, parents before their children; a root itself is the whole and no span."""
    roots = trees if isinstance(trees, list) else [trees]
    for number, root in enumerate(roots, 1):
        open_spans = _children(root, f"tree {number}")
        while open_spans:
            span = open_spans.pop()
            children = _children(span, f"a span of tree {number}")
            if not isinstance(span.get("info"), dict):
                problem = f"is no OSProfiler trace: a span of tree {number} has no info"
                raise ValueError(problem)  # noqa: TRY004 (it is the content of a file that is wrong)
            yield span
            open_spans.extend(children)


def _children(span: Any, name: str) -> list[Any]:
    """Return the children, the last one first."""
    children = span.get("children") if isinstance(span, dict) else None
    if not isinstance(children, list):
        problem = f"is no OSProfiler trace: {name} has no list of children"
        raise ValueError(problem)  # noqa: TRY004 (it is the content of a file that is wrong)
    return children[::-1]


def _row(span: dict[str, Any]) -> tuple[object, ...]:
    info = span["info"]
    start, stop = _point(info, "-start"), _point(info, "-stop")
    base = start.get("base_id") or stop.get("base_id")
    return (
        *(_text(info.get(key)) for key in ("host", "name", "service", "project")),
        _text(start.get("timestamp")),
        _text(stop.get("timestamp")),
        *(_whole(info.get(key)) for key in ("started", "finished")),
        _text(info.get("exception")),
        _text(span.get("trace_id")),
        _text(span.get("parent_id")),
        _text(base),
    )


def _point(info: dict[str, Any], ending: str) -> dict[str, Any]:
    """Return the raw start or stop of a span; empty where it was not recorded."""
    for key, value in info.items():
        if key.startswith(_POINT) and key.endswith(ending) and isinstance(value, dict):
            return value
    return {}


def _text(value: object) -> str | None:
    """Return a text or a number as text; lists and mappings, which no span has there, are none."""
    return str(value) if isinstance(value, str | int | float) else None


def _whole(value: object) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < 2**62 else None  # type: ignore[arg-type,call-overload]


def _clock(frame: pl.DataFrame) -> Clock:
    """Return the spans' starts; OSProfiler writes UTC, whatever zone the source declares."""
    text = frame["started_at"]
    times = text.str.strptime(pl.Datetime("us"), _PATTERN, strict=False, cache=False)
    us = microseconds(times)
    bad = unreadable(times.is_null() & text.is_not_null())
    return Clock(us=us, wall=np.zeros(len(us), bool), unreadable=bad)


def _spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what each row says: a row is a whole span, whose time is its start."""
    started, ended = (pl.col(name).str.strptime(pl.Datetime("us"), _PATTERN, strict=False) for name in _ENDS)
    return frame.select(
        pl.col("trace_id").alias("span"),
        pl.col("parent_id").alias("parent"),
        pl.col("name").alias("operation"),
        service_name(pl.col("project"), pl.col("service")).alias("service"),
        pl.lit(value=True).alias("is_start"),
        ended.is_not_null().alias("is_stop"),
        (ended - started).dt.total_microseconds().alias("took_us"),
        (~pl.col("exception").fill_null("").str.strip_chars().str.to_lowercase().is_in(("", "none"))).alias("failed"),
    )


LAYOUT = Layout(
    format="OSProfiler JSON",
    kind="traces",
    columns=COLUMNS,
    time=("started_at",),
    clock=_clock,
    row_uncertainty_s=0.0,
    node="host",
    text="name",
    others=pl.String,
    spans=_spans,
    span_columns=tuple(COLUMNS),
    iteration=("base_id", None),
)


def _recognise(head: Head) -> Layout | Missing:
    if not head.is_json:
        return Missing("it is no JSON", 0.0)
    return LAYOUT if "children" in head.keys else Missing("it has no tree of children", 0.3)


def _rows(source: Source) -> Rows:
    """Return the spans of a file, all of which is read at once: a tree is one value.

    Raises:
        InputError: it is larger than the limit, or no trace.
    """
    allowed = limits()
    try:
        data = source.head.data + source.stream.read(allowed.traces_json_bytes)
    except CutOffError as error:
        raise InputError(source.file.name, f"row 1: {error}", "copy the file again") from error
    allowed.check("traces_json_bytes", len(data), source.file.name)
    try:
        frame = spans(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        remedy = "give the JSON that osprofiler trace show --json wrote"
        raise InputError(source.file.name, str(error), remedy) from error
    parts = (frame[start : start + _ROWS] for start in range(0, len(frame), _ROWS))
    return Rows(LAYOUT, dict(frame.schema), (partial(framed, LAYOUT, part) for part in parts))


FORMAT = Format(
    id="osprofiler",
    name="OSProfiler JSON",
    kinds=("traces",),
    about="osprofiler trace show --json",
    sample='{"info": {"name": "total"}, "children": [{"info": {"host": "cmp01", "name": "wsgi"}, "children": []}]}\n',
    recognise=_recognise,
    rows=_rows,
)
