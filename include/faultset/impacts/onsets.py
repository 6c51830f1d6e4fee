"""Which windows after an injection are looked at: any of several onsets with any of several lengths.

The command's clock says where to begin to look, and nothing more: an effect may begin late and last as it likes. How
large the largest number over all these windows is anyway, quiet places tell, at which the same windows are looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultset.impacts.stretches import Flags, Floats, Microseconds

SECOND = 1_000_000
STEP_S = 5
_ONSETS_S = (0, 5, 10, 15, 20, 30, 45, 60)
_LENGTHS_S = (5, 10, 20, 40, 80, 120)
ROOMS_S = (10, 25, 40, 80, 140, 180)  # how far windows may reach; an injection is compared with places of the same room
OFFSETS_US: Microseconds = np.arange(0, ROOMS_S[-1] + 1, STEP_S, dtype=np.int64) * SECOND

Rooms = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """A window that is looked at, by places in ``OFFSETS_US``: it reaches from ``first`` to ``last``."""

    first: int
    last: int

    @property
    def seconds(self) -> int:
        """How long it is."""
        return (self.last - self.first) * STEP_S


WINDOWS: tuple[Window, ...] = tuple(
    sorted(
        (
            Window(onset // STEP_S, (onset + length) // STEP_S)
            for onset in _ONSETS_S
            for length in _LENGTHS_S
            if onset + length <= ROOMS_S[-1]
        ),
        key=lambda window: (window.last, window.first),
    )
)


@dataclass(frozen=True, slots=True)
class Largest:
    """The largest number over the windows of a room, at many moments, for many series; arrays (series, moments).

    Attributes:
        size: NaN where no window could be looked at.
        sign: which way, 1 or -1.
        window: place in ``WINDOWS``.
    """

    size: Floats
    sign: npt.NDArray[np.int8]
    window: npt.NDArray[np.int16]


def largest(signed: Callable[[Window], Floats], shape: tuple[int, int]) -> dict[int, Largest]:
    """Return the largest numbers by room (seconds).

    Args:
        signed: a window -> its number for each series and moment, the sign telling the direction, NaN where there is
            none.
        shape: series, moments.
    """
    size, sign = np.full(shape, np.nan), np.zeros(shape, dtype=np.int8)
    which = np.zeros(shape, dtype=np.int16)
    found: dict[int, Largest] = {}
    rooms = list(ROOMS_S)
    for place, window in enumerate(WINDOWS):
        while window.last * STEP_S > rooms[0]:
            found[rooms.pop(0)] = Largest(size.copy(), sign.copy(), which.copy())
        number = signed(window)
        better = np.abs(number) > np.where(np.isnan(size), -1.0, size)
        size[better] = np.abs(number)[better]
        sign[better] = np.sign(number)[better]
        which[better] = place
    return found | {room: Largest(size, sign, which) for room in rooms}


def room_class(room_us: Rooms) -> Rooms:
    """Return the largest of ``ROOMS_S`` that fits into each room, 0 where none does."""
    rooms = np.array([0, *ROOMS_S], dtype=np.int64)
    return np.asarray(rooms[np.searchsorted(rooms * SECOND, room_us, side="right") - 1])


def at_offsets(ascending: Microseconds, moments: Microseconds) -> npt.NDArray[np.intp]:
    """Return how many of the ``ascending`` times lie before each offset after each moment: (moments, offsets)."""
    return np.asarray(np.searchsorted(ascending, moments[:, None] + OFFSETS_US))


def middle_of_controls(numbers: Floats, weights: Floats, controls: Flags, least: int) -> tuple[Floats, Floats]:
    """Return what most of the controls did at each moment, and how uncertain that is, as a standard error.

    Args:
        numbers: (series, moments) of each series; NaN where it tells nothing.
        weights: (series, moments): the number's variance if nothing moved.
        controls: (series, moments): which series may tell at each moment.
        least: with fewer of them nothing is known: 0, and 0.
    """
    told = controls & np.isfinite(numbers)
    count = told.sum(axis=0)
    with np.errstate(all="ignore"):
        middle = _median(np.where(told, numbers, np.nan))
        error = np.sqrt(_median(np.where(told, weights, np.nan)) * 1.57 / np.maximum(count, 1))
    known = count >= least
    return np.where(known, middle, 0.0), np.where(known, error, 0.0)


def _median(rows: Floats) -> Floats:
    """Return the median of each column without its NaN; NaN where there is nothing else."""
    ordered = np.sort(rows, axis=0)  # NaN last
    count = np.isfinite(ordered).sum(axis=0)
    columns = np.arange(rows.shape[1])
    low, high = np.maximum((count - 1) // 2, 0), count // 2
    high = np.minimum(high, rows.shape[0] - 1)
    return np.asarray((ordered[low, columns] + ordered[high, columns]) / 2)


def everywhere(middle: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Return what happened everywhere, with its standard error; nothing where it may be noise: that is not carried."""
    sure = np.abs(middle) > 2 * error
    return np.where(sure, middle, 0.0), np.where(sure, error, 0.0)
