"""Labels on a file of telemetry: read in blocks, labeled, written as one parquet file, in the order of the source.

Blocks are parsed and labeled by a few threads, and written by the caller's as they come out in order; a handful is in
memory at a time, whatever the size of the file. What has to be known of the whole file first (which pass of a repeated
hour a row belongs to, a column that turns out to hold decimals) is rare: then the file is read again from its start.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from faultset.labels import repeated_hour
from faultset.labels.counting import Count, FileLabels
from faultset.labels.duplicates import duplicates
from faultset.labels.labeling import (
    BlockLabeler,
    Part,
    Plan,
    RepeatedHourError,
    places_of,
    unknown_node,
    written_as,
)
from faultset.labels.leaks import Leak
from faultset.labels.source_clock import ClockCount, RunTimes
from faultset.labels.windows import NodeWindows
from faultset.labels.writer import Writer
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.format import Block, Rows
from faultset.sources.telemetry.opening import no_rows, numbered, open_rows
from faultset.sources.telemetry.problems import ColumnTypeError
from faultset.sources.telemetry.wall_clock import declared_zone
from faultset.storage import explain_os_errors

_WORKERS = 3
_T = TypeVar("_T")


def label_file(
    file: TelemetryFile,
    node_windows: NodeWindows,
    target: Path,
    *,
    nodes: Collection[str] | None = None,
    leak: Leak | None = None,
    times: RunTimes = RunTimes(),  # noqa: B008 (frozen)
    progress: Callable[[int], None] | None = None,
) -> FileLabels:
    """Write the rows of ``file`` with their labels to ``target``, one parquet file.

    The columns are the source's in their order, then those of ``tables.TelemetryLabels`` and of the kind. The same
    input gives the same bytes. Nothing stands at ``target`` before all is written.

    Args:
        file: the source.
        node_windows: what covers which rows.
        target: the parquet file to write; its folder exists.
        nodes: the cluster's nodes; a file of metrics of another is an error, and so are logs and traces of others
            alone, while single rows of others are kept and counted. None: not known.
        leak: what finds rows that name the injection, in logs and traces; None finds none.
        times: when things happened, by which the file's own times are judged.
        progress: called with the number of rows written so far.

    Raises:
        InputError: the file cannot be read, or is not what it should be; names the row.
        SetupError: the target cannot be written.
    """
    plan = Plan(file, node_windows, frozenset(nodes) if nodes is not None else None, leak)
    with drafted(target) as draft:
        return _labeled(plan, times, draft, progress)


@contextlib.contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """Within, write the file that is given; it stands at ``target`` once nothing failed, and nowhere if anything did.

    Raises:
        SetupError: it cannot be written.
    """
    with explain_os_errors(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        draft = Path(name)
        try:
            yield draft
            draft.chmod(0o644)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _labeled(plan: Plan, times: RunTimes, draft: Path, progress: Callable[[int], None] | None) -> FileLabels:
    def write() -> FileLabels:
        with open_rows(plan.file, types=plan.types) as rows:
            return _write(plan, rows, ClockCount(times, rows.layout), draft, progress)

    return corrected(plan, write)


def corrected(plan: Plan, write: Callable[[], _T], *, looks_through: bool = True) -> _T:
    """Return what ``write`` returns, begun again where values show more than was known, which ``plan`` then knows.

    Args:
        plan: what is known of the file.
        write: writes by it.
        looks_through: whether the whole file is read for the pass through a repeated hour.

    Raises:
        RepeatedHourError: there is a repeated hour, and the file is not looked through.
    """
    while True:
        try:
            return write()
        except ColumnTypeError as change:
            plan.types[change.column] = change.to
        except RepeatedHourError:
            if not looks_through:
                raise
            plan.passes.append(passes_of(plan))


def _write(
    plan: Plan, rows: Rows, clock: ClockCount, draft: Path, progress: Callable[[int], None] | None
) -> FileLabels:
    labeler = BlockLabeler(plan, rows)
    count = Count()
    parts = labeled_parts(plan, rows, labeler, count)
    write_parts(draft, rows, labeler, parts, count=count, clock=clock, progress=progress)
    return summary(plan, rows, labeler, count, clock=clock, written=draft)


def write_parts(
    target: Path,
    rows: Rows,
    labeler: BlockLabeler,
    parts: Iterable[Part],
    *,
    count: Count,
    clock: ClockCount,
    progress: Callable[[int], None] | None,
) -> None:
    """Write labeled blocks to a parquet file and count them; ``progress`` is told the rows so far after each."""
    with contextlib.closing(
        Writer(target, labeler.schema, plain=[written_as(name) for name in rows.layout.time])
    ) as writer:
        for part in parts:
            count.add(part)
            clock.add(part)
            writer.add(part.table)
            if progress:
                progress(count.rows)
        writer.flush()


def summary(
    plan: Plan, rows: Rows, labeler: BlockLabeler, count: Count, *, clock: ClockCount, written: Path
) -> FileLabels:
    """Return what is known of a file of which all rows were labeled and written.

    Raises:
        InputError: it has no rows, or none of a node of the cluster.
    """
    if not count.rows:
        raise no_rows(plan.file, count.left_out)
    is_told = rows.layout.tells_nodes  # where no host is named, a service stands for it, which is no node
    if plan.nodes is not None and count.nodes and plan.nodes.isdisjoint(count.nodes) and not is_told:
        raise unknown_node(plan, min(count.nodes), "no row is of a node of the cluster; ")
    if count.out_of_order:
        count.duplicates = duplicates(written, [written_as(name) for name in rows.types])
    return count.summary(plan, rows, labeler.lookup, clock.summary())


# --- in order, a few at a time --------------------------------------------------------------------------------------


def labeled_parts(
    plan: Plan, rows: Rows, labeler: BlockLabeler, count: Count, *, row: int = 0, line: int = 1
) -> Iterator[Part]:
    """Yield the labeled blocks in order: parsed by threads, told their first row here, labeled by a thread.

    Labeling has a thread of its own, so that no block waits for it behind the parsing of later ones.

    Args:
        plan: what the file is labeled by.
        rows: the open file.
        labeler: lays on the labels.
        count: counts what cannot be read.
        row: how many rows stand before the first block.
        line: how many lines do.
    """
    with ThreadPoolExecutor(_WORKERS) as parsers, ThreadPoolExecutor(1) as labelers:
        try:
            blocks = numbered(plan.file, _ahead(parsers, rows.blocks, _WORKERS), row=row, line=line)
            jobs = (_job(labeler, block, row) for block, row in count.odd(blocks) if len(block.frame))
            yield from _ahead(labelers, jobs, 1)
        finally:
            for pool in (parsers, labelers):
                pool.shutdown(wait=True, cancel_futures=True)


def _job(labeler: BlockLabeler, block: Block, row: int) -> Callable[[], Part]:
    return lambda: labeler.label(block, row)


def _ahead(pool: ThreadPoolExecutor, jobs: Iterator[Callable[[], _T]], ahead: int) -> Iterator[_T]:
    """Yield the results of ``jobs`` in order, at most ``ahead`` of them running before they are asked for.

    What the iterator of jobs itself raises comes after the results of the jobs before.
    """
    running: deque[Future[_T]] = deque()
    failure: Exception | None = None
    while True:
        while failure is None and len(running) <= ahead:
            try:
                running.append(pool.submit(next(jobs)))
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 (raised below, once the results before it are out)
                failure = error
        if not running:
            break
        yield running.popleft().result()
    if failure is not None:
        raise failure


def passes_of(plan: Plan) -> repeated_hour.Passes:
    """Decide the passes of a repeated hour: reads the times of the whole file, and learns types that it shows."""
    while True:
        try:
            with open_rows(plan.file, types=plan.types, only=lambda _: ()) as rows:
                return repeated_hour.decide(_wall_clocks(plan.file, rows), declared_zone(plan.file))
        except ColumnTypeError as change:
            plan.types[change.column] = change.to


def _wall_clocks(file: TelemetryFile, rows: Rows) -> Iterator[repeated_hour.WallClock]:
    for block, row in numbered(file, (parse() for parse in rows.blocks)):
        wall = np.flatnonzero(block.clock.wall)
        if not len(wall):
            continue
        texts = rows.layout.abbreviation(block.frame) if rows.layout.abbreviation else None
        abbreviation = texts.to_numpy().astype(str)[wall] if texts is not None else None
        yield repeated_hour.WallClock(places_of(block)[wall] + row, block.clock.us[wall], abbreviation)
