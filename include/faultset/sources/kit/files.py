"""Input files as bytes: local paths, ``file://`` and ``s3://`` URIs, with one clear error for what cannot be read."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

from faultset.errors import FaultsetError, InputError
from faultset.settings import limits
from faultset.sources.kit import fetched
from faultset.storage.bucket import is_bucket, public

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1024**2
_SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"PAR1", "a parquet file"),
    (b"SQLite format 3\x00", "an SQLite database"),
)
_UTF32_MARKS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_bytes(uri: str, *, limit: int | None = None, role: str = "report_bytes") -> bytes:
    """Return the content of the file at ``uri``.

    Args:
        uri: a local path, a ``file://`` or an ``s3://`` URI.
        limit: the most bytes to read, of a file that nobody has a reason to write larger.
        role: the limit (of ``faultset.limits``) that holds where ``limit`` is not given.

    Raises:
        InputError: the file is missing, no regular file, not readable, empty or larger than the limit.
        SetupError: it lies in a bucket that cannot be asked.
    """
    if is_bucket(uri):
        _check_size(fetched.size_of(uri), uri, limit, role)  # before it is fetched
    with _opened(uri) as (file, size):
        _check_size(size, uri, limit, role)
        # Without an argument it reads into one buffer of the file's size; a given limit would be allocated whole.
        return file.read()


def _check_size(size: int, uri: str, limit: int | None, role: str) -> None:
    if size == 0:
        raise InputError(public(uri), "is empty", "give a file with content")
    if limit is None:
        limits().check(role, size, public(uri))
    elif size > limit:
        raise InputError(public(uri), f"has {size:,} bytes, more than the limit of {limit:,}", "give a smaller file")


def read_head(uri: str, size: int = 4096) -> bytes:
    """Return the first ``size`` bytes of the file at ``uri``, fewer where it is shorter.

    Raises:
        InputError: the file is missing, no regular file or not readable.
    """
    with _opened(uri) as (file, _):
        return file.read(size)


def sha256_of(uri: str) -> tuple[int, str]:
    """Return size in bytes and SHA-256 (hex) of the file at ``uri``, read in blocks.

    Raises:
        InputError: the file is missing, no regular file or not readable.
    """
    digest = hashlib.sha256()
    size = 0
    with _opened(uri) as (file, _):
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def mark_of(uri: str) -> tuple[int, str] | None:
    """Return what a file that is written to or replaced has another of: its size, and its times and inode.

    That is its size and e-tag for an object of a bucket, whose local copy has times of its own. None: nothing is there.

    Raises:
        SetupError: the bucket cannot be asked.
    """
    if is_bucket(uri):
        return fetched.mark_of(uri)
    try:
        status = os.stat(local_path(uri))  # noqa: PTH116 (a hundred thousand of them)
    except (OSError, ValueError):
        return None
    return status.st_size, f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


@contextmanager
def unchanged(uri: str, name: str) -> Iterator[tuple[int, str] | None]:
    """Within, read the file at ``uri`` as often as is needed; yields its mark.

    Args:
        uri: the file.
        name: what errors call it.

    Raises:
        InputError: it changed meanwhile, which is told whatever else was found to be wrong with it.
    """
    before = mark_of(uri)
    failure: FaultsetError | None = None
    try:
        yield before
    except FaultsetError as error:
        failure = error
    if mark_of(uri) != before:
        raise changed(name) from failure
    if failure is not None:
        raise failure


def changed(name: str) -> InputError:
    """Return what tells that a file changed while a build reads it."""
    return InputError(name, "changed while it was read", "build again once the files are whole")


def local_path(uri: str) -> Path:
    """Return the path that ``uri`` names; for an object of a bucket, of a copy that is to be read at once.

    Raises:
        InputError: it is a URI of something else, or of an object that does not exist.
        SetupError: the bucket cannot be asked.
    """
    if is_bucket(uri):
        return fetched.local_copy(uri)
    scheme, separator, _ = uri.partition("://")
    if not separator or not scheme.isalnum():
        return Path(uri)
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise InputError(f"{scheme}://", "is no valid URI", "give a path or a file:// URI") from error
    if scheme.lower() != "file" or parts.netloc not in {"", "localhost"}:
        shown = f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"  # without a password or a token
        raise InputError(shown, "is neither a local file nor s3://", "copy the file to this machine and give its path")
    return Path(unquote(parts.path))


@contextmanager
def _opened(uri: str) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file at ``uri``; whatever the system says against it becomes one InputError."""
    path = local_path(uri)
    try:
        # A pipe or a device would block or never end: look before opening.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(uri, "is a folder, not a file", "give the file itself")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(uri, "is no regular file", "give a regular file")
        with path.open("rb") as file:
            yield file, status.st_size
    except FileNotFoundError as error:
        raise InputError(uri, "does not exist", "check the path") from error
    except PermissionError as error:
        raise InputError(uri, "may not be read", "check the file's permissions") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(uri, f"cannot be read: {reason}", "check the path and the disk") from error
    except MemoryError as error:
        raise InputError(uri, "does not fit into memory", "give a smaller file or use a larger machine") from error


def refuse_binary(uri: str, data: bytes) -> None:
    """Refuse what is plainly no UTF-8 text; an encoding error further inside shows when the text is decoded.

    Raises:
        InputError: ``data`` is an archive, a picture, UTF-16, ...
    """
    head = data[:4096]
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            raise InputError(uri, f"is {kind}, not text", "give the file that was packed or exported into it")
    for marks, encoding in ((_UTF32_MARKS, "UTF-32"), (_UTF16_MARKS, "UTF-16")):
        if head.startswith(marks):
            raise InputError(uri, f"is {encoding} text, not UTF-8", "save it as UTF-8")
    if b"\x00" in head:
        wide = len(head) > 3 and (not any(head[1:64:2]) or not any(head[0:64:2]))
        kind = "UTF-16 text without a byte order mark, not UTF-8" if wide else "binary data, not text"
        raise InputError(uri, f"is {kind}", "save it as UTF-8" if wide else "give a text file")
    if not head.strip():
        raise InputError(uri, "holds nothing but blanks", "give a file with content")
