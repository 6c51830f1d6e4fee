"""Publishing on a disk that takes no more, or not from this user."""

from __future__ import annotations

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
from faultset import release
from faultset.errors import FaultsetError
from faultset.release.commit import publish
from faultset.release.verify import verify
from releases import NOW, candidate, published

pytestmark = pytest.mark.integration

TESTS = Path(__file__).resolve().parent.parent
_FORK = multiprocessing.get_context("fork")


def with_injections(number: int) -> dict[str, list[Any]]:
    content = releases.rows()
    content["injections"] = [releases.injection(250, effect_reason=f"writer {number}")]
    return content


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
