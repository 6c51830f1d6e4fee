"""Audits of somebody else's labeled set: what its users ask for and few sets state.

Is an effect where the label is, and how large one could have hidden; does a column give the label away, say what
another one says, or say nothing; is the label off; and what needs no method to be reached.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from faultset.audit import columns, effect, from_rcaeval, from_tsb_ad, scores
from faultset.audit.records import Audit, CaseReport, Effect, Finding, ForeignCase
from faultset.errors import InputError, nearest, printable

LAYOUTS = ("rcaeval", "tsb-ad")
Tell: TypeAlias = Callable[[int, int, str], None]
_LEAST_AGREEING = 3
_HOUR_S = 3600.0
_SOME = 0.4  # of its labels at which something moves, a series is taken to show its effects


def _untold(_done: int, _total: int, _what: str) -> None:
    pass


def audit(folder: Path, layout: str, tell: Tell = _untold) -> Audit:
    """Read a set case by case and say what is wrong with it; one case is in memory at a time.

    Args:
        folder: of the set.
        layout: ``rcaeval`` or ``tsb-ad``.
        tell: is told how far it is: done, total, what.

    Raises:
        InputError: there is no such layout, or no case in the folder.
    """
    if layout not in LAYOUTS:
        problem = f'there is no layout "{layout}"{nearest(layout, LAYOUTS)}'
        raise InputError("--from", problem, f"give {' or '.join(LAYOUTS)}")
    if not folder.is_dir():
        raise InputError(folder, "there is no such folder", "give the folder that holds the cases")
    of_rcaeval = layout == "rcaeval"
    named = from_rcaeval.cases(folder) if of_rcaeval else from_tsb_ad.cases(folder)
    if not named:
        what = f"no {from_rcaeval.INJECT_TIME}" if of_rcaeval else f"no CSV whose last column is {from_tsb_ad.LABEL}"
        raise InputError(folder, f"there is {what} below it", "give the folder that holds the cases")
    causes = from_rcaeval.root_causes(folder) if of_rcaeval else {}
    reports: list[CaseReport] = []
    blamed: list[scores.Blamed] = []
    tables: list[pd.DataFrame] = []
    for place, (name, path) in enumerate(named):
        tell(place, len(named), name)
        try:
            case = from_rcaeval.read(name, path, causes) if of_rcaeval else from_tsb_ad.read(name, path)
        except InputError as error:
            unreadable = Finding(name, "degenerate", (), f"it cannot be read: {error}")
            reports.append(CaseReport(name, 0, 0, "s" if of_rcaeval else "rows", None, (unreadable,)))
            continue
        reports.append(report(case))
        if of_rcaeval:
            one = scores.blamed(case)
            blamed += [one] if one else []
        elif case.values.shape[1] and len(case.onsets):
            tables.append(scores.of_rows(case, from_tsb_ad.train_rows(name)))
    return Audit(
        layout=layout,
        folder=str(folder),
        cases=tuple(reports),
        floors=scores.of_services(blamed) if of_rcaeval else scores.mean(tables),
        floors_of="naming the service to blame" if of_rcaeval else "telling labeled rows, mean over the series",
        summary=dict(Counter(kind for one in reports for kind in sorted({found.kind for found in one.findings}))),
        shift=_agreed(reports),
    )


def report(case: ForeignCase) -> CaseReport:
    """Return what is to be said of one case."""
    leaks = list(columns.leaks(case))
    leaking = {name for one in leaks for name in one.columns}
    findings = [*leaks, *columns.degenerate(case, leaking), *columns.duplicates(case)]
    seen: Effect | None = None
    if _can_be_asked(case):
        usable = _usable(case, leaking)
        seen, shift = effect.seen(usable)
        findings += _of_effect(usable, seen, shift)
    cleaned = tuple(
        dataclasses.replace(one, columns=tuple(map(printable, one.columns)), message=printable(one.message))
        for one in findings
    )
    return CaseReport(printable(case.name), len(case.time), len(case.columns), case.unit, seen, cleaned)


def _can_be_asked(case: ForeignCase) -> bool:
    inside = (case.onsets > case.time[0]) & (case.onsets <= case.time[-1]) if len(case.time) else np.zeros(0, bool)
    ascending = bool((np.diff(case.time) >= 0).all())
    return len(case.time) >= 40 and case.values.shape[1] > 0 and bool(inside.any()) and ascending


def _usable(case: ForeignCase, leaking: Collection[str]) -> ForeignCase:
    """Return the case without columns that give its label away: they would pass for its effect."""
    kept = [place for place, name in enumerate(case.columns) if name not in leaking]
    kept = kept or list(range(len(case.columns)))
    values = np.where(np.isfinite(case.values[:, kept]), case.values[:, kept], np.nan)
    return dataclasses.replace(case, values=values, columns=tuple(case.columns[place] for place in kept))


def _of_effect(case: ForeignCase, seen: Effect, shift: effect.Shift | None) -> list[Finding]:
    if shift is not None:
        later = "later" if shift.offset > 0 else "earlier"
        text = f"the effect begins {_length(abs(shift.offset), case.unit)} {later} than the label says"
        return [Finding(case.name, "time_shift", shift.columns, text, shift.offset)]
    if seen.visible > _SOME * seen.labels:
        return []
    hidden = f", a lasting move below {seen.detectable_sd:.1f} sd could hide" if seen.detectable_sd else ""
    missed = seen.labels - seen.visible
    where = "the label" if seen.labels == 1 else f"{missed} of {seen.labels} labels"
    return [Finding(case.name, "no_effect", (), f"nothing begins to move at {where}{hidden}")]


def _length(value: float, unit: str) -> str:
    if unit == "rows":
        return f"{value:.0f} rows"
    hours = f" ({value / _HOUR_S:.2f} h)" if value >= _HOUR_S / 2 else ""
    return f"{value:.0f} s{hours}"


def _agreed(reports: Sequence[CaseReport]) -> str | None:
    """Return what most shifted cases agree on."""
    offsets = [one.offset for case in reports for one in case.findings if one.offset is not None]
    if len(offsets) < _LEAST_AGREEING:
        return None
    middle = float(np.median(offsets))
    near = sum(abs(offset - middle) <= 30 for offset in offsets)
    if near < _LEAST_AGREEING or 2 * near <= len(offsets):
        return None
    unit = next(case.unit for case in reports if any(one.offset is not None for one in case.findings))
    return f"{near} of {len(reports)} cases are off by about {_length(abs(middle), unit)}; one clock or zone is wrong"
