"""Two files of many rows compared row by row, a few rows at a time, by a number that ascends in both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from faultset.release import parquet

BATCH_ROWS = 65_536
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of two files of rows mean.

    Attributes:
        key: the integer column that ascends.
        columns: the other columns to compare, of one logical type in both files.
        labels: those of them that are labels.
        node: the column that names a row's node, by which changed labels are counted; None where there is none.
    """

    key: str
    columns: tuple[str, ...]
    labels: frozenset[str] = frozenset()
    node: str | None = None


@dataclass(slots=True)
class Tally:
    """What differs between two files.

    Attributes:
        named: how many rows of each kind are named; the others are counted only.
        added: rows that only the new file has.
        removed: rows that only the old file has.
        changed: rows of both that differ in a column.
        first_added: numbers of the first of them.
        first_removed: likewise.
        first_changed: number and differing columns of the first of them.
        columns: column -> changed rows that differ in it.
        relabeled: node -> rows of both files whose labels differ; "" for rows without a node.
    """

    named: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    first_added: list[int] = field(default_factory=list)
    first_removed: list[int] = field(default_factory=list)
    first_changed: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)
    relabeled: Counter[str] = field(default_factory=Counter)

    def add(self, numbers: Numbers) -> None:
        """Count rows that only the new file has."""
        self.added += len(numbers)
        self.first_added += [int(number) for number in numbers[: self.named - len(self.first_added)]]

    def remove(self, numbers: Numbers) -> None:
        """Count rows that only the old file has."""
        self.removed += len(numbers)
        self.first_removed += [int(number) for number in numbers[: self.named - len(self.first_removed)]]

    def change(self, numbers: Numbers, masks: dict[str, Flags]) -> None:
        """Count rows of both files; ``masks`` says of each differing column in which of the rows it differs."""
        if not masks:
            return
        places = np.flatnonzero(np.logical_or.reduce(list(masks.values())))
        self.changed += len(places)
        self.columns.update({name: int(mask.sum()) for name, mask in masks.items()})
        for place in places[: self.named - len(self.first_changed)]:
            columns = tuple(name for name, mask in masks.items() if mask[place])
            self.first_changed.append((int(numbers[place]), columns))

    def relabel(self, nodes: pa.Array) -> None:
        """Count rows of both files whose labels differ, by node."""
        for counted in pc.value_counts(nodes).to_pylist():
            self.relabeled[counted["values"] or ""] += counted["counts"]


def ascends(path: Path, key: str) -> bool:
    """Return whether ``key`` grows from row to row, and is never null.

    Raises:
        InputError: the file is damaged.
    """
    last = None
    for batch in parquet.batches(path, [key], BATCH_ROWS):
        if batch.column(0).null_count:
            return False
        numbers = batch.column(0).to_numpy()
        if (np.diff(numbers) <= 0).any() or (last is not None and numbers[0] <= last):
            return False
        last = numbers[-1]
    return True


def batches(path: Path, layout: Layout) -> Batches:
    """Return the rows of a file in the order of the key, ``BATCH_ROWS`` at a time.

    A file in which the key ascends is streamed. Any other, which nothing here writes, is held in memory and sorted.

    Raises:
        InputError: the file is damaged.
        SetupError: it cannot be read.
    """
    names = list(dict.fromkeys((layout.key, *layout.columns, *([layout.node] if layout.node else []))))
    if ascends(path, layout.key):
        return parquet.batches(path, names, BATCH_ROWS)
    data = parquet.read_arrow(path).select(names).sort_by(layout.key)
    return (batch for batch in data.to_batches(max_chunksize=BATCH_ROWS) if batch.num_rows)


def unique(path: Path, key: str) -> bool:
    """Return whether ``key`` is never null and no two rows share one.

    Raises:
        InputError: the file is damaged.
    """
    if ascends(path, key):
        return True
    keys = parquet.read_arrow(path)[key]
    return not keys.null_count and pc.count_distinct(keys).as_py() == len(keys)


def compare(old: Batches, new: Batches, layout: Layout, named: int) -> Tally:
    """Compare rows in both of which the key ascends.

    Args:
        old: the old rows.
        new: the new rows.
        layout: what their columns mean.
        named: how many rows to name of those added, removed and changed.

    Raises:
        InputError: a file is damaged.
        SetupError: a file cannot be read.
    """
    tally = Tally(named)
    before, after = _Rows(old, layout.key), _Rows(new, layout.key)
    while len(before.numbers) and len(after.numbers):
        last = min(before.numbers[-1], after.numbers[-1])
        _pair(tally, before.up_to(last), after.up_to(last), layout)
    while len(before.numbers):
        tally.remove(before.up_to(before.numbers[-1])[0])
    while len(after.numbers):
        tally.add(after.up_to(after.numbers[-1])[0])
    return tally


class _Rows:
    """Rows that were not compared yet, a batch of them in memory."""

    def __init__(self, batches: Batches, key: str) -> None:
        self._batches = batches
        self._key = key
        self.rows: Any = None
        self._load()

    def _load(self) -> None:
        self.rows = next(self._batches, None)
        self.numbers: Numbers = self.rows.column(self._key).to_numpy() if self.rows else np.empty(0, dtype=np.int64)

    def up_to(self, last: int) -> tuple[Numbers, pa.RecordBatch]:
        """Return the rows in memory whose number is at most ``last``, and have done with them."""
        count = int(np.searchsorted(self.numbers, last, side="right"))
        numbers, rows = self.numbers[:count], self.rows.slice(0, count)
        self.numbers, self.rows = self.numbers[count:], self.rows.slice(count)
        if not len(self.numbers):
            self._load()
        return numbers, rows


def _pair(
    tally: Tally, before: tuple[Numbers, pa.RecordBatch], after: tuple[Numbers, pa.RecordBatch], layout: Layout
) -> None:
    numbers, old = before
    others, new = after
    if not np.array_equal(numbers, others):
        stayed, known = np.isin(numbers, others, assume_unique=True), np.isin(others, numbers, assume_unique=True)
        tally.remove(numbers[~stayed])
        tally.add(others[~known])
        numbers, old, new = numbers[stayed], old.filter(pa.array(stayed)), new.filter(pa.array(known))
    masks = {name: mask for name in layout.columns if (mask := differs(old.column(name), new.column(name))).any()}
    tally.change(numbers, masks)
    labels = _any_of(masks, layout.labels)
    if labels is not None and layout.node is not None:
        tally.relabel(_plain(new.column(layout.node)).filter(pa.array(labels)))


def _any_of(masks: dict[str, Flags], names: Collection[str]) -> Flags | None:
    chosen = [mask for name, mask in masks.items() if name in names]
    return np.logical_or.reduce(chosen) if chosen else None


# --- values ---------------------------------------------------------------------------------------------------------


def logical(kind: pa.DataType) -> pa.DataType:
    """Return what a type holds, however it is packed: a dictionary of texts or large texts are texts."""
    if pa.types.is_dictionary(kind):
        return logical(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(logical(kind.value_type))
    return kind


def _plain(values: pa.Array) -> pa.Array:
    """Return ``values`` packed in the one way of their logical type; lists stay, and are compared piece by piece."""
    if pa.types.is_dictionary(values.type):
        return _plain(values.dictionary_decode())
    kind = logical(values.type)
    return values if kind.equals(values.type) or pa.types.is_nested(kind) else values.cast(kind)


def differs(old: pa.Array, new: pa.Array) -> Flags:
    """Return place by place whether two arrays of one logical type and length differ.

    Null is like null, and NaN like NaN.
    """
    old, new = _plain(old), _plain(new)
    if old.equals(new):
        return np.zeros(len(old), dtype=np.bool_)
    kind = logical(old.type)
    if pa.types.is_list(kind):
        return _lists_differ(old, new)
    if pa.types.is_nested(kind):
        return np.array([a != b for a, b in zip(old.to_pylist(), new.to_pylist(), strict=True)], dtype=np.bool_)
    unlike = pc.not_equal(old, new).fill_null(False)
    if pa.types.is_floating(kind):
        no_numbers = pc.and_(pc.is_nan(old), pc.is_nan(new)).fill_null(False)
        unlike = pc.and_not(unlike, no_numbers)
    return _flags(pc.or_(unlike, pc.xor(old.is_null(), new.is_null())))


def _lists_differ(old: pa.Array, new: pa.Array) -> Flags:
    lengths, others = (pc.list_value_length(lists).fill_null(-1).to_numpy(False) for lists in (old, new))
    unlike: Flags = lengths != others
    alike = np.flatnonzero(~unlike & (lengths > 0))
    values = (pc.list_flatten(lists.take(pa.array(alike))) for lists in (old, new))
    unlike[np.repeat(alike, lengths[alike])[differs(*values)]] = True
    return unlike


def _flags(values: pa.Array) -> Flags:
    flags: Flags = values.to_numpy(zero_copy_only=False)
    return flags
