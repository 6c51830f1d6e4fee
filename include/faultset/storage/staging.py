"""A local folder for what is not visible yet. What lies in it has an owner for as long as its process lives.

The mark of life is a lock of the kernel's (``flock``) on the very file or folder: it follows the renames, goes with
the process however that ends, and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faultset.storage.common import explain_os_errors
from faultset.storage.folders import change_mode, flush

TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True, slots=True)
class Staging:
    """The folder ``path``; it is made when it is needed first."""

    path: Path

    @contextlib.contextmanager
    def taken(self, folder: Path) -> Iterator[Path | None]:
        """Move ``folder`` here, so that this process alone has it until the block ends.

        Yields:
            Its new place; None where it is not there, perhaps because another process was faster.

        Raises:
            SetupError: it cannot be moved.
        """
        staged = self._name(folder.name)
        with contextlib.ExitStack() as stack:
            with explain_os_errors(folder):
                try:
                    stack.enter_context(_locked(folder, fcntl.LOCK_SH))
                    folder.rename(staged)
                except FileNotFoundError:
                    taken = None
                else:
                    taken = staged
            yield taken

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder that is removed when the block ends."""
        with explain_os_errors(self.path), contextlib.ExitStack() as stack:
            while True:
                path = self._name("scratch")
                path.mkdir()
                with contextlib.suppress(FileNotFoundError):  # a sweeper saw it before it had an owner
                    stack.enter_context(_locked(path, fcntl.LOCK_SH))
                    if path.is_dir():
                        break
            stack.callback(shutil.rmtree, path)
            yield path

    def give_back(self, staged: Path, folder: Path) -> None:
        """Give a folder its former place back; where that is taken by a newer one, remove it."""
        with explain_os_errors(folder):
            change_mode(staged, writable=True)
            try:
                folder.parent.mkdir(parents=True, exist_ok=True)
                staged.rename(folder)
            except OSError as error:
                if error.errno not in TAKEN:
                    raise
                shutil.rmtree(staged)

    def place(self, data: bytes, target: Path) -> None:
        """Let ``target`` hold ``data`` in one step; a reader sees what it held before or all of this."""
        with explain_os_errors(target):
            handle, temporary = self._own_file(target.name)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                    temporary.replace(target)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            flush(target.parent)

    def discard(self, folder: Path) -> None:
        """Remove a folder; it vanishes from its place in one step, whatever happens then."""
        with self.taken(folder) as staged:
            if staged is not None:
                with explain_os_errors(folder):
                    flush(folder.parent)
                    shutil.rmtree(staged)

    def leftovers(self) -> list[Path]:
        """Return what lies here and belongs to no living process."""
        with explain_os_errors(self.path):
            try:
                found = sorted(self.path.iterdir())
            except FileNotFoundError:
                return []
            return [path for path in found if _without_owner(path)]

    def sweep(self) -> list[Path]:
        """Remove what belongs to no living process and return what that was."""
        return [path for path in self.leftovers() if self._removed(path)]

    def _removed(self, path: Path) -> bool:
        with explain_os_errors(path), contextlib.suppress(FileNotFoundError), _locked(path, fcntl.LOCK_EX) as alone:
            if alone and path.is_dir():
                shutil.rmtree(path)
            elif alone:
                path.unlink()
            return alone
        return False

    def _own_file(self, stem: str) -> tuple[int, Path]:
        """Create a file and own it; a sweeper that saw it before it had an owner has removed it by then."""
        while True:
            path = self._name(stem)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.fstat(handle).st_nlink:
                return handle, path
            os.close(handle)

    def _name(self, stem: str) -> Path:
        with explain_os_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        return self.path / f"{stem[:64]}-{uuid.uuid4().hex}"


@contextlib.contextmanager
def _locked(path: Path, kind: int) -> Iterator[bool]:
    """Hold a lock of this kind on a file or folder; False where it is not to be had.

    Owners hold a shared one, which decides nothing among them (the rename does) and keeps sweepers out, who want it
    alone. Network file systems give no lock of the latter kind on a folder: there nothing is swept.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EBADF):
                raise
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _without_owner(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError), _locked(path, fcntl.LOCK_EX) as alone:
        return alone
    return False
