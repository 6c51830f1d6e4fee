"""The number that follows, against a statement of the rules of its own: plain dictionaries, none of the product's code.

Pairs of datasets are made by random edit scripts and independently of each other, with tables and telemetry; how the
files are packed (order of rows, row groups, compression, encodings) is drawn anew for each side.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faultset.release.diff import diff

PAIRS = 1200
BATCHES = 12

KEYS: dict[str, dict[str, list[Any]]] = {
    "injections": {"injection_id": ["a", "b", "c"]},
    "iterations": {"workload_id": ["v", "w"], "iteration": [1, 2, 3]},
    "targets": {
        "injection_id": ["a", "b"],
        "node": ["n1", "n2"],
        "container": [None, "x"],
        "component": [None, "x"],
        "pod": [None, "p"],
        "namespace": [None],
    },
    "impacts": {
        "injection_id": ["a", "b"],
        "node": ["n1"],
        "kpi": ["cpu", "mem"],
        "source": ["detected", "reviewed"],
        "started_at": [1, 2],
    },
    "metrics/n1": {"source_row": [0, 1, 2, 3, 4]},
    "metrics/n2": {"source_row": [0, 1, 2, 3, 4]},
    "logs/all": {"source_row": [0, 1, 2, 3, 4]},
}
TYPES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "number": (pa.int64(), [0, 1]),
    "decimal": (pa.float64(), [0.0, 1.5, math.nan]),
    "text": (pa.string(), ["", "p"]),
    "flag": (pa.bool_(), [True, False]),
    "list": (pa.list_(pa.string()), [[], ["p"], ["p", "q"]]),
}
NAMES = ["phase", "is_anomalous", "value", "other"]
Row = dict[str, Any]


@dataclass
class Table:
    """Columns (name -> type, may be null) and rows by key."""

    columns: dict[str, tuple[str, bool]] = field(default_factory=dict)
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)


Dataset = dict[str, Table]


# --- the rules ------------------------------------------------------------------------------------------------------


def rule(old: Dataset, new: Dataset) -> str:
    """The contract's words: what an existing record, label, column or type may do, and what may be added."""
    for name, before in old.items():
        if name not in new:
            return "major"
        after = new[name]
        for column, (kind, may_be_null) in before.columns.items():
            if column not in after.columns or after.columns[column][0] != kind:
                return "major"
            if after.columns[column][1] and not may_be_null:
                return "major"
        for key, row in before.rows.items():
            if key not in after.rows or any(not same(row[column], after.rows[key][column]) for column in row):
                return "major"
    more = len(new) > len(old) or any(
        len(new[name].rows) > len(before.rows) or len(new[name].columns) > len(before.columns)
        for name, before in old.items()
    )
    return "minor" if more else "patch"


def same(one: Any, other: Any) -> bool:
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return both_nan or (type(one) is type(other) and one == other)


# --- datasets -------------------------------------------------------------------------------------------------------


def value(rng: random.Random, column: tuple[str, bool]) -> Any:
    kind, may_be_null = column
    return None if may_be_null and rng.random() < 0.3 else rng.choice(TYPES[kind][1])


def key_of(rng: random.Random, name: str) -> tuple[Any, ...]:
    return tuple(rng.choice(values) for values in KEYS[name].values())


def table(rng: random.Random, name: str) -> Table:
    columns = {
        column: (rng.choice(sorted(TYPES)), rng.random() < 0.5) for column in rng.sample(NAMES, rng.randint(0, 3))
    }
    made = Table(columns)
    for _ in range(rng.randint(0, 5)):
        made.rows[key_of(rng, name)] = {column: value(rng, of) for column, of in columns.items()}
    return made


def dataset(rng: random.Random) -> Dataset:
    return {name: table(rng, name) for name in rng.sample(sorted(KEYS), rng.randint(1, 3))}


def copy(old: Dataset) -> Dataset:
    return {
        name: Table(dict(one.columns), {key: dict(row) for key, row in one.rows.items()}) for name, one in old.items()
    }


# --- edits ----------------------------------------------------------------------------------------------------------


def add_row(rng: random.Random, name: str, one: Table) -> None:
    key = key_of(rng, name)
    if key not in one.rows:
        one.rows[key] = {column: value(rng, of) for column, of in one.columns.items()}


def remove_row(rng: random.Random, _: str, one: Table) -> None:
    if one.rows:
        del one.rows[rng.choice(list(one.rows))]


def change_value(rng: random.Random, _: str, one: Table) -> None:
    if one.rows and one.columns:
        column = rng.choice(list(one.columns))
        one.rows[rng.choice(list(one.rows))][column] = value(rng, one.columns[column])


def add_column(rng: random.Random, _: str, one: Table) -> None:
    column = rng.choice(NAMES)
    if column not in one.columns:
        one.columns[column] = (rng.choice(sorted(TYPES)), rng.random() < 0.5)
        for row in one.rows.values():
            row[column] = value(rng, one.columns[column])


def remove_column(rng: random.Random, _: str, one: Table) -> None:
    if one.columns:
        column = rng.choice(list(one.columns))
        del one.columns[column]
        for row in one.rows.values():
            del row[column]


def retype(rng: random.Random, _: str, one: Table) -> None:
    whole = [column for column, (kind, _) in one.columns.items() if kind == "number"]
    if whole:
        column = rng.choice(whole)
        one.columns[column] = ("decimal", one.columns[column][1])
        for row in one.rows.values():
            row[column] = None if row[column] is None else float(row[column])


def loosen(rng: random.Random, _: str, one: Table) -> None:
    if one.columns:
        column = rng.choice(list(one.columns))
        one.columns[column] = (one.columns[column][0], True)


def tighten(rng: random.Random, _: str, one: Table) -> None:
    full = [column for column in one.columns if all(row[column] is not None for row in one.rows.values())]
    if full:
        column = rng.choice(full)
        one.columns[column] = (one.columns[column][0], False)


EDITS: list[Callable[[random.Random, str, Table], None]] = [
    *(add_row, add_row, add_column, tighten),  # drawn as often as what breaks
    *(remove_row, change_value, remove_column, retype, loosen),
]


def edited(rng: random.Random, old: Dataset) -> Dataset:
    new = copy(old)
    for _ in range(rng.randint(0, 3)):
        what = rng.random()
        name = rng.choice(sorted(KEYS))
        if what < 0.12:
            new.setdefault(name, table(rng, name))
        elif what < 0.18 and len(new) > 1:
            del new[rng.choice(sorted(new))]
        elif what < 0.22 and "metrics/n1" in new:
            new["metrics/n2"] = new.pop("metrics/n1")  # a file renamed
        else:
            name = rng.choice(sorted(new))
            rng.choice(EDITS)(rng, name, new[name])
    return new


# --- files ----------------------------------------------------------------------------------------------------------


def packed(rng: random.Random, kind: pa.DataType) -> pa.DataType:
    """The same values in another encoding, now and then."""
    if rng.random() < 0.8:
        return kind
    if pa.types.is_string(kind):
        return rng.choice([pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
    return pa.large_list(pa.large_string()) if pa.types.is_list(kind) else kind


def key_type(values: list[Any]) -> pa.DataType:
    return pa.int64() if isinstance(values[0], int) else pa.string()


def write(rng: random.Random, folder: Path, content: Dataset) -> Path:
    for name, one in content.items():
        keys = KEYS[name]
        fields = [pa.field(key, packed(rng, key_type(values))) for key, values in keys.items()]
        fields += [
            pa.field(column, packed(rng, TYPES[kind][0]), nullable=null) for column, (kind, null) in one.columns.items()
        ]
        records = [dict(zip(keys, key, strict=True)) | row for key, row in one.rows.items()]
        if name.startswith(("metrics/", "logs/")) and rng.random() < 0.7:
            records.sort(key=lambda record: record["source_row"])
        else:
            rng.shuffle(records)
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            pa.Table.from_pylist(records, schema=pa.schema(fields)),
            path,
            row_group_size=rng.choice([1, 2, 100]),
            compression=rng.choice(["none", "zstd", "snappy"]),
        )
    return folder


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_number_is_what_the_rules_say(tmp_path: Path, batch: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(batch, PAIRS, BATCHES):
        rng = random.Random(seed)
        old = dataset(rng)
        new = dataset(rng) if rng.random() < 0.1 else edited(rng, old)
        folder = tmp_path / str(seed)
        found = diff(write(rng, folder / "old", old), write(rng, folder / "new", new))
        expected = rule(old, new)
        assert found.change == expected, f"seed {seed}: {found.words()}"
        assert bool(found.summary()) == (expected != "patch"), f"seed {seed}"
        assert bool(found.reasons()) == (expected != "patch"), f"seed {seed}"
        assert_rows_counted(found, old, new, seed)
        seen[expected] += 1
    assert min(seen[change] for change in ("major", "minor", "patch")) >= 10


def assert_rows_counted(found: Any, old: Dataset, new: Dataset, seed: int) -> None:
    for one in found.tables:
        before, after = old.get(one.table, Table()), new.get(one.table, Table())
        shared = [
            column for column, (kind, _) in before.columns.items() if after.columns.get(column, ("", True))[0] == kind
        ]
        both = before.rows.keys() & after.rows.keys()
        changed = sum(
            any(not same(before.rows[key][column], after.rows[key][column]) for column in shared) for key in both
        )
        counted = (one.rows_added, one.rows_removed, one.rows_changed)
        expected = (len(after.rows) - len(both), len(before.rows) - len(both), changed)
        assert counted == expected, f"seed {seed}: {one.table}"
