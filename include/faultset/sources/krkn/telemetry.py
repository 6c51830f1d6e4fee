"""krkn's telemetry (JSON) as records: each scenario is a fault.

A scenario's end is taken after its wait and its rollback, so that the fault ended some time before: an interval, which
begins after the longest recovery that was measured. Exit status 0 says that the plugin ran through; what was hit are
the pods that were seen to recover, or not to, and the nodes whose change of state was timed.
"""

from __future__ import annotations

from collections.abc import Iterator

from faultset.errors import InputError
from faultset.records.claims import Claim, FaultTarget
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, read_document, said
from faultset.sources.kit.fault_runs import Fault, Firing, fault_workload, name_of, record_of, until, word
from faultset.sources.kit.fields import Field, clean, finite

_REMEDY = "give the telemetry JSON that krkn writes at the end of a run"
_NODE_TIMES = ("not_ready_time", "stopped_time", "terminating_time", "running_time", "ready_time")
# A scenario's type is its plugin's first name: what it does is told by that alone.
_VERBS = {
    "pod_disruption": "kill", "container": "kill", "hog": "stress", "cpu_hog": "stress", "memory_hog": "stress",
    "io_hog": "stress", "network_chaos": "network-chaos", "pod_network": "network-chaos",
    "application_outages": "network-block", "zone_outages": "network-block", "service_disruption": "rm",
    "time": "clock-skew", "pvc": "fill", "syn_flood": "flood", "managedcluster": "cluster",
    "service_hijacking": "hijack", "kubevirt_vm_outage": "kill", "node_network": "network-chaos",
}  # fmt: skip
_NODE_VERBS = {
    "stop": "poweroff", "start": "poweron", "reboot": "reboot", "terminate": "rm", "crash": "crash",
    "stop_start": "reboot", "stop_kubelet": "stop", "stop_start_kubelet": "restart", "disk_detach": "disk-detach",
}  # fmt: skip


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is krkn's telemetry."""
    if head.is_json and head.says(r'"scenario_type"\s*:') and head.says(r'"exit_status"\s*:'):
        return Recognition("run", "it has krkn's scenarios with their exit status")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what krkn's telemetry at ``uri`` says.

    Raises:
        InputError: it cannot be read, or holds no scenario.
    """
    if beside is not None:
        raise InputError(beside, "krkn's telemetry has no results beside it", "leave results: out")
    root = read_document(uri, "krkn's telemetry", _REMEDY)
    telemetry = root.get("telemetry") if isinstance(root.get("telemetry").value, dict) else root
    scenarios = telemetry.get("scenarios").items()
    if not scenarios:
        raise InputError(uri, "holds no scenario", _REMEDY)
    run_id = telemetry.get("run_uuid").text_or_none()
    workload = fault_workload(
        SOURCE.name,
        "krkn",
        [_fault(scenario) for scenario in scenarios],
        uuid=run_id.lower() if run_id and len(run_id) >= 8 and run_id.replace("-", "").isalnum() else None,
    )
    return RunEvidence(record_of(uri, SOURCE.name, None, [workload]))


def _fault(scenario: Field) -> Fault:
    kind = word(scenario.get("scenario_type").text_or_none(), "scenario")
    start, end = instant(scenario.get("start_timestamp")), instant(scenario.get("end_timestamp"))
    file = name_of(scenario.get("scenario").text_or_none(), "").rpartition("/")[2]
    args = said(scenario.get("parameters").value or {})
    if start is None or start.at.year < 2000:
        return Fault(kind, file, args, unfired="krkn did not start it: it has no start")
    pods, nodes = list(_pods(scenario)), list(_nodes(scenario))
    lasted = max([0.0, *(seconds for _, seconds in (*pods, *nodes))])
    targets = tuple(target for target, _ in (*pods, *nodes))
    code = scenario.get("exit_status").value
    ended = until(start, end, lasted)
    claim = _claim(_verb(kind, scenario), code, targets)
    return Fault(kind, file, args, (Firing(start, ended, "passed" if code == 0 else "failed", claim),))


def _verb(kind: str, scenario: Field) -> str:
    plain = kind.removesuffix("_scenarios").removesuffix("_scenario")
    if plain == "node":
        asked = {_NODE_VERBS.get(_plain_action(action)) for action in _actions(scenario.get("parameters").value)}
        verb = asked.pop() if len(asked) == 1 else None
        return verb or "node"
    return _VERBS.get(plain, plain.replace("_", "-"))


def _plain_action(action: str) -> str:
    return action.removeprefix("node_").removesuffix("_scenario")


def _actions(value: object) -> Iterator[str]:
    """Yield the actions of node scenarios in what a scenario was configured with."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            listed = item.get("actions")
            yield from (action for action in listed if isinstance(action, str)) if isinstance(listed, list) else ()
            waiting += [one for one in item.values() if isinstance(one, list | dict)]


def _claim(verb: str, code: object, targets: tuple[FaultTarget, ...]) -> Claim:
    if code != 0:
        shown = code if isinstance(code, int) else "none"
        why = f"krkn's exit status is {shown}: how far the scenario came is not known"
        return Claim(verb, None, why, targets, fault_end_why=why)
    why = "krkn's exit status is 0" + ("" if targets else ", and it names nothing that was hit")
    ended = "krkn waits and rolls back before it takes the end, so that the fault ended before it"
    return Claim(verb, applied=True, why=why, targets=targets, fault_end_why=ended, ends_with_command=True)


def _pods(scenario: Field) -> Iterator[tuple[FaultTarget, float]]:
    """Yield the pods and virtual machines, each with the seconds that its recovery took."""
    for key, name in (("affected_pods", "pod_name"), ("affected_vmis", "vmi_name")):
        yield from _watched(scenario.get(key), name)


def _watched(pods: Field, key: str) -> Iterator[tuple[FaultTarget, float]]:
    error = pods.get("error").value
    for group, seen in (("recovered", "was gone and is ready again"), ("unrecovered", "did not recover")):
        for pod in pods.get(group).items():
            took = finite(pod.get("total_recovery_time").value) or 0.0
            why = f"krkn saw that it {seen}"
            hit: bool | None = True
            if error:
                hit, why = None, "krkn could not watch all pods, as its error says"
            name = clean(pod.get(key).text())
            namespace = pod.get("namespace").text_or_none()
            if key == "pod_name":
                yield FaultTarget("pod", namespace=namespace, pod=name, hit=hit, why=why), took
            else:
                yield FaultTarget("service", namespace=namespace, name=name, hit=hit, why=why), took


def _nodes(scenario: Field) -> Iterator[tuple[FaultTarget, float]]:
    """Yield the nodes, each with the seconds that its changes of state took."""
    for node in scenario.get("affected_nodes").items():
        took = sum(max(finite(node.get(key).value) or 0.0, 0.0) for key in _NODE_TIMES)
        why = "krkn timed its change of state" if took else "krkn lists it, and timed no change of its state"
        yield FaultTarget("node", node=clean(node.get("node_name").text()), hit=True if took else None, why=why), took


SOURCE = Source("krkn", "krkn's telemetry", "injections", recognise, read, document_secrets)
