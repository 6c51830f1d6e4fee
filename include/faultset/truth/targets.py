"""Which nodes and containers an injection acted on: declared, commanded and effective are three separate truths.

Four kinds of evidence meet here. Scripts (or the command itself) say where a hook went; the output says which
containers docker acted on and how often; the os-faults file says what runs where; a human command of os-faults says
what was asked for. Each function returns its answer and why, and the why reaches the dataset.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from faultset.records.cluster import HumanCommand
from faultset.records.scripts import CommandedAction, HookScripts
from faultset.sources.os_faults import commands as human_commands
from faultset.tables import Resolution, TargetRow
from faultset.truth import choices
from faultset.truth.output import Acknowledgements
from faultset.truth.placement import Place, Placement
from faultset.truth.proof import Order, Seen, Verdict, judge
from faultset.truth.services import service_of


@dataclass(frozen=True, slots=True)
class Target:
    """A decided target, before it becomes a row of a certain injection.

    ``some`` where some of what was commanded is shown to have been done, there or on a node beside it. ``placed`` where
    the place is a node that an input names; else it is the target's own name.
    ``some`` where some of what was commanded is shown to have been done, there or on a node beside it. ``undone``:
    whether what ends the fault is shown to have come; False where it failed, or would have been shown.
    """

    place: Place
    container: str | None
    action: str | None
    action_count: int | None
    commanded: bool | None
    effective: bool | None
    resolution: Resolution
    evidence: str
    kind: str = "container"
    some: bool = False
    namespace: str | None = None
    pod: str | None = None
    placed: bool = True
    undone: bool | None = None


# --- scripts ---------------------------------------------------------------------------------------------------------


def orders_of(scripts: HookScripts, placement: Placement, output: Acknowledgements | None = None) -> tuple[Order, ...]:
    """Gather the scripts' single actions by node and container.

    Args:
        scripts: what they say.
        placement: where things are.
        output: what the output names, for commands that choose what they act on; None where that is not known.
    """
    actions = choices.settle(scripts.actions, placement, output or Acknowledgements())
    fallbacks = choices.settle(scripts.fallbacks, placement, output or Acknowledgements())
    gathered: dict[tuple[str, str | None], Order] = {}
    for action in actions:
        for place in places_of(action, placement):
            known = gathered.get((place.name, action.name)) or Order(place, action.name, ())
            gathered[place.name, action.name] = replace(known, actions=(*known.actions, action))
    for action in fallbacks:
        for place in places_of(action, placement):
            known = gathered.get((place.name, action.name)) or Order(place, action.name, ())
            gathered[place.name, action.name] = replace(known, fallbacks=(*known.fallbacks, action))
    return tuple(gathered.values())


def places_of(action: CommandedAction, placement: Placement) -> tuple[Place, ...]:
    """Return where a command acts; nowhere where that is not known.

    A command without a host ran where the hook ran; only a single declared home says which node that is. A tool that
    is told groups and patterns reaches those that the cluster has.
    """
    if action.host is not None:
        place = placement.place(action.host)
        known = place.node is not None or not placement.known or action.via is None
        return (place,) if known else ()
    component = placement.component(action.name, action.kind) if action.name else None
    homes = placement.homes(component) if component else ()
    return homes if len(homes) == 1 else ()


def targets_by_script(
    orders: Sequence[Order],
    output: Acknowledgements,
    placement: Placement,
    return_code: int | None,
    seen: Seen | None = None,
) -> tuple[Target, ...]:
    """Decide the targets that scripts name, each container's nodes together."""
    seen = seen or Seen(output, return_code)
    seen = replace(seen, alone=len(orders) == 1)
    targets: list[Target] = []
    by_name = itertools.groupby(sorted(orders, key=lambda o: (o.name or "", o.place.name)), key=lambda o: o.name)
    for name, group in by_name:
        of_name = tuple(group)
        verdicts = judge(of_name, _declared_on(name, placement, of_name[0].kind) if name else None, seen)
        targets.extend(
            target for order in of_name if (target := _from_order(order, verdicts[order.place.name])) is not None
        )
    return tuple(targets)


def _from_order(order: Order, verdict: Verdict) -> Target | None:
    """What may run in one case only is a target where it is shown to have run, and else a possible one."""
    if not order.actions and not verdict.effective:
        return None
    verbs = "+".join(order.verbs)
    may = "commands" if order.certain else "may command"
    return Target(
        place=order.place,
        container=order.name,
        action=verbs,
        action_count=order.count,
        commanded=True if order.certain or verdict.effective else None,
        effective=verdict.effective,
        resolution="exact",
        evidence=f"{order.source} {may} {verbs} ({order.count} single actions); {_not_undone(order, verdict)}"
        f"{verdict.why}",
        kind=order.kind,
        some=verdict.some,
        undone=verdict.undone,
    )


def _not_undone(order: Order, verdict: Verdict) -> str:
    """Say that a fault is shown and its end is not."""
    if not order.ending or verdict.undone or not verdict.effective:
        return ""
    return f"nothing shows that {'+'.join(dict.fromkeys(action.verb for action in order.ending))} came; "


def _declared_on(name: str, placement: Placement, kind: str = "container") -> frozenset[str] | None:
    if not placement.known:
        return None
    component = placement.component(name, kind)
    return frozenset(place.name for place in placement.homes(component)) if component else frozenset()


# --- output and declared hosts alone ---------------------------------------------------------------------------------


def targets_by_output(names: Iterable[str], output: Acknowledgements, placement: Placement) -> tuple[Target, ...]:
    """Decide the targets of containers that docker acknowledged and no script names."""
    acknowledged = sorted(name for name in names if output.acted[name])
    homes = {name: _homes(name, placement) for name in acknowledged}
    shared = _shared_homes(homes.values())
    targets: list[Target] = []
    for name in acknowledged:
        candidates, certain, why = candidates_of(
            homes[name], output.acted[name], output.refused[name], output.sessions, shared
        )
        targets.extend(
            Target(
                place=place,
                container=name,
                action=None,
                action_count=None,
                commanded=True if certain else None,
                effective=True if certain else None,
                resolution="inferred" if certain else "ambiguous",
                evidence=f"docker acknowledged {output.acted[name]} actions on {name}; {why}",
            )
            for place in candidates
        )
    return tuple(targets)


def _homes(name: str, placement: Placement) -> tuple[Place, ...]:
    component = placement.component(name)
    return placement.homes(component) if component else ()


def _shared_homes(homes: Iterable[Sequence[Place]]) -> frozenset[str]:
    """Nodes that all of the acknowledged containers are declared on."""
    sets = [frozenset(place.name for place in places) for places in homes]
    return frozenset.intersection(*sets) if sets else frozenset()


def candidates_of(
    homes: Sequence[Place], acted: int, refused: int, sessions: int, shared: frozenset[str]
) -> tuple[tuple[Place, ...], bool, str]:
    """Decide where a container was acted on, from its declared hosts and the arithmetic of the sessions.

    Args:
        homes: where the container is declared.
        acted: acknowledgements.
        refused: "No such container" messages; a session of another node leaves them.
        sessions: sessions that the hook opened; 0 where nothing tells.
        shared: nodes on which every acknowledged container is declared.

    Returns:
        The candidates, whether all of them were hit for certain, and why.
    """
    if len(homes) <= 1:
        return tuple(homes), True, "one host is declared"
    if sessions == 1:
        here = tuple(place for place in homes if place.name in shared)
        if len(here) == 1:
            return here, True, "one session opened, and one node has all of the acknowledged containers"
        return here or tuple(homes), False, f"one session opened, to one of {len(here or homes)} nodes"
    reached = _sessions_that_acted(acted, refused, sessions)
    if reached == len(homes):
        return (
            tuple(homes),
            True,
            (
                f"{acted} acknowledged and {refused} refused over {sessions} sessions: {reached} sessions acted,"
                f" as many as the declared hosts"
            ),
        )
    return tuple(homes), False, f"on which of the {len(homes)} declared hosts is not known"


def _sessions_that_acted(acted: int, refused: int, sessions: int) -> int | None:
    """How many sessions acted, where every session was sent the same number of actions; None where that is no whole."""
    if sessions == 0 or (acted + refused) % sessions:
        return None
    each = (acted + refused) // sessions
    return acted // each if each and acted % each == 0 else None


# --- human commands -------------------------------------------------------------------------------------------------


def targets_by_command(command: HumanCommand, succeeded: bool, placement: Placement) -> tuple[Target, ...]:
    """Decide the targets of an os-faults human command. A random choice is recorded nowhere: all stay candidates."""
    component = placement.component(command.component) if command.component else None
    # "reboot node with SERVICE service" acts on the service's nodes, not on the service.
    on_node = command.action in human_commands.NODE_ACTIONS
    container = None if on_node else component.container if component else command.component
    homes = placement.homes(component) if component else placement.everywhere()
    chosen, certain, why = _chosen(command, homes, placement)
    effective = True if certain and succeeded else None
    said = "os-faults reported success" if succeeded else "os-faults reported a failure"
    return tuple(
        Target(
            place=place,
            container=container,
            action=command.action,
            action_count=1 if certain else None,
            commanded=True if certain else None,
            effective=effective,
            resolution="exact" if certain else "ambiguous",
            evidence=f"{why}; {said}",
        )
        for place in chosen
    )


def _chosen(command: HumanCommand, homes: Sequence[Place], placement: Placement) -> tuple[tuple[Place, ...], bool, str]:
    if command.selector == "named":
        return tuple(placement.place(host) for host in command.nodes), True, "the command names the nodes"
    if command.selector == "all":
        return tuple(homes), True, "the command goes to every declared host"
    if len(homes) == 1:
        return tuple(homes), True, "the only declared host"
    return tuple(homes), False, f"the command took {command.selector} of {len(homes)} nodes, recorded nowhere"


# --- rows ------------------------------------------------------------------------------------------------------------


def row(target: Target, injection_id: str, placement: Placement, services: Mapping[str, str]) -> TargetRow:
    """Return the table row of a target."""
    node = target.place.node
    named = target.container or target.pod
    component = placement.component(named, target.kind) if named else None
    name = named or ""
    service, layer = service_of(component.key, services) if component else (None, None)
    if service is None and name:
        service, layer = service_of(name, services)
    return TargetRow(
        injection_id=injection_id,
        node=target.place.name,
        node_ip=node.ip if node else None,
        role=node.role if node else None,
        component=component.key if component else None,
        container=target.container,
        service=service,
        layer=layer if named else "host",
        action=target.action,
        action_count=target.action_count,
        declared=_declared(target, placement),
        commanded=target.commanded,
        effective=target.effective,
        resolution=target.resolution,
        evidence=target.evidence,
        kind=_kind_of(target),
        namespace=target.namespace,
        pod=target.pod,
        placed=target.placed,
    )


def _kind_of(target: Target) -> str:
    """Return what was acted on; of a pod's container the container."""
    if target.container is None:
        return "pod" if target.pod else "node"
    return "container" if target.kind == "pod" else target.kind


def _declared(target: Target, placement: Placement) -> bool | None:
    if not placement.known:
        return None
    named = target.container or target.pod
    if named is None:
        return target.place.node is not None
    declared = _declared_on(named, placement, target.kind)
    return declared is not None and target.place.name in declared
