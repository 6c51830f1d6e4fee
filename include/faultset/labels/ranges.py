"""A large CSV is labeled in ranges of bytes, each by whoever is free, without knowing what stands before it.

Where to cut follows from the size of the file alone, and a range reads the same blocks as one pass through the file
does, so that nothing depends on who labels what. What a range cannot know is supposed, and whoever joins the ranges
(``faultset.labels.divided``) sees whether it was so: that it begins where the one before ended, and that its columns
have the types that they have in all of the file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from faultset.errors import FaultsetError, InputError
from faultset.labels.counting import Count
from faultset.labels.engine import corrected, labeled_parts, write_parts
from faultset.labels.labeling import BlockLabeler, Plan, RepeatedHourError
from faultset.labels.leaks import Leak
from faultset.labels.source_clock import ClockCount, KeptClock, RunTimes
from faultset.labels.windows import NodeWindows
from faultset.records.telemetry import TelemetryFile
from faultset.settings import limits
from faultset.sources.kit import files
from faultset.sources.kit.files import local_path
from faultset.sources.telemetry import csv_rows, opening
from faultset.sources.telemetry.format import ColumnType, Rows, Span
from faultset.storage import explain_os_errors
from faultset.truth.clock_evidence import Recording

RANGE_BYTES = 1024**3
"""A larger file is labeled in ranges of about this size. No setting: where a file is cut decides its row groups."""

_KEEPERS = 100  # at once, each of which replaces the other's
_STEP_BACK = 64 * 1024
_TYPES: Mapping[str, ColumnType] = {"Int64": pl.Int64, "Float64": pl.Float64, "String": pl.String}
_WIDTH = list(_TYPES)
_ROWS, _COUNTED, _CLOCK, _LEARNED = "rows.parquet", "counted.json", "clock.npz", "types.json"


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive blocks of a file.

    Attributes:
        number: which of the file's ranges, from 0.
        start: the byte at which the first block is read, behind what the row before takes of it.
        stop: the byte at which the last block ends; None: the file's end.
        bytes: how much has to be read.
    """

    number: int
    start: int
    stop: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Work:
    """A file, and what it is labeled by: the arguments of ``engine.label_file``."""

    file: TelemetryFile
    node_windows: NodeWindows
    nodes: Collection[str] | None = None
    leak: Leak | None = None
    times: RunTimes = RunTimes()  # noqa: RUF009 (frozen)

    def plan(self, types: Mapping[str, ColumnType]) -> Plan:
        """Return what is known before a row is read, and the types of columns that were learned."""
        nodes = None if self.nodes is None else frozenset(self.nodes)
        return Plan(self.file, self.node_windows, nodes, self.leak, dict(types))


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before a range.

    Attributes:
        begin: the byte at which its first row begins.
        rows: rows of the source before it.
        lines: lines of the file before it, the header's among them.
        cadence_s: usual distance of two rows of a node, where it is known.
    """

    begin: int
    rows: int
    lines: int
    cadence_s: float | None


NOTHING = Before(0, 0, 1, None)
"""What stands before the first range, which begins behind the header."""


@dataclass(frozen=True, slots=True)
class Labeled:
    """A labeled range, and what is known of it.

    Attributes:
        path: its rows.
        begin: the byte at which its first row begins.
        end: the byte at which its last row ends.
        rows: how many rows of the source stand before the one that it numbers 0.
        lines: how many lines stand before the one that it calls the first.
        types: types of columns that were learned from values.
        count: what was counted.
        clock: what its rows tell of their times.
    """

    path: Path
    begin: int
    end: int
    rows: int
    lines: int
    types: dict[str, ColumnType]
    count: Count
    clock: KeptClock


# --- where to cut -----------------------------------------------------------------------------------------------------


def cuts(size: int, most: int, *, head: int, block: int) -> tuple[Range, ...]:
    """Return the ranges of a file: as few of at most ``most`` bytes as there can be, alike; none where that is one.

    Args:
        size: of the file.
        most: bytes of a range; less than three blocks count as three.
        head: how much of a file is read first.
        block: how much is read at a time after that. Cuts stand where a block ends.
    """
    blocks = max(3, most // block)
    if size <= max(most, head + block * blocks):
        return ()
    count = -(-(size - head) // (block * blocks))
    each = -(-(size - head) // (block * count))
    starts = [*range(head, size, each * block)]
    stops: list[int | None] = [*starts[1:], None]
    return tuple(
        Range(number, start, stop, (size if stop is None else stop) - start)
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
    )


def ranges_of(file: TelemetryFile) -> tuple[Range, ...]:
    """Return the ranges that a file is labeled in; none where it is labeled as a whole.

    That is where it is small, packed, no CSV, or larger than the limit on telemetry.

    Raises:
        InputError: it cannot be opened, or it is of no format that is known.
    """
    size = size_of(file)
    if not RANGE_BYTES < size <= limits().telemetry_bytes or opening.divisible(file) is None:
        return ()
    return cuts(size, RANGE_BYTES, head=opening.HEAD, block=csv_rows.BLOCK)


def size_of(file: TelemetryFile) -> int:
    """Return the bytes of a file; 0 where it cannot be looked at, which whoever opens it tells."""
    try:
        return local_path(file.uri).stat().st_size
    except OSError:
        return 0


def _supposed_begin(file: TelemetryFile, start: int) -> int:
    """Return where the row begins that the block before ``start`` does not hold whole, if no quoted line feed is there.

    A row that is longer than rows may be is looked for no further: whoever joins knows where it begins.
    """
    with local_path(file.uri).open("rb") as data:
        end = start
        while end > max(0, start - csv_rows.ROW_LIMIT):
            begin = max(0, end - _STEP_BACK)
            data.seek(begin)
            at = data.read(end - begin).rfind(b"\n")
            if at >= 0:
                return begin + at + 1
            end = begin
    return end


# --- labels -----------------------------------------------------------------------------------------------------------


def label_range(
    work: Work,
    which: Range,
    folder: Path,
    *,
    before: Before | None = None,
    types: Mapping[str, ColumnType] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Labeled | None:
    """Label a range, and keep it in ``folder``.

    Args:
        work: the file, and what it is labeled by.
        which: the range.
        folder: keeps the labeled ranges of this file.
        before: what stands before it; None: not known.
        types: types of columns that are known from values; None: those that ranges in ``folder`` have learned.
        progress: called with the number of rows written so far.

    Returns:
        The labeled range; None where only who knows what stands before can label it, or say what is wrong.

    Raises:
        InputError: the file is wrong; names the row. Only where ``before`` is given.
        SetupError: the folder cannot be written.
    """
    draft, kept = folder / f".{which.number:05}.{uuid.uuid4().hex}", folder / f"{which.number:05}"
    with explain_os_errors(draft):
        draft.mkdir(parents=True)
    try:
        with files.unchanged(work.file.uri, work.file.name) as mark, explain_os_errors(draft):
            plan = work.plan(learned(work, folder) if types is None else types)
            write = partial(_write, work, plan, which, draft / _ROWS, before=before, progress=progress)
            found = corrected(plan, write, looks_through=before is not None)
            _put(found, mark, draft)
        with explain_os_errors(draft):
            _keep(draft, kept)
    except (InputError, RepeatedHourError):
        if before is None:
            return None
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return dataclasses.replace(found, path=kept / _ROWS)


def _write(
    work: Work,
    plan: Plan,
    which: Range,
    target: Path,
    *,
    before: Before | None,
    progress: Callable[[int], None] | None,
) -> Labeled:
    if before is None:
        before = _supposed(plan, which)
    span = Span(before.begin if which.number else None, which.start, which.stop)
    with opening.open_rows(plan.file, types=plan.types, span=span) as rows:
        labeler, count = BlockLabeler(plan, rows), Count()
        clock = ClockCount(work.times, rows.layout, before.cadence_s)
        begin = _position(rows)
        parts = labeled_parts(plan, rows, labeler, count, row=before.rows, line=before.lines)
        write_parts(target, rows, labeler, parts, count=count, clock=clock, progress=progress)
        end = _position(rows)
    return Labeled(target, begin, end, before.rows, before.lines, dict(sorted(plan.types.items())), count, clock.kept())


def _supposed(plan: Plan, which: Range) -> Before:
    """Return what a range supposes to stand before it: rows and lines are told apart when it is joined."""
    if not which.number:
        return NOTHING
    return Before(_supposed_begin(plan.file, which.start), 0, 1, _first_cadence(plan))


def _first_cadence(plan: Plan) -> float | None:
    """Return how often rows come by the first block of the file, which is what one pass through it goes by.

    Raises:
        InputError: the block cannot be read, or does not tell what a later one before the range would.
    """
    with opening.open_rows(plan.file, types=plan.types) as rows:
        if rows.layout.kind != "metrics":
            return None
        clock = ClockCount(RunTimes(), rows.layout)
        for block, row in opening.numbered(plan.file, (parse() for parse in rows.blocks)):
            if len(block.frame):
                clock.add(BlockLabeler(plan, rows).label(block, row))
            break
    if clock.cadence_s is None:
        raise InputError(plan.file.name, "its first rows do not tell how often rows come", "label it as a whole")
    return clock.cadence_s


def _position(rows: Rows) -> int:
    if rows.position is None:
        raise FaultsetError(rows.layout.format, "its rows have no places in the file", "label it as a whole")
    return rows.position()


# --- what is kept of a range ------------------------------------------------------------------------------------------


def read_labeled(work: Work, which: Range, folder: Path) -> Labeled | None:
    """Return what ``label_range`` kept of a range; None where nothing was, or the file was another one then."""
    kept = folder / f"{which.number:05}"
    if not (kept / _ROWS).is_file():
        return None
    with explain_os_errors(kept):
        values = json.loads((kept / _COUNTED).read_bytes())
        with np.load(kept / _CLOCK, allow_pickle=False) as file:
            arrays = dict(file)
    if values["mark"] != _mark(work.file):
        return None
    return Labeled(
        path=kept / _ROWS,
        begin=values["begin"],
        end=values["end"],
        rows=values["rows"],
        lines=values["lines"],
        types=_types(values["types"]),
        count=Count.from_dict(values["count"]),
        clock=_clock(values["clock"], arrays),
    )


def learned(work: Work, folder: Path) -> dict[str, ColumnType]:
    """Return the types of columns that the labeled ranges of a file, as it is now, have learned from its values."""
    with explain_os_errors(folder):
        every = [json.loads(path.read_bytes()) for path in sorted(folder.glob(f"[0-9]*/{_LEARNED}"))]
    mark = _mark(work.file)
    return widest(_types(one["types"]) for one in every if one["mark"] == mark)


def widest(every: Iterable[Mapping[str, ColumnType]]) -> dict[str, ColumnType]:
    """Return the types that hold the values of all: whole numbers become decimals, anything else text."""
    found: dict[str, ColumnType] = {}
    for types in every:
        for name, kind in types.items():
            found[name] = max(found.get(name, kind), kind, key=_width)
    return dict(sorted(found.items()))


def _width(kind: ColumnType) -> int:
    return _WIDTH.index(str(kind))


def _types(names: Mapping[str, str]) -> dict[str, ColumnType]:
    return {column: _TYPES[name] for column, name in names.items()}


def _mark(file: TelemetryFile) -> list[int | str]:
    """Return the mark of a file as it is now, in the form in which it is kept; nothing of one that is gone."""
    return [*(files.mark_of(file.uri) or ())]


def _put(found: Labeled, mark: tuple[int, str] | None, folder: Path) -> None:
    clock = found.clock
    types = {column: str(kind) for column, kind in found.types.items()}
    values = {
        "mark": mark,
        "begin": found.begin,
        "end": found.end,
        "rows": found.rows,
        "lines": found.lines,
        "types": types,
        "count": found.count.as_dict(),
        "clock": {
            "cadence_s": clock.cadence_s,
            "coverage": {injection: spans.tolist() for injection, spans in clock.coverage.items()},
            "series": clock.series,
            "by_id": clock.by_id,
            "by_number": clock.by_number,
        },
    }
    arrays: dict[str, npt.NDArray[Any]] = {}
    if clock.recording is not None:
        arrays["bins"] = clock.recording.bins_us
        arrays |= {f"level {kpi}": level for kpi, level in clock.recording.levels.items()}
        if clock.recording.errors is not None:
            arrays["errors"] = clock.recording.errors
    with (folder / _CLOCK).open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    (folder / _LEARNED).write_text(json.dumps({"mark": mark, "types": types}))
    (folder / _COUNTED).write_text(json.dumps(values))


def _clock(values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> KeptClock:
    recording = None
    if "bins" in arrays:
        levels = {name.removeprefix("level "): level for name, level in arrays.items() if name.startswith("level ")}
        recording = Recording(arrays["bins"], levels, arrays.get("errors"))
    return KeptClock(
        cadence_s=values["cadence_s"],
        coverage={name: np.array(spans, np.int64).reshape(-1, 2) for name, spans in values["coverage"].items()},
        recording=recording,
        series=tuple(values["series"]),
        by_id=tuple((time, start, end) for time, start, end in values["by_id"]),
        by_number=tuple((number, time) for number, time in values["by_number"]),
    )


def _keep(draft: Path, kept: Path) -> None:
    """Give a labeled range its place; one that is there was labeled with less knowledge, or by another at once."""
    for attempt in range(_KEEPERS):
        old = draft.with_name(f"{draft.name}.{attempt}")
        with contextlib.suppress(FileNotFoundError):
            kept.rename(old)
        shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(FileExistsError, OSError if attempt < _KEEPERS - 1 else FileExistsError):
            draft.rename(kept)
            return
