"""The page of a verdict: what comes first, what it links to, and a timeline on which overlaps can be told apart."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from faultset.inbox import page, timeline
from faultset.inbox.verdicts import Remark, Verdict

NOON = dt.datetime(2025, 11, 19, 12, tzinfo=dt.UTC)
SHA = "ab" * 32


def at(second: float) -> str:
    return (NOON + dt.timedelta(seconds=second)).isoformat()


def workload(identity: str, name: str = "Nova.boot", **other: Any) -> dict[str, Any]:
    known = {"runner": "constant", "iterations": 60, "failed_iterations": 2, "position": 0}
    times = {"started_at": at(0), "ended_at": at(600)}
    return {"workload_id": identity, "name": name, **known, **times, **other}


def injection(number: int, start: float, end: float, of: str = "w", **other: Any) -> dict[str, Any]:
    shown = {"unit": "iteration", "value": number, "effect": "full", "hook_status": "failed"}
    times = {"started_at": at(start), "ended_at": at(end)}
    return {"injection_id": f"{of}.{number:03}", "workload_id": of, **times, **shown, **other}


def verdict(*remarks: Remark, **other: Any) -> Verdict:
    empty: dict[str, Any] = {"files": (), "recognised": {}, "data_docs": None, "slug": None, "name": "a run"}
    said = {"accepted": False, "reason": "it is no run", "remarks": remarks, "content_sha256": SHA}
    moments = {"arrived_at": at(0), "judged_at": at(9), "arrival": "20251119T120000Z-1", "judged_by": "faultset 1"}
    return Verdict(**{**empty, **said, **moments, **other})


def remark(severity: Any = "critical", what: str = "a node is missing", **other: Any) -> Remark:
    return Remark(severity, what, other.pop("where", ("os-faults.yaml:7",)), "it matters", "add it", **other)


def boxes(svg: str) -> list[tuple[float, float, float]]:
    """x, y and width of what is drawn for each injection."""
    root = ET.fromstring(svg[svg.index("<svg") : svg.index("</svg>") + 6])  # noqa: S314 (the product's own)
    rects = [one for one in root.iter("rect") if one.get("stroke") and one.find("title") is not None]
    return [(float(one.get("x", "")), float(one.get("y", "")), float(one.get("width", ""))) for one in rects]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_verdict_and_its_reason_come_first_then_findings_by_severity() -> None:
    shown = page.render(verdict(remark(), remark("warning", "a clock is off"), remark("info", "a role is missing")))
    order = [
        "rejected</span>",
        "it is no run",
        "a node is missing",
        "a clock is off",
        "a role is missing",
        "Particulars",
    ]
    places = [shown.index(text, shown.index("<body>")) for text in order]
    assert places == sorted(places)
    for told in ("os-faults.yaml:7", "it matters", "add it"):
        assert told in shown


def test_it_links_to_data_docs_and_to_the_verdict_for_programs() -> None:
    shown = page.render(verdict(data_docs="validation/data_docs/index.html"))
    assert set(re.findall(r'href="([^"]+)"', shown)) == {"verdict.json", "validation/data_docs/index.html"}


def test_nothing_on_it_can_run_or_be_fetched() -> None:
    shown = page.render(verdict())
    assert "default-src 'none'" in shown
    assert "<script" not in shown


def test_of_many_places_the_first_are_named_and_the_rest_counted() -> None:
    shown = page.render(verdict(remark(where=tuple(f"row {n}" for n in range(20)), count=1234)))
    assert "row 4" in shown
    assert "row 5" not in shown
    assert "and 1,229 more" in shown


def test_a_run_of_no_name_and_one_whose_name_is_a_screen_long_are_shown() -> None:
    assert "(no name)" in page.render(verdict(name="\u202e\x1b"))
    long = page.render(verdict(name="x" * 5000, recognised={"workloads": [workload("w", "")], "injections": []}))
    assert "x" * 301 not in long
    assert "(no name)" in long


def test_planned_triggers_that_were_not_seen_are_told_by_hook_in_order() -> None:
    planned = [
        {
            "workload_id": "w",
            "hook_index": 1,
            "hook": "sys_call",
            "unit": "iteration",
            "value": v,
            "outcome": "not_reached",
        }
        for v in (400, 45, 100)
    ]
    shown = page.render(verdict(recognised={"workloads": [workload("w")], "triggers": planned}))
    assert "iteration 45, 100, 400" in shown
    assert "the run ended before" in shown


def test_targets_say_where_it_acted_where_not_and_where_nobody_knows() -> None:
    hits = [
        {"injection_id": "w.001", "container": "nova_compute", "node": node, "effective": effective}
        for node, effective in (("cmp1", True), ("ctl1", False), ("cmp2", None))
    ]
    found = {"workloads": [workload("w")], "injections": [injection(1, 10, 20)], "targets": hits}
    said = "nova_compute on cmp1, ctl1 (it did not act there), cmp2 (not known whether)"
    assert said in page.render(verdict(recognised=found))


def test_the_end_of_a_fault_is_told_beside_its_commands_with_the_reason() -> None:
    rows = [
        injection(1, 0, 2, fault_end_source="command", fault_ended_at=at(2)),
        injection(2, 5, 7, fault_end_source="script", fault_ended_at=at(65), fault_end_reason="freeze lasts 60 s"),
        injection(
            3, 8, 9, fault_end_source="unknown", fault_ended_at=None, fault_end_reason="<b>nothing</b> undoes it"
        ),
    ]
    shown = page.render(verdict(recognised={"workloads": [workload("w")], "injections": rows}))
    assert "with the command</td>" in shown
    assert "freeze lasts 60 s" in shown
    assert "unknown<br>" in shown
    assert "<b>nothing</b>" not in shown


def lines(svg: str) -> list[tuple[float, float, bool]]:
    """From where to where each line goes that stands for a fault behind its command, and whether it is dashed."""
    root = ET.fromstring(svg[svg.index("<svg") : svg.index("</svg>") + 6])  # noqa: S314 (the product's own)
    found = [one for one in root.iter("line") if one.find("title") is not None]
    return [
        (float(one.get("x1", "")), float(one.get("x2", "")), one.get("stroke-dasharray") is not None) for one in found
    ]


# --- the timeline ----------------------------------------------------------------------------------------------------


def test_injections_that_overlap_lie_in_lanes_and_never_on_each_other() -> None:
    rows = [injection(n, 18 * n, 18 * n + 40, of=f"w{n % 3}") for n in range(31)]
    drawn = boxes(timeline.draw({"workloads": [workload(f"w{n}") for n in range(3)], "injections": rows}))
    assert len(drawn) == 31
    for place, (x, y, width) in enumerate(drawn):
        for other_x, other_y, other_width in drawn[place + 1 :]:
            assert y != other_y or x + width <= other_x or other_x + other_width <= x


def test_a_fault_that_outlasts_its_command_is_a_line_behind_it_dashed_where_its_end_is_not_known() -> None:
    rows = [
        injection(1, 0, 2, fault_end_source="command", fault_ended_at=at(2)),
        injection(2, 100, 102, fault_end_source="script", fault_ended_at=at(400)),
        injection(3, 500, 502, fault_end_source="unknown", fault_open_until=at(9_000)),
    ]
    svg = timeline.draw({"workloads": [workload("w", ended_at=at(600))], "injections": rows})
    known, unknown = lines(svg)
    (_, _, _), (second, _, wide), (third, _, _) = boxes(svg)
    assert known[0] == pytest.approx(second + wide, abs=0.2)
    assert (known[2], unknown[2]) == (False, True)
    assert known[1] < third < unknown[0] < unknown[1]
    assert unknown[1] <= 1120, "it ends where the time that is drawn does"


def test_injections_are_numbered_by_their_start_over_all_workloads() -> None:
    rows = [injection(1, 300, 310, of="b"), injection(1, 100, 110, of="a"), injection(2, 200, 210, of="b")]
    assert [row["injection_id"] for row in timeline.numbered(rows)] == ["a.001", "b.002", "b.001"]
    svg = timeline.draw({"workloads": [workload("a"), workload("b")], "injections": rows})
    numbers = re.findall(r'pointer-events="none">(\d+)<', svg)
    assert sorted(numbers) == ["1", "2", "3"]


def test_hundreds_of_injections_are_drawn_without_numbers() -> None:
    rows = [injection(n, n, n + 0.4) for n in range(500)]
    svg = timeline.draw({"workloads": [workload("w")], "injections": rows})
    assert len(boxes(svg)) == 500
    assert "pointer-events" not in svg


def test_effects_differ_in_fill_or_outline_and_stand_in_the_legend() -> None:
    rows = [injection(n, 50 * n, 50 * n + 20, effect=e) for n, e in enumerate(("full", "partial", "none", "unknown"))]
    svg = timeline.draw({"workloads": [workload("w")], "injections": rows})
    looks = set(re.findall(r'(fill="[^"]+" stroke="[^"]+"(?: stroke-dasharray="[^"]+")?)><title>', svg))
    assert len(looks) == 4
    assert all(f"effect {effect}" in svg for effect in ("full", "partial", "none", "unknown"))


@pytest.mark.parametrize("length", [1, 59, 600, 7200, 86_400 * 3, 86_400 * 400])
def test_the_axis_has_a_few_round_times_and_their_day(length: int) -> None:
    svg = timeline.draw({"workloads": [workload("w", ended_at=at(length))], "injections": []})
    ticks = re.findall(r">(\d\d:\d\d(?::\d\d)?)<", svg)
    assert 1 <= len(ticks) <= 9
    assert re.search(r">20\d\d-\d\d-\d\d<", svg)
    assert "time in UTC" in svg


def test_a_workload_without_times_of_its_own_is_drawn_from_its_injections() -> None:
    bare = workload("w", started_at=None, ended_at=None)
    assert len(boxes(timeline.draw({"workloads": [bare], "injections": [injection(1, 0, 9)]}))) == 1
    assert timeline.draw({"workloads": [bare], "injections": []}) == ""
