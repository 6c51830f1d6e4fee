"""Reading all inputs of an experiment into evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from faultset.records import Evidence, HookScripts, InputFile, RallyRun, RunEvidence
from faultset.sources import hook_scripts, os_faults, rally_report, rally_results

Progress = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None:
    """Show no progress."""


def gather_run(report: str, results: str | None, scripts: Sequence[str]) -> RunEvidence:
    """Read one Rally run.

    Args:
        report: path or URI of the HTML report, or of a result JSON where there is no HTML.
        results: path or URI of the result JSON beside an HTML report.
        scripts: paths or URIs of the hooks' scripts.
    """
    run = rally_report.read_run(report)
    other = rally_results.read_results(results) if results else None
    return RunEvidence(run, other, _orders([run, *([other] if other else [])], scripts))


def _orders(runs: Sequence[RallyRun], scripts: Sequence[str]) -> dict[str, HookScripts]:
    """What each hook command orders, by scripts or by itself. Human commands of os-faults are not shell."""
    library = hook_scripts.read_library(scripts)
    commands = {
        hook.args for run in runs for workload in run.workloads for hook in workload.hooks if hook.name == "sys_call"
    }
    found = {command: hook_scripts.orders(command, library) for command in sorted(commands)}
    return {command: orders for command, orders in found.items() if orders is not None}


def gather(
    runs: Sequence[tuple[str, str | None, Sequence[str]]],
    cluster: str | None,
    *,
    services: Mapping[str, str] | None = None,
    inputs: Sequence[InputFile] = (),
    progress: Progress = silent,
) -> Evidence:
    """Read all runs (report, results, scripts each) and the cluster of one experiment."""
    total = len(runs) + 1
    read: list[RunEvidence] = []
    for number, (report, results, scripts) in enumerate(runs):
        progress(number, total, f"reading {report}")
        read.append(gather_run(report, results, scripts))
    progress(len(runs), total, f"reading {cluster}" if cluster else "no cluster file")
    known = os_faults.read_cluster(cluster) if cluster else None
    progress(total, total, "inputs read")
    return Evidence(tuple(read), known, dict(services or {}), tuple(inputs))
