"""Rally results (JSON, newer and older form), and a report beside them."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pytest

from faultset.errors import InputError
from faultset.records.run import RunRecord, Workload
from faultset.sources.rally.report import read_report
from faultset.sources.rally.results import read_results
from faultset.truth.best_evidence import disagreements, merge
from rally_samples import (
    UUID,
    firing,
    hook,
    hook_result,
    iteration,
    old_result,
    page,
    results,
    scenario,
    shown,
    task,
    workload,
    written,
)

UTC = dt.UTC


def read(folder: Path, *workloads: dict[str, Any]) -> tuple[Workload, ...]:
    return read_results(written(folder, results(*workloads))).workloads


def refusal(folder: Path, content: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_results(written(folder, content))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_workload_is_what_was_asked_for_and_what_happened(tmp_path: Path) -> None:
    run = read_results(written(tmp_path, results(workload())))
    (read_one,) = run.workloads
    assert (run.form, run.rally_version) == ("results", "3.4.0")
    assert (read_one.name, read_one.position, read_one.uuid) == ("Dummy.dummy", 0, UUID)
    assert (read_one.runner, read_one.times, read_one.concurrency) == ("constant", 10, 2)
    assert (read_one.iterations_count, read_one.failed_count, read_one.sla_passed) == (10, 0, True)
    assert read_one.started_at == dt.datetime(2026, 11, 23, 14, 57, 20, 500000, tzinfo=UTC)
    assert read_one.created_at == dt.datetime(2026, 11, 23, 14, 57, 20, tzinfo=UTC)


def test_hook_times_are_exact(tmp_path: Path) -> None:
    hooks = [{"config": hook(), "results": [hook_result(started_at=1574203903.166326, finished_at=1574203943.40874)]}]
    (result,) = read(tmp_path, workload(hooks=hooks))[0].results
    assert result.started_at.at == dt.datetime(2019, 11, 19, 22, 51, 43, 166326, tzinfo=UTC)
    assert result.ended_at.at == dt.datetime(2019, 11, 19, 22, 52, 23, 408740, tzinfo=UTC)
    assert (result.started_at.uncertainty_s, result.ended_at.uncertainty_s) == (0.0, 0.0)
    assert (result.hook_index, result.unit, result.value, result.return_code) == (0, "iteration", 5.0, 0)


def test_trap_a_hook_without_output_is_there_in_the_results(tmp_path: Path) -> None:
    error = {"etype": "FileNotFoundError", "msg": "No such file: '/no/such'", "details": "Traceback"}
    silent = hook_result(status="failed", error=error)
    del silent["output"]
    (result,) = read(tmp_path, workload(hooks=[{"config": hook(), "results": [silent]}]))[0].results
    assert not result.has_output
    assert result.error == "FileNotFoundError: No such file: '/no/such'"
    assert (result.return_code, result.stdout, result.stderr) == (None, "", "")


@pytest.mark.parametrize(
    ("details", "streams"), [("stdout: half\n", ("half\n", "")), ("No such container\n", ("", "No such container\n"))]
)
def test_return_code_and_stream_of_a_command_that_printed_charts(
    tmp_path: Path, details: str, streams: tuple[str, str]
) -> None:
    error = {"etype": "n/a", "msg": "Subprocess returned 3", "details": details}
    chart = {"title": "mine", "chart_plugin": "Lines", "data": [["foo", 1]]}
    charted = hook_result(status="failed", error=error, output={"additive": [chart], "complete": []})
    (result,) = read(tmp_path, workload(hooks=[{"config": hook(), "results": [charted]}]))[0].results
    assert (result.return_code, result.stdout, result.stderr) == (3, *streams)
    assert result.has_output
    assert result.error == "Subprocess returned 3"


def test_iterations_have_times_errors_and_trace_ids_but_no_connection_strings(tmp_path: Path) -> None:
    profiler = {
        "title": "OSProfiler Trace-ID",
        "chart_plugin": "OSProfiler",
        "data": {"trace_id": "5677fe98", "conn_str": "redis://:HUNTER2@host"},
    }
    data = [
        iteration(1795445840.5, output={"additive": [], "complete": [profiler]}),
        iteration(1795445841.5, error=["TimeoutException", "password=HUNTER2", "Traceback"]),
    ]
    (found,) = read(tmp_path, workload(2, data=data, failed_iteration_count=1))
    assert found.iterations.started_at == [1795445840.5, 1795445841.5]
    assert (found.iterations.duration_s, found.iterations.idle_s) == ([0.5, 0.5], [0.25, 0.25])
    assert found.iterations.trace_ids == {1: "5677fe98"}
    assert found.iterations.errors[2].kind == "TimeoutException"
    assert "HUNTER2" not in repr(found)


def test_iterations_are_numbered_by_their_start(tmp_path: Path) -> None:
    data = [iteration(1795445842.0, error=["E", "late", "t"]), iteration(1795445841.0)]
    (found,) = read(tmp_path, workload(2, data=data))
    assert found.iterations.started_at == [1795445841.0, 1795445842.0]
    assert list(found.iterations.errors) == [2]


def test_a_negative_duration_is_unknown(tmp_path: Path) -> None:
    (found,) = read(tmp_path, workload(1, data=[iteration(1795445842.0, duration=-0.5)]))
    assert math.isnan(found.iterations.duration_s[0])


def test_a_context_that_failed_leaves_a_workload_without_iterations(tmp_path: Path) -> None:
    (found,) = read(tmp_path, workload(0, start_time=None, pass_sla=False))
    assert (found.iterations_count, found.started_at, found.sla_passed) == (0, None, False)


def test_trap_positions_count_per_name_over_all_subtasks(tmp_path: Path) -> None:
    other = workload(scenario={"Dummy.other": {}}, position=1)
    found = read(tmp_path, workload(position=0), other, workload(position=0))
    assert [(one.name, one.position) for one in found] == [("Dummy.dummy", 0), ("Dummy.other", 0), ("Dummy.dummy", 1)]


# --- the older form -------------------------------------------------------------------------------------------------


def test_old_results_are_read(tmp_path: Path) -> None:
    old_hook = {
        "name": "sys_call",
        "args": "sh ./restart.sh",
        "trigger": {"name": "event", "args": {"unit": "iteration", "at": [5]}},
    }
    run = read_results(written(tmp_path, [old_result(hooks=[{"config": old_hook, "results": [hook_result()]}])]))
    (found,) = run.workloads
    assert (run.form, run.rally_version) == ("results-old", None)
    assert (found.times, found.concurrency, found.iterations_count, found.sla_passed) == (10, 2, 10, True)
    assert found.started_at == dt.datetime(2026, 11, 23, 14, 57, 20, 500000, tzinfo=UTC)
    assert (found.results[0].hook_index, found.results[0].return_code) == (0, 0)


def test_trap_old_positions_can_all_be_zero(tmp_path: Path) -> None:
    run = read_results(written(tmp_path, [old_result(position=0), old_result(position=0)]))
    assert [found.position for found in run.workloads] == [0, 1]


def test_old_positions_that_count_are_kept(tmp_path: Path) -> None:
    run = read_results(written(tmp_path, [old_result(position=1), old_result(position=0)]))
    assert [found.position for found in run.workloads] == [1, 0]


@pytest.mark.parametrize(
    ("text", "start", "day"),
    [
        ("2026-23-11T14:57:20", 1795445840.5, (2026, 11, 23)),
        ("2026-11-23T14:57:20", 1795445840.5, (2026, 11, 23)),
        ("2026-05-11T14:57:20", 1793890640.5, (2026, 11, 5)),
        ("2026-05-11T14:57:20", 1778511440.5, (2026, 5, 11)),
        ("2026-05-11T14:57:20", None, (2026, 11, 5)),
    ],
    ids=["swapped", "not swapped", "nearer when swapped", "nearer as written", "without a start"],
)
def test_trap_old_results_swap_day_and_month(tmp_path: Path, text: str, start: float | None, day: Any) -> None:
    data = [iteration(start)] if start else []
    run = read_results(written(tmp_path, [old_result(created_at=text, result=data)]))
    assert run.workloads[0].created_at == dt.datetime(*day, 14, 57, 20, tzinfo=UTC)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (page([scenario()]), "is an HTML page"),
        ("a,b\n1,2\n", "is no JSON"),
        (task(), "a Rally task file (what to run)"),
        ({"verifications": {}, "tests": {}}, "Rally verification"),
        ({"a": 1}, "JSON file of another kind"),
        ([], "holds no workload"),
        ({"tasks": []}, "holds no workload"),
        (results(), "holds no workload"),
        (json.dumps(results(workload()))[:-200], "is cut off"),
        (json.dumps(results(workload())).replace(":", ";", 9), "broken JSON"),
        ("[" * 200_000, "is cut off"),
        ("[" * 200_000 + "]" * 200_000, "nested too deeply"),
        (json.dumps(results(workload())).encode("utf-16"), "UTF-16"),
        ('[{"\u00e9": 1}]'.encode("latin-1"), "0xe9 is not UTF-8"),
        ([5], "results[0] is 5, not a mapping"),
        ([{"key": []}], "results[0].key is a list, not a mapping"),
    ],
)
def test_other_files_are_told_apart(tmp_path: Path, content: Any, words: str) -> None:
    assert words in refusal(tmp_path, content)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"scenario": {}}, "workloads[0].scenario"),
        ({"total_iteration_count": 9}, "at least the 10 iterations"),
        ({"failed_iteration_count": 11}, "total_iteration_count"),
        ({"data": [5]}, "data[0] is 5, not a mapping"),
        ({"data": [None]}, "data[0]"),
        ({"data": [iteration(math.nan)]}, "data[0].timestamp"),
        ({"data": [iteration(1e12)]}, "data[0].timestamp"),
        ({"data": [iteration(10**400)]}, "data[0].timestamp"),
        ({"data": [iteration(1795445842.0, error="x")]}, "data[0].error is a text, not a list"),
        ({"data": [iteration(1795445842.0, error=[5, 6])]}, "data is a list"),
        ({"start_time": -5}, "start_time"),
        ({"runner": []}, "workloads[0].runner"),
        ({"hooks": [{"config": {}}]}, "hooks[0].config"),
        (
            {"hooks": [{"config": hook(), "results": [hook_result(started_at=None)]}]},
            "results[0].started_at is missing",
        ),
        ({"hooks": [{"config": hook(), "results": [hook_result(finished_at=1e300)]}]}, "results[0].finished_at"),
        ({"hooks": [{"config": hook(), "results": [hook_result(-1)]}]}, "triggered_by.value is -1"),
    ],
)
def test_wrong_values_are_named_by_their_place(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    assert place in refusal(tmp_path, results(workload(**changes)))


# --- both files -----------------------------------------------------------------------------------------------------


def both(folder: Path, in_report: Any, in_results: Any) -> tuple[RunRecord, RunRecord]:
    """Read a report of these scenarios and results of these workloads (a list: the older form)."""
    return (
        read_report(written(folder, page(in_report), "report.html")),
        read_results(written(folder, in_results, "results.json")),
    )


def reported(**changes: Any) -> dict[str, Any]:
    return scenario(config=task(hooks=[hook()]), hooks=[shown([firing(**changes)])])


def recorded(**changes: Any) -> dict[str, Any]:
    return workload(hooks=[{"config": hook(), "results": [hook_result(**changes)]}])


def test_files_of_one_run_agree(tmp_path: Path) -> None:
    assert disagreements(*both(tmp_path, [reported()], results(recorded()))) == ()


@pytest.mark.parametrize(
    ("in_report", "in_results", "words"),
    [
        ({"started_at": "2026-11-23 14:57:22"}, {}, "hook 0 (sys_call) at iteration 5: start"),
        ({"finished_at": "2026-11-23 14:57:27"}, {}, "at iteration 5: end"),
        ({"status": "failed"}, {}, "status: the report says failed, the results say success"),
        ({}, {"started_at": 1795445843.9}, "at iteration 5: start"),
        ({}, {"started_at": 1795445845.0}, "at iteration 5: start"),
    ],
)
def test_a_firing_that_differs_is_one_sentence(
    tmp_path: Path, in_report: dict[str, Any], in_results: dict[str, Any], words: str
) -> None:
    (sentence,) = disagreements(*both(tmp_path, [reported(**in_report)], results(recorded(**in_results))))
    assert sentence.startswith("Workload Dummy.dummy [0]: ")
    assert words in sentence


def test_firings_that_only_one_file_has_are_said(tmp_path: Path) -> None:
    report, recorded_run = both(tmp_path, [reported()], results(recorded(value=6)))
    assert disagreements(report, recorded_run) == (
        "Workload Dummy.dummy [0]: hook 0 (sys_call) at iteration 5: the report shows a firing that the results lack.",
        "Workload Dummy.dummy [0]: hook 0 (sys_call) at iteration 6: "
        "the results hold a firing with output that the report does not show.",
    )


def test_trap_a_firing_without_output_is_no_disagreement(tmp_path: Path) -> None:
    silent = recorded(output={"additive": [], "complete": []})
    assert disagreements(*both(tmp_path, [scenario(config=task(hooks=[hook()]))], results(silent))) == ()


def test_counts_and_verdicts_are_compared(tmp_path: Path) -> None:
    sla = [{"criterion": "failure_rate", "success": False, "detail": ""}]
    made = scenario(9, iterations={"pie": [["errors", 1]]}, sla=sla, sla_success=False)
    assert [sentence.split(": ", 1)[1] for sentence in disagreements(*both(tmp_path, [made], results(workload())))] == [
        "iterations: the report says 9, the results say 10.",
        "failed iterations: the report says 1, the results say 0.",
        "SLA passed: the report says False, the results say True.",
        "SLA: the report says failure_rate failed, the results say failure_rate passed.",
    ]


def test_trap_workloads_are_paired_by_uuid_though_old_positions_are_zero(tmp_path: Path) -> None:
    first = scenario(created_at="2026-11-23T14:57:20")
    second = scenario(pos="1", created_at="2026-11-23T14:59:00")
    old = [old_result(created_at="2026-23-11T14:59:00", load_duration=9.0), old_result()]
    report, old_run = both(tmp_path, [first, second], old)
    assert disagreements(report, old_run) == ()
    merged = merge(report, old_run)
    assert [(found.position, found.load_duration_s) for found in merged.workloads] == [(0, 2.5), (1, 9.0)]


def test_the_results_have_the_times_and_the_report_the_positions(tmp_path: Path) -> None:
    report, recorded_run = both(tmp_path, [{**reported(), "pos": "3"}], results(recorded()))
    merged = merge(report, recorded_run)
    (found,) = merged.workloads
    assert (merged.form, merged.rally_version, found.position) == ("results", "3.4.0", 3)
    assert found.results[0].started_at.uncertainty_s == 0.0


def test_a_workload_of_one_file_alone_is_kept_and_said(tmp_path: Path) -> None:
    lone = {**scenario(), "met": "lone"}
    extra = workload(uuid="00000000-7491-405d-9a12-80c2ae6284ea", scenario={"Dummy.extra": {}})
    del lone["config"]
    report, recorded_run = both(tmp_path, [reported(), lone], results(recorded(), extra))
    assert [found.name for found in merge(report, recorded_run).workloads] == [
        "Dummy.dummy",
        "Dummy.lone",
        "Dummy.extra",
    ]
    assert disagreements(report, recorded_run) == (
        "Workload Dummy.lone [0] is in the report and not in the results.",
        "Workload Dummy.extra [0] is in the results and not in the report.",
    )


def test_files_of_different_runs_are_said_to_be_so(tmp_path: Path) -> None:
    other = recorded()
    other["uuid"] = "00000000-7491-405d-9a12-80c2ae6284ea"
    report, recorded_run = both(tmp_path, [reported()], results(other))
    (sentence,) = disagreements(report, recorded_run)
    assert "the two files are of different runs" in sentence
    with pytest.raises(InputError, match="is of another run"):
        merge(report, recorded_run)
