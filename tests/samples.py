"""Small hand-made inputs that tests change one thing in."""

from __future__ import annotations

import copy
import json
from typing import Any

UUID = "2f0c6b1e-0000-4000-8000-00000000abcd"

HOOK = {
    "description": "Run script",
    "action": {"sys_call": "sh ./restart.sh"},
    "trigger": {"event": {"unit": "iteration", "at": [2, 9]}},
}

CONFIG = {
    "version": 2,
    "title": "A cropped version of a bigger task.",
    "description": f"Auto-generated task from a single workload (uuid={UUID})",
    "subtasks": [
        {
            "title": "Dummy.dummy",
            "description": "",
            "scenario": {"Dummy.dummy": {}},
            "contexts": {},
            "runner": {"constant": {"times": 4, "concurrency": 1}},
            "hooks": [HOOK],
            "sla": {"failure_rate": {"max": 100}},
        }
    ],
}

SOURCE = {
    "version": 2,
    "title": "",
    "description": "",
    "subtasks": [
        {
            "title": "Dummy.dummy",
            "description": "",
            "workloads": [
                {
                    "scenario": {"Dummy.dummy": {}},
                    "description": "",
                    "contexts": {},
                    "runner": {"constant": {"times": 4, "concurrency": 1}},
                    "hooks": [HOOK],
                    "sla": {"failure_rate": {"max": 100}},
                }
            ],
        }
    ],
}

FIRED = {
    "triggered_by": "iteration: 2",
    "started_at": "2019-11-19 17:53:46",
    "finished_at": "2019-11-19 17:53:49",
    "status": "success",
    "charts": [
        {
            "title": "System call",
            "description": "Args: sh ./restart.sh",
            "data": ["RetCode: 0", "StdOut: glance_api\n", "StdErr: (empty)"],
            "widget": "TextArea",
        }
    ],
}

SCENARIO: dict[str, Any] = {
    "cls": "Dummy",
    "met": "dummy",
    "pos": "0",
    "name": "dummy",
    "runner": "constant",
    "config": json.dumps(CONFIG),
    "hooks": [{"name": "sys_call", "desc": "Run script", "additive": [], "complete": [FIRED]}],
    "description": "",
    "iterations": {
        "iter": [
            ["duration", [[1, 2.0], [2, 0], [3, 2.0], [4, 2.0]]],
            ["idle_duration", [[1, 0.0], [2, 0.0], [3, 0.0], [4, 0.0]]],
            ["failed_duration", [[1, 0], [2, 2.0], [3, 0], [4, 0]]],
        ],
        "pie": [["success", 3], ["errors", 1]],
        "histogram": {"data": [], "views": []},
    },
    "load_profile": [],
    "atomic": {"histogram": {"data": [], "views": []}, "iter": [], "pie": []},
    "table": {"cols": [], "rows": [], "styles": {}},
    "additive_output": [],
    "complete_output": [[], [], [], []],
    "has_output": False,
    "output_errors": [],
    "errors": [
        {
            "iteration": 2,
            "timestamp": "2019-11-19\n18:53:45.500000",
            "type": "NewConnectionError",
            "message": "Connection refused",
            "traceback": "Traceback",
        }
    ],
    "load_duration": 8.0,
    "full_duration": 9.0,
    "created_at": "2019-11-19T17:53:40",
    "sla": [{"criterion": "failure_rate", "success": True, "detail": "Passed"}],
    "sla_success": True,
    "iterations_count": 4,
}

RESULTS: dict[str, Any] = {
    "info": {"rally_version": "1.5.1", "generated_at": "2019-11-19T18:00:00", "format_version": "1.2"},
    "tasks": [
        {
            "uuid": "11111111-0000-4000-8000-000000000001",
            "title": "",
            "description": "",
            "status": "finished",
            "pass_sla": True,
            "subtasks": [
                {
                    "uuid": "22222222-0000-4000-8000-000000000002",
                    "title": "Dummy.dummy",
                    "workloads": [
                        {
                            "uuid": UUID,
                            "description": "",
                            "runner": {"constant": {"times": 4, "concurrency": 1}},
                            "scenario": {"Dummy.dummy": {}},
                            "position": 0,
                            "created_at": "2019-11-19T17:53:40",
                            "start_time": 1574186023.0,
                            "load_duration": 8.0,
                            "full_duration": 9.0,
                            "pass_sla": True,
                            "sla": {"failure_rate": {"max": 100}},
                            "sla_results": {"sla": SCENARIO["sla"]},
                            "failed_iteration_count": 1,
                            "total_iteration_count": 4,
                            "hooks": [
                                {
                                    "config": HOOK,
                                    "results": [
                                        {
                                            "status": "success",
                                            "started_at": 1574186026.522152,
                                            "finished_at": 1574186029.594851,
                                            "triggered_by": {"event_type": "iteration", "value": 2},
                                            "output": {
                                                "additive": [],
                                                "complete": [
                                                    {
                                                        "title": "System call",
                                                        "chart_plugin": "TextArea",
                                                        "description": "Args: sh ./restart.sh",
                                                        "data": FIRED["charts"][0]["data"],
                                                    }
                                                ],
                                            },
                                        }
                                    ],
                                    "summary": {"success": 1},
                                }
                            ],
                            "data": [
                                {
                                    "timestamp": 1574186023.0 + 2 * i,
                                    "duration": 2.0,
                                    "idle_duration": 0.0,
                                    "error": ["NewConnectionError", "Connection refused", "Trace"] if i == 1 else [],
                                    "output": {"additive": [], "complete": []},
                                    "atomic_actions": [],
                                }
                                for i in range(4)
                            ],
                            "statistics": {},
                        }
                    ],
                }
            ],
        }
    ],
}

CLUSTER = """\
node_discover:
  driver: node_list
  args:
    - ip: 192.0.2.1  # role: controller
      fqdn: ctl1
      auth: {username: rally, private_key_file: /home/rally/.ssh/id_rsa, become_password: sample-password}
    - ip: 192.0.2.2  # role: compute
      fqdn: cmp1
      auth: {username: rally, private_key_file: /home/rally/.ssh/id_rsa, become_password: sample-password}
containers:
  glance_api:
    driver: docker_container
    args: {container_name: glance_api}
    hosts: [192.0.2.1]
"""

SCRIPT = """\
#!/bin/bash
sshpass -p 'sample-password' ssh rally@ctl1.example.org docker restart glance_api
"""

HEAD = """\
<html ng-app="App">
<head>
  <meta charset="utf-8">
  <meta name="generator" content="Rally version {version}">
  <title>Rally Task Report</title>
  <script type="text/javascript">
    var controllerFunction = function($scope, $location) {{
"""

FOOT = """
      $scope.location = {};
    }
  </script>
</head>
<body></body>
</html>
"""


def report(
    scenarios: object = None, source: object = None, *, version: str = "1.5.1", head: str = HEAD, foot: str = FOOT
) -> str:
    """A report as Rally lays it out, around the given data."""
    scenarios = [SCENARIO] if scenarios is None else scenarios
    source = SOURCE if source is None else source
    text = source if isinstance(source, str) else json.dumps(source, indent=2)
    return (
        head.format(version=version)
        + f"        $scope.source = {json.dumps(text)};\n"
        + f"        $scope.scenarios = {json.dumps(scenarios)};\n"
        + foot
    )


def scenario(**changes: object) -> dict[str, Any]:
    """The sample scenario with some keys changed; a change to ``...`` removes the key."""
    changed = copy.deepcopy(SCENARIO) | changes
    return {key: value for key, value in changed.items() if value is not ...}


def results(**changes: object) -> dict[str, Any]:
    """The sample result JSON with some keys of its workload changed; a change to ``...`` removes the key."""
    document = copy.deepcopy(RESULTS)
    workload = document["tasks"][0]["subtasks"][0]["workloads"][0]
    workload.update(changes)
    for key in [key for key, value in workload.items() if value is ...]:
        del workload[key]
    return document
