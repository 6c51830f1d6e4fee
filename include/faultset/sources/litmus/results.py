"""ChaosResults of Litmus with the events of their namespace as records: a result is a fault, a run of it a firing.

The result has no times: an event ``ChaosInject`` tells when a run began to inject, ``PostChaosCheck`` when it was done.
One object is patched at every run and its counts add up, so that a verdict says nothing of a certain run, and targets
do so of the only run alone. A target that stayed ``targeted`` was selected and not injected.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from faultset.errors import InputError
from faultset.moments import Instant
from faultset.records.claims import Claim, FaultTarget, TargetKind
from faultset.records.evidence import RunEvidence
from faultset.records.run import Workload
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, read_document, said
from faultset.sources.kit.fault_runs import Fault, Firing, fault_workload, name_of, record_of, until, word
from faultset.sources.kit.fields import Field, clean

_WHAT = "results of Litmus"
_REMEDY = "give what `kubectl get chaosresults,events -n NAMESPACE -o json` writes"
_KINDS: dict[str, TargetKind] = {"pod": "pod", "node": "node", "container": "container"}
_VERBS = {
    "pod-delete": "kill", "container-kill": "kill", "node-drain": "drain", "node-taint": "cordon",
    "node-restart": "reboot", "node-poweroff": "poweroff", "docker-service-kill": "stop",
    "kubelet-service-kill": "stop",
    "pod-network-latency": "network-delay", "pod-network-loss": "network-loss",
    "pod-network-corruption": "network-corrupt", "pod-network-duplication": "network-duplicate",
    "pod-cpu-hog": "stress", "pod-memory-hog": "stress", "node-cpu-hog": "stress", "node-memory-hog": "stress",
}  # fmt: skip
_NO_EVENT = (
    "there is no ChaosInject event of it: Kubernetes keeps events for an hour, and the result itself has no times"
)


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file holds results of Litmus, or events of their namespace."""
    if head.says(r"\"?kind\"?:\s*\"?ChaosResult\b"):
        return Recognition("run", "it holds a ChaosResult")
    if head.says(r"\"?kind\"?:\s*\"?Event\b") and head.says(r"ChaosInject|ChaosEngine"):
        return Recognition("beside", "it holds events of chaos engines")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what the results at ``uri`` say, with the events in it and in the file beside it.

    Raises:
        InputError: a file cannot be read, or there is no result.
    """
    objects = list(_objects(uri))
    more = list(_objects(beside)) if beside else []
    results = [one for one in objects if one.get("kind").value == "ChaosResult"]
    if not results:
        raise InputError(uri, "holds no ChaosResult", _REMEDY)
    events = [one for one in (*objects, *more) if one.get("kind").value == "Event"]
    of_engine: dict[str | None, list[tuple[int, Field]]] = defaultdict(list)
    for place, event in enumerate(events):
        of_engine[_involved(event)].append((place, event))
    workloads = [_workload(one, [pair for name in _names(one) for pair in of_engine.get(name, ())]) for one in results]
    return RunEvidence(record_of(uri, SOURCE.name, None, workloads))


def _objects(uri: str) -> Iterator[Field]:
    root = read_document(uri, _WHAT, _REMEDY)
    yield from root.get("items").items() if isinstance(root.get("items").value, list) else [root]


def same_run(run: str, beside: str) -> bool:
    """Whether events are of the engines that results name."""
    engines = {name for one in _objects(run) for name in _names(one)}
    return any(_involved(event) in engines for event in _objects(beside))


def _names(result: Field) -> set[str | None]:
    return {result.get("spec").get("engine").text_or_none(), result.get("metadata").get("name").text_or_none()} - {None}


def _involved(event: Field) -> str | None:
    for key in ("involvedObject", "regarding"):
        if event.get(key).mapping():
            return event.get(key).get("name").text_or_none()
    return None


def _workload(result: Field, events: list[tuple[int, Field]]) -> Workload:
    """Return a result as a workload; ``events``: those of its engine, each with its place in the file."""
    metadata = result.get("metadata")
    names = (metadata.get("namespace").text_or_none(), metadata.get("name").text_or_none())
    label = name_of("/".join(name for name in names if name), "chaosresult")
    uid = metadata.get("uid").text_or_none()
    created = instant(metadata.get("creationTimestamp"))
    return fault_workload(
        SOURCE.name,
        label,
        [_fault(result, [event for _, event in sorted(events, key=itemgetter(0))], label)],
        uuid=uid.lower() if uid and len(uid) >= 8 and uid.replace("-", "").isalnum() else None,
        started_at=created.at if created else None,
    )


def _fault(result: Field, events: list[Field], label: str) -> Fault:
    experiment = word(result.get("spec").get("experiment").text_or_none(), "experiment")
    verb = _VERBS.get(experiment, experiment)
    runs = _runs(events)
    history = result.get("status").get("history")
    counted = sum(history.get(key).count_or_none() or 0 for key in ("passedRuns", "failedRuns", "stoppedRuns"))
    only = len(runs) <= 1 and counted <= 1
    firings = tuple(_firing(result, verb, run, only=only) for run in runs)
    verdict = _status(result).get("verdict").text_or_none()
    return Fault(
        experiment,
        label,
        said(result.get("spec").value),
        firings,
        unfired=_NO_EVENT,
        may_hide=word(verdict, "") != "Awaited" or counted > 0,
    )


def _status(result: Field) -> Field:
    """Return the state of the last run; its key was spelled in lower case before 2.0."""
    status = result.get("status")
    return next(
        (status.get(key) for key in ("experimentStatus", "experimentstatus") if status.get(key).mapping()), status
    )


# --- runs, told by events --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of an experiment: when it first and last injected, and when it was done; None where no event tells."""

    first: Instant
    last: Instant
    done: Instant | None


def _runs(events: list[Field]) -> list[_Run]:
    """Return the runs in order of time; a pod of its own runs each, which its events name as their source."""
    by_pod: dict[str, list[Field]] = defaultdict(list)
    for event in events:
        by_pod[_source(event)].append(event)
    runs = []
    for mine in by_pod.values():
        injecting = [span for event in mine if event.get("reason").value == "ChaosInject" if (span := _span(event))]
        if not injecting:
            continue
        first = min((span[0] for span in injecting), key=lambda at: at.at)
        last = max((span[1] for span in injecting), key=lambda at: at.at)
        after = [span[0] for event in mine if event.get("reason").value == "PostChaosCheck" if (span := _span(event))]
        done = min((at for at in after if at.at >= last.at), key=lambda at: at.at, default=None)
        runs.append(_Run(first, last, done))
    return sorted(runs, key=lambda run: run.first.at)


def _source(event: Field) -> str:
    source = event.get("source").get("component").text_or_none() or event.get("reportingComponent").text_or_none()
    return source or ""


def _span(event: Field) -> tuple[Instant, Instant] | None:
    """Return when an event first and last happened; it is one object, however often it happened."""
    first = instant(event.get("firstTimestamp")) or instant(event.get("eventTime"))
    last = instant(event.get("lastTimestamp")) or first
    return None if last is None else (first or last, last)


def _firing(result: Field, verb: str, run: _Run, *, only: bool) -> Firing:
    status = _status(result)
    verdict, phase = (
        word(status.get("verdict").text_or_none(), "none"),
        word(status.get("phase").text_or_none(), "none"),
    )
    targets = tuple(_target(target, only=only) for target in result.get("status").get("history").get("targets").items())
    ended = until(run.last, run.done) if run.done else run.last
    failed = only and "Error" in (verdict, phase)
    said_so = f"an event says that it injected; the verdict is {verdict}" + ("" if only else ", of another run perhaps")
    claim = Claim(
        verb,
        applied=None if failed else True,
        why=f"{said_so}; the run ended with an error" if failed else said_so,
        targets=targets,
        fault_end_why="it was over when Litmus began its checks after the chaos" if run.done else "",
        ends_with_command=run.done is not None and not failed,
    )
    return Firing(run.first, ended, verdict, claim)


def _target(target: Field, *, only: bool) -> FaultTarget:
    name = clean(target.get("name").text())
    state = word(target.get("chaosStatus").text_or_none(), "unknown")
    kind = _KINDS.get((target.get("kind").text_or_none() or "").lower(), "service")
    hit, why = _was_hit(state, only=only)
    if kind == "node":
        return FaultTarget("node", node=name, hit=hit, why=why)
    if kind == "pod":
        return FaultTarget("pod", pod=name, hit=hit, why=why)
    return FaultTarget(kind, name=name, hit=hit, why=why)


def _was_hit(state: str, *, only: bool) -> tuple[bool | None, str]:
    if not only:
        return None, f"its state is {state}, and of which of several runs is not told"
    if state in ("injected", "reverted"):
        return True, f"its state is {state}, and an event says that the run injected"
    if state == "targeted":
        return False, "its state stayed targeted: it was selected and not injected"
    return None, f"its state is {state}"


SOURCE = Source("litmus", "results of Litmus", "injections", recognise, read, document_secrets, same_run=same_run)
