"""Result files of a played run, as Rally writes them: ``rally task report --json`` and ``rally task results``."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from faultset.simulator.plan import SECOND, HookPlan
from faultset.simulator.rally_json import (
    RALLY_VERSION,
    action_of,
    error_of,
    hook_as_mappings,
    json_array,
    json_object,
    moment_of,
    output_chart,
    runner_of,
    script_chart,
    sla_of,
    sla_results,
    trigger_of,
    utc_text,
)
from faultset.simulator.statistics import Series, durations_of, summary
from faultset.simulator.timeline import Firing, PlayedRun, PlayedWorkload


def results(run: PlayedRun) -> Iterator[str]:
    """Yield what ``rally task report --json`` writes: one object, times as epoch seconds with microseconds."""
    task: dict[str, Any] = {
        "uuid": run.task_uuid,
        "title": "",
        "description": "",
        "status": "aborted" if run.aborted else "finished",
        "tags": [],
        "env_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, "simulated.example.org")),
        "env_name": "simulated",
        "created_at": utc_text(run.created_us, "T"),
        "updated_at": utc_text(run.finished_us, "T"),
        "pass_sla": all(workload.sla_passed for workload in run.workloads),
    }
    info = {
        "rally_version": RALLY_VERSION,
        "generated_at": utc_text(run.finished_us + 60 * SECOND, "T"),
        "format_version": "1.2",
    }
    subtasks = json_array(json_object(_subtask(run, number, workload)) for number, workload in enumerate(run.workloads))
    tasks = json_array(
        [json_object([*((key, [json.dumps(value)]) for key, value in task.items()), ("subtasks", subtasks)])]
    )
    yield from json_object([("info", [json.dumps(info)]), ("tasks", tasks)])
    yield "\n"


def _subtask(run: PlayedRun, number: int, workload: PlayedWorkload) -> Iterator[tuple[str, Iterable[str]]]:
    head: dict[str, Any] = {
        "uuid": f"{run.task_uuid[:-4]}{number:04x}",
        "title": workload.plan.name,
        "description": "",
        "status": "aborted" if workload.aborted else "finished",
        "created_at": utc_text(workload.created_us, "T"),
        "updated_at": utc_text(workload.finished_us, "T"),
        "sla": {},
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "workloads", json_array([json_object(_workload_result(run, workload))])


def _workload_result(run: PlayedRun, workload: PlayedWorkload) -> Iterator[tuple[str, Iterable[str]]]:
    plan, load = workload.plan, workload.load
    series = durations_of(load, plan)
    head = {
        "uuid": workload.uuid,
        "description": plan.description,
        "runner": runner_of(plan),
        "hooks": [_hook_result(workload, index, hook_as_mappings(hook)) for index, hook in enumerate(plan.hooks)],
        "scenario": {plan.name: plan.args},
        "min_duration": float(series.duration_s.min()),
        "max_duration": float(series.duration_s.max()),
        "start_time": workload.started_us / SECOND,
        "load_duration": (workload.ended_us - workload.started_us) / SECOND,
        "full_duration": (workload.finished_us - workload.created_us) / SECOND,
        "statistics": {"durations": summary(load, series)},
    }
    tail = {
        "failed_iteration_count": workload.failed,
        "total_iteration_count": workload.iterations,
        "created_at": utc_text(workload.created_us, "T"),
        "updated_at": utc_text(workload.finished_us, "T"),
        "contexts": plan.contexts,
        "contexts_results": [],
        "position": 0,  # counted per subtask, of which each workload has its own; HTML counts on
        "pass_sla": workload.sla_passed,
        "sla_results": {"sla": sla_results(workload)},
        "sla": sla_of(plan),
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "data", json_array([f"\n{json.dumps(item)}"] for item in _iterations(run, workload, series))
    yield from ((key, [json.dumps(value)]) for key, value in tail.items())


def _hook_result(workload: PlayedWorkload, index: int, config: dict[str, Any]) -> dict[str, Any]:
    hook = workload.plan.hooks[index]
    firings = [firing for firing in workload.firings if firing.truth.hook_index == index]
    return {
        "config": config,
        "results": [_firing_result(hook, firing) for firing in firings],
        "summary": dict(Counter(firing.truth.status for firing in firings)),
    }


def _firing_result(hook: HookPlan, firing: Firing) -> dict[str, Any]:
    truth = firing.truth
    result: dict[str, Any] = {
        "status": truth.status,
        "started_at": truth.started_at_us / SECOND,
        "finished_at": truth.ended_at_us / SECOND,
        "triggered_by": {"event_type": truth.unit, "value": truth.value},
    }
    if truth.return_code:
        details = firing.stderr or f"stdout: {firing.stdout}"
        result["error"] = {"etype": "n/a", "msg": f"Subprocess returned {truth.return_code}", "details": details}
    if firing.stdout is not None:
        result["output"] = {"additive": [], "complete": [output_chart(hook, firing, "chart_plugin")]}
    return result


def _iterations(run: PlayedRun, workload: PlayedWorkload, series: Series) -> Iterator[dict[str, Any]]:
    load, plan = workload.load, workload.plan
    for index in range(workload.iterations):
        failed = bool(load.failed[index])
        yield {
            "timestamp": int(load.started_us[index]) / SECOND,
            "error": list(error_of(plan.failure, load.tokens[index])) if failed else [],
            "duration": float(series.duration_s[index]),
            "output": {"additive": [], "complete": _iteration_output(run, workload, index)},
            "idle_duration": float(series.idle_s[index]),
            "atomic_actions": _atomic_actions(int(load.started_us[index]), series, index, failed=failed),
        }


def _iteration_output(run: PlayedRun, workload: PlayedWorkload, index: int) -> list[dict[str, Any]]:
    trace = {
        "chart_plugin": "OSProfiler",
        "data": {
            "taskID": run.task_uuid,
            "workload_uuid": workload.uuid,
            "iteration": index + 1,
            "trace_id": workload.load.trace_ids[index],
            "conn_str": None,
        },
        "title": "OSProfiler Trace-ID",
    }
    if not workload.plan.script_output:
        return [trace]
    return [trace, {"chart_plugin": "TextArea", **json.loads(f"{{{script_chart(workload.load.tokens[index])}}}")}]


def _atomic_actions(started_us: int, series: Series, index: int, *, failed: bool) -> list[dict[str, Any]]:
    actions = []
    at = started_us
    for name, seconds in series.actions:
        if np.isnan(seconds[index]):
            break
        ends = at + round(float(seconds[index]) * SECOND)
        action = {"name": name, "children": [], "started_at": at / SECOND, "finished_at": ends / SECOND}
        actions.append({**action, "failed": True} if failed else action)
        at = ends
    return actions


def results_old(run: PlayedRun) -> Iterator[str]:
    """Yield what ``rally task results`` writes: an array of workloads, the configuration in the old form."""
    yield from json_array(json_object(_old_workload(run, workload)) for workload in run.workloads)
    yield "\n"


def _old_workload(run: PlayedRun, workload: PlayedWorkload) -> Iterator[tuple[str, Iterable[str]]]:
    plan = workload.plan
    series = durations_of(workload.load, plan)
    hooks = [_old_hook(hook) for hook in plan.hooks]
    key = {
        "name": plan.name,
        "description": plan.description,
        "pos": 0,
        "kw": {
            "args": plan.args,
            "runner": {"times": plan.times, "concurrency": plan.concurrency, "type": "constant"},
            "context": plan.contexts,
            "sla": sla_of(plan),
            "hooks": hooks,
        },
    }
    tail = {
        "sla": sla_results(workload),
        "hooks": [_hook_result(workload, index, hook) for index, hook in enumerate(hooks)],
        "load_duration": (workload.ended_us - workload.started_us) / SECOND,
        "full_duration": (workload.finished_us - workload.created_us) / SECOND,
        # Rally's own slip in this command: year, day, month.
        "created_at": moment_of(workload.created_us).strftime("%Y-%d-%mT%H:%M:%S"),
    }
    yield "key", [json.dumps(key)]
    yield "result", json_array([f"\n{json.dumps(_old_iteration(item))}"] for item in _iterations(run, workload, series))
    yield from ((name, [json.dumps(value)]) for name, value in tail.items())


def _old_hook(hook: HookPlan) -> dict[str, Any]:
    name, args = action_of(hook)
    kind, trigger = trigger_of(hook.trigger)
    return {
        "name": name,
        "args": args,
        "description": hook.description,
        "trigger": {"name": kind, "args": trigger},
    }


def _old_iteration(item: dict[str, Any]) -> dict[str, Any]:
    actions = {action["name"]: action["finished_at"] - action["started_at"] for action in item["atomic_actions"]}
    return {**item, "atomic_actions": actions}
