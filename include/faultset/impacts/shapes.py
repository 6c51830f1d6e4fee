"""Three ways to ask a series at every moment: did a move begin here, of whatever length and shape?

*Pulses* compare medians: the level of a stretch against the level before it and the level after it. Spikes do not
matter to them, nor how the noise is distributed; they suit steps and series that jump. The *filter* compares the whole
course: the noise is made white by an autoregression, and so is each shape that a move may have (held, ramping in,
fading out); how well they agree is summed (a matched filter in coloured noise). It suits noise that swings smoothly,
and short moves. Which of them a series is asked with, the series decides by what would find most (``scan``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter

from faultset.impacts.matched import Spectra
from faultset.impacts.windows import Flags, Floats, Rows

_CLIP = 3.0  # robust standard deviations of white noise beyond which a value says no more
_SETTLES_ROWS = 40  # in which what a shape leaves behind in white noise has faded
_TREND_ROWS = 601
_ROUNDS = 4
_MOST_AT_ONCE = 32_768  # cells whose past is copied at a time


@dataclass(frozen=True)
class Moves:
    """The most striking move that begins at each moment.

    Attributes:
        number: how striking, with the sign of the move; in the series' unit for pulses, of variance one for the filter.
        rows: its length in cells.
    """

    number: Floats
    rows: Rows

    @classmethod
    def largest(cls, count: int, candidates: Iterator[tuple[int, Floats]]) -> Moves:
        """Return at each of ``count`` moments the largest of the candidates, each of a length and its numbers."""
        number, rows, most = np.zeros(count), np.zeros(count, dtype=np.intp), np.zeros(count)
        for length, candidate in candidates:
            size = np.abs(candidate)
            larger = size > most
            np.copyto(number, candidate, where=larger)
            np.copyto(most, size, where=larger)
            rows[larger] = length
        return cls(number, rows)


# --- pulses ---------------------------------------------------------------------------------------------------------


class Values:
    """The values of a series, and their running medians, each worked out when it is asked for first."""

    def __init__(self, value: Floats) -> None:
        self.value = value
        self._running: dict[int, Floats] = {}

    def medians(self, count: int, offset: int) -> Floats:
        """Return the median of ``count`` cells from each cell + ``offset`` on, NaN beyond the ends."""
        if count not in self._running:
            self._running[count] = median_filter(self.value, size=count, mode="nearest")
        return _ahead(self._running[count], count // 2 + offset)


def pulses(values: Values, beside: int, lengths: tuple[int, ...]) -> Moves:
    """Compare the median of each stretch with those of ``beside`` cells before and after: the smaller difference."""
    before, after = values.medians(beside, -beside), values.medians(beside, 0)

    def candidates() -> Iterator[tuple[int, Floats]]:
        for length in lengths:
            middle = values.medians(length, 0)
            up, down = middle - before, middle - _ahead(after, length)
            low, high = np.minimum(up, down), np.maximum(up, down)
            yield length, np.nan_to_num(np.where(low > 0, low, np.where(high < 0, high, 0.0)))

    return Moves.largest(len(values.value), candidates())


def _ahead(value: Floats, cells: int) -> Floats:
    """Return what stands ``cells`` later, NaN beyond the ends."""
    shifted = np.full(len(value), np.nan)
    if abs(cells) >= len(value):
        return shifted
    if cells >= 0:
        shifted[: len(value) - cells] = value[cells:]
    else:
        shifted[-cells:] = value[:cells]
    return shifted


# --- the filter -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whitener:
    """An autoregression that makes the noise of a series white.

    Attributes:
        taps: what each cell and those before it are multiplied with.
        centre: level that values are taken relative to.
    """

    taps: Floats
    centre: float

    @classmethod
    def of(cls, value: Floats, quiet: Flags, order: int) -> Whitener:
        """Fit it to the quiet cells by least squares, far ones counting for less (Huber, 1964)."""
        width = min(_TREND_ROWS, len(value) // 2 * 2 - 1)
        level = value - median_filter(value, size=max(width, 1), mode="nearest")
        usable = np.flatnonzero(quiet[order:]) + order
        if len(usable) < 5 * order:
            return cls(np.array([1.0, -1.0]), float(np.median(value)))
        weight, taps = np.ones(len(usable)), np.zeros(order)
        for _ in range(_ROUNDS):
            normal, moment = _normal_equations(level, usable, weight, order)
            ridge = 1e-6 * (np.trace(normal) / order + 1e-12)
            taps = np.linalg.solve(normal + ridge * np.eye(order), moment)
            rest = _through(np.concatenate(([1.0], -taps)), level)[usable]
            spread = 1.4826 * float(np.median(np.abs(rest))) + 1e-12
            weight = np.minimum(1.0, 2.0 / np.maximum(np.abs(rest) / spread, 1e-9))
        return cls(np.concatenate(([1.0], -taps)), float(np.median(value)))

    def white(self, value: Floats) -> Floats:
        """Return the noise made white; 0 where there is too little before a cell."""
        rest = _through(self.taps, value - self.centre)
        rest[: len(self.taps)] = 0.0
        return rest

    def shapes(self, lengths: tuple[int, ...]) -> Iterator[tuple[int, Floats]]:
        """Yield the length of each shape and what the shape looks like in white noise, of norm one."""
        for length in lengths:
            for shape in _shapes(length):
                white = _through(self.taps, np.concatenate([shape, np.zeros(_SETTLES_ROWS)]))
                yield length, np.asarray(white / np.sqrt(np.sum(white**2)))


def _through(taps: Floats, value: Floats) -> Floats:
    """Return a filter's answer to ``value``, of which nothing is known before its first cell."""
    return np.asarray(np.convolve(taps, value)[: len(value)])


def _normal_equations(level: Floats, usable: Rows, weight: Floats, order: int) -> tuple[Floats, Floats]:
    """Return what a weighted fit of ``level`` at the usable cells to its ``order`` cells before has to solve."""
    normal, moment = np.zeros((order, order)), np.zeros(order)
    for at in range(0, len(usable), _MOST_AT_ONCE):
        cells = usable[at : at + _MOST_AT_ONCE]
        past = np.stack([level[cells - lag] for lag in range(1, order + 1)], axis=1)
        weighted = past * weight[at : at + _MOST_AT_ONCE, None]
        normal += weighted.T @ past
        moment += weighted.T @ level[cells]
    return normal, moment


def _shapes(length: int) -> Iterator[Floats]:
    """Yield how a move of so many cells may go: held; ramping in; fading out."""
    yield np.ones(length)
    if length >= 4:
        share = (np.arange(length) + 0.5) / length
        yield np.minimum(1.0, 3 * share)
        yield np.minimum(1.0, 2 * (1 - share))


def filtered(white: Floats, shapes: list[tuple[int, Floats]]) -> Moves:
    """Sum at each moment how well white noise of variance one agrees with each shape that begins there."""
    spectra = Spectra(np.clip(white, -_CLIP, _CLIP))
    return Moves.largest(len(white), ((length, spectra.agreement(shape)) for length, shape in shapes))
