"""How far labels and outcomes depend on the tolerance in time."""

from __future__ import annotations

import numpy as np

import truth_rows
from faultset.labels.tolerance import TOLERANCES_S, Recorded, tolerance
from faultset.moments import from_epoch
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow

BEGIN = 1_574_000_000
ROWS = {node: (BEGIN + np.arange(1000, dtype=np.int64)) * 1_000_000 for node in ("cmp1", "ctl1")}


def at(second: float):
    return from_epoch(BEGIN + second)


def injection(identity: str, start: float, end: float) -> InjectionRow:
    return truth_rows.injection(identity, at(start), at(end))


def target(identity: str, node: str = "cmp1", *, effective: bool = True) -> TargetRow:
    return truth_rows.target(identity, node, effective=effective)


def iteration(number: int, start: float, end: float) -> IterationRow:
    return IterationRow("w", number, at(start), at(end), end - start, 0.0, False, None, None, [], False)


def recorded(iterations: list[IterationRow] | None = None) -> Recorded:
    return Recorded(iterations or [], ROWS, 0.0)


def test_each_tolerance_is_a_row_and_none_changes_nothing():
    found = tolerance([injection("a", 100, 130)], [target("a")], [], recorded())
    assert tuple(one.tolerance_s for one in found) == TOLERANCES_S
    assert (found[0].anomalous_rows, found[0].row_changes, found[0].outcome_changes) == (30, 0, 0)


def test_a_wider_window_makes_more_rows_of_the_target_anomalous_and_gives_others_its_id():
    [found] = tolerance([injection("a", 100, 130)], [target("a")], [], recorded(), [5.0])
    assert found.anomalous_rows == 40
    assert found.row_changes == 20  # ten on the target, ten on the other node, which carry the id too


def test_rows_of_an_injection_that_did_not_act_are_not_anomalous_at_any_tolerance():
    found = tolerance([injection("a", 100, 130)], [target("a", effective=False)], [], recorded())
    assert {one.anomalous_rows for one in found} == {0}


def test_iterations_that_come_to_touch_a_window_are_counted():
    iterations = [iteration(1, 0, 50), iteration(2, 50, 98), iteration(3, 98, 140), iteration(4, 140, 200)]
    found = tolerance([injection("a", 100, 130)], [target("a")], [], recorded(iterations))
    assert [one.iteration_changes for one in found] == [0, 0, 1, 2, 3]


def test_injections_that_come_to_overlap_have_another_outcome():
    injections = [injection("a", 100, 130), injection("b", 150, 160)]
    found = tolerance(injections, [target("a"), target("b")], [], recorded())
    assert [one.outcome_changes for one in found] == [0, 0, 0, 2, 2]
    assert [one.contaminated_injections for one in found] == [0, 0, 0, 2, 2]


def test_recovery_stays_where_the_impact_was_found():
    impact = ImpactRow("a", "cmp1", "mem.used", at(100), at(300), "up", "detected", "test", 5.0, 0.01)
    found = tolerance([injection("a", 100, 130)], [target("a")], [impact], recorded(), [0.0, 30.0])
    assert [one.anomalous_rows for one in found] == [200, 230]
