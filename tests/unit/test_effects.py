"""What the benchmark of impacts plants, and the known ways that it compares with."""

from __future__ import annotations

import numpy as np
import pytest

from effects import KPIS, NODES, SHAPES, Effect, EffectTrial, Noise, free, simulated_noise
from faultset.impacts.windows import Series
from faultset.simulator.plan import SECOND
from peers import discovered, in_hindsight, mann_whitney, pelt, scan

WINDOW = (2000 * SECOND, 2005 * SECOND)


@pytest.fixture(scope="module")
def noise() -> Noise:
    return simulated_noise(hours=4)


def still(seconds: int = 4000) -> EffectTrial:
    """A node of two KPIs that moves by chance only, a row a second, and one injection."""
    random = np.random.default_rng(0)
    time = np.arange(seconds, dtype=np.int64) * SECOND
    trial = EffectTrial({("node1", kpi): Series(time, random.normal(50, 1, seconds)) for kpi in KPIS})
    trial.inject(*WINDOW, NODES[:1])
    return trial


def planted(shape: str, end_s: int | None = 2040) -> EffectTrial:
    trial = still()
    wanted = {("i000", "node1", "cpu.user"): Effect(shape, 8.0, 2010 * SECOND, end_s and end_s * SECOND, is_up=True)}
    trial.plant(wanted, np.random.default_rng(0))
    return trial


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_an_effect_moves_the_rows_of_its_own_time_only(shape: str) -> None:
    before, after = still().series["node1", "cpu.user"], planted(shape).series["node1", "cpu.user"]
    moved = np.flatnonzero(np.abs(after.value - before.value) > 0.1)
    assert moved.min() in range(2010, 2016)
    assert moved.max() in range(2034, 2040)


def test_an_effect_that_stays_moves_all_rows_to_the_end() -> None:
    before, after = still().series["node1", "cpu.user"], planted("stays", None).series["node1", "cpu.user"]
    assert np.median((after.value - before.value)[2010:]) == pytest.approx(8, rel=0.2)


def test_the_other_kpi_of_the_node_is_not_touched() -> None:
    assert np.array_equal(planted("held").series["node1", "mem.used"].value, still().series["node1", "mem.used"].value)


def test_a_per_cent_moves_the_way_that_it_can() -> None:
    trial = still()
    key = ("i000", "node1", "cpu.user")
    trial.plant({key: Effect("held", 60.0, 2010 * SECOND, 2040 * SECOND, is_up=True)}, np.random.default_rng(0))
    assert not trial.effects[key].is_up


def test_half_of_the_pairs_of_the_node_that_was_hit_move_and_no_others(noise: Noise) -> None:
    trial = free(noise, 5.0, 12, np.random.default_rng(0))
    assert {node for _, node, _ in trial.effects} == {NODES[0]}
    assert 4 <= len(trial.effects) <= 20
    assert len(trial.pairs) == 12 * len(NODES) * len(KPIS)


def test_a_larger_cluster_holds_the_smaller_one_as_it_is(noise: Noise) -> None:
    random = np.random.default_rng(0)
    few = noise.cut(NODES, 3000, random)
    many = noise.repeated(few, 7, 4, random)
    assert len(many) == 7 * 4
    assert all(many[place] is series for place, series in few.items())


def test_every_peer_sees_a_held_move_and_none_sees_what_did_not_move() -> None:
    trial = planted("held")
    moved, untouched = ("i000", "node1", "cpu.user"), ("i000", "node1", "mem.used")
    assert mann_whitney(trial)[moved] < 1e-4
    assert mann_whitney(trial)[untouched] > 1e-3
    assert pelt(trial)[moved] > pelt(trial)[untouched]
    assert scan(trial)[moved] == pytest.approx(8, abs=2)
    assert scan(trial)[untouched] < 3


def test_hindsight_takes_the_threshold_of_the_best_f1() -> None:
    a, b, c, d = (("i", "node", kpi) for kpi in "abcd")
    assert in_hindsight({a: 9.0, b: 8.0, c: 7.0, d: 0.0}, {a, c}) == {a, b, c}
    assert in_hindsight({a: 9.0, b: 1.0, c: 1.0, d: 0.0}, {a}) == {a}


def test_false_discoveries_are_controlled_over_all_pairs() -> None:
    p_values = {("i", "node", str(number)): 1e-4 if number < 2 else 0.015 * number for number in range(60)}
    assert len(discovered(p_values)) == 2
