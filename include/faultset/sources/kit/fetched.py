"""Objects of a bucket as local files: each state of an object is fetched once and kept for whoever reads it next.

They lie in ``.inputs`` of the work folder of the settings that hold, named after address and e-tag, so a changed object
is another file. Those that were not read for the longest time make room once all together are larger than
``FAULTSET_INPUTS_GB``.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from faultset.errors import InputError, SetupError
from faultset.settings import current
from faultset.storage import explain_os_errors
from faultset.storage.bucket import Bucket, ChangedError, NotThereError
from faultset.storage.credentials import credentials_for

FOLDER = ".inputs"
_IN_USE_S = 3600.0  # what was asked for this recently may be about to be opened
_ATTEMPTS = 5


def located(uri: str) -> tuple[Bucket, str]:
    """Return the bucket of an object's URI, and the object's key in it.

    Raises:
        InputError: it names no object.
    """
    whole = Bucket.at(uri)
    if not whole.prefix:
        raise InputError(whole.uri, "this is a bucket, not a file in it", "write s3://bucket/path/of/the/file")
    return Bucket(whole.name, "", whole.connection), whole.prefix


def is_there(uri: str) -> bool:
    """Whether there is an object at ``uri``.

    Raises:
        SetupError: the storage cannot be asked.
    """
    bucket, key = located(uri)
    return bucket.head(key) is not None


def mark_of(uri: str) -> tuple[int, str] | None:
    """Return an object's size and e-tag; None where there is none.

    Raises:
        SetupError: the storage cannot be asked.
    """
    bucket, key = located(uri)
    return bucket.head(key)


def size_of(uri: str) -> int:
    """Return an object's size in bytes.

    Raises:
        InputError: it does not exist.
        SetupError: the storage cannot be asked.
    """
    bucket, key = located(uri)
    return _head(bucket, key)[0]


def local_copy(uri: str) -> Path:
    """Return a local file with the bytes that the object has now; read it at once, it can be removed later.

    Raises:
        InputError: it does not exist.
        SetupError: the storage cannot be asked, or the file cannot be written.
    """
    bucket, key = located(uri)
    settings = current()
    folder = Path(settings.work) / FOLDER
    for _ in range(_ATTEMPTS):
        size, etag = _head(bucket, key)
        path = folder / _name(bucket, key, size, etag)
        if _is_kept(path):
            return path
        with explain_os_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder, settings.inputs_bytes - size)
        try:
            bucket.fetch(key, path, etag)
        except (ChangedError, NotThereError):
            continue
        return path
    raise SetupError(bucket.uri_of(key), "it changes faster than it can be fetched", "wait until it is whole")


def _head(bucket: Bucket, key: str) -> tuple[int, str]:
    found = bucket.head(key)
    if found is None:
        raise InputError(bucket.uri_of(key), "does not exist", "check the address")
    return found


def _name(bucket: Bucket, key: str, size: int, etag: str) -> str:
    endpoint = credentials_for(bucket.connection).endpoint or ""
    return hashlib.sha256("\n".join((endpoint, bucket.uri_of(key), str(size), etag)).encode()).hexdigest()


def _is_kept(path: Path) -> bool:
    """Whether the file is there; it counts as read now."""
    with explain_os_errors(path):
        try:
            os.utime(path)
        except FileNotFoundError:
            return False
        return True


def _make_room(folder: Path, room: int) -> None:
    """Remove what was not read for the longest time until all is at most ``room`` bytes; never what is in use."""
    kept = []
    with explain_os_errors(folder):
        for path in folder.iterdir():
            try:
                status = path.stat()
            except FileNotFoundError:
                continue  # another process makes room, too
            kept.append((status.st_mtime, status.st_size, path))
        used = sum(size for _, size, _ in kept)
        for read_at, size, path in sorted(kept):
            if used <= room or time.time() - read_at < _IN_USE_S:
                return
            path.unlink(missing_ok=True)
            used -= size
