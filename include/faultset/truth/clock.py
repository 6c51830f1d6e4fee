"""An HTML report mixes clocks: hooks in UTC, errors in the local time of the machine that rendered it.

The zone is written nowhere, but it can be found: with the right offset every failed iteration lies inside the run and
in the order that the hooks prescribe. Where more than one offset fits, none is taken.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from faultset.moments import UTC
from faultset.records.run import Workload

# Offsets that are in use somewhere: whole hours, and those of the few zones that are not.
_BROKEN_HOURS = (-9.5, -3.5, -2.5, 3.5, 4.5, 5.5, 5.75, 6.5, 8.75, 9.5, 10.5, 12.75)
OFFSETS_S = tuple(sorted(int(hours * 3600) for hours in (*range(-12, 15), *_BROKEN_HOURS)))
# An iteration's start against a hook that fires at an iteration: concurrent iterations start within a few seconds of
# their turn, and a hook's HTML time is cut to the second.
_ORDER_SLACK_S = 5.0


def offset_of_errors(workload: Workload) -> tuple[int | None, str]:
    """Return the UTC offset (seconds) of a report's error times, and why; None where it cannot be told.

    Args:
        workload: of an HTML report. ``created_at`` and ``full_duration_s`` bound the run; hook results that fired at an
            iteration bound the order, and the iterations' durations how far apart two of them must be.
    """
    times = workload.iterations.error_local_times
    if not times:
        return None, "no error times"
    pace = _Pace.of(workload)
    fitting = [offset for offset in OFFSETS_S if _fits(workload, pace, times, offset)]
    if len(fitting) == 1:
        return fitting[0], f"only UTC{fitting[0] / 3600:+g} h puts every failed iteration inside the run and in order"
    if not fitting:
        return None, "no offset puts every failed iteration inside the run"
    return None, f"{len(fitting)} offsets from UTC{fitting[0] / 3600:+g} h to UTC{fitting[-1] / 3600:+g} h fit"


def _fits(workload: Workload, pace: _Pace, times: dict[int, dt.datetime], offset: int) -> bool:
    starts = [(number, _shift(local, offset)) for number, local in times.items()]
    return _inside(workload, [start for _, start in starts]) and all(
        _in_order(number, start, workload, pace) for number, start in starts
    )


def _shift(local: dt.datetime, offset: int) -> dt.datetime:
    return (local - dt.timedelta(seconds=offset)).replace(tzinfo=UTC)


def _inside(workload: Workload, starts: Sequence[dt.datetime]) -> bool:
    if workload.created_at is None:
        return bool(workload.results)
    earliest = workload.created_at
    # created_at lies before the load's start by the time that contexts took, which full_duration includes.
    span = (workload.full_duration_s or workload.load_duration_s or 0.0) + 60.0
    return all(earliest <= start <= earliest + dt.timedelta(seconds=span) for start in starts)


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast iterations can follow each other.

    Attributes:
        busy_s: seconds that the iterations up to a number took, summed; empty where not all of them are known.
        longest_s: the longest iteration.
        concurrency: iterations that run at once.
    """

    busy_s: tuple[float, ...]
    longest_s: float
    concurrency: int

    @classmethod
    def of(cls, workload: Workload) -> _Pace:
        series = workload.iterations
        spans = [
            duration + (0.0 if math.isnan(idle) else idle)
            for duration, idle in zip(series.duration_s, series.idle_s, strict=True)
        ]
        concurrency = 1 if workload.runner == "serial" else workload.concurrency
        if not (series.complete and spans and concurrency) or any(math.isnan(span) for span in spans):
            return cls((), 0.0, 1)
        return cls(tuple(itertools.accumulate(spans, initial=0.0)), max(spans), concurrency)

    def least_gap(self, first: int, second: int) -> dt.timedelta:
        """The least time between the starts of two iterations: all but a handful of those between have ended."""
        if not 1 <= first < second < len(self.busy_s):
            return dt.timedelta(0)
        between = self.busy_s[second - 1] - self.busy_s[first]
        return dt.timedelta(seconds=max(0.0, between / self.concurrency - self.longest_s))


def _in_order(number: int, start: dt.datetime, workload: Workload, pace: _Pace) -> bool:
    slack = dt.timedelta(seconds=_ORDER_SLACK_S)
    for result in workload.results:
        if result.unit != "iteration":
            continue
        value = int(result.value)
        if number <= value and start > result.started_at.latest + slack - pace.least_gap(number, value):
            return False
        if number > value and start < result.started_at.at - slack + pace.least_gap(value, number):
            return False
    return True


def utc_times(workload: Workload) -> tuple[dict[int, dt.datetime], str]:
    """Return failed iterations' starts in UTC where the offset is certain (else none), and why."""
    offset, why = offset_of_errors(workload)
    if offset is None:
        return {}, why
    return {n: _shift(local, offset) for n, local in workload.iterations.error_local_times.items()}, why
