"""The root folder of the datasets, and the few operations on it that need care.

A reader sees whole versions only: a folder is filled where nobody looks (``.staging``, on the same file system), then
shown by one rename that fails where the name is taken. Which versions a dataset had when a number was chosen is
compared under a lock of the kernel's, which a crash cannot leave behind. What is promised on which storage, and why:
docs/adr/0001-versions-are-committed-by-rename.md.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from faultset.errors import InputError, SetupError

STAGING = ".staging"
CANDIDATES = ".candidates"
POINTER = "latest.json"
INDEX = "index.json"
LOCK_WAIT_S = 30.0
# No dots: neither ``..`` nor ``index.json`` can be the name of a dataset.
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}")
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_WRITE_BITS = 0o222
_OWNER_WRITES = 0o200

_EXPLAINED = {
    errno.ENOSPC: ("the disk is full", "free some space, then run it again; nothing was published"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run it again; nothing was published"),
    errno.EFBIG: ("the file is larger than is allowed here", "raise the limit on file sizes (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "point FAULTSET_DATASETS at a folder that can be written"),
    errno.EACCES: ("permission is missing", "give the user that runs this read and write permission"),
    errno.EPERM: ("permission is missing", "give the user that runs this read and write permission"),
    errno.ENOENT: (
        "it is not there and cannot be made",
        "check FAULTSET_DATASETS, and whether something else removes files here",
    ),
    errno.ENOTDIR: ("a file stands where a folder is needed", "point FAULTSET_DATASETS at a folder"),
    errno.EXDEV: ("it lies on another file system", "build candidates under the root of the datasets"),
    errno.ENOLCK: ("this file system has no locks", "keep the datasets on a local disk"),
    errno.EOPNOTSUPP: ("this file system has no locks", "keep the datasets on a local disk"),
}


class LostRaceError(Exception):
    """Another writer was faster; look again at what is there and decide anew."""


@contextlib.contextmanager
def reported(where: object) -> Iterator[None]:
    """Turn any OSError of the block into one clear line.

    Raises:
        SetupError: names the file where the error knows it, ``where`` otherwise.
    """
    try:
        yield
    except OSError as error:
        fallback = (error.strerror or str(error) or "it cannot be read or written", "check the disk that it lies on")
        problem, remedy = _EXPLAINED.get(error.errno or 0, fallback)
        raise SetupError(error.filename or where, problem, remedy) from error


def check_slug(slug: str) -> str:
    """Return ``slug`` if it can name a dataset's folder.

    Raises:
        InputError: it cannot.
    """
    if not _SLUG.fullmatch(slug):
        raise InputError(slug, "this is no name of a dataset", "use letters, digits, - and _, at most 200 of them")
    return slug


def open_root(root: str | Path) -> DatasetRoot:
    """Return the root of the datasets; the folder need not exist yet.

    Raises:
        SetupError: ``root`` names a storage that this version does not support.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", str(root))
    if scheme:
        raise SetupError(
            f"{scheme[1]}://",
            "object storage is not supported by this version",
            "point FAULTSET_DATASETS at a folder on a local disk",
        )
    return DatasetRoot(Path(root))


@dataclass(frozen=True, slots=True)
class DatasetRoot:
    """A local folder that holds the datasets; ``path`` is that folder."""

    path: Path

    # --- looking ----------------------------------------------------------------------------------------------------

    def slugs(self) -> list[str]:
        """Return the names of the folders that can hold a dataset, in order."""
        return [name for name in _folders(self.path) if _SLUG.fullmatch(name)]

    def folders(self, slug: str) -> list[str]:
        """Return the names of the visible folders of a dataset, in order of text; none where it does not exist."""
        return _folders(self.path / check_slug(slug))

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, ``name`` being relative to the root; None where it is not there."""
        with reported(self.path / name):
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def leftovers(self) -> list[Path]:
        """Return what lies in the staging folder: work under way, or left by a process that was killed."""
        with reported(self.path / STAGING):
            try:
                return sorted((self.path / STAGING).iterdir())
            except FileNotFoundError:
                return []

    # --- writing ----------------------------------------------------------------------------------------------------

    def stage(self, folder: Path) -> Path | None:
        """Move ``folder`` to the staging folder, so that this process alone has it.

        Returns:
            Its new place; None where it is not there, perhaps because another process was faster.

        Raises:
            SetupError: it cannot be moved.
        """
        staged = self._staging_name(folder.name)
        with reported(folder):
            try:
                folder.rename(staged)
            except FileNotFoundError:
                return None
        return staged

    def unstage(self, staged: Path, folder: Path) -> None:
        """Give a staged folder its former place back; where that is taken by a newer one, remove it."""
        with reported(folder):
            _change_mode(staged, writable=True)
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
                staged.rename(folder)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                shutil.rmtree(staged)

    def commit(self, staged: Path, slug: str, name: str, *, beside: Collection[str], pointer: bytes) -> Path:
        """Show the staged folder as ``slug/name`` if ``slug`` still has the folders ``beside``, then move the pointer.

        The rename is the moment from which the version exists; everything in it was flushed before. A crash before
        the pointer moved leaves a whole version that the pointer does not name yet.

        Raises:
            LostRaceError: other folders are there now, or one of this name; nothing has changed.
            SetupError: the disk is full, read-only, ...
        """
        parent = self.path / check_slug(slug)
        target = parent / name
        with reported(target):
            parent.mkdir(parents=True, exist_ok=True)
            _flush(self.path)
            with self._locked(slug):
                if set(self.folders(slug)) != set(beside):
                    raise LostRaceError(slug)
                _rename_where_nothing_is(staged, target)
                _flush(parent)
                self.replace(f"{slug}/{POINTER}", pointer)
        return target

    def point(self, slug: str, *, beside: Collection[str], pointer: bytes) -> None:
        """Move the pointer if ``slug`` still has the folders ``beside``.

        Raises:
            LostRaceError: other folders are there now.
            SetupError: the disk is full, read-only, ...
        """
        with self._locked(slug):
            if set(self.folders(slug)) != set(beside):
                raise LostRaceError(slug)
            self.replace(f"{slug}/{POINTER}", pointer)

    def replace(self, name: str, data: bytes) -> None:
        """Replace a file's bytes in one step; a reader sees the old or the new ones."""
        target = self.path / name
        with reported(target):
            temporary = self._staging_name(target.name)
            try:
                with temporary.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            _flush(target.parent)

    @contextlib.contextmanager
    def index_locked(self) -> Iterator[None]:
        """Hold the lock under which ``index.json`` is read and replaced."""
        with self._locked("."):
            yield

    def _staging_name(self, stem: str) -> Path:
        staging = self.path / STAGING
        with reported(staging):
            staging.mkdir(parents=True, exist_ok=True)
        return staging / f"{stem[:64]}-{uuid.uuid4().hex}"

    @contextlib.contextmanager
    def _locked(self, folder: str) -> Iterator[None]:
        """Hold the lock of a folder. The lock is the kernel's: it goes when the process does, and the file stays."""
        path = self.path / folder / ".lock"
        with reported(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with reported(path):
                _wait_for_lock(handle, path)
            yield
        finally:
            os.close(handle)


def _wait_for_lock(handle: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SetupError(
                    path, f"another process has held it for {LOCK_WAIT_S:.0f} s", "see whether a publish hangs, end it"
                ) from None
            time.sleep(0.005)
        else:
            return


def _rename_where_nothing_is(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise LostRaceError(str(target)) from error
        raise


# --- what holds for any folder --------------------------------------------------------------------------------------


def files(folder: Path) -> list[str]:
    """Return the paths of all files under ``folder``, relative, with ``/``, in order; links count as files."""
    found = []
    with reported(folder):
        for base, folders, names in os.walk(folder, onerror=_raise):
            linked = [name for name in folders if (Path(base) / name).is_symlink()]
            found += [(Path(base) / name).relative_to(folder).as_posix() for name in [*names, *linked]]
    return sorted(found)


def seal(folder: Path) -> None:
    """Make all files under ``folder`` read-only and flush them and their folders to the disk.

    Folders stay writable, so that a person can still remove a version.
    """
    with reported(folder):
        _change_mode(folder, writable=False)
        for base, _, names in os.walk(folder, topdown=False, onerror=_raise):
            for name in names:
                _flush(Path(base) / name)
            _flush(Path(base))


def _change_mode(folder: Path, *, writable: bool) -> None:
    for name in files(folder):
        path = folder / name
        if path.is_symlink():
            continue
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | _OWNER_WRITES if writable else mode & ~_WRITE_BITS)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folders(path: Path) -> list[str]:
    with reported(path):
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _raise(error: OSError) -> None:
    raise error
