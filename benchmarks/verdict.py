"""How long a dropped run waits for its verdict, by part, on an Airflow of its own with default settings.

    tools/run python benchmarks/verdict.py [--size smoke]

Each sample of ``make demo`` is dropped, whole (with its marker ``_COMPLETE``), into the inbox of an idle Airflow
(SQLite, LocalExecutor, every part a process). Exit code 1 where the median of all is above 20 s. It is a bound on the
clock: what else the machine does is in it, so that the processor time is told, too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bounds import Bounds, options, versions

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("include", "tests", "deploy")]

BOUND_S, SMOKE_BOUND_S = 20.0, 60.0
ROUNDS = 3
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
OTHERS = ("rebuild_datasets", "publish_dataset", "maintain_datasets", "deposit_versions")
_QUIET_S = 20.0  # until what a verdict sets off has ended


def dropped(airflow: Any, inbox: Path, run: Path) -> tuple[float, float]:
    """Drop a run; return the seconds until its verdict is written, and those of processor of Airflow's processes."""
    import processes
    from e2e.conftest import wait_for
    from faultset.inbox import filing

    def written() -> float | None:
        found = [one for one in filing.recorded(inbox) if one.name == run.name]
        return (inbox / "verdicts" / f"{found[0].arrival}.json").stat().st_mtime if found else None

    roots = [process.pid for process in airflow.processes]
    spent, began = processes.seconds(roots), time.time()
    run.rename(inbox / run.name)
    ended = wait_for("a verdict", written)
    spent = processes.seconds(roots) - spent
    run_of, tasks = _judged(airflow, began, ended)
    moments = [
        ("seen, and the DAG woken", run_of["queued_at"]),
        ("take begins", tasks["take"]["start_date"]),
        ("take ends", tasks["take"]["end_date"]),
        ("judge begins", tasks["judge"]["start_date"]),
    ]
    told, before = [], began
    for name, moment in moments:
        at = _epoch(moment)
        told.append(f"{name} {at - before:+.1f}")
        before = at
    told.append(f"verdict {ended - before:+.1f}")
    print(f"{run.name}: {ended - began:.1f} s, {spent:.1f} s of processor: {', '.join(told)}", flush=True)
    return ended - began, spent


def _judged(airflow: Any, began: float, ended: float) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the run that judged between two moments, and its tasks: the DAG may have been woken again since."""
    runs = airflow.call("GET", "/api/v2/dags/validate_reports/dagRuns?order_by=-id&limit=10")["dag_runs"]
    for run in runs:
        path = f"/api/v2/dags/validate_reports/dagRuns/{run['dag_run_id']}/taskInstances"
        tasks = {one["task_id"]: one for one in airflow.call("GET", path)["task_instances"]}
        if (start := tasks["judge"]["start_date"]) and began <= _epoch(start) <= ended:
            return run, tasks
    raise SystemExit("no run of validate_reports judged it")


def _epoch(text: str) -> float:
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def main() -> int:
    asked = options(argparse.ArgumentParser()).parse_args()
    rounds, samples = ROUNDS, sorted((ROOT / "experiments").iterdir())
    if asked.size == "smoke":
        rounds, samples = 1, samples[:1]
    about = f"{len(samples)} of the samples of make demo, each dropped {rounds} times into the inbox of an idle Airflow"
    bounds = Bounds(__file__, asked, about=about, peers=versions("apache-airflow"))
    from e2e.conftest import running_airflow, wait_for

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        inbox = base / "inbox"
        for name in ("catalog", "inbox"):
            (base / name).mkdir()
        environment = {
            "FAULTSET_CATALOG": str(base / "catalog"),
            "FAULTSET_DATASETS": str(base / "datasets"),
            "FAULTSET_INBOX": str(inbox),
        }
        found = []
        with running_airflow(base / "airflow", environment, PARTS) as airflow:
            for name in (*OTHERS, "validate_reports"):
                wait_for(name, _known(airflow, name))
            for name in OTHERS:
                airflow.call("PATCH", f"/api/v2/dags/{name}", {"is_paused": True})
            for number in range(rounds):
                for sample in samples:
                    run = base / f"{sample.name}-{number}"
                    shutil.copytree(sample, run, ignore=shutil.ignore_patterns("experiment.yaml"))
                    # The same content again would be answered at once.
                    (run / "note.txt").write_text(f"{number}\n")
                    (run / "_COMPLETE").touch()
                    time.sleep(_QUIET_S)
                    found.append(dropped(airflow, inbox, run))
    bounds.at_most(
        "verdict, median", statistics.median(clock for clock, _ in found), BOUND_S, unit="s", smoke=SMOKE_BOUND_S
    )
    bounds.note(f"{statistics.median(spent for _, spent in found):.1f} s of processor, of all of Airflow's processes")
    return bounds.close()


def _known(airflow: Any, name: str) -> Callable[[], bool]:
    return lambda: bool(airflow.knows(name))


if __name__ == "__main__":
    sys.exit(main())
