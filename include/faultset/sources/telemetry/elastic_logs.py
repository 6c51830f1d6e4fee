"""Logs of all nodes, exported from Elasticsearch as CSV: quoted fields, which may hold line feeds.

``@timestamp`` has an offset and is what counts; ``Timestamp`` is the node's wall-clock time, and stands in where the
former is missing.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from faultset.sources.telemetry.format import NOT_KNOWN, Clock, Form, first_true, microseconds

_ISO = "%Y-%m-%dT%H:%M:%S%.f%#z"
_WALL = "%Y-%m-%dT%H:%M:%S%.f"


def _clock(frame: pl.DataFrame) -> Clock:
    utc, bad_utc = _parsed(frame["@timestamp"], pl.Datetime("us", "UTC"), _ISO)
    wall, bad_wall = _parsed(frame["Timestamp"], pl.Datetime("us"), _WALL)
    utc_us, wall_us = microseconds(utc), microseconds(wall)
    has_utc = utc_us != NOT_KNOWN
    return Clock(
        us=np.where(has_utc, utc_us, wall_us),
        wall=~has_utc & (wall_us != NOT_KNOWN),
        beside=np.where(has_utc, wall_us, NOT_KNOWN),
        unreadable=first_true(bad_utc | bad_wall),
    )


def _parsed(text: pl.Series, kind: pl.Datetime, pattern: str) -> tuple[pl.Series, pl.Series]:
    """Return the times in ``text`` and which rows hold something else; empty ones are null and not wrong."""
    text = text.str.strip_chars().str.replace(" ", "T", literal=True)
    times = text.str.strptime(kind, pattern, strict=False, cache=False)
    return times, times.is_null() & (text.fill_null("") != "")


FORM = Form(
    name="logs exported from Elasticsearch",
    kind="logs",
    columns=dict.fromkeys(("Hostname", "log_level", "Timestamp", "@timestamp", "Payload", "programname"), pl.String),
    time=("Timestamp", "@timestamp"),
    clock=_clock,
    row_uncertainty_s=0.001,  # Elasticsearch keeps milliseconds
    node="Hostname",
    text="Payload",
    others=pl.String,
    level="log_level",
)
