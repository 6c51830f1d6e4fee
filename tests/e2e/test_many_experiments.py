"""Far more experiments than Airflow lets a task map, of which few changed, on a real scheduler.

``FAULTSET_TEST_EXPERIMENTS`` and ``FAULTSET_TEST_CHANGED`` say how many; ``FAULTSET_TEST_MAP_LENGTH`` how many may be
mapped; ``FAULTSET_TEST_CATALOG`` names a folder that ``many.make`` wrote before; ``FAULTSET_TEST_KINDS`` what telemetry
the experiments have.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e import many
from e2e.conftest import PATIENCE_S, Airflow, running_airflow, wait_for
from faultset import pipeline
from faultset.settings import Settings

pytestmark = pytest.mark.e2e

COUNT = int(os.environ.get("FAULTSET_TEST_EXPERIMENTS", "200"))
CHANGED = int(os.environ.get("FAULTSET_TEST_CHANGED", "4"))
MAP_LENGTH = os.environ.get("FAULTSET_TEST_MAP_LENGTH", "16")
MADE = os.environ.get("FAULTSET_TEST_CATALOG")
YOUNG_S = 61.0
PLAN_S = 60.0
MOST_TASKS = 64
LONG_S = PATIENCE_S + 10.0 * CHANGED
MOST_ROWS = 1000  # that a rebuild and its publishing add to the metadata database, beside an event a version
KEPT_OUTCOMES = 1000  # of experiments of a rebuild, in the metadata database


@dataclass
class Runs:
    """What two rebuilds came to: one that had to hash everything, and one after few changed.

    Attributes:
        tasks: of each rebuild, in order.
        outcomes: of each rebuild.
        rows: of the metadata database: before the first, before and after the second.
    """

    airflow: Airflow
    settings: Settings
    changed: list[str]
    tasks: list[list[dict[str, Any]]] = field(default_factory=list)
    outcomes: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, int]] = field(default_factory=list)

    def rebuild(self) -> None:
        run = self.airflow.run("rebuild_datasets", {}, LONG_S)
        path = f"/api/v2/dags/rebuild_datasets/dagRuns/{run['dag_run_id']}/taskInstances"
        assert run["state"] == "success", self.airflow.call("GET", f"{path}?limit=100")
        self.tasks.append(self.airflow.call("GET", f"{path}?limit=100")["task_instances"])
        self.outcomes.append(self.airflow.call("GET", f"{path}/report/xcomEntries/outcomes")["value"])

    def versions(self, slug: str) -> list[str]:
        return sorted(path.name for path in (Path(self.settings.datasets) / slug).iterdir() if path.is_dir())

    def published(self) -> bool:
        return all(self.latest(slug) != "1.0.0" for slug in self.changed)

    def latest(self, slug: str) -> str:
        version: str = json.loads((Path(self.settings.datasets) / slug / "latest.json").read_text())["version"]
        return version


def seconds(task: dict[str, Any]) -> float:
    start, end = (dt.datetime.fromisoformat(task[key]) for key in ("start_date", "end_date"))
    return (end - start).total_seconds()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Runs]:
    base = tmp_path_factory.mktemp("many")
    place = Path(MADE) if MADE else base
    settings = Settings(str(place / "catalog"), str(place / "datasets"))
    if not MADE:
        (base / "catalog").mkdir()
        many.make(settings, COUNT, CHANGED)
    environment = {"FAULTSET_CATALOG": settings.catalog, "FAULTSET_DATASETS": settings.datasets}
    with running_airflow(
        base / "airflow", environment, configuration={"max_map_length": MAP_LENGTH}, migrated=migrated
    ) as airflow:
        made = Runs(airflow, settings, many.names(CHANGED))
        # A file that changed within the last minute is hashed each time.
        time.sleep(many.age(settings, YOUNG_S))
        made.rows.append(airflow.rows())
        made.rebuild()
        for seed, slug in enumerate(made.changed, start=100):
            many.change(settings, slug, seed)
        made.rows.append(airflow.rows())
        made.rebuild()
        wait_for("a version of each that changed", made.published, LONG_S)
        made.rows.append(airflow.rows())
        yield made


def test_what_nobody_looked_at_before_is_hashed_in_few_batches(runs: Runs) -> None:
    assert int(MAP_LENGTH) < COUNT
    assert len(runs.tasks[0]) <= MOST_TASKS
    batches = [task for task in runs.tasks[0] if task["task_id"] == "small.build"]
    assert 1 < len(batches) <= int(MAP_LENGTH)
    assert set(runs.outcomes[0].values()) <= {"unchanged"}


def test_few_changes_among_very_many_are_found_by_a_look(runs: Runs) -> None:
    [plan] = [task for task in runs.tasks[1] if task["task_id"] == "plan"]
    print(f"{COUNT} experiments, {CHANGED} changed: decided in {seconds(plan):.1f} s, {len(runs.tasks[1])} tasks")
    assert seconds(plan) < PLAN_S
    assert len(runs.tasks[1]) <= MOST_TASKS
    told = {slug: outcome for slug, outcome in runs.outcomes[1].items() if outcome != "unchanged"}
    assert set(told) <= set(runs.changed)
    assert len(told) == min(CHANGED, KEPT_OUTCOMES)
    assert set(told.values()) == {"candidate"}


def test_what_changed_is_published_once_and_nothing_else_is(runs: Runs) -> None:
    assert {slug: len(runs.versions(slug)) for slug in runs.changed} == dict.fromkeys(runs.changed, 2)
    others = [slug for slug in many.names(COUNT) if slug not in runs.changed]
    assert {slug for slug in others if runs.versions(slug) != ["1.0.0"]} == set()
    assert pipeline.plan_publishing("a look", runs.settings) == ()


def test_the_metadata_database_grows_by_few_rows_however_many_experiments_there_are(runs: Runs) -> None:
    grown = {
        table: count - runs.rows[1].get(table, 0)
        for table, count in runs.rows[2].items()
        if count != runs.rows[1].get(table, 0)
    }
    print(f"{sum(grown.values())} rows: {grown}")
    assert sum(grown.values()) <= MOST_ROWS + CHANGED


def test_a_pause_piles_up_nothing(runs: Runs) -> None:
    def counted() -> int:
        answer = runs.airflow.call("GET", "/api/v2/dags/publish_dataset/dagRuns?limit=1")
        return int(answer["total_entries"])

    def idle() -> bool:
        answer = runs.airflow.call("GET", "/api/v2/dags/publish_dataset/dagRuns?limit=100")
        return all(run["state"] in {"success", "failed"} for run in answer["dag_runs"])

    wait_for("the end of all looks", idle)
    before = counted()
    runs.airflow.call("PATCH", "/api/v2/dags/publish_dataset", {"is_paused": True})
    [asset] = runs.airflow.call("GET", "/api/v2/assets?name_pattern=faultset_candidates")["assets"]
    for _ in range(20):
        runs.airflow.call("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": {}})
    runs.airflow.call("PATCH", "/api/v2/dags/publish_dataset", {"is_paused": False})
    # What happened during the pause sets nothing off; the next event, or the clock, looks at all of it.
    runs.airflow.call("POST", "/api/v2/assets/events", {"asset_id": asset["id"], "extra": {}})
    wait_for("a look after the pause", lambda: counted() > before)
    wait_for("the end of all looks", idle)
    assert counted() <= before + 2  # and one by the clock
