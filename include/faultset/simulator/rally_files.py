"""A played Rally task as Rally's files: HTML task report, result JSON, and the result JSON of older versions.

The layout of the data is Rally's to the letter; the page around it is not. Everything is written piece by piece, so
that a report of any size needs no more memory than its iterations' times.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from faultset.simulator.plan import SECOND, Event, FailurePlan, HookPlan, HumanFault, Periodic, RunPlan, WorkloadPlan
from faultset.simulator.statistics import Series, charts, durations_of, summary
from faultset.simulator.timeline import Firing, PlayedRun, PlayedWorkload

RALLY_VERSION = "3.4.0"
_Pairs = Iterable[tuple[str, Iterable[str]]]

_HEAD = f"""<!doctype html>
<html ng-app="App">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1.0">
  <meta name="generator" content="Rally version {RALLY_VERSION}">
  <title>Rally | Rally Task Report</title>

  <script type="text/javascript">
    "use strict";
    var controllerFunction = function($scope, $location) {{
"""
_TAIL = """
    };
    document.addEventListener("DOMContentLoaded", function() {
      var scope = {};
      controllerFunction(scope, null);
      scope.scenarios.forEach(function(scenario) {
        var line = document.createElement("li");
        line.textContent = scenario.cls + "." + scenario.met + ": " + scenario.iterations_count + " iterations";
        document.getElementById("workloads").appendChild(line);
      });
    });
  </script>
</head>
<body>
  <h1>Simulated task report</h1>
  <ul id="workloads"></ul>
</body>
</html>
"""


# --- the HTML report ------------------------------------------------------------------------------------------------


def report(run: PlayedRun, rendered_in: str) -> Iterator[str]:
    """Yield the HTML report of ``run``, rendered on a machine in the IANA zone ``rendered_in``."""
    zone = zoneinfo.ZoneInfo(rendered_in)
    by_name = sorted(run.workloads, key=lambda workload: (workload.plan.name, workload.position))
    yield _HEAD
    yield f"        $scope.source = {json.dumps(json.dumps(source(run.plan), indent=2))};\n"
    yield "        $scope.scenarios = "
    yield from _array(_object(_scenario(workload, zone)) for workload in by_name)
    yield ";\n"
    yield _TAIL


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
                        "runner": _runner(workload),
                        "hooks": [_hook_as_pairs(hook) for hook in workload.hooks],
                        "sla": _sla(workload),
                    }
                ],
            }
            for workload in plan.workloads
        ],
    }


def _config(workload: PlayedWorkload) -> dict[str, Any]:
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
                "runner": _runner(plan),
                "hooks": [_hook_as_mappings(hook) for hook in plan.hooks],
                "sla": _sla(plan),
            }
        ],
    }


def _runner(plan: WorkloadPlan) -> dict[str, Any]:
    return {"constant": {"concurrency": plan.concurrency, "times": plan.times}}


def _sla(plan: WorkloadPlan) -> dict[str, Any]:
    return {"failure_rate": {"max": plan.failure_rate_max}}


def action_of(hook: HookPlan) -> tuple[str, Any]:
    """Return the name and the argument of the hook's action."""
    if isinstance(hook.fault, HumanFault):
        return "fault_injection", {"action": hook.fault.command, "verify": True}
    return "sys_call", f"sh ./{hook.fault.outer}"


def _trigger(trigger: Event | Periodic) -> tuple[str, dict[str, Any]]:
    if isinstance(trigger, Event):
        return "event", {"unit": trigger.unit, "at": list(trigger.at)}
    return "periodic", {"unit": trigger.unit, "start": trigger.start, "step": trigger.step, "end": trigger.end}


def _hook_as_pairs(hook: HookPlan) -> dict[str, Any]:
    return {
        "action": list(action_of(hook)),
        "trigger": list(_trigger(hook.trigger)),
        "description": hook.description,
    }


def _hook_as_mappings(hook: HookPlan) -> dict[str, Any]:
    return {
        "description": hook.description,
        "action": dict([action_of(hook)]),
        "trigger": dict([_trigger(hook.trigger)]),
    }


def _scenario(workload: PlayedWorkload, zone: zoneinfo.ZoneInfo) -> Iterator[tuple[str, Iterable[str]]]:
    plan, load = workload.plan, workload.load
    cls, method = plan.name.split(".")
    series = durations_of(load, plan)
    head = {
        "cls": cls,
        "met": method,
        "pos": str(workload.position),
        "name": method,
        "runner": "constant",
        "config": json.dumps(_config(workload), indent=2),
        "hooks": _shown_hooks(workload),
        "description": plan.description,
        **charts(load, series),
        "additive_output": [],
    }
    tail = {
        "load_duration": (workload.ended_us - workload.started_us) / SECOND,
        "full_duration": (workload.finished_us - workload.created_us) / SECOND,
        "created_at": _utc_text(workload.created_us, "T"),
        "sla": _sla_results(workload),
        "sla_success": workload.sla_passed,
        "iterations_count": workload.iterations,
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "complete_output", _array([chart] for chart in _iteration_charts(workload))
    yield "has_output", ["true"]
    yield "output_errors", ["[]"]
    yield "errors", _array([json.dumps(error)] for error in _errors(workload, zone))
    yield from ((key, [json.dumps(value)]) for key, value in tail.items())


def _shown_hooks(workload: PlayedWorkload) -> list[dict[str, Any]]:
    """Return what HTML shows of the hooks: those with output, times in UTC cut to the second."""
    shown = []
    for index, hook in enumerate(workload.plan.hooks):
        results = [
            {
                "triggered_by": f"{firing.truth.unit}: {firing.truth.value}",
                "started_at": _utc_text(firing.truth.started_at_us, " "),
                "finished_at": _utc_text(firing.truth.ended_at_us, " "),
                "status": firing.truth.status,
                "charts": [_output_chart(hook, firing, "widget")],
            }
            for firing in workload.firings
            if firing.truth.hook_index == index and firing.stdout is not None
        ]
        if results:
            name, _ = action_of(hook)
            shown.append({"name": name, "desc": hook.description, "additive": [], "complete": results})
    return shown


def _output_chart(hook: HookPlan, firing: Firing, kind: str) -> dict[str, Any]:
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


def _iteration_charts(workload: PlayedWorkload) -> Iterator[str]:
    load = workload.load
    for trace_id, token in zip(load.trace_ids, load.tokens, strict=True):
        chart = f'[{{"title": "OSProfiler Trace-ID", "widget": "TextArea", "data": ["{trace_id}"]}}'
        yield (
            f'{chart}, {{"widget": "TextArea", {_script_chart(token)}}}]'
            if workload.plan.script_output
            else f"{chart}]"
        )


def _script_chart(token: str) -> str:
    return (
        f'"title": "Script StdOut", "data": ["dd: 1024 blocks of 4096 bytes written to /mnt/disk-{token}", '
        f'"checksum {token * 4} equals the one that was expected", "guest s-rally-{token} has shut down its network", '
        f'"4194304 bytes copied from guest {token} without an error"]'
    )


def _errors(workload: PlayedWorkload, zone: zoneinfo.ZoneInfo) -> Iterator[dict[str, Any]]:
    for index in np.flatnonzero(workload.load.failed):
        kind, message, traceback = _error(workload.plan.failure, workload.load.tokens[index])
        yield {
            "iteration": int(index) + 1,
            "timestamp": _moment(int(workload.load.started_us[index]))
            .astimezone(zone)
            .replace(tzinfo=None)
            .isoformat("\n"),
            "type": kind,
            "message": message,
            "traceback": traceback,
        }


def _error(failure: FailurePlan, token: str) -> tuple[str, str, str]:
    message = failure.message.replace("{token}", token)
    lines = ["Traceback (most recent call last):", *failure.frames, f"{failure.kind}: {message}", ""]
    return failure.kind, message, "\n".join(lines)


def _sla_results(workload: PlayedWorkload) -> list[dict[str, Any]]:
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


# --- rally task report --json ---------------------------------------------------------------------------------------


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
        "created_at": _utc_text(run.created_us, "T"),
        "updated_at": _utc_text(run.finished_us, "T"),
        "pass_sla": all(workload.sla_passed for workload in run.workloads),
    }
    info = {
        "rally_version": RALLY_VERSION,
        "generated_at": _utc_text(run.finished_us + 60 * SECOND, "T"),
        "format_version": "1.2",
    }
    subtasks = _array(_object(_subtask(run, number, workload)) for number, workload in enumerate(run.workloads))
    tasks = _array([_object([*((key, [json.dumps(value)]) for key, value in task.items()), ("subtasks", subtasks)])])
    yield from _object([("info", [json.dumps(info)]), ("tasks", tasks)])
    yield "\n"


def _subtask(run: PlayedRun, number: int, workload: PlayedWorkload) -> Iterator[tuple[str, Iterable[str]]]:
    head: dict[str, Any] = {
        "uuid": f"{run.task_uuid[:-4]}{number:04x}",
        "title": workload.plan.name,
        "description": "",
        "status": "aborted" if workload.aborted else "finished",
        "created_at": _utc_text(workload.created_us, "T"),
        "updated_at": _utc_text(workload.finished_us, "T"),
        "sla": {},
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "workloads", _array([_object(_workload_result(run, workload))])


def _workload_result(run: PlayedRun, workload: PlayedWorkload) -> Iterator[tuple[str, Iterable[str]]]:
    plan, load = workload.plan, workload.load
    series = durations_of(load, plan)
    head = {
        "uuid": workload.uuid,
        "description": plan.description,
        "runner": _runner(plan),
        "hooks": [_hook_result(workload, index, _hook_as_mappings(hook)) for index, hook in enumerate(plan.hooks)],
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
        "created_at": _utc_text(workload.created_us, "T"),
        "updated_at": _utc_text(workload.finished_us, "T"),
        "contexts": plan.contexts,
        "contexts_results": [],
        "position": 0,  # counted per subtask, of which each workload has its own; HTML counts on
        "pass_sla": workload.sla_passed,
        "sla_results": {"sla": _sla_results(workload)},
        "sla": _sla(plan),
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "data", _array([f"\n{json.dumps(item)}"] for item in _iterations(run, workload, series))
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
        result["output"] = {"additive": [], "complete": [_output_chart(hook, firing, "chart_plugin")]}
    return result


def _iterations(run: PlayedRun, workload: PlayedWorkload, series: Series) -> Iterator[dict[str, Any]]:
    load, plan = workload.load, workload.plan
    for index in range(workload.iterations):
        failed = bool(load.failed[index])
        yield {
            "timestamp": int(load.started_us[index]) / SECOND,
            "error": list(_error(plan.failure, load.tokens[index])) if failed else [],
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
    return [trace, {"chart_plugin": "TextArea", **json.loads(f"{{{_script_chart(workload.load.tokens[index])}}}")}]


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


# --- rally task results ---------------------------------------------------------------------------------------------


def results_old(run: PlayedRun) -> Iterator[str]:
    """Yield what ``rally task results`` writes: an array of workloads, the configuration in the old form."""
    yield from _array(_object(_old_workload(run, workload)) for workload in run.workloads)
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
            "sla": _sla(plan),
            "hooks": hooks,
        },
    }
    tail = {
        "sla": _sla_results(workload),
        "hooks": [_hook_result(workload, index, hook) for index, hook in enumerate(hooks)],
        "load_duration": (workload.ended_us - workload.started_us) / SECOND,
        "full_duration": (workload.finished_us - workload.created_us) / SECOND,
        # Rally's own slip in this command: year, day, month.
        "created_at": _moment(workload.created_us).strftime("%Y-%d-%mT%H:%M:%S"),
    }
    yield "key", [json.dumps(key)]
    yield "result", _array([f"\n{json.dumps(_old_iteration(item))}"] for item in _iterations(run, workload, series))
    yield from ((name, [json.dumps(value)]) for name, value in tail.items())


def _old_hook(hook: HookPlan) -> dict[str, Any]:
    name, args = action_of(hook)
    kind, trigger = _trigger(hook.trigger)
    return {
        "name": name,
        "args": args,
        "description": hook.description,
        "trigger": {"name": kind, "args": trigger},
    }


def _old_iteration(item: dict[str, Any]) -> dict[str, Any]:
    actions = {action["name"]: action["finished_at"] - action["started_at"] for action in item["atomic_actions"]}
    return {**item, "atomic_actions": actions}


# --- helpers --------------------------------------------------------------------------------------------------------


def _moment(us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(us // SECOND, dt.UTC) + dt.timedelta(microseconds=us % SECOND)


def _utc_text(us: int, separator: str) -> str:
    return _moment(us).strftime(f"%Y-%m-%d{separator}%H:%M:%S")


def _object(pairs: _Pairs) -> Iterator[str]:
    """Yield a JSON object whose values come in pieces."""
    separator = "{"
    for key, value in pairs:
        yield f'{separator}"{key}": '
        yield from value
        separator = ", "
    yield "}"


def _array(items: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield a JSON array whose items come in pieces."""
    separator = "["
    for item in items:
        yield separator
        yield from item
        separator = ", "
    yield "[]" if separator == "[" else "]"
