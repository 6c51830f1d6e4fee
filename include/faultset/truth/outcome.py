"""What a fault did to the system: nothing, moved its targets' KPIs, reached the workload, or cannot be told apart."""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Sequence
from typing import Literal

from faultset.moments import Window
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow

Outcome = Literal["no_effect", "local", "visible", "contaminated"]
# How long after its end a reviewed impact may still be taken for this injection's.
_RECOVERY_S = 900.0
# How many ordinary iterations tell how long one takes, and how many deviations beyond are slow.
_BEFORE = 200
_SLOW = 5.0
_LEAST = 5


def outcome_of(
    injection: InjectionRow,
    injections: Sequence[InjectionRow],
    targets: Sequence[TargetRow],
    impacts: Sequence[ImpactRow],
    iterations: Sequence[IterationRow],
) -> tuple[Outcome, str]:
    """Decide the outcome of one injection, and why.

    Args:
        injection: the one asked about.
        injections: all of the experiment.
        targets: its targets.
        impacts: its impacts.
        iterations: all of the experiment.
    """
    window = _window(injection)
    own = injection.injection_id
    others = [one.injection_id for one in injections if one.injection_id != own and _window(one).overlaps(window)]
    if others:
        return "contaminated", f"{others[0]} overlaps it" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    hit = {target.node for target in targets if target.effective is not False and target.commanded is not False}
    strangers = sorted({impact.node for impact in impacts if impact.node not in hit})
    moved = sorted({f"{impact.kpi} of {impact.node}" for impact in impacts})
    trouble = workload_trouble(window, iterations)
    if strangers and not any(impact.node in hit for impact in impacts):
        return "contaminated", f"KPIs moved on {', '.join(strangers)}, which it did not target, and on no target"
    if trouble:
        return "visible", f"{trouble}; " + (f"moved: {', '.join(moved[:6])}" if moved else "no KPI moved")
    if moved:
        return "local", f"moved: {', '.join(moved[:6])}; the workload shows nothing"
    return "no_effect", "no KPI moved, and the workload shows nothing"


def _window(injection: InjectionRow) -> Window:
    return Window(injection.started_at, injection.ended_at + dt.timedelta(seconds=injection.end_uncertainty_s))


def workload_trouble(window: Window, iterations: Sequence[IterationRow]) -> str | None:
    """Return how the workload failed or slowed in ``window``, in words; None where it did not, or nothing tells."""
    timed = [(row, span) for row in iterations if (span := _span(row)) is not None]
    inside = [row for row, span in timed if span.overlaps(window)]
    before = [row for row, span in timed if span.end <= window.start][-_BEFORE:]
    failed = sum(row.failed for row in inside)
    usual = sum(row.failed for row in before) / len(before) if before else 0.0
    if failed and failed / len(inside) > 2 * usual:
        return f"{failed} of {len(inside)} iterations failed"
    return _slow([row for row in inside if not row.failed], [row for row in before if not row.failed])


def _span(row: IterationRow) -> Window | None:
    return Window(row.started_at, row.ended_at) if row.started_at and row.ended_at else None


def _slow(inside: Sequence[IterationRow], before: Sequence[IterationRow]) -> str | None:
    usual = [row.duration_s for row in before if row.duration_s is not None]
    now = [row.duration_s for row in inside if row.duration_s is not None]
    if len(usual) < _LEAST or not now:
        return None
    middle = statistics.median(usual)
    spread = 1.4826 * statistics.median(abs(value - middle) for value in usual)
    slowest = max(now)
    if spread and statistics.median(now) > middle + _SLOW * spread:
        return f"iterations took {statistics.median(now):.1f} s instead of {middle:.1f} s, up to {slowest:.1f} s"
    return None


def assigned(node: str, kpi: str, window: Window, injections: Sequence[InjectionRow]) -> tuple[str, str]:
    """Return the injection that a reviewed impact belongs to, and why; "" where none fits.

    It is the one with the nearest start among those that the impact overlaps, or whose recovery it lies in.
    """
    fitting = [
        (abs((one.started_at - window.start).total_seconds()), one.injection_id)
        for one in injections
        if Window(one.started_at, _window(one).end + dt.timedelta(seconds=_RECOVERY_S)).overlaps(window)
    ]
    if not fitting:
        return "", f"no injection is near the reviewed impact on {kpi} of {node}"
    distance, nearest = min(fitting)
    return nearest, f"starts {distance:.1f} s from {nearest}"
