"""Planned is not fired, and not seen is not "did not fire": what became of each planned trigger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from faultset.records.run import HookPlan, HookResult, ReportForm, TriggerPlan, Unit, Workload
from faultset.tables import TriggerOutcome

# Rally's timer runs on while the runner and the contexts wind down, so that a trigger over time can fire this long
# after the load has ended; what was planned later than that did not fire.
TIMER_SLACK_S = 10.0
# An open periodic trigger has no last value, and a closed one can name millions: enough for any run that was made.
MOST_TRIGGERS_A_HOOK = 100_000


@dataclass(frozen=True, slots=True)
class PlannedTrigger:
    """One value of a hook's trigger. ``planned`` is False for a firing that no configuration asked for."""

    hook: HookPlan
    unit: Unit
    value: float
    planned: bool = True


def planned_values(plan: TriggerPlan, iterations: int, duration_s: float | None) -> tuple[float, ...]:
    """Return the values at which ``plan`` asks to fire, ascending.

    Args:
        plan: the trigger.
        iterations: iterations that ran; an open trigger over iterations ends there.
        duration_s: seconds of load; an open trigger over time ends there; None where unknown.
    """
    if plan.kind == "event":
        return tuple(sorted(set(plan.at)))
    return tuple(_steps(plan, _last_value(plan, iterations, duration_s)))


def _last_value(plan: TriggerPlan, iterations: int, duration_s: float | None) -> float:
    if plan.end is not None:
        return plan.end
    return float(iterations) if plan.unit == "iteration" else math.floor(duration_s or 0.0)


def _steps(plan: TriggerPlan, last: float) -> Iterator[float]:
    step = max(plan.step, 1)
    for number in range(MOST_TRIGGERS_A_HOOK):
        value = plan.start + number * step
        if value > last:
            return
        yield value


def outcome(  # noqa: PLR0911 (each reason is one return)
    trigger: PlannedTrigger,
    fired: HookResult | None,
    form: ReportForm,
    workload: Workload,
) -> tuple[TriggerOutcome, str]:
    """Decide what became of a planned trigger, and why.

    Args:
        trigger: what was planned.
        fired: the firing seen for it, or None.
        form: what kind of file would have shown it: HTML hides hooks without output, a result JSON shows all.
        workload: how far the run went.
    """
    if fired is not None:
        if not trigger.planned:
            return "fired", f"unplanned: the file shows a firing at {trigger.unit} {trigger.value:g} that no hook plans"
        return "fired", f"the {_name(form)} shows its result"
    if form == "record":
        return (
            "not_observable" if trigger.hook.may_hide else "not_reached",
            trigger.hook.unfired or "the tool's record shows every firing, and not this one",
        )
    if form != "report":
        return "not_reached", _why_absent_in_results(trigger, workload)
    if trigger.unit == "iteration" and trigger.value > workload.iterations_count:
        return "not_reached", f"planned at iteration {trigger.value:g}, the run ended after {workload.iterations_count}"
    if workload.iterations_count == 0:
        return "not_reached", "no iteration ran"
    if trigger.unit == "time" and _after_the_end(trigger.value, workload):
        return "not_reached", f"planned at second {trigger.value:g}, the load ended after {_seconds(workload)}"
    if trigger.hook.index in workload.charted_hooks:
        return "not_observable", "the report shows charts of this hook, which carry no times; result JSON would"
    return "not_observable", (
        f"the run got there, but an HTML report hides every hook without output (such as {trigger.hook.name}"
        " may be); result JSON would tell"
    )


def _name(form: ReportForm) -> str:
    return {"report": "HTML report", "record": "tool's record"}.get(form, "result JSON")


def _why_absent_in_results(trigger: PlannedTrigger, workload: Workload) -> str:
    if trigger.unit == "iteration" and trigger.value > workload.iterations_count:
        return f"planned at iteration {trigger.value:g}, the run ended after {workload.iterations_count}"
    return "the result JSON lists every firing, and not this one"


def _after_the_end(second: float, workload: Workload) -> bool:
    duration = workload.full_duration_s or workload.load_duration_s
    return duration is not None and second > duration + TIMER_SLACK_S


def _seconds(workload: Workload) -> str:
    duration = workload.full_duration_s or workload.load_duration_s
    return "an unknown time" if duration is None else f"{duration:.1f} s"
