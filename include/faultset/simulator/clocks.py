"""How a true moment becomes the text of a file: a clock that drifts, a zone, hours that are wrong, a precision."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Literal

import numpy as np
import numpy.typing as npt

from faultset.simulator.plan import SECOND, Flags, Floats, Microseconds

HOUR = 3600 * SECOND


def drifted(true_us: Microseconds, begin_us: int, ppm: float | Floats) -> Microseconds:
    """Return what a clock shows that was right at ``begin_us`` and gains ``ppm`` microseconds a second."""
    return np.asarray(true_us + np.rint((true_us - begin_us) * ppm / 1e6).astype(np.int64), dtype=np.int64)


def local(moments_us: Microseconds, time_zone: str) -> tuple[Microseconds, Microseconds]:
    """Return the wall-clock times of ``moments_us`` as microseconds, and each one's offset from UTC in seconds."""
    zone = zoneinfo.ZoneInfo(time_zone)
    hours, which = np.unique(moments_us // HOUR, return_inverse=True)  # offsets change at full hours only
    offsets = np.array([_offset_s(int(hour) * 3600, zone) for hour in hours], dtype=np.int64)[which]
    return moments_us + offsets * SECOND, offsets


def _offset_s(epoch_s: int, zone: zoneinfo.ZoneInfo) -> int:
    offset = dt.datetime.fromtimestamp(epoch_s, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def texts(local_us: Microseconds, unit: Literal["s", "ms", "us"], separator: str = " ") -> list[str]:
    """Return wall-clock times as text, cut to ``unit`` (``s``, ``ms`` or ``us``)."""
    moments: npt.NDArray[np.datetime64] = local_us.astype("datetime64[us]")
    cut = np.datetime_as_string(moments, unit=unit, casting="same_kind").tolist()
    return cut if separator == "T" else [text.replace("T", separator) for text in cut]


def is_repeated(local_us: Microseconds, time_zone: str) -> Flags:
    """Return where a wall-clock time can mean two moments: in the hour that the end of summer time repeats."""
    zone = zoneinfo.ZoneInfo(time_zone)
    hours, which = np.unique(local_us // HOUR, return_inverse=True)
    return np.array([_is_twice(int(hour), zone) for hour in hours], dtype=np.bool_)[which]


def _is_twice(hour: int, zone: zoneinfo.ZoneInfo) -> bool:
    wall = dt.datetime(1970, 1, 1, tzinfo=zone) + dt.timedelta(hours=hour)  # wall-clock arithmetic within the zone
    first, second = wall.utcoffset(), wall.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second
