"""Simulate an experiment: play it, write its files, and hand back what is true of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from faultset.errors import InputError, SetupError
from faultset.simulator import cluster_files, rally_files, rally_results, telemetry_files
from faultset.simulator.plan import Disturbances, Scenario, ScriptFault, Size
from faultset.simulator.recording import RunFiles, cluster_truth, run_truth
from faultset.simulator.scenarios import SCENARIOS
from faultset.simulator.timeline import PlayedRun, play
from faultset.simulator.truth import Truth

TRUTH = "truth.json"
_SCRIPTS = "scripts"
_SUMMER_ENDS = dt.datetime(2025, 10, 26, 1, 0, tzinfo=dt.UTC)  # in Europe, where the telemetry's zone is
_MOST_SHIFT_HOURS = 14
_MOST_NODES = 250  # as many as the documentation network 192.0.2.0/24 has addresses for


def simulate(
    scenario: str,
    folder: Path,
    *,
    seed: int = 0,
    iterations: int | None = None,
    injections: int | None = None,
    nodes: int | None = None,
    metric_seconds: int | None = None,
    error_share: float | None = None,
    results: bool | None = None,
    results_old: bool = False,
    shift_hours: Mapping[str, float] | None = None,
    gaps: int = 0,
    clock_drift_ppm: float = 0.0,
    level_drift: float = 0.0,
    dst: bool = False,
    kpi_size: float | None = None,
    kpi_seconds: float | None = None,
) -> Truth:
    """Write a simulated experiment into ``folder`` and return what is true of it.

    The same arguments write the same bytes. ``truth.json`` lies beside the experiment's files and is none of them.

    Args:
        scenario: one of ``SCENARIOS``.
        folder: made where it is missing; files of the same names are replaced.
        seed: what chance starts from, at least 0.
        iterations: iterations asked for in each workload; None: the scenario's own.
        injections: firings of each ``event`` hook over iterations, spread evenly over the run; None: the
            scenario's own.
        nodes: nodes of the cluster, 5 to 250, one of them the controller; None: the scenario's own.
        metric_seconds: length of the metrics; None: from 5 minutes before the load to 5 minutes after it, as long as
            logs are at most.
        error_share: share of iterations (0 to 1) that fail without a fault being near; None: the scenario's own.
        results: whether to write result JSON too; None: the scenario's own.
        results_old: whether to write the result JSON of ``rally task results`` too.
        shift_hours: kind of telemetry (``metrics``, ``logs``, ``traces``) or path of a file -> whole or half hours
            that the text of its times is ahead of what its zone says; a file's own entry goes before its kind's.
        gaps: pieces of 5 to 60 s missing at random in each file; with one or more, some windows too lack rows, in their
            middle or altogether.
        clock_drift_ppm: microseconds a second that a node's clock gains or loses, at most; each node has its own rate.
        level_drift: robust standard deviations an hour that each KPI creeps up or down, at most.
        dst: whether summer time ends in the middle of the load, so that the hour from 2 to 3 comes twice.
        kpi_size: size of all KPI moves in robust standard deviations, with the scenario's own signs; 0: none moves;
            None: the scenario's own.
        kpi_seconds: how long all KPI moves last from the injection's start on, ending at once; None: beyond the
            injection's end, fading, as the scenario says.

    Raises:
        InputError: no such scenario, or a size that makes no experiment.
        SetupError: the folder cannot be written.
    """
    size = Size(iterations, injections, nodes, metric_seconds, error_share)
    wrong = Disturbances(dict(shift_hours or {}), gaps, clock_drift_ppm, level_drift, dst, kpi_size, kpi_seconds)
    _check(scenario, size, wrong, seed)
    plan = SCENARIOS[scenario](size)
    if dst:
        plan = _as_summer_ends(plan)
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "give a folder")
    try:
        return _simulate(scenario, plan, folder, seed, wrong, results=results, results_old=results_old)
    except OSError as error:
        raise SetupError(folder, f"cannot be written ({error.strerror})", "choose a folder that can") from error


def _simulate(
    scenario: str,
    plan: Scenario,
    folder: Path,
    seed: int,
    wrong: Disturbances,
    *,
    results: bool | None,
    results_old: bool,
) -> Truth:
    played = play(plan, seed)
    telemetry_files.check(folder, telemetry_files.paths(plan, played), wrong)
    folder.mkdir(parents=True, exist_ok=True)
    _write_scripts(plan, folder)
    with_results = plan.has_results if results is None else results
    files = [_write_run(run, plan, folder, with_results=with_results, with_old=results_old) for run in played]
    _write(folder / cluster_files.OS_FAULTS, [cluster_files.os_faults(plan.cluster)])
    declared = [_declared(one) for one in files]
    written = telemetry_files.write(plan, played, folder, seed, wrong)
    reviews = telemetry_files.IMPACTS if plan.has_reviews and written.kpi_moves else None
    if reviews:
        telemetry_files.write_reviews(folder, written.kpi_moves)
    telemetry = [dict(one) for one in telemetry_files.DECLARED]
    _write(folder / "experiment.yaml", [cluster_files.experiment(plan, declared, telemetry, reviews)])
    truth = Truth(
        scenario=scenario,
        seed=seed,
        title=plan.title,
        runs=tuple(run_truth(run, played, plan.rendered_in, one) for run, one in zip(played, files, strict=True)),
        cluster=cluster_truth(plan),
        metrics=written.metrics,
        kpi_moves=written.kpi_moves,
        telemetry=written.telemetry,
        drifts=written.drifts,
        reviewed_impacts=reviews,
        disturbances=wrong,
    )
    _write(folder / TRUTH, [json.dumps(dataclasses.asdict(truth), indent=1), "\n"])
    return truth


def _check(scenario: str, size: Size, wrong: Disturbances, seed: int) -> None:
    where = f"simulate {scenario}"
    if scenario not in SCENARIOS:
        raise InputError(where, "there is no such scenario", f"choose one of {', '.join(SCENARIOS)}")
    limits: list[tuple[str, float | None, float, float]] = [
        ("seed", seed, 0, 2**63),
        ("iterations", size.iterations, 10, 10_000_000),
        ("injections", size.injections, 1, 1_000_000),
        ("nodes", size.nodes, 5, _MOST_NODES),
        ("metric_seconds", size.metric_seconds, 60, 366 * 86_400),
        ("error_share", size.error_share, 0, 1),
        ("gaps", wrong.gaps, 0, 1_000),
        ("clock_drift_ppm", wrong.clock_drift_ppm, 0, 10_000),
        ("level_drift", wrong.level_drift, 0, 1_000),
        ("kpi_size", wrong.kpi_size, 0, 1_000),
        ("kpi_seconds", wrong.kpi_seconds, 1, 86_400),
    ]
    for name, value, least, most in limits:
        if value is not None and not least <= value <= most:
            raise InputError(where, f"{name} is {value}", f"give a number from {least:g} to {most:g}")
    for name, hours in wrong.shift_hours.items():
        if not (abs(hours) <= _MOST_SHIFT_HOURS and float(2 * hours).is_integer()):
            remedy = f"give whole or half hours, at most {_MOST_SHIFT_HOURS} either way"
            raise InputError(where, f"shift_hours of {name} is {hours}", remedy)


def _as_summer_ends(plan: Scenario) -> Scenario:
    """Return ``plan`` at the time of year when summer time ends, in the middle of its first workload."""
    workload = plan.runs[0].workloads[0]
    seconds = workload.times * (workload.duration_s + workload.idle_s) / workload.concurrency
    return dataclasses.replace(plan, begins=_SUMMER_ENDS - dt.timedelta(seconds=round(seconds / 2)))


# --- files ----------------------------------------------------------------------------------------------------------


def _write(path: Path, pieces: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
        file.writelines(pieces)


def _write_scripts(plan: Scenario, folder: Path) -> None:
    texts = cluster_files.scripts(plan)
    (folder / _SCRIPTS).mkdir(exist_ok=True)
    for name, text in texts.items():
        _write(folder / _SCRIPTS / name, [text])


def _write_run(run: PlayedRun, plan: Scenario, folder: Path, *, with_results: bool, with_old: bool) -> RunFiles:
    faults = [hook.fault for workload in run.plan.workloads for hook in workload.hooks]
    names = [name for fault in faults if isinstance(fault, ScriptFault) for name in (fault.outer, fault.inner)]
    files = RunFiles(
        report=run.plan.file("report.html"),
        results=run.plan.file("results.json") if with_results else None,
        results_old=run.plan.file("results-old.json") if with_old else None,
        scripts=tuple(f"{_SCRIPTS}/{name}" for name in dict.fromkeys(names)),
    )
    _write(folder / files.report, rally_files.report(run, plan.rendered_in))
    if files.results:
        _write(folder / files.results, rally_results.results(run))
    if files.results_old:
        _write(folder / files.results_old, rally_results.results_old(run))
    return files


def _declared(files: RunFiles) -> dict[str, Any]:
    declared: dict[str, Any] = {"report": files.report}
    if files.results or files.results_old:
        declared["results"] = files.results or files.results_old
    if files.scripts:
        declared["hook_scripts"] = list(files.scripts)
    return declared
