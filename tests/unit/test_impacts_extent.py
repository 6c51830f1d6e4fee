"""From when to when a move was there."""

from __future__ import annotations

import numpy as np
import pytest

from faultset.impacts.extent import extent
from faultset.impacts.plants import Smallest

BEGIN, LENGTH = 300, 60


def course(shape: np.ndarray, *, size: float = 6.0, seed: int = 0) -> np.ndarray:
    value = np.random.default_rng(seed).normal(0, 1, 800)
    value[BEGIN : BEGIN + len(shape)] += size * shape
    return value


def seen(value: np.ndarray) -> tuple[float, int, int]:
    return extent(value, BEGIN + 3, LENGTH, (BEGIN - 5, BEGIN + 30), 2000)


@pytest.mark.parametrize("size", [6.0, -6.0])
def test_a_held_move_has_its_own_edges(size: float):
    told, start, end = seen(course(np.ones(LENGTH), size=size))
    assert told == pytest.approx(size, abs=0.7)
    assert abs(start - BEGIN) <= 1
    assert abs(end - BEGIN - LENGTH) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_move_that_ramps_in_starts_at_the_foot_of_its_ramp(seed: int):
    share = (np.arange(LENGTH) + 0.5) / LENGTH
    _, start, end = seen(course(np.minimum(1, 3 * share), seed=seed))
    assert abs(start - BEGIN) <= 5
    assert abs(end - BEGIN - LENGTH) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_move_that_fades_out_ends_where_it_has_faded(seed: int):
    share = (np.arange(LENGTH) + 0.5) / LENGTH
    _, start, end = seen(course(np.minimum(1, 2 * (1 - share)), seed=seed))
    assert abs(start - BEGIN) <= 1
    assert abs(end - BEGIN - LENGTH) <= 9


@pytest.mark.parametrize("seed", range(5))
def test_what_comes_back_slowly_is_no_level_around_the_move(seed: int):
    # Held for 36 cells, then back within 28: at cell 36 it is as far away as before.
    back = np.concatenate([np.ones(36), np.linspace(0.9, 0.6, 15), np.linspace(0.6, 0.0, 13)])
    value = course(back, seed=seed)
    told, start, end = extent(value, BEGIN, 36, (BEGIN - 5, BEGIN + 30), 2000)
    assert told == pytest.approx(6.0, abs=1.0)
    assert abs(start - BEGIN) <= 1
    assert 55 <= end - BEGIN <= 70


def test_nothing_has_no_size():
    assert seen(np.zeros(800))[0] == 0.0


def test_the_smallest_move_is_found_at_nine_places_in_ten():
    sizes = np.array([1.0, 2.0, 4.0, 8.0])
    easy, hard = [1.0, 5.0, 10.0, 20.0], [0.0, 1.0, 2.0, 3.0]
    assert Smallest(sizes, np.array([easy] * 10))(0.1) == pytest.approx(1.5, abs=0.1)
    assert Smallest(sizes, np.array([easy] * 9 + [hard]))(0.1) == pytest.approx(1.5, abs=0.1)
    assert Smallest(sizes, np.array([easy] * 8 + [hard] * 2))(0.01) is None


def test_a_larger_move_need_not_be_rarer_and_nothing_larger_than_what_is_told_may_hide():
    sizes = np.array([1.0, 2.0, 4.0, 8.0])
    by_itself = Smallest(sizes, np.array([[0.0, 6.0, 1.0, 9.0]] * 10))
    assert by_itself(0.02) == pytest.approx(5.8, abs=0.3)
    assert by_itself(0.0005) == pytest.approx(7.6, abs=0.4)
    assert Smallest(sizes, np.array([[0.0, 6.0, 9.0, 1.0]] * 10))(0.02) is None
