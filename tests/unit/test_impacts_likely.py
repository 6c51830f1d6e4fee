"""How much likelier a move is by when it begins, and by what the same fault did to other nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.impacts.detect import p_of_both
from faultset.impacts.likely import fellows_of, likelier
from faultset.impacts.weights import Weights, favour

NODES, INJECTIONS = 4, 20


def factors(p_value: np.ndarray, onset_s: np.ndarray) -> np.ndarray:
    """The factor of each test of one KPI; rows are injections, columns nodes."""
    flat, kpi = p_value.ravel(), np.zeros(p_value.size, dtype=np.intp)
    fellows = fellows_of([str(number) for number in np.repeat(np.arange(len(p_value)), p_value.shape[1])], kpi)
    found = likelier(Weights(flat, kpi).odds, favour(flat), onset_s.ravel(), fellows)
    return found.reshape(p_value.shape)


def chance(seed: int = 0, injections: int = INJECTIONS) -> tuple[np.ndarray, np.ndarray]:
    """P values and onsets of moves that no fault made."""
    random = np.random.default_rng(seed)
    return random.uniform(size=(injections, NODES)), random.uniform(0, 20, size=(injections, NODES))


def test_where_moves_begin_with_the_fault_one_that_begins_later_counts_for_less():
    p_value, onset_s = chance()
    p_value[::2], onset_s[::2] = 0.01, 1.0
    factor = factors(p_value, onset_s)[1::2]
    late = onset_s[1::2] > 2.0
    assert np.median(factor[late]) < 0.6 * np.median(factor[~late])


def test_where_moves_begin_at_any_time_when_they_do_says_little():
    p_value, onset_s = chance(injections=200)
    p_value[::2] = 0.01
    factor = factors(p_value, onset_s)[::2]
    early = onset_s[::2] < 8.0
    assert 0.6 < np.median(factor[early]) / np.median(factor[~early]) < 1.7


def test_what_moved_on_two_nodes_is_likelier_to_have_moved_on_the_third():
    p_value, onset_s = chance()
    p_value[::4, :2] = 0.003
    factor = factors(p_value, onset_s)
    others = np.setdiff1d(np.arange(INJECTIONS), np.arange(0, INJECTIONS, 4))
    assert np.median(factor[::4, 2:]) > 1.5 * np.median(factor[others])


@pytest.mark.parametrize("seed", range(5))
def test_chance_results_alone_weigh_about_one(seed):
    factor = factors(*chance(seed))
    assert 0.5 < np.median(factor) < 1.5
    assert factor.max() < 5


def test_no_test_vouches_for_itself():
    p_value, onset_s = chance()
    p_value[::2] = 0.01
    before = factors(p_value, onset_s)[0, 0]
    p_value[0, 0] = 1e-9
    assert factors(p_value, onset_s)[0, 0] == pytest.approx(before, rel=0.1)


def test_a_test_that_saw_nothing_is_only_compared_with_others_that_saw_nothing():
    p_value, onset_s = chance()
    onset_s[:, 0] = np.nan
    assert np.isfinite(factors(p_value, onset_s)).all()


def test_one_injection_and_kpi_on_all_nodes_are_fellows():
    assert fellows_of(["a", "a", "b", "a"], np.array([0, 0, 0, 1])).tolist() == [0, 0, 2, 1]


def test_nothing_at_all_has_no_factors():
    nothing = np.empty(0)
    assert not len(likelier(nothing, nothing, nothing, fellows_of([], np.empty(0, dtype=np.intp))))


@given(edges=st.floats(1e-6, 1.0), scan=st.floats(1e-6, 1.0), share=st.sampled_from([0.25, 0.5]))
def test_two_answers_are_no_clearer_than_the_clearer_one_and_no_vaguer_than_if_the_risk_were_shared(edges, scan, share):
    both = p_of_both(edges, scan, share)
    assert min(edges, scan) * (1 - 1e-9) <= both <= min(edges / (1 - share), scan / share, 1.0) * (1 + 1e-9)


def test_two_answers_that_agree_are_one():
    assert p_of_both(0.04, 0.04, 0.5) == pytest.approx(0.04)
