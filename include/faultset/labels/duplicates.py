"""Rows of a written file that are identical to an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from faultset.sources.telemetry.format import NOT_KNOWN, Microseconds


def duplicates(path: Path, columns: list[str]) -> int:
    """Return how many rows of a written file are identical to an earlier one.

    Of two identical rows the later one lies before the latest time so far, or follows the other: the hashes of such
    rows, usually few, are looked for in the whole file.
    """
    suspects = [np.array([], np.uint64)]
    latest: int | None = None
    last_hash: int | None = None
    for us, hashes in _hashed(path, columns):
        peaks = np.maximum.accumulate(us if latest is None else np.maximum(us, latest))
        late = us < peaks
        repeats = np.concatenate(([last_hash is not None and int(hashes[0]) == last_hash], hashes[1:] == hashes[:-1]))
        suspects.append(hashes[late | repeats])
        latest, last_hash = int(peaks[-1]), int(hashes[-1])
    wanted = np.unique(np.concatenate(suspects))
    found = sum(int(np.isin(hashes, wanted).sum()) for _, hashes in _hashed(path, columns)) if len(wanted) else 0
    return found - len(wanted)


def _hashed(path: Path, columns: list[str]) -> Iterator[tuple[Microseconds, npt.NDArray[np.uint64]]]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=[*columns, "timestamp"])
            us = table["timestamp"].cast(pa.int64()).fill_null(NOT_KNOWN).to_numpy()
            yield us, pl.DataFrame(table.select(columns)).hash_rows(seed=1).to_numpy()
