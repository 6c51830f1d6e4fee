"""Runs dropped into the inbox on a real scheduler: one verdict each, also where a part of Airflow is killed."""

from __future__ import annotations

import collections
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Airflow, running_airflow, wait_for
from faultset import simulator
from faultset.inbox import claims, filing, landing
from faultset.inbox.verdicts import Verdict

pytestmark = pytest.mark.e2e

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
MANY = int(os.environ.get("FAULTSET_TEST_RUNS", "100"))
GROWS_S = 15


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    base = tmp_path_factory.mktemp("inbox")
    for name in ("catalog", "inbox"):
        (base / name).mkdir()
    environment = {
        "FAULTSET_CATALOG": str(base / "catalog"),
        "FAULTSET_DATASETS": str(base / "datasets"),
        "FAULTSET_INBOX": str(base / "inbox"),
        "FAULTSET_INBOX_SETTLE_S": "3",
    }
    with running_airflow(base / "airflow", environment, PARTS) as running:
        # What follows an accepted run has tests of its own.
        pause(running, "publish_dataset")
        pause(running, "rebuild_datasets")
        yield running


def pause(airflow: Airflow, dag_id: str) -> None:
    wait_for(f"the DAG {dag_id}", lambda: airflow.knows(dag_id), 120)
    airflow.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})


@pytest.fixture
def inbox(airflow: Airflow) -> Path:
    return Path(airflow.environment["FAULTSET_INBOX"])


def runs(folder: Path, count: int, seed: int) -> dict[str, Path]:
    """Make runs beside the inbox: of five, two are good, two are bad, one holds what another holds; some packed."""
    made: dict[str, Path] = {}
    first: Path | None = None
    for number in range(count):
        path = folder / f"s{seed}-{number:03}"
        kind = number % 5
        if kind == 4 and first is not None:
            shutil.copytree(first, path)
        else:
            simulator.simulate("glance-api-restart", path, seed=seed * 1000 + number, iterations=120, metric_seconds=60)
            keep = {"report.html", "os-faults.yaml", "scripts"} if kind < 2 else {"report.html"}
            for entry in path.iterdir():
                if entry.name not in keep:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            first = first or path
        if kind == 1:
            path = Path(shutil.make_archive(str(path), "zip" if number % 2 else "gztar", path))
            shutil.rmtree(path.parent / path.name.partition(".")[0])
        made[path.name] = path
    return made


def drop(made: dict[str, Path], inbox: Path) -> None:
    for name, path in made.items():
        path.rename(inbox / name)


def keep_growing(inbox: Path, names: list[str]) -> threading.Thread:
    """Drop runs that somebody is still copying for a while."""

    def copy() -> None:
        end = time.monotonic() + GROWS_S
        while time.monotonic() < end:
            for name in names:
                (inbox / name).mkdir(exist_ok=True)
                with (inbox / name / "report.html").open("a") as file:
                    file.write("<!DOCTYPE html> Rally\n")
            time.sleep(0.5)

    thread = threading.Thread(target=copy)
    thread.start()
    return thread


def verdicts_on(inbox: Path, names: set[str]) -> list[Verdict]:
    return [verdict for verdict in filing.recorded(inbox) if verdict.name in names]


def judged(inbox: Path, names: set[str], seconds: float) -> list[Verdict]:
    """Wait until every run has a verdict and nothing is under way, and return the verdicts."""

    def done() -> list[Verdict] | None:
        found = verdicts_on(inbox, names)
        quiet = not claims.open_claims(inbox) and not landing.look(inbox, 0, time.time())
        return found if quiet and {one.name for one in found} == names else None

    return wait_for(f"verdicts on {len(names)} runs", done, seconds)


def each_once(found: list[Verdict], names: set[str]) -> None:
    counts = collections.Counter(one.name for one in found)
    assert set(counts) == names
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_each_of_many_runs_dropped_at_once_gets_one_verdict(airflow: Airflow, inbox: Path, tmp_path: Path) -> None:
    growing = [f"growing-{number}" for number in range(MANY // 20)]
    made = runs(tmp_path, MANY - len(growing), seed=1)
    names = {*made, *growing}
    wait_for("validate_reports", lambda: airflow.knows("validate_reports"), 120)
    started = time.monotonic()
    thread = keep_growing(inbox, growing)
    drop(made, inbox)
    assert time.monotonic() - started < 1
    thread.join()
    found = judged(inbox, names, 300)
    print(f"{len(names)} verdicts after {time.monotonic() - started:.0f} s")
    each_once(found, names)
    by_name = {one.name: one for one in found}
    assert all(by_name[name].accepted == (int(name[3:6]) % 5 in {0, 1, 4}) for name in made)
    assert not any(by_name[name].accepted for name in growing)
    assert any(one.same_as for one in found)


def test_what_was_accepted_is_in_the_catalog_and_its_rebuild_asked_for(airflow: Airflow, inbox: Path) -> None:
    accepted = {one.slug for one in filing.recorded(inbox) if one.accepted}
    catalog = Path(airflow.environment["FAULTSET_CATALOG"])
    assert accepted
    assert accepted == {path.parent.name for path in catalog.glob("*/experiment.yaml")}

    def rebuilt() -> list[dict[str, Any]]:
        answer = airflow.call("GET", "/api/v2/dags/rebuild_datasets/dagRuns?limit=100")
        return [run for run in answer["dag_runs"] if run["conf"] and run["conf"].get("experiments")]

    asked = {slug for run in wait_for("a rebuild", rebuilt, 120) for slug in run["conf"]["experiments"]}
    assert asked <= accepted


def test_the_same_content_again_is_answered_at_once_and_a_mended_run_anew(
    airflow: Airflow, inbox: Path, tmp_path: Path
) -> None:
    rejected = next(one for one in filing.recorded(inbox) if not one.accepted and one.name.startswith("s1-"))
    kept = inbox / "quarantine" / rejected.content_sha256 / "dropped" / rejected.arrival / rejected.name
    shutil.copytree(kept, tmp_path / "again")
    shutil.copytree(kept, tmp_path / "mended")
    simulator.simulate("glance-api-restart", tmp_path / "other", seed=7, iterations=120, metric_seconds=60)
    shutil.copy(tmp_path / "other" / "os-faults.yaml", tmp_path / "mended")
    drop({"again": tmp_path / "again", "mended": tmp_path / "mended"}, inbox)
    found = {one.name: one for one in judged(inbox, {"again", "mended"}, 180)}
    assert (found["again"].same_as, found["again"].accepted) == (rejected.arrival, False)
    assert (found["mended"].same_as, found["mended"].accepted) == (None, True)


def test_a_report_is_judged_by_hand_where_it_lies(airflow: Airflow, inbox: Path, tmp_path: Path) -> None:
    run = tmp_path / "by-hand"
    simulator.simulate("glance-api-restart", run, seed=9, iterations=120, metric_seconds=60)
    asked = {"report": str(run / "report.html"), "cluster": str(run / "os-faults.yaml")}
    ended = airflow.run("validate_reports", asked, 180)
    assert ended["state"] == "success"
    [verdict] = verdicts_on(inbox, {"report.html"})
    assert verdict.accepted
    assert (inbox / "by-hand" / verdict.arrival / "verdict" / "index.html").is_file()
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("victim", ["triggerer", "scheduler", "task"])
def test_nothing_is_lost_or_judged_twice_where_a_part_is_killed(
    airflow: Airflow, inbox: Path, tmp_path: Path, victim: str
) -> None:
    made = runs(tmp_path, 15, seed={"triggerer": 2, "scheduler": 3, "task": 4}[victim])
    names = set(made)
    if victim == "triggerer":
        drop(made, inbox)
        airflow.kill_and_restart("triggerer")
    else:
        drop(made, inbox)
        wait_for("the first verdicts", lambda: verdicts_on(inbox, names), 240)
        airflow.kill_and_restart("scheduler") if victim == "scheduler" else kill_the_judge()
    each_once(judged(inbox, names, 300), names)


def kill_the_judge() -> None:
    """Kill a process that judges, in the middle of a run."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"faultset.pipeline.judging_worker" in command:
                os.kill(int(entry.name), signal.SIGKILL)
                return
