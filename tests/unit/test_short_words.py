"""What is said once, in order, with the right number, and under the names that people were shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from faultset.cli import show
from faultset.errors import counted
from faultset.expectations.catalogue import RULES
from faultset.expectations.run import Outcome, _message
from faultset.pipeline import health
from faultset.release.manifest import decode
from faultset.release.provenance import Content, addresses
from faultset.settings import Settings
from releases import SLUG, published


def test_what_is_the_same_of_several_files_is_said_once() -> None:
    files = ("metrics/a.csv", "metrics/b.csv", "metrics/c.csv")
    breaches = (*(f"{file} has no row inside the run" for file in files[:2]), f"{files[2]}: 3 rows have no time")
    told = _message(Outcome(next(rule for rule in RULES if rule.breach.startswith("{source}")), breaches, files))
    assert told == "each of metrics/a.csv, metrics/b.csv has no row inside the run; metrics/c.csv: 3 rows have no time"


@pytest.mark.parametrize(("count", "said"), [(0, "0 files"), (1, "1 file"), (1200, "1,200 files")])
def test_a_number_of_things_has_the_right_plural(count: int, said: str) -> None:
    assert counted(count, "file") == said


@pytest.mark.parametrize(
    ("new", "version", "latest", "said"),
    [
        (True, "1.1.0", "1.1.0", "nova: published 1.1.0"),
        (False, "1.1.0", "1.1.0", "nova: unchanged, the latest version is 1.1.0"),
        (False, "1.1.0", "1.0.0", "nova: unchanged since 1.1.0, which was taken back; the latest version is 1.0.0"),
    ],
)
def test_publishing_names_the_version_that_is_the_latest(new: bool, version: str, latest: str, said: str) -> None:
    shown = io.StringIO()
    rest = {"folder": "f", "manifest_sha256": "0", "injections": 1, "targets": 1, "findings": {}}
    show.publication(
        Console(file=shown, width=200), {"slug": "nova", "new": new, "version": version, "latest": latest, **rest}
    )
    assert shown.getvalue().splitlines()[0] == said


def test_an_injection_is_found_by_the_name_that_inspect_shows(tmp_path: Path) -> None:
    published(tmp_path, "a")
    folder = tmp_path / SLUG / "1.0.0"
    content = Content(folder, decode((folder / "manifest.json").read_bytes(), "x"), "0")
    [injection] = content.injections
    end = injection.injection_id.removeprefix(f"{injection.workload_id}.")
    for short in (f"#1 {end}", end, injection.injection_id):
        assert addresses._whole_address(content, short) == injection.injection_id
        assert addresses._whole_address(content, f"{short}/wally117/-") == f"{injection.injection_id}/wally117/-"
    assert addresses._whole_address(content, f"#2 {end}") == f"#2 {end}"


def test_the_doctor_says_what_lies_in_the_inbox(tmp_path: Path) -> None:
    settings = Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"), inbox=str(tmp_path / "inbox"))
    assert health._inbox(settings).startswith("0 waiting, 0 under way, 0 judged and 0 of them rejected, in ")
    (tmp_path / "inbox" / "run").mkdir(parents=True)
    assert health._inbox(settings).startswith("1 waiting, 0 under way")
    assert "inbox" in [check.name for check in health._CHECKS]
