"""Traces of a workload as CSV, a row a span."""

from __future__ import annotations

import polars as pl

from faultset.sources.telemetry.form import NOT_KNOWN, Clock, Form, first_true, microseconds

_COLUMNS = ("Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id")
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
)
