"""What tools call a success, and what it proves: each line of ``faults.yaml`` through reading and deciding."""

from __future__ import annotations

import datetime as dt

import pytest

from fault_files import moment, rows, write
from faultset import pipeline
from faultset.moments import iso


def _named(section):
    return [pytest.param(tool, row, id=f"{tool}: {row.get('says') or row['does']}") for tool, row in rows(section)]


def _inspected(tool, row, folder):
    run, beside = write(tool, row, folder)
    return pipeline.inspect(run, results=beside)


def test_the_table_has_a_hundred_of_each():
    assert len(rows("no_effect")) >= 100
    assert len(rows("effect")) >= 100


@pytest.mark.parametrize(("tool", "row"), _named("no_effect"))
def test_success_without_an_effect_is_never_labeled_effective_and_says_why(tool, row, tmp_path):
    found = _inspected(tool, row, tmp_path)
    assert not any(target["effective"] for target in found["targets"])
    assert all(injection["effect"] in ("none", "unknown") for injection in found["injections"])
    reasons = [injection["effect_reason"] for injection in found["injections"]]
    reasons += [trigger["evidence"] for trigger in found["triggers"] if trigger["outcome"] != "fired"]
    assert reasons
    assert all(reasons)
    said = " ".join([*reasons, *(target["evidence"] for target in found["targets"])])
    assert row.get("because", "") in said


@pytest.mark.parametrize(("tool", "row"), _named("effect"))
def test_what_had_an_effect_has_its_targets_and_its_window(tool, row, tmp_path):
    found = _inspected(tool, row, tmp_path)
    (injection,) = found["injections"]
    assert sorted(_said(target) for target in found["targets"]) == sorted(row["hits"])
    assert all(target["effective"] for target in found["targets"])
    assert injection["effect"] == "full", injection["effect_reason"]
    assert injection["fault_end_source"] == row["end"], injection["fault_end_reason"]
    _check_window(tool, row, injection)


@pytest.mark.parametrize(("tool", "row"), _named("stated"))
def test_what_is_only_stated_has_exact_windows_and_unproved_targets(tool, row, tmp_path):
    found = _inspected(tool, row, tmp_path)
    (injection,) = found["injections"]
    assert sorted(_said(target) for target in found["targets"]) == sorted(row["hits"])
    assert {target["effective"] for target in found["targets"]} == {None}
    assert injection["effect"] == "unknown"
    assert injection["fault_end_source"] == row["end"]
    assert (injection["started_at"], injection["ended_at"]) == tuple(iso(moment(s)) for s in row["window"])


def _said(target):
    where = "/".join(part for part in (target["namespace"], target["pod"]) if part)
    words = [target["kind"], target["container"], where or None]
    if target["kind"] == "node":
        words = ["node", target["node"]]
    elif not where:
        words += ["on", target["node"]]
    return " ".join(word for word in words if word)


def _check_window(tool, row, injection):
    """The true moments lie in [stated, stated + uncertainty), and no uncertainty is larger than the file's own."""
    first, last = row.get("window", (10, 10.5))
    start, end = (dt.datetime.fromisoformat(injection[key]) for key in ("started_at", "ended_at"))
    within = {"chaostoolkit": (0, 0), "chaos-mesh": (1, 1)}.get(tool)
    if within:
        assert (start, end) == (moment(first), moment(last))
        assert (injection["start_uncertainty_s"], injection["end_uncertainty_s"]) == within
    elif tool == "krkn":  # from the longest recovery to the scenario's end
        assert start == moment(0)
        assert end == moment(first)
        assert end + dt.timedelta(seconds=injection["end_uncertainty_s"]) == moment(last)
    else:  # from the last injecting event to the checks after it
        assert start == moment(0)
        assert end == moment(first if row["end"] == "command" else last)
        assert injection["end_uncertainty_s"] == (last - first + 1 if row["end"] == "command" else 1)
