"""The simulator: files in the field's own shapes, and a truth that agrees with every one of them."""

from __future__ import annotations

import ast
import csv
import dataclasses
import datetime as dt
import itertools
import json
import random
import re
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from faultset import simulator
from faultset.errors import InputError, SetupError
from faultset.simulator import SCENARIOS, SECRETS, simulate
from faultset.simulator.truth import InjectionTruth, Truth, WorkloadTruth

SMALL = [name for name in SCENARIOS if name != "large"]
THREE = ["nova-compute-restart", "glance-api-restart", "neutron-agents-restart"]
SECOND = 1_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Truth]]:
    root = tmp_path_factory.mktemp("simulated")
    found = {}
    for name in SMALL:
        found[name] = (root / name, simulate(name, root / name, results=True, results_old=True))
    return found


def literals(report: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the task file and the scenarios of a report, each from its assignment at a line's start."""
    lines = report.read_text(encoding="utf-8").split("\n")
    found = []
    for start in ('        $scope.source = "', "        $scope.scenarios = ["):
        (line,) = [line for line in lines if line.startswith(start)]
        assert line.endswith(";")
        found.append(json.loads(line[start.index("=") + 2 : -1]))
    return json.loads(found[0]), found[1]


def ran(truth: Truth) -> list[WorkloadTruth]:
    return [workload for workload in truth.workloads if workload.ran]


def pairs(folder: Path, truth: Truth) -> list[tuple[dict[str, Any], dict[str, Any], WorkloadTruth]]:
    """Return each workload as in HTML, as in the result JSON, and as it truly was."""
    found = []
    for run in truth.runs:
        shown = {(f"{one['cls']}.{one['met']}", int(one["pos"])): one for one in literals(folder / run.report)[1]}
        document = json.loads((folder / str(run.results)).read_text())
        results = {one["uuid"]: one for subtask in document["tasks"][0]["subtasks"] for one in subtask["workloads"]}
        workloads = [workload for workload in run.workloads if workload.ran]
        assert len(shown) == len(results) == len(workloads)
        found += [(shown[one.name, one.position], results[str(one.uuid)], one) for one in workloads]
    return found


def us(epoch: float) -> int:
    return round(epoch * SECOND)


def utc_second(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def shapes(folder: Path) -> set[str]:
    """Return the paths of all files; that of a trace bears an id, which is chance's."""
    return {re.sub(r"osprofiler-.*", "osprofiler", path) for path in everything(folder)}


# --- the same call, the same bytes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_same_arguments_write_the_same_bytes(name: str, made: dict[str, Any], tmp_path: Path) -> None:
    folder, truth = made[name]
    assert simulate(name, tmp_path, results=True, results_old=True) == truth
    assert everything(tmp_path) == everything(folder)


def test_another_seed_writes_another_experiment_of_the_same_shape(made: dict[str, Any], tmp_path: Path) -> None:
    folder, truth = made["glance-api-restart"]
    other = simulate("glance-api-restart", tmp_path, seed=1, results_old=True)
    assert shapes(tmp_path) == shapes(folder)
    assert [one.started_at_us for one in other.injections] != [one.started_at_us for one in truth.injections]
    assert [one.value for one in other.injections] == [one.value for one in truth.injections]


def test_chance_comes_from_the_seed_alone_and_global_chance_is_left_alone(tmp_path: Path) -> None:
    random.seed(1)
    np.random.seed(1)
    before = (random.getstate(), str(np.random.get_state()))
    simulate("glance-api-restart", tmp_path / "a")
    assert (random.getstate(), str(np.random.get_state())) == before
    random.seed(2)
    np.random.seed(2)
    simulate("glance-api-restart", tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


def test_the_oracle_uses_neither_the_readers_nor_what_decides_on_their_records() -> None:
    used = set()
    for path in Path(simulator.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("faultset"):
                used.add(".".join(node.module.split(".")[:2]))
    assert used == {"faultset.simulator", "faultset.errors"}


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_experiment_names_its_files_and_not_the_truth(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    text = (folder / "experiment.yaml").read_text()
    declared = yaml.safe_load(text)
    reviewed = {"reviewed_impacts"} if name == "nova-compute-restart" else set()
    assert set(declared) - reviewed == {
        "title",
        "description",
        "cluster",
        "runs",
        "telemetry",
        "license",
        "creators",
    }
    named = [declared["cluster"], *(declared[key] for key in reviewed)]
    for run in declared["runs"]:
        named += [run["report"], run["results"], *run["hook_scripts"]]
    assert all((folder / path).is_file() for path in named)
    assert declared["telemetry"] == [
        {"kind": "metrics", "files": "metrics/*.csv", "time_zone": "Europe/Berlin"},
        {"kind": "logs", "files": "logs/*.csv", "time_zone": "Europe/Berlin"},
        {"kind": "traces", "files": "traces/*.csv", "time_zone": "UTC"},
        {"kind": "traces", "files": "traces/*.json", "time_zone": "UTC"},
    ]
    assert len(list(folder.glob("metrics/*.csv"))) == 5
    assert len(list(folder.glob("logs/*.csv"))) == (1 if name == "glance-api-restart" else 5)
    assert len(list(folder.glob("traces/*.csv"))) == len(ran(truth))
    assert len(list(folder.glob("traces/*.json"))) == 1
    assert "truth" not in text


@pytest.mark.parametrize("name", SMALL)
def test_the_truth_file_says_what_the_call_returned(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    assert json.loads((folder / "truth.json").read_text()) == json.loads(json.dumps(dataclasses.asdict(truth)))


def test_the_neutron_sample_has_no_results_as_rally_cannot_always_write_them(tmp_path: Path) -> None:
    with_results = {name: simulate(name, tmp_path / name).runs[0].results is not None for name in THREE}
    assert with_results == {THREE[0]: True, THREE[1]: True, THREE[2]: False}


@pytest.mark.parametrize("name", SMALL)
def test_credentials_stand_where_real_ones_do_and_nowhere_else(name: str, made: dict[str, Any]) -> None:
    folder, _ = made[name]
    holders = {
        path for path, content in everything(folder).items() if any(secret.encode() in content for secret in SECRETS)
    }
    outer = {path for path, content in everything(folder).items() if b"sshpass" in content}
    assert holders == outer | {"os-faults.yaml"}
    assert outer


def test_a_role_stands_in_a_comment_only(made: dict[str, Any]) -> None:
    folder, truth = made["nova-compute-restart"]
    text = (folder / "os-faults.yaml").read_text()
    loaded = yaml.safe_load(text)
    nodes = loaded["node_discover"]["args"]
    assert {key for node in nodes for key in node} == {"ip", "fqdn", "auth"}
    assert [(node["fqdn"], node["ip"]) for node in nodes] == [(node.name, node.ip) for node in truth.cluster.nodes]
    assert text.count("# role: compute") == 4
    assert text.count("# role: controller") == 1
    assert {key: (one["args"]["container_name"], tuple(one["hosts"])) for key, one in loaded["containers"].items()} == {
        one.key: (one.container, one.hosts) for one in truth.cluster.components
    }
    assert loaded["containers"]["ovs_vswitchd"]["args"]["container_name"] == "openvswitch_vswitchd"


def test_the_scripts_are_an_outer_one_that_pipes_an_inner_one_to_each_node(made: dict[str, Any]) -> None:
    folder, _ = made["nova-compute-restart"]
    outer = (folder / "scripts/restart_nova_compute_nodes.sh").read_text().splitlines()
    assert outer[1] == (
        "cat stop-start-nova-compute.sh | sshpass -p 'simulated-password' ssh rally@cmp01.example.org &"
    )
    assert [line.endswith("&") for line in outer[1:]] == [True] * 4 + [False]
    inner = (folder / "scripts/stop-start-nova-compute.sh").read_text()
    assert "for i in {1..2}\n" in inner
    assert "    docker stop nova_compute\n    sleep 15\n    docker start nova_compute\n" in inner


# --- HTML, JSON and truth agree -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_html_and_json_tell_the_true_workloads(name: str, made: dict[str, Any]) -> None:
    for shown, result, truth in pairs(*made[name]):
        assert shown["iterations_count"] == result["total_iteration_count"] == truth.iterations
        assert dict(shown["iterations"]["pie"])["errors"] == truth.failed_iterations == len(shown["errors"])
        assert shown["sla_success"] is result["pass_sla"] is truth.sla_passed
        assert [one["criterion"] for one in shown["sla"]] == [one.criterion for one in truth.sla]
        assert us(result["start_time"]) == truth.started_at_us
        assert us(result["start_time"] + result["load_duration"]) == pytest.approx(truth.ended_at_us, abs=1)
        config = json.loads(shown["config"])
        assert f"(uuid={truth.uuid})" in config["description"]
        runner = {"constant": {"times": truth.times, "concurrency": truth.concurrency}}
        assert config["subtasks"][0]["runner"] == result["runner"] == runner


@pytest.mark.parametrize("name", SMALL)
def test_a_workload_is_created_some_whole_seconds_before_its_load_starts(name: str, made: dict[str, Any]) -> None:
    for shown, result, truth in pairs(*made[name]):
        assert shown["created_at"] == result["created_at"]
        assert utc_second(shown["created_at"]) * SECOND == truth.created_at_us
        assert 2 * SECOND < int(truth.started_at_us or 0) - int(truth.created_at_us or 0) < 8 * SECOND


@pytest.mark.parametrize("name", SMALL)
def test_trap_hook_times_in_html_are_utc_cut_to_the_second_and_exact_in_json(name: str, made: dict[str, Any]) -> None:
    for shown, result, truth in pairs(*made[name]):
        seen = [
            (one["triggered_by"], utc_second(one["started_at"]), utc_second(one["finished_at"]), one["status"])
            for hook in shown["hooks"]
            for one in hook["complete"]
        ]
        assert sorted(seen) == sorted(
            (f"{one.unit}: {one.value}", one.started_at_us // SECOND, one.ended_at_us // SECOND, one.status)
            for one in truth.injections
            if one.shown_in_html
        )
        exact = [
            (index, one["triggered_by"]["value"], us(one["started_at"]), us(one["finished_at"]), one["status"])
            for index, hook in enumerate(result["hooks"])
            for one in hook["results"]
        ]
        assert sorted(exact) == sorted(
            (one.hook_index, one.value, one.started_at_us, one.ended_at_us, one.status) for one in truth.injections
        )


@pytest.mark.parametrize("name", SMALL)
def test_the_source_has_pairs_and_the_config_mappings(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    for run in truth.runs:
        source, shown = literals(folder / run.report)
        asked = [workload for subtask in source["subtasks"] for workload in subtask["workloads"]]
        assert [list(one["scenario"]) for one in asked] == [[one.name] for one in run.workloads]
        for workload, one in zip(run.workloads, asked, strict=True):
            assert [hook["action"][0] for hook in one["hooks"]] == [hook.name for hook in workload.hooks]
            assert [hook["trigger"][0] for hook in one["hooks"]] == [hook.kind for hook in workload.hooks]
        configured = json.loads(shown[0]["config"])["subtasks"][0]["hooks"]
        assert all(isinstance(hook["action"], dict) and isinstance(hook["trigger"], dict) for hook in configured)


@pytest.mark.parametrize("name", SMALL)
def test_json_has_each_iteration_to_the_microsecond(name: str, made: dict[str, Any]) -> None:
    for _, result, truth in pairs(*made[name]):
        data = result["data"]
        assert [us(one["timestamp"]) for one in data] == list(truth.iteration.started_at_us)
        assert [us(one["timestamp"] + one["duration"] + one["idle_duration"]) for one in data] == pytest.approx(
            list(truth.iteration.ended_at_us), abs=1
        )
        assert [bool(one["error"]) for one in data] == list(truth.iteration.failed)
        assert [one["output"]["complete"][0]["data"]["trace_id"] for one in data] == list(truth.iteration.trace_id)


@pytest.mark.parametrize("name", SMALL)
def test_trap_an_errors_timestamp_is_the_iterations_start_in_the_renderers_local_time(
    name: str, made: dict[str, Any]
) -> None:
    _, truth = made[name]
    zone = zoneinfo.ZoneInfo(truth.runs[0].rendered_in)
    for shown, _, workload in pairs(*made[name]):
        for error in shown["errors"]:
            assert error["timestamp"][10] == "\n"
            local = dt.datetime.fromisoformat(error["timestamp"].replace("\n", " ")).replace(tzinfo=zone)
            assert us(local.timestamp()) == workload.iteration.started_at_us[error["iteration"] - 1]


def test_the_zones_of_the_renderers_differ(made: dict[str, Any]) -> None:
    assert {truth.runs[0].rendered_in for _, truth in made.values()} == {"UTC", "Europe/Berlin", "America/New_York"}


def test_old_results_have_the_old_form_and_rallys_own_slip(made: dict[str, Any]) -> None:
    folder, truth = made["overlap"]
    old = json.loads((folder / "neutron-results-old.json").read_text())
    assert [(one["key"]["name"], one["key"]["pos"]) for one in old] == [
        ("NeutronNetworks.create_and_delete_networks", 0),
        ("NeutronNetworks.create_and_delete_networks", 0),
    ]
    hook = old[0]["key"]["kw"]["hooks"][0]
    assert (hook["name"], hook["trigger"]["name"]) == ("sys_call", "periodic")
    assert old[0]["created_at"].startswith("2025-19-11T")
    assert [us(one["timestamp"]) for one in old[0]["result"]] == list(
        truth.runs[1].workloads[0].iteration.started_at_us
    )


def test_trap_many_iterations_are_down_sampled_in_html_and_each_in_json(tmp_path: Path) -> None:
    truth = simulate("neutron-agents-restart", tmp_path, iterations=2_500, results=True)
    ((shown, result, _),) = pairs(tmp_path, truth)
    series = dict(shown["iterations"]["iter"])["duration"]
    assert len(series) == 1000
    assert (series[0][0], series[-1][0]) == (1, 2_500)
    assert len(result["data"]) == len(shown["complete_output"]) == 2_500
    passed = [one["duration"] if not one["error"] else 0.0 for one in result["data"]]
    assert np.mean([value for _, value in series]) == pytest.approx(np.mean(passed))


def test_the_load_profile_tells_how_many_iterations_ran_in_parallel(made: dict[str, Any]) -> None:
    ((shown, _, truth),) = pairs(*made["nova-compute-restart"])
    ((name, points),) = shown["load_profile"]
    assert (name, len(points), points[0]) == ("parallel iterations", 101, [0.0, 0.0])
    assert max(value for _, value in points) <= truth.concurrency + 1e-9
    busy = sum(e - s for s, e in zip(truth.iteration.started_at_us, truth.iteration.ended_at_us, strict=True))
    step = points[1][0]
    assert sum(value for _, value in points) * step == pytest.approx(busy / SECOND)


# --- the truth is consistent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_iterations_start_in_order_and_never_more_at_once_than_asked_for(name: str, made: dict[str, Any]) -> None:
    for workload in ran(made[name][1]):
        starts, ends = workload.iteration.started_at_us, workload.iteration.ended_at_us
        assert list(starts) == sorted(set(starts))
        assert all(start < end for start, end in zip(starts, ends, strict=True))
        changes = sorted([(start, 1) for start in starts] + [(end, -1) for end in ends])
        assert np.cumsum([change for _, change in changes]).max() <= workload.concurrency


@pytest.mark.parametrize("name", SMALL)
def test_an_iteration_names_all_injections_that_overlap_it_of_every_run(name: str, made: dict[str, Any]) -> None:
    _, truth = made[name]
    for workload in ran(truth):
        for index, (start, end) in enumerate(
            zip(workload.iteration.started_at_us, workload.iteration.ended_at_us, strict=True)
        ):
            expected = {
                one.injection_id for one in truth.injections if start < one.lasts_until_us and one.started_at_us < end
            }
            assert set(workload.iteration.injections.get(index + 1, ())) == expected


@pytest.mark.parametrize("name", SMALL)
def test_every_planned_trigger_has_an_outcome_and_every_injection_its_trigger(name: str, made: dict[str, Any]) -> None:
    _, truth = made[name]
    for workload in truth.workloads:
        triggers = [trigger for hook in workload.hooks for trigger in hook.triggers]
        fired = [trigger.injection_id for trigger in triggers if trigger.outcome == "fired"]
        assert sorted(map(str, fired)) == sorted(one.injection_id for one in workload.injections)
        for trigger in triggers:
            if trigger.outcome == "not_reached" and trigger.unit == "iteration":
                assert trigger.value > workload.iterations
    ids = [one.injection_id for one in truth.injections]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", SMALL)
def test_no_fault_ends_before_its_command_and_the_files_leave_room_for_its_true_end(
    name: str, made: dict[str, Any]
) -> None:
    for one in made[name][1].injections:
        assert one.ended_at_us <= one.lasts_until_us
        if one.fault_end_known_us:
            earliest, latest = one.fault_end_known_us
            assert earliest <= one.lasts_until_us <= latest


def test_faults_outlast_their_hooks_until_a_time_a_later_hook_or_nothing(made: dict[str, Any]) -> None:
    frozen, stopped, started, left = made["lasting-faults"][1].injections
    assert 59 * SECOND < frozen.lasts_until_us - frozen.started_at_us < 63 * SECOND
    assert frozen.ended_at_us - frozen.started_at_us < 3 * SECOND
    assert stopped.fault_ended_at_us == started.ended_at_us == started.fault_ended_at_us
    assert stopped.fault_end_known_us == (started.started_at_us, started.ended_at_us)
    assert (left.fault_ended_at_us, left.fault_end_known_us) == (None, None)


@pytest.mark.parametrize("name", SMALL)
def test_an_injection_starts_with_its_iteration(name: str, made: dict[str, Any]) -> None:
    for workload in ran(made[name][1]):
        for one in workload.injections:
            assert one.started_at_us < one.ended_at_us
            if one.unit == "iteration":
                assert 0 < one.started_at_us - workload.iteration.started_at_us[one.value - 1] < SECOND // 10


@pytest.mark.parametrize("name", ["nova-compute-restart", "glance-api-restart", "neutron-agents-restart"])
def test_trap_an_iteration_that_a_fault_breaks_began_before_the_hook(name: str, made: dict[str, Any]) -> None:
    (workload,) = ran(made[name][1])
    series = workload.iteration
    for one in workload.injections:
        assert any(
            failed and start < one.started_at_us < end
            for start, end, failed in zip(series.started_at_us, series.ended_at_us, series.failed, strict=True)
        )


def hits(injection: InjectionTruth) -> set[tuple[str, str]]:
    return {(target.node, target.container) for target in injection.targets if target.effective}


def test_trap_nova_hooks_fail_and_yet_four_nodes_are_hit(made: dict[str, Any]) -> None:
    folder, truth = made["nova-compute-restart"]
    assert [one.value for one in truth.injections] == [40, 80]
    for one in truth.injections:
        assert (one.status, one.return_code, one.effect) == ("failed", 1, "partial")
        assert hits(one) == {(f"cmp0{number}", "nova_compute") for number in (1, 2, 3, 4)}
        (controller,) = [target for target in one.targets if target.node == "ctl01"]
        assert (controller.declared, controller.commanded, controller.effective) == (False, True, False)
        assert {target.actions for target in one.targets} == {("stop", "start", "stop", "start")}
    ((shown, _, _),) = pairs(folder, truth)
    for result in shown["hooks"][0]["complete"]:
        code, stdout, stderr = result["charts"][0]["data"]
        assert code == "RetCode: 1"
        assert stdout.splitlines().count("nova_compute") == 4 * 2 * 2
        assert stdout.splitlines().count("Restarting nova-container") == 5 * 2
        assert stderr.count("Pseudo-terminal will not be allocated") == 5
        assert stderr.count("Error response from daemon: No such container: nova_compute\n") == 2 * 2
        assert stderr.count("Error: failed to start containers: nova_compute\n") == 2


def test_trap_a_hook_that_succeeds_can_have_missed_a_node(made: dict[str, Any]) -> None:
    _, truth = made["partial-failure"]
    assert truth.cluster.absent == (("cmp03", "nova_compute"),)
    assert len(truth.injections) == 3
    for one in truth.injections:
        assert (one.status, one.return_code, one.effect) == ("success", 0, "partial")
        (missed,) = [target for target in one.targets if not target.effective]
        assert (missed.node, missed.declared, missed.commanded) == ("cmp03", True, True)


def test_glance_is_restarted_three_times_on_the_controller(made: dict[str, Any]) -> None:
    _, truth = made["glance-api-restart"]
    assert [one.value for one in truth.injections] == [60, 120, 180]
    assert all(hits(one) == {("ctl01", "glance_api")} and one.effect == "full" for one in truth.injections)


def test_neutron_has_five_containers_the_agent_twice_and_prints_in_the_order_of_completion(
    made: dict[str, Any],
) -> None:
    folder, truth = made["neutron-agents-restart"]
    agents = ["neutron_metadata_agent", "neutron_l3_agent", "neutron_dhcp_agent", "neutron_openvswitch_agent"]
    assert len(truth.injections) == 3
    for one in truth.injections:
        assert hits(one) == {("ctl01", container) for container in [*agents, "neutron_server"]}
        actions = {target.container: target.actions for target in one.targets}
        assert actions["neutron_openvswitch_agent"] == ("stop", "stop", "start", "start")
        assert actions["neutron_l3_agent"] == ("stop", "start")
    (declared,) = [one for one in truth.cluster.components if one.key == "neutron_openvswitch_agent"]
    assert len(declared.hosts) == 5
    ((shown, _, _),) = pairs(folder, truth)
    orders = []
    for result in shown["hooks"][0]["complete"]:
        printed = [line for line in result["charts"][0]["data"][1].splitlines() if line.startswith("neutron_")]
        assert len(printed) == 12
        orders.append(tuple(printed))
    assert len(set(orders)) > 1


def test_trap_a_fault_injection_hook_is_in_json_and_not_in_html(made: dict[str, Any]) -> None:
    folder, truth = made["invisible-hook"]
    ((shown, result, workload),) = pairs(folder, truth)
    assert [hook["name"] for hook in shown["hooks"]] == ["sys_call"]  # index 0 among those shown, 1 as configured
    assert [hook.name for hook in workload.hooks] == ["fault_injection", "sys_call"]
    unseen = [one for one in truth.injections if one.hook_index == 0]
    assert len(unseen) == len(result["hooks"][0]["results"]) == 2
    assert all("output" not in one for one in result["hooks"][0]["results"])
    for one in unseen:
        assert not one.shown_in_html
        assert len(hits(one)) == 1
        assert len(one.targets) == 3
        assert not any(target.recorded for target in one.targets)  # a random choice is recorded nowhere


def test_trap_planned_is_not_fired(made: dict[str, Any]) -> None:
    folder, truth = made["unreached-triggers"]
    first, never = truth.workloads
    assert (first.times, truth.runs[0].aborted, first.sla_passed) == (50, True, False)
    assert first.iterations < 45
    glance, by_time = first.hooks
    assert [(one.value, one.outcome) for one in glance.triggers] == [
        (10, "fired"),
        *((value, "not_reached") for value in (45, 100, 200, 300, 400, 500)),
    ]
    assert [(one.value, one.outcome) for one in by_time.triggers] == [
        (0, "fired"),
        (5, "fired"),
        (100_000, "not_reached"),
    ]
    assert {one.effect for one in first.injections if one.hook_index == 1} == {"none"}
    assert not never.ran
    assert [one.outcome for one in never.hooks[0].triggers] == ["not_reached"]
    source, shown = literals(folder / "report.html")
    assert len(source["subtasks"]) == 2
    assert len(shown) == 1
    assert shown[0]["sla"][-1]["criterion"] == "aborted_on_sla"


def overlapping(first: InjectionTruth, second: InjectionTruth) -> bool:
    return first.started_at_us < second.ended_at_us and second.started_at_us < first.ended_at_us


def test_injections_overlap_across_runs_and_within_a_hook(made: dict[str, Any]) -> None:
    folder, truth = made["overlap"]
    nova, neutron = ([one for workload in run.workloads for one in workload.injections] for run in truth.runs)
    assert any(overlapping(one, other) for one in nova for other in neutron)
    assert any(overlapping(one, other) for one, other in itertools.pairwise(neutron))
    several = [ids for workload in truth.workloads for ids in workload.iteration.injections.values() if len(ids) > 1]
    assert any(len({name.split("/")[0] for name in ids}) == 2 for ids in several)
    _, shown = literals(folder / "neutron-report.html")
    assert [one["pos"] for one in shown] == ["0", "1"]  # the same scenario twice


def test_trap_hook_output_can_end_the_script_element_and_look_like_the_data(made: dict[str, Any]) -> None:
    folder, truth = made["partial-failure"]
    text = (folder / "report.html").read_text()
    data = text.index("        $scope.scenarios = [{")
    assert text.index("</script>") < text.index("</body>")
    assert text.index("</script>", data) < text.index("\n", data)
    assert "$scope.scenarios = [];" in text
    assert len(literals(folder / "report.html")[1]) == len(truth.workloads)


# --- metrics --------------------------------------------------------------------------------------------------------


def metrics(folder: Path, node: str) -> tuple[list[str], list[list[str]]]:
    with (folder / f"metrics/{node}_metrics.csv").open() as file:
        header, *rows = list(csv.reader(file))
    return header, rows


def moments(rows: list[list[str]], hours: int) -> np.ndarray:
    """Return epoch seconds of the rows, given the true offset from UTC."""
    zone = dt.timezone(dt.timedelta(hours=hours))
    return np.array(
        [dt.datetime.strptime(row[0][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).timestamp() for row in rows]
    )


@pytest.mark.parametrize(("name", "hours"), [("glance-api-restart", 1), ("partial-failure", 2)])
def test_trap_metrics_say_cest_and_mean_wall_clock_time(name: str, hours: int, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    for file in truth.metrics:
        header, rows = metrics(folder, file.node)
        assert header == ["now", "cpu.user", "mem.used", "load.cpucore", "load.min1", "load.min5", "load.min15"]
        assert len(rows) == file.rows
        assert {row[0][19:] for row in rows} == {" CEST"}
        seconds = moments(rows, hours)
        assert file.started_at_us / SECOND - 1 <= seconds.min()
        assert seconds.max() <= file.ended_at_us / SECOND
        load_start = min(one.started_at_us or 0 for one in ran(truth)) / SECOND
        assert 290 < load_start - seconds.min() < 310


def test_metrics_have_several_rows_in_one_second_and_gaps(made: dict[str, Any]) -> None:
    folder, truth = made["nova-compute-restart"]
    steps = np.concatenate([np.diff(moments(metrics(folder, one.node)[1], 1)) for one in truth.metrics])
    assert steps.min() == 0
    assert 0.02 < (steps == 0).mean() < 0.3
    assert steps.max() > 3
    assert np.median(steps) == 1


@pytest.mark.parametrize("name", THREE)
def test_a_kpi_moves_where_and_when_the_truth_says(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    assert truth.kpi_moves
    effective = {one.injection_id: {node for node, _ in hits(one)} for one in truth.injections}
    for move in truth.kpi_moves:
        assert move.node in effective[move.injection_id]
        header, rows = metrics(folder, move.node)
        values = np.array([float(row[header.index(move.kpi)]) for row in rows])
        at = moments(rows, 1) * SECOND
        during = values[(at >= move.started_at_us) & (at <= (move.started_at_us + move.ended_at_us) / 2)]
        before = values[(at >= move.started_at_us - 40 * SECOND) & (at < move.started_at_us)]
        assert np.median(during) - np.median(before) == pytest.approx(move.size, rel=0.5)


def test_nothing_moves_on_a_node_that_was_commanded_and_not_hit(made: dict[str, Any]) -> None:
    _, truth = made["nova-compute-restart"]
    assert {move.node for move in truth.kpi_moves} == {"cmp01", "cmp02", "cmp03", "cmp04"}


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_sizes_are_as_asked_for(tmp_path: Path) -> None:
    truth = simulate(
        "nova-compute-restart",
        tmp_path,
        iterations=300,
        injections=7,
        nodes=12,
        metric_seconds=600,
        error_share=0.5,
    )
    (workload,) = truth.workloads
    assert (workload.iterations, len(workload.injections), len(truth.cluster.nodes)) == (300, 7, 12)
    assert len(truth.injections[0].targets) == 12
    assert 100 < workload.failed_iterations < 220
    assert all(one.ended_at_us - one.started_at_us == 600 * SECOND for one in truth.metrics)
    assert len({one.path for one in truth.metrics}) == 12
    assert len({node.ip for node in truth.cluster.nodes}) == 12


@pytest.mark.parametrize("name", list(SCENARIOS))
@pytest.mark.parametrize("size", [{"iterations": 10}, {"error_share": 1.0}], ids=str)
def test_every_scenario_holds_at_the_edges(name: str, size: dict[str, Any], tmp_path: Path) -> None:
    truth = simulate(name, tmp_path, **({"iterations": 40} | size), results=True)
    assert truth.injections
    assert len(pairs(tmp_path, truth)) == len(ran(truth))


def test_the_samples_are_small(made: dict[str, Any]) -> None:
    total = sum(len(content) for name in THREE for content in everything(made[name][0]).values())
    assert total < 6_000_000


@pytest.mark.parametrize("name", THREE)
def test_the_samples_of_the_checkout_are_the_simulators(name: str, tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "experiments" / name
    truth = simulate(name, tmp_path)
    mine, theirs = everything(tmp_path), everything(sample)
    assert mine.keys() == theirs.keys()
    # Where chance has no part, byte by byte; elsewhere the last bit of a sine is the machine's.
    for path in ["experiment.yaml", "os-faults.yaml", *truth.runs[0].hook_scripts]:
        assert mine[path] == theirs[path]
    told = json.loads(theirs["truth.json"])
    assert (told["scenario"], told["seed"]) == (name, 0)
    assert [one["injection_id"] for one in told["runs"][0]["workloads"][0]["injections"]] == [
        one.injection_id for one in truth.injections
    ]


def test_the_large_report_grows_by_some_500_bytes_an_iteration(tmp_path: Path) -> None:
    truth = simulate("large", tmp_path, iterations=4_000, injections=20)
    assert 450 < (tmp_path / "report.html").stat().st_size / 4_000 < 560
    (workload,) = truth.workloads
    assert 0.01 < workload.failed_iterations / workload.iterations < 0.08
    _, (shown,) = literals(tmp_path / "report.html")
    assert {len(charts) for charts in shown["complete_output"]} == {2}
    assert [charts[0]["data"] for charts in shown["complete_output"]] == [[one] for one in workload.iteration.trace_id]
    for result in shown["hooks"][0]["complete"]:
        assert 2_000 < len(result["charts"][0]["data"][1]) < 4_000
    assert all(1_200 < len(error["traceback"]) < 2_000 for error in shown["errors"])


@pytest.mark.parametrize(
    "bad",
    [
        {"iterations": 9},
        {"iterations": 10, "injections": 10},
        {"injections": 0},
        {"nodes": 4},
        {"nodes": 251},
        {"metric_seconds": 0},
        {"error_share": 1.5},
        {"error_share": float("nan")},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_size_that_makes_no_experiment_is_refused(bad: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        simulate("nova-compute-restart", tmp_path / "out", **bad)
    assert not (tmp_path / "out").exists()


def test_an_unknown_scenario_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of nova-compute-restart"):
        simulate("nova", tmp_path)


def test_metrics_of_another_experiment_are_never_mixed_in(tmp_path: Path) -> None:
    simulate("glance-api-restart", tmp_path, nodes=7)
    with pytest.raises(InputError, match="cmp05_metrics"):
        simulate("glance-api-restart", tmp_path, nodes=5)


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InputError, match="is a file"):
        simulate("glance-api-restart", file)
    with pytest.raises(SetupError, match="cannot be written"):
        simulate("glance-api-restart", file / "below")
