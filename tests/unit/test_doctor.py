"""What the doctor sees of a whole set-up, each in one line with what to do."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import pytest

from faultset import pipeline, simulator
from faultset.inbox import claims, landing
from faultset.pipeline import freshness, health, probing
from faultset.pipeline.outcomes import Outcome
from faultset.settings import Settings
from faultset.storage import CANDIDATES, NOTE
from faultset.storage.bucket import Bucket
from s3 import S3

HOUR = 3600.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    simulator.simulate("glance-api-restart", tmp_path / "catalog" / "glance", seed=1, iterations=30)
    (tmp_path / "datasets").mkdir()
    return Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"), inbox=str(tmp_path / "inbox"))


def said(settings: Settings, check: str) -> dict[str, Any]:
    [found] = [one for one in health.doctor(settings) if one["check"] == check]
    return found


def ill(settings: Settings, check: str) -> str:
    found = said(settings, check)
    assert not found["ok"]
    assert found["remedy"]
    assert "\n" not in found["detail"]
    detail: str = found["detail"]
    return detail


def test_a_set_up_that_is_well_is_said_to_be(settings: Settings) -> None:
    freshness.note([Outcome("glance", "candidate")], settings, of_all=True)
    assert [one for one in pipeline.doctor(settings) if not one["ok"]] == []


def test_the_doctor_leaves_nothing_behind(settings: Settings) -> None:
    before = sorted(Path(settings.datasets).rglob("*"))
    health.doctor(settings)
    assert sorted(Path(settings.datasets).rglob("*")) == before


def test_a_dataset_that_no_rebuild_brought_up_to_date_is_stale(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    freshness.note([Outcome("glance", "unchanged")], settings, of_all=True)
    assert said(settings, "fresh")["ok"]
    later = time.time() + settings.stale_after_s + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert ill(settings, "fresh") == "1 of 1: glance, for 36 h or ever"


def test_a_candidate_that_waits_for_days_is_named(settings: Settings) -> None:
    note = Path(settings.work) / CANDIDATES / "glance" / ("a" * 64) / NOTE
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    assert said(settings, "candidates")["ok"]
    long_ago = time.time() - 73 * HOUR
    os.utime(note, (long_ago, long_ago))
    assert ill(settings, "candidates") == "1 of 1: glance, for more than 72 h"


def test_a_claimed_run_without_a_verdict_for_hours_is_named(settings: Settings) -> None:
    inbox = Path(settings.inbox)
    (inbox / "run").mkdir(parents=True)
    (inbox / "run" / "report.html").write_text("x")
    then = time.time() - 3 * HOUR
    [drop] = landing.look(inbox, 0, time.time())
    assert claims.claim(inbox, drop, 0, then)
    assert ill(settings, "inbox").startswith("1 of 1 claimed runs have no verdict after 2 h, the first ")


def test_a_setting_that_is_nearly_one_is_named_with_the_one_that_was_meant(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTSET_DATASET", "/data")
    assert ill(settings, "settings") == "FAULTSET_DATASET is no setting; FAULTSET_DATASETS is"


def test_settings_other_than_those_of_the_last_rebuild_are_named(settings: Settings) -> None:
    freshness.note([], settings, of_all=True)
    other = dataclasses.replace(settings, inbox="s3://conn@bucket/inbox")
    told = f"FAULTSET_INBOX is s3://bucket/inbox here, {settings.inbox} in the last rebuild"
    assert ill(other, "settings") == told


def test_a_folder_keeps_its_promises(settings: Settings) -> None:
    assert said(settings, "storage")["detail"].startswith("names are taken once in ")
    assert said(settings, "clock")["ok"]


@pytest.mark.integration
def test_a_bucket_keeps_its_promises_and_is_left_as_it_was(
    s3_server: S3, new_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings("/nowhere", f"s3://{new_bucket}/root")
    found = probing.probe(settings)
    assert found
    assert (found.broken, found.clock_s) == ("", 0.0)
    assert list(Bucket.at(settings.datasets).list("")) == []


def test_a_storage_that_passes_conditions_over_is_named() -> None:
    class Careless(Bucket):
        """As a server that knows no conditions and lists what was written hours ago."""

        def create(self, *_: object) -> bool:
            return True

        def replace(self, *_: object) -> bool:
            return True

        def list(self, _: str) -> Any:
            return iter(())

        def delete(self, _: object) -> None:
            pass

    broken, _ = probing._bucket(Careless("bucket"))
    assert broken.startswith("s3://bucket does not keep If-None-Match and If-Match and listing what was just written")


@pytest.mark.parametrize(("written", "apart"), [(100.4, 0.0), (40.0, 60.0), (161.0, -60.0), (None, 0.0)])
def test_how_far_clocks_are_apart_is_told_beyond_what_the_way_allows(written: float | None, apart: float) -> None:
    assert probing._apart(100.0, written, 101.0) == apart


def test_an_airflow_that_does_not_answer_is_named_without_who_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTSET_AIRFLOW_URL", "http://me:CANARY@127.0.0.1:9/")
    monkeypatch.setenv("FAULTSET_AIRFLOW_TOKEN", "CANARY")
    monkeypatch.setenv("FAULTSET_POOL_LARGE", "big")
    monkeypatch.setenv("FAULTSET_S3_CONNECTION", "store")
    for check in ("airflow", "dags", "connections", "pools"):
        assert ill(settings, check).startswith("http://127.0.0.1:9 does not answer (")
