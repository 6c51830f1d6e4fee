"""Another who acts at the very moment that hurts: between a look at a folder and what follows from that look."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any


@contextmanager
def after(function: Callable[..., Any], act: Callable[[], object]) -> Iterator[None]:
    """Let ``act`` happen once within the block, as ``function`` has just ended for the first time.

    The function itself runs as it is; where it is not called, the test that waits for it fails.
    """
    code = getattr(function, "__wrapped__", function).__code__
    acted = False

    def watch(frame: FrameType, event: str, _: object) -> None:
        nonlocal acted
        if event == "return" and frame.f_code is code:
            sys.setprofile(before)
            acted = True
            act()

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)
    assert acted, f"{function.__qualname__} was not called"


def put(path: Path, data: bytes, *, replaced: bool) -> None:
    """Give a file other content, in its place or as a synchronisation does: by another file of the same times."""
    state = path.stat()
    target = path.with_suffix(".new") if replaced else path
    target.write_bytes(data)
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
    target.replace(path)
