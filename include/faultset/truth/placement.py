"""Where components live: hosts of the os-faults file joined to its nodes."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from faultset.records.cluster import Cluster, Component, Node
from faultset.truth import units


@dataclass(frozen=True, slots=True)
class Place:
    """A host that a command or a component names.

    Attributes:
        name: short name of the node; the host as written where the cluster knows no such node.
        node: the cluster's node; None where it knows none.
    """

    name: str
    node: Node | None


def short_name(host: str) -> str:
    """Return the first label of a host name, lower case; an IP address stays whole."""
    host = host.strip().lower()
    return host if host.replace(".", "").isdigit() or ":" in host else host.split(".", 1)[0]


class Placement:
    """Look-ups in one cluster; every answer is empty where no cluster file was given."""

    def __init__(self, cluster: Cluster | None) -> None:
        self.known = cluster is not None
        self._nodes = cluster.nodes if cluster else ()
        self._components = cluster.components if cluster else ()
        self._by_host: dict[str, Node] = {}
        for node in self._nodes:
            for host in (node.ip, node.fqdn, node.name, short_name(node.fqdn or node.name)):
                if host:
                    self._by_host.setdefault(host.lower(), node)

    def place(self, host: str) -> Place:
        """Return where ``host`` (IP, fully qualified or short name) is."""
        node = self._by_host.get(host.strip().lower()) or self._by_host.get(short_name(host))
        return Place(node.name if node else short_name(host), node)

    def hosts(self) -> tuple[tuple[str, str], ...]:
        """Return all that a node may be called, lower case, with the node's name."""
        return tuple(sorted((host, node.name) for host, node in self._by_host.items()))

    def everywhere(self) -> tuple[Place, ...]:
        """Return every node."""
        return tuple(Place(node.name, node) for node in self._nodes)

    def component(self, name: str, kind: str = "container") -> Component | None:
        """Return the component whose container or service is called ``name``, else the one whose key is.

        A unit or a process (``kind`` service, process) is also the one that it wraps: ``tripleo_nova_compute``,
        ``devstack@n-cpu`` and the process ``nova-compute`` run ``nova_compute``. A container has one name alone.
        """
        wanted = name.lower()
        by_container = (c for c in self._components if c.container.lower() == wanted)
        by_key = (c for c in self._components if c.key.lower() == wanted)
        exact = next(by_container, None) or next(by_key, None)
        if exact is None and kind in ("service", "process"):
            exact = self._wrapped(name)
        return exact or self._fitting(wanted)

    def _fitting(self, wanted: str) -> Component | None:
        """Return the component whose name is a pattern that fits, such as ``redis-*``."""
        patterns = (c for c in self._components if "*" in c.container)
        return next((c for c in patterns if fnmatch.fnmatchcase(wanted, c.container.lower())), None)

    def _wrapped(self, name: str) -> Component | None:
        spelled = {spelling: place for place, spelling in reversed(list(enumerate(units.spellings(name))))}
        found = [
            (spelled[word], component)
            for component in self._components
            for word in (units.words(component.container), units.words(component.key))
            if word in spelled
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    def homes(self, component: Component) -> tuple[Place, ...]:
        """Return the places that ``component`` is declared on, without repeats; every node where it names no hosts."""
        if component.hosts is None:
            return self.everywhere()
        places = [self.place(host) for host in component.hosts]
        return tuple({place.name: place for place in places}.values())

    def containers(self) -> frozenset[str]:
        """Return the names of all declared containers and services."""
        return frozenset(component.container for component in self._components)
