"""TSB-AD's sets: a CSV a series, its features and then ``Label``."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from faultset.audit.records import Floats, ForeignCase
from faultset.errors import InputError
from faultset.storage import explain_os_errors

LABEL = "Label"
_TRAIN = re.compile(r"_tr_(\d{1,12})_")
_MOST_BYTES = 2 << 30


def cases(folder: Path) -> list[tuple[str, Path]]:
    """Return the series below a folder: CSV files whose last column is the label."""
    return [(path.stem, path) for path in sorted(folder.rglob("*.csv")) if _is_series(path)]


def _is_series(path: Path) -> bool:
    with explain_os_errors(path), path.open(encoding="utf-8", errors="replace") as file:
        head = file.readline(1 << 20).strip().split(",")
    return len(head) > 1 and head[-1].strip('"') == LABEL


def read(name: str, path: Path) -> ForeignCase:
    """Read a series.

    Raises:
        InputError: it is too large or cannot be read.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(path, f"it has more than {_MOST_BYTES:,} bytes", "split it")
    try:
        with explain_os_errors(path):
            frame = pd.read_csv(path)
        features = frame.iloc[:, :-1].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        label = pd.to_numeric(frame[LABEL]).to_numpy(dtype=float)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(path, f"it cannot be read: {error}", "mend it, or leave it out") from error
    onsets, ends = _segments(label > 0)
    return ForeignCase(
        name=name,
        time=np.arange(len(frame), dtype=float),
        values=features,
        columns=tuple(map(str, frame.columns[:-1])),
        onsets=onsets,
        ends=ends,
        unit="rows",
    )


def train_rows(name: str) -> int | None:
    """Return how many rows the file's name says are for training."""
    match = _TRAIN.search(name)
    return int(match[1]) if match else None


def _segments(labeled: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[Floats, Floats]:
    edges = np.diff(np.concatenate([[0], labeled.astype(int), [0]]))
    return np.flatnonzero(edges > 0).astype(float), np.flatnonzero(edges < 0).astype(float)
