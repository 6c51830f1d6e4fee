"""The layout of rcabench-platform (OpenRCA 2): a folder a case with normal and abnormal time, and an index of labels.

``DIR`` is the platform's ``DATA_ROOT``: ``data/{dataset}/{case}`` and ``meta/{dataset}``.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultset.dataset import spans
from faultset.errors import InputError
from faultset.exports import events
from faultset.exports.cases import Case, cases
from faultset.exports.layout import Layout, Tell, word, write_json
from faultset.fault_span import known_end
from faultset.moments import Window, from_epoch, iso

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

_US = 1_000_000
_TIME = pa.timestamp("us", tz="UTC")
# The platform's own columns; what is no Kubernetes object has none of these.
_OBJECTS = ("namespace", "statefulset", "deployment", "replicaset", "pod", "container")
_PLACES = [pa.field(f"attr.k8s.{name}.name", pa.string()) for name in ("node", *_OBJECTS)]
_POINTS = [pa.field("time", _TIME), pa.field("metric", pa.string()), pa.field("value", pa.float64())]
_SERVICE = pa.field("service_name", pa.string())
_METRICS = pa.schema([*_POINTS, _SERVICE, *_PLACES])
_HISTOGRAM = pa.schema(
    [
        pa.field("time", _TIME),
        pa.field("metric", pa.string()),
        _SERVICE,
        *(pa.field(name, pa.float64()) for name in ("count", "sum", "min", "max")),
        *_PLACES,
    ]
)
_LOGS = pa.schema(
    [
        pa.field("time", _TIME),
        *(pa.field(name, pa.string()) for name in ("trace_id", "span_id", "service_name", "level", "message")),
    ]
)
_TRACES = pa.schema(
    [
        pa.field("time", _TIME),
        *(
            pa.field(name, pa.string())
            for name in ("trace_id", "span_id", "parent_span_id", "service_name", "span_name")
        ),
        pa.field("duration", pa.uint64()),
    ]
)
_TRACE_TIMES = pa.schema([pa.field("trace_id", pa.string()), pa.field("time", _TIME)])
# What the platform's vocabulary calls what was done here; other actions keep our word, which it takes for unknown.
_CHAOS = {"restart": "ContainerKill", "kill": "ContainerKill", "stop": "PodFailure", "reboot": "PodKill"}


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write a case an injection with a known root cause, split at its start."""
    found, left_out = cases(dataset, "rcabench")
    name = f"rcabench_{word(dataset.slug)}"
    written = []
    events_left: Counter[str] = Counter()
    for place, case in enumerate(found):
        tell(place, len(found), case.name)
        problem = _write_case(dataset, folder / "data" / name / case.name, case, events_left)
        if problem:
            left_out.append(f"{case.injection.injection_id}: {problem}")
        else:
            written.append(case)
    if not written:
        raise InputError(f"{dataset.slug} {dataset.version}", f"it has no case: {left_out[-1]}", "see its card")
    _write_index(folder / "meta" / name, name, written)
    return left_out + events.said(events_left)


def _write_index(folder: Path, name: str, found: Sequence[Case]) -> None:
    folder.mkdir(parents=True)
    index = [{"dataset": name, "datapack": case.name} for case in found]
    pd.DataFrame(index).to_parquet(folder / "index.parquet", index=False)
    labels = [
        {"dataset": name, "datapack": case.name, "gt.level": "service", "gt.name": cause}
        for case in found
        for cause in dict.fromkeys(case.root_causes)
    ]
    pd.DataFrame(labels).to_parquet(folder / "labels.parquet", index=False)


def _write_case(dataset: Dataset, folder: Path, case: Case, left_out: Counter[str]) -> str:
    """Write a case; returns why it is none, or "" where it is one."""
    start = math.floor(case.injection.started_at.timestamp())
    end = max(math.ceil(case.felt.end.timestamp()), start + 1)
    at = from_epoch(start)
    halves = {"normal": Window(case.window.start, at), "abnormal": Window(at, from_epoch(end))}
    folder.mkdir(parents=True)
    bounds = {}
    for half, window in halves.items():
        bounds[half] = _write_metrics(dataset, folder, half, case.services, window)
        if bounds[half] is None:
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
            return f"there is no row of metrics in its {half} time"
        left_out.update(_write_events(dataset, folder, half, case, window))
        for kind, schema in (("metrics_histogram", _HISTOGRAM), ("metrics_sum", _METRICS)):
            pq.write_table(schema.empty_table(), folder / f"{half}_{kind}.parquet")
    first = math.floor((bounds["normal"] or 0) / _US)
    _write_injection(folder, case, {"normal": (min(first, start - 1), start), "abnormal": (start, end)})
    return ""


def _write_metrics(
    dataset: Dataset, folder: Path, half: str, services: Mapping[str, str], window: Window
) -> int | None:
    """Write a row a value; returns the earliest time, microseconds, or None where there is no row."""
    kpis = list(dataset.metrics.values)
    first: int | None = None
    with pq.ParquetWriter(folder / f"{half}_metrics.parquet", _METRICS) as writer:
        for node in dataset.metrics.nodes:
            rows = dataset.metrics.arrow(nodes=node, columns=kpis, during=window)
            rows = rows.filter(pc.is_valid(rows["timestamp"]))
            if not len(rows):
                continue
            earliest = pc.min(rows["timestamp"]).cast(pa.int64()).as_py()
            first = earliest if first is None else min(first, earliest)
            for kpi in kpis:
                values = rows[kpi].cast(pa.float64())
                known = rows.select(["timestamp"]).append_column("value", values)
                known = known.filter(pc.is_valid(known["value"]))
                if len(known):
                    writer.write_table(_points(known, kpi, services[node], node))
    return first


def _points(known: pa.Table, kpi: str, name: str, node: str) -> pa.Table:
    count = len(known)
    texts = {"metric": kpi, "service_name": name, "attr.k8s.node.name": node}
    columns = [
        known["timestamp"]
        if field.name == "time"
        else known["value"]
        if field.name == "value"
        else pa.array([texts.get(field.name)] * count, pa.string())
        for field in _METRICS
    ]
    return pa.table(columns, schema=_METRICS)


def _write_events(dataset: Dataset, folder: Path, half: str, case: Case, window: Window) -> Counter[str]:
    found, spanned = events.lines(dataset, window, case.services), events.spans(dataset, window, case.services)
    logs, traces = (rows[rows["service_name"].notna()] for rows in (found.rows, spanned.rows))
    nanoseconds = pd.to_numeric(traces["duration_us"]).astype("float64") * 1000
    earliest = traces.groupby("trace_id", as_index=False)["time"].min() if len(traces) else traces
    for name, rows, schema in (
        ("logs", logs.assign(trace_id=None, span_id=None), _LOGS),
        ("traces", traces.assign(duration=nanoseconds.astype("uint64")), _TRACES),
        ("trace_id_ts", earliest, _TRACE_TIMES),
    ):
        table = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
        pq.write_table(table.replace_schema_metadata(None), folder / f"{half}_{name}.parquet")
    return Counter({**found.left_out, **spanned.left_out})


def _write_injection(folder: Path, case: Case, seconds: Mapping[str, tuple[int, int]]) -> None:
    env: dict[str, str] = {"TIMEZONE": "UTC"}
    for half, (start, end) in seconds.items():
        env |= {f"{half.upper()}_START": str(start), f"{half.upper()}_END": str(end)}
    write_json(folder / "env.json", env)
    write_json(folder / "k8s.json", {})
    action = case.injection.action or "unknown"
    chaos = _CHAOS.get(action, action)
    causes = list(dict.fromkeys(case.root_causes))
    write_json(
        folder / "injection.json",
        {
            "injection_name": case.name,
            "fault_type": chaos,
            "start_time": iso(spans.moment(case.injection.started_at)),
            "end_time": iso(max(known_end(case.injection), case.injection.started_at)),
            "ground_truth": [{"service": causes, "container": list(case.cause.containers)}],
            "engine_config": [_leaf(cause, chaos, action) for cause in causes],
            "display_config": json.dumps({"injection_id": case.injection.injection_id, "action": action}),
        },
    )


def _leaf(cause: str, chaos: str, action: str) -> dict[str, Any]:
    return {"app": cause, "chaos_type": chaos, "action": action, "target_service": None, "direction": None}


LAYOUT = Layout(
    "rcabench",
    "rcabench-platform (OpenRCA 2); this folder is its DATA_ROOT",
    write,
    (
        "what happened after an injection was no longer felt: abnormal time ends there",
        "the uncertainty of an injection's ends; normal and abnormal time meet at the whole second of its start",
        "labels of single rows, phases, and which rows nobody can decide",
        "impacts, and how large a move could have hidden",
        "Kubernetes objects, histograms and sums: there are none, their files are empty",
        "the exact action, where the platform has a word of its own near it; injection.json keeps ours as action",
        "columns of logs and traces beside time, service, level, text, ids, operation and duration",
        "lines and spans that name the injection: they would give the answer away",
    ),
    "DATA_ROOT=DIR python -c 'from rcabench_platform.v3.sdk.datasets.spec import get_datapack_list; ...'",
)
