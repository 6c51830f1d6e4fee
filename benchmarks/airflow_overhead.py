"""What Airflow adds to the work on the samples of ``make demo``, in processor and clock seconds, by part.

    tools/run python benchmarks/airflow_overhead.py [--size smoke]

Three times the same: the pipeline's own functions in one process; ``rebuild_datasets`` and ``publish_dataset`` in an
Airflow of its own (SQLite, LocalExecutor, every part a process); and in that Airflow two DAGs of the same tasks that do
nothing, which is what Airflow itself costs. Exit code 1 where what is done through Airflow, without what the empty DAGs
cost, costs more than 1.5 times what the pipeline alone does, in processor or on the clock. What else the machine does
is in the clock; in the processor it is as what Airflow's parts spend while they wait for slower tasks.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bounds import Bounds, options, versions

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("include", "tests", "deploy")]

BOUND, SMOKE_BOUND = 1.5, 3.0
ALONE = "faultset"
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
REAL, EMPTY = ("rebuild_datasets", "publish_dataset"), ("empty_rebuild", "empty_publish")
_ASK_S = 3.0
_QUIET_S = 20.0  # until a new Airflow has read its DAGs and is idle
_DAGS = """
from airflow.sdk import Asset, TriggerRule, dag, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

MADE = Asset(name="nothing_made", uri="faultset://nothing")
AFTER_ALL = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
ALWAYS = TriggerRule.ALL_DONE

def skip(): raise AirflowSkipException("as the real one")
@task(multiple_outputs=False)
def plan(): return {"small": [{"number": 0}], "large": []}
@task
def batches(planned, lane): return planned[lane]
@task(outlets=[MADE], trigger_rule=AFTER_ALL)
def announce(made): pass
@task(trigger_rule=AFTER_ALL)
def divide(): return []
@task
def build(batch): pass
@task
def decide(batch): pass
@task
def label(batch): pass
@task(trigger_rule=ALWAYS)
def validate(batch): pass
@task(trigger_rule=ALWAYS)
def report(): pass

@dag(schedule=None)
def empty_rebuild():
    planned = plan()
    @task_group
    def small():
        made = batches(planned, "small")
        build.expand(batch=made) >> announce(made)
    @task_group
    def large():
        made = batches(planned, "large")
        files = divide()
        validated = validate.expand(batch=made)
        decide.expand(batch=made) >> files
        label.expand(batch=files) >> validated >> announce(made)
    [small(), large()] >> report()

@task
def look(): return [{"number": 0}]
@task
def publish_batch(batch): pass
@task(trigger_rule=ALWAYS)
def to_ask(looked): return []
@task
def ask(conf): pass
@task
def propose(): skip()
@task
def approve(proposal): pass
@task(trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
def publish(proposal): pass
@task(trigger_rule=ALWAYS)
def set_aside(proposal): skip()

@dag(schedule=[MADE])
def empty_publish():
    looked = look()
    questions = to_ask(looked)
    publish_batch.expand(batch=looked) >> questions
    asks = ask.expand(conf=questions)
    proposal = propose()
    approve(proposal) >> publish(proposal) >> set_aside(proposal) >> report() << asks

empty_rebuild()
empty_publish()
"""


@dataclass
class Cost:
    """What something cost.

    Attributes:
        processor: seconds, of all processes.
        clock: seconds.
        parts: name -> processor and clock seconds of a part.
        tasks: task and state -> how many.
    """

    processor: float
    clock: float
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    tasks: Counter[tuple[str, str]] = field(default_factory=Counter)

    def show(self, name: str) -> None:
        print(f"{name:32}{self.processor:8.1f} s{self.clock:8.1f} s")
        for part, (processor, clock) in self.parts.items():
            print(f"  {part:30}{processor:8.1f} s{clock:8.1f} s")


# --- the pipeline alone -----------------------------------------------------------------------------------------------


def bare(base: Path) -> Cost:
    """Rebuild and publish in a process of its own."""
    command = [sys.executable, __file__, "--bare", str(base)]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("the pipeline alone cannot be run")
    parts = {name: tuple(took) for name, took in json.loads(said.splitlines()[-1]).items()}
    return Cost(used.ru_utime + used.ru_stime, time.monotonic() - began, parts)


def in_this_process(base: Path) -> dict[str, tuple[float, float]]:
    """Rebuild and publish here; return what each part took."""
    took: dict[str, tuple[float, float]] = {}

    @contextmanager
    def part(name: str) -> Iterator[None]:
        processor, clock = time.process_time(), time.monotonic()
        yield
        before = took.get(name, (0.0, 0.0))
        took[name] = before[0] + time.process_time() - processor, before[1] + time.monotonic() - clock

    def told(*_: Any) -> None:
        pass

    with part("imports"):
        from faultset.expectations import loading
        from faultset.pipeline import building, planning, rebuild_records, rebuilding, reconciling
        from faultset.settings import Settings

        loading.great_expectations()
    settings = Settings(str(base / "catalog"), str(base / "datasets"), inbox=str(base / "inbox"))
    hashed = building.inputs_of

    def timed(experiment: Any) -> Any:
        with part("hash"):
            return hashed(experiment)

    building.inputs_of = timed  # type: ignore[assignment]
    with part("plan"):
        plan = planning.plan_rebuild("bare", [], settings)
    with part("build"):
        for batch in plan.small:
            rebuilding.build_batch(batch, settings, told)
    with part("settle"):
        rebuild_records.candidates_of(plan.small, settings)
        outcomes = rebuild_records.rebuilt("bare", settings)
    with part("publish"):
        new = [reconciling.publish_batch(one, settings, told) for one in reconciling.plan_publishing("bare", settings)]
    if sum(map(len, new)) != len(outcomes):
        raise SystemExit("the pipeline did not publish every sample")
    of_hash, of_build = took["hash"], took["build"]
    return {**took, "build": (of_build[0] - of_hash[0], of_build[1] - of_hash[1])}


# --- through Airflow --------------------------------------------------------------------------------------------------


def through(airflow: Any, dags: tuple[str, str]) -> Cost:
    """Run a DAG and the one that its asset wakes, and return what all of Airflow's processes spent meanwhile."""
    import processes

    roots = [process.pid for process in airflow.processes]
    first, second = dags
    before = {run["dag_run_id"] for run in _runs(airflow, second)}
    spent, began = processes.seconds(roots), time.time()
    with processes.Sampler(roots) as sampler:
        begun = airflow.call("POST", f"/api/v2/dags/{first}/dagRuns", {"logical_date": None, "conf": {}})["dag_run_id"]
        runs = [_ended(airflow, first, lambda run_id: run_id == begun)]
        runs.append(_ended(airflow, second, lambda run_id: run_id not in before))
    processor = processes.seconds(roots) - spent
    if {run["state"] for run in runs} != {"success"}:
        raise SystemExit(f"{first} or {second} failed")
    instances = [one for run in runs for one in _instances(airflow, run)]
    clock = max(_epoch(run["end_date"]) for run in runs) - began
    tasks = Counter((one["task_id"], one["state"]) for one in instances)
    return Cost(processor, clock, dict(_by_part(instances, sampler.titled, processor, clock)), tasks)


def _ended(airflow: Any, dag_id: str, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """Wait for a run's end, asking seldom: each answer costs the API server processor, which would be measured."""
    while True:
        for run in _runs(airflow, dag_id):
            if wanted(run["dag_run_id"]) and run["state"] in ("success", "failed"):
                return run
        time.sleep(_ASK_S)


def _by_part(
    instances: list[dict[str, Any]], titled: dict[str, float], processor: float, clock: float
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield each task that ran with its own process's processor time, then all that is none of a task."""
    ran = sorted((one for one in instances if one["start_date"] and one["pid"]), key=lambda one: one["start_date"])
    of_tasks = covered = 0.0
    until = 0.0
    for one in ran:
        spent = titled.get(f"airflow worker -- {one['id']}", 0.0)
        start, end = _epoch(one["start_date"]), _epoch(one["end_date"])
        covered += max(0.0, end - max(start, until))
        until, of_tasks = max(until, end), of_tasks + spent
        yield f"{one['dag_id']}.{one['task_id']}", (spent, end - start)
    yield "between tasks, and Airflow's parts", (processor - of_tasks, clock - covered)


def _runs(airflow: Any, dag_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=100")["dag_runs"]
    return found


def _instances(airflow: Any, run: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances?limit=100"
    found: list[dict[str, Any]] = airflow.call("GET", path)["task_instances"]
    return found


def _epoch(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def in_airflow(base: Path) -> tuple[Cost, Cost]:
    """Return what the empty DAGs cost in an Airflow of their own, then what the real ones cost in it."""
    from e2e.conftest import running_airflow, wait_for

    (base / "empty").mkdir()
    (base / "empty" / "empty.py").write_text(_DAGS)
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": "dags-folder", "classpath": local, "kwargs": {}},
        {"name": "empty", "classpath": local, "kwargs": {"path": str(base / "empty")}},
    ]
    environment = {
        "FAULTSET_CATALOG": str(base / "catalog"),
        "FAULTSET_DATASETS": str(base / "datasets"),
        "FAULTSET_INBOX": str(base / "inbox"),
    }
    configuration = {"dag_bundle_config_list": json.dumps(bundles)}
    with running_airflow(base / "airflow", environment, PARTS, configuration=configuration) as airflow:
        for name in ("validate_reports", "maintain_datasets", "deposit_versions"):
            wait_for(name, _known(airflow, name))
            airflow.call("PATCH", f"/api/v2/dags/{name}", {"is_paused": True})
        for name in (*REAL, *EMPTY):
            wait_for(name, _known(airflow, name))
        through(airflow, EMPTY)  # what is done once is done
        time.sleep(_QUIET_S)
        return through(airflow, EMPTY), through(airflow, REAL)


def _known(airflow: Any, name: str) -> Callable[[], bool]:
    return lambda: bool(airflow.knows(name))


def copied(base: Path, samples: list[Path]) -> Path:
    """Lay out the samples and an empty root."""
    for sample in samples:
        shutil.copytree(sample, base / "catalog" / sample.name)
    (base / "inbox").mkdir()
    return base


def main() -> int:
    parser = options(argparse.ArgumentParser())
    parser.add_argument("--bare", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.bare:
        print(json.dumps(in_this_process(asked.bare)))
        return 0
    samples = sorted((ROOT / "experiments").iterdir())[: 1 if asked.size == "smoke" else None]
    about = f"{len(samples)} of the samples of make demo, rebuilt and published; in processor and clock seconds"
    bounds = Bounds(__file__, asked, about=about, peers=versions(ALONE, "apache-airflow"))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        alone = bare(copied(Path(one), samples))
        empty, real = in_airflow(copied(Path(other), samples))
    print(f"{about}, from a load of {bounds.measured.load}")
    alone.show("the pipeline alone")
    empty.show("empty DAGs")
    real.show("through Airflow")
    if real.tasks != empty.tasks:
        print(f"error: the empty DAGs are of another shape: {real.tasks} and {empty.tasks}", file=sys.stderr)
        return 1
    for name, through_airflow, of_airflow, of_pipeline in (
        ("processor", real.processor, empty.processor, alone.processor),
        ("clock", real.clock, empty.clock, alone.clock),
    ):
        said = (
            f"{through_airflow:.1f} s through Airflow, {of_airflow:.1f} s of empty DAGs, {of_pipeline:.1f} s without it"
        )
        bounds.note(f"{name}: {said}")
        ratio = (through_airflow - of_airflow) / of_pipeline
        bounds.at_most(f"{name}, less that of empty DAGs", ratio, BOUND, unit="x", peer=ALONE, smoke=SMOKE_BOUND)
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
