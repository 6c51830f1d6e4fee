"""Windows on rows: the rules stated row by row, and the segments that must say the same."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import truth_rows
from faultset.labels.windows import PHASES, Policy, Segments, segments, windows
from faultset.tables import ImpactRow, InjectionRow, TargetRow

BEGIN = dt.datetime(2019, 11, 19, 22, 0, tzinfo=dt.UTC)
BEGIN_US = int(BEGIN.timestamp()) * 1_000_000


CLUSTER = ("ctl1", "wally113", "wally117", "wally122")


def at(seconds: float) -> dt.datetime:
    return BEGIN + dt.timedelta(seconds=seconds)


def injection(name: str, start: float, end: float, *, unsure_s: float = 0.0) -> InjectionRow:
    return truth_rows.injection(name, at(start), at(end), start_uncertainty_s=unsure_s, end_uncertainty_s=unsure_s)


def target(
    name: str,
    node: str,
    *,
    effective: bool | None = True,
    commanded: bool | None = True,
    container: str = "nova_compute",
) -> TargetRow:
    return truth_rows.target(name, node, effective=effective, commanded=commanded, container=container)


def impact(
    name: str, node: str, start: float, end: float, *, kpi: str = "mem.used", source: str = "detected"
) -> ImpactRow:
    return ImpactRow(name, node, kpi, at(start), at(end), "up", source, "test", None, None)


@dataclass(frozen=True)
class Row:
    phase: str
    anomalous: bool
    boundary: bool
    ids: tuple[str, ...]
    kpis: tuple[str, ...]
    own: tuple[str, ...] = ()


def row_of(found: Segments, us: int) -> Row:
    place = int(found.of(np.array([us]))[0])
    return Row(
        PHASES[found.phase[place]],
        bool(found.is_anomalous[place]),
        bool(found.is_boundary[place]),
        found.injection_ids[place],
        found.impacted_kpis[place],
        found.node_injection_ids[place],
    )


def look(
    seconds: float,
    injections: list[InjectionRow],
    targets: list[TargetRow] | None = None,
    impacts: list[ImpactRow] = (),  # type: ignore[assignment]
    *,
    node: str = "wally117",
    unsure_s: float = 0.0,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    nodes: tuple[str, ...] | None = CLUSTER,
) -> Row:
    """Label a row; without ``targets``, each injection acted on another node."""
    if targets is None:
        targets = [target(one.injection_id, "ctl1") for one in injections]
    found = segments(windows(injections, targets, impacts, policy, nodes), node, unsure_s)
    return row_of(found, BEGIN_US + round(seconds * 1e6))


def test_a_row_on_a_target_inside_of_the_command_is_anomalous_and_carries_the_id() -> None:
    row = look(50, [injection("a", 10, 60)], [target("a", "wally117")])
    assert row == Row("injection", True, False, ("a",), (), ("a",))


def test_a_row_elsewhere_is_in_the_injection_phase_but_not_anomalous() -> None:
    row = look(50, [injection("a", 10, 60)], [target("a", "wally117")], node="wally113")
    assert row == Row("injection", False, False, ("a",), ())


def test_a_window_is_half_open() -> None:
    one = [injection("a", 10, 60)]
    assert look(10, one).phase == "injection"
    assert look(59.999999, one).phase == "injection"
    assert look(60, one) == Row("normal", False, False, (), ())


def test_a_whole_second_is_covered_where_a_part_of_it_may_be_and_a_boundary_row_then() -> None:
    one = [injection("a", 10.5, 60.5)]
    assert look(9, one, unsure_s=1.0).phase == "normal"
    assert look(10, one, unsure_s=1.0) == Row("injection", False, True, ("a",), ())
    assert look(11, one, unsure_s=1.0) == Row("injection", False, False, ("a",), ())
    assert look(59, one, unsure_s=1.0).boundary is False
    assert look(60, one, unsure_s=1.0) == Row("injection", False, True, ("a",), ())
    assert look(61, one, unsure_s=1.0).phase == "normal"


def test_ends_known_to_a_second_make_boundary_rows_of_exact_ones() -> None:
    one = [injection("a", 10, 60, unsure_s=1.0)]
    assert [look(at_s, one).boundary for at_s in (9.9, 10, 10.9, 11, 59.9, 60, 60.9, 61)] == [
        *(False, True, True, False),
        *(False, True, True, False),
    ]
    assert look(60.9, one).phase == "injection"


def test_a_window_too_short_for_its_uncertainty_is_all_boundary() -> None:
    one = [injection("a", 10, 10, unsure_s=1.0)]
    assert look(10.5, one) == Row("injection", False, True, ("a",), ())


def test_an_exact_injection_of_no_length_is_the_moment_it_stands_at() -> None:
    one = [injection("a", 10, 10)]
    assert look(10, one) == Row("injection", False, False, ("a",), ())
    assert look(10.000001, one).phase == "normal"


def test_recovery_lasts_until_the_last_impact_on_this_node_ends() -> None:
    case = (
        [injection("a", 10, 60)],
        [target("a", "wally117")],
        [impact("a", "wally117", 12, 90), impact("a", "wally117", 30, 200, kpi="cpu.user")],
    )
    assert look(59, *case).phase == "injection"
    assert look(60, *case) == Row("recovery", True, False, ("a",), ("cpu.user", "mem.used"), ("a",))
    assert look(199, *case) == Row("recovery", True, False, ("a",), ("cpu.user",), ("a",))
    assert look(200, *case) == Row("normal", False, False, (), ())
    assert look(100, *case, node="wally122").phase == "normal"


def test_recovery_is_limited() -> None:
    case = ([injection("a", 10, 60)], [], [impact("a", "wally117", 12, 5000)])
    assert look(959, *case).phase == "recovery"
    assert look(960, *case).phase == "normal"
    assert look(960, *case).kpis == ("mem.used",)
    assert look(90, *case, policy=Policy(recovery_limit_s=30)).phase == "normal"


def test_a_detected_impact_counts_before_a_reviewed_one() -> None:
    both = [impact("a", "wally117", 12, 90), impact("a", "wally117", 12, 300, source="reviewed")]
    assert look(100, [injection("a", 10, 60)], [], both).phase == "normal"
    assert look(100, [injection("a", 10, 60)], [], both[1:]).phase == "recovery"


def test_an_impact_makes_rows_of_a_node_anomalous_that_was_no_target() -> None:
    case = ([injection("a", 10, 60)], [target("a", "wally117")], [impact("a", "wally113", 12, 40)])
    assert look(50, *case, node="wally113").anomalous is True
    assert look(50, *case, node="wally122").anomalous is False


@pytest.mark.parametrize(
    ("effective", "commanded", "concerned"),
    [
        (True, True, True),
        (True, None, True),
        (None, True, True),
        (None, None, True),
        (None, False, False),
        (False, True, False),
    ],
)
def test_what_is_unknown_counts_as_concerned(
    *, effective: bool | None, commanded: bool | None, concerned: bool
) -> None:
    """Trap: a hook that went to a node without the container did nothing there; one that nobody saw may have."""
    targets = [target("a", "wally117", effective=effective, commanded=commanded)]
    assert look(50, [injection("a", 10, 60)], targets).anomalous is concerned


def test_an_injection_that_nobody_knows_the_place_of_may_have_acted_on_every_node_of_the_cluster() -> None:
    """Trap: nothing is known of where it acted, and rows called undisturbed would be a claim that nobody can make."""
    lost, known = injection("lost", 10, 60), injection("known", 10, 60)
    targets = [target("known", "wally113")]
    assert look(50, [known, lost], targets).own == ("lost",)
    assert look(50, [known, lost], targets, node="wally113").own == ("known", "lost")
    assert look(50, [known, lost], targets, node="a-stranger").own == ()
    assert look(50, [known, lost], targets, node="any", nodes=None).own == ("lost",)


def test_an_injection_that_acted_on_nothing_concerns_no_node() -> None:
    refused = truth_rows.injection("a", at(10), at(60), effect="none")
    assert look(50, [refused], []) == Row("injection", False, False, ("a",), ())


def test_overlapping_injections_are_all_named_in_order_of_start() -> None:
    """Trap: one moment can belong to several injections, of several experiments."""
    three = [injection("z", 10, 60), injection("a", 20, 50), injection("m", 10, 30)]
    row = look(25, three, [target("a", "wally117"), target("m", "wally117"), target("z", "wally113")])
    assert row.ids == ("m", "z", "a")
    assert row.own == ("m", "a")
    assert row.anomalous is True


def test_a_command_elsewhere_wins_over_recovery_and_both_are_named() -> None:
    case = (
        [injection("a", 10, 60), injection("b", 70, 80)],
        [target("b", "wally122")],
        [impact("a", "wally117", 12, 100)],
    )
    assert look(75, *case) == Row("injection", True, False, ("a", "b"), ("mem.used",), ("a",))
    assert look(85, *case).phase == "recovery"


def test_guard_and_cooldown_are_boundary_rows_and_no_phase() -> None:
    chosen = Policy(guard_before_s=5, cooldown_after_s=7)
    case = ([injection("a", 10, 60)], [target("a", "wally117")], [impact("a", "wally117", 12, 90)])
    assert look(6, *case, policy=chosen) == Row("normal", False, True, (), ())
    assert look(4, *case, policy=chosen).boundary is False
    assert look(70, *case, policy=chosen).boundary is False
    assert look(96, *case, policy=chosen) == Row("normal", False, True, (), ())
    assert look(97, *case, policy=chosen).boundary is False
    assert look(66, *case, policy=chosen, node="wally122").boundary is True


def test_a_policy_of_negative_seconds_is_refused() -> None:
    with pytest.raises(ValueError, match="recovery_limit_s"):
        Policy(recovery_limit_s=-1)


def test_without_injections_every_row_is_normal() -> None:
    assert look(0, []) == Row("normal", False, False, (), ())


# --- the rules, stated naively --------------------------------------------------------------------------------------

TENTHS = st.integers(0, 300).map(lambda tenths: tenths / 10)
UNSURE = st.sampled_from([0.0, 0.001, 0.7, 1.0])
NODES = ("n1", "n2")


@st.composite
def experiments(draw: st.DrawFn) -> tuple[list[InjectionRow], list[TargetRow], list[ImpactRow]]:
    injections, targets, impacts = [], [], []
    for number in range(draw(st.integers(0, 4))):
        start = draw(TENTHS)
        name = f"i{number}"
        injections.append(injection(name, start, start + draw(TENTHS), unsure_s=draw(UNSURE)))
        for node in NODES:
            truth = st.sampled_from([None, True, False])
            if draw(st.booleans()):
                targets.append(target(name, node, effective=draw(truth), commanded=draw(truth)))
            for kpi in draw(st.sets(st.sampled_from(["cpu.user", "mem.used"]))):
                begin = start + draw(TENTHS)
                source = draw(st.sampled_from(["detected", "reviewed"]))
                impacts.append(impact(name, node, begin, begin + draw(TENTHS), kpi=kpi, source=source))
    return injections, targets, impacts


def us(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def naive(
    t: int,
    node: str,
    case: tuple[list[InjectionRow], list[TargetRow], list[ImpactRow]],
    *,
    row_us: int,
    policy: Policy,
) -> Row:
    injections, targets, impacts = case
    command, recovery, boundary, own = [], [], False, []
    kpis: set[str] = set()
    for one in sorted(injections, key=lambda one: (one.started_at, one.injection_id)):
        start, end = us(one.started_at), us(one.ended_at)
        start_unsure, end_unsure = round(one.start_uncertainty_s * 1e6), round(one.end_uncertainty_s * 1e6)
        if start == end and not start_unsure and not end_unsure:
            end += 1
        here = [i for i in impacts if (i.injection_id, i.node) == (one.injection_id, node)]
        here = [i for i in here if i.source == "detected"] or here
        may = (t + row_us > start if row_us else t >= start) and t < end + end_unsure
        must = t >= start + start_unsure and (t + row_us <= end if row_us else t < end)
        boundary |= may and not must
        over = end + end_unsure
        recovering = False
        if here:
            back = min(max(us(i.ended_at) for i in here), end + round(policy.recovery_limit_s * 1e6))
            recovering = end + end_unsure <= t < back
            boundary |= recovering and row_us > 0 and t + row_us > back
            over = max(over, back)
        command += [one.injection_id] if may else []
        recovery += [one.injection_id] if recovering else []
        acted = any(
            x.effective is True or (x.effective is None and x.commanded is not False)
            for x in targets
            if (x.injection_id, x.node) == (one.injection_id, node)
        )
        lost = all(x.injection_id != one.injection_id for x in targets)
        own += [one.injection_id] if (may or recovering) and (acted or here or lost) else []
        guard, cooldown = round(policy.guard_before_s * 1e6), round(policy.cooldown_after_s * 1e6)
        before = t + row_us > start - guard if row_us else t >= start - guard
        not_yet = not (t + row_us > start if row_us else t >= start)
        boundary |= (guard > 0 and before and not_yet) or over <= t < over + cooldown
        kpis |= {i.kpi for i in here if us(i.started_at) <= t < us(i.ended_at)}
    phase = "injection" if command else "recovery" if recovery else "normal"
    order = [one.injection_id for one in sorted(injections, key=lambda one: (one.started_at, one.injection_id))]
    ids = tuple(name for name in order if name in command or name in recovery)
    return Row(phase, bool(own), boundary, ids, tuple(sorted(kpis)), tuple(own))


@given(
    case=experiments(),
    unsure_s=UNSURE,
    guard_s=st.sampled_from([0.0, 2.0]),
    limit_s=st.sampled_from([0.0, 5.0, 900.0]),
    tenths=st.lists(st.integers(-50, 1000), min_size=1, max_size=20),
)
@example(case=([injection("i0", 5, 5)], [target("i0", "n1")], []), unsure_s=1.0, guard_s=0.0, limit_s=5.0, tenths=[50])
def test_segments_agree_with_the_rules_stated_row_by_row(
    case: tuple[list[InjectionRow], list[TargetRow], list[ImpactRow]],
    unsure_s: float,
    guard_s: float,
    limit_s: float,
    tenths: list[int],
) -> None:
    policy = Policy(recovery_limit_s=limit_s, guard_before_s=guard_s, cooldown_after_s=guard_s)
    found = {node: segments(windows(*case, policy, NODES), node, unsure_s) for node in NODES}
    for node, parts in found.items():
        edges = [int(start) + step for start in parts.starts[1:] for step in (-1, 0)]
        for t in [*(BEGIN_US + tenth * 100_000 for tenth in tenths), *edges]:
            assert row_of(parts, t) == naive(t, node, case, row_us=round(unsure_s * 1e6), policy=policy)


@given(case=experiments(), unsure_s=UNSURE)
def test_segments_start_before_all_rows_and_ascend(
    case: tuple[list[InjectionRow], list[TargetRow], list[ImpactRow]], unsure_s: float
) -> None:
    found = segments(windows(*case, Policy()), "n1", unsure_s)
    assert found.starts[0] == np.iinfo(np.int64).min
    assert (np.diff(found.starts.astype(object)) > 0).all()
    assert len(found.starts) == len(found.phase) == len(found.injection_ids) == len(found.impacted_kpis)
    assert len(found.starts) == len(found.node_injection_ids) == len(found.is_anomalous)
