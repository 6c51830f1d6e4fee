"""Which tests are impacts: false discoveries are controlled in strata, and KPIs that move often weigh more.

A node that a fault acted on is where an effect is to be expected; fifty others are not. Were all controlled together,
the many would make it harder to find anything on the one: so each stratum is controlled by itself (Efron, 2008). And
in a cluster with forty KPIs a fault moves three of them, again and again: where an effect is to be expected each KPI
weighs as much as the share of its tests that are no chance results makes likely (Hu, Zhao and Zhou, 2010), the share
being estimated from their p values (Storey, 2002), less what luck among so many KPIs explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.stats import false_discovery_control

from faultset.impacts.found import Found
from faultset.impacts.windows import Floats, Parameters, Rows

_Stratum = Literal["targets", "anywhere", "others"]  # hit; perhaps hit, as any node; not hit

_CHANCE = (0.1, 0.5)  # p values above these are taken to be chance results
_LEAST_WEIGHT = 0.3  # of the largest, less where KPIs are many: none is given up
_OFTEN = 4  # a KPI that moves often moves with every so many injections
_FEW_KPIS = 4  # up to so many, luck is no concern
_FEW_TESTS = 4.0  # so few tests of a KPI say little of how often it moves


def decide(found: Sequence[Found], targets: Mapping[str, frozenset[str]], parameters: Parameters) -> list[Found]:
    """Return the tests with their adjusted p values, whether they are impacts, and what could have hidden.

    Args:
        found: all tests of an experiment.
        targets: injection id -> nodes that it acted on or may have; where there are none it may have acted on any.
        parameters: of the tests.
    """
    decided = list(found)
    strata: dict[_Stratum, list[int]] = {}
    for place, one in enumerate(found):
        if one.tested.p_value is not None:
            strata.setdefault(_stratum(one, targets), []).append(place)
    for stratum, members in strata.items():
        kpis = [(found[place].tested.source_kind, found[place].tested.kpi) for place in members]
        p_value = np.array([found[place].tested.p_value for place in members], dtype=np.float64)
        limits = _Limits.of(stratum, parameters)
        for place, controlled in zip(members, _controlled(p_value, kpis, stratum, limits), strict=True):
            decided[place] = _with(found[place], controlled, limits)
    return decided


def _stratum(one: Found, targets: Mapping[str, frozenset[str]]) -> _Stratum:
    nodes = targets.get(one.tested.injection_id)
    if not nodes:
        return "anywhere"
    return "targets" if one.tested.node in nodes else "others"


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a stratum accepts: a share of false impacts among those found, and a p value of a single test."""

    alpha: float
    largest_p: float

    @classmethod
    def of(cls, stratum: _Stratum, parameters: Parameters) -> _Limits:
        if stratum == "targets":
            return cls(parameters.alpha_targets, parameters.largest_p_targets)
        return cls(parameters.alpha, parameters.largest_p)


@dataclass(frozen=True, slots=True)
class _Controlled:
    """What becomes of one test.

    Attributes:
        adjusted: its p value with false discoveries controlled.
        is_small: whether that is small enough.
        once: up to which p value it would have been accepted.
        often: the same, had its KPI moved with every fourth injection of the stratum.
    """

    adjusted: float
    is_small: bool
    once: float
    often: float


def _controlled(
    p_value: Floats, kpis: Sequence[tuple[str, str]], stratum: _Stratum, limits: _Limits
) -> list[_Controlled]:
    """Control false discoveries (Benjamini and Hochberg, 1995; weighted: Genovese, Roeder and Wasserman, 2006)."""
    names, group = np.unique([" ".join(one) for one in kpis], return_inverse=True)
    weighs = stratum != "others"
    weight = _weights(p_value, group) if weighs else np.ones(len(p_value))
    adjusted = _adjusted(p_value, weight)
    once = _accepted(weight, adjusted, 1, limits)
    often = once.copy()
    for number in range(len(names)) if weighs else ():
        members = np.flatnonzero(group == number)
        moved = p_value.copy()
        moved[members[::_OFTEN]] = 0.0
        then = _weights(moved, group)
        often[members] = _accepted(then, _adjusted(moved, then), 0, limits)[members]
    rows = zip(adjusted.tolist(), once.tolist(), np.maximum(once, often).tolist(), strict=True)
    return [_Controlled(one, one <= limits.alpha, *accepted) for one, *accepted in rows]


def _adjusted(p_value: Floats, weight: Floats) -> Floats:
    adjusted: Floats = false_discovery_control(np.minimum(p_value / weight, 1.0))
    return adjusted


def _accepted(weight: Floats, adjusted: Floats, more: int, limits: _Limits) -> Floats:
    """Return the p value up to which each test is accepted, where ``more`` are beside those that are."""
    found = np.count_nonzero(adjusted <= limits.alpha) + more
    accepted: Floats = np.minimum(limits.largest_p, limits.alpha * weight * found / len(weight))
    return accepted


def _weights(p_value: Floats, group: Rows) -> Floats:
    """Return the weight of each test: the odds that a test of its KPI is no chance result.

    Over chance results the weights sum to as many as there are tests, so that false discoveries stay controlled.
    """
    count = np.bincount(group)
    estimates = [_chance(p_value, group, above) for above in _CHANCE]
    moved = np.maximum.reduce([1 - chance - luck for chance, luck in estimates]).clip(min=0.0)
    chance = estimates[-1][0]
    if not moved.any():
        return np.ones(len(p_value))
    least = np.maximum(min(_LEAST_WEIGHT, 1 / len(count)), 1 / (1 + (count / _FEW_TESTS) ** 2))
    odds = np.maximum(moved, least * moved.max()) / chance
    weight = odds * len(p_value) / np.sum(count * chance * odds)
    return np.asarray(weight[group])


def _chance(p_value: Floats, group: Rows, above: float) -> tuple[Floats, Floats]:
    """Return which share of each KPI's tests are chance results, and by how much luck may have lowered that.

    The more KPIs there are, the luckier is the luckiest of them.
    """
    count = np.bincount(group)
    chance = np.minimum(1.0, (np.bincount(group, p_value > above) + 1) / (count * (1 - above)))
    luck = np.sqrt(2 * np.log(max(len(count) / _FEW_KPIS, 1.0)) * above / (1 - above) / count)
    return chance, luck


def _with(one: Found, controlled: _Controlled, limits: _Limits) -> Found:
    moved = one.tested.moved and controlled.is_small and (one.tested.p_value or 0.0) <= limits.largest_p
    often = one.smallest(controlled.often) if one.smallest else one.tested.detectable_sd
    once = one.smallest(controlled.once) if one.smallest else one.tested.detectable_once_sd
    tested = replace(
        one.tested,
        adjusted_p_value=controlled.adjusted,
        moved=moved,
        is_back=one.tested.is_back if moved else None,
        detectable_sd=often,
        detectable_once_sd=once,
    )
    return replace(one, tested=tested)
