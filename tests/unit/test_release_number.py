"""The number follows from the real difference by key, after Croissant 1.1."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import releases
from faultset import tables
from faultset.errors import InputError
from faultset.release.diff import Difference, diff
from faultset.release.number import Number, parse
from faultset.release.parquet import write_table
from faultset.release.table_difference import ChangedRow

TYPES = {"number": pa.int64(), "text": pa.string(), "list": pa.list_(pa.string())}
VALUES = {
    "number": st.none() | st.integers(0, 2),
    "text": st.none() | st.sampled_from(["", "a", "b"]),
    "list": st.none() | st.lists(st.sampled_from("ab"), max_size=2),
}
KEY = tables.ITERATIONS.key
Model = tuple[dict[str, str], dict[tuple[str, int], dict[str, Any]]]


@st.composite
def datasets(draw: st.DrawFn) -> Model:
    """Columns with their types, and rows by key, of a small table with the key of ``iterations``."""
    columns = draw(st.dictionaries(st.sampled_from(["x", "y", "z"]), st.sampled_from(sorted(TYPES)), max_size=3))
    return columns, draw(_rows(columns))


def _rows(columns: dict[str, str]) -> st.SearchStrategy[dict[tuple[str, int], dict[str, Any]]]:
    keys = st.tuples(st.sampled_from(["w", "v"]), st.integers(1, 3))
    return st.dictionaries(
        keys, st.fixed_dictionaries({name: VALUES[kind] for name, kind in columns.items()}), max_size=4
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Model, Model]:
    """Two small tables, most often related: independent ones would nearly always be a major change."""
    old = draw(datasets())
    if draw(st.integers(0, 4)) == 0:
        return old, draw(datasets())
    columns, rows = dict(old[0]), {key: dict(row) for key, row in old[1].items()}
    for name in draw(st.lists(st.sampled_from(["x", "y", "z"]), max_size=2, unique=True)):
        if draw(st.booleans()) and name not in columns:
            columns[name] = draw(st.sampled_from(sorted(TYPES)))
            for row in rows.values():
                row[name] = draw(VALUES[columns[name]])
        elif draw(st.integers(0, 3)) == 0 and name in columns:
            del columns[name]
            for row in rows.values():
                del row[name]
    added = draw(_rows(columns))
    if draw(st.booleans()):
        rows = added | rows if draw(st.integers(0, 2)) else rows | added
    return old, (columns, rows)


def write(folder: Path, model: Model) -> Path:
    folder.mkdir(exist_ok=True)
    columns, rows = model
    schema = pa.schema(
        [("workload_id", pa.string()), ("iteration", pa.int64()), *((name, TYPES[k]) for name, k in columns.items())]
    )
    records = [{"workload_id": key[0], "iteration": key[1], **row} for key, row in rows.items()]
    pq.write_table(pa.Table.from_pylist(records, schema=schema), folder / "iterations.parquet")
    return folder


def rule(old: Model, new: Model) -> str:
    """The rules as the contract words them, on plain dictionaries."""
    (old_columns, old_rows), (new_columns, new_rows) = old, new
    every_old_column_is_there = all(new_columns.get(name) == kind for name, kind in old_columns.items())
    intact = every_old_column_is_there and all(
        key in new_rows and all(new_rows[key][name] == row[name] for name in old_columns)
        for key, row in old_rows.items()
    )
    if not intact:
        return "major"
    return "minor" if len(new_rows) > len(old_rows) or len(new_columns) > len(old_columns) else "patch"


@settings(max_examples=300, deadline=None)
@given(pairs())
def test_the_change_is_what_the_rules_say(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Model, Model]) -> None:
    folder = tmp_path_factory.mktemp("pair", numbered=True)
    old, new = pair
    difference = diff(write(folder / "old", old), write(folder / "new", new))
    assert difference.change == rule(old, new)
    if difference.change == "patch":
        assert difference.summary() == ""


@settings(max_examples=100, deadline=None)
@given(pairs())
def test_rows_are_told_apart_by_key(tmp_path_factory: pytest.TempPathFactory, pair: tuple[Model, Model]) -> None:
    folder = tmp_path_factory.mktemp("rows", numbered=True)
    (old_columns, old_rows), (new_columns, new_rows) = pair
    (table,) = diff(write(folder / "old", pair[0]), write(folder / "new", pair[1])).tables
    shared = [name for name in old_columns if new_columns.get(name) == old_columns[name]]
    assert set(table.added) == new_rows.keys() - old_rows.keys()
    assert set(table.removed) == old_rows.keys() - new_rows.keys()
    assert {row.key: set(row.columns) for row in table.changed} == {
        key: differing
        for key in old_rows.keys() & new_rows.keys()
        if (differing := {name for name in shared if old_rows[key][name] != new_rows[key][name]})
    }


def compare(tmp_path: Path, old: dict[str, list[Any]], new: dict[str, list[Any]]) -> Difference:
    for name, content in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        for table, rows in content.items():
            write_table(tables.table_named(table), rows, tmp_path / name / f"{table}.parquet")
    return diff(tmp_path / "old", tmp_path / "new")


def test_an_added_injection_is_minor(tmp_path: Path) -> None:
    new = releases.rows()
    new["injections"].append(releases.injection(500))
    difference = compare(tmp_path, releases.rows(), new)
    assert difference.change == "minor"
    assert difference.summary() == "injections +1"
    assert difference.words() == ["injections: 1 added: boot.0.500."]


def test_a_changed_label_is_major_and_names_row_and_column(tmp_path: Path) -> None:
    new = releases.rows()
    new["targets"][1] = releases.target(250, "wally113", declared=False, effective=False)
    difference = compare(tmp_path, releases.rows(), new)
    assert difference.change == "major"
    (targets,) = (table for table in difference.tables if table.table == "targets")
    key = ("boot.0.250", "wally113", "nova_compute", "nova_compute", None, None)  # no namespace, no pod
    assert targets.changed == (ChangedRow(key, ("effective",)),)
    assert difference.as_dict()["words"] == [
        "targets: 1 changed: boot.0.250 / wally113 / nova_compute / nova_compute (effective)."
    ]


def test_a_changed_label_of_an_iteration_is_major(tmp_path: Path) -> None:
    new = releases.rows()
    new["iterations"][0] = releases.iteration(249, injection_ids=["boot.0.250"])
    assert compare(tmp_path, releases.rows(), new).summary() == "iterations ~1"


def test_the_same_rows_in_another_order_are_a_patch(tmp_path: Path) -> None:
    new = {name: list(reversed(rows)) for name, rows in releases.rows().items()}
    assert compare(tmp_path, releases.rows(), new).change == "patch"


def test_the_same_rows_in_other_row_groups_are_a_patch(tmp_path: Path) -> None:
    compare(tmp_path, releases.rows(), releases.rows())
    path = tmp_path / "new" / "iterations.parquet"
    pq.write_table(pq.ParquetFile(path).read(), path, row_group_size=1, compression="none")
    assert diff(tmp_path / "old", tmp_path / "new").change == "patch"


def test_a_new_table_is_minor_and_a_missing_one_major(tmp_path: Path) -> None:
    old = releases.rows()
    del old["iterations"]
    assert compare(tmp_path, old, releases.rows()).summary() == "iterations new"
    back = diff(tmp_path / "new", tmp_path / "old")
    assert (back.change, back.summary()) == ("major", "iterations gone")


def test_a_table_that_only_a_newer_version_of_the_tool_declares_is_compared_by_whole_rows(tmp_path: Path) -> None:
    for name, values in (("old", [1, 2]), ("new", [1, 2, 3])):
        (tmp_path / name / "metrics").mkdir(parents=True)
        pq.write_table(pa.table({"value": values}), tmp_path / name / "metrics" / "node.parquet")
    difference = diff(tmp_path / "old", tmp_path / "new")
    assert (difference.change, difference.summary()) == ("minor", "metrics/node +1")


def test_a_value_that_is_no_number_does_not_differ_from_itself(tmp_path: Path) -> None:
    rows = {"iterations": [releases.iteration(1, duration_s=math.nan)]}
    assert compare(tmp_path, rows, rows).change == "patch"


def test_rows_of_one_key_are_compared_as_a_group(tmp_path: Path) -> None:
    old = {"iterations": [releases.iteration(1), releases.iteration(1, failed=True)]}
    new = {"iterations": [releases.iteration(1, failed=True), releases.iteration(1), releases.iteration(1)]}
    difference = compare(tmp_path, old, new)
    assert (difference.change, difference.summary()) == ("minor", "iterations +1")


def test_many_rows_are_counted_and_the_first_named(tmp_path: Path) -> None:
    new = {"iterations": [releases.iteration(number) for number in range(1, 101)]}
    (line,) = compare(tmp_path, {"iterations": []}, new).words()
    assert line.startswith("iterations: 100 added: boot.0 / 1; boot.0 / 2;")
    assert line.endswith("; and 80 more.")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    compare(tmp_path, releases.rows(), releases.rows())
    (tmp_path / "old" / "targets.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"old/targets\.parquet: this is no whole parquet file"):
        diff(tmp_path / "old", tmp_path / "new")


def test_numbers_are_ordered_as_numbers() -> None:
    assert parse("1.10.0") > parse("1.9.9") > parse("1.9.0")
    assert [str(Number(1, 2, 3).after(change)) for change in ("major", "minor", "patch")] == ["2.0.0", "1.3.0", "1.2.4"]


@pytest.mark.parametrize(
    "text", ["1.2", "01.2.3", "1.2.3.4", "1.2.3-rc1", "v1.2.3", "", "latest.json", "1.2.\u0663", None]
)
def test_other_names_are_no_versions(text: object) -> None:
    assert parse(text) is None


def with_a_test(folder: Path, **changed: Any) -> Path:
    folder.mkdir()
    write_table(tables.IMPACT_TESTS, [releases.impact_test("cpu.user", **changed)], folder / "impact_tests.parquet")
    return folder


def test_an_estimate_that_moves_with_all_else_that_was_recorded_breaks_nothing(tmp_path: Path) -> None:
    before = with_a_test(tmp_path / "before")
    after = with_a_test(tmp_path / "after", adjusted_p_value=0.0007, detectable_sd=2.4)
    difference = diff(before, after)
    assert (difference.change, difference.summary()) == ("minor", "impact_tests 1 estimated anew")
    assert difference.words() == ["impact_tests: 1 estimated anew, with the same answer."]
    assert difference.reasons() == ["impact_tests: 1 rows were estimated anew"]


def test_another_answer_of_a_test_is_a_change(tmp_path: Path) -> None:
    before = with_a_test(tmp_path / "before")
    assert diff(before, with_a_test(tmp_path / "after", adjusted_p_value=0.0007, found=True)).change == "major"
