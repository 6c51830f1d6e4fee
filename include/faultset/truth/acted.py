"""On which of the commanded nodes docker acted on one container, by the arithmetic of what it printed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from faultset.truth.output import Acknowledgements

# Beyond this many nodes an exhaustive search for who acted is not worth its time; the answer is then "unknown".
MOST_NODES_SEARCHED = 16

Answer = tuple[bool | None, str]


def who_acted(
    commanded: Mapping[str, int],
    declared: frozenset[str] | None,
    name: str,
    output: Acknowledgements,
) -> dict[str, Answer]:
    """Decide on which of the commanded nodes docker acted on one container, and why.

    Args:
        commanded: node -> single actions commanded there.
        declared: nodes that the container is declared on; None without a cluster file.
        name: the container.
        output: what the output shows of it.
    """
    acted, refused = output.acted[name], output.refused[name]
    verdicts: dict[str, Answer] = {
        node: (False, "ssh could not reach the node") for node in commanded if node in output.unreachable
    }
    open_nodes = {node: count for node, count in commanded.items() if node not in verdicts}
    counted = f"{acted} of {sum(open_nodes.values())} actions acknowledged, {refused} refused"
    if not acted and all_refused(open_nodes, refused):
        return verdicts | dict.fromkeys(open_nodes, (False, f"docker did not act: {counted}"))
    for node in strangers(open_nodes, declared, refused):
        verdicts[node] = (False, f"docker did not act: {counted}; the refusals are those of the undeclared nodes")
        del open_nodes[node]
    if not acted:
        return verdicts | dict.fromkeys(open_nodes, (None, _why_silent(output, counted)))
    if acted == sum(open_nodes.values()):
        return verdicts | dict.fromkeys(open_nodes, (True, f"docker acted: {counted}"))
    if acted > sum(open_nodes.values()):
        return verdicts | dict.fromkeys(open_nodes, (None, f"{counted}: what printed the others is not known"))
    actors = _actors(open_nodes, declared, acted)
    for node in open_nodes:
        if actors is None:
            verdicts[node] = (None, f"{counted}, which does not say on which nodes")
        elif node in actors:
            verdicts[node] = (True, f"docker acted: {counted}, and no other nodes add up to that")
        else:
            verdicts[node] = (False, f"docker did not act: {counted}, which the other nodes account for")
    return verdicts


def strangers(commanded: Mapping[str, int], declared: frozenset[str] | None, refused: int) -> frozenset[str]:
    """The undeclared nodes, if their commanded actions are just the ones that met "No such container"."""
    if declared is None or not refused:
        return frozenset()
    strangers = frozenset(commanded.keys() - declared)
    return strangers if sum(commanded[node] for node in strangers) == refused else frozenset()


def all_refused(commanded: Mapping[str, int], errors: int) -> bool:
    """Whether errors are so many that every node has one: no node fewer could leave as many."""
    return bool(commanded) and errors > sum(commanded.values()) - min(commanded.values())


def _why_silent(output: Acknowledgements, counted: str) -> str:
    if not output.seen:
        return "no output was recorded"
    return f"{counted}; {output.lost}" if output.lost else f"{counted}, which does not say on which nodes"


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
