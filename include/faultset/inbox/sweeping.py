"""What of the inbox is not needed any more once it is old: the runs as they were dropped, and what was rejected.

Verdicts on accepted content stay, since they tell that the same content came again, and so does each arrival's line.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

from faultset.inbox.landing import ACCEPTED, BY_HAND, QUARANTINE
from faultset.inbox.mirror import TAKEN
from faultset.moments import UTC
from faultset.storage import explain_os_errors, folders
from faultset.storage.bucket import Bucket

_GONE = ".gone"


def sweep(inbox: Path, before: dt.datetime) -> list[str]:
    """Remove what arrived last before a moment; return what was removed, relative to ``inbox``.

    Args:
        inbox: the folder in which runs are judged.
        before: aware.

    Raises:
        SetupError: something cannot be removed.
    """
    removed = [path for path in _old(inbox, before) if _removed(inbox, path)]
    return [path.relative_to(inbox).as_posix() for path in removed]


def _old(inbox: Path, before: dt.datetime) -> Iterator[Path]:
    for content in folders.names(inbox / ACCEPTED):
        arrivals = inbox / ACCEPTED / content / "dropped"
        yield from (arrivals / arrival for arrival in folders.names(arrivals) if _is_older(arrival, before))
    for content in folders.names(inbox / QUARANTINE):
        came = folders.names(inbox / QUARANTINE / content / "dropped")
        if came and all(_is_older(arrival, before) for arrival in came):
            yield inbox / QUARANTINE / content
    yield from (inbox / BY_HAND / arrival for arrival in folders.names(inbox / BY_HAND) if _is_older(arrival, before))


def _is_older(arrival: str, before: dt.datetime) -> bool:
    """Whether an arrival, whose name begins with its moment, is older; what has another name is not ours to judge."""
    try:
        moment = dt.datetime.strptime(arrival.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return moment < before


def _removed(inbox: Path, path: Path) -> bool:
    """Remove a folder that readers see whole or not at all; False where another process was faster."""
    gone = inbox / _GONE
    with explain_os_errors(path):
        gone.mkdir(exist_ok=True)
        shutil.rmtree(gone / path.name, ignore_errors=True)  # of one that died at it
        try:
            path.rename(gone / path.name)
        except FileNotFoundError:
            return False
        shutil.rmtree(gone / path.name)
    return True


def sweep_taken(uri: str, before: dt.datetime) -> int:
    """Delete the objects that were brought here from a bucket before a moment; return how many.

    Raises:
        SetupError: the bucket cannot be listed or written.
    """
    bucket = Bucket.at(uri)
    old = [entry.key for entry in bucket.list(TAKEN) if entry.modified < before]
    bucket.delete(old)
    return len(old)
