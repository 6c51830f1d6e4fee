"""Traces of a workload as CSV, a row a span."""

from __future__ import annotations

import polars as pl

from faultset.sources.telemetry.format import NOT_KNOWN, Clock, Form, first_true, microseconds, service_name

_COLUMNS = ("Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id")
_ERRORS = ("Exception", "exception", "Error", "error")  # columns that some add
_NO_ERROR = ("", "none", "null", "false", "0", "nan")
_PATTERN = "%Y-%m-%dT%H:%M:%S%.f"


def _clock(frame: pl.DataFrame) -> Clock:
    text = frame["Timestamp"].str.strip_chars().str.replace(" ", "T", literal=True)
    offset = text.str.contains(r"(Z|[+-]\d\d:?\d\d)$").fill_null(value=False)
    times = text.str.strptime(pl.Datetime("us"), _PATTERN, strict=False, cache=False)
    if offset.any():
        exact = text.str.strptime(pl.Datetime("us", "UTC"), _PATTERN + "%#z", strict=False, cache=False)
        times = times.zip_with(~offset, exact.dt.replace_time_zone(None))
    us = microseconds(times)
    return Clock(
        us=us,
        wall=~offset.to_numpy() & (us != NOT_KNOWN),
        unreadable=first_true(times.is_null() & (text.fill_null("") != "")),
    )


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


FORM = Form(
    name="trace CSV",
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
)
