"""Moves that begin, last and end as they like: what the scan sees of them, and what it takes for usual."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

import truth_rows
from faultset.impacts.detect import Detection, detect
from faultset.impacts.grid import Grid
from faultset.impacts.rarity import Quiet
from faultset.impacts.scan import Scan
from faultset.impacts.shapes import filtered
from faultset.impacts.windows import SECOND, Parameters, Series, Windows
from faultset.moments import epoch_us
from faultset.tables import InjectionRow

BEGIN = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
HOURS = 5
EVERY_S = 420


def at(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def injections(count: int = 30, lasts_s: float = 6.0) -> list[InjectionRow]:
    """Faults every seven minutes after half an hour, each by a command of some seconds."""
    starts = [1800.0 + EVERY_S * number for number in range(count)]
    return [truth_rows.injection(f"i{n:02}", at(start), at(start + lasts_s)) for n, start in enumerate(starts)]


def noise(seed: int = 0, step_s: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Whole seconds and white noise of deviation one."""
    seconds = np.arange(0, HOURS * 3600, step_s)
    return seconds, np.random.default_rng(seed).normal(0, 1, len(seconds))


def series(seconds: np.ndarray, value: np.ndarray) -> Series:
    return Series(epoch_us(BEGIN) + seconds.astype(np.int64) * SECOND, value)


def moved(value: np.ndarray, seconds: np.ndarray, begin: float, lasts_s: float, size: float) -> None:
    value[(seconds >= begin) & (seconds < begin + lasts_s)] += size


def found(detection: Detection) -> set[tuple[str, str]]:
    return {(one.injection_id, one.node) for one in detection.impacts}


@pytest.mark.parametrize("late_s", [0, 8, 18])
@pytest.mark.parametrize("lasts_s", [15, 60, 110])
def test_a_move_may_begin_late_and_outlast_its_command(late_s: float, lasts_s: float):
    seconds, value = noise()
    hit = injections()[::3]
    for one in hit:
        moved(value, seconds, (one.started_at - BEGIN).total_seconds() + late_s, lasts_s, 5.0)
    targets = {one.injection_id: frozenset({"cmp1"}) for one in injections()}
    detection = detect({("cmp1", "cpu.user"): series(seconds, value)}, injections(), targets=targets)
    assert {one.injection_id for one in hit} <= {name for name, _ in found(detection)}
    assert len(detection.impacts) <= len(hit) + 1
    first = detection.impacts[0]
    assert abs((first.started_at - hit[0].started_at).total_seconds() - late_s) <= 2
    assert abs((first.ended_at - hit[0].started_at).total_seconds() - late_s - lasts_s) <= 3
    assert first.direction == "up"


def test_a_late_move_has_to_be_clearer_where_no_fault_is_known_to_have_acted():
    seconds, value = noise()
    for one in injections()[::3]:
        moved(value, seconds, (one.started_at - BEGIN).total_seconds() + 17, 10, 4.0)
    recorded = {("cmp1", "cpu.user"): series(seconds, value)}
    known = {one.injection_id: frozenset({"cmp1"}) for one in injections()}
    tests = [detect(recorded, injections(), targets=targets).tested for targets in (known, None)]
    both = list(zip(*tests, strict=True))
    late = [(one.p_value or 1, other.p_value or 1) for one, other in both if one.question in {"pulse", "filter"}]
    clear = [(one, other) for one, other in late if one < 0.01]
    assert len(clear) >= 5
    assert all(one < other for one, other in clear)
    assert all((one.detectable_sd or 0) <= (other.detectable_sd or 99) for one, other in both)


def test_of_rows_five_seconds_apart_the_start_is_between_the_two_that_it_lies_between():
    seconds, value = noise(step_s=5)
    one = injections()[4]
    begin = (one.started_at - BEGIN).total_seconds() + 5
    moved(value, seconds, begin, 60, 9.0)
    targets = {one.injection_id: frozenset({"cmp1"}) for one in injections()}
    detection = detect({("cmp1", "cpu.user"): series(seconds, value)}, injections(), targets=targets)
    (impact,) = [row for row in detection.impacts if row.injection_id == one.injection_id]
    assert begin - 5 <= (impact.started_at - BEGIN).total_seconds() <= begin


def test_nothing_is_found_where_nothing_moved():
    all_of = {(f"cmp{n}", "cpu.user"): series(*noise(seed=n)) for n in range(4)}
    targets = {one.injection_id: frozenset({"cmp0"}) for one in injections()}
    assert len(detect(all_of, injections(), targets=targets).impacts) <= 1


def test_a_move_that_every_node_made_is_one_impact_that_names_them():
    wanted = injections()[10]
    values = {}
    for number in range(5):
        seconds, value = noise(seed=number)
        moved(value, seconds, (wanted.started_at - BEGIN).total_seconds() + 4, 40, 6.0)
        values[f"cmp{number}", "cpu.user"] = series(seconds, value)
    targets = {one.injection_id: frozenset({"cmp0"}) for one in injections()}
    rows = [row for row in detect(values, injections(), targets=targets).impacts if row.injection_id == "i10"]
    assert [row.node for row in rows] == ["cmp0"]
    assert rows[0].wave == "4 of 4 nodes that no fault acted on moved with it: cmp1, cmp2, cmp3, cmp4"


def test_a_move_of_the_node_that_was_hit_alone_is_no_wave():
    wanted = injections()[10]
    values = {(f"cmp{n}", "cpu.user"): series(*noise(seed=n)) for n in range(5)}
    seconds, value = noise(seed=0)
    moved(value, seconds, (wanted.started_at - BEGIN).total_seconds() + 4, 40, 6.0)
    values["cmp0", "cpu.user"] = series(seconds, value)
    targets = {one.injection_id: frozenset({"cmp0"}) for one in injections()}
    rows = [row for row in detect(values, injections(), targets=targets).impacts if row.injection_id == "i10"]
    assert [(row.node, row.wave) for row in rows] == [("cmp0", None)]


def test_many_nodes_and_kpis_take_nothing_from_what_is_found_on_the_node_that_was_hit():
    hit = injections()[::2]
    targets = {one.injection_id: frozenset({"cmp0"}) for one in injections()}
    seconds, value = noise()
    for one in hit:
        moved(value, seconds, (one.started_at - BEGIN).total_seconds() + 5, 30, 4.0)
    alone = {("cmp0", "cpu.user"): series(seconds, value)}
    crowd = {(f"cmp{n % 5}", f"kpi{n // 5}"): series(*noise(seed=100 + n)) for n in range(40)}
    few = found(detect(alone, injections(), targets=targets))
    many = found(detect(alone | crowd, injections(), targets=targets))
    assert len(few & {(one.injection_id, "cmp0") for one in hit}) >= 0.9 * len(hit)
    assert len(few - many) <= 1


def test_what_was_not_found_says_how_large_a_move_could_have_hidden():
    targets = {one.injection_id: frozenset({"cmp0"}) for one in injections()}
    tests = detect({("cmp0", "cpu.user"): series(*noise())}, injections(), targets=targets).tested
    often = [one.detectable_sd for one in tests if one.detectable_sd is not None]
    once = [one.detectable_once_sd for one in tests if one.detectable_once_sd is not None]
    assert len(often) == len(tests)
    assert 0.5 < float(np.median(often)) < 5.0
    assert np.median(once) >= np.median(often)


# --- the grid -------------------------------------------------------------------------------------------------------


def test_rows_of_one_second_are_one_cell_and_a_missing_second_has_no_row():
    grid = Grid.of(Series(np.array([10, 10, 11, 13]) * SECOND, np.array([1.0, 3.0, 5.0, 9.0])))
    assert grid.cell_us.tolist() == [10 * SECOND, 11 * SECOND, 12 * SECOND, 13 * SECOND]
    assert grid.value.tolist() == [2.0, 5.0, 7.0, 9.0]
    assert grid.there.tolist() == [True, True, False, True]


def test_a_hole_of_a_year_costs_nothing():
    grid = Grid.of(Series(np.array([0, 1, 2, 31_536_000]) * SECOND, np.arange(4.0)))
    assert len(grid.value) == 4


def test_a_row_a_minute_makes_cells_of_a_minute():
    grid = Grid.of(Series(np.arange(0, 3600, 60) * SECOND, np.arange(60.0)))
    assert grid.step_us == 60 * SECOND
    assert grid.rows(130) == 2


# --- what is rare ---------------------------------------------------------------------------------------------------


def test_a_number_between_usual_ones_and_a_rare_event_is_rarer_than_either():
    random = np.random.default_rng(1)
    quiet = np.concatenate([np.abs(random.normal(1, 0.3, 980)), random.uniform(45, 55, 20)])
    p_value = Quiet.of(quiet).p_value(np.array([1.0, 6.0, 50.0]), np.ones(1000))
    assert p_value[1] < p_value[2] < p_value[0]
    assert 0.01 < p_value[2] < 0.05


def test_p_values_are_what_they_say():
    random = np.random.default_rng(2)
    quiet, fresh = (np.exp(random.normal(0, 0.5, 4000)) for _ in range(2))
    p_value = Quiet.of(quiet).p_value(fresh, np.ones(4000))
    for level in (0.2, 0.05, 0.01):
        assert np.mean(p_value <= level) == pytest.approx(level, rel=0.5)


def test_near_places_count_for_more():
    quiet = np.concatenate([np.full(500, 1.0) + np.linspace(0, 0.2, 500), np.full(500, 5.0) + np.linspace(0, 1, 500)])
    calm, restless = np.repeat([1.0, 0.01], 500), np.repeat([0.01, 1.0], 500)
    number = np.array([5.5])
    assert Quiet.of(quiet).p_value(number, calm)[0] < 0.1 < Quiet.of(quiet).p_value(number, restless)[0]


# --- which way to ask -----------------------------------------------------------------------------------------------


def asked(value: np.ndarray, seconds: np.ndarray) -> Scan:
    parameters = Parameters()
    windows = Windows.of(injections(), parameters)
    return Scan(series(seconds, value), windows, parameters, np.zeros(len(windows.start), dtype=np.int64))


def test_the_filter_sees_a_short_move_in_noise_that_follows_itself():
    seconds, white = noise(step_s=5)
    value = np.zeros(len(white))
    for place in range(1, len(white)):
        value[place] = 0.9 * value[place - 1] + white[place]
    scan = asked(value, seconds)
    quiet = np.abs(filtered(scan.cells.whitener.white(value), list(scan.cells.whitener.shapes((4,)))).number)
    value[1000:1004] += 5.0
    seen = filtered(scan.cells.whitener.white(value), list(scan.cells.whitener.shapes((4,))))
    assert abs(seen.number[1000]) > np.quantile(quiet, 0.999)
    assert seen.number[1000] > 0


def test_a_short_recording_has_nothing_to_compare_with_and_is_not_scanned():
    seconds = np.arange(900)
    value = np.random.default_rng(0).normal(0, 1, 900)
    parameters = Parameters()
    windows = Windows.of([truth_rows.injection("i", at(400), at(410))], parameters)
    scan = Scan(series(seconds, value), windows, parameters, np.zeros(1, dtype=np.int64))
    assert np.isnan(scan.answers([None]).p_value).all()


def test_a_series_that_hardly_ever_leaves_its_level_vouches_for_no_other():
    seconds = np.arange(1200)
    random = np.random.default_rng(0)
    parameters = Parameters()
    windows = Windows.of([truth_rows.injection("i", at(500), at(510))], parameters)
    restless, level = random.normal(0, 1, 1200), np.where(random.random(1200) < 0.2, 1.82, 1.8)
    alone, beside, still = (
        Scan(series(seconds, value), windows, parameters, np.zeros(1, dtype=np.int64))
        for value in (restless, restless, level)
    )
    assert np.isfinite(still.cells.scale).all()
    beside.asked.peers = (still.asked,)
    assert beside.answers([None]).p_value == pytest.approx(alone.answers([None]).p_value)


def test_numbers_of_other_series_count_for_their_share() -> None:
    random = np.random.default_rng(0)
    own, others, number = (
        np.abs(random.normal(size=300)),
        np.abs(random.normal(size=900)) * 3,
        np.array([2.5, 4.0, 6.0]),
    )
    weight = np.concatenate([np.full(300, 0.6 / 300), np.full(900, 0.4 / 900)])
    together = Quiet.of(np.concatenate([own, others])).p_value(number, weight)
    assert Quiet.of(own, others, 0.4).p_value(number, np.ones(300)) == pytest.approx(together)
