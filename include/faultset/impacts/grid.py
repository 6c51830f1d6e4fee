"""A series on an even grid of time: what running medians and filters need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Rows, Series

_LONGEST_FILLED_US = 600 * SECOND  # longer gaps are jumped over, so that a recording with holes costs what it holds


@dataclass(frozen=True)
class Grid:
    """Cells of one length; arrays of one item a cell.

    Attributes:
        step_us: length of a cell: about the time between rows, at least a second.
        cell_us: where each cell starts, ascending; neighbours are ``step_us`` apart but where a long gap was jumped.
        value: mean of the rows in the cell; between its neighbours' where there is none.
        there: whether the cell has a row.
    """

    step_us: int
    cell_us: Microseconds
    value: Floats
    there: Flags

    @classmethod
    def of(cls, series: Series) -> Grid:
        """Lay a series with at least one known value on its grid."""
        known = series.known
        step = _step(known.time_us)
        number = known.time_us // step
        cells, place = np.unique(number, return_inverse=True)
        apart = np.diff(cells)
        filled = np.where(apart * step <= _LONGEST_FILLED_US, apart, 1)
        first = np.concatenate(([0], np.cumsum(filled)))
        every = np.arange(first[-1] + 1)
        owner = np.searchsorted(first, every, side="right") - 1
        value, there = np.zeros(len(every)), np.zeros(len(every), dtype=bool)
        value[first] = np.bincount(place, known.value) / np.bincount(place)
        there[first] = True
        value = np.interp(every, first, value[first])
        return cls(step, (cells[owner] + every - first[owner]) * step, value, there)

    def cell(self, moments: Microseconds) -> Rows:
        """Return the cell that each moment lies in; the nearest one before it in a gap, the first one before all."""
        return np.maximum(np.searchsorted(self.cell_us, moments, side="right") - 1, 0)

    def between(self, start_us: int, end_us: int) -> Floats:
        """Return the values of the cells that begin in [start, end)."""
        return self.value[slice(*np.searchsorted(self.cell_us, [start_us, end_us]))]

    def rows(self, seconds: float) -> int:
        """Return how many cells ``seconds`` are, at least one."""
        return max(1, round(seconds * SECOND / self.step_us))


def _step(time_us: Microseconds) -> int:
    """Return the usual time between rows in whole seconds; several rows of one second are one cell."""
    apart = np.diff(time_us)
    usual = float(np.median(apart)) if len(apart) else 0.0
    return max(1, round(usual / SECOND)) * SECOND
