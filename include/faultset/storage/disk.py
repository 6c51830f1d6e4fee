"""A local folder as the root of the datasets.

A version is shown by one rename that fails where the name is taken. Which versions and decisions a dataset had when a
choice was made is compared under a lock of the kernel's, which a crash cannot leave behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faultset.errors import SetupError
from faultset.slug import check_slug, is_slug
from faultset.storage import folders, log
from faultset.storage.common import (
    ABANDONED_S,
    STAGING,
    Listing,
    LostRaceError,
    bytes_of,
    explain_os_errors,
)
from faultset.storage.log import LOG, Entry, State
from faultset.storage.staging import TAKEN, Staging

LOCK_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class DatasetRoot:
    """A local folder that holds the datasets; ``path`` is that folder."""

    path: Path

    @property
    def staging(self) -> Staging:
        """Where versions are filled; on the same file system, so that showing one is a rename."""
        return Staging(self.path / STAGING)

    def uri_of(self, name: str = "") -> str:
        """As in ``Store``."""
        return str(self.path / name)

    # --- looking ----------------------------------------------------------------------------------------------------

    def slugs(self) -> list[str]:
        """As in ``Store``."""
        return [name for name in folders.names(self.path) if is_slug(name)]

    def listing(self, slug: str) -> Listing:
        """As in ``Store``."""
        folder = self.path / check_slug(slug)
        with explain_os_errors(folder):
            try:
                numbers = [log.number_of(path.name) for path in (folder / LOG).iterdir()]
            except FileNotFoundError:
                numbers = []
        return Listing(frozenset(folders.names(folder)), max(numbers, default=0))

    def read(self, name: str) -> bytes | None:
        """As in ``Store``."""
        return bytes_of(self.path / name)

    def files(self, slug: str, version: str) -> dict[str, int]:
        """As in ``Store``."""
        folder = self.path / check_slug(slug) / version
        with explain_os_errors(folder):
            return {name: _size(folder / name) for name in folders.files(folder)}

    def sha256(self, name: str) -> str:
        """As in ``Store``."""
        with explain_os_errors(self.path / name), (self.path / name).open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextlib.contextmanager
    def local(
        self,
        slug: str,
        version: str,
        names: Collection[str],  # noqa: ARG002 (all are here)
        here: Mapping[str, Path],  # noqa: ARG002
    ) -> Iterator[Path]:
        """As in ``Store``; it is the version's own folder."""
        yield self.path / check_slug(slug) / version

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def draft(self, folder: Path, names: Collection[str]) -> Iterator[_Draft]:  # noqa: ARG002 (nothing is sent)
        """As in ``Store``."""
        yield _Draft(self, folder)

    def show(self, staged: Path, slug: str, name: str, *, given: Listing) -> None:
        """Rename a sealed folder to ``slug/name``: the moment from which the version exists.

        Raises:
            LostRaceError: the dataset changed meanwhile, or has something of this name; nothing has changed.
            SetupError: the disk is full, read-only, ...
        """
        parent = self.path / check_slug(slug)
        with explain_os_errors(parent / name):
            parent.mkdir(parents=True, exist_ok=True)
            folders.flush(self.path)
            with self._unchanged(slug, given):
                _rename_where_nothing_is(staged, parent / name)
                folders.flush(parent)

    def append(self, slug: str, state: State, *, given: Listing) -> None:
        """As in ``Store``."""
        target = self.path / log.name(check_slug(slug), given.entries + 1)
        with explain_os_errors(target), self._unchanged(slug, given):
            target.parent.mkdir(exist_ok=True)
            folders.flush(target.parent.parent)
            self.staging.place(Entry(state).encode(), target)

    def finish(self, slug: str, listing: Listing) -> bool:  # noqa: ARG002 (a rename is done or not)
        """As in ``Store``."""
        return False

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """As in ``Store``."""
        if self._wanted(name, change) is None:
            return
        folder, _, _ = name.rpartition("/")
        with self._locked(folder or "."):
            wanted = self._wanted(name, change)
            if wanted is not None:
                self.staging.place(wanted, self.path / name)

    def _wanted(self, name: str, change: Callable[[bytes | None], bytes | None]) -> bytes | None:
        before = self.read(name)
        after = change(before)
        return None if after == before else after

    def remove(self, slug: str, version: str) -> None:
        """As in ``Store``."""
        self.staging.discard(self.path / check_slug(slug) / version)

    def leftovers(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:  # noqa: ARG002 (locks tell who lives)
        """As in ``Store``."""
        return [self._relative(path) for path in self.staging.leftovers()]

    def sweep(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:  # noqa: ARG002
        """As in ``Store``."""
        return [self._relative(path) for path in self.staging.sweep()]

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    # --- locks ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _unchanged(self, slug: str, given: Listing) -> Iterator[None]:
        with self._locked(slug):
            if self.listing(slug) != given:
                raise LostRaceError(slug)
            yield

    @contextlib.contextmanager
    def _locked(self, folder: str) -> Iterator[None]:
        """Hold the lock of a folder. The lock is the kernel's: it goes when the process does, and the file stays."""
        path = self.path / folder / ".lock"
        with explain_os_errors(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with explain_os_errors(path):
                _wait_for_lock(handle, path)
            yield
        finally:
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Draft:
    root: DatasetRoot
    folder: Path

    def commit(self, slug: str, version: str, *, given: Listing, state: State) -> None:  # noqa: ARG002 (needs no entry)
        folders.seal(self.folder)
        self.root.show(self.folder, slug, version, given=given)


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
        if error.errno in TAKEN:
            raise LostRaceError(str(target)) from error
        raise


def _size(path: Path) -> int:
    return path.lstat().st_size if path.is_file() and not path.is_symlink() else -1
