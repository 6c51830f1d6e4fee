"""Journals of Chaos Toolkit: actions are injections, and the tool's word is not the fault's effect."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from chaostoolkit_journals import START, answer, journal, process, python, run, written
from faultset import pipeline
from faultset.errors import InputError

STOP, BEGIN = process("stop redis", "stop redis"), process("start redis", ["start", "redis"])
DRY_KUBECTL = process("k", "delete pod a --dry-run=client", path="kubectl")
TERMINATE = "chaosk8s.pod.actions.terminate_pods"


def inspected(folder, content):
    return pipeline.inspect(written(folder, content))


def iso(seconds):
    return (START + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_an_action_is_an_injection_with_exact_times_on_the_machine_that_ran_it(tmp_path):
    found = inspected(tmp_path, journal([run(STOP, 1.5, 0.25, answer("redis\n"))]))
    (injection,) = found["injections"]
    assert (injection["started_at"], injection["ended_at"]) == (iso(1.5), iso(1.75))
    assert (injection["start_uncertainty_s"], injection["end_uncertainty_s"]) == (0, 0)
    assert (injection["action"], injection["effect"], injection["return_code"]) == ("stop", "full", 0)
    (target,) = found["targets"]
    assert (target["node"], target["container"], target["kind"], target["effective"]) == (
        "lab-vm",
        "redis",
        "container",
        True,
    )
    assert target["declared"] is None


def test_a_fault_lies_between_the_action_that_stops_and_the_one_that_starts(tmp_path):
    runs = [run(STOP, 1, 0.5, answer("redis\n")), run(BEGIN, 20, 0.5, answer("redis\n"))]
    stop, start = inspected(tmp_path, journal(runs))["injections"]
    assert (stop["fault_end_source"], stop["fault_ended_at"], stop["fault_end_uncertainty_s"]) == (
        "reversed_by",
        iso(20),
        0.5,
    )
    assert start["fault_end_source"] == "command"


def test_a_rollback_ends_a_fault_too(tmp_path):
    found = inspected(tmp_path, journal([run(STOP, 1, 0.5, answer("redis\n"))], [run(BEGIN, 30, 1, answer("redis\n"))]))
    assert [row["fault_end_source"] for row in found["injections"]] == ["reversed_by", "command"]
    assert [row["hook_index"] for row in found["triggers"]] == [0, 1]


def test_pauses_are_in_no_end_and_background_actions_overlap(tmp_path):
    slow = process("slow", "restart web", background=True, pauses={"after": 10})
    runs = [run(slow, 1, 20, answer("web\n")), run(STOP, 2, 0.5, answer("redis\n"))]
    first, second = inspected(tmp_path, journal(runs))["injections"]
    assert first["ended_at"] == iso(21)
    assert second["started_at"] < first["ended_at"]


def test_times_without_an_offset_are_utc(tmp_path):
    naive = json.loads(json.dumps(journal([run(STOP, 1, 1, answer("redis\n"))])).replace("+00:00", ""))
    assert inspected(tmp_path, {**naive, "chaoslib-version": "1.41.0"})["injections"][0]["started_at"] == iso(1)


def test_an_offset_is_believed(tmp_path):
    there = run(STOP, 1, 1, answer("redis\n"))
    there["start"] = "2026-03-01T13:00:01.000000+01:00"
    assert inspected(tmp_path, journal([there]))["injections"][0]["started_at"] == iso(1)


def test_runs_of_old_journals_stand_under_method(tmp_path):
    old = journal([run(STOP, 1, 1, answer("redis\n"))])
    old["method"] = old.pop("run")
    assert len(inspected(tmp_path, old)["injections"]) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (journal([run(STOP, 1, 0.0001)], experiment={"dry": "actions"}), "ran dry"),
        (journal([run(STOP, 1, 0.0001)], experiment={"dry": "activities"}), "ran dry"),
        (journal([run({**STOP, "dry": "actions"}, 1, 0.0001)]), "the action is dry"),
        (journal([run({**STOP, "dry": True}, 1, 0.0001)]), "the action is dry"),
        (journal([run(STOP, 1, 0.0001)]), "no output at all"),
        (journal([run(STOP, 1, 1, answer("", 1, "Error: No such container: redis\n"))]), "acted on none"),
        (journal([run(python("kill", TERMINATE, {"ns": "shop"}), 1, 1, [])]), "empty list"),
        (journal([run(process("wait", "5", path="sleep"), 1, 5, answer())]), "act on nothing"),
        (
            journal(
                [
                    run(
                        process("k", "delete pod a --dry-run=client", path="kubectl"),
                        1,
                        1,
                        answer('pod "a" deleted (dry run)'),
                    )
                ]
            ),
            "kubectl ran dry",
        ),
    ],
)
def test_trap_what_succeeded_and_did_nothing_has_no_effect_and_says_why(tmp_path, content, reason):
    found = inspected(tmp_path, content)
    (injection,) = found["injections"]
    assert injection["hook_status"] == "succeeded"
    assert injection["effect"] == "none"
    assert not any(target["effective"] for target in found["targets"])
    assert reason in injection["effect_reason"] + "".join(target["evidence"] for target in found["targets"])


def test_trap_a_dry_word_that_the_tool_passed_over_is_no_dry_run(tmp_path):
    # Chaos Toolkit 1.44 runs an action whose file says dry: "actions", and the output shows it.
    found = inspected(tmp_path, journal([run({**STOP, "dry": "actions"}, 1, 0.5, answer("redis\n"))]))
    assert found["injections"][0]["effect"] == "full"


@pytest.mark.parametrize("status", ["failed", "aborted", "interrupted"])
def test_an_action_that_did_not_end_well_proves_nothing(tmp_path, status):
    killing = python("kill", TERMINATE, {"ns": "shop", "label_selector": "app=web"})
    found = inspected(tmp_path, journal([run(killing, 1, 1, None, status=status)]))
    assert found["injections"][0]["effect"] == "unknown"
    assert status in found["injections"][0]["effect_reason"]


def test_pods_that_the_output_names_were_hit(tmp_path):
    killing = python("kill", TERMINATE, {"ns": "shop", "label_selector": "app=web"})
    found = inspected(tmp_path, journal([run(killing, 1, 1, ["web-1", "web-2"])]))
    rows = [
        (row["kind"], row["namespace"], row["pod"], row["container"], row["effective"], row["placed"])
        for row in found["targets"]
    ]
    assert rows == [("pod", "shop", "web-1", None, True, False), ("pod", "shop", "web-2", None, True, False)]
    assert found["injections"][0]["effect"] == "full"
    assert found["injections"][0]["fault_end_source"] == "unknown"


def test_nodes_that_the_output_names_are_nodes(tmp_path):
    draining = python("drain", "chaosk8s.node.actions.drain_nodes", {"name": "worker1"})
    (target,) = inspected(tmp_path, journal([run(draining, 1, 1, ["worker1"])]))["targets"]
    assert (target["kind"], target["node"], target["placed"], target["effective"]) == ("node", "worker1", True, True)


def test_a_machine_counts_as_stopped_where_its_state_changed(tmp_path):
    stopping = python("stop", "chaosaws.ec2.actions.stop_instances", {"instance_ids": ["i-1", "i-2"]})
    states = [
        {"InstanceId": "i-1", "CurrentState": {"Name": "stopping"}, "PreviousState": {"Name": "running"}},
        {"InstanceId": "i-2", "CurrentState": {"Name": "stopped"}, "PreviousState": {"Name": "stopped"}},
    ]
    found = inspected(tmp_path, journal([run(stopping, 1, 1, [{"StoppingInstances": states}])]))
    assert {row["node"]: row["effective"] for row in found["targets"]} == {"i-1": True, "i-2": None}


def test_what_did_not_run_is_a_trigger_with_the_reason(tmp_path):
    stopped = journal([], experiment={"method": [STOP]}, status="failed")
    stopped["steady_states"]["before"] = {"steady_state_met": False, "probes": []}
    found = inspected(tmp_path, stopped)
    assert found["injections"] == []
    assert [(row["outcome"], row["evidence"]) for row in found["triggers"]] == [
        ("not_reached", "the steady state was not met before the method, so that nothing of it ran")
    ]


def test_an_action_without_an_end_may_have_lasted_as_long_as_the_journal(tmp_path):
    cut = run(STOP, 1, 1, None)
    del cut["end"], cut["duration"], cut["status"]
    (row,) = inspected(tmp_path, journal([cut]))["injections"]
    assert (row["ended_at"], row["end_uncertainty_s"], row["effect"]) == (iso(1), 59, "unknown")


def test_the_same_action_twice_has_two_ids(tmp_path):
    twice = journal(
        [run(STOP, 1, 1, answer("redis\n")), run(STOP, 5, 1, answer("redis\n"))], experiment={"method": [STOP]}
    )
    names = [row["injection_id"] for row in inspected(tmp_path, twice)["injections"]]
    assert [name.rpartition(".")[2] for name in names] == ["occurrence1", "occurrence2"]


def test_a_run_of_a_tool_that_puts_no_load_is_a_workload_without_iterations(tmp_path):
    (row,) = inspected(tmp_path, journal([run(STOP, 1, 1, answer("redis\n"))]))["workloads"]
    assert (row["source"], row["source_version"], row["is_load"], row["iterations"]) == (
        "chaostoolkit",
        "1.44.0",
        False,
        0,
    )
    assert (row["started_at"], row["ended_at"]) == (iso(0), iso(60))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"chaoslib-version": "1.44.0"}', "it has no experiment"),
        ('{"chaoslib-version": "1.44.0", "experiment": {"title": "x"}}', "start is missing, not a time"),
        ('{"chaoslib-version": "1.44.0", "experiment": {"title"', "is cut off"),
        ('{"chaoslib-version": "1", "experiment": {"title": "x"}, "start": "yesterday"}', "not a time"),
        (
            '{"chaoslib-version": "1", "experiment": {"title": "x"}, "start": "2026-01-01T00:00:00", "run": 5}',
            "not a list",
        ),
    ],
)
def test_a_broken_journal_is_one_line_that_says_what_to_give(tmp_path, content, said):
    path = tmp_path / "journal.json"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        pipeline.inspect(str(path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_secret_of_a_journal_comes_out(tmp_path):
    secret = "hunter2-Correct-Horse"
    action = process("stop", f"stop redis --password={secret}")
    content = journal([run(action, 1, 1, answer(f"redis\npassword={secret}\n"))])
    content["experiment"]["secrets"] = {"api": {"token": secret}}
    assert secret not in json.dumps(inspected(tmp_path, content))
