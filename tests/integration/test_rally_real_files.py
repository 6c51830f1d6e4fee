"""Real Rally files, each against what Rally's own database knew of the run."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from faultset.errors import InputError
from faultset.moments import Instant, epoch_us
from faultset.records.run import HookResult, RunRecord
from faultset.sources.rally.report import read_report, read_run
from faultset.sources.rally.results import read_results
from faultset.truth.best_evidence import disagreements, merge

pytestmark = pytest.mark.integration

SHARED = Path(__file__).resolve().parents[3] / "shared" / "real"
RALLY = SHARED / "rally"
MSOD = SHARED / "msod"
TRUTH = [json.loads(line) for line in (RALLY / "truth.jsonl").open()] if RALLY.is_dir() else []
WITH_JSON = [truth for truth in TRUTH if truth.get("json")]

if not TRUTH:
    pytest.skip("the real Rally files are not beside this checkout", allow_module_level=True)

Key = tuple[str, int, int | None, str, float]


def name_of(truth: dict[str, Any]) -> str:
    return str(truth["html"])


def fired(truth: dict[str, Any], *, hidden: bool) -> dict[Key, list[dict[str, Any]]]:
    """Workload, hook, unit and value -> firings; with ``hidden``, also those that HTML does not show."""
    found: dict[Key, list[dict[str, Any]]] = {}
    for workload in truth["workloads"]:
        for index, hook in enumerate(workload["hooks"]):
            for firing in hook["fired"]:
                if firing["shown_in_html"] or hidden:
                    unit, value = firing["triggered_by"].split(": ")
                    key = (workload["name"], workload["position"], index, unit, float(value))
                    found.setdefault(key, []).append(firing)
    return found


def read_firings(run: RunRecord) -> dict[Key, list[HookResult]]:
    found: dict[Key, list[HookResult]] = {}
    for workload in run.workloads:
        for result in workload.results:
            key = (workload.name, workload.position, result.hook_index, result.unit, result.value)
            found.setdefault(key, []).append(result)
    return found


def assert_workloads(run: RunRecord, truth: dict[str, Any]) -> None:
    read = {(workload.name, workload.position): workload for workload in run.workloads}
    assert len(read) == len(run.workloads) == len(truth["workloads"])
    for expected in truth["workloads"]:
        workload = read[expected["name"], expected["position"]]
        assert (workload.runner, workload.times, workload.concurrency) == (
            expected["runner"],
            expected["times"],
            expected["concurrency"],
        )
        assert (workload.iterations_count, workload.failed_count) == (
            expected["iterations_count"],
            expected["failed_iterations"],
        )
        assert len(workload.iterations.errors) == expected["failed_iterations"]
        assert len(workload.iterations.number) == expected["iterations_count"]
        assert workload.sla_passed == expected["sla_success"]
        assert workload.load_duration_s == pytest.approx(expected["load_duration"])
        assert workload.created_at == dt.datetime.fromisoformat(expected["created_at"] + "Z")
        assert [(hook.name, hook.args, hook.description) for hook in workload.hooks] == [
            (hook["name"], hook["args"], hook["description"]) for hook in expected["hooks"]
        ]
        assert [hook.trigger.kind if hook.trigger else None for hook in workload.hooks] == [
            next(iter(hook["trigger"])) for hook in expected["hooks"]
        ]


def assert_within(instant: Instant, epoch: float, tolerance_us: int = 0) -> None:
    true_us = round(epoch * 1_000_000)
    assert epoch_us(instant.at) - tolerance_us <= true_us
    assert true_us <= epoch_us(instant.latest) + tolerance_us


@pytest.mark.parametrize("truth", TRUTH, ids=name_of)
def test_a_report_gives_exactly_what_it_can_know(truth: dict[str, Any]) -> None:
    run = read_report(str(RALLY / truth["html"]))
    assert run.rally_version == truth["rally_version"]
    assert_workloads(run, truth)
    assert {workload.uuid for workload in run.workloads} == {workload["uuid"] for workload in truth["workloads"]}
    expected, read = fired(truth, hidden=False), read_firings(run)
    assert Counter({key: len(found) for key, found in read.items()}) == Counter(
        {key: len(found) for key, found in expected.items()}
    )
    for key, firings in expected.items():
        for firing, result in zip(firings, read[key], strict=True):
            assert result.status == firing["status"]
            assert result.started_at.uncertainty_s == result.ended_at.uncertainty_s == 1.0
            assert_within(result.started_at, firing["started_at_epoch"])
            assert_within(result.ended_at, firing["finished_at_epoch"])


@pytest.mark.parametrize("truth", WITH_JSON, ids=name_of)
def test_results_give_every_firing_to_the_microsecond(truth: dict[str, Any]) -> None:
    run = read_results(str(RALLY / truth["json"]))
    assert_workloads(run, truth)
    expected, read = fired(truth, hidden=True), read_firings(run)
    assert {key: len(found) for key, found in read.items()} == {key: len(found) for key, found in expected.items()}
    for key, firings in expected.items():
        for firing, result in zip(firings, read[key], strict=True):
            assert result.status == firing["status"]
            assert result.has_output == bool(firing["n_complete"] or firing["n_additive"])
            assert_within(result.started_at, firing["started_at_epoch"], 2)
            assert_within(result.ended_at, firing["finished_at_epoch"], 2)
    starts = {(one["name"], one["position"]): one["start_time"] for one in truth["workloads"]}
    for workload in run.workloads:
        assert workload.started_at is not None
        assert_within(Instant(workload.started_at), starts[workload.name, workload.position], 2)


@pytest.mark.parametrize("truth", WITH_JSON, ids=name_of)
def test_a_report_and_its_results_agree(truth: dict[str, Any]) -> None:
    report, results = read_run(str(RALLY / truth["html"])), read_run(str(RALLY / truth["json"]))
    assert (report.form, results.form) == ("report", "results")
    assert disagreements(report, results) == ()
    assert_workloads(merge(report, results), truth)


@pytest.mark.parametrize("case", ["02_hooks_ok", "05_multi_v2"])
def test_old_results_say_the_same_as_their_report(case: str) -> None:
    report = read_report(str(RALLY / "3.4.0" / case / "report.html"))
    old = read_results(str(RALLY / "3.4.0" / case / "results_old.json"))
    assert old.form == "results-old"
    assert disagreements(report, old) == ()


def test_files_of_two_runs_are_told_apart() -> None:
    report = read_report(str(RALLY / "1.5.1" / "02_hooks_ok" / "report.html"))
    results = read_results(str(RALLY / "3.4.0" / "02_hooks_ok" / "results.json"))
    assert "different runs" in disagreements(report, results)[0]


def test_a_trends_report_is_no_task_report() -> None:
    with pytest.raises(InputError, match="is a Rally trends report"):
        read_report(str(RALLY / "not_task_reports" / "trends_1.5.1.html"))


WINDOWS = {
    ("j_boot_delete_report.html", "j_boot_delete_output.json"): [
        (1574203903.166326, 1574203943.408740),
        (1574207991.691805, 1574208036.260247),
    ],
    ("j_image_output.html", "j_image_output.json"): [
        (1574186026.522152, 1574186029.594851),
        (1574186796.028661, 1574186798.426868),
        (1574187685.403098, 1574187687.677400),
    ],
    ("j_network_report.html", "j_network_output.json"): [
        (1574194024.786646, 1574194045.174583),
        (1574194414.766503, 1574194435.707878),
        (1574194813.881569, 1574194836.138049),
    ],
}


@pytest.mark.parametrize(("files", "windows"), WINDOWS.items(), ids=lambda value: value[0] if value else "")
def test_the_windows_of_the_published_experiments(files: tuple[str, str], windows: list[tuple[float, float]]) -> None:
    report, results = (read_run(str(MSOD / name)) for name in files)
    for run, tolerance_us in ((report, 0), (results, 1)):
        (workload,) = run.workloads
        for result, (start, end) in zip(workload.results, windows, strict=True):
            assert_within(result.started_at, start, tolerance_us)
            assert_within(result.ended_at, end, tolerance_us)
        assert workload.iterations.complete
        assert len(workload.iterations.trace_ids) == workload.iterations_count
        assert "CANARY" not in repr(run)
    assert disagreements(report, results) == ()


def test_trap_the_first_failed_glance_iteration_starts_before_its_hook() -> None:
    (workload,) = read_results(str(MSOD / "j_image_output.json")).workloads
    first = min(workload.iterations.errors)
    start = workload.iterations.started_at[first - 1]
    hook = workload.results[0]
    assert 1.2 < hook.started_at.at.timestamp() - start < 2.8
    assert start + workload.iterations.duration_s[first - 1] > hook.started_at.at.timestamp()


def test_trap_all_nova_hooks_failed_and_kept_their_output() -> None:
    (workload,) = read_report(str(MSOD / "j_boot_delete_report.html")).workloads
    assert workload.results
    for result in workload.results:
        assert (result.status, result.return_code) == ("failed", 1)
        assert result.stdout.splitlines().count("nova_compute") == 16
        assert "No such container: nova_compute" in result.stderr
