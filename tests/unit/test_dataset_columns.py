"""One set of columns a kind of telemetry, whatever its files say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.dataset.columns import type_named
from faultset.dataset.files import LocalFile
from faultset.dataset.telemetry import Part, Telemetry
from faultset.errors import InputError
from faultset.labels.one_table import common_type, conform, union

UTC_US = pa.timestamp("us", tz="UTC")
types = st.sampled_from(
    [pa.int64(), pa.int32(), pa.float64(), pa.string(), pa.bool_(), UTC_US, pa.list_(pa.string()), pa.null()]
)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.null(), pa.int64(), pa.int64()),
        (pa.int64(), pa.string(), pa.string()),
        (pa.bool_(), pa.int64(), pa.string()),
        (pa.timestamp("ns", tz="UTC"), UTC_US, UTC_US),
        (pa.timestamp("us"), UTC_US, pa.string()),
        (pa.list_(pa.null()), pa.list_(pa.string()), pa.list_(pa.string())),
    ],
)
def test_the_common_type_keeps_the_meaning_of_both(one: pa.DataType, other: pa.DataType, common: pa.DataType):
    assert common_type(one, other).equals(common)


@given(types, types)
def test_the_common_type_does_not_depend_on_the_order(one: pa.DataType, other: pa.DataType):
    assert common_type(one, other).equals(common_type(other, one))


@given(types)
def test_a_manifest_names_types_that_are_read_back(kind: pa.DataType):
    assert type_named(str(kind)).equals(kind)


def test_a_type_that_nobody_knows_is_said():
    with pytest.raises(InputError, match="use a newer faultset"):
        type_named("quaternion")


def test_the_union_has_the_sources_columns_then_time_then_labels():
    found = union(
        [
            {"timestamp": UTC_US, "a": pa.int64(), "phase": pa.string()},
            {"timestamp": UTC_US, "b": pa.int64(), "is_anomalous": pa.bool_()},
        ]
    )
    assert found.names == ["a", "b", "timestamp", "is_anomalous", "phase"]


def test_whole_numbers_that_no_decimal_holds_are_rounded_and_not_refused():
    table = conform(pa.table({"a": [2**60 + 1]}), pa.schema([pa.field("a", pa.float64())]))
    assert table["a"].to_pylist() == [2.0**60]


def file(folder: Path, node: str, nodes: tuple[str, ...] | None = None, **columns: object) -> Part:
    times = pa.array([dt.datetime(2025, 1, 1, tzinfo=dt.UTC)], UTC_US)
    table = pa.table({"timestamp": times, "node": [node], "source_row": [0], **columns, "is_anomalous": [False]})
    path = folder / f"{node}.parquet"
    pq.write_table(table, path)
    return Part(LocalFile(path), {field.name: field.type for field in table.schema}, 1, nodes)


def test_files_with_other_columns_and_types_are_one_table(tmp_path: Path):
    whole = file(tmp_path, "cmp01", cpu=[20], text=["a"])
    decimal = file(tmp_path, "cmp02", cpu=[20.5], disk=[3])
    rows = Telemetry("metrics", (whole, decimal)).arrow()
    assert rows.column_names == ["cpu", "text", "disk", "timestamp", "node", "source_row", "is_anomalous"]
    assert rows["cpu"].to_pylist() == [20.0, 20.5]
    assert rows["text"].to_pylist() == ["a", None]
    assert rows["disk"].to_pylist() == [None, 3]


def test_a_column_that_one_file_has_can_be_asked_for(tmp_path: Path):
    telemetry = Telemetry("metrics", (file(tmp_path, "cmp01", cpu=[20]), file(tmp_path, "cmp02", disk=[3])))
    assert telemetry(columns="disk")["disk"].isna().tolist() == [True, False]


def test_nodes_are_read_from_the_rows_where_the_manifest_does_not_say(tmp_path: Path):
    telemetry = Telemetry("metrics", (file(tmp_path, "CMP01"), file(tmp_path, "cmp02", nodes=("cmp02",))))
    assert telemetry.nodes == ("CMP01", "cmp02")
    assert telemetry(nodes="cmp01")["node"].tolist() == ["CMP01"]


def test_a_file_of_other_nodes_is_not_opened(tmp_path: Path):
    there = file(tmp_path, "cmp01", nodes=("cmp01",))
    gone = file(tmp_path, "cmp02", nodes=("cmp02",))
    (tmp_path / "cmp02.parquet").unlink()
    telemetry = Telemetry("metrics", (there, gone))
    assert len(telemetry(nodes="cmp01")) == 1
    with pytest.raises(InputError, match="the file is missing"):
        telemetry()


def test_a_damaged_file_is_one_line(tmp_path: Path):
    damaged = file(tmp_path, "cmp01")
    (tmp_path / "cmp01.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match="no whole parquet file"):
        Telemetry("metrics", (damaged,))()


def test_a_dataset_without_a_kind_says_so():
    with pytest.raises(InputError, match="logs: this dataset has no such telemetry"):
        Telemetry("logs", ())()
