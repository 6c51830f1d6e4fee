"""Moves that begin some seconds after a fault did, or much later, and end when they like: one series, all injections.

Every moment of the series is asked whether a move begins there (``shapes``). A window's number is the largest at the
moments at which its effect may begin; the same maximum at quiet places says how rare it is (``rarity``), near ones in
time counting for more: hours differ. Where windows are near each other, the clearest move is taken out of the series
before the others are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal, get_args

import numpy as np
from scipy.ndimage import maximum_filter1d

from faultset.impacts.extent import extent
from faultset.impacts.grid import Grid
from faultset.impacts.medians import (
    deviations,
    is_mostly_one_value,
    medians,
    quantiles,
    scale_of_coarse,
    tenth_of_usual,
)
from faultset.impacts.plants import NO_P, Planted, Smallest, held, mixed
from faultset.impacts.rarity import Quiet, alike
from faultset.impacts.scanned import Move, Scanned
from faultset.impacts.shapes import Moves, Values, Whitener, filtered, pulses
from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Parameters, Rows, Series, Windows

LENGTHS_S = (8, 11, 15, 20, 27, 36, 50, 68, 92, 122)
_BESIDE_S = (8, 20)
_LEAST_BESIDE = (3, 8)
_ONSET_S = 20.0  # how late an effect may begin; during a long command later
_LATEST_ONSET_S, _ONSETS_APART_S = 40.0, 5.0
_TOUCHES_S = 3.0  # what another move leaves beside its edges where it is taken out
_MOST_PLACES = 4000
_LEAST_INDEPENDENT, _ENOUGH_INDEPENDENT = 10, 40
_PLANTS = 48
_PLANTED_SD = 5.0
_SIZES_SD = (1.0, 2.0, 3.0, 4.5, 6.0, 9.0, 14.0, 22.0)
_SOUGHT_S = 25.0
_LEAST_P = 1e-4  # below this a p value is as good as any other when ways to ask are compared
_STILL = 0.3  # numbers far below this are all alike
_LEAST_PAST = 40  # cells that a deviation is taken from
_MARGIN = 64  # cells that a filter needs before what is asked
_PERHAPS_P = 0.05
_LEAST_THERE = 0.6  # share of the cells around a start that need a row

_MOST_AT_ONCE = 4096  # stretches of the past that are copied at a time

Way = Literal["pulse", "wide pulse", "filter"]


@dataclass(frozen=True, slots=True)
class _Course:
    """A stretch of a series from cell ``first`` on, and the moves that begin in it."""

    value: Floats
    moves: Moves
    first: int


class Scan:
    """A series, its quiet places and how it is asked."""

    def __init__(self, series: Series, windows: Windows, parameters: Parameters, back_us: Microseconds) -> None:
        self.grid = Grid.of(series)
        self.windows = windows
        self.parameters = parameters
        self.peers: tuple[Scan, ...] = ()
        self.lengths, self.loud = self._fitting(np.maximum(windows.end + windows.end_slack, back_us))
        self._beside = tuple(
            max(least, self.grid.rows(seconds)) for least, seconds in zip(_LEAST_BESIDE, _BESIDE_S, strict=True)
        )
        self._places: dict[int, Rows] = {}
        self._numbers: dict[tuple[int, Way], Floats] = {}
        self._usual: dict[int, Quiet | None] = {}
        self._strangely_restless: dict[int, Floats] = {}  # at the places of other series

    # --- quiet time -------------------------------------------------------------------------------------------------

    def _fitting(self, ends: Microseconds) -> tuple[tuple[int, ...], Flags]:
        """Return the lengths that are looked for, in cells, and which cells are loud: as long as leave quiet places."""
        chosen: tuple[tuple[int, ...], Flags] = ((), np.ones(len(self.grid.value), dtype=bool))
        for most in (122, 68, 36, 20):
            lengths = _lengths(self.grid, most)
            for share in (1.0, 0.3):
                loud = self._loud(ends, share * self.parameters.guard_s, _ONSET_S + share * most)
                if self._independent(loud, lengths) >= _ENOUGH_INDEPENDENT / 2:
                    return lengths, loud
                if not chosen[0] or self._independent(loud, lengths) > self._independent(chosen[1], chosen[0]):
                    chosen = lengths, loud
        return chosen

    def _loud(self, ends: Microseconds, guard_s: float, follow_s: float) -> Flags:
        until = np.maximum(ends + round(guard_s * SECOND), self.windows.start + round(follow_s * SECOND))
        change = np.zeros(len(self.grid.value) + 1, dtype=np.int64)
        first = np.searchsorted(self.grid.cell_us, self.windows.start - self.grid.step_us, side="right")
        np.add.at(change, np.maximum(first - 1, 0), 1)
        np.add.at(change, np.searchsorted(self.grid.cell_us, until), -1)
        return np.asarray(np.cumsum(change[:-1]) > 0)

    def _independent(self, loud: Flags, lengths: tuple[int, ...]) -> float:
        """Return how many moves of the longest length would fit into quiet time beside each other."""
        whole = self.grid.rows(_ONSET_S) + lengths[-1] + 2 * self.grid.rows(_BESIDE_S[-1])
        edges = np.flatnonzero(np.diff(np.concatenate(([True], loud, [True])).astype(np.int8)))
        return float(np.sum(np.maximum(edges[1::2] - edges[::2], 0) // whole))

    def places(self, onset: int) -> Rows:
        """Return cells from which on a move could begin within ``onset`` cells and end in quiet time, evenly chosen."""
        if onset not in self._places:
            self._places[onset] = self._quiet_cells(max(_MARGIN // 2, self._beside[-1]), onset)
        return self._places[onset]

    def _quiet_cells(self, before: int, onset: int) -> Rows:
        after = onset + self.lengths[-1] + self._beside[-1]
        count = len(self.grid.value)
        cells = np.arange(before, count - after)
        loud = np.concatenate(([0], np.cumsum(self.loud)))
        whole = self.grid.cell_us[cells + after] - self.grid.cell_us[cells - before]
        quiet = (loud[cells + after] == loud[cells - before]) & (whole == (before + after) * self.grid.step_us)
        found: Rows = cells[quiet]
        return found[:: max(1, len(found) // _MOST_PLACES)]

    # --- scales -----------------------------------------------------------------------------------------------------

    @cached_property
    def scale(self) -> Floats:
        """Robust standard deviation of the quiet cells in the time before each cell."""
        return self._of_the_past(self.grid.value, _deviation)

    @cached_property
    def _whitener(self) -> Whitener:
        order = 20 if self.grid.step_us <= 2 * SECOND else 8
        return Whitener.of(self.grid.value, ~self.loud, order)

    @cached_property
    def _white_scale(self) -> Floats:
        white = np.abs(self._whitener.white(self.grid.value))
        return self._of_the_past(white, lambda past: quantiles(past, 0.9) / 1.645)

    def _of_the_past(self, value: Floats, spread: Callable[[Floats], Floats]) -> Floats:
        """Return the spread of the quiet cells before each cell; at least a share of what is usual for the series."""
        quiet = np.flatnonzero(~self.loud)
        width = max(self.grid.rows(self.parameters.baseline_s), _LEAST_PAST)  # of rows far apart, from a longer time
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

    @cached_property
    def _measured(self) -> bool:
        """Whether quiet time says how much the series moves by itself: one that never does there has no scale."""
        return bool(np.isfinite(self.scale).all())

    @cached_property
    def is_mostly_one_value(self) -> bool:
        """Whether its quiet cells are, so that it says little of other series."""
        return is_mostly_one_value(self.grid.value[~self.loud])

    def scale_at(self, window: int) -> float:
        """Return the robust standard deviation before a window."""
        return float(self.scale[self.grid.cell(self.windows.start[[window]])[0]])

    # --- ways to ask ------------------------------------------------------------------------------------------------

    @cached_property
    def _shapes(self) -> list[tuple[int, Floats]]:
        return list(self._whitener.shapes(self.lengths))

    def _moves_in(self, values: Values, cells: Rows, way: Way) -> Moves:
        """Return the most striking move at each of ``cells``, which hold ``values``."""
        if way == "filter":
            return filtered(self._whitener.white(values.value) / self._white_scale[cells], self._shapes)
        moves = pulses(values, self._beside[0 if way == "pulse" else 1], self.lengths)
        return replace(moves, number=moves.number / self.scale[cells])

    @cached_property
    def _chosen(self) -> tuple[Way, Moves]:
        """The way that finds most of what is planted at quiet places, and what it says of each cell."""
        values, cells = Values(self.grid.value), np.arange(len(self.grid.value))
        planted = self._planted(self.onset_cells(None), partial(mixed, self.lengths))
        if not len(planted.cells):
            return "pulse", self._moves_in(values, cells, "pulse")
        with_moves = Values(planted.into(self.grid.value, self.scale, _PLANTED_SD))
        asked = {way: self._moves_in(values, cells, way) for way in get_args(Way)}
        clear = {
            way: self._told(moves, self._numbers_at(planted, with_moves, way), planted.onset)
            for way, moves in asked.items()
        }
        for one, moves in asked.items():
            self._keep_quiet_numbers(planted.onset, one, moves)
        way = max(clear, key=clear.__getitem__)
        return way, asked[way]

    @property
    def way(self) -> Way:
        """The way that finds most of what is planted at quiet places."""
        return self._chosen[0]

    @property
    def moves(self) -> Moves:
        """The most striking move at each cell, asked in the chosen way."""
        return self._chosen[1]

    def _told(self, moves: Moves, planted: Floats, onset: int) -> float:
        """Return how little the numbers of planted moves look like those of quiet time, in powers of ten."""
        quiet = np.abs(_largest(moves.number, onset)[self.places(onset)])
        p_value = Quiet.of(quiet).p_value(planted, np.ones(len(quiet)))
        return float(np.mean(-np.log10(np.maximum(p_value, _LEAST_P))))

    def onset_cells(self, window: int | None) -> int:
        """Return over how many cells an effect may begin: some seconds after the command's start, or during it."""
        if window is None or not len(self.windows.start):
            return self.grid.rows(_ONSET_S) + 1
        lasts = float(self.windows.end[window] - self.windows.start[window]) / SECOND
        lasts = np.ceil(lasts / _ONSETS_APART_S) * _ONSETS_APART_S
        onset = min(max(_ONSET_S, lasts), _LATEST_ONSET_S)
        return self.grid.rows(onset) + 1 - int(-self.windows.start_slack[window] // self.grid.step_us)

    # --- planting ---------------------------------------------------------------------------------------------------

    def _planted_places(self, onset: int) -> Rows:
        """Return some of the quiet places, evenly chosen."""
        places = self.places(onset)
        return places[:: max(1, len(places) // _PLANTS)][:_PLANTS]

    def _planted(self, onset: int, course: Callable[[int, np.random.Generator], Floats]) -> Planted:
        """Return moves for some of the quiet places, each of the course that it is given."""
        places = self._planted_places(onset)
        reach = onset + self.lengths[-1] + self._beside[-1]
        cells = places[:, None] + np.arange(-min(_MARGIN, int(places.min(initial=_MARGIN))), reach)
        random = np.random.default_rng(self.parameters.seed)
        courses = np.array([course(onset, random) for _ in places]).reshape(len(places), onset + self.lengths[-1])
        return Planted(cells, cells.shape[1] - reach, onset, courses)

    def _numbers_at(self, planted: Planted, values: Values, way: Way) -> Floats:
        """Return the number at each place, of values with moves."""
        return planted.largest(self._moves_in(values, planted.cells.ravel(), way).number)

    def _sought(self, onset: int, random: np.random.Generator) -> Floats:
        """Return the course of a held move of 25 s."""
        return held(self.grid.rows(_SOUGHT_S), onset, onset + self.lengths[-1], random)

    def smallest(self) -> Smallest | None:
        """Return what says the smallest move of 25 s that is found nine times out of ten; None if nobody knows."""
        onset = self.onset_cells(None)
        if not self.lengths or not self._measured or self._quiet(onset) is None:
            return None
        planted = self._planted(onset, self._sought)
        if not len(planted.cells):
            return None
        values = (Values(planted.into(self.grid.value, self.scale, size)) for size in _SIZES_SD)
        numbers = np.array([self._numbers_at(planted, some, self.way) for some in values])
        p_value = [
            self._p_values(onset, some, int(cell))
            for some, cell in zip(numbers.T, self._planted_places(onset), strict=True)
        ]
        return Smallest(np.array(_SIZES_SD), -np.log(np.maximum(np.array(p_value), NO_P)))

    @cached_property
    def _restless(self) -> Floats:
        """How much the series moves by itself in the quiet time beside a move that begins at each cell."""
        quiet = np.flatnonzero(~self.loud)
        size = np.log(_STILL + np.abs(self.moves.number[quiet]))
        summed = np.concatenate(([0.0], np.cumsum(size)))
        width = self.grid.rows(self.parameters.baseline_s)
        cells = np.arange(len(self.grid.value))
        before = np.searchsorted(quiet, cells - self.lengths[-1])
        after = np.searchsorted(quiet, cells + self.onset_cells(None) + self.lengths[-1])
        first, last = np.maximum(before - width, 0), np.minimum(after + width, len(quiet))
        total = summed[before] - summed[first] + summed[last] - summed[after]
        return np.asarray(total / np.maximum(before - first + last - after, 1))

    # --- p values ---------------------------------------------------------------------------------------------------

    def quiet_numbers(self, onset: int, way: Way) -> Floats:
        """Return the numbers at the series' own quiet places, asked in a way that need not be the one chosen here."""
        if not self._measured:
            return np.empty(0)
        if way == self.way:  # which leaves those of the usual onset for all ways
            self._keep_quiet_numbers(onset, way, self.moves)
        if (onset, way) not in self._numbers:
            cells = np.arange(len(self.grid.value))
            self._keep_quiet_numbers(onset, way, self._moves_in(Values(self.grid.value), cells, way))
        return self._numbers[onset, way]

    def _keep_quiet_numbers(self, onset: int, way: Way, moves: Moves) -> None:
        if (onset, way) not in self._numbers:
            self._numbers[onset, way] = np.abs(_largest(moves.number, onset)[self.places(onset)])

    def _quiet(self, onset: int) -> Quiet | None:
        """Return what is usual; None where too little is quiet."""
        if onset not in self._usual:
            self._usual[onset] = self._asked_quiet(onset)
        return self._usual[onset]

    def _asked_quiet(self, onset: int) -> Quiet | None:
        own = self.quiet_numbers(onset, self.way) if self.lengths and self._measured else np.empty(0)
        known = self.independent if len(own) else 0.0
        helpers = self._helpers(onset) if known < _ENOUGH_INDEPENDENT else ()
        if known + sum(peer.independent for peer in helpers) < _LEAST_INDEPENDENT or not len(own):
            return None
        others = [np.empty(0), *(peer.quiet_numbers(onset, self.way) for peer in helpers)]
        restless = [np.empty(0), *(peer._restless[peer.places(onset)] for peer in helpers)]  # noqa: SLF001
        self._strangely_restless[onset] = np.concatenate(restless)
        return Quiet.of(own, np.concatenate(others), 1 - known / _ENOUGH_INDEPENDENT)

    def _helpers(self, onset: int) -> list[Scan]:
        """Return the scans of the same KPI elsewhere that know what is usual there."""
        able = (peer for peer in self.peers if peer.lengths and not peer.is_mostly_one_value)
        return [peer for peer in able if len(peer.quiet_numbers(onset, self.way))]

    def _strange_weight(self, quiet: Quiet, onset: int, cell: int | None) -> Floats | None:
        """Return how much the places of other series count: as restless ones more, where a cell is asked."""
        if not quiet.share or cell is None:
            return None
        return alike(self._strangely_restless[onset] - self._restless[cell])

    @cached_property
    def independent(self) -> float:
        """How many independent quiet places the series has."""
        return self._independent(self.loud, self.lengths)

    def _p_values(self, onset: int, number: Floats, cell: int | None) -> Floats:
        """Return the p values of numbers; with a cell, places near it in time count for more."""
        quiet, places = self._quiet(onset), self.places(onset)
        if quiet is None:
            return np.full(len(number), np.nan)
        weight = np.ones(len(places))
        if cell is not None:
            weight = alike((places - cell).astype(np.float64)) * alike(self._restless[places] - self._restless[cell])
        return quiet.p_value(number, weight, self._strange_weight(quiet, onset, cell))

    # --- answers ----------------------------------------------------------------------------------------------------

    def answers(self, known: Sequence[Move | None]) -> Scanned:
        """Ask all windows.

        Args:
            known: of each window, the move that its own edges show; windows near it are asked without that.
        """
        count = len(self.windows.start)
        if not self.lengths or not self._measured or self._quiet(self.onset_cells(None)) is None:
            return Scanned.nothing(count)
        found = Scanned.nothing(count)
        for members in self._clusters():
            if len(members) == 1:
                self._put(found, int(members[0]), _Course(self.grid.value, self.moves, 0))
            else:
                self._peel(found, members, known)
        return found

    def _clusters(self) -> list[Rows]:
        """Return the windows in groups whose moves may touch."""
        order = np.argsort(self.windows.start, kind="stable")
        reach = (self.lengths[-1] + self._beside[-1] + self.onset_cells(None)) * self.grid.step_us
        cuts = np.flatnonzero(np.diff(self.windows.start[order]) > reach) + 1
        return [members for members in np.split(order, cuts) if len(members)]

    def _range(self, window: int) -> tuple[int, int]:
        """Return the cells [first, last) at which the effect of a window may begin: no later than the next one's."""
        windows = self.windows
        first = int(self.grid.cell(windows.start[[window]])[0])
        near = round(self.parameters.shared_edge_s * SECOND)
        rival = (windows.start > windows.start[window] + near) & (windows.yields <= windows.yields[window])
        last = first + self.onset_cells(window)
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
        onset = self.onset_cells(window)
        p_value = self._p_values(onset, np.abs(number[[at]]), first)[0]
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
        if first < self._beside[0] or self.windows.start[window] >= us[first] + step:
            return False
        ahead, behind = first - self._beside[-1], last + self._beside[-1]
        low, high = max(ahead, 0), min(behind, len(us))
        is_even = us[high - 1] - us[low] == (high - 1 - low) * step  # no long gap was jumped over
        return bool(is_even and self.grid.there[low:high].sum() >= _LEAST_THERE * (behind - ahead))

    def _is_others(self, window: int, first: int, last: int) -> bool:
        """Whether a move in the cells [first, last) would be put down to a window that acts here, not to this one."""
        windows, us = self.windows, self.grid.cell_us
        if not windows.yields[window]:
            return False
        until = np.maximum(windows.end, windows.start + round(_ONSET_S * SECOND))
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

    def _peel(self, found: Scanned, members: Rows, known: Sequence[Move | None]) -> None:
        """Ask windows that are near each other: the clearest move first, each then without those of the others."""
        first = max(min(self._range(int(one))[0] for one in members) - 4 * _MARGIN, 0)
        last = max(self._range(int(one))[1] for one in members) + self.lengths[-1] + 4 * _MARGIN
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

    def is_entangled(self, window: int) -> bool:
        """Whether an edge of another window lies where the effect of this one may begin or end."""
        windows, near = self.windows, round(_ONSET_S * SECOND)
        length = windows.end[window] - windows.start[window]
        beside = (windows.before_start, windows.after_start, windows.after_end)
        return bool(
            any(distance[window] < near for distance in beside) or windows.before_end[window] < min(near, length)
        )

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
        return _Course(value, self._moves_in(Values(value), cells, self.way), int(cells[0]))

    def _again(self, found: Scanned, taken: dict[int, Move], shown: Collection[int], cells: Rows) -> None:
        """Ask each window that moved something again, on the series without the moves of all others."""
        for window, own in taken.items():
            if own.size and window not in shown:
                others = [move for other, move in taken.items() if other != window and move.size]
                self._put(found, window, self._course(others, cells), others)


def _move(found: Scanned, window: int) -> Move:
    return Move(float(found.size[window]), int(found.start_us[window]), int(found.end_us[window]))


def _lengths(grid: Grid, most_s: float) -> tuple[int, ...]:
    cells = {max(2, round(seconds * SECOND / grid.step_us)) for seconds in LENGTHS_S if seconds <= most_s}
    return tuple(sorted(cells if len(cells) >= 3 else {2, 3, 5}))


def _deviation(rows: Floats) -> Floats:
    return np.asarray(1.4826 * deviations(rows, medians(rows)))


def _largest(number: Floats, onset: int) -> Floats:
    """Return the largest size of the numbers of the ``onset`` cells from each cell on; 0 at the end."""
    centred = maximum_filter1d(np.abs(number), onset, mode="constant")
    shifted = np.zeros(len(number))
    shifted[: max(len(number) - onset // 2, 0)] = centred[onset // 2 :]
    return shifted
