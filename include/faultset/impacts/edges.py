"""Whether a KPI moved with an injection: medians beside the window's edges, against the same at quiet places.

Three questions are asked of each injection, node and KPI. *Edges*: did the KPI step at the start, and back at the end?
*Step*: did it step at the start, whatever it did at the end? *Level*: was it off its level of before some seconds after
the start? Each is answered by one number, the smallest step among stretches of several lengths; how unusual it is, the
series itself says (``null``).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultset.impacts.null import Chain, Question, QuietSeries, Shape, agreed, delays_us
from faultset.impacts.windows import SECOND, Flags, Floats, Parameters, Rows, Windows

QUESTIONS: tuple[Question, ...] = ("edges", "step", "level", "end")
_SAME_LEVEL = 0.25  # of a move, that two levels may differ by and still be the same


@dataclass(frozen=True, slots=True)
class Answers:
    """What the test says of each injection on one series; arrays of one item an injection.

    Attributes:
        p_value: NaN where nothing could be compared.
        step: size of the move in the KPI's unit, signed.
        base: level before the start.
        scale: robust standard deviation of the quiet time before.
        question: index into ``QUESTIONS`` of what gave the p value.
        power: share of quiet places at which a shift of three robust standard deviations would stand out.
    """

    p_value: Floats
    step: Floats
    base: Floats
    scale: Floats
    question: npt.NDArray[np.int8]
    power: Floats


def answer(series: QuietSeries, windows: Windows) -> Answers:
    """Test every window on ``series``; the questions that can be asked share the risk of a false answer."""
    parameters = series.parameters
    scale, middle = series.baseline(windows.start)
    steps = {count: _steps(series, windows, count) for count in parameters.stretches}
    best = {question: _Best.none(len(scale)) for question in QUESTIONS}
    for chain in _chains(parameters):
        unit = series.unit(windows.start, scale, chain[0])
        for question, (sizes, seen) in _numbers([steps[count] for count in chain], windows, middle).items():
            number = np.abs(sizes) / unit
            _improve(best[question], series, windows, question=question, chain=chain, number=number, seen=seen)
            best[question].remember(sizes)
    p_values = _shared_risk(np.array([best[question].p_value for question in QUESTIONS]), parameters)
    which = np.argmin(p_values, axis=0)
    every = np.arange(len(which))
    p_value = p_values[which, every]
    return Answers(
        p_value=np.where(np.isfinite(p_value), np.minimum(p_value, 1.0), np.nan),
        step=np.array([best[question].step for question in QUESTIONS])[which, every],
        base=_base(steps, middle),
        scale=scale,
        question=which.astype(np.int8),
        power=np.array([best[question].power for question in QUESTIONS])[which, every],
    )


def _chains(parameters: Parameters) -> list[Chain]:
    """Return all runs of neighbouring lengths, so that short windows and narrow gaps find some that fit."""
    lengths = parameters.stretches
    ends = itertools.combinations(range(len(lengths) + 1), 2)
    return [lengths[first:last] for first, last in ends]


def _shared_risk(p_values: Floats, parameters: Parameters) -> Floats:
    """Return p values of shape (questions, windows) divided by each question's share of the risk, inf for NaN."""
    # Of "edges" and "end" only one is ever asked.
    share = np.array([*parameters.shares, parameters.shares[0]])[:, None]
    asked = np.isfinite(p_values)
    total = np.maximum(np.sum(share * asked, axis=0), 1e-9)
    return np.where(asked, p_values * total / share, np.inf)


# --- numbers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Steps:
    """Signed steps between medians of one length, NaN where they cannot be had; ``level`` has one array a delay."""

    base: Floats
    at_start: Floats
    at_end: Floats
    level: list[Floats]


def _steps(series: QuietSeries, windows: Windows, count: int) -> _Steps:
    start = windows.start + windows.start_slack
    inside = windows.end - start - series.resolution
    base = series.before(windows.start, count, windows.before_start).median
    first = series.after(start, count, np.minimum(windows.after_start - windows.start_slack, inside)).median
    last = series.before(windows.end, count, np.minimum(windows.before_end, inside)).median
    back = series.after(windows.end + windows.end_slack, count, windows.after_end - windows.end_slack).median
    level = [
        series.after(start + delay, count, windows.after_start - windows.start_slack - delay).median - base
        for delay in delays_us(series.parameters)
    ]
    return _Steps(base, first - base, last - back, level)


def _numbers(chain: list[_Steps], windows: Windows, middle: Floats) -> dict[Question, tuple[Floats, Rows]]:
    """Return the signed number that answers each question, and how many delays it has looked at."""
    none = np.zeros(len(middle), dtype=np.intp)
    edges = agreed([steps.at_start for steps in chain] + [steps.at_end for steps in chain])
    any_shared = windows.start_shared | windows.end_shared
    only_end = windows.start_shared & ~windows.end_shared
    step = agreed([steps.level[0] for steps in chain])
    step = np.where(_recovers(step, chain, windows, middle), 0.0, step)
    level, seen = _level(chain, windows, middle)
    end = agreed([steps.at_end for steps in chain])
    return {
        "edges": (np.where(any_shared, np.nan, edges), none),
        "step": (np.where(windows.start_shared, np.nan, step), none),
        "level": (np.where(windows.start_shared | windows.follows_acting, np.nan, level), seen),
        "end": (np.where(only_end & ~windows.yields, end, np.nan), none),
    }


def _level(chain: list[_Steps], windows: Windows, middle: Floats) -> tuple[Floats, Rows]:
    """Return the largest departure from the level before the start, and after how many delays it was looked for."""
    found, seen = np.full(len(middle), np.nan), np.zeros(len(middle), dtype=np.intp)
    open_yet = np.ones(len(middle), dtype=bool)
    for delay in range(len(chain[0].level)):
        step = agreed([steps.level[delay] for steps in chain])
        open_yet &= np.isfinite(step)
        found = np.where(open_yet & ~(np.abs(step) <= np.abs(found)), step, found)
        seen += open_yet
    return np.where(_recovers(found, chain, windows, middle), 0.0, found), seen


def _recovers(step: Floats, chain: list[_Steps], windows: Windows, middle: Floats) -> Flags:
    """Return where a move leads back to normal, from one that began before: no effect of a command begins so.

    Soon after another injection that is its recovery; else whatever moved the KPI had begun already.
    """
    base = chain[-1].base
    far, farther = np.abs(base + step - middle), np.abs(base - middle)
    return np.asarray((far < farther) & (windows.recent | (far < _SAME_LEVEL * np.abs(step))))


def _base(steps: dict[int, _Steps], middle: Floats) -> Floats:
    """Return the level before the start, from the longest stretch that there is."""
    base = middle
    for count in sorted(steps):
        base = np.where(np.isfinite(steps[count].base), steps[count].base, base)
    return base


# --- the best answer to a question ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Best:
    """The answer with the stretches that would find most; ``step`` is of the longest stretches there are."""

    power: Floats
    p_value: Floats
    step: Floats

    @classmethod
    def none(cls, count: int) -> _Best:
        return cls(np.full(count, -1.0), np.full(count, np.nan), np.full(count, np.nan))

    def remember(self, sizes: Floats) -> None:
        larger = np.isfinite(sizes) & ~(np.abs(sizes) <= np.abs(self.step))
        self.step = np.where(larger, sizes, self.step)


def _improve(
    best: _Best,
    series: QuietSeries,
    windows: Windows,
    *,
    question: Question,
    chain: Chain,
    number: Floats,
    seen: Rows,
) -> None:
    for shape, members in _shapes(windows, seen, np.isfinite(number)):
        null = series.null(question, chain, shape)
        if null is None:
            continue
        better = members[null.power > best.power[members]]
        best.power[better] = null.power
        best.p_value[better] = null.p_value(number[better])


def _shapes(windows: Windows, seen: Rows, usable: Flags) -> list[tuple[Shape, Rows]]:
    """Return the different shapes among the usable windows, with their members."""
    members: dict[Shape, list[int]] = {}
    for index in np.flatnonzero(usable).tolist():
        shape = Shape(
            _coarse(int(windows.end[index] - windows.start[index])),
            whole_seconds(int(windows.start_slack[index])),
            whole_seconds(int(windows.end_slack[index])),
            int(seen[index]),
        )
        members.setdefault(shape, []).append(index)
    return [(shape, np.array(indices, dtype=np.intp)) for shape, indices in members.items()]


def _coarse(length_us: int) -> int:
    """Round a length to a second, long ones to a sixth of themselves: that makes no difference to noise."""
    seconds = length_us / SECOND
    if seconds > 10:
        seconds = math.exp(round(math.log(seconds) * 6) / 6)
    return round(seconds) * SECOND


def whole_seconds(slack_us: int) -> int:
    """Return microseconds rounded up to whole seconds."""
    return -(-slack_us // SECOND) * SECOND
