"""What a fault did to the system: nothing, moved its targets' KPIs, reached the workload, or cannot be told apart."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from faultset.fault_span import known_end
from faultset.moments import Window, epoch_us
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, IterationRow, TargetRow

Outcome = Literal["no_effect", "local", "visible", "contaminated"]
_Row = TypeVar("_Row", TargetRow, ImpactRow, ImpactTestRow)
# How long after its end a reviewed impact may still be taken for this injection's.
_RECOVERY_S = 900.0
# How many ordinary iterations tell how long one takes, and how many deviations beyond are slow.
_BEFORE = 200
_SLOW = 5.0
_LEAST = 5
# What tells of a node itself; spans and the load tell of requests, which cross nodes.
_OF_NODES = ("metrics", "logs")
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Load:
    """The iterations of one workload whose times are known, in order of start; all arrays are (n,).

    Attributes:
        start_us: microseconds since the epoch.
        end_us: later than the start.
        failed: flags.
        duration_s: NaN where it is not known.
    """

    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]
    failed: npt.NDArray[np.bool_]
    duration_s: npt.NDArray[np.float64]

    @classmethod
    def by_workload(cls, iterations: Iterable[IterationRow]) -> tuple[Load, ...]:
        """Return the load of each workload."""
        found: dict[str, list[tuple[int, int, bool, float]]] = defaultdict(list)
        for row in iterations:
            if row.started_at is not None and row.ended_at is not None:
                start, end = epoch_us(row.started_at), epoch_us(row.ended_at)
                duration = math.nan if row.duration_s is None else row.duration_s
                found[row.workload_id].append((start, max(end, start + 1), row.failed, duration))
        return tuple(cls._of(sorted(rows, key=lambda row: row[0])) for rows in found.values())

    @classmethod
    def _of(cls, rows: Sequence[tuple[int, int, bool, float]]) -> Load:
        start, end, failed, duration = zip(*rows, strict=True)
        return cls(np.array(start, np.int64), np.array(end, np.int64), np.array(failed, bool), np.array(duration))


def outcomes(
    injections: Sequence[InjectionRow],
    targets: Iterable[TargetRow],
    impacts: Iterable[ImpactRow],
    iterations: Iterable[IterationRow],
    tests: Iterable[ImpactTestRow] = (),
) -> dict[str, tuple[Outcome, str]]:
    """Decide the outcome of all injections of an experiment: injection id -> outcome, and why."""
    loads = Load.by_workload(iterations)
    hit, moved, asked = _by_injection(targets), _by_injection(impacts), _by_injection(tests)
    return {
        name: outcome_of(one, injections, hit[name], moved[name], loads, tests=asked[name])
        for one in injections
        for name in (one.injection_id,)
    }


def _by_injection(rows: Iterable[_Row]) -> dict[str | None, list[_Row]]:
    found: dict[str | None, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.injection_id].append(row)
    return found


def outcome_of(
    injection: InjectionRow,
    injections: Sequence[InjectionRow],
    targets: Sequence[TargetRow],
    impacts: Sequence[ImpactRow],
    loads: Sequence[Load],
    *,
    tests: Sequence[ImpactTestRow] = (),
) -> tuple[Outcome, str]:
    """Decide the outcome of one injection, and why.

    Args:
        injection: the one asked about.
        injections: all of the experiment.
        targets: its targets.
        impacts: its impacts.
        loads: of all workloads of the experiment.
        tests: all that was asked of it; what was not found on its targets says how large a move could have hidden.
    """
    window = _window(injection)
    own = injection.injection_id
    others = [one.injection_id for one in injections if one.injection_id != own and _window(one).overlaps(window)]
    if others:
        return "contaminated", f"{others[0]} overlaps it" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
    hit = {target.node for target in targets if target.effective is not False and target.commanded is not False}
    impacts, waves = [one for one in impacts if one.wave is None], [one for one in impacts if one.wave is not None]
    strangers = sorted(
        {impact.node for impact in impacts if impact.node not in hit and impact.source_kind in _OF_NODES}
    )
    moved = sorted({f"{impact.kpi} of {impact.node}" for impact in impacts})
    trouble = workload_trouble(window, loads) or _reached(impacts, hit)
    if strangers and not any(impact.node in hit for impact in impacts):
        return "contaminated", f"KPIs moved on {', '.join(strangers)}, which it did not target, and on no target"
    if trouble:
        return "visible", f"{trouble}; " + (f"moved: {', '.join(moved[:6])}" if moved else "no KPI moved")
    if moved:
        return "local", f"moved: {', '.join(moved[:6])}; the workload shows nothing"
    together = f" but with the whole cluster ({', '.join(sorted({one.kpi for one in waves})[:6])})" if waves else ""
    return "no_effect", f"no KPI moved{together}, and the workload shows nothing; {could_hide(hit, tests)}"


def _reached(impacts: Sequence[ImpactRow], hit: Set[str]) -> str | None:
    """Return how the load felt it, in words, beyond its targets: the load itself, or its requests on their way."""
    for impact in impacts:
        if impact.source_kind == "workload":
            return f"{impact.kpi} of {impact.node} went {impact.direction}"
        if impact.source_kind == "traces" and impact.node not in hit:
            return f"requests felt it: {impact.kpi} of {impact.node} went {impact.direction}"
    return None


def could_hide(nodes: Set[str], tests: Iterable[ImpactTestRow]) -> str:
    """Return how large a move could have hidden from one injection's tests on ``nodes``, and what had no test."""
    here = [test for test in tests if test.node in nodes]
    if not here:
        return "nothing of its targets was recorded, so that any move could have hidden"
    asked = [test for test in here if test.tested]
    missing = sorted(f"{test.kpi} of {test.node} ({test.why_not})" for test in here if not test.tested)
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    untested = f"; not tested: {', '.join(missing[:_SHOWN])}{more}" if missing else ""
    return _hidden(asked) + untested


def _hidden(asked: Sequence[ImpactTestRow]) -> str:
    """Return the same of tests that there were."""
    sizes = [(test.detectable_once_sd or test.detectable_sd, f"{test.kpi} of {test.node}") for test in asked]
    known = sorted((size, where) for size, where in sizes if size is not None)
    if not known:
        return "how large a move could have hidden on its targets is not known"
    worst, where = known[-1]
    middle = known[len(known) // 2][0]
    unknown = f", in {len(asked) - len(known)} it is not known" if len(known) < len(asked) else ""
    return (
        f"on its targets a move of 25 s could have hidden below {middle:.3g} sd in the median of {len(known)} tests, "
        f"below {worst:.3g} sd in {where}{unknown}"
    )


def _window(injection: InjectionRow) -> Window:
    """The span of the fault as far as it is certain: where its end is not known, that of its command."""
    return Window(injection.started_at, known_end(injection))


def workload_trouble(window: Window, loads: Sequence[Load]) -> str | None:
    """Return how a workload failed or slowed in ``window``, in words; None where none did, or nothing tells.

    Each workload is held against itself: the iterations of another one take as long as they take.
    """
    found = (_trouble(epoch_us(window.start), epoch_us(window.end), load) for load in loads)
    return next((trouble for trouble in found if trouble), None)


def _trouble(start_us: int, end_us: int, load: Load) -> str | None:
    inside = (load.start_us < max(end_us, start_us + 1)) & (start_us < load.end_us)
    before = np.flatnonzero(load.end_us <= start_us)[-_BEFORE:]
    failed, count = int(load.failed[inside].sum()), int(inside.sum())
    usual = float(load.failed[before].mean()) if len(before) else 0.0
    if failed and failed / count > 2 * usual:
        return f"{failed} of {count} iterations failed"
    return _slow(_passed(load, np.flatnonzero(inside)), _passed(load, before))


def _passed(load: Load, places: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return the known durations of the iterations at ``places`` that did not fail."""
    durations = load.duration_s[places][~load.failed[places]]
    return np.asarray(durations[np.isfinite(durations)])


def _slow(now: npt.NDArray[np.float64], usual: npt.NDArray[np.float64]) -> str | None:
    if len(usual) < _LEAST or not len(now):
        return None
    middle = float(np.median(usual))
    spread = 1.4826 * float(np.median(np.abs(usual - middle)))
    if spread and np.median(now) > middle + _SLOW * spread:
        return f"iterations took {np.median(now):.1f} s instead of {middle:.1f} s, up to {now.max():.1f} s"
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
