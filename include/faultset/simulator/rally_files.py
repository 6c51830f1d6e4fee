"""A played Rally task as the HTML task report; ``rally_results`` has the result files.

The layout of the data is Rally's to the letter; the page around it is not. Everything is written piece by piece, so
that a report of any size needs no more memory than its iterations' times.
"""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from faultset.simulator.plan import SECOND
from faultset.simulator.rally_json import (
    RALLY_VERSION,
    action_of,
    config_of,
    error_of,
    json_array,
    json_object,
    moment_of,
    output_chart,
    script_chart,
    sla_results,
    source,
    utc_text,
)
from faultset.simulator.statistics import charts, durations_of
from faultset.simulator.timeline import PlayedRun, PlayedWorkload

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


def report(run: PlayedRun, rendered_in: str) -> Iterator[str]:
    """Yield the HTML report of ``run``, rendered on a machine in the IANA zone ``rendered_in``."""
    zone = zoneinfo.ZoneInfo(rendered_in)
    by_name = sorted(run.workloads, key=lambda workload: (workload.plan.name, workload.position))
    yield _HEAD
    yield f"        $scope.source = {json.dumps(json.dumps(source(run.plan), indent=2))};\n"
    yield "        $scope.scenarios = "
    yield from json_array(json_object(_scenario(workload, zone)) for workload in by_name)
    yield ";\n"
    yield _TAIL


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
        "config": json.dumps(config_of(workload), indent=2),
        "hooks": _shown_hooks(workload),
        "description": plan.description,
        **charts(load, series),
        "additive_output": [],
    }
    tail = {
        "load_duration": (workload.ended_us - workload.started_us) / SECOND,
        "full_duration": (workload.finished_us - workload.created_us) / SECOND,
        "created_at": utc_text(workload.created_us, "T"),
        "sla": sla_results(workload),
        "sla_success": workload.sla_passed,
        "iterations_count": workload.iterations,
    }
    yield from ((key, [json.dumps(value)]) for key, value in head.items())
    yield "complete_output", json_array([chart] for chart in _iteration_charts(workload))
    yield "has_output", ["true"]
    yield "output_errors", ["[]"]
    yield "errors", json_array([json.dumps(error)] for error in _errors(workload, zone))
    yield from ((key, [json.dumps(value)]) for key, value in tail.items())


def _shown_hooks(workload: PlayedWorkload) -> list[dict[str, Any]]:
    """Return what HTML shows of the hooks: those with output, times in UTC cut to the second."""
    shown = []
    for index, hook in enumerate(workload.plan.hooks):
        results = [
            {
                "triggered_by": f"{firing.truth.unit}: {firing.truth.value}",
                "started_at": utc_text(firing.truth.started_at_us, " "),
                "finished_at": utc_text(firing.truth.ended_at_us, " "),
                "status": firing.truth.status,
                "charts": [output_chart(hook, firing, "widget")],
            }
            for firing in workload.firings
            if firing.truth.hook_index == index and firing.stdout is not None
        ]
        if results:
            name, _ = action_of(hook)
            shown.append({"name": name, "desc": hook.description, "additive": [], "complete": results})
    return shown


def _iteration_charts(workload: PlayedWorkload) -> Iterator[str]:
    load = workload.load
    for trace_id, token in zip(load.trace_ids, load.tokens, strict=True):
        chart = f'[{{"title": "OSProfiler Trace-ID", "widget": "TextArea", "data": ["{trace_id}"]}}'
        yield (
            f'{chart}, {{"widget": "TextArea", {script_chart(token)}}}]' if workload.plan.script_output else f"{chart}]"
        )


def _errors(workload: PlayedWorkload, zone: zoneinfo.ZoneInfo) -> Iterator[dict[str, Any]]:
    for index in np.flatnonzero(workload.load.failed):
        kind, message, traceback = error_of(workload.plan.failure, workload.load.tokens[index])
        yield {
            "iteration": int(index) + 1,
            "timestamp": moment_of(int(workload.load.started_us[index]))
            .astimezone(zone)
            .replace(tzinfo=None)
            .isoformat("\n"),
            "type": kind,
            "message": message,
            "traceback": traceback,
        }
