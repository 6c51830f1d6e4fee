"""Corrections in experiment.yaml: what each kind needs, and the line of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultset import catalog
from faultset.errors import InputError

HEAD = """\
title: Restart
cluster: os-faults.yaml
runs: [{report: report.html}]
corrections:
"""
REASON = "reason: the lab's book says so"


def write(root: Path, *corrections: str) -> Path:
    folder = root / "nova"
    folder.mkdir()
    for name in ("os-faults.yaml", "report.html"):
        (folder / name).write_text("x")
    path = folder / "experiment.yaml"
    path.write_text(HEAD + "".join(f"  - {{{correction}}}\n" for correction in corrections))
    return path


def read(root: Path, *corrections: str) -> catalog.Experiment:
    write(root, *corrections)
    return catalog.read_experiment(str(root), "nova")


def test_corrections_are_read_and_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"what: telemetry_clock, kind: metrics, files: 'metrics/*', shift: -30min, {REASON}",
        f"what: telemetry_node, kind: logs, files: 'logs/*', node: wally13, true_node: wally113, {REASON}",
        "what: injection_time, value: 250, hook: 0, started_at: 2019-11-19T23:51:43.5+01:00, uncertainty_s: 0, "
        f"{REASON}",
    )
    clock, node, time = found.corrections
    assert (clock.shift, node.true_node, time.value) == (-1800.0, "wally113", 250.0)
    declared = json.loads(found.canonical_json())["corrections"]
    assert declared[0] == {
        "what": "telemetry_clock",
        "reason": "the lab's book says so",
        "kind": "metrics",
        "files": "metrics/*",
        "shift": -1800.0,
    }
    assert declared[2]["started_at"] == "2019-11-19T22:51:43.500000Z"
    assert catalog.where(found, ("corrections", 1)).endswith("experiment.yaml:6")


@pytest.mark.parametrize(
    ("text", "seconds"), [("+1h", 3600.0), ("-5.5 h", -19_800.0), ("+2.5s", 2.5), ("-40ms", -0.04), ("+1d", 86_400.0)]
)
def test_a_shift_says_its_sign_and_its_unit(tmp_path: Path, text: str, seconds: float) -> None:
    found = read(tmp_path, f"what: telemetry_clock, kind: logs, files: a, shift: '{text}', {REASON}")
    assert found.corrections[0].shift == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (f"what: telemetry_clok, {REASON}", 'corrections[0].what is "telemetry_clok" (did you mean telemetry_clock?)'),
        ("what: injection_time, value: 1", 'key "reason" is missing in corrections[0]'),
        (f"what: telemetry_clock, kind: logs, files: a, {REASON}", "corrections[0]: telemetry_clock needs shift"),
        (
            f"what: telemetry_clock, kind: logs, files: a, shift: 1h, {REASON}",
            'corrections[0].shift: it is the text "1h"; expected a time to add with its sign',
        ),
        (
            f"what: telemetry_node, kind: logs, files: a, node: b, true_node: c, shift: +1h, {REASON}",
            "corrections[0]: shift is no part of telemetry_node",
        ),
        (
            f"what: injection_time, started_at: 2019-11-19T22:51:43Z, uncertainty_s: 1, {REASON}",
            "corrections[0]: injection_time needs injection, or value",
        ),
        (
            f"what: injection_time, injection: a, value: 1, ended_at: 2019-11-19T22:51:43Z, uncertainty_s: 1, {REASON}",
            "corrections[0]: injection says which one it is",
        ),
        (
            f"what: injection_time, injection: a, uncertainty_s: 1, {REASON}",
            "needs started_at, ended_at or fault_ended_at",
        ),
        (
            f"what: injection_time, injection: a, started_at: 2019-11-19T22:51:43, uncertainty_s: 1, {REASON}",
            "has no offset: write Z behind a time in UTC",
        ),
        (
            f"what: injection_time, injection: a, started_at: 2019-11-19T22:51:43Z, "
            f"ended_at: 2019-11-19T22:51:42Z, uncertainty_s: 1, {REASON}",
            "corrections[0]: ended_at lies before started_at",
        ),
        (
            f"what: injection_time, injection: a, started_at: 2019-11-19T22:51:43Z, uncertanty_s: 1, {REASON}",
            'unknown key "uncertanty_s" in corrections[0] (did you mean uncertainty_s?)',
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, wrong: str, said: str) -> None:
    path = write(tmp_path, wrong)
    with pytest.raises(InputError) as error:
        catalog.read_experiment(str(tmp_path), "nova")
    assert str(error.value).startswith(f"{path}:5: ")
    assert said in str(error.value)
