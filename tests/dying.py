"""Processes that are killed (SIGKILL) at a given step of what they do to a storage.

A template process imports everything once and forks a process for each death; run as a program, this file is that
template. A step is a call that opens, renames, removes, locks or flushes a file of the storage, or a request to a
bucket, which has two: before it is sent, and after it was answered.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "fcntl.flock"}
_REQUESTS = ("get", "head", "list", "folders", "create", "replace", "put_file", "fetch", "copy", "delete")


@dataclass(frozen=True)
class Template:
    """Where to ask for processes that die."""

    process: subprocess.Popen[str]

    def run(self, action: str, *, die_at: int = 0, **named: str) -> int:
        """Run an action in a process that dies at this step; 0: at none.

        Returns:
            The number of steps that it took; -1 if it died.
        """
        return int(self._ask(action, die_at, named)["steps"])

    def ask(self, action: str, **named: Any) -> Any:
        """Run an action that is not killed and return its answer."""
        return self._ask(action, 0, named)["result"]

    def _ask(self, action: str, die_at: int, named: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"action": action, "die_at": die_at, **named}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["error"] is None, answer["error"]
        return answer


@contextmanager
def template() -> Iterator[Template]:
    """Start the template with this process's environment; it ends with the block."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "include")])}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "dying.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        yield Template(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(timeout=60)


# --- in the template ------------------------------------------------------------------------------------------------


class _Steps:
    """Counts, and kills this process at one of them."""

    def __init__(self, die_at: int) -> None:
        self.count = 0
        self._die_at = die_at
        self._one = threading.Lock()

    def step(self) -> None:
        with self._one:
            self.count += 1
            if self.count == self._die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def on_files(self, root: str) -> None:
        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in _EVENTS and (event == "fcntl.flock" or str(arguments[0]).startswith(root)):
                self.step()

        sys.addaudithook(hook)
        flush = os.fsync

        def fsync(handle: int) -> None:
            self.step()
            flush(handle)

        os.fsync = fsync

    def on_requests(self) -> None:
        from faultset.storage.bucket import Bucket

        for name in _REQUESTS:
            setattr(Bucket, name, self._around(getattr(Bucket, name)))

    def _around(self, request: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*arguments: Any) -> Any:
            self.step()
            answer = request(*arguments)
            answer = iter(list(answer)) if request.__name__ == "list" else answer
            self.step()
            return answer

        return asked


def _publish(root: str, work: str, mark: str) -> Callable[[], object]:
    import releases
    from faultset.release.commit import publish

    made = releases.candidate(Path(work), mark, _content(mark))
    return lambda: publish(made, root, created_at=releases.NOW, work=work)


def _content(mark: str) -> dict[str, list[Any]]:
    import releases

    return releases.rows() | {"injections": [releases.injection(250, effect_reason=mark)]}


def _undo(kind: str) -> Callable[..., Callable[[], object]]:
    def prepare(root: str, work: str, mark: str) -> Callable[[], object]:
        import releases
        from faultset.release import undo
        from faultset.release.retention import Policy

        author = undo.Author("A. Person", releases.NOW)
        if kind == "prune":
            return lambda: undo.prune(root, releases.SLUG, Policy(1), author)
        return lambda: getattr(undo, kind)(root, releases.SLUG, mark, "wrong labels", author)

    return prepare


def _sweep(root: str, work: str, mark: str) -> Callable[[], object]:
    from faultset import release

    return lambda: release.mend(root, work, abandoned_s=0.0)


_ACTIONS: dict[str, Callable[..., Callable[[], object]]] = {
    "publish": _publish,
    "rollback": _undo("rollback"),
    "withdraw": _undo("withdraw"),
    "prune": _undo("prune"),
    "sweep": _sweep,
}


def _write_all(root: str, work: str, mark: str) -> Callable[[], object]:
    """One writer of a race; ``mark`` is its number and its rounds, as in ``3/50``."""
    import releases
    from faultset.release.commit import publish

    writer, rounds = map(int, mark.split("/"))

    def write() -> list[tuple[str, str, bool]]:
        told = []
        for number in range(rounds):
            mine = f"same-{number}" if writer % 2 else f"{writer}-{number}"
            folder = Path(work, f".writer-{writer}")
            made = releases.candidate(folder, mine, _content(mine if number % 3 else "patched"))
            done = publish(made, root, created_at=releases.NOW, work=folder if "://" in root else work)
            told.append((made.fingerprint, done.version, done.new))
        return told

    return write


def _read_all(root: str, work: str, mark: str) -> Callable[[], object]:
    """Open the latest version until the file ``mark`` is there; every byte has to be the manifest's."""
    import hashlib

    import faultset
    import releases
    from faultset.errors import InputError
    from faultset.storage import open_root

    def read() -> int:
        seen, store = 0, open_root(root)
        while not Path(mark).exists() or not seen:
            try:
                opened = faultset.open(releases.SLUG, root=root)
            except InputError:
                assert not seen, "it was there before"
                continue
            for file in opened.manifest.files:
                data = store.read(f"{releases.SLUG}/{opened.version}/{file.path}")
                assert hashlib.sha256(data or b"").hexdigest() == file.sha256, file.path
            assert len(opened.injections) == 1
            seen += 1
        return seen

    return read


_ACTIONS |= {"write all": _write_all, "read all": _read_all}


def _child(task: dict[str, Any], answer: int) -> None:
    error = result = None
    steps = _Steps(task["die_at"])
    try:
        act = _ACTIONS[task["action"]](task["root"], task["work"], task["mark"])
        if task["action"] in ("write all", "read all"):
            pass
        elif "://" in task["root"]:
            steps.on_requests()
        else:
            steps.on_files(task["root"])
        result = act()
    except Exception as raised:  # noqa: BLE001 (the test that asked gets to know it)
        error = repr(raised)
    with os.fdopen(answer, "w") as writer:
        json.dump({"steps": steps.count, "error": error, "result": result}, writer, default=str)


def _main() -> None:
    import releases  # noqa: F401 (what every child needs is imported once, here)
    from faultset import release  # noqa: F401
    from faultset.release import undo  # noqa: F401

    for line in sys.stdin:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _child(json.loads(line), writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as said:
            answer = said.read()
        os.waitpid(pid, 0)
        print(answer or json.dumps({"steps": -1, "error": None}), flush=True)


def points(total: int, wanted: int) -> list[int]:
    """Return all steps from 1 to ``total``, or about ``wanted`` of them, evenly."""
    return list(itertools.islice(range(1, total + 1), 0, None, max(1, total // wanted)))


if __name__ == "__main__":
    _main()
