"""Which KPI moved with which injection: on small series made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultset.impacts.detect import Detection, detect, target_nodes
from faultset.impacts.found import METHOD
from faultset.impacts.null import QuietSeries, Shape
from faultset.impacts.windows import SECOND, Parameters, Series, Windows, quiet_rows
from faultset.moments import epoch_us
from faultset.tables import TargetRow
from planted import injection

BEGIN = 1_700_000_000
Moves = list[tuple[float, float, float]]  # from, to, by


def at(seconds: float) -> int:
    return round((BEGIN + seconds) * SECOND)


def window(name: str, start: float, end: float, uncertainty_s: float = 0.0):
    return injection(name, at(start), at(end), uncertainty_s)


def noisy(moves: Moves = (), rows: int = 3000, seed: int = 4, sd: float = 1.0) -> Series:  # type: ignore[assignment]
    """A row a second of normal noise around 100."""
    time = np.array([at(second) for second in range(rows)], dtype=np.int64)
    value = 100 + sd * np.random.default_rng(seed).normal(0, 1, rows)
    for start, end, by in moves:
        value[(time >= at(start)) & (time < at(end))] += by
    return Series(time, value)


def found(detection: Detection) -> set[str]:
    return {one.injection_id for one in detection.impacts}


# --- one injection --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "direction"), [(6.0, "up"), (-6.0, "down")])
def test_a_move_is_found_with_its_extent_direction_and_size(by: float, direction: str):
    detection = detect({("n", "cpu"): noisy([(1500.2, 1530.4, by)])}, [window("a", 1500.2, 1530.4)])
    (impact,) = detection.impacts
    assert (impact.injection_id, impact.node, impact.kpi) == ("a", "n", "cpu")
    assert (impact.direction, impact.source, impact.method) == (direction, "detected", METHOD)
    assert abs(epoch_us(impact.started_at) - at(1500.2)) <= 2 * SECOND
    assert abs(epoch_us(impact.ended_at) - at(1530.4)) <= 2 * SECOND
    assert impact.score == pytest.approx(6, abs=1.5)
    assert impact.p_value is not None
    assert impact.p_value < 0.01
    assert detection.tested[0].is_back


def test_only_what_moved_is_found():
    series = {
        ("n1", "cpu"): noisy([(1500, 1530, 6)], seed=1),
        ("n1", "mem"): noisy(seed=2),
        ("n2", "cpu"): noisy(seed=3),
    }
    detection = detect(series, [window("a", 1500, 1530), window("b", 2200, 2230)])
    assert [(one.injection_id, one.node, one.kpi) for one in detection.impacts] == [("a", "n1", "cpu")]
    assert len(detection.tested) == 6
    assert all(one.p_value is not None and one.question is not None for one in detection.tested)


def test_a_move_that_outlasts_its_command_is_followed_until_it_is_back():
    detection = detect({("n", "cpu"): noisy([(1500, 1600, 8)])}, [window("a", 1500, 1503)])
    (impact,) = detection.impacts
    assert abs(epoch_us(impact.ended_at) - at(1600)) <= 5 * SECOND


def test_a_move_that_stays_is_an_impact_that_is_not_back():
    detection = detect({("n", "cpu"): noisy([(2500, 3000, 8)])}, [window("a", 2500, 2520)])
    assert found(detection) == {"a"}
    assert detection.tested[0].is_back is False


@pytest.mark.parametrize("seed", range(3))
def test_moves_that_outlast_the_guard_do_not_pass_as_quiet_time_for_each_other(seed: int):
    windows = [(460, 463), (604, 607), (748, 751)]
    moves = [(start, start + 120, -5.0) for start, _ in windows]
    detection = detect(
        {("n", "cpu"): noisy(moves, rows=1200, seed=seed)}, [window(str(start), start, end) for start, end in windows]
    )
    assert found(detection) == {"460", "604", "748"}
    for impact, (_, end, _) in zip(detection.impacts, moves, strict=True):
        assert abs(epoch_us(impact.ended_at) - at(end)) <= 5 * SECOND


def test_where_moves_that_last_would_take_most_of_the_time_it_counts_as_quiet():
    time = noisy(rows=1200).time_us
    windows = Windows.of([window("a", 300, 310)], Parameters())
    usual, short, long = (
        quiet_rows(time, windows, Parameters(), back) for back in (None, np.array([at(500)]), np.array([at(1100)]))
    )
    assert np.flatnonzero(~usual).tolist() == list(range(300, 370))
    assert np.flatnonzero(~short).tolist() == list(range(300, 560))
    assert (long == usual).all()


def test_times_that_are_known_to_a_second_do():
    true = noisy([(1500.7, 1525.6, 6)])
    assert found(detect({("n", "cpu"): true}, [window("a", 1500.7, 1525.6, uncertainty_s=1.0)])) == {"a"}


def test_drift_and_spikes_are_usual_and_no_impact():
    series = noisy(rows=6000)
    value = series.value + np.arange(6000) * 0.01
    value[::97] += 30
    injections = [window(str(start), start, start + 20) for start in range(600, 5600, 500)]
    assert not detect({("n", "cpu"): Series(series.time_us, value)}, injections).impacts


# --- what cannot be tested ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "why"),
    [
        (Series(np.empty(0, np.int64), np.empty(0)), "it has no values"),
        (Series(noisy().time_us, np.full(3000, 8.0)), "it is constant, so there is no noise to compare with"),
        (noisy(rows=30), "there is too little quiet time to compare with"),
    ],
)
def test_what_cannot_be_tested_says_why(series: Series, why: str):
    (tested,) = detect({("n", "cpu"): series}, [window("a", 5, 20)]).tested
    assert tested.why_not == why
    assert (tested.p_value, tested.moved) == (None, False)


def test_a_window_without_rows_says_why():
    series = noisy()
    kept = (series.time_us < at(1400)) | (series.time_us > at(1700))
    (tested,) = detect(
        {("n", "cpu"): Series(series.time_us[kept], series.value[kept])}, [window("a", 1500, 1530)]
    ).tested
    assert tested.why_not is not None
    assert "too few rows" in tested.why_not


def test_without_injections_nothing_is_tested():
    assert detect({("n", "cpu"): noisy()}, []) == Detection((), ())


# --- overlaps -------------------------------------------------------------------------------------------------------

LAYOUTS = {
    "partly": ((1500, 1540), (1520, 1560)),
    "nested": ((1500, 1560), (1520, 1540)),
    "same start": ((1500, 1530), (1500, 1560)),
    "same end": ((1500, 1560), (1530, 1560)),
    "one after the other": ((1500, 1530), (1530, 1560)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("acting", [(), (0,), (1,), (0, 1)])
def test_of_windows_that_overlap_those_are_found_that_moved_something(layout: str, acting: tuple[int, ...]):
    windows = LAYOUTS[layout]
    size = (6.0, 8.0)
    series = noisy([(*windows[one], size[one]) for one in acting])
    detection = detect({("n", "cpu"): series}, [window(str(one), *windows[one]) for one in (0, 1)])
    assert found(detection) == {str(one) for one in acting}


def test_what_nothing_tells_apart_moved_with_both():
    series = noisy([(1500, 1530, 6)])
    assert found(detect({("n", "cpu"): series}, [window("a", 1500, 1530), window("b", 1500.5, 1530.5)])) == {"a", "b"}


def test_of_those_the_one_that_acted_on_the_node_did_it():
    series = {("n1", "cpu"): noisy([(1500, 1530, 6)], seed=1), ("n2", "cpu"): noisy(seed=2)}
    injections = [window("here", 1500, 1530), window("elsewhere", 1500.5, 1530.5)]
    targets = {"here": frozenset({"n1"}), "elsewhere": frozenset({"n2"})}
    detection = detect(series, injections, targets=targets)
    assert [(one.injection_id, one.node) for one in detection.impacts] == [("here", "n1")]


def test_a_node_that_was_not_acted_on_is_no_target():
    row = TargetRow(
        "a", "n1", None, None, None, "nova_compute", "nova", "openstack", "restart", 1, True, True, None, "exact", ""
    )
    missed = replace(row, node="n2", effective=False)
    assert target_nodes([row, missed]) == {"a": frozenset({"n1"})}


# --- properties -----------------------------------------------------------------------------------------------------


@settings(max_examples=6, deadline=None)
@given(factor=st.sampled_from([1e-3, 0.5, 7.0, 1e6]), offset=st.sampled_from([-1e3, 0.0, 1e4]), seed=st.integers(0, 50))
def test_the_unit_of_a_kpi_does_not_matter(factor: float, offset: float, seed: int):
    series = noisy([(1500, 1530, 4)], seed=seed)
    injections = [window("a", 1500, 1530), window("b", 2100, 2130)]
    other = Series(series.time_us, factor * series.value + offset)
    one, two = (detect({("n", "cpu"): some}, injections) for some in (series, other))
    assert found(one) == found(two)
    assert [(a.started_at, a.ended_at, a.direction) for a in one.impacts] == [
        (a.started_at, a.ended_at, a.direction) for a in two.impacts
    ]


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_rows_and_missing_values_do_not_matter(seed: int):
    series = noisy([(1500, 1530, 6)])
    random = np.random.default_rng(seed)
    gone = random.random(3000) < 0.05
    order = random.permutation(3000)
    messy = Series(series.time_us[order], np.where(gone, np.nan, series.value)[order])
    clean = Series(series.time_us[~gone], series.value[~gone])
    injections = [window("a", 1500, 1530)]
    assert detect({("n", "cpu"): messy}, injections) == detect({("n", "cpu"): clean}, injections)


def test_what_is_usual_is_asked_again_when_other_nodes_help_out():
    windows = Windows.of([window("a", 300, 310)], parameters := Parameters())

    def quiet(seed: int, sd: float = 1.0) -> QuietSeries:
        return QuietSeries(noisy(rows=700, seed=seed, sd=sd), windows, parameters)

    shape = Shape(10 * SECOND, SECOND, SECOND, 1)
    asked = quiet(1)
    for peers in ([], [quiet(2)], [quiet(3), quiet(4, sd=5.0)], []):
        fresh = quiet(1)
        fresh.help_from(peers)
        asked.help_from(peers)
        ours, theirs = (one.null("edges", (3, 8), shape) for one in (asked, fresh))
        assert ours is not None
        assert theirs is not None
        assert ours.values.tolist() == theirs.values.tolist()
        assert replace(ours, values=theirs.values) == theirs
        assert len(ours.values) > len(asked.usual("edges", (3, 8), shape).values) or not peers
