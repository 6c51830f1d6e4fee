"""The table of what became of each experiment."""

from __future__ import annotations

from faultset.pipeline.outcomes import Outcome, table


def test_the_table_shows_what_was_found_and_why_it_failed() -> None:
    found = {"critical": 0, "warning": 1, "info": 2}
    outcomes = [
        Outcome("nova", "candidate", fingerprint="ab", injections=2, targets=9, findings=found),
        Outcome("glance", "unchanged", "rejected"),
        Outcome("neutron", "failed", "report.html: it is cut off; copy it again"),
        Outcome("keystone", "trouble", "the disk is full"),
    ]
    lines = table(outcomes)
    assert [line.split() for line in lines[1:3]] == [
        ["nova", "candidate", "2", "9", "1", "warning,", "2", "info"],
        ["glance", "unchanged", "-", "-", "-", "rejected"],
    ]
    assert lines[3].endswith("  report.html: it is cut off; copy it again")
    assert lines[4].split()[1] == "failed"


def test_thousands_of_unchanged_experiments_are_counted_not_listed() -> None:
    many = [Outcome(f"e{number}", "unchanged", "made of the same inputs") for number in range(4990)]
    lines = table([*many, Outcome("broken", "failed", "cut off")])
    assert lines[1].startswith("broken")
    assert lines[2:] == ["4,990 experiments unchanged: made of the same inputs"]


def test_an_outcome_survives_being_kept() -> None:
    kept = Outcome("nova", "candidate", fingerprint="ab", injections=2, targets=9, findings={"info": 1})
    assert Outcome.from_dict({"name": "nova", **kept.as_dict()}) == kept
