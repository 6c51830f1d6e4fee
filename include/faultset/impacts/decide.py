"""Which tests are impacts: false discoveries are controlled in strata, and KPIs that move often weigh more.

A node that a fault acted on is where an effect is to be expected; fifty others are not. Were all controlled together,
the many would make it harder to find anything on the one: so each stratum is controlled by itself (Efron, 2008). And
where an effect is to be expected, KPIs that move often weigh more (``weights``), and so do moves that begin when others
did, or that came on other nodes too (``likely``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from faultset.impacts.found import Found
from faultset.impacts.likely import fellows_of, likelier
from faultset.impacts.weights import Weights, favour
from faultset.impacts.windows import Floats, Parameters, Rows

_Stratum = Literal["targets", "anywhere", "others"]  # hit; perhaps hit, as any node; not hit

_OFTEN = 4  # a KPI that moves often moves with every so many injections
_TYPICAL = 0.25  # of the largest p value of moves of which nine in ten are found, that of an ordinary one
_TRIED, _LEAST_TRIED = 24, 1e-6  # p values that are tried


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
        limits = _Limits.of(stratum, parameters)
        controlled_all = _controlled([found[place] for place in members], stratum, limits)
        for place, controlled in zip(members, controlled_all, strict=True):
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


def _controlled(found: Sequence[Found], stratum: _Stratum, limits: _Limits) -> list[_Controlled]:
    """Control false discoveries (Benjamini and Hochberg, 1995; weighted: Genovese, Roeder and Wasserman, 2006)."""
    p_value = np.array([one.tested.p_value for one in found], dtype=np.float64)
    names, group = np.unique([f"{one.tested.source_kind} {one.tested.kpi}" for one in found], return_inverse=True)
    weights = None if stratum == "others" else _weights(found, p_value, group)
    weight = weights.of_all() if weights else np.ones(len(p_value))
    adjusted = _adjusted(p_value, weight)
    once = _accepted(weight, int(np.count_nonzero(adjusted <= limits.alpha)) + 1, limits)
    often = once.copy()
    if weights:
        for number in range(len(names)):
            members = np.flatnonzero(group == number)
            often[members] = np.maximum(once[members], _accepted_often(p_value, weights, members, limits))
    rows = zip(adjusted.tolist(), once.tolist(), often.tolist(), strict=True)
    return [_Controlled(one, one <= limits.alpha, *accepted) for one, *accepted in rows]


def _weights(found: Sequence[Found], p_value: Floats, kpi: Rows) -> Weights:
    onset_s = np.array([one.onset_s for one in found], dtype=np.float64)
    fellows = fellows_of([one.tested.injection_id for one in found], kpi)
    weights = Weights(p_value, kpi)
    return weights.times(likelier(weights.odds, favour(p_value), onset_s, fellows))


def _adjusted(p_value: Floats, weight: Floats) -> Floats:
    """Return what ``scipy.stats.false_discovery_control`` does of weighted p values; that costs a second to import."""
    weighted = np.minimum(p_value / weight, 1.0)
    order = np.argsort(weighted)
    ranked = weighted[order] * (len(weighted) / np.arange(1, len(weighted) + 1))
    adjusted = np.empty_like(weighted)
    adjusted[order] = np.minimum.accumulate(ranked[::-1])[::-1]
    return np.clip(adjusted, 0.0, 1.0)


def _found(p_value: Floats, weight: Floats, alpha: float) -> int:
    """Return how many tests ``_adjusted`` puts at ``alpha`` or below: the small p values alone say so, at less cost."""
    weighted = p_value / weight
    small = np.sort(weighted[weighted <= alpha])
    found = np.flatnonzero(small * (len(p_value) / np.arange(1, len(small) + 1)) <= alpha)
    return int(found[-1]) + 1 if len(found) else 0


def _accepted(weight: Floats, found: int, limits: _Limits) -> Floats:
    """Return the p value up to which each test is accepted where so many are."""
    accepted: Floats = np.minimum(limits.largest_p, limits.alpha * weight * found / len(weight))
    return accepted


def _accepted_often(p_value: Floats, weights: Weights, members: Rows, limits: _Limits) -> float:
    """Return up to which p value tests of a KPI would be accepted, had every fourth of them such a p value.

    Moves that are found only because others are need those others to be found, too: so this is the largest p value that
    suffices for itself.
    """
    tried = np.geomspace(limits.largest_p, _LEAST_TRIED, _TRIED)
    own = np.tile(p_value[members], (_TRIED, 1))
    own[:, ::_OFTEN] = np.minimum(own[:, ::_OFTEN], tried[:, None] * _TYPICAL)
    moved = p_value.copy()
    for most, some, weight in zip(tried.tolist(), own, weights.of_all_had(members, own), strict=True):
        moved[members] = some
        found = _found(moved, weight, limits.alpha)
        if np.median(_accepted(weight, found, limits)[members[::_OFTEN]]) >= most:
            return float(most)
    return 0.0


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
