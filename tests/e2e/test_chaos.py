"""Parts die, freeze and answer wrongly while experiments change, runs are dropped, datasets are rebuilt and published.

``FAULTSET_TEST_CHAOS_ROUNDS`` says how many rounds (100 with ``FAULTSET_LONG_TESTS=1``), ``FAULTSET_TEST_CHAOS_SEED``
from which seed. What is set off each round stands for the schedule's next beat; nothing is cleared, restarted by hand
or mended.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

import cluster
from chaos import Chaos, Fault, faults
from e2e import many
from e2e.conftest import wait_for
from e2e.on_a_cluster import ClusterAirflow, running_cluster
from faultset import catalog, pipeline, simulator
from faultset.inbox import claims
from faultset.pipeline.building import inputs_of
from faultset.release import fingerprint
from faultset.settings import Settings
from faultset.storage.bucket import Bucket
from s3 import S3, link_to

pytestmark = pytest.mark.e2e

LONG = os.environ.get("FAULTSET_LONG_TESTS") == "1"
ROUNDS = int(os.environ.get("FAULTSET_TEST_CHAOS_ROUNDS") or ("100" if LONG else "3"))
SEED = int(os.environ.get("FAULTSET_TEST_CHAOS_SEED") or "1")
ROUND_S = 8.0
DROPPED_EACH = 8  # rounds
EXPERIMENTS = [f"lab-{number}" for number in range(3)]
DAGS = ("rebuild_datasets", "publish_dataset", "validate_reports", "maintain_datasets")
FINAL = {"success", "failed"}
# A task that was lost with its worker is taken up again after a minute, and so on for a few tries.
QUIET_S = 1500.0


@dataclass
class Lab:
    """People who change experiments, drop runs and approve, and a clock that runs faster than Airflow's."""

    airflow: ClusterAirflow
    chaos: Chaos
    folder: Path
    bucket: Bucket
    settings: Settings
    current: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)

    # --- what people do, past the storage's troubles, which are the cluster's -----------------------------------------

    def change(self, slug: str, seed: int) -> None:
        folder = self.folder / slug
        shutil.rmtree(folder, ignore_errors=True)
        many.sample(folder, seed=seed)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.bucket.put_file(path, f"catalog/{path.relative_to(self.folder).as_posix()}")
        self.current[slug] = seed

    def drop(self, seed: int) -> None:
        run = self.folder / f"run-{seed}"
        simulator.simulate("nova-compute-restart", run, seed=seed, iterations=20)
        if self.dropped:  # the first of them is asked about
            path = run / "experiment.yaml"
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "approval": "never"}))
        packed = Path(shutil.make_archive(str(run), "zip", run))
        self.bucket.put_file(packed, f"inbox/{packed.name}")
        self.dropped.append(packed.name)

    def approve(self) -> None:
        for asked in self.airflow.questions():
            if not asked["response_received"]:
                self.airflow.answer(asked["task_instance"]["dag_run_id"], "Approve")

    # --- Airflow's clock ----------------------------------------------------------------------------------------------

    def beat(self) -> None:
        """Set off what the clock would set off later, where it is not under way."""
        for dag_id in ("rebuild_datasets", "publish_dataset"):
            if not any(run["conf"] == {} for run in self.unfinished(dag_id)):
                self.airflow.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": {}})

    def unfinished(self, dag_id: str) -> list[dict[str, Any]]:
        states = "&".join(f"state={state}" for state in ("queued", "running"))
        found: list[dict[str, Any]] = self.airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?{states}")["dag_runs"]
        return found

    def try_to(self, do: Callable[[], None]) -> None:
        """Do it as people do: where Airflow does not answer, later."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            do()

    # --- rounds -------------------------------------------------------------------------------------------------------

    def play(self, number: int, round_of: list[Fault]) -> None:
        slug = EXPERIMENTS[number % len(EXPERIMENTS)]
        if number % DROPPED_EACH == 2:
            self.drop(1000 + number)
        else:
            self.change(slug, 100 + number)
        began, waiting = time.monotonic(), list(round_of)
        self.say(f"round {number + 1}: {', '.join(map(str, round_of))}")
        self.try_to(self.beat)
        while waiting or time.monotonic() - began < ROUND_S:
            while waiting and time.monotonic() - began >= waiting[0].after_s:
                self.chaos.bring(waiting.pop(0))
            self.try_to(self.approve)
            time.sleep(0.5)

    def settle(self) -> None:
        """End all faults, and wait until everything is published and nothing is under way."""
        self.chaos.end()
        began = time.monotonic()
        wait_for("a healthy Airflow", self.airflow.parts_of.healthy)
        wait_for("an end of all work", self.is_done, QUIET_S)
        self.say(f"settled after {time.monotonic() - began:.0f} s")

    def is_done(self) -> bool:
        try:
            self.approve()
            if any(self.unfinished(dag_id) for dag_id in DAGS):
                time.sleep(2)
                return False
            if self.published():
                return True
            self.beat()
            time.sleep(5)
        except OSError:
            return False
        return False

    # --- what came of it ----------------------------------------------------------------------------------------------

    def verdicts(self) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for entry in self.bucket.list("inbox/verdicts"):
            verdict = json.loads((self.bucket.get(entry.key) or (b"",))[0])
            found.setdefault(verdict["name"], []).append(verdict)
        return found

    def slugs(self) -> list[str]:
        """Return every experiment that there is: those of the catalog, and one for each run that was dropped."""
        return sorted({*self.current, *(said[0]["slug"] for said in self.verdicts().values())})

    def published(self) -> bool:
        """Whether every run has a verdict, and the latest version of every experiment is of its content of now."""
        if set(self.dropped) != set(self.verdicts()):
            return False
        return all(self.fingerprints(slug)[-1:] == [self.wanted(slug)] for slug in self.slugs())

    def wanted(self, slug: str) -> str:
        """Return the fingerprint of what the catalog has now."""
        experiment = catalog.read_experiment(self.settings.catalog, slug)
        return fingerprint.fingerprint(inputs_of(experiment), experiment.canonical_json())

    def fingerprints(self, slug: str) -> list[str]:
        """Return what each version of an experiment was made of, the latest version last."""
        latest = json.loads((self.bucket.get(f"datasets/{slug}/latest.json") or (b"{}",))[0]).get("version")
        found = {}
        for version in self.bucket.folders(f"datasets/{slug}"):
            manifest = self.bucket.get(f"datasets/{slug}/{version}/manifest.json")
            if manifest is not None:
                found[version] = json.loads(manifest[0])["fingerprint"]
        return [mark for _, mark in sorted(found.items(), key=lambda each: each[0] == latest)]

    def tasks(self, *states: str) -> list[str]:
        """Return the tasks that are in one of these states, in words."""
        asked = "&".join(f"state={state}" for state in states)
        found = self.airflow.call("GET", f"/api/v2/dags/~/dagRuns/~/taskInstances?limit=100&{asked}")
        return [f"{one['dag_id']} {one['task_id']}: {one['state']}" for one in found["task_instances"]]

    def runs(self) -> Counter[str]:
        """Return how many runs of each DAG ended how."""
        found: Counter[str] = Counter()
        for dag_id in DAGS:
            for state in sorted(FINAL):
                answer = self.airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?limit=1&state={state}")
                found[f"{dag_id} {state}"] = answer["total_entries"]
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with contextlib.ExitStack() as until_done:
        links = []

        def before(address: str) -> str:
            links.append(until_done.enter_context(link_to(S3(f"http://{address}"))))
            return links[0].endpoint.removeprefix("http://")

        environment = {"FAULTSET_INBOX_SETTLE_S": "2", "FAULTSET_S3_RETRY_SECONDS": "20"}
        airflow = until_done.enter_context(running_cluster(environment, before))
        here = f"s3://{cluster.BUCKET}"
        settings = Settings(f"{here}/catalog", f"{here}/datasets", str(tmp_path_factory.mktemp("here")))
        folder = tmp_path_factory.mktemp("lab")
        made = Lab(airflow, Chaos(airflow.parts_of, links[0]), folder, Bucket.at(here), settings)
        wait_for("the DAGs", lambda: all(airflow.knows(dag_id) for dag_id in DAGS))
        for number, round_of in enumerate(faults(SEED, ROUNDS)):
            made.play(number, round_of)
        made.settle()
        made.say(made.chaos.told())
        made.say(json.dumps(made.runs()))
        yield made


def test_every_content_is_published_exactly_once(lab: Lab) -> None:
    versions = {slug: lab.fingerprints(slug) for slug in lab.slugs()}
    lab.say(f"{sum(map(len, versions.values()))} versions of {len(versions)} experiments, {len(lab.dropped)} dropped")
    assert lab.published()
    assert {slug: marks for slug, marks in versions.items() if len(set(marks)) != len(marks)} == {}


def test_every_dropped_run_has_one_verdict(lab: Lab) -> None:
    verdicts = lab.verdicts()
    assert sorted(verdicts) == sorted(lab.dropped)
    assert {name for name, said in verdicts.items() if len(said) != 1 or not said[0]["accepted"]} == set()


def test_every_version_verifies(lab: Lab) -> None:
    assert pipeline.verify(lab.settings) == []


def test_nothing_is_stuck(lab: Lab) -> None:
    assert {dag_id: runs for dag_id in DAGS if (runs := lab.unfinished(dag_id))} == {}
    assert lab.tasks("queued", "scheduled", "running", "restarting", "up_for_retry", "deferred") == []
    work = lab.airflow.home / "work"
    assert claims.open_claims(work / ".inbox") == []
    assert [path for path in (work / ".inbox" / ".bringing").iterdir() if path.name != "lock"] == []
    left = [entry.key for entry in lab.bucket.list("inbox")]
    assert [key for key in left if key.split("/")[1] not in {"accepted", "quarantine", "verdicts", "taken"}] == []


def test_every_part_runs_and_maintenance_finds_a_whole_set_up(lab: Lab) -> None:
    assert lab.airflow.run("maintain_datasets", {})["state"] == "success"
    assert {name: part.running() for name, part in lab.airflow.parts_of.parts.items() if part.wanted} == {
        name: True for name, part in lab.airflow.parts_of.parts.items() if part.wanted
    }
