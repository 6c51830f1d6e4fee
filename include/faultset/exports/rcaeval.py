"""RCAEval's parquet layout: a folder a case, of which each injection with a known root cause is one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from faultset.dataset import floors
from faultset.errors import InputError
from faultset.exports import events
from faultset.exports.cases import Case, cases
from faultset.exports.layout import Layout, Tell

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

_INDEX = (
    "dataset", "case", "root_cause_service", "fault", "inject_time", "n_metrics", "n_logs", "n_traces",
    "root_cause_nodes", "injection_id",
)  # fmt: skip


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write a case an injection, ``{benchmark}_{service}_{fault}_{n}``, and ``cases.parquet``, which lists them.

    What RCAEval calls a service is a node here: metrics are known by node.
    """
    found, left_out = cases(dataset, "RCAEval")
    rows: list[dict[str, Any]] = []
    written: list[Case] = []
    events_left: Counter[str] = Counter()
    for place, case in enumerate(found):
        tell(place, len(found), case.name)
        metrics = _metrics(dataset, case)
        started = int(case.injection.started_at.timestamp())
        problem = _unusable(metrics, started)
        if problem:
            left_out.append(f"{case.injection.injection_id}: {problem}")
            continue
        if len(case.root_causes) > 1:
            others = ", ".join(case.root_causes[1:])
            left_out.append(f"{case.injection.injection_id}: that it acted on {others}, too; a case has one root cause")
        rows.append(_case(dataset, folder / case.name, case, metrics, events_left))
        written.append(case)
    if not rows:
        raise InputError(f"{dataset.slug} {dataset.version}", f"it has no case: {left_out[-1]}", "see its card")
    pd.DataFrame(rows, columns=list(_INDEX)).to_parquet(folder / "cases.parquet", index=False)
    _floors(dataset, written).to_csv(folder / "floors-cases.csv")
    return left_out + events.said(events_left)


def _floors(dataset: Dataset, written: Sequence[Case]) -> pd.DataFrame:
    """Return the scores that need no method in RCAEval's terms: a case has one right answer, its first root cause."""
    causes = [dataclasses.replace(case.cause, nodes=case.cause.nodes[:1]) for case in written]
    found = floors.of_root_causes(causes, causes, dataset.metrics.nodes, dataset.moved(dataset))
    return found.rename(columns={"top1": "AC@1", "top3": "AC@3", "injections": "cases"})


def _case(dataset: Dataset, folder: Path, case: Case, metrics: pd.DataFrame, left_out: Counter[str]) -> dict[str, Any]:
    folder.mkdir()
    started = int(case.injection.started_at.timestamp())
    metrics.to_parquet(folder / "metrics.parquet", index=False)
    (folder / "inject_time.txt").write_text(f"{started}\n", encoding="ascii")
    counts = {"metrics": metrics.shape[1] - 1, "logs": 0, "traces": 0}
    for kind, found in (
        ("logs", events.lines(dataset, case.window, case.services)),
        ("traces", events.spans(dataset, case.window, case.services)),
    ):
        left_out.update(found.left_out)
        if len(found.rows):
            shaped = _logs(found.rows) if kind == "logs" else _traces(found.rows)
            shaped.to_parquet(folder / f"{kind}.parquet", index=False)
            counts[kind] = len(shaped)
    return {
        "dataset": case.benchmark,
        "case": case.name,
        "root_cause_service": case.root_causes[0],
        "fault": case.fault,
        "inject_time": started,
        **{f"n_{kind}": number for kind, number in counts.items()},
        "root_cause_nodes": ";".join(case.root_causes),
        "injection_id": case.injection.injection_id,
    }


def _metrics(dataset: Dataset, case: Case) -> pd.DataFrame:
    wide = dataset.wide(during=case.window)
    kpis = {*dataset.metrics.values}
    columns = [column for column in wide.columns.to_list() if column[1] in kpis]
    values = wide[columns].set_axis([f"{case.services[column[0]]}_{column[1]}" for column in columns], axis=1)
    values = values.dropna(axis=1, how="all")
    time = pd.DatetimeIndex(values.index).as_unit("s").astype("int64")
    values.insert(0, "time", time)
    return values.reset_index(drop=True)


def _unusable(metrics: pd.DataFrame, started: int) -> str:
    if not (metrics["time"] < started).any():
        return "there is no row of metrics before it"
    return "" if (metrics["time"] >= started).any() else "there is no row of metrics after its start"


def _logs(rows: pd.DataFrame) -> pd.DataFrame:
    nanoseconds = pd.DatetimeIndex(rows["time"]).as_unit("ns").astype("int64")
    return pd.DataFrame(
        {
            "time": nanoseconds // 10**9,
            "timestamp": nanoseconds,
            "container_name": rows["service_name"].to_numpy(),
            "level": rows["level"].to_numpy(),
            "message": rows["message"].to_numpy(),
        }
    )


def _traces(rows: pd.DataFrame) -> pd.DataFrame:
    microseconds = pd.DatetimeIndex(rows["time"]).as_unit("us").astype("int64")
    return pd.DataFrame(
        {
            "time": microseconds // 10**6,
            "traceID": rows["trace_id"].to_numpy(),
            "spanID": rows["span_id"].to_numpy(),
            "parentSpanID": rows["parent_span_id"].to_numpy(),
            "serviceName": rows["service_name"].to_numpy(),
            "methodName": rows["span_name"].to_numpy(),
            "operationName": rows["span_name"].to_numpy(),
            "startTimeMillis": microseconds // 1000,
            "startTime": microseconds,
            "duration": rows["duration_us"].to_numpy(),
        }
    )


LAYOUT = Layout(
    "rcaeval",
    "RCAEval 1.8 and later (RCAEval.utility.read_metrics, read_logs, read_traces)",
    write,
    (
        "the end of a fault, its uncertainty, and its own end where that is not the command's",
        "the fraction of a second of an injection's start; rows of one second of a node, of which the mean is written",
        "labels of single rows, phases, and which rows nobody can decide",
        "impacts, and how large a move could have hidden",
        "columns of logs and traces beside time, service, level, text, ids, operation and duration",
        "lines and spans that name the injection: they would give the answer away",
    ),
    'from RCAEval.utility import read_metrics\nread_metrics("DIR/CASE")  # cases.parquet lists the cases',
)
