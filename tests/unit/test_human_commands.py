"""os-faults' human commands, read as os-faults reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.records.cluster import HumanCommand
from faultset.sources.os_faults.commands import COMPONENT_ACTIONS, NODE_ACTIONS, parse


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("restart keystone service", HumanCommand("restart", "keystone", "all")),
        ("Restart Keystone Service", HumanCommand("restart", "keystone", "all")),
        ("restart nova_compute container on random node", HumanCommand("restart", "nova_compute", "random")),
        ("kill nova-api service on one node", HumanCommand("kill", "nova-api", "one")),
        ("terminate heat-engine service on single node", HumanCommand("terminate", "heat-engine", "one")),
        ("start a.b_c-d service on some nodes", HumanCommand("start", "a.b_c-d", "some")),
        ("kill mysql service on all nodes", HumanCommand("kill", "mysql", "all")),
        ("kill mysql service on nodes", HumanCommand("kill", "mysql", "all")),
        ("plug mysql service on node-2.local node", HumanCommand("plug", "mysql", "named", ("node-2.local",))),
        ("unplug mysql service on a.b,c.d nodes", HumanCommand("unplug", "mysql", "named", ("a.b", "c.d"))),
        ("unplug mysql service ingress from nova service on one node", HumanCommand("unplug", "mysql", "one")),
        ("freeze etcd service on one node for 30 seconds", HumanCommand("freeze", "etcd", "one", duration_s=30.0)),
        ("freeze etcd service for 5 seconds", HumanCommand("freeze", "etcd", "all", duration_s=5.0)),
        ("unfreeze etcd service", HumanCommand("unfreeze", "etcd", "all")),
        ("  please restart  nova  service  now", HumanCommand("restart", "nova", "all")),
        ("reboot node", HumanCommand("reboot", None, "all")),
        ("reboot random node", HumanCommand("reboot", None, "random")),
        ("Poweroff node-2.local node", HumanCommand("poweroff", None, "named", ("node-2.local",))),
        ("poweron all nodes", HumanCommand("poweron", None, "all")),
        ("reset one node", HumanCommand("reset", None, "one")),
        ("shutdown a,b nodes", HumanCommand("shutdown", None, "named", ("a", "b"))),
        ("oom one node", HumanCommand("oom", None, "one")),
        ("reboot one node with nova-api service", HumanCommand("reboot", "nova-api", "one")),
        ("reset node with mysql service", HumanCommand("reset", "mysql", "all")),
        ("stress cpu for 60 seconds on a.b node", HumanCommand("stress", None, "named", ("a.b",), 60.0)),
        ("stress CPU for 9 seconds on all nodes with x service", HumanCommand("stress", "x", "all", duration_s=9.0)),
        ("disconnect storage network on one node", HumanCommand("disconnect", None, "one", network="storage")),
        (
            "connect management network on node with rabbitmq service",
            HumanCommand("connect", "rabbitmq", "all", network="management"),
        ),
    ],
)
def test_a_command_is_its_action_target_nodes_and_time(text: str, command: HumanCommand) -> None:
    assert parse(text) == command


def test_a_node_named_without_the_word_node_means_all_nodes_as_in_os_faults() -> None:
    assert parse("reboot node-1") == HumanCommand("reboot", None, "all")


def test_nodes_behind_the_time_are_not_heard_as_in_os_faults() -> None:
    assert parse("freeze x service for 5 seconds on one node").selector == "all"


def test_a_name_beside_a_service_is_not_heard_as_in_os_faults() -> None:
    assert parse("reboot node-1 node with nova service") == HumanCommand("reboot", "nova", "all")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "inject some fault",
        "restart",
        "restart nova",
        "restart service",
        "stop nova service",
        "reboot on all nodes",
        "reboot everything",
        "disconnect one node",
        "connect node",
        "stress one node",
        "stress cpu on one node",
        "kill x service on , nodes",
        "sh ./restart.sh",
        "restart x service" + " " * 2_000,
    ],
)
def test_what_os_faults_would_not_accept_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+ \w+"):
        parse(text)


WORDS = [
    *COMPONENT_ACTIONS,
    *NODE_ACTIONS,
    "service",
    "container",
    "on",
    "node",
    "nodes",
    "one",
    "random",
    "all",
    "a.b",
    "for",
    "5",
    "seconds",
    "network",
    "with",
    "ingress",
    "from",
    ",",
    " ",
    "cpu",
    "\n",
    "İ",
]


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)))
def test_whatever_the_text_it_is_a_command_or_a_sentence(text: str) -> None:
    try:
        command = parse(text)
    except ValueError:
        return
    assert command.action in (*COMPONENT_ACTIONS, *NODE_ACTIONS)
    assert bool(command.nodes) is (command.selector == "named")
