"""What an impact is looked for in, and when: series of KPIs, windows of injections, and which rows are quiet."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from faultset.fault_span import known_end, span_of
from faultset.moments import epoch_us
from faultset.tables import InjectionRow

Microseconds = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SECOND = 1_000_000
_LEAST_QUIET_ROWS = 600
_FAR = 10**12  # microseconds, more than any stretch


@dataclass(frozen=True, slots=True)
class Parameters:
    """All that the test can be told; the defaults are meant to be left alone.

    Attributes:
        alpha: share of false impacts to expect among those found where an injection is not known to have acted.
        alpha_targets: the same on nodes that it is known to have acted on, or on one of them.
        largest_p: no single test is accepted with a p value above this, however many others are.
        largest_p_targets: the same on nodes that the injection is known to have acted on.
        shares: how edges, step and level share the risk of a false answer (see ``edges``).
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

    alpha: float = 0.03
    alpha_targets: float = 0.07
    largest_p: float = 0.01
    largest_p_targets: float = 0.1
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
        yields: whether it acts elsewhere, so that a move at a shared edge is not put down to it.
        hit: whether it is known to have acted here.
        follows_acting: whether it acts elsewhere, and one that acts here may move the KPI soon after its start or
            still: what moves late is put down to that one.
        recent: whether another edge is so shortly before the start that the KPI may still be recovering.
        lasting: when the fault itself had ended for certain, microseconds; where that is not known, when its command
            had.
        open_until: until when a fault whose end is not known may have lasted; ``lasting`` where it is known.
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
    yields: Flags
    hit: Flags
    follows_acting: Flags
    recent: Flags
    lasting: Microseconds
    open_until: Microseconds

    @classmethod
    def of(cls, injections: Sequence[InjectionRow], parameters: Parameters, is_target: Flags | None = None) -> Windows:
        """Return the windows of ``injections`` in their order: the commands' edges, and how long the faults last.

        None is known to have acted here.

        Args:
            injections: all of them.
            parameters: of the test.
            is_target: whether each may have acted on the node looked at; None where that is not known of any.
        """
        start = _microseconds_of([one.started_at for one in injections])
        end = np.maximum(_microseconds_of([one.ended_at for one in injections]), start)
        start_slack = _microseconds([one.start_uncertainty_s for one in injections])
        end_slack = _microseconds([one.end_uncertainty_s for one in injections])
        commands = cls.at(start, end, start_slack, end_slack, parameters=parameters, is_target=is_target)
        known = np.maximum(_microseconds_of([known_end(one) for one in injections]), commands.lasting)
        latest = np.maximum(_microseconds_of([span_of(one).end_latest for one in injections]), known)
        return replace(commands, lasting=known, open_until=latest)

    @classmethod
    def at(
        cls,
        start: Microseconds,
        end: Microseconds,
        start_slack: Microseconds,
        end_slack: Microseconds,
        *,
        parameters: Parameters,
        is_target: Flags | None = None,
    ) -> Windows:
        """Return the windows with these edges, the arrays of one length."""
        count = len(start)
        here = np.ones(count, dtype=bool) if is_target is None else is_target
        near = round(parameters.shared_edge_s * SECOND)
        edges, slack = np.concatenate([start, end]), np.concatenate([start_slack, end_slack])
        owner = np.tile(np.arange(count), 2)
        before, after = (np.full((2, count), _FAR, dtype=np.int64) for _ in range(2))
        shared, follows = np.zeros((2, count), dtype=bool), np.zeros(count, dtype=bool)
        until = end + end_slack + round(parameters.guard_s * SECOND)
        latest = start + start_slack + round(max(parameters.delays_s) * SECOND)
        for index in range(count):
            # What acts on this node elsewhere only does not get in the way of what acts here.
            others = (owner != index) & (here[owner] | ~here[index])
            for which, own in enumerate((start, end)):
                distance = edges[others] - own[index]
                shared[which, index] = bool((np.abs(distance) < near).any())
                past = distance + slack[others]
                before[which, index] = np.min(-past[distance <= -near], initial=_FAR)
                after[which, index] = np.min(distance[distance >= near], initial=_FAR)
            follows[index] = not here[index] and (here & (start <= latest[index]) & (until >= start[index])).any()
        return cls(
            start=start,
            end=end,
            start_slack=start_slack,
            end_slack=end_slack,
            before_start=before[0],
            after_start=after[0],
            before_end=np.minimum(before[1], end - start),
            after_end=after[1],
            start_shared=shared[0],
            end_shared=shared[1],
            yields=~here,
            hit=np.zeros(count, dtype=bool),
            follows_acting=follows,
            recent=before[0] < round(parameters.baseline_s * SECOND),
            lasting=end + end_slack,
            open_until=end + end_slack,
        )

    def alone(self) -> Windows:
        """Return the windows as if no other edge were near any of them."""
        far, nowhere = np.full_like(self.start, _FAR), np.zeros_like(self.start_shared)
        return replace(
            self,
            before_start=far,
            after_start=far,
            before_end=self.end - self.start,
            after_end=far,
            start_shared=nowhere,
            end_shared=nowhere,
        )

    def only(self, which: Rows) -> Windows:
        """Return some of the windows."""
        return Windows(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def _microseconds_of(moments: Sequence[dt.datetime]) -> Microseconds:
    return np.array([epoch_us(moment) for moment in moments], dtype=np.int64)


def _microseconds(seconds: Sequence[float]) -> Microseconds:
    return np.rint(np.array(seconds, dtype=np.float64) * SECOND).astype(np.int64)


def quiet_rows(
    time_us: Microseconds, windows: Windows, parameters: Parameters, back_us: Microseconds | None = None
) -> Flags:
    """Return which rows lie in no injection's window, nor before the series was back after it, nor in the guard after.

    A window reaches to the fault's own end. Where guards would take most of the time, they shrink, so that dense
    injections leave something to compare with; where moves that last would, they count as quiet, and so does the time
    after a fault whose end is not known.

    Args:
        time_us: of the rows.
        windows: of the injections.
        parameters: of the test.
        back_us: when what each injection moved was back, where that is known to be late; 0 elsewhere.
    """
    ends = windows.lasting
    bare = ~_covered(time_us, windows.start, ends, parameters)
    wanted = min(int(np.count_nonzero(bare)), max(_LEAST_QUIET_ROWS, len(time_us) // 4))
    known = [] if back_us is None else [np.maximum(windows.open_until, back_us)]
    if (windows.open_until > ends).any():
        known.append(windows.open_until)
    for until, share in itertools.product([*known, ends], (1.0, 0.5, 0.2)):
        guard = round(share * parameters.guard_s * SECOND)
        quiet = ~_covered(time_us, windows.start, until + guard, parameters)
        if np.count_nonzero(quiet) >= wanted:
            return quiet
    return bare


def _covered(time_us: Microseconds, starts: Microseconds, ends: Microseconds, parameters: Parameters) -> Flags:
    before = round(parameters.row_resolution_s * SECOND)
    first = np.searchsorted(time_us, starts - before, side="right")
    last = np.searchsorted(time_us, ends)
    change = np.zeros(len(time_us) + 1, dtype=np.int64)
    np.add.at(change, first, 1)
    np.add.at(change, np.maximum(last, first), -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)
