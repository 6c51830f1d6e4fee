"""One experiment as a version tells it: its injections with all that is known of them, and what is drawn over time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultset import tables
from faultset.dataset.opening import Dataset, open_dataset
from faultset.fault_span import span_of
from faultset.moments import epoch_us

MOST_INJECTIONS = 2000
"""Drawn at once; the table below the timeline has all of them, page by page."""

MOST_TRACKS = 2000
_NUMBERS = ("int", "float", "double", "halffloat", "uint", "decimal")
LOAD = ("iterations", "iteration_failures", "iteration_duration")
"""What is drawn of each workload: iterations started, those that failed, and how long they took."""

_KINDS = ("workload", "metrics", "logs", "traces")


@dataclass(frozen=True, slots=True)
class Track:
    """Something that is drawn over time.

    Attributes:
        id: its place among the tracks of a version.
        kind: workload, metrics, logs or traces.
        node: as impacts name it; of the load, the workload's id.
        kpi: as impacts name it.
        impacts: what moved, in order of time.
        tested: whether anything was looked for in it.
    """

    id: int
    kind: str
    node: str
    kpi: str
    impacts: tuple[tables.ImpactRow, ...]
    tested: bool


@dataclass(frozen=True)
class Experiment:
    """A version, with its truth in memory; telemetry and iterations are read when they are drawn.

    Attributes:
        dataset: the opened version.
        key: what tells it from every other one: the hash of its fingerprint and manifest.
        injections: in order of time.
        tracks: what can be drawn, grouped by kind, then node.
        start: of all that is drawn, aware.
        end: likewise.
    """

    dataset: Dataset
    key: str
    workloads: tuple[tables.WorkloadRow, ...]
    injections: tuple[tables.InjectionRow, ...]
    triggers: Mapping[str, tables.TriggerRow]
    targets: Mapping[str, tuple[tables.TargetRow, ...]]
    impacts: Mapping[str, tuple[tables.ImpactRow, ...]]
    tests: Mapping[str, tuple[tables.ImpactTestRow, ...]]
    tracks: tuple[Track, ...]
    start: dt.datetime
    end: dt.datetime

    def injection(self, injection_id: str) -> tables.InjectionRow | None:
        """Return one injection; None where there is none of this id."""
        return next((row for row in self.injections if row.injection_id == injection_id), None)

    @property
    def hit(self) -> frozenset[str]:
        """Nodes that an injection acted on, or may have."""
        rows = (row for some in self.targets.values() for row in some)
        return frozenset(row.node for row in rows if row.effective is not False)


def read(slug: str, version: str | None, root: str) -> Experiment:
    """Return what a version tells.

    Raises:
        InputError: there is no such version, or it is damaged.
        SetupError: it cannot be read.
    """
    found = open_dataset(slug, version=version, root=root)
    return of_dataset(found)


def of_dataset(found: Dataset) -> Experiment:
    """Return what an opened version tells."""
    held = {file.path for file in found.manifest.files}
    injections, workloads = tuple(found.injections), tuple(found.workloads)
    # Versions of before there were such tables can be looked at, too.
    impacts = tuple(found.impacts) if f"{tables.IMPACTS.name}.parquet" in held else ()
    tests = tuple(found.impact_tests) if f"{tables.IMPACT_TESTS.name}.parquet" in held else ()
    tracks = _tracks(found, workloads, impacts, tests)
    start, end = _extent(found, workloads, injections, impacts)
    return Experiment(
        dataset=found,
        key=f"{found.slug} {found.version} {found.manifest.fingerprint} {found.manifest.created_at}",
        workloads=workloads,
        injections=injections,
        triggers={row.trigger_id: row for row in found.triggers},
        targets=_by_injection(found.targets),
        impacts=_by_injection(impacts),
        tests=_by_injection(tests),
        tracks=tracks,
        start=start,
        end=end,
    )


def _by_injection(rows: Iterable[Any]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.injection_id].append(row)
    return {name: tuple(some) for name, some in found.items()}


def _tracks(
    found: Dataset,
    workloads: Sequence[tables.WorkloadRow],
    impacts: Sequence[tables.ImpactRow],
    tests: Sequence[tables.ImpactTestRow],
) -> tuple[Track, ...]:
    moved: dict[tuple[str, str, str], list[tables.ImpactRow]] = defaultdict(list)
    for row in impacts:
        moved[row.source_kind, row.node, row.kpi].append(row)
    tested = {(row.source_kind, row.node, row.kpi) for row in tests}
    keys = {*moved, *tested, *_recorded(found)}
    keys |= {("workload", row.workload_id, kpi) for row in workloads for kpi in LOAD}
    ordered = sorted(keys, key=_place)[:MOST_TRACKS]
    return tuple(
        Track(place, *key, tuple(sorted(moved[key], key=lambda row: row.started_at)), key in tested)
        for place, key in enumerate(ordered)
    )


def _place(key: tuple[str, str, str]) -> tuple[int, str, int, str]:
    kind, node, kpi = key
    return _KINDS.index(kind), node, LOAD.index(kpi) if kpi in LOAD else len(LOAD), kpi


def _recorded(found: Dataset) -> set[tuple[str, str, str]]:
    """Return what files of telemetry hold, whether anything was looked for in it or not."""
    keys: set[tuple[str, str, str]] = set()
    own = {spec.name for spec in tables.columns(tables.METRICS)} | {"node", "timestamp", "source_row"}
    for entry in found.manifest.telemetry:
        nodes = [str(node) for node in entry.get("nodes", ())]
        if entry.get("kind") == "metrics":
            numbers = [str(name) for name, told in entry.get("columns", ()) if str(told).startswith(_NUMBERS)]
            keys |= {("metrics", node, name) for node in nodes for name in numbers if name not in own}
        elif entry.get("kind") == "logs":
            keys |= {("logs", node, "log_lines") for node in nodes}
    return keys


def _extent(
    found: Dataset,
    workloads: Sequence[tables.WorkloadRow],
    injections: Sequence[tables.InjectionRow],
    impacts: Sequence[tables.ImpactRow],
) -> tuple[dt.datetime, dt.datetime]:
    """Return from when to when something happened: the load, injections and their faults, and what moved."""
    moments = [moment for row in workloads for moment in (row.started_at, row.ended_at) if moment]
    for row in injections:
        span = span_of(row)
        moments += [span.start, span.end_latest]
    moments += [moment for row in impacts for moment in (row.started_at, row.ended_at)]
    if not moments:
        recorded = [part for kind in (found.metrics, found.logs, found.traces) for part in kind.parts]
        moments = [moment for part in recorded for moment in (part.first, part.last) if moment]
    if not moments:
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    margin = max((max(moments) - min(moments)) * 0.03, dt.timedelta(seconds=5))
    return min(moments) - margin, max(moments) + margin


# --- evidence ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where an injection was to act and did: nodes x containers.

    Attributes:
        containers: columns.
        rows: node -> container -> target; what is not there was neither declared nor commanded.
    """

    containers: tuple[str, ...]
    rows: tuple[tuple[str, Mapping[str, tables.TargetRow]], ...]


def matrix(targets: Iterable[tables.TargetRow]) -> Matrix:
    """Return targets as a matrix; a node as a whole is a column of its own."""
    cells: dict[str, dict[str, tables.TargetRow]] = defaultdict(dict)
    for row in targets:
        cells[row.node][row.container or "the node itself"] = row
    names = sorted({name for row in cells.values() for name in row})
    return Matrix(tuple(names), tuple((node, cells[node]) for node in sorted(cells)))


def labeled_rows(found: Experiment, injection_id: str) -> dict[str, float]:
    """Return file -> share of the injection's window that it has rows in, 0 to 1; only files that were recording."""
    return {
        str(entry["path"]): float(entry["coverage"][injection_id])
        for entry in found.dataset.manifest.telemetry
        if isinstance(entry.get("coverage"), dict) and injection_id in entry["coverage"]
    }


# --- what the browser draws -------------------------------------------------------------------------------------------


def drawing(found: Experiment) -> dict[str, Any]:
    """Return what the timeline needs to start with, as plain values; times are epoch seconds.

    Returns:
        start, end, injections (at most ``MOST_INJECTIONS``), more (how many are left out), tracks, hit (nodes).
    """
    return {
        "start": seconds(found.start),
        "end": seconds(found.end),
        "injections": [_drawn(number, row) for number, row in enumerate(found.injections[:MOST_INJECTIONS], start=1)],
        "more": max(0, len(found.injections) - MOST_INJECTIONS),
        "workloads": {row.workload_id: row.name for row in found.workloads[:MOST_TRACKS]},
        "tracks": [_track(one) for one in found.tracks],
        "hit": sorted(found.hit),
    }


def _drawn(number: int, row: tables.InjectionRow) -> dict[str, Any]:
    span = span_of(row)
    return {
        "id": row.injection_id,
        "number": number,
        "start": seconds(row.started_at),
        "startLatest": seconds(span.start_latest),
        "end": seconds(row.ended_at),
        "endLatest": seconds(row.ended_at) + row.end_uncertainty_s,
        "faultEnd": seconds(span.end),
        "faultEndLatest": seconds(span.end_latest),
        "faultEndKnown": row.fault_ended_at is not None,
        "effect": row.effect,
        "action": row.action or "unknown action",
        "outcome": row.outcome or "",
    }


_MOST_IMPACTS = 200  # drawn of one track


def _track(one: Track) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "node": one.node,
        "kpi": one.kpi,
        "moved": bool(one.impacts),
        "impacts": [
            [seconds(row.started_at), seconds(row.ended_at), row.direction or "", row.source, row.injection_id]
            for row in one.impacts[:_MOST_IMPACTS]
        ],
    }


def seconds(moment: dt.datetime) -> float:
    """Return epoch seconds, exact to the microsecond."""
    return epoch_us(moment) / 1_000_000
