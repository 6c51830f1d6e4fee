"""A deposit killed at any of its calls leaves nothing half-published, and the next one ends it: one DOI, one tag.

Some of the calls each time; all of them with FAULTSET_LONG_TESTS=1.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import releases
from archives import depositors
from archives.hub import NAMESPACE, Hub
from archives.invenio import Invenio
from archives.places import environment_of, unpacked
from archives.server import StandIn
from releases import SLUG

pytestmark = pytest.mark.integration

LONG = os.environ.get("FAULTSET_LONG_TESTS") == "1"
REPO = f"{NAMESPACE}/{SLUG}"


@dataclass
class Place:
    """A root with one version, and what deposits it."""

    root: Path
    depositor: depositors.Depositor

    def again(self) -> None:
        """Forget every deposit, as if there had been none."""
        (self.root / SLUG / "deposits.json").unlink(missing_ok=True)
        shutil.rmtree(self.root / SLUG / ".log", ignore_errors=True)

    def files(self) -> dict[str, bytes]:
        folder = self.root / SLUG / "1.0.0"
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def asked(self, archive: StandIn) -> dict[str, Any]:
        to = "zenodo" if isinstance(archive, Invenio) else "huggingface"
        return {"slug": SLUG, "to": to, "root": str(self.root), "environment": environment_of(archive)}

    def killed_at(self, archive: StandIn, number: int, when: str) -> bool:
        """Deposit in a process that is killed at a call; return whether it came to that."""
        archive.victim = self.depositor.start(**self.asked(archive))
        archive.kill = (number, when)
        self.depositor.go()
        dead = self.depositor.finish() == {}
        archive.kill, archive.victim = None, 0
        return dead

    def whole(self, archive: StandIn) -> bool:
        """Whether the version is there; half of it must never be."""
        if isinstance(archive, Invenio):
            published = archive.published()
            assert all(unpacked(archive.downloaded(entry.id)) == self.files() for entry in published)
            assert len(archive.registered) == len(published) <= 1
            return len(published) == 1
        assert isinstance(archive, Hub)
        repository = archive.repositories.get(REPO)
        tags = repository.tags if repository else {}
        assert tags.keys() <= {"v1.0.0"}
        assert all(archive.downloaded(REPO, name) == self.files() for name in tags)
        # What main shows is the version or nothing, too.
        assert not repository or archive.downloaded(REPO, "main") in ({}, self.files())
        return bool(tags)

    def ended(self, archive: StandIn) -> None:
        answer = self.depositor.run(**self.asked(archive))
        assert answer.get("note"), answer
        assert self.whole(archive)
        if isinstance(archive, Invenio):
            assert archive.drafts() == []
            assert archive.reserved.keys() == archive.registered.keys() == {answer["note"]["doi"]}
        else:
            assert isinstance(archive, Hub)
            assert len(archive.commits_of(REPO, answer["note"]["manifest_sha256"])) == 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    root = tmp_path_factory.mktemp("datasets")
    made = releases.candidate(root, "a")
    for number in range(3):
        releases.write_telemetry(made.folder, f"metrics/n{number}.parquet", releases.telemetry_rows(10 + number))
    releases.publish(made, root, created_at=releases.NOW)
    with depositors.depositor() as depositor:
        yield Place(root, depositor)


def new_archive(to: str) -> StandIn:
    # What was written just now is not found by searching.
    return Invenio(index_lag=5) if to == "zenodo" else Hub(part_bytes=4000)


@pytest.mark.parametrize("to", ["zenodo", "huggingface"])
def test_killed_at_any_call_nothing_is_half_there_and_the_next_deposit_ends_it(place: Place, to: str) -> None:
    place.again()
    with new_archive(to).running() as archive:
        place.ended(archive)
        calls = archive.requests
    chosen = range(1, len(calls) + 1) if LONG else sorted({*_by_kind(calls), *_by_kind(calls, last=True)})
    died = 0
    for number in chosen:
        for when in ("before", "after"):
            place.again()
            with new_archive(to).running() as archive:
                died += place.killed_at(archive, number, when)
                place.whole(archive)
                place.ended(archive)
    assert died == 2 * len(chosen)
    print(f"{to}: {len(calls)} calls, killed {died} times")


def _by_kind(calls: list[str], *, last: bool = False) -> Iterable[int]:
    """Return the number of the first call of each kind, or of the last."""
    kinds: dict[str, int] = {}
    for number, call in enumerate(calls, start=1):
        kind = re.sub(r"[0-9a-f]{40,}|[0-9]+|files/[^/]+", "*", call)
        kinds[kind] = number if last else kinds.get(kind, number)
    return kinds.values()


@pytest.mark.parametrize("to", ["zenodo", "huggingface"])
def test_killed_again_and_again_it_still_ends_once(place: Place, to: str) -> None:
    chosen = random.Random(7)
    for _ in range(20 if LONG else 3):
        place.again()
        with new_archive(to).running() as archive:
            for _ in range(6):
                ahead = len(archive.requests) + chosen.randint(1, 30)
                place.killed_at(archive, ahead, chosen.choice(["before", "after"]))
                place.whole(archive)
            place.ended(archive)
