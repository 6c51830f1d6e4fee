"""The formats that are known, the most particular first: a new format is a file of this folder and a line here."""

from __future__ import annotations

from faultset.sources.telemetry import (
    elastic_logs,
    elastic_ndjson,
    generic_csv,
    generic_parquet,
    glances,
    gnocchi,
    jaeger,
    loki,
    openmetrics,
    osprofiler,
    otlp,
    prometheus,
    trace_csv,
)
from faultset.sources.telemetry.format import Format

FORMATS: tuple[Format, ...] = (
    glances.FORMAT,
    gnocchi.FORMAT,
    prometheus.FORMAT,
    openmetrics.FORMAT,
    otlp.FORMAT,
    jaeger.FORMAT,
    osprofiler.FORMAT,
    trace_csv.FORMAT,
    loki.FORMAT,
    elastic_logs.FORMAT,
    elastic_ndjson.FORMAT,
    generic_parquet.FORMAT,
    generic_csv.FORMAT,
)
