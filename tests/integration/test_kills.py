"""A writer killed at any step leaves the old state or the new one, and the next writer needs no help.

Some of the steps each time; all of them with FAULTSET_LONG_TESTS=1.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import dying
import releases
from faultset import release
from faultset.release import history
from faultset.release.commit import publish
from faultset.release.verify import verify
from faultset.storage import open_root
from faultset.storage.bucket import Bucket
from releases import NOW, SLUG
from s3 import S3

pytestmark = pytest.mark.integration

LONG = os.environ.get("FAULTSET_LONG_TESTS") == "1"
POINTS = 10_000 if LONG else 9


@dataclass(frozen=True)
class Place:
    """A root of datasets, and the folder for work beside it."""

    root: str
    work: str

    def publish(self, mark: str) -> release.VersionRecord:
        made = releases.candidate(Path(self.work), mark, dying._content(mark))
        done = publish(made, self.root, created_at=NOW, work=self.work)
        return next(record for record in release.versions(self.root) if record.version == done.version)

    @property
    def versions(self) -> list[str]:
        return [record.version for record in release.versions(self.root)]

    @property
    def latest(self) -> str | None:
        pointer = history.read_pointer(open_root(self.root), SLUG)
        return pointer.version if pointer else None


class Disk:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> Place:
        root = str(self._folder / uuid.uuid4().hex)
        return Place(root, root)

    def copy(self, place: Place) -> Place:
        copied = self.new()
        if Path(place.root).exists():
            shutil.copytree(place.root, copied.root)
        return copied

    def drop(self, place: Place) -> None:
        shutil.rmtree(place.root)


class InBucket:
    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name

    def new(self) -> Place:
        prefix = uuid.uuid4().hex
        return Place(f"s3://{self._name}/{prefix}", str(self._folder / prefix))

    def copy(self, place: Place) -> Place:
        copied = self.new()
        everything, source, target = Bucket.at(f"s3://{self._name}"), place.root[-32:], copied.root[-32:]
        keys = [entry.key for entry in everything.list(source)]
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda key: everything.copy(key, target + key.removeprefix(source)), keys))
        if Path(place.work).exists():
            shutil.copytree(place.work, copied.work)
        return copied

    def drop(self, place: Place) -> None:
        bucket = Bucket.at(place.root)
        bucket.delete([entry.key for entry in bucket.list("")])
        shutil.rmtree(place.work, ignore_errors=True)


@pytest.fixture(params=["disk", "bucket"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Disk | InBucket:
    if request.param == "disk":
        return Disk(tmp_path)
    return InBucket(tmp_path, request.getfixturevalue("new_bucket"))


@pytest.fixture
def template(places: Disk | InBucket) -> Iterator[dying.Template]:
    """Started once the environment says where the bucket is."""
    with dying.template() as started:
        yield started


def each_death(
    template: dying.Template, places: Disk | InBucket, prepared: Place, action: str, mark: str
) -> Iterator[Place]:
    """Yield a copy of what was prepared after each death of the action in it; and one after it was not killed."""
    whole = places.copy(prepared)
    steps = template.run(action, root=whole.root, work=whole.work, mark=mark)
    assert steps > 10
    yield whole
    places.drop(whole)
    deaths, chosen = 0, dying.points(steps, POINTS)
    for step in chosen:
        place = places.copy(prepared)
        died = template.run(action, root=place.root, work=place.work, mark=mark, die_at=step)
        assert died == -1 or died < step + steps  # threads need not take the same steps twice
        deaths += died == -1
        yield place
        places.drop(place)
    print(f"{action}: {steps} steps, {deaths} deaths")
    assert deaths >= len(chosen) // 2


@pytest.mark.parametrize("earlier", [0, 1], ids=["first version", "second version"])
def test_publishing(template: dying.Template, places: Disk | InBucket, earlier: int) -> None:
    prepared = places.new()
    for number in range(earlier):
        prepared.publish(f"earlier-{number}")
    before = prepared.versions
    seen = set()
    for place in each_death(template, places, prepared, "publish", "killed"):
        after = place.versions
        assert after[:earlier] == before
        assert len(after) - earlier in (0, 1)
        assert place.latest in (*before, *after, None)
        assert verify(place.root) == ()
        seen.add(len(after))
        shutil.rmtree(Path(place.work) / ".candidates", ignore_errors=True)
        assert place.publish("killed").latest
        assert len(place.versions) == earlier + 1
        assert place.publish("next").latest
        assert place.versions == [*before, f"{earlier + 1}.0.0", f"{earlier + 2}.0.0"]
        assert place.latest == f"{earlier + 2}.0.0"
        assert verify(place.root) == ()
        assert_clean_after_sweep(place)
    assert len(seen) == 2


@pytest.mark.parametrize(("action", "mark"), [("rollback", "1.0.0"), ("withdraw", "3.0.0")])
def test_moving_the_pointer_back(template: dying.Template, places: Disk | InBucket, action: str, mark: str) -> None:
    prepared = places.new()
    for number in range(3):
        prepared.publish(f"earlier-{number}")
    moved = {"rollback": "1.0.0", "withdraw": "2.0.0"}[action]
    for place in each_death(template, places, prepared, action, mark):
        assert place.latest in ("3.0.0", moved)
        assert verify(place.root) == ()
        decided = history.read_history(open_root(place.root), SLUG).latest.number
        assert place.publish("earlier-2").version == "3.0.0"  # whether it was taken back or not: nothing new
        assert place.latest == str(decided)
        assert place.publish("next").version == "4.0.0"
        assert (place.versions, place.latest) == (["1.0.0", "2.0.0", "3.0.0", "4.0.0"], "4.0.0")
        assert verify(place.root) == ()


def test_pruning(template: dying.Template, places: Disk | InBucket) -> None:
    prepared = places.new()
    for number in range(3):
        prepared.publish(f"earlier-{number}")
    for place in each_death(template, places, prepared, "prune", ""):
        assert place.versions in (["1.0.0", "2.0.0", "3.0.0"], ["2.0.0", "3.0.0"], ["3.0.0"])
        assert place.latest == "3.0.0"
        assert verify(place.root) == ()
        left = place.versions
        assert place.publish("next").version == "4.0.0"
        assert place.versions == [*left, "4.0.0"]
        assert verify(place.root) == ()
        assert_clean_after_sweep(place)


def test_sweeping(template: dying.Template, places: Disk | InBucket) -> None:
    """After a publisher that was killed where it leaves most."""
    prepared = places.new()
    prepared.publish("earlier")
    steps = template.run("publish", root=(tried := places.copy(prepared)).root, work=tried.work, mark="killed")
    assert template.run("publish", root=prepared.root, work=prepared.work, mark="killed", die_at=steps * 3 // 4) == -1
    Path(prepared.work, ".staging").mkdir(exist_ok=True)
    Path(prepared.work, ".staging", "left.json").write_bytes(b"{")
    versions = {"1.0.0": len(open_root(prepared.root).files(SLUG, "1.0.0"))}
    for place in each_death(template, places, prepared, "sweep", ""):
        assert place.versions in (["1.0.0"], ["1.0.0", "2.0.0"])
        assert verify(place.root) == ()
        assert_clean_after_sweep(place)
        assert len(open_root(place.root).files(SLUG, "1.0.0")) == versions["1.0.0"]
        assert place.publish("next").latest
        assert verify(place.root) == ()


def assert_clean_after_sweep(place: Place) -> None:
    before = place.versions
    release.mend(place.root, place.work, abandoned_s=0.0)
    assert release.leftovers(place.root, place.work) == []
    assert release.pointer_damage(place.root) == ()
    assert place.versions[: len(before)] == before
    if "://" in place.root:
        keys = [entry.key for entry in Bucket.at(place.root).list("")]
        assert not [key for key in keys if key.startswith(".staging")]


def test_the_template_knows_all_that_is_done_to_a_bucket(s3_server: S3) -> None:
    asked = {name for name in vars(Bucket) if not name.startswith("_") and callable(getattr(Bucket, name))}
    assert asked - set(dying._REQUESTS) == {"at", "uri_of", "stream", "read_range"}  # parts of what "get" reads
