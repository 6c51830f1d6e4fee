"""Bytes of a telemetry file, unpacked on the way: plain, gzip, zstd, or the only member of a zip archive."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from faultset.errors import InputError
from faultset.sources.files import local_path, read_head, refuse_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultset.records import TelemetryFile

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZIP = b"PK\x03\x04"
# What unpacking says of a damaged archive; which one depends on the library below.
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


class CutOffError(Exception):
    """The bytes end, or cannot be unpacked, before the file is over; the message says why."""


class ByteStream:
    """The unpacked bytes of a file, read in blocks of exactly the size asked for, the last one excepted."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end.

        Raises:
            CutOffError: the archive is damaged or cut off.
        """
        parts: list[bytes] = []
        wanted = size
        try:
            while wanted and (part := self._raw.read(wanted)):
                parts.append(part)
                wanted -= len(part)
        except _DAMAGED as error:
            raise CutOffError(f"it cannot be read on ({error})") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def unpacked(file: TelemetryFile) -> Iterator[ByteStream]:
    """Open ``file``; what it is packed with is told by its first bytes, not by its name.

    Raises:
        InputError: it is missing, not readable, empty, an archive of another kind, or of several files.
    """
    head = read_head(file.uri)
    if not head:
        raise InputError(file.name, "is empty", "give a file with content")
    with ExitStack() as stack:
        yield ByteStream(_opened(file, head, stack))


def _opened(file: TelemetryFile, head: bytes, stack: ExitStack) -> BinaryIO:
    path = str(local_path(file.uri))
    try:
        if head.startswith(_ZIP):
            return _only_member(file, stack.enter_context(zipfile.ZipFile(path)), stack)
        for signature, codec in ((_GZIP, "gzip"), (_ZSTD, "zstd")):
            if head.startswith(signature):
                return cast("BinaryIO", stack.enter_context(pa.CompressedInputStream(pa.OSFile(path), codec)))
        refuse_binary(file.name, head)
        return stack.enter_context(io.FileIO(path))
    except _DAMAGED as error:
        raise InputError(file.name, f"cannot be unpacked ({error})", "copy the file again") from error


def _only_member(file: TelemetryFile, archive: zipfile.ZipFile, stack: ExitStack) -> BinaryIO:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise InputError(file.name, f"is a zip archive of {len(members)} files", "give an archive of one file")
    return cast("BinaryIO", stack.enter_context(archive.open(members[0])))
