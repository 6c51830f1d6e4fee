"""Iterations and the injections they overlap.

Decided by interval overlap: an iteration that began before its hook and failed because of it is the rule, not the
exception.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faultset.fault_span import span_of
from faultset.moments import from_epoch
from faultset.records.run import Workload
from faultset.tables import InjectionRow, IterationRow


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Injections that a span certainly or possibly overlaps."""

    ids: list[str]
    is_boundary: bool


class InjectionIndex:
    """Injections with their faults in order of start, so that a span meets only those that can overlap it."""

    def __init__(self, injections: Sequence[InjectionRow]) -> None:
        by_start = sorted(injections, key=lambda i: (i.started_at, i.injection_id))
        self._ids = [injection.injection_id for injection in by_start]
        self._spans = [span_of(injection) for injection in by_start]
        self._starts = [span.start for span in self._spans]
        # The latest end among all up to here: nothing before the first one that reaches the span needs a look.
        self._reach = list(itertools.accumulate((span.end_latest for span in self._spans), max))

    def overlapping(self, start: dt.datetime, end: dt.datetime) -> Overlaps:
        """Return the injections whose fault [start, end) overlaps; boundary where the uncertainty of an end decides."""
        ids: list[str] = []
        boundary = False
        first = bisect.bisect_right(self._reach, start)
        for place in range(first, bisect.bisect_left(self._starts, end)):
            span = self._spans[place]
            if start < span.end_latest:
                ids.append(self._ids[place])
                boundary = boundary or not (start < span.end and span.start_latest < end)
        return Overlaps(ids, boundary)


def iteration_rows(
    workload: Workload, workload_id: str, index: InjectionIndex, failed_at: dict[int, dt.datetime]
) -> Iterator[IterationRow]:
    """Yield a row an iteration that the inputs show.

    Args:
        workload: whose iterations.
        workload_id: its id.
        index: all injections of the experiment; several runs can overlap in time.
        failed_at: iteration -> start, for failed iterations of an HTML report whose zone was found.
    """
    series = workload.iterations
    for number, started, duration, idle in zip(
        series.number, series.started_at, series.duration_s, series.idle_s, strict=True
    ):
        start = failed_at.get(number) if math.isnan(started) else from_epoch(started)
        span = _known(duration, 0.0) + _known(idle, 0.0)
        end = start + dt.timedelta(seconds=span) if start is not None and not math.isnan(duration) else None
        overlaps = index.overlapping(start, end) if start is not None and end is not None else None
        error = series.errors.get(number)
        yield IterationRow(
            workload_id=workload_id,
            iteration=number,
            started_at=start,
            ended_at=end,
            duration_s=None if math.isnan(duration) else duration,
            idle_s=None if math.isnan(idle) else idle,
            failed=error is not None,
            error=f"{error.kind}: {error.message}" if error else None,
            trace_id=series.trace_ids.get(number),
            injection_ids=overlaps.ids if overlaps else None,
            is_boundary=overlaps.is_boundary if overlaps else False,
        )


def _known(value: float, default: float) -> float:
    return default if math.isnan(value) else value
