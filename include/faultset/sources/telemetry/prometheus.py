"""Prometheus' answer to a range query as JSON, a series after the other.

The value at a time is the last one scraped before it, at most five minutes earlier: of a target that died, the last
value stands that long. So a KPI lags behind by a step, and by as long as its value ever stood.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import json_parts, json_rows, nodes, times
from faultset.sources.telemetry.compression import CutOffError
from faultset.sources.telemetry.csv_rows import framed
from faultset.sources.telemetry.format import (
    Block,
    Clock,
    ColumnType,
    Format,
    Layout,
    Long,
    Missing,
    Rows,
    Source,
    Values,
)
from faultset.sources.telemetry.head import Head

LOOKBACK_S = 300.0
_FURTHER_S = (15.0, 60.0, LOOKBACK_S)
COLUMNS: dict[str, ColumnType] = {
    "time": pl.Float64,
    "kpi": pl.String,
    "value": pl.Float64,
    "metric": pl.String,
    "labels": pl.String,
}
_COUNTER = re.compile(r"(_total|_count|_sum|_bucket)(\{|$)")
_VALUES = re.compile(rb'"values"\s*:\s*\[\s*\[')
_TIME = re.compile(rb"\[\s*(\d+(?:\.\d+)?)\s*,\s*\"")
_BLANKS_AND_QUOTES = b' \n\r\t"'
_SAMPLED = 200
_SERIES = b'{"metric":'
_COMPACT = re.compile(rb'(?:"result":|^)\[\{"metric":')


@dataclass(frozen=True, slots=True)
class Series:
    """The labels of a series, and how it is called.

    Attributes:
        metric: name of the metric; "value" where a function took it away.
        labels: all others, as JSON.
        kpi: metric and labels, without the one that names the node.
        node: None where no label names one.
    """

    metric: str
    labels: str
    kpi: str
    node: str | None


def series_of(labels: Mapping[str, Any], file: TelemetryFile, suffix: str = "") -> Series:
    """Return what labels say of a series; without a node of its own it is of the one that the file is of."""
    texts = {str(name): str(value) for name, value in labels.items()}
    metric = texts.pop("__name__", "value") + suffix
    named = nodes.node_in(texts)
    node, rest = (json_rows.short(named[0]), named[1]) if named else (json_rows.known_node(file), texts)
    return Series(metric, json_rows.text(texts) or "{}", nodes.kpi(metric, rest), node)


def is_counter(kpi: str) -> bool:
    """Whether a metric's name says that it only grows."""
    return _COUNTER.search(kpi) is not None


def clock(frame: pl.DataFrame) -> Clock:
    """Return the times of seconds since the epoch."""
    return times.of_seconds(frame["time"])


def layout(file: TelemetryFile, name: str, blurs_s: tuple[float, ...], uncertainty_s: float) -> Layout:
    """Return the layout of samples of series."""
    return Layout(
        format=name,
        kind="metrics",
        columns=COLUMNS,
        time=("time",),
        clock=clock,
        row_uncertainty_s=uncertainty_s,
        long=Long("kpi", "value"),
        values=Values(counter=is_counter),
        in_series=True,
        tells_nodes=True,
        blurs_s=(file.time_blur_s,) if file.time_blur_s is not None else blurs_s,
    )


def _recognise(head: Head) -> Layout | Missing:
    if not head.is_json:
        return Missing("it is no JSON", 0.0)
    wanted = {"metric"} if head.is_list else {"status", "data"}
    if not wanted <= head.keys or b'"metric"' not in head.text:
        return Missing('"status" and "data" with "result" are missing', 0.3 if "data" in head.keys else 0.1)
    if not head.is_list and b'"matrix"' not in head.text[:4096] and _VALUES.search(head.text) is None:
        return Missing('data.resultType is no "matrix": ask /api/v1/query_range', 0.8)
    step = _step(head.text)
    return layout(head.file, FORMAT.name, (step, *(step + further for further in _FURTHER_S)), 0.0)


def _step(head: bytes) -> float:
    """Return the distance of the first series' times, in seconds: the query's step, about as often as was scraped."""
    begin = _VALUES.search(head)
    written = itertools.islice(_TIME.finditer(head, begin.start() if begin else 0), _SAMPLED)
    found = [float(match[1]) for match in written]
    steps = [later - earlier for earlier, later in itertools.pairwise(found) if later > earlier]
    return float(np.median(steps)) if steps else 0.0


def _rows(source: Source) -> Rows:
    depth = 1 if source.head.is_list else 3
    parse = partial(_block, source.layout, source.file)
    parts = _compact(source) if _COMPACT.search(source.head.text[:4096]) else json_rows.parts_of(source, depth)
    return Rows(source.layout, dict(COLUMNS), (partial(parse, part) for part in parts))


def _compact(source: Source) -> Iterator[list[bytes]]:
    """Yield the series of an answer as Prometheus writes it, cut where one begins: no text can hold these bytes.

    Raises:
        CutOffError: it ends within a series.
    """
    pending = source.head.text[source.head.text.index(_SERIES) :]
    data = source.stream.read(json_parts.BLOCK)
    while True:
        first, *parts = pending.split(_SERIES)[1:]
        found = [first, *parts]
        if not data:
            yield [_SERIES + part.rstrip(b", \r\n") for part in found[:-1]] + [_last(_SERIES + found[-1])]
            return
        if found[:-1]:
            yield [_SERIES + part.rstrip(b", \r\n") for part in found[:-1]]
        if len(found[-1]) > json_parts.PART_LIMIT:
            raise CutOffError(f"a series has more than {json_parts.PART_LIMIT:,} bytes")
        pending, data = _SERIES + found[-1] + data, source.stream.read(json_parts.BLOCK)


def _last(text: bytes) -> bytes:
    """Return the last series, without what closes the document behind it.

    Raises:
        CutOffError: it is not whole, or the document is not.
    """
    try:
        _, end = json.JSONDecoder().raw_decode(text.decode())
    except ValueError as error:
        raise CutOffError("it ends in the middle of a series") from error
    whole = text.decode()[:end].encode()
    if b"]" not in text[len(whole) :]:
        raise CutOffError("it ends behind a series")
    return whole


def _block(layout_: Layout, file: TelemetryFile, parts: Sequence[bytes]) -> Block:
    found: list[Series] = []
    texts: list[bytes] = []
    for part in parts:
        at_once = _at_once(part)
        if at_once is not None:
            labels, samples = at_once
            found.append(series_of(labels, file))
            texts.append(samples)
        else:
            for series, samples in _one_by_one(part, file):
                found.append(series)
                texts.append(samples)
    counts = [text.count(b"\n") + 1 for text in texts]
    frame = pl.read_csv(
        b"\n".join(texts) or b"\n",
        has_header=False,
        schema={"time": pl.Float64, "value": pl.Float64},
    )
    return of_series(layout_, frame, found, counts)


def of_series(layout_: Layout, samples: pl.DataFrame, series: Sequence[Series], counts: Sequence[int]) -> Block:
    """Return samples (time, value) as a block; ``counts`` of them are of each series in turn."""
    place = pl.Series(np.repeat(np.arange(len(series), dtype=np.uint32), counts))
    columns: dict[str, Callable[[Series], str | None]] = {
        "kpi": lambda one: one.kpi,
        "metric": lambda one: one.metric,
        "labels": lambda one: one.labels,
    }
    told = {name: pl.Series([of(one) for one in series], dtype=pl.String).gather(place) for name, of in columns.items()}
    frame = samples.with_columns(**told).select(list(COLUMNS))
    block = json_rows.with_nodes(
        framed(layout_, frame), pl.Series([one.node for one in series], dtype=pl.String).gather(place)
    )
    if len(layout_.blurs_s) == 1 or not len(frame):
        return block
    blur = stood(samples["value"].to_numpy(), counts, layout_.blurs_s)
    return replace(block, blur=blur if block.places is None else blur[block.places])


def stood(values: np.ndarray, counts: Sequence[int], blurs_s: Sequence[float]) -> np.ndarray:
    """Return of each sample the place of its series' blur among ``blurs_s``, whose first one is the step.

    A value that stood for a while may be old for as long: that of a target that died is repeated. A series is as far
    behind as its longest run of one value lasts, and a step.
    """
    found = np.zeros(len(values), np.int8)
    start = 0
    for count in counts:
        part = values[start : start + count]
        changes = np.flatnonzero(np.concatenate(([True], part[1:] != part[:-1], [True])))
        longest_s = float(np.diff(changes).max(initial=1)) * blurs_s[0]
        found[start : start + count] = min(int(np.searchsorted(blurs_s, longest_s)), len(blurs_s) - 1)
        start += count
    return found


def _at_once(part: bytes) -> tuple[Mapping[str, Any], bytes] | None:
    """Return the labels of a series, and its samples as CSV; None where it is not written as Prometheus writes it."""
    begin = _VALUES.search(part)
    end = part.rfind(b"]")
    if begin is None or not part.startswith(b'{"metric":') or b'"histograms"' in part[end:] + part[: begin.start()]:
        return None
    labels = json_rows.loaded(part[len(b'{"metric":') : begin.start()].rstrip().rstrip(b","))
    body = part[begin.end() : end].translate(None, _BLANKS_AND_QUOTES).removesuffix(b"]")
    if not isinstance(labels, dict) or b"{" in body:
        return None
    if b"Inf" in body:
        body = body.replace(b"+Inf", b"inf").replace(b"-Inf", b"-inf")
    return labels, body.replace(b"],[", b"\n")


def _one_by_one(part: bytes, file: TelemetryFile) -> list[tuple[Series, bytes]]:
    """Return the series of a part that has histograms, or its keys in another order."""
    value = json_rows.loaded(part)
    if not isinstance(value, dict) or not isinstance(value.get("metric"), dict):
        return []
    labels, found = value["metric"], []
    samples = value.get("values") or ([value["value"]] if "value" in value else [])
    if samples:
        found.append((series_of(labels, file), _csv((time, number) for time, number in samples)))
    for name in ("count", "sum") if value.get("histograms") else ():
        pairs = ((time, told[name]) for time, told in value["histograms"] if name in told)
        found.append((series_of(labels, file, f"_{name}"), _csv(pairs)))
    return [(series, text) for series, text in found if text]


def _csv(samples: Any) -> bytes:
    lines = (f"{float(time)},{float(number)}" for time, number in samples)
    return "\n".join(lines).encode()


FORMAT = Format(
    id="prometheus",
    name="Prometheus range-query JSON",
    kinds=("metrics",),
    about="curl '…/api/v1/query_range?query=…&start=…&end=…&step=15', or promtool query range -o json",
    sample=(
        '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"node_load1",'
        '"instance":"cmp01:9100"},"values":[[1763487222,"1.67"],[1763487237,"1.7"]]}]}}\n'
    ),
    recognise=_recognise,
    rows=_rows,
)
