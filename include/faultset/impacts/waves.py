"""What the whole cluster did: a KPI that moved where no fault was, too, is one wave and not an impact on each node.

The controls of an injection are the nodes that no fault acted on at that moment. Where most of them moved with the
node that was hit, the fault may have done it (all nodes feel a database that stands still) or not (a job on all nodes
at noon): nothing on record tells. So it is said once, on the node where an effect is to be expected, with the names of
those that moved too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from faultset.impacts.found import Found
from faultset.impacts.windows import SECOND, Parameters
from faultset.moments import epoch_us
from faultset.tables import InjectionRow

_LEAST_CONTROLS = 2
_MOST_SHARE_QUIET = 0.5  # of the controls, that may have stood still in a wave
_TOGETHER_S = 5.0
_PERHAPS_P = 0.05


def waves(
    decided: Sequence[Found],
    injections: Sequence[InjectionRow],
    targets: Mapping[str, frozenset[str]],
    parameters: Parameters,
) -> list[Found]:
    """Return the tests, each wave as one impact that names the nodes that moved with it.

    Args:
        decided: all tests of an experiment, with the decision on each.
        injections: of the experiment.
        targets: injection id -> nodes that it acted on or may have; one without nodes has no controls.
        parameters: of the tests.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, one in enumerate(decided):
        if one.tested.p_value is not None and one.tested.source_kind == "metrics":
            groups.setdefault((one.tested.injection_id, one.tested.kpi), []).append(place)
    busy = _busy(injections, targets, parameters)
    said = list(decided)
    for (injection, _), members in groups.items():
        hit = targets.get(injection)
        if hit and any(decided[place].tested.moved for place in members):
            controls = [place for place in members if decided[place].tested.node not in busy[injection]]
            _say(said, members, controls, hit)
    return said


def _busy(
    injections: Sequence[InjectionRow], targets: Mapping[str, frozenset[str]], parameters: Parameters
) -> dict[str, frozenset[str]]:
    """Return injection id -> nodes that some fault acted on, or may have, while it lasted or shortly before."""
    guard = round(parameters.guard_s * SECOND)
    spans = [(one.injection_id, epoch_us(one.started_at), epoch_us(one.ended_at) + guard) for one in injections]
    return {
        name: frozenset().union(*(targets.get(other, ()) for other, a, b in spans if a < end and start < b))
        for name, start, end in spans
    }


def _say(said: list[Found], members: Sequence[int], controls: Sequence[int], hit: frozenset[str]) -> None:
    """Make one impact of a wave, if it is one."""
    moved = [place for place in members if said[place].tested.moved and said[place].extent]
    first = min(moved, key=lambda place: (said[place].tested.node not in hit, said[place].tested.p_value), default=None)
    if first is None:
        return
    along = [place for place in controls if place != first and _together(said[first], said[place])]
    others = len(controls) - (first in controls)
    if others < _LEAST_CONTROLS or len(along) < max(_LEAST_CONTROLS, (1 - _MOST_SHARE_QUIET) * others):
        return
    for place in along:
        said[place] = replace(said[place], tested=replace(said[place].tested, moved=False, is_back=None))
    names = ", ".join(sorted(said[place].tested.node for place in along))
    wave = f"{len(along)} of {others} nodes that no fault acted on moved with it: {names}"
    said[first] = replace(said[first], wave=wave)


def _together(one: Found, other: Found) -> bool:
    """Whether another node moved at the same time and the same way."""
    if one.extent is None or other.extent is None or (other.tested.p_value or 0.0) > _PERHAPS_P:
        return False
    apart = abs(one.extent.start_us - other.extent.start_us)
    return one.direction == other.direction and apart <= _TOGETHER_S * SECOND
