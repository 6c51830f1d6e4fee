"""Whether the times in a file of telemetry stand for themselves, or need somebody who knows their zone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultset.errors import InputError
from faultset.moments import from_epoch
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.compression import CutOffError
from faultset.sources.telemetry.format import NOT_KNOWN, Clock
from faultset.sources.telemetry.opening import open_rows
from faultset.sources.telemetry.problems import BrokenRowError, ColumnTypeError

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class TimesAsWritten:
    """What the first rows of a file say of their times.

    Attributes:
        plain: whether each of them stands for itself: with an offset in its text, or as seconds since the epoch.
        first: the first of them as written, such as ``2025-11-18 22:40:01``; None where none could be read.
        zone: IANA zone that agrees with a wall-clock time that stands beside a plain one; None where none does.
    """

    plain: bool = False
    first: str | None = None
    zone: str | None = None


def times_as_written(file: TelemetryFile) -> TimesAsWritten:
    """Return what the first megabytes of ``file`` say of their times; of what cannot be read, nothing is known."""
    try:
        with open_rows(file, only=lambda _: ()) as rows:
            first = next(iter(rows.blocks), None)
            clock = first().clock if first is not None else None
    except (InputError, CutOffError, BrokenRowError, ColumnTypeError):
        return TimesAsWritten()
    known = np.flatnonzero(clock.us != NOT_KNOWN) if clock is not None else np.array([], int)
    if clock is None or not len(known):
        return TimesAsWritten()
    first_time = f"{from_epoch(int(clock.us[known[0]]) / 1e6):%Y-%m-%d %H:%M:%S}"
    return TimesAsWritten(not bool(clock.wall[known].any()), first_time, _zone_beside(clock))


def _zone_beside(clock: Clock) -> str | None:
    """Return the zone of fixed hours in which the second texts say the same moments as the first."""
    if clock.beside is None:
        return None
    both = clock.beside != NOT_KNOWN
    ahead = np.unique(np.round((clock.beside - clock.us)[both] / _HOUR_US, 2))
    if len(ahead) != 1 or ahead[0] != round(ahead[0]) or not -12 <= ahead[0] <= 14:
        return None
    hours = int(ahead[0])
    return f"Etc/GMT{-hours:+d}" if hours else "UTC"  # POSIX signs: Etc/GMT-1 is an hour ahead of UTC
