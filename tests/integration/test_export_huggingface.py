"""Hugging Face datasets, pandas, Polars and DuckDB read what is exported, and a version's own folder, as one table."""

from __future__ import annotations

from pathlib import Path

import pytest

import consumer
import releases
from faultset import exports, tables
from faultset.dataset.opening import Dataset, open_dataset

pytestmark = pytest.mark.integration
CONFIGS = {*(table.name for table in (*tables.EVERY_TABLE, *tables.TELEMETRY)), "default"}


def test_every_config_is_read_with_all_rows_and_columns(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "huggingface", tmp_path / "out")
    found = consumer.run("run_datasets.py", tmp_path / "out", "data")
    assert {*found} == CONFIGS
    for name in CONFIGS - {"default"}:
        rows = getattr(two_runs, name)
        ours = rows.arrow()
        assert found[name]["rows"] == ours.num_rows, name
        assert found[name]["columns"] == ours.column_names, name
        if "pandas" in found[name]:
            shape = [ours.num_rows, ours.num_columns]
            assert found[name]["pandas"] == found[name]["polars"] == found[name]["duckdb"] == shape
    assert found["default"] == found["injections"]


def test_the_folder_of_a_version_is_read_as_it_lies(two_runs: Dataset):
    assert len({part.file for part in two_runs.traces.parts}) > 1
    found = consumer.run("run_datasets.py", two_runs.path, "")
    for kind in ("metrics", "logs", "traces"):
        ours = getattr(two_runs, kind)
        shape = [ours.rows, len(ours.schema.names)]
        assert [found[kind]["rows"], len(found[kind]["columns"])] == shape
        assert found[kind]["pandas"] == found[kind]["polars"] == found[kind]["duckdb"] == shape


def test_a_dataset_without_telemetry_has_the_same_configs(tmp_path: Path):
    releases.published(tmp_path / "root", "a")
    exports.export(open_dataset(releases.SLUG, root=tmp_path / "root"), "huggingface", tmp_path / "out")
    found = consumer.run("run_datasets.py", tmp_path / "out", "data")
    assert {*found} == CONFIGS
    assert found["metrics"]["rows"] == 0
    assert "is_anomalous" in found["metrics"]["columns"]
