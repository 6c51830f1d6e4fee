"""Log lines, spans and the load: bursts, silence and slowness of free onset and length are found, and noise is not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import truth_rows
from faultset.impacts.counts import CountFamily, Events
from faultset.impacts.detect import Detection, detect
from faultset.impacts.durations import DurationFamily, Samples
from faultset.impacts.events import Group, ask
from faultset.impacts.stretches import Stretches
from faultset.moments import from_epoch

SECOND = 1_000_000
START = 1_574_000_000
LENGTH = 4000
INJECTED = (800, 1500, 2300, 3100)
NODES = ("cmp1", "cmp2", "cmp3", "ctl1")
RECORDED = Stretches.of([(START * SECOND, (START + LENGTH) * SECOND)])


def injections(command_s: float = 6):
    return [
        truth_rows.injection(f"i{n}", from_epoch(START + at), from_epoch(START + at + command_s))
        for n, at in enumerate(INJECTED)
    ]


TARGETS = {f"i{n}": frozenset({"cmp1"}) for n in range(len(INJECTED))}


def us(second) -> np.ndarray:
    return np.sort((START + np.asarray(second, dtype=np.float64)) * SECOND).astype(np.int64)


def quiet(rate: float, random: np.random.Generator) -> np.ndarray:
    return random.uniform(0, LENGTH, random.poisson(rate * LENGTH))


def counted(times: dict[str, np.ndarray], kind: str = "logs") -> Group:
    events = [Events(us(some), RECORDED) for some in times.values()]
    kpis = ("log_lines.ERROR",) * len(events)
    nodes = tuple(times)
    hosts = (None,) * len(events) if kind == "workload" else nodes
    return Group(nodes, kpis, kind, (RECORDED,) * len(events), partial(CountFamily, events), hosts)


def timed(durations: dict[str, tuple[np.ndarray, np.ndarray]]) -> Group:
    samples = []
    for at, took in durations.values():
        order = np.argsort(at)
        samples.append(Samples(us(at), took[order], np.zeros(len(at), np.int64), RECORDED))
    nodes = tuple(durations)
    kpis = ("span_duration.nova-api",) * len(nodes)
    return Group(nodes, kpis, "traces", (RECORDED,) * len(nodes), partial(DurationFamily, samples), nodes)


def found(*groups: Group, rows=None, targets=TARGETS) -> Detection:
    rows = injections() if rows is None else rows
    return detect({}, rows, targets=targets, others=ask(groups, rows, targets=targets))


def moved(detection: Detection) -> set[tuple[str, str]]:
    return {(row.injection_id, row.node) for row in detection.impacts}


def burst(at: float, onset: float, seconds: float, count: int, random: np.random.Generator) -> np.ndarray:
    return at + onset + random.uniform(0, seconds, count)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.0, 0.002, 0.2])
def test_a_burst_is_found_whenever_it_begins_and_however_long_it_lasts(seed, rate):
    random = np.random.default_rng(seed)
    times = {node: quiet(rate, random) for node in NODES}
    bursts = [burst(at, random.uniform(0, 20), random.choice([5, 30, 110]), 60, random) for at in INJECTED[:2]]
    times["cmp1"] = np.concatenate([times["cmp1"], *bursts])
    detection = found(counted({node: some for node, some in times.items() if len(some)}))
    assert moved(detection) >= {("i0", "cmp1"), ("i1", "cmp1")}
    assert len(moved(detection)) <= 3  # of a target's tests, one in twenty found may be chance
    for row, seen in zip(detection.impacts, bursts, strict=False):
        assert row.direction == "up"
        assert abs(row.started_at.timestamp() - START - seen.min()) < 6
        assert row.source_kind == "logs"
        assert row.method.startswith("count-scan")


def test_errors_that_never_came_before_are_found_without_anything_to_compare_with():
    detection = found(counted({"cmp1": 800 + np.array([7.0, 8.0, 8.5, 9.0, 11.0])}))
    assert moved(detection) == {("i0", "cmp1")}


def test_a_single_line_is_no_impact():
    assert not found(counted({"cmp1": np.array([807.0])})).impacts


def test_bursts_that_come_anyway_are_no_impact():
    random = np.random.default_rng(0)
    anyway = np.concatenate([at + random.uniform(0, 10, 15) for at in random.uniform(0, LENGTH, 25)])
    detection = found(counted({"cmp1": np.concatenate([anyway, burst(800, 5, 10, 15, random)])}))
    assert not detection.impacts


def test_a_node_that_falls_silent_is_found():
    random = np.random.default_rng(1)
    lines = quiet(2.0, random)
    detection = found(counted({"cmp1": lines[(lines < 810) | (lines > 860)], "cmp2": quiet(2.0, random)}))
    assert [(row.injection_id, row.node, row.direction) for row in detection.impacts] == [("i0", "cmp1", "down")]
    (row,) = detection.impacts
    assert abs(row.started_at.timestamp() - START - 810) < 4
    assert abs(row.ended_at.timestamp() - START - 860) < 6


def test_a_wave_over_all_nodes_is_no_impact_of_one():
    random = np.random.default_rng(2)
    wave = {node: np.concatenate([quiet(0.5, random), burst(800, 3, 100, 300, random)]) for node in NODES}
    assert not found(counted(wave)).impacts


def test_a_node_that_moves_more_than_the_wave_is_found():
    random = np.random.default_rng(3)
    wave = {node: np.concatenate([quiet(0.5, random), burst(800, 3, 100, 150, random)]) for node in NODES}
    wave["cmp1"] = np.concatenate([wave["cmp1"], burst(800, 3, 100, 900, random)])
    assert moved(found(counted(wave))) == {("i0", "cmp1")}


def test_nothing_is_found_in_noise():
    false = asked = 0
    for seed in range(4):
        random = np.random.default_rng(seed)
        lines = counted({node: quiet(rate, random) for node, rate in zip(NODES, (0.01, 0.1, 1.0, 3.0), strict=True)})
        spans = timed({node: slow(random) for node in NODES})
        detection = found(lines, spans, targets={})
        false += len(detection.impacts)
        asked += len(detection.tested)
    assert false <= 0.015 * asked


def slow(random: np.random.Generator, *spans: tuple[float, float], factor: float = 4.0, rate: float = 0.5):
    """Durations with heavy tails, longer by ``factor`` for those that end within ``spans``."""
    at = quiet(rate, random)
    took = np.exp(0.4 * random.standard_t(3, len(at)))
    within = (
        np.any([(at >= first) & (at < last) for first, last in spans], axis=0) if spans else np.zeros(len(at), bool)
    )
    return at, np.where(within, factor * took, took)


@pytest.mark.parametrize("seed", range(3))
def test_a_slow_service_is_found_whenever_it_becomes_slow(seed):
    random = np.random.default_rng(seed)
    spans = [(at + random.uniform(0, 20), at + random.uniform(60, 110)) for at in INJECTED]
    detection = found(timed({node: slow(random, *spans) if node == "cmp1" else slow(random) for node in NODES}))
    assert {("i0", "cmp1"), ("i1", "cmp1"), ("i2", "cmp1")} <= moved(detection) | {("i3", "cmp1")}
    assert {node for _, node in moved(detection)} == {"cmp1"}
    assert {row.direction for row in detection.impacts} == {"up"}


def test_one_decision_is_made_over_tests_of_all_kinds():
    random = np.random.default_rng(4)
    errors = counted({"cmp1": burst(800, 5, 20, 30, random)})
    detection = found(errors, timed({node: slow(random) for node in NODES}))
    p_values = {(row.injection_id, row.kpi): (row.p_value, row.adjusted_p_value) for row in detection.tested}
    alone, adjusted = p_values["i0", "log_lines.ERROR"]
    assert alone < adjusted <= alone * len(detection.tested)


def test_an_injection_that_acted_elsewhere_gives_way_to_one_that_starts_with_it():
    random = np.random.default_rng(5)
    rows = [
        truth_rows.injection(name, from_epoch(START + 800), from_epoch(START + 806)) for name in ("here", "elsewhere")
    ]
    targets = {"here": frozenset({"cmp1"}), "elsewhere": frozenset({"cmp2"})}
    detection = found(counted({"cmp1": burst(800, 5, 20, 40, random)}), rows=rows, targets=targets)
    assert moved(detection) == {("here", "cmp1")}
    assert next(row.why_not for row in detection.tested if row.injection_id == "elsewhere").startswith("another inj")


def test_what_was_not_recorded_then_has_no_test():
    random = np.random.default_rng(6)
    late = Stretches.of([((START + 1000) * SECOND, (START + LENGTH) * SECOND)])
    events = [Events(us(1000 + random.uniform(0, 3000, 300)), late)]
    group = Group(("cmp1",), ("log_lines.INFO",), "logs", (late,), partial(CountFamily, events), ("cmp1",))
    first = next(row for row in found(group).tested if row.injection_id == "i0")
    assert (first.p_value, first.why_not) == (None, "nothing was recorded when it started")


@pytest.mark.parametrize("rate", [0.01, 1.0])
def test_moves_of_the_detectable_size_are_found_in_nine_of_ten_cases(rate):
    random = np.random.default_rng(7)
    times = {node: quiet(rate, random) for node in NODES}
    smallest = next(row.detectable_sd for row in found(counted(times)).tested if row.node == "cmp1")
    expected = max(len(times["cmp1"]), 0.5) / LENGTH * 25
    count = expected
    while np.sqrt(2 * max(count * np.log(count / expected) - count + expected, 0)) < smallest:
        count += 0.05
    hits = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        more = burst(800, random.uniform(0, 15), 25, random.poisson(count - expected), random)
        hits += ("i0", "cmp1") in moved(found(counted({**times, "cmp1": np.concatenate([times["cmp1"], more])})))
    assert hits >= 14


# --- time as stretches ----------------------------------------------------------------------------------------------


def test_stretches_are_cut_and_measured():
    time = Stretches.of([(0, 10), (10, 20), (30, 40), (50, 50)])
    assert time.spans() == [(0, 20), (30, 40)]
    assert time.without(Stretches.of([(5, 8), (15, 35), (60, 70)])).spans() == [(0, 5), (8, 15), (35, 40)]
    assert time.both(Stretches.of([(18, 32)])).spans() == [(18, 20), (30, 32)]
    assert time.room(np.array([-1, 0, 19, 20, 25, 30, 40])).tolist() == [0, 20, 1, 0, 0, 10, 0]
    assert time.before(np.array([0, 10, 25, 35, 99])).tolist() == [0, 10, 20, 25, 30]
    assert time.contains(time.drawn(50, 0)).all()
    assert not len(Stretches.of([]).drawn(5, 0))
