"""Real os-faults configuration and hook scripts of the shape that ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from faultset.records.scripts import HookScripts
from faultset.sources.os_faults.cluster import read_cluster
from faultset.sources.scripts.orders import orders, read_library

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "real"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the real files are not beside this checkout"),
]
COMPUTE = ["wally117", "wally122", "wally124", "wally123"]
AGENTS = ("neutron_metadata_agent", "neutron_l3_agent", "neutron_dhcp_agent")


def hook(run: str, command: str) -> HookScripts:
    library = read_library([str(path) for path in sorted((SHARED / "hook_scripts" / run).iterdir())])
    found = orders(command, library)
    assert found is not None
    assert "CANARY" not in repr(library)
    assert "CANARY" not in repr(found)
    return found


def totals(found: HookScripts) -> dict[tuple[str | None, str, str | None], int]:
    counts: dict[tuple[str | None, str, str | None], int] = {}
    for action in found.actions:
        key = ((action.host or "").split(".")[0], action.verb, action.name)
        counts[key] = counts.get(key, 0) + action.count
    return counts


def test_the_cluster_has_five_nodes_with_roles_and_its_components_without_a_credential() -> None:
    cluster = read_cluster(str(SHARED / "msod" / "os-faults-latest.yaml"))
    assert {node.name: (node.ip, node.role) for node in cluster.nodes} == {
        "wally113": ("130.149.249.123", "controller"),
        "wally117": ("130.149.249.127", "compute"),
        "wally122": ("130.149.249.132", "compute"),
        "wally123": ("130.149.249.133", "compute"),
        "wally124": ("130.149.249.134", "compute"),
    }
    components = {component.key: component for component in cluster.components}
    assert len(components) == 19
    assert components["ovs_vswitchd"].container == "openvswitch_vswitchd"
    assert len(components["nova_compute"].hosts or ()) == 4
    assert len(components["neutron_openvswitch_agent"].hosts or ()) == 5
    assert "CANARY" not in repr(cluster)
    assert "id_rsa" not in repr(cluster)


def test_the_nova_hook_stops_and_starts_twice_on_five_nodes() -> None:
    found = hook("nova", "sh ./restart_nova_compute_nodes.sh")
    hosts = [*COMPUTE, "wally113"]
    assert [host.split(".")[0] for host in found.sessions] == hosts
    assert totals(found) == {(host, verb, "nova_compute"): 2 for host in hosts for verb in ("stop", "start")}
    assert found.notes == ()


def test_the_neutron_hook_acts_on_five_containers_of_one_node_and_on_one_of_them_twice() -> None:
    found = hook("neutron", "sh ./restart_neutron_container.sh")
    assert [host.split(".")[0] for host in found.sessions] == ["wally113"]
    once = {("wally113", verb, name): 1 for name in (*AGENTS, "neutron_server") for verb in ("stop", "start")}
    twice = {("wally113", verb, "neutron_openvswitch_agent"): 2 for verb in ("stop", "start")}
    assert totals(found) == once | twice


def test_the_glance_hook_restarts_one_container_once() -> None:
    found = hook("glance", "sh ./restart_glance_container.sh")
    assert totals(found) == {("wally113", "restart", "glance_api"): 1}


def test_a_command_under_another_name_falls_back_to_the_only_entry_script() -> None:
    found = hook("nova", "bash /home/rally/hooks/nova.sh")
    assert len(found.sessions) == 5
    assert len(found.notes) == 1
