"""Runs that come over the network, file by file: staged where nobody looks, shown in the inbox in one step."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from faultset.errors import InputError
from faultset.inbox.landing import MARKER, is_passed_over
from faultset.settings import Settings
from faultset.storage import explain_os_errors

_STAGED = ".uploads"
_ID = re.compile(r"[0-9a-f]{32}")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_FILE = re.compile(r"[^/\\\x00-\x1f\x7f]{1,150}")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_MOST_FILES = 2000
_FORGOTTEN_S = 24 * 3600.0


def begin(name: str, settings: Settings) -> str:
    """Return the id of a new upload; what others began a day ago and never ended is removed.

    Raises:
        InputError: a run cannot have this name, or one of it lies in the inbox.
        SetupError: the inbox cannot be written.
    """
    _check_name(name, settings)
    made = uuid.uuid4().hex
    folder = settings.inbox_folder / _STAGED
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(old, ignore_errors=True)
        (folder / made).mkdir()
    return made


@contextmanager
def receiving(upload: str, file: str, size: int, settings: Settings) -> Iterator[BinaryIO]:
    """Hand out where the bytes of one file of an upload go; it is there once the block has ended well.

    Args:
        upload: as ``begin`` returned it.
        file: its name, without folders.
        size: what it will have in all, in bytes.
        settings: where things are.

    Raises:
        InputError: there is no such upload, a file cannot have this name, or it is too large.
        SetupError: the inbox cannot be written.
    """
    folder = _folder(upload, settings)
    base = file.replace("\\", "/").rpartition("/")[2]
    if not _FILE.fullmatch(base) or base.startswith(".") or base == MARKER:
        raise InputError(file or "a file", "a file of a run cannot have this name", "rename it, then choose it again")
    allowed = settings.limits
    held = list(folder.iterdir())
    if len(held) >= _MOST_FILES:
        raise InputError(base, f"a run has at most {_MOST_FILES:,} files here", "pack them into one archive")
    allowed.check("archive_unpacked_bytes", size + sum(one.stat().st_size for one in held), base)
    if (folder / base).exists():
        raise InputError(base, "there are two files of this name", "rename one, or pack them into one archive")
    staged = folder / f".{base}"
    with explain_os_errors(staged):
        try:
            with staged.open("wb") as target:
                yield target
            staged.rename(folder / base)
        finally:
            staged.unlink(missing_ok=True)


def finish(upload: str, name: str, settings: Settings) -> str:
    """Show an upload in the inbox as a whole run; return its name there.

    Raises:
        InputError: there is no such upload, it has no file, or its name is taken meanwhile.
        SetupError: the inbox cannot be written.
    """
    _check_name(name, settings)
    folder = _folder(upload, settings)
    files = [path for path in folder.iterdir() if not path.name.startswith(".")]
    if not files:
        raise InputError(name, "there is no file in it", "choose the run's files, or one archive of them")
    ending = next((ending for ending in _ARCHIVES if files[0].name.lower().endswith(ending)), None)
    inbox = settings.inbox_folder
    with explain_os_errors(inbox / name):
        if len(files) == 1 and ending:
            shown = inbox / f"{name}{ending}"
            _refuse_taken(shown)
            (inbox / f"{shown.name}.{MARKER}").touch()
            files[0].rename(shown)
            shutil.rmtree(folder, ignore_errors=True)
        else:
            shown = inbox / name
            _refuse_taken(shown)
            (folder / MARKER).touch()
            folder.rename(shown)
    return shown.name


def _check_name(name: str, settings: Settings) -> None:
    if not _RUN.fullmatch(name) or is_passed_over(name):
        raise InputError(name or "the run", "a run cannot have this name", "use letters, digits, dots and hyphens")
    _refuse_taken(settings.inbox_folder / name)


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise InputError(path.name, "a run of this name lies in the inbox", "wait for its verdict, or use another name")


def _folder(upload: str, settings: Settings) -> Path:
    folder = settings.inbox_folder / _STAGED / upload
    if not _ID.fullmatch(upload) or not folder.is_dir():
        raise InputError("the upload", "it is not there any more", "begin again")
    return folder
