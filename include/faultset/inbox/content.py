"""The files of a run as one tree without links, and the number that its content has."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from faultset.errors import InputError
from faultset.inbox.landing import MARKER
from faultset.storage import explain_os_errors, unless_gone

_BLOCK = 1 << 20


def tree_of(payload: Path, into: Path) -> Path:
    """Return ``into``, holding copies of the files of a dropped folder, or of a dropped file alone.

    Copies, because whoever dropped them may still hold them open: what was judged is what the dataset is made of. What
    such a one removes before it was copied is not part of the run.

    Raises:
        InputError: it holds a link, a pipe or a device, which could lead anywhere.
        SetupError: the tree cannot be made.
    """
    with explain_os_errors(into):
        into.mkdir(parents=True)
        if not payload.is_dir():
            _take(payload, into / payload.name)
            return into
        for base, folders, names in os.walk(payload):
            here = into / Path(base).relative_to(payload)
            for name in folders:
                with unless_gone(Path(base) / name):
                    _refuse_special(Path(base) / name, payload)
                    (here / name).mkdir()
            for name in names:
                with unless_gone(Path(base) / name):
                    _refuse_special(Path(base) / name, payload)
                    if name != MARKER:
                        _take(Path(base) / name, here / name)
    return into


def _refuse_special(path: Path, payload: Path) -> None:
    mode = path.lstat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a link" if stat.S_ISLNK(mode) else "no ordinary file"
        raise InputError(
            path.relative_to(payload).as_posix(),
            f"it is {kind}, which could lead anywhere",
            "drop ordinary files and folders only",
        )


def _take(source: Path, target: Path) -> None:
    shutil.copyfile(source, target, follow_symlinks=False)


def content_sha256(tree: Path) -> str:
    """Return the hex digest of paths and bytes of all files below ``tree``; the same however they were packed."""
    digest = hashlib.sha256()
    with explain_os_errors(tree):
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                of_file = hashlib.file_digest(file, "sha256").hexdigest()
            name = os.fsencode(path.relative_to(tree).as_posix())
            digest.update(name + f"\0{path.stat().st_size}\0{of_file}\n".encode())
    return digest.hexdigest()


def bytes_sha256(payload: Path) -> str:
    """Return the hex digest of what cannot be unpacked: of a file's bytes, or of a folder's names and sizes."""
    digest = hashlib.sha256()
    with explain_os_errors(payload):
        if payload.is_file() and not payload.is_symlink():
            with payload.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        else:
            for path in sorted(payload.rglob("*")):
                with unless_gone(path):
                    status = path.lstat()
                    name = os.fsencode(path.relative_to(payload).as_posix())
                    digest.update(name + f"\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
