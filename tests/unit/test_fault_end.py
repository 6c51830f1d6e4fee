"""When a fault itself ended: with its command, as its scripts say, by a later injection, or nobody knows."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from faultset.fault_span import known_end, span_of
from faultset.moments import Instant, from_epoch
from faultset.records.cluster import Cluster, Component, HumanCommand, Node
from faultset.records.run import HookPlan, HookResult
from faultset.records.scripts import CommandedAction, HookScripts
from faultset.sources.scripts.hook_commands import read_hook, with_own_words
from faultset.sources.scripts.library import library_of
from faultset.tables import InjectionRow
from faultset.truth import fault_end
from faultset.truth.fault_end import FaultEnd, fault_ends, with_fault_ends
from faultset.truth.fault_steps import Deeds, Step, deeds_of
from faultset.truth.placement import Placement
from faultset.truth.targets import Target
from truth_rows import injection

START = from_epoch(1_604_400_000.0)
NODES = ("ctl01", "ctl02")


def at(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def step(verb: str, node: str = "ctl01", thing: str = "mariadb", **told: Any) -> Step:
    return Step(node, thing, f"{thing or 'the node'} on {node}", verb, **told)


def ends(*fired: tuple[str, float, float, Deeds], run_end: float | None = None) -> dict[str, FaultEnd]:
    """Fault ends of injections given as (id, start, end of the command, what it did), in seconds."""
    rows = [injection(name, at(start), at(end)) for name, start, end, _ in fired]
    deeds = {name: what for name, _, _, what in fired}
    return fault_ends(rows, deeds, None if run_end is None else at(run_end))


def alone(*steps: Step, start: float = 0, end: float = 2, run_end: float | None = None, **told: Any) -> FaultEnd:
    return ends(("a", start, end, Deeds(steps, **told)), run_end=run_end)["a"]


def said(end: FaultEnd) -> tuple[str, float | None, float | None]:
    """The source, and seconds of the earliest and the latest end; of an unknown end, how long it is open."""
    if end.at is None:
        return end.source, None, (end.open_until - START).total_seconds() if end.open_until else None
    return end.source, (end.at.at - START).total_seconds(), (end.at.latest - START).total_seconds()


# --- by its own command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "want"),
    [
        pytest.param([step("restart")], ("command", 2, 2), id="a restart is over with its command"),
        pytest.param([step("stop"), step("start")], ("command", 2, 2), id="what was stopped was started again"),
        pytest.param([step("pause"), step("unpause")], ("command", 2, 2), id="what was paused goes on"),
        pytest.param([step("start")], ("command", 2, 2), id="a start alone leaves nothing broken"),
        pytest.param([step("stop")], ("unknown", None, 3602), id="a stop that nothing undoes"),
        pytest.param([step("start"), step("stop")], ("unknown", None, 3602), id="the last of them counts"),
        pytest.param([step("pause"), step("stop"), step("start")], ("command", 2, 2), id="a stop ends a pause"),
        pytest.param([step("stop"), step("unpause")], ("unknown", None, 3602), id="unpausing does not start"),
        pytest.param([step("disconnect", thing="network x")], ("unknown", None, 3602), id="a network stays off"),
        pytest.param([step("kill")], ("unknown", None, 3602), id="a supervisor may restart what was killed"),
        pytest.param([step("reboot", thing="")], ("unknown", None, 3602), id="a node is back some time later"),
        pytest.param([step("levitate")], ("unknown", None, 3602), id="an action that is not known"),
        pytest.param([step("stop"), step("start", node="ctl02")], ("unknown", None, 3602), id="started elsewhere"),
        pytest.param([step("freeze", lasts_s=150.0)], ("script", 150, 152), id="freeze for N seconds returns at once"),
        pytest.param([step("freeze", lasts_s=1.0)], ("script", 2, 3), id="no fault ends before its command"),
        pytest.param([step("stress", lasts_s=60.0)], ("script", 60, 62), id="a load in the background"),
        pytest.param([step("stress", lasts_s=1.5)], ("command", 2, 2), id="a load that was waited for"),
        pytest.param([step("restart", lasts_s=10.0)], ("command", 2, 2), id="the pause of a restart is waited for"),
        pytest.param(
            [step("stop"), step("start", after_s=120.0, detached=True)],
            ("script", 120, 132),
            id="started again in the background",
        ),
        pytest.param(
            [step("start", after_s=120.0, detached=True), step("stop")],
            ("script", 120, 132),
            id="sleeps tell the order, not the text",
        ),
        pytest.param(
            [step("stop"), step("start", after_s=None, detached=True)],
            ("unknown", None, 3602),
            id="a background job at an unknown time",
        ),
        pytest.param(
            [step("restart", after_s=300.0, detached=True)], ("script", 300, 312), id="a restart that was put off"
        ),
        pytest.param(
            [step("stop", acknowledged=True), step("start", acknowledged=True, after_s=0.1, detached=True)],
            ("command", 2, 2),
            id="docker acknowledged the background's start before the hook returned",
        ),
        pytest.param(
            [step("stop", acknowledged=True), step("start", acknowledged=True, after_s=60.0, detached=True)],
            ("script", 60, 72),
            id="what runs a minute later was not acknowledged within two seconds",
        ),
        pytest.param(
            [step("stop", place=("", 1), count=2), step("start", place=("", 1))],
            ("unknown", None, 3602),
            id="stop, start, stop on one line",
        ),
        pytest.param(
            [step("stop", place=("a.sh", 1), count=2), step("start", place=("a.sh", 2))],
            ("command", 2, 2),
            id="stopped twice, then started",
        ),
    ],
)
def test_what_a_hook_leaves_behind_by_its_own_steps(steps: list[Step], want: tuple[str, float | None, float]) -> None:
    assert said(alone(*steps)) == want


def test_the_last_end_of_all_that_was_hit_is_the_faults() -> None:
    found = alone(step("restart"), step("freeze", node="ctl02", lasts_s=30.0))
    assert said(found) == ("script", 30, 32)
    assert "on ctl02 lasts 30 s" in found.reason
    assert said(alone(step("freeze", lasts_s=30.0), step("stop", node="ctl02"))) == ("unknown", None, 3602)


def test_a_lost_answer_leaves_the_end_unknown() -> None:
    both = (step("stop", took_hold=None), step("start", took_hold=None))
    found = alone(*both, answer_lost=True)
    assert said(found) == ("unknown", None, 3602)
    assert "answer was lost" in found.reason
    assert said(alone(*both)) == ("command", 2, 2)
    assert said(alone(step("stop"), step("start"), answer_lost=True)) == ("command", 2, 2), "docker acknowledged both"


def test_a_restart_whose_answer_was_lost_may_go_on_in_the_daemon() -> None:
    assert said(alone(step("restart", took_hold=None), answer_lost=True))[0] == "unknown"
    assert said(alone(step("restart", took_hold=True), answer_lost=True)) == ("command", 2, 2)


def test_an_unknown_end_reaches_no_further_than_the_run_and_never_behind_the_command() -> None:
    assert said(alone(step("stop"), run_end=600)) == ("unknown", None, 600)
    assert said(alone(step("stop"), run_end=1)) == ("unknown", None, 2)
    assert "the end of the run" in alone(step("stop"), run_end=600).reason
    assert said(alone(step("stop"), run_end=90_000)) == ("unknown", None, 2 + fault_end.LONGEST_OPEN_S)


def test_what_was_not_read_has_no_known_end() -> None:
    found = ends(("a", 0, 2, Deeds(unread="nothing that was read says what it did")), run_end=60)["a"]
    assert said(found) == ("unknown", None, 60)
    assert found.reason.startswith("nothing that was read says what it did; it may have lasted until ")


# --- by a later injection --------------------------------------------------------------------------------------------


def pair(first: Step, second: Step, **told: Any) -> FaultEnd:
    return ends(("a", 0, 2, Deeds((first,))), ("b", 100, 104, Deeds((second,))), **told)["a"]


@pytest.mark.parametrize(
    ("first", "second", "want"),
    [
        pytest.param(step("stop"), step("start"), ("reversed_by", 100, 104), id="a later start"),
        pytest.param(step("stop"), step("restart"), ("reversed_by", 100, 104), id="a later restart starts, too"),
        pytest.param(step("stop"), step("start", after_s=3.0), ("reversed_by", 103, 104), id="after its sleep"),
        pytest.param(step("freeze"), step("unfreeze"), ("reversed_by", 100, 104), id="a freeze without a time"),
        pytest.param(step("stop"), step("start", node="ctl02"), ("unknown", None, 3602), id="on another node"),
        pytest.param(step("stop"), step("start", thing="haproxy"), ("unknown", None, 3602), id="of another thing"),
        pytest.param(step("stop"), step("stop"), ("unknown", None, 3602), id="stopped once more"),
        pytest.param(step("stop"), step("start", took_hold=None), ("unknown", None, 3602), id="perhaps started"),
        pytest.param(step("stop"), step("reboot", thing=""), ("unknown", None, 3602), id="the node was rebooted"),
        pytest.param(step("kill"), step("start"), ("unknown", None, 104), id="back at the latest then"),
        pytest.param(step("freeze", lasts_s=300.0), step("unfreeze"), ("reversed_by", 100, 104), id="cut short"),
        pytest.param(step("freeze", lasts_s=50.0), step("unfreeze"), ("script", 50, 52), id="over before"),
        pytest.param(
            step("freeze", lasts_s=300.0),
            step("restart", took_hold=None),
            ("unknown", None, 302),
            id="perhaps cut short",
        ),
    ],
)
def test_what_a_later_injection_undoes(first: Step, second: Step, want: tuple[str, float | None, float]) -> None:
    found = pair(first, second)
    assert said(found) == want
    if found.source == "reversed_by":
        assert " of b" in found.reason


def test_a_partial_reversal_leaves_the_end_unknown_until_all_is_undone() -> None:
    stop = Deeds((step("stop"), step("stop", node="ctl02")))
    some = ("b", 100, 104, Deeds((step("start"),)))
    rest = ("c", 200, 204, Deeds((step("start", node="ctl02"),)))
    assert said(ends(("a", 0, 2, stop), some)["a"]) == ("unknown", None, 3602)
    assert said(ends(("a", 0, 2, stop), some, rest)["a"]) == ("reversed_by", 200, 204)


def test_a_start_that_is_sure_bounds_one_that_is_not() -> None:
    fired = (
        ("a", 0, 2, Deeds((step("stop"),))),
        ("b", 100, 104, Deeds((step("start", took_hold=None),))),
        ("c", 200, 204, Deeds((step("start"),))),
    )
    found = ends(*fired)["a"]
    assert said(found) == ("unknown", None, 204)
    assert "b may have undone it before" in found.reason


def test_a_start_before_the_stop_undoes_nothing() -> None:
    found = ends(("b", 0, 2, Deeds((step("start"),))), ("a", 100, 102, Deeds((step("stop"),))), run_end=300)
    assert said(found["a"]) == ("unknown", None, 300)
    assert said(found["b"]) == ("command", 2, 2)


def test_a_start_while_the_command_of_the_stop_still_runs_may_have_come_first() -> None:
    found = ends(("a", 0, 100, Deeds((step("stop"),))), ("b", 50, 60, Deeds((step("start"),))), run_end=300)["a"]
    assert said(found) == ("unknown", None, 300)
    assert "b may have undone it" in found.reason


def test_candidates_of_a_random_choice_are_all_to_be_undone() -> None:
    either = Deeds((step("stop", took_hold=None), step("stop", node="ctl02", took_hold=None)))
    both = Deeds((step("start"), step("start", node="ctl02")))
    assert said(ends(("a", 0, 2, either), ("b", 100, 104, both))["a"]) == ("reversed_by", 100, 104)
    assert said(ends(("a", 0, 2, either), ("b", 100, 104, Deeds((step("start"),))))["a"])[0] == "unknown"


# --- rows ------------------------------------------------------------------------------------------------------------


def test_times_of_a_report_are_intervals_and_so_is_the_faults_end() -> None:
    row = injection("a", at(0), at(2), start_uncertainty_s=1.0, end_uncertainty_s=1.0)
    (found,) = with_fault_ends([row], {"a": Deeds((step("freeze", lasts_s=60.0),))}, [])
    assert (found.fault_ended_at, found.fault_end_uncertainty_s) == (at(60), 3.0)
    assert (span_of(found).end, span_of(found).end_latest) == (at(60), at(63))


def test_the_span_of_an_unknown_end_is_open_from_the_command_on() -> None:
    (found,) = with_fault_ends([injection("a", at(0), at(2))], {"a": Deeds((step("stop"),))}, [])
    assert (span_of(found).end, span_of(found).end_latest) == (at(2), at(3602))
    assert known_end(found) == at(2)


def test_a_declared_end_stays() -> None:
    row = injection("a", at(0), at(2), fault_ended_at=at(90), fault_end_source="corrected")
    assert with_fault_ends([row], {"a": Deeds((step("stop"),))}, []) == [row]


def test_a_row_without_a_word_of_its_fault_ends_with_its_command() -> None:
    row: InjectionRow = injection("a", at(0), at(2), end_uncertainty_s=1.0)
    assert (span_of(row).end, span_of(row).end_latest) == (at(2), at(3))


# --- what is read of commands and scripts ----------------------------------------------------------------------------

HOSTS = ("192.0.2.11", "192.0.2.12")
PLACEMENT = Placement(
    Cluster(
        "os-faults.yaml",
        tuple(Node(name, None, ip, "controller", 1) for name, ip in zip(NODES, HOSTS, strict=True)),
        (Component("mariadb", "service", "linux_service", "mysqld", HOSTS, 1),),
    )
)


def target(name: str | None, node: str = "ctl01", **changed: Any) -> Target:
    told = {"commanded": True, "effective": True, "resolution": "exact", "evidence": ""} | changed
    return Target(PLACEMENT.place(node), name, None, None, **told)


def deeds(args: str = "sh ./fault.sh", **told: Any) -> Deeds:
    hook = HookPlan(0, told.pop("hook", "sys_call"), args, told.pop("description", None), None)
    hook = replace(with_own_words(hook), command=told.pop("command", None), orders=told.pop("scripts", None))
    moment = Instant(START)
    result = HookResult(0, hook.name, None, "iteration", 1, moment, moment, "success", told.pop("code", 0), "", "")
    found = told.pop("targets", ())
    assert not told
    return deeds_of(hook, result, found, PLACEMENT)


def ordered(verb: str, host: str | None = "ctl01", name: str = "mysqld", **told: Any) -> CommandedAction:
    return CommandedAction(host, verb, name, "container", 1, "fault.sh", 3, **told)


def test_a_human_command_says_for_how_long() -> None:
    command = HumanCommand("freeze", "mariadb", "all", (), 150.0)
    found = deeds(command=command, targets=[target("mysqld"), target("mysqld", "ctl02", effective=None)])
    assert [(one.node, one.thing, one.verb, one.lasts_s, one.took_hold) for one in found.steps] == [
        ("ctl01", "mariadb", "freeze", 150.0, True),
        ("ctl02", "mariadb", "freeze", 150.0, None),
    ]


def test_networks_of_one_node_are_told_apart() -> None:
    command = HumanCommand("disconnect", None, "all", (), None, "storage")
    assert [one.thing for one in deeds(command=command, targets=[target(None)]).steps] == ["network storage"]


def test_scripts_tell_delays_and_jobs_in_the_background() -> None:
    scripts = HookScripts((ordered("stop"), ordered("start", begins_after_s=120.0, detached=True)))
    found = deeds(scripts=scripts, targets=[target("mysqld")])
    assert [(one.verb, one.after_s, one.detached) for one in found.steps] == [
        ("stop", 0.0, False),
        ("start", 120.0, True),
    ]


def test_what_a_hook_demonstrably_missed_is_no_step() -> None:
    scripts = HookScripts((ordered("stop"), ordered("stop", "ctl02")))
    found = deeds(scripts=scripts, targets=[target("mysqld"), target("mysqld", "ctl02", effective=False)])
    assert [one.node for one in found.steps] == ["ctl01"]
    nothing = deeds(scripts=scripts, targets=[target("mysqld", effective=False)])
    assert (nothing.steps, nothing.idle, nothing.unread) == ((), "it acted on nothing", "")


def test_an_action_on_a_place_that_no_input_tells_is_not_nothing() -> None:
    args = "kubectl scale deploy/nova_api --replicas=0"
    plan = read_hook(HookPlan(0, "sys_call", args, None, None), library_of({}))
    assert plan.orders is not None
    assert plan.orders.actions
    found = deeds(args, scripts=plan.orders, targets=[])
    assert (found.steps, found.idle) == ((), "")
    assert found.unread


@pytest.mark.parametrize(
    "args",
    [
        'sudo -b ssh root@ctl01 "docker stop mysqld; sleep 120; docker start mysqld"',
        'setsid --fork ssh root@ctl01 "docker stop mysqld; sleep 120; docker start mysqld"',
        "ssh root@ctl01 \"screen -d -m sh -c 'docker stop mysqld; sleep 120; docker start mysqld'\"",
        'screen -dmS x ssh root@ctl01 "docker stop mysqld; sleep 120; docker start mysqld"',
    ],
)
def test_what_is_left_behind_may_run_after_the_hook(args: str) -> None:
    plan = read_hook(HookPlan(0, "sys_call", args, None, None), library_of({}))
    assert plan.orders is not None
    told = [(action.verb, action.begins_after_s, action.detached) for action in plan.orders.actions]
    assert told == [("stop", 0.0, True), ("start", 120.0, True)]


def test_a_session_that_was_lost_is_remembered() -> None:
    scripts = HookScripts((ordered("stop"),))
    assert deeds(scripts=scripts, targets=[target("mysqld")], code=255).answer_lost
    assert not deeds(scripts=scripts, targets=[target("mysqld")], code=1).answer_lost


@pytest.mark.parametrize(
    ("args", "told", "is_known"),
    [
        pytest.param("sh ./restart_nova.sh", {}, True, id="its name says that it restarts"),
        pytest.param("sh ./fault.sh", {"description": "Restart the database"}, True, id="its description says so"),
        pytest.param("sh ./fault.sh", {}, False, id="a script that nobody gave"),
        pytest.param("sh ./fault.sh", {"targets": [target("mysqld")]}, False, id="what docker printed says no verb"),
        pytest.param("echo begins", {}, True, id="a command that acts on nothing"),
        pytest.param(
            "kubectl delete pod x", {"scripts": HookScripts(notes=("kubectl is not read",))}, False, id="notes"
        ),
        pytest.param("something", {"hook": "our_own_plugin"}, False, id="a plugin that is not Rally's"),
    ],
)
def test_what_is_known_of_a_hook_that_no_script_tells_of(args: str, told: dict[str, Any], is_known: bool) -> None:
    found = deeds(args, **told)
    assert bool(found.unread) is not is_known
    assert bool(found.idle) is is_known
