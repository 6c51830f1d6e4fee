"""Which nodes and containers an injection acted on: declared, commanded and effective are three separate truths.

Four kinds of evidence meet here. Scripts (or the command itself) say where a hook went; the output says which
containers docker acted on and how often; the os-faults file says what runs where; a human command of os-faults says
what was asked for. Each function returns its answer and why, and the why reaches the dataset.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from faultset.records import CommandedAction, HookScripts, HumanCommand
from faultset.sources import human_commands
from faultset.tables import Resolution, TargetRow
from faultset.truth.output import Acknowledgements
from faultset.truth.placement import Place, Placement
from faultset.truth.services import service_of

# Beyond this many nodes an exhaustive search for who acted is not worth its time; the answer is then "unknown".
MOST_NODES_SEARCHED = 16


@dataclass(frozen=True, slots=True)
class Target:
    """A decided target, before it becomes a row of a certain injection."""

    place: Place
    container: str | None
    action: str | None
    action_count: int | None
    commanded: bool | None
    effective: bool | None
    resolution: Resolution
    evidence: str
    kind: str = "container"


@dataclass(frozen=True, slots=True)
class Order:
    """All that was commanded for one container on one node.

    Attributes:
        verbs: what was done, in order, without repeats.
        count: single actions, each of which docker acknowledges with one line.
        named: whether the command names the node (else it ran where the hook ran).
    """

    place: Place
    name: str | None
    kind: str
    verbs: tuple[str, ...]
    count: int
    source: str


# --- scripts ---------------------------------------------------------------------------------------------------------


def orders_of(scripts: HookScripts, placement: Placement) -> tuple[Order, ...]:
    """Gather the scripts' single actions by node and container."""
    gathered: dict[tuple[str, str | None], Order] = {}
    for action in scripts.actions:
        for place in _places_of(action, placement):
            key = (place.name, action.name)
            known = gathered.get(key)
            if known is None:
                source = f"{action.script}:{action.line}" if action.script else "the hook's command"
                gathered[key] = Order(place, action.name, action.kind, (action.verb,), action.count, source)
            else:
                verbs = known.verbs if action.verb in known.verbs else (*known.verbs, action.verb)
                gathered[key] = replace(known, verbs=verbs, count=known.count + action.count)
    return tuple(gathered.values())


def _places_of(action: CommandedAction, placement: Placement) -> tuple[Place, ...]:
    """A command without a host ran where the hook ran; only a single declared home says which node that is."""
    if action.host is not None:
        return (placement.place(action.host),)
    component = placement.component(action.name, action.kind) if action.name else None
    homes = placement.homes(component) if component else ()
    return homes if len(homes) == 1 else ()


def targets_by_script(
    orders: Sequence[Order], output: Acknowledgements, placement: Placement, return_code: int | None
) -> tuple[Target, ...]:
    """Decide the targets that scripts name, each container's nodes together."""
    targets: list[Target] = []
    by_name = itertools.groupby(sorted(orders, key=lambda o: (o.name or "", o.place.name)), key=lambda o: o.name)
    alone = len(orders) == 1
    for name, group in by_name:
        of_name = tuple(group)
        if of_name[0].kind == "container" and name is not None:
            verdicts = who_acted(
                {order.place.name: order.count for order in of_name},
                _declared_on(name, placement),
                name,
                output,
                return_code,
            )
        else:
            verdicts = {
                order.place.name: _without_acknowledgement(order, output, alone, return_code) for order in of_name
            }
        targets.extend(_from_order(order, *verdicts[order.place.name]) for order in of_name)
    return tuple(targets)


def _from_order(order: Order, effective: bool | None, why: str) -> Target:
    return Target(
        place=order.place,
        container=order.name,
        action="+".join(order.verbs),
        action_count=order.count,
        commanded=True,
        effective=effective,
        resolution="exact",
        evidence=f"{order.source} commands {'+'.join(order.verbs)} ({order.count} single actions); {why}",
        kind=order.kind,
    )


def _declared_on(name: str, placement: Placement, kind: str = "container") -> frozenset[str] | None:
    if not placement.known:
        return None
    component = placement.component(name, kind)
    return frozenset(place.name for place in placement.homes(component)) if component else frozenset()


def _without_acknowledgement(
    order: Order, output: Acknowledgements, alone: bool, return_code: int | None
) -> tuple[bool | None, str]:
    """Services, processes and nodes acknowledge nothing; only a lone command's exit code speaks."""
    if order.place.name in output.unreachable:
        return False, "ssh could not reach the node"
    if alone and return_code == 0:
        return True, "it was the hook's only command, which ended with exit code 0"
    return None, f"a {order.kind} command leaves no acknowledgement"


def who_acted(
    commanded: Mapping[str, int],
    declared: frozenset[str] | None,
    name: str,
    output: Acknowledgements,
    return_code: int | None,
) -> dict[str, tuple[bool | None, str]]:
    """Decide on which of the commanded nodes docker acted on one container, and why.

    Args:
        commanded: node -> single actions commanded there.
        declared: nodes that the container is declared on; None without a cluster file.
        name: the container.
        output: what the output shows of it.
        return_code: exit code of the hook.
    """
    acted, refused = output.acted[name], output.refused[name]
    verdicts: dict[str, tuple[bool | None, str]] = {
        node: (False, "ssh could not reach the node") for node in commanded if node in output.unreachable
    }
    open_nodes = {node: count for node, count in commanded.items() if node not in verdicts}
    counted = f"{acted} of {sum(open_nodes.values())} actions acknowledged, {refused} refused"
    if not acted:
        return verdicts | dict.fromkeys(open_nodes, _nothing_acknowledged(refused, output, return_code, counted))
    for node in _strangers(open_nodes, declared, refused):
        verdicts[node] = (False, f"docker did not act: {counted}; the refusals are those of the undeclared nodes")
        del open_nodes[node]
    if acted >= sum(open_nodes.values()):
        return verdicts | dict.fromkeys(open_nodes, (True, f"docker acted: {counted}"))
    actors = _actors(open_nodes, declared, acted)
    for node in open_nodes:
        if actors is None:
            verdicts[node] = (None, f"{counted}, which does not say on which nodes")
        elif node in actors:
            verdicts[node] = (True, f"docker acted: {counted}, and no other nodes add up to that")
        else:
            verdicts[node] = (False, f"docker did not act: {counted}, which the other nodes account for")
    return verdicts


def _strangers(commanded: Mapping[str, int], declared: frozenset[str] | None, refused: int) -> frozenset[str]:
    """The undeclared nodes, if their commanded actions are just the ones that met "No such container"."""
    if declared is None or not refused:
        return frozenset()
    strangers = frozenset(commanded.keys() - declared)
    return strangers if sum(commanded[node] for node in strangers) == refused else frozenset()


def _nothing_acknowledged(
    refused: int, output: Acknowledgements, return_code: int | None, counted: str
) -> tuple[bool | None, str]:
    if not output.seen:
        return None, "no output was recorded"
    if refused or return_code not in (0, None):
        return False, f"docker did not act: {counted}"
    return None, "the output names neither an action nor an error"


def _actors(commanded: Mapping[str, int], declared: frozenset[str] | None, acted: int) -> frozenset[str] | None:
    """The nodes whose commanded actions add up to what was acknowledged: the declared ones, else the only such set."""
    if declared is not None:
        here = declared & commanded.keys()
        if sum(commanded[node] for node in here) == acted:
            return frozenset(here)
    if len(commanded) > MOST_NODES_SEARCHED:
        return None
    fitting = [
        frozenset(nodes)
        for size in range(1, len(commanded))
        for nodes in itertools.combinations(commanded, size)
        if sum(commanded[node] for node in nodes) == acted
    ]
    return fitting[0] if len(fitting) == 1 else None


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
    component = placement.component(target.container, target.kind) if target.container else None
    name = target.container or ""
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
        layer=layer if target.container else "host",
        action=target.action,
        action_count=target.action_count,
        declared=_declared(target, placement),
        commanded=target.commanded,
        effective=target.effective,
        resolution=target.resolution,
        evidence=target.evidence,
    )


def _declared(target: Target, placement: Placement) -> bool | None:
    if not placement.known:
        return None
    if target.container is None:
        return target.place.node is not None
    declared = _declared_on(target.container, placement, target.kind)
    return declared is not None and target.place.name in declared
