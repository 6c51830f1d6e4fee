"""When injections are felt, which overlap, and where a recording may be cut."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import truth_rows
from faultset.dataset.spans import ALWAYS, window_of
from faultset.dataset.timeline import Extent, Group, extents, folds, groups, segments
from faultset.errors import InputError
from faultset.moments import Window

BEGIN = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
NO_GAP = dt.timedelta(0)


def at(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def extent(name: str, start: float, end: float) -> Extent:
    return Extent(name, Window(at(start), at(end)), "")


spans = st.tuples(st.integers(0, 10_000), st.integers(1, 2_000))
recordings = st.lists(spans, min_size=2, max_size=20).map(
    lambda found: [extent(str(number), start, start + length) for number, (start, length) in enumerate(found)]
)


@pytest.mark.parametrize(
    ("changed", "end", "why"),
    [
        ({"end_uncertainty_s": 2.0}, 12, "the command's end"),
        ({"fault_ended_at": at(60), "fault_end_uncertainty_s": 1.0}, 61, "the fault's end"),
    ],
)
def test_an_injection_is_felt_as_long_as_anything_says(changed: dict[str, Any], end: float, why: str):
    row = truth_rows.injection("a", at(0), at(10), **changed)
    found = extents([row], [], {})[0]
    assert found.window == Window(at(0), at(end))
    assert why in found.why
    assert extents([row], [], {"a": Window(at(-1), at(900))})[0].window == Window(at(-1), at(900))


def test_during_an_injection_reaches_to_its_faults_end_and_margins_may_differ():
    row = truth_rows.injection("a", at(0), at(10), fault_ended_at=at(60), fault_end_uncertainty_s=1.0)
    assert window_of(row, ("5s", "1min")) == Window(at(-5), at(121))


def test_injections_that_overlap_through_others_are_one_group():
    found = groups([extent("a", 0, 10), extent("c", 18, 30), extent("b", 9, 20), extent("d", 40, 50)])
    assert [group.injection_ids for group in found] == [("a", "b", "c"), ("d",)]
    assert found[0].window == Window(at(0), at(30))


def test_one_that_lies_in_another_does_not_shorten_it():
    assert groups([extent("a", 0, 100), extent("b", 10, 20)])[0].window == Window(at(0), at(100))


def test_time_is_cut_in_the_middle_of_the_quiet():
    of = [Group(("a",), Window(at(0), at(10))), Group(("b",), Window(at(30), at(40)))]
    assert segments(of) == [Window(ALWAYS.start, at(20)), Window(at(20), ALWAYS.end)]


def test_a_gap_is_left_out_of_training_as_far_as_it_is_quiet():
    of = groups([extent("a", 0, 10), extent("b", 30, 40), extent("c", 100, 110)])
    fold = next(fold for fold in folds(of, 3, 0, dt.timedelta(seconds=60)) if fold.test[0].start == at(20))
    assert fold.test == (Window(at(20), at(70)),)
    assert fold.train == (Window(ALWAYS.start, at(10)), Window(at(100), ALWAYS.end))


@given(recordings, st.integers(0, 5), st.integers(0, 100))
def test_no_fold_goes_through_an_injection_and_each_is_tested_once(found: list[Extent], seed: int, gap: int):
    of = groups(found)
    if len(of) < 2:
        return
    tested = []
    for fold in folds(of, min(5, len(of)), seed, dt.timedelta(seconds=gap)):
        sides = [(fold.train, "train"), (fold.test, "test")]
        for one in found:
            holding = [name for side, name in sides for span in side if _holds(span, one.window)]
            touching = [name for side, name in sides for span in side if span.overlaps(one.window)]
            assert len(holding) == 1
            assert set(touching) == set(holding)
            tested += [one.injection_id] if holding == ["test"] else []
        together = sorted([*fold.train, *fold.test], key=lambda span: span.start)
        assert all(one.end <= other.start for one, other in pairwise(together))
    assert sorted(tested) == sorted(one.injection_id for one in found)


def _holds(span: Window, window: Window) -> bool:
    return span.start <= window.start and window.end <= span.end


def test_without_a_gap_nothing_is_lost():
    of = groups([extent("a", 0, 10), extent("b", 30, 40), extent("c", 100, 110)])
    for fold in folds(of, 2, 1, NO_GAP):
        together = sorted([*fold.train, *fold.test], key=lambda span: span.start)
        assert [together[0].start, together[-1].end] == [ALWAYS.start, ALWAYS.end]
        assert all(one.end == other.start for one, other in pairwise(together))


@pytest.mark.parametrize("number", [0, 1, 3])
def test_too_few_groups_are_said(number: int):
    with pytest.raises(InputError, match="there are 2 groups of injections that do not overlap; ask for 2 to 2"):
        folds([Group(("a",), Window(at(0), at(1))), Group(("b",), Window(at(2), at(3)))], number, 0, NO_GAP)
