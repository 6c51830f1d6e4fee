"""Moves that begin some seconds after a fault did, or much later, and end when they like: one series, all injections.

Every moment of the series is asked whether a move begins there (``asking``). A window's number is the largest at the
moments at which its effect may begin; the same maximum at quiet places says how rare it is (``rarity``), near ones in
time counting for more: hours differ. Where windows are near each other, the clearest move is taken out of the series
before the others are asked.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultset.impacts.asking import Asked
from faultset.impacts.extent import extent
from faultset.impacts.quiet_cells import MARGIN, ONSET_S, QuietCells
from faultset.impacts.scanned import Move, Scanned
from faultset.impacts.shapes import Moves, Values
from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Parameters, Rows, Series, Windows

_LATEST_ONSET_S, _ONSETS_APART_S = 40.0, 5.0
_TOUCHES_S = 3.0  # what another move leaves beside its edges where it is taken out
_PERHAPS_P = 0.05
_LEAST_THERE = 0.6  # share of the cells around a start that need a row


@dataclass(frozen=True, slots=True)
class _Course:
    """A stretch of a series from cell ``first`` on, and the moves that begin in it."""

    value: Floats
    moves: Moves
    first: int


class Scan:
    """A series and the windows that it is asked about."""

    def __init__(self, series: Series, windows: Windows, parameters: Parameters, back_us: Microseconds) -> None:
        self.windows = windows
        self.parameters = parameters
        self.cells = QuietCells(series, windows, parameters, back_us)
        self.grid = self.cells.grid
        self.asked = Asked(self.cells, parameters)

    def scale_at(self, window: int) -> float:
        """Return the robust standard deviation before a window."""
        return float(self.cells.scale[self.grid.cell(self.windows.start[[window]])[0]])

    def independent_beside(self, window: int) -> float:
        """Return how many independent quiet places there are to compare a window with."""
        return self.cells.independent(self._onset_cells(window))

    def is_entangled(self, window: int) -> bool:
        """Whether an edge of another window lies where the effect of this one may begin or end."""
        windows, near = self.windows, round(ONSET_S * SECOND)
        length = windows.end[window] - windows.start[window]
        beside = (windows.before_start, windows.after_start, windows.after_end)
        return bool(
            any(distance[window] < near for distance in beside) or windows.before_end[window] < min(near, length)
        )

    def answers(self, known: Sequence[Move | None]) -> Scanned:
        """Ask all windows.

        Args:
            known: of each window, the move that its own edges show; windows near it are asked without that.
        """
        count = len(self.windows.start)
        found = Scanned.nothing(count)
        if not count or not self.asked.can_answer:
            return found
        for members in self._clusters():
            if len(members) == 1:
                self._put(found, int(members[0]), _Course(self.grid.value, self.asked.moves, 0))
            else:
                self._peel(found, members, known)
        return found

    def _clusters(self) -> list[Rows]:
        """Return the windows in groups whose moves may touch."""
        order = np.argsort(self.windows.start, kind="stable")
        reach = self.cells.reach(self.cells.usual_onset) * self.grid.step_us
        cuts = np.flatnonzero(np.diff(self.windows.start[order]) > reach) + 1
        return [members for members in np.split(order, cuts) if len(members)]

    def _onset_cells(self, window: int) -> int:
        """Return over how many cells an effect may begin: some seconds after the command's start, or during it."""
        lasts = float(self.windows.end[window] - self.windows.start[window]) / SECOND
        lasts = np.ceil(lasts / _ONSETS_APART_S) * _ONSETS_APART_S
        onset = min(max(ONSET_S, lasts), _LATEST_ONSET_S)
        return self.grid.rows(onset) + 1 - int(-self.windows.start_slack[window] // self.grid.step_us)

    def _range(self, window: int) -> tuple[int, int]:
        """Return the cells [first, last) at which the effect of a window may begin: no later than the next one's."""
        windows = self.windows
        first = int(self.grid.cell(windows.start[[window]])[0])
        near = round(self.parameters.shared_edge_s * SECOND)
        rival = (windows.start > windows.start[window] + near) & (windows.yields <= windows.yields[window])
        last = first + self._onset_cells(window)
        if rival.any():
            last = min(last, int(self.grid.cell(windows.start[rival].min(keepdims=True))[0]))
        return first, min(max(last, first + 1), len(self.grid.value))

    def _put(self, found: Scanned, window: int, course: _Course, taken: Collection[Move] = ()) -> None:
        """Ask one window on a course, but where the edges of ``taken`` are."""
        moves, value, offset = course.moves, course.value, course.first
        first, last = self._range(window)
        number = np.where(self._touched(first, last, taken), 0.0, moves.number[first - offset : last - offset])
        if not len(number) or not self._has_rows(window, first, last) or self._is_others(window, first, last):
            return
        at = int(np.argmax(np.abs(number)))
        onset = self._onset_cells(window)
        p_value = self.asked.p_values(onset, np.abs(number[[at]]), first)[0]
        # What another move leaves behind looks like a move; and this is a second chance.
        found.p_value[window] = min(2 * p_value, 1.0) if taken else p_value
        if not number[at]:
            return
        begun, length = first + at, int(moves.rows[first + at - offset])
        lasts_s = float(self.windows.end[window] - self.windows.start[window]) / SECOND
        most = self.grid.rows(lasts_s + self.parameters.recovery_s)
        size, start, end = extent(value, begun - offset, length, (first - offset, last - offset), most)
        found.size[window] = size if np.sign(size) == np.sign(number[at]) else 0.0
        found.start_us[window] = max(self._between(start + offset), self.windows.start[window])
        found.end_us[window] = max(self._between(end + offset), found.start_us[window] + 1)

    def _has_rows(self, window: int, first: int, last: int) -> bool:
        """Whether there are rows before, at and after the cells [first, last) at which a window's effect may begin."""
        us, step = self.grid.cell_us, self.grid.step_us
        if first < self.cells.beside[0] or self.windows.start[window] >= us[first] + step:
            return False
        ahead, behind = first - self.cells.beside[-1], last + self.cells.beside[-1]
        low, high = max(ahead, 0), min(behind, len(us))
        is_even = us[high - 1] - us[low] == (high - 1 - low) * step  # no long gap was jumped over
        return bool(is_even and self.grid.there[low:high].sum() >= _LEAST_THERE * (behind - ahead))

    def _is_others(self, window: int, first: int, last: int) -> bool:
        """Whether a move in the cells [first, last) would be put down to a window that acts here, not to this one."""
        windows, us = self.windows, self.grid.cell_us
        if not windows.yields[window]:
            return False
        until = np.maximum(windows.end, windows.start + round(ONSET_S * SECOND))
        until = until + windows.end_slack + round(self.parameters.guard_s * SECOND)
        near = ~windows.yields & (windows.start <= us[last - 1]) & (until >= us[first])
        return bool(near.any())

    def _touched(self, first: int, last: int, taken: Collection[Move]) -> Flags:
        """Return which of the cells [first, last) lie where another move begins or ends."""
        us = self.grid.cell_us[first:last]
        near = round(_TOUCHES_S * SECOND) + self.grid.step_us
        touched = np.zeros(len(us), dtype=bool)
        for edge in (edge for move in taken for edge in (move.start_us, move.end_us)):
            touched |= np.abs(us - edge) < near
        return touched

    def _between(self, cell: int) -> int:
        """Return the moment in the middle between the row of a cell and the one before: when it changed is not seen."""
        inside = round(self.parameters.row_resolution_s * SECOND)
        return int(self.grid.cell_us[min(cell, len(self.grid.cell_us) - 1)]) + (inside - self.grid.step_us) // 2

    # --- windows near each other --------------------------------------------------------------------------------------

    def _peel(self, found: Scanned, members: Rows, known: Sequence[Move | None]) -> None:
        """Ask windows that are near each other: the clearest move first, each then without those of the others."""
        first = max(min(self._range(int(one))[0] for one in members) - 4 * MARGIN, 0)
        last = max(self._range(int(one))[1] for one in members) + self.cells.lengths[-1] + 4 * MARGIN
        cells = np.arange(first, min(last, len(self.grid.value)))
        shown = {int(one): move for one in members if (move := known[int(one)]) is not None}
        taken = dict(shown)
        for _ in range(len(members)):
            open_yet = [int(one) for one in members if int(one) not in taken]
            if not open_yet:
                break
            course = self._course(taken.values(), cells)
            for one in open_yet:
                self._put(found, one, course, taken.values())
            clearest = min(open_yet, key=lambda one: found.p_value[one] if found.p_value[one] >= 0 else np.inf)
            if not found.p_value[clearest] <= _PERHAPS_P or not found.size[clearest]:
                break
            taken[clearest] = _move(found, clearest)
            for twin in self._twins(clearest, open_yet):
                taken[twin] = replace(taken[clearest], size=0.0)
                for name in ("p_value", "size", "start_us", "end_us"):
                    getattr(found, name)[twin] = getattr(found, name)[clearest]
        if len(taken) > 1:
            self._again(found, taken, shown.keys(), cells)

    def _twins(self, window: int, open_yet: list[int]) -> list[int]:
        """Return windows that start with this one and act here as much: whose move it is cannot be told."""
        near = self.parameters.shared_edge_s * SECOND
        return [
            one
            for one in open_yet
            if one != window
            and abs(self.windows.start[one] - self.windows.start[window]) < near
            and self.windows.yields[one] <= self.windows.yields[window]
        ]

    def _course(self, moves: Collection[Move], cells: Rows) -> _Course:
        """Return the series without some moves."""
        us, value = self.grid.cell_us[cells], self.grid.value[cells].copy()
        for move in moves:
            value[(us >= move.start_us) & (us < move.end_us)] -= move.size
        return _Course(value, self.asked.moves_in(Values(value), cells, self.asked.way), int(cells[0]))

    def _again(self, found: Scanned, taken: dict[int, Move], shown: Collection[int], cells: Rows) -> None:
        """Ask each window that moved something again, on the series without the moves of all others."""
        for window, own in taken.items():
            if own.size and window not in shown:
                others = [move for other, move in taken.items() if other != window and move.size]
                self._put(found, window, self._course(others, cells), others)


def _move(found: Scanned, window: int) -> Move:
    return Move(float(found.size[window]), int(found.start_us[window]), int(found.end_us[window]))
