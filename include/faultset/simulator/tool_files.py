"""Files of tools that inject or put load, written from what is planned: as each tool writes them, with its traps.

A ``ToolFault`` says what truly happens; ``says`` is what the tool claims all the same. Nothing here uses the readers.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

# What became of a fault that its tool calls a success.
Fate = Literal["hit", "dry", "refused", "nothing_selected", "skipped", "only_targeted", "never_applied"]


@dataclass(frozen=True, slots=True)
class ToolFault:
    """A fault of a plan.

    Attributes:
        name: of the action, object or scenario.
        pod: that it is aimed at; a tool that knows no pods acts on the container of this name.
        node: where that truly runs.
        starts_s: seconds from the start of the run to the fault's.
        lasts_s: seconds.
        fate: what truly becomes of it.
    """

    name: str
    pod: str
    node: str
    starts_s: float
    lasts_s: float
    fate: Fate = "hit"

    @property
    def works(self) -> bool:
        """Whether anything is hit."""
        return self.fate == "hit"


def iso(moment: dt.datetime) -> str:
    """A time with microseconds and an offset."""
    return moment.isoformat(timespec="microseconds")


def zulu(moment: dt.datetime) -> str:
    """A time cut to whole seconds, as Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _after(start: dt.datetime, seconds: float) -> dt.datetime:
    return start + dt.timedelta(seconds=seconds)


# --- Chaos Toolkit ---------------------------------------------------------------------------------------------------


def chaostoolkit_journal(faults: Sequence[ToolFault], start: dt.datetime, node: str) -> str:
    """A journal in which each fault lies between an action that stops a container and one that starts it."""
    runs: list[dict[str, Any]] = []
    for fault in faults:
        for verb, at in (("stop", fault.starts_s), ("start", fault.starts_s + fault.lasts_s)):
            runs.append(_action(fault, verb, _after(start, at)))
    end = max(_after(start, fault.starts_s + fault.lasts_s + 5) for fault in faults)
    dry = {"dry": "actions"} if all(fault.fate == "dry" for fault in faults) else {"dry": None}
    method = [run["activity"] for run in runs]
    return _dumped({
        "chaoslib-version": "1.44.0",
        "platform": "Linux",
        "node": node,
        "experiment": {"title": "simulated", "description": "", "method": method, "rollbacks": [], **dry},
        "start": iso(start),
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": None, "after": None, "during": []},
        "run": runs,
        "rollbacks": [],
        "end": iso(end),
        "duration": (end - start).total_seconds(),
    })  # fmt: skip


def _action(fault: ToolFault, verb: str, at: dt.datetime) -> dict[str, Any]:
    activity: dict[str, Any] = {
        "type": "action",
        "name": f"{verb} {fault.name}",
        "provider": {"type": "process", "path": "docker", "arguments": f"{verb} {fault.pod}"},
    }
    outputs: dict[Fate, Any] = {
        "hit": {"status": 0, "stdout": f"{fault.pod}\n", "stderr": ""},
        "refused": {"status": 1, "stdout": "", "stderr": f"Error: No such container: {fault.pod}\n"},
    }
    if fault.fate == "dry":
        activity["dry"] = "actions"
    if fault.fate == "nothing_selected":
        activity["provider"] = {
            "type": "python",
            "module": "chaosk8s.pod.actions",
            "func": "terminate_pods",
            "arguments": {"name_pattern": f"^{fault.pod}-nothing"},
        }
        outputs["nothing_selected"] = []
    took = 0.0001 if fault.fate == "dry" else 0.25
    return {
        "activity": activity,
        "output": outputs.get(fault.fate),
        "start": iso(at),
        "status": "succeeded",
        "end": iso(_after(at, took)),
        "duration": took,
    }


# --- Chaos Mesh ------------------------------------------------------------------------------------------------------


def chaos_mesh_list(faults: Sequence[ToolFault], start: dt.datetime, namespace: str = "shop") -> str:
    """A List of network faults; one that never applied is AllRecovered all the same."""
    return _dumped({
        "apiVersion": "v1",
        "kind": "List",
        "items": [_chaos(fault, start, namespace, number) for number, fault in enumerate(faults, 1)],
    })  # fmt: skip


def _chaos(fault: ToolFault, start: dt.datetime, namespace: str, number: int) -> dict[str, Any]:
    begin, end = _after(start, fault.starts_s), _after(start, fault.starts_s + fault.lasts_s)
    records = [] if fault.fate == "nothing_selected" else [_record(fault, namespace, begin, end)]
    done = [{"type": kind, "status": "True"} for kind in ("AllRecovered", "Selected")]
    return {
        "apiVersion": "chaos-mesh.org/v1alpha1",
        "kind": "NetworkChaos",
        "metadata": {
            "name": fault.name,
            "namespace": namespace,
            "uid": f"{number:08d}-0000-4000-8000-000000000000",
            "creationTimestamp": zulu(begin),
        },
        "spec": {"action": "delay", "mode": "all", "duration": f"{fault.lasts_s:g}s"},
        "status": {
            "conditions": done,
            "experiment": {"desiredPhase": "Stop", "containerRecords": records},
        },
    }


def _record(fault: ToolFault, namespace: str, begin: dt.datetime, end: dt.datetime) -> dict[str, Any]:
    events = [_event("Apply", "Succeeded", begin), _event("Recover", "Succeeded", end)]
    if fault.fate == "never_applied":
        events = [_event("Apply", "Failed", begin), _event("Apply", "Failed", end)]
    if fault.fate in ("dry", "skipped", "only_targeted", "refused"):
        events = []
    worked = int(fault.works)
    return {
        "id": f"{namespace}/{fault.pod}",
        "selectorKey": ".",
        "phase": "Not Injected",
        "injectedCount": worked,
        "recoveredCount": worked,
        "events": events,
    }


def _event(operation: str, kind: str, at: dt.datetime) -> dict[str, str]:
    return {"operation": operation, "type": kind, "timestamp": zulu(at)}


# --- krkn ------------------------------------------------------------------------------------------------------------


def krkn_telemetry(faults: Sequence[ToolFault], start: dt.datetime, namespace: str = "shop", wait_s: float = 20) -> str:
    """Telemetry whose scenarios end after a wait, recovery measured; nothing is listed where nothing was hit."""
    return _dumped({"telemetry": {
        "scenarios": [_scenario(fault, start, namespace, wait_s) for fault in faults],
        "run_uuid": "5f2f9f0e-0000-4000-8000-000000000000",
        "job_status": True,
    }})  # fmt: skip


def _scenario(fault: ToolFault, start: dt.datetime, namespace: str, wait_s: float) -> dict[str, Any]:
    begin = _after(start, fault.starts_s)
    recovered = {
        "pod_name": fault.pod,
        "namespace": namespace,
        "total_recovery_time": fault.lasts_s,
        "pod_readiness_time": fault.lasts_s / 2,
        "pod_rescheduling_time": fault.lasts_s / 2,
    }
    return {
        "start_timestamp": begin.timestamp(),
        "end_timestamp": _after(begin, fault.lasts_s + wait_s).timestamp(),
        "scenario": f"scenarios/{fault.name}.yml",
        "scenario_type": "pod_disruption_scenarios",
        "exit_status": 1 if fault.fate == "refused" else 0,
        "parameters_base64": "",
        "parameters": [{"id": "kill-pods", "config": {"namespace_pattern": f"^{namespace}$"}}],
        "affected_pods": {"recovered": [recovered] if fault.works else [], "unrecovered": [], "error": None},
        "affected_nodes": [],
        "cluster_events": [],
    }


# --- Litmus ----------------------------------------------------------------------------------------------------------


def litmus_list(faults: Sequence[ToolFault], start: dt.datetime, namespace: str = "litmus") -> str:
    """ChaosResults with the events of their namespace; every verdict is Pass."""
    items: list[dict[str, Any]] = []
    for number, fault in enumerate(faults, 1):
        items += [_chaos_result(fault, namespace, number), *_engine_events(fault, start, namespace)]
    return _dumped({"apiVersion": "v1", "kind": "List", "items": items})


def _chaos_result(fault: ToolFault, namespace: str, number: int) -> dict[str, Any]:
    target = {"name": fault.pod, "kind": "pod", "chaosStatus": "reverted" if fault.works else "targeted"}
    targets = [] if fault.fate == "nothing_selected" else [target]
    return {
        "apiVersion": "litmuschaos.io/v1alpha1",
        "kind": "ChaosResult",
        "metadata": {
            "name": f"{fault.name}-pod-network-latency",
            "namespace": namespace,
            "uid": f"{number:08d}-1111-4000-8000-000000000000",
        },
        "spec": {"engine": fault.name, "experiment": "pod-network-latency"},
        "status": {
            "experimentStatus": {"phase": "Completed", "verdict": "Pass", "probeSuccessPercentage": "100"},
            "history": {"passedRuns": 1, "failedRuns": 0, "stoppedRuns": 0, "targets": targets},
        },
    }


def _engine_events(fault: ToolFault, start: dt.datetime, namespace: str) -> list[dict[str, Any]]:
    begin, end = _after(start, fault.starts_s), _after(start, fault.starts_s + fault.lasts_s)
    happened = [("PreChaosCheck", _after(begin, -5)), ("PostChaosCheck", end)]
    if fault.fate not in ("skipped", "dry"):
        happened.insert(1, ("ChaosInject", begin))
    return [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{fault.name}.{reason}", "namespace": namespace},
            "involvedObject": {"kind": "ChaosEngine", "name": fault.name, "namespace": namespace},
            "reason": reason,
            "message": "",
            "source": {"component": f"pod-network-latency-{fault.name}"},
            "firstTimestamp": zulu(at),
            "lastTimestamp": zulu(at),
            "count": 1,
            "type": "Normal",
        }
        for reason, at in happened
    ]


# --- AWS FIS ---------------------------------------------------------------------------------------------------------


def fis_experiment(faults: Sequence[ToolFault], start: dt.datetime) -> str:
    """An experiment whose actions are completed, but for one that was skipped; a dry one is skip-all."""
    dry = all(fault.fate == "dry" for fault in faults)
    actions, targets = {}, {}
    for fault in faults:
        begin, end = _after(start, fault.starts_s), _after(start, fault.starts_s + fault.lasts_s)
        state = "skipped" if fault.fate in ("skipped", "nothing_selected") else "completed"
        targets[fault.pod] = {
            "resourceType": "aws:ec2:instance",
            "resourceArns": [f"arn:aws:ec2:eu-central-1:000000000000:instance/{fault.node}"],
            "selectionMode": "ALL",
        }
        actions[fault.name] = {
            "actionId": "aws:ec2:stop-instances",
            "parameters": {"startInstancesAfterDuration": f"PT{fault.lasts_s:g}S"},
            "targets": {"Instances": fault.pod},
            "state": {"status": state, "reason": ""},
            "startTime": iso(begin),
            "endTime": iso(end),
        }
    last = max(fault.starts_s + fault.lasts_s for fault in faults)
    return _dumped({"experiment": {
        "id": "EXPsimulated0001",
        "experimentTemplateId": "EXTsimulated",
        "state": {"status": "completed", "reason": "Experiment completed."},
        "targets": targets,
        "actions": actions,
        "startTime": iso(start),
        "endTime": iso(_after(start, last)),
        "experimentOptions": {"actionsMode": "skip-all" if dry else "run-all"},
    }})  # fmt: skip


# --- ChaosBlade ------------------------------------------------------------------------------------------------------


def chaosblade_status(faults: Sequence[ToolFault], start: dt.datetime, namespace: str = "shop") -> str:
    """A status that lists experiments: destroyed ones, and some that were never set up though the call succeeded."""
    states: dict[Fate, str] = {"hit": "Destroyed", "refused": "Error", "never_applied": "Created"}
    listed = [
        {
            "Uid": f"{number:016x}",
            "Command": "k8s",
            "SubCommand": "pod-network delay",
            "Flag": f" --namespace={namespace} --names={fault.pod} --time=3000 --timeout={fault.lasts_s:g}",
            "Status": states[fault.fate],
            "Error": "" if fault.works else "pod not found",
            "CreateTime": iso(_after(start, fault.starts_s)),
            "UpdateTime": iso(_after(start, fault.starts_s + (fault.lasts_s if fault.works else 0.2))),
        }
        for number, fault in enumerate(faults, 1)
    ]
    return _dumped({"code": 200, "success": True, "result": listed})


# --- load ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a load: seconds from the run's start, its seconds, and whether it failed."""

    starts_s: float
    took_s: float
    failed: bool = False


def k6_json(requests: Sequence[Request], start: dt.datetime) -> str:
    """Samples of k6, one a line; a sample's time is its end."""
    lines: list[dict[str, Any]] = [{"type": "Metric", "metric": "http_req_duration", "data": {"type": "trend"}}]
    for request in requests:
        end = _after(start, request.starts_s + request.took_s)
        tags = {"status": "503" if request.failed else "200", "expected_response": str(not request.failed).lower()}
        data = {"time": iso(end), "value": request.took_s * 1000, "tags": tags}
        lines.append({"type": "Point", "metric": "http_req_duration", "data": data})
    return "".join(json.dumps(line) + "\n" for line in lines)


def locust_history(requests: Sequence[Request], start: dt.datetime) -> str:
    """Locust's history: totals by whole second."""
    first = int(start.timestamp())
    lines = [
        "Timestamp,User Count,Type,Name,Requests/s,Failures/s,Total Request Count,Total Failure Count,"
        "Total Median Response Time,Total Average Response Time"
    ]
    last = int(max(request.starts_s + request.took_s for request in requests)) + 2
    for second in range(last):
        done = [request for request in requests if request.starts_s + request.took_s <= second]
        failed = sum(request.failed for request in done)
        mean = sum(request.took_s for request in done) / len(done) * 1000 if done else 0.0
        lines.append(f"{first + second},1,,Aggregated,0,0,{len(done)},{failed},{mean:.0f},{mean!r}")
    return "\n".join(lines) + "\n"


def jmeter_jtl(requests: Sequence[Request], start: dt.datetime) -> str:
    """JMeter's results as CSV: start in milliseconds."""
    lines = ["timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,failureMessage,allThreads"]
    for request in requests:
        code, text = ("503", "Service Unavailable") if request.failed else ("200", "OK")
        at = round((start.timestamp() + request.starts_s) * 1000)
        lines.append(
            f"{at},{round(request.took_s * 1000)},GET /,{code},{text},t 1-1,{str(not request.failed).lower()},,1"
        )
    return "\n".join(lines) + "\n"


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
