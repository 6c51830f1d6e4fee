"""When a person is asked: a policy and a difference of tables, both written by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from faultset.expectations.catalogue import RULES
from faultset.records.validation import Finding
from faultset.release.diff import Difference
from faultset.release.policy import DOUBTS, Policy, need
from faultset.release.table_difference import ChangedRow, RetypedColumn, TableDifference

ONE_CHANGED = (ChangedRow(("boot.0.250",), ("effect",)),)


def table(name: str, **what: Any) -> TableDifference:
    return TableDifference(name, what.pop("state", "kept"), ("key",), 10, 10, **what)


def asked(*tables: TableDifference) -> bool:
    return need("on_change_of_labels", Difference(tables)).person


def test_a_first_version_needs_nobody_unless_the_policy_says_always() -> None:
    assert {policy: need(policy, None).person for policy in get_args(Policy)} == {
        "always": True,
        "on_change_of_labels": False,
        "never": False,
    }


def finding(expectation: str, **changed: Any) -> Finding:
    said = Finding("warning", expectation, "telemetry", None, f"{expectation}: an hour behind", ("logs/a.csv",), 1, "")
    return replace(said, **changed)


@pytest.mark.parametrize("expectation", DOUBTS)
def test_telemetry_that_may_be_of_another_time_needs_a_person_for_a_first_version_too(expectation: str) -> None:
    """Trap: labels that are off by an hour are wrong in whole, and in a first version nothing differs."""
    for difference in (None, Difference(())):
        found = need("on_change_of_labels", difference, [finding(expectation)])
        assert found.person
        assert found.why == f"its telemetry may not be of this run: {expectation}: an hour behind"


def test_a_doubt_that_the_version_before_was_published_with_is_not_asked_again() -> None:
    known = [finding(DOUBTS[0])]
    assert not need("on_change_of_labels", Difference(()), known, known).person
    assert need("on_change_of_labels", Difference(()), [finding(DOUBTS[0], message="two hours")], known).person
    assert need("on_change_of_labels", Difference(()), [finding(DOUBTS[0], where=("logs/b.csv",))], known).person


def test_a_doubt_that_the_experiment_set_down_with_a_reason_and_any_other_warning_need_nobody() -> None:
    found = [finding(DOUBTS[0], severity="info"), finding("coverage.nearly_whole")]
    assert not need("on_change_of_labels", None, found).person


def test_never_asks_nobody_whatever_is_found_and_many_doubts_are_counted() -> None:
    many = [finding(DOUBTS[0], where=(f"logs/{number}.csv",)) for number in range(5)]
    assert not need("never", None, many).person
    assert need("on_change_of_labels", None, many).why.endswith("; and 2 more")


def test_what_leaves_telemetry_in_doubt_is_in_the_catalogue() -> None:
    warnings = {rule.id for rule in RULES if rule.severity == "warning"}
    assert set(DOUBTS) <= warnings


def test_never_and_always_do_not_look_at_the_difference() -> None:
    broken = Difference((table("injections", removed=(("boot.0.250",),)),))
    assert not need("never", broken).person
    assert need("always", Difference(())).person


@pytest.mark.parametrize("name", ["injections", "targets", "impacts"])
def test_a_row_of_labels_that_changes_or_goes_needs_a_person(name: str) -> None:
    assert asked(table(name, changed=ONE_CHANGED))
    assert asked(table(name, removed=(("boot.0.250",),)))
    assert asked(table(name, state="removed"))
    assert asked(table(name, columns_removed=("effect",)))
    assert asked(table(name, columns_retyped=(RetypedColumn("effect", "string", "int64"),)))


@pytest.mark.parametrize("name", ["injections", "targets", "impacts", "metrics/node01", "logs/all", "traces/boot"])
def test_additions_need_nobody(name: str) -> None:
    assert not asked(table(name, added=(("boot.0.500",),), columns_added=("another",)))
    assert not asked(table(name, state="added", more_added=1000))


@pytest.mark.parametrize("name", ["workloads", "triggers", "iterations"])
def test_what_is_no_label_needs_nobody(name: str) -> None:
    assert not asked(table(name, changed=ONE_CHANGED, removed=(("boot.0",),)))


@pytest.mark.parametrize("column", ["is_anomalous", "injection_ids", "phase", "is_boundary", "impacted_kpis", "node"])
def test_a_label_of_telemetry_that_changes_needs_a_person(column: str) -> None:
    changed = {"changed": (ChangedRow((7,), ("mem.used",)),), "columns_changed": (("mem.used", 3), (column, 1))}
    assert asked(table("metrics/node01", more_changed=2, **changed))


def test_a_measured_value_that_changes_is_no_label() -> None:
    changed = {"changed": (ChangedRow((7,), ("mem.used",)),), "columns_changed": (("mem.used", 3),)}
    assert not asked(table("metrics/node01", more_changed=2, **changed))


def test_labeled_rows_that_go_need_a_person() -> None:
    assert asked(table("logs/all", more_removed=1))
    assert asked(table("logs/all", columns_removed=("phase",)))
    assert not asked(table("logs/all", columns_removed=("Payload",)))


def test_the_reason_names_the_tables_and_counts_the_rows() -> None:
    found = need("on_change_of_labels", Difference((table("targets", changed=ONE_CHANGED, removed=((1,), (2,))),)))
    assert found.why == "existing labels change: targets: 2 rows removed; targets: 1 row changed"
    assert need("on_change_of_labels", Difference(())).why == "every existing label stays as it is"
