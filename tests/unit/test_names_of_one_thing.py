"""Names of one thing: files of metrics and the nodes they are of; units and processes and the components they wrap."""

from __future__ import annotations

import polars as pl
import pytest

from faultset.labels import leaks
from faultset.records.cluster import Cluster, Component, Node
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import node_of, true_name
from faultset.truth.placement import Placement
from faultset.truth.services import service_of


def cluster(*nodes: tuple[str, str | None, str], components: tuple[tuple[str, str], ...] = ()) -> Placement:
    """Nodes as (name, fqdn, address), components as (key, container)."""
    return Placement(
        Cluster(
            "os-faults.yaml",
            tuple(Node(name, fqdn, ip, None, 1) for name, fqdn, ip in nodes),
            tuple(Component(key, "container", "docker_container", name, None, 2) for key, name in components),
        )
    )


NODES = cluster(
    ("192.0.2.1", None, "192.0.2.1"),
    ("192.0.2.11", None, "192.0.2.11"),
    ("cmp", "cmp.example.org", "192.0.2.20"),
    ("cmp_01", "cmp_01", "192.0.2.21"),
    ("CMP02", "CMP02.example.org", "192.0.2.22"),
)


def metrics(name: str) -> TelemetryFile:
    return TelemetryFile("metrics", "", f"metrics/{name}", "UTC", hosts=NODES.hosts())


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("192.0.2.11_metrics.csv", "192.0.2.11"),
        ("192.0.2.1_metrics.csv", "192.0.2.1"),
        ("192.0.2.11.csv", "192.0.2.11"),
        ("cmp_01_metrics.csv", "cmp_01"),
        ("cmp_metrics.csv", "cmp"),
        ("cmp_02_metrics.csv", "cmp"),
        ("CMP02.example.org_x.csv", "CMP02"),
        ("cmp02_x.csv.gz", "CMP02"),
        ("192.0.2.22_x.csv", "CMP02"),
        ("wally113_metrics_2019.csv", "wally113"),
        ("192.0.2.99_metrics.csv", "192.0.2.99"),
        ("cmp022_x.csv", "cmp022"),
    ],
)
def test_a_file_of_metrics_is_of_the_node_whose_longest_name_it_begins_with(name: str, node: str) -> None:
    assert node_of(metrics(name)) == node


def test_a_corrected_name_may_have_underscores_too() -> None:
    file = TelemetryFile("metrics", "", "old_01_metrics.csv", "UTC", renamed=(("old_01", "cmp_01"),))
    assert node_of(file) == "cmp_01"


@pytest.mark.parametrize(
    ("written", "node"), [("cmp02", "CMP02"), ("CMP_01", "cmp_01"), ("192.0.2.22", "CMP02"), ("x", "x")]
)
def test_host_names_in_rows_ignore_case(written: str, node: str) -> None:
    assert true_name(metrics("x"), written) == node


DEPLOYED = cluster(
    ("cmp01", None, "192.0.2.21"),
    components=(
        ("nova_compute", "nova_compute"),
        ("keystone", "keystone"),
        ("nova_api", "nova_api"),
        ("glance", "glance_api"),
        ("server", "neutron_server"),
        ("ovs_vswitchd", "openvswitch_vswitchd"),
        ("rabbitmq", "rabbitmq"),
        ("mariadb", "mariadb"),
    ),
)


@pytest.mark.parametrize(
    ("unit", "component", "service"),
    [
        ("tripleo_nova_compute", "nova_compute", "nova"),
        ("tripleo_nova_compute.service", "nova_compute", "nova"),
        ("edpm_nova_compute", "nova_compute", "nova"),
        ("devstack@n-cpu", "nova_compute", "nova"),
        ("devstack@n-cpu.service", "nova_compute", "nova"),
        ("devstack@n-api", "nova_api", "nova"),
        ("devstack@keystone", "keystone", "keystone"),
        ("devstack@g-api", "glance", "glance"),
        ("devstack@q-svc", "server", "neutron"),
        ("kolla-nova_compute-container", "nova_compute", "nova"),
        ("kolla-nova_compute-container.service", "nova_compute", "nova"),
        ("openstack-nova-compute", "nova_compute", "nova"),
        ("nova-compute", "nova_compute", "nova"),
        ("/usr/bin/nova-compute", "nova_compute", "nova"),
        ("ovs-vswitchd", "ovs_vswitchd", "openvswitch"),
        ("rabbitmq-server", "rabbitmq", "rabbitmq"),
        ("mysqld", "mariadb", "mariadb"),
    ],
)
def test_a_unit_or_process_is_the_component_that_it_wraps(unit: str, component: str, service: str) -> None:
    found = DEPLOYED.component(unit, "service")
    assert found is not None
    assert found.key == component
    assert service_of(unit)[0] == service


def test_trap_a_container_has_one_name_alone() -> None:
    assert DEPLOYED.component("nova-compute", "container") is None
    assert DEPLOYED.component("nova_compute", "container") is not None


def test_trap_what_only_looks_alike_is_not_the_component() -> None:
    for name in ("nova", "n-cpu", "nova_compute_ironic", "tripleo_", "compute"):
        assert DEPLOYED.component(name, "service") is None
    assert service_of("n-cpu") == (None, None)


def test_rows_that_repeat_a_command_are_found_though_its_secret_is_hidden() -> None:
    find = leaks.leaks(["sshpass -p … ssh …@cmp01 frobnicate nova_compute", "echo …", "…"], [])
    rows = pl.DataFrame(
        {"text": ["ran: sshpass -p 'x y' ssh op@cmp01 frobnicate nova_compute", "echo hello", "GET /v2/images", None]}
    )
    assert rows.select(find(pl.col("text")))["text"].to_list() == [True, False, False, False]
