"""What the card and the manifest say of telemetry, impacts and figures."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import releases
from faultset import tables
from faultset.errors import InputError
from faultset.release import manifest, parquet
from faultset.release.commit import Candidate, publish

ANALYSIS = {
    "calibration": [{"kpi": "mem.used", "trials": 4000, "false_positives": 38, "rate": 0.0095}],
    "tolerance": [
        {"tolerance_s": 0, "anomalous_rows": 100, "outcome_changes": 0},
        {"tolerance_s": 60, "anomalous_rows": 220, "outcome_changes": 1},
    ],
    "agreement": {"reviewed": 9, "detected": 10, "both": 8, "recall": 8 / 9},
    "parameters": {"alpha": 0.01, "stretches": (3, 5), "baseline_s": 300.0},
}
IMPACTS = [
    releases.impact("mem.used"),
    releases.impact("mem.used", source="reviewed", direction=None, score=None, p_value=None, method="by hand"),
]
TESTS = [
    releases.impact_test("mem.used", found=True),
    releases.impact_test("cpu.user", detectable_sd=7.25),
    releases.impact_test("swap", tested=False, why_not="it is constant", p_value=None, detectable_sd=None),
]
FIGURES = ("figures/injection-10.png", "figures/injection-9.png", "figures/overview.png")
HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) | `code` ![x](http://evil.example) *b* \u202e"


def labeled(root: Path, mark: str = "a", **changed: Any) -> Candidate:
    """A candidate with metrics, logs, impacts and figures."""
    made = releases.candidate(root, mark)
    releases.write_telemetry(made.folder, "metrics/wally117.parquet", releases.telemetry_rows(4))
    names = releases.telemetry_rows(4).append_column("names_injection", [[False, False, False, True]])
    releases.write_telemetry(made.folder, "logs/wally113.parquet", names.drop_columns(["cpu.user"]))
    parquet.write_table(tables.IMPACTS, IMPACTS, made.folder / "impacts.parquet")
    parquet.write_table(tables.IMPACT_TESTS, TESTS, made.folder / "impact_tests.parquet")
    (made.folder / "figures").mkdir()
    for name in FIGURES:
        (made.folder / name).write_bytes(b"\x89PNG" + name.encode())
    telemetry = (releases.facts("metrics", "wally117"), releases.facts("logs", "wally113", leaks=1))
    return releases.with_changes(made, {"telemetry": telemetry, "analysis": ANALYSIS} | changed)


def published(root: Path, **changed: Any) -> Path:
    return publish(labeled(root, **changed), root, created_at=releases.NOW).path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("labeled"))


@pytest.fixture(scope="module")
def card(folder: Path) -> str:
    return (folder / "README.md").read_text()


def section(text: str, name: str) -> str:
    return re.split(r"^#{2,3} ", text.split(f"# {name}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


# --- manifest -------------------------------------------------------------------------------------------------------


def test_the_manifest_describes_files_in_folders(folder: Path) -> None:
    files = {file["path"]: file for file in json.loads((folder / "manifest.json").read_text())["files"]}
    assert files["metrics/wally117.parquet"]["rows"] == 4
    assert {"name": "is_anomalous", "type": "bool", "nullable": True} in files["metrics/wally117.parquet"]["schema"]
    for name in FIGURES:
        assert (files[name]["rows"], files[name]["schema"]) == (None, None)


def test_the_manifest_keeps_what_is_known_of_telemetry_and_analysis(folder: Path) -> None:
    read = manifest.decode((folder / "manifest.json").read_bytes(), "manifest.json")
    assert read.telemetry_kinds == ("metrics", "logs")
    metrics, logs = read.telemetry
    assert (metrics["path"], metrics["first"], metrics["nodes"]) == (
        "metrics/wally117.parquet",
        "2019-11-19T22:51:43.166326Z",
        ["wally117"],
    )
    assert logs["leaks"] == 1
    assert read.analysis == json.loads(json.dumps(ANALYSIS))


def test_a_manifest_of_a_version_without_telemetry_still_reads(tmp_path: Path) -> None:
    document = json.loads((releases.published(tmp_path, "a").path / "manifest.json").read_text())
    del document["telemetry"], document["analysis"]
    read = manifest.decode(json.dumps(document).encode(), "manifest.json")
    assert (read.telemetry, read.analysis, read.telemetry_kinds) == ((), {}, ())


@pytest.mark.parametrize(
    ("key", "value"), [("telemetry", [1]), ("telemetry", 7), ("analysis", "x"), ("analysis", None)]
)
def test_a_manifest_with_something_else_there_is_damaged(folder: Path, key: str, value: object) -> None:
    document = json.loads((folder / "manifest.json").read_text()) | {key: value}
    with pytest.raises(InputError, match="the manifest is damaged"):
        manifest.decode(json.dumps(document).encode(), "manifest.json")


def test_what_is_no_number_is_unknown_in_the_manifest() -> None:
    assert manifest.plain({"rate": math.nan, "rows": [1.5, math.inf], "n": (1, True)}) == {
        "rate": None,
        "rows": [1.5, None],
        "n": [1, True],
    }


def test_the_card_says_what_was_tested_and_how_large_a_move_could_have_hidden(card: str) -> None:
    found = section(card, "What was tested, and what could have hidden")
    assert "| boot.0.250 | 2 | 1 | 1 | 7.2 sd | 7.2 sd | cpu.user of wally117 |" in found


def test_the_card_says_what_kind_an_impact_is_of(card: str) -> None:
    assert "| boot.0.250 | wally117 | mem.used | metrics |" in section(card, "Impacts")


# --- card -----------------------------------------------------------------------------------------------------------


def test_the_head_offers_each_kind_of_telemetry(card: str) -> None:
    configs = yaml.safe_load(card.split("---\n")[1])["configs"]
    offered = {entry["config_name"]: entry["data_files"] for entry in configs}
    assert (offered["metrics"], offered["logs"]) == ("metrics/*.parquet", "logs/*.parquet")
    assert offered["impacts"] == "impacts.parquet"
    assert "traces" not in offered


def test_each_labeled_file_is_a_row(card: str) -> None:
    shown = section(card, "Telemetry")
    assert (
        "| metrics/wally117.parquet | metrics | wally117 | 4 | 2019-11-19T22:51:43.166326Z | "
        "2019-11-19T22:51:46.166326Z | 2 | 1 | Europe/Berlin |"
    ) in shown
    assert "1 rows name the injection itself" in shown
    assert "| metrics | 4 |" in section(card, "In numbers")


def test_detected_and_reviewed_impacts_stand_side_by_side(card: str) -> None:
    shown = section(card, "Impacts")
    times = "2019-11-19T22:55:54.166326Z | 2019-11-19T22:56:43.166326Z"
    assert f"| boot.0.250 | wally117 | mem.used | metrics | {times} | down | detected | 12.5 |" in shown
    assert f"| boot.0.250 | wally117 | mem.used | metrics | {times} | unknown | reviewed |  |" in shown
    assert "| recall | 88.9 % |" in section(card, "Detected and reviewed")


def test_the_card_states_the_datasets_own_false_positive_rate(card: str) -> None:
    assert "| mem.used | 4000 | 38 | 0.95 % |" in section(card, "False positives in quiet time")


def test_the_card_states_how_far_labels_depend_on_the_tolerance(card: str) -> None:
    shown = section(card, "Tolerance in time")
    assert "| tolerance (s) | anomalous rows | outcome changes |" in shown
    assert "| 60 | 220 | 1 |" in shown
    assert "| stretches | 3; 5 |" in section(card, "Parameters of the test")


def test_the_card_states_decided_rows_with_and_without_guard_and_cooldown(tmp_path: Path) -> None:
    facts = releases.facts(
        "metrics",
        "wally117",
        rows=100,
        anomalous=40,
        boundary=17,
        boundary_anomalous=9,
        guarded=10,
        guarded_anomalous=6,
    )
    experiment = {"title": "x", "cluster": "c", "labels": {"cooldown_after_s": 30.0}}
    text = (published(tmp_path, telemetry=(facts,), experiment=experiment) / "README.md").read_text()
    shown = section(text, "Telemetry")
    assert "A guard of 0 s before each command and a cooldown of 30 s after it" in shown
    assert "| without | 93 | 37 | 7 |" in shown
    assert "| with | 83 | 31 | 17 |" in shown


def test_the_overview_comes_first_and_pictures_have_words(card: str) -> None:
    pictures = re.findall(r"^!\[(.*?)\]\((.*?)\)$", section(card, "Figures"), re.MULTILINE)
    assert [path for _, path in pictures] == [
        "figures/overview.png",
        "figures/injection-9.png",
        "figures/injection-10.png",
    ]
    assert all(len(words) > 30 for words, _ in pictures)


def test_the_card_says_which_rows_are_not_labeled_anomalous(card: str) -> None:
    assert "Rows on nodes that were no target are not labeled anomalous unless an impact was found there" in section(
        card, "What a label means"
    )
    assert "are not part of this version" not in card


def test_the_dictionary_has_the_labels_that_the_files_have(card: str) -> None:
    dictionary = card.split("## Data dictionary")[1]
    metrics, logs = section(dictionary, "metrics"), section(dictionary, "logs")
    assert "now (string), cpu.user (double)." in metrics
    assert "| is_anomalous | bool |" in metrics
    assert "names_injection" not in metrics
    assert "| names_injection | bool |" in logs
    assert "### traces" not in dictionary
    for spec in tables.columns(tables.IMPACTS):
        assert f"| {spec.name} |" in section(dictionary, "impacts")


def test_the_code_of_the_card_reads_labeled_telemetry(folder: Path, card: str) -> None:
    snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(snippets) == 3
    done = subprocess.run([sys.executable, "-c", snippets[2]], cwd=folder, capture_output=True, text=True, check=True)
    assert re.search(r"wally117 +normal +4 +2", done.stdout)


def test_a_version_without_telemetry_says_so(tmp_path: Path) -> None:
    text = (releases.published(tmp_path, "a").path / "README.md").read_text()
    assert "Telemetry, and the impact of the faults on it, are not part of this version." in text
    for heading in ("## Telemetry", "## Impacts", "## Figures"):
        assert heading not in text


def test_without_a_review_the_card_says_that_nobody_reviewed(tmp_path: Path) -> None:
    text = (published(tmp_path, analysis=ANALYSIS | {"agreement": None}) / "README.md").read_text()
    assert "Nobody reviewed the impacts" in section(text, "Detected and reviewed")


def test_names_in_telemetry_are_never_live(tmp_path: Path) -> None:
    facts = releases.facts("metrics", HOSTILE, time_zone=HOSTILE)
    calibration = [{"kpi": HOSTILE, "trials": 1, "false_positives": 0, "rate": 0.0}]
    analysis = {"calibration": calibration, "tolerance": [{HOSTILE: HOSTILE}], "agreement": {HOSTILE: HOSTILE}}
    made = labeled(tmp_path, telemetry=(facts,), analysis=analysis)
    data = releases.telemetry_rows(4).append_column(HOSTILE, [[1, 2, 3, 4]])
    releases.write_telemetry(made.folder, "metrics/wally117.parquet", data)
    hostile_impact = releases.impact(HOSTILE, node=HOSTILE)
    parquet.write_table(tables.IMPACTS, [hostile_impact], made.folder / "impacts.parquet")
    (made.folder / "figures" / "a](javascript:x)![<b>.png").write_bytes(b"")
    text = (publish(made, tmp_path, created_at=releases.NOW).path / "README.md").read_text()
    body = re.sub(r"^!\[[^\]]*\]\(figures/[\w%.~-]+\)$", "", text, flags=re.MULTILINE)
    for live in ("<script", "](", "![", "`code`", "*b*", "://", "<b>", "\u202e"):
        assert live not in body, live
