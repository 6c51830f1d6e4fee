"""What the rows of a labeled file tell: of the clock they were recorded by, how often they come, what they cover."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultset.moments import Window, epoch_us
from faultset.sources.telemetry.format import Layout
from faultset.storage import reported
from faultset.tables import InjectionRow, IterationRow
from faultset.truth import clock_evidence, telemetry_clock

_GAP_CADENCES = 3
_ERROR_LEVELS = ("WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")
_MOST_SERIES = 40  # of a file that has one after the other: more say nothing new of its clock

Microseconds = npt.NDArray[np.int64]


@dataclasses.dataclass(slots=True)
class Look:
    """What the labeled rows themselves tell, read one row group at a time; of clocks, only what lies near the run."""

    run: Window | None
    recordings: list[clock_evidence.Recording] = dataclasses.field(default_factory=list)
    coverage: dict[str, float] = dataclasses.field(default_factory=dict)
    cadence_s: float | None = None
    traces: list[tuple[str | None, str | None, int]] = dataclasses.field(default_factory=list)

    @classmethod
    def at(cls, path: Path, layout: Layout, injections: Sequence[InjectionRow], run: Window | None) -> Look:
        """Return what the rows of the labeled file at ``path`` tell."""
        look = cls(run)
        covered = {row.injection_id: 0.0 for row in injections}
        for times, group in _groups(path, layout):
            if layout.kind == "metrics":
                look.add_metrics(times, group, layout)
                _cover(covered, times, injections, look.cadence_s or 1.0)
            elif layout.kind == "logs":
                levels = group[layout.level] if layout.level in group.column_names else None
                errors = (
                    None if levels is None else np.asarray(pc.is_in(pc.utf8_upper(levels), pa.array(_ERROR_LEVELS)))
                )
                look.add_recording(clock_evidence.recording(times, None, errors))
            else:
                look.add_traces(times, group, layout)
        look.coverage = covered if layout.kind == "metrics" else {}
        return look

    def add_recording(self, part: clock_evidence.Recording) -> None:
        """Add what one row group recorded."""
        if self.run is not None:
            self.recordings.append(clock_evidence.near(part, self.run))

    def add_metrics(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group of metrics."""
        if layout.long is not None:
            self._add_long(times, group, layout)
            return
        columns = {
            field.name: group[field.name].cast(pa.float64()).to_numpy()
            for field in group.schema
            if (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
            and not layout.values.smoothed(field.name)
        }
        self.add_recording(clock_evidence.recording(times, columns))
        self._add_cadence(times if not layout.names_nodes else np.unique(times))

    def _add_long(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group in which each row holds the value of a KPI that it names."""
        if layout.long is None:
            return
        self.add_recording(clock_evidence.recording(times))
        keys = pc.binary_join_element_wise(
            group["node"].cast(pa.string()), group[layout.long.kpi].cast(pa.string()), " ", null_handling="replace"
        )
        values = group[layout.long.value].cast(pa.float64()).to_numpy()
        counts = sorted(pc.value_counts(keys).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
        for place, one in enumerate(counts[:_MOST_SERIES]):
            here = np.asarray(pc.equal(keys, one["values"]))
            self.add_recording(clock_evidence.recording(times[here], {one["values"]: values[here]}))
            if place == 0:
                self._add_cadence(np.unique(times[here]))

    def _add_cadence(self, times: Microseconds) -> None:
        steps = np.diff(np.sort(times))
        if self.cadence_s is None and len(steps):
            self.cadence_s = float(np.median(steps)) / 1e6

    def add_traces(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group of traces."""
        self.add_recording(clock_evidence.recording(times))
        bases, numbers = (group[name].to_pylist() if name else [None] * len(times) for name in layout.iteration)
        self.traces.extend(zip(bases, numbers, times.tolist(), strict=True))

    def evidence(self, iterations: Sequence[IterationRow]) -> clock_evidence.ShiftEvidence:
        """Return what tells whether the file's clock is off."""
        recordings = (clock_evidence.joined(self.recordings),) if self.recordings else ()
        return clock_evidence.ShiftEvidence(recordings, self._placed(iterations) if self.traces else None)

    def _placed(self, iterations: Sequence[IterationRow]) -> Microseconds | None:
        """Return (n, 3): time of a span, start and end of the iteration that it belongs to by its id or number."""
        known = {
            row.trace_id: (epoch_us(row.started_at), epoch_us(row.ended_at))
            for row in iterations
            if row.trace_id and row.started_at is not None and row.ended_at is not None
        }
        by_id = [(time, *known[base]) for base, _, time in self.traces if base in known]
        if by_id:
            return np.array(by_id, dtype=np.int64)
        workloads: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in iterations:
            if row.started_at is not None and row.ended_at is not None:
                workloads[row.workload_id][str(row.iteration)] = (epoch_us(row.started_at), epoch_us(row.ended_at))
        return telemetry_clock.placed_by_number(self.traces_by_number(), list(workloads.values()))

    def traces_by_number(self) -> list[tuple[str, int]]:
        """Return the spans that name the number of an iteration: number, time."""
        return [(number, time) for _, number, time in self.traces if number]


def _groups(path: Path, layout: Layout) -> Iterator[tuple[Microseconds, pa.Table]]:
    """Yield the rows that have a time, with the columns that numbers and levels are in, one row group at a time."""
    texts = {layout.level, *layout.iteration, layout.long.kpi if layout.long else None}
    with reported(path):
        file = pq.ParquetFile(path)
        fields = list(file.schema_arrow)
        source = fields[: file.schema_arrow.get_field_index("timestamp")]
        wanted = [f.name for f in source if not pa.types.is_string(f.type) or f.name in texts]
        wanted += ["timestamp", *(["node"] if layout.long else [])]
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, columns=wanted)
            group = group.filter(pc.is_valid(group["timestamp"]))
            yield group["timestamp"].cast(pa.int64()).to_numpy(), group.drop_columns(["timestamp"])


def _cover(
    covered: dict[str, float], times: Microseconds, injections: Sequence[InjectionRow], cadence_s: float
) -> None:
    ordered = np.sort(times)
    for row in injections:
        start, end = epoch_us(row.started_at), epoch_us(row.ended_at)
        # A collector that is late by a row or two has left no gap.
        span_us = round(_GAP_CADENCES * cadence_s * 1e6)
        share = clock_evidence.covered_share(ordered, start, max(end, start + 1), span_us)
        covered[row.injection_id] = min(1.0, covered[row.injection_id] + share)
