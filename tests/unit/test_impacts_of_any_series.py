"""Series as people have them: long moves, few values, slow rows, holes, and moves that are none of a command's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.signal import lfilter

from faultset.impacts.detect import Detection, detect
from faultset.impacts.windows import SECOND, Series
from faultset.moments import epoch_us
from planted import injection

BEGIN_US = 1_700_000_000 * SECOND
NODE, KPI = "cmp1", "kpi"
TOO_FEW = "there are too few rows beside its edges, or edges of other injections are too near"


def found(
    seconds: np.ndarray, value: np.ndarray, windows: Sequence[tuple[float, float]], beside: np.ndarray | None = None
) -> Detection:
    """Detect, told that each fault acted on the node; ``beside``: values of another node, where there is one."""
    injections = [
        injection(f"i{number:02}", BEGIN_US + round(start * SECOND), BEGIN_US + round(end * SECOND))
        for number, (start, end) in enumerate(windows)
    ]
    time_us = BEGIN_US + np.rint(seconds * SECOND).astype(np.int64)
    series = {(NODE, KPI): Series(time_us, value)}
    if beside is not None:
        series["cmp2", KPI] = Series(time_us, beside)
    return detect(series, injections, targets={one.injection_id: frozenset({NODE}) for one in injections})


def times(detection: Detection) -> dict[str, tuple[float, float]]:
    """Injection -> seconds from when to when it moved the node."""
    return {
        str(one.injection_id): (
            (epoch_us(one.started_at) - BEGIN_US) / SECOND,
            (epoch_us(one.ended_at) - BEGIN_US) / SECOND,
        )
        for one in detection.impacts
        if one.node == NODE
    }


@pytest.mark.parametrize(
    ("every_s", "lasts_s", "command_s"),
    [(1, 200, 200), (1, 300, 20), (1, 300, 300), (5, 600, 20), (5, 600, 600), (10, 300, 20), (5, 1800, 1800)],
)
def test_a_long_move_ends_where_it_ends(every_s: int, lasts_s: int, command_s: int) -> None:
    starts = [2000 + (2400 + lasts_s) * number for number in range(4)]
    seconds = np.arange(0, starts[-1] + lasts_s + 2400, every_s)
    value = np.random.default_rng(0).normal(0, 1, len(seconds))
    for start in starts:
        value[(seconds >= start) & (seconds < start + lasts_s)] += 8
    moved = times(found(seconds, value, [(start, start + command_s) for start in starts]))
    assert len(moved) == len(starts)
    for start, (begun, ended) in zip(starts, moved.values(), strict=True):
        assert abs(begun - start) <= 2 * every_s
        assert abs(ended - start - lasts_s) <= 3 * every_s


SECONDS = np.arange(7200)
STARTS = [600 + 500 * number for number in range(12)]
WINDOWS = [(start, start + 20) for start in STARTS]


def _few_errors(random: np.random.Generator) -> np.ndarray:
    return random.poisson(0.3, len(SECONDS)).astype(float)


def _blips(random: np.random.Generator) -> np.ndarray:
    return np.where(SECONDS % 400 < 5, 1.0 + random.integers(3), 0.0)


def _rounded(random: np.random.Generator) -> np.ndarray:
    return np.round(random.normal(50, 0.3, len(SECONDS)))


def _one_value(_random: np.random.Generator) -> np.ndarray:
    return np.full(len(SECONDS), 5.0)


@pytest.mark.parametrize("usual", [_few_errors, _blips, _rounded, _one_value])
@pytest.mark.parametrize("every", [1, 4])
def test_a_kpi_that_mostly_has_one_value_is_tested_like_any_other(usual, every: int) -> None:
    random = np.random.default_rng(0)
    value, beside = usual(random), random.normal(0, 1, len(SECONDS))
    for start in STARTS[::every]:
        value[start : start + 20] += 10
    moved = times(found(SECONDS, value, WINDOWS, beside))
    assert set(moved) == {f"i{number:02}" for number in range(0, len(STARTS), every)}


def test_of_a_kpi_that_never_moved_a_single_move_is_an_impact_whatever_other_nodes_show() -> None:
    value = _one_value(np.random.default_rng(0))
    value[STARTS[5] : STARTS[5] + 20] += 100
    assert set(times(found(SECONDS, value, WINDOWS, np.random.default_rng(1).normal(0, 1, len(value))))) == {"i05"}


@pytest.mark.parametrize("every_s", [16, 30, 60, 240, 301])
def test_slow_rows_are_tested_by_the_edges_and_the_scan(every_s: int) -> None:
    seconds = np.arange(2000) * every_s
    starts = [40 * every_s + number * 160 * every_s for number in range(12)]
    value = np.random.default_rng(0).normal(50, 1, len(seconds))
    for start in starts[::4]:
        value[(seconds >= start) & (seconds < start + 5 * every_s)] += 15
    detection = found(seconds, value, [(start, start + 5 * every_s) for start in starts])
    assert {"i00", "i04", "i08"} <= set(times(detection))
    assert all(one.power for one in detection.tested)


@pytest.mark.parametrize("every_s", [1, 5, 10, 15, 30])
@pytest.mark.parametrize("apart_s", [300, 600, 1200])
def test_where_nothing_moves_small_p_values_are_no_more_frequent_than_chance(every_s: int, apart_s: int) -> None:
    random, p_values, impacts = np.random.default_rng(every_s), [], 0
    for _ in range(20):
        starts = 600 + np.cumsum(random.uniform(0.8, 1.2, 10)) * apart_s
        seconds = np.arange(0, starts[-1] + 900, every_s)
        here = found(seconds, random.normal(0, 1, len(seconds)), [(start, start + 30) for start in starts])
        p_values += [one.p_value for one in here.tested if one.p_value is not None]
        impacts += len(here.impacts)
    assert len(p_values) == 200
    assert_chance(p_values)
    assert impacts <= 4


@pytest.mark.parametrize("every_s", [5, 10])
def test_quiet_time_before_and_after_a_pause_is_not_one_stretch(every_s: int) -> None:
    random, p_values, impacts = np.random.default_rng(every_s), [], 0
    for _ in range(20):
        pieces, starts, begin = [], [], 0.0
        for _ in range(12):
            starts.append(begin + random.uniform(200, 300))
            end = starts[-1] + 20 + random.uniform(200, 300)
            pieces.append(np.arange(begin, end, every_s))
            begin = end + random.uniform(900, 2400)
        seconds = np.concatenate(pieces)
        noise = lfilter([1], [1, -0.6], random.normal(0, 1, len(seconds)))
        here = found(seconds, noise, [(start, start + 20) for start in starts])
        p_values += [one.p_value for one in here.tested if one.p_value is not None]
        impacts += len(here.impacts)
    assert len(p_values) == 240
    assert_chance(p_values)
    assert impacts <= 6


def test_after_a_pause_a_move_is_measured_in_what_is_usual() -> None:
    random = np.random.default_rng(0)
    starts = np.arange(12) * 900.0 + 1000
    seconds = np.arange(0, starts[-1] + 900, 15)
    after_pause = [(seconds < start - 1500) | (seconds > start - 120) for start in starts[3::4]]
    noise = lfilter([0.6], [1, -0.8], random.normal(0, 1, len(seconds)))
    there = np.logical_and.reduce(after_pause)
    here = found(seconds[there], noise[there], [(start, start + 20) for start in starts])
    assert sum(one.score is not None for one in here.tested) >= 8
    assert all(one.score < 5 for one in here.tested if one.score is not None)


@pytest.mark.parametrize("every_s", [5, 15])
@pytest.mark.parametrize("autoregression", [0.0, 0.8])
def test_soon_after_a_pause_nothing_is_found_where_nothing_moved(every_s: int, autoregression: float) -> None:
    random, impacts = np.random.default_rng(every_s), 0
    for _ in range(10):
        starts = np.cumsum(random.uniform(600, 900, 12)) + np.repeat([0, 1800, 3600, 5400], 3)
        seconds = np.arange(0, starts[-1] + 900, every_s)
        begins = [start - random.uniform(55, 90) for start in starts[3::3]]
        there = np.logical_and.reduce([(seconds < begin - 1800) | (seconds > begin) for begin in begins])
        noise = lfilter([1], [1, -autoregression], random.normal(0, 1, len(seconds)))
        moved = times(found(seconds[there], noise[there], [(start, start + 20) for start in starts]))
        impacts += len(moved.keys() & {"i03", "i06", "i09"})
    assert impacts <= 1


def test_commands_that_leave_few_rows_between_them_are_measured_in_what_is_usual() -> None:
    starts = np.arange(30) * 170.0 + 600
    seconds = np.arange(0, starts[-1] + 900, 5)
    value = np.random.default_rng(0).normal(0, 1, len(seconds))
    for start in starts[::5]:
        value[(seconds >= start) & (seconds < start + 60)] += 5
    here = found(seconds, value, [(start, start + 60) for start in starts])
    assert set(times(here)) == {f"i{number:02}" for number in range(0, 30, 5)}
    assert max(one.score for one in here.impacts if one.score is not None) < 10


def test_where_a_pause_hides_what_comes_after_a_command_no_size_of_what_could_hide_is_told() -> None:
    starts = np.arange(14) * 900.0 + 1000
    seconds = np.arange(0, starts[-1] + 900, 10)
    seconds = seconds[(seconds < starts[5] + 100) | (seconds > starts[5] + 800)]
    value = np.random.default_rng(0).normal(0, 1, len(seconds))
    tested = found(seconds, value, [(start, start + 20) for start in starts]).tested
    assert tested[5].p_value is not None
    assert [one.detectable_sd is None for one in tested] == [number == 5 for number in range(14)]


@pytest.mark.parametrize("every_s", [5, 10])
def test_rows_far_apart_show_a_move_of_25_s_once_more_or_once_less_and_what_could_hide_is_as_large(
    every_s: int,
) -> None:
    random, planted, seen = np.random.default_rng(every_s), 0, 0
    starts = np.arange(16) * 700.0 + 1000
    seconds = np.arange(0, starts[-1] + 900, every_s)
    windows = [(start, start + 20) for start in starts]
    for _ in range(12):
        noise = random.normal(0, 1, len(seconds))
        untouched = found(seconds, noise, windows)
        moved = noise.copy()
        wanted = {}
        for number in range(int(random.integers(4)), 16, 4):
            one = untouched.tested[number]
            assert one.detectable_sd is not None
            begin = starts[number] + random.uniform(0, 20)
            unit = np.std(noise[(seconds >= starts[number] - 400) & (seconds < starts[number])])
            moved[(seconds >= begin) & (seconds < begin + 25)] += one.detectable_sd * unit
            wanted[one.injection_id] = begin
        planted += len(wanted)
        seen += len(wanted.keys() & times(found(seconds, moved, windows)).keys())
    assert seen / planted >= 0.8


def test_where_a_row_comes_every_15_s_some_moves_of_25_s_are_seen_once_and_no_size_is_told() -> None:
    starts = np.arange(16) * 900.0 + 1000
    seconds = np.arange(0, starts[-1] + 900, 15)
    value = np.random.default_rng(0).normal(0, 1, len(seconds))
    tested = found(seconds, value, [(start, start + 20) for start in starts]).tested
    assert [one.detectable_sd for one in tested] == [None] * 16


def assert_chance(p_values: Sequence[float]) -> None:
    assert np.mean(np.array(p_values) < 0.05) <= 0.1
    assert np.mean(np.array(p_values) < 0.01) <= 0.03


def test_without_rows_there_is_no_test() -> None:
    seconds = np.concatenate([np.arange(3000), np.arange(4000, 6000)])
    value = np.random.default_rng(0).normal(50, 1, len(seconds))
    windows = [(-500, -480), (0, 20), (1000, 1020), (3300, 3320), (5000, 5020), (6500, 6520)]
    tested = found(seconds, value, windows).tested
    assert [one.why_not for one in tested] == [TOO_FEW, TOO_FEW, None, TOO_FEW, None, TOO_FEW]
    assert [one.detectable_sd is None for one in tested] == [True, True, False, True, False, True]


@pytest.mark.parametrize("seed", range(4))
def test_the_end_of_a_move_that_began_before_the_command_is_no_move_the_other_way(seed: int) -> None:
    value = np.random.default_rng(seed).normal(50, 1, len(SECONDS))
    for start in STARTS[::3]:
        value[start - 10 : start + 10] += 10
    detection = found(SECONDS, value, [(start, start + 20) for start in STARTS[::3]])
    long = [one for one in detection.impacts if (one.ended_at - one.started_at).total_seconds() > 30]
    assert len(long) <= 1
    assert sum(one.direction == "down" for one in detection.impacts) <= 1
