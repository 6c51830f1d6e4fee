"""Traces of a workload as CSV, a row a span."""

from __future__ import annotations

import polars as pl

from faultset.sources.telemetry import csv_rows, times
from faultset.sources.telemetry.format import Clock, Format, Layout, Missing, service_name
from faultset.sources.telemetry.head import Head

_COLUMNS = ("Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id")
_ERRORS = ("Exception", "exception", "Error", "error")  # columns that some add
_NO_ERROR = ("", "none", "null", "false", "0", "nan")


def _clock(frame: pl.DataFrame) -> Clock:
    return times.of_texts(frame["Timestamp"])


def _spans(frame: pl.DataFrame) -> pl.DataFrame:
    """Return what each row says: a row is a span's start or its stop, as its name ends."""
    name = pl.col("Name").str.strip_chars()
    error = next((column for column in _ERRORS if column in frame.columns), None)
    failed = pl.col(error).str.strip_chars().str.to_lowercase() if error else pl.lit("")
    return frame.select(
        pl.col("Trace_id").alias("span"),
        pl.col("Parent_id").alias("parent"),
        name.str.replace(r"[-_](start|stop)$", "").alias("operation"),
        service_name(pl.col("Project").str.strip_chars(), pl.col("Service").str.strip_chars()).alias("service"),
        name.str.contains(r"[-_]start$").fill_null(value=False).alias("is_start"),
        name.str.contains(r"[-_]stop$").fill_null(value=False).alias("is_stop"),
        pl.lit(None, pl.Int64).alias("took_us"),
        (~failed.fill_null("").is_in(_NO_ERROR)).alias("failed"),
    )


def _recognise(head: Head) -> Layout | Missing:
    absent = [name for name in _COLUMNS if name not in head.header]
    if absent:
        return Missing(f"column {absent[0]!r} is missing", 1 - len(absent) / len(_COLUMNS))
    return Layout(
        format="trace CSV",
        kind="traces",
        columns=dict.fromkeys(_COLUMNS, pl.String),
        time=("Timestamp",),
        clock=_clock,
        row_uncertainty_s=0.0,
        node="Host",
        text="Name",
        others=pl.String,
        spans=_spans,
        span_columns=(*_COLUMNS, *_ERRORS),
        iteration=("Base_id", "Iteration_id"),
    )


FORMAT = Format(
    id="trace-csv",
    name="trace CSV",
    kinds=("traces",),
    about="a row the start or the stop of a span, as OSProfiler's points are exported",
    sample=(f"{','.join(_COLUMNS)}\ncmp01,wsgi-start,public,keystone,2019-11-18 12:19:05.045692,1,a1b2,c3d4,c3d4\n"),
    recognise=_recognise,
    rows=csv_rows.read,
)
