"""What an action of an extension of Chaos Toolkit says that it did, by its function, its arguments and its output.

``succeeded`` says that the function returned. Of functions that answer with the names of what they acted on, the answer
proves a target; an empty answer proves that there was none. Of others nothing is known beyond what was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from faultset.records.claims import Claim, FaultTarget, TargetKind
from faultset.sources.kit.fields import Field, clean

_NAME = re.compile(r"[A-Za-z0-9][\w.:-]{0,252}")


@dataclass(frozen=True, slots=True)
class _Function:
    """A function of an extension: what it does, to what, and whether it answers with the names of what it acted on."""

    verb: str
    kind: TargetKind
    answers: bool = False
    named_by: tuple[str, ...] = ()


_FUNCTIONS = {
    "chaosk8s.pod.actions.terminate_pods": _Function("kill", "pod", answers=True),
    "chaosk8s.pod.actions.delete_pods": _Function("kill", "pod", answers=True),
    "chaosk8s.actions.terminate_pods": _Function("kill", "pod", answers=True),
    "chaosk8s.node.actions.delete_nodes": _Function("rm", "node", answers=True),
    "chaosk8s.node.actions.drain_nodes": _Function("drain", "node", answers=True),
    "chaosk8s.node.actions.cordon_node": _Function("cordon", "node", answers=True),
    "chaosk8s.node.actions.uncordon_node": _Function("uncordon", "node", answers=True),
    "chaosk8s.deployment.actions.scale_deployment": _Function("scale", "service", named_by=("name",)),
    "chaosk8s.deployment.actions.delete_deployment": _Function("rm", "service", named_by=("name",)),
    "chaosk8s.deployment.actions.rollout_deployment": _Function("restart", "service", named_by=("name",)),
    "chaosk8s.statefulset.actions.scale_statefulset": _Function("scale", "service", named_by=("name",)),
    "chaosk8s.statefulset.actions.remove_statefulset": _Function("rm", "service", named_by=("name",)),
    "chaosk8s.service.actions.delete_service": _Function("rm", "service", named_by=("name",)),
    "chaosk8s.chaosmesh.network.actions.add_latency": _Function("network-delay", "service"),
    "chaosk8s.chaosmesh.network.actions.set_loss": _Function("network-loss", "service"),
    "chaosk8s.chaosmesh.network.actions.corrupt_packets": _Function("network-corrupt", "service"),
    "chaosk8s.chaosmesh.network.actions.set_bandwidth": _Function("network-bandwidth", "service"),
    "chaosk8s.chaosmesh.stress.actions.stress_cpu": _Function("stress", "service"),
    "chaosk8s.chaosmesh.stress.actions.stress_memory": _Function("stress", "service"),
}
# How names of functions begin that no table knows, and what that does.
_BEGINNINGS = {
    "stop": "stop", "start": "start", "restart": "restart", "reboot": "reboot", "kill": "kill", "terminate": "kill",
    "delete": "rm", "remove": "rm", "pause": "pause", "unpause": "unpause", "stress": "stress", "drain": "drain",
    "cordon": "cordon", "uncordon": "uncordon",
}  # fmt: skip
_NAMED_BY: tuple[tuple[str, TargetKind], ...] = (
    ("pod_name", "pod"), ("node_name", "node"), ("instance_id", "node"), ("instance_ids", "node"),
    ("container_name", "container"), ("container", "container"), ("service_name", "service"), ("name", "service"),
)  # fmt: skip
# States that a machine is in once it was told to stop.
_GOING = {"stopping", "stopped", "shutting-down", "terminated"}


def claim_of(function: str, arguments: Field, output: Field, status: str) -> Claim:
    """Return what an action says that it did.

    Args:
        function: with its module, or the provider's type.
        arguments: as configured.
        output: what it returned.
        status: the journal's word for how it ended.
    """
    known = _FUNCTIONS.get(function)
    verb = known.verb if known else _BEGINNINGS.get(function.rpartition(".")[2].partition("_")[0])
    asked = tuple(_asked(arguments, known))
    if status != "succeeded":
        return Claim(verb, None, f"Chaos Toolkit says {status}: how far it came is not known", asked)
    answer = output.value
    if isinstance(answer, list) and not answer:
        why = "its output is an empty list: it found nothing to act on"
        return Claim(verb, applied=False, why=why, targets=asked)
    if known and known.answers and isinstance(answer, list):
        return _answered(known, arguments, answer)
    if isinstance(answer, list | dict) and (machines := tuple(_machines(answer))):
        return Claim(verb, applied=True, why="its output names the machines and their states", targets=machines)
    if function == "http":
        return _http(output)
    return Claim(verb, applied=True, why="Chaos Toolkit says succeeded: the call returned", targets=asked)


def _answered(function: _Function, arguments: Field, answer: list[object]) -> Claim:
    names = [clean(name) for name in answer if isinstance(name, str) and _NAME.fullmatch(name)]
    namespace = _namespace(arguments)
    why = f"its output names it among the {len(names)} that Kubernetes accepted the order for"
    targets = tuple(_target(function.kind, name, namespace, hit=True, why=why) for name in names)
    return Claim(function.verb, applied=True, why=f"its output names {len(names)} that it acted on", targets=targets)


def _namespace(arguments: Field) -> str | None:
    """Return the namespace; these functions take ``default`` where none is given."""
    for key in ("ns", "namespace"):
        given = arguments.mapping().get(key) if isinstance(arguments.value, dict) else None
        if isinstance(given, str) and _NAME.fullmatch(given):
            return given
    return "default"


def _asked(arguments: Field, function: _Function | None) -> Iterator[FaultTarget]:
    """Yield what the arguments name; a selector names nothing."""
    given = arguments.value if isinstance(arguments.value, dict) else {}
    named: tuple[tuple[str, TargetKind], ...] = _NAMED_BY
    if function is not None:
        named = tuple((key, function.kind) for key in function.named_by)
    why = "the arguments name it, and nothing shows what became of it"
    for key, kind in named:
        values = given.get(key)
        for name in values if isinstance(values, list) else [values]:
            if isinstance(name, str) and _NAME.fullmatch(name):
                namespace = _namespace(arguments) if function else None
                yield _target(kind, clean(name), namespace, hit=None, why=why)
                if function is None and not isinstance(values, list):
                    return


def _target(kind: TargetKind, name: str, namespace: str | None, *, hit: bool | None, why: str) -> FaultTarget:
    if kind == "node":
        return FaultTarget("node", node=name, hit=hit, why=why)
    if kind == "pod":
        return FaultTarget("pod", namespace=namespace, pod=name, hit=hit, why=why)
    return FaultTarget(kind, namespace=namespace, name=name, hit=hit, why=why)


def _machines(answer: object) -> Iterator[FaultTarget]:
    """Yield the machines of a cloud that an answer names with a state before and after."""
    waiting = [answer]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            name, now = item.get("InstanceId"), _state(item.get("CurrentState"))
            if isinstance(name, str) and _NAME.fullmatch(name):
                before = _state(item.get("PreviousState"))
                hit = True if now in _GOING and before not in _GOING else None
                yield FaultTarget("node", node=clean(name), hit=hit, why=f"its state was {before} and is {now}")
            else:
                waiting += [value for value in item.values() if isinstance(value, list | dict)]


def _state(value: object) -> str | None:
    name = value.get("Name") if isinstance(value, dict) else None
    return clean(name)[:40] if isinstance(name, str) else None


def _http(output: Field) -> Claim:
    code = output.value.get("status") if isinstance(output.value, dict) else None
    if isinstance(code, int) and code >= 400:
        return Claim(None, None, f"the request was answered with {code}: it was refused, or failed")
    answered = f"with {code}" if isinstance(code, int) else "somehow"
    return Claim(None, applied=True, why=f"the request was answered {answered}; what it set off is not known")
