"""Batches of a rebuild, worked off for real: what is broken ends alone, and a second try does only what is missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import meanwhile
from e2e import many
from faultset import pipeline
from faultset.errors import InputError, SetupError
from faultset.labels import ranges
from faultset.pipeline import building, gathering, planning, rebuild_records, seen
from faultset.pipeline.batching import Division, Item
from faultset.pipeline.ledger import Ledger, sweep
from faultset.settings import Settings
from faultset.sources.telemetry import csv_rows, opening

GOOD, OTHER, BROKEN = "good", "other", "broken"
RUN = "a run"
ONE_BATCH = Division(most=1, fixed=0, target=1)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("samples")
    for seed, slug in enumerate((GOOD, OTHER, BROKEN), start=1):
        many.sample(root / slug, seed)
    report = root / BROKEN / "report.html"
    report.write_bytes(report.read_bytes()[:9000])
    return root


@pytest.fixture
def settings(samples: Path, tmp_path: Path) -> Settings:
    shutil.copytree(samples, tmp_path / "catalog")
    return Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"))


def silent(done: int, total: int, line: str) -> None:
    assert 1 <= done <= total
    assert line


def work_off(settings: Settings, run: str = RUN) -> dict[str, str]:
    for batch in pipeline.plan_rebuild(run, [], settings).small:
        pipeline.build_batch(batch, settings, silent)
    return outcomes(settings, run)


def outcomes(settings: Settings, run: str = RUN) -> dict[str, str]:
    return {one.experiment: one.outcome for one in pipeline.rebuilt(run, settings)}


def test_from_a_plan_to_versions(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen, "_YOUNG_S", 0.0)
    assert work_off(settings) == {BROKEN: "failed", GOOD: "candidate", OTHER: "candidate"}
    reasons = {one.experiment: one.reason for one in pipeline.rebuilt(RUN, settings)}
    assert "report.html" in reasons[BROKEN]
    # A second try finds what is done; what is wrong is looked at again, since somebody may have mended it.
    made = {path: path.stat().st_mtime_ns for path in (Path(settings.work) / ".candidates").glob("*/*/candidate.json")}
    shutil.copy(Path(settings.catalog) / GOOD / "report.html", Path(settings.catalog) / BROKEN / "report.html")
    shutil.copy(Path(settings.catalog) / GOOD / "results.json", Path(settings.catalog) / BROKEN / "results.json")
    [batch] = [planning.Batch(RUN, "small", 0, 3, 0)]
    pipeline.build_batch(batch, settings, silent)
    assert len(made) == 2
    assert {path: path.stat().st_mtime_ns for path in made} == made
    # All that waits is published once, however often it is looked at; the next plan has nothing to do.
    [waiting] = pipeline.plan_publishing("first", settings)
    assert set(pipeline.publish_batch(waiting, settings, silent)) >= {GOOD, OTHER}
    assert set(pipeline.publish_batch(waiting, settings, silent)) >= {GOOD, OTHER}
    assert pipeline.plan_publishing("second", settings) == ()
    assert {one["version"] for one in pipeline.versions(settings)} == {"1.0.0"}
    plan = pipeline.plan_rebuild("another", [], settings)
    assert {slug: standing for slug, standing in plan.unchanged.items() if slug != BROKEN} == {
        GOOD: "published",
        OTHER: "published",
    }


def test_an_input_that_changes_while_it_is_read_is_named(settings: Settings) -> None:
    report = Path(settings.catalog) / GOOD / "report.html"
    changed = report.read_bytes() + b"\n"
    with (
        meanwhile.after(gathering.gather, lambda: meanwhile.put(report, changed, replaced=False)),
        pytest.raises(InputError, match=f"^{GOOD}: report.html: changed while it was read; build again"),
    ):
        pipeline.build(GOOD, settings)
    assert not list(Path(settings.work).glob(".candidates/*/*"))
    assert not pipeline.build(GOOD, settings).unchanged


def test_the_large_lane_makes_the_same_candidates(settings: Settings, tmp_path: Path) -> None:
    large = Settings(settings.catalog, str(tmp_path / "large"), large_bytes=0, batches=4)
    plan = pipeline.plan_rebuild(RUN, [BROKEN, GOOD], large)
    assert not plan.small
    for batch in plan.large:
        pipeline.decide_batch(batch, large, silent)
    files = pipeline.divide_labels(RUN, large)
    assert len(files) <= 4
    assert sum(batch.count for batch in files) == 15  # beside report, results, cluster and scripts
    for batch in files:
        pipeline.label_batch(batch, large, silent)
    for batch in plan.large:
        pipeline.validate_batch(batch, large, silent)
    assert outcomes(large) == {BROKEN: "failed", GOOD: "candidate"}
    small = pipeline.build(GOOD, settings)
    assert pipeline.candidates_of(plan.large, large) == {GOOD: small.fingerprint}

    def files_of(root: str) -> dict[str, bytes]:
        folder = Path(root) / ".candidates" / GOOD / small.fingerprint
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}

    assert files_of(large.work) == files_of(settings.work)


def make_ranges_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label files of some kilobytes in ranges."""
    monkeypatch.setattr(opening, "HEAD", 1000)
    monkeypatch.setattr(csv_rows, "BLOCK", 500)
    monkeypatch.setattr(ranges, "RANGE_BYTES", 1500)


def test_ranges_of_large_files_are_labeled_by_many_tasks_and_make_the_same_candidate(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ranges_small(monkeypatch)
    monkeypatch.setattr(planning, "_FILE", 1)
    large = Settings(settings.catalog, str(tmp_path / "large"), large_bytes=0, batches=4)
    plan = pipeline.plan_rebuild(RUN, [GOOD], large)
    for batch in plan.large:
        pipeline.decide_batch(batch, large, silent)
    pieces = pipeline.divide_labels(RUN, large)
    assert len(pieces) == 4
    names = [name for batch in pieces for name in batch.names(large)]
    of_ranges = [name for name in names if " range " in name]
    assert len(of_ranges) > len({name.rpartition(" range ")[0] for name in of_ranges}) > 1
    for batch in pieces[::-1][:-1]:  # the first one is never worked off, as if its task had been killed
        pipeline.label_batch(batch, large, silent)
    left = [name for name in pieces[0].names(large) if " range " not in name]
    for batch in planning.divide(RUN, "left", [Item(name, 1) for name in left], ONE_BATCH, large):
        pipeline.label_batch(batch, large, silent)
    for batch in plan.large:
        pipeline.validate_batch(batch, large, silent)
    assert outcomes(large) == {GOOD: "candidate"}
    small = pipeline.build(GOOD, settings)

    def files_of(root: str) -> dict[str, bytes]:
        folder = Path(root) / ".candidates" / GOOD / small.fingerprint
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}

    assert files_of(large.work) == files_of(settings.work)
    assert not [path for path in (Path(large.work) / ".labeled" / GOOD).iterdir() if path.name.startswith(".")]
    monkeypatch.undo()
    whole = Settings(settings.catalog, str(tmp_path / "whole"))
    assert pipeline.build(GOOD, whole).fingerprint == small.fingerprint
    for name in files_of(settings.work):
        [in_ranges, at_once] = [
            Path(root.work) / ".candidates" / GOOD / small.fingerprint / name for root in (settings, whole)
        ]
        assert pq.read_table(in_ranges).equals(pq.read_table(at_once)), name
    notes = [
        json.loads((Path(root.work) / ".candidates" / GOOD / small.fingerprint / "candidate.json").read_bytes())
        for root in (settings, whole)
    ]
    assert notes[0]["telemetry"] == notes[1]["telemetry"]
    assert notes[0]["validation"]["findings"] == notes[1]["validation"]["findings"]


def test_trouble_of_one_stops_no_other_and_is_tried_again(settings: Settings) -> None:
    plan = pipeline.plan_rebuild(RUN, [GOOD, OTHER], settings)
    in_the_way = Path(settings.work) / ".builds" / GOOD
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("a file where a folder is needed")
    with pytest.raises(SetupError, match="1 piece of 2"):
        pipeline.build_batch(plan.small[0], settings, silent)
    assert outcomes(settings) == {GOOD: "trouble", OTHER: "candidate"}
    in_the_way.unlink()
    assert pipeline.build_batch(plan.small[0], settings, silent) == 2
    assert outcomes(settings) == {GOOD: "candidate", OTHER: "candidate"}


def test_what_nobody_foresaw_ends_alone_and_its_text_is_not_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quoted = " ".join(("password:", "hunter2"))

    def build(slug: str, *_: object, **__: object) -> object:
        raise ZeroDivisionError(quoted)

    monkeypatch.setattr(building, "build", build)
    plan = pipeline.plan_rebuild(RUN, [GOOD], settings)
    with pytest.raises(SetupError, match="unexpected ZeroDivisionError at") as caught:
        pipeline.build_batch(plan.small[0], settings, silent)
    assert quoted not in str(caught.value) + caplog.text


def die(settings: Settings, batch: planning.Batch) -> None:
    def one(slug: str, *_: object, **__: object) -> object:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(slug)

    building.build = one  # type: ignore[assignment]
    pipeline.build_batch(batch, settings, silent)


def killed(work: Callable[[Settings, planning.Batch], None], settings: Settings, batch: planning.Batch) -> None:
    process = get_context("fork").Process(target=work, args=(settings, batch))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_what_kills_its_process_comes_last_and_twice_is_enough(settings: Settings) -> None:
    plan = pipeline.plan_rebuild(RUN, [GOOD, BROKEN], settings)
    batch = plan.small[0]
    first = batch.names(settings)[0]
    killed(die, settings, batch)
    ledger = rebuild_records.outcomes_of(RUN, settings)
    assert ledger.begun(first) == 1
    # Whatever was begun comes last: the second victim is the other one.
    killed(die, settings, batch)
    assert {ledger.begun(name) for name in batch.names(settings)} == {1}
    ledger.begin(first)
    pipeline.build_batch(batch, settings, silent)
    reasons = {one.experiment: one.reason for one in pipeline.rebuilt(RUN, settings)}
    assert "ended the process 2 times" in reasons[first]
    assert all("process" not in reason for name, reason in reasons.items() if name != first)


def test_a_plan_that_was_removed_is_one_clear_line(settings: Settings) -> None:
    with pytest.raises(InputError, match="nothing was planned"):
        pipeline.rebuilt("never", settings)
    with pytest.raises(InputError, match="start a new run"):
        planning.Batch("never", "small", 0, 1, 0).names(settings)


def test_records_are_swept_after_a_week(settings: Settings) -> None:
    Ledger.of("old", "plan", settings).put("plan", {})
    Ledger.of("new", "plan", settings).put("plan", {})
    folder = Ledger.of("old", "plan", settings).folder
    week_ago = time.time() - 8 * 24 * 3600
    for path in (folder.parent, folder):
        os.utime(path, (week_ago, week_ago))
    sweep(settings)
    assert not folder.exists()
    assert Ledger.of("new", "plan", settings).get("plan") is not None
