"""A file of telemetry is labeled: as a whole, or, where it is large, range by range, and the ranges joined into one.

The same file gives the same bytes whichever of its ranges others have labeled before, since each range is what it is
whoever labels it. One whose suppositions do not hold is labeled again here, knowing what stands before it.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faultset.errors import SetupError
from faultset.labels import engine
from faultset.labels.counting import Count, FileLabels
from faultset.labels.joining import NotJoinableError, Piece, join
from faultset.labels.labeling import BlockLabeler
from faultset.labels.ranges import NOTHING, Before, Labeled, Range, Work, label_range, ranges_of, read_labeled, widest
from faultset.labels.source_clock import ClockCount
from faultset.sources.kit import files
from faultset.sources.telemetry.format import ColumnType
from faultset.sources.telemetry.opening import open_rows
from faultset.storage import explain_os_errors

Told = Callable[[int], None]


def label(work: Work, target: Path, *, ranges: Path | None = None, progress: Told | None = None) -> FileLabels:
    """Write the rows of a file with their labels to ``target``, as ``engine.label_file`` does.

    Args:
        work: the file, and what it is labeled by.
        target: the parquet file to write; its folder exists.
        ranges: the folder where labeled ranges of the file are kept; those that are there are used. None: no such.
        progress: called with the number of rows written so far.

    Raises:
        InputError: the file cannot be read, or is not what it should be; names the row. Or it changed between ranges.
        SetupError: the target cannot be written.
    """
    every = ranges_of(work.file)
    if not every:
        return engine.label_file(
            work.file,
            work.node_windows,
            target,
            nodes=work.nodes,
            leak=work.leak,
            times=work.times,
            progress=progress,
        )
    with (
        _folder(ranges, target) as folder,
        engine.drafted(target) as draft,
        files.unchanged(work.file.uri, work.file.name),
    ):
        return _written(work, _settled(work, every, folder, progress), draft)


@contextlib.contextmanager
def _folder(ranges: Path | None, target: Path) -> Iterator[Path]:
    if ranges is not None:
        yield ranges
        return
    with explain_os_errors(target):
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- the ranges of a file ---------------------------------------------------------------------------------------------


def _settled(work: Work, every: Sequence[Range], folder: Path, progress: Told | None) -> list[Labeled]:
    """Return all ranges of a file, labeled, with the types that its columns have in all of it.

    A range that was labeled with narrower types is labeled again, until nothing new is learned.
    """
    found = [read_labeled(work, which, folder) for which in every]
    types = widest(one.types for one in found if one is not None)
    while True:
        settled: list[Labeled] = []
        before: Before | None = None
        for place, which in enumerate(every):
            told = _after(settled, progress)
            one = _range(work, which, found[place], folder, before=before, types=types, progress=told)
            found[place] = one
            if widest([one.types, types]) != types:
                break
            settled.append(one)
            before = _behind(before, one)
        else:
            return settled
        types = widest([types, one.types])


def _after(settled: Sequence[Labeled], progress: Told | None) -> Told | None:
    """Return what tells of the rows of a range beside those of the ranges before it."""
    rows = sum(one.count.rows for one in settled)
    return None if progress is None else lambda more: progress(rows + more)


def _range(
    work: Work,
    which: Range,
    known: Labeled | None,
    folder: Path,
    *,
    before: Before | None,
    types: dict[str, ColumnType],
    progress: Told | None,
) -> Labeled:
    """Return a labeled range with these types or wider ones, which begins where the one before ended."""
    if known is None or known.types != types:
        known = label_range(work, which, folder, types=types, progress=progress)
    if known is None or (before is not None and known.begin != before.begin):
        known = label_range(work, which, folder, before=before or NOTHING, types=types, progress=progress)
    if known is None:
        raise AssertionError("a range of which it is known what stands before it is labeled, or an error")
    return known


def _behind(before: Before | None, one: Labeled) -> Before:
    """Return what stands before the range that follows ``one``."""
    before = before or NOTHING
    cadence_s = one.clock.cadence_s if before.cadence_s is None else before.cadence_s
    return Before(one.end, before.rows + one.count.source_rows, before.lines + one.count.lines, cadence_s)


# --- one file ---------------------------------------------------------------------------------------------------------


def _written(work: Work, every: Sequence[Labeled], draft: Path) -> FileLabels:
    plan = work.plan(every[0].types)
    with open_rows(work.file, types=plan.types) as rows:
        labeler, count, clock = BlockLabeler(plan, rows), Count(), ClockCount(work.times, rows.layout)
        pieces = []
        lines = 1
        for one in every:
            pieces.append(Piece(one.path, count.source_rows - one.rows))
            line = lines - one.lines
            lines += one.count.lines
            count.follow(one.count, lines=line)
            clock.follow(one.clock)
        try:
            join(pieces, draft, numbers="source_row")
        except NotJoinableError as error:
            raise SetupError(work.file.name, f"its labeled ranges changed ({error})", "label it again") from error
        return engine.summary(plan, rows, labeler, count, clock=clock, written=draft)
