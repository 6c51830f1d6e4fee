"""Whether an experiment's inputs are as they were is told by a look, and never wrongly."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from e2e import many
from faultset import catalog
from faultset.pipeline import seen
from faultset.settings import Settings

SLUG = "one"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    many.sample(tmp_path / "catalog" / SLUG, seed=1)
    monkeypatch.setattr(seen, "_YOUNG_S", 0.05)
    time.sleep(0.1)
    return Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"))


def eye(settings: Settings) -> seen.Eye:
    return seen.Eye(catalog.catalog_root(settings.catalog))


def remembered(settings: Settings) -> seen.Seen:
    look = seen.look(SLUG, settings)
    assert look is not None
    seen.remember(SLUG, look, "f" * 64, settings)
    known = seen.recall(SLUG, eye(settings), settings)
    assert known is not None
    return known


def test_what_did_not_change_looks_as_it_did(settings: Settings) -> None:
    known = remembered(settings)
    assert known.fingerprint == "f" * 64
    assert len(known.files) == 21  # and what declares them
    folder = Path(settings.catalog) / SLUG
    assert known.bytes == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert seen.holds(known, eye(settings))


def rewrite_keeping_size_and_time(folder: Path) -> None:
    path = folder / "report.html"
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace_by_a_copy(folder: Path) -> None:
    shutil.copy2(folder / "os-faults.yaml", folder / "copy")
    (folder / "copy").replace(folder / "os-faults.yaml")


def add_a_file_that_a_pattern_fits(folder: Path) -> None:
    shutil.copy2(folder / "metrics" / "ctl01_metrics.csv", folder / "metrics" / "ctl09_metrics.csv")


def remove_a_file(folder: Path) -> None:
    (folder / "logs" / "part-3.csv").unlink()


def declare_otherwise(folder: Path) -> None:
    with (folder / "experiment.yaml").open("a") as file:
        file.write("# another\n")


@pytest.mark.parametrize(
    "change",
    [
        rewrite_keeping_size_and_time,
        replace_by_a_copy,
        add_a_file_that_a_pattern_fits,
        remove_a_file,
        declare_otherwise,
    ],
)
def test_whatever_may_change_the_content_is_seen(settings: Settings, change: object) -> None:
    known = remembered(settings)
    assert callable(change)
    change(Path(settings.catalog) / SLUG)
    assert not seen.holds(known, eye(settings))


def test_a_file_that_changed_just_now_is_not_trusted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_YOUNG_S", 60.0)
    assert seen.look(SLUG, settings) is None
    seen.remember(SLUG, None, "f" * 64, settings)
    assert seen.recall(SLUG, eye(settings), settings) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"recipe": 1}', b"\xff"])
def test_a_memory_that_is_missing_or_damaged_is_no_memory(settings: Settings, damage: bytes) -> None:
    remembered(settings)
    path = Path(settings.work) / seen.FOLDER / f"{SLUG}.json"
    path.write_bytes(damage)
    assert seen.recall(SLUG, eye(settings), settings) is None
    path.unlink()
    assert seen.recall(SLUG, eye(settings), settings) is None


def test_another_tool_and_another_catalog_trust_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(settings)
    assert seen.recall(SLUG, seen.Eye(str(tmp_path / "other")), settings) is None
    monkeypatch.setattr(seen.recipe, "digest", lambda: "0" * 64)
    assert seen.recall(SLUG, eye(settings), settings) is None
