"""Views of the cluster: nodes, components, hosts, and where components lie."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from faultset.expectations import telemetry_views
from faultset.expectations.frames import FLAG, NUMBER, TEXT, frame, listed
from faultset.records.cluster import Cluster, Component
from faultset.records.telemetry import TelemetryFacts
from faultset.tables import TargetRow
from faultset.truth.placement import Placement

# What a deployment keeps on its controllers, and what only makes sense beside a hypervisor. Components that sites
# place as they like (Neutron's agents, Cinder's volume service, Ceph) are in neither.
CONTROL_COMPONENTS = frozenset(
    {
        *("keystone", "keystone_fernet", "glance_api", "glance_registry", "placement_api", "horizon"),
        *(
            "nova_api",
            "nova_conductor",
            "nova_scheduler",
            "nova_novncproxy",
            "nova_consoleauth",
            "nova_super_conductor",
        ),
        *("neutron_server", "cinder_api", "cinder_scheduler", "heat_api", "heat_api_cfn", "heat_engine"),
        *("swift_proxy_server", "mariadb", "rabbitmq", "memcached", "haproxy"),
        *("kube_apiserver", "kube_scheduler", "kube_controller_manager", "etcd"),
    }
)
COMPUTE_COMPONENTS = frozenset({"nova_compute", "nova_libvirt"})
_ROLE_WORDS = {
    "control": frozenset({"controller", "control", "controlplane", "ctl", "master"}),
    "compute": frozenset({"compute", "cmp", "hypervisor", "worker"}),
}


def nodes(cluster: Cluster | None, telemetry: Sequence[TelemetryFacts] = ()) -> pd.DataFrame:
    """One row a node of the cluster file; ``metrics_files`` is null where there are no metrics at all."""
    rows = cluster.nodes if cluster else ()
    return frame(
        where=(TEXT, [f"node {node.name} (line {node.line})" for node in rows]),
        node=(TEXT, [node.name.lower() for node in rows]),
        ip=(TEXT, [node.ip.lower() if node.ip else None for node in rows]),
        role=(TEXT, [node.role for node in rows]),
        metrics_files=(NUMBER, telemetry_views.metrics_files(telemetry, [node.name for node in rows])),
    )


def component_view(components: Sequence[Component], found: Sequence[TargetRow], placement: Placement) -> pd.DataFrame:
    """One row a container or service; ``untouched`` names declared hosts of an injected one that no hook went to."""
    return frame(
        where=(TEXT, [_component(component) for component in components]),
        kind=(TEXT, [component.kind for component in components]),
        component=(TEXT, [component.key for component in components]),
        container=(TEXT, [component.container for component in components]),
        untouched=(TEXT, [_untouched(component, found, placement) for component in components]),
    )


def _component(component: Component) -> str:
    return f"{component.kind} {component.key} (line {component.line})"


def _targets_of(component: Component, found: Sequence[TargetRow]) -> list[TargetRow]:
    return [t for t in found if t.component == component.key and t.container]


def _untouched(component: Component, found: Sequence[TargetRow], placement: Placement) -> str | None:
    reached = {target.node for target in _targets_of(component, found)}
    if not reached or component.hosts is None:
        return None
    return listed(p.name for p in placement.homes(component) if p.node and p.name not in reached) or None


def hosts(components: Sequence[Component], found: Sequence[TargetRow], placement: Placement) -> pd.DataFrame:
    """One row a host that a container or service names; ``node`` is null where the cluster file has no such node."""
    injected = {component: bool(_targets_of(component, found)) for component in components}
    rows = [(component, host) for component in components for host in component.hosts or ()]
    known = [placement.place(host).node for _, host in rows]
    return frame(
        where=(TEXT, [f"{_component(component)}: host {host}" for component, host in rows]),
        container=(TEXT, [component.container for component, _ in rows]),
        host=(TEXT, [host for _, host in rows]),
        node=(TEXT, [node.name if node else None for node in known]),
        injected=(FLAG, [injected[component] for component, _ in rows]),
    )


def placements(components: Sequence[Component], placement: Placement) -> pd.DataFrame:
    """One row a component on a node whose role is known; ``expected`` is null where any role will do."""
    rows = [
        (component, place.node, place.node.role)
        for component in components
        if component.hosts is not None
        for place in placement.homes(component)
        if place.node and place.node.role
    ]
    return frame(
        where=(TEXT, [f"{component.container} on {node.name}" for component, node, _ in rows]),
        container=(TEXT, [component.container for component, _, _ in rows]),
        node=(TEXT, [node.name for _, node, _ in rows]),
        role=(TEXT, [role for _, _, role in rows]),
        expected=(TEXT, [expected_role(component, role) for component, _, role in rows]),
    )


def expected_role(component: Component, role: str) -> str | None:
    """Return the role that ``component`` belongs on: ``role`` itself where that fits, null where any will do."""
    known_as = {name.lower().replace("-", "_") for name in (component.key, component.container)}
    words = set(re.findall(r"[a-z]+", role.lower()))
    roles = {name for name, synonyms in _ROLE_WORDS.items() if words & synonyms}
    if not roles:
        return None
    for wanted, members in (("control", CONTROL_COMPONENTS), ("compute", COMPUTE_COMPONENTS)):
        if known_as & members:
            return role if wanted in roles else wanted
    return None
