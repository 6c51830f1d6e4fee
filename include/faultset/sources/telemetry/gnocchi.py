"""Measures of Gnocchi as ``openstack metric measures show -f csv`` writes them: averages over buckets of time.

A time is where its bucket begins: what a row tells of lies up to a bucket later. An effect shorter than a bucket cannot
be seen.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from faultset.sources.telemetry import csv_repair, csv_rows, times
from faultset.sources.telemetry.format import Format, Layout, Missing, Values
from faultset.sources.telemetry.head import Head

_NEEDED = ("timestamp", "granularity", "value")


def _recognise(head: Head) -> Layout | Missing:
    absent = [name for name in _NEEDED if name not in head.header]
    if absent:
        return Missing(f"column {absent[0]!r} is missing", 0.9 * (1 - len(absent) / len(_NEEDED)))
    buckets = [found for text in head.sample["granularity"] if (found := csv_repair.number(text)) and found > 0]
    bucket = max(buckets, default=300.0)
    told = times.of_column(head.sample["timestamp"])
    layout = Layout(
        format=FORMAT.name,
        kind="metrics",
        columns={"timestamp": pl.String, "granularity": pl.Float64, "value": pl.Float64},
        time=("timestamp",),
        clock=lambda frame: told.clock(frame["timestamp"]),
        row_uncertainty_s=bucket,
        fixed_node=head.file.node,
        kpis=frozenset({"value"}),
        values=Values(
            note=f"averages over buckets of {bucket:g} s: an effect shorter than that cannot be seen in them"
        ),
    )
    if told.is_number:
        return replace(layout, columns={"granularity": pl.Float64, "value": pl.Float64})
    return replace(layout, abbreviation=lambda frame: times.abbreviations(frame["timestamp"]))


FORMAT = Format(
    id="gnocchi",
    name="Gnocchi measures",
    kinds=("metrics",),
    about="openstack metric measures show METRIC -f csv",
    sample="timestamp,granularity,value\n2025-11-18T18:30:00+01:00,300.0,15024152576.0\n",
    recognise=_recognise,
    rows=csv_rows.read,
)
