"""A kind of telemetry whose files differ in columns and types: published with one set of columns, read by any tool."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import faultset
from faultset import pipeline, simulator
from faultset.labels import one_table
from faultset.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of a run where one node's memory has decimals, and spans come as CSV and from OSProfiler."""
    folder = tmp_path_factory.mktemp("differing")
    experiment = folder / "experiments" / "glance"
    simulator.simulate("glance-api-restart", experiment, seed=1, iterations=60)
    source = next((experiment / "metrics").glob("cmp01*.csv"))
    header, *rows = source.read_text().splitlines()
    place = header.split(",").index("mem.used")
    cells = [row.split(",") for row in rows]
    decimals = [",".join([*row[:place], f"{row[place]}.5", *row[place + 1 :]]) for row in cells]
    source.write_text("\n".join([header, *decimals]) + "\n")
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    pipeline.publish_by_hand(pipeline.build("glance", settings), settings, reason="a test")
    return folder / "datasets/glance/1.0.0"


@pytest.mark.parametrize("kind", ["metrics", "logs", "traces"])
def test_all_files_of_a_kind_have_the_same_columns(version: Path, kind: str):
    schemas = [pq.read_schema(path) for path in (version / kind).glob("*.parquet")]
    assert all(schema.equals(schemas[0]) for schema in schemas)


def test_a_column_that_a_source_lacks_is_null_in_its_file(version: Path):
    assert len(list((version / "traces").glob("*.parquet"))) == 2
    frames = [pd.read_parquet(path) for path in sorted((version / "traces").glob("*.parquet"))]
    assert any(frame["Iteration_id"].isna().all() for frame in frames)
    assert any(frame["Iteration_id"].notna().all() for frame in frames)


@pytest.mark.parametrize("kind", ["metrics", "traces"])
def test_a_folder_reads_as_one_table_in_any_tool(version: Path, kind: str):
    files = f"{version}/{kind}/*.parquet"
    ours = getattr(faultset.open("glance", root=version.parents[1]), kind).arrow()
    assert len(pd.read_parquet(version / kind)) == ours.num_rows
    assert pl.read_parquet(files).shape == (ours.num_rows, ours.num_columns)
    found = duckdb.read_parquet(files)
    assert len(found.columns) == ours.num_columns
    assert found.aggregate("count(*)").fetchall() == [(ours.num_rows,)]
    assert found.aggregate("count(distinct node)").fetchall() == [(len(set(ours["node"].to_pylist())),)]


def test_decimals_of_one_node_are_kept(version: Path):
    used = faultset.open("glance", root=version.parents[1]).metrics(nodes="cmp01", columns="mem.used")["mem.used"]
    assert (used % 1 == 0.5).all()


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="Hugging Face datasets is not installed here")
def test_hugging_face_reads_a_folder_as_one_table(version: Path, tmp_path: Path):
    import datasets

    files = [str(path) for path in (version / "metrics").glob("*.parquet")]
    found = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(found) == sum(pq.read_metadata(path).num_rows for path in files)


def test_what_a_file_is_kept_for_elsewhere_stays_as_it_was(tmp_path: Path):
    columns = {"timestamp": pa.array([0], pa.timestamp("us", tz="UTC")), "node": ["a"], "source_row": [0]}
    (tmp_path / "kept").mkdir()
    (tmp_path / "metrics").mkdir()
    for name, value in (("a", 1), ("b", 1.5)):
        pq.write_table(pa.table({"cpu": [value], **columns}), tmp_path / f"kept/{name}.parquet")
        os.link(tmp_path / f"kept/{name}.parquet", tmp_path / f"metrics/{name}.parquet")
    before = (tmp_path / "kept/a.parquet").read_bytes()
    assert [path.name for path in one_table.align(tmp_path / "metrics")] == ["a.parquet"]
    assert one_table.align(tmp_path / "metrics") == []
    assert (tmp_path / "kept/a.parquet").read_bytes() == before
    assert pq.read_table(tmp_path / "metrics/a.parquet")["cpu"].to_pylist() == [1.0]


def test_files_that_agree_are_left_alone(version: Path):
    assert one_table.align(version / "logs") == []


def test_a_folder_that_is_not_there_has_nothing_to_align(tmp_path: Path):
    assert one_table.align(tmp_path / "logs") == []
