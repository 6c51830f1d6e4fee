"""What os-faults knows: nodes, components, and the human commands that act on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the cluster.

    Attributes:
        name: short name: the fqdn's first label, or the IP where there is no fqdn.
        fqdn: as written; None where absent.
        ip: as written; None where absent.
        role: from a ``role`` key or a ``# role:`` comment, lower case; None where neither is there.
        line: line of the file it starts at, from 1.
    """

    name: str
    fqdn: str | None
    ip: str | None
    role: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Component:
    """A container or service that os-faults can act on.

    Attributes:
        key: its name in the file.
        kind: ``container``, ``service`` or ``pod`` (the section it stands in).
        driver: os-faults' driver, such as ``docker_container`` or ``system_service``.
        container: the name that the machine knows it by (``container_name``, ``service_name``, ...); the key where
            nothing else is said.
        hosts: as written (IPs or names), in order; None where none are given, which means every node.
        line: line of the file it starts at, from 1.
    """

    key: str
    kind: Literal["container", "service", "pod"]
    driver: str
    container: str
    hosts: tuple[str, ...] | None
    line: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """What runs where: an os-faults configuration without its credentials, or a cluster.yaml."""

    uri: str
    nodes: tuple[Node, ...]
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class HumanCommand:
    """A parsed os-faults human command.

    Attributes:
        action: ``restart``, ``kill``, ``freeze``, ``reboot``, ``disconnect``, ...
        component: service or container it acts on; None for a node action.
        selector: ``all``, ``one``, ``random`` (any one of several), ``some`` (several, unknown which), ``named``.
        nodes: fqdns of a ``named`` selection.
        duration_s: seconds, for actions that last; None otherwise.
        network: of ``disconnect`` and ``connect``; None otherwise.
    """

    action: str
    component: str | None
    selector: Literal["all", "one", "random", "some", "named"]
    nodes: tuple[str, ...] = ()
    duration_s: float | None = None
    network: str | None = None
