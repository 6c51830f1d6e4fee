"""Overlapping injections: whose move is it?

Each window is first judged by edges that are its own alone. Windows that are in each other's way are then judged
together: the steps at all their edges are explained by as few moves as will do, where a move either lasts as long as
its window or stays. What the others explain is no evidence for a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from faultset.impacts.edges import Answers, answer, whole_seconds
from faultset.impacts.null import QuietSeries, Shape
from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Rows, Windows

Kind = Literal["pulse", "step"]  # as long as its window; from its start on
Moves = dict[int, Kind]  # window -> how it moved the KPI

# Costs are negative logarithms of probabilities.
_MOVE = {"pulse": 5.0, "step": 7.0}  # what a move has to explain
_ELSEWHERE = 4.0  # what one has to explain in addition where its injection acted on other nodes
_UNUSUAL = 2.0  # a step below this needs no explanation
_IMPRECISION = 0.15  # of a move: how far it is from being a rectangle
_MOST_CHANGES = 200
_FAR = 10**12  # microseconds, more than any stretch


def answer_all(series: QuietSeries, windows: Windows) -> Answers:
    """Test every window on ``series``, those that overlap too."""
    answers = answer(series, windows)
    if len(windows.start) < 2:
        return answers
    edges = _Edges.of(series, windows)
    open_yet = _entangled(series, windows) & ~(answers.p_value <= series.parameters.largest_p)
    if not open_yet.any():
        return answers
    for members in _clusters(series, windows):
        if open_yet[members].any():
            moves = _Explanation(edges, windows, members).found()
            answers = _judged(answers, edges, windows, members[open_yet[members]], moves)
    return answers


def _entangled(series: QuietSeries, windows: Windows) -> Flags:
    """Return which windows have another's edge where a stretch would be, or share one."""
    reach = max(series.parameters.stretches) * series.spacing * 3 // 2
    inside = np.minimum(reach, windows.end - windows.start)
    near = np.minimum(windows.before_start, windows.after_end) < reach
    near |= np.minimum(windows.after_start, windows.before_end) < inside
    return np.asarray(near | windows.start_shared | windows.end_shared)


def _clusters(series: QuietSeries, windows: Windows) -> Iterator[Rows]:
    """Yield the windows that overlap or nearly do, two or more at a time."""
    reach = 2 * max(series.parameters.stretches) * series.spacing
    order = np.argsort(windows.start, kind="stable")
    reached = np.maximum.accumulate((windows.end + windows.end_slack)[order]) + reach
    cuts = np.flatnonzero(windows.start[order][1:] > reached[:-1]) + 1
    yield from (members for members in np.split(order, cuts) if len(members) > 1)


# --- edges ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Edges:
    """The edges of all windows in order of time, those that cannot be told apart as one; arrays of one item an edge.

    Attributes:
        series: the series.
        start, end: of each window, the number of its edge.
        step: how far the KPI stepped there, between medians of ``rows`` rows; NaN where there are too few.
        rows: as many as fit between this edge and the next ones.
        unit: that the step is measured in.
        slack: whole microseconds over which the edge is spread.
    """

    series: QuietSeries
    start: Rows
    end: Rows
    step: Floats
    rows: Rows
    unit: Floats
    slack: Microseconds

    @classmethod
    def of(cls, series: QuietSeries, windows: Windows) -> _Edges:
        moments = np.concatenate([windows.start, windows.end])
        latest = moments + np.concatenate([windows.start_slack, windows.end_slack])
        order = np.argsort(moments, kind="stable")
        near = round(series.parameters.shared_edge_s * SECOND)
        new = np.concatenate(([True], moments[order][1:] - np.maximum.accumulate(latest[order])[:-1] >= near))
        number = np.empty(len(moments), dtype=np.intp)
        number[order] = np.cumsum(new) - 1
        first = moments[order][new]
        last = np.maximum.reduceat(latest[order], np.flatnonzero(new))
        slack = np.array([whole_seconds(int(one)) for one in last - first], dtype=np.int64)
        step, rows, unit = _steps(series, first, last, slack)
        count = len(windows.start)
        return cls(series, number[:count], number[count:], step, rows, unit, slack)

    def p_value(self, edge: int, step: float, imprecision: float) -> float:
        """Return the probability of such a step in quiet time; 1 where nothing can be said."""
        shape = Shape(0, int(self.slack[edge]), 0, 1)
        null = self.series.null("step", (int(self.rows[edge]),), shape) if self.rows[edge] else None
        if null is None or not np.isfinite(step) or not self.unit[edge] > 0:
            return 1.0
        return float(null.p_value(np.array([abs(step) / np.hypot(self.unit[edge], imprecision)]))[0])


def _steps(
    series: QuietSeries, first: Microseconds, last: Microseconds, slack: Microseconds
) -> tuple[Floats, Rows, Floats]:
    """Return the step at each edge, over how many rows it was seen, and its unit: the stretches that find most."""
    between = first[1:] - last[:-1]
    before, after = np.concatenate(([_FAR], between)), np.concatenate((between, [_FAR]))
    scale, _ = series.baseline(first)
    step, unit, power = (np.full(len(first), value) for value in (np.nan, np.nan, -1.0))
    rows = np.zeros(len(first), dtype=np.intp)
    for count in series.parameters.stretches:
        seen = series.after(last, count, after).median - series.before(first, count, before).median
        units = series.unit(first, scale, count)
        nulls = {one: series.null("step", (count,), Shape(0, one, 0, 1)) for one in set(slack.tolist())}
        powers = np.array([null.power if (null := nulls[one]) else -1.0 for one in slack.tolist()])
        better = np.isfinite(seen) & (units > 0) & (powers > power)
        step, unit = np.where(better, seen, step), np.where(better, units, unit)
        rows, power = np.where(better, count, rows), np.where(better, powers, power)
    return step, rows, unit


# --- the fewest moves that explain the steps ------------------------------------------------------------------------


@dataclass
class _Explanation:
    """A search for the moves of one cluster of windows; its steps are those at the cluster's edges."""

    edges: _Edges
    windows: Windows
    members: Rows
    _known: dict[tuple[tuple[int, Kind], ...], float] = field(default_factory=dict)

    def found(self) -> Moves:
        """Return what explains the steps best: one change after the other, as long as it makes things likelier."""
        moves: Moves = {}
        cost = self.cost(moves)
        for _ in range(_MOST_CHANGES):
            changed = min(self.changes(moves), key=self.cost, default=moves)
            if self.cost(changed) >= cost - 1e-9:
                break
            moves, cost = changed, self.cost(changed)
        return moves

    def cost(self, moves: Moves) -> float:
        """Return how unlikely the rest of the steps and the moves are together."""
        key = tuple(sorted(moves.items()))
        if key not in self._known:
            elsewhere = sum(_ELSEWHERE for window in moves if self.windows.yields[window])
            rest = fitted(self.edges, self.places, moves)
            self._known[key] = float(rest.costs.sum()) + sum(_MOVE[kind] for kind in moves.values()) + elsewhere
        return self._known[key]

    @property
    def places(self) -> Rows:
        """The cluster's edges."""
        return np.unique(np.concatenate([self.edges.start[self.members], self.edges.end[self.members]]))

    def changes(self, moves: Moves) -> Iterator[Moves]:
        """Yield the explanations that differ from ``moves`` by one window, or by one instead of another."""
        rest = fitted(self.edges, self.places, moves)
        unusual = set(rest.places[rest.costs > _UNUSUAL].tolist())
        for window in self.members.tolist():
            own = {int(self.edges.start[window]), int(self.edges.end[window])}
            if window in moves:
                yield {other: kind for other, kind in moves.items() if other != window}
            kinds: tuple[Kind, ...] = ("pulse", "step")
            for kind in kinds:
                if moves.get(window) != kind and (window in moves or own & unusual):
                    yield {**moves, window: kind}
                if window not in moves:
                    yield from self._instead(moves, window, own, kind)

    def _instead(self, moves: Moves, window: int, own: set[int], kind: Kind) -> Iterator[Moves]:
        for other in moves:
            if own & {int(self.edges.start[other]), int(self.edges.end[other])}:
                yield {**{one: how for one, how in moves.items() if one != other}, window: kind}


@dataclass(frozen=True)
class _Fit:
    """What moves leave of the steps; arrays of one item an edge."""

    places: Rows
    rest: Floats
    costs: Floats
    sizes: dict[int, float]


def fitted(edges: _Edges, places: Rows, moves: Moves) -> _Fit:
    """Fit the sizes of ``moves`` to the steps at ``places`` by weighted least squares."""
    step, weight = edges.step[places], np.sqrt(edges.rows[places])
    index = {place: at for at, place in enumerate(places.tolist())}
    design = np.zeros((len(places), len(moves)))
    for column, (window, kind) in enumerate(moves.items()):
        design[index[int(edges.start[window])], column] += 1
        if kind == "pulse":
            design[index[int(edges.end[window])], column] -= 1
    seen = np.isfinite(step)
    size = np.linalg.lstsq((design * weight[:, None])[seen], (step * weight)[seen], rcond=None)[0]
    rest = step - design @ size
    imprecision = _IMPRECISION * np.abs(design) @ np.abs(size)
    costs = np.array(
        [
            -np.log(edges.p_value(place, one, off))
            for place, one, off in zip(places.tolist(), rest.tolist(), imprecision.tolist(), strict=True)
        ]
    )
    return _Fit(places, rest, costs, dict(zip(moves, size.tolist(), strict=True)))


# --- the verdict ----------------------------------------------------------------------------------------------------


def _judged(answers: Answers, edges: _Edges, windows: Windows, members: Rows, moves: Moves) -> Answers:
    """Return the answers with those of ``members`` from what explains the steps of their cluster."""
    for window in members.tolist():
        model = next((one for one in moves if _are_twins(edges, one, window)), window)
        if window in moves or (model in moves and not windows.yields[window]):
            again = _without_others(edges, windows, model, moves)
            answers = _put(answers, window, again)
        elif np.isnan(answers.p_value[window]) and edges.rows[edges.start[window]] and answers.scale[window] > 0:
            nothing = replace(_one(answers, window), p_value=np.ones(1), step=np.zeros(1), power=np.zeros(1))
            answers = _put(answers, window, nothing)
    return answers


def _are_twins(edges: _Edges, one: int, other: int) -> bool:
    """Whether two windows have the same edges: nothing tells their moves apart."""
    return bool(edges.start[one] == edges.start[other] and edges.end[one] == edges.end[other])


def _without_others(edges: _Edges, windows: Windows, window: int, moves: Moves) -> Answers:
    """Return the answer of one of ``moves`` on the series without the others."""
    series, places = edges.series, np.array([*(edges.start[one] for one in moves), *(edges.end[one] for one in moves)])
    sizes = fitted(edges, np.unique(places), moves).sizes
    value = series.value.copy()
    for other, kind in moves.items():
        if other != window:
            first, last = np.searchsorted(series.time, [windows.start[other], windows.end[other]])
            value[first : last if kind == "pulse" else len(value)] -= sizes[other]
    again = answer(series.with_values(value), windows.alone().only(np.array([window])))
    # The second chance doubles the risk of a false answer.
    return replace(again, p_value=np.minimum(2 * again.p_value, 1.0))


def _one(answers: Answers, window: int) -> Answers:
    return Answers(*(getattr(answers, name)[[window]] for name in answers.__dataclass_fields__))


def _put(answers: Answers, window: int, one: Answers) -> Answers:
    changed = {}
    for name in answers.__dataclass_fields__:
        changed[name] = getattr(answers, name).copy()
        changed[name][window] = getattr(one, name)[0]
    return Answers(**changed)
