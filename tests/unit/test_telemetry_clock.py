"""Clocks of telemetry: abbreviations, coverage, and shifts found from the data itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.moments import UTC, Window, from_epoch
from faultset.simulator import Truth, simulate
from faultset.truth.clock_evidence import Coverage, ShiftEvidence, joined, recording
from faultset.truth.clock_names import abbreviation_note
from faultset.truth.telemetry_clock import CANDIDATES_S, find_shift, find_shifts, placed_by_number

SECOND = 1_000_000
HOUR = 3600
PLANTED_HOURS = (-8, -2, -1, 1, 2, 5.5)
NOVEMBER = dt.datetime(2019, 11, 19, 22, tzinfo=UTC)
RUN = Window(from_epoch(1_574_200_000), from_epoch(1_574_203_600))
NO_EVIDENCE = ShiftEvidence(())


# --- abbreviations --------------------------------------------------------------------------------------------------


def test_cest_in_november_is_said_to_be_wrong_with_what_was_used() -> None:
    note = abbreviation_note("Europe/Berlin", {"CEST": 1125}, NOVEMBER, NOVEMBER + dt.timedelta(hours=4))
    assert note == (
        "the times say CEST (1125 rows), but Europe/Berlin has CET (UTC+1) on 2019-11-19 to 2019-11-20: "
        "the zone was used, the abbreviation was not"
    )


def test_cest_in_october_is_right() -> None:
    october = dt.datetime(2019, 10, 11, 19, tzinfo=UTC)
    assert abbreviation_note("Europe/Berlin", {"CEST": 61040}, october, october + dt.timedelta(hours=18)) is None


def test_both_names_are_right_where_the_clocks_change() -> None:
    before = dt.datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    assert abbreviation_note("Europe/Berlin", {"CEST": 3, "CET": 4}, before, before + dt.timedelta(hours=1)) is None


def test_a_season_between_two_equal_ones_is_not_forgotten() -> None:
    assert abbreviation_note("Europe/Berlin", {"CEST": 1}, NOVEMBER, NOVEMBER + dt.timedelta(days=365)) is None


@pytest.mark.parametrize("written", ["CET", "cet", "+0100", "+01:00"])
def test_an_offset_that_agrees_is_no_disagreement(written: str) -> None:
    assert abbreviation_note("Europe/Berlin", {written: 1}, NOVEMBER, NOVEMBER) is None


def test_times_with_nothing_behind_them_deny_no_zone() -> None:
    assert abbreviation_note("UTC", {"": 358}, NOVEMBER, NOVEMBER) is None


def test_a_strange_abbreviation_is_shown_without_its_control_characters() -> None:
    note = abbreviation_note("UTC", {"E\x1bST": 1}, NOVEMBER, NOVEMBER)
    assert note is not None
    assert "\x1b" not in note
    assert "(1 row)" in note


# --- coverage -------------------------------------------------------------------------------------------------------


def us(*seconds: float) -> np.ndarray:
    return np.asarray([round(second * SECOND) for second in seconds], dtype=np.int64)


def covered_share(times: np.ndarray, start_us: int, end_us: int, cadence_us: int, parts: int = 1) -> float:
    coverage = Coverage(start_us, end_us)
    for part in np.array_split(times, parts):
        coverage.add(np.sort(part), cadence_us)
    return coverage.share


def test_a_window_with_a_row_every_second_is_covered() -> None:
    assert covered_share(us(*range(100)), 10 * SECOND, 20 * SECOND, SECOND) == 1.0


def test_a_gap_in_a_window_counts_from_one_cadence_on() -> None:
    assert covered_share(us(10, 11, 18, 19), 10 * SECOND, 20 * SECOND, SECOND) == 0.4


def test_a_row_just_before_a_window_speaks_for_its_beginning() -> None:
    assert covered_share(us(9), 10 * SECOND, 20 * SECOND, 3 * SECOND) == pytest.approx(0.2)


def test_a_window_without_rows_is_not_covered() -> None:
    assert covered_share(us(), 10 * SECOND, 20 * SECOND, SECOND) == 0.0


@given(
    st.lists(st.integers(0, 200 * SECOND), max_size=60),
    st.integers(0, 100 * SECOND),
    st.integers(0, 100 * SECOND),
    st.integers(1, 20 * SECOND),
    st.integers(1, 5),
)
def test_coverage_depends_neither_on_the_order_of_rows_nor_on_the_parts_that_they_come_in(
    times: list[int], start: int, length: int, cadence: int, parts: int
) -> None:
    rows = np.asarray(times, dtype=np.int64)
    found = covered_share(rows, start, start + length, cadence)
    assert found == covered_share(np.sort(rows)[::-1], start, start + length, cadence, parts)
    assert 0.0 <= found <= 1.0


# --- shifts of the samples' metrics ---------------------------------------------------------------------------------

SCENARIOS = ("nova-compute-restart", "glance-api-restart", "neutron-agents-restart")


@dataclass(frozen=True)
class Sample:
    """A simulated experiment: its truth, and node -> times (microseconds) and KPIs as its files say."""

    truth: Truth
    files: dict[str, tuple[np.ndarray, dict[str, np.ndarray]]]


@pytest.fixture(scope="module", params=SCENARIOS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, ...]:
    folder = tmp_path_factory.mktemp("shift")
    return tuple(sample(request.param, folder / str(seed), seed) for seed in range(3))


def sample(scenario: str, folder: Path, seed: int) -> Sample:
    truth = simulate(scenario, folder, seed=seed)
    return Sample(truth, {file.node: read(folder / file.path, file.time_zone) for file in truth.metrics})


def read(path: Path, time_zone: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    frame = pd.read_csv(path)
    times = pd.to_datetime(frame.pop("now").str.slice(0, 19)).dt.tz_localize(time_zone).dt.tz_convert("UTC")
    since = times - pd.Timestamp(0, tz="UTC")
    return (since // pd.Timedelta(microseconds=1)).to_numpy(np.int64), {kpi: frame[kpi].to_numpy() for kpi in frame}


def windows_of(truth: Truth) -> list[Window]:
    return [
        Window(from_epoch(one.started_at_us / SECOND), from_epoch(one.ended_at_us / SECOND)) for one in truth.injections
    ]


def run_of(truth: Truth) -> Window:
    starts = [one.started_at_us for one in truth.workloads if one.started_at_us is not None]
    ends = [one.ended_at_us for one in truth.workloads if one.ended_at_us is not None]
    return Window(from_epoch(min(starts) / SECOND), from_epoch(max(ends) / SECOND))


def evidence_of(one: Sample, off_s: float) -> dict[str, ShiftEvidence]:
    """Return the evidence of each node's file, its times moved by ``off_s`` seconds."""
    return {
        node: ShiftEvidence((recording(times + round(off_s * SECOND), kpis),))
        for node, (times, kpis) in one.files.items()
    }


def noise(random: np.random.Generator, rows: int) -> np.ndarray:
    """Return white noise on waves of a minute, with spikes; its standard deviation is 1 without them."""
    waves = np.convolve(random.normal(0, 1, rows), np.ones(60) / np.sqrt(60), "same")
    values = 0.6 * random.normal(0, 1, rows) + 0.8 * waves
    values[random.random(rows) < 0.002] += 8.0
    return values


def days_of(one: Sample, off_s: float) -> dict[str, ShiftEvidence]:
    """Return the evidence of each node's metrics over two days: slow waves, spikes, and the moves of the sample."""
    truth, found = one.truth, {}
    random = np.random.default_rng(truth.seed)
    times = run_of(truth).start.timestamp() + np.arange(-24.0 * HOUR, 24.0 * HOUR)
    for node in one.files:
        kpis = {kpi: noise(random, len(times)) for kpi in ("cpu.user", "mem.used")}
        for move in truth.kpi_moves:
            if move.node == node:
                during = (times >= move.started_at_us / SECOND) & (times < move.ended_at_us / SECOND)
                kpis[move.kpi][during] += move.size_in_robust_sd
        found[node] = ShiftEvidence((recording(((times + off_s) * SECOND).astype(np.int64), kpis),))
    return found


@pytest.mark.parametrize("hours", PLANTED_HOURS)
def test_a_planted_shift_of_a_sample_is_found_in_each_file_and_in_all_together(
    played: tuple[Sample, ...], hours: float
) -> None:
    truth = played[0].truth
    evidence = evidence_of(played[0], hours * HOUR)
    for one in (*evidence.values(), ShiftEvidence.together(evidence.values())):
        shift = find_shift(one, windows_of(truth), run_of(truth))
        assert shift.seconds == hours * HOUR, shift.why
        assert shift.confidence == "suggested"


@pytest.mark.parametrize("recorded", [evidence_of, days_of], ids=["as long as the run", "days"])
def test_no_shift_is_reported_where_there_is_none(
    played: tuple[Sample, ...], recorded: Callable[[Sample, float], dict[str, ShiftEvidence]]
) -> None:
    for each in played:
        evidence = recorded(each, 0)
        for one in (*evidence.values(), ShiftEvidence.together(evidence.values())):
            shift = find_shift(one, windows_of(each.truth), run_of(each.truth))
            assert (shift.seconds, shift.confidence) == (None, "none"), shift.why


@pytest.mark.parametrize("hours", PLANTED_HOURS)
def test_in_a_recording_of_days_the_windows_alone_tell(played: tuple[Sample, ...], hours: float) -> None:
    truth = played[0].truth
    together = ShiftEvidence.together(days_of(played[0], hours * HOUR).values())
    shift = find_shift(together, windows_of(truth), run_of(truth))
    assert (shift.seconds, shift.confidence) == (hours * HOUR, "strong"), shift.why


def test_a_file_whose_node_was_not_hit_tells_nothing_in_a_recording_of_days(played: tuple[Sample, ...]) -> None:
    truth = played[0].truth
    untouched = {file.node for file in truth.metrics} - {move.node for move in truth.kpi_moves}
    evidence = days_of(played[0], HOUR)
    assert untouched
    for node in untouched:
        assert find_shift(evidence[node], windows_of(truth), run_of(truth)).seconds is None


def test_a_source_that_ends_too_early_is_not_called_shifted(played: tuple[Sample, ...]) -> None:
    run = run_of(played[0].truth)
    third = (run.end - run.start) / 3
    for times, kpis in played[0].files.values():
        kept = times < (run.start + third).timestamp() * SECOND
        cut = recording(times[kept], {kpi: values[kept] for kpi, values in kpis.items()})
        shift = find_shift(ShiftEvidence((cut,)), windows_of(played[0].truth), run)
        assert shift.seconds is None
        assert "33% of the run are covered" in shift.why


def test_a_source_with_gaps_is_found_by_what_it_covers(played: tuple[Sample, ...]) -> None:
    times, kpis = next(iter(played[0].files.values()))
    kept = (times // SECOND) % 600 < 400
    gappy = recording(times[kept] + HOUR * SECOND, {kpi: values[kept] for kpi, values in kpis.items()})
    shift = find_shift(ShiftEvidence((gappy,)), windows_of(played[0].truth), run_of(played[0].truth))
    assert (shift.seconds, shift.confidence) == (HOUR, "suggested")


def test_the_order_of_rows_does_not_matter(played: tuple[Sample, ...]) -> None:
    times, kpis = next(iter(played[0].files.values()))
    mixed = np.random.default_rng(0).permutation(len(times))
    straight, shuffled = recording(times, kpis), recording(times[mixed], {k: v[mixed] for k, v in kpis.items()})
    assert np.array_equal(straight.bins_us, shuffled.bins_us)
    for kpi, level in straight.levels.items():
        assert np.allclose(level, shuffled.levels[kpi])


# --- shifts of logs and traces --------------------------------------------------------------------------------------


def log_evidence(off_s: float, seed: int) -> tuple[ShiftEvidence, list[Window]]:
    """Return a day of log lines, 1 % of them errors, with 20 errors after each of four faults."""
    random = np.random.default_rng(seed)
    begin = RUN.start.timestamp()
    faults = begin + np.sort(random.uniform(300, 3000, 4))
    quiet = random.uniform(begin - 43_000, begin + 43_000, 20_000)
    bursts = np.concatenate([fault + random.uniform(1, 70, 20) for fault in faults])
    is_error = np.concatenate([random.random(len(quiet)) < 0.01, np.ones(len(bursts), dtype=bool)])
    times = ((np.concatenate([quiet, bursts]) + off_s) * SECOND).astype(np.int64)
    windows = [Window(from_epoch(fault), from_epoch(fault + 30)) for fault in faults]
    return ShiftEvidence((recording(times, is_error=is_error),)), windows


@pytest.mark.parametrize("hours", PLANTED_HOURS)
def test_bursts_of_errors_in_logs_tell_the_shift(hours: float) -> None:
    evidence, windows = log_evidence(hours * HOUR, seed=3)
    shift = find_shift(evidence, windows, RUN)
    assert (shift.seconds, shift.confidence) == (hours * HOUR, "strong"), shift.why


def test_logs_that_are_right_are_left_alone() -> None:
    for seed in range(20):
        evidence, windows = log_evidence(0, seed)
        assert find_shift(evidence, windows, RUN).seconds is None


def placed(off_s: float, iterations: int = 50) -> ShiftEvidence:
    starts = RUN.start.timestamp() + np.arange(iterations) * 25.0
    return ShiftEvidence(
        (), np.rint(np.stack([starts + 3 + off_s, starts, starts + 24], axis=1) * SECOND).astype(np.int64)
    )


@pytest.mark.parametrize("seconds", [one for one in CANDIDATES_S if one])
def test_traces_tell_every_shift_exactly(seconds: int) -> None:
    shift = find_shift(placed(seconds), [], RUN)
    assert (shift.seconds, shift.confidence) == (seconds, "exact")


def test_traces_that_lie_in_their_iterations_are_right() -> None:
    assert find_shift(placed(0), [], RUN).seconds is None


def test_traces_that_are_off_by_minutes_are_not_given_an_hour() -> None:
    assert find_shift(placed(11 * 60), [], RUN).seconds is None


def by_number(off_s: float, numbers: range) -> list[tuple[str, int]]:
    """Return a span in the middle of each of these iterations, which start every 25 s."""
    start = RUN.start.timestamp()
    return [(str(number), round((start + 25 * number + 12 + off_s) * SECOND)) for number in numbers]


def iterations_from(start_s: float, every_s: float, count: int = 40) -> dict[str, tuple[int, int]]:
    begin = RUN.start.timestamp() + start_s
    edges = [begin + every_s * number for number in range(count)]
    return {str(n): (round(edge * SECOND), round((edge + every_s) * SECOND)) for n, edge in enumerate(edges)}


def test_spans_that_carry_the_number_of_an_iteration_tell_the_shift_and_the_workload() -> None:
    workloads = [iterations_from(40_000, 3), iterations_from(0, 25)]
    placed_us = placed_by_number(by_number(2 * HOUR, range(20)), workloads)
    shift = find_shift(ShiftEvidence((), placed_us), [], RUN)
    assert (shift.seconds, shift.confidence) == (2 * HOUR, "exact")


def test_workloads_that_disagree_about_the_shift_tell_nothing() -> None:
    assert placed_by_number(by_number(0, range(20)), [iterations_from(0, 25), iterations_from(-HOUR, 25)]) is None


def test_numbers_of_few_iterations_tell_nothing() -> None:
    assert placed_by_number(by_number(0, range(4)), [iterations_from(0, 25)]) is None


# --- several files of a kind ----------------------------------------------------------------------------------------


def shifts_of(one: Sample, evidence: dict[str, ShiftEvidence]) -> dict[str, int | None]:
    windows, run = windows_of(one.truth), run_of(one.truth)
    parts = {name: (part, find_shift(part, windows, run)) for name, part in evidence.items()}
    return {name: shift.seconds for name, shift in find_shifts(parts, windows, run).items()}


def test_files_that_tell_nothing_by_themselves_are_decided_together(played: tuple[Sample, ...]) -> None:
    evidence = days_of(played[0], 2 * HOUR)
    untouched = {file.node for file in played[0].truth.metrics} - {move.node for move in played[0].truth.kpi_moves}
    assert untouched
    own = [find_shift(evidence[node], windows_of(played[0].truth), run_of(played[0].truth)) for node in evidence]
    found = shifts_of(played[0], evidence)
    assert set(found.values()) <= {2 * HOUR, None}
    # The only one that tells speaks for nobody else.
    assert (None in found.values()) is (sum(shift.seconds is not None for shift in own) == 1)


def test_one_file_that_is_off_says_nothing_of_the_others(played: tuple[Sample, ...]) -> None:
    evidence = evidence_of(played[0], 0)
    node = sorted(evidence)[0]
    evidence[node] = evidence_of(played[0], -HOUR)[node]
    assert shifts_of(played[0], evidence) == dict.fromkeys(evidence) | {node: -HOUR}


def test_a_short_file_follows_the_one_that_brings_it_into_the_run(played: tuple[Sample, ...]) -> None:
    evidence = evidence_of(played[0], -8 * HOUR)
    node = sorted(evidence)[0]
    middle = run_of(played[0].truth).start.timestamp() + 60 - 8 * HOUR
    short = ShiftEvidence((recording(us(middle, middle + 1)),))
    assert shifts_of(played[0], {"long": evidence[node], "short": short}) == {"long": -8 * HOUR, "short": -8 * HOUR}


def test_no_file_follows_where_none_is_off(played: tuple[Sample, ...]) -> None:
    for recorded in (evidence_of, days_of):
        evidence = recorded(played[0], 0)
        assert shifts_of(played[0], evidence) == dict.fromkeys(evidence)


def test_the_parts_of_a_file_are_one_recording() -> None:
    times = us(*range(100, 160))
    values, errors = np.arange(60.0), np.arange(60) % 7 == 0
    whole = recording(times, {"cpu.user": values}, errors)
    parts = [recording(times[at], {"cpu.user": values[at]}, errors[at]) for at in (slice(0, 30), slice(30, 60))]
    found = joined(parts)
    np.testing.assert_array_equal(found.bins_us, whole.bins_us)
    np.testing.assert_array_equal(found.levels["cpu.user"], whole.levels["cpu.user"])
    np.testing.assert_array_equal(found.errors, whole.errors)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "evidence",
    [
        NO_EVIDENCE,
        ShiftEvidence((recording(us(), {"cpu.user": np.asarray([])}),)),
        ShiftEvidence((recording(us(1_574_200_000), {"cpu.user": np.asarray([np.nan])}, np.asarray([True])),)),
        ShiftEvidence((recording(us(*range(1_574_190_000, 1_574_210_000)), {"cpu.user": np.full(20_000, 3.0)}),)),
        ShiftEvidence((), np.zeros((0, 3), dtype=np.int64)),
    ],
    ids=["nothing", "no rows", "one row without a value", "a level that never moves", "no traces"],
)
def test_too_little_evidence_suggests_nothing(evidence: ShiftEvidence) -> None:
    windows = [Window(RUN.start, RUN.start)]
    assert find_shift(evidence, windows, RUN).seconds is None
    assert find_shift(evidence, [], RUN).seconds is None
