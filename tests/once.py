"""What is made once a run and shared by all of its processes, also where tests run in several."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder of this name that ``make`` filled in the first process that asked; the others wait for it.

    Nobody may change what is in it: whoever wants to, copies it.
    """
    base = factory.getbasetemp()
    # Each process of pytest-xdist has a folder of its own below that of the run.
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, made = root / name, root / f"{name}.made"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
