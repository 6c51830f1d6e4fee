"""Why a row has its labels: said injection by injection, and the same as what the labels were made by."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faultset.labels.windows import PHASES, Command, NodeWindow, NodeWindows, Policy, segments
from faultset.release.row_reasons import reasons

SECOND = 1_000_000


@st.composite
def commands(draw: st.DrawFn) -> tuple[Command, ...]:
    found = []
    for number in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, 12)) * SECOND // 2
        end = start + draw(st.integers(1, 8)) * SECOND // 2
        start_doubt, end_doubt = (draw(st.sampled_from([0, SECOND])) for _ in range(2))
        found.append(Command(f"i{number}", start, start + start_doubt, end, end + end_doubt))
    return tuple(sorted(found, key=lambda one: (one.start, one.injection_id)))


@st.composite
def experiments(draw: st.DrawFn) -> NodeWindows:
    told = draw(commands())
    here = {}
    for command in told:
        if draw(st.booleans()):
            moved = draw(st.booleans())
            end = command.end + draw(st.integers(0, 6)) * SECOND // 2
            impacts = (("mem.used", command.start, end),) if moved else ()
            here[command.injection_id] = NodeWindow(True, end if moved else None, impacts)
    policy = Policy(
        guard_before_s=draw(st.sampled_from([0.0, 1.5])), cooldown_after_s=draw(st.sampled_from([0.0, 2.0]))
    )
    return NodeWindows(told, {"node": here}, policy)


@settings(max_examples=400, deadline=None)
@given(experiments(), st.integers(-4, 40), st.sampled_from([0.0, 0.001, 1.0]), st.sampled_from(["node", "elsewhere"]))
def test_the_reasons_are_those_of_the_labels(told: NodeWindows, half_seconds: int, doubt_s: float, node: str) -> None:
    us = half_seconds * SECOND // 2
    labels = segments(told, node, doubt_s)
    place = int(labels.of(np.array([us]))[0])
    found = reasons(told, node, us, doubt_s)
    covering = [reason for reason in found if reason.part]
    assert tuple(reason.injection_id for reason in covering) == labels.injection_ids[place]
    assert any(reason.doubt for reason in found) == labels.is_boundary[place]
    assert any(reason.concerns for reason in covering) == labels.is_anomalous[place]
    assert tuple(sorted({kpi for reason in found for kpi in reason.kpis})) == labels.impacted_kpis[place]
    parts = {reason.part for reason in covering}
    phase = "injection" if "command" in parts else "recovery" if "recovery" in parts else "normal"
    assert phase == PHASES[labels.phase[place]]


def test_a_row_within_the_uncertainty_of_a_start_says_so() -> None:
    told = NodeWindows((Command("i", 10 * SECOND, 11 * SECOND, 40 * SECOND, 41 * SECOND),), {})
    (reason,) = reasons(told, "node", 10 * SECOND, 1.0)
    assert reason.doubt.startswith("it may have started after the row")
    assert not reason.concerns
