"""Small Rally reports and results made by hand, in the shape that Rally writes them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

UUID = "2ed58728-7491-405d-9a12-80c2ae6284ea"
HEAD = """<!doctype html>
<html ng-app="App">
<head>
  <meta charset="utf-8">
  <meta name="generator" content="Rally version {version}">
  <title>Rally | Rally Task Report</title>
  <script type="text/javascript">
    var controllerFunction = function($scope, $location) {{
"""
TAIL = """
        if (! $scope.scenarios_map) { return }
    };
</script>
</head>
<body></body>
</html>
"""


def hook(action: str = "sh ./restart.sh", description: str | None = "Run script", **trigger: Any) -> dict[str, Any]:
    """A hook as ``config`` and result JSON hold it; by default an event at iteration 5."""
    return {
        "description": description,
        "action": {"sys_call": action},
        "trigger": trigger or {"event": {"unit": "iteration", "at": [5]}},
    }


def task(name: str = "Dummy.dummy", hooks: list[dict[str, Any]] | None = None, **runner: Any) -> dict[str, Any]:
    """A task file of one workload, as each scenario's ``config`` holds it."""
    return {
        "version": 2,
        "title": "A cropped version of a bigger task.",
        "description": f"Auto-generated task from a single workload (uuid={UUID})",
        "subtasks": [
            {
                "title": name,
                "scenario": {name: {"sleep": 0.1}},
                "runner": runner or {"constant": {"times": 10, "concurrency": 2}},
                "hooks": hooks or [],
                "sla": {"failure_rate": {"max": 0}},
            }
        ],
    }


def call_chart(action: str = "sh ./restart.sh", code: int = 0, out: str = "ok\n", err: str = "") -> dict[str, Any]:
    """The chart that ``sys_call`` leaves."""
    return {
        "title": "System call",
        "description": f"Args: {action}",
        "data": [f"RetCode: {code}", f"StdOut: {out or '(empty)'}", f"StdErr: {err or '(empty)'}"],
        "widget": "TextArea",
    }


def firing(trigger: str = "iteration: 5", **changes: Any) -> dict[str, Any]:
    return {
        "triggered_by": trigger,
        "started_at": "2026-11-23 14:57:24",
        "finished_at": "2026-11-23 14:57:25",
        "status": "success",
        "charts": [call_chart()],
        **changes,
    }


def shown(firings: list[dict[str, Any]], description: str | None = "Run script", **changes: Any) -> dict[str, Any]:
    """A hook as a report shows it."""
    return {"name": "sys_call", "desc": description, "additive": [], "complete": firings, **changes}


def scenario(count: int = 10, config: dict[str, Any] | str | None = None, **changes: Any) -> dict[str, Any]:
    """A workload of a report; ``config`` as text stands there as it is."""
    asked_for = config if isinstance(config, str) else json.dumps(config or task(), indent=2)
    return {
        "cls": "Dummy",
        "met": "dummy",
        "pos": "0",
        "name": "dummy",
        "runner": "constant",
        "config": asked_for,
        "hooks": [],
        "iterations": {
            "iter": [
                ["duration", [[number, number / 10] for number in range(1, count + 1)]],
                ["idle_duration", [[number, 0.0] for number in range(1, count + 1)]],
            ],
            "pie": [["success", count], ["errors", 0]],
        },
        "complete_output": [[] for _ in range(count)],
        "errors": [],
        "load_duration": 2.5,
        "full_duration": 3.5,
        "created_at": "2026-11-23T14:57:20",
        "sla": [{"criterion": "failure_rate", "success": True, "detail": "0.00% <= 0.00% - Passed"}],
        "sla_success": True,
        "iterations_count": count,
        **changes,
    }


def page(scenarios: Any, source: Any = "{}", version: str = "3.4.0") -> str:
    """A task report with these data."""
    return (
        HEAD.format(version=version)
        + f"        $scope.source = {json.dumps(source)};\n"
        + f"        $scope.scenarios = {json.dumps(scenarios)};\n"
        + TAIL
    )


def iteration(timestamp: float, **changes: Any) -> dict[str, Any]:
    """An iteration of a result JSON."""
    return {
        "timestamp": timestamp,
        "duration": 0.5,
        "idle_duration": 0.25,
        "error": [],
        "output": {"additive": [], "complete": []},
        "atomic_actions": [],
        **changes,
    }


def hook_result(value: int = 5, **changes: Any) -> dict[str, Any]:
    chart = {**call_chart(), "chart_plugin": "TextArea"}
    return {
        "status": "success",
        "started_at": 1795445844.25,
        "finished_at": 1795445845.75,
        "triggered_by": {"event_type": "iteration", "value": value},
        "output": {"additive": [], "complete": [chart]},
        **changes,
    }


def workload(count: int = 10, hooks: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """A workload of ``rally task report --json``; ``hooks`` are ``{config, results}``."""
    return {
        "uuid": UUID,
        "runner": {"constant": {"times": 10, "concurrency": 2}},
        "hooks": hooks or [],
        "scenario": {"Dummy.dummy": {"sleep": 0.1}},
        "start_time": 1795445840.5,
        "load_duration": 2.5,
        "full_duration": 3.5,
        "data": [iteration(1795445840.5 + number) for number in range(count)],
        "failed_iteration_count": 0,
        "total_iteration_count": count,
        "created_at": "2026-11-23T14:57:20",
        "position": 0,
        "pass_sla": True,
        "sla_results": {"sla": [{"criterion": "failure_rate", "success": True, "detail": "0.00% <= 0.00% - Passed"}]},
        **changes,
    }


def results(*workloads: dict[str, Any]) -> dict[str, Any]:
    """What ``rally task report --json`` writes: each workload in a subtask of its own."""
    return {
        "info": {"rally_version": "3.4.0", "format_version": "1.2"},
        "tasks": [{"subtasks": [{"workloads": [copy.deepcopy(item)]} for item in workloads]}],
    }


def old_result(count: int = 10, position: int = 0, **changes: Any) -> dict[str, Any]:
    """A workload of ``rally task results``."""
    return {
        "key": {
            "name": "Dummy.dummy",
            "pos": position,
            "kw": {"runner": {"type": "constant", "times": 10, "concurrency": 2}},
        },
        "result": [iteration(1795445840.5 + number) for number in range(count)],
        "sla": [{"criterion": "failure_rate", "success": True, "detail": "0.00% <= 0.00% - Passed"}],
        "hooks": [],
        "load_duration": 2.5,
        "full_duration": 3.5,
        "created_at": "2026-23-11T14:57:20",
        **changes,
    }


def written(folder: Path, content: Any, name: str = "file") -> str:
    """Write text, bytes or anything that JSON can hold; return the path."""
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)
