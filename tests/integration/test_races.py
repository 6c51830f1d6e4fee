"""Several processes publish and read at once, on a disk and in a bucket, also in one that fails now and then.

Few of them each time; eight with fifty rounds each with FAULTSET_LONG_TESTS=1.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import dying
from faultset import release
from faultset.release.verify import verify
from faultset.storage import open_root
from releases import SLUG
from s3 import S3, Link, link_to

pytestmark = pytest.mark.integration

LONG = os.environ.get("FAULTSET_LONG_TESTS") == "1"
WRITERS, ROUNDS = (8, 50) if LONG else (4, 3)
# A bucket in trouble takes several times as long.
TROUBLED = (WRITERS, ROUNDS) if LONG else (3, 2)


def race(root: str, work: Path, writers: int, rounds: int) -> None:
    """Let writers and a reader run, each in a process of its own, and see what is there afterwards."""
    work.mkdir(exist_ok=True)
    stop = work / "stop"
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(writers + 1) as pool:
        templates = [stack.enter_context(dying.template()) for _ in range(writers + 1)]
        reader = pool.submit(templates[0].ask, "read all", root=root, work=str(work), mark=str(stop))
        started = time.monotonic()
        told = pool.map(
            lambda number: templates[number].ask("write all", root=root, work=str(work), mark=f"{number}/{rounds}"),
            range(1, writers + 1),
        )
        try:
            answers = [answer for of_one in told for answer in of_one]
        finally:
            stop.touch()
        took = time.monotonic() - started
        assert reader.result(timeout=120) > 0
    made = [version for _, version, new in answers if new]
    records = release.versions(root)
    print(f"{len(answers)} published, {len(made)} versions, {took:.0f} s, read {reader.result()} times")
    assert len(answers) == writers * rounds
    assert sorted(made) == sorted(record.version for record in records)
    assert {fingerprint for fingerprint, _, _ in answers} == {record.fingerprint for record in records}
    assert {(print_, version) for print_, version, _ in answers} == {(r.fingerprint, r.version) for r in records}
    assert [record.latest for record in records] == [False] * (len(records) - 1) + [True]
    assert_no_gap(root)
    assert verify(root) == ()
    assert release.leftovers(root, work) == []


def assert_no_gap(root: str) -> None:
    """Each version follows from the one before it, and was compared with that one."""
    numbers = [tuple(map(int, record.version.split("."))) for record in release.versions(root)]
    assert numbers[0] == (1, 0, 0)
    for (major, minor, patch), after in itertools.pairwise(numbers):
        assert after in ((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))
        manifest = json.loads(open_root(root).read(f"{SLUG}/{'.'.join(map(str, after))}/manifest.json") or b"")
        assert manifest["previous"]["version"] == f"{major}.{minor}.{patch}"


def test_on_a_disk(tmp_path: Path) -> None:
    race(str(tmp_path), tmp_path, WRITERS, ROUNDS)


def test_in_a_bucket(new_bucket: str, tmp_path: Path) -> None:
    race(f"s3://{new_bucket}/sets", tmp_path, WRITERS, ROUNDS)


def answers_500(link: Link, chance: random.Random) -> None:
    link.refuse = lambda _method: 500 if chance.random() < 0.05 else 0


def answers_503(link: Link, chance: random.Random) -> None:
    link.refuse = lambda _method: 503 if chance.random() < 0.05 else 0


def loses_answers(link: Link, chance: random.Random) -> None:
    link.lose = lambda method: method == "PUT" and chance.random() < 0.1


def is_slow(link: Link, chance: random.Random) -> None:
    def wait(_method: str) -> int:
        time.sleep(chance.random() * 0.05)
        return 0

    link.refuse = wait


@pytest.fixture(params=[answers_500, answers_503, loses_answers, is_slow], ids=lambda trouble: trouble.__name__)
def troubled(request: pytest.FixtureRequest, s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    with link_to(s3_server) as link:
        monkeypatch.setenv("AWS_ENDPOINT_URL", link.endpoint)
        monkeypatch.setenv("FAULTSET_S3_RETRIES", "8")
        request.param(link, random.Random(7))
        yield link


def test_in_a_bucket_with_trouble(troubled: Link, new_bucket: str, tmp_path: Path) -> None:
    race(f"s3://{new_bucket}/sets", tmp_path, *TROUBLED)
