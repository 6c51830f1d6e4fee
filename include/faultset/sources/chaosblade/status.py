"""What ``blade status --type create`` lists, as records: each experiment is a fault.

``Success`` says that the fault was set up and was still there when the status was asked for; ``Destroyed`` that it was
taken back, at ``UpdateTime``. A command that only prepares an agent injects nothing. The flags name what was to be
hit; nothing in the list shows that it was, so that no target is proved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from faultset.errors import InputError
from faultset.records.claims import Claim, FaultTarget, TargetKind
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, read_document, said
from faultset.sources.kit.fault_runs import Fault, Firing, fault_workload, name_of, record_of, word
from faultset.sources.kit.fields import Field, clean

_REMEDY = "give what `blade status --type create` prints"
_FLAG = re.compile(r"--(?P<key>[a-z-]+)[= ](?P<value>[\w.,:@-]{1,400})")
_VERBS = {
    "cpu": "stress", "mem": "stress", "network delay": "network-delay", "network loss": "network-loss",
    "network corrupt": "network-corrupt", "network dns": "dns", "process kill": "kill", "process stop": "pause",
    "disk fill": "fill", "disk burn": "stress", "docker": "container", "pod delete": "kill", "systemd stop": "stop",
}  # fmt: skip
_NAMED: tuple[tuple[str, TargetKind], ...] = (
    ("container-name", "container"),
    ("process", "process"),
    ("service", "service"),
)
_WHY = "the flags name it, and nothing shows that it was hit"


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is a status of ChaosBlade."""
    if head.is_json and head.says(r'"SubCommand"\s*:') and head.says(r'"CreateTime"\s*:'):
        return Recognition("run", "it lists experiments with their command and sub-command")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what the status at ``uri`` lists.

    Raises:
        InputError: it cannot be read, or lists no experiment.
    """
    if beside is not None:
        raise InputError(beside, "a status of ChaosBlade has no results beside it", "leave results: out")
    result = read_document(uri, "a status of ChaosBlade", _REMEDY).get("result")
    listed = result.items() if isinstance(result.value, list) else [result]
    if not listed or not listed[0].mapping():
        raise InputError(uri, "lists no experiment", _REMEDY)
    faults = [_fault(one) for one in listed]
    return RunEvidence(record_of(uri, SOURCE.name, None, [fault_workload(SOURCE.name, SOURCE.name, faults)]))


def _fault(experiment: Field) -> Fault:
    command, action = (experiment.get(key).text_or_none() or "" for key in ("Command", "SubCommand"))
    flags = experiment.get("Flag").text_or_none() or ""
    plugin = f"{word(command, 'unknown')}/{word(action.partition(' ')[0], 'unknown')}"
    label = name_of(experiment.get("Uid").text_or_none(), "experiment")
    status = word(experiment.get("Status").text_or_none(), "unknown")
    start, changed = instant(experiment.get("CreateTime")), instant(experiment.get("UpdateTime"))
    if start is None:
        return Fault(plugin, label, said(flags), unfired=f"ChaosBlade calls it {status}, and it has no start")
    verb = _verb(command, action)
    claim = _claim(verb, status, tuple(_targets(flags)), prepares=command == "prepare")
    end = changed if claim.ends_with_command and changed is not None and changed.at >= start.at else start
    return Fault(plugin, label, said(flags), (Firing(start, end, status, claim),))


def _verb(command: str, action: str) -> str:
    """Return what an experiment does; in Kubernetes the action says on what, too: ``pod-network delay``."""
    whole = action.partition("-")[2] if command == "k8s" else f"{command} {action}"
    return _VERBS.get(whole) or _VERBS.get(whole.partition(" ")[0]) or word(command, "unknown")


def _claim(verb: str, status: str, targets: tuple[FaultTarget, ...], *, prepares: bool) -> Claim:
    if prepares:
        return Claim(verb, applied=False, why="it prepares an agent, and injects nothing", targets=targets)
    if status in ("Error", "Created"):
        return Claim(verb, applied=False, why=f"ChaosBlade calls it {status}: it was not set up", targets=targets)
    if status == "Destroyed":
        ended = "ChaosBlade destroyed it"
        why = "ChaosBlade set it up, and destroyed it"
        return Claim(verb, applied=True, why=why, targets=targets, fault_end_why=ended, ends_with_command=True)
    applied = True if status == "Success" else None
    return Claim(verb, applied, f"ChaosBlade calls it {status}", targets, fault_end_why="nothing destroyed it yet")


def _targets(flags: str) -> Iterator[FaultTarget]:
    """Yield what the flags name: pods, containers and nodes of Kubernetes, a container, a process, a host."""
    given = {match["key"]: clean(match["value"]) for match in _FLAG.finditer(flags)}
    namespace = given.get("namespace")
    names = [name for key in ("names", "pod-names") for name in given.get(key, "").split(",") if name]
    for name in names if namespace else ():
        for container in given.get("container-names", "").split(","):
            whole = FaultTarget("pod", namespace=namespace, pod=name, why=_WHY)
            yield replace(whole, kind="container", name=container) if container else whole
    for name in () if namespace else names:
        yield FaultTarget("node", node=name, why=_WHY)
    host = given.get("ssh-host")
    for key, kind in _NAMED:
        if key in given and not names:
            yield FaultTarget(kind, node=host, name=given[key], why=_WHY)
    if host and not names and not {"container-name", "process", "service"} & given.keys():
        yield FaultTarget("node", node=host, why=_WHY)


SOURCE = Source("chaosblade", "a status of ChaosBlade", "injections", recognise, read, document_secrets)
