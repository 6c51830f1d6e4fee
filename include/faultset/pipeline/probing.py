"""A probe of the storage: whether writes that must not both succeed do not, and how far its clock is from ours."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from faultset.settings import Settings
from faultset.storage import explain_os_errors
from faultset.storage.bucket import Bucket, is_bucket, public

_FOLDER = ".doctor"


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        promises: what holds, in words.
        broken: what does not; empty where all is well.
        clock_s: how far this machine is ahead of the storage, in seconds; negative where it is behind.
        seconds: how long it took.
    """

    promises: str
    broken: str
    clock_s: float
    seconds: float


def probe(settings: Settings) -> Probe | None:
    """Write some bytes under the datasets root, as publishing does, and remove them again.

    Returns:
        None where there is no root yet.

    Raises:
        SetupError: they cannot be written.
    """
    since = time.monotonic()
    if is_bucket(settings.datasets):
        broken, clock_s = _bucket(Bucket.at(settings.datasets))
        promises = f"conditional writes hold in {public(settings.datasets)}"
    elif not Path(settings.datasets).is_dir():
        return None
    else:
        broken, clock_s = _folder(Path(settings.datasets))
        promises = f"names are taken once in {settings.datasets}"
    return Probe(promises, broken, clock_s, time.monotonic() - since)


def _bucket(bucket: Bucket) -> tuple[str, float]:
    key, mine = f"{_FOLDER}/{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
    before = time.time()
    try:
        bucket.create(key, mine)
        after = time.time()
        written = next((entry.modified.timestamp() for entry in bucket.list(_FOLDER) if entry.key == key), None)
        taken_twice = bucket.create(key, b"another")
        replaced = bucket.replace(key, b"another", '"0123456789abcdef0123456789abcdef"')
    finally:
        bucket.delete([key])
    wrong = []
    if taken_twice:
        wrong.append("If-None-Match")
    if replaced:
        wrong.append("If-Match")
    if written is None:
        wrong.append("listing what was just written")
    told = f"{public(bucket.uri)} does not keep {' and '.join(wrong)}: two writers would overwrite one another"
    return told if wrong else "", _apart(before, written, after)


def _folder(root: Path) -> tuple[str, float]:
    folder = root / _FOLDER
    first, second = (folder / uuid.uuid4().hex for _ in range(2))
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            before = time.time()
            first.write_bytes(b"mine")
            after, written = time.time(), first.stat().st_mtime
            second.write_bytes(b"another")
            try:
                os.link(second, first)
                twice = True
            except FileExistsError:
                twice = False
        finally:
            for path in (first, second):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another doctor may be at it
                folder.rmdir()
    return f"{root} lets two writers take one name" if twice else "", _apart(before, written, after)


def _apart(before: float, written: float | None, after: float) -> float:
    """Return how far ahead of the storage we are, beyond what its times, of whole seconds, and the way allow."""
    if written is None or before - 1.0 <= written <= after + 1.0:
        return 0.0
    return before - written if written < before else after - written
