"""RCAEval's sets: a folder a case with ``metrics.parquet`` or a CSV, and ``inject_time.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from faultset.audit.records import ForeignCase
from faultset.errors import InputError
from faultset.release import parquet
from faultset.storage import explain_os_errors

INJECT_TIME = "inject_time.txt"
_METRICS = ("metrics.parquet", "data.csv", "simple_data.csv", "metrics.csv", "simple_metrics.csv")
_TIMES = ("time", "Time", "timestamp")
_MOST_DEPTH = 5
_MOST_BYTES = 2 << 30


def cases(folder: Path) -> list[tuple[str, Path]]:
    """Return the cases below a folder: their names and their folders."""
    found = []
    for path in sorted(folder.rglob(INJECT_TIME)):
        inside = path.parent.relative_to(folder)
        if len(inside.parts) <= _MOST_DEPTH:
            found.append(("/".join(inside.parts) or folder.name, path.parent))
    return found


def root_causes(folder: Path) -> dict[str, str]:
    """Return case -> the service to blame, as ``cases.parquet`` says, where there is one."""
    index = folder / "cases.parquet"
    if not index.is_file():
        return {}
    with explain_os_errors(index), parquet.whole(index):
        rows = pd.read_parquet(index)
    if not {"case", "root_cause_service"} <= {*rows.columns}:
        return {}
    return {str(case): str(service) for case, service in zip(rows["case"], rows["root_cause_service"], strict=True)}


def read(name: str, folder: Path, blamed: dict[str, str]) -> ForeignCase:
    """Read a case.

    Raises:
        InputError: a file is missing, is too large or cannot be read; names it.
    """
    path = next((folder / one for one in _METRICS if (folder / one).is_file()), None)
    if path is None:
        raise InputError(folder, f"there is none of {', '.join(_METRICS)}", "point at the folder that holds the cases")
    frame = _frame(path)
    time = next((column for column in _TIMES if column in frame.columns), None)
    if time is None:
        raise InputError(path, f"no column is one of {', '.join(_TIMES)}", "name the column of times so")
    seconds = _seconds(frame[time], path)
    values = frame.drop(columns=[column for column in frame.columns if column in _TIMES or column == "time.1"])
    numeric = values.select_dtypes(["number", "bool"])
    return ForeignCase(
        name=name,
        time=seconds,
        values=numeric.to_numpy(dtype=float, na_value=np.nan),
        columns=tuple(map(str, numeric.columns)),
        onsets=np.array([_inject_time(folder / INJECT_TIME)]),
        ends=np.array([np.nan]),
        unit="s",
        root_cause=blamed.get(name) or _named(folder),
    )


def _frame(path: Path) -> pd.DataFrame:
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(path, f"it has more than {_MOST_BYTES:,} bytes", "split it")
    try:
        with explain_os_errors(path), parquet.whole(path):
            return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, UnicodeDecodeError) as error:  # of pandas' own kinds, too
        raise InputError(path, f"it cannot be read: {error}", "mend it, or leave the case out") from error


def _seconds(column: pd.Series, path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return epoch seconds, whatever whole unit they are in."""
    if not pd.api.types.is_numeric_dtype(column):
        times = pd.to_datetime(column, utc=True, errors="coerce")
        if times.isna().any():
            raise InputError(path, "a time cannot be read", "write epoch seconds")
        return times.astype("datetime64[us, UTC]").astype("int64").to_numpy(dtype=float) / 1e6
    seconds = column.to_numpy(dtype=float)
    largest = np.nanmax(np.abs(seconds), initial=0.0)
    scale = next((unit for unit, above in ((1e9, 1e17), (1e6, 1e14), (1e3, 1e11)) if largest > above), 1.0)
    return seconds / scale


def _inject_time(path: Path) -> float:
    with explain_os_errors(path):
        first = path.read_text(encoding="utf-8", errors="replace")[:100].splitlines()[:1]
    try:
        value = float(first[0].strip())
    except (IndexError, ValueError) as error:
        raise InputError(path, "its first line is no time in epoch seconds", "write the injection's time") from error
    return value if value < 1e11 else value / 1e3


def _named(folder: Path) -> str | None:
    """Return the service that the folders' names say: ``{service}_{fault}/{n}`` or ``{set}_{service}_{fault}_{n}``."""
    parts = folder.name.split("_")
    if folder.name.isdigit():
        above = folder.parent.name.split("_")
        return above[0] if len(above) == 2 else None
    return parts[1] if len(parts) == 4 and parts[3].isdigit() else None


def services(case: ForeignCase) -> Iterator[tuple[str, int]]:
    """Yield the service and the place of each column, as RCAEval splits names."""
    for place, name in enumerate(case.columns):
        yield name.split("_")[0], place
