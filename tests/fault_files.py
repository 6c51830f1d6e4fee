"""Files of injecting tools made of one line of ``faults.yaml`` each."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import yaml

from chaostoolkit_journals import answer, journal, process, python, run

START = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
TABLE = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))
Row = dict[str, Any]


def rows(section: str) -> list[tuple[str, Row]]:
    """The lines of a section with the tool that each is of."""
    return [(tool, row) for tool, lines in TABLE[section].items() for row in lines]


def write(tool: str, row: Row, folder: Path) -> tuple[str, str | None]:
    """Write the file of a line, and the one beside it where there is one; return their paths."""
    content, beside = _CONTENT[tool](row)
    paths = []
    for name, value in (("run.json", content), ("beside.json", beside)):
        if value is not None:
            (folder / name).write_text(json.dumps(value), encoding="utf-8")
            paths.append(str(folder / name))
    return paths[0], paths[1] if len(paths) > 1 else None


def moment(seconds: float) -> dt.datetime:
    """A time that many seconds after the start."""
    return START + dt.timedelta(seconds=seconds)


def zulu(seconds: float) -> str:
    """The same, cut to whole seconds as Kubernetes writes it."""
    return moment(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _chaostoolkit(row: Row) -> tuple[Row, None]:
    more = {"dry": row["dry"]} if "dry" in row else {}
    if "command" in row:
        path, _, arguments = row["command"].partition(" ")
        action = process("act", arguments, path, **more)
        spoken = {"stdout", "status", "stderr"} & row.keys() or row.get("because") == "act on nothing" or "hits" in row
        output = answer(row.get("stdout", ""), row.get("status", 0), row.get("stderr", "")) if spoken else None
    elif row["function"] == "http":
        action = {"type": "action", "name": "act", "provider": {"type": "http", "url": "http://192.0.2.1/"}}
        output = row["output"]
    else:
        action, output = python("act", row["function"], row.get("arguments"), **more), row.get("output")
    experiment = {"dry": row["experiment_dry"]} if "experiment_dry" in row else {}
    took = 0.0001 if output is None else 0.5
    return journal([run(action, 10, took, output)], experiment=experiment), None


def _chaos_mesh(row: Row) -> tuple[Row, None]:
    events = [_mesh_event(text) for text in row.get("events", ())] * row.get("repeat", 1)
    record = {"events": events, "injectedCount": row.get("injected", sum(e["type"] == "Succeeded" for e in events))}
    if row.get("injected", 0) is None:
        del record["injectedCount"]
    ids = row.get("ids", [row.get("id", "shop/web-0")])
    records = [{"id": name, "selectorKey": ".", **record} for name in ids] if row.get("records", 1) else []
    return {
        "apiVersion": "chaos-mesh.org/v1alpha1",
        "kind": row.get("kind", "NetworkChaos"),
        "metadata": {"name": "fault", "namespace": "shop", "creationTimestamp": zulu(0)},
        "spec": {"action": row["action"]} if "action" in row else {},
        "status": {
            "conditions": [{"type": "AllRecovered", "status": "True"}, {"type": "Selected", "status": "True"}],
            "experiment": {"desiredPhase": "Stop", "containerRecords": records},
        },
    }, None


def _mesh_event(text: str) -> Row:
    operation, kind, seconds = text.split()
    return {"operation": operation, "type": kind, "timestamp": zulu(float(seconds))}


def _krkn(row: Row) -> tuple[Row, None]:
    start = row.get("start", START.timestamp())
    gone = [
        {
            "pod_name": name,
            "namespace": "shop",
            "total_recovery_time": seconds,
            "pod_readiness_time": seconds,
            "pod_rescheduling_time": 0.0,
        }
        for name, seconds in row.get("recovered", {}).items()
    ]
    lost = [{"pod_name": name, "namespace": "shop"} for name in row.get("unrecovered", ())]
    nodes = [{"node_name": name, "not_ready_time": s, "ready_time": 0.0} for name, s in row.get("nodes", {}).items()]
    scenario = {
        "start_timestamp": float(start),
        "end_timestamp": float(start) + row.get("took", 60),
        "scenario": "scenarios/pod.yml",
        "scenario_type": row.get("type", "pod_disruption_scenarios"),
        "exit_status": row.get("exit", 0),
        "parameters": {},
        "affected_pods": {"recovered": gone, "unrecovered": lost, "error": row.get("error")},
        "affected_nodes": nodes,
    }
    return {"telemetry": {"scenarios": [scenario], "run_uuid": "5f2f9f0e-0000"}}, None


def _litmus(row: Row) -> tuple[Row, Row]:
    experiment = row.get("experiment", "pod-network-latency")
    targets = [
        {"name": name, "kind": row.get("kind", "pod"), "chaosStatus": state} for name, state in row["targets"].items()
    ]
    result = {
        "kind": "ChaosResult",
        "metadata": {"name": f"engine-{experiment}", "namespace": "litmus"},
        "spec": {"engine": "engine", "experiment": experiment},
        "status": {
            "experimentStatus": {
                "phase": row.get("phase", "Completed"),
                "verdict": row.get("verdict", "Pass"),
                "probeSuccessPercentage": row.get("probes", "100"),
            },
            "history": {
                "passedRuns": row.get("passed", 1),
                "failedRuns": row.get("failed", 0),
                "stoppedRuns": row.get("stopped", 0),
                "targets": targets,
            },
        },
    }
    happened = row.get("events", ["PreChaosCheck -5", "ChaosInject 0", "PostChaosCheck 60"])
    return result, {"kind": "List", "items": [_litmus_event(text) for text in happened] or [_litmus_event("Other 0")]}


def _litmus_event(text: str) -> Row:
    reason, *seconds = text.split()
    return {
        "kind": "Event",
        "reason": reason,
        "involvedObject": {"kind": "ChaosEngine", "name": "engine"},
        "source": {"component": "experiment-abc"},
        "firstTimestamp": zulu(float(seconds[0])),
        "lastTimestamp": zulu(float(seconds[-1])),
    }


def _fis(row: Row) -> tuple[Row, Row | None]:
    arns = [f"arn:aws:ec2:eu-central-1:000000000000:instance/i-{number}" for number in (1,)]
    target: Row = {"resourceType": "aws:ec2:instance", "selectionMode": row.get("selection", "ALL")}
    target |= {"resourceTags": {"chaos": "yes"}} if row.get("tags") else {"resourceArns": arns}
    action: Row = {
        "actionId": row.get("action", "aws:ec2:stop-instances"),
        "parameters": row.get("parameters", {}),
        "targets": {"Instances": "web"},
        "state": {"status": row.get("state", "completed"), "reason": ""},
        "startTime": moment(10).isoformat(),
        "endTime": moment(70.0).isoformat(timespec="microseconds"),
    }
    action["startTime"] = moment(10).isoformat(timespec="microseconds")
    if row.get("start", 0) is None:
        del action["startTime"], action["endTime"]
    experiment = {
        "id": "EXPabcdefgh12345",
        "experimentTemplateId": "EXT1",
        "state": {"status": "completed"},
        "targets": {"web": target},
        "actions": {"act": action},
        "startTime": moment(0).isoformat(timespec="microseconds"),
        "experimentOptions": {"actionsMode": row.get("mode", "run-all")},
    }
    resolved = [
        {"targetName": "web", "targetInformation": {"instanceArn": f"arn:aws:ec2:r:0:instance/{name}"}}
        for name in row.get("resolved", ())
    ]
    return {"experiment": experiment}, {"resolvedTargets": resolved} if resolved else None


_CONTENT = {
    "chaostoolkit": _chaostoolkit,
    "chaos-mesh": _chaos_mesh,
    "krkn": _krkn,
    "litmus": _litmus,
    "aws-fis": _fis,
}
