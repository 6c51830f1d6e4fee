"""Archives of a run, zip and tar, unpacked so that nothing in them can reach beyond one folder or fill a disk.

Only plain files and folders come out. Every name is checked before a byte is written, sizes are counted while bytes
are unpacked (what a header says of them proves nothing), and archives inside of an archive stay packed. Nothing is
left behind where anything is wrong.
"""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, NoReturn

from faultset.errors import InputError, SetupError, printable
from faultset.sources.kit.files import local_path, read_head
from faultset.storage import explain_os_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from faultset.limits import Limits

LONGEST_NAME = 200
LONGEST_PATH = 800
DEEPEST = 16
_BLOCK = 1024**2
# Before a ratio says anything, this much has to come out.
_FREE_BYTES = 16 * 1024**2
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_TAR_MAGIC_AT = 257
_END_OF_ZIP = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
# The longest that an archive's directory says of one member, and what stands between two members of a tar file.
_LONGEST_ENTRY = 2048
_LONGEST_HEADERS = 64 * 1024
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# Names that mean a device on Windows, where somebody may unpack a dataset's evidence one day.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(1, 10)}
)
_DAMAGED = (
    OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError,
    RuntimeError, UnicodeError, ValueError, OverflowError,
)  # fmt: skip
_PACK_AGAIN = "pack the run's files again, with zip or tar"


@dataclass(frozen=True, slots=True)
class _Member:
    """A plain file of an archive: its checked path, the size its header claims, and its bytes."""

    path: PurePosixPath
    claimed: int
    opened: Callable[[], IO[bytes]]


def is_archive(uri: str) -> bool:
    """Whether the file at ``uri`` starts as a zip, tar or gzip file does.

    Raises:
        InputError: it cannot be read.
    """
    head = read_head(uri, 1024)
    return head.startswith((*_ZIP, _GZIP)) or _is_tar(head)


def unpack(path: Path, into: Path, limits: Limits) -> list[Path]:
    """Unpack the zip, tar or tar.gz file at ``path`` below ``into`` and return the files, in the archive's order.

    Args:
        path: the archive; what it is is told by its content, not by its name.
        into: a folder that is there; nothing in it is overwritten.
        limits: ``archive_bytes``, ``archive_members``, ``archive_unpacked_bytes`` and ``archive_ratio`` hold.

    Raises:
        InputError: it is no such archive or damaged, passes a limit, or holds anything but plain files and folders
            with plain names; nothing is left below ``into`` then.
        SetupError: ``into`` cannot be written.
    """
    head = read_head(str(path), 1024)
    size = local_path(str(path)).stat().st_size
    limits.check("archive_bytes", size, path)
    draft = _draft(into)
    try:
        with _members(path, head, limits) as members:
            written = _write(members, draft, _Budget(path, size, limits))
        return _settle(draft, into, written, path)
    except _DAMAGED as error:
        raise InputError(path, f"cannot be unpacked ({_reason(error)})", "copy the archive again, whole") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(into: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=".unpacking-", dir=into))
    except OSError as error:
        raise SetupError(into, f"cannot be written ({error.strerror})", "check the folder and the disk") from error


def _settle(draft: Path, into: Path, written: list[PurePosixPath], path: Path) -> list[Path]:
    """Move what came out whole to where it belongs."""
    taken = [entry.name for entry in draft.iterdir() if (into / entry.name).exists()]
    if taken:
        raise InputError(path, f'"{min(taken)}" is there already', "unpack into an empty folder")
    for entry in sorted(draft.iterdir()):
        entry.rename(into / entry.name)
    return [into / name for name in written]


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(text or type(error).__name__, 120)


# --- writing ----------------------------------------------------------------------------------------------------------


class _Budget:
    """How many more bytes may come out."""

    def __init__(self, path: Path, size: int, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._most = max(_FREE_BYTES, size * limits.archive_ratio)
        self._used = 0

    def spend(self, count: int) -> None:
        """Count unpacked bytes.

        Raises:
            InputError: they are too many, in all or for an archive of this size.
        """
        self._used += count
        self._limits.check("archive_unpacked_bytes", self._used, self._path)
        if self._used > self._most:
            raise self._limits.passed("archive_ratio", self._path)


def _write(members: Iterable[_Member], draft: Path, budget: _Budget) -> list[PurePosixPath]:
    written = []
    for member in members:
        target = draft / member.path
        with explain_os_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = target.open("xb")
        with file, member.opened() as source:
            _copy(source, file, member, budget)
        written.append(member.path)
    return written


def _copy(source: IO[bytes], file: IO[bytes], member: _Member, budget: _Budget) -> None:
    count = 0
    while block := source.read(_BLOCK):
        budget.spend(len(block))
        count += len(block)
        with explain_os_errors(file.name):
            file.write(block)
    if count != member.claimed:
        raise ValueError("a member is not as long as its header says")


# --- names ------------------------------------------------------------------------------------------------------------


class _Names:
    """The names of an archive, each checked by itself and against the others."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path = path
        self._limits = limits
        self._count = 0
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, name: str, *, folder: bool) -> PurePosixPath:
        """Return the path of the next member.

        Raises:
            InputError: the name leads elsewhere, is not plain, or is that of another member.
        """
        self._count += 1
        self._limits.check("archive_members", self._count, self._path)
        parts = self._parts(name, folder=folder)
        for depth in range(1, len(parts)):
            self._enter(parts[:depth], self._folders, self._files, name)
        if folder:
            self._enter(parts, self._folders, self._files, name)
        else:
            if self._files.get(_key(parts)) == "/".join(parts):
                self._refuse(name, "is there twice")
            self._enter(parts, self._files, self._folders, name)
        return PurePosixPath(*parts)

    def _parts(self, name: str, *, folder: bool) -> list[str]:
        plain = name.removesuffix("/") if folder else name
        parts = plain.removeprefix("./").split("/")
        if folder and plain in ("", "."):
            return []
        if name.startswith("/") or "\\" in name or (len(name) > 1 and name[1] == ":"):
            self._refuse(name, "leads out of the archive's folder")
        for part in parts:
            if part in {"", ".", ".."}:
                self._refuse(name, "leads out of the archive's folder" if part == ".." else "is no plain path")
            if problem := _problem(part):
                self._refuse(name, problem)
        if len(parts) > DEEPEST or len(name.encode("utf-8", "replace")) > LONGEST_PATH:
            self._refuse(name, f"is deeper than {DEEPEST} folders or longer than {LONGEST_PATH} bytes")
        return parts

    def _enter(self, parts: list[str], same: dict[str, str], other: dict[str, str], name: str) -> None:
        key, written = _key(parts), "/".join(parts)
        if same.setdefault(key, written) != written:
            self._refuse(name, f'differs from "{same[key]}" in case or form alone')
        if key in other:
            self._refuse(name, "is a file and a folder at once")

    def _refuse(self, name: str, problem: str) -> NoReturn:
        raise InputError(self._path, f'the member "{printable(name, 80)}" {problem}', _PACK_AGAIN)


def _key(parts: list[str]) -> str:
    """Return what two names have in common that one file system or another takes for the same."""
    return unicodedata.normalize("NFKC", "/".join(parts)).casefold()


def _problem(part: str) -> str:
    """Return what is wrong with one part of a path; "" where nothing is."""
    if len(part.encode("utf-8", "replace")) > LONGEST_NAME:
        return f"has a name of more than {LONGEST_NAME} bytes"
    if any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for character in part):
        return "has characters in its name that cannot be shown"
    if ":" in part or part != part.strip() or part.endswith("."):
        return "has a name that not every system can hold"
    if part.split(".", 1)[0].casefold() in _DEVICES:
        return "is called like a device"
    return ""


# --- formats ----------------------------------------------------------------------------------------------------------


@contextmanager
def _members(path: Path, head: bytes, limits: Limits) -> Iterator[Iterator[_Member]]:
    names = _Names(path, limits)
    with ExitStack() as stack:
        if head.startswith(_ZIP):
            _refuse_long_directory(path, limits)
            yield _zip_members(stack.enter_context(zipfile.ZipFile(path)), path, names)
        elif head.startswith(_GZIP) or _is_tar(head):
            opened = gzip.GzipFile if head.startswith(_GZIP) else io.FileIO
            reader = _Reader(stack.enter_context(opened(path)))  # type: ignore[arg-type]  # both read as files do
            archive = stack.enter_context(tarfile.open(fileobj=reader, mode="r|"))  # type: ignore[call-overload]
            yield _tar_members(archive, reader, path, names)
        else:
            raise InputError(path, "is no zip, tar or tar.gz archive", _PACK_AGAIN)


def _is_tar(head: bytes) -> bool:
    return head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar"


def _refuse_long_directory(path: Path, limits: Limits) -> None:
    """Refuse a zip file whose directory lists more than it may: zipfile would read all of it before the first name."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - (1 << 16) - 22 - 76))
        tail = file.read()
    end = tail.rfind(_END_OF_ZIP)
    if end < 0 or len(tail) < end + 22:
        raise InputError(path, "is cut off", "copy the archive again, whole")
    (size,) = struct.unpack_from("<L", tail, end + 12)
    if end >= 76 and tail[end - 20 : end - 16] == _ZIP64_LOCATOR:
        (size,) = struct.unpack_from("<Q", tail, end - 76 + 40)
    if size > limits.archive_members * _LONGEST_ENTRY:
        raise limits.passed("archive_members", path)


def _zip_members(archive: zipfile.ZipFile, path: Path, names: _Names) -> Iterator[_Member]:
    """Yield the files; the whole directory is checked before the first of them."""
    checked = [(info, _zip_path(info, path, names)) for info in archive.infolist()]
    _refuse_overlaps([info for info, _ in checked], path)
    for info, name in checked:
        if not info.is_dir():
            yield _Member(name, info.file_size, lambda info=info: archive.open(info))  # type: ignore[misc]


def _zip_path(info: zipfile.ZipInfo, path: Path, names: _Names) -> PurePosixPath:
    shown = printable(info.filename, 80)
    # orig_filename still has what zipfile cuts off behind a NUL.
    if "\x00" in info.orig_filename or "\\" in info.orig_filename:
        raise InputError(path, f'the member "{shown}" is no plain path', _PACK_AGAIN)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (kind == stat.S_IFDIR) > info.is_dir():
        raise InputError(path, f'the member "{shown}" is neither a file nor a folder', _PACK_AGAIN)
    if info.flag_bits & _ENCRYPTED:
        raise InputError(path, f'the member "{shown}" is encrypted', "pack it without a password")
    if info.compress_type not in _METHODS:
        raise InputError(path, f'the member "{shown}" is packed with a method that is not allowed', _PACK_AGAIN)
    return names.add(info.filename, folder=info.is_dir())


def _refuse_overlaps(infos: list[zipfile.ZipInfo], path: Path) -> None:
    """Refuse members that share bytes of the archive: a few megabytes could come out as petabytes."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise InputError(path, "has members that overlap", _PACK_AGAIN)
        end = info.header_offset + 30 + len(info.orig_filename.encode("utf-8", "replace")) + info.compress_size


class _Reader:
    """The bytes of a tar file, unpacked; what lies between two members is bounded, for tarfile keeps it in memory."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._left = _LONGEST_HEADERS

    def allow(self, content: int) -> None:
        """Allow a member's ``content`` and the headers behind it to be read."""
        self._left = content + _LONGEST_HEADERS

    def read(self, size: int) -> bytes:
        """Return at most ``size`` bytes.

        Raises:
            ValueError: they are more than was allowed.
        """
        data = self._raw.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("the headers between its members are too long")
        return data


def _tar_members(archive: tarfile.TarFile, reader: _Reader, path: Path, names: _Names) -> Iterator[_Member]:
    for info in archive:
        if info.name == "." and info.isdir():
            continue
        shown = printable(info.name, 80)
        if not (info.isreg() or info.isdir()) or info.issparse():
            raise InputError(path, f'the member "{shown}" is neither a plain file nor a folder', _PACK_AGAIN)
        name = names.add(info.name, folder=info.isdir())
        # The second line of defence: what the standard library itself refuses to extract.
        tarfile.data_filter(info, str(path.parent))
        reader.allow(info.size if info.isreg() else 0)
        if info.isreg():
            yield _Member(name, info.size, lambda info=info: _tar_file(archive, info))  # type: ignore[misc]


def _tar_file(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    source = archive.extractfile(info)
    if source is None:
        raise ValueError("a member has no content")
    return source
