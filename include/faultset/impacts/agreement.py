"""How far the impacts that were detected and those that a person reviewed agree. Neither of them is the truth."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from faultset.tables import ImpactRow

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Detected impacts held against reviewed ones: a pair has the injection, node and KPI in common, and some time.

    Attributes:
        reviewed: reviewed impacts.
        detected: detected impacts on the KPIs that the review names somewhere; it says nothing of others.
        both: pairs; each impact is in one at most.
        precision: share of the detected that were reviewed too, 0 to 1; None where none was detected.
        recall: share of the reviewed that were detected too; None where none was reviewed.
        overlap_share: median over the pairs of the time that both cover, as a share of the time that either covers.
        start_difference_s: median over the pairs of detected minus reviewed start; None without pairs.
        end_difference_s: the same of the ends.
        only_reviewed: the reviewed that were not detected, ``KPI of NODE, INJECTION``.
        only_detected: the detected that were not reviewed.
        detected_on_other_kpis: detected impacts on KPIs that the review does not name.
    """

    reviewed: int
    detected: int
    both: int
    precision: float | None
    recall: float | None
    overlap_share: float | None
    start_difference_s: float | None
    end_difference_s: float | None
    only_reviewed: tuple[str, ...]
    only_detected: tuple[str, ...]
    detected_on_other_kpis: int


def agreement(impacts: Iterable[ImpactRow]) -> Agreement | None:
    """Return how far both kinds of impact agree; None where nobody reviewed any."""
    impacts = tuple(impacts)
    reviewed = [row for row in impacts if row.source == "reviewed"]
    if not reviewed:
        return None
    named = {row.kpi for row in reviewed}
    every = [row for row in impacts if row.source == "detected"]
    detected = [row for row in every if row.kpi in named]
    pairs = _pairs(detected, reviewed)
    found, confirmed = {id(row) for row, _ in pairs}, {id(row) for _, row in pairs}
    return Agreement(
        reviewed=len(reviewed),
        detected=len(detected),
        both=len(pairs),
        precision=len(pairs) / len(detected) if detected else None,
        recall=len(pairs) / len(reviewed),
        overlap_share=_median(pairs, overlap_share),
        start_difference_s=_median(pairs, lambda one, other: (one.started_at - other.started_at).total_seconds()),
        end_difference_s=_median(pairs, lambda one, other: (one.ended_at - other.ended_at).total_seconds()),
        only_reviewed=_named(row for row in reviewed if id(row) not in confirmed),
        only_detected=_named(row for row in detected if id(row) not in found),
        detected_on_other_kpis=len(every) - len(detected),
    )


def overlap_share(one: ImpactRow, other: ImpactRow) -> float:
    """Return the time that both cover as a share of the time that either covers (intersection over union), 0 to 1."""
    both = (min(one.ended_at, other.ended_at) - max(one.started_at, other.started_at)).total_seconds()
    either = (max(one.ended_at, other.ended_at) - min(one.started_at, other.started_at)).total_seconds()
    return max(0.0, both) / either if either > 0 else 1.0


def _pairs(detected: Sequence[ImpactRow], reviewed: Sequence[ImpactRow]) -> list[tuple[ImpactRow, ImpactRow]]:
    """Return the pairs, those that overlap most first."""
    here: dict[_Key, list[ImpactRow]] = defaultdict(list)
    for row in reviewed:
        here[_key(row)].append(row)
    possible = [
        (share, one, other) for one in detected for other in here[_key(one)] if (share := overlap_share(one, other))
    ]
    possible.sort(key=lambda each: (-each[0], each[1].started_at, each[2].started_at))
    taken: set[int] = set()
    pairs = []
    for _, one, other in possible:
        if taken.isdisjoint((id(one), id(other))):
            taken |= {id(one), id(other)}
            pairs.append((one, other))
    return pairs


def _key(row: ImpactRow) -> _Key:
    return row.injection_id or "", row.node.lower(), row.kpi


def _median(
    pairs: Sequence[tuple[ImpactRow, ImpactRow]], measure: Callable[[ImpactRow, ImpactRow], float]
) -> float | None:
    return statistics.median(measure(one, other) for one, other in pairs) if pairs else None


def _named(rows: Iterable[ImpactRow]) -> tuple[str, ...]:
    return tuple(f"{row.kpi} of {row.node}, {row.injection_id}" for row in rows)
