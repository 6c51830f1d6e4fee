"""Publishing with several writers, with a crash at every step, and on a disk that takes no more."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import releases
from faultset import release, tables
from faultset.errors import FaultsetError
from faultset.release.commit import publish
from faultset.release.parquet import read_table
from faultset.release.verify import verify
from releases import NOW, SLUG, candidate, published

pytestmark = pytest.mark.integration

TESTS = Path(__file__).resolve().parent.parent
WRITERS = 4
ROUNDS = 10
_FORK = multiprocessing.get_context("fork")


def with_injections(number: int) -> dict[str, list[Any]]:
    content = releases.rows()
    content["injections"] = [releases.injection(250, effect_reason=f"writer {number}")]
    return content


# --- several writers ------------------------------------------------------------------------------------------------


def write_all(root: Path, writer: int, answers: Any) -> None:
    for number in range(ROUNDS):
        mark = f"{writer}-{number}"
        # Half of the writers write one and the same record, so that majors and patches are mixed.
        result = published(root, mark, with_injections(0 if writer % 2 else number))
        answers.put((mark, result.version, result.new))


def read_all(root: Path, stop: Any, answers: Any) -> None:
    seen = 0
    while not stop.is_set() or not seen:
        pointer = root / SLUG / "latest.json"
        if pointer.exists():
            folder = root / SLUG / json.loads(pointer.read_bytes())["version"]
            for table in tables.TABLES:
                read_table(table, folder / f"{table.name}.parquet")
            seen += 1
    answers.put(("reader", seen, True))


def test_numbers_are_unique_and_without_gaps_whoever_writes(tmp_path: Path) -> None:
    answers, stop = _FORK.Queue(), _FORK.Event()
    reader = _FORK.Process(target=read_all, args=(tmp_path, stop, answers))
    writers = [_FORK.Process(target=write_all, args=(tmp_path, writer, answers)) for writer in range(WRITERS)]
    for process in (reader, *writers):
        process.start()
    told = [answers.get(timeout=120) for _ in range(WRITERS * ROUNDS)]
    stop.set()
    assert answers.get(timeout=60)[0] == "reader"
    for process in (reader, *writers):
        process.join(timeout=60)
        assert process.exitcode == 0
    versions = [version for _, version, _ in told]
    records = release.versions(tmp_path)
    assert sorted(versions) == sorted(record.version for record in records)
    assert len(set(versions)) == WRITERS * ROUNDS
    assert all(new for _, _, new in told)
    assert [record.latest for record in records] == [False] * (len(records) - 1) + [True]
    assert_no_gap(tmp_path)
    assert verify(tmp_path) == ()
    assert release.leftovers(tmp_path) == []


def assert_no_gap(root: Path) -> None:
    """Each version follows from the one before it, and was compared with that one."""
    numbers = [tuple(map(int, record.version.split("."))) for record in release.versions(root)]
    assert numbers[0] == (1, 0, 0)
    for (major, minor, patch), after in itertools.pairwise(numbers):
        assert after in ((major + 1, 0, 0), (major, minor + 1, 0), (major, minor, patch + 1))
        manifest = json.loads((root / SLUG / ".".join(map(str, after)) / "manifest.json").read_bytes())
        assert manifest["previous"]["version"] == f"{major}.{minor}.{patch}"


def publish_same(root: Path, writer: int, answers: Any) -> None:
    for number in range(ROUNDS):
        mine = candidate(root / f".writer-{writer}", f"same-{number}", with_injections(number))
        result = publish(mine, root, created_at=NOW)
        answers.put((number, result.version, result.new))


def test_writers_of_the_same_content_make_one_version_of_it(tmp_path: Path) -> None:
    answers = _FORK.Queue()
    writers = [_FORK.Process(target=publish_same, args=(tmp_path, writer, answers)) for writer in range(WRITERS)]
    for process in writers:
        process.start()
    told = [answers.get(timeout=120) for _ in range(WRITERS * ROUNDS)]
    for process in writers:
        process.join(timeout=60)
        assert process.exitcode == 0
    made = [version for _, version, new in told if new]
    assert sorted(made) == sorted(record.version for record in release.versions(tmp_path))
    assert_no_gap(tmp_path)
    assert verify(tmp_path) == ()


# --- a crash at every step ------------------------------------------------------------------------------------------

_STEPS = ("rename", "replace", "fsync", "unlink", "chmod", "mkdir", "open", "close")


def die_at(step: int) -> None:
    """Let this process end at once, as by SIGKILL, at its ``step``-th call that changes a disk."""
    taken = 0

    def count(original: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == step:
                os._exit(137)
            return original(*arguments, **named)

        return call

    for name in _STEPS:
        setattr(os, name, count(getattr(os, name)))


def publish_until(root: Path, mark: str, step: int) -> int:
    """Publish in a process that dies at ``step``; return its exit code."""

    def run() -> None:
        made = candidate(root, mark, with_injections(7))
        die_at(step)
        publish(made, root, created_at=NOW)
        os._exit(0)

    process = _FORK.Process(target=run)
    process.start()
    process.join(timeout=60)
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize("earlier", [0, 1], ids=["first version", "second version"])
def test_a_publisher_killed_at_any_step_leaves_the_old_or_the_new_state(tmp_path: Path, earlier: int) -> None:
    step, died = 1, 0
    while True:
        root = tmp_path / str(step)
        for number in range(earlier):
            published(root, f"earlier-{number}")
        before = [record.version for record in release.versions(root)]
        code = publish_until(root, "killed", step)
        assert code in (0, 137)
        after = [record.version for record in release.versions(root)]
        assert after[: len(before)] == before
        assert len(after) - len(before) in (0, 1)
        assert verify(root) == ()
        shutil.rmtree(root / ".candidates", ignore_errors=True)
        result = published(root, "killed", with_injections(7))
        assert result.new == (after == before)
        assert [record.latest for record in release.versions(root)][-1]
        assert verify(root) == ()
        shutil.rmtree(root)
        if code == 0:
            break
        step, died = step + 1, died + 1
    assert died > 30


# --- a disk that takes no more --------------------------------------------------------------------------------------


def in_a_process(run: Callable[[], None]) -> str:
    """Return the line of the error that ``run`` raises in a process of its own."""
    answers = _FORK.Queue()

    def call() -> None:
        try:
            run()
        except FaultsetError as error:
            answers.put(f"{error.exit_code} {error}")
        else:
            answers.put("0")

    process = _FORK.Process(target=call)
    process.start()
    answer = str(answers.get(timeout=60))
    process.join(timeout=60)
    return answer


def test_where_files_cannot_grow_the_candidate_is_given_back_and_nothing_is_shown(tmp_path: Path) -> None:
    published(tmp_path, "a")
    made = candidate(tmp_path, "b", with_injections(1))
    files = sorted(path.name for path in made.folder.rglob("*"))

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        publish(made, tmp_path, created_at=NOW)

    answer = in_a_process(run)
    assert answer.startswith("3 ")
    assert "the file is larger than is allowed here" in answer
    assert sorted(path.name for path in made.folder.rglob("*")) == files
    assert [record.version for record in release.versions(tmp_path)] == ["1.0.0"]
    assert (verify(tmp_path), release.leftovers(tmp_path)) == ((), [])
    assert publish(made, tmp_path, created_at=NOW).version == "2.0.0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_where_permission_is_missing_nothing_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the other user may not pass through the folders above
    tmp_path.chmod(0o755)
    root = Path()
    published(root, "a")
    made = candidate(root, "b", with_injections(1))

    def run() -> None:
        os.setgroups([])
        os.setegid(65534)
        os.seteuid(65534)
        assert verify(root) == ()
        publish(made, root, created_at=NOW)

    answer = in_a_process(run)
    assert answer.startswith("3 ")
    assert "permission is missing" in answer
    assert made.folder.is_dir()
    assert [record.version for record in release.versions(root)] == ["1.0.0"]


FILL = """
import sys
from pathlib import Path
import releases
from faultset import release
from faultset.errors import SetupError
from faultset.release.commit import publish
from faultset.release.verify import verify
root, before = Path(sys.argv[1]), sys.argv[2]
releases.published(root, "a")
made = releases.candidate(root, "b", releases.rows() | {"injections": [releases.injection(500)]})
if before == "full":
    with (root / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"0" * 512)
        except OSError:
            pass
else:
    import subprocess
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)
try:
    publish(made, root, created_at=releases.NOW)
except SetupError as error:
    print(error.exit_code, error)
assert made.folder.is_dir()
assert [record.version for record in release.versions(root)] == ["1.0.0"]
assert verify(root) == () and release.leftovers(root) == []
"""


@pytest.mark.parametrize(("before", "line"), [("full", "the disk is full"), ("read-only", "file system is read-only")])
def test_a_disk_that_takes_nothing_more_is_one_clear_line(tmp_path: Path, before: str, line: str) -> None:
    """On a small file system of its own, in a mount namespace that goes with the process."""
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "include")])
    mounted = 'mount -t tmpfs -o size=400k tmpfs "$1" && exec "$2" -c "$3" "$1" "$4"'
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("mounting is forbidden here")
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mounted, "sh", tmp_path, sys.executable, FILL, before],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 ")
    assert line in done.stdout
    assert len(done.stdout.splitlines()) == 1
