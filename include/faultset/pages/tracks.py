"""Series for drawing: each pixel's lowest and highest value, so that no spike vanishes and what is sent stays small."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from faultset import tables
from faultset.dataset.telemetry import Part
from faultset.errors import InputError
from faultset.pages.experiment import Experiment, Track
from faultset.release import parquet
from faultset.sources.telemetry.events import ALIASES

MOST_PIXELS = 1200
MOST_AT_ONCE = 24
_GAP = 6  # times the usual distance of two points that are no line any more
_LEVELS = ("log_level", "level", "severity", "severity_text", "loglevel", "levelname")
_SERVICES = ("service", "Service", "service_name", "project", "Project")

Floats = npt.NDArray[np.float64]
Microseconds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """What is drawn: [start, end) in microseconds since the epoch, cut into ``pixels`` equal parts."""

    start: int
    end: int
    pixels: int

    @classmethod
    def of(cls, start_s: float, end_s: float, pixels: int) -> Span:
        """Return the span of an address.

        Raises:
            InputError: it is none.
        """
        # Compared this way round, what is no number is refused, too.
        if not (0 <= start_s < end_s < 7_258_118_400 and 1 <= pixels <= MOST_PIXELS) or end_s - start_s < 1e-3:
            raise InputError("from, to, pixels", "this is no span of time", "open the page again")
        return cls(int(start_s * 1e6), int(end_s * 1e6), pixels)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A track as it is drawn.

    Attributes:
        id: of the track.
        places: (n,) pixels that have a value, ascending.
        low: (n,) the lowest of their values, or how many there are.
        high: (n,) the highest.
        gaps: pixels before which the line is broken: nothing was recorded.
        counts: whether the values are numbers of events.
    """

    id: int
    places: npt.NDArray[np.int64]
    low: Floats
    high: Floats
    gaps: tuple[int, ...]
    counts: bool

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, to four digits."""
        return {
            "id": self.id,
            "i": self.places.tolist(),
            "lo": _short(self.low),
            "hi": None if self.low is self.high or bool((self.low == self.high).all()) else _short(self.high),
            "gaps": list(self.gaps),
            "counts": self.counts,
        }


def _short(values: Floats) -> list[float]:
    return [float(f"{value:.5g}") for value in values.tolist()]


def buckets(times: Microseconds, values: Floats, span: Span) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Return the pixels that have values, and the lowest and highest of each.

    Args:
        times: (n,) ascending, microseconds.
        values: (n,) what is no number is passed over.
        span: what is drawn.
    """
    known = np.isfinite(values) & (times >= span.start) & (times < span.end)
    times, values = times[known], values[known]
    if not len(times):
        empty = np.empty(0)
        return np.empty(0, np.int64), empty, empty
    places = _places(times, span)
    firsts = np.flatnonzero(np.r_[True, np.diff(places) > 0])
    return places[firsts], np.minimum.reduceat(values, firsts), np.maximum.reduceat(values, firsts)


def _places(times: Microseconds, span: Span) -> npt.NDArray[np.int64]:
    width = (span.end - span.start) / span.pixels
    return np.minimum(((times - span.start) / width).astype(np.int64), span.pixels - 1)


def gaps(times: Microseconds, span: Span) -> tuple[int, ...]:
    """Return the pixels before which nothing was recorded for much longer than usual."""
    inside = times[(times >= span.start) & (times < span.end)]
    if len(inside) < 3:
        return ()
    distances = np.diff(inside)
    usual = float(np.median(distances))
    wide = np.flatnonzero(distances > max(_GAP * usual, 2 * (span.end - span.start) / span.pixels, 1))
    return tuple(sorted(set(_places(inside[wide + 1], span).tolist())))


def counted(times: Microseconds, span: Span) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return every pixel and how many of the times lie in it."""
    inside = times[(times >= span.start) & (times < span.end)]
    found = np.bincount(_places(inside, span), minlength=span.pixels).astype(np.float64)
    return np.arange(span.pixels), found


def draw(found: Experiment, tracks: Sequence[Track], span: Span) -> list[Drawn]:
    """Return tracks as they are drawn; a file is read once for all of them.

    Raises:
        InputError: a file is damaged.
        SetupError: a file cannot be read.
    """
    drawn: dict[int, Drawn] = {}
    by_kind: dict[str, list[Track]] = defaultdict(list)
    for track in tracks[:MOST_AT_ONCE]:
        by_kind[track.kind].append(track)
    for kind, some in by_kind.items():
        read = {"metrics": _metrics, "logs": _events, "traces": _events, "workload": _load}[kind]
        drawn |= {one.id: one for one in read(found, some, span)}
    return [drawn[track.id] for track in tracks[:MOST_AT_ONCE] if track.id in drawn]


# --- metrics ----------------------------------------------------------------------------------------------------------


def _metrics(found: Experiment, tracks: Sequence[Track], span: Span) -> Iterator[Drawn]:
    by_node: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        by_node[track.node].append(track)
    for node, some in by_node.items():
        parts = [part for part in found.dataset.metrics.parts if _has(part, node, span)]
        names = [track.kpi for track in some]
        tables_ = [_read(part, ["timestamp", *names], node, span) for part in parts]
        for track in some:
            held = [table for table in tables_ if track.kpi in table.column_names]
            times = np.concatenate([_times(table, "timestamp") for table in held] or [np.empty(0, np.int64)])
            values = np.concatenate([_numbers(table, track.kpi) for table in held] or [np.empty(0)])
            order = np.argsort(times, kind="stable")
            places, low, high = buckets(times[order], values[order], span)
            yield Drawn(track.id, places, low, high, gaps(times[order], span), counts=False)


def _has(part: Part, node: str, span: Span) -> bool:
    if part.nodes is not None and node not in part.nodes:
        return False
    first, last = part.first, part.last
    return (
        first is None or last is None or (first.timestamp() * 1e6 <= span.end and last.timestamp() * 1e6 >= span.start)
    )


def _read(part: Part, names: Sequence[str], node: str | None, span: Span) -> pa.Table:
    """Return columns of a file in the time that is drawn, and the last row before it does not matter."""
    wanted = [name for name in dict.fromkeys(names) if name in part.columns]
    bounds = [pa.scalar(moment, pa.timestamp("us", tz="UTC")) for moment in (span.start, span.end)]
    inside = (ds.field("timestamp") >= bounds[0]) & (ds.field("timestamp") < bounds[1])
    if node is not None and part.nodes != (node,) and "node" in part.columns:
        inside &= ds.field("node") == node
    with parquet.whole(part.file):
        return part.file.fragment().to_table(columns=wanted, filter=inside)


def _times(table: pa.Table, name: str) -> Microseconds:
    column = table.column(name).combine_chunks().cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(column, -1).to_numpy(zero_copy_only=False), dtype=np.int64)


def _numbers(table: pa.Table, name: str) -> Floats:
    column = table.column(name).combine_chunks()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)):
        return np.full(len(column), np.nan)
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


# --- logs and traces --------------------------------------------------------------------------------------------------


def _events(found: Experiment, tracks: Sequence[Track], span: Span) -> Iterator[Drawn]:
    """How many lines of a level, or rows of a service's spans, lie in each pixel."""
    kind = found.dataset.logs if tracks[0].kind == "logs" else found.dataset.traces
    names = _LEVELS if tracks[0].kind == "logs" else _SERVICES
    nodes = {track.node for track in tracks}
    times: dict[int, list[Microseconds]] = defaultdict(list)
    for part in kind.parts:
        if part.nodes is not None and not nodes & {*part.nodes} and tracks[0].kind == "logs":
            continue
        of = [name for name in names if name in part.columns]
        table = _read(part, ["timestamp", "node", *of], None, span)
        when = _times(table, "timestamp")
        for track in tracks:
            times[track.id].append(when[_rows_of(track, table, of)])
    for track in tracks:
        some = times[track.id]
        places, count = counted(np.concatenate(some) if some else np.empty(0, np.int64), span)
        yield Drawn(track.id, places, count, count, (), counts=True)


def _rows_of(track: Track, table: pa.Table, of: Sequence[str]) -> npt.NDArray[np.bool_]:
    _, _, wanted = track.kpi.partition(".")
    mask = np.ones(table.num_rows, dtype=bool)
    if "node" in table.column_names and track.node != wanted:
        mask &= _equal(table.column("node"), track.node)
    if wanted and of:
        told = [_equal(column, *_spellings(wanted)) for column in _named(table, of)]
        mask &= np.logical_or.reduce(told)
    return mask


def _named(table: pa.Table, of: Sequence[str]) -> Iterator[pa.ChunkedArray]:
    """Yield what levels or services are called by: OSProfiler says a service as a part of its project."""
    for name in of:
        yield table.column(name)
        project = {"service": "project", "Service": "Project"}.get(name)
        if project in table.column_names:
            parts = [table.column(each).cast(pa.string()) for each in (project, name)]
            yield pc.binary_join_element_wise(*parts, "-")


def _spellings(level: str) -> list[str]:
    """Return how logs write what impacts name as one level; anything else as it is."""
    return [level, *(written for written, meant in ALIASES.items() if meant == level)]


def _equal(column: pa.ChunkedArray, *texts: str) -> npt.NDArray[np.bool_]:
    wanted = pa.array([text.upper() for text in texts], pa.string())
    found = pc.is_in(pc.utf8_upper(pc.utf8_trim_whitespace(column.cast(pa.string()))), wanted)
    return np.asarray(pc.fill_null(found, fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)


# --- the load ---------------------------------------------------------------------------------------------------------


def _load(found: Experiment, tracks: Sequence[Track], span: Span) -> Iterator[Drawn]:
    table = iterations(found)
    if table is None:
        return
    workloads = table.column("workload_id")
    times, failed = _times(table, "started_at"), np.asarray(table.column("failed").to_numpy(), dtype=bool)
    took = _numbers(table, "duration_s")
    for track in tracks:
        own = _equal(workloads, track.node) & (times >= 0)
        if track.kpi in ("iterations", "iteration_failures"):
            chosen = own & failed if track.kpi == "iteration_failures" else own
            places, count = counted(times[chosen], span)
            yield Drawn(track.id, places, count, count, (), counts=True)
        else:
            order = np.argsort(times[own], kind="stable")
            places, low, high = buckets(times[own][order], took[own][order], span)
            yield Drawn(track.id, places, low, high, (), counts=False)


def iterations(found: Experiment) -> pa.Table | None:
    """Return what is drawn of the iterations; None where the version has no such table."""
    name = f"{tables.ITERATIONS.name}.parquet"
    entry = next((file for file in found.dataset.manifest.files if file.path == name), None)
    if entry is None:
        return None
    place = f"{found.dataset.slug}/{found.dataset.version}/{name}"
    columns = ["workload_id", "started_at", "duration_s", "failed"]
    fragment = found.dataset.root.file(place, entry.bytes).fragment()
    with parquet.whole(place):
        return fragment.to_table(columns=columns)
