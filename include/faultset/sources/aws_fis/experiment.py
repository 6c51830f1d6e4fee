"""Experiments of AWS FIS (``get-experiment``) as records: each action is a fault.

``completed`` says that FIS made its calls. With ``actionsMode`` skip-all it made none, and an action that is
``skipped`` found nothing to act on. Which resources a tag selected is another call
(``list-experiment-resolved-targets``), which may stand beside; nothing in either shows what became of a resource, so
that no target is proved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from faultset.errors import InputError
from faultset.records.claims import Claim, FaultTarget
from faultset.records.evidence import RunEvidence
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, read_document, said
from faultset.sources.kit.fault_runs import Fault, Firing, fault_workload, name_of, record_of, until, word
from faultset.sources.kit.fields import Field, clean

_WHAT = "an experiment of AWS FIS"
_REMEDY = "give what `aws fis get-experiment --id ID` writes"
_ACTION = re.compile(r"aws:(?P<service>[a-z0-9-]+):(?P<name>[a-z0-9-]+)")
_VERBS = {
    "stop-instances": "stop", "terminate-instances": "rm", "reboot-instances": "reboot",
    "drain-container-instances": "drain",
    "stop-task": "kill", "terminate-nodegroup-instances": "rm", "reboot-db-instances": "reboot", "pod-delete": "kill",
    "failover-db-cluster": "failover", "send-command": "command", "disrupt-connectivity": "network-block",
}  # fmt: skip
# Parameters with which FIS itself ends the fault before it calls the action completed.
_ENDS = ("duration", "startInstancesAfterDuration")
_WAITS = frozenset({"wait"})
_DONE = frozenset({"completed"})
_NEVER = frozenset({"skipped", "pending", "cancelled", "initiating"})


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file is FIS's."""
    if not head.is_json:
        return None
    # Targets may stand before the actions, and be many.
    if head.says(r'"experimentTemplateId"\s*:') and head.says(r'"(actions|targets)"\s*:'):
        return Recognition("run", "it has an experiment with actions and their states")
    if "resolvedTargets" in head.keys(1):
        return Recognition("beside", "it has the targets that an experiment resolved")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what the experiment at ``uri`` says, with the resolved targets beside it.

    Raises:
        InputError: a file cannot be read, or holds no experiment.
    """
    root = read_document(uri, _WHAT, _REMEDY)
    experiment = root.get("experiment") if isinstance(root.get("experiment").value, dict) else root
    if not experiment.get("actions").mapping():
        raise InputError(uri, f"is not {_WHAT}: it has no actions", _REMEDY)
    resolved = read_document(beside, "resolved targets", _REMEDY).get("resolvedTargets").items() if beside else None
    started, ended = instant(experiment.get("startTime")), instant(experiment.get("endTime"))
    identity = experiment.get("id").text_or_none()
    workload = fault_workload(
        SOURCE.name,
        name_of(experiment.get("tags").get("Name").text_or_none() or identity, "experiment"),
        [_fault(name, action, experiment, resolved) for name, action in experiment.get("actions").entries()],
        uuid=_token(identity),
        started_at=started.at if started else None,
        ended_at=ended.at if ended else None,
    )
    return RunEvidence(record_of(uri, SOURCE.name, None, [workload]))


def _token(identity: str | None) -> str | None:
    """Return an experiment's id without its beginning, which all share."""
    token = (identity or "").removeprefix("EXP").lower()
    return token if len(token) >= 8 and token.isalnum() else None


def same_run(_run: str, _beside: str) -> bool:
    """Resolved targets do not name their experiment: those that lie beside one are taken to be its own."""
    return True


def _fault(name: str, action: Field, experiment: Field, resolved: list[Field] | None) -> Fault:
    called = action.get("actionId").text_or_none() or ""
    match = _ACTION.fullmatch(called)
    what = match["name"] if match else "action"
    state = word(action.get("state").get("status").text_or_none(), "unknown")
    start, end = instant(action.get("startTime")), instant(action.get("endTime"))
    args = said(action.get("parameters").value or {})
    mode = experiment.get("experimentOptions").get("actionsMode").value
    if start is None:
        return Fault(called, name_of(name, "action"), args, unfired=f"FIS calls it {state}, and it has no start")
    targets = tuple(_targets(action, experiment, resolved))
    claim = _claim(what, state, skipped_all=mode == "skip-all", parameters=action.get("parameters"), targets=targets)
    ended = end if end is not None and end.at >= start.at else until(start, end or instant(experiment.get("endTime")))
    return Fault(called, name_of(name, "action"), args, (Firing(start, ended, state, claim),))


def _claim(what: str, state: str, *, skipped_all: bool, parameters: Field, targets: tuple[FaultTarget, ...]) -> Claim:
    verb = _VERBS.get(what, what)
    if skipped_all:
        return Claim(
            verb, applied=False, why="actionsMode is skip-all: a dry run, in which FIS acts on nothing", targets=targets
        )
    if state in _NEVER:
        return Claim(verb, applied=False, why=f"FIS calls the action {state}: it did not run", targets=targets)
    if what in _WAITS:
        return Claim(verb, applied=False, why="the action only waits")
    if state not in _DONE:
        return Claim(verb, None, f"FIS calls the action {state}: how far it came is not known", targets)
    given = next((key for key in _ENDS if parameters.get(key).value), None)
    return Claim(
        verb,
        applied=True,
        why="FIS calls the action completed: it made its calls",
        targets=targets,
        fault_end_why=f"FIS ended it, as {given} says, before it called the action completed" if given else "",
        ends_with_command=given is not None,
    )


def _targets(action: Field, experiment: Field, resolved: list[Field] | None) -> Iterator[FaultTarget]:
    """Yield what an action's targets name: resources, all of them or some, or those that were resolved."""
    for _, reference in action.get("targets").entries():
        name = reference.text()
        declared = experiment.get("targets").get(name)
        if resolved is not None:
            mine = [one for one in resolved if one.get("targetName").value == name]
            why = "FIS resolved it; nothing shows that it was hit"
            yield from (
                _resource(arn, why, candidate=False) for one in mine for arn in _arns(one.get("targetInformation"))
            )
            continue
        mode = declared.get("selectionMode").text_or_none() or "ALL"
        some = mode != "ALL"
        why = (
            f"it is one of those of which {mode} was chosen"
            if some
            else "the experiment names it; nothing shows that it was hit"
        )
        yield from (_resource(arn.text(), clean(why), candidate=some) for arn in declared.get("resourceArns").items())


def _arns(information: Field) -> Iterator[str]:
    for _, value in information.entries():
        if isinstance(value.value, str):
            yield value.text()


def _resource(arn: str, why: str, *, candidate: bool) -> FaultTarget:
    """Return a resource by its own name: an instance is a node, everything else a service."""
    tail = re.split(r"[:/]", clean(arn))[-1][:200] or "resource"
    if ":instance/" in arn or tail.startswith("i-"):
        return FaultTarget("node", node=tail, why=why, candidate=candidate)
    return FaultTarget("service", name=tail, why=why, candidate=candidate)


SOURCE = Source(
    "aws-fis", "an experiment of AWS FIS", "injections", recognise, read, document_secrets, same_run=same_run
)
