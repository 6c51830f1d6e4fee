"""Component -> service -> layer: which service a container, system service or process belongs to.

The table lists beginnings of names, and the longest that fits wins, so that ``neutron_openvswitch_agent`` is Neutron's
and ``openvswitch_db`` is Open vSwitch's. What no row knows is unknown; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faultset.truth import units


@dataclass(frozen=True, slots=True)
class Service:
    """A service and how its components are called.

    Attributes:
        name: id, lower case.
        title: as people write it.
        layer: openstack, infrastructure, kubernetes, network or storage.
        beginnings: of component names, in words joined by ``_``; each stands for the whole name or its first words.
    """

    name: str
    title: str
    layer: str
    beginnings: tuple[str, ...]


SERVICES = (
    Service("nova", "Nova", "openstack", ("nova",)),
    Service("swift", "Swift", "openstack", ("swift",)),
    Service("glance", "Glance", "openstack", ("glance",)),
    Service("keystone", "Keystone", "openstack", ("keystone",)),
    Service("horizon", "Horizon", "openstack", ("horizon",)),
    Service("neutron", "Neutron", "openstack", ("neutron", "ironic_neutron_agent")),
    Service("cinder", "Cinder", "openstack", ("cinder",)),
    Service("heat", "Heat", "openstack", ("heat",)),
    Service("placement", "Placement", "openstack", ("placement",)),
    Service("ironic", "Ironic", "openstack", ("ironic",)),
    Service("octavia", "Octavia", "openstack", ("octavia",)),
    Service("barbican", "Barbican", "openstack", ("barbican",)),
    Service("designate", "Designate", "openstack", ("designate",)),
    Service("magnum", "Magnum", "openstack", ("magnum",)),
    Service("manila", "Manila", "openstack", ("manila",)),
    Service("mariadb", "MariaDB", "infrastructure", ("mariadb", "mysql", "mysqld", "galera")),
    Service("rabbitmq", "RabbitMQ", "infrastructure", ("rabbitmq",)),
    Service("memcached", "memcached", "infrastructure", ("memcached", "memcache")),
    Service("haproxy", "HAProxy", "infrastructure", ("haproxy",)),
    Service("keepalived", "keepalived", "infrastructure", ("keepalived",)),
    Service("chrony", "chrony", "infrastructure", ("chrony", "chronyd", "ntp", "ntpd")),
    Service("openvswitch", "Open vSwitch", "network", ("openvswitch", "ovs", "ovsdb")),
    Service("ceph", "Ceph", "storage", ("ceph",)),
    Service("kube-apiserver", "Kubernetes API server", "kubernetes", ("kube_apiserver",)),
    Service("kube-scheduler", "Kubernetes scheduler", "kubernetes", ("kube_scheduler",)),
    Service("kube-controller-manager", "Kubernetes controller manager", "kubernetes", ("kube_controller_manager",)),
    Service("etcd", "etcd", "kubernetes", ("etcd",)),
    Service("kubelet", "kubelet", "kubernetes", ("kubelet",)),
    Service("kube-proxy", "kube-proxy", "kubernetes", ("kube_proxy",)),
    Service("fluentd", "fluentd", "kubernetes", ("fluentd", "fluent")),
    Service(
        "container-runtime",
        "Container runtime",
        "kubernetes",
        ("docker", "dockerd", "containerd", "crio", "cri_o", "podman", "container_runtime"),
    ),
)
LAYERS = {service.name: service.layer for service in SERVICES}
_BY_BEGINNING = {beginning: service for service in SERVICES for beginning in service.beginnings}


def service_of(name: str, extra: Mapping[str, str] | None = None) -> tuple[str | None, str | None]:
    """Return the service and the layer of a component.

    Args:
        name: a component's key, container, system service or process; ``-``, ``_`` and ``.`` are alike.
        extra: component -> service beside the table; it wins over the table. Its layer is the table's where the table
            knows the service, else None.

    Returns:
        ``(None, None)`` where neither knows the component.
    """
    candidates = units.spellings(name)
    for component, service in (extra or {}).items():
        if units.words(component) in candidates:
            known = service.strip().lower()
            return known, LAYERS.get(known)
    for candidate in candidates:
        parts = candidate.split("_")
        for length in range(len(parts), 0, -1):
            found = _BY_BEGINNING.get("_".join(parts[:length]))
            if found is not None:
                return found.name, found.layer
    return None, None
