"""A file of a version, wherever it lies, as parquet: only the parts that a question needs are read."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from faultset.errors import InputError
from faultset.release import parquet
from faultset.storage.bucket import Bucket
from faultset.storage.web import NoRangesError, WebRoot

_FORMAT = ds.ParquetFileFormat()
_HELD_BYTES = 32 << 20


class File(Protocol):
    """A parquet file of a version; ``str()`` gives its path or address."""

    def table(self) -> pa.Table:
        """Return all rows.

        Raises:
            InputError: it is damaged.
            SetupError: it cannot be read.
        """

    def fragment(self) -> ds.Fragment:
        """Return it for a scan, of which nothing is read yet."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on a disk; ``filesystem`` reads it."""

    path: Path
    filesystem: fs.FileSystem | None = None

    def __str__(self) -> str:
        return str(self.path)

    def table(self) -> pa.Table:
        """As in ``File``."""
        return parquet.read_arrow(self.path)

    def fragment(self) -> ds.Fragment:
        """As in ``File``."""
        if not self.path.is_file():
            raise InputError(self.path, "the file is missing", "run faultset verify, then restore it from a copy")
        return _FORMAT.make_fragment(str(self.path), self.filesystem or fs.LocalFileSystem())


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a bucket.

    Attributes:
        bucket: where it lies.
        key: its name there.
        size: in bytes.
    """

    bucket: Bucket
    key: str
    size: int

    def __str__(self) -> str:
        return self.bucket.uri_of(self.key)

    def table(self) -> pa.Table:
        """As in ``File``."""
        content = self.bucket.read_range(self.key, 0, self.size) if self.size else b""
        return parquet.decode_arrow(content, self)

    def fragment(self) -> ds.Fragment:
        """As in ``File``."""
        return _fragment(lambda start, length: self.bucket.read_range(self.key, start, length), self.size)


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file on a web server.

    Attributes:
        site: where it lies.
        name: its name there.
        size: in bytes, as its manifest says.
    """

    site: WebRoot
    name: str
    size: int

    def __str__(self) -> str:
        return self.site.uri_of(self.name)

    def table(self) -> pa.Table:
        """As in ``File``."""
        return parquet.decode_arrow(self._whole().read(), self)

    def fragment(self) -> ds.Fragment:
        """As in ``File``; where the server knows no ranges, the whole file is fetched, once."""
        return _fragment(_Ranges(self).read, self.size)

    def _whole(self) -> IO[bytes]:
        """Return the content, from its start; what is large lies in a temporary file.

        Raises:
            InputError: it is not as long as its manifest says.
        """
        content = tempfile.SpooledTemporaryFile(_HELD_BYTES)  # noqa: SIM115 (lives as long as it is read)
        for piece in self.site.stream(self.name):
            content.write(piece)
            if content.tell() > self.size:
                break
        if content.tell() != self.size:
            raise InputError(self, "it is not as long as its manifest says", "compare it with its origin")
        content.seek(0)
        return content


class _Ranges:
    """Parts of a file on a web server: asked for one by one, or cut from the whole where the server cannot."""

    def __init__(self, file: WebFile) -> None:
        self._file = file
        self._content: IO[bytes] | None = None

    def read(self, start: int, length: int) -> bytes:
        if self._content is None:
            try:
                return self._file.site.read_range(self._file.name, start, length)
            except NoRangesError:
                self._content = self._file._whole()  # noqa: SLF001 (of this module)
        self._content.seek(start)
        return self._content.read(length)


class _Remote(io.RawIOBase):
    """A file that lies elsewhere as a file object that asks for exactly the bytes that are read."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        data = self._read(self._at, length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _fragment(read: Callable[[int, int], bytes], size: int) -> ds.Fragment:
    return _FORMAT.make_fragment(pa.PythonFile(_Remote(read, size), mode="r"))
