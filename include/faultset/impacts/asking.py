"""A series asked at every moment whether a move begins there, and how rare the answer is beside those of quiet places.

Of the ways to ask (``shapes``) each series has the one that finds most of what is planted in its quiet time; the same
plants say how large a move has to be. Where that time is short, series of the same KPI elsewhere help out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Literal, get_args

import numpy as np
from scipy.ndimage import maximum_filter1d

from faultset.impacts.plants import NO_P, Planted, Smallest, held, mixed
from faultset.impacts.quiet_cells import ENOUGH_INDEPENDENT, MARGIN, QuietCells
from faultset.impacts.rarity import Quiet, alike
from faultset.impacts.shapes import Moves, Values, filtered, pulses
from faultset.impacts.windows import SECOND, Floats, Parameters, Rows

_LEAST_INDEPENDENT = 10
# Independent places from which on p values come as often as they say; of 12, 0.01 comes in 0.026 of cases.
_TAIL_IS_KNOWN = 30
_MOST_STRANGE = 40_000  # quiet places of other nodes; more say nothing new, and of each node that asks they are held
_PLANTS = 48
_PLANTED_SD = 5.0
_SIZES_SD = (1.0, 2.0, 3.0, 4.5, 6.0, 9.0, 14.0, 22.0)
_SOUGHT_S = 25.0
_LEAST_P = 1e-4  # below this a p value is as good as any other when ways to ask are compared
_STILL = 0.3  # numbers far below this are all alike

Way = Literal["pulse", "wide pulse", "filter"]


class Asked:
    """A series, the way it is asked in, and what is usual in its quiet time.

    Attributes:
        cells: the series, and where it is quiet.
        peers: the same KPI elsewhere, which helps where too little is quiet here.
    """

    def __init__(self, cells: QuietCells, parameters: Parameters) -> None:
        self.cells = cells
        self.peers: tuple[Asked, ...] = ()
        self._parameters = parameters
        self._numbers: dict[tuple[int, Way], Floats] = {}
        self._usual: dict[int, Quiet | None] = {}
        self._strangely_restless: dict[int, Floats] = {}  # at the places of other series

    @property
    def can_answer(self) -> bool:
        """Whether there is enough quiet time to say what is usual."""
        return self._quiet(self.cells.usual_onset) is not None

    # --- ways to ask --------------------------------------------------------------------------------------------------

    @property
    def way(self) -> Way:
        """The way that finds most of what is planted at quiet places."""
        return self._chosen[0]

    @property
    def moves(self) -> Moves:
        """The most striking move at each cell, asked in the chosen way."""
        return self._chosen[1]

    @cached_property
    def _chosen(self) -> tuple[Way, Moves]:
        """The way that finds most of what is planted at quiet places, and what it says of each cell."""
        values, cells = Values(self.cells.grid.value), np.arange(len(self.cells.grid.value))
        planted = self._planted(self.cells.usual_onset, partial(mixed, self.cells.lengths))
        if not len(planted.cells):
            return "pulse", self.moves_in(values, cells, "pulse")
        with_moves = Values(planted.into(self.cells.grid.value, self.cells.scale, _PLANTED_SD))
        asked = {way: self.moves_in(values, cells, way) for way in get_args(Way)}
        for one, moves in asked.items():
            self._keep_quiet_numbers(planted.onset, one, moves)
        clear = {
            one: _told(self._numbers[planted.onset, one], self._numbers_at(planted, with_moves, one)) for one in asked
        }
        way = max(clear, key=clear.__getitem__)
        return way, asked[way]

    @cached_property
    def _shapes(self) -> list[tuple[int, Floats]]:
        return list(self.cells.whitener.shapes(self.cells.lengths))

    def moves_in(self, values: Values, cells: Rows, way: Way) -> Moves:
        """Return the most striking move at each of ``cells``, which hold ``values``."""
        if way == "filter":
            return filtered(self.cells.whitener.white(values.value) / self.cells.white_scale[cells], self._shapes)
        moves = pulses(values, self.cells.beside[0 if way == "pulse" else 1], self.cells.lengths)
        return replace(moves, number=moves.number / self.cells.scale[cells])

    # --- planting -----------------------------------------------------------------------------------------------------

    def smallest(self) -> Smallest | None:
        """Return what says the smallest move of 25 s that is found nine times out of ten; None if nobody knows."""
        onset = self.cells.usual_onset
        if not self.can_answer:
            return None
        planted = self._planted(onset, self._sought)
        if not len(planted.cells):
            return None
        values = (Values(planted.into(self.cells.grid.value, self.cells.scale, size)) for size in _SIZES_SD)
        numbers = np.array([self._numbers_at(planted, some, self.way) for some in values])
        p_value = [
            self.p_values(onset, some, int(cell))
            for some, cell in zip(numbers.T, self._planted_places(onset), strict=True)
        ]
        return Smallest(np.array(_SIZES_SD), -np.log(np.maximum(np.array(p_value), NO_P)))

    def _sought(self, onset: int, random: np.random.Generator) -> Floats:
        """Return the course of a held move of 25 s: of rows far apart, it meets one more or one less."""
        met, more = divmod(_SOUGHT_S * SECOND / self.cells.grid.step_us, 1)
        length = int(met) + bool(more and random.random() < more)
        return held(length, onset, onset + self.cells.lengths[-1], random)

    def _planted(self, onset: int, course: Callable[[int, np.random.Generator], Floats]) -> Planted:
        """Return moves for some of the quiet places, each of the course that it is given."""
        places = self._planted_places(onset)
        reach = self.cells.reach(onset)
        cells = places[:, None] + np.arange(-min(MARGIN, int(places.min(initial=MARGIN))), reach)
        random = np.random.default_rng(self._parameters.seed)
        courses = np.array([course(onset, random) for _ in places]).reshape(len(places), onset + self.cells.lengths[-1])
        return Planted(cells, cells.shape[1] - reach, onset, courses)

    def _planted_places(self, onset: int) -> Rows:
        """Return some of the quiet places, evenly chosen."""
        places = self.cells.places(onset)
        return places[:: max(1, len(places) // _PLANTS)][:_PLANTS]

    def _numbers_at(self, planted: Planted, values: Values, way: Way) -> Floats:
        """Return the number at each place, of values with moves."""
        return planted.largest(self.moves_in(values, planted.cells.ravel(), way).number)

    # --- what is usual ------------------------------------------------------------------------------------------------

    def p_values(self, onset: int, number: Floats, cell: int) -> Floats:
        """Return the p values of numbers seen from ``cell`` on, NaN where too little is quiet.

        Places near it in time, and as restless ones, count for more.
        """
        quiet, places = self._quiet(onset), self.cells.places(onset)
        if quiet is None:
            return np.full(len(number), np.nan)
        weight = alike((places - cell).astype(np.float64)) * alike(self.restless[places] - self.restless[cell])
        strange = alike(self._strangely_restless[onset] - self.restless[cell]) if quiet.share else None
        return quiet.p_value(number, weight, strange)

    def _quiet(self, onset: int) -> Quiet | None:
        """Return what is usual; None where too little is quiet."""
        if onset not in self._usual:
            self._usual[onset] = self._asked_quiet(onset)
        return self._usual[onset]

    def _asked_quiet(self, onset: int) -> Quiet | None:
        own = self.quiet_numbers(onset, self.way) if self.cells.is_measured else np.empty(0)
        if not len(own):
            return None
        known = self.cells.independent(onset)
        helpers = self._helpers(onset) if known < ENOUGH_INDEPENDENT else ()
        together = known + sum(peer.cells.independent(onset) for peer in helpers)
        if together < _LEAST_INDEPENDENT:
            return None
        others = _some([peer.quiet_numbers(onset, self.way) for peer in helpers])
        self._strangely_restless[onset] = _some([peer.restless[peer.cells.places(onset)] for peer in helpers])
        trust = min(1.0, together / _TAIL_IS_KNOWN) ** (1 / 3)
        return Quiet.of(own, others, 1 - known / ENOUGH_INDEPENDENT, trust)

    def _helpers(self, onset: int) -> list[Asked]:
        """Return the peers that know what is usual there."""
        able = (peer for peer in self.peers if not peer.cells.is_mostly_one_value)
        return [peer for peer in able if len(peer.quiet_numbers(onset, self.way))]

    def quiet_numbers(self, onset: int, way: Way) -> Floats:
        """Return the numbers at the series' own quiet places, asked in a way that need not be the one chosen here."""
        if not self.cells.is_measured:
            return np.empty(0)
        if way == self.way:  # which leaves those of the usual onset for all ways
            self._keep_quiet_numbers(onset, way, self.moves)
        if (onset, way) not in self._numbers:
            cells = np.arange(len(self.cells.grid.value))
            self._keep_quiet_numbers(onset, way, self.moves_in(Values(self.cells.grid.value), cells, way))
        return self._numbers[onset, way]

    def _keep_quiet_numbers(self, onset: int, way: Way, moves: Moves) -> None:
        if (onset, way) not in self._numbers:
            self._numbers[onset, way] = np.abs(_largest(moves.number, onset)[self.cells.places(onset)])

    @cached_property
    def restless(self) -> Floats:
        """How much the series moves by itself in the quiet time beside a move that begins at each cell."""
        quiet = np.flatnonzero(~self.cells.loud)
        size = np.log(_STILL + np.abs(self.moves.number[quiet]))
        summed = np.concatenate(([0.0], np.cumsum(size)))
        width = self.cells.grid.rows(self._parameters.baseline_s)
        cells = np.arange(len(self.cells.grid.value))
        before = np.searchsorted(quiet, cells - self.cells.lengths[-1])
        after = np.searchsorted(quiet, cells + self.cells.usual_onset + self.cells.lengths[-1])
        first, last = np.maximum(before - width, 0), np.minimum(after + width, len(quiet))
        total = summed[before] - summed[first] + summed[last] - summed[after]
        return np.asarray(total / np.maximum(before - first + last - after, 1))


def _some(of_helpers: Sequence[Floats]) -> Floats:
    """Return what helpers say at their quiet places, evenly chosen where there are very many."""
    every = np.concatenate([np.empty(0), *of_helpers])
    return every[:: -(-len(every) // _MOST_STRANGE) or 1].copy()


def _told(quiet: Floats, planted: Floats) -> float:
    """Return how little the numbers of planted moves look like those of quiet time, in powers of ten."""
    p_value = Quiet.of(quiet).p_value(planted, np.ones(len(quiet)))
    return float(np.mean(-np.log10(np.maximum(p_value, _LEAST_P))))


def _largest(number: Floats, onset: int) -> Floats:
    """Return the largest size of the numbers of the ``onset`` cells from each cell on; 0 at the end."""
    centred = maximum_filter1d(np.abs(number), onset, mode="constant")
    shifted = np.zeros(len(number))
    shifted[: max(len(number) - onset // 2, 0)] = centred[onset // 2 :]
    return shifted
