"""What a hook's output proves: docker names each container that it acted on, ssh each host that it could not reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from faultset.records import HookResult
from faultset.truth.placement import short_name

_NO_SUCH_CONTAINER = re.compile(r"No such container:?\s*\"?(?P<name>[\w.-]+)")
_PSEUDO_TERMINAL = "Pseudo-terminal will not be allocated"
_BANNER = re.compile(r"^(?:StdOut: )?Welcome to ", re.MULTILINE)
_UNREACHABLE = (
    re.compile(r"ssh: connect to host (?P<host>\S+) port"),
    re.compile(r"ssh: Could not resolve hostname (?P<host>[^\s:]+)"),
    re.compile(r"^(?:[\w.-]+@)?(?P<host>[\w.-]+): Permission denied", re.MULTILINE),
    re.compile(r"Connection (?:closed|reset) by (?P<host>\S+) port"),
)


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """What the output of one firing proves.

    Attributes:
        acted: container -> how many actions docker acknowledged, one line of output each.
        refused: container -> how many actions met "No such container".
        unreachable: short names of hosts that no session could be opened to.
        sessions: how many remote sessions left their mark; 0 where nothing tells.
        seen: whether there was any output, so that the absence of words means something.
    """

    acted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    unreachable: frozenset[str] = frozenset()
    sessions: int = 0
    seen: bool = False


def read_output(result: HookResult, containers: Iterable[str]) -> Acknowledgements:
    """Read the output of a firing.

    Args:
        result: the firing.
        containers: names that a line of output may consist of; other lines prove nothing.
    """
    names = frozenset(containers)
    lines = (line.strip().removeprefix("StdOut: ") for line in result.stdout.splitlines())
    return Acknowledgements(
        acted=Counter(line for line in lines if line in names),
        refused=Counter(match["name"] for match in _NO_SUCH_CONTAINER.finditer(result.stderr)),
        unreachable=frozenset(
            short_name(match["host"]) for pattern in _UNREACHABLE for match in pattern.finditer(result.stderr)
        ),
        sessions=max(result.stderr.count(_PSEUDO_TERMINAL), len(_BANNER.findall(result.stdout))),
        seen=result.has_output,
    )
