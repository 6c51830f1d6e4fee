"""What a played run's report and its result files have in common, and JSON written piece by piece."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from faultset.simulator.plan import SECOND, Event, FailurePlan, HookPlan, HumanFault, Periodic, RunPlan, WorkloadPlan
from faultset.simulator.timeline import Firing, PlayedWorkload

RALLY_VERSION = "3.4.0"
Pairs = Iterable[tuple[str, Iterable[str]]]


def source(plan: RunPlan) -> dict[str, Any]:
    """Return the task file as Rally keeps it: what was asked for, with actions and triggers as pairs."""
    return {
        "version": 2,
        "title": "",
        "description": "",
        "subtasks": [
            {
                "title": workload.name,
                "description": "",
                "workloads": [
                    {
                        "scenario": {workload.name: workload.args},
                        "description": workload.description,
                        "contexts": workload.contexts,
                        "runner": runner_of(workload),
                        "hooks": [hook_as_pairs(hook) for hook in workload.hooks],
                        "sla": sla_of(workload),
                    }
                ],
            }
            for workload in plan.workloads
        ],
    }


def config_of(workload: PlayedWorkload) -> dict[str, Any]:
    """Return a workload's configuration, as a report shows it."""
    plan = workload.plan
    return {
        "version": 2,
        "title": "A cropped version of a bigger task.",
        "description": f"Auto-generated task from a single workload (uuid={workload.uuid})",
        "subtasks": [
            {
                "title": plan.name,
                "description": plan.description,
                "scenario": {plan.name: plan.args},
                "contexts": plan.contexts,
                "runner": runner_of(plan),
                "hooks": [hook_as_mappings(hook) for hook in plan.hooks],
                "sla": sla_of(plan),
            }
        ],
    }


def runner_of(plan: WorkloadPlan) -> dict[str, Any]:
    """Return how a workload is run."""
    return {"constant": {"concurrency": plan.concurrency, "times": plan.times}}


def sla_of(plan: WorkloadPlan) -> dict[str, Any]:
    """Return what is asked of a workload."""
    return {"failure_rate": {"max": plan.failure_rate_max}}


def action_of(hook: HookPlan) -> tuple[str, Any]:
    """Return the name and the argument of the hook's action."""
    if isinstance(hook.fault, HumanFault):
        return "fault_injection", {"action": hook.fault.command, "verify": True}
    return "sys_call", f"sh ./{hook.fault.outer}"


def trigger_of(trigger: Event | Periodic) -> tuple[str, dict[str, Any]]:
    """Return a trigger's name and its configuration."""
    if isinstance(trigger, Event):
        return "event", {"unit": trigger.unit, "at": list(trigger.at)}
    return "periodic", {"unit": trigger.unit, "start": trigger.start, "step": trigger.step, "end": trigger.end}


def hook_as_pairs(hook: HookPlan) -> dict[str, Any]:
    """Return a hook's configuration as reports write it: names and arguments in pairs."""
    return {
        "action": list(action_of(hook)),
        "trigger": list(trigger_of(hook.trigger)),
        "description": hook.description,
    }


def hook_as_mappings(hook: HookPlan) -> dict[str, Any]:
    """Return a hook's configuration as tasks are written: names as keys."""
    return {
        "description": hook.description,
        "action": dict([action_of(hook)]),
        "trigger": dict([trigger_of(hook.trigger)]),
    }


def error_of(failure: FailurePlan, token: str) -> tuple[str, str, str]:
    """Return kind, message and traceback of a failure."""
    message = failure.message.replace("{token}", token)
    lines = ["Traceback (most recent call last):", *failure.frames, f"{failure.kind}: {message}", ""]
    return failure.kind, message, "\n".join(lines)


def sla_results(workload: PlayedWorkload) -> list[dict[str, Any]]:
    """Return what became of what was asked of a workload."""
    passed = workload.failure_rate_passed
    detail = (
        f"Failure rate criteria 0.00% <= {workload.failure_rate:.2f}% <= {workload.plan.failure_rate_max:.2f}% - "
        f"{'Passed' if passed else 'Failed'}"
    )
    results = [{"criterion": "failure_rate", "success": passed, "detail": detail}]
    if workload.aborted:
        detail = "Task was aborted due to SLA failure(s)."
        results.append({"criterion": "aborted_on_sla", "success": False, "detail": detail})
    return results


def moment_of(us: int) -> dt.datetime:
    """Return the UTC time of a moment in microseconds."""
    return dt.datetime.fromtimestamp(us // SECOND, dt.UTC) + dt.timedelta(microseconds=us % SECOND)


def utc_text(us: int, separator: str) -> str:
    """Return a moment as Rally writes UTC times, with whole seconds."""
    return moment_of(us).strftime(f"%Y-%m-%d{separator}%H:%M:%S")


def json_object(pairs: Pairs) -> Iterator[str]:
    """Yield a JSON object whose values come in pieces."""
    separator = "{"
    for key, value in pairs:
        yield f'{separator}"{key}": '
        yield from value
        separator = ", "
    yield "}"


def json_array(items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a JSON array whose items come in pieces."""
    separator = "["
    for item in items:
        yield separator
        yield from item
        separator = ", "
    yield "[]" if separator == "[" else "]"


def output_chart(hook: HookPlan, firing: Firing, kind: str) -> dict[str, Any]:
    """Return a chart of text, as hooks hand their output to Rally."""
    _, command = action_of(hook)
    return {
        "title": "System call",
        kind: "TextArea",
        "description": f"Args: {command}",
        "data": [
            f"RetCode: {firing.truth.return_code}",
            f"StdOut: {firing.stdout or '(empty)'}",
            f"StdErr: {firing.stderr or '(empty)'}",
        ],
    }


def script_chart(token: str) -> str:
    """Return what a scenario prints of its own: the words of a script."""
    return (
        f'"title": "Script StdOut", "data": ["dd: 1024 blocks of 4096 bytes written to /mnt/disk-{token}", '
        f'"checksum {token * 4} equals the one that was expected", "guest s-rally-{token} has shut down its network", '
        f'"4194304 bytes copied from guest {token} without an error"]'
    )
