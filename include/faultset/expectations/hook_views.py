"""Views of what hooks did: triggers, injections, targets."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from faultset.expectations.frames import FLAG, NUMBER, TEXT, frame, listed, utc
from faultset.moments import iso
from faultset.sources.kit.redaction import REDACTED, redact
from faultset.sources.public.text import HIDDEN
from faultset.tables import InjectionRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import Truth
from faultset.truth.placement import Placement


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def triggers(rows: Sequence[TriggerRow], runs: Sequence[WorkloadRow]) -> pd.DataFrame:
    """One row a planned trigger, or a firing that nobody planned. The command itself is not in it.

    ``silent_hook`` is told at the first trigger of each hook of which none was reached.
    """
    known = {workload.workload_id for workload in runs}
    clean: dict[str, bool] = {text: _is_clean(text) for row in rows for text in (row.action, row.description or "")}
    silent = _silent_hooks(rows)
    told = _told_once(silent, runs)
    return frame(
        where=(TEXT, [f"trigger {row.trigger_id}" for row in rows]),
        trigger_id=(TEXT, [row.trigger_id for row in rows]),
        what=(TEXT, [_trigger(row) for row in rows]),
        workload_exists=(FLAG, [row.workload_id in known for row in rows]),
        kind=(TEXT, [row.kind for row in rows]),
        unit=(TEXT, [row.unit for row in rows]),
        outcome=(TEXT, [row.outcome for row in rows]),
        evidence=(TEXT, [redact(row.evidence) for row in rows]),
        hook_silent=(FLAG, [(row.workload_id, row.hook_index) in silent for row in rows]),
        silent_hook=(TEXT, [told.get(row.trigger_id) for row in rows]),
        planned=(FLAG, [not row.evidence.startswith("unplanned") for row in rows]),
        secret_free=(FLAG, [clean[row.action] and clean[row.description or ""] for row in rows]),
    )


def _is_clean(text: str) -> bool:
    """Whether nothing in ``text`` looks like a secret; what is hidden does not."""
    replaced = text.replace(HIDDEN, REDACTED)
    return redact(replaced) == replaced


def _silent_hooks(rows: Sequence[TriggerRow]) -> dict[tuple[str, int], list[TriggerRow]]:
    """The hooks of which no trigger was reached, each with its triggers."""
    hooks: dict[tuple[str, int], list[TriggerRow]] = defaultdict(list)
    for row in rows:
        hooks[row.workload_id, row.hook_index].append(row)
    return {hook: own for hook, own in hooks.items() if all(row.outcome == "not_reached" for row in own)}


def _told_once(silent: Mapping[tuple[str, int], list[TriggerRow]], runs: Sequence[WorkloadRow]) -> dict[str, str]:
    """First trigger of a silent hook -> what is said of the hook."""
    by_id = {workload.workload_id: workload for workload in runs}
    told = {}
    for (identity, index), own in silent.items():
        planned = listed(_number(value) for value in sorted(row.value for row in own))
        end = _end(by_id.get(identity))
        # A tool that goes through its faults by itself says why it left one out.
        why = redact(own[0].evidence) if own[0].unit == "occurrence" else f"planned at {own[0].unit} {planned}{end}"
        told[own[0].trigger_id] = f"hook {index} ({own[0].hook}) of {identity} never fired: {why}"
    return told


def _end(run: WorkloadRow | None) -> str:
    if run is None:
        return ""
    at = f", at {iso(run.ended_at)}" if run.ended_at else ""
    return f"; the run ended after {run.iterations} iterations{at}"


def _trigger(row: TriggerRow) -> str:
    return f"hook {row.hook_index} ({row.hook}) at {row.unit} {_number(row.value)} of {row.workload_id}"


def injections(truth: Truth) -> pd.DataFrame:
    """One row an injection, with its place in the run and beside the other firings of its hook."""
    rows = truth.injections
    runs = {workload.workload_id: workload for workload in truth.workloads}
    planned = {trigger.trigger_id for trigger in truth.triggers}
    hit = Counter(target.injection_id for target in truth.targets)
    overlaps = _overlaps(rows, truth.triggers)
    return frame(
        where=(TEXT, [f"injection {row.injection_id}" for row in rows]),
        injection_id=(TEXT, [row.injection_id for row in rows]),
        trigger_exists=(FLAG, [row.trigger_id in planned for row in rows]),
        workload_exists=(FLAG, [row.workload_id in runs for row in rows]),
        unit=(TEXT, [row.unit for row in rows]),
        started_at=utc(row.started_at for row in rows),
        latest_end=utc(row.ended_at + dt.timedelta(seconds=row.end_uncertainty_s) for row in rows),
        start_uncertainty_s=(NUMBER, [row.start_uncertainty_s for row in rows]),
        time_source=(TEXT, [row.time_source for row in rows]),
        outside_s=(NUMBER, [seconds_outside(row, runs.get(row.workload_id)) for row in rows]),
        overlapping=(TEXT, [overlaps.get(row.injection_id) for row in rows]),
        # What other tools call their firings says nothing of an effect, nor do they mean it to.
        hook_status=(TEXT, [None if row.unit == "occurrence" else row.hook_status for row in rows]),
        effect=(TEXT, [row.effect for row in rows]),
        effect_reason=(TEXT, [redact(row.effect_reason) for row in rows]),
        outcome=(TEXT, [row.outcome for row in rows]),
        targets=(NUMBER, [hit[row.injection_id] for row in rows]),
        fault_end_source=(TEXT, [row.fault_end_source for row in rows]),
        fault_end_reason=(TEXT, [redact(row.fault_end_reason) for row in rows]),
    )


def seconds_outside(row: InjectionRow, run: WorkloadRow | None) -> float | None:
    """Return how far an injection certainly reaches out of its run, in seconds; None where the run's times are unknown.

    A report knows no start of the load; the moment at which Rally created the workload is the earliest it can be.
    """
    began = (run.started_at or run.created_at) if run else None
    if run is None or began is None:
        return None
    before = (began - row.started_at).total_seconds() - row.start_uncertainty_s
    after = (row.ended_at - run.ended_at).total_seconds() if run.ended_at else 0.0
    return round(max(before, after, 0.0), 6)


def _overlaps(rows: Sequence[InjectionRow], planned: Iterable[TriggerRow]) -> dict[str, str]:
    """Injection -> the earlier firing of the same hook that was certainly still going on when it started."""
    hook_of = {trigger.trigger_id: trigger.hook_index for trigger in planned}
    by_hook: Mapping[object, list[InjectionRow]] = defaultdict(list)
    for row in rows:
        by_hook[row.workload_id, hook_of.get(row.trigger_id)].append(row)
    found: dict[str, str] = {}
    for firings in by_hook.values():
        last: InjectionRow | None = None
        for row in sorted(firings, key=lambda firing: (firing.started_at, firing.injection_id)):
            if last and row.started_at + dt.timedelta(seconds=row.start_uncertainty_s) < last.ended_at:
                found[row.injection_id] = last.injection_id
            if last is None or row.ended_at > last.ended_at:
                last = row
    return found


def targets(rows: Sequence[TargetRow], fired: Sequence[InjectionRow], placement: Placement) -> pd.DataFrame:
    """One row a target. ``node_known`` and ``declared`` are null where no cluster file was given."""
    known = {injection.injection_id for injection in fired}
    return frame(
        where=(TEXT, [f"{_thing(row)} on {row.node}, injection {row.injection_id}" for row in rows]),
        injection_id=(TEXT, [row.injection_id for row in rows]),
        injection_exists=(FLAG, [row.injection_id in known for row in rows]),
        node=(TEXT, [row.node for row in rows]),
        node_known=(FLAG, [_node_known(row, placement) for row in rows]),
        placed=(FLAG, [row.placed for row in rows]),
        kind=(TEXT, [row.kind for row in rows]),
        pod=(TEXT, [row.pod or "" for row in rows]),
        namespace=(TEXT, [row.namespace or "" for row in rows]),
        # Empty, not null: null would count as unlike any other in a key.
        container=(TEXT, [row.container or "" for row in rows]),
        component=(TEXT, [row.component or "" for row in rows]),
        order=(TEXT, [_order(row) for row in rows]),
        service=(
            TEXT,
            [row.service if row.container else "the pod itself" if row.pod else "the node itself" for row in rows],
        ),
        layer=(TEXT, [row.layer for row in rows]),
        declared=(FLAG, [row.declared for row in rows]),
        commanded=(FLAG, [row.commanded for row in rows]),
        effective=(FLAG, [row.effective for row in rows]),
        resolution=(TEXT, [row.resolution for row in rows]),
    )


def _node_known(row: TargetRow, placement: Placement) -> bool | None:
    return placement.place(row.node).node is not None if placement.known and row.placed else None


def _thing(row: TargetRow) -> str:
    return row.container or row.pod or "the node"


def _order(row: TargetRow) -> str:
    """The order in words, such as ``stop+start nova_compute``."""
    return f"{row.action or 'act on'} {_thing(row)}"


def choices(rows: Sequence[TargetRow]) -> pd.DataFrame:
    """One row an injection and container; ``candidates`` names the nodes where it is not known which was hit."""
    groups: dict[tuple[str, str], list[TargetRow]] = defaultdict(list)
    for row in rows:
        groups[row.injection_id, _thing(row)].append(row)
    return frame(
        where=(TEXT, [f"{container}, injection {injection}" for injection, container in groups]),
        injection_id=(TEXT, [injection for injection, _ in groups]),
        container=(TEXT, [container for _, container in groups]),
        order=(TEXT, [_order(group[0]) for group in groups.values()]),
        candidates=(TEXT, [_candidates(group) for group in groups.values()]),
    )


def _candidates(group: Sequence[TargetRow]) -> str | None:
    return listed(row.node for row in group if row.resolution == "ambiguous") or None
