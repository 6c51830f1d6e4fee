"""Which configured hook is which of those that a report shows: it leaves some out, and keeps their order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultset.records.run import HookPlan, TriggerPlan, Unit

# Beyond this many pairs nobody wrote the configuration by hand, and comparing all would take too long.
_MOST_PAIRS = 250_000
_MOST_COMPARISONS = 20_000_000


@dataclass(frozen=True, slots=True)
class ShownHook:
    """A hook as a report shows it.

    Attributes:
        name: the action plugin's name.
        description: None or "" where there is none.
        args: as the hook's output names them, secrets replaced; None where it does not.
        fired: unit and value of each firing shown; none for a hook with nothing but charts.
    """

    name: str
    description: str | None
    args: str | None
    fired: tuple[tuple[Unit, float], ...]


@dataclass(frozen=True, slots=True)
class Match:
    """The configured hook's index, None where none fits, and what decided."""

    index: int | None
    reason: str


def match_hooks(shown: list[ShownHook], plans: tuple[HookPlan, ...], iterations: int) -> list[Match]:
    """Return for each of ``shown`` which of ``plans`` it is.

    The shown hooks are a sub-sequence of the configured ones: of all assignments that keep the order, the one that
    agrees best in description, arguments and trigger values is taken.

    Args:
        shown: in the report's order.
        plans: in the configuration's order.
        iterations: how many ran; a trigger beyond cannot have fired.
    """
    if not plans:
        return [Match(None, "no hook is configured")] * len(shown)
    if len(shown) == len(plans) and all(_agreement(*pair, iterations) for pair in zip(shown, plans, strict=True)):
        # The order alone allows one assignment only.
        return [Match(plan.index, "order: every configured hook is shown") for plan in plans]
    if len(shown) * len(plans) > _MOST_PAIRS or _comparisons(shown, plans) > _MOST_COMPARISONS:
        return [Match(None, "too many hooks to compare")] * len(shown)
    assigned = _best_assignment(shown, plans, iterations)
    return [_explain(hook, index, plans) for hook, index in zip(shown, assigned, strict=True)]


def fitting_plan(
    name: str, description: str | None, unit: Unit, value: float, plans: Sequence[HookPlan]
) -> HookPlan | None:
    """Return the first of ``plans`` that a single firing can be of, one of its own description before others.

    Args:
        name: the action plugin's name.
        description: None where there is none.
        unit: what triggered it.
        value: at which iteration or second.
        plans: those that have not fired there yet.
    """
    shown = ShownHook(name, description, None, ((unit, value),))
    fitting = [plan for plan in plans if plan.name == name and _could_fire(shown, plan.trigger)]
    same = (plan for plan in fitting if _same_text(description, plan.description))
    return next(same, None) or next(iter(fitting), None)


def _best_assignment(shown: list[ShownHook], plans: tuple[HookPlan, ...], iterations: int) -> list[int | None]:
    """Align the two sequences for the highest sum of agreements; either side may leave some without a partner."""
    scores = [[_agreement(hook, plan, iterations) for plan in plans] for hook in shown]
    rows, columns = len(shown), len(plans)
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            skip = max(best[row + 1][column], best[row][column + 1])
            best[row][column] = max(skip, _taken(scores, best, row, column))
    assigned: list[int | None] = [None] * rows
    row = column = 0
    while row < rows and column < columns:
        if scores[row][column] and best[row][column] == _taken(scores, best, row, column):
            assigned[row] = column
            row, column = row + 1, column + 1
        elif best[row][column] == best[row][column + 1]:
            column += 1
        else:
            row += 1
    return assigned


def _taken(scores: list[list[float]], best: list[list[float]], row: int, column: int) -> float:
    return scores[row][column] + best[row + 1][column + 1] if scores[row][column] else 0.0


def _agreement(hook: ShownHook, plan: HookPlan, iterations: int) -> float:
    """Return how well the two agree; 0 where they cannot be the same hook."""
    if hook.name != plan.name or not _could_fire(hook, plan.trigger):
        return 0.0
    same_description = _same_text(hook.description, plan.description)
    same_args = hook.args is not None and hook.args == plan.args
    if not same_description and not same_args:
        return 0.0
    coverage = _coverage(hook, plan.trigger, iterations)
    return 1.0 + 2.0 * same_description + 4.0 * same_args + coverage


def _comparisons(shown: list[ShownHook], plans: tuple[HookPlan, ...]) -> int:
    """Return about how many trigger values are looked at when each shown hook is compared with each plan."""
    planned = sum(len(plan.trigger.at) for plan in plans if plan.trigger)
    return len(shown) * planned + len(plans) * sum(len(hook.fired) for hook in shown)


def _could_fire(hook: ShownHook, trigger: TriggerPlan | None) -> bool:
    if trigger is None:
        return True
    if any(unit != trigger.unit for unit, _ in hook.fired):
        return False
    if trigger.kind == "event":
        return frozenset(trigger.at).issuperset(value for _, value in hook.fired)
    return all(_is_step(value, trigger) for _, value in hook.fired)


def _is_step(value: float, trigger: TriggerPlan) -> bool:
    last = math.inf if trigger.end is None else trigger.end
    return trigger.start <= value <= last and (value - trigger.start) % trigger.step == 0


def _coverage(hook: ShownHook, trigger: TriggerPlan | None, iterations: int) -> float:
    """Return which part of the values that were reached is shown, from 0 to 1; for time it is unknown."""
    if trigger is None or trigger.unit == "time":
        return 0.0
    if trigger.kind == "event":
        planned = sum(1 for value in trigger.at if value <= iterations)
    else:
        last = iterations if trigger.end is None else min(trigger.end, iterations)
        planned = max(0, math.floor((last - trigger.start) / trigger.step) + 1)
    return min(1.0, len(hook.fired) / planned) if planned else 0.0


def _same_text(one: str | None, other: str | None) -> bool:
    return (one or "") == (other or "")


def _explain(hook: ShownHook, index: int | None, plans: tuple[HookPlan, ...]) -> Match:
    if index is None:
        return Match(None, "no configured hook has this name with this description or these arguments and triggers")
    plan = plans[index]
    reasons = ["name"]
    if plan.trigger is not None and hook.fired:
        reasons.append("trigger values")
    if _same_text(hook.description, plan.description):
        reasons.append("description" if hook.description else "no description")
    if hook.args is not None and hook.args == plan.args:
        reasons.append("arguments")
    alike = sum(1 for other in plans if _alike(other, plan))
    doubt = f"; the first that fits of {alike} alike" if alike > 1 else ""
    return Match(plan.index, ", ".join(reasons) + doubt)


def _alike(one: HookPlan, other: HookPlan) -> bool:
    return (one.name, one.args, one.description, one.trigger) == (
        other.name,
        other.args,
        other.description,
        other.trigger,
    )
