"""OpenMetrics is taken by Prometheus' own parser (and promtool, where it is), the dashboard by Grafana's own models."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import consumer
from faultset import exports
from faultset.dataset.opening import Dataset

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def exported(two_runs: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("monitoring") / "out"
    exports.export(two_runs, "grafana", folder)
    return folder


def test_its_parser_takes_every_series(two_runs: Dataset, exported: Path):
    found = consumer.run("run_monitoring.py", exported)
    families = found["families"]
    assert len(families) == len(two_runs.metrics.values) + 3
    rows = two_runs.metrics()
    rows = rows.assign(ms=rows["timestamp"].dt.floor("ms")).drop_duplicates(["node", "ms"], keep="last")
    used = families["faultset_mem_used"]
    assert used["samples"] == rows["mem.used"].notna().sum()
    assert used["sum"] == pytest.approx(rows["mem.used"].sum())
    assert used["nodes"] == list(two_runs.metrics.nodes)
    assert families["faultset_anomalous"]["sum"] == rows["is_anomalous"].sum()
    assert families["faultset_injection"]["samples"] == 2 * len(two_runs.injections)
    assert all(family["type"] == "gauge" for family in families.values())


def test_its_models_take_the_dashboard(two_runs: Dataset, exported: Path):
    dashboard = consumer.run("run_monitoring.py", exported)["dashboard"]
    assert {title for title, _ in dashboard["panels"]} == {*two_runs.metrics.values}
    assert all(query.startswith("faultset_") for _, query in dashboard["panels"])


def test_annotations_are_bodies_of_its_interface(two_runs: Dataset, exported: Path):
    found = json.loads((exported / "annotations.json").read_text())
    assert len(found) == len(two_runs.injections) + len(two_runs.impacts)
    for body in found:
        assert {*body} == {"time", "timeEnd", "tags", "text"}
        assert isinstance(body["time"], int)
        assert body["time"] <= body["timeEnd"]
    first = two_runs.injections[0]
    regions = [body for body in found if "injection" in body["tags"] and first.injection_id in body["text"]]
    assert len(regions) == 1
    assert 0 <= first.started_at.timestamp() * 1000 - regions[0]["time"] <= 1000  # of the first row that it labels


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed here")
def test_promtool_makes_blocks_of_it(two_runs: Dataset, exported: Path, tmp_path: Path):
    making = ["promtool", "tsdb", "create-blocks-from", "openmetrics", exported / "metrics.openmetrics", tmp_path]
    subprocess.run(making, check=True, capture_output=True)
    (tmp_path / "wal").mkdir(exist_ok=True)  # some versions read no blocks without one
    dump = ["promtool", "tsdb", "dump", '--match={__name__="faultset_mem_used"}', tmp_path]
    lines = subprocess.run(dump, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = two_runs.metrics()
    rows = rows.assign(ms=rows["timestamp"].dt.floor("ms")).drop_duplicates(["node", "ms"], keep="last")
    assert len(lines) == rows["mem.used"].notna().sum()
