"""Where each injection acted: what a root-cause method has to find, with what is not known said. A pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from faultset.tables import InjectionRow, TargetRow


@dataclass(frozen=True, slots=True)
class RootCause:
    """The truth on one injection.

    Attributes:
        injection_id: which.
        nodes: where it demonstrably acted; empty: unknown or nowhere.
        services: of what it demonstrably acted on, such as nova.
        containers: containers or services that it demonstrably acted on.
        possible_nodes: where it may have acted beside these.
        possible_services: likewise.
        is_known: whether ``nodes`` is all there is to find: something was hit, and nothing else may have been.
        why: the reason, in words.
    """

    injection_id: str
    nodes: tuple[str, ...]
    services: tuple[str, ...]
    containers: tuple[str, ...]
    possible_nodes: tuple[str, ...]
    possible_services: tuple[str, ...]
    is_known: bool
    why: str


def root_causes(injections: Iterable[InjectionRow], targets: Sequence[TargetRow]) -> list[RootCause]:
    """Return the truth on each injection, in their order."""
    of: dict[str, list[TargetRow]] = {}
    for target in targets:
        of.setdefault(target.injection_id, []).append(target)
    return [_root_cause(injection.injection_id, of.get(injection.injection_id, [])) for injection in injections]


def _root_cause(injection_id: str, targets: Sequence[TargetRow]) -> RootCause:
    hit = [target for target in targets if target.effective is True]
    possible = [target for target in targets if target.effective is None and target.commanded is not False]
    nodes = _names(target.node for target in hit)
    maybe = tuple(name for name in _names(target.node for target in possible) if name not in nodes)
    services = _names(target.service for target in hit)
    return RootCause(
        injection_id=injection_id,
        nodes=nodes,
        services=services,
        containers=_names(target.container for target in hit),
        possible_nodes=maybe,
        possible_services=tuple(name for name in _names(target.service for target in possible) if name not in services),
        is_known=bool(nodes) and not maybe,
        why=_why(nodes, maybe, targets),
    )


def _why(nodes: Sequence[str], maybe: Sequence[str], targets: Sequence[TargetRow]) -> str:
    if not targets:
        return "no target is known"
    if nodes and not maybe:
        return f"it demonstrably acted on {', '.join(nodes)}, and nowhere else"
    if nodes:
        return f"it demonstrably acted on {', '.join(nodes)}; whether also on {', '.join(maybe)} is unknown"
    if maybe:
        return f"it may have acted on {', '.join(maybe)}; nothing shows it"
    if all(target.effective is False for target in targets):
        return "it demonstrably acted on none of its targets"
    return "it was sent nowhere where it could have acted"


def _names(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))
