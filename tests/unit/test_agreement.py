"""How far detected and reviewed impacts agree."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from faultset.impacts.agreement import agreement, overlap_share
from faultset.moments import from_epoch
from faultset.tables import ImpactRow


def impact(
    source: str = "detected", start: float = 0, end: float = 100, node: str = "cmp1", kpi: str = "mem.used"
) -> ImpactRow:
    moments = from_epoch(1_574_000_000 + start), from_epoch(1_574_000_000 + end)
    return ImpactRow("i1", node, kpi, *moments, "up", source, "test", None, None)


def test_without_a_review_there_is_nothing_to_agree_with():
    assert agreement([impact()]) is None


def test_a_pair_shares_injection_node_kpi_and_some_time():
    found = agreement([impact(start=5, end=90), impact("reviewed")])
    assert found is not None
    assert (found.both, found.precision, found.recall) == (1, 1.0, 1.0)
    assert (found.overlap_share, found.start_difference_s, found.end_difference_s) == (0.85, 5.0, -10.0)
    assert found.only_reviewed == found.only_detected == ()


def test_what_only_one_side_has_is_named():
    found = agreement([impact(), impact("reviewed", node="cmp2"), impact("reviewed", start=200, end=300)])
    assert found is not None
    assert (found.both, found.precision, found.recall, found.overlap_share) == (0, 0.0, 0.0, None)
    assert found.only_detected == ("mem.used of cmp1, i1",)
    assert found.only_reviewed == ("mem.used of cmp2, i1", "mem.used of cmp1, i1")


def test_kpis_that_nobody_reviewed_are_not_held_against_the_detector():
    found = agreement([impact(), impact(kpi="load.min1"), impact("reviewed")])
    assert found is not None
    assert (found.detected, found.precision, found.detected_on_other_kpis) == (1, 1.0, 1)


def test_another_injection_is_no_pair():
    other = dataclasses.replace(impact("reviewed"), injection_id="i2")
    found = agreement([impact(), other])
    assert found is not None
    assert found.both == 0


def test_nothing_detected_has_no_precision():
    found = agreement([impact("reviewed")])
    assert found is not None
    assert (found.precision, found.recall) == (None, 0.0)


def test_the_impacts_that_overlap_most_are_the_pair():
    found = agreement([impact(start=0, end=40), impact(start=40, end=100), impact("reviewed", start=30, end=100)])
    assert found is not None
    assert (found.both, found.start_difference_s) == (1, 10.0)


spans = st.tuples(st.integers(0, 1000), st.integers(1, 1000))


@given(st.lists(spans, max_size=6), st.lists(spans, min_size=1, max_size=6))
def test_each_impact_is_in_one_pair_at_most(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]):
    rows = [impact(start=start, end=start + length) for start, length in ours]
    rows += [impact("reviewed", start=start, end=start + length) for start, length in theirs]
    found = agreement(rows)
    assert found is not None
    assert found.both + len(found.only_detected) == found.detected
    assert found.both + len(found.only_reviewed) == found.reviewed


@given(spans, spans)
def test_overlap_is_symmetric_and_a_share(one: tuple[int, int], other: tuple[int, int]):
    a, b = (impact(start=start, end=start + length) for start, length in (one, other))
    assert overlap_share(a, b) == overlap_share(b, a)
    assert 0 <= overlap_share(a, b) <= 1
    assert overlap_share(a, a) == 1
