"""What the rows of a file tell of their times while they are labeled: how often they come, what they cover, what clock.

Nothing is read for it again, and what is kept does not grow with the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from faultset.labels.labeling import Part
from faultset.moments import Window, epoch_us
from faultset.sources.telemetry.format import NOT_KNOWN, Layout, Microseconds
from faultset.tables import InjectionRow, IterationRow
from faultset.truth import clock_evidence, telemetry_clock
from faultset.truth.clock_evidence import Floats, Recording

_GAP_CADENCES = 3
_ERROR_LEVELS = ("WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
# More say nothing new of a file's clock: series of a file that has one after the other, spans of traces.
_MOST_SERIES = 400
_MOST_SERIES_AT_ONCE = 40
_MOST_SPANS = 200_000
_MOST_PARTS = 16  # at once, before they are joined


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When things happened, by which a file's own times are judged.

    Attributes:
        run: from the first iteration to the last one's end; None where no input tells.
        injections: those that happened in it.
        iterations: those of its workloads.
    """

    run: Window | None = None
    injections: tuple[InjectionRow, ...] = ()
    iterations: tuple[IterationRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceClock:
    """What a file's rows tell of their times.

    Attributes:
        cadence_s: usual distance of two rows of a node, in seconds; None with less than two rows.
        coverage: injection id -> share of it, 0 to 1, in which the file has rows; of metrics alone.
        evidence: what tells whether the clock is off.
    """

    cadence_s: float | None
    coverage: Mapping[str, float]
    evidence: clock_evidence.ShiftEvidence


@dataclass(frozen=True, slots=True)
class KeptClock:
    """What ``ClockCount`` saw in some consecutive rows, to be put together with what comes before and after.

    Attributes:
        cadence_s: usual distance of two rows of a node, in seconds; None where it is not known.
        coverage: injection id -> (n, 2) covered parts of its window, microseconds since the epoch.
        recording: what was recorded near the run; None for nothing.
        series: the series of which values were recorded, in their order.
        by_id: time of a span, start and end of the iteration that it belongs to by its id.
        by_number: number of an iteration, and time of a span that names it.
    """

    cadence_s: float | None
    coverage: Mapping[str, Microseconds]
    recording: Recording | None
    series: tuple[str, ...]
    by_id: tuple[tuple[int, int, int], ...]
    by_number: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class ClockCount:
    """What was seen in the blocks so far; of clocks, only what lies near the run.

    Attributes:
        times: when things happened.
        layout: how the file is laid out.
        cadence_s: usual distance of two rows of a node, in seconds; where rows before told it, it is given.
    """

    times: RunTimes
    layout: Layout
    cadence_s: float | None = None
    _recordings: list[Recording] = field(default_factory=list)
    _coverage: dict[str, clock_evidence.Coverage] = field(default_factory=dict)
    _series: dict[str, None] = field(default_factory=dict)
    _iterations: dict[str, tuple[int, int]] = field(default_factory=dict)
    _by_id: list[tuple[int, int, int]] = field(default_factory=list)
    _by_number: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.layout.kind == "metrics":
            for row in self.times.injections:
                window = epoch_us(row.started_at), epoch_us(row.ended_at)
                self._coverage[row.injection_id] = clock_evidence.Coverage(*window)
        if self.layout.kind == "traces":
            self._iterations = {row.trace_id: span for row, span in self._spans() if row.trace_id}

    def add(self, part: Part) -> None:
        """Look at the rows of the next block."""
        frame, us = part.block.frame, part.moments.us
        nodes = part.block.nodes
        known = us != NOT_KNOWN
        if not known.all():
            us, rows = us[known], pl.Series(known)
            frame, nodes = frame.filter(rows), None if nodes is None else nodes.filter(rows)
        if not len(us):
            return
        if self.layout.kind == "metrics":
            self._add_metrics(frame, us, pl.lit(part.node) if nodes is None else nodes.fill_null(""))
            self._cover(us)
        elif self.layout.kind == "logs":
            levels = frame[self.layout.level] if self.layout.level in frame.columns else None
            self._record(us, is_error=None if levels is None else levels.str.to_uppercase().is_in(_ERROR_LEVELS))
        else:
            self._record(us)
            self._add_spans(frame, us)

    def _record(
        self, us: Microseconds, columns: Mapping[str, pl.Series] | None = None, is_error: pl.Series | None = None
    ) -> None:
        """Keep what was recorded near the run."""
        if self.times.run is None or not (near := clock_evidence.is_near(us, self.times.run)).any():
            return
        levels = {name: _floats(column)[near] for name, column in (columns or {}).items()}
        errors = None if is_error is None else is_error.fill_null(value=False).to_numpy()[near]
        self._recordings.append(clock_evidence.recording(us[near], levels, errors))
        if len(self._recordings) > _MOST_PARTS:
            self._recordings = [clock_evidence.joined(self._recordings)]

    def _add_metrics(self, frame: pl.DataFrame, us: Microseconds, nodes: pl.Series | pl.Expr) -> None:
        if self.layout.long is not None:
            self._record(us)
            self._add_series(frame[self.layout.long.kpi], frame[self.layout.long.value], us, nodes)
            return
        numbers = (name for name, kind in frame.schema.items() if kind.is_numeric() and self.layout.is_kpi(name))
        self._record(us, {name: frame[name] for name in numbers if not self.layout.values.smoothed(name)})
        self._add_cadence(us if not self.layout.names_nodes else np.unique(us))

    def _add_series(self, kpis: pl.Series, values: pl.Series, us: Microseconds, nodes: pl.Series | pl.Expr) -> None:
        """Add rows each of which holds the value of a KPI that it names."""
        run = self.times.run
        if self.cadence_s is not None and (run is None or not clock_evidence.is_near(us, run).any()):
            return
        key = pl.concat_str(nodes, kpis.cast(pl.String).fill_null(""), separator=" ")
        rows = pl.select(key=key, value=values, us=pl.Series(us))
        counts = rows.group_by("key").len().sort("len", "key", descending=[True, False])
        for place, name in enumerate(counts["key"].head(_MOST_SERIES_AT_ONCE)):
            if name not in self._series and len(self._series) >= _MOST_SERIES:
                continue
            self._series[name] = None
            series = rows.filter(pl.col("key") == name)
            times = series["us"].to_numpy()
            self._record(times, {name: series["value"]})
            if place == 0:
                self._add_cadence(np.unique(times))

    def _add_cadence(self, us: Microseconds) -> None:
        if self.cadence_s is None and len(us) > 1:
            self.cadence_s = float(np.median(np.diff(np.sort(us)))) / 1e6

    def _cover(self, us: Microseconds) -> None:
        ordered = np.sort(us)
        # A collector that is late by a row or two has left no gap.
        cadence_us = round(_GAP_CADENCES * (self.cadence_s or 1.0) * 1e6)
        for coverage in self._coverage.values():
            coverage.add(ordered, cadence_us)

    def _add_spans(self, frame: pl.DataFrame, us: Microseconds) -> None:
        """Add the spans whose trace, or number, is that of an iteration."""
        base, number = self.layout.iteration
        if base and self._iterations and len(self._by_id) < _MOST_SPANS:
            traces = zip(frame[base], us.tolist(), strict=True)
            self._by_id.extend((time, *self._iterations[trace]) for trace, time in traces if trace in self._iterations)
        if number and not self._by_id and len(self._by_number) < _MOST_SPANS:
            numbers = zip(frame[number].cast(pl.String), us.tolist(), strict=True)
            self._by_number.extend((text, time) for text, time in numbers if text)

    def kept(self) -> KeptClock:
        """Return what was seen, to be kept; nothing more is to be added."""
        return KeptClock(
            cadence_s=self.cadence_s,
            coverage={injection: coverage.spans for injection, coverage in self._coverage.items()},
            recording=clock_evidence.joined(self._recordings) if self._recordings else None,
            series=tuple(self._series),
            by_id=tuple(self._by_id),
            by_number=tuple(self._by_number),
        )

    def follow(self, later: KeptClock) -> None:
        """See also what was seen in the rows that come next; of series and spans no more is kept than of one pass."""
        self.cadence_s = later.cadence_s if self.cadence_s is None else self.cadence_s
        for injection, spans in later.coverage.items():
            self._coverage[injection].cover(spans)
        room = _MOST_SERIES - len(self._series)
        self._series |= dict.fromkeys([name for name in later.series if name not in self._series][:room])
        if later.recording is not None:
            unknown = {*later.series} - self._series.keys()
            levels = {name: values for name, values in later.recording.levels.items() if name not in unknown}
            parts = [*self._recordings, replace(later.recording, levels=levels)]
            self._recordings = [clock_evidence.joined(parts)]
        self._by_id.extend(later.by_id[: max(0, _MOST_SPANS - len(self._by_id))])
        self._by_number.extend(later.by_number[: max(0, _MOST_SPANS - len(self._by_number))])

    def summary(self) -> SourceClock:
        """Return what was seen."""
        recordings = (clock_evidence.joined(self._recordings),) if self._recordings else ()
        coverage = {injection: coverage.share for injection, coverage in self._coverage.items()}
        return SourceClock(self.cadence_s, coverage, clock_evidence.ShiftEvidence(recordings, self._placed()))

    def _placed(self) -> Microseconds | None:
        """Return (n, 3): time of a span, start and end of the iteration that it belongs to by its id or number."""
        if self._by_id:
            return np.array(self._by_id, dtype=np.int64)
        if not self._by_number:
            return None
        workloads: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row, span in self._spans():
            workloads[row.workload_id][str(row.iteration)] = span
        return telemetry_clock.placed_by_number(self._by_number, list(workloads.values()))

    def _spans(self) -> Iterator[tuple[IterationRow, tuple[int, int]]]:
        for row in self.times.iterations:
            if row.started_at is not None and row.ended_at is not None:
                yield row, (epoch_us(row.started_at), epoch_us(row.ended_at))


def _floats(column: pl.Series) -> Floats:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
