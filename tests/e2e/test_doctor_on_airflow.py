"""The doctor beside a real Airflow: all is well, and of each thing that is not, one line says what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import ROOT, Airflow, running_airflow, wait_for
from faultset import simulator

pytestmark = pytest.mark.e2e

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
SOUND, BROKEN = "sound", "broken"
# Seconds after which a part that does not report is unwell; by default half a minute.
SOON = {"scheduler_health_check_threshold": "12"}


@dataclass(frozen=True)
class Doctor:
    """``faultset doctor``, as an operator runs it beside Airflow."""

    airflow: Airflow

    def checks(self, **environment: str) -> dict[str, dict[str, Any]]:
        """Check -> what is said of it; ``environment`` is beside that of Airflow's processes."""
        asked = {
            **self.airflow.environment,
            "FAULTSET_AIRFLOW_URL": f"http://127.0.0.1:{self.airflow.port}",
            "FAULTSET_AIRFLOW_TOKEN": self.airflow.token,
        }
        done = subprocess.run(
            [str(ROOT / "tools" / "run"), "faultset", "doctor", "--json"],
            env={**os.environ, **asked, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        found = {one["check"]: one for one in json.loads(done.stdout)["checks"]}
        assert done.returncode == int(any(not one["ok"] for one in found.values())), done.stderr
        assert all("\n" not in one["detail"] and len(one["detail"]) < 400 for one in found.values())
        return found

    def unwell(self, **environment: str) -> dict[str, str]:
        """Check -> what is wrong."""
        found = {name: one for name, one in self.checks(**environment).items() if not one["ok"]}
        assert all(one["remedy"] for one in found.values())
        return {name: one["detail"] for name, one in found.items()}


@pytest.fixture(scope="module")
def doctor(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Doctor]:
    """Beside an Airflow whose one experiment was rebuilt and published."""
    base = tmp_path_factory.mktemp("doctor")
    experiment(base / "catalog" / SOUND)
    (base / "inbox").mkdir()
    environment = {
        "FAULTSET_CATALOG": str(base / "catalog"),
        "FAULTSET_DATASETS": str(base / "datasets"),
        "FAULTSET_INBOX": str(base / "inbox"),
    }
    with running_airflow(base / "airflow", environment, PARTS, configuration=SOON, migrated=migrated) as airflow:
        airflow.run("rebuild_datasets", {})
        wait_for("the version", (base / "datasets" / SOUND / "latest.json").exists)
        wait_for("all DAGs", lambda: not {"airflow", "dags"} & Doctor(airflow).unwell().keys())
        yield Doctor(airflow)


def experiment(folder: Path) -> None:
    simulator.simulate("glance-api-restart", folder, seed=1, iterations=30, metric_seconds=60)
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "telemetry": [], "approval": "never"}))


def test_all_is_well_with_an_airflow_that_is_set_up_well(doctor: Doctor) -> None:
    checks = doctor.checks()
    assert {name: one["detail"] for name, one in checks.items() if not one["ok"]} == {}
    assert checks["airflow"]["detail"].startswith("metadatabase, scheduler, triggerer, dag_processor are well, at http")
    assert checks["dags"]["detail"] == "all 5 are read, none is paused"
    assert checks["fresh"]["detail"].startswith("all 1 experiment, by the rebuild that ended ")


def test_a_dag_that_is_paused_is_named(doctor: Doctor) -> None:
    path = "/api/v2/dags/rebuild_datasets"
    doctor.airflow.call("PATCH", path, {"is_paused": True})
    try:
        assert doctor.unwell() == {"dags": "rebuild_datasets paused"}
    finally:
        doctor.airflow.call("PATCH", path, {"is_paused": False})


def test_a_connection_that_is_missing_is_named_with_what_names_it(doctor: Doctor) -> None:
    airflow = doctor.airflow
    told = "the_store, which FAULTSET_S3_CONNECTION names, does not exist"
    assert doctor.unwell(FAULTSET_S3_CONNECTION="the_store") == {"connections": told}
    airflow.call("POST", "/api/v2/connections", {"connection_id": "the_store", "conn_type": "aws"})
    assert doctor.unwell(FAULTSET_S3_CONNECTION="the_store") == {}
    assert doctor.unwell(FAULTSET_S3_CONNECTION="another", AIRFLOW_CONN_ANOTHER="aws://") == {
        "connections": "another, which FAULTSET_S3_CONNECTION names, does not exist"
    }


def test_a_pool_that_is_missing_or_has_no_slots_is_named(doctor: Doctor) -> None:
    assert doctor.unwell(FAULTSET_POOL_LARGE="big") == {"pools": "big does not exist"}
    pool = {"name": "big", "slots": 0, "description": "for the large ones", "include_deferred": False}
    doctor.airflow.call("POST", "/api/v2/pools", pool)
    assert doctor.unwell(FAULTSET_POOL_LARGE="big") == {"pools": "big has no slots"}


def test_a_dataset_that_its_rebuild_fails_is_named(doctor: Doctor) -> None:
    folder = Path(doctor.airflow.environment["FAULTSET_CATALOG"]) / BROKEN
    experiment(folder)
    report = folder / "report.html"
    report.write_bytes(report.read_bytes()[: report.stat().st_size // 2])
    doctor.airflow.run("rebuild_datasets", {})
    assert doctor.unwell() == {"fresh": f"1 of 2: {BROKEN}, for 36 h or ever"}


def test_dag_files_that_cannot_be_read_are_named_with_the_reason(doctor: Doctor) -> None:
    airflow = doctor.airflow
    usual = dict(airflow.environment)
    airflow.environment["FAULTSET_NOTIFIERS"] = '[{"class": "nowhere.Bell"}]'
    airflow.kill_and_restart("dag-processor")
    try:
        wait_for("import errors", lambda: airflow.call("GET", "/api/v2/importErrors")["total_entries"] >= 5)
        told = doctor.unwell()["dags"]
    finally:
        airflow.environment.clear()
        airflow.environment.update(usual)
        airflow.kill_and_restart("dag-processor")
    why = "ModuleNotFoundError: No module named 'nowhere'; 4 more DAG files cannot be read either"
    assert told == f"rebuild_datasets.py cannot be read: {why}"


@pytest.mark.parametrize("part", ["triggerer", "scheduler"])
def test_a_part_that_was_stopped_is_named(doctor: Doctor, part: str) -> None:
    airflow, said = doctor.airflow, f"{part} is unhealthy"
    os.killpg(airflow.processes[PARTS.index(part)].pid, signal.SIGSTOP)
    try:
        # On a busy machine another part's heartbeat may be late for a moment, too.
        wait_for(f"{said!r}", lambda: doctor.unwell().get("airflow") == said)
    finally:
        os.killpg(airflow.processes[PARTS.index(part)].pid, signal.SIGCONT)
    wait_for("that it is well again", lambda: "airflow" not in doctor.unwell())
