"""InfluxDB's line protocol: ``measurement,tag=value field=1.5,other=2i 1763487222000000000``, as Telegraf writes it.

Each number of a line is a row: its KPI is measurement, field and tags. Times are nanoseconds since 1970, or coarser
where their size says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

import polars as pl

from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import json_parts, json_rows, nodes, times
from faultset.sources.telemetry.format import Block, ColumnType, Format, Layout, Long, Missing, Oddities, Rows, Source
from faultset.sources.telemetry.head import Head

COLUMNS: dict[str, ColumnType] = {
    "time": pl.Int64,
    "kpi": pl.String,
    "value": pl.Float64,
    "measurement": pl.String,
    "field": pl.String,
    "tags": pl.String,
}
_HOSTS = ("host", "hostname", "node", "node_name", "instance")
_PART = r"(?:[^ ,=\\]|\\.)+"
_LINE = re.compile(
    rf'^(?P<series>{_PART}(?:,{_PART}={_PART})*) (?P<fields>(?:[^" ]|"(?:[^"\\]|\\.)*")+) (?P<time>\d{{9,19}})$'
)
_FIELD = re.compile(rf'({_PART})=("(?:[^"\\]|\\.)*"|[^,]+)(?:,|$)')
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[iu]?")
_TAG = re.compile(rf",({_PART})=({_PART})")
_LOOKED_AT = 50


def _recognise(head: Head) -> Layout | Missing:
    if head.is_json or head.is_parquet:
        return Missing("it is no text", 0.0)
    text = head.text[:65_536].decode("utf-8", "replace")
    lines = [line for line in text.split("\n")[:-1] if line.strip() and not line.startswith("#")][:_LOOKED_AT]
    fitting = [line for line in lines if _LINE.match(line)]
    if not lines or len(fitting) <= len(lines) / 2:
        share = 0.7 if fitting else 0.0
        return Missing("lines are not MEASUREMENT,TAG=VALUE FIELD=NUMBER TIME", share)
    told = times.recognise([line.rpartition(" ")[2] for line in fitting])
    return Layout(
        format=FORMAT.name,
        kind="metrics",
        columns=COLUMNS,
        time=("time",),
        clock=lambda frame: (told.clock if told else times.of_nanoseconds)(frame["time"]),
        row_uncertainty_s=told.uncertainty_s if told else 0.0,
        long=Long("kpi", "value"),
        tells_nodes=True,
        in_series=True,
        blurs_s=(head.file.time_blur_s or 0.0,),
    )


def _rows(source: Source) -> Rows:
    parse = partial(_block, source.layout, source.file)
    parts = json_parts.lines(source.head.text, source.stream)
    return Rows(source.layout, dict(COLUMNS), (partial(parse, part) for part in parts))


def _block(layout: Layout, file: TelemetryFile, data: bytes) -> Block:
    table = json_rows.Table(COLUMNS)
    odd: list[tuple[int, str]] = []
    fallback = json_rows.known_node(file)
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), start=json_rows.NO_HEADER):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.match(line.rstrip("\r"))
        if match is None or not _FIELD.match(match["fields"]):
            odd.append((number, "it is no MEASUREMENT,TAG=VALUE FIELD=NUMBER TIME"))
            continue
        measurement, tags, rest, host = _series(match["series"])
        for name, value in _numbers(match["fields"]):
            kpi = nodes.kpi(f"{measurement}.{name}", dict(rest))
            table.add(host or fallback, int(match["time"]), kpi, value, measurement, name, tags)
    block = table.block(layout, data.count(b"\n"))
    return replace(block, left_out=Oddities.of(odd) + block.left_out, source_rows=block.rows_in_source + len(odd))


@lru_cache(10_000)
def _series(text: str) -> tuple[str, str | None, tuple[tuple[str, str], ...], str | None]:
    """Return the measurement, its tags as JSON, those that are not the node, and the node."""
    tags = {_plain(match[1]): _plain(match[2]) for match in _TAG.finditer(text)}
    first = _TAG.search(text)
    label = next((name for name in _HOSTS if tags.get(name)), None)
    host = json_rows.short(tags[label]) if label else None
    rest = tuple((name, value) for name, value in tags.items() if name != label)
    return _plain(text[: first.start()] if first else text), json_rows.text(tags) if tags else None, rest, host


def _numbers(fields: str) -> Iterator[tuple[str, float]]:
    """Yield the fields that are numbers; texts and truth values are no KPIs."""
    for name, value in _FIELD.findall(fields):
        if _NUMBER.fullmatch(value):
            yield _plain(name), float(value.rstrip("iu"))


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


FORMAT = Format(
    id="influxdb",
    name="InfluxDB line protocol",
    kinds=("metrics",),
    about="Telegraf's outputs.file, or influxd inspect export-lp",
    sample="cpu,host=cmp01,cpu=cpu0 usage_user=20.8,usage_idle=70.2 1763487222000000000\n",
    recognise=_recognise,
    rows=_rows,
)
