"""Inbox, catalog and datasets in a bucket that Airflow alone has the keys of: from a dropped run to a version."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Airflow, running_airflow, wait_for
from faultset import simulator
from faultset.storage import bytes_of
from faultset.storage.bucket import Bucket
from s3 import KEY_ID, S3, SECRET

pytestmark = pytest.mark.e2e

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")


@pytest.fixture(scope="module")
def bucket(s3_server: S3) -> str:
    return s3_server.new_bucket()


@pytest.fixture(scope="module")
def airflow(s3_server: S3, bucket: str, tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Airflow]:
    base = tmp_path_factory.mktemp("bucket")
    environment = {
        "FAULTSET_CATALOG": f"s3://lab@{bucket}/catalog",
        "FAULTSET_DATASETS": f"s3://lab@{bucket}/datasets",
        "FAULTSET_INBOX": f"s3://lab@{bucket}/inbox",
        "FAULTSET_WORK": str(base / "work"),
        "FAULTSET_INBOX_SETTLE_S": "2",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), ""),
    }
    with running_airflow(base / "airflow", environment, PARTS, migrated=migrated) as running:
        extra = {"endpoint_url": s3_server.endpoint, "region_name": "us-east-1"}
        keys = {"login": KEY_ID, "password": SECRET, "extra": json.dumps(extra)}
        running.call("POST", "/api/v2/connections", {"connection_id": "lab", "conn_type": "aws", **keys})
        yield running


def dropped(airflow: Airflow, bucket: str, folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Drop a packed run into the bucket and return its verdict, once it lies there."""
    there = Bucket.at(f"s3://{bucket}")
    run = folder / name
    simulator.simulate("nova-compute-restart", run, seed=seed, iterations=30)
    packed = Path(shutil.make_archive(str(run), "zip", run))
    wait_for("the DAG that judges", lambda: airflow.knows("validate_reports"))
    there.put_file(packed, f"inbox/{packed.name}")

    def judged() -> dict[str, Any] | None:
        found = [json.loads((there.get(entry.key) or (b"",))[0]) for entry in there.list("inbox/verdicts")]
        return next((verdict for verdict in found if verdict["name"] == packed.name), None)

    return wait_for("the verdict", judged)


def ended(airflow: Airflow, dag_id: str, run_id: str | None = None) -> dict[str, Any] | None:
    """Return a run of a DAG that has ended: this one, or any that an asset set off."""
    runs = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=id&limit=100")["dag_runs"]
    mine = [run for run in runs if run["dag_run_id"] == run_id or (not run_id and run["run_type"] == "asset_triggered")]
    return next((run for run in mine if run["state"] in {"success", "failed"}), None)


def test_a_run_dropped_into_a_bucket_becomes_a_version_there(airflow: Airflow, bucket: str, tmp_path: Path) -> None:
    there = Bucket.at(f"s3://{bucket}")
    verdict = dropped(airflow, bucket, tmp_path, "night-run", seed=5)
    assert verdict["accepted"]
    slug, accepted = verdict["slug"], f"inbox/accepted/{verdict['content_sha256']}/verdict/verdict.json"
    assert json.loads((there.get(accepted) or (b"",))[0]) == verdict
    # A quarter of an hour may have just begun, whose own run then takes what is there; this one comes all the same.
    woken = wait_for("what the event sets off", lambda: ended(airflow, "validate_reports"))
    assert woken["state"] == "success"

    waiting = wait_for("the question", lambda: question_about(airflow, slug))
    assert waiting["subject"] == f"Publish {slug} 1.0.0?"
    picture = next(word for word in waiting["body"].split("](") if word.startswith("/faultset/")).partition(")")[0]
    before = airflow.fetch(picture)
    assert before.startswith(b"\x89PNG")
    published = wait_for("a version", lambda: approved(airflow, slug))
    assert published["state"] == "success"
    latest = json.loads((there.get(f"datasets/{slug}/latest.json") or (b"",))[0])
    assert latest["version"] == "1.0.0"
    assert airflow.fetch(picture) == before  # by now out of the version


def question_about(airflow: Airflow, slug: str) -> dict[str, Any] | None:
    return next((one for one in airflow.questions() if one["subject"].startswith(f"Publish {slug} ")), None)


def approved(airflow: Airflow, slug: str) -> dict[str, Any] | None:
    """Approve what is asked about an experiment; return the run once it has ended."""
    asked = question_about(airflow, slug)
    assert asked is not None
    run_id = asked["task_instance"]["dag_run_id"]
    if not asked["response_received"]:
        airflow.answer(run_id, "Approve")
    return ended(airflow, "publish_dataset", run_id)


def test_the_keys_are_nowhere_but_in_airflows_own_store(airflow: Airflow, bucket: str, tmp_path: Path) -> None:
    dropped(airflow, bucket, tmp_path, "keys-are-used", seed=6)
    there = Bucket.at(f"s3://{bucket}")
    held = {entry.key: (there.get(entry.key) or (b"",))[0] for entry in there.list("")}
    folders = (airflow.home, Path(airflow.environment["FAULTSET_WORK"]))
    # Airflow keeps its connections in its database, encrypted; the server of the tests logs nothing.
    written = {path: bytes_of(path) or b"" for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert held
    assert written
    assert [name for name, data in (held | written).items() if SECRET.encode() in data] == []
    assert [name for name, data in held.items() if b"lab@" in data] == []
