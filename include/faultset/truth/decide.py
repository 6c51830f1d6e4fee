"""All decisions about one experiment, run by run, workload by workload, hook by hook."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faultset.errors import InputError
from faultset.records.evidence import Evidence, RunEvidence
from faultset.records.run import HookPlan, HookResult, ReportForm, RunRecord, TriggerPlan, Workload
from faultset.tables import InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import Truth, best_evidence, clock, corrections, hooked, names, reading
from faultset.truth.effect import effect_of, verb_of
from faultset.truth.fault_end import with_fault_ends
from faultset.truth.fault_steps import Deeds, deeds_of
from faultset.truth.hooked import Hooked
from faultset.truth.iterations import InjectionIndex, iteration_rows
from faultset.truth.placement import Placement
from faultset.truth.targets import Target, row
from faultset.truth.triggers import MOST_TRIGGERS_A_HOOK, PlannedTrigger, outcome, planned_values


@dataclass(frozen=True, slots=True)
class _Firing:
    """A trigger with the firings that were seen for it, none or (in files that are odd) several."""

    trigger: PlannedTrigger
    trigger_id: str
    results: tuple[HookResult, ...]


@dataclass(frozen=True, slots=True)
class _DecidedRun:
    """The best evidence of a run."""

    run: RunRecord
    evidence: RunEvidence
    disagreements: tuple[str, ...]


def decide(evidence: Evidence) -> Truth:
    """Decide triggers, injections, targets and iterations of an experiment.

    Raises:
        InputError: the same workload occurs twice among the runs.
    """
    placement = Placement(evidence.cluster)
    runs = [_best(run) for run in evidence.runs]
    notes: list[str] = list(evidence.corrected)
    unread: list[str] = []
    surplus: list[str] = []
    workloads: list[WorkloadRow] = []
    triggers: list[TriggerRow] = []
    injections: list[InjectionRow] = []
    targets: list[TargetRow] = []
    deeds: dict[str, Deeds] = {}
    for decided in runs:
        for workload in decided.run.workloads:
            identity = names.workload_id(workload)
            workloads.append(_workload_row(workload, identity, decided.run))
            shown = _places_shown(workload)
            acted_on: dict[int, list[Target]] = defaultdict(list)
            for firing in _firings(workload, identity):
                triggers.append(_trigger_row(firing, identity, workload, _form_of(workload, decided)))
                for occurrence, result in enumerate(firing.results, start=1):
                    found = hooked.decide(firing.trigger.hook, result, placement)
                    acted_on[firing.trigger.hook.index].extend(found.targets)
                    notes.extend(f"hook {firing.trigger.hook.index}: {note}" for note in found.notes)
                    surplus.extend(f"{_id_of(firing, occurrence)}: {text}" for text in found.surplus)
                    exact = decided.run.form != "record" and result.started_at.uncertainty_s == 0
                    injection = _injection_row(firing, occurrence, result, identity, found, exact=exact)
                    injections.append(dataclasses.replace(injection, result_index=shown[id(result)]))
                    settled = _settled(firing.trigger.hook, found)
                    deeds[injection.injection_id] = deeds_of(settled, result, found.targets, placement)
                    targets.extend(
                        row(target, injection.injection_id, placement, evidence.services)
                        for target in reading.with_what_follows(found.targets, firing.trigger.hook)
                    )
            notes.extend(_notes_on(workload, identity))
            unread.extend(_unread_of(workload, identity, acted_on))
    _refuse_repeats(workloads)
    scenarios = {workload.workload_id: workload.name for workload in workloads}
    injections, corrected = corrections.correct(injections, scenarios, evidence.corrections)
    notes.extend(corrected)
    injections = with_fault_ends(injections, deeds, workloads)
    return Truth(
        workloads=tuple(sorted(workloads, key=lambda w: w.workload_id)),
        triggers=tuple(sorted(triggers, key=lambda t: (t.workload_id, t.hook_index, t.unit, t.value))),
        injections=tuple(sorted(injections, key=lambda i: (i.started_at, i.injection_id))),
        targets=tuple(sorted(targets, key=lambda t: (t.injection_id, t.node, t.container or "", t.component or ""))),
        iterations=tuple(_iterations(runs, injections, notes)),
        disagreements=tuple(text for decided in runs for text in decided.disagreements),
        different_runs=any(_different(run) for run in evidence.runs),
        notes=tuple(dict.fromkeys(notes)),
        unread=tuple(dict.fromkeys(unread)),
        surplus=tuple(surplus),
    )


# --- runs and workloads ----------------------------------------------------------------------------------------------


def _best(evidence: RunEvidence) -> _DecidedRun:
    """Best evidence wins: times from the result JSON where there is one, else from HTML with their uncertainty."""
    if evidence.results is None or _different(evidence):
        return _DecidedRun(evidence.report, evidence, _disagreements(evidence))
    return _DecidedRun(best_evidence.merge(evidence.report, evidence.results), evidence, _disagreements(evidence))


def _form_of(workload: Workload, decided: _DecidedRun) -> ReportForm:
    """A workload that only the report has is still one whose silent hooks are hidden."""
    from_report = any(workload is shown for shown in decided.evidence.report.workloads)
    return decided.evidence.report.form if from_report else decided.run.form


def _disagreements(evidence: RunEvidence) -> tuple[str, ...]:
    return best_evidence.disagreements(evidence.report, evidence.results) if evidence.results else ()


def _different(evidence: RunEvidence) -> bool:
    return evidence.results is not None and not best_evidence.same_run(evidence.report, evidence.results)


def _workload_row(workload: Workload, identity: str, run: RunRecord) -> WorkloadRow:
    ended = None
    if workload.started_at is not None and workload.load_duration_s is not None:
        ended = workload.started_at + dt.timedelta(seconds=workload.load_duration_s)
    return WorkloadRow(
        workload_id=identity,
        name=workload.name,
        position=workload.position,
        runner=workload.runner,
        times=workload.times,
        concurrency=workload.concurrency,
        iterations=workload.iterations_count,
        failed_iterations=workload.failed_count,
        started_at=workload.started_at,
        ended_at=ended,
        created_at=workload.created_at,
        load_duration_s=workload.load_duration_s,
        sla_passed=workload.sla_passed,
        rally_version=run.rally_version if run.form != "record" else None,
        report=run.uri,
        source=run.source,
        source_version=run.rally_version,
        is_load=workload.is_load,
    )


def _refuse_repeats(workloads: Sequence[WorkloadRow]) -> None:
    seen: dict[str, str] = {}
    for workload in workloads:
        if workload.workload_id in seen:
            raise InputError(
                workload.report,
                f"workload {workload.workload_id} is also in {seen[workload.workload_id]}",
                "declare each Rally run once",
            )
        seen[workload.workload_id] = workload.report


def _notes_on(workload: Workload, identity: str) -> Iterator[str]:
    for hook in workload.hooks:
        if hook.trigger is None:
            yield f"{identity}: hook {hook.index} has a trigger that is not Rally's own; only what fired is known"
        if len(_values_of(hook.trigger, workload)) >= MOST_TRIGGERS_A_HOOK:
            yield f"{identity}: hook {hook.index} plans over {MOST_TRIGGERS_A_HOOK:,} triggers; the rest is left out"
        of_scripts = [note for note in hook.orders.notes if note not in hook.orders.unread] if hook.orders else []
        yield from (f"{identity}: hook {hook.index}: {note}" for note in (*hook.notes, *of_scripts))


def _unread_of(workload: Workload, identity: str, acted_on: Mapping[int, Sequence[Target]]) -> Iterator[str]:
    """Say which commands of the hooks may act on something and were not read, and what follows."""
    for hook in workload.hooks:
        sentence = reading.unread_sentence(hook, acted_on.get(hook.index, ()))
        if sentence is not None:
            yield f"{identity}: hook {hook.index}: {sentence}"


# --- triggers and injections -----------------------------------------------------------------------------------------


def _values_of(plan: TriggerPlan | None, workload: Workload) -> tuple[float, ...]:
    return () if plan is None else planned_values(plan, workload.iterations_count, workload.load_duration_s)


def _firings(workload: Workload, identity: str) -> list[_Firing]:
    """Every planned trigger with what was seen of it, then the firings that no configuration planned."""
    seen: dict[tuple[int, str, float], list[HookResult]] = defaultdict(list)
    strangers: list[HookResult] = []
    for result in workload.results:
        if result.hook_index is None:
            strangers.append(result)
        else:
            seen[result.hook_index, result.unit, result.value].append(result)
    firings: list[_Firing] = []
    for hook in workload.hooks:
        if hook.trigger is None:
            continue
        for value in _values_of(hook.trigger, workload):
            results = seen.pop((hook.index, hook.trigger.unit, value), [])
            planned = PlannedTrigger(hook, hook.trigger.unit, value)
            firings.append(
                _Firing(planned, names.trigger_id(identity, hook.index, planned.unit, value), tuple(results))
            )
    hooks = {hook.index: hook for hook in workload.hooks}
    unplanned = [(hooks.get(index), results) for (index, _, _), results in seen.items()]
    unplanned.extend((None, [result]) for result in strangers)
    return firings + [_unplanned(hook, results, identity, len(hooks)) for hook, results in unplanned]


def _unplanned(hook: HookPlan | None, results: Sequence[HookResult], identity: str, next_index: int) -> _Firing:
    first = results[0]
    own_trigger = hook is not None and hook.trigger is None
    hook = hook or HookPlan(next_index, first.name, "", first.description, None)
    trigger = PlannedTrigger(hook, first.unit, first.value, planned=own_trigger)
    return _Firing(trigger, names.trigger_id(identity, hook.index, first.unit, first.value), tuple(results))


def _trigger_row(firing: _Firing, identity: str, workload: Workload, form: ReportForm) -> TriggerRow:
    trigger = firing.trigger
    hook = trigger.hook
    what, why = outcome(trigger, firing.results[0] if firing.results else None, form, workload)
    return TriggerRow(
        trigger_id=firing.trigger_id,
        workload_id=identity,
        hook_index=hook.index,
        hook=hook.name,
        action=hook.args,
        description=hook.label or hook.description,
        kind=hook.trigger.kind if hook.trigger else "event",
        unit=trigger.unit,
        value=trigger.value,
        outcome=what,
        evidence=why,
        commands_read=reading.read_of(hook),
        commands_unread=reading.unread_of(hook),
    )


def _places_shown(workload: Workload) -> dict[int, int]:
    """Return, by ``id``, the place of each firing among those that the input shows for its hook."""
    counted: Counter[int | None] = Counter()
    places = {}
    for result in workload.results:
        places[id(result)] = counted[result.hook_index]
        counted[result.hook_index] += 1
    return places


def _id_of(firing: _Firing, occurrence: int) -> str:
    return firing.trigger_id if occurrence == 1 else f"{firing.trigger_id}.{occurrence}"


def _injection_row(
    firing: _Firing, occurrence: int, result: HookResult, identity: str, found: Hooked, *, exact: bool
) -> InjectionRow:
    effect, reason = effect_of(result, found.targets, found.output, idle=found.idle)
    if reading.unread_of(firing.trigger.hook):
        reason = f"{reason}; {reading.FOLLOWS_FOR_ALL if found.targets else reading.FOLLOWS_WITHOUT_TARGETS}"
    claimed_verb = result.claim.verb if result.claim else None
    return InjectionRow(
        injection_id=_id_of(firing, occurrence),
        trigger_id=firing.trigger_id,
        workload_id=identity,
        unit=result.unit,
        value=result.value,
        started_at=result.started_at.at,
        ended_at=result.ended_at.at,
        start_uncertainty_s=result.started_at.uncertainty_s,
        end_uncertainty_s=result.ended_at.uncertainty_s,
        time_source="results" if exact else "report",
        hook_status=result.status,
        return_code=result.return_code,
        action=verb_of(found.targets) or claimed_verb,
        effect=effect,
        effect_reason=reason,
        outcome=None,
    )


def _settled(hook: HookPlan, found: Hooked) -> HookPlan:
    """The hook with what its commands came to: names for choices, nodes for groups."""
    if hook.orders is None:
        return hook
    return dataclasses.replace(hook, orders=dataclasses.replace(hook.orders, actions=found.actions))


# --- iterations ------------------------------------------------------------------------------------------------------


def _iterations(
    runs: Sequence[_DecidedRun], injections: Sequence[InjectionRow], notes: list[str]
) -> Iterator[IterationRow]:
    """Yield all iterations in the order of the table's key, against the injections of every run."""
    index = InjectionIndex(injections)
    identified: Mapping[str, Workload] = {
        names.workload_id(workload): workload for decided in runs for workload in decided.run.workloads
    }
    for identity, workload in sorted(identified.items()):
        failed_at: dict[int, dt.datetime] = {}
        if workload.iterations.error_local_times:
            failed_at, why = clock.utc_times(workload)
            notes.append(f"{identity}: local times of the report's errors: {why}")
        yield from iteration_rows(workload, identity, index, failed_at)
