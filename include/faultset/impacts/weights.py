"""How much a test weighs: in a cluster with forty KPIs a fault moves two or three of them, again and again.

False discoveries stay controlled however tests are weighted beforehand (Genovese, Roeder and Wasserman, 2006), and most
is found where those that are likely to be moves weigh most. How likely that is, is learned KPI by KPI from the p values
of its other tests: a mixture of chance results and of moves, fitted by expectation and maximisation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np

from faultset.impacts.windows import Floats, Rows

_MOVES = 0.25  # p values of moves come as often as p ** (this - 1), those of chance results all alike
_LEAST_P = 1e-4  # smaller ones say no more
_BEFOREHAND = (0.1, 1.0)  # moves and chance results that each KPI is taken to have shown before any was tested
_OFTEN_ENOUGH = 0.35  # KPIs of which a larger share moved are all alike: there is nothing to be gained among them
_STEEP = 3.0  # with which power of the odds a weight falls
_LEAST_ALIKE = 0.05  # share of all weight that tests have alike, whatever their KPI did, where KPIs are many
_FEW_TESTS = 2.0  # so few tests of a KPI say little of how often it moves
_CHANCE_ABOVE = 0.5  # p values above this are taken to be chance results
_MOST_SHARE = 0.6  # of the tests of a KPI that moved, as far as these tell of each other
_ROUNDS = 40


class Weights:
    """The weights of tests.

    Over chance results they sum to about as many as there are tests, so that false discoveries stay controlled: what
    chance results weigh is estimated from those with a large p value (Storey, 2002; weighted: Ramdas et al., 2019).
    """

    def __init__(self, p_value: Floats, group: Rows) -> None:
        """Learn from the p value of each test, and the number of its KPI, from 0 on."""
        count = np.bincount(group)
        least = 1 / (1 + (count / _FEW_TESTS) ** 2)
        self._p_value = p_value
        self._least = least[group]
        self._factor = np.ones(len(group))
        # A KPI that never moved before may move now.
        self._alike = max(1 / len(count) ** 2, _LEAST_ALIKE)
        self._share = _moved_share(p_value, group)
        self._odds = _steep_odds(self._share)

    @property
    def odds(self) -> Floats:
        """The odds that each test is a move, as far as the other tests of its KPI tell."""
        share = np.minimum(self._share, _MOST_SHARE)
        return np.asarray(share / (1 - share))

    def times(self, factor: Floats) -> Weights:
        """Return these weights, each test's by so much more (see ``likelier``)."""
        other = copy.copy(self)
        other._factor = self._factor * factor  # noqa: SLF001
        return other

    def of_all(self) -> Floats:
        """Return the weight of each test."""
        return self._given(self._odds, self._p_value)

    def of_all_had(self, members: Rows, p_values: Floats) -> Iterator[Floats]:
        """Yield the weight of each test, had those of one KPI, its ``members``, other p values: as each row says.

        A KPI learns from its own tests alone: what the others have learned stays.
        """
        learned = _steep_odds(_moved_share(p_values.ravel(), np.repeat(np.arange(len(p_values)), len(members))))
        for own_odds, own in zip(learned.reshape(p_values.shape), p_values, strict=True):
            odds, p_value = self._odds.copy(), self._p_value.copy()
            odds[members], p_value[members] = own_odds, own
            yield self._given(odds, p_value)

    def _given(self, odds: Floats, p_value: Floats) -> Floats:
        odds = np.maximum(odds, self._least * odds.max())
        odds = ((1 - self._alike) * odds / odds.mean() + self._alike) * self._factor
        large = odds[p_value > _CHANCE_ABOVE]
        # Two ordinary ones more keep a handful of tests from being taken for moves all.
        counted = float(large.sum()) + 2 * float((large if len(large) else odds).mean())
        chance = min(counted / (1 - _CHANCE_ABOVE), float(odds.sum()))
        return np.asarray(odds * (len(odds) / chance))


def _steep_odds(share: Floats) -> Floats:
    share = np.minimum(share, _OFTEN_ENOUGH)
    return np.asarray((share / (1 - share)) ** _STEEP)


def favour(p_value: Floats) -> Floats:
    """Return how much likelier each p value is of a move than of chance."""
    return np.asarray(_MOVES * np.clip(p_value, _LEAST_P, 1.0) ** (_MOVES - 1))


def _moved_share(p_value: Floats, group: Rows) -> Floats:
    """Return for each test which share of its KPI's other tests moved: its own p value must not vouch for itself."""
    count, (moves, chances) = np.bincount(group), _BEFOREHAND
    density = favour(p_value)
    share = np.full(len(count), 0.2)
    for _ in range(_ROUNDS):
        likely = density * share[group] / (density * share[group] + 1 - share[group])
        share = (np.bincount(group, likely) + moves) / (count + moves + chances)
    others = np.bincount(group, likely)[group] - likely
    return np.asarray((others + moves) / (count[group] - 1 + moves + chances))
