"""No secret passes the border, and what surrounds it stays readable."""

from __future__ import annotations

import shlex
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.sources.kit.redaction import REDACTED, is_secret_name, redact, redact_all
from faultset.sources.telemetry.secrets import without_secrets

SECRET = "hunter2-Zq"


@pytest.mark.parametrize(
    "template",
    [
        "sshpass -p {} ssh rally@node",
        "sshpass -p{} ssh rally@node",
        "sshpass -p '{}' ssh rally@node",
        'sshpass -p "{}" ssh rally@node',
        "sshpass -v -p {} ssh rally@node",
        "sshpass -p \\\n  '{}' ssh rally@node",
        '{{"args": "sshpass -p \\"{}\\" ssh rally@node"}}',
        "SSHPASS={} sshpass -e ssh rally@node",
        "export SSHPASS='{}'",
        "openstack --os-password {} server list",
        "openstack --os-password={} server list",
        "password: {}",
        "password: '{} and more'",
        "become_password: {}",
        "OS_PASSWORD = {}",
        "db_passwd={}",
        "MYSQL_PWD={} mysqldump all",
        "admin_pass={}",
        "passphrase: {}",
        '{{"password": "{}", "user": "rally"}}',
        "{{'api_key': '{}', 'user': 'rally'}}",
        "token={}&page=2",
        "X-Auth-Token: {}",
        "client_secret: {}",
        "aws_secret_access_key = {}",
        "Authorization: Bearer {}",
        'curl -H "Authorization: Basic {}" http://node',
        "authorization: {}",
        "mysql+pymysql://nova:{}@10.0.0.1/nova",
        "amqp://guest:{}@10.0.0.1:5672//",
        "mysql -uroot -p{} -e 'show status'",
        "curl -u admin:{} http://node",
        "private_key_file: /home/rally/{}",
        "ssh -o StrictHostKeyChecking=no -i /keys/{} rally@node docker stop nova_compute",
        "scp -i '/keys/{}' file node:",
        "echo {} | sudo -S docker stop nova_compute",
        "echo '{}' | sudo -S -k systemctl stop nova-compute",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n{}\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}",
        "PASSWORD=$(cat /keys/{}) ssh node",
        "password: \"a '{}' b\"",
        "password={}'{}'\"{}\"",
    ],
)
def test_a_secret_is_replaced_wherever_it_is_given(template: str) -> None:
    text = template.replace("{{", "\0").replace("}}", "\1").replace("{}", SECRET)
    text = text.replace("\0", "{").replace("\1", "}")
    result = redact(text)
    assert SECRET not in result
    assert REDACTED in result


@pytest.mark.parametrize(
    "token",
    [
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "ghp_" + "a1" * 18,
        "gAAAAA" + "Bc-_" * 20,
        "Bearer " + "abcdef0123456789.xyz",
    ],
)
def test_a_token_is_known_by_its_shape(token: str) -> None:
    assert token not in redact(f"the server said {token}, twice")


@pytest.mark.parametrize(
    "text",
    [
        "sh ./restart_nova_compute_nodes.sh",
        "docker stop nova_compute && docker start nova_compute",
        "ssh -p 22 -o PasswordAuthentication=no rally@node docker restart glance_api",
        "ssh rally@node grep -i error /var/log/nova.log",
        "Error response from daemon: No such container: nova_compute",
        "ssh: connect to host wally117 port 22: No route to host",
        "restart keystone service on random node",
        "http://130.149.249.123:8774/v2.1/servers",
        "docker stop keystone_fernet",
        "StdOut: nova_compute\nnova_compute\n",
        "PWD=/home/rally",
        "",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_rest_of_a_text_and_its_lines_stay() -> None:
    text = "a: 1\npassword: x y\n\n-----BEGIN PRIVATE KEY-----\nAA\nBB\n-----END PRIVATE KEY-----\nlast"
    result = redact(text)
    assert result.startswith("a: 1\npassword: ")
    assert result.endswith("last")
    assert result.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sshpass -p 'a b;c' ssh u@h", ["sshpass", "-p", REDACTED, "ssh", "u@h"]),
        ('sshpass -p "a" ssh u@h', ["sshpass", "-p", REDACTED, "ssh", "u@h"]),
        ("sshpass -p a\\ b ssh u@h", ["sshpass", "-p", REDACTED, "ssh", "u@h"]),
        ("sshpass -p $(cat f) ssh u@h", ["sshpass", "-p", REDACTED, "ssh", "u@h"]),
        ("SSHPASS=a sshpass -e ssh u@h", [f"SSHPASS={REDACTED}", "sshpass", "-e", "ssh", "u@h"]),
        ("bash -c 'TOKEN=a' && x 'y'", ["bash", "-c", f"TOKEN={REDACTED}", "&&", "x", "y"]),
        ("bash -c 'PASSWORD=a; docker stop x'", ["bash", "-c", f"PASSWORD={REDACTED}; docker stop x"]),
    ],
)
def test_a_redacted_command_can_still_be_read(command: str, words: list[str]) -> None:
    assert shlex.split(redact(command)) == words


def test_nested_values_lose_what_stands_under_a_secrets_name() -> None:
    value = {
        "auth": {"username": "rally", "password": 12345, "become": True, "private_key_file": "/k"},
        "hooks": [{"args": "sshpass -p x ssh n"}, ("token=x", 7, None)],
        "secrets": ["a", "b"],
        3: "password: x",
    }
    assert redact_all(value) == {
        "auth": {"username": "rally", "password": REDACTED, "become": True, "private_key_file": REDACTED},
        "hooks": [{"args": f"sshpass -p {REDACTED} ssh n"}, (f"token={REDACTED}", 7, None)],
        "secrets": REDACTED,
        3: f"password: {REDACTED}",
    }


def test_nesting_without_end_is_cut_off() -> None:
    value: object = "password: x"
    for _ in range(5000):
        value = [value]
    assert "x" not in str(redact_all(value)).replace("redacted", "")


def test_names_of_secrets_are_known() -> None:
    assert is_secret_name("become_password")
    assert is_secret_name("OS_API_KEY")
    assert not is_secret_name("container_name")


HARD = [
    "password",
    "=",
    ":",
    " ",
    "'",
    '"',
    "\\",
    "\n",
    "$(",
    ")",
    REDACTED,
    "sshpass",
    " -p",
    " -i ",
    "ssh ",
    "token",
    "--",
    "echo ",
    "| sudo -S",
    "://",
    "u:",
    "@",
    "Authorization: ",
    "Bearer ",
    "x" * 20,
    ",",
    ";",
    "]",
    "mysql -p",
    "curl -u ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "AKIAABCDEFGHIJKLMNOP",
    "`",
    "\r",
    "\t",
    "key_file",
    "a",
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(HARD), max_size=14).map("".join)))
def test_redacting_twice_changes_nothing_and_lines_stay(text: str) -> None:
    once = redact(text)
    assert redact(once) == once
    assert once.count("\n") == text.count("\n")


@pytest.mark.parametrize("piece", [*HARD, "password='", 'password="\\"', "ssh -o x ", "sshpass -e ", "token\\\n"])
def test_a_megabyte_of_anything_takes_linear_time(piece: str) -> None:
    started = time.process_time()
    redact(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 10


@pytest.mark.parametrize("repeats", ["in turn", "in runs", "hardly"])
def test_a_secret_in_a_column_is_found_however_its_texts_repeat(repeats: str) -> None:
    texts = {
        "in turn": [f"line {number % 20}" for number in range(6000)],
        "in runs": [f"line {number // 300}" for number in range(6000)],
        "hardly": [f"line {number}" for number in range(6000)],
    }[repeats]
    for place in (1, 3100, 5999):
        texts[place] = "password=hunter2-CANARY"
    frame, touched = without_secrets(pl.DataFrame({"text": [*texts, None]}))
    assert touched == 3
    told = frame["text"].to_list()
    assert [place for place, text in enumerate(told) if text not in (*texts, None)] == [1, 3100, 5999]
    assert not any("CANARY" in text for text in told if text)
