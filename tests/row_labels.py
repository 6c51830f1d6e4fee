"""Labeled telemetry of a simulated experiment beside what the simulator knows of each of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from faultset import pipeline, simulator, tables
from faultset.pipeline import building, telemetry
from faultset.release import parquet
from faultset.settings import Settings


@dataclass(frozen=True)
class Labeled:
    """One file: its rows as labeled, and the truth of each."""

    path: str
    kind: str
    rows: dict[str, list]
    truth: simulator.RowTruth
    ids: dict[str, str]  # the simulator's id of an injection -> ours
    impacts: set[tuple[str, str]]  # our id of an injection, node: where an impact was found


def labeled(scenario: str, seed: int, folder: Path, **options: object) -> tuple[simulator.Truth, Iterator[Labeled]]:
    """Simulate, decide and label an experiment."""
    made = simulator.simulate(scenario, folder / "experiments" / scenario, seed=seed, **options)
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    build = pipeline.decide(pipeline.extract(scenario, settings), settings)
    for labeling in pipeline.labelings(build, settings):
        pipeline.label(labeling, settings)
    return made, _files(made, build, settings)


def _files(made: simulator.Truth, build: pipeline.Build, settings: Settings) -> Iterator[Labeled]:
    candidate = building._candidate_folder(build, settings)
    ids = _ids(made, candidate)
    impacts = {(row.injection_id, row.node) for row in building._impacts(build, settings)}
    declared = building._declared(build, settings).files
    for file, path in zip(declared, telemetry.labeled_paths(declared), strict=True):
        names = [name for name in pq.read_schema(candidate / path).names if name in _COLUMNS]
        rows = pq.read_table(candidate / path, columns=names).to_pydict()
        yield Labeled(path, file.kind, rows, simulator.row_truth(made, file.name), ids, impacts)


_COLUMNS = {"timestamp", "node", "is_anomalous", "injection_ids", "phase", "is_boundary", "names_injection"}


def _ids(made: simulator.Truth, candidate: Path) -> dict[str, str]:
    workloads = parquet.read_table(tables.WORKLOADS, candidate / "workloads.parquet")
    triggers = parquet.read_table(tables.TRIGGERS, candidate / "triggers.parquet")
    injections = parquet.read_table(tables.INJECTIONS, candidate / "injections.parquet")
    names = {row.workload_id: (row.name, row.position) for row in workloads}
    hooks = {row.trigger_id: row.hook_index for row in triggers}
    ours = {(*names[r.workload_id], hooks[r.trigger_id], r.unit, r.value): r.injection_id for r in injections}
    known = {
        (workload.name, workload.position, one.hook_index, one.unit, float(one.value)): one.injection_id
        for workload in made.workloads
        for one in workload.injections
    }
    return {theirs: ours[key] for key, theirs in known.items() if key in ours}


def wrong_rows(file: Labeled) -> list[str]:
    """Return what is wrong outside of boundary rows and of recovery, a sentence a row."""
    wrong = []
    truth = file.truth
    assert len(file.rows["phase"]) == len(truth.true_us)
    for i in np.flatnonzero(~truth.is_boundary & ~truth.is_repeated):
        phase, ids = file.rows["phase"][i], set(file.rows["injection_ids"][i])
        covering = {file.ids[name] for name in truth.injection_ids[i] if name in file.ids}
        if phase == "recovery":
            continue
        if file.rows["is_boundary"][i]:
            wrong.append(f"{file.path} row {i}: called a boundary")
        if (phase == "injection") != bool(covering) or not covering <= ids:
            wrong.append(f"{file.path} row {i}: {phase} {ids}, want {covering}")
        if file.rows["node"][i] != truth.node[i]:
            wrong.append(f"{file.path} row {i}: node {file.rows['node'][i]}, want {truth.node[i]}")
        # A node is concerned where a fault took hold, and where an impact was found; the latter is judged elsewhere.
        hit = any(name in file.ids for name in truth.hit_by[i])
        hit = hit or any((name, truth.node[i]) in file.impacts for name in covering)
        if phase == "injection" and ids == covering and file.rows["is_anomalous"][i] != hit:
            wrong.append(f"{file.path} row {i}: anomalous {file.rows['is_anomalous'][i]}, want {hit}")
    return wrong
