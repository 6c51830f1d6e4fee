"""What disk and bucket share: names, errors, and the protocol that everything above knows."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from faultset.errors import FaultsetError, SetupError
from faultset.storage.log import State

if TYPE_CHECKING:
    from faultset.storage.staging import Staging

STAGING = ".staging"
CANDIDATES = ".candidates"
POINTER = "latest.json"
INDEX = "index.json"
MANIFEST = "manifest.json"
NOTE = "candidate.json"  # beside the tables of a candidate; no version has it
# What nobody touched for so long belongs to no living process; only asked where nothing better tells.
ABANDONED_S = 24 * 3600.0

_NAMED_BY = "FAULTSET_DATASETS, FAULTSET_WORK, FAULTSET_INBOX"
_EXPLAINED = {
    errno.ENOSPC: ("the disk is full", "free some space, then run it again; nothing was published"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run it again; nothing was published"),
    errno.EFBIG: ("the file is larger than is allowed here", "raise the limit on file sizes (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", f"name a folder that can be written ({_NAMED_BY})"),
    errno.EACCES: ("permission is missing", "give the user that runs this read and write permission"),
    errno.EPERM: ("permission is missing", "give the user that runs this read and write permission"),
    errno.ENOENT: (
        "it is not there and cannot be made",
        f"check what names this folder ({_NAMED_BY}), and whether something else removes files here",
    ),
    errno.ENOTDIR: (
        "a file stands where a folder is needed",
        f"move the file away, or name another folder ({_NAMED_BY})",
    ),
    errno.EXDEV: ("it lies on another file system", "build candidates under the root of the datasets"),
    errno.ENOLCK: ("this file system has no locks", "keep the datasets on a local disk"),
    errno.EOPNOTSUPP: ("this file system has no locks", "keep the datasets on a local disk"),
}


class LostRaceError(Exception):
    """Another writer was faster; look again at what is there and decide anew."""


@contextlib.contextmanager
def explain_os_errors(where: object) -> Iterator[None]:
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


@contextlib.contextmanager
def unless_gone(path: Path) -> Iterator[None]:
    """Bear what goes wrong in the block where ``path`` is not there any more: others work here, and one was faster.

    For what was listed or looked at and is opened then. The block ends early, so that what follows it has to hold
    without it.

    Raises:
        OSError, FaultsetError: as the block did, and ``path`` is there.
    """
    try:
        yield
    except (OSError, FaultsetError):
        if os.path.lexists(path):
            raise


def put_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, and its folder where it is missing: a reader finds the former content, or all of this.

    Of several writers the last one stays.

    Raises:
        SetupError: it cannot be written.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    with explain_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)


def bytes_of(path: Path) -> bytes | None:
    """Return a file's bytes; None where it is not there.

    Raises:
        SetupError: it cannot be read.
    """
    with explain_os_errors(path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a dataset consists of at one moment; a change is made only where it is still so.

    Attributes:
        folders: names of the visible folders; in a bucket, of those that hold a manifest.
        entries: number of entries in the dataset's log.
    """

    folders: frozenset[str]
    entries: int


class Draft(Protocol):
    """A folder that is about to become a version."""

    def commit(self, slug: str, version: str, *, given: Listing, state: State) -> None:
        """Show the folder as ``slug/version`` if the dataset still is as ``given``; then the folder is gone.

        Args:
            slug: the dataset.
            version: name of the new folder.
            given: what the choice of the version rests on.
            state: what the dataset's log says from now on, where the storage needs an entry for this.

        Raises:
            LostRaceError: the dataset changed meanwhile; nothing was shown.
            SetupError: the storage cannot be written.
        """


class Store(Protocol):
    """The root of the datasets, wherever it is; all names are relative to it, with ``/``."""

    @property
    def staging(self) -> Staging:
        """The local folder in which candidates become versions."""

    def uri_of(self, name: str = "") -> str:
        """Return how a name is shown to people."""

    def slugs(self) -> list[str]:
        """Return the names of the folders that can hold a dataset, in order."""

    def listing(self, slug: str) -> Listing:
        """Return what there is of a dataset; nothing where it does not exist."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small file; None where it is not there."""

    def files(self, slug: str, version: str) -> dict[str, int]:
        """Return path -> bytes of all files of a version; -1 for what is no ordinary file."""

    def sha256(self, name: str) -> str:
        """Return the hex digest of a file's bytes."""

    def local(
        self, slug: str, version: str, names: Collection[str], here: Mapping[str, Path]
    ) -> contextlib.AbstractContextManager[Path]:
        """Give a local folder with files of a version, for as long as the block lasts.

        Args:
            slug: the dataset.
            version: its version.
            names: the files wanted.
            here: local copies of some of them, which need not be fetched.
        """

    def draft(self, folder: Path, names: Collection[str]) -> contextlib.AbstractContextManager[Draft]:
        """Prepare a local folder for ``commit``; ``names`` are the files that do not change any more."""

    def append(self, slug: str, state: State, *, given: Listing) -> None:
        """Add an entry to a dataset's log if the dataset still is as ``given``.

        Raises:
            LostRaceError: it changed meanwhile.
        """

    def finish(self, slug: str, listing: Listing) -> bool:
        """Show the version that a killed writer had decided on already; return whether there was one."""

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """Replace a file's bytes by what ``change`` makes of them, in one step; None leaves them as they are."""

    def remove(self, slug: str, version: str) -> None:
        """Remove a version; from its first step on it is not visible any more."""

    def leftovers(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:
        """Return the names of what dead writers left and no reader sees; what a living one uses is not among it."""

    def sweep(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:
        """Remove the leftovers and return their names."""
