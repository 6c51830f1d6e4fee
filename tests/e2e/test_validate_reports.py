"""Runs dropped into the inbox on a real scheduler: one verdict each, also where a part of Airflow is killed."""

from __future__ import annotations

import collections
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import Airflow, running_airflow, wait_for
from faultset import simulator
from faultset.inbox import claims, filing, landing
from faultset.inbox.verdicts import Verdict

pytestmark = pytest.mark.e2e

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
MANY = int(os.environ.get("FAULTSET_TEST_RUNS", "100"))


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Airflow]:
    base = tmp_path_factory.mktemp("inbox")
    for name in ("catalog", "inbox"):
        (base / name).mkdir()
    environment = {
        "FAULTSET_CATALOG": str(base / "catalog"),
        "FAULTSET_DATASETS": str(base / "datasets"),
        "FAULTSET_INBOX": str(base / "inbox"),
        "FAULTSET_INBOX_SETTLE_S": "3",
    }
    with running_airflow(base / "airflow", environment, PARTS, migrated=migrated) as running:
        # What follows an accepted run has tests of its own.
        pause(running, "publish_dataset")
        pause(running, "rebuild_datasets")
        yield running


def pause(airflow: Airflow, dag_id: str) -> None:
    wait_for(f"the DAG {dag_id}", lambda: airflow.knows(dag_id))
    airflow.call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})


@pytest.fixture
def inbox(airflow: Airflow) -> Path:
    """The inbox of an Airflow that is well, whatever an earlier test did to it."""
    airflow.wait_until_healthy()
    wait_for("the DAG that judges", lambda: airflow.knows("validate_reports"))
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


def growing(inbox: Path, names: list[str]) -> list[Path]:
    """Drop runs that somebody is still copying and return the files under way, whose names say so."""
    begun = []
    for name in names:
        (inbox / name).mkdir()
        begun.append(inbox / name / "report.html.part")
        begun[-1].write_text("<!DOCTYPE html> Rally\n")
    return begun


def verdicts_on(inbox: Path, names: set[str]) -> list[Verdict]:
    return [verdict for verdict in filing.recorded(inbox) if verdict.name in names]


def judged(inbox: Path, names: set[str]) -> list[Verdict]:
    """Wait until every one of these runs has a verdict and none is under way, and return the verdicts."""

    def done() -> list[Verdict] | None:
        claimed = [claims.read_claim(inbox, arrival) for arrival in claims.open_claims(inbox)]
        waiting = {one.name for one in (*claimed, *landing.look(inbox, 0, time.time())) if one}
        found = verdicts_on(inbox, names)
        return found if not waiting & names and {one.name for one in found} == names else None

    return wait_for(f"verdicts on {len(names)} runs", done)


def each_once(found: list[Verdict], names: set[str]) -> None:
    counts = collections.Counter(one.name for one in found)
    assert set(counts) == names
    assert {name: count for name, count in counts.items() if count != 1} == {}


def test_each_of_many_runs_dropped_at_once_gets_one_verdict(airflow: Airflow, inbox: Path, tmp_path: Path) -> None:
    names_of_growing = [f"growing-{number}" for number in range(MANY // 20)]
    made = runs(tmp_path, MANY - len(names_of_growing), seed=1)
    started = time.monotonic()
    begun = growing(inbox, names_of_growing)
    drop(made, inbox)
    wait_for("the first verdicts", lambda: verdicts_on(inbox, set(made)))
    for part in begun:
        assert part.is_file()
        part.rename(part.with_suffix(""))
    names = {*made, *names_of_growing}
    found = judged(inbox, names)
    print(f"{len(names)} verdicts after {time.monotonic() - started:.0f} s")
    each_once(found, names)
    by_name = {one.name: one for one in found}
    assert {name: by_name[name].accepted for name in made} == {name: int(name[3:6]) % 5 in {0, 1, 4} for name in made}
    assert not any(by_name[name].accepted for name in names_of_growing)
    assert any(one.same_as for one in found)


def test_what_is_accepted_is_in_the_catalog_and_its_rebuild_asked_for(
    airflow: Airflow, inbox: Path, tmp_path: Path
) -> None:
    made = runs(tmp_path, 4, seed=5)
    drop(made, inbox)
    found = judged(inbox, set(made))
    accepted = {one.slug for one in found if one.accepted}
    assert len(accepted) == 2
    catalog = Path(airflow.environment["FAULTSET_CATALOG"])
    entries = {path.parent.name for path in catalog.glob("*/experiment.yaml")}
    assert {one.slug for one in found if one.slug in entries} == accepted

    def asked() -> set[str] | None:
        answer = airflow.call("GET", "/api/v2/dags/rebuild_datasets/dagRuns?limit=100")
        slugs = {slug for run in answer["dag_runs"] for slug in (run["conf"] or {}).get("experiments", ())}
        return slugs if slugs >= accepted else None

    assert wait_for("a rebuild of each", asked) <= entries


def test_the_same_content_again_is_answered_at_once_and_a_mended_run_anew(
    airflow: Airflow, inbox: Path, tmp_path: Path
) -> None:
    simulator.simulate("glance-api-restart", tmp_path / "whole", seed=7, iterations=120, metric_seconds=60)
    for name in ("bad", "again", "mended"):
        (tmp_path / name).mkdir()
        shutil.copy(tmp_path / "whole" / "report.html", tmp_path / name)
    shutil.copy(tmp_path / "whole" / "os-faults.yaml", tmp_path / "mended")
    drop({"bad": tmp_path / "bad"}, inbox)
    [rejected] = judged(inbox, {"bad"})
    assert not rejected.accepted
    drop({"again": tmp_path / "again", "mended": tmp_path / "mended"}, inbox)
    found = {one.name: one for one in judged(inbox, {"again", "mended"})}
    assert (found["again"].same_as, found["again"].accepted) == (rejected.arrival, False)
    assert (found["mended"].same_as, found["mended"].accepted) == (None, True)


def test_a_report_is_judged_by_hand_where_it_lies(airflow: Airflow, inbox: Path, tmp_path: Path) -> None:
    run = tmp_path / "by-hand"
    simulator.simulate("glance-api-restart", run, seed=9, iterations=120, metric_seconds=60)
    asked = {"report": str(run / "report.html"), "cluster": str(run / "os-faults.yaml")}
    ended = airflow.run("validate_reports", asked)
    assert ended["state"] == "success"
    [verdict] = verdicts_on(inbox, {"report.html"})
    assert verdict.accepted
    assert (inbox / "by-hand" / verdict.arrival / "verdict" / "index.html").is_file()
    assert (run / "report.html").is_file()


@pytest.mark.parametrize("victim", ["triggerer", "scheduler", "judge"])
def test_nothing_is_lost_or_judged_twice_where_a_part_is_killed(
    airflow: Airflow, inbox: Path, tmp_path: Path, victim: str
) -> None:
    made = runs(tmp_path, 15, seed={"triggerer": 2, "scheduler": 3, "judge": 4}[victim])
    names = set(made)
    drop(made, inbox)
    if victim == "triggerer":
        airflow.kill_and_restart("triggerer")
    elif victim == "scheduler":
        wait_for("the first verdicts", lambda: verdicts_on(inbox, names))
        airflow.kill_and_restart("scheduler")
    else:
        before = tried_again(airflow)
        wait_for("a judge in the middle of a run", lambda: kill_a_judge(inbox))
        wait_for("that it is tried again", lambda: tried_again(airflow) - before)
    each_once(judged(inbox, names), names)


def kill_a_judge(inbox: Path) -> bool:
    """Kill a process of this Airflow that judges, while its child is at a run; return whether there was one."""
    judges = dict(judges_of(inbox))
    for parent in set(judges) & set(judges.values()):
        os.kill(parent, signal.SIGKILL)
        return True
    return False


def judges_of(inbox: Path) -> Iterator[tuple[int, int]]:
    """Yield the processes that judge what lies in this inbox: its number and its parent's."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended, or is another user's
            continue
        if b"faultset.pipeline.judging_worker" in command and f"FAULTSET_INBOX={inbox}\0".encode() in environment:
            yield int(entry.name), parent


def tried_again(airflow: Airflow) -> set[tuple[str, int]]:
    """Return the runs and numbers of the tasks that judge and were tried more than once."""
    found = airflow.call("GET", "/api/v2/dags/validate_reports/dagRuns/~/taskInstances?task_id=judge&limit=100")
    return {(one["dag_run_id"], one["map_index"]) for one in found["task_instances"] if one["try_number"] > 1}
