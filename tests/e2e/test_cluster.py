"""The same experiments on PostgreSQL, Redis, two Celery workers, two schedulers and S3, and on the embedded default."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml

import cluster
from e2e import many
from e2e.conftest import Airflow, running_airflow, wait_for
from e2e.on_a_cluster import ClusterAirflow, running_cluster
from faultset import pipeline, simulator
from faultset.settings import Settings
from faultset.storage.bucket import Bucket

pytestmark = pytest.mark.e2e

CATALOGED = "glance-api-restart"
KEPT = (".candidates", ".inbox")  # of the work folder; everything else in it is made again
# Files that say when the version was made.
TELL_WHEN = {"manifest.json", "README.md", "croissant.json", "datapackage.json", "ro-crate-metadata.json"}


class Place(Protocol):
    """Where catalog, inbox and datasets lie."""

    def put(self, path: Path, name: str) -> None: ...
    def files(self, under: str) -> dict[str, bytes]: ...


@dataclass(frozen=True)
class Folder:
    root: Path

    def put(self, path: Path, name: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        new = self.root / name.replace("inbox/", "", 1)
        shutil.copy(path, new)
        new.rename(self.root / name)  # whole at once, as an object in a bucket is

    def files(self, under: str) -> dict[str, bytes]:
        found = (path for path in (self.root / under).rglob("*") if path.is_file())
        return {path.relative_to(self.root / under).as_posix(): path.read_bytes() for path in found}


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
    place: Place
    dropped: str

    def version(self, slug: str) -> dict[str, bytes]:
        return self.place.files(f"datasets/{slug}/1.0.0")


def go(airflow: Airflow, place: Place, folder: Path) -> Way:
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

    def published() -> bool:
        # Airflow asks again, and forgets the answer, where it came before the scheduler saw that the task waits.
        if again := asked(airflow, slug):
            airflow.answer(again, "Approve", reason="it is what we ran")
        return "latest.json" in place.files(f"datasets/{slug}")

    wait_for(f"a version of {slug}", published)
    wait_for(f"a version of {CATALOGED}", lambda: "latest.json" in place.files(f"datasets/{CATALOGED}"))
    return Way(airflow, place, slug)


def asked(airflow: Airflow, slug: str) -> str | None:
    """Return the run that asks about an experiment and has no answer."""
    about = (one for one in airflow.questions() if one["subject"].startswith(f"Publish {slug} "))
    found = (one for one in about if not one["response_received"])
    return next((one["task_instance"]["dag_run_id"] for one in found), None)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Way:
    """Ended before the other begins: neither has to share the machine."""
    base = tmp_path_factory.mktemp("embedded")
    environment = {f"FAULTSET_{name.upper()}": str(base / name) for name in ("catalog", "datasets", "inbox")}
    environment["FAULTSET_INBOX_SETTLE_S"] = "2"
    parts = ("api-server", "scheduler", "dag-processor", "triggerer")
    with running_airflow(base / "airflow", environment, parts, migrated=migrated) as airflow:
        return go(airflow, Folder(base), tmp_path_factory.mktemp("dropped"))


@pytest.fixture(scope="module")
def on_a_cluster(tmp_path_factory: pytest.TempPathFactory, embedded: Way) -> Iterator[Way]:
    with running_cluster({"FAULTSET_INBOX_SETTLE_S": "2", "FAULTSET_KEEP_VERSIONS": "1"}) as airflow:
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


def test_versions_are_byte_for_byte_those_of_the_embedded_default(on_a_cluster: Way, embedded: Way) -> None:
    assert on_a_cluster.dropped == embedded.dropped
    for slug in (CATALOGED, embedded.dropped):
        one, other = on_a_cluster.version(slug), embedded.version(slug)
        assert {"manifest.json", "injections.parquet"} <= set(one)
        assert set(one) == set(other)
        assert {name for name in one if one[name] != other[name]} <= TELL_WHEN
        here, there = timeless(one), timeless(other)
        assert {name: (here[name], there[name]) for name in here if here[name] != there[name]} == {}


def timeless(version: dict[str, bytes]) -> dict[str, Any]:
    """Return the files of a version without the two moments that cannot be the same: it was made, it was approved."""
    manifest = json.loads(version["manifest.json"])
    moments = (manifest["created_at"], manifest["decision"]["at"])
    written = [form for moment in moments for form in (moment, f"{moment[:23]}+00:00", moment[:10])]
    written.sort(key=len, reverse=True)  # the day of one is also how the other begins
    texts = {}
    for name in TELL_WHEN:
        text = version[name].decode()
        for form in written:
            text = text.replace(form, "MOMENT")
        texts[name] = text
    manifest = json.loads(texts.pop("manifest.json"))
    for file in manifest["files"]:
        if file["path"] in TELL_WHEN:
            del file["sha256"]  # of a text with such a moment
    return {
        **version,
        **texts,
        **{f"manifest.json: {key}": value for key, value in manifest.items()},
        "manifest.json": b"",
    }


def test_maintenance_runs_there_and_removes_nothing_that_is_needed(on_a_cluster: Way) -> None:
    before = on_a_cluster.place.files("datasets")
    assert on_a_cluster.airflow.run("maintain_datasets", {})["state"] == "success"
    assert on_a_cluster.place.files("datasets") == before


# --- the last of them, since it ends what the others look at ----------------------------------------------------------


def test_all_of_it_comes_back_from_a_backup_on_an_empty_machine(on_a_cluster: Way, tmp_path: Path) -> None:
    assert isinstance(on_a_cluster.airflow, ClusterAirflow)
    lost = on_a_cluster.airflow.parts_of
    # While everything runs, in the order that docs/how-to/deploy.md says.
    lost.postgres("pg_dump", "--format=custom", f"--file={tmp_path / 'faultset.dump'}")
    objects = on_a_cluster.place.files("")
    for name in KEPT:
        shutil.copytree(lost.folder / "work" / name, tmp_path / "work" / name, dirs_exist_ok=True)
    shutil.copytree(lost.folder / "secrets", tmp_path / "secrets")
    runs = finished(on_a_cluster.airflow)
    on_a_cluster.airflow.stop()

    def restore(machine: cluster.Cluster) -> None:
        machine.postgres("pg_restore", "--no-owner", "--dbname=faultset", str(tmp_path / "faultset.dump"))
        shutil.copytree(tmp_path / "work", machine.folder / "work", dirs_exist_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in machine.storage().items():
                patch.setenv(name, value)
            bucket = Bucket.at(f"s3://{cluster.BUCKET}")
            assert [bucket.create(key, data) for key, data in objects.items() if data] != []

    with running_cluster({"FAULTSET_INBOX_SETTLE_S": "2"}, restore=restore, secrets=tmp_path / "secrets") as airflow:
        assert airflow.parts_of.admin_password == json.loads((tmp_path / "secrets/passwords.json").read_text())["admin"]
        assert runs <= finished(airflow)
        here = f"s3://{cluster.BUCKET}"
        settings = Settings(f"{here}/catalog", f"{here}/datasets", str(tmp_path / "here"))
        assert pipeline.verify(settings) == []
        assert {one["slug"]: one["version"] for one in pipeline.versions(settings)} == {
            CATALOGED: "1.0.0",
            on_a_cluster.dropped: "1.0.0",
        }
        run = airflow.run("rebuild_datasets", {})
        path = f"/api/v2/dags/rebuild_datasets/dagRuns/{run['dag_run_id']}/taskInstances/report/xcomEntries/outcomes"
        assert airflow.call("GET", path)["value"] == {CATALOGED: "unchanged", on_a_cluster.dropped: "unchanged"}


def finished(airflow: Airflow) -> set[str]:
    """Return the runs that ended well."""
    answer = airflow.call("GET", "/api/v2/dags/~/dagRuns?state=success&limit=100")
    return {f"{run['dag_id']} {run['dag_run_id']}" for run in answer["dag_runs"]}
