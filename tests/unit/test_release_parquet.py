"""The same rows give the same bytes."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import random
import subprocess
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import releases
from faultset import tables
from faultset.errors import InputError
from faultset.records.evidence import InputFile
from faultset.release.fingerprint import fingerprint
from faultset.release.parquet import read_table, write_table

TESTS = Path(__file__).resolve().parent.parent
WRITE = """
import sys
from pathlib import Path
import releases
from faultset import tables
from faultset.release.parquet import write_table
for table in tables.TABLES:
    write_table(table, releases.rows()[table.name], Path(sys.argv[1]) / f"{table.name}.parquet")
"""


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    for table in tables.TABLES:
        rows = releases.rows()[table.name]
        assert write_table(table, rows, tmp_path / "t.parquet") == len(rows)
        assert sorted(read_table(table, tmp_path / "t.parquet"), key=repr) == sorted(rows, key=repr)


def test_rows_are_ordered_by_key_with_nulls_first(tmp_path: Path) -> None:
    rows = [releases.target(1, "b"), releases.target(1, "a"), releases.target(1, "a", container=None)]
    write_table(tables.TARGETS, rows, tmp_path / "t.parquet")
    read = read_table(tables.TARGETS, tmp_path / "t.parquet")
    assert [(row.node, row.container) for row in read] == [("a", None), ("a", "nova_compute"), ("b", "nova_compute")]


@given(st.randoms(use_true_random=False))
def test_bytes_do_not_depend_on_the_order_of_the_input(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("order")
    # Two rows of one key: what a table must not have, and what must not make its bytes depend on chance either.
    rows = [releases.target(n, node) for n in (1, 2) for node in "abc"] + [releases.target(1, "a", role="controller")]
    write_table(tables.TARGETS, rows, folder / "one.parquet")
    shuffled = rng.sample(rows, len(rows))
    write_table(tables.TARGETS, shuffled, folder / "two.parquet")
    assert (folder / "one.parquet").read_bytes() == (folder / "two.parquet").read_bytes()


def test_bytes_do_not_depend_on_the_zone_of_a_time(tmp_path: Path) -> None:
    row = releases.injection(250)
    berlin = ZoneInfo("Europe/Berlin")
    same = dataclasses.replace(
        row, started_at=row.started_at.astimezone(berlin), ended_at=row.ended_at.astimezone(berlin)
    )
    write_table(tables.INJECTIONS, [row], tmp_path / "one.parquet")
    write_table(tables.INJECTIONS, [same], tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_bytes_do_not_depend_on_time_zone_locale_and_hash_seed(tmp_path: Path) -> None:
    surroundings = (
        {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "Pacific/Auckland", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "4711"},
    )
    for number, surrounding in enumerate(surroundings):
        (tmp_path / str(number)).mkdir()
        paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "include")])
        environment = {**os.environ, **surrounding, "PYTHONPATH": paths}
        subprocess.run([sys.executable, "-c", WRITE, tmp_path / str(number)], env=environment, check=True)
    for table in tables.TABLES:
        one, two = (tmp_path / str(number) / f"{table.name}.parquet" for number in (0, 1))
        assert one.read_bytes() == two.read_bytes()


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    assert write_table(tables.TARGETS, [], tmp_path / "t.parquet") == 0
    assert read_table(tables.TARGETS, tmp_path / "t.parquet") == []


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -9])
def test_a_file_that_was_cut_off_is_named(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "t.parquet"
    write_table(tables.WORKLOADS, [releases.workload()], path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="no whole parquet file"):
        read_table(tables.WORKLOADS, path)


def test_a_flipped_byte_of_a_row_never_becomes_another_row(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(tables.WORKLOADS, [releases.workload()], path)
    intact = path.read_bytes()
    outcomes = set()
    for place in range(0, len(intact), 23):
        path.write_bytes(intact[:place] + bytes([intact[place] ^ 0xFF]) + intact[place + 1 :])
        try:
            outcomes.add(read_table(tables.WORKLOADS, path) == [releases.workload()])
        except InputError:
            outcomes.add("refused")
    assert outcomes == {"refused", True}


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    write_table(tables.WORKLOADS, [releases.workload()], tmp_path / "t.parquet")
    with pytest.raises(InputError, match="not those of the table targets"):
        read_table(tables.TARGETS, tmp_path / "t.parquet")


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        read_table(tables.TARGETS, tmp_path / "t.parquet")


# --- fingerprint ----------------------------------------------------------------------------------------------------

ONE = InputFile("report", "report.html", 10, "aa")
TWO = InputFile("cluster", "os-faults.yaml", 20, "bb")


def test_the_fingerprint_does_not_depend_on_the_order_of_files_and_keys() -> None:
    assert fingerprint([ONE, TWO], {"title": "t", "runs": [1, 2]}) == fingerprint(
        [TWO, ONE], '{"runs":[1,2],"title":"t"}'
    )


@pytest.mark.parametrize(
    ("inputs", "experiment"),
    [
        ([ONE], {"title": "t"}),
        ([ONE, dataclasses.replace(TWO, sha256="cc")], {"title": "t"}),
        ([ONE, dataclasses.replace(TWO, uri="other.yaml")], {"title": "t"}),
        ([ONE, TWO], {"title": "u"}),
    ],
)
def test_any_other_input_gives_another_fingerprint(inputs: list[InputFile], experiment: dict[str, str]) -> None:
    assert fingerprint(inputs, experiment) != fingerprint([ONE, TWO], {"title": "t"})


def test_another_recipe_gives_another_fingerprint_and_another_number_of_the_tool_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = fingerprint([ONE], {})
    monkeypatch.setattr("faultset.version.__version__", "999.0.0")
    assert fingerprint([ONE], {}) == before
    monkeypatch.setattr("faultset.recipe.digest", lambda: "other code")
    assert fingerprint([ONE], {}) != before


def test_the_hour_that_a_zone_repeats_is_stored_as_the_moment_it_was(tmp_path: Path) -> None:
    fold = dt.datetime(2019, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    write_table(tables.WORKLOADS, [releases.workload(started_at=fold)], tmp_path / "t.parquet")
    assert read_table(tables.WORKLOADS, tmp_path / "t.parquet")[0].started_at == fold.astimezone(dt.UTC)
