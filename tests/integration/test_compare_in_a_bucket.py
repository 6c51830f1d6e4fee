"""Versions in a bucket are compared and traced like those on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

import releases
from faultset import pipeline
from faultset.release.commit import publish
from faultset.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(new_bucket: str, tmp_path: Path) -> Settings:
    """Two versions in a bucket: an injection came, and with it a target."""
    where = Settings(str(tmp_path / "catalog"), f"s3://{new_bucket}/datasets", str(tmp_path / "work"))
    content = releases.rows()
    content["injections"].append(releases.injection(500))
    content["targets"].append(releases.target(500, "wally122"))
    for mark, rows in (("a", releases.rows()), ("b", content)):
        made = releases.candidate(Path(where.work), mark, rows)
        publish(made, where.datasets, created_at=releases.NOW, work=where.work)
    return where


def test_a_difference_in_a_bucket_is_told(settings: Settings) -> None:
    answer = pipeline.diff(settings, releases.SLUG, "1.0.0", "1.1.0")
    assert answer["summary"] == "injections +1, targets +1"
    (injection,) = answer["injections"]
    assert (injection["state"], injection["targets_gained"]) == ("added", ["wally122/nova_compute"])
    assert "boot.0.500: is new; gained targets wally122/nova_compute." in answer["words"]
    back = pipeline.diff(settings, releases.SLUG, "1.1.0", "1.0.0")
    assert (back["change"], back["number"]["follows"]) == ("major", "2.0.0")
    assert back["number"]["reasons"] == ["injections: 1 rows went", "targets: 1 rows went"]


def test_a_candidate_is_compared_with_a_version_in_a_bucket(settings: Settings) -> None:
    folder = releases.candidate(Path(settings.work), "c").folder
    found = pipeline.compare(folder, settings, releases.SLUG, "1.0.0")
    assert found.change == "patch"


def test_a_record_in_a_bucket_tells_where_it_comes_from(settings: Settings) -> None:
    answer = pipeline.why(settings, releases.SLUG, "boot.0.500/wally122/nova_compute")
    assert (answer["version"], answer["kind"]) == ("1.1.0", "target")
    assert answer["chain"][0]["facts"]["evidence"] == "named by the script"
