"""The quiet time of one series on its grid: what moves are compared with, and how much the series moves there."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from faultset.impacts.grid import Grid
from faultset.impacts.medians import (
    deviations,
    is_mostly_one_value,
    medians,
    quantiles,
    scale_of_coarse,
    tenth_of_usual,
)
from faultset.impacts.shapes import Whitener
from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Parameters, Rows, Series, Windows

_LENGTHS_S = (8, 11, 15, 20, 27, 36, 50, 68, 92, 122)
ONSET_S = 20.0  # how late an effect may begin; during a long command later
ENOUGH_INDEPENDENT = 40
MARGIN = 64  # cells that a filter needs before what is asked
_BESIDE_S = (8, 20)
_LEAST_BESIDE = (3, 8)
_MOST_PLACES = 4000
_LEAST_PAST = 40  # cells that a deviation is taken from
_MOST_AT_ONCE = 4096  # stretches of the past that are copied at a time


class QuietCells:
    """A series on its grid, and which of its cells are quiet.

    Attributes:
        grid: the series.
        lengths: of the moves that are looked for, in cells, ascending; the longest leave enough quiet places.
        loud: which cells may hold an effect of an injection.
        beside: over how many cells the level before and after a move is taken, the narrower and the wider.
        usual_onset: over how many cells an effect may begin, but where the command is long.
    """

    def __init__(self, series: Series, windows: Windows, parameters: Parameters, back_us: Microseconds) -> None:
        self.grid = Grid.of(series)
        self.beside = tuple(
            max(least, self.grid.rows(seconds)) for least, seconds in zip(_LEAST_BESIDE, _BESIDE_S, strict=True)
        )
        self.usual_onset = self.grid.rows(ONSET_S) + 1
        self._order = 20 if self.grid.step_us <= 2 * SECOND else 8  # of the autoregression that makes noise white
        self._ahead = max(self._order, self.beside[-1])  # cells before a quiet place that tell in its number
        self._parameters = parameters
        ends = np.maximum(windows.end + windows.end_slack, back_us)
        self.lengths, self.loud = self._fitting(windows.start, ends)
        self._places: dict[int, Rows] = {}
        self._known: dict[int, float] = {}

    def _fitting(self, starts: Microseconds, ends: Microseconds) -> tuple[tuple[int, ...], Flags]:
        """Return the lengths that are looked for, in cells, and which cells are loud: as long as leave quiet places."""
        chosen: tuple[tuple[int, ...], Flags] = ((), np.ones(len(self.grid.value), dtype=bool))
        most_independent = -1.0
        for most in (122, 68, 36, 20):
            lengths = _lengths(self.grid, most)
            for share in (1.0, 0.3):
                loud = self._loud(starts, ends, share * self._parameters.guard_s, ONSET_S + share * most)
                independent = self._independent(loud, lengths, self.usual_onset)
                if independent >= ENOUGH_INDEPENDENT / 2:
                    return lengths, loud
                if independent > most_independent:
                    chosen, most_independent = (lengths, loud), independent
        return chosen

    def _loud(self, starts: Microseconds, ends: Microseconds, guard_s: float, follow_s: float) -> Flags:
        until = np.maximum(ends + round(guard_s * SECOND), starts + round(follow_s * SECOND))
        change = np.zeros(len(self.grid.value) + 1, dtype=np.int64)
        first = np.searchsorted(self.grid.cell_us, starts - self.grid.step_us, side="right")
        np.add.at(change, np.maximum(first - 1, 0), 1)
        np.add.at(change, np.searchsorted(self.grid.cell_us, until), -1)
        return np.asarray(np.cumsum(change[:-1]) > 0)

    def _independent(self, loud: Flags, lengths: tuple[int, ...], onset: int) -> float:
        """Return how many moves of any onset and the longest length would fit into quiet time beside each other.

        Stretches too short to be asked about count for nothing, however many they are; a long gap ends a stretch.
        """
        gap = np.diff(self.grid.cell_us) != self.grid.step_us
        begins = ~loud & np.concatenate(([True], loud[:-1] | gap))
        ends = ~loud & np.concatenate((loud[1:] | gap, [True]))
        stretches = np.flatnonzero(ends) - np.flatnonzero(begins) + 1
        behind = self._behind(onset, lengths)
        with_places = stretches > self._ahead + behind
        whole = behind + self.beside[-1] - 1  # cells of a move, of its onset and of the levels beside it
        return float(np.sum(stretches[with_places] // whole))

    def independent(self, onset: int) -> float:
        """Return how many independent quiet places the series has for moves that begin within ``onset`` cells."""
        if onset not in self._known:
            self._known[onset] = self._independent(self.loud, self.lengths, onset)
        return self._known[onset]

    def places(self, onset: int) -> Rows:
        """Return cells from which on a move could begin within ``onset`` cells and end in quiet time, evenly chosen."""
        if onset not in self._places:
            self._places[onset] = self._quiet_cells(onset)
        return self._places[onset]

    def reach(self, onset: int) -> int:
        """Return over how many cells from a place on a move tells that begins within ``onset`` cells."""
        return self._behind(onset, self.lengths)

    def _behind(self, onset: int, lengths: tuple[int, ...]) -> int:
        return onset + lengths[-1] + self.beside[-1]

    def _quiet_cells(self, onset: int) -> Rows:
        before, after = self._ahead, self.reach(onset)
        count = len(self.grid.value)
        cells = np.arange(before, count - after)
        loud = np.concatenate(([0], np.cumsum(self.loud)))
        whole = self.grid.cell_us[cells + after] - self.grid.cell_us[cells - before]
        quiet = (loud[cells + after] == loud[cells - before]) & (whole == (before + after) * self.grid.step_us)
        found: Rows = cells[quiet]
        return found[:: max(1, len(found) // _MOST_PLACES)]

    # --- scales -------------------------------------------------------------------------------------------------------

    @cached_property
    def scale(self) -> Floats:
        """Robust standard deviation of the quiet cells in the time before each cell."""
        return self._of_the_past(self.grid.value, _deviation)

    @cached_property
    def whitener(self) -> Whitener:
        """What makes the noise of the quiet cells white."""
        return Whitener.of(self.grid.value, ~self.loud, self._order)

    @cached_property
    def white_scale(self) -> Floats:
        """Robust standard deviation of the white noise in the quiet time before each cell."""
        white = np.abs(self.whitener.white(self.grid.value))
        return self._of_the_past(white, lambda past: quantiles(past, 0.9) / 1.645)

    @cached_property
    def is_measured(self) -> bool:
        """Whether quiet time says how much the series moves by itself: one that never does there has no scale."""
        return bool(np.isfinite(self.scale).all())

    @cached_property
    def is_mostly_one_value(self) -> bool:
        """Whether its quiet cells are, so that it says little of other series."""
        return is_mostly_one_value(self.grid.value[~self.loud])

    def _of_the_past(self, value: Floats, spread: Callable[[Floats], Floats]) -> Floats:
        """Return the spread of the quiet cells before each cell; at least a share of what is usual for the series."""
        quiet = np.flatnonzero(~self.loud)
        width = max(self.grid.rows(self._parameters.baseline_s), _LEAST_PAST)  # of rows far apart, from a longer time
        width = min(width, max(len(quiet) // 2, 1))
        every = max(1, width // 60)
        last = np.arange(width, len(quiet) + 1, every)
        if not len(last):
            return np.full(len(value), np.nan)
        past = np.lib.stride_tricks.sliding_window_view(value[quiet], width)[:, :: max(1, width // 100)]
        some = (last[at : at + _MOST_AT_ONCE] - width for at in range(0, len(last), _MOST_AT_ONCE))
        seen = np.concatenate([spread(past[first]) for first in some])
        least = tenth_of_usual(seen)
        if np.isnan(least):
            least = scale_of_coarse(value[quiet], value)
        before = np.concatenate(([0], np.cumsum(~self.loud)))[:-1]
        return np.asarray(np.maximum(np.interp(before, last, seen), least))


def _lengths(grid: Grid, most_s: float) -> tuple[int, ...]:
    cells = {max(2, round(seconds * SECOND / grid.step_us)) for seconds in _LENGTHS_S if seconds <= most_s}
    return tuple(sorted(cells if len(cells) >= 3 else {2, 3, 5}))


def _deviation(rows: Floats) -> Floats:
    return np.asarray(1.4826 * deviations(rows, medians(rows)))
