"""What a hook's scripts order: read from their text, never run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.records.scripts import HookScripts
from faultset.sources.scripts.orders import ScriptLibrary, orders, read_library

SECRET = "Zq-hunter2"
OUTER = """#!/bin/bash
# One session a node.
cat inner.sh | sshpass -p 'Zq-hunter2' ssh rally@cmp1.example.org &
cat inner.sh | sshpass -p "Zq-hunter2" ssh -o StrictHostKeyChecking=no -p 22 rally@cmp2.example.org &
cat inner.sh | sshpass -p 'Zq-hunter2' ssh rally@ctl1.example.org
"""
INNER = """#!/bin/bash
for i in {1..2}
do
    echo "Restarting nova-container"
    docker stop nova_compute
    sleep 15
    docker start nova_compute
done
"""


def library(folder: Path, **scripts: str) -> ScriptLibrary:
    paths = []
    for name, text in scripts.items():
        path = folder / f"{name}.sh"
        path.write_text(text)
        paths.append(str(path))
    return read_library(paths)


def read(command: str, scripts: ScriptLibrary | None = None) -> HookScripts:
    found = orders(command, scripts or ScriptLibrary())
    assert found is not None
    return found


def acts(found: HookScripts) -> list[tuple[str | None, str, str | None, int]]:
    return [(action.host, action.verb, action.name, action.count) for action in found.actions]


def on_hook(command: str) -> list[tuple[str, str | None, int]]:
    """What a command orders on the machine that runs the hook."""
    found = read(command)
    assert all(action.host is None for action in found.actions)
    return [(action.verb, action.name, action.count) for action in found.actions]


# --- scripts that are piped to nodes ---------------------------------------------------------------------------------


def test_nodes_come_from_the_outer_script_and_containers_from_the_piped_one(tmp_path: Path) -> None:
    found = read("sh ./outer.sh", library(tmp_path, outer=OUTER, inner=INNER))
    hosts = ("cmp1.example.org", "cmp2.example.org", "ctl1.example.org")
    assert found.sessions == hosts
    assert acts(found) == [(host, verb, "nova_compute", 2) for host in hosts for verb in ("stop", "start")]
    assert {(action.script, action.line, action.kind) for action in found.actions} == {
        ("inner.sh", 5, "container"),
        ("inner.sh", 7, "container"),
    }
    assert found.notes == ()


def test_no_password_of_a_script_survives(tmp_path: Path) -> None:
    scripts = library(
        tmp_path, outer=OUTER, inner=INNER + f"export OS_PASSWORD={SECRET}\ncurl -u admin:{SECRET} http://x\n"
    )
    found = read("sh ./outer.sh", scripts)
    assert SECRET not in repr(scripts)
    assert SECRET not in repr(found)
    assert SECRET not in repr(orders(f"sshpass -p {SECRET} ssh n docker stop x; export TOKEN={SECRET}", scripts))


def test_a_script_that_is_called_by_another_name_is_the_only_entry_and_a_note_says_so(tmp_path: Path) -> None:
    found = read("bash /opt/hooks/renamed.sh", library(tmp_path, outer=OUTER, inner=INNER))
    assert len(found.sessions) == 3
    assert "renamed.sh is not among the hook scripts; outer.sh" in found.notes[0]


def test_two_entries_are_not_chosen_from(tmp_path: Path) -> None:
    found = read("sh renamed.sh", library(tmp_path, one="docker stop a", two="docker stop b"))
    assert found.actions == ()
    assert "renamed.sh is not among the hook scripts" in found.notes[0]


@pytest.mark.parametrize("command", ["sh ./missing.sh", "", "\x00"])
def test_nothing_can_be_said_of_no_command_or_of_a_script_that_is_not_there(command: str) -> None:
    assert orders(command, ScriptLibrary()) is None


def test_a_missing_piped_file_is_noted(tmp_path: Path) -> None:
    found = read("sh outer.sh", library(tmp_path, outer="cat gone.sh | ssh n1"))
    assert found.sessions == ("n1",)
    assert found.notes == ("outer.sh:1: gone.sh is not among the hook scripts",)


@pytest.mark.parametrize(
    "line",
    [
        "cat inner.sh | ssh n1",
        "cat ./inner.sh|ssh -tt rally@n1 bash",
        "ssh n1 < inner.sh",
        "ssh n1 bash -s < inner.sh",
        "ssh n1 'bash -s' < inner.sh",
        "ssh n1 'sudo bash -s' <inner.sh",
        "sudo ssh n1 sh - < inner.sh",
        "scp inner.sh n1:/tmp/ && ssh n1 bash /tmp/inner.sh",
        "sshpass -e ssh -l root -i key n1 < inner.sh > log 2>&1 &",
        "nohup timeout 60 ssh -oBatchMode=yes ssh://root@n1:22 bash < inner.sh",
        "cat inner.sh 2>/dev/null | ssh -4 n1 -p 22",
        "env A=b ssh -- n1 < inner.sh",
        "tee log < inner.sh | ssh n1",
        "/usr/bin/ssh -J jump@gate n1 < inner.sh",
    ],
)
def test_every_way_to_run_a_script_on_a_node_is_followed(tmp_path: Path, line: str) -> None:
    found = read("bash outer.sh", library(tmp_path, outer=line, inner="docker restart glance_api"))
    assert found.sessions == ("n1",)
    assert acts(found) == [("n1", "restart", "glance_api", 1)]


@pytest.mark.parametrize("script", ["sh inner.sh", "./inner.sh", "source inner.sh", ". ./inner.sh", "bash -x inner.sh"])
def test_a_script_may_call_another(tmp_path: Path, script: str) -> None:
    found = read("./outer.sh", library(tmp_path, outer=script, inner="docker restart glance_api"))
    assert acts(found) == [(None, "restart", "glance_api", 1)]


def test_arguments_reach_the_script_and_its_functions(tmp_path: Path) -> None:
    text = 'act() { ssh "$1" docker "$2" $3; }\nact $1 stop $2; shift; act n9 start "$1"'
    found = read("sh ./outer.sh n1 glance_api", library(tmp_path, outer=text))
    assert acts(found) == [("n1", "stop", "glance_api", 1), ("n9", "start", "glance_api", 1)]


def test_a_session_within_a_session_goes_to_the_inner_node() -> None:
    found = read("ssh gate ssh n1 docker stop a")
    assert found.sessions == ("gate", "n1")
    assert acts(found) == [("n1", "stop", "a", 1)]


def test_copying_a_file_is_no_session() -> None:
    found = read("scp inner.sh rally@n1:/tmp")
    assert (found.sessions, found.actions, found.unread) == ((), (), ())


def test_a_here_document_is_run_on_the_node_with_what_the_script_knows() -> None:
    command = (
        "X=nova_api\nssh n1 <<EOF\ndocker stop $X\nEOF\nssh n2 <<-'END'\n\tdocker stop $X\n\tdocker start b\n\tEND\n"
    )
    found = read(command)
    assert found.sessions == ("n1", "n2")
    assert acts(found) == [("n1", "stop", "nova_api", 1), ("n2", "stop", None, 1), ("n2", "start", "b", 1)]
    assert [action.line for action in found.actions] == [3, 6, 7]
    assert len(found.notes) == 1


def test_a_script_that_is_written_first_is_run() -> None:
    found = read("cat > /tmp/x.sh <<EOF\ndocker stop a\nEOF\nssh n1 < /tmp/x.sh")
    assert acts(found) == [("n1", "stop", "a", 1)]


def test_a_script_that_is_changed_on_the_way_is_read_as_it_was_and_noted(tmp_path: Path) -> None:
    found = read("sh outer.sh", library(tmp_path, outer="sed 's/a/b/' inner.sh | ssh n1", inner="docker stop c"))
    assert acts(found) == [("n1", "stop", "c", 1)]
    assert "'sed'" in found.notes[0]


# --- loops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "rounds"),
    [
        ("for i in {1..1}", 1),
        ("for i in {1..2}", 2),
        ("for i in {0..9..3}", 4),
        ("for i in {5..1}", 5),
        ("for i in {1}", 1),
        ("for i in {a,b,c}", 3),
        ("for i in a b", 2),
        ("for i in 'a b'", 1),
        ("for i in $(seq 4)", 4),
        ("for i in `seq 2 4`", 3),
        ("for i in $(seq 1 2 9)", 5),
        ("for ((i=0;i<3;i++))", 3),
        ("for (( i = 10; i >= 4; i -= 2 ))", 4),
        ("n=2; for i in $(seq 1 $n)", 2),
        ("N='a b c'; for i in $N", 3),
        ("N='a b c'; for i in \"$N\"", 1),
        ('N=(a b c d); for i in "${N[@]}"', 4),
        ("n=5; for i in {1..$n}", 1),
        ("i=0; while [ $i -lt 3 ]", 3),
        ("i=0; until (( i >= 2 ))", 2),
    ],
)
def test_a_loop_counts_as_many_rounds_as_bash_runs(head: str, rounds: int) -> None:
    step = "; i=$((i+1))" if head.startswith("i=0") else ""
    assert on_hook(f"{head}; do docker restart x{step}; done") == [("restart", "x", rounds)]


def test_loops_within_loops_multiply() -> None:
    assert on_hook("for i in {1..3}; do for j in a b; do docker stop x; done; docker start $i; done") == [
        ("stop", "x", 6),
        ("start", "1", 1),
        ("start", "2", 1),
        ("start", "3", 1),
    ]


def test_a_loop_over_nodes_opens_a_session_each() -> None:
    found = read('NODES="n1 n2"; for n in $NODES n{3,4}.org; do ssh root@$n docker stop x & done; wait')
    assert found.sessions == ("n1", "n2", "n3.org", "n4.org")
    assert acts(found) == [(host, "stop", "x", 1) for host in found.sessions]


@pytest.mark.parametrize(
    "loop",
    [
        "for i in $(cat nodes); do docker stop x; done",
        "for i in *.txt; do docker stop x; done",
        "while true; do docker stop x; sleep 1; done",
        "while read n; do docker stop x; done < nodes",
        "for ((i=0; i<LIMIT; i++)); do docker stop x; done",
        "until docker ps | grep -q x; do docker stop x; done",
    ],
)
def test_an_unknown_number_of_rounds_counts_once_and_is_noted(loop: str) -> None:
    found = read(loop)
    assert acts(found) == [(None, "stop", "x", 1)]
    assert "counted once" in " ".join(found.notes)


def test_a_loop_that_is_left_runs_once() -> None:
    assert on_hook("while true; do docker stop x; break; docker start x; done") == [("stop", "x", 1)]
    assert on_hook("for i in 1 2 3; do docker stop x; [ $i -eq 2 ] && break; done") == [("stop", "x", 2)]
    assert on_hook("docker stop x; exit 0; docker start x") == [("stop", "x", 1)]


@pytest.mark.parametrize("head", ["for i in {1..100000}", "for i in $(seq 100000)", "for ((i=0;i<100000;i++))"])
def test_a_huge_loop_is_cut_and_noted(head: str) -> None:
    found = read(f"{head}; do docker restart x; done")
    assert acts(found) == [(None, "restart", "x", 10_000)]
    assert found.notes


def test_loops_that_multiply_without_end_are_cut() -> None:
    loops = "".join(f"for {name} in {{1..9999}}; do " for name in "abcde")
    found = read(loops + "ssh n1 docker restart x; " + "done; " * 5)
    assert found.actions[0].count == 10_000
    assert len(found.sessions) == 10_000


# --- actions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("docker stop a b -t 10", [("stop", "a", 1), ("stop", "b", 1)]),
        ("docker container restart --time=10 a", [("restart", "a", 1)]),
        ("sudo -u root docker kill -s KILL a", [("kill", "a", 1)]),
        ("podman pause a && nerdctl unpause a", [("pause", "a", 1), ("unpause", "a", 1)]),
        ("docker rm -f a", [("rm", "a", 1)]),
        ("docker exec -it a kill -9 1", [("kill", "a", 1)]),
        ("docker exec a bash -c 'pkill nova-api'", [("kill", "a", 1)]),
        ("docker stop $(docker ps -q --filter name=nova_compute)", [("stop", "nova_compute", 1)]),
        ("docker stop `docker ps | grep glance_api | awk '{print $1}'`", [("stop", "glance_api", 1)]),
        ("systemctl restart nova-api.service etcd", [("restart", "nova-api", 1), ("restart", "etcd", 1)]),
        ("sudo systemctl --no-block stop kubelet", [("stop", "kubelet", 1)]),
        ("service rabbitmq-server stop", [("stop", "rabbitmq-server", 1)]),
        ("systemctl reboot", [("reboot", None, 1)]),
        ("pkill -9 -f nova-compute", [("kill", "nova-compute", 1)]),
        ("killall -KILL mysqld memcached", [("kill", "mysqld", 1), ("kill", "memcached", 1)]),
        ("kill -9 $(pidof neutron-server)", [("kill", "neutron-server", 1)]),
        ("kill -9 `pgrep -f etcd`", [("kill", "etcd", 1)]),
        ("sudo reboot -f", [("reboot", None, 1)]),
        ("shutdown -r now", [("reboot", None, 1)]),
        ("shutdown -h +1", [("shutdown", None, 1)]),
        ("init 0", [("poweroff", None, 1)]),
        ("echo b > /proc/sysrq-trigger", [("reboot", None, 1)]),
        ("bash -c 'docker stop a; docker start a'", [("stop", "a", 1), ("start", "a", 1)]),
        ("sh -c \"sleep 1 && docker stop 'a'\"", [("stop", "a", 1)]),
        ("su - rally -c 'docker stop a'", [("stop", "a", 1)]),
        ('eval "docker stop a"', [("stop", "a", 1)]),
        ("{ docker stop a; } && ( docker start a )", [("stop", "a", 1), ("start", "a", 1)]),
        ("docker stop a \\\n  b # docker stop c", [("stop", "a", 1), ("stop", "b", 1)]),
        ("! docker stop a & docker start a", [("stop", "a", 1), ("start", "a", 1)]),
        ("if [ 1 -eq 2 ]; then docker stop a; else docker start a; fi", [("start", "a", 1)]),
        ('X=; [ -z "$X" ] && docker stop a || docker start a', [("stop", "a", 1)]),
        ("false || docker stop a", [("stop", "a", 1)]),
        ('V=stop; C=nova; C+=_api; docker ${V} "${C}"', [("stop", "nova_api", 1)]),
        ("docker stop ${NAME:-nova_api}", [("stop", "nova_api", 1)]),
        ("echo 's3' | sudo -S docker stop a", [("stop", "a", 1)]),
    ],
)
def test_commands_that_act_are_known(command: str, actions: list[tuple[str, str | None, int]]) -> None:
    assert on_hook(command) == actions


def test_an_engine_on_another_machine_acts_there() -> None:
    assert acts(read("docker -H tcp://n1:2375 stop a; systemctl -H root@n2 stop b")) == [
        ("n1", "stop", "a", 1),
        ("n2", "stop", "b", 1),
    ]


@pytest.mark.parametrize(
    "command",
    [
        "docker ps",
        "docker logs a",
        "systemctl status a",
        "service --status-all",
        "kill -l",
        "docker exec a ls",
        "docker",
        "/bin/true",
        "echo hello",
        "sleep 5",
    ],
)
def test_commands_that_only_look_order_nothing_and_are_read_whole(command: str) -> None:
    found = read(command)
    assert (found.actions, found.unread, found.notes) == ((), (), ())


@pytest.mark.parametrize(
    "command",
    [
        "python-ish {",
        "python3 chaos.py",
        "ansible-playbook stop.yml",
        "docker swarm leave",
        "openstack server stop vm1",
        "curl -X POST http://chaos/stop",
        "ceph osd out 3",
        "juju ssh nova-compute/0 sudo systemctl restart nova-compute",
        "pcs resource move haproxy",
        "kubectl apply -f chaos.yaml",
        "rm -rf /var/lib/mysql",
        "echo 1 > /proc/sys/kernel/panic",
        "blade create cpu load",
        "systemctl isolate rescue",
        "parallel docker stop ::: a b",
        "crontab fault.cron",
        "docker run --rm gaiaadm/pumba kill nova_compute",
        "dd if=/dev/zero of=/dev/sda",
        "fuser -k 8774/tcp",
        "mysql -e 'SHUTDOWN'",
    ],
)
def test_no_command_that_may_stop_something_is_passed_over_in_silence(command: str) -> None:
    found = read(f"ssh n1 {command}" if ">" not in command else command)
    assert found.actions == ()
    assert len(found.unread) == 1


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("docker stop a || docker kill a", "after a failure only"),
        ("docker stop a; if docker ps; then docker start a; fi", "which branch runs"),
        ("docker stop a; case $1 in x) docker start a;; esac", "which branch of a case"),
        ("docker stop a; ansible-playbook x.yml", "'ansible-playbook' does is not read"),
        ("docker stop a $UNSET", "whose name the script does not tell"),
        ("docker stop a; ssh $UNSET docker stop b", "ssh goes to a node"),
        ("docker stop a; $UNSET b", "what command is run"),
        ("docker stop a; kill -9 4711", "whose name the script does not tell"),
        ("docker stop a\necho 'open", "quote is never closed"),
        ("docker stop a\n" + "( " * 20, "levels deep"),
    ],
)
def test_what_cannot_be_read_is_noted(command: str, words: str) -> None:
    found = read(command)
    assert (None, "stop", "a", 1) in acts(found)
    assert words in " ".join(found.notes)


def test_scripts_that_call_each_other_in_a_circle_end(tmp_path: Path) -> None:
    found = read("sh a.sh", library(tmp_path, a="docker stop x; sh b.sh", b="ssh n1 < a.sh; f() { f; }; f"))
    assert acts(found) == [(None, "stop", "x", 1)]
    assert "leads back to itself" in " ".join(found.notes)


# --- bad files --------------------------------------------------------------------------------------------------------


def test_a_script_in_another_language_is_not_read(tmp_path: Path) -> None:
    found = read(
        "./outer.sh", library(tmp_path, outer="#!/usr/bin/env python3\nimport os\nos.system('docker stop x')\n")
    )
    assert found.actions == ()
    assert "no shell script" in found.notes[0]


def test_two_scripts_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "x.sh").write_text("docker stop a")
    (tmp_path / "a" / "x.sh").write_text("docker stop b")
    with pytest.raises(InputError, match=r"a second script is called 'x\.sh'"):
        read_library([str(tmp_path / "x.sh"), str(tmp_path / "a" / "x.sh")])
    assert set(read_library([str(tmp_path / "x.sh")] * 2).scripts) == {"x.sh"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\xff\xfed", "UTF-16"),
        (b"a\x00b", "binary"),
        (b"\x7fELF\x01\xff", "not UTF-8"),
        (b"#" * 1_048_577, "limit"),
    ],
)
def test_a_file_that_is_no_script_is_one_clear_error(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "x.sh"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_library([str(path)])


def test_a_missing_script_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_library([str(tmp_path / "gone.sh")])


# --- whatever it is ---------------------------------------------------------------------------------------------------

PIECES = [
    "docker stop x",
    "ssh n1 ",
    "cat inner.sh",
    " | ",
    "; ",
    "\n",
    " && ",
    " || ",
    " & ",
    "for i in ",
    "{1..3}",
    "$(seq 3)",
    "; do ",
    "; done",
    "while true",
    "if ",
    "; then ",
    "; fi",
    "else ",
    "( ",
    ")",
    "{ ",
    "; }",
    "'",
    '"',
    "\\",
    "`",
    "$(",
    "${",
    "$x",
    "x=",
    "x=(",
    "((",
    "))",
    "<<EOF\n",
    "\nEOF\n",
    "< inner.sh",
    "> f.sh",
    "f() { ",
    "f ",
    "case $x in ",
    "a) ",
    ";;",
    " esac",
    "sh outer.sh",
    "eval ",
    "bash -c ",
    "$((",
    "{a,b}",
    "#",
    "!",
    "[ $x -lt 3 ]",
    "break",
    "exit",
    "\x00",
    "\ue001",
    "<(",
    "${x[@]}",
    "in ",
    "until ",
    "function g ",
    "$'",
    "sudo ",
    "x=$x$x ",
    "$@",
    "shift; ",
    "set -- a b; ",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=10_000)
@given(
    st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=25).map("".join)),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
)
def test_whatever_the_text_reading_it_ends(tmp_path: Path, command: str, script: str) -> None:
    script = script.replace("\x00", "")
    scripts = library(tmp_path, outer=OUTER + script, inner=INNER + script)
    for each in (command, f"sh outer.sh; {command}"):
        found = orders(each, scripts)
        assert found is None or all(action.count >= 1 for action in found.actions)


@pytest.mark.parametrize(
    "text",
    [
        "x=a; while true; do x=$x$x; done; docker stop $x",
        "x=a\n" + "x=$x$x$x$x$x$x$x$x$x$x\n" * 200 + "docker stop $x",
        "for i in {1..10000}; do for j in {1..10000}; do x=$i; docker stop $x$j; done; done",
        "f() { f; f; }; f",
        "f() { g; g; }; g() { h; h; }; h() { docker stop x; }; " + "f; " * 2_000,
        'bash -c "' * 500,
        "$(" * 20_000,
        "{" * 20_000,
        "((" * 20_000,
        "if " * 10_000,
        "'" * 500_001,
        "docker stop {1..9999}{1..9999}{1..9999}\n" * 500,
        "a=(" * 20_000,
        "x" * 200_000,
        "<<E\n" * 10_000,
        "docker stop x; " * 10_000,
        "\\a" * 10_000,
        "echo docker stop x | ssh n1\n" * 3_000,
        "case x in " * 10_000,
        "! " * 30_000,
        "set -- a a a a; " + 'set -- "$@" "$@" "$@" "$@"; ' * 100 + 'x="$@$@$@"; ssh n "$@"',
    ],
)
def test_hostile_scripts_end_quickly(tmp_path: Path, text: str) -> None:
    started = time.process_time()
    orders(text, ScriptLibrary())
    orders("sh x.sh", library(tmp_path, x=text[:1_000_000]))
    assert time.process_time() - started < 15
