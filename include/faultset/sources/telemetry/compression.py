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
from faultset.settings import limits
from faultset.sources.kit.files import local_path, read_head, refuse_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultset.records.telemetry import TelemetryFile

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZIP = b"PK\x03\x04"
# What unpacking says of a damaged archive; which one depends on the library below.
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


# Before a ratio says anything, this much has to come out.
_FREE_BYTES = 16 * 1024**2
# Others take gigabytes of memory for a dictionary, if the archive says so.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class CutOffError(Exception):
    """The bytes end, or cannot be unpacked, before the file is over; the message says why."""


class ByteStream:
    """The unpacked bytes of a file, read in blocks of exactly the size asked for, the last one excepted."""

    def __init__(self, raw: BinaryIO, name: str, packed_bytes: int | None) -> None:
        """Read ``raw``; ``packed_bytes`` is the size of the archive that it comes out of, None where it is none."""
        self._raw = raw
        self._name = name
        self._limits = limits()
        self._most = None if packed_bytes is None else max(_FREE_BYTES, packed_bytes * self._limits.telemetry_ratio)
        self._count = 0

    @property
    def is_packed(self) -> bool:
        """Whether it comes out of an archive, which can only be read from its start."""
        return self._most is not None

    def jump(self, to: int) -> None:
        """Go on at the byte ``to`` of a file that is not packed."""
        self._raw.seek(to)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer only at the end.

        Raises:
            CutOffError: the archive is damaged or cut off.
            InputError: more comes out than the limits allow; names the limit.
        """
        parts: list[bytes] = []
        wanted = size
        try:
            while wanted and (part := self._raw.read(wanted)):
                parts.append(part)
                wanted -= len(part)
        except _DAMAGED as error:
            raise CutOffError(f"it cannot be read on ({error})") from error
        self._count += size - wanted
        self._limits.check("telemetry_bytes", self._count, self._name)
        if self._most is not None and self._count > self._most:
            raise self._limits.passed("telemetry_ratio", self._name)
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
        packed = head.startswith((_GZIP, _ZSTD, _ZIP))
        size = local_path(file.uri).stat().st_size if packed else None
        yield ByteStream(_opened(file, head, stack), file.name, size)


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
    if members[0].compress_type not in _METHODS:
        raise InputError(file.name, "is a zip archive packed with a method that is not allowed", "pack it again")
    return cast("BinaryIO", stack.enter_context(archive.open(members[0])))
