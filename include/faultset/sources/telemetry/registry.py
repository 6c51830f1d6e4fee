"""The formats that are known, the most particular first: a new format is a file of this folder and a line here."""

from __future__ import annotations

from faultset.sources.telemetry import (
    elastic_logs,
    generic_csv,
    glances,
    osprofiler,
    trace_csv,
)
from faultset.sources.telemetry.format import Format

FORMATS: tuple[Format, ...] = (
    glances.FORMAT,
    elastic_logs.FORMAT,
    trace_csv.FORMAT,
    osprofiler.FORMAT,
    generic_csv.FORMAT,
)
