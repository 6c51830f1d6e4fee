"""Two files of many rows compared row by row, a few rows at a time, by a number that ascends in both."""

from __future__ import annotations

from collections.abc import Sequence
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
    """

    named: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    first_added: list[int] = field(default_factory=list)
    first_removed: list[int] = field(default_factory=list)
    first_changed: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

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
        for place in places[: self.named - len(self.first_changed)]:
            columns = tuple(name for name, mask in masks.items() if mask[place])
            self.first_changed.append((int(numbers[place]), columns))


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


def compare(old: Path, new: Path, key: str, columns: Sequence[str], named: int) -> Tally:
    """Compare two files in both of which ``key`` ascends.

    Args:
        old: the old file.
        new: the new file.
        key: an integer column.
        columns: the other columns to compare, of one type in both files.
        named: how many rows to name of those added, removed and changed.

    Raises:
        InputError: a file is damaged.
        SetupError: a file cannot be read.
    """
    tally = Tally(named)
    before, after = _Rows(old, key, columns), _Rows(new, key, columns)
    while len(before.numbers) and len(after.numbers):
        last = min(before.numbers[-1], after.numbers[-1])
        _pair(tally, before.up_to(last), after.up_to(last), columns)
    while len(before.numbers):
        tally.remove(before.up_to(before.numbers[-1])[0])
    while len(after.numbers):
        tally.add(after.up_to(after.numbers[-1])[0])
    return tally


class _Rows:
    """The rows of a file that were not compared yet, a batch of them in memory."""

    def __init__(self, path: Path, key: str, columns: Sequence[str]) -> None:
        self._batches = parquet.batches(path, [key, *columns], BATCH_ROWS)
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
    tally: Tally,
    before: tuple[Numbers, pa.RecordBatch],
    after: tuple[Numbers, pa.RecordBatch],
    columns: Sequence[str],
) -> None:
    numbers, old = before
    others, new = after
    if not np.array_equal(numbers, others):
        stayed, known = np.isin(numbers, others, assume_unique=True), np.isin(others, numbers, assume_unique=True)
        tally.remove(numbers[~stayed])
        tally.add(others[~known])
        numbers, old, new = numbers[stayed], old.filter(pa.array(stayed)), new.filter(pa.array(known))
    masks = {name: mask for name in columns if (mask := differs(old.column(name), new.column(name))).any()}
    tally.change(numbers, masks)


# --- values ---------------------------------------------------------------------------------------------------------


def differs(old: pa.Array, new: pa.Array) -> Flags:
    """Return place by place whether two arrays of one type and length differ; null is like null, and NaN like NaN."""
    if old.equals(new):
        return np.zeros(len(old), dtype=np.bool_)
    kind = old.type
    if pa.types.is_dictionary(kind):
        return differs(old.dictionary_decode(), new.dictionary_decode())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
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
