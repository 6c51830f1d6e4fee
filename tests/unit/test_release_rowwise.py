"""Telemetry of two versions is compared row by row, in little memory."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import releases
from faultset.errors import InputError
from faultset.release import rowwise
from faultset.release.diff import Difference, diff
from faultset.release.rowwise import differs
from faultset.release.table_difference import ChangedRow, TableDifference

PATH = "metrics/wally117.parquet"


def compare(tmp_path: Path, old: pa.Table, new: pa.Table) -> Difference:
    for name, data in (("old", old), ("new", new)):
        releases.write_telemetry(tmp_path / name, PATH, data)
    return diff(tmp_path / "old", tmp_path / "new")


def only(difference: Difference) -> TableDifference:
    (table,) = difference.tables
    return table


def relabeled(data: pa.Table, rows: list[int], column: str, value: Any) -> pa.Table:
    values = data[column].to_pylist()
    for row in rows:
        values[row] = value
    return data.set_column(data.column_names.index(column), column, pa.array(values, data[column].type))


def test_the_same_telemetry_is_intact(tmp_path: Path) -> None:
    data = releases.telemetry_rows(10)
    difference = compare(tmp_path, data, data)
    assert (difference.change, difference.words()) == ("patch", ["No record differs."])
    assert (only(difference).rows_before, only(difference).rows_after) == (10, 10)


def test_telemetry_that_is_only_packed_differently_is_intact(tmp_path: Path) -> None:
    data = releases.telemetry_rows(300_000)
    compare(tmp_path, data, data)
    releases.pq.write_table(data, tmp_path / "new" / PATH, row_group_size=70_001, compression="none")
    assert diff(tmp_path / "old", tmp_path / "new").change == "patch"


def test_changed_labels_are_a_major_change_with_the_rows_counted(tmp_path: Path) -> None:
    data = releases.telemetry_rows(200_000)
    changed = relabeled(data, [5, 70_000], "phase", "recovery")
    changed = relabeled(changed, [70_000], "injection_ids", ["boot.0.250", "boot.0.500"])
    difference = compare(tmp_path, data, changed)
    assert difference.change == "major"
    assert only(difference).changed == (
        ChangedRow((5,), ("phase",)),
        ChangedRow((70_000,), ("injection_ids", "phase")),
    )
    assert difference.words() == ["metrics/wally117: 2 changed: 5 (phase); 70000 (injection_ids, phase)."]
    assert difference.as_dict()["tables"][0]["rows_changed"] == 2


def test_the_first_of_many_changed_rows_are_named_and_all_are_counted(tmp_path: Path) -> None:
    data = releases.telemetry_rows(100_000)
    changed = data.set_column(5, "is_anomalous", pa.array(np.ones(100_000, dtype=bool)))
    table = only(compare(tmp_path, data, changed))
    assert (table.rows_changed, len(table.changed)) == (50_000, 20)
    difference = diff(tmp_path / "old", tmp_path / "new")
    assert difference.summary() == "metrics/wally117 ~50000"
    assert difference.words()[0].endswith("38 (is_anomalous); and 49980 more.")


def test_rows_that_came_at_the_end_are_a_minor_change(tmp_path: Path) -> None:
    difference = compare(tmp_path, releases.telemetry_rows(70_000), releases.telemetry_rows(140_000))
    assert (difference.change, difference.summary()) == ("minor", "metrics/wally117 +70000")
    back = diff(tmp_path / "new", tmp_path / "old")
    assert (back.change, back.summary()) == ("major", "metrics/wally117 -70000")


def test_rows_are_matched_by_their_number_wherever_they_stand(tmp_path: Path) -> None:
    data = releases.telemetry_rows(150_000)
    kept = data.filter(pa.array(np.arange(150_000) % 3 != 0))
    table = only(compare(tmp_path, kept, data.slice(1000)))
    assert (table.rows_added, table.rows_removed, table.rows_changed) == (50_000 - 334, 666, 0)
    assert table.removed[:2] == ((1,), (2,))
    assert table.added[0] == (1002,)


def test_a_new_column_is_minor_and_another_type_major(tmp_path: Path) -> None:
    data = releases.telemetry_rows(10)
    more = data.append_column("names_injection", pa.array([False] * 10))
    assert compare(tmp_path, data, more).summary() == "metrics/wally117 columns +names_injection"
    retyped = data.set_column(1, "cpu.user", data["cpu.user"].cast(pa.float32()))
    assert compare(tmp_path, data, retyped).change == "major"


def test_a_new_file_is_minor_and_a_missing_one_major_without_a_row_being_read(tmp_path: Path) -> None:
    data = releases.telemetry_rows(10)
    compare(tmp_path, data, data)
    releases.write_telemetry(tmp_path / "new", "logs/all.parquet", data)
    there, back = (diff(tmp_path / a, tmp_path / b) for a, b in (("old", "new"), ("new", "old")))
    assert (there.change, there.summary()) == ("minor", "logs/all new")
    assert (back.change, back.summary()) == ("major", "logs/all gone")
    added, removed = (next(table for table in one.tables if table.table == "logs/all") for one in (there, back))
    assert (added.rows_added, added.added, removed.rows_removed, removed.removed) == (10, (), 10, ())


def test_rows_without_an_order_are_still_compared(tmp_path: Path) -> None:
    data = releases.telemetry_rows(10)
    shuffled = data.take(pa.array([3, 1, 2, 0, 4, 5, 6, 7, 8, 9]))
    assert compare(tmp_path, data, shuffled).change == "patch"


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    data = releases.telemetry_rows(10)
    compare(tmp_path, data, data)
    path = tmp_path / "new" / PATH
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"new/metrics/wally117\.parquet: this is no whole parquet file"):
        diff(tmp_path / "old", tmp_path / "new")


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (300_000, 1_500_000):
        data = releases.telemetry_rows(count)
        for name in ("old", "new"):
            releases.write_telemetry(tmp_path / name, PATH, data if name == "old" else relabeled_last(data))
        del data
        usual, watched = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
        pa.set_memory_pool(watched)
        try:
            assert diff(tmp_path / "old", tmp_path / "new").tables[0].rows_changed == 1
        finally:
            pa.set_memory_pool(usual)
        peaks.append(watched.max_memory())
    assert 0 < peaks[0] < 100_000_000
    assert peaks[1] < 1.3 * peaks[0]


def relabeled_last(data: pa.Table) -> pa.Table:
    flags = np.zeros(data.num_rows, dtype=bool)
    flags[-1] = True
    return data.set_column(data.column_names.index("is_boundary"), "is_boundary", pa.array(flags))


# --- values ---------------------------------------------------------------------------------------------------------

KINDS = {
    "float": (pa.float64(), st.sampled_from([None, 0.0, 1.5, math.nan, math.inf])),
    "int": (pa.int64(), st.sampled_from([None, 0, 1])),
    "text": (pa.string(), st.sampled_from([None, "", "a", "\x1f"])),
    "flag": (pa.bool_(), st.sampled_from([None, True, False])),
    "time": (pa.timestamp("us", tz="UTC"), st.sampled_from([None, 0, 1])),
    "list": (pa.list_(pa.string()), st.none() | st.lists(st.sampled_from([None, "", "a", "b"]), max_size=2)),
    "long list": (pa.large_list(pa.float64()), st.none() | st.lists(st.sampled_from([1.0, math.nan]), max_size=2)),
    "word": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from([None, "a", "b"])),
    "record": (pa.struct([("x", pa.int64())]), st.sampled_from([None, {"x": 1}, {"x": None}])),
    "nothing": (pa.null(), st.none()),
}


def comparable(value: object) -> object:
    if isinstance(value, list):
        return [comparable(part) for part in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_values_differ_as_they_do_one_by_one(data: st.DataObject) -> None:
    kind, values = KINDS[data.draw(st.sampled_from(sorted(KINDS)))]
    pairs = data.draw(st.lists(st.tuples(values, values), max_size=6))
    skipped = data.draw(st.integers(0, len(pairs)))
    old, new = (pa.array([pair[side] for pair in pairs], kind).slice(skipped) for side in (0, 1))
    expected = [comparable(a) != comparable(b) for a, b in pairs[skipped:]]
    assert list(differs(old, new)) == expected


@given(
    st.dictionaries(st.integers(0, 12), st.integers(0, 1)),
    st.dictionaries(st.integers(0, 12), st.integers(0, 1)),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=100)
def test_any_two_files_are_compared_by_number(
    tmp_path_factory: pytest.TempPathFactory, old: dict[int, int], new: dict[int, int], batch: int
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    for name, rows in (("old", old), ("new", new)):
        numbers = sorted(rows)
        data = pa.table(
            {"source_row": pa.array(numbers, pa.int64()), "x": pa.array([rows[n] for n in numbers], pa.int64())}
        )
        releases.write_telemetry(folder, f"{name}.parquet", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rowwise, "BATCH_ROWS", batch)
        layout = rowwise.Layout("source_row", ("x",))
        old_rows, new_rows = (rowwise.batches(folder / f"{name}.parquet", layout) for name in ("old", "new"))
        tally = rowwise.compare(old_rows, new_rows, layout, 99)
    assert sorted(tally.first_added) == sorted(new.keys() - old.keys())
    assert sorted(tally.first_removed) == sorted(old.keys() - new.keys())
    changed = [number for number in sorted(old.keys() & new.keys()) if old[number] != new[number]]
    assert tally.first_changed == [(number, ("x",)) for number in changed]
    assert (tally.added, tally.removed, tally.changed) == tuple(
        map(len, (tally.first_added, tally.first_removed, tally.first_changed))
    )
