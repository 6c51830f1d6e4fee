"""When faults of hooks ended, from the hooks' commands and output to the answer: what is proven, and of what."""

from __future__ import annotations

import datetime as dt

import pytest

from faultset.moments import from_epoch
from faultset.truth.fault_end import FaultEnd, fault_ends
from faultset.truth.fault_steps import deeds_of
from hook_table import CLUSTER, Hook, injected
from truth_rows import injection

START = from_epoch(1_604_400_000.0)
APART_S, LONG_S = 100, 2


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def ended(*hooks: Hook) -> FaultEnd:
    """When the fault of the first of some hooks ended, which fired 100 s apart and took 2 s each."""
    rows, deeds = [], {}
    for number, hook in enumerate(hooks):
        name, start = f"hook{number}", number * APART_S
        rows.append(injection(name, at(start), at(start + LONG_S), return_code=hook.exit))
        plan, result, found, placement = injected(hook, CLUSTER)
        deeds[name] = deeds_of(plan, result, found.targets, placement)
    return fault_ends(rows, deeds, None)["hook0"]


def hook(command: str, out: str = "", code: int = 0, err: str = "") -> Hook:
    return Hook("", command, (), "", out=out, err=err, exit=code)


@pytest.mark.parametrize(
    ("command", "out", "code", "source"),
    [
        pytest.param("docker stop nova_compute && docker start nova_compute", "nova_compute\n" * 2, 0, "command",
                     id="both were acknowledged"),
        pytest.param("docker stop nova_compute; docker start nova_compute", "nova_compute\n", 1, "unknown",
                     id="the start failed"),
        pytest.param("docker stop nova_compute; docker start nova_compute; true", "nova_compute\n", 0, "unknown",
                     id="one of two was acknowledged"),
        pytest.param("systemctl stop nova-compute && systemctl start nova-compute", "", 0, "command",
                     id="the exit code is of both"),
        pytest.param("systemctl stop nova-compute; systemctl start nova-compute", "", 1, "unknown",
                     id="the exit code says that the start failed"),
        pytest.param("docker stop nova_compute; echo docker start nova_compute | at now + 2 minutes", "nova_compute\n",
                     0, "unknown", id="nothing shows that at ran its job"),
        pytest.param("systemctl stop nova-compute && systemd-run --on-active=60 systemctl start nova-compute", "", 0,
                     "unknown", id="nothing shows that a timer ran"),
        pytest.param("ip link set eth0 down && sleep 1 && ip link set eth0 up", "", 0, "command",
                     id="the same device is up again"),
        pytest.param("ip link set eth0 down && sleep 1 && ip link set eth1 up", "", 0, "unknown",
                     id="another device is up"),
        pytest.param("ip link set dev eth0 down && ifup eth0", "", 0, "command", id="whatever tool brings it up"),
        pytest.param("tc qdisc add dev eth0 root netem loss 5% && tc qdisc del dev eth0 root", "", 0, "command",
                     id="the same queue"),
        pytest.param("tc qdisc add dev eth0 root netem loss 5% && tc qdisc del dev eth1 root", "", 0, "unknown",
                     id="the queue of another device"),
        pytest.param("tc qdisc add dev eth0 ingress && tc qdisc del dev eth0 root", "", 0, "unknown",
                     id="the other side of a device"),
        pytest.param("iptables -A INPUT -p tcp --dport 5672 -j DROP && iptables -D INPUT -p tcp --dport 5672 -j DROP",
                     "", 0, "command", id="the same rule"),
        pytest.param("iptables -I INPUT 1 -p tcp --dport 5672 -m comment --comment x -j DROP && "
                     "iptables -w -D INPUT --dport 5672 -p tcp -j DROP", "", 0, "command",
                     id="the same rule in another order"),
        pytest.param("iptables -A INPUT -p tcp --dport 5672 -j DROP && iptables -D INPUT -p tcp --dport 3306 -j DROP",
                     "", 0, "unknown", id="another rule"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP && iptables -F INPUT", "", 0, "command",
                     id="its chain was emptied"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP && iptables -F", "", 0, "command",
                     id="all chains were emptied"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP && iptables -F OUTPUT", "", 0, "unknown",
                     id="another chain was emptied"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP && ip6tables -F", "", 0, "unknown",
                     id="rules of the other family"),
        pytest.param("iptables -P INPUT DROP && iptables -F INPUT", "", 0, "unknown",
                     id="emptying a chain keeps its policy"),
        pytest.param("iptables -P INPUT DROP && iptables -P INPUT ACCEPT", "", 0, "command", id="the same policy"),
        pytest.param("docker network disconnect a nova_compute && docker network connect a nova_compute", "", 0,
                     "command", id="the same network"),
        pytest.param("docker network disconnect a nova_compute && docker network connect b nova_compute", "", 0,
                     "unknown", id="another network"),
    ],
)  # fmt: skip
def test_a_fault_ends_where_its_end_is_proven(command: str, out: str, code: int, source: str) -> None:
    assert ended(hook(f"ssh root@cmp01 '{command}'", out, code)).source == source


@pytest.mark.parametrize(
    ("first", "later", "source"),
    [
        pytest.param("ip link set eth0 down", "ip link set eth0 up", "reversed_by", id="the device"),
        pytest.param("ip link set eth0 down", "ip link set eth1 up", "unknown", id="another device"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP", "iptables -F", "reversed_by", id="all rules"),
        pytest.param("iptables -A INPUT -s 192.0.2.9 -j DROP", "iptables -D INPUT 1", "unknown", id="some rule"),
        pytest.param("tc qdisc add dev eth0 root netem loss 5%", "tc qdisc del dev eth0 root", "reversed_by",
                     id="the queue"),
        pytest.param("tc qdisc add dev eth0 root netem loss 5%", "reboot", "unknown", id="a reboot may have"),
        pytest.param("virsh destroy cmp02", "virsh start cmp02", "reversed_by", id="a domain is started again"),
    ],
)  # fmt: skip
def test_a_later_hook_undoes_what_it_names(first: str, later: str, source: str) -> None:
    assert ended(*(hook(f"ssh root@cmp01 '{command}'") for command in (first, later))).source == source


def test_what_was_left_for_later_says_when_it_was_due() -> None:
    found = ended(
        hook("ssh cmp01 'systemctl stop nova-compute && systemd-run --on-active=60 systemctl start nova-compute'")
    )
    assert "60 s after the hook's start, and nothing shows that it came" in found.reason
    assert found.open_until == at(LONG_S + 3600)
