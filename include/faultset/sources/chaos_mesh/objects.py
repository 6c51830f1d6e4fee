"""Chaos objects of Chaos Mesh (YAML or JSON, also in a List) as records: each object is a fault, each cycle a firing.

What proves a hit is an ``Apply`` of a record that succeeded, in a record that counts at least one injection. Conditions
have no times, and ``AllRecovered`` is true before the first injection, too, and where no Apply ever worked. Of a
record's events the last 100 are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from faultset.errors import InputError
from faultset.moments import Instant
from faultset.records.claims import Claim, FaultTarget
from faultset.records.evidence import RunEvidence
from faultset.records.run import Workload
from faultset.sources.injections import Recognition, Source
from faultset.sources.kit.documents import Head, document_secrets, instant, read_document, said
from faultset.sources.kit.fault_runs import Fault, Firing, fault_workload, name_of, record_of, word
from faultset.sources.kit.fields import Field, clean

_REMEDY = "give what `kubectl get podchaos,networkchaos,stresschaos -A -o yaml` writes"
_MOST_EVENTS = 100
_NO_TARGETS = {"Schedule", "Workflow", "WorkflowNode", "StatusCheck", "RemoteCluster"}
_VERBS = {"pod-kill": "kill", "container-kill": "kill", "pod-failure": "pod-failure"}
# What is over at once; nothing is recovered, and the workload's controller starts the pod again.
_AT_ONCE = frozenset({"kill"})


def recognise(head: Head) -> Recognition | None:
    """Return what tells that a file holds chaos objects."""
    if head.says(r"\"?apiVersion\"?:\s*\"?chaos-mesh\.org/"):
        return Recognition("run", "it holds an object of chaos-mesh.org")
    return None


def read(uri: str, beside: str | None) -> RunEvidence:
    """Return what the chaos objects at ``uri`` say.

    Raises:
        InputError: it cannot be read, or holds no chaos object.
    """
    if beside is not None:
        raise InputError(beside, "chaos objects have no results beside them", "leave results: out")
    root = read_document(uri, "chaos objects", _REMEDY)
    objects = root.get("items").items() if isinstance(root.get("items").value, list) else [root]
    chaos = [one for one in objects if _is_chaos(one)]
    if not chaos:
        raise InputError(uri, "holds no chaos object that acts on something", _REMEDY)
    return RunEvidence(record_of(uri, SOURCE.name, None, [_workload(one) for one in chaos]))


def _is_chaos(field: Field) -> bool:
    kind = field.get("kind").text_or_none() or ""
    return (field.get("apiVersion").text_or_none() or "").startswith("chaos-mesh.org/") and kind not in _NO_TARGETS


def _workload(chaos: Field) -> Workload:
    metadata = chaos.get("metadata")
    names = (metadata.get("namespace").text_or_none(), metadata.get("name").text_or_none())
    label = name_of("/".join(name for name in names if name), "chaos")
    created = instant(metadata.get("creationTimestamp"))
    return fault_workload(
        SOURCE.name,
        label,
        [_fault(chaos, label)],
        uuid=_uid(metadata.get("uid").text_or_none()),
        started_at=created.at if created else None,
    )


def _uid(text: str | None) -> str | None:
    return text.lower() if text and len(text) >= 8 and text.replace("-", "").isalnum() else None


def _fault(chaos: Field, label: str) -> Fault:
    kind = word(chaos.get("kind").text_or_none(), "Chaos")
    spec = chaos.get("spec")
    action = word(spec.get("action").text_or_none(), "")
    verb = _verb(kind, action)
    status = chaos.get("status")
    records = [_Record.of(record) for record in status.get("experiment").get("containerRecords").items()]
    cycles = [cycle for record in records for cycle in _cycles(record, verb)]
    firings = tuple(_firing(verb, group, records) for group in _together(cycles))
    cut = [record.id for record in records if record.is_cut]
    notes = tuple(f"of {name} the oldest events are gone, and injections with them" for name in cut)
    plugin = f"{kind}/{action}" if action else kind
    return Fault(plugin, label, said(spec.value), firings, _why_not(records, status), may_hide=bool(cut), notes=notes)


def _verb(kind: str, action: str) -> str:
    if action in _VERBS:
        return _VERBS[action]
    group = kind.removesuffix("Chaos").lower()
    return f"{group}-{action}" if action else group


def _why_not(records: list[_Record], status: Field) -> str:
    """Return why nothing shows an injection; the conditions are no proof of one."""
    recovered = any(
        one.get("type").value == "AllRecovered" and one.get("status").value == "True"
        for one in status.get("conditions").items()
    )
    more = "; AllRecovered is true before the first injection, too" if recovered else ""
    if not records:
        return f"it selected nothing: there is no record of a target{more}"
    return f"no record has an Apply{more}"


# --- records and their events ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Event:
    apply: bool
    succeeded: bool
    at: Instant


@dataclass(frozen=True, slots=True)
class _Record:
    """A target with its events in order of time."""

    id: str
    injected: int | None
    events: tuple[_Event, ...]
    is_cut: bool

    @classmethod
    def of(cls, record: Field) -> _Record:
        listed = record.get("events").items()
        events = sorted(_events(listed), key=lambda event: event.at.at)
        return cls(
            clean(record.get("id").text()),
            record.get("injectedCount").count_or_none(),
            tuple(events),
            len(listed) >= _MOST_EVENTS,
        )


def _events(listed: list[Field]) -> Iterator[_Event]:
    for event in listed:
        at = instant(event.get("timestamp"))
        if at is None:
            raise event.get("timestamp").error("a time")
        operation = event.get("operation").text_or_none()
        if operation in ("Apply", "Recover"):
            yield _Event(operation == "Apply", event.get("type").text_or_none() == "Succeeded", at)


@dataclass(frozen=True, slots=True)
class _Cycle:
    """From an Apply of one record to its Recover; ``failed`` counts the attempts that did not work."""

    record: _Record
    start: Instant
    end: Instant | None
    applied: bool
    failed: int = 0


def _cycles(record: _Record, verb: str) -> Iterator[_Cycle]:
    """Yield what a record's events tell; a Recover whose Apply is gone tells nothing of a start."""
    open_one: _Cycle | None = None
    for event in record.events:
        if event.apply and event.succeeded:
            if open_one is not None and open_one.applied:
                yield open_one
            failed = open_one.failed if open_one else 0
            open_one = _Cycle(record, event.at, event.at if verb in _AT_ONCE else None, applied=True, failed=failed)
        elif event.apply:
            first = open_one or _Cycle(record, event.at, event.at, applied=False)
            last = first.end if first.applied else event.at
            open_one = replace(first, failed=first.failed + 1, end=last)
        elif open_one is not None and event.succeeded:
            yield replace(open_one, end=open_one.end or event.at)
            open_one = None
    if open_one is not None:
        yield open_one


def _together(cycles: list[_Cycle]) -> list[list[_Cycle]]:
    """Return the cycles of all records that overlap in time, in order: they are one firing."""
    groups: list[list[_Cycle]] = []
    last = None
    for cycle in sorted(cycles, key=lambda cycle: cycle.start.at):
        end = cycle.end.latest if cycle.end else None
        if groups and (last is None or cycle.start.at <= last):
            groups[-1].append(cycle)
            last = None if last is None or end is None else max(last, end)
        else:
            groups.append([cycle])
            last = end
    return groups


def _firing(verb: str, cycles: list[_Cycle], records: list[_Record]) -> Firing:
    done = [cycle for cycle in cycles if cycle.applied]
    counting = done or cycles
    start = min((cycle.start for cycle in counting), key=lambda at: at.at)
    ends = [cycle.end for cycle in counting if cycle.end is not None]
    end = max(ends, key=lambda at: at.latest) if len(ends) == len(counting) else start
    recovered = len(ends) == len(counting) and verb not in _AT_ONCE
    by_record = {cycle.record.id: cycle for cycle in cycles}
    targets = tuple(_target(record, by_record.get(record.id)) for record in records)
    if not done:
        failed = sum(cycle.failed for cycle in cycles)
        claim = Claim(verb, applied=False, why=f"no Apply succeeded: {failed} attempts failed", targets=targets)
        return Firing(start, end, "Failed", claim)
    why = f"an Apply succeeded on {len(done)} of {len(records)} records"
    ended = "Chaos Mesh recovered every record that it applied" if recovered else ""
    lasting = "no Recover of what was applied succeeded, as far as the events go"
    claim = Claim(
        verb,
        applied=True,
        why=why,
        targets=targets,
        fault_end_why=ended or ("" if verb in _AT_ONCE else lasting),
        ends_with_command=recovered,
    )
    return Firing(start, end, "Injected", claim)


def _target(record: _Record, cycle: _Cycle | None) -> FaultTarget:
    """Return a record's target: a pod, a pod's container, or a machine; with what proves that it was hit."""
    hit, why = _was_hit(record, cycle)
    parts = record.id.split("/")
    if len(parts) >= 3 and all(parts[:3]):
        return FaultTarget("container", namespace=parts[0], pod=parts[1], name=parts[2], hit=hit, why=why)
    if len(parts) == 2 and all(parts):
        return FaultTarget("pod", namespace=parts[0], pod=parts[1], hit=hit, why=why)
    return FaultTarget("node", node=record.id[:200], hit=hit, why=why)


def _was_hit(record: _Record, cycle: _Cycle | None) -> tuple[bool | None, str]:
    if cycle is None or not cycle.applied:
        tries = f"{cycle.failed} attempts failed" if cycle else "it has no Apply at that time"
        return False, f"no Apply on it succeeded: {tries}"
    if not record.injected:
        counted = "counts no injection" if record.injected == 0 else "does not count its injections"
        return None, f"an Apply on it succeeded, and its record {counted}"
    return True, f"an Apply on it succeeded, and its record counts {record.injected} injections"


SOURCE = Source("chaos-mesh", "an object of Chaos Mesh", "injections", recognise, read, document_secrets)
