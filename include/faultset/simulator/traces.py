"""What OSProfiler sees of some iterations: their spans, as a table a workload and one of them as a tree."""

from __future__ import annotations

import csv
import io
import json
import uuid
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from faultset.simulator import clocks
from faultset.simulator.plan import ClusterPlan, Microseconds
from faultset.simulator.timeline import Load, PlayedRun, PlayedWorkload

TIME_ZONE = "UTC"
COLUMNS = ("Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id")

_MOST = 40  # iterations of a workload that are traced

# Project -> (name, service, whether it runs on a compute node) of the calls inside a request.
_INNER: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "nova": (("rpc", "conductor", False), ("db", "conductor", False), ("rpc", "compute", True)),
    "glance": (("db", "api", False), ("db", "api", False)),
    "neutron": (("neutron.db", "server", False), ("rpc", "dhcp_agent", False)),
    "vm": (("rpc", "compute", True),),
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span at its true times; ``broken`` where a fault cut it off and nobody saw its end."""

    started_us: int
    ended_us: int
    host: str
    name: str
    service: str
    project: str
    iteration: int
    trace_id: str
    parent_id: str
    base_id: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A row of the table: a span's start or stop."""

    at_us: int
    span: Span
    what: str


def file_of(run: PlayedRun, workload: PlayedWorkload) -> str:
    """Return the name of the workload's table."""
    again = f"-{workload.position}" if workload.position else ""
    return run.plan.file(f"{workload.plan.name}{again}.csv")


def tree_of(trace_id: str) -> str:
    """Return the name of the file with the tree of ``trace_id``."""
    return f"osprofiler-{trace_id}.json"


def spans(workload: PlayedWorkload, cluster: ClusterPlan, path: str, seed: int) -> list[Span]:
    """Return the spans of a bounded number of iterations, iteration by iteration, parents before children."""
    random = np.random.default_rng([seed, zlib.crc32(path.encode())])
    return [span for index in traced(workload) for span in _of_iteration(workload, index, cluster, random)]


def traced(workload: PlayedWorkload) -> list[int]:
    """Return the places of the iterations that are traced: half of them near injections where there are any."""
    load, count = workload.load, workload.iterations
    near = np.flatnonzero(_overlaps(workload)).tolist()
    near = near[:: max(len(near) // (_MOST // 2), 1)][: _MOST // 2]
    others = range(0, count, max(count // (_MOST - len(near)), 1))
    return sorted({*near, *list(others)[: _MOST - len(near)]}, key=lambda index: int(load.started_us[index]))


def _overlaps(workload: PlayedWorkload) -> np.ndarray[Any, np.dtype[np.bool_]]:
    load = workload.load
    found = np.zeros(workload.iterations, dtype=np.bool_)
    for firing in workload.firings:
        found |= (load.started_us < firing.truth.ended_at_us) & (firing.truth.started_at_us < load.ended_us)
    return found


def _of_iteration(
    workload: PlayedWorkload, index: int, cluster: ClusterPlan, random: np.random.Generator
) -> Iterator[Span]:
    load, actions = workload.load, workload.plan.actions
    start, end = int(load.started_us[index]), int(load.ended_us[index]) - int(load.idle_us[index])
    base, failed = load.trace_ids[index], bool(load.failed[index])
    controller = cluster.nodes[0].name
    now = start + int(random.integers(500, 3_000))
    for place, (action, share) in enumerate(actions[:1] if failed else actions):
        project = action.split(".")[0].split("_")[0]
        until = end - 500 if failed or place == len(actions) - 1 else now + round((end - start) * share * 0.95)
        token = now + (until - now) // 20
        yield Span(now, token, controller, "wsgi", "public", "keystone", index + 1, _uuid(random), base, base)
        request = Span(
            token + 100, until, controller, "wsgi", "api", project, index + 1, _uuid(random), base, base, failed
        )
        yield request
        if not failed:
            yield from _inside(request, cluster, random)
        now = until + 200


def _inside(request: Span, cluster: ClusterPlan, random: np.random.Generator) -> Iterator[Span]:
    """Yield the calls inside a request: one after the other, and a look into the database in each remote one."""
    inner = _INNER[request.project]
    length = (request.ended_us - request.started_us) // len(inner)
    for place, (name, service, on_compute) in enumerate(inner):
        first = request.started_us + place * length + length // 10
        host = cluster.nodes[int(random.integers(1, len(cluster.nodes)))].name if on_compute else request.host
        call = Span(
            first,
            first + (length * 7 // 10 if name == "rpc" else length // 50),
            host,
            name,
            service,
            request.project,
            request.iteration,
            _uuid(random),
            request.trace_id,
            request.base_id,
        )
        yield call
        if name == "rpc":
            query = (first + length // 5, first + length * 11 // 50)
            yield Span(
                *query,
                request.host,
                "db",
                service,
                call.project,
                call.iteration,
                _uuid(random),
                call.trace_id,
                call.base_id,
            )


def _uuid(random: np.random.Generator) -> str:
    return str(uuid.UUID(bytes=random.bytes(16), version=4))


# --- the table ------------------------------------------------------------------------------------------------------


def events(found: Iterable[Span]) -> list[Event]:
    """Return the rows: iteration by iteration, each by time, so that parallel iterations are not in order."""
    rows = [Event(span.started_us, span, "start") for span in found]
    rows += [Event(row.span.ended_us, row.span, "stop") for row in rows if not row.span.broken]
    return sorted(rows, key=lambda row: (row.span.iteration, row.at_us, row.what, row.span.trace_id))


def rows(ordered: list[Event], read_us: Microseconds, shift_us: int) -> Iterator[str]:
    """Yield the CSV of ``ordered``, whose clocks read ``read_us``; the text is ``shift_us`` ahead of them."""
    yield ",".join(COLUMNS) + "\n"
    for event, stamp in zip(ordered, clocks.texts(read_us + shift_us, "us", "T"), strict=True):
        span = event.span
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(
            (
                span.host,
                f"{span.name}-{event.what}",
                span.service,
                span.project,
                stamp,
                span.iteration,
                span.trace_id,
                span.parent_id,
                span.base_id,
            )
        )
        yield text.getvalue()


# --- the tree -------------------------------------------------------------------------------------------------------


def shown_as_tree(workload: PlayedWorkload) -> int:
    """Return the place of the iteration that is written as a tree: one that passed, near an injection if possible."""
    load: Load = workload.load
    candidates = traced(workload)
    near = _overlaps(workload)
    return min(candidates, key=lambda index: (bool(load.failed[index]), not near[index], index))


def tree(found: list[Span], read_us: Mapping[str, tuple[int, int]]) -> str:
    """Return the spans of one iteration as OSProfiler's JSON; ``read_us``: trace id -> (start, stop) as written."""
    begin = min(start for start, _ in read_us.values())
    children: dict[str, list[dict[str, Any]]] = {}
    count: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for span in found:
        start, stop = ((moment - begin) // 1000 for moment in read_us[span.trace_id])
        count[span.name] += 1
        total[span.name] += stop - start
        node = {
            "info": _info(span, start, stop, *read_us[span.trace_id]),
            "parent_id": span.parent_id,
            "trace_id": span.trace_id,
            "children": children.setdefault(span.trace_id, []),
        }
        children.setdefault(span.parent_id, []).append(node)
    document = {
        "info": {
            "started": 0,
            "last_trace_started": max((start - begin) // 1000 for start, _ in read_us.values()),
            "finished": max((stop - begin) // 1000 for _, stop in read_us.values()),
            "name": "total",
        },
        "stats": {name: {"count": count[name], "duration": total[name]} for name in sorted(count)},
        "children": children[found[0].base_id],
    }
    return json.dumps(document, indent=2) + "\n"


def _info(span: Span, start_ms: int, stop_ms: int, start_us: int, stop_us: int) -> dict[str, Any]:
    request = {"path": f"/v2/{span.project}", "scheme": "http", "method": "POST", "query": ""}
    details = {"request": request} if span.name == "wsgi" else {}
    return {
        "exception": "None",
        "name": span.name,
        "service": span.service,
        "started": start_ms,
        f"meta.raw_payload.{span.name}-stop": _payload(span, "stop", stop_us, {}),
        "finished": stop_ms,
        "project": span.project,
        "host": span.host,
        f"meta.raw_payload.{span.name}-start": _payload(span, "start", start_us, details),
    }


def _payload(span: Span, what: str, at_us: int, details: dict[str, Any]) -> dict[str, Any]:
    (stamp,) = clocks.texts(np.array([at_us], dtype=np.int64), "us", "T")
    return {
        "info": {"host": span.host, **details},
        "name": f"{span.name}-{what}",
        "service": span.service,
        "timestamp": stamp,
        "trace_id": span.trace_id,
        "project": span.project,
        "parent_id": span.parent_id,
        "base_id": span.base_id,
    }
