"""One report mixes UTC and local time, and an iteration's overlap is decided by interval."""

from __future__ import annotations

import dataclasses
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

import truth_rows
from faultset.moments import UTC, Instant, from_epoch
from faultset.records.run import HookResult, IterationError, Iterations, Workload
from faultset.tables import InjectionRow
from faultset.truth.clock import offset_of_errors, utc_times
from faultset.truth.iterations import InjectionIndex, iteration_rows

START = dt.datetime(2019, 11, 19, 17, 38, 50, tzinfo=UTC)


def fired(value: float, at: dt.datetime) -> HookResult:
    return HookResult(0, "sys_call", None, "iteration", value, Instant(at, 1.0), Instant(at, 1.0), "success")


def workload(errors: dict[int, dt.datetime], results: tuple[HookResult, ...], hours: float) -> Workload:
    return Workload(
        name="GlanceImages.create_and_delete_image",
        position=0,
        uuid="2ed58728-7491-405d-9a12-80c2ae6284ea",
        created_at=START - dt.timedelta(seconds=4),
        runner="constant",
        times=1000,
        concurrency=3,
        iterations_count=1000,
        failed_count=len(errors),
        started_at=None,
        load_duration_s=hours * 3600,
        full_duration_s=hours * 3600 + 9,
        sla_passed=True,
        sla=(),
        hooks=(),
        results=results,
        charted_hooks={},
        iterations=Iterations(error_local_times=errors),
    )


def local(moment: dt.datetime, offset_h: float) -> dt.datetime:
    return (moment + dt.timedelta(hours=offset_h)).replace(tzinfo=None)


def test_trap_an_errors_timestamp_is_local_time_of_the_rendering_machine():
    failed = START + dt.timedelta(minutes=15)
    found = workload({248: local(failed, 1)}, (fired(250, failed + dt.timedelta(seconds=2)),), hours=0.5)
    assert offset_of_errors(found)[0] == 3600
    assert utc_times(found)[0] == {248: failed}


def test_the_order_that_hooks_prescribe_tells_offsets_apart_in_a_long_run():
    first, second = START + dt.timedelta(minutes=70), START + dt.timedelta(minutes=135)
    errors = {249: local(first, 5.5), 251: local(first + dt.timedelta(seconds=9), 5.5), 501: local(second, 5.5)}
    found = workload(errors, (fired(250, first), fired(500, second)), hours=3.4)
    assert offset_of_errors(found)[0] == int(5.5 * 3600)


def test_the_durations_of_the_iterations_between_tell_offsets_apart():
    """Iteration 498 starts 66 minutes after the hook at 250 where three at a time take 48 s each, not 8 minutes."""
    first, second = START + dt.timedelta(minutes=66), START + dt.timedelta(minutes=134)
    hooks = (fired(250, first), fired(500, second))
    found = workload({248: local(first, 0), 498: local(second - dt.timedelta(seconds=19), 0)}, hooks, hours=3.4)
    assert offset_of_errors(found)[0] is None
    series = Iterations(
        number=list(range(1, 1001)),
        started_at=[float("nan")] * 1000,
        duration_s=[48.0] * 1000,
        idle_s=[1.0] * 1000,
        error_local_times=found.iterations.error_local_times,
    )
    assert offset_of_errors(dataclasses.replace(found, iterations=series))[0] == 0


def test_where_several_offsets_fit_none_is_taken():
    found = workload({700: local(START + dt.timedelta(hours=2), 1)}, (), hours=5)
    times, why = utc_times(found)
    assert times == {}
    assert "offsets" in why


def injection(identity: str, start: float, end: float, uncertainty: float = 0.0) -> InjectionRow:
    return truth_rows.injection(
        identity,
        from_epoch(1000 + start),
        from_epoch(1000 + end),
        start_uncertainty_s=uncertainty,
        end_uncertainty_s=uncertainty,
    )


def rows(spans: list[tuple[float, float]], injections: list[InjectionRow]):
    series = Iterations(
        number=list(range(1, len(spans) + 1)),
        started_at=[1000 + start for start, _ in spans],
        duration_s=[end - start for start, end in spans],
        idle_s=[0.0] * len(spans),
        errors={1: IterationError("NewConnectionError", "refused")},
    )
    found = dataclasses.replace(workload({}, (), 1), iterations=series)
    return list(iteration_rows(found, "w", InjectionIndex(injections), {}))


def test_trap_an_iteration_that_starts_before_its_hook_and_overlaps_it_belongs_to_it():
    [row] = rows([(8.75, 15.0)], [injection("i", 10, 13)])
    assert row.injection_ids == ["i"]
    assert row.failed
    assert row.error == "NewConnectionError: refused"


def test_one_moment_can_belong_to_several_injections():
    [row] = rows([(12, 13)], [injection("a", 10, 20), injection("b", 5, 30), injection("c", 14, 15)])
    assert row.injection_ids == ["b", "a"]


def test_half_open_spans_that_touch_do_not_overlap():
    before, after = rows([(5, 10), (20, 25)], [injection("i", 10, 20)])
    assert (before.injection_ids, after.injection_ids) == ([], [])


def test_what_the_uncertainty_of_an_end_decides_is_a_boundary():
    touching, inside = rows([(20.5, 22), (12, 13)], [injection("i", 10, 20, uncertainty=1.0)])
    assert (touching.injection_ids, touching.is_boundary) == (["i"], True)
    assert (inside.injection_ids, inside.is_boundary) == (["i"], False)


def test_an_iteration_of_unknown_time_is_not_called_free_of_injections():
    series = Iterations([1], [float("nan")], [1.0], [float("nan")])
    found = dataclasses.replace(workload({}, (), 1), iterations=series)
    [row] = iteration_rows(found, "w", InjectionIndex([injection("i", 0, 9)]), {})
    assert row.injection_ids is None
    assert row.started_at is None


def test_trap_an_iteration_lasts_its_duration_and_its_idle_time():
    series = Iterations([1], [1000.0], [2.0], [1.0])
    found = dataclasses.replace(workload({}, (), 1), iterations=series)
    [row] = iteration_rows(found, "w", InjectionIndex([]), {})
    assert row.ended_at == from_epoch(1003.0)


spans = st.tuples(st.integers(0, 200), st.integers(0, 40)).map(lambda s: (float(s[0]), float(s[0] + s[1])))


@given(st.lists(spans, max_size=12), spans)
def test_the_index_finds_what_a_look_at_every_injection_finds(windows: list[tuple[float, float]], span):
    injections = [injection(f"i{n}", start, end) for n, (start, end) in enumerate(windows)]
    start, end = from_epoch(1000 + span[0]), from_epoch(1000 + span[1])
    expected = {i.injection_id for i in injections if i.started_at < end and start < i.ended_at}
    assert set(InjectionIndex(injections).overlapping(start, end).ids) == expected
