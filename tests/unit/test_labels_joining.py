"""Parquet files joined as bytes: all places in the footer are moved, and what is not known stays as it was."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultset.labels import compact, writer
from faultset.labels.joining import NotJoinableError, Piece, join
from faultset.labels.writer import Writer


@pytest.fixture(autouse=True)
def few_rows_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 100)


def rows(begin: int, count: int, *, numbered_from: int) -> pa.Table:
    numbers = range(begin, begin + count)
    return pa.table(
        {
            "value": pa.array([number % 17 / 10 for number in numbers], pa.float64()),
            "text": pa.array([None if number % 7 == 0 else f"text {number % 30}" for number in numbers], pa.string()),
            "timestamp": pa.array([number * 10**6 for number in numbers], pa.timestamp("us", "UTC")),
            "source_row": pa.array([number - begin + numbered_from for number in numbers], pa.int64()),
            "names": pa.array([["a", "b"][: number % 3] for number in numbers], pa.list_(pa.string())),
            "flag": pa.array([number % 2 == 0 for number in numbers], pa.bool_()),
        }
    )


def written(path: Path, table: pa.Table) -> Path:
    with contextlib.closing(Writer(path, table.schema)) as target:
        target.add(table)
        target.flush()
    return path


def footer(path: Path) -> bytes:
    data = path.read_bytes()
    return data[-8 - int.from_bytes(data[-8:-4], "little") : -8]


def test_a_footer_is_written_as_it_was_read(tmp_path: Path) -> None:
    data = footer(written(tmp_path / "one.parquet", rows(0, 1234, numbered_from=0)))
    assert compact.write(compact.read(data)) == data


def test_a_file_joined_of_one_part_is_that_part(tmp_path: Path) -> None:
    part = written(tmp_path / "one.parquet", rows(0, 450, numbered_from=0))
    assert join([Piece(part, 0)], tmp_path / "joined.parquet", numbers="source_row") == 450
    assert (tmp_path / "joined.parquet").read_bytes() == part.read_bytes()


def test_parts_become_one_file_whose_rows_are_numbered_through(tmp_path: Path) -> None:
    first = written(tmp_path / "0.parquet", rows(0, 450, numbered_from=0))
    nothing = written(tmp_path / "1.parquet", rows(450, 0, numbered_from=0))
    second = written(tmp_path / "2.parquet", rows(450, 320, numbered_from=0))
    target = tmp_path / "joined.parquet"
    pieces = [Piece(nothing, 0), Piece(first, 0), Piece(nothing, 450), Piece(second, 450)]
    assert join(pieces, target, numbers="source_row") == 770
    expected = rows(0, 770, numbered_from=0)
    assert pq.read_table(target).equals(expected)
    assert pl.read_parquet(target).equals(pl.DataFrame(expected))
    # By statistics and by page index, which tell places and numbers, too.
    assert pl.scan_parquet(target).filter(pl.col("source_row") == 455).collect()["value"].to_list() == [455 % 17 / 10]
    found = pq.read_table(target, filters=[("source_row", ">=", 449), ("source_row", "<", 452)])
    assert found["source_row"].to_pylist() == [449, 450, 451]
    metadata = pq.read_metadata(target)
    assert [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)] == [
        *([100] * 4),
        50,
        *([100] * 3),
        20,
    ]
    assert all(
        metadata.row_group(place).column(column).has_offset_index
        for place in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )


def test_raised_numbers_are_packed_as_if_they_had_been_written_so(tmp_path: Path) -> None:
    raised = written(tmp_path / "raised.parquet", rows(450, 320, numbered_from=0))
    right = written(tmp_path / "right.parquet", rows(450, 320, numbered_from=450))
    join([Piece(raised, 450)], tmp_path / "joined.parquet", numbers="source_row")
    assert (tmp_path / "joined.parquet").read_bytes() == right.read_bytes()


def test_what_cannot_be_joined_is_refused(tmp_path: Path) -> None:
    table = rows(0, 10, numbered_from=0)
    one = written(tmp_path / "one.parquet", table)
    other = written(tmp_path / "other.parquet", table.set_column(0, "value", pa.array(["x"] * 10)))
    with pytest.raises(NotJoinableError, match=r"other\.parquet has other columns"):
        join([Piece(one, 0), Piece(other, 0)], tmp_path / "joined.parquet", numbers="source_row")
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(one.read_bytes()[:-20])
    with pytest.raises(NotJoinableError, match=r"cut\.parquet is no whole parquet file"):
        join([Piece(cut, 0)], tmp_path / "joined.parquet", numbers="source_row")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_struct_are_refused_at_once(data: bytes) -> None:
    with contextlib.suppress(compact.CompactError):
        compact.read(data)


def test_a_deep_struct_is_refused() -> None:
    with pytest.raises(compact.CompactError, match="deep"):
        compact.read(b"\x1c" * 10_000)
    with pytest.raises(compact.CompactError, match="longer than all bytes"):
        compact.read(b"\x19\xfc\xff\xff\xff\xff\x0f")


def test_parquet_of_other_writers_is_read_alike() -> None:
    sink = io.BytesIO()
    pl.DataFrame({"a": [1, 2, None], "b": ["x", "y", "z"]}).write_parquet(sink)
    data = sink.getvalue()
    found = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    assert compact.write(compact.read(found)) == found
