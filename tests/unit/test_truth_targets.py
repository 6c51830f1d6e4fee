"""Declared, commanded and effective are three truths, each with its evidence."""

from __future__ import annotations

from collections import Counter

import pytest

from faultset.moments import Instant, from_epoch
from faultset.records.cluster import Cluster, Component, HumanCommand, Node
from faultset.records.run import HookResult
from faultset.records.scripts import Clue, CommandedAction, HookScripts
from faultset.truth.acted import who_acted
from faultset.truth.effect import effect_of, verb_of
from faultset.truth.output import Acknowledgements, read_output
from faultset.truth.placement import Placement, short_name
from faultset.truth.targets import (
    orders_of,
    row,
    targets_by_command,
    targets_by_output,
    targets_by_script,
)

CONTROLLER, COMPUTE = "192.0.2.1", ("192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5")
NODES = (
    Node("ctl1", "ctl1", CONTROLLER, "controller", 1),
    *(Node(f"cmp{i}", f"cmp{i}", ip, "compute", i + 1) for i, ip in enumerate(COMPUTE, start=1)),
)


def component(key: str, hosts: tuple[str, ...] | None, container: str | None = None) -> Component:
    return Component(key, "container", "docker_container", container or key, hosts, 1)


CLUSTER = Cluster(
    "os-faults.yaml",
    NODES,
    (
        component("nova_compute", COMPUTE),
        component("glance_api", (CONTROLLER,)),
        component("neutron_server", (CONTROLLER,)),
        component("neutron_openvswitch_agent", (CONTROLLER, *COMPUTE)),
        component("ovs_vswitchd", (CONTROLLER, *COMPUTE), "openvswitch_vswitchd"),
    ),
)
PLACEMENT = Placement(CLUSTER)
MISSING = "Error response from daemon: No such container: nova_compute\n"
SESSION = "Pseudo-terminal will not be allocated because stdin is not a terminal.\n"


def result(stdout: str = "", stderr: str = "", status: str = "success", code: int | None = 0) -> HookResult:
    moment = Instant(from_epoch(1_574_203_903.0))
    return HookResult(0, "sys_call", None, "iteration", 250, moment, moment, status, code, stdout, stderr)


def script(hosts: list[str], name: str, verbs: tuple[str, ...] = ("stop", "start"), times: int = 2) -> HookScripts:
    actions = tuple(
        CommandedAction(host, verb, name, "container", times, "inner.sh", 3) for host in hosts for verb in verbs
    )
    return HookScripts(actions, tuple(hosts))


NOVA_HOSTS = ["cmp1.example.org", "cmp2.example.org", "cmp3.example.org", "cmp4.example.org", "ctl1.example.org"]
NOVA = result("Restarting nova-container\n" + "nova_compute\n" * 16, SESSION * 5 + MISSING * 4, "failed", 1)


def nova_targets(placement: Placement = PLACEMENT):
    orders = orders_of(script(NOVA_HOSTS, "nova_compute"), placement)
    output = read_output(NOVA, {"nova_compute"})
    return targets_by_script(orders, output, placement, 1), output


def test_trap_hook_status_is_not_fault_effect():
    targets, output = nova_targets()
    effective = {target.place.name for target in targets if target.effective}
    assert effective == {"cmp1", "cmp2", "cmp3", "cmp4"}
    assert effect_of(NOVA, targets, output)[0] == "partial"


def test_an_undeclared_node_is_commanded_not_declared_not_effective():
    targets, _ = nova_targets()
    missed = [row(t, "i", PLACEMENT, {}) for t in targets if t.place.name == "ctl1"]
    assert [(t.declared, t.commanded, t.effective) for t in missed] == [(False, True, False)]
    assert "refused" in missed[0].evidence


def test_targets_carry_node_role_service_and_what_was_done():
    targets, _ = nova_targets()
    first = row(targets[0], "i", PLACEMENT, {})
    assert (first.node, first.node_ip, first.role) == ("cmp1", "192.0.2.2", "compute")
    assert (first.service, first.layer, first.action, first.action_count) == ("nova", "openstack", "stop+start", 4)


def test_without_scripts_the_arithmetic_of_sessions_and_the_declared_hosts_name_the_four():
    output = read_output(NOVA, PLACEMENT.containers())
    targets = targets_by_output(PLACEMENT.containers(), output, PLACEMENT)
    assert {(t.place.name, t.resolution, t.effective) for t in targets} == {
        (f"cmp{i}", "inferred", True) for i in (1, 2, 3, 4)
    }
    assert effect_of(NOVA, targets, output)[0] == "partial"


def test_one_session_means_one_node_that_has_all_of_the_containers():
    fired = result("neutron_server\nneutron_openvswitch_agent\n" * 2, SESSION)
    output = read_output(fired, PLACEMENT.containers())
    targets = targets_by_output(PLACEMENT.containers(), output, PLACEMENT)
    assert {(t.place.name, t.container) for t in targets} == {
        ("ctl1", "neutron_server"),
        ("ctl1", "neutron_openvswitch_agent"),
    }
    assert effect_of(fired, targets, output)[0] == "full"


def test_what_the_arithmetic_does_not_force_stays_ambiguous():
    fired = result("nova_compute\n" * 4)
    output = read_output(fired, PLACEMENT.containers())
    targets = targets_by_output(PLACEMENT.containers(), output, PLACEMENT)
    assert {t.resolution for t in targets} == {"ambiguous"}
    assert {(t.commanded, t.effective) for t in targets} == {(None, None)}
    assert len(targets) == 4


def test_without_a_cluster_file_declared_is_unknown_and_no_node_is_guessed():
    nowhere = Placement(None)
    targets, _ = nova_targets(nowhere)
    assert {row(t, "i", nowhere, {}).declared for t in targets} == {None}
    assert {t.effective for t in targets} == {None}


@pytest.mark.parametrize(
    ("acted", "refused", "expected"),
    [
        (8, 0, {"a": True, "b": True}),
        (0, 8, {"a": False, "b": False}),
        (4, 0, {"a": None, "b": None}),
    ],
)
def test_who_acted_by_counts(acted: int, refused: int, expected: dict[str, bool | None]):
    output = Acknowledgements(Counter(x=acted), Counter(x=refused), seen=True)
    verdicts = who_acted({"a": 4, "b": 4}, frozenset({"a", "b"}), "x", output)
    assert {node: effective for node, (effective, _) in verdicts.items()} == expected


def test_different_counts_tell_the_nodes_apart():
    verdicts = who_acted({"a": 4, "b": 2}, None, "x", Acknowledgements(Counter(x=2), seen=True))
    assert {node: effective for node, (effective, _) in verdicts.items()} == {"a": False, "b": True}


def test_a_node_that_ssh_could_not_reach_was_not_hit():
    fired = result(
        "nova_compute\n" * 4, "ssh: connect to host cmp2.example.org port 22: Connection refused\n", "failed", 255
    )
    orders = orders_of(script(["cmp1.example.org", "cmp2.example.org"], "nova_compute"), PLACEMENT)
    targets = targets_by_script(orders, read_output(fired, {"nova_compute"}), PLACEMENT, 255)
    assert {t.place.name: t.effective for t in targets} == {"cmp1": True, "cmp2": False}


def test_silence_proves_nothing():
    fired = result("", "", "success", 0)
    orders = orders_of(script(["cmp1"], "nova_compute"), PLACEMENT)
    targets = targets_by_script(orders, read_output(fired, {"nova_compute"}), PLACEMENT, 0)
    assert [t.effective for t in targets] == [None]
    assert effect_of(fired, targets, read_output(fired, set()))[0] == "unknown"


def test_a_lone_service_command_is_judged_by_its_exit_code():
    clues = (Clue("exit 0", succeeded=True), Clue("exit not 0", succeeded=False))
    action = CommandedAction("cmp1", "restart", "nova-compute", "service", 1, "a.sh", 1, clues=clues)
    scripts = HookScripts((action,), ("cmp1",))
    orders = orders_of(scripts, PLACEMENT)
    done = targets_by_script(orders, Acknowledgements(seen=True), PLACEMENT, 0)
    failed = targets_by_script(orders, Acknowledgements(seen=True), PLACEMENT, 1)
    assert ([t.effective for t in done], [t.effective for t in failed]) == ([True], [None])


def test_trap_a_random_choice_is_recorded_nowhere_so_all_candidates_are_named():
    targets = targets_by_command(HumanCommand("restart", "nova_compute", "random"), True, PLACEMENT)
    assert {t.place.name for t in targets} == {"cmp1", "cmp2", "cmp3", "cmp4"}
    assert {(t.resolution, t.commanded, t.effective) for t in targets} == {("ambiguous", None, None)}
    assert effect_of(result(), targets, Acknowledgements())[0] == "full"


def test_a_random_choice_among_one_is_no_choice():
    targets = targets_by_command(HumanCommand("restart", "glance_api", "random"), True, PLACEMENT)
    assert [(t.place.name, t.resolution, t.effective) for t in targets] == [("ctl1", "exact", True)]


def test_a_human_command_names_nodes_by_fqdn():
    targets = targets_by_command(HumanCommand("kill", "nova_compute", "named", ("cmp2.example.org",)), True, PLACEMENT)
    assert [(t.place.name, t.action) for t in targets] == [("cmp2", "kill")]


def test_trap_components_key_and_containers_name_can_differ():
    orders = orders_of(script(["cmp1"], "openvswitch_vswitchd"), PLACEMENT)
    fired = result("openvswitch_vswitchd\n" * 4)
    [target] = targets_by_script(orders, read_output(fired, {"openvswitch_vswitchd"}), PLACEMENT, 0)
    decided = row(target, "i", PLACEMENT, {})
    assert (decided.component, decided.container, decided.declared) == ("ovs_vswitchd", "openvswitch_vswitchd", True)


def test_no_hosts_means_every_node():
    everywhere = Placement(Cluster("f", NODES, (component("chrony", None),)))
    chrony = everywhere.component("chrony")
    assert chrony is not None
    assert len(everywhere.homes(chrony)) == 5


@pytest.mark.parametrize(
    ("host", "name"),
    [("cmp1.example.org", "cmp1"), ("CMP1", "cmp1"), ("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::1")],
)
def test_hosts_are_known_by_their_short_names(host: str, name: str):
    assert short_name(host) == name


def test_verbs_are_joined_in_order_without_repeats():
    targets, _ = nova_targets()
    assert verb_of(targets) == "stop+start"
    assert verb_of(()) is None
