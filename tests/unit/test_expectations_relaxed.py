"""Expectations that an experiment sets otherwise: what may be set, what is refused, and where it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import releases
from expectation_samples import METRICS, NOVA_COMPUTE, TRUTH, cluster, evidence_of
from faultset import catalog
from faultset.errors import InputError
from faultset.expectations import RULES, check, relaxing
from faultset.records.validation import Relaxed
from faultset.release import manifest
from faultset.release.changes import _findings as changed_findings

BY_ID = {rule.id: rule for rule in RULES}
ENTRY = "title: t\ncluster: os-faults.yaml\nruns: [{report: report.html}]\n"


def read(tmp_path: Path, *lines: str) -> catalog.Experiment:
    folder = tmp_path / "slug"
    folder.mkdir(exist_ok=True)
    for name in ("os-faults.yaml", "report.html"):
        (folder / name).touch()
    (folder / "experiment.yaml").write_text(ENTRY + "expectations:\n" + "".join(f"  {line}\n" for line in lines))
    return catalog.read_experiment(str(tmp_path), "slug")


def refused(tmp_path: Path, *lines: str) -> str:
    with pytest.raises(InputError) as caught:
        relaxing.require_known(read(tmp_path, *lines))
    return str(caught.value)


# --- what may be set -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nodes.has_metric: {severity: info, reason: r}", "did you mean nodes.has_metrics?"),
        ("nodes.has_metrics: {severity: info}", 'key "reason" is missing in expectations.nodes.has_metrics'),
        ("nodes.has_metrics: {severity: info, reason: ''}", "reason is empty"),
        ("nodes.has_metrics: {sevrity: info, reason: r}", "did you mean severity?"),
        ("nodes.has_metrics: {severity: inof, reason: r}", "did you mean info?"),
        ("nodes.has_metrics: {reason: r}", "it sets nothing"),
        ("nodes.has_metrics: info", 'is the text "info"'),
        ("nodes.has_metrics: {at_least: .nan, reason: r}", "at_least is a number; expected a finite number"),
        ("nodes.role_known: {at_least: 1, reason: r}", "nodes.role_known has no at_least: it compares with no number"),
        ("coverage.whole: {at_most: 1, reason: r}", "coverage.whole has no at_most: its threshold is at_least"),
        ("nodes.ip_unique: {severity: info, reason: r}", "nodes.ip_unique cannot be set otherwise"),
        ("secrets.none_comes_out: {at_most: 9, reason: r}", "secrets.none_comes_out cannot be set otherwise"),
    ],
)
def test_what_cannot_be_set_is_refused_in_one_line_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    text = refused(tmp_path, "# a comment", line)
    assert said in text
    assert "experiment.yaml:6" in text
    assert "\n" not in text


def test_a_secret_never_comes_out_and_no_wrong_label_is_allowed_by_a_declaration() -> None:
    fixed = {rule.id for rule in RULES if not rule.can_be_relaxed}
    assert {rule.id for rule in RULES if rule.severity == "critical"} - fixed == {"experiment.has_injections"}
    assert {"secrets.none_comes_out", "triggers.secret_free", "telemetry.keeps_every_row"} <= fixed
    assert all(BY_ID[name].threshold is None for name in fixed)


def test_what_is_set_is_part_of_what_a_dataset_is_made_of(tmp_path: Path) -> None:
    lines = ("coverage.nearly_whole: {at_least: 0.8, reason: r}", "nodes.has_metrics: {severity: info, reason: r}")
    declared = [json.loads(read(tmp_path, *some).canonical_json()) for some in (lines, lines[::-1], lines[:1])]
    assert declared[0]["expectations"]["coverage.nearly_whole"] == {"at_least": 0.8, "reason": "r"}
    assert declared[0] == declared[1] != declared[2]


def test_what_is_as_usual_is_not_called_relaxed() -> None:
    usual = {"coverage.nearly_whole": {"at_least": 0.9, "severity": "warning", "reason": "r"}}
    assert relaxing.relaxed(usual) == ()
    assert relaxing.rules_of({}) == RULES


# --- what follows from it --------------------------------------------------------------------------------------------

DECLARED = {
    "coverage.nearly_whole": {"at_least": 0.8, "reason": "the recorder was slow"},
    "nodes.has_metrics": {"severity": "info", "reason": "<script>no</script> monitoring, sshpass -p hunter2 ssh x"},
    "experiment.has_injections": {"severity": "info", "reason": "a baseline"},
}
RELAXED = (
    Relaxed("experiment.has_injections", "severity", "critical", "info", "a baseline"),
    Relaxed(
        "nodes.has_metrics",
        "severity",
        "warning",
        "info",
        "<script>no</script> monitoring, sshpass -p [redacted] ssh x",
    ),
    Relaxed("coverage.nearly_whole", "at_least", "0.9", "0.8", "the recorder was slow"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A validation of a baseline run with one node's metrics alone, which is as it was meant to be."""
    kept = tmp_path_factory.mktemp("relaxed")
    baseline = replace(
        TRUTH,
        triggers=(),
        injections=(),
        targets=(),
        iterations=tuple(replace(i, injection_ids=[]) for i in TRUTH.iterations),
    )
    bare = replace(METRICS[1], anomalous=0, coverage={next(iter(METRICS[1].coverage)): 0.85})
    validation = check(baseline, evidence_of(cluster(NOVA_COMPUTE)), kept, (bare,), declared=DECLARED)
    found = {finding.expectation: finding.severity for finding in validation.findings}
    assert validation.passed
    assert found == {"experiment.has_injections": "info", "nodes.has_metrics": "info"}
    assert validation.relaxed == RELAXED
    assert manifest.validation_from(manifest.validation_summary(validation)) == validation
    return kept


def test_results_and_data_docs_say_what_was_set_from_what_to_what_and_why(folder: Path) -> None:
    results = json.loads((folder / "validation" / "results.json").read_text("utf-8"))
    assert results["relaxed"][2] == {
        "expectation": "coverage.nearly_whole",
        "what": "at_least",
        "was": "0.9",
        "now": "0.8",
        "reason": "the recorder was slow",
    }
    assert next(one for one in results["great_expectations"] if one["rule"] == "coverage.nearly_whole")["success"]
    front = (folder / "validation" / "data_docs" / "index.html").read_text("utf-8")
    assert "Set otherwise by the experiment" in front
    assert "the recorder was slow" in front
    assert "Set here to at_least 0.8 in place of 0.9." in front
    assert "&lt;script&gt;no" in front
    assert "hunter2" not in front


def test_the_card_and_the_changes_say_it_too(tmp_path: Path) -> None:
    plain = [{name: getattr(one, name) for name in one.__slots__} for one in RELAXED]
    empty = {"expectations": 9, "critical": 0, "warning": 0, "info": 0, "findings": []}
    said = replace(releases.PASSED, relaxed=RELAXED)
    card = (releases.published(tmp_path, "a", validation=said).path / "README.md").read_text("utf-8")
    usual = (releases.published(tmp_path / "usual", "a").path / "README.md").read_text("utf-8")
    assert "| coverage.nearly_whole | at_least | 0.9 | 0.8 | the recorder was slow |" in card
    assert "<script>" not in card
    assert "set otherwise" not in usual
    assert list(changed_findings(empty, {**empty, "relaxed": plain[2:]})) == [
        "Expectation coverage.nearly_whole: at_least is set to 0.8, usually 0.9. Reason: the recorder was slow"
    ]
    assert list(changed_findings({**empty, "relaxed": plain[2:]}, empty)) == [
        "Expectation coverage.nearly_whole: at_least is as usual again."
    ]
