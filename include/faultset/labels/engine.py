"""Labels on a file of telemetry: read in blocks, labeled, written as one parquet file, in the order of the source.

Blocks are parsed and labeled by a few threads, and written by the caller's as they come out in order; a handful is in
memory at a time, whatever the size of the file. What has to be known of the whole file first (which pass of a repeated
hour a row belongs to, a column that turns out to hold decimals) is rare: then the file is read again from its start.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from faultset import tables
from faultset.errors import InputError, printable
from faultset.labels import arrays, repeated_hour
from faultset.labels.leaks import Leak
from faultset.labels.lookup import Lookup, Places
from faultset.labels.windows import PHASES, NodeWindows
from faultset.labels.writer import Writer
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry import node_of, true_name
from faultset.sources.telemetry.format import NOT_KNOWN, Block, ColumnType, Flags, Microseconds, Oddities, Rows
from faultset.sources.telemetry.opening import no_rows, numbered, open_rows
from faultset.sources.telemetry.problems import ColumnTypeError
from faultset.sources.telemetry.secrets import without_secrets
from faultset.sources.telemetry.wall_clock import REPEATED, SKIPPED, in_range, to_utc
from faultset.storage import reported

_WORKERS = 3
_CLOCK_TOLERANCE_US = 1_000_000
_T = TypeVar("_T")
_TIMESTAMP = pa.timestamp("us", "UTC")
_PHASES = arrays.texts(PHASES)

LABELS: Mapping[TelemetryKind, type] = {
    "metrics": tables.MetricsLabels,
    "logs": tables.LogLabels,
    "traces": tables.LogLabels,
}


@dataclass(frozen=True, slots=True)
class FileLabels:
    """What a labeled file holds, counted while it was written.

    Attributes:
        name: the source file, as the dataset names it.
        form: name of its format.
        rows: how many rows, in the source as in the parquet file.
        nodes: node -> rows, sorted by name; of metrics the one that the file is named after.
        first_us: earliest time, microseconds since the epoch; None where no row has a time.
        last_us: latest time.
        columns: the source's columns in their order -> type (``string``, ``int64``, ``double``).
        phases: phase -> rows.
        anomalous: rows with ``is_anomalous``.
        boundary: rows with ``is_boundary``.
        boundary_anomalous: those of them with ``is_anomalous``.
        guarded: rows that are boundary rows for the policy's guard or cooldown alone.
        guarded_anomalous: those of them with ``is_anomalous``.
        strangers: node that the cluster does not have -> rows; they are kept, and no fault concerns them.
        injections: injection id -> rows that carry it.
        kpis: KPI -> rows that an impact on it covers.
        names_injection: rows that name the injection itself; 0 for metrics.
        redacted: rows in which a secret was replaced.
        left_out: rows of the source that are not whole or have no time, and are not in the parquet file.
        nulled: values that are no numbers, or no times, and are null.
        repeated_headers: how often the header stood again.
        row_uncertainty_s: a row's true time lies in [time, time + this).
        without_time: rows that have no time (of logs); their label is a boundary row's.
        ambiguous: rows in a repeated hour whose pass nothing tells; taken as the first, and boundary rows.
        nonexistent: rows at a wall-clock time that never came; taken with the offset before the gap, boundary rows.
        out_of_order: rows earlier than the row before them.
        duplicates: rows identical to an earlier one: to the row directly before, or, in a file that is out of order
            somewhere, to any.
        largest_gap_s: longest time from a row to the next; 0 for fewer than two.
        abbreviations: what stands behind the times in the text (``CEST``; "" for nothing) -> rows.
        clock_disagrees: rows whose two times (``@timestamp``, ``Timestamp`` in the declared zone) differ by > 1 s.
        clock_difference_s: the most common of these differences in whole seconds, wall clock minus exact; 0 for none.
        unterminated: the file ends without a line feed, so that its last value may be cut off.
    """

    name: str
    form: str
    rows: int
    nodes: Mapping[str, int]
    first_us: int | None
    last_us: int | None
    columns: Mapping[str, str]
    phases: Mapping[str, int]
    anomalous: int
    boundary: int
    boundary_anomalous: int
    guarded: int
    guarded_anomalous: int
    strangers: Mapping[str, int]
    injections: Mapping[str, int]
    kpis: Mapping[str, int]
    names_injection: int
    redacted: int
    left_out: Oddities
    nulled: Oddities
    repeated_headers: int
    row_uncertainty_s: float
    without_time: int
    ambiguous: int
    nonexistent: int
    out_of_order: int
    duplicates: int
    largest_gap_s: float
    abbreviations: Mapping[str, int]
    clock_disagrees: int
    clock_difference_s: int
    unterminated: bool


def label_file(
    file: TelemetryFile,
    node_windows: NodeWindows,
    target: Path,
    *,
    nodes: Collection[str] | None = None,
    leak: Leak | None = None,
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
        progress: called with the number of rows written so far.

    Raises:
        InputError: the file cannot be read, or is not what it should be; names the row.
        SetupError: the target cannot be written.
    """
    plan = _Plan(file, node_windows, frozenset(nodes) if nodes is not None else None, leak)
    with reported(target):
        handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
    try:
        with reported(target):
            labels = _labeled(plan, Path(draft), progress)
        with reported(target):
            Path(draft).chmod(0o644)
            Path(draft).replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(draft).unlink()
    return labels


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is known before a row is read; ``types`` and ``passes`` are learned on the way."""

    file: TelemetryFile
    windows: NodeWindows
    nodes: frozenset[str] | None
    leak: Leak | None
    types: dict[str, ColumnType] = field(default_factory=dict)
    passes: list[repeated_hour.Passes] = field(default_factory=list)


class _RepeatedHourError(Exception):
    """A row lies in a repeated hour: the passes have to be decided on the whole file first."""


def _labeled(plan: _Plan, draft: Path, progress: Callable[[int], None] | None) -> FileLabels:
    while True:
        try:
            with open_rows(plan.file, types=plan.types) as rows:
                return _write(plan, rows, draft, progress)
        except ColumnTypeError as change:
            plan.types[change.column] = change.to
        except _RepeatedHourError:
            plan.passes.append(_passes(plan))


def _write(plan: _Plan, rows: Rows, draft: Path, progress: Callable[[int], None] | None) -> FileLabels:
    labeler = _Labeler(plan, rows)
    count = _Count()
    with contextlib.closing(
        Writer(draft, labeler.schema, plain=[written_as(name) for name in rows.layout.time])
    ) as writer:
        for part in _labeled_parts(plan, rows, labeler, count):
            count.add(part)
            writer.add(part.table)
            if progress:
                progress(count.rows)
        if not count.rows:
            raise no_rows(plan.file, count.left_out)
        writer.flush()
    if plan.nodes is not None and count.nodes and plan.nodes.isdisjoint(count.nodes):
        raise _unknown_node(plan, min(count.nodes), "no row is of a node of the cluster; ")
    if count.out_of_order:
        count.duplicates = _duplicates(draft, [written_as(name) for name in rows.types])
    return count.summary(plan, rows, labeler.lookup)


# --- in order, a few at a time --------------------------------------------------------------------------------------


def _labeled_parts(plan: _Plan, rows: Rows, labeler: _Labeler, count: _Count) -> Iterator[_Part]:
    """Yield the labeled blocks in order: parsed by threads, told their first row here, labeled by a thread.

    Labeling has a thread of its own, so that no block waits for it behind the parsing of later ones.
    """
    with ThreadPoolExecutor(_WORKERS) as parsers, ThreadPoolExecutor(1) as labelers:
        try:
            blocks = numbered(plan.file, _ahead(parsers, rows.blocks, _WORKERS))
            jobs = (_job(labeler, block, row) for block, row in count.odd(blocks) if len(block.frame))
            yield from _ahead(labelers, jobs, 1)
        finally:
            for pool in (parsers, labelers):
                pool.shutdown(wait=True, cancel_futures=True)


def _job(labeler: _Labeler, block: Block, row: int) -> Callable[[], _Part]:
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


# --- labels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Moments:
    """The times of a block in UTC: microseconds (``NOT_KNOWN`` where there are none) and the rows that are doubtful."""

    us: Microseconds
    ambiguous: Flags
    nonexistent: Flags


@dataclass(frozen=True, slots=True)
class _Part:
    """A labeled block: its rows as written, what they came from, the place of each row's segment, and counts.

    ``node`` is the one that the file is named after; "" where the rows name theirs.
    """

    table: pa.Table
    block: Block
    moments: _Moments
    place: Places
    node: str
    boundary: int
    boundary_anomalous: int
    guarded: int
    guarded_anomalous: int
    names_injection: int
    redacted: int
    repeats: int
    differences: Microseconds


_RENAMED = {"timestamp": "source_timestamp", "node": "source_node"}


def written_as(column: str) -> str:
    """Return what a source's column is called in a dataset: its own name, which two labels of every row need."""
    return _RENAMED.get(column, column)


class _Labeler:
    """Lays labels on blocks; safe to use from several threads."""

    def __init__(self, plan: _Plan, rows: Rows) -> None:
        self._plan = plan
        self._layout = rows.layout
        self._node = None if rows.layout.names_nodes else _known_node(plan, rows.layout.fixed_node)
        self.lookup = Lookup(plan.windows, rows.layout.row_uncertainty_s)
        kind = LABELS[plan.file.kind]
        declared = tables.columns(tables.Table(plan.file.kind, kind, ()))
        clash = [spec.name for spec in declared if spec.name in rows.types and spec.name not in _RENAMED]
        if clash:
            raise InputError(f"{plan.file.name}:1", f"column {clash[0]!r} has the name of a label", "rename it")
        if unsafe := [name for name in rows.types if redact(name) != name or printable(name, 10_000) != name]:
            column = f"column {list(rows.types).index(unsafe[0]) + 1}"
            raise InputError(f"{plan.file.name}:1", f"{column} has a name that cannot be shown", "rename it")
        source = [pa.field(written_as(name), _arrow_type(of)) for name, of in rows.types.items()]
        added = [pa.field(spec.name, self._label_type(spec), nullable=spec.nullable) for spec in declared]
        self.schema = pa.schema([*source, *added])

    def _label_type(self, spec: tables.ColumnSpec) -> pa.DataType:
        """Return the type to write: names from few come as dictionaries, and are plain text in the file."""
        if spec.name == "node" and self._node is None:
            return pa.large_string()
        names = pa.dictionary(pa.int32(), pa.large_string())
        return {pa.string(): names, pa.list_(pa.string()): pa.list_(names)}.get(spec.arrow_type, spec.arrow_type)

    def label(self, block: Block, row: int) -> _Part:
        """Return the labeled rows of ``block``, before which ``row`` rows stand in the file."""
        block = _with_true_nodes(self._plan.file, block)
        moments = _with_true_times(self._plan.file, self._moments(block, row))
        known = moments.us != NOT_KNOWN
        place = self._places(block, moments.us)
        unsure = moments.ambiguous | moments.nonexistent | ~known
        boundary = self.lookup.is_boundary[place] | unsure
        anomalous = self.lookup.is_anomalous[place]
        guarded = self.lookup.is_guarded[place] & ~unsure
        names = self._names_injection(block)
        labels: dict[str, object] = {
            "timestamp": arrays.numbers(moments.us, _TIMESTAMP, None if known.all() else known),
            "node": self._nodes(block),
            "source_row": arrays.numbers(_places(block) + row, pa.int64()),
            "is_anomalous": arrays.flags(anomalous),
            "injection_ids": self.lookup.injection_ids.take(place),
            "node_injection_ids": self.lookup.node_injection_ids.take(place),
            "phase": arrays.names(self.lookup.phase[place].astype(np.int32), _PHASES),
            "is_boundary": arrays.flags(boundary),
            "impacted_kpis": self.lookup.impacted_kpis.take(place) if names is None else None,
            "names_injection": None if names is None else arrays.flags(names),
        }
        frame, redacted = without_secrets(block.frame, keep=self._layout.time)
        source = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        columns = [*source.columns, *(labels[name] for name in self.schema.names[source.num_columns :])]
        return _Part(
            table=pa.table(columns, schema=self.schema),
            block=block,
            moments=moments,
            place=place,
            node=self._node or "",
            boundary=int(boundary.sum()),
            boundary_anomalous=int((boundary & anomalous).sum()),
            guarded=int(guarded.sum()),
            guarded_anomalous=int((guarded & anomalous).sum()),
            names_injection=0 if names is None else int(names.sum()),
            redacted=redacted,
            repeats=_repeats(block.frame, moments.us),
            differences=self._differences(block, moments.us),
        )

    def _moments(self, block: Block, row: int) -> _Moments:
        clock = block.clock
        known = clock.us != NOT_KNOWN
        if not in_range(clock.us[known]):
            raise InputError(
                self._plan.file.name,
                f"a time in the rows {row + 1:,} to {row + len(known):,} lies outside of 1970 to 2200",
                "correct the row",
            )
        nowhere = np.zeros(len(known), bool)
        wall = np.flatnonzero(clock.wall)
        if not len(wall):
            return _Moments(clock.us, nowhere, nowhere)
        utc = to_utc(clock.us if len(wall) == len(known) else clock.us[wall], self._plan.file.time_zone)
        if utc.kind is None and len(wall) == len(known):
            return _Moments(utc.us, nowhere, nowhere)
        us = clock.us.copy()
        us[wall] = utc.us
        if utc.kind is None:
            return _Moments(us, nowhere, nowhere)
        ambiguous, nonexistent = nowhere.copy(), nowhere.copy()
        nonexistent[wall] = utc.kind == SKIPPED
        twice = np.flatnonzero(utc.kind == REPEATED)
        if len(twice):
            if not self._plan.passes:
                raise _RepeatedHourError
            decided = self._plan.passes[0].of(_places(block)[wall[twice]] + row)
            us[wall[twice]] = np.where(decided == repeated_hour.SECOND, utc.second_us[twice], utc.us[twice])
            ambiguous[wall[twice]] = decided == repeated_hour.UNDECIDED
        return _Moments(us, ambiguous, nonexistent)

    def _places(self, block: Block, us: Microseconds) -> Places:
        """Return the place of each row's segment in the lookup."""
        if self._node is not None:
            return self.lookup.places(self._node, us)
        # A node that the cluster does not have is one that nothing happened to: exported logs hold other hosts too.
        nodes = block.nodes if block.nodes is not None else pl.Series([None] * len(us), dtype=pl.String)
        place = np.zeros(len(us), np.int64)
        for name in nodes.unique().sort().to_list():
            here = nodes.eq_missing(pl.Series([name], dtype=pl.String)).to_numpy()
            place[here] = self.lookup.places(name, us[here])
        return place

    def _nodes(self, block: Block) -> pa.Array:
        if self._node is not None:
            return arrays.names(np.zeros(len(block.frame), np.int32), arrays.texts([self._node]))
        return block.nodes.to_arrow(compat_level=pl.CompatLevel.oldest()) if block.nodes is not None else None

    def _names_injection(self, block: Block) -> Flags | None:
        if self._layout.text is None:
            return None
        if self._plan.leak is None:
            return np.zeros(len(block.frame), bool)
        return np.asarray(block.frame.select(self._plan.leak(pl.col(self._layout.text))).to_series(), bool)

    def _differences(self, block: Block, us: Microseconds) -> Microseconds:
        """Return by how much the rows' second time is off, in microseconds; empty where there is none."""
        if block.clock.beside is None:
            return np.array([], np.int64)
        both = block.clock.beside != NOT_KNOWN
        beside = block.clock.beside[both]
        if not in_range(beside):
            return np.array([], np.int64)
        utc = to_utc(beside, self._plan.file.time_zone)
        said = us[both] - self._plan.file.shift_us
        first, second = utc.us - said, utc.second_us - said
        return np.asarray(np.where(np.abs(second) < np.abs(first), second, first), np.int64)


def _repeats(frame: pl.DataFrame, us: Microseconds) -> int:
    """Return how many rows are identical to the one directly before; most differ in the first columns already."""
    same = np.flatnonzero(us[1:] == us[:-1])
    for column in sorted(frame.iter_columns(), key=lambda column: column.dtype == pl.String):
        if not len(same):
            break
        equal = column.gather(same + 1).eq_missing(column.gather(same))
        same = same[equal.to_numpy()]
    return len(same)


def _places(block: Block) -> Microseconds:
    """Return of each row its place among the block's rows in the source."""
    return np.arange(len(block.frame), dtype=np.int64) if block.places is None else block.places


def _with_true_nodes(file: TelemetryFile, block: Block) -> Block:
    """Return the block with the names that nodes truly have; the source's own columns stay as they are."""
    if block.nodes is None or not (file.renamed or file.hosts):
        return block
    written = block.nodes.drop_nulls().unique().to_list()
    return replace(block, nodes=block.nodes.replace({name: true_name(file, name) for name in written}))


def _with_true_times(file: TelemetryFile, moments: _Moments) -> _Moments:
    """Return the times as a declared correction of the source's clock says."""
    if not file.shift_us:
        return moments
    return replace(moments, us=np.where(moments.us == NOT_KNOWN, moments.us, moments.us + file.shift_us))


def _known_node(plan: _Plan, fixed: str | None) -> str:
    node = true_name(plan.file, fixed) if fixed is not None else node_of(plan.file)
    if plan.nodes is not None and node not in plan.nodes:
        raise _unknown_node(plan, node, "")
    return node


def _unknown_node(plan: _Plan, node: str, where: str) -> InputError:
    near = difflib.get_close_matches(node, plan.nodes or (), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(plan.nodes or ())[:20])
    return InputError(
        plan.file.name, f"{where}the cluster has no node {node!r}{hint}", f"its nodes are {known}; correct the name"
    )


def _arrow_type(kind: ColumnType) -> pa.DataType:
    if kind == pl.Int64:
        return pa.int64()
    return pa.float64() if kind == pl.Float64 else pa.large_string()


def _passes(plan: _Plan) -> repeated_hour.Passes:
    """Decide the passes of a repeated hour: reads the times of the whole file."""
    with open_rows(plan.file, types=plan.types, only=lambda _: ()) as rows:
        return repeated_hour.decide(_wall_clocks(plan.file, rows), plan.file.time_zone)


def _wall_clocks(file: TelemetryFile, rows: Rows) -> Iterator[repeated_hour.WallClock]:
    for block, row in numbered(file, (parse() for parse in rows.blocks)):
        wall = np.flatnonzero(block.clock.wall)
        if not len(wall):
            continue
        texts = rows.layout.abbreviation(block.frame) if rows.layout.abbreviation else None
        abbreviation = texts.to_numpy().astype(str)[wall] if texts is not None else None
        yield repeated_hour.WallClock(_places(block)[wall] + row, block.clock.us[wall], abbreviation)


# --- counting -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Count:
    """What was seen in the blocks so far."""

    rows: int = 0
    without_time: int = 0
    boundary: int = 0
    boundary_anomalous: int = 0
    guarded: int = 0
    guarded_anomalous: int = 0
    ambiguous: int = 0
    nonexistent: int = 0
    names_injection: int = 0
    redacted: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    largest_gap_us: int = 0
    first_us: int | None = None
    last_us: int | None = None
    unterminated: bool = False
    places: Counter[int] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    abbreviations: Counter[str] = field(default_factory=Counter)
    differences: Counter[int] = field(default_factory=Counter)
    left_out: Oddities = Oddities()  # noqa: RUF009 (frozen)
    nulled: Oddities = Oddities()  # noqa: RUF009 (frozen)
    repeated_headers: int = 0
    _last_known_us: int | None = None
    _last_row: tuple[object, ...] = ()

    def odd(self, blocks: Iterator[tuple[Block, int]]) -> Iterator[tuple[Block, int]]:
        """Yield the blocks, and count what could not be read in each."""
        for block, row in blocks:
            self.left_out += block.left_out
            self.nulled += block.nulled
            self.repeated_headers += block.headers
            yield block, row

    def add(self, part: _Part) -> None:
        """Count the rows of the next block."""
        self.rows += len(part.place)
        self.boundary += part.boundary
        self.boundary_anomalous += part.boundary_anomalous
        self.guarded += part.guarded
        self.guarded_anomalous += part.guarded_anomalous
        self.ambiguous += int(part.moments.ambiguous.sum())
        self.nonexistent += int(part.moments.nonexistent.sum())
        self.names_injection += part.names_injection
        self.redacted += part.redacted
        self.unterminated |= part.block.unterminated
        self.abbreviations.update(part.block.clock.abbreviations)
        rows_at = np.bincount(part.place)
        self.places.update({int(place): int(rows_at[place]) for place in np.flatnonzero(rows_at)})
        if part.block.nodes is not None:
            self.nodes.update(dict(part.block.nodes.drop_nulls().value_counts().iter_rows()))
        else:
            self.nodes[part.node] += len(part.place)
        off = np.rint(part.differences[np.abs(part.differences) > _CLOCK_TOLERANCE_US] / 1e6).astype(np.int64)
        self.differences.update(off.tolist())
        self._add_times(part.moments.us)
        self._add_duplicates(part.block.frame, part.repeats)

    def _add_times(self, us: Microseconds) -> None:
        known = us[us != NOT_KNOWN]
        self.without_time += len(us) - len(known)
        if not len(known):
            return
        before = known[:1] if self._last_known_us is None else np.array([self._last_known_us])
        steps = np.diff(known, prepend=before)
        self.out_of_order += int((steps < 0).sum())
        self.largest_gap_us = max(self.largest_gap_us, int(steps.max()))
        first, last = int(known.min()), int(known.max())
        self.first_us = first if self.first_us is None else min(self.first_us, first)
        self.last_us = last if self.last_us is None else max(self.last_us, last)
        self._last_known_us = int(known[-1])

    def _add_duplicates(self, frame: pl.DataFrame, repeats: int) -> None:
        """Count rows identical to the one directly before: those inside of the block, and its first one."""
        first = frame.row(0)
        self.duplicates += first == self._last_row
        self._last_row = frame.row(-1)
        self.duplicates += repeats

    def summary(self, plan: _Plan, rows: Rows, lookup: Lookup) -> FileLabels:
        """Return what was counted."""
        phases: Counter[str] = Counter(dict.fromkeys(PHASES, 0))
        injections: Counter[str] = Counter(dict.fromkeys(lookup.injection_ids.names, 0))
        kpis: Counter[str] = Counter()
        anomalous = 0
        for place, count in sorted(self.places.items()):
            phases[PHASES[lookup.phase[place]]] += count
            anomalous += count * bool(lookup.is_anomalous[place])
            injections.update(dict.fromkeys(lookup.injection_ids.at(place), count))
            kpis.update(dict.fromkeys(lookup.impacted_kpis.at(place), count))
        known = self.nodes if plan.nodes is None else plan.nodes
        return FileLabels(
            name=plan.file.name,
            form=rows.layout.format,
            rows=self.rows,
            nodes=dict(sorted(self.nodes.items())),
            first_us=self.first_us,
            last_us=self.last_us,
            columns={written_as(column): str(_file_type(of)) for column, of in rows.types.items()},
            phases=dict(phases),
            anomalous=anomalous,
            boundary=self.boundary,
            boundary_anomalous=self.boundary_anomalous,
            guarded=self.guarded,
            guarded_anomalous=self.guarded_anomalous,
            strangers={name: count for name, count in sorted(self.nodes.items()) if name not in known},
            injections=dict(injections),
            kpis=dict(sorted(kpis.items())),
            names_injection=self.names_injection,
            redacted=self.redacted,
            left_out=self.left_out,
            nulled=self.nulled,
            repeated_headers=self.repeated_headers,
            row_uncertainty_s=rows.layout.row_uncertainty_s,
            without_time=self.without_time,
            ambiguous=self.ambiguous,
            nonexistent=self.nonexistent,
            out_of_order=self.out_of_order,
            duplicates=self.duplicates,
            largest_gap_s=self.largest_gap_us / 1e6,
            abbreviations=dict(sorted(self.abbreviations.items())),
            clock_disagrees=self.differences.total(),
            clock_difference_s=self.differences.most_common(1)[0][0] if self.differences else 0,
            unterminated=self.unterminated,
        )


def _file_type(kind: ColumnType) -> pa.DataType:
    found = _arrow_type(kind)
    return pa.string() if pa.types.is_large_string(found) else found


def _duplicates(path: Path, columns: list[str]) -> int:
    """Return how many rows of a written file are identical to an earlier one.

    Of two identical rows the later one lies before the latest time so far, or follows the other: the hashes of such
    rows, usually few, are looked for in the whole file.
    """
    suspects = [np.array([], np.uint64)]
    latest: int | None = None
    last_hash: int | None = None
    for us, hashes in _hashed(path, columns):
        peaks = np.maximum.accumulate(us if latest is None else np.maximum(us, latest))
        late = us < peaks
        repeats = np.concatenate(([last_hash is not None and int(hashes[0]) == last_hash], hashes[1:] == hashes[:-1]))
        suspects.append(hashes[late | repeats])
        latest, last_hash = int(peaks[-1]), int(hashes[-1])
    wanted = np.unique(np.concatenate(suspects))
    found = sum(int(np.isin(hashes, wanted).sum()) for _, hashes in _hashed(path, columns)) if len(wanted) else 0
    return found - len(wanted)


def _hashed(path: Path, columns: list[str]) -> Iterator[tuple[Microseconds, npt.NDArray[np.uint64]]]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=[*columns, "timestamp"])
            us = table["timestamp"].cast(pa.int64()).fill_null(NOT_KNOWN).to_numpy()
            yield us, pl.DataFrame(table.select(columns)).hash_rows(seed=1).to_numpy()
