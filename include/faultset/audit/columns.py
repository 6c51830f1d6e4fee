"""What is wrong with a case's columns and times whatever its effect is: leaks, duplicates, data that says nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from faultset.audit.records import Finding, Flags, Floats, ForeignCase, Kind

_LABEL_NAME = re.compile(
    r"(?:^|[_.\-\s])(?:labels?|anomal(?:y|ies|ous)|is_?anomal\w*|ground_?truth|inject(?:ed|ion|ions)?|chaos\w*|attack\w*"
    r"|fault_?(?:id|type|active|injected|flag)|root_?cause\w*)(?:[_.\-\s]|$)",
    re.IGNORECASE,
)
_SAME = 0.9999  # correlation, of the values and of their steps
_LEAST_ROWS = 20  # on a side of a label
_FROZEN_ROWS, _FROZEN_SHARE = 60, 0.1
_GAP_STEPS, _GAP_SHARE = 10, 0.05
_SHOWN = 8


# --- leaks ------------------------------------------------------------------------------------------------------------


def leaks(case: ForeignCase) -> Iterator[Finding]:
    """Yield columns that give the label away: by their name, or because they change where labels begin and nowhere."""
    named = [name for name in case.columns if _LABEL_NAME.search(name)]
    if named:
        yield _finding(case, "label_leak", named, "the name says that it is about the label")
    labeled = case.labeled
    firsts = [int(np.searchsorted(case.time, onset)) for onset in case.onsets]
    for place, name in enumerate(case.columns):
        problem = _leak(case.values[:, place], labeled, firsts)
        if problem:
            yield _finding(case, "label_leak", [name], problem)


def _leak(value: Floats, labeled: Flags, firsts: Sequence[int]) -> str:
    known = np.isfinite(value)
    normal = known & ~labeled
    inside = [first for first in firsts if 0 < first < len(value)]
    if (~labeled).sum() < _LEAST_ROWS or not inside or not (known & labeled).any():
        return ""
    if not normal.any():
        starts = all(known[first : first + 2].any() for first in inside)
        return "it is there under a label only" if starts else ""
    usual = value[normal]
    if usual.min() < usual.max():
        return ""
    changes = [known[first : first + 2] & (value[first : first + 2] != usual[0]) for first in inside]
    return "it is constant until a label begins and changes in that row" if all(one.any() for one in changes) else ""


# --- duplicates -------------------------------------------------------------------------------------------------------


def duplicates(case: ForeignCase) -> Iterator[Finding]:
    """Yield groups of columns that say the same, as they are or scaled."""
    level = _standard(case.values)
    step = _standard(np.diff(case.values, axis=0))
    varied = [place for place in range(len(case.columns)) if level[:, place].any() and step[:, place].any()]
    if len(varied) < 2:
        return
    alike = np.abs(level[:, varied].T @ level[:, varied]) >= _SAME
    alike &= np.abs(step[:, varied].T @ step[:, varied]) >= _SAME
    missing = ~np.isfinite(case.values[:, varied])
    taken: set[int] = set()
    for one in range(len(varied)):
        if one in taken:
            continue
        group = [
            other
            for other in np.flatnonzero(alike[one]).tolist()
            if other not in taken and (missing[:, one] == missing[:, other]).all()
        ]
        if len(group) > 1:
            taken.update(group)
            names = [case.columns[varied[other]] for other in group]
            first = case.values[:, varied[group[0]]]
            same = all(np.array_equal(first, case.values[:, varied[other]], equal_nan=True) for other in group[1:])
            yield _finding(
                case, "duplicate_columns", names, "they are the same" if same else "one follows from another"
            )


def _standard(values: Floats) -> Floats:
    """Return columns of mean 0 and length 1; 0 where a value is missing or a column is constant."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    count = np.maximum(known.sum(axis=0), 1)
    apart = np.where(known, values - filled.sum(axis=0) / count, 0.0)
    length = np.sqrt((apart**2).sum(axis=0))
    usable = length > 1e-9 * np.maximum(np.abs(filled).max(axis=0, initial=0.0), 1e-300)
    found: Floats = np.divide(apart, length, out=np.zeros_like(apart), where=usable)
    return found


# --- degenerate data --------------------------------------------------------------------------------------------------


def degenerate(case: ForeignCase, leaking: Collection[str] = ()) -> Iterator[Finding]:
    """Yield what makes rows, columns or labels say nothing; a column that gives the label away says more than that."""
    yield from _degenerate_times(case)
    yield from _degenerate_labels(case)
    yield from _degenerate_columns(case, leaking)


def _degenerate_times(case: ForeignCase) -> Iterator[Finding]:
    step = np.diff(case.time)
    if not len(step):
        yield _finding(case, "degenerate", [], "it has no rows to speak of")
        return
    if (step < 0).any():
        yield _finding(case, "degenerate", [], f"times go back {int((step < 0).sum())} times")
    if (step == 0).any():
        yield _finding(case, "degenerate", [], f"{int((step == 0).sum())} rows repeat the time before them")
    usual = float(np.median(step[step > 0])) if (step > 0).any() else 0.0
    holes = step[(step > _GAP_STEPS * usual) & (step > _GAP_SHARE * (case.time[-1] - case.time[0]))]
    if usual and len(holes):
        yield _finding(
            case, "degenerate", [], f"{len(holes)} holes in time, the largest of {holes.max():g} {case.unit}"
        )


def _degenerate_labels(case: ForeignCase) -> Iterator[Finding]:
    if not len(case.onsets):
        yield _finding(case, "degenerate", [], "it has no label")
        return
    outside = (case.onsets < case.time[0]) | (case.onsets > case.time[-1]) if len(case.time) else case.onsets > 0
    if outside.any():
        yield _finding(case, "degenerate", [], "a label lies outside of its data")
        return
    labeled = case.labeled
    before, after = int((case.time < case.onsets[0]).sum()), int(labeled.sum())
    if before < _LEAST_ROWS:
        yield _finding(case, "degenerate", [], f"there are {before} rows before the first label")
    if case.unit == "s" and after < _LEAST_ROWS:
        yield _finding(case, "degenerate", [], f"there are {after} rows after the label")
    if labeled.mean() > 0.5 and np.isfinite(case.ends).all():
        yield _finding(case, "degenerate", [], f"{labeled.mean():.0%} of its rows are labeled")


def _degenerate_columns(case: ForeignCase, leaking: Collection[str]) -> Iterator[Finding]:
    known = np.isfinite(case.values)
    names = np.array(case.columns, dtype=object)
    empty = ~known.any(axis=0)
    low = np.where(known, case.values, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, case.values, -np.inf).max(axis=0, initial=-np.inf)
    constant = ~empty & (low == high)
    sparse = ~empty & (known.mean(axis=0) < 0.5)
    frozen = np.array([not constant[at] and _is_frozen(case.values[:, at]) for at in range(len(names))], dtype=bool)
    for which, problem in (
        (empty, "there is no value in it"),
        (constant, "it never changes"),
        (sparse, "more than half of it is missing"),
        (frozen, "it stands still for a long time, as a dead exporter's last value does"),
    ):
        concerned = [name for name in names[which].tolist() if name not in leaking]
        if concerned:
            yield _finding(case, "degenerate", concerned, problem)
    if np.isinf(case.values).any():
        yield _finding(case, "degenerate", names[np.isinf(case.values).any(axis=0)].tolist(), "it is infinite")


def _is_frozen(value: Floats) -> bool:
    """Whether a column that changes nearly always stands still for long."""
    known = value[np.isfinite(value)]
    if len(known) < 2 * _FROZEN_ROWS:
        return False
    moves = np.append(np.flatnonzero(np.diff(known) != 0), len(known) - 1)
    runs = np.diff(np.append(-1, moves))
    longest = int(runs.max())
    others = len(known) - longest
    return longest >= max(_FROZEN_ROWS, _FROZEN_SHARE * len(known)) and len(moves) > 0.8 * others


def _finding(case: ForeignCase, kind: Kind, columns: Sequence[str], message: str) -> Finding:
    more = f" ({len(columns)} columns)" if len(columns) > _SHOWN else ""
    return Finding(case.name, kind, tuple(columns), message + more)
