"""Runs of tools that inject and put no load on the system, as records: workloads without iterations, with hooks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from faultset.moments import Instant
from faultset.records.claims import Claim
from faultset.records.run import HookPlan, HookResult, Iterations, RunRecord, TriggerPlan, Workload
from faultset.sources.kit.fields import clean
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import redact

LONGEST_NAME = 200
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_PLUGIN = re.compile(r"[A-Za-z_][\w./:-]{0,199}")


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that a fault fired: from when to when, the tool's word for how it ended, and what it claims."""

    started_at: Instant
    ended_at: Instant
    status: str
    claim: Claim


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as planned, with its firings.

    Attributes:
        plugin: what does it, such as ``NetworkChaos/delay``.
        label: its name in the tool's file.
        args: its arguments, secrets replaced.
        firings: in order; none where it did not fire, or nothing shows that it did.
        unfired: why there is none.
        may_hide: whether it may have fired all the same, so that its absence proves nothing.
        notes: what stays unexplained, a sentence each.
    """

    plugin: str
    label: str
    args: str
    firings: tuple[Firing, ...] = ()
    unfired: str = ""
    may_hide: bool = False
    notes: tuple[str, ...] = field(default=())


def word(text: str | None, otherwise: str = "something else") -> str:
    """Return a tool's word for a state; what is no word is not repeated."""
    return text if text is not None and _WORD.fullmatch(text) else otherwise


def name_of(text: str | None, otherwise: str) -> str:
    """Return a name as a file writes it, as it may be published."""
    return clean(redact(text))[:LONGEST_NAME] if text else otherwise


def fault_workload(
    source: str,
    name: str,
    faults: Sequence[Fault],
    *,
    uuid: str | None = None,
    position: int = 0,
    started_at: dt.datetime | None = None,
    ended_at: dt.datetime | None = None,
) -> Workload:
    """Return what a tool ran under one name; times are its own where it has them, else those of its firings."""
    firings = [firing for fault in faults for firing in fault.firings]
    started_at = started_at or min((firing.started_at.at for firing in firings), default=None)
    seconds = (ended_at - started_at).total_seconds() if started_at and ended_at else None
    return Workload(
        name=name,
        position=position,
        uuid=uuid,
        created_at=started_at,
        runner=source,
        times=None,
        concurrency=None,
        iterations_count=0,
        failed_count=0,
        started_at=started_at,
        load_duration_s=seconds if seconds is not None and seconds >= 0 else None,
        full_duration_s=None,
        sla_passed=None,
        sla=(),
        hooks=tuple(_hook(index, fault) for index, fault in enumerate(faults)),
        results=tuple(
            _result(index, fault, number, firing)
            for index, fault in enumerate(faults)
            for number, firing in enumerate(fault.firings, start=1)
        ),
        charted_hooks={},
        iterations=Iterations(),
        is_load=False,
    )


def _hook(index: int, fault: Fault) -> HookPlan:
    occurrences = tuple(float(number) for number in range(1, max(len(fault.firings), 1) + 1))
    return HookPlan(
        index=index,
        name=fault.plugin if _PLUGIN.fullmatch(fault.plugin) else "unknown",
        args=fault.args,
        description=None,
        trigger=TriggerPlan("event", "occurrence", occurrences),
        notes=fault.notes,
        label=fault.label or None,
        unfired=fault.unfired,
        may_hide=fault.may_hide,
    )


def _result(index: int, fault: Fault, number: int, firing: Firing) -> HookResult:
    return HookResult(
        hook_index=index,
        name=fault.plugin,
        description=None,
        unit="occurrence",
        value=float(number),
        started_at=firing.started_at,
        ended_at=firing.ended_at,
        status=word(firing.status),
        has_output=False,
        matched_by="the file shows it",
        claim=firing.claim,
    )


def record_of(uri: str, source: str, version: str | None, workloads: Sequence[Workload]) -> RunRecord:
    """Return the run that a file records, within the limits."""
    bounds = Bounds(uri)
    bounds.check_workloads(len(workloads))
    return RunRecord(uri, "record", version, tuple(bounds.add(workload) for workload in workloads), source)


def until(start: Instant, end: Instant | None, at_least_s: float = 0.0) -> Instant:
    """Return an end that lies somewhere from ``at_least_s`` after the start to the latest moment of ``end``."""
    last = max(end.latest, start.latest) if end else start.latest
    first = min(start.at + dt.timedelta(seconds=max(at_least_s, 0.0)), last)
    return Instant(first, (last - first).total_seconds())
