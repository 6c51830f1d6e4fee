"""What is known of a labeled file, counted while it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
import polars as pl

from faultset.labels.labeling import Part, Plan, file_type, written_as
from faultset.labels.lookup import Lookup
from faultset.labels.source_clock import SourceClock
from faultset.labels.windows import PHASES
from faultset.sources.telemetry.format import NOT_KNOWN, Block, Flags, Layout, Microseconds, Oddities, Rows

_CLOCK_TOLERANCE_US = 1_000_000


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
        out_of_range: KPI -> values that cannot be; those without are left out.
        blur_s: KPI -> by how much its values lag behind at most, in seconds; those that do not are left out.
        named_kpis: the KPIs: the columns that are one each, or those that rows name.
        layout: how the file is laid out.
        unterminated: the file ends without a line feed, so that its last value may be cut off.
        clock: what the rows tell of their times.
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
    out_of_range: Mapping[str, int]
    blur_s: Mapping[str, float]
    named_kpis: tuple[str, ...]
    layout: Layout
    unterminated: bool
    clock: SourceClock


@dataclass(slots=True)
class Count:
    """What was seen in the blocks so far: ``FileLabels`` in the making, and what the rows that come next are judged by.

    Attributes:
        source_rows: rows of the source, those that were left out among them.
        lines: how many lines of the file they take.
        first_known_us: the first time, in the order of the file.
        first_begins: whether its row begins a series, so that time may have run back there.
        last_known_us: the last time, in the order of the file.
        first_row: the first row as the source has it; none before there is one.
        last_row: the last one.
    """

    rows: int = 0
    source_rows: int = 0
    lines: int = 0
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
    out_of_range: Counter[str] = field(default_factory=Counter)
    blur_s: dict[str, float] = field(default_factory=dict)
    named_kpis: set[str] = field(default_factory=set)
    first_known_us: int | None = None
    first_begins: bool = False
    last_known_us: int | None = None
    first_row: tuple[object, ...] = ()
    last_row: tuple[object, ...] = ()

    def odd(self, blocks: Iterator[tuple[Block, int]]) -> Iterator[tuple[Block, int]]:
        """Yield the blocks, and count what could not be read in each."""
        for block, row in blocks:
            self.left_out += block.left_out
            self.nulled += block.nulled
            self.repeated_headers += block.headers
            self.source_rows += block.rows_in_source
            self.lines += block.lines
            yield block, row

    def add(self, part: Part) -> None:
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
        self.unterminated |= bool(part.block.unterminated)
        self.abbreviations.update(part.block.clock.abbreviations)
        rows_at = np.bincount(part.place)
        self.places.update({int(place): int(rows_at[place]) for place in np.flatnonzero(rows_at)})
        if part.block.nodes is not None:
            self.nodes.update(dict(part.block.nodes.drop_nulls().value_counts().iter_rows()))
        else:
            self.nodes[part.node] += len(part.place)
        off = np.rint(part.differences[np.abs(part.differences) > _CLOCK_TOLERANCE_US] / 1e6).astype(np.int64)
        self.differences.update(off.tolist())
        self.out_of_range.update(part.out_of_range)
        self.named_kpis |= part.named_kpis
        for kpi, blur_s in part.blur_s.items():
            self.blur_s[kpi] = max(blur_s, self.blur_s.get(kpi, 0.0))
        self._add_times(part.moments.us, part.series_begin)
        self._add_duplicates(part.block.frame, part.repeats)

    def _add_times(self, us: Microseconds, series_begin: Flags | None) -> None:
        """Count times; ``series_begin``: rows at which another series begins, so that time may run back."""
        is_known = us != NOT_KNOWN
        known = us[is_known]
        self.without_time += len(us) - len(known)
        if not len(known):
            return
        before = known[:1] if self.last_known_us is None else np.array([self.last_known_us])
        if self.first_known_us is None:
            self.first_known_us = int(known[0])
            self.first_begins = series_begin is not None and bool(series_begin[is_known][0])
        steps = np.diff(known, prepend=before)
        back = steps < 0
        self.out_of_order += int((back if series_begin is None else back & ~series_begin[is_known]).sum())
        self.largest_gap_us = max(self.largest_gap_us, int(steps.max()))
        first, last = int(known.min()), int(known.max())
        self.first_us = first if self.first_us is None else min(self.first_us, first)
        self.last_us = last if self.last_us is None else max(self.last_us, last)
        self.last_known_us = int(known[-1])

    def _add_duplicates(self, frame: pl.DataFrame, repeats: int) -> None:
        """Count rows identical to the one directly before: those inside of the block, and its first one."""
        first = frame.row(0)
        self.duplicates += first == self.last_row
        self.first_row = self.first_row or first
        self.last_row = frame.row(-1)
        self.duplicates += repeats

    def follow(self, later: Count, *, lines: int) -> None:
        """Count also what was counted of the rows that come next.

        Args:
            later: what was counted of them.
            lines: how many lines of the file stand before those that ``later`` counts its lines from.
        """
        self._follow_times(later)
        self.duplicates += bool(later.first_row) and later.first_row == self.last_row
        self.first_row, self.last_row = self.first_row or later.first_row, later.last_row or self.last_row
        self.left_out += later.left_out.after(lines)
        self.nulled += later.nulled.after(lines)
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in _COUNTERS:
            getattr(self, name).update(getattr(later, name))
        self.unterminated |= later.unterminated
        self.named_kpis |= later.named_kpis
        for kpi, blur_s in later.blur_s.items():
            self.blur_s[kpi] = max(blur_s, self.blur_s.get(kpi, 0.0))

    def _follow_times(self, later: Count) -> None:
        self.largest_gap_us = max(self.largest_gap_us, later.largest_gap_us)
        if later.first_known_us is None:
            return
        if self.last_known_us is None:
            self.first_known_us, self.first_begins = later.first_known_us, later.first_begins
        else:
            step = later.first_known_us - self.last_known_us
            self.out_of_order += step < 0 and not later.first_begins
            self.largest_gap_us = max(self.largest_gap_us, step)
        self.last_known_us = later.last_known_us
        self.first_us = min(us for us in (self.first_us, later.first_us) if us is not None)
        self.last_us = max(us for us in (self.last_us, later.last_us) if us is not None)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: _plain(value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return what ``as_dict`` described."""
        made = cls()
        for name, value in values.items():
            setattr(made, name, _as(getattr(made, name), value))
        return made

    def summary(self, plan: Plan, rows: Rows, lookup: Lookup, clock: SourceClock) -> FileLabels:
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
            columns={written_as(column): str(file_type(of)) for column, of in rows.types.items()},
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
            out_of_range=dict(sorted(self.out_of_range.items())),
            blur_s=dict(sorted(self.blur_s.items())),
            named_kpis=tuple(sorted(self.named_kpis)) if rows.layout.long else _kpis_of(rows),
            layout=rows.layout,
            unterminated=self.unterminated,
            clock=clock,
        )


_SUMS = (
    *("rows", "source_rows", "lines", "without_time", "boundary", "boundary_anomalous", "guarded", "guarded_anomalous"),
    *("ambiguous", "nonexistent", "names_injection", "redacted", "out_of_order", "duplicates", "repeated_headers"),
)
_COUNTERS = ("places", "nodes", "abbreviations", "differences", "out_of_range")


def _plain(value: object) -> object:
    if isinstance(value, Counter):
        return list(value.items())
    if isinstance(value, Oddities):
        return [value.count, value.first]
    return sorted(value) if isinstance(value, set) else value


def _as(like: object, value: Any) -> object:
    """Return what ``_plain`` made of a value such as ``like``."""
    if isinstance(like, Counter):
        return Counter(dict(value))
    if isinstance(like, Oddities):
        return Oddities(value[0], tuple((line, problem) for line, problem in value[1]))
    if isinstance(like, set | tuple):
        return type(like)(value)
    return value


def _kpis_of(rows: Rows) -> tuple[str, ...]:
    """Return the columns of metrics that are KPIs."""
    if rows.layout.kind != "metrics":
        return ()
    return tuple(
        written_as(name) for name, kind in rows.types.items() if rows.layout.is_kpi(name) and kind != pl.String
    )
