"""What holds for any local folder."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from pathlib import Path

from faultset.storage.common import explain_os_errors

_WRITE_BITS = 0o222
_OWNER_WRITES = 0o200


def files(folder: Path) -> list[str]:
    """Return the paths of all files under ``folder``, relative, with ``/``, in order; links count as files."""
    found = []
    with explain_os_errors(folder):
        for base, folders, names in os.walk(folder, onerror=_raise):
            linked = [name for name in folders if (Path(base) / name).is_symlink()]
            found += [(Path(base) / name).relative_to(folder).as_posix() for name in [*names, *linked]]
    return sorted(found)


def seal(folder: Path) -> None:
    """Make all files under ``folder`` read-only and flush them and their folders to the disk.

    Folders stay writable, so that a person can still remove a version.
    """
    with explain_os_errors(folder):
        change_mode(folder, writable=False)
        for base, _, names in os.walk(folder, topdown=False, onerror=_raise):
            for name in names:
                flush(Path(base) / name)
            flush(Path(base))


def change_mode(folder: Path, *, writable: bool) -> None:
    """Give or take the permission to write to all files under ``folder``."""
    for name in files(folder):
        path = folder / name
        if path.is_symlink():
            continue
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | _OWNER_WRITES if writable else mode & ~_WRITE_BITS)


def flush(path: Path) -> None:
    """Write what the kernel holds of a file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def names(path: Path) -> list[str]:
    """Return the names of the visible folders in ``path``, in order; none where it does not exist."""
    with explain_os_errors(path):
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return []
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def move(tree: Path, target: Path) -> None:
    """Rename a folder; where the target lies on another file system, copy it and rename the copy."""
    try:
        tree.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        staged = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
        shutil.copytree(tree, staged)
        staged.rename(target)
