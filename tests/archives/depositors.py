"""Processes that deposit a version and can be killed; run as a program, this is the template that they are forked from.

Asked over standard input, a line a deposit; it answers with the process's id, waits for a second line, lets it go on,
and answers with what became of it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass
class Depositor:
    """Where to ask for deposits."""

    process: subprocess.Popen[str]

    def start(self, **asked: Any) -> int:
        """Prepare a deposit in a process of its own and return its id; it waits for ``finish``."""
        self._say(asked)
        return int(self._hear()["pid"])

    def go(self) -> None:
        self._say({})

    def finish(self) -> dict[str, Any]:
        """Return what became of it: ``note``, or ``error`` and ``exit_code``; {} where it was killed."""
        return self._hear()

    def run(self, **asked: Any) -> dict[str, Any]:
        self.start(**asked)
        self.go()
        return self.finish()

    def _say(self, what: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard


@contextmanager
def depositor() -> Iterator[Depositor]:
    """Start the template; it ends with the block."""
    path = os.pathsep.join([str(HERE.parent), str(HERE.parent.parent / "include")])
    process = subprocess.Popen(
        [sys.executable, str(HERE / "depositors.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        yield Depositor(process)
    finally:
        process.communicate()


def _main() -> None:
    from faultset.deposits import huggingface, invenio  # noqa: F401 (imported once, for all)

    for line in sys.stdin:
        asked = json.loads(line)
        go_read, go_write = os.pipe()
        said_read, said_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go_write)
            os.read(go_read, 1)
            os.write(said_write, json.dumps(_deposit(asked)).encode())
            os._exit(0)
        os.close(said_write)
        _print({"pid": pid})
        sys.stdin.readline()
        os.write(go_write, b"x")
        with os.fdopen(said_read, "rb") as said:
            heard = said.read()
        os.waitpid(pid, 0)
        os.close(go_read)
        os.close(go_write)
        _print(json.loads(heard or b"{}"))


def _deposit(asked: dict[str, Any]) -> dict[str, Any]:
    import dataclasses

    from faultset import deposits
    from faultset.errors import FaultsetError
    from faultset.settings import Settings

    os.environ.update(asked["environment"])
    settings = Settings(catalog="/nowhere", datasets=asked["root"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        note = deposits.deposit(asked["slug"], asked.get("version"), asked["to"], settings)
    except FaultsetError as error:
        return {"error": str(error), "exit_code": error.exit_code}
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"note": dataclasses.asdict(note), "grown_kib": grown}


def _print(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
