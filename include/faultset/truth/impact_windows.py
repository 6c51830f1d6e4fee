"""What an impact is looked for in, and when: series of KPIs, windows of injections, and which rows are quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from faultset.moments import epoch_us
from faultset.tables import InjectionRow

Microseconds = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SECOND = 1_000_000
_LEAST_QUIET_ROWS = 600


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that the test can be told; the defaults are meant to be left alone.

    Attributes:
        alpha: share of false impacts to expect among those found (Benjamini-Hochberg over all tests of an experiment).
        largest_p: no single test is accepted with a p value above this, however many others are.
        shares: how edges, step and level share the risk of a false answer (see ``impact_test``).
        baseline_s: seconds of quiet time before an injection that its robust standard deviation is taken from.
        probe_s: seconds between the probes that tell how restless a series is around a moment.
        probes: how many of the nearest quiet ones tell it.
        stretches: rows of the stretches beside an edge whose medians are compared, ascending. A step has to show in
            several of them; in which, each series decides by what would find most (see ``QuietSeries.null``).
        delays_s: seconds after the start at which a KPI may have left its level; the first is 0.
        recovery_s: the longest time after the command that an impact is followed.
        guard_s: seconds after a window that are not counted as quiet; less where hardly any quiet time would be left.
        shared_edge_s: edges of two injections that are nearer than this cannot be told apart.
        row_resolution_s: a row's true time lies in [time, time + this).
        placements: quiet places that a series is compared with.
        least_placements: with fewer there is no test.
        seed: what the choice of the places starts from.
    """

    alpha: float = 0.02
    largest_p: float = 0.01
    shares: tuple[float, float, float] = (0.6, 0.3, 0.1)
    baseline_s: float = 300.0
    probe_s: float = 15.0
    probes: int = 80
    stretches: tuple[int, ...] = (3, 8, 20)
    delays_s: tuple[float, ...] = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0)
    recovery_s: float = 900.0
    guard_s: float = 60.0
    shared_edge_s: float = 4.0
    row_resolution_s: float = 1.0
    placements: int = 4000
    least_placements: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Series:
    """A KPI of a node.

    Attributes:
        time_us: microseconds since the epoch, ascending; several rows may share one.
        value: float64 of the same length, NaN where the source has none.
    """

    time_us: Microseconds
    value: Floats

    @cached_property
    def known(self) -> Series:
        """The rows that have a value, in order of time."""
        time = np.asarray(self.time_us, dtype=np.int64)
        value = np.asarray(self.value, dtype=np.float64)
        finite = np.isfinite(value)
        if not finite.all():
            time, value = time[finite], value[finite]
        if (np.diff(time) < 0).any():
            order = np.argsort(time, kind="stable")
            time, value = time[order], value[order]
        return Series(time, value)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of all injections as arrays, and where their edges get in each other's way.

    Attributes:
        start, end: microseconds; the earliest moment of each edge.
        start_slack, end_slack: microseconds that the edge may lie later.
        before_start, after_start, before_end, after_end: microseconds beside an edge in which no other edge lies.
        start_shared, end_shared: whether another injection's edge is too near to be told apart.
        crowded: microseconds; another edge nearer than this before a start means that the KPI may still be recovering.
    """

    start: Microseconds
    end: Microseconds
    start_slack: Microseconds
    end_slack: Microseconds
    before_start: Microseconds
    after_start: Microseconds
    before_end: Microseconds
    after_end: Microseconds
    start_shared: Flags
    end_shared: Flags
    crowded: int

    @classmethod
    def of(cls, injections: Sequence[InjectionRow], parameters: Parameters) -> Windows:
        """Return the windows of ``injections`` in their order."""
        start = np.array([epoch_us(one.started_at) for one in injections], dtype=np.int64)
        end = np.array([epoch_us(one.ended_at) for one in injections], dtype=np.int64)
        start_slack = _microseconds([one.start_uncertainty_s for one in injections])
        end_slack = _microseconds([one.end_uncertainty_s for one in injections])
        return cls.at(start, np.maximum(end, start), start_slack, end_slack, parameters)

    @classmethod
    def at(
        cls,
        start: Microseconds,
        end: Microseconds,
        start_slack: Microseconds,
        end_slack: Microseconds,
        parameters: Parameters,
    ) -> Windows:
        """Return the windows with these edges."""
        count = len(start)
        near = round(parameters.shared_edge_s * SECOND)
        far = round(10 * parameters.recovery_s * SECOND)
        edges = np.concatenate([start, end])
        slack = np.concatenate([start_slack, end_slack])
        owner = np.tile(np.arange(count), 2)
        order = np.argsort(edges, kind="stable")
        edges, slack, owner = edges[order], slack[order], owner[order]
        before, after, shared = (np.empty((2, count), dtype=np.int64) for _ in range(3))
        for which, own in enumerate((start, end)):
            for index in range(count):
                others = owner != index
                distance = edges[others] - own[index]
                shared[which, index] = bool((np.abs(distance) < near).any())
                past = distance + slack[others]
                before[which, index] = np.min(-past[distance <= -near], initial=far)
                after[which, index] = np.min(distance[distance >= near], initial=far)
        length = end - start
        return cls(
            start=start,
            end=end,
            start_slack=start_slack,
            end_slack=end_slack,
            before_start=before[0],
            after_start=after[0],
            before_end=np.minimum(before[1], length),
            after_end=after[1],
            start_shared=shared[0].astype(bool),
            end_shared=shared[1].astype(bool),
            crowded=round(parameters.baseline_s * SECOND),
        )


def _microseconds(seconds: Sequence[float]) -> Microseconds:
    return np.rint(np.array(seconds, dtype=np.float64) * SECOND).astype(np.int64)


def quiet_rows(time_us: Microseconds, windows: Windows, parameters: Parameters) -> Flags:
    """Return which rows lie in no injection's window, nor in the guard after one.

    Where guards would take most of the time, they shrink, so that dense injections leave something to compare with.
    """
    bare = ~_covered(time_us, windows, 0, parameters)
    wanted = min(np.count_nonzero(bare), max(_LEAST_QUIET_ROWS, len(time_us) // 4))
    for share in (1.0, 0.5, 0.2):
        quiet = ~_covered(time_us, windows, round(share * parameters.guard_s * SECOND), parameters)
        if np.count_nonzero(quiet) >= wanted:
            return quiet
    return bare


def _covered(time_us: Microseconds, windows: Windows, guard_us: int, parameters: Parameters) -> Flags:
    before = round(parameters.row_resolution_s * SECOND)
    first = np.searchsorted(time_us, windows.start - before, side="right")
    last = np.searchsorted(time_us, windows.end + windows.end_slack + guard_us)
    change = np.zeros(len(time_us) + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, np.maximum(last, first), -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)
