"""An inbox in a bucket: whole runs are brought into a folder, where they are judged, and what was said goes back.

Objects move to ``taken/`` in the bucket, so that nothing is deleted. Every step is told by what lies in ``.bringing``,
so that whoever comes after a crash goes on from there, and no run is brought twice::

    .bringing/<mark>.part/NAME    being fetched; started anew after a crash
              <mark>/NAME         whole, about to be renamed into the inbox
              <mark>/             it was; its objects are about to move
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from faultset.errors import SetupError
from faultset.inbox import filing, verdicts
from faultset.inbox.claims import locked
from faultset.inbox.landing import BY_HAND, MARKER, OURS, Drop, Kind
from faultset.storage import explain_os_errors, folders
from faultset.storage.bucket import Bucket, ChangedError, Entry, NotThereError

_BRINGING = ".bringing"
TAKEN = "taken"
_VERDICTS = "verdicts"


def look(uri: str, settle_s: float, now: float) -> list[Drop]:
    """Return what was dropped into the bucket, by name; as ``landing.look`` does for a folder.

    Raises:
        SetupError: the bucket cannot be listed.
    """
    return [_judged(name, entries, settle_s, now) for name, entries in sorted(_groups(Bucket.at(uri)).items())]


def bring(uri: str, inbox: Path, settle_s: float, now: float) -> dict[str, str]:
    """Bring every whole run into the folder ``inbox``; return name -> why of those that are not yet.

    Only one process at a time does so; another one that asks meanwhile finds nothing to do.

    Raises:
        SetupError: the bucket or the folder cannot be used.
    """
    bucket = Bucket.at(uri)
    growing = {}
    with contextlib.ExitStack() as until_done:
        with explain_os_errors(inbox):
            (inbox / _BRINGING).mkdir(parents=True, exist_ok=True)
            is_alone = until_done.enter_context(locked(inbox / _BRINGING / "lock"))
        if not is_alone:
            return {}
        groups = _groups(bucket)
        for name, entries in sorted(groups.items()):
            drop = _judged(name, entries, settle_s, now)
            if drop.whole:
                # It may change while it is fetched: then the next look tells.
                with contextlib.suppress(NotThereError, ChangedError):
                    _bring(bucket, inbox, drop, entries)
            else:
                growing[name] = drop.why
    return growing


def send(uri: str, inbox: Path) -> None:
    """Put the verdicts that the bucket does not have yet beside what they are about.

    Raises:
        SetupError: the bucket cannot be written.
    """
    bucket = Bucket.at(uri)
    there = {PurePosixPath(entry.key).name for entry in bucket.list(_VERDICTS)}
    for verdict in filing.recorded(inbox):
        name = f"{verdict.arrival}.json"
        if name in there:
            continue
        by_hand = inbox / BY_HAND / verdict.arrival
        place = by_hand if by_hand.is_dir() else filing.place_of(inbox, verdict)
        if _sent(bucket, inbox, place / "verdict"):
            bucket.put_file(inbox / _VERDICTS / name, f"{_VERDICTS}/{name}")


def _sent(bucket: Bucket, inbox: Path, folder: Path) -> bool:
    """Send a verdict's files; False where one by other rules took its place meanwhile: the next look sends that."""
    lay_there = verdicts.read(folder)
    try:
        for name in folders.files(folder):
            bucket.put_file(folder / name, (folder / name).relative_to(inbox).as_posix())
    except SetupError:
        if lay_there is not None and verdicts.read(folder) == lay_there:
            raise
    return lay_there is not None and verdicts.read(folder) == lay_there


def _groups(bucket: Bucket) -> dict[str, list[Entry]]:
    """Return the objects of each run: what has the same first part of its key."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in bucket.list(""):
        name = entry.key.partition("/")[0].removesuffix(f".{MARKER}")
        if not name.startswith(".") and name not in OURS and name != TAKEN:
            groups[name].append(entry)
    return groups


def _judged(name: str, entries: Sequence[Entry], settle_s: float, now: float) -> Drop:
    digest = hashlib.sha256()
    for entry in sorted(entries, key=lambda one: one.key):
        digest.update(f"{entry.key}\0{entry.size}\0{entry.etag}\0".encode())
    kind: Kind = "folder" if any("/" in entry.key for entry in entries) else "file"
    mark = digest.hexdigest()
    if any(entry.key in {f"{name}/{MARKER}", f"{name}.{MARKER}"} for entry in entries):
        return Drop(name, kind, mark, whole=True, why=f"its marker {MARKER} is there")
    quiet = now - max(entry.modified.timestamp() for entry in entries)
    if quiet < settle_s:
        return Drop(name, kind, mark, whole=False, why=f"it changed {max(quiet, 0):.0f} s ago")
    return Drop(name, kind, mark, whole=True, why=f"nothing of it changed for {settle_s:g} s")


def _bring(bucket: Bucket, inbox: Path, drop: Drop, entries: Sequence[Entry]) -> None:
    whole = inbox / _BRINGING / drop.mark
    with explain_os_errors(whole):
        if not whole.is_dir():
            _fetch(bucket, whole.with_name(f"{drop.mark}.part"), drop, entries)
            whole.with_name(f"{drop.mark}.part").rename(whole)
        for path in whole.iterdir():
            path.rename(_free(inbox / path.name))
    for entry in entries:
        bucket.copy(entry.key, f"{TAKEN}/{drop.mark}/{entry.key}")
    bucket.delete(entry.key for entry in entries)
    with explain_os_errors(whole):
        whole.rmdir()


def _fetch(bucket: Bucket, folder: Path, drop: Drop, entries: Sequence[Entry]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for entry in entries:
        parts = PurePosixPath(entry.key).parts
        if entry.key.endswith((f".{MARKER}", "/")) or ".." in parts or PurePosixPath(entry.key).is_absolute():
            continue
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        bucket.fetch(entry.key, target, entry.etag)
    folder.mkdir(parents=True, exist_ok=True)
    # What was fetched is whole: nobody has to wait for it to settle.
    marker = folder / drop.name / MARKER if drop.kind == "folder" else folder / f"{drop.name}.{MARKER}"
    marker.touch()


def _free(path: Path) -> Path:
    """Return ``path``; where a run of this name waits already, one that says when this one came."""
    if not os.path.lexists(path):
        return path
    return path.with_name(f"{path.stem}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}{path.suffix}")
