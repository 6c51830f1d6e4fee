"""What is usual on a series: how large the steps of its medians are at quiet places.

Drift, spikes, slow waves and coarse values are all in the quiet places, so that no model of the noise is needed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.ndimage import rank_filter

from faultset.impacts.medians import (
    deviations,
    is_mostly_one_value,
    medians,
    of_ascending,
    scale_of_coarse,
    tenth_of_usual,
    usual_size,
)
from faultset.impacts.windows import (
    SECOND,
    Flags,
    Floats,
    Microseconds,
    Parameters,
    Rows,
    Series,
    Windows,
    quiet_rows,
)

Question = Literal["edges", "step", "level", "end", "pulse", "filter"]
Chain = tuple[int, ...]  # lengths of the stretches that a step has to show in, ascending

_MAD_TO_SD = 1.4826  # of a normal distribution
_NORMAL_90 = 1.645  # what nine of ten absolute values of a normal distribution stay below
_SCALE_ROWS = 256  # rows that stand for the baseline; more change a median absolute deviation by little
_LEAST_BASELINE_ROWS = 20
_MOST_PROBES = 100_000
_FAR = 10**12  # microseconds, more than any stretch
_TAIL_SHARES = (0.05, 0.1, 0.2, 0.3)
_ENOUGH_TIMES = 20
_LEAST_TAIL = 20
_HEAVIEST_TAIL = 0.9
_PASS_IS_QUICKER = 100  # rows a stretch, up to which medians of all stretches cost less than those of some
_SOUGHT_SD = 3.0  # the shift that stretches are chosen to find
_SOUGHT_RISK = 0.0025  # the risk of a false answer that they are compared at


@dataclass(frozen=True, slots=True)
class Shape:
    """What has to be alike between an injection and the quiet places that it is compared with; microseconds.

    Attributes:
        length: of the window, coarsely.
        start_slack: how much later the start may be.
        end_slack: how much later the end may be.
        delays: how many of the delays can be looked at before another injection's edge.
    """

    length: int
    start_slack: int
    end_slack: int
    delays: int

    def relevant(self, question: Question) -> tuple[int, ...]:
        """The part of the shape that the answer to ``question`` depends on."""
        if question == "edges":
            return (self.length, self.start_slack, self.end_slack)
        if question == "level":
            return (self.start_slack, self.delays)
        return (self.end_slack,) if question == "end" else (self.start_slack,)


@dataclass(frozen=True, slots=True)
class Usual:
    """A number at quiet places; arrays of one item a place.

    Attributes:
        values: the number.
        shifted: the number, had there been a shift of the size that is sought.
        places: the places, ascending within a series.
    """

    values: Floats
    shifted: Floats
    places: Microseconds

    @classmethod
    def together(cls, several: Sequence[Usual]) -> Usual:
        """Return those of several series as one."""
        return cls(
            np.concatenate([one.values for one in several]),
            np.concatenate([one.shifted for one in several]),
            np.concatenate([one.places for one in several]),
        )


@dataclass(frozen=True, slots=True)
class Null:
    """How large a number is at quiet places: the empirical distribution, and beyond it a generalised Pareto tail.

    Attributes:
        values: ascending.
        threshold: where the tail starts.
        scale: of the tail, 0 where there is none.
        shape: of the tail, above 0 (exponential): never a tail that ends.
        times: independent times that the tail was reached.
        power: share of the quiet places at which a shift of three robust standard deviations would stand out.
    """

    values: Floats
    threshold: float
    scale: float
    shape: float
    times: int
    power: float

    @classmethod
    def of(cls, usual: Usual, apart: int) -> Null:
        """Fit the tail by probability-weighted moments (Hosking and Wallis, 1987).

        How much can be known of the tail depends on how many independent times it was reached: with k of them it is
        taken to fall no faster than a prediction from k exponential values would, which has the shape 1/k.

        Args:
            usual: the number at quiet places.
            apart: microseconds between places that make them independent.
        """
        values = np.sort(usual.values)
        threshold, times = _tail(usual, values, apart)
        above = values[values > threshold] - threshold
        power = float(np.mean(usual.shifted > of_ascending(values, 1 - _SOUGHT_RISK)))
        if not len(above):
            return cls(values, threshold, 0.0, 1.0, times, power)
        count, mean = len(above), float(above.mean())
        weighted = float((above * (count - np.arange(1, count + 1) + 0.35) / count).mean())
        fitted = _HEAVIEST_TAIL if mean <= 2 * weighted else 2 - mean / (mean - 2 * weighted)
        fitted = min(max(fitted, 0.0), _HEAVIEST_TAIL)
        return cls(values, threshold, mean * (1 - fitted), max(fitted, 1 / times), times, power)

    @property
    def is_known(self) -> bool:
        """Whether the tail was reached often enough to be known."""
        return self.times >= _ENOUGH_TIMES

    def p_value(self, number: Floats) -> Floats:
        """Return the probability of at least ``number`` at a quiet place, NaN for NaN."""
        total = len(self.values)
        p_value = (total - np.searchsorted(self.values, number) + 1) / (total + 1)
        if self.scale > 0:
            share = np.count_nonzero(self.values > self.threshold) / total
            above = np.maximum(number - self.threshold, 0) / self.scale
            p_value = np.where(number > self.threshold, share * (1 + self.shape * above) ** (-1 / self.shape), p_value)
        return np.where(np.isnan(number), np.nan, np.minimum(p_value, 1.0))


@dataclass(frozen=True, slots=True)
class Stretches:
    """Medians of stretches of rows, NaN where the rows are not there, and which stretches are quiet throughout."""

    median: Floats
    quiet: Flags


@dataclass(frozen=True, slots=True)
class Edge:
    """Signed steps at many edges, NaN where a side is missing, and where both sides are quiet."""

    step: Floats
    quiet: Flags


class QuietSeries:
    """A series and its quiet places: where it can be compared, and how much it moves there anyway."""

    def __init__(
        self, series: Series, windows: Windows, parameters: Parameters, back_us: Microseconds | None = None
    ) -> None:
        known = series.known
        self.time, self.value = known.time_us, known.value
        self.parameters = parameters
        self.resolution = round(parameters.row_resolution_s * SECOND)
        steps = np.diff(self.time)
        self.spacing = max(SECOND, int(np.median(steps))) if len(steps) else SECOND
        quiet = quiet_rows(self.time, windows, parameters, back_us)
        self._loud_before = np.concatenate(([0], np.cumsum(~quiet)))
        rows = np.flatnonzero(quiet)
        self._quiet_time, self._quiet_value = self.time[rows], self.value[rows]
        self.places = self._choose(quiet)
        self._scale, _ = self.baseline(self.places)
        self.running: dict[int, Floats] = {}
        self._probes: dict[int, tuple[Microseconds, Floats]] = {}
        self._units: dict[int, Floats] = {}
        self._edges: dict[tuple[object, ...], Edge] = {}
        self._bases: dict[int, Stretches] = {}
        self._usuals: dict[tuple[object, ...], Usual] = {}
        self._nulls: dict[tuple[object, ...], Null | None] = {}
        self.peers: tuple[QuietSeries, ...] = ()

    @property
    def refusal(self) -> str | None:
        """Why there can be no test; None where there can."""
        if not len(self.value):
            return "it has no values"
        if self.value.min() == self.value.max():
            return "it is constant, so there is no noise to compare with"
        if len(self.places) < self.parameters.least_placements or len(self._quiet_time) < _LEAST_BASELINE_ROWS:
            return "there is too little quiet time to compare with"
        return None

    @cached_property
    def _coarse(self) -> float:
        return scale_of_coarse(self._quiet_value, self.value)

    @property
    def can_help(self) -> bool:
        """Whether it says what is usual elsewhere, too."""
        return self.refusal is None and not is_mostly_one_value(self._quiet_value)

    def help_from(self, peers: Sequence[QuietSeries]) -> None:
        """Ask the same KPI on other nodes from now on where this series has too little quiet time of its own."""
        self.peers = tuple(peers)
        self._nulls = {}  # the former ones may have had a part in them

    def forget_steps(self) -> None:
        """Let go of the steps at quiet places, of which only what is usual is still asked, if anything."""
        self._edges, self._bases, self.running = {}, {}, {}

    def with_values(self, value: Floats) -> QuietSeries:
        """Return this series with other values in its loud rows; what is usual stays as it was."""
        other = copy.copy(self)
        other.value = value
        other.running = {}
        return other

    def _choose(self, quiet: Flags) -> Microseconds:
        """Return moments in quiet time, ascending: evenly over time, as windows are, not over rows."""
        if not quiet.any():
            return np.empty(0, dtype=np.int64)
        random = np.random.default_rng(self.parameters.seed)
        wanted = self.parameters.placements
        drawn = int(min(2 * wanted / quiet.mean(), 50 * wanted))
        moments = random.integers(self.time[0], self.time[-1] + 1, drawn, dtype=np.int64)
        moments = moments[quiet[np.searchsorted(self.time, moments, side="right") - 1]]
        return np.sort(moments[:wanted])

    # --- units ------------------------------------------------------------------------------------------------------

    def baseline(self, moments: Microseconds) -> tuple[Floats, Floats]:
        """Return robust standard deviation and median of the quiet rows in the time before each moment.

        Where the deviation is next to nothing (coarse values), a tenth of what is usual for the series stands in, or
        where it usually is nothing, what its rarer values tell. Rows that are far apart are taken from a longer time.
        Where there are hardly any rows before, the deviation is the usual one.
        """
        span = max(round(self.parameters.baseline_s * SECOND), 2 * _LEAST_BASELINE_ROWS * self.spacing)
        last = np.searchsorted(self._quiet_time, moments - self.resolution, side="right")
        first = np.searchsorted(self._quiet_time, moments - self.resolution - span)
        # Where windows or a gap took the time before, the quiet rows before those serve.
        rows = max(span // self.spacing // 4, _LEAST_BASELINE_ROWS)
        first = np.maximum(np.minimum(first, last - rows), 0)
        deviation, middle = _spread(self._quiet_value, first, last)
        deviation = np.where(np.isnan(deviation), usual_size(deviation), deviation)
        least = tenth_of_usual(deviation)
        return np.fmax(deviation, self._coarse if np.isnan(least) else least), middle

    def unit(self, moments: Microseconds, scale: Floats, count: int) -> Floats:
        """Return the unit that a step between medians of ``count`` rows is measured in at each moment.

        It is the geometric mean of the robust standard deviation before and of how restless such medians are around the
        moment: the one knows only of the past, the other only of steps.
        """
        probed, sizes = self._probed(count)
        wanted = min(self.parameters.probes, len(sizes))
        if not wanted:
            return np.full(len(moments), np.nan)
        first = np.clip(np.searchsorted(probed, moments) - wanted // 2, 0, len(sizes) - wanted)
        some, which = np.unique(first, return_inverse=True)
        near = sizes[some[:, None] + np.arange(wanted)]
        kth = int(0.9 * (wanted - 1))
        restless = np.sort(near, axis=1)[which, kth] / _NORMAL_90
        least = tenth_of_usual(sizes)
        unit = scale if np.isnan(least) else np.sqrt(scale * np.fmax(restless, least))
        return np.where(unit > 0, unit, np.nan)

    def _probed(self, count: int) -> tuple[Microseconds, Floats]:
        """Return moments and sizes of steps at quiet probes all over the series."""
        if count not in self._probes:
            every = round(self.parameters.probe_s * self.spacing)
            every = max(every, int(self.time[-1] - self.time[0]) // _MOST_PROBES)
            moments = np.arange(self.time[0], self.time[-1], every, dtype=np.int64)
            edge = _step_between(self.before(moments, count), self.after(moments, count))
            self._probes[count] = moments[edge.quiet], np.abs(edge.step[edge.quiet])
        return self._probes[count]

    # --- medians of stretches ---------------------------------------------------------------------------------------

    def before(self, moments: Microseconds, count: int, room: Microseconds | int = _FAR) -> Stretches:
        """Return the last ``count`` rows before each moment, as far as they lie within ``room`` of it."""
        last = moments - self.resolution
        first = np.searchsorted(self.time, last, side="right") - count
        return self._stretches(first, count, last - np.minimum(room, self._reach(count)), last + 1)

    def after(self, moments: Microseconds, count: int, room: Microseconds | int = _FAR) -> Stretches:
        """Return the first ``count`` rows from each moment on, as far as they lie within ``room`` of it."""
        first = np.searchsorted(self.time, moments)
        return self._stretches(first, count, moments, moments + np.minimum(room, self._reach(count)))

    def _reach(self, count: int) -> int:
        """How far a stretch may reach: beyond a gap there is nothing to compare with."""
        return 3 * count * self.spacing + 5 * SECOND

    def _stretches(self, first: Rows, count: int, earliest: Microseconds, latest: Microseconds) -> Stretches:
        if len(self.time) < count:
            return Stretches(np.full(len(first), np.nan), np.zeros(len(first), dtype=bool))
        safe = np.clip(first, 0, len(self.time) - count)
        there = (safe == first) & (self.time[safe] >= earliest) & (self.time[safe + count - 1] < latest)
        middle = self._medians(safe, count)
        quiet = self._loud_before[safe + count] == self._loud_before[safe]
        return Stretches(np.where(there, middle, np.nan), there & quiet)

    def _medians(self, first: Rows, count: int) -> Floats:
        """Return the median of ``count`` rows from each of ``first`` on; of many from one pass over all rows."""
        if len(first) * _PASS_IS_QUICKER < len(self.value):
            return medians(self.value[first[:, None] + np.arange(count)])
        if count not in self.running:
            self.running[count] = _running_median(self.value, count)
        return self.running[count][first]

    # --- what is usual at quiet places ------------------------------------------------------------------------------

    def null(self, question: Question, chain: Chain, shape: Shape) -> Null | None:
        """Return how large the number that answers ``question`` is at quiet places; None where there are too few.

        A short experiment has too little quiet time to know the tail; the same KPI on the other nodes helps out then.
        """
        key = (question, chain, shape.relevant(question))
        if key not in self._nulls:
            apart = 2 * chain[-1] * self.spacing
            if question == "level":
                apart += delays_us(self.parameters)[shape.delays - 1]
            usual = self.usual(question, chain, shape)
            null = Null.of(usual, apart) if len(usual.values) >= self.parameters.least_placements else None
            if null is not None and self.peers and not null.is_known:
                others = [one.usual(question, chain, shape) for one in self.peers]
                null = Null.of(Usual.together([usual, *others]), apart)
            self._nulls[key] = null
        return self._nulls[key]

    def usual(self, question: Question, chain: Chain, shape: Shape) -> Usual:
        """Return the number that answers ``question`` at this series' own quiet places."""
        key = (question, chain, shape.relevant(question))
        if key not in self._usuals:
            alternatives = self._quiet_edges(question, chain, shape)
            unit = self._place_unit(chain[0])
            quiet = np.logical_and.reduce([edge.quiet for edges in alternatives for edge in edges]) & (unit > 0)
            steps = [_extremes([edge.step[quiet] for edge in edges]) for edges in alternatives]
            values, shifted = (
                # Rounding keeps an order: the smallest of shifted steps is the smallest step, shifted.
                np.abs(largest([_nearest_to_none(low + shift, high + shift) for low, high in steps]))
                for shift in (0.0, _SOUGHT_SD * self._scale[quiet])
            )
            self._usuals[key] = Usual(values / unit[quiet], shifted / unit[quiet], self.places[quiet])
        return self._usuals[key]

    def _quiet_edges(self, question: Question, chain: Chain, shape: Shape) -> list[list[Edge]]:
        """Return alternatives, each of edges that have to agree, at the quiet places."""
        if question in {"end", "step"}:
            slack = shape.end_slack if question == "end" else shape.start_slack
            return [[self._single(count, slack, 0) for count in chain]]
        if question == "level":
            delays = delays_us(self.parameters)[: shape.delays]
            return [[self._single(count, shape.start_slack, delay) for count in chain] for delay in delays]
        starts = [self._first(count, shape) for count in chain]
        ends = [self._last(count, shape) for count in chain]
        quiet = np.logical_and.reduce([edge.quiet for edge in starts + ends])
        if np.count_nonzero(quiet) < self.parameters.least_placements:
            # A window longer than the quiet time: its edges are compared with edges of different quiet places.
            order = np.random.default_rng(self.parameters.seed).permutation(len(self.places))
            ends = [Edge(-edge.step[order], edge.quiet[order]) for edge in starts]
        return [starts + ends]

    def _single(self, count: int, slack: int, delay: int) -> Edge:
        key = ("single", count, slack + delay)
        if key not in self._edges:
            self._edges[key] = _step_between(self._base(count), self.after(self.places + slack + delay, count))
        return self._edges[key]

    def _first(self, count: int, shape: Shape) -> Edge:
        inside = shape.length - shape.start_slack - self.resolution
        return _step_between(self._base(count), self.after(self.places + shape.start_slack, count, inside))

    def _last(self, count: int, shape: Shape) -> Edge:
        key = ("last", count, shape.length, shape.start_slack, shape.end_slack)
        if key not in self._edges:
            inside = shape.length - shape.start_slack - self.resolution
            end = self.places + shape.length
            level, back = self.before(end, count, inside), self.after(end + shape.end_slack, count)
            self._edges[key] = _step_between(back, level)
        return self._edges[key]

    def _base(self, count: int) -> Stretches:
        """Return the stretch before each quiet place."""
        if count not in self._bases:
            self._bases[count] = self.before(self.places, count)
        return self._bases[count]

    def _place_unit(self, count: int) -> Floats:
        if count not in self._units:
            self._units[count] = self.unit(self.places, self._scale, count)
        return self._units[count]


def _step_between(base: Stretches, level: Stretches) -> Edge:
    return Edge(level.median - base.median, base.quiet & level.quiet)


def _tail(usual: Usual, ascending: Floats, apart: int) -> tuple[float, int]:
    """Return where the tail starts, and how many independent times it was reached: the fewer, the earlier it starts."""
    threshold, times = 0.0, 1
    for share in _TAIL_SHARES:
        threshold = float(ascending[-max(_LEAST_TAIL, int(share * len(ascending))) - 1])
        reached = usual.places[usual.values > threshold]
        times = 1 + int(np.count_nonzero(np.abs(np.diff(reached)) > apart))
        if times >= _ENOUGH_TIMES:
            break
    return threshold, times


def delays_us(parameters: Parameters) -> list[int]:
    """Return the delays in microseconds."""
    return [round(delay * SECOND) for delay in parameters.delays_s]


def agreed(steps: Sequence[Floats]) -> Floats:
    """Return the smallest of signed steps, 0 where their signs contradict each other, NaN where one is missing."""
    return _nearest_to_none(*_extremes(steps))


def _extremes(steps: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the lowest and the highest of signed steps, NaN where one is missing."""
    stacked = np.array(steps)
    return stacked.min(axis=0), stacked.max(axis=0)


def _nearest_to_none(low: Floats, high: Floats) -> Floats:
    """Return the smallest of signed steps between ``low`` and ``high``, 0 where these contradict each other."""
    return np.where(low > 0, low, np.where(high < 0, high, low * 0.0))


def largest(steps: Sequence[Floats]) -> Floats:
    """Return the step of the largest size, with its sign; missing ones count only where all are missing."""
    if len(steps) == 1:
        return steps[0]
    stacked = np.array(steps)
    which = np.argmax(np.where(np.isnan(stacked), -1.0, np.abs(stacked)), axis=0)
    return np.asarray(np.take_along_axis(stacked, which[None, :], axis=0)[0])


def _running_median(value: Floats, count: int) -> Floats:
    """Return the median of ``count`` rows from each row on that has so many."""
    ranks = {(count - 1) // 2, count // 2}
    centred = [rank_filter(value, rank, size=count, mode="nearest") for rank in sorted(ranks)]
    middle: Floats = np.mean(centred, axis=0)[count // 2 :]
    return middle[: len(value) - count + 1]


def _spread(value: Floats, first: Rows, last: Rows) -> tuple[Floats, Floats]:
    """Return robust standard deviation and median of the rows [first, last)."""
    if not len(value):
        return np.full(len(first), np.nan), np.full(len(first), np.nan)
    # Moments are denser than rows: many share theirs.
    _, some, which = np.unique(first * (len(value) + 1) + last, return_index=True, return_inverse=True)
    first, last = first[some], last[some]
    rows = first[:, None] + ((last - first - 1)[:, None] * np.linspace(0.0, 1.0, _SCALE_ROWS)).astype(np.intp)
    values = value[np.clip(rows, 0, len(value) - 1)]
    middle = medians(values)
    deviation = _MAD_TO_SD * deviations(values, middle)
    return np.where(last - first >= _LEAST_BASELINE_ROWS, deviation, np.nan)[which], middle[which]
