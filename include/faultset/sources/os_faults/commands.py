"""os-faults' human commands, such as ``restart keystone service on random node``.

The grammar is os-faults' own, with its looseness: the command is lower-cased and searched for, words before and behind
what was found are ignored, and whoever is not told where to act acts on all nodes. ``reboot node-1`` thus reboots every
node (``reboot node-1 node`` is what was meant), and a node that is named behind ``for N seconds`` is not heard.

A node action can be aimed ``with NAME service``, at the nodes where that service runs; ``component`` then names it.
"""

from __future__ import annotations

import re
from typing import Literal

from faultset.records.cluster import HumanCommand

COMPONENT_ACTIONS = ("restart", "terminate", "start", "kill", "plug", "unplug", "freeze", "unfreeze")
NODE_ACTIONS = ("reboot", "oom", "poweroff", "poweron", "reset", "shutdown", "disconnect", "connect", "stress")
_LONGEST = 1_000

Selector = Literal["all", "one", "random", "some", "named"]
_SELECTORS: dict[str | None, Selector] = {
    None: "all",
    "all": "all",
    "one": "one",
    "single": "one",
    "random": "random",
    "some": "some",
}

_ON_NODES = r"(?:\s+on(?:\s+(?P<nodes>\S+))?\s+nodes?)?"
_FOR_SECONDS = r"\s+for\s+(?P<seconds>\d{1,9})\s+seconds"
_ON_COMPONENT = re.compile(
    rf"(?P<action>{'|'.join(COMPONENT_ACTIONS)})\s+(?P<component>\S+)\s+(?:service|container)"
    rf"(?:\s+(?:ingress|egress)\s+(?:to|from)\s+\S+\s+service)?{_ON_NODES}(?:{_FOR_SECONDS})?"
)
_ON_NODE = re.compile(
    rf"(?P<action>{'|'.join(NODE_ACTIONS)})(?:\s+(?P<network>\w+)\s+network\s+on)?"
    rf"(?:\s+(?P<load>\w+){_FOR_SECONDS}(?:\s+on)?)?(?:\s+(?P<nodes>\S+))?\s+nodes?"
    r"(?:\s+with\s+(?P<component>\S+)\s+service)?"
)


def parse(text: str) -> HumanCommand:
    """Return what the command ``text`` asks for.

    Raises:
        ValueError: os-faults would not accept it; a sentence says why.
    """
    command = text.lower()
    if len(command) > _LONGEST:
        raise ValueError(f"a command of {len(command):,} characters is none of os-faults' human commands")
    if match := _ON_COMPONENT.search(command):
        return _on_component(match)
    if match := _ON_NODE.search(command):
        return _on_node(match)
    raise ValueError(
        "it is none of os-faults' human commands, '<action> <name> service|container [on <nodes> node]' or"
        f" '<action> [<nodes>] node' with an action of {', '.join((*COMPONENT_ACTIONS, *NODE_ACTIONS))}"
    )


def _on_component(match: re.Match[str]) -> HumanCommand:
    selector, nodes = _selection(match["nodes"])
    return HumanCommand(match["action"], match["component"], selector, nodes, _seconds(match))


def _on_node(match: re.Match[str]) -> HumanCommand:
    action, component = match["action"], match["component"]
    if action in ("disconnect", "connect") and not match["network"]:
        raise ValueError(f"'{action}' needs the name of a network: '{action} <name> network on <nodes> node'")
    if action == "stress" and not match["load"]:
        raise ValueError("'stress' needs a load and a time: 'stress cpu for 60 seconds on <nodes> node'")
    selector, nodes = _selection(match["nodes"])
    if component and selector == "named":
        # os-faults then looks at the service alone, and goes to every node where it runs.
        selector, nodes = "all", ()
    return HumanCommand(action, component, selector, nodes, _seconds(match), match["network"])


def _selection(nodes: str | None) -> tuple[Selector, tuple[str, ...]]:
    if nodes in _SELECTORS:
        return _SELECTORS[nodes], ()
    named = tuple(name for name in (nodes or "").split(",") if name)
    if not named:
        raise ValueError("the list of nodes is empty")
    return "named", named


def _seconds(match: re.Match[str]) -> float | None:
    return float(match["seconds"]) if match["seconds"] else None
