"""How much a test weighs, by how often its KPI moves."""

from __future__ import annotations

import numpy as np
import pytest

from faultset.impacts.weights import Weights


def p_values(kpis: int, tests: int, *, moving: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chance results of many KPIs, of which the first ``moving`` moved with every second injection."""
    p_value = np.random.default_rng(seed).uniform(size=(kpis, tests))
    p_value[:moving, ::2] = np.geomspace(1e-5, 1e-2, p_value[:moving, ::2].shape[1])
    return p_value.ravel(), np.repeat(np.arange(kpis), tests)


def weights(p_value: np.ndarray, group: np.ndarray) -> np.ndarray:
    return Weights(p_value, group).of_all()


def test_a_kpi_that_moves_often_weighs_more_than_all_that_never_do():
    weight = weights(*p_values(40, 30, moving=2)).reshape(40, 30)
    assert weight[:2].min() > 10
    assert weight[2:].sum() < 0.5 * weight[:2].sum()
    assert weight.min() > 0


def test_forty_kpis_cost_the_moving_ones_little_more_than_six():
    few, many = (weights(*p_values(count, 30, moving=2)).reshape(count, 30)[:2].mean() for count in (6, 40))
    assert many / 40 > 0.7 * few / 6


@pytest.mark.parametrize(("kpis", "moving", "least"), [(2, 1, 0.2), (10, 5, 0.04), (40, 20, 0.04)])
def test_what_never_moved_keeps_a_share_of_the_weight(kpis: int, moving: int, least: float):
    weight = weights(*p_values(kpis, 30, moving=moving)).reshape(kpis, 30)
    assert least < weight[moving:].mean() / weight.mean() < 1


def test_no_test_vouches_for_itself():
    p_value, group = p_values(6, 30, moving=2)
    before = weights(p_value, group)[-1]
    p_value[-1] = 1e-6
    assert weights(p_value, group)[-1] < 1.2 * before


def test_kpis_that_move_often_weigh_the_same_however_often():
    p_value, group = p_values(2, 30, moving=2)
    p_value[30::6] = 1e-4
    weight = weights(p_value, group)
    assert weight.max() < 1.3 * weight.min()


def test_chance_results_alone_are_weighed_alike_on_average():
    for seed in range(5):
        weight = weights(*p_values(20, 30, moving=0, seed=seed))
        assert 0.6 < weight.mean() < 1.6


def test_what_tests_would_weigh_is_what_they_weigh_once_it_is_so():
    p_value, group = p_values(20, 30, moving=2)
    members = np.flatnonzero(group == 7)
    own = np.random.default_rng(1).uniform(size=(5, len(members))) ** 3
    for some, would in zip(own, Weights(p_value, group).of_all_had(members, own), strict=True):
        then = p_value.copy()
        then[members] = some
        assert would == pytest.approx(weights(then, group))
