"""Files of a record as bytes: a version's file as it is, or a folder of them as a zip that is the same each time.

The zip is not compressed (parquet is) and carries neither times nor owners, so that whoever makes it again makes the
same bytes, and a killed upload can be told from a whole one. It is made while it is read; no copy is kept.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from faultset.deposits.plan import Parcel
from faultset.errors import AnswerIsNo
from faultset.release.manifest import FileEntry
from faultset.storage import explain_os_errors

_PIECE = 1 << 20
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can tell
_ORDINARY = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file of a record whose bytes are known.

    Attributes:
        parcel: what it holds.
        bytes: its size.
        md5: hex digest of its bytes: what InvenioRDM tells of a file.
    """

    parcel: Parcel
    bytes: int
    md5: str


def seal(folder: Path, parcel: Parcel, tell: Callable[[int], None]) -> Sealed:
    """Read a parcel once, to know its size and hash before it is sent.

    Args:
        folder: the version's.
        parcel: what to read.
        tell: called with the bytes read of each piece.

    Raises:
        AnswerIsNo: a file is not the one that was published.
        SetupError: a file cannot be read.
    """
    digest, size = hashlib.md5(usedforsecurity=False), 0
    for piece in pieces(folder, parcel):
        digest.update(piece)
        size += len(piece)
        tell(len(piece))
    return Sealed(parcel, size, digest.hexdigest())


def pieces(folder: Path, parcel: Parcel) -> Iterator[bytes]:
    """Yield a parcel's bytes, some megabytes at a time at most.

    Raises:
        AnswerIsNo: a file is not the one that was published.
        SetupError: a file cannot be read.
    """
    if not parcel.archive:
        yield from _read(folder, parcel.members[0])
        return
    out = _Sink()
    with zipfile.ZipFile(cast("IO[bytes]", out), "w", zipfile.ZIP_STORED) as archive:
        for member in parcel.members:
            head = zipfile.ZipInfo(member.path, _LONG_AGO)
            head.external_attr, head.create_system, head.file_size = _ORDINARY, 3, member.bytes
            with archive.open(head, "w", force_zip64=True) as file:
                for piece in _read(folder, member):
                    file.write(piece)
                    yield out.taken()
            yield out.taken()
    yield out.taken()


def _read(folder: Path, file: FileEntry) -> Iterator[bytes]:
    digest, path = hashlib.sha256(), folder / file.path
    with explain_os_errors(path), path.open("rb") as source:
        while piece := source.read(_PIECE):
            digest.update(piece)
            yield piece
    if digest.hexdigest() != file.sha256:
        remedy = "run faultset verify, then restore it from a copy; nothing is deposited until then"
        raise AnswerIsNo(path, "its bytes are not those that were published", remedy)


def git_sha1(folder: Path, file: FileEntry) -> str:
    """Return the name that git gives a file's bytes.

    Raises:
        AnswerIsNo: it is not the file that was published.
        SetupError: it cannot be read.
    """
    digest = hashlib.sha1(b"blob %d\0" % file.bytes, usedforsecurity=False)
    for piece in _read(folder, file):
        digest.update(piece)
    return digest.hexdigest()


class _Sink:
    """A file that cannot be read or sought, and hands out what was written since it was asked last."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._held.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data, self._held = b"".join(self._held), []
        return data
