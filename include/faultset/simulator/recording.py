"""What was played, as truth: nothing is read back from the files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultset.simulator import cluster_files, rally_json
from faultset.simulator.plan import HookPlan, HumanFault, Periodic, Scenario, WorkloadPlan
from faultset.simulator.timeline import PlayedRun, PlayedWorkload
from faultset.simulator.truth import (
    ClusterTruth,
    ComponentTruth,
    HookTruth,
    InjectionTruth,
    IterationsTruth,
    RunTruth,
    SlaTruth,
    TriggerTruth,
    WorkloadTruth,
)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """Where the files of a run lie in the experiment's folder; None where not written."""

    report: str
    results: str | None
    results_old: str | None
    scripts: tuple[str, ...]


def run_truth(run: PlayedRun, played: tuple[PlayedRun, ...], rendered_in: str, files: RunFiles) -> RunTruth:
    """Return the truth of ``run``; its iterations can overlap the injections of all that was ``played``."""
    every = [firing.truth for other in played for workload in other.workloads for firing in workload.firings]
    ran = [_workload_truth(workload, every) for workload in run.workloads]
    names = [workload.name for workload in run.plan.workloads]
    not_run = [
        _not_run(workload, names[:place].count(workload.name))
        for place, workload in enumerate(run.plan.workloads)
        if place >= len(ran)
    ]
    return RunTruth(
        report=files.report,
        results=files.results,
        results_old=files.results_old,
        hook_scripts=files.scripts,
        rally_version=rally_json.RALLY_VERSION,
        rendered_in=rendered_in,
        aborted=run.aborted,
        workloads=(*ran, *not_run),
    )


def _workload_truth(workload: PlayedWorkload, every: list[InjectionTruth]) -> WorkloadTruth:
    plan = workload.plan
    fired = sorted((firing.truth for firing in workload.firings), key=lambda one: (one.started_at_us, one.hook_index))
    sla = [SlaTruth("failure_rate", workload.failure_rate_passed)]
    if workload.aborted:
        sla.append(SlaTruth("aborted_on_sla", passed=False))
    return WorkloadTruth(
        name=plan.name,
        position=workload.position,
        ran=True,
        uuid=workload.uuid,
        runner="constant",
        times=plan.times,
        concurrency=plan.concurrency,
        iterations=workload.iterations,
        failed_iterations=workload.failed,
        created_at_us=workload.created_us,
        started_at_us=workload.started_us,
        ended_at_us=workload.ended_us,
        sla_passed=workload.sla_passed,
        sla=tuple(sla),
        hooks=tuple(_hook_truth(index, hook, fired) for index, hook in enumerate(plan.hooks)),
        injections=tuple(fired),
        iteration=_iterations_truth(workload, every),
    )


def _not_run(plan: WorkloadPlan, position: int) -> WorkloadTruth:
    return WorkloadTruth(
        name=plan.name,
        position=position,
        ran=False,
        uuid=None,
        runner="constant",
        times=plan.times,
        concurrency=plan.concurrency,
        iterations=0,
        failed_iterations=0,
        created_at_us=None,
        started_at_us=None,
        ended_at_us=None,
        sla_passed=None,
        sla=(),
        hooks=tuple(_hook_truth(index, hook, []) for index, hook in enumerate(plan.hooks)),
        injections=(),
        iteration=IterationsTruth(),
    )


def _hook_truth(index: int, hook: HookPlan, fired: list[InjectionTruth]) -> HookTruth:
    by_value = {injection.value: injection for injection in fired if injection.hook_index == index}
    return HookTruth(
        index=index,
        name="fault_injection" if isinstance(hook.fault, HumanFault) else "sys_call",
        action=hook.fault.command if isinstance(hook.fault, HumanFault) else f"sh ./{hook.fault.outer}",
        description=hook.description,
        kind="periodic" if isinstance(hook.trigger, Periodic) else "event",
        triggers=tuple(_trigger_truth(hook, value, by_value.get(value)) for value in hook.trigger.values),
    )


def _trigger_truth(hook: HookPlan, value: int, injection: InjectionTruth | None) -> TriggerTruth:
    unit = hook.trigger.unit
    if injection is None:
        return TriggerTruth(unit, value, "not_reached", shown_in_html=False, injection_id=None)
    return TriggerTruth(unit, value, "fired", injection.shown_in_html, injection.injection_id)


def _iterations_truth(workload: PlayedWorkload, every: list[InjectionTruth]) -> IterationsTruth:
    load = workload.load
    covering: dict[int, list[str]] = {}
    for injection in sorted(every, key=lambda one: (one.started_at_us, one.injection_id)):
        overlaps = (load.started_us < injection.lasts_until_us) & (injection.started_at_us < load.ended_us)
        for index in np.flatnonzero(overlaps).tolist():
            covering.setdefault(index + 1, []).append(injection.injection_id)
    return IterationsTruth(
        started_at_us=tuple(load.started_us.tolist()),
        ended_at_us=tuple(load.ended_us.tolist()),
        idle_us=tuple(load.idle_us.tolist()),
        failed=tuple(load.failed.tolist()),
        trace_id=tuple(load.trace_ids),
        injections={number: tuple(covering[number]) for number in sorted(covering)},
    )


def cluster_truth(plan: Scenario) -> ClusterTruth:
    """Return the cluster as declared and as it is."""
    cluster = plan.cluster
    return ClusterTruth(
        path=cluster_files.OS_FAULTS,
        nodes=cluster.nodes,
        components=tuple(
            ComponentTruth(
                component.key,
                component.container,
                component.section,
                tuple(cluster.node(host).ip for host in component.hosts),
            )
            for component in cluster.components
        ),
        absent=tuple(sorted(cluster.absent)),
    )
