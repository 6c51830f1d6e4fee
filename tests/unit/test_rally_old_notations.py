"""Notations that Rally has had: results of 2016, where a hook is a result, and plugins as ``name@platform``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faultset.errors import InputError
from faultset.records.run import Workload
from faultset.sources.rally.report import read_report
from faultset.sources.rally.results import read_results
from faultset.sources.scripts import hook_commands
from faultset.sources.scripts import orders as hook_scripts
from rally_samples import hook_result, old_result, page, results, scenario, task, workload, written


def configured(name: str = "fault_injection", at: tuple[int, ...] = (3,), **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "args": {"action": "kill rabbitmq service on one node"},
        "trigger": {"name": "event", "args": {"unit": "iteration", "at": list(at)}},
        **changes,
    }


def fired(name: str = "fault_injection", at: int = 3, **changes: Any) -> dict[str, Any]:
    return {
        "hook": name,
        "description": "n/a",
        "status": "success",
        "started_at": 1604400080.5,
        "finished_at": 1604400087.25,
        "triggered_by": {"iteration": at},
        **changes,
    }


def of_2016(folder: Path, hooks: list[dict[str, Any]], configuration: list[dict[str, Any]]) -> Workload:
    entry = old_result()
    entry["key"]["kw"]["hooks"] = configuration
    entry["hooks"] = hooks
    return read_results(written(folder, [entry])).workloads[0]


def test_a_hook_of_2016_is_a_result_whose_configuration_stands_in_the_key(tmp_path: Path) -> None:
    read = of_2016(tmp_path, [fired()], [configured()])
    (plan,), (result,) = read.hooks, read.results
    assert (plan.name, plan.args) == ("fault_injection", '{"action": "kill rabbitmq service on one node"}')
    assert plan.trigger is not None
    assert (plan.trigger.unit, plan.trigger.at) == ("iteration", (3.0,))
    assert (result.hook_index, result.unit, result.value, result.status) == (0, "iteration", 3.0, "success")
    assert (result.ended_at.at - result.started_at.at).total_seconds() == 6.75


def test_each_result_of_2016_goes_to_the_configuration_that_has_its_name_and_trigger(tmp_path: Path) -> None:
    plans = [
        configured(at=(3, 6)),
        configured(name="sys_call", args="docker restart nova_api", trigger={"unit": "time", "at": [6]}),
        configured(at=(3,), description="again"),
    ]
    hooks = [
        fired(at=6),
        fired(name="sys_call", triggered_by={"time": 6}),
        fired(description="again"),
        fired(),
        fired(at=9),
    ]
    read = of_2016(tmp_path, hooks, plans)
    assert [result.hook_index for result in read.results] == [0, 1, 2, 0, None]


def test_two_equal_configurations_of_2016_take_a_result_each(tmp_path: Path) -> None:
    read = of_2016(tmp_path, [fired(), fired()], [configured(), configured()])
    assert [result.hook_index for result in read.results] == [0, 1]


def test_a_configuration_of_2016_that_never_fired_is_kept(tmp_path: Path) -> None:
    read = of_2016(tmp_path, [], [configured(at=(500,))])
    assert len(read.hooks) == 1
    assert not read.results


def test_a_result_of_2016_without_a_trigger_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"results\[0\]\.hooks\[0\]\.triggered_by"):
        of_2016(tmp_path, [fired(triggered_by={})], [configured()])


def test_trap_every_plugin_can_be_written_with_its_platform(tmp_path: Path) -> None:
    hooks = [
        {
            "config": {
                "action": {"fault_injection@openstack": {"action": "kill rabbitmq service on one node"}},
                "trigger": {"event@default": {"unit": "iteration", "at": [5]}},
            },
            "results": [hook_result()],
        }
    ]
    entry = workload(hooks=hooks, runner={"constant@default": {"times": 10, "concurrency": 2}})
    entry["scenario"] = {"Dummy.dummy@default": {}}
    run = read_results(written(tmp_path, results(entry)))
    (read,) = hook_commands.read_hooks(run, hook_scripts.ScriptLibrary()).workloads
    (plan,) = read.hooks
    assert (read.name, read.runner, read.times) == ("Dummy.dummy", "constant", 10)
    assert (plan.name, plan.trigger and plan.trigger.kind) == ("fault_injection", "event")
    assert plan.command is not None
    assert (plan.command.action, plan.command.component, plan.command.selector) == ("kill", "rabbitmq", "one")


def test_trap_a_report_names_platforms_too(tmp_path: Path) -> None:
    hooks = [{"action": {"sys_call@default": "docker restart a"}, "trigger": {"event@x": {"unit": "time", "at": [1]}}}]
    config = task("Dummy.dummy@default", hooks, **{"constant@default": {"times": 10, "concurrency": 2}})
    shown = scenario(config=config, met="dummy@default", runner="constant@default")
    (read,) = read_report(written(tmp_path, page([shown]))).workloads
    assert (read.name, read.runner, read.times) == ("Dummy.dummy", "constant", 10)
    assert [hook.name for hook in read.hooks] == ["sys_call"]
    assert read.hooks[0].trigger is not None
