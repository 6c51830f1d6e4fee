"""Rows of a written file that are identical to an earlier one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from faultset.sources.telemetry.format import NOT_KNOWN, Flags

Hashes = npt.NDArray[np.uint64]

_MOST_IN_MEMORY = 8_000_000  # suspects, of 8 bytes each
_PARTS = 128


def duplicates(path: Path, columns: list[str]) -> int:
    """Return how many rows of a written file are identical to an earlier one.

    Of two identical rows the later one lies before the latest time so far, or follows the other: the hashes of such
    rows, usually few, are looked for in the whole file. Where they are many, hashes lie on the disk for a while, beside
    the file and of 8 to 16 bytes a row, so that memory stays bounded.
    """
    suspects = [np.array([], np.uint64)]
    count = 0
    for hashes, is_suspect in _suspected(path, columns):
        suspects.append(hashes[is_suspect])
        count += len(suspects[-1])
        if count > _MOST_IN_MEMORY:
            suspects.clear()
            return _part_by_part(path, columns)
    wanted = np.unique(np.concatenate(suspects))
    found = sum(int(np.isin(hashes, wanted).sum()) for hashes, _ in _suspected(path, columns)) if len(wanted) else 0
    return found - len(wanted)


def _part_by_part(path: Path, columns: list[str]) -> int:
    """Return the same, looking at one of ``_PARTS`` sets of hashes at a time."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as name:
        every = [Path(name) / f"{part}.every" for part in range(_PARTS)]
        suspected = [Path(name) / f"{part}.suspected" for part in range(_PARTS)]
        with ExitStack() as stack:
            all_files = [stack.enter_context(one.open("wb")) for one in every]
            suspect_files = [stack.enter_context(one.open("wb")) for one in suspected]
            for hashes, is_suspect in _suspected(path, columns):
                parts = hashes % _PARTS
                for part in range(_PARTS):
                    here = parts == part
                    all_files[part].write(hashes[here].tobytes())
                    suspect_files[part].write(hashes[here & is_suspect].tobytes())
        found = 0
        for part in range(_PARTS):
            wanted = np.unique(np.fromfile(suspected[part], np.uint64))
            found += int(np.isin(np.fromfile(every[part], np.uint64), wanted).sum()) - len(wanted)
        return found


def _suspected(path: Path, columns: list[str]) -> Iterator[tuple[Hashes, Flags]]:
    """Yield the hashes of some rows, and which of them are late or follow one that is identical."""
    latest: int | None = None
    last_hash: int | None = None
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=[*columns, "timestamp"])
            us = table["timestamp"].cast(pa.int64()).fill_null(NOT_KNOWN).to_numpy()
            hashes = pl.DataFrame(table.select(columns)).hash_rows(seed=1).to_numpy()
            peaks = np.maximum.accumulate(us if latest is None else np.maximum(us, latest))
            repeats = np.concatenate(
                ([last_hash is not None and int(hashes[0]) == last_hash], hashes[1:] == hashes[:-1])
            )
            latest, last_hash = int(peaks[-1]), int(hashes[-1])
            yield hashes, (us < peaks) | repeats
