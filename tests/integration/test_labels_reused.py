"""Labeled files are reused where nothing that they depend on changed, and only there."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import meanwhile
import truth_rows
from faultset import recipe
from faultset.errors import InputError
from faultset.labels.windows import Policy
from faultset.pipeline.labeled_files import Kept, cached, read_evidence
from faultset.pipeline.telemetry import Labeler
from faultset.records.telemetry import TelemetryFile
from faultset.tables import ImpactRow

pytestmark = pytest.mark.integration

BEGIN = dt.datetime(2019, 11, 19, 22, 0, tzinfo=dt.UTC)
HEADER = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"


def after(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def labeler(*, end: float = 40, impacts: tuple[ImpactRow, ...] = (), policy: Policy | None = None) -> Labeler:
    return Labeler.of(
        "x",
        None,
        workloads=(),
        triggers=(),
        injections=(truth_rows.injection("i", after(10), after(end)),),
        targets=(truth_rows.target("i", "cmp1"),),
        iterations=(),
        impacts=impacts,
        policy=policy or Policy(),
    )


def recording(folder: Path, name: str = "cmp1_metrics.csv", rows: int = 100) -> TelemetryFile:
    lines = [f"{after(second):%Y-%m-%d %H:%M:%S} UTC,20.5,4096,8,1,1,1" for second in range(rows)]
    (folder / name).write_text("\n".join([HEADER, *lines]) + "\n")
    return TelemetryFile("metrics", str(folder / name), name, "UTC")


def rows_of(file: TelemetryFile, by: Labeler, folder: Path, build: str) -> int:
    """Label as a build does and return which file on disk holds the rows."""
    kept(file, by, folder, build)
    return (folder / build / "metrics" / "a.parquet").stat().st_ino


def kept(file: TelemetryFile, by: Labeler, folder: Path, build: str) -> Kept:
    return cached(by, file, "metrics/a.parquet", folder=folder / build, cache=folder / "cache")


def test_a_file_that_changed_since_the_build_began_is_refused(tmp_path: Path) -> None:
    file = recording(tmp_path)
    began = len(data := Path(file.uri).read_bytes()), hashlib.sha256(data).hexdigest()
    places = {"folder": tmp_path / "build", "cache": tmp_path / "cache"}
    cached(labeler(), file, "metrics/a.parquet", **places, content=began)
    recording(tmp_path, rows=90)
    with pytest.raises(InputError, match="changed while it was read"):
        cached(labeler(), file, "metrics/a.parquet", **places, content=began)


def test_a_second_build_takes_the_rows_of_the_first(tmp_path: Path) -> None:
    file = recording(tmp_path)
    first = rows_of(file, labeler(), tmp_path, "first")
    assert rows_of(file, labeler(), tmp_path, "second") == first
    assert kept(file, labeler(), tmp_path, "third").facts == kept(file, labeler(), tmp_path, "first").facts


IMPACT = ImpactRow("i", "cmp1", "mem.used", after(10), after(60), "up", "detected", "test", 5.0, 0.01)


@pytest.mark.parametrize(
    "other",
    [labeler(end=41), labeler(impacts=(IMPACT,)), labeler(policy=Policy(cooldown_after_s=5))],
    ids=["another window", "an impact", "another policy"],
)
def test_other_labels_are_laid_anew(other: Labeler, tmp_path: Path) -> None:
    file = recording(tmp_path)
    first = rows_of(file, labeler(), tmp_path, "first")
    assert rows_of(file, other, tmp_path, "second") != first


def test_of_two_builds_that_label_a_file_at_once_the_second_takes_the_rows_of_the_first(tmp_path: Path) -> None:
    file, first = recording(tmp_path), []
    with meanwhile.after(Labeler.label, lambda: first.append(rows_of(file, labeler(), tmp_path, "first"))):
        second = rows_of(file, labeler(), tmp_path, "second")
    assert first == [second]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [labeler().key(file)]


def test_what_an_older_tool_kept_less_of_is_labeled_anew(tmp_path: Path) -> None:
    file = recording(tmp_path)
    first = rows_of(file, labeler(), tmp_path, "first")
    (tmp_path / "cache" / labeler().key(file) / "clock.npz").unlink()
    assert rows_of(file, labeler(), tmp_path, "second") != first


def test_a_changed_source_is_labeled_anew(tmp_path: Path) -> None:
    first = rows_of(recording(tmp_path), labeler(), tmp_path, "first")
    changed = kept(recording(tmp_path, rows=101), labeler(), tmp_path, "second")
    assert changed.facts["rows"] == 101
    assert (tmp_path / "second" / "metrics" / "a.parquet").stat().st_ino != first


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "written to"])
@pytest.mark.parametrize("step", [Labeler.key, Labeler.label], ids=["after it is hashed", "after it is labeled"])
def test_of_a_source_that_changes_meanwhile_nothing_is_kept(
    step: Callable[..., object], tmp_path: Path, *, replaced: bool
) -> None:
    file = recording(tmp_path)
    path = Path(file.uri)
    old = path.read_bytes()
    with (
        meanwhile.after(step, lambda: meanwhile.put(path, old.replace(b"4096", b"8192"), replaced=replaced)),
        pytest.raises(InputError, match="changed while it was read"),
    ):
        kept(file, labeler(), tmp_path, "first")
    assert not list((tmp_path / "cache").iterdir())
    meanwhile.put(path, old, replaced=replaced)
    kept(file, labeler(), tmp_path, "second")
    rows = pq.read_table(tmp_path / "second" / "metrics" / "a.parquet")
    assert set(rows["mem.used"].to_pylist()) == {4096}


def test_another_zone_is_labeled_anew(tmp_path: Path) -> None:
    file = recording(tmp_path)
    first = rows_of(file, labeler(), tmp_path, "first")
    assert rows_of(dataclasses.replace(file, time_zone="Europe/Berlin"), labeler(), tmp_path, "second") != first


def test_another_tool_labels_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = recording(tmp_path)
    first = rows_of(file, labeler(), tmp_path, "first")
    monkeypatch.setattr(recipe, "digest", lambda: "other code")
    assert rows_of(file, labeler(), tmp_path, "second") != first


def test_a_retry_of_one_file_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    sound, broken = recording(tmp_path), recording(tmp_path, "cmp2_metrics.csv")
    whole = Path(broken.uri).read_text()
    Path(broken.uri).write_text(whole.replace("now", "then", 1).replace("2019", "MMXIX"))
    first = rows_of(sound, labeler(), tmp_path, "build")
    with pytest.raises(InputError):
        cached(labeler(), broken, "metrics/b.parquet", folder=tmp_path / "build", cache=tmp_path / "cache")
    assert not (tmp_path / "build" / "metrics" / "b.parquet").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [labeler().key(sound)]
    Path(broken.uri).write_text(whole)
    cached(labeler(), broken, "metrics/b.parquet", folder=tmp_path / "build", cache=tmp_path / "cache")
    assert (tmp_path / "build" / "metrics" / "a.parquet").stat().st_ino == first


def test_what_tells_of_the_clock_is_kept_beside_the_rows(tmp_path: Path) -> None:
    found = read_evidence(kept(recording(tmp_path), labeler(), tmp_path, "first").evidence)
    assert found.placed_us is None
    assert found.recordings == ()  # no workload, so that nobody knows when the run was
