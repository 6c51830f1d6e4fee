"""Inbox, catalog and datasets in a bucket that Airflow alone has the keys of: from a dropped run to a version."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Airflow, running_airflow, wait_for
from faultset import simulator
from faultset.bucket import Bucket
from s3 import KEY_ID, S3, SECRET

pytestmark = pytest.mark.e2e

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DROPPED = "night-run"


@pytest.fixture(scope="module")
def bucket(s3_server: S3) -> str:
    return s3_server.new_bucket()


@pytest.fixture(scope="module")
def airflow(s3_server: S3, bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    base = tmp_path_factory.mktemp("bucket")
    environment = {
        "FAULTSET_CATALOG": f"s3://lab@{bucket}/catalog",
        "FAULTSET_DATASETS": f"s3://lab@{bucket}/datasets",
        "FAULTSET_INBOX": f"s3://lab@{bucket}/inbox",
        "FAULTSET_WORK": str(base / "work"),
        "FAULTSET_INBOX_SETTLE_S": "2",
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"), ""),
    }
    with running_airflow(base / "airflow", environment, PARTS) as running:
        extra = {"endpoint_url": s3_server.endpoint, "region_name": "us-east-1"}
        keys = {"login": KEY_ID, "password": SECRET, "extra": json.dumps(extra)}
        running.call("POST", "/api/v2/connections", {"connection_id": "lab", "conn_type": "aws", **keys})
        yield running


def ended_run(airflow: Airflow, dag_id: str, run_type: str) -> dict[str, Any] | None:
    runs = airflow.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
    return next((run for run in runs if run["run_type"] == run_type and run["state"] in {"success", "failed"}), None)


def test_a_run_dropped_into_a_bucket_becomes_a_version_there(airflow: Airflow, bucket: str, tmp_path: Path) -> None:
    there = Bucket.at(f"s3://{bucket}")
    run = tmp_path / DROPPED
    simulator.simulate("nova-compute-restart", run, seed=5, iterations=30)
    packed = Path(shutil.make_archive(str(run), "zip", run))
    wait_for("the DAG that judges", lambda: airflow.knows("validate_reports"), 120)
    there.put_file(packed, f"inbox/{packed.name}")

    # A quarter of an hour may have just begun, whose own run then takes what is there; this one comes all the same.
    woken = wait_for("what the event sets off", lambda: ended_run(airflow, "validate_reports", "asset_triggered"), 300)
    assert woken["state"] == "success"
    [verdict] = [entry.key for entry in there.list("inbox/accepted") if entry.key.endswith("/verdict.json")]
    slug = json.loads((there.get(verdict) or (b"",))[0])["slug"]

    waiting = wait_for("the question", airflow.questions, 300)[0]
    assert waiting["subject"] == f"Publish {slug} 1.0.0?"
    picture = next(word for word in waiting["body"].split("](") if word.startswith("/faultset/")).partition(")")[0]
    before = airflow.fetch(picture)
    assert before.startswith(b"\x89PNG")
    published = wait_for("a version", lambda: approved(airflow), 180)
    assert published["state"] == "success"
    latest = json.loads((there.get(f"datasets/{slug}/latest.json") or (b"",))[0])
    assert latest["version"] == "1.0.0"
    assert airflow.fetch(picture) == before  # by now out of the version


def approved(airflow: Airflow) -> dict[str, Any] | None:
    """Approve whatever is asked; return the run once it has ended."""
    for question in airflow.questions():
        if not question["response_received"]:
            airflow.answer(question["task_instance"]["dag_run_id"], "Approve")
    return ended_run(airflow, "publish_dataset", "asset_triggered")


def test_the_keys_are_nowhere_but_in_airflows_own_store(airflow: Airflow, bucket: str) -> None:
    there = Bucket.at(f"s3://{bucket}")
    held = {entry.key: (there.get(entry.key) or (b"",))[0] for entry in there.list("")}
    folders = (airflow.home, Path(airflow.environment["FAULTSET_WORK"]))
    # Airflow keeps its connections in its database, encrypted; the server of the tests logs nothing.
    written = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert held
    assert written
    assert [name for name, data in (held | written).items() if SECRET.encode() in data] == []
    assert [name for name, data in held.items() if b"lab@" in data] == []
