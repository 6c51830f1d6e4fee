"""What a fault did to the system, and which injection a reviewed impact belongs to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import truth_rows
from faultset.errors import InputError
from faultset.moments import Window, from_epoch
from faultset.sources.reviewed_impacts import read_reviewed_impacts
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, IterationRow, TargetRow
from faultset.truth.outcome import Load, assigned, outcome_of, outcomes


def at(second: float):
    return from_epoch(1_574_000_000 + second)


def injection(identity: str = "i", start: float = 100, end: float = 130) -> InjectionRow:
    return truth_rows.injection(identity, at(start), at(end))


def target(node: str = "cmp1", effective: bool | None = True) -> TargetRow:
    return truth_rows.target("i", node, effective=effective)


def impact(node: str = "cmp1") -> ImpactRow:
    return ImpactRow("i", node, "mem.used", at(100), at(140), "down", "detected", "edge-medians/1", 9.0, 0.001)


def asked(kpi: str = "mem.used", node: str = "cmp1", detectable_sd: float | None = 2.5, **changed) -> ImpactTestRow:
    test = ImpactTestRow("i", node, kpi, "metrics", True, None, 0.4, 0.9, 1.0, False, detectable_sd)
    return dataclasses.replace(test, **changed)


def iterations(
    failing: range = range(0), slow: range = range(0), workload: str = "w", usual_s: float = 5.0
) -> list[IterationRow]:
    return [
        IterationRow(
            workload,
            n + 1,
            at(n * 5),
            at(n * 5 + (40 if n in slow else 5)),
            40.0 if n in slow else usual_s + n % 3 * 0.1,
            0.0,
            n in failing,
            "E: x" if n in failing else None,
            None,
            [],
            False,
        )
        for n in range(40)
    ]


def test_an_injection_that_moved_nothing_is_kept_and_called_so():
    assert outcome_of(injection(), [injection()], [target()], [], Load.by_workload(iterations()))[0] == "no_effect"


def reason_of_no_effect(*tests: ImpactTestRow) -> str:
    loads = Load.by_workload(iterations())
    what, why = outcome_of(injection(), [injection()], [target()], [], loads, tests=tests)
    assert what == "no_effect"
    return why


def test_no_effect_says_how_large_a_move_could_have_hidden_on_the_targets():
    why = reason_of_no_effect(asked("a"), asked("b", detectable_sd=7.25), asked("c"), asked("d", "ctl1", 99.0))
    assert "below 2.5 sd in the median of 3 tests, below 7.25 sd in b of cmp1" in why
    assert "99" not in why


def test_no_effect_says_where_nothing_is_known_of_what_could_have_hidden():
    assert "any move could have hidden" in reason_of_no_effect()
    assert "is not known" in reason_of_no_effect(asked(detectable_sd=None))
    assert "in 1 it is not known" in reason_of_no_effect(asked("a"), asked("b", detectable_sd=None))


def test_no_effect_says_what_could_not_be_tested():
    missing = asked("cpu.user", tested=False, why_not="it is constant", p_value=None, detectable_sd=None)
    assert reason_of_no_effect(asked(), missing).endswith("not tested: cpu.user of cmp1 (it is constant)")


def test_requests_that_felt_it_elsewhere_make_it_visible_and_do_not_contaminate_it():
    felt = dataclasses.replace(impact("ctl1"), kpi="span_duration.nova", source_kind="traces", direction="up")
    what, why = outcome_of(injection(), [injection()], [target()], [felt], Load.by_workload(iterations()))
    assert what == "visible"
    assert "span_duration.nova of ctl1 went up" in why


def test_a_load_that_slowed_is_visible_also_where_its_iterations_alone_do_not_tell():
    felt = dataclasses.replace(impact("boot.0"), kpi="iteration_duration", source_kind="workload", direction="up")
    what, why = outcome_of(injection(), [injection()], [target()], [felt], Load.by_workload(iterations()))
    assert (what, "iteration_duration of boot.0" in why) == ("visible", True)


def test_moved_kpis_of_targets_are_local():
    what, why = outcome_of(injection(), [injection()], [target()], [impact()], Load.by_workload(iterations()))
    assert what == "local"
    assert "mem.used of cmp1" in why


def test_failed_iterations_make_it_visible():
    what, why = outcome_of(
        injection(), [injection()], [target()], [impact()], Load.by_workload(iterations(failing=range(21, 25)))
    )
    assert what == "visible"
    assert "iterations failed" in why


def test_slow_iterations_make_it_visible():
    what, why = outcome_of(injection(), [injection()], [target()], [], Load.by_workload(iterations(slow=range(18, 27))))
    assert (what, "instead of" in why) == ("visible", True)


def test_a_workload_is_held_against_its_own_iterations():
    before = [row for row in iterations(usual_s=0.5) if row.ended_at <= at(100)]
    during = [row for row in iterations(workload="next") if row.started_at >= at(100)]
    loads = Load.by_workload([*before, *during])
    assert outcome_of(injection(), [injection()], [target()], [], loads)[0] == "no_effect"


def test_every_injection_is_decided_by_what_is_its_own():
    other = injection("other", 10, 20)
    found = outcomes([injection(), other], [target()], [impact()], iterations())
    assert {identity: what for identity, (what, _) in found.items()} == {"i": "local", "other": "no_effect"}


def test_an_overlapping_injection_contaminates():
    one, other = injection(), injection("other", 120, 150)
    what, why = outcome_of(one, [one, other], [target()], [impact()], Load.by_workload(iterations()))
    assert (what, why) == ("contaminated", "other overlaps it")


def test_kpis_that_moved_only_elsewhere_are_a_disturbance():
    assert (
        outcome_of(injection(), [injection()], [target()], [impact("ctl1")], Load.by_workload(iterations()))[0]
        == "contaminated"
    )


def test_a_reviewed_impact_belongs_to_the_nearest_injection_that_it_can_belong_to():
    near, far = injection("near", 100, 130), injection("far", 700, 720)
    assert assigned("cmp1", "mem.used", Window(at(104), at(300)), [far, near])[0] == "near"
    assert assigned("cmp1", "mem.used", Window(at(9_000), at(9_010)), [far, near])[0] == ""


def test_trap_odd_fractions_load_and_epoch_seconds_win_over_text(tmp_path: Path):
    path = tmp_path / "impacts.csv"
    path.write_text(
        "anomaly_type,node_name,metric_name,start_time,start_timestamp,end_time,end_timestamp\n"
        "network,wally113,mem.used,2019-11-19 21:07:04.7866461 CEST,1574194024.7866461,"
        "2019-11-19 21:09:54 CEST,1574194194.0\n\n"
    )
    [found] = read_reviewed_impacts(str(path))
    assert found.started_at.isoformat() == "2019-11-19T20:07:04.786646+00:00"


def test_the_simple_form_with_iso_times(tmp_path: Path):
    path = tmp_path / "impacts.csv"
    path.write_text("node,kpi,start,end\ncmp1,cpu.user,2019-11-19T21:07:04.7866461+01:00,2019-11-19T20:08:00Z\n")
    [found] = read_reviewed_impacts(str(path))
    assert (found.node, found.kpi, found.ended_at.minute) == ("cmp1", "cpu.user", 8)


@pytest.mark.parametrize(
    "text",
    [
        "node,kpi,start\na,b,1574194024\n",
        "node,kpi,start,end\na,b,noon,1574194024\n",
        "node,kpi,start,end\na,b,2019-11-19 21:07:04,2019-11-19 21:08:04\n",
        "node,kpi,start,end\na,b,1574194124,1574194024\n",
        "node,kpi,start,end\n,b,1574194024,1574194024\n",
        'node,kpi,start,end\na,"b,1574194024,1574194024\n',
    ],
)
def test_a_wrong_file_names_the_line(tmp_path: Path, text: str):
    path = tmp_path / "impacts.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"impacts\.csv:\d"):
        read_reviewed_impacts(str(path))
