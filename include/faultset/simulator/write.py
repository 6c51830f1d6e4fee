"""Simulate an experiment: play it, write its files, and hand back what is true of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from faultset.errors import InputError, SetupError
from faultset.simulator import cluster_files, rally_files, telemetry
from faultset.simulator.plan import SECOND, Scenario, ScriptFault, Size
from faultset.simulator.recording import RunFiles, cluster_truth, run_truth
from faultset.simulator.scenarios import SCENARIOS
from faultset.simulator.timeline import PlayedRun, play
from faultset.simulator.truth import KpiMove, MetricsTruth, Truth

TRUTH = "truth.json"
_SCRIPTS = "scripts"
_METRICS = "metrics"
_MARGIN_US = 300 * SECOND  # metrics before the first load and after the last
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
        metric_seconds: length of the metrics; None: from 5 minutes before the load to 5 minutes after it.
        error_share: share of iterations (0 to 1) that fail without a fault being near; None: the scenario's own.
        results: whether to write result JSON too; None: the scenario's own.
        results_old: whether to write the result JSON of ``rally task results`` too.

    Raises:
        InputError: no such scenario, or a size that makes no experiment.
        SetupError: the folder cannot be written.
    """
    size = Size(iterations, injections, nodes, metric_seconds, error_share)
    _check(scenario, size, seed)
    plan = SCENARIOS[scenario](size)
    _check_folder(folder, plan)
    try:
        return _simulate(scenario, plan, folder, seed, results=results, results_old=results_old)
    except OSError as error:
        raise SetupError(folder, f"cannot be written ({error.strerror})", "choose a folder that can") from error


def _simulate(
    scenario: str, plan: Scenario, folder: Path, seed: int, *, results: bool | None, results_old: bool
) -> Truth:
    played = play(plan, seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write_scripts(plan, folder)
    with_results = plan.has_results if results is None else results
    files = [_write_run(run, plan, folder, with_results=with_results, with_old=results_old) for run in played]
    _write(folder / cluster_files.OS_FAULTS, [cluster_files.os_faults(plan.cluster)])
    declared = [_declared(one) for one in files]
    _write(folder / "experiment.yaml", [cluster_files.experiment(plan, declared, telemetry.TIME_ZONE)])
    metrics, moves = _write_metrics(plan, played, folder, seed)
    truth = Truth(
        scenario=scenario,
        seed=seed,
        title=plan.title,
        runs=tuple(run_truth(run, played, plan.rendered_in, one) for run, one in zip(played, files, strict=True)),
        cluster=cluster_truth(plan),
        metrics=metrics,
        kpi_moves=moves,
    )
    _write(folder / TRUTH, [json.dumps(dataclasses.asdict(truth), indent=1), "\n"])
    return truth


def _check(scenario: str, size: Size, seed: int) -> None:
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
    ]
    for name, value, least, most in limits:
        if value is not None and not least <= value <= most:
            raise InputError(where, f"{name} is {value}", f"give a number from {least:g} to {most:g}")


def _check_folder(folder: Path, plan: Scenario) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "give a folder")
    ours = {f"{node.name}_metrics.csv" for node in plan.cluster.nodes}
    others = sorted(path.name for path in (folder / _METRICS).glob("*.csv") if path.name not in ours)
    if others:
        # experiment.yaml names the metrics by a pattern, which would take these in.
        raise InputError(folder, f"{_METRICS}/{others[0]} is of another experiment", "give an empty folder")


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
        _write(folder / files.results, rally_files.results(run))
    if files.results_old:
        _write(folder / files.results_old, rally_files.results_old(run))
    return files


def _declared(files: RunFiles) -> dict[str, Any]:
    declared: dict[str, Any] = {"report": files.report}
    if files.results or files.results_old:
        declared["results"] = files.results or files.results_old
    if files.scripts:
        declared["hook_scripts"] = list(files.scripts)
    return declared


def _write_metrics(
    plan: Scenario, played: tuple[PlayedRun, ...], folder: Path, seed: int
) -> tuple[tuple[MetricsTruth, ...], tuple[KpiMove, ...]]:
    begin = min(workload.started_us for run in played for workload in run.workloads) - _MARGIN_US
    end = max(run.finished_us for run in played) + _MARGIN_US
    if plan.metric_seconds is not None:
        end = begin + plan.metric_seconds * SECOND
    (folder / _METRICS).mkdir(exist_ok=True)
    wanted = _wanted_moves(played)
    files: list[MetricsTruth] = []
    moves: list[KpiMove] = []
    for node in plan.cluster.nodes:
        measured = telemetry.measure(node.name, wanted.get(node.name, []), begin, end, seed)
        path = f"{_METRICS}/{node.name}_metrics.csv"
        _write(folder / path, telemetry.rows(measured))
        files.append(MetricsTruth(path, node.name, len(measured.sampled_us), begin, end, telemetry.TIME_ZONE))
        moves.extend(measured.moves)
    return tuple(files), tuple(moves)


def _wanted_moves(played: tuple[PlayedRun, ...]) -> dict[str, list[telemetry.WantedMove]]:
    """Return node -> moves: each KPI that a hook moves, on each node that it took hold on."""
    wanted: dict[str, list[telemetry.WantedMove]] = {}
    for workload in (workload for run in played for workload in run.workloads):
        for injection in (firing.truth for firing in workload.firings):
            hit = dict.fromkeys(target.node for target in injection.targets if target.effective)
            for impact in workload.plan.hooks[injection.hook_index].impacts:
                recovery = round(impact.recovery_s * SECOND)
                move = telemetry.WantedMove(
                    injection.injection_id,
                    impact.kpi,
                    injection.started_at_us,
                    injection.ended_at_us + recovery // 2,
                    injection.ended_at_us + recovery,
                    impact.size,
                )
                for node in hit:
                    wanted.setdefault(node, []).append(move)
    return wanted
