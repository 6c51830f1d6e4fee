"""Whether something begins to move where a label begins, how much could have hidden, and where it begins if not there.

Each column is asked at several widths whether its level, or how restless it is, differs before and after a moment. The
difference is held against what it is at all moments of the same column, so that slow and noisy columns speak of
themselves; half of them may be the effect's own. ``faultset.impacts`` asks more of a recording (many injections with
known ends, a hundred quiet places beside them) than the few quiet minutes of such cases have.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from faultset.audit.records import Effect, Flags, Floats, ForeignCase

_WIDTHS = (5, 15, 60)  # rows; of short cases the narrower ones
_LEAST_PLACES = 12  # widths of which fewer fit into a case are not asked
_RESTLESS_ROWS = 15
_RISK = 0.01  # of a case whose label shows nothing to be taken for one that does
_SHIFT_RISK = 0.05  # of labels that show nothing to be taken for shifted ones
_TAIL = 1.25  # real noise has longer tails than the normal distribution
_ABOVE_QUIET = 1.5  # a move stands out where it is so much larger than luck allows, and than any in quiet time
_MAD_TO_SD = 1.4826
_EARLY_S, _LATE_S = 20.0, 90.0  # how far an effect may begin from a label in seconds
_EARLY_ROWS, _LATE_ROWS, _LATE_SHARE = 10.0, 20.0, 0.25  # the share is of a label's length
_MOST_WEIGHT = 20.0  # one change, however clear, does not outweigh several
_FIT = 0.65  # of several labels at which something begins, they are where they should be
_MORE = 2.5  # times what is to be seen at a label has to be seen elsewhere, to say that the label is off
_AGREE = 0.5  # share of several labels that have to be off by the same
_POWER = NormalDist().inv_cdf(0.9)


@dataclass(frozen=True, slots=True)
class Curves:
    """How clearly each column changes at each moment.

    Attributes:
        z: (widths x 2, n, k) size of the change in robust deviations of such changes; NaN where it cannot be asked.
        scale: (widths x 2, k) that deviation, in the column's unit.
        deviation: (k,) robust standard deviation of the column's rows around their level.
        widths: (widths x 2,) rows on each side.
    """

    z: Floats
    scale: Floats
    deviation: Floats
    widths: tuple[int, ...]

    @property
    def places(self) -> float:
        """How many independent questions all moments of all columns are."""
        return float(sum(self.z.shape[1] * self.z.shape[2] / width for width in self.widths))


def curves(values: Floats) -> Curves:
    """Return the changes of all columns, (n, k), at all moments."""
    frame = pd.DataFrame(values)
    level = frame.rolling(_RESTLESS_ROWS, center=True, min_periods=3).median()
    apart = (frame - level).abs()
    deviation = (apart.median() * _MAD_TO_SD).to_numpy(dtype=float)
    deviation = np.where(deviation > 0, deviation, np.nan_to_num(apart.mean().to_numpy(dtype=float)))
    widths = [width for width in _WIDTHS if len(frame) >= width * _LEAST_PLACES] or [3]
    grain = np.array([_grain(values[:, column]) for column in range(values.shape[1])])
    found = [_changes(of, width, grain) for of in (frame, apart) for width in widths]
    return Curves(
        np.array([z for z, _ in found]), np.array([scale for _, scale in found]), deviation, (*widths, *widths)
    )


def _grain(value: Floats) -> float:
    """Return how little a column moves when it moves: of whole numbers 1."""
    steps = np.abs(np.diff(value[np.isfinite(value)]))
    steps = steps[steps > 0]
    return float(np.quantile(steps, 0.1)) if len(steps) else 0.0


def _changes(frame: pd.DataFrame, width: int, grain: Floats) -> tuple[Floats, Floats]:
    """Return (n, k) how far the middle of the next rows is from that before, and (k,) what is usual of that.

    The middle is the median; of columns that nearly always have one value, such as errors, the mean.
    """
    rolling = frame.rolling(width, min_periods=max(width // 2, 1))
    change = _between(rolling.median(), width)
    scale = _usual(change)
    scale = np.where(scale > 0, np.maximum(scale, grain / 2), scale)
    still = np.flatnonzero(~(scale > 0))
    if len(still):
        change[:, still] = _between(frame[still].rolling(width, min_periods=max(width // 2, 1)).mean(), width)
        rare = np.array([_usual_of_rare(change[:, column]) for column in still])
        scale[still] = np.maximum(rare, grain[still] / 2 / np.sqrt(width))
    with np.errstate(all="ignore"):
        return np.where(scale > 0, change / scale, np.nan), scale


def _between(middle: pd.DataFrame, width: int) -> Floats:
    change: Floats = np.abs(middle.shift(1 - width).to_numpy(dtype=float) - middle.shift(1).to_numpy(dtype=float))
    change[:width] = np.nan
    return change


def _usual(change: Floats) -> Floats:
    known = np.isfinite(change).any(axis=0)
    scale = np.full(change.shape[1], np.nan)
    scale[known] = np.nanmedian(change[:, known], axis=0) * _MAD_TO_SD
    return scale


def _usual_of_rare(change: Floats) -> float:
    """Return what is usual of a column that hardly ever changes: where it changes once only, a tenth of that change."""
    known = np.nan_to_num(change)
    scale = float(_usual(change[:, None])[0])
    if scale > 0 or not known.any():
        return scale
    times = int((np.diff(np.append(0, known > 0)) > 0).sum())
    return float(known.max() / 10) if times <= 2 else float("nan")  # it comes and goes


@dataclass(frozen=True, slots=True)
class Shift:
    """How much later than its label the effect begins, in the case's unit, and which columns say so."""

    offset: float
    columns: tuple[str, ...]


def seen(case: ForeignCase) -> tuple[Effect, Shift | None]:
    """Return what is to be seen at the labels, and where it begins where the labels are off."""
    found = curves(case.values)
    usual = _usual_moves(case, found)
    marks = [_standing(case, found, usual, place) for place in range(len(case.onsets))]
    visible = [max(of_label, key=lambda mark: mark.z) for of_label in marks if of_label]
    best = max(visible, key=lambda mark: mark.z, default=None)
    effect = Effect(
        labels=len(marks),
        visible=len(visible),
        strength_sd=best.size_sd if best else None,
        column=case.columns[best.column] if best else None,
        offset=float(np.median([mark.offset for mark in visible])) if visible else None,
        detectable_sd=_detectable(found, _ABOVE_QUIET * _limit(found)),
    )
    return effect, _shift(case, found, marks)


@dataclass(frozen=True, slots=True)
class _Mark:
    z: float
    column: int
    size_sd: float
    offset: float


def _standing(case: ForeignCase, found: Curves, usual: Sequence[Floats], place: int) -> list[_Mark]:
    """Return the changes where a label begins that stand out, of each column the clearest; ``usual``: in quiet time."""
    onset, end = case.onsets[place], case.ends[place]
    early, late = _tolerance(case, end - onset)
    here = np.flatnonzero((case.time >= onset - early) & (case.time <= onset + late))
    if not len(here):
        return []
    limit = _limit(found, share=len(here) / len(case.time))
    best: dict[int, _Mark] = {}
    for number, width in enumerate(found.widths):
        z = np.where(np.isfinite(found.z[number][here]), found.z[number][here], 0.0)
        largest = z.max(axis=0)
        around = slice(max(here[0] - width, 0), here[-1] + width + 1)  # else it begins elsewhere and reaches in
        needed = _ABOVE_QUIET * np.maximum(limit, usual[number])
        for column in np.flatnonzero((largest >= needed) & (largest >= _largest(found.z[number][around]))).tolist():
            if column not in best or largest[column] > best[column].z:
                size = float(largest[column] * found.scale[number][column])
                deviation = float(found.deviation[column])
                best[column] = _Mark(
                    z=float(largest[column]),
                    column=column,
                    size_sd=size / deviation if deviation > 0 else float("inf"),
                    offset=float(case.time[here[int(z[:, column].argmax())]] - onset),
                )
    return list(best.values())


def _usual_moves(case: ForeignCase, found: Curves) -> list[Floats]:
    """Return of each width (k,) the largest change of quiet time, its own column's or all others'."""
    quiet = {width: _quiet(case, width) for width in {*found.widths}}
    return [_largest_of_all(z[quiet[width]], width) for z, width in zip(found.z, found.widths, strict=True)]


def _largest_of_all(quiet: Floats, width: int) -> Floats:
    usual = _largest(quiet)
    if len(quiet) < 3 * width:
        return np.full(usual.shape, np.inf)
    others = np.sort(usual)[-2] if len(usual) > 1 else 0.0  # one wild column does not speak for all
    return np.maximum(usual, others)


def _largest(z: Floats) -> Floats:
    largest: Floats = np.max(np.where(np.isfinite(z), z, 0.0), axis=0, initial=0.0)
    return largest


def _tolerance(case: ForeignCase, length: float) -> tuple[float, float]:
    if case.unit == "s":
        return _EARLY_S, _LATE_S
    return _EARLY_ROWS, max(_LATE_ROWS, 0.0 if np.isnan(length) else _LATE_SHARE * length)


def _quiet(case: ForeignCase, width: int) -> Flags:
    """Return (n,) moments that no label has to do with; of labels without end, those before the first one."""
    step = float(np.median(np.diff(case.time))) if len(case.time) > 1 else 1.0
    quiet = np.ones(len(case.time), dtype=bool)
    for onset, end in zip(case.onsets, case.ends, strict=True):
        early, late = _tolerance(case, end - onset)
        after = np.inf if np.isnan(end) else max(end, onset + late) + width * step
        quiet &= (case.time < onset - early - width * step) | (case.time > after)
    return quiet


def _limit(found: Curves, share: float = 1.0) -> float:
    """Return from which size on a change is none of the noise's, of a share of all moments."""
    questions = max(found.places * share, 1.0)
    return _TAIL * NormalDist().inv_cdf(1 - _RISK / (2 * questions))


def _detectable(found: Curves, limit: float) -> float | None:
    with np.errstate(all="ignore"):
        smallest = (limit + _POWER) * found.scale[: len(found.widths) // 2] / found.deviation
        smallest = np.where(np.isfinite(smallest), smallest, np.inf).min(axis=0)
    known = smallest[np.isfinite(smallest) & (smallest > 0)]
    return float(np.median(known)) if len(known) else None


# --- where it begins, if not at the label -----------------------------------------------------------------------------


def _shift(case: ForeignCase, found: Curves, marks: Sequence[Sequence[_Mark]]) -> Shift | None:
    """Return where the effect begins instead, where it is not at the labels; ``marks``: what stands out at each."""
    peaks = _peaks(case, found)
    if not len(peaks.at) or not marks:
        return None
    if len(marks) > 1:
        visible = sum(bool(of_label) for of_label in marks)
        return None if visible >= _FIT * len(marks) else _common(case, peaks, visible)
    if _blames(case, [mark.column for mark in marks[0]]):
        return None
    return _elsewhere(case, found, peaks, sum(min(mark.z, _MOST_WEIGHT) for mark in marks[0]))


@dataclass(frozen=True, slots=True)
class _Peaks:
    """(p,) when something changes, in which column, and how clearly."""

    at: Floats
    column: npt.NDArray[np.int64]
    z: Floats

    def within(self, moment: float, reach: float) -> Flags:
        near: Flags = np.abs(self.at - moment) <= reach
        return near

    def weight(self, which: Flags) -> float:
        """Return how clearly these change, each column once."""
        columns = np.unique(self.column[which])
        return float(sum(min(self.z[which & (self.column == one)].max(), _MOST_WEIGHT) for one in columns))


def _elsewhere(case: ForeignCase, found: Curves, peaks: _Peaks, at_label: float) -> Shift | None:
    """Return the moment at which a label would show most, by what shows one where the label is."""
    early, late = _tolerance(case, 0.0)
    best: tuple[float, Shift] | None = None
    for moment in np.unique(peaks.at):
        offset = float(moment - case.onsets[0])
        if -early <= offset <= late or (best is not None and peaks.weight(peaks.within(moment, early)) <= best[0]):
            continue
        moved = dataclasses.replace(case, onsets=np.array([moment]))
        marks = _standing(moved, found, _usual_moves(moved, found), 0)
        weight = sum(min(mark.z, _MOST_WEIGHT) for mark in marks)
        if _blames(case, [mark.column for mark in marks]) and weight > (best[0] if best else _MORE * at_label):
            begin = offset + min(mark.offset for mark in marks)
            if not -early <= begin <= late:
                best = (weight, Shift(begin, tuple(case.columns[mark.column] for mark in marks[:5])))
    return best[1] if best else None


def _common(case: ForeignCase, peaks: _Peaks, visible: int) -> Shift | None:
    """Return the distance to their labels at which most of several effects begin and end."""
    early, late = _tolerance(case, 0.0)
    reach = (early + late) / 2
    edges = np.concatenate([case.onsets, case.ends[np.isfinite(case.ends)]])
    covered = functools.cache(lambda clear: _covered(case.time, peaks.at[peaks.z >= clear], reach))
    best: tuple[float, Shift] | None = None
    for offset in _candidates(case, peaks.at, early + late):
        near = np.array([peaks.within(edge + offset, reach) for edge in edges])
        hit = np.flatnonzero(near.any(axis=1))
        if -early <= offset <= late or len(hit) <= 1.2 * visible or len(hit) < _AGREE * len(edges):
            continue
        clearest = np.sort([peaks.z[one].max() for one in near[hit]])[::-1]
        chances = [
            _chance(len(hit), count, covered(float(clearest[count - 1]))) * len(case.time) / (2 * reach)
            for count in range(2, len(clearest) + 1)
        ]
        if min(chances, default=1.0) * len(chances) > _SHIFT_RISK:
            continue
        weight = float(np.minimum(clearest, _MOST_WEIGHT).sum())
        if best is None or weight > 1.2 * best[0]:  # of an effect's begin and its end, which are as clear, the begin
            columns = np.unique(peaks.column[near.any(axis=0)])
            best = (weight, Shift(float(offset), tuple(case.columns[one] for one in columns[:5])))
    return best[1] if best else None


def _covered(time: Floats, at: Floats, reach: float) -> float:
    """Return the share of all moments that have one of these within reach."""
    at = np.sort(at)
    after = np.searchsorted(at, time)
    nearest = np.minimum(np.abs(time - at[np.maximum(after - 1, 0)]), np.abs(time - at[np.minimum(after, len(at) - 1)]))
    return float(np.mean(nearest <= reach))


def _chance(labels: int, hit: int, covered: float) -> float:
    """Return how likely so many labels or more are among those moments by chance."""
    return sum(math.comb(labels, k) * covered**k * (1 - covered) ** (labels - k) for k in range(hit, labels + 1))


def _blames(case: ForeignCase, columns: Sequence[int]) -> bool:
    """Whether several columns change; where the service to blame is known, several of its own, if it has them."""
    names = [case.columns[column] for column in columns]
    service = f"{case.root_cause}_" if case.root_cause is not None else ""
    own = sum(name.startswith(service) for name in case.columns)
    return len(names) >= 2 and sum(name.startswith(service) for name in names) >= min(2, own)


def _candidates(case: ForeignCase, at: Floats, width: float) -> Floats:
    """Return distances of peaks to labels, each once within a tolerance, ascending."""
    every = np.sort((at[:, None] - case.onsets[None, :]).ravel())
    first = np.append(True, np.diff(np.floor(every / (width / 4))) > 0)
    found: Floats = every[first]
    return found


def _peaks(case: ForeignCase, found: Curves) -> _Peaks:
    """Return when, in which column and how clearly something changes; of a column's changes in one tolerance one."""
    limit = _limit(found)
    reach = sum(_tolerance(case, 0.0)) / 2
    moments, columns, sizes = [], [], []
    z = np.where(np.isfinite(found.z), found.z, 0.0)
    clearest, scale = z.max(axis=0), z.argmax(axis=0)
    for column in np.flatnonzero((clearest >= limit).any(axis=0)):
        left = clearest[:, column].copy()
        while left.max() >= limit:
            at = int(left.argmax())
            moments.append(case.time[at])
            columns.append(column)
            sizes.append(left[at])
            width = found.widths[scale[at, column]]  # a change shows as far around it as the stretches are long
            left[max(at - width, 0) : at + width + 1] = 0.0
            left[np.abs(case.time - case.time[at]) <= reach] = 0.0
    return _Peaks(np.array(moments), np.array(columns, dtype=np.int64), np.array(sizes))
