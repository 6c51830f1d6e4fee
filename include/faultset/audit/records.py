"""What an audit of somebody else's labeled set reads and says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Kind = Literal["no_effect", "time_shift", "label_leak", "duplicate_columns", "degenerate"]


@dataclass(frozen=True, slots=True)
class ForeignCase:
    """A labeled piece of somebody else's set.

    Attributes:
        name: of the case, as its set names it.
        time: (n,) seconds since the epoch, or row numbers where the set has no times.
        values: (n, k); NaN where a value is missing.
        columns: names of the k columns.
        onsets: (m,) when each label begins, in the unit of ``time``.
        ends: (m,) when each label ends; NaN where the set does not say.
        unit: of ``time``.
        root_cause: the service that the set says is to blame; None where it names none.
    """

    name: str
    time: Floats
    values: Floats
    columns: tuple[str, ...]
    onsets: Floats
    ends: Floats
    unit: Literal["s", "rows"]
    root_cause: str | None = None

    @property
    def labeled(self) -> Flags:
        """(n,) whether a label covers the row; from its onset on where no end is said."""
        found = np.zeros(len(self.time), dtype=bool)
        for onset, end in zip(self.onsets, self.ends, strict=True):
            found |= (self.time >= onset) & ~(self.time >= end)
        return found


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a user of the set should know.

    Attributes:
        case: which.
        kind: what it is.
        columns: which columns; empty where it is the whole case.
        message: in words.
        offset: of a time shift: how much later than its label the effect begins, in the case's unit.
    """

    case: str
    kind: Kind
    columns: tuple[str, ...]
    message: str
    offset: float | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be seen of a label.

    Attributes:
        labels: how many there are.
        visible: at how many of them something begins to move.
        strength_sd: size of the clearest move there, in robust standard deviations of its column's rows; None: none.
        column: where that is.
        offset: median over the visible ones of when the move begins after its label, in the case's unit; None: none.
        detectable_sd: the smallest lasting move that would have been seen in half of the columns with 90 % power, in
            robust standard deviations of the column's rows; None where nothing is known.
    """

    labels: int
    visible: int
    strength_sd: float | None
    column: str | None
    offset: float | None
    detectable_sd: float | None


@dataclass(frozen=True, slots=True)
class CaseReport:
    """What was seen of one case; ``effect`` is None where it cannot be asked."""

    case: str
    rows: int
    columns: int
    unit: str
    effect: Effect | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was seen of a set.

    Attributes:
        layout: how it was read.
        folder: where it lies.
        cases: each of them.
        floors: floor -> measure -> value: the scores that need no method.
        floors_of: what is scored, in words.
        summary: kind of finding -> in how many cases.
        shift: what most shifted cases agree on, in words; None where there is no such thing.
    """

    layout: str
    folder: str
    cases: tuple[CaseReport, ...]
    floors: Mapping[str, Mapping[str, Any]]
    floors_of: str
    summary: Mapping[str, int]
    shift: str | None
