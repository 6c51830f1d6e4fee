"""``approval`` in experiment.yaml: the short and the long form, and what is said of a wrong one."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from faultset import catalog
from faultset.catalog import Approval, Experiment
from faultset.errors import InputError


def declared(text: str) -> catalog.ExperimentFile:
    return catalog.parse_declared(f"title: x\ncluster: c\nruns: [{{report: r}}]\n{text}\n".encode(), "f.yaml")


def test_without_it_changed_labels_are_asked_about_for_a_week() -> None:
    assert declared("").approval == Approval(policy="on_change_of_labels", timeout=dt.timedelta(days=7), approvers=())


@pytest.mark.parametrize("policy", ["always", "on_change_of_labels", "never"])
def test_a_policy_alone_is_short_for_a_mapping(policy: str) -> None:
    assert declared(f"approval: {policy}").approval == declared(f"approval: {{policy: {policy}}}").approval


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90s", dt.timedelta(seconds=90)),
        ("30m", dt.timedelta(minutes=30)),
        ("36h", dt.timedelta(hours=36)),
        ("30d", catalog.LONGEST_TIMEOUT),
    ],
)
def test_a_timeout_is_a_number_and_a_unit(text: str, time: dt.timedelta) -> None:
    assert declared(f"approval: {{timeout: {text}}}").approval.timeout == time


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("approval: alway", 'approval.policy is "alway" (did you mean always?); expected always, on_change_of_labels'),
        ("approval: 3", "approval is the number 3; expected always, on_change_of_labels, never, or a mapping"),
        (
            "approval: {timout: 3d}",
            'unknown key "timout" in approval (did you mean timeout?); the keys expected here are',
        ),
        ("approval: {timeout: 3}", "approval.timeout: it is the number 3; expected a time to wait"),
        ("approval: {timeout: 0s}", 'approval.timeout: it is the text "0s"; expected a time to wait'),
        ("approval: {timeout: 31d}", 'approval.timeout: "31d" is longer than 30 days'),
        ("approval: {approvers: ann}", 'approval.approvers is the text "ann"; expected a list of names'),
        ("approval: {approvers: ['']}", "approval.approvers[0] is empty; expected a list of names"),
    ],
)
def test_a_wrong_approval_is_named_with_its_line_and_what_was_expected(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"f.yaml:4: {problem}")):
        declared(text)


def test_who_approves_is_no_part_of_what_a_dataset_is_made_of() -> None:
    texts = [
        Experiment(slug="x", file="/x/experiment.yaml", folder="/x", **dict(declared(text))).canonical_json()
        for text in ("", "approval: never")
    ]
    assert texts[0] == texts[1]
