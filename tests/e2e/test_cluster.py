"""An experiment of the catalog and a dropped run, on PostgreSQL, Redis, two Celery workers, two schedulers and S3."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import cluster
from e2e import many
from e2e.conftest import Airflow, wait_for
from e2e.on_a_cluster import ClusterAirflow, running_cluster
from faultset import simulator
from faultset.storage.bucket import Bucket

pytestmark = pytest.mark.e2e

CATALOGED = "glance-api-restart"


@dataclass(frozen=True)
class InBucket:
    bucket: Bucket

    def put(self, path: Path, name: str) -> None:
        self.bucket.put_file(path, name)

    def files(self, under: str) -> dict[str, bytes]:
        found = self.bucket.list(under)
        return {entry.key.removeprefix(f"{under}/"): (self.bucket.get(entry.key) or (b"",))[0] for entry in found}


@dataclass(frozen=True)
class Way:
    """What became of an experiment of the catalog and of a dropped run, under one Airflow."""

    airflow: Airflow
    place: InBucket
    dropped: str


def go(airflow: Airflow, place: InBucket, folder: Path) -> Way:
    """Drop a run, rebuild, approve what has to be; return once both experiments have a version."""
    many.sample(folder / CATALOGED, seed=1)
    for path in sorted((folder / CATALOGED).rglob("*")):
        if path.is_file():
            place.put(path, f"catalog/{path.relative_to(folder).as_posix()}")
    simulator.simulate("nova-compute-restart", folder / "night-run", seed=5, iterations=30)
    packed = Path(shutil.make_archive(str(folder / "night-run"), "zip", folder / "night-run"))
    wait_for("the DAGs", lambda: airflow.knows("validate_reports") and airflow.knows("publish_dataset"))
    place.put(packed, f"inbox/{packed.name}")
    assert airflow.run("rebuild_datasets", {})["state"] == "success"
    verdict = wait_for("the verdict", lambda: next(iter(place.files("inbox/verdicts").values()), None))
    slug = json.loads(verdict)["slug"]
    assert json.loads(verdict)["accepted"]
    wait_for("the question", lambda: asked(airflow, slug))
    airflow.answer(asked(airflow, slug) or "", "Approve", reason="it is what we ran")
    for name in (CATALOGED, slug):
        wait_for(f"a version of {name}", lambda name=name: "latest.json" in place.files(f"datasets/{name}"))
    return Way(airflow, place, slug)


def asked(airflow: Airflow, slug: str) -> str | None:
    """Return the run that asks about an experiment."""
    found = (one for one in airflow.questions() if one["subject"].startswith(f"Publish {slug} "))
    return next((one["task_instance"]["dag_run_id"] for one in found), None)


@pytest.fixture(scope="module")
def on_a_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with running_cluster({"FAULTSET_INBOX_SETTLE_S": "2"}) as airflow:
        bucket = InBucket(Bucket.at(f"s3://{cluster.BUCKET}"))
        yield go(airflow, bucket, tmp_path_factory.mktemp("dropped"))


def test_both_schedulers_and_both_workers_run_until_the_end(on_a_cluster: Way) -> None:
    assert isinstance(on_a_cluster.airflow, ClusterAirflow)
    starts = {name: part.starts for name, part in on_a_cluster.airflow.parts_of.parts.items()}
    assert {"scheduler-1", "scheduler-2", "worker-1", "worker-2", "postgres", "redis", "s3"} <= set(starts)
    assert set(starts.values()) == {1}


def test_every_process_has_the_settings_of_its_container(on_a_cluster: Way) -> None:
    assert isinstance(on_a_cluster.airflow, ClusterAirflow)
    parts = on_a_cluster.airflow.parts_of
    declared = yaml.safe_load(cluster.COMPOSE.read_text())["services"]
    compared = 0
    for name, part in parts.parts.items():
        service = declared[name.rstrip("-12")]
        if service.get("command", [])[:1] != ["airflow"]:
            continue
        has = part.environment  # all of it, as the process is given it
        mine = {key for key in has if key.startswith(("AIRFLOW_", "FAULTSET_"))}
        assert mine - set(service["environment"]) <= {*cluster.LOCAL, "AIRFLOW_HOME", *on_a_cluster.airflow.environment}
        for key, value in service["environment"].items():
            if key not in cluster.LOCAL:
                assert neutral(has[key], parts) == neutral(value, parts), (name, key)
                compared += 1
    assert compared > 7 * 20


def neutral(text: str, parts: cluster.Cluster) -> str:
    """Return a setting without where things are: the folders of the image or of here, the API server's address."""
    for there, here in (
        ("/opt/airflow/dags", f"{cluster.ROOT}/dags"),
        ("/opt/airflow/plugins", f"{cluster.ROOT}/plugins"),
        ("/run/secrets", f"{parts.folder}/secrets"),
        ("/opt/airflow", f"{parts.folder}"),
        ("api-server:8080", f"127.0.0.1:{parts.port}"),
    ):
        text = text.replace(here, there)
    return text
