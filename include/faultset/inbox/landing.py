"""What lies in the inbox, and what of it is whole: nothing that is still being copied is touched."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faultset.storage import explain_os_errors

CLAIMED = ".claimed"
ACCEPTED = "accepted"
QUARANTINE = "quarantine"
VERDICTS = "verdicts"
BY_HAND = "by-hand"
OURS = frozenset({ACCEPTED, QUARANTINE, VERDICTS, BY_HAND})
MARKER = "_COMPLETE"
# Names that tools give to what they have not finished copying.
_UNFINISHED = (".part", ".partial", ".crdownload", ".filepart", ".tmp", "~")
_MOST_FILES = 100_000

Kind = Literal["folder", "file"]


@dataclass(frozen=True, slots=True)
class Drop:
    """Something that was dropped.

    Attributes:
        name: of the file or folder in the inbox; untrusted.
        kind: whether it is a folder or a file (an archive, or a report alone).
        mark: hex digest of names, sizes and times of all its files: changes while it is being copied.
        whole: whether it can be judged.
        why: why it is taken for whole or not.
    """

    name: str
    kind: Kind
    mark: str
    whole: bool
    why: str


def look(inbox: Path, settle_s: float, now: float) -> list[Drop]:
    """Return what was dropped, by name; hidden names and our own folders are passed over.

    Args:
        inbox: its folder; need not exist.
        settle_s: seconds without a change after which a drop without a marker is taken for whole.
        now: epoch seconds, by the clock of the machine that the folder lies on.

    Raises:
        SetupError: the inbox cannot be read.
    """
    with explain_os_errors(inbox):
        try:
            entries = sorted(os.scandir(inbox), key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
    names = [entry.name for entry in entries if not is_passed_over(entry.name)]
    return [drop for name in names if (drop := look_at(inbox / name, settle_s, now))]


def look_at(path: Path, settle_s: float, now: float) -> Drop | None:
    """Return one drop as it is at this moment; None where it is gone, or neither file nor folder."""
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            return _judged(path.name, "file", [("", status)], settle_s, now, marked=_has_marker_beside(path))
        if not stat.S_ISDIR(status.st_mode):
            return None
        found = [("", status), *_statuses(path)]
    except FileNotFoundError:  # it was taken, or changed while we looked: the next look tells
        return None
    except OSError as error:
        return Drop(path.name, "folder", "", whole=False, why=f"it cannot be read ({error.strerror})")
    marked = any(name == MARKER for name, _ in found)
    return _judged(path.name, "folder", found, settle_s, now, marked=marked)


def _judged(
    name: str, kind: Kind, found: list[tuple[str, os.stat_result]], settle_s: float, now: float, *, marked: bool
) -> Drop:
    digest = hashlib.sha256()
    for relative, status in sorted(found, key=lambda pair: pair[0]):
        digest.update(os.fsencode(relative) + f"\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    mark = digest.hexdigest()
    if len(found) > _MOST_FILES:
        return Drop(name, kind, mark, whole=True, why=f"it has more than {_MOST_FILES:,} files")
    unfinished = next((file for file, _ in found if file.endswith(_UNFINISHED)), None)
    if unfinished is not None and not marked:
        return Drop(name, kind, mark, whole=False, why=f"{unfinished} is still being copied, by its name")
    if marked:
        return Drop(name, kind, mark, whole=True, why=f"its marker {MARKER} is there")
    # The time of the last change of the inode: copying tools set the time of modification to the original's.
    quiet = now - max(max(status.st_ctime, status.st_mtime if status.st_mtime <= now else 0) for _, status in found)
    if quiet < settle_s:
        return Drop(name, kind, mark, whole=False, why=f"it changed {max(quiet, 0):.0f} s ago")
    return Drop(name, kind, mark, whole=True, why=f"nothing of it changed for {settle_s:g} s")


def is_passed_over(name: str) -> bool:
    """Whether a name in the inbox is none of a drop: hidden, ours, or of a copy that is not finished."""
    return name.startswith(".") or name in OURS or name.endswith((*_UNFINISHED, f".{MARKER}"))


def _has_marker_beside(path: Path) -> bool:
    return (path.parent / f"{path.name}.{MARKER}").is_file()


def _statuses(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the relative path and status of everything below ``folder``; links are not followed."""
    count = 0
    for base, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(base) / name
            yield path.relative_to(folder).as_posix(), path.lstat()
            count += 1
            if count > _MOST_FILES:
                return
