"""Published commands hold nothing but recognised words, whatever form a secret has."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.sources.public.text import Known, public_command, public_message, public_output, public_sentence
from secret_forms import COMMANDS, DESCRIPTIONS, OUTPUTS, secret

KNOWN = Known().also(["cmp01", "cmp01.cloud.example", "cmp02", "ctl01", "192.0.2.21", "nova_compute", "my-agent"])


def shown(command: str) -> str:
    return public_command(command, KNOWN)


@pytest.mark.parametrize("form", COMMANDS)
def test_no_form_of_a_secret_stands_in_a_published_command(form: str) -> None:
    hidden = secret(COMMANDS.index(form))
    assert not leaked(hidden, shown(form.format(s=hidden)))


@pytest.mark.parametrize("form", OUTPUTS)
def test_no_form_of_a_secret_stands_in_a_published_output(form: str) -> None:
    hidden = secret(1_000 + OUTPUTS.index(form))
    assert not leaked(hidden, public_output(form.format(s=hidden), KNOWN))


@pytest.mark.parametrize("form", [*DESCRIPTIONS, *COMMANDS])
def test_no_form_of_a_secret_stands_in_a_published_sentence(form: str) -> None:
    hidden = secret(2_000 + len(form))
    assert not leaked(hidden, public_sentence(form.format(s=hidden), KNOWN))


def leaked(hidden: str, text: str) -> list[str]:
    return [part for part in re.split(r"[-_.!]", hidden) if part in text]


@pytest.mark.parametrize(
    "command",
    [
        "sh ./restart_nova_compute_nodes.sh",
        "docker restart nova_compute",
        "docker stop -t 30 nova_compute && sleep 15 && docker start nova_compute",
        "for i in {1..4}; do docker restart nova_compute; sleep 0.1; done",
        "ssh -tt -o StrictHostKeyChecking=no cmp01 'sudo docker stop nova_compute; sleep 15'",
        'ssh cmp01 "ssh cmp02 \\"docker restart my-agent\\""',
        "docker kill $(docker ps -q --filter \"name=^nova_compute$\")",
        "docker ps | grep 'nova_compute\\|my-agent' | xargs docker restart",
        "pdsh -w cmp01,cmp02 systemctl restart neutron-l3-agent.service",
        "/usr/bin/systemctl kill -s KILL devstack@n-cpu 2>/dev/null || true",
        "(sleep 120; docker start nova_compute) &",
        "os-inject-fault 'freeze nova_compute service on cmp01 node for 60 seconds'",
        '{"action": "kill rabbitmq service on one node"}',
        "sshpass -p [redacted] ssh cmp01 reboot",
    ],
)  # fmt: skip
def test_a_command_of_recognised_words_stays_as_it_is(command: str) -> None:
    assert shown(command) == command


@pytest.mark.parametrize(
    ("command", "published"),
    [
        ("ssh op@cmp01 docker restart nova_compute", "ssh …@cmp01 docker restart nova_compute"),
        ("ssh op@elsewhere docker restart nova_compute", "ssh … docker restart nova_compute"),
        ("/opt/hooks/stop.sh cmp01", "…/stop.sh cmp01"),
        ("A=1 B=2 docker restart unknown-thing", "… docker restart …"),
        ("echo 4711 | sudo -S docker restart nova_compute", "echo … | sudo -S docker restart nova_compute"),
        ("docker exec nova_compute mysqladmin -pabc", "docker exec nova_compute mysqladmin …"),
        ("echo 'docker restart nova_compute' | ssh cmp01", "echo 'docker restart nova_compute' | ssh cmp01"),
        ('{"action": "reboot all nodes", "pin": 4711}', '{"action": "reboot all nodes", "…": "…"}'),
    ],
)
def test_what_is_not_recognised_is_hidden(command: str, published: str) -> None:
    assert shown(command) == published


def test_a_name_that_is_acted_on_stays_whatever_it_is() -> None:
    assert public_command("docker restart hunter2", KNOWN.also(["hunter2"])) == "docker restart hunter2"


def test_what_outputs_are_read_for_stays() -> None:
    text = (
        "nova_compute\n"
        'Error response from daemon: No such container: "other_thing"\n'
        "ssh: connect to host 198.51.100.7 port 22: Connection refused\n"
        "cmp09 | CHANGED | rc=0 >>\n"
        "Pseudo-terminal will not be allocated because stdin is not a terminal.\n"
    )
    assert public_output(text, Known().also(["nova_compute"])) == text


def test_lines_of_an_output_keep_their_number() -> None:
    assert public_output("a b\n\nc\n", Known()).count("\n") == 3


def test_a_user_is_taken_from_a_refused_session() -> None:
    text = "op@cmp01: Permission denied (publickey,password)."
    assert public_output(text, KNOWN).startswith("cmp01: Permission denied")


def test_an_error_of_an_iteration_stays_unless_it_repeats_a_command() -> None:
    plain = "GetResourceErrorStatus: Resource <Server: s_rally_1> has ERROR status. Fault: {'message': 'No host'}"
    assert public_message(plain, KNOWN) == plain
    assert "q7" not in public_message("Command 'sshpass -p q7 ssh h' failed", KNOWN)


@given(st.text(max_size=60), st.text(alphabet="bcdfghjkmqvwxz23456789", min_size=8, max_size=12), st.text(max_size=60))
def test_no_text_around_a_secret_lets_it_out(before: str, hidden: str, behind: str) -> None:
    text = before + hidden + behind
    for public in (public_command, public_output, public_sentence):
        assert hidden not in public(text, KNOWN)


@given(st.text(max_size=200))
def test_publishing_twice_changes_nothing_more_than_once_hides(text: str) -> None:
    once = public_output(text, KNOWN)
    assert public_output(once, KNOWN) == once
    assert once.count("\n") == text.count("\n")
