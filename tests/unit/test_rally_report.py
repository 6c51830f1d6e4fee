"""Rally task reports: what is read, and what is refused with which words."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest

from faultset.errors import InputError
from faultset.records.run import TriggerPlan, Workload
from faultset.sources.kit.files import read_bytes, sha256_of
from faultset.sources.rally.report import read_report, read_run
from rally_samples import UUID, call_chart, firing, hook, page, scenario, shown, task, workload, written
from rally_samples import results as results_json

UTC = dt.UTC


def read(folder: Path, *scenarios: dict[str, Any], **more: Any) -> tuple[Workload, ...]:
    return read_report(written(folder, page(list(scenarios), **more))).workloads


def refusal(folder: Path, content: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_report(written(folder, content))
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder / "file") in message
    return message


# --- what a report says ---------------------------------------------------------------------------------------------


def test_a_workload_is_what_was_asked_for_and_what_happened(tmp_path: Path) -> None:
    run = read_report(written(tmp_path, page([scenario()])))
    (workload,) = run.workloads
    assert (run.form, run.rally_version) == ("report", "3.4.0")
    assert (workload.name, workload.position, workload.uuid) == ("Dummy.dummy", 0, UUID)
    assert (workload.runner, workload.times, workload.concurrency) == ("constant", 10, 2)
    assert (workload.iterations_count, workload.failed_count, workload.sla_passed) == (10, 0, True)
    assert (workload.load_duration_s, workload.full_duration_s) == (2.5, 3.5)
    assert workload.created_at == dt.datetime(2026, 11, 23, 14, 57, 20, tzinfo=UTC)
    assert workload.started_at is None
    assert [criterion.criterion for criterion in workload.sla] == ["failure_rate"]
    assert workload.iterations.duration_s == [number / 10 for number in range(1, 11)]


def test_trap_hook_times_are_utc_cut_to_the_second(tmp_path: Path) -> None:
    (workload,) = read(tmp_path, scenario(config=task(hooks=[hook()]), hooks=[shown([firing()])]))
    (result,) = workload.results
    assert result.started_at.at == dt.datetime(2026, 11, 23, 14, 57, 24, tzinfo=UTC)
    assert result.started_at.uncertainty_s == 1.0
    assert result.ended_at.latest == dt.datetime(2026, 11, 23, 14, 57, 26, tzinfo=UTC)
    assert (result.unit, result.value, result.status) == ("iteration", 5.0, "success")
    assert (result.return_code, result.stdout, result.stderr, result.error) == (0, "ok\n", "", None)


def test_trap_a_failed_hook_keeps_what_it_printed(tmp_path: Path) -> None:
    charts = [call_chart(code=1, out="nova_compute\n", err="No such container: nova_compute\n")]
    shown_hook = shown([firing(status="failed", charts=charts)])
    (workload,) = read(tmp_path, scenario(config=task(hooks=[hook()]), hooks=[shown_hook]))
    (result,) = workload.results
    assert (result.status, result.return_code) == ("failed", 1)
    assert (result.stdout, result.stderr) == ("nova_compute\n", "No such container: nova_compute\n")


def test_trap_an_error_time_is_local_and_broken_by_a_line_feed(tmp_path: Path) -> None:
    error = {"iteration": "7", "timestamp": "2019-11-19\n22:51:39.547501", "type": "TimeoutException", "message": "x"}
    pie = {"pie": [["success", 9], ["errors", 1]]}
    (workload,) = read(tmp_path, scenario(errors=[error], iterations=pie))
    assert workload.iterations.error_local_times == {7: dt.datetime(2019, 11, 19, 22, 51, 39, 547501)}  # noqa: DTZ001
    assert workload.iterations.errors[7].kind == "TimeoutException"
    assert workload.failed_count == 1


def test_an_error_of_rally_0_10_has_no_time(tmp_path: Path) -> None:
    (workload,) = read(tmp_path, scenario(errors=[{"iteration": 7, "type": "E", "message": "m", "traceback": "t"}]))
    assert workload.iterations.error_local_times == {}
    assert list(workload.iterations.errors) == [7]


def test_a_failed_iteration_lasts_as_long_as_its_failed_duration(tmp_path: Path) -> None:
    series = [["duration", [[1, 0.5], [2, 0]]], ["idle_duration", [[1, 0.1], [2, 0]]]]
    series.append(["failed_duration", [[1, 0], [2, 3.5]]])
    error = {"iteration": "2", "type": "E", "message": "m"}
    (workload,) = read(tmp_path, scenario(2, iterations={"iter": series}, errors=[error]))
    assert workload.iterations.duration_s == [0.5, 3.5]
    assert workload.iterations.idle_s == [0.1, 0]


def test_trap_a_down_sampled_series_tells_no_durations_but_every_iteration_is_known(tmp_path: Path) -> None:
    sampled = {"iter": [["duration", [[2, 0.5], [4, 0.7]]], ["idle_duration", [[2, 0], [4, 0]]]]}
    outputs = [[{"title": "OSProfiler Trace-ID", "widget": "TextArea", "data": [f"trace-{n}"]}] for n in range(1, 5)]
    (workload,) = read(tmp_path, scenario(4, iterations=sampled, complete_output=outputs))
    assert workload.iterations.number == [1, 2, 3, 4]
    assert workload.iterations.complete
    assert all(math.isnan(value) for value in workload.iterations.duration_s)
    assert workload.iterations.trace_ids == {n: f"trace-{n}" for n in range(1, 5)}


def test_iterations_that_are_not_shown_are_not_invented(tmp_path: Path) -> None:
    sampled = {"iter": [["duration", [[2, 0.5], [4, 0.7]]], ["idle_duration", [[2, 0], [4, 0]]]]}
    error = {"iteration": "3", "type": "E", "message": "m"}
    (workload,) = read(tmp_path, scenario(5, iterations=sampled, complete_output=[], errors=[error]))
    assert workload.iterations.number == [2, 3, 4]
    assert not workload.iterations.complete


def test_a_context_that_failed_leaves_a_workload_without_iterations(tmp_path: Path) -> None:
    (workload,) = read(tmp_path, scenario(0, load_duration=0, iterations={"iter": [], "pie": []}, sla_success=False))
    assert (workload.iterations_count, workload.iterations.number, workload.sla_passed) == (0, [], False)


def test_secrets_do_not_pass(tmp_path: Path) -> None:
    command = "sshpass -p HUNTER2 ssh root@wally113"
    error = {"iteration": "1", "type": "E", "message": "password=HUNTER2 refused"}
    harmless = [{"iteration": str(number), "type": "E", "message": f"no server {number}"} for number in range(2, 6)]
    charts = [call_chart(command, out="OS_PASSWORD=HUNTER2\n", err="token: HUNTER2HUNTER2\n")]
    config = task(hooks=[hook(command)])
    made = scenario(config=config, hooks=[shown([firing(charts=charts)])], errors=[error, *harmless])
    (workload,) = read(tmp_path, made)
    assert "HUNTER2" not in repr(workload)
    assert workload.results[0].hook_index == 0
    assert workload.iterations.errors[2].message == "no server 2"


# --- hooks: what was planned, and which one a shown hook is ---------------------------------------------------------


def plans(folder: Path, *hooks: Any) -> tuple[TriggerPlan | None, ...]:
    config = task()
    config["subtasks"][0]["hooks"] = list(hooks)
    (workload,) = read(folder, scenario(config=config))
    return tuple(plan.trigger for plan in workload.hooks)


def test_triggers_are_read_in_every_notation(tmp_path: Path) -> None:
    event = {"unit": "iteration", "at": [5, 10, 5]}
    notations = (
        {"action": {"sys_call": "x"}, "trigger": {"event": event}},
        {"action": ["sys_call", "x"], "trigger": ["event", event]},
        {"name": "sys_call", "args": "x", "trigger": {"name": "event", "args": event}},
        {"name": "sys_call", "args": "x", "trigger": event},
    )
    assert set(plans(tmp_path, *notations)) == {TriggerPlan("event", "iteration", at=(5, 10))}


def test_periodic_triggers_have_rallys_defaults(tmp_path: Path) -> None:
    def periodic(**arguments: Any) -> dict[str, Any]:
        return hook(periodic=arguments)

    assert plans(
        tmp_path,
        periodic(unit="iteration", step=10, start=5, end=30),
        periodic(unit="iteration", step=2),
        periodic(unit="time", step=2, end=math.inf),
    ) == (
        TriggerPlan("periodic", "iteration", start=5, step=10, end=30),
        TriggerPlan("periodic", "iteration", start=1, step=2, end=None),
        TriggerPlan("periodic", "time", start=0, step=2, end=None),
    )


def test_a_trigger_plugin_of_someone_else_is_kept_without_a_plan(tmp_path: Path) -> None:
    assert plans(tmp_path, hook(moonphase={"full": True})) == (None,)


def test_arguments_that_are_no_text_are_kept_as_json(tmp_path: Path) -> None:
    fault = {"action": {"fault_injection": {"action": "restart nova service", "password": "HUNTER2"}}}
    (workload,) = read(tmp_path, scenario(config=task(hooks=[{**hook(), **fault}])))
    (plan,) = workload.hooks
    assert plan.name == "fault_injection"
    assert json.loads(plan.args)["action"] == "restart nova service"
    assert "HUNTER2" not in plan.args


def indexes(folder: Path, configured: list[dict[str, Any]], shown_hooks: list[dict[str, Any]]) -> list[int | None]:
    (workload,) = read(folder, scenario(50, config=task(hooks=configured), hooks=shown_hooks))
    return [result.hook_index for result in workload.results]


def test_trap_a_shown_hooks_place_is_not_its_place_in_the_configuration(tmp_path: Path) -> None:
    configured = [hook("/no/such/command", "invisible"), hook("sh ./restart.sh", "visible")]
    assert indexes(tmp_path, configured, [shown([firing()], "visible")]) == [1]


def test_shown_hooks_are_told_apart_by_their_trigger_values(tmp_path: Path) -> None:
    configured = [hook(event={"unit": "iteration", "at": [at]}) for at in (5, 10, 15)]
    assert indexes(tmp_path, configured, [shown([firing("iteration: 10")])]) == [1]
    assert indexes(tmp_path, configured, [shown([firing(f"iteration: {at}")]) for at in (5, 15)]) == [0, 2]


def test_shown_hooks_are_told_apart_by_their_arguments(tmp_path: Path) -> None:
    configured = [hook("echo A", None), hook("echo B", None)]
    assert indexes(tmp_path, configured, [shown([firing(charts=[call_chart("echo B")])], None)]) == [1]


def test_shown_hooks_keep_the_order_of_the_configuration(tmp_path: Path) -> None:
    twins = [hook("echo A", "one"), hook("echo hidden", "two"), hook("echo A", "one")]
    both = [shown([firing(charts=[call_chart("echo A")])], "one") for _ in range(2)]
    assert indexes(tmp_path, twins, both) == [0, 2]


def test_the_hook_whose_values_are_all_shown_fits_best(tmp_path: Path) -> None:
    configured = [hook(event={"unit": "iteration", "at": at}) for at in ([5, 10, 15], [5])]
    assert indexes(tmp_path, configured, [shown([firing()])]) == [1]


def test_a_shown_hook_that_nothing_planned_fits_has_no_index(tmp_path: Path) -> None:
    config = task(hooks=[hook(event={"unit": "iteration", "at": [10]}), hook("echo B", "other", moon={})])
    (workload,) = read(tmp_path, scenario(config=config, hooks=[shown([firing("iteration: 7")], "new")]))
    (result,) = workload.results
    assert (result.hook_index, result.value) == (None, 7.0)
    assert "no configured hook" in result.matched_by


def test_what_decided_is_said(tmp_path: Path) -> None:
    config = task(hooks=[hook("/no/such/command", "invisible"), hook(), hook()])
    (workload,) = read(tmp_path, scenario(config=config, hooks=[shown([firing()])]))
    assert workload.results[0].matched_by == (
        "name, trigger values, description, arguments; the first that fits of 2 alike"
    )


def test_trap_additive_output_has_no_times_but_a_count(tmp_path: Path) -> None:
    additive = [{"title": "x", "widget": "Lines", "data": [["foo", [[1, 3], [2, 4], [3, 5]]]]}]
    config = task(hooks=[hook("/no/such/command", "invisible"), hook(description="charts")])
    (workload,) = read(tmp_path, scenario(config=config, hooks=[shown([], "charts", additive=additive)]))
    assert workload.results == ()
    assert workload.charted_hooks == {1: 3}


def test_charts_beside_timed_output_count_only_the_firings_without_times(tmp_path: Path) -> None:
    additive = [{"title": "x", "widget": "Lines", "data": [["foo", [[1, 3], [2, 4]]]]}]
    config = task(hooks=[hook()])
    (workload,) = read(tmp_path, scenario(config=config, hooks=[shown([firing()], additive=additive)]))
    assert workload.charted_hooks == {0: 1}


# --- where the data stand -------------------------------------------------------------------------------------------


HOSTILE = '</script><script>alert(1)</script>\n        $scope.scenarios = [{"cls": "Fake"}];\n</html>'


def test_trap_markup_and_assignments_in_a_hooks_output_are_only_text(tmp_path: Path) -> None:
    made = scenario(config=task(hooks=[hook()]), hooks=[shown([firing(charts=[call_chart(out=HOSTILE)])])])
    (workload,) = read(tmp_path, made, source=f'{{"title": {json.dumps(HOSTILE)}}}')
    assert workload.name == "Dummy.dummy"
    assert workload.results[0].stdout == HOSTILE


def test_trap_the_first_assignment_counts(tmp_path: Path) -> None:
    content = page([scenario()]).replace("</body>", "<pre>\n$scope.scenarios = [];\n</pre></body>")
    assert len(read_report(written(tmp_path, content)).workloads) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("$scope.scenarios = [{", "$scope.scenarios=[\n  {\n"),
        lambda text: text.replace('"met":', '"load_profile": NaN, "met":'),
        lambda text: text.replace("0.00% - Passed", "\\udce9"),
        lambda text: text.replace("</html>", ""),
        lambda text: text.replace('  <meta name="generator" content="Rally version 3.4.0">\n', ""),
        lambda text: text.replace("  <script", f"<script>{'x = 1;' * 50_000}</script>\n  <script", 1),
    ],
    ids=[
        "CRLF",
        "BOM",
        "pretty-printed",
        "NaN",
        "lone surrogate",
        "end lost",
        "no generator",
        "static",
    ],
)
def test_reports_that_are_written_differently_are_read_as_well(tmp_path: Path, change: Any) -> None:
    text = page([scenario()])
    assert change(text) != text
    (workload,) = read_report(written(tmp_path, change(text))).workloads
    assert workload.iterations_count == 10
    workload.sla[0].detail.encode()


def test_the_source_stands_in_for_a_scenario_without_configuration(tmp_path: Path) -> None:
    source = {"Dummy.dummy": [{"runner": {"type": "rps", "times": 8, "rps": 2}, "hooks": [hook()]}, {}]}
    made = scenario()
    del made["config"]
    (workload,) = read(tmp_path, made, source=json.dumps(source))
    assert (workload.times, workload.concurrency, len(workload.hooks), workload.uuid) == (8, None, 1, None)


def test_the_source_may_be_yaml(tmp_path: Path) -> None:
    made = scenario()
    del made["config"]
    source = "---\n  Dummy.dummy:\n    -\n      runner:\n        type: constant\n        times: 7\n"
    (workload,) = read(tmp_path, made, source=source)
    assert workload.times == 7


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        ({"serial": {"times": 10}}, (10, None)),
        ({"constant_for_duration": {"duration": 60, "concurrency": 4}}, (None, 4)),
        ({"rps": {"times": 10, "rps": 2}}, (10, None)),
    ],
)
def test_runners_without_times_or_concurrency_have_none(tmp_path: Path, runner: Any, expected: Any) -> None:
    (workload,) = read(tmp_path, scenario(config=task(**runner), runner=next(iter(runner))))
    assert (workload.runner, workload.times, workload.concurrency) == (next(iter(runner)), *expected)


def test_a_file_is_told_by_its_content(tmp_path: Path) -> None:
    assert read_run(written(tmp_path, page([scenario()]), "a.json")).form == "report"
    assert read_run(written(tmp_path, results_json(workload()), "b.html")).form == "results"


# --- what is refused ------------------------------------------------------------------------------------------------


def other_page(data: str) -> str:
    return (
        page([])
        .replace("        $scope.source", f"      $scope.data = {data};\n        x")
        .replace("$scope.scenarios =", "y =")
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "nothing but blanks"),
        (other_page('[{"stat": {}, "actions": []}]'), "trends report"),
        (other_page('{"uuids": [], "verifications": {}, "tests": {}}'), "verification report"),
        (other_page("").replace("$scope.data", "z"), 'unknown kind ("Rally | Rally Task Report")'),
        ("<!doctype html><html><head><title>Grafana</title></head></html>", "no page of Rally's"),
        ("<html><head><meta name='generator' content='Hugo 0.1'></head></html>", "no page of Rally's"),
        ("timestamp;cpu\n1;2\n", "no HTML page"),
        (results_json(workload()), "is JSON, not an HTML report"),
        (page([scenario()]).encode("utf-16"), "UTF-16"),
        (page([scenario()]).encode("utf-16-le"), "UTF-16"),
        (page([scenario()]).encode("utf-32"), "UTF-32"),
        (page([scenario()], source="x").replace("Passed", "Pass\u00e9").encode("latin-1"), "0xe9 is not UTF-8"),
        (b"\x1f\x8b\x08\x00abc", "gzip"),
        (bytes(range(256)), "binary"),
        (page([]), "holds no workload"),
        (page(None), "holds no workload"),
        (page({"a": 1}), "scenarios is a mapping, not a list"),
        (page([scenario()]).replace("[{", "[{'", 1), "$scope.scenarios is broken"),
        (
            page([scenario()]).replace("$scope.scenarios = [", "$scope.scenarios = " + "[" * 100_000),
            "nested too deeply",
        ),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content: Any, words: str) -> None:
    assert words in refusal(tmp_path, content)


def test_a_report_cut_off_anywhere_is_refused_or_has_lost_nothing(tmp_path: Path) -> None:
    made = scenario(3, config=task(hooks=[hook()]), hooks=[shown([firing()])])
    whole = page([made]).encode()
    data_end = whole.index(b";\n", whole.index(b"$scope.scenarios ="))
    full = read_report(written(tmp_path, whole)).workloads
    for end in range(0, len(whole), 7):
        path = written(tmp_path, whole[:end])
        if end >= data_end:
            assert repr(read_report(path).workloads) == repr(full)
        else:
            with pytest.raises(InputError, match=r"cut off|is empty|no HTML page|nothing but blanks"):
                read_report(path)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"cls": None}, "scenarios[0].cls is missing"),
        ({"met": 7}, "scenarios[0].met is 7, not a text"),
        ({"pos": "-1"}, "scenarios[0].pos"),
        ({"iterations_count": -1}, "scenarios[0].iterations_count is -1"),
        ({"iterations_count": 1e300}, "scenarios[0].iterations_count"),
        ({"iterations_count": 10**30}, "scenarios[0].iterations_count"),
        ({"iterations_count": True}, "scenarios[0].iterations_count is true"),
        ({"iterations": {"pie": [["errors", 11]]}}, "failures among 10"),
        ({"created_at": "yesterday"}, "scenarios[0].created_at"),
        ({"created_at": "1960-01-01T00:00:00"}, "from 1970 to 2200"),
        ({"sla": [{"criterion": "x", "success": "yes"}]}, "scenarios[0].sla[0].success"),
        ({"errors": [{"iteration": "0"}]}, "scenarios[0].errors[0].iteration"),
        ({"errors": [{"iteration": "11"}]}, "an iteration from 1 to 10"),
        ({"errors": [{"iteration": "1", "timestamp": "soon"}]}, "scenarios[0].errors[0].timestamp"),
        ({"errors": [{"iteration": "1", "message": 4}]}, "scenarios[0].errors"),
        ({"errors": ["x"]}, "scenarios[0].errors[0] is a text, not a mapping"),
        ({"hooks": [{"name": "x", "complete": [{"triggered_by": "moon: 1"}]}]}, "complete[0].triggered_by"),
        ({"hooks": [shown([firing(started_at="2026-13-01 00:00:00")])]}, "hooks[0].complete[0].started_at"),
        ({"hooks": [shown([firing(finished_at=5)])]}, "hooks[0].complete[0].finished_at is 5, not a text"),
        ({"hooks": [shown([firing(status=None)])]}, "hooks[0].complete[0].status is missing"),
        ({"config": "{"}, "scenarios[0].config"),
        ({"config": json.dumps({"subtasks": []})}, "a task file with one workload"),
        ({"config": json.dumps(task(hooks=[hook(event={"unit": "miles", "at": [1]})]))}, "trigger.event.unit"),
        ({"config": json.dumps(task(hooks=[hook(periodic={"unit": "time", "step": 0})]))}, "periodic.step is 0"),
        ({"config": json.dumps(task(constant={"times": "many"}))}, "runner.constant.times"),
        ({"iterations": {"iter": [["duration", [[n, "x"] for n in range(1, 11)]], ["idle_duration", []]]}}, "numbers"),
        ({"complete_output": {}}, "complete_output is a mapping, not a list"),
    ],
)
def test_wrong_values_are_named_by_their_place(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    assert place in refusal(tmp_path, page([scenario(**changes)]))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for uri, words in (
        (str(tmp_path / "missing.html"), "does not exist"),
        (str(tmp_path), "is a folder"),
        ("https://host/report.html", "is neither a local file nor s3://"),
        ("\0", "cannot be read"),
        ("/dev/null", "is no regular file"),
    ):
        with pytest.raises(InputError, match=words):
            read_report(uri)


def test_a_file_uri_is_a_local_file_and_a_limit_holds(tmp_path: Path) -> None:
    path = Path(written(tmp_path, "abc", "a file"))
    assert read_bytes(path.as_uri()) == b"abc"
    assert sha256_of(path.as_uri()) == (3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    with pytest.raises(InputError, match="more than the limit of 2"):
        read_bytes(str(path), limit=2)
