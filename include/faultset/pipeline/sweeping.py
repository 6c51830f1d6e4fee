"""What nobody needs any more, removed by stated ages: work that is kept to be used again, and old runs of the inbox."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from faultset import catalog
from faultset.errors import counted
from faultset.inbox import sweeping
from faultset.moments import UTC
from faultset.pipeline import ledger, seen
from faultset.pipeline.building import ANALYSED, LABELED
from faultset.settings import Settings
from faultset.storage import ABANDONED_S, explain_os_errors, folders, unless_gone
from faultset.storage.bucket import is_bucket

_DAY_S = 24 * 3600.0


def sweep(settings: Settings) -> list[str]:
    """Remove what is older than the settings say; what is in use is younger, and a version is never touched.

    - ``.labeled``: files that no build used for ``keep_work_days``, and drafts that nobody wrote to for a day;
    - ``.analysed``: what was found in telemetry so long ago;
    - ``.seen``: looks at experiments that left the catalog;
    - ``.plans``: records of runs that ended a week ago;
    - the inbox: dropped runs, and rejected ones with their verdicts, after ``keep_dropped_days``.

    Returns:
        What was done, a line each.

    Raises:
        SetupError: a folder or a bucket cannot be used.
    """
    work = Path(settings.work)
    caches = [work / kind / slug for kind in (LABELED, ANALYSED) for slug in folders.names(work / kind)]
    unused = [path for cache in caches for path in _unused(cache, settings.keep_work_days)]
    gone = [*unused, *_seen(work / seen.FOLDER, settings)]
    for path in gone:
        with explain_os_errors(path), unless_gone(path):
            _remove(path)
    ledger.sweep(settings)
    done = [f"{path.relative_to(work).as_posix()}: removed" for path in gone]
    return [*done, *_inbox(settings)]


def _unused(cache: Path, days: float) -> Iterator[Path]:
    """Yield what was not used for so long; that a file was linked from here is its inode's last change."""
    now = time.time()
    with explain_os_errors(cache):
        entries = sorted(cache.iterdir()) if cache.is_dir() else []
    for entry in entries:
        limit = ABANDONED_S if entry.name.startswith(".") else days * _DAY_S
        with explain_os_errors(entry), unless_gone(entry):
            if max(path.lstat().st_ctime for path in (entry, *entry.rglob("*"))) < now - limit:
                yield entry


def _seen(folder: Path, settings: Settings) -> Iterator[Path]:
    with explain_os_errors(folder):
        entries = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if entries:
        there = set(catalog.list_slugs(settings.catalog))
        yield from (entry for entry in entries if entry.stem not in there)


def _remove(path: Path) -> None:
    """Remove a file or a folder, so that nobody finds half of it."""
    if not path.is_dir():
        path.unlink()
        return
    gone = path if path.name.startswith(".") else path.rename(path.with_name(f".{path.name}.gone"))
    shutil.rmtree(gone)


def _inbox(settings: Settings) -> Iterator[str]:
    if not settings.keep_dropped_days:
        return
    before = dt.datetime.now(UTC) - dt.timedelta(days=settings.keep_dropped_days)
    yield from (f"inbox/{name}: removed" for name in sweeping.sweep(settings.inbox_folder, before))
    if is_bucket(settings.inbox) and (count := sweeping.sweep_taken(settings.inbox, before)):
        yield f"inbox/taken: {counted(count, 'object')} removed"
