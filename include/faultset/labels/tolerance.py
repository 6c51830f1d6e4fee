"""How far labels and outcomes depend on the tolerance in time: the same decisions with every window made wider."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultset.labels.windows import NodeWindows, Policy, Segments, segments, windows
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow
from faultset.truth.iterations import InjectionIndex
from faultset.truth.outcome import outcomes

TOLERANCES_S = (0.0, 1.0, 5.0, 30.0, 60.0)

Microseconds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of the run.

    Attributes:
        iterations: of all workloads.
        rows_us: node -> (n,) ascending times of its rows of metrics, microseconds since the epoch.
        row_uncertainty_s: a row's true moment lies in [its time, its time + this).
    """

    iterations: Sequence[IterationRow]
    rows_us: Mapping[str, Microseconds]
    row_uncertainty_s: float


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What the labels would be if every window were wider by ``tolerance_s`` at both ends; changes are against 0 s.

    Attributes:
        tolerance_s: seconds.
        anomalous_rows: rows of metrics that would be anomalous.
        row_changes: rows of metrics that would be labeled otherwise: of other injections, on the node or at all.
        iteration_changes: iterations that would belong to other injections.
        contaminated_injections: injections whose outcome would be ``contaminated``.
        outcome_changes: injections that would have another outcome.
    """

    tolerance_s: float
    anomalous_rows: int
    row_changes: int
    iteration_changes: int
    contaminated_injections: int
    outcome_changes: int


def tolerance(
    injections: Sequence[InjectionRow],
    targets: Sequence[TargetRow],
    impacts: Sequence[ImpactRow],
    recorded: Recorded,
    tolerances_s: Sequence[float] = TOLERANCES_S,
) -> tuple[Tolerance, ...]:
    """Return a row a tolerance; impacts stay as they were found.

    Args:
        injections: all of the experiment.
        targets: theirs.
        impacts: theirs.
        recorded: what labels are laid on.
        tolerances_s: what is tried.
    """
    as_is = _Decided.of(injections, targets, impacts, recorded, 0.0)
    tried = [_Decided.of(injections, targets, impacts, recorded, seconds) for seconds in tolerances_s]
    return tuple(one.against(as_is, recorded, seconds) for seconds, one in zip(tolerances_s, tried, strict=True))


@dataclass(frozen=True, slots=True)
class _Decided:
    """All decisions at one tolerance."""

    segments: Mapping[str, Segments]
    of_iterations: tuple[tuple[str, ...], ...]
    outcomes: Mapping[str, str]

    @classmethod
    def of(
        cls,
        injections: Sequence[InjectionRow],
        targets: Sequence[TargetRow],
        impacts: Sequence[ImpactRow],
        recorded: Recorded,
        seconds: float,
    ) -> _Decided:
        wider = [_widened(one, seconds) for one in injections]
        index = InjectionIndex(wider)
        spans = [(row.started_at, row.ended_at) for row in recorded.iterations]
        return cls(
            segments=_segments(windows(wider, targets, impacts, Policy(), recorded.rows_us), recorded),
            of_iterations=tuple(
                tuple(index.overlapping(a, b).ids) for a, b in spans if a is not None and b is not None
            ),
            outcomes={
                identity: what for identity, (what, _) in outcomes(wider, targets, impacts, recorded.iterations).items()
            },
        )

    def against(self, other: _Decided, recorded: Recorded, seconds: float) -> Tolerance:
        """Return what is different from ``other``."""
        rows = recorded.rows_us
        return Tolerance(
            tolerance_s=seconds,
            anomalous_rows=sum(int(_per_row(self.segments[node], us).sum()) for node, us in rows.items()),
            row_changes=sum(_changed(self.segments[node], other.segments[node], us) for node, us in rows.items()),
            iteration_changes=sum(a != b for a, b in zip(self.of_iterations, other.of_iterations, strict=True)),
            contaminated_injections=sum(what == "contaminated" for what in self.outcomes.values()),
            outcome_changes=sum(self.outcomes[identity] != what for identity, what in other.outcomes.items()),
        )


def _widened(row: InjectionRow, seconds: float) -> InjectionRow:
    more = dt.timedelta(seconds=seconds)
    return dataclasses.replace(
        row,
        started_at=row.started_at - more,
        ended_at=row.ended_at + more,
        fault_ended_at=row.fault_ended_at + more if row.fault_ended_at else None,
        fault_open_until=row.fault_open_until + more if row.fault_open_until else None,
    )


def _segments(node_windows: NodeWindows, recorded: Recorded) -> dict[str, Segments]:
    return {node: segments(node_windows, node, recorded.row_uncertainty_s) for node in recorded.rows_us}


def _per_row(found: Segments, us: Microseconds) -> npt.NDArray[np.int64]:
    """Return (segments,) rows in each segment that is anomalous, 0 in the others."""
    edges = np.searchsorted(us, found.starts)
    return np.where(found.is_anomalous, np.diff(edges, append=len(us)), 0)


def _changed(one: Segments, other: Segments, us: Microseconds) -> int:
    """Return how many rows the two label otherwise."""
    starts = np.union1d(one.starts, other.starts)
    rows = np.diff(np.searchsorted(us, starts), append=len(us))
    labels = zip(_labels(one, starts), _labels(other, starts), strict=True)
    return int(rows[[a != b for a, b in labels]].sum())


def _labels(found: Segments, starts: Microseconds) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(found.node_injection_ids[place], found.injection_ids[place]) for place in found.of(starts)]
