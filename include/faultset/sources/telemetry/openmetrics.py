"""A dump of Prometheus' database as text: ``promtool tsdb dump-openmetrics``, a sample a line, with its time.

Times are seconds with three decimals; there are no types and no marks of staleness, so that a sample is what was
scraped at its time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl

from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import json_parts, json_rows, nodes, prometheus
from faultset.sources.telemetry.format import Block, Format, Layout, Missing, Oddities, Rows, Source
from faultset.sources.telemetry.head import Head

_LABELS = r'\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}'
# An exemplar may stand behind a sample, with labels, a value and a time of its own.
_SAMPLE = rf"^([A-Za-z_:][\w:.]*(?:{_LABELS})?|{_LABELS}) +(\S+) +(-?\d+(?:\.\d+)?)(?:\s+#\s.*)?\s*$"
_LINE = re.compile(_SAMPLE)
_SERIES = re.compile(r"(?P<name>[^{]*)(?:\{(?P<labels>.*)\})?$", re.S)
_LOOKED_AT = 50


def _recognise(head: Head) -> Layout | Missing:
    if head.is_json or head.is_parquet:
        return Missing("it is no text", 0.0)
    lines = [line for line in head.text[:65_536].decode("utf-8", "replace").split("\n")[:-1] if line.strip()]
    samples = [line for line in lines if not line.startswith("#")][:_LOOKED_AT]
    if not samples or not all(_LINE.match(line) for line in samples):
        share = 0.6 if lines and lines[0].startswith(("# HELP", "# TYPE")) else 0.0
        return Missing("no line is NAME{LABELS} VALUE TIME: a page of /metrics has no times", share)
    return prometheus.layout(head.file, FORMAT.name, (0.0,), 0.0)


def _rows(source: Source) -> Rows:
    parse = partial(_block, source.layout, source.file)
    parts = json_parts.lines(source.head.text, source.stream)
    return Rows(source.layout, dict(prometheus.COLUMNS), (partial(parse, part) for part in parts))


def _block(layout: Layout, file: TelemetryFile, data: bytes) -> Block:
    lines = pl.Series(data.decode("utf-8", "replace").split("\n"))
    told = (lines.str.strip_chars() != "") & ~lines.str.starts_with("#")
    at = told.arg_true()
    parts = lines.gather(at).str.extract_groups(_SAMPLE).struct.unnest()
    series, values, seconds = parts.get_columns()
    value = values.str.replace("Inf", "inf", literal=True).cast(pl.Float64, strict=False)
    time = seconds.cast(pl.Float64, strict=False)
    whole = value.is_not_null() & time.is_not_null()
    odd = at.filter(~whole)
    shown = tuple(
        (int(line) + json_rows.NO_HEADER, "it is no NAME{LABELS} VALUE TIME") for line in odd.head(Oddities.SHOWN)
    )
    keys = series.filter(whole)
    # Samples of one series stand together: each run is named once.
    changed = (keys != keys.shift(1)).fill_null(value=True)
    changes = np.flatnonzero(changed.to_numpy())
    counts = np.diff(np.append(changes, len(keys))).astype(np.int64)
    named = [_series(str(keys[int(place)]), file) for place in changes]
    frame = pl.DataFrame({"time": time.filter(whole), "value": value.filter(whole)})
    block = prometheus.of_series(layout, frame, named, counts.tolist())
    left_out = Oddities(len(odd), shown) + block.left_out
    places = whole.arg_true().to_numpy().astype(np.int64)
    return replace(
        block,
        lines=data.count(b"\n"),
        left_out=left_out,
        places=places if block.places is None else places[block.places],
        source_rows=len(at),
    )


def _series(text: str, file: TelemetryFile) -> prometheus.Series:
    match = _SERIES.match(text)
    labels = nodes.parse_labels(match["labels"] or "") if match else None
    if match is None or labels is None:
        return prometheus.series_of({"__name__": text}, file)
    return prometheus.series_of({**({"__name__": match["name"]} if match["name"] else {}), **labels}, file)


FORMAT = Format(
    id="openmetrics",
    name="OpenMetrics dump",
    kinds=("metrics",),
    about="promtool tsdb dump-openmetrics DATA > metrics.om",
    sample=(
        'node_load1{instance="cmp01:9100",job="node"} 1.67 1763487222.000\n'
        'node_load1{instance="cmp01:9100",job="node"} 1.7 1763487237.000\n# EOF\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
