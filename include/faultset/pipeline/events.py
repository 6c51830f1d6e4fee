"""Logs, traces and the load as what impacts are looked for in: when lines came, how long spans and iterations took.

What is held grows with the number of injections, not with how long was recorded: the same excerpt as of the metrics.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl

from faultset.impacts.counts import CountFamily, Events
from faultset.impacts.durations import DurationFamily, Samples
from faultset.impacts.events import Family, Group
from faultset.impacts.stretches import Microseconds, Stretches
from faultset.moments import epoch_us
from faultset.pipeline.progress import Progress, silent
from faultset.pipeline.series import HELD_BYTES, Excerpt, share_of
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.events import read_lines, read_spans
from faultset.tables import InjectionRow, IterationRow, SourceKind, WorkloadRow
from faultset.truth.placement import Placement

_TEXT_IS = 10  # times larger, at least, than the times in it: a line of a log
_SPAN_IS = 3  # likewise: a row of a trace
_MOST_SERVICES = 100
_UNFINISHED_US = 60_000_000  # how long after a start that has no stop the recording has to go on
_MOST_UNFINISHED = 0.5  # share of a service's spans without a stop, above which that says nothing
_LEAST_TIMED = 0.9  # share of a workload's iterations whose times are known; with fewer it is no series

Key = tuple[str | None, str]  # host, service
_Name = TypeVar("_Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Happened:
    """What can be asked of logs, traces and the load.

    Attributes:
        groups: series of one kind each.
        notes: what was left out, a sentence each.
        quiet_share: kind -> share of the hours without an injection that was read, 0 to 1.
    """

    groups: tuple[Group, ...]
    notes: tuple[str, ...]
    quiet_share: Mapping[str, float]


def read_events(
    declared: Sequence[TelemetryFile],
    placement: Placement,
    injections: Sequence[InjectionRow],
    progress: Progress = silent,
    held_bytes: int = HELD_BYTES,
) -> Happened:
    """Read what happened when from the logs and traces among the ``declared`` files.

    Raises:
        InputError: a file is wrong; names the row.
    """
    logs, traces = ([file for file in declared if file.kind == kind] for kind in ("logs", "traces"))
    of_logs = Excerpt.of(injections, share_of(logs, held_bytes * _TEXT_IS))
    of_traces = Excerpt.of(injections, share_of(traces, held_bytes * _SPAN_IS))
    lines = tuple(_lines(logs, placement, of_logs, progress))
    spans, notes = _spans(traces, placement, of_traces, progress)
    shares = {"logs": of_logs.share, "traces": of_traces.share}
    held: dict[str, float] = {
        kind: share for kind, share in shares.items() if any(file.kind == kind for file in declared)
    }
    return Happened((*lines, *spans), notes, held)


# --- logs -----------------------------------------------------------------------------------------------------------


def _lines(
    files: Sequence[TelemetryFile], placement: Placement, excerpt: Excerpt, progress: Progress
) -> Iterator[Group]:
    """Yield a group a level, with a series a node."""
    found: dict[str, dict[str, list[Microseconds]]] = defaultdict(lambda: defaultdict(list))
    ranges: _Ranges[str] = _Ranges()
    for number, file in enumerate(files):
        progress(number, len(files), f"reading {file.name}")
        lines = read_lines(file, None if excerpt.share >= 1 else excerpt.keeps)
        for (node, level), times in lines.times.items():
            found[level][placement.place(node).name].append(times)
        ranges.add({placement.place(node).name for node in lines.recorded}, list(lines.recorded.values()))
    for level, by_node in sorted(found.items()):
        nodes = tuple(sorted(by_node))
        events = [Events(np.sort(np.concatenate(by_node[node])), ranges.of(node, excerpt)) for node in nodes]
        yield _group(nodes, f"log_lines.{level}", "logs", partial(CountFamily, events), events)


# --- traces ---------------------------------------------------------------------------------------------------------


def _spans(
    files: Sequence[TelemetryFile], placement: Placement, excerpt: Excerpt, progress: Progress
) -> tuple[list[Group], tuple[str, ...]]:
    """Return a group of durations and one of errors, with a series a host and service."""
    parts: dict[Key, list[pl.DataFrame]] = defaultdict(list)
    ranges: _Ranges[Key] = _Ranges()
    for number, file in enumerate(files):
        progress(number, len(files), f"reading {file.name}")
        spans = read_spans(file, None if excerpt.share >= 1 else excerpt.keeps)
        here: set[Key] = set()
        for (host, service), some in spans.frame.partition_by("host", "service", as_dict=True).items():
            key = (None if host is None else placement.place(str(host)).name, str(service))
            parts[key].append(some)
            here.add(key)
        ranges.add(here, [spans.recorded] if spans.recorded else [])
    by_key, notes = _most({key: pl.concat(some) for key, some in parts.items()})
    keys = sorted(by_key, key=lambda key: (key[0] or key[1], key[1]))
    recorded = {key: ranges.of(key, excerpt) for key in keys}
    took = [_durations(by_key[key], recorded[key]) for key in keys]
    failed = [_failures(by_key[key], recorded[key]) for key in keys]
    groups = [
        _of_services(keys, "span_duration", took, DurationFamily),
        _of_services(keys, "span_errors", failed, CountFamily),
    ]
    return groups, notes


def _most(found: dict[Key, pl.DataFrame]) -> tuple[dict[Key, pl.DataFrame], tuple[str, ...]]:
    """Return the services with most spans, and what is said of the others: their names come from the files."""
    if len(found) <= _MOST_SERVICES:
        return found, ()
    ordered = sorted(found, key=lambda key: (-len(found[key]), key[0] or "", key[1]))
    left = len(found) - _MOST_SERVICES
    note = f"traces: {left} services with the fewest spans were not looked at for impacts"
    return {key: found[key] for key in ordered[:_MOST_SERVICES]}, (note,)


def _durations(spans: pl.DataFrame, recorded: Stretches) -> Samples:
    known = spans.filter(pl.col("own_us").is_not_null()).sort("ended")
    operations = known["operation"].cast(pl.Categorical).to_physical().cast(pl.Int64)
    return Samples(known["ended"].to_numpy(), known["own_us"].to_numpy() / 1e6, operations.to_numpy(), recorded)


def _failures(spans: pl.DataFrame, recorded: Stretches) -> Events:
    """Return when spans failed: those that say so, and those whose start was recorded and whose stop never was."""
    said = spans.filter(pl.col("failed"))
    times = said.select(pl.coalesce("ended", "started"))["ended"].to_numpy()
    cut = spans.filter(~pl.col("failed"), pl.col("ended").is_null())["started"].to_numpy()
    if len(cut) > _MOST_UNFINISHED * len(spans):
        cut = cut[:0]
    cut = cut[recorded.room(cut) >= _UNFINISHED_US]
    return Events(np.sort(np.concatenate([times, cut])), recorded)


def _of_services(
    keys: Sequence[Key],
    kpi: str,
    series: Sequence[Samples | Events],
    family: Callable[[Any, Sequence[Stretches]], Family],
) -> Group:
    """Return the group of the services for which anything happened."""
    some = [place for place, one in enumerate(series) if len(one.time_us)]
    kept = [series[place] for place in some]
    return Group(
        nodes=tuple(keys[place][0] or keys[place][1] for place in some),
        kpis=tuple(f"{kpi}.{keys[place][1]}" for place in some),
        source_kind="traces",
        recorded=tuple(one.recorded for one in kept),
        family=partial(family, kept),
        hosts=tuple(keys[place][0] for place in some),
    )


# --- the load -------------------------------------------------------------------------------------------------------


def load_events(workloads: Sequence[WorkloadRow], iterations: Iterable[IterationRow]) -> tuple[Group, ...]:
    """Return groups of the load itself: how long iterations took, and when they failed, a series a workload.

    Workloads of which not nearly all iterations have known times are left out: a report shows those that failed only.
    """
    by_workload: dict[str, list[tuple[int, int, IterationRow]]] = defaultdict(list)
    for row in iterations:
        if row.started_at is not None and row.ended_at is not None:
            by_workload[row.workload_id].append((epoch_us(row.started_at), epoch_us(row.ended_at), row))
    wanted = {row.workload_id: _LEAST_TIMED * max(row.iterations, 1) for row in workloads}
    names = tuple(sorted(name for name, rows in by_workload.items() if len(rows) >= wanted.get(name, np.inf)))
    took, failed = [], []
    for name in names:
        rows = sorted(by_workload[name], key=lambda row: row[1])
        recorded = Stretches.of([(min(start for start, _, _ in rows), rows[-1][1] + 1)])
        took.append(_samples([row for row in rows if not row[2].failed and row[2].duration_s is not None], recorded))
        failed.append(Events(np.array([end for _, end, row in rows if row.failed], dtype=np.int64), recorded))
    return (
        _group(names, "iteration_duration", "workload", partial(DurationFamily, took), took),
        _group(names, "iteration_failures", "workload", partial(CountFamily, failed), failed),
    )


def _samples(rows: Sequence[tuple[int, int, IterationRow]], recorded: Stretches) -> Samples:
    return Samples(
        np.array([end for _, end, _ in rows], dtype=np.int64),
        np.array([row.duration_s for _, _, row in rows], dtype=np.float64),
        np.zeros(len(rows), dtype=np.int64),
        recorded,
    )


# --- all ------------------------------------------------------------------------------------------------------------


def _group(
    nodes: tuple[str, ...],
    kpi: str,
    kind: SourceKind,
    family: Callable[[Sequence[Stretches]], Family],
    series: Sequence[Samples] | Sequence[Events],
) -> Group:
    return Group(
        nodes=nodes,
        kpis=(kpi,) * len(nodes),
        source_kind=kind,
        recorded=tuple(one.recorded for one in series),
        family=family,
        hosts=(None,) * len(nodes) if kind == "workload" else nodes,
    )


class _Ranges(Generic[_Name]):
    """When files reach from and to, and what they tell of: a node that says nothing for an hour was still recorded."""

    def __init__(self) -> None:
        self._all: list[tuple[int, int]] = []
        self._of: dict[_Name, list[int]] = defaultdict(list)

    def add(self, names: Iterable[_Name], spans: Sequence[tuple[int, int]]) -> None:
        """Add a file that tells of ``names`` and whose rows lie within ``spans``."""
        if not spans:
            return
        first, last = min(start for start, _ in spans), max(end for _, end in spans)
        self._all.append((first, last + 1))
        for name in names:
            self._of[name].append(first)

    def of(self, name: _Name, excerpt: Excerpt) -> Stretches:
        """Return when something of ``name`` would have been seen: while any file that overlaps one of its own ran."""
        every = Stretches.of(self._all)
        own = np.array(self._of[name], dtype=np.int64)
        ran = [(start, end) for start, end in every.spans() if ((own >= start) & (own < end)).any()]
        kept = excerpt.stretches(ran[0][0], ran[-1][1])
        return Stretches.of(ran).both(kept)
