"""Component -> service -> layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.truth.services import LAYERS, SERVICES, service_of


@pytest.mark.parametrize(
    ("names", "service", "layer"),
    [
        (
            "nova_api nova_compute nova_libvirt nova_ssh nova-conductor openstack-nova-api nova.scheduler",
            "nova",
            "openstack",
        ),
        ("swift_proxy_server swift-object-server swift_account_auditor", "swift", "openstack"),
        ("glance_api openstack-glance-registry glance-api.service", "glance", "openstack"),
        ("keystone keystone_fernet keystone_ssh devstack@keystone", "keystone", "openstack"),
        ("horizon", "horizon", "openstack"),
        ("neutron_server neutron_openvswitch_agent neutron-dhcp-agent neutron_l3_agent", "neutron", "openstack"),
        ("cinder_volume cinder-backup", "cinder", "openstack"),
        ("heat_api heat_api_cfn heat_engine", "heat", "openstack"),
        ("placement_api", "placement", "openstack"),
        ("mariadb mysql mysqld galera mariadb_clustercheck", "mariadb", "infrastructure"),
        ("rabbitmq rabbitmq-server", "rabbitmq", "infrastructure"),
        ("memcached", "memcached", "infrastructure"),
        ("haproxy", "haproxy", "infrastructure"),
        ("chrony chronyd ntpd", "chrony", "infrastructure"),
        ("openvswitch_db openvswitch_vswitchd ovsdb_server ovs_vswitchd ovs-vswitchd", "openvswitch", "network"),
        ("ceph_mon ceph-osd ceph_mgr ceph_mds ceph_rgw", "ceph", "storage"),
        ("kube-apiserver", "kube-apiserver", "kubernetes"),
        ("kube-scheduler", "kube-scheduler", "kubernetes"),
        ("kube_controller_manager", "kube-controller-manager", "kubernetes"),
        ("etcd", "etcd", "kubernetes"),
        ("kubelet kubelet.service", "kubelet", "kubernetes"),
        ("kube-proxy", "kube-proxy", "kubernetes"),
        ("fluentd", "fluentd", "kubernetes"),
        ("docker dockerd containerd crio cri-o", "container-runtime", "kubernetes"),
    ],
)
def test_every_service_of_the_field_is_known_by_its_components(names: str, service: str, layer: str) -> None:
    assert {name: service_of(name) for name in names.split()} == dict.fromkeys(names.split(), (service, layer))


@pytest.mark.parametrize("name", ["", "apache2", "my_agent", "novelty", "superglance", "kube", "-", "novacompute"])
def test_what_no_row_knows_is_unknown_and_not_guessed(name: str) -> None:
    assert service_of(name) == (None, None)


def test_the_catalog_wins_over_the_table_and_takes_its_layer() -> None:
    assert service_of("my-agent", {"my_agent": "nova"}) == ("nova", "openstack")
    assert service_of("nova_api", {"nova_api": "billing"}) == ("billing", None)


def test_ids_are_unique_lower_case_and_have_one_layer() -> None:
    names = [service.name for service in SERVICES]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)
    assert set(LAYERS.values()) <= {"openstack", "infrastructure", "kubernetes", "network", "storage", "host"}


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_any_name_has_a_service_or_none(name: str, extra: dict[str, str]) -> None:
    service, layer = service_of(name, extra)
    assert service is not None or layer is None
