"""rcabench-platform finds, validates and reads what is exported for it, and its BARO runs on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import consumer
from faultset import exports
from faultset.dataset.opening import Dataset

pytestmark = pytest.mark.integration


def test_the_platform_takes_every_case(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "rcabench", tmp_path / "out")
    (tmp_path / "work").mkdir()
    # The check that is skipped wants the columns of a form that the platform itself converts from.
    environment = {"DATA_ROOT": str(tmp_path / "out"), "RCABENCH_SKIP_STABILITY_VALIDATION": "1"}
    found = consumer.run("run_rcabench.py", tmp_path / "work", **environment)
    assert len(found) == len(two_runs.injections)
    truth = {int(row.started_at.timestamp()): row.injection_id for row in two_runs.injections}
    causes = {cause.injection_id: list(cause.nodes) for cause in two_runs.root_causes}
    for case in found:
        assert case["valid"]
        assert case["normal_before"]
        assert case["abnormal_after"]
        assert sorted(case["labels"]) == sorted(case["ground_truth"]) == causes[truth[case["inject_time"]]]
        assert sorted(case["ranked"]) == list(two_runs.metrics.nodes)
        assert case["normal_metrics"]
        assert case["abnormal_metrics"]
    assert any(case["abnormal_traces"] and case["abnormal_logs"] for case in found)
    right = sum(case["ranked"][0] in case["labels"] for case in found) / len(found)
    print(f"BARO of rcabench-platform: top1 {right:.2f}\n{two_runs.floors('root_causes').round(2).to_string()}")
    assert right > two_runs.floors("root_causes").loc["chance", "top1"]


def test_normal_time_ends_before_abnormal_time_begins(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "rcabench", tmp_path / "out")
    found = list((tmp_path / "out/data/rcabench_two-runs").glob("*/env.json"))
    assert len(found) == len(two_runs.injections)
    for path in found:
        env = json.loads(path.read_text())
        keys = ("NORMAL_START", "NORMAL_END", "ABNORMAL_START", "ABNORMAL_END")
        assert all(isinstance(env[key], str) for key in keys)
        start, end, abnormal, last = (int(env[key]) for key in keys)
        assert start < end <= abnormal < last
