"""The formats that are known, the most particular first: a new format is a file of this folder and a line here."""

from __future__ import annotations

from importlib import import_module

from faultset.sources.telemetry.format import Format

MODULES = (
    "glances",
    "gnocchi",
    "prometheus",
    "openmetrics",
    "influxdb",
    "otlp",
    "jaeger",
    "osprofiler",
    "trace_csv",
    "loki",
    "elastic_logs",
    "elastic_ndjson",
    "generic_parquet",
    "generic_csv",
)

FORMATS: tuple[Format, ...] = tuple(import_module(f"faultset.sources.telemetry.{name}").FORMAT for name in MODULES)
