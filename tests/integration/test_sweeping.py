"""What maintenance removes, and what it leaves alone."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path

import pytest

from faultset import pipeline, simulator
from faultset.inbox import sweeping
from faultset.moments import UTC
from faultset.settings import Settings
from faultset.storage.bucket import Bucket

NOW = dt.datetime.now(UTC)


def arrival(days: float) -> str:
    return f"{NOW - dt.timedelta(days=days):%Y%m%dT%H%M%S%fZ}-0123456789ab"


def lay(inbox: Path, place: str, content: str, *days: float) -> Path:
    """Lay content into the inbox that arrived so many days ago, each time."""
    folder = inbox / place / content
    (folder / "verdict").mkdir(parents=True)
    for age in days:
        (folder / "dropped" / arrival(age) / "run").mkdir(parents=True)
    return folder


def settings_of(tmp_path: Path, **others: int) -> Settings:
    places = (str(tmp_path / name) for name in ("catalog", "datasets"))
    return Settings(*places, inbox=str(tmp_path / "inbox"), **others)


def test_an_old_run_that_was_accepted_goes_and_its_verdict_stays(tmp_path: Path) -> None:
    folder = lay(tmp_path / "inbox", "accepted", "c0ffee", 200, 10)
    done = pipeline.sweep(settings_of(tmp_path))
    assert [path.name for path in (folder / "dropped").iterdir()] == [arrival(10)]
    assert (folder / "verdict").is_dir()
    assert done == [f"inbox/accepted/c0ffee/dropped/{arrival(200)}: removed"]


def test_what_was_rejected_goes_once_it_last_came_long_ago(tmp_path: Path) -> None:
    old, again = (lay(tmp_path / "inbox", "quarantine", *each) for each in (("old", 200, 190), ("again", 200, 10)))
    pipeline.sweep(settings_of(tmp_path))
    assert not old.exists()
    assert again.is_dir()


def test_nothing_of_the_inbox_goes_where_it_is_kept_for_ever(tmp_path: Path) -> None:
    folder = lay(tmp_path / "inbox", "quarantine", "old", 5000)
    assert pipeline.sweep(settings_of(tmp_path, keep_dropped_days=0)) == []
    assert folder.is_dir()


def test_what_a_person_put_into_the_inbox_under_another_name_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "inbox" / "by-hand" / "notes"
    theirs.mkdir(parents=True)
    os.utime(theirs, (0, 0))
    pipeline.sweep(settings_of(tmp_path))
    assert theirs.is_dir()


def test_objects_that_were_brought_from_a_bucket_go_by_when_they_were(new_bucket: str) -> None:
    there = Bucket.at(f"s3://{new_bucket}/inbox")
    there.create("taken/0a/run.zip", b"run")
    there.create("new.zip", b"run")
    assert sweeping.sweep_taken(there.uri, NOW - dt.timedelta(days=1)) == 0
    assert sweeping.sweep_taken(there.uri, dt.datetime.now(UTC) + dt.timedelta(minutes=1)) == 1
    assert [entry.key for entry in there.list("")] == ["new.zip"]


@pytest.mark.integration
def test_labeled_files_that_were_used_stay_and_a_build_makes_those_that_went_again(tmp_path: Path) -> None:
    simulator.simulate("glance-api-restart", tmp_path / "catalog" / "glance", seed=1, iterations=30, metric_seconds=60)
    settings = settings_of(tmp_path)
    first = pipeline.build("glance", settings)
    labeled = sorted((tmp_path / "datasets" / ".labeled" / "glance").iterdir())
    assert labeled
    assert pipeline.sweep(settings) == []
    at_once = settings_of(tmp_path, keep_work_days=0)
    time.sleep(0.01)  # that no file is younger than none at all
    done = pipeline.sweep(at_once)
    assert {f".labeled/glance/{path.name}: removed" for path in labeled} <= set(done)
    assert {line.partition("/")[0] for line in done} == {".labeled", ".analysed"}
    assert pipeline.build("glance", settings).fingerprint == first.fingerprint


def test_looks_at_experiments_that_left_the_catalog_are_forgotten(tmp_path: Path) -> None:
    seen = tmp_path / "datasets" / ".seen"
    seen.mkdir(parents=True)
    for slug in ("here", "gone"):
        (seen / f"{slug}.json").write_text("{}")
    (tmp_path / "catalog" / "here").mkdir(parents=True)
    (tmp_path / "catalog" / "here" / "experiment.yaml").write_text("title: here\n")
    assert pipeline.sweep(settings_of(tmp_path)) == [".seen/gone.json: removed"]
    assert (seen / "here.json").is_file()
