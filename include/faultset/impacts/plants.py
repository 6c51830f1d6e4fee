"""Moves that are planted at quiet places, to see what would have been found."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from faultset.impacts.windows import Floats, Rows

SCAN_SHARE = 0.5  # of the risk of a false answer, at most; the test by edges has the rest
NO_P = 1e-12  # p values below this are none
_POWER = 0.9
_FINE_SIZES = 60


def mixed(lengths: tuple[int, ...], onset: int, random: np.random.Generator) -> Floats:
    """Return the course of a move of any onset, length and shape."""
    length = int(random.choice(lengths))
    share = (np.arange(length) + 0.5) / length
    shape = [np.ones(length), np.minimum(1, 3 * share), np.minimum(1, 2 * (1 - share))][int(random.integers(3))]
    return _placed(shape, onset, onset + lengths[-1], random)


def held(length: int, onset: int, count: int, random: np.random.Generator) -> Floats:
    """Return the course of a held move of ``length`` cells and any onset, of ``count`` cells."""
    return _placed(np.ones(length), onset, count, random)


def _placed(shape: Floats, onset: int, count: int, random: np.random.Generator) -> Floats:
    course = np.zeros(count)
    begin = int(random.integers(onset))
    course[begin : begin + len(shape)] = shape[: len(course) - begin]
    return course if random.random() < 0.5 else -course


@dataclass(frozen=True, slots=True)
class Planted:
    """Moves that are planted at quiet places of a series.

    Attributes:
        cells: around each place; shape (places, cells).
        ahead: how many of them come before the first at which a move may begin.
        onset: at how many it may.
        courses: of moves of size one from there on; shape (places, cells).
    """

    cells: Rows
    ahead: int
    onset: int
    courses: Floats

    def into(self, value: Floats, scale: Floats, size: float) -> Floats:
        """Return the values around all places, one after the other, with moves of ``size`` deviations in them."""
        around = value[self.cells]
        moves = size * scale[self.cells[:, [self.ahead]]] * self.courses
        around[:, self.ahead : self.ahead + self.courses.shape[1]] += moves
        return around.ravel()

    def largest(self, number: Floats) -> Floats:
        """Return the largest size at each place of the numbers of all cells, where a move may begin."""
        begins = number.reshape(self.cells.shape)[:, self.ahead : self.ahead + self.onset]
        return np.asarray(np.abs(begins).max(axis=1, initial=0.0))


@dataclass(frozen=True, slots=True)
class Smallest:
    """Says how large a move has to be: of a p value the smallest move that the scan finds nine times out of ten.

    It holds no series, so that it may be kept until all are tested.

    Attributes:
        sizes: that were planted, in deviations, ascending.
        clear: minus the logarithm of the p value that each had at each place; shape (places, sizes).
    """

    sizes: Floats
    clear: Floats
    _known: dict[float, float | None] = field(default_factory=dict)

    def __call__(self, p_value: float, share: float = SCAN_SHARE) -> float | None:
        """Return the smallest move found at p values up to ``p_value``, in deviations; None if none is.

        Args:
            p_value: of all that is asked together.
            share: of the risk of a false answer, what the scan has.
        """
        scanned = max(p_value, NO_P) * share
        if scanned not in self._known:
            self._known[scanned] = self._smallest(scanned)
        return self._known[scanned]

    def _smallest(self, p_value: float) -> float | None:
        # Larger moves need not be rarer: where the series moves by as much of itself they are less so. Nothing larger
        # than what is told may hide, so it is the size from which on all are found.
        sizes = np.geomspace(self.sizes[0], self.sizes[-1], _FINE_SIZES)
        enough = -np.log(p_value)
        found = np.array([np.interp(sizes, self.sizes, one) >= enough for one in self.clear])
        missed = np.flatnonzero(found.mean(axis=0) < _POWER)
        first = int(missed[-1]) + 1 if len(missed) else 0
        return float(sizes[first]) if first < len(sizes) else None
