"""Overlapping injections: whose move is it?

In the first round each window is judged by edges that are its own alone. What is found is then taken out of the series,
and the windows that were in each other's way are judged again, those first that fit best, each without what was found.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faultset.truth.impact_null import QuietSeries
from faultset.truth.impact_test import Answers, answer
from faultset.truth.impact_windows import Flags, Floats, Rows, Windows

_SURE = 0.2  # of the largest p value: what is taken out has to be there
_TWIN_US = 1_500_000  # windows whose edges are nearer than this share their moves
_ROUNDS = 8


def answer_all(series: QuietSeries, windows: Windows) -> Answers:
    """Test every window on ``series``, those that overlap too."""
    answers = answer(series, windows)
    open_yet = _entangled(series, windows) & ~(answers.p_value <= series.parameters.largest_p)
    if not open_yet.any():
        return answers
    clusters, alone = _clusters(series, windows), windows.alone()
    sure = answers.p_value <= _SURE * series.parameters.largest_p
    for _ in range(_ROUNDS):
        again = answer(series.with_values(_without(series, windows, answers, sure)), alone)
        # The second chance doubles the risk of a false answer.
        again = replace(again, p_value=np.minimum(2 * again.p_value, 1.0))
        chosen = _best(again, clusters, open_yet & (again.p_value <= _SURE * series.parameters.largest_p), windows)
        unknown = open_yet & np.isnan(answers.p_value)
        answers = _taken(answers, again, chosen | unknown)
        if not chosen.any():
            break
        sure, open_yet = sure | chosen, open_yet & ~chosen
        answers, open_yet = _share_with_twins(answers, windows, chosen, open_yet)
    return answers


def _entangled(series: QuietSeries, windows: Windows) -> Flags:
    """Return which windows have another's edge where a stretch would be, or share one."""
    reach = max(series.parameters.stretches) * series.spacing * 3 // 2
    inside = np.minimum(reach, windows.end - windows.start)
    near = np.minimum(windows.before_start, windows.after_end) < reach
    near |= np.minimum(windows.after_start, windows.before_end) < inside
    return np.asarray(near | windows.start_shared | windows.end_shared)


def _clusters(series: QuietSeries, windows: Windows) -> Rows:
    """Return the number of the cluster that each window belongs to: windows that overlap or nearly do."""
    reach = 2 * max(series.parameters.stretches) * series.spacing
    order = np.argsort(windows.start, kind="stable")
    reached = np.maximum.accumulate((windows.end + windows.end_slack)[order]) + reach
    clusters = np.zeros(len(order), dtype=np.intp)
    clusters[order[1:]] = np.cumsum(windows.start[order][1:] > reached[:-1])
    return clusters


def _without(series: QuietSeries, windows: Windows, answers: Answers, found: Flags) -> Floats:
    """Return the values of the series without the moves that were ``found``, for as long as the commands lasted."""
    value = series.value.copy()
    first = np.searchsorted(series.time, windows.start + windows.start_slack // 2)
    last = np.searchsorted(series.time, windows.end + windows.end_slack // 2)
    for index in np.flatnonzero(found).tolist():
        value[first[index] : last[index]] -= answers.step[index]
    return value


def _best(again: Answers, clusters: Rows, able: Flags, windows: Windows) -> Flags:
    """Return the best of each cluster's ``able`` windows; what acts elsewhere has to wait for what acts here."""
    order = np.lexsort((again.p_value, windows.yields, clusters))
    order = order[able[order]]
    _, first = np.unique(clusters[order], return_index=True)
    chosen = np.zeros(len(able), dtype=bool)
    chosen[order[first]] = True
    return chosen


def _taken(answers: Answers, again: Answers, which: Flags) -> Answers:
    return Answers(
        p_value=np.where(which, again.p_value, answers.p_value),
        step=np.where(which, again.step, answers.step),
        base=np.where(which, again.base, answers.base),
        scale=answers.scale,
        question=np.where(which, again.question, answers.question).astype(np.int8),
        power=np.where(which, again.power, answers.power),
    )


def _share_with_twins(answers: Answers, windows: Windows, chosen: Flags, open_yet: Flags) -> tuple[Answers, Flags]:
    """Give what was found to windows of the same edges as well: nothing tells them apart."""
    twin_of = np.arange(len(chosen))
    for index in np.flatnonzero(chosen).tolist():
        slack = _TWIN_US + max(int(windows.start_slack[index]), int(windows.end_slack[index]))
        apart = np.maximum(np.abs(windows.start - windows.start[index]), np.abs(windows.end - windows.end[index]))
        twin_of[open_yet & (apart < slack) & ~windows.yields] = index
    twins = twin_of != np.arange(len(chosen))
    of = Answers(*(getattr(answers, name)[twin_of] for name in answers.__dataclass_fields__))
    return _taken(answers, of, twins), open_yet & ~twins
