"""Planned is not fired, and not seen is not "did not fire"."""

from __future__ import annotations

import pytest

from faultset.records.run import HookPlan, Iterations, TriggerPlan, Workload
from faultset.truth.triggers import PlannedTrigger, outcome, planned_values


def workload(iterations: int = 100, duration: float = 50.0, charted: dict[int, int] | None = None) -> Workload:
    return Workload(
        name="Dummy.dummy",
        position=0,
        uuid=None,
        created_at=None,
        runner="constant",
        times=iterations,
        concurrency=1,
        iterations_count=iterations,
        failed_count=0,
        started_at=None,
        load_duration_s=duration,
        full_duration_s=duration,
        sla_passed=True,
        sla=(),
        hooks=(),
        results=(),
        charted_hooks=charted or {},
        iterations=Iterations(),
    )


def planned(value: float, unit: str = "iteration", name: str = "sys_call") -> PlannedTrigger:
    plan = TriggerPlan("event", unit, at=(value,))
    return PlannedTrigger(HookPlan(0, name, "sh ./restart.sh", None, plan), unit, value)


def test_periodic_trigger_fires_from_start_by_step_up_to_and_including_end():
    assert planned_values(TriggerPlan("periodic", "iteration", start=5, step=10, end=30), 100, 9.0) == (5, 15, 25)
    assert planned_values(TriggerPlan("periodic", "iteration", start=5, step=5, end=15), 100, 9.0) == (5, 10, 15)


def test_open_periodic_trigger_ends_with_the_run():
    assert planned_values(TriggerPlan("periodic", "iteration", start=1, step=5), 11, 9.0) == (1, 6, 11)
    assert planned_values(TriggerPlan("periodic", "time", start=0, step=2), 11, 5.9) == (0, 2, 4)


def test_event_list_is_taken_whole_sorted_and_without_repeats():
    assert planned_values(TriggerPlan("event", "iteration", at=(9, 3, 9)), 1, None) == (3, 9)


def test_trap_planned_is_not_fired_beyond_the_last_iteration():
    what, why = outcome(planned(101), None, "report", workload(iterations=100))
    assert what == "not_reached"
    assert "after 100" in why


@pytest.mark.parametrize("name", ["fault_injection", "sys_call"])
def test_trap_a_hook_without_output_is_invisible_in_html(name: str):
    what, why = outcome(planned(10, name=name), None, "report", workload())
    assert what == "not_observable"
    assert "hides" in why


def test_result_json_lists_every_firing_so_what_it_lacks_did_not_fire():
    assert outcome(planned(10), None, "results", workload())[0] == "not_reached"


def test_trap_additive_only_output_has_no_times():
    what, why = outcome(planned(10), None, "report", workload(charted={0: 1}))
    assert what == "not_observable"
    assert "no times" in why


def test_trap_a_trigger_over_time_may_fire_after_the_last_iteration():
    assert outcome(planned(52, unit="time"), None, "report", workload(duration=50.0))[0] == "not_observable"
    assert outcome(planned(500, unit="time"), None, "report", workload(duration=50.0))[0] == "not_reached"


def test_a_task_whose_context_failed_reached_nothing():
    assert outcome(planned(0, unit="time"), None, "report", workload(iterations=0))[0] == "not_reached"
