"""Wall-clock time of a zone -> UTC, many rows at once; an hour that comes twice, and one that never comes, are told."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from faultset.errors import InputError
from faultset.moments import EARLIEST, LATEST, epoch_us, from_epoch
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.format import Microseconds

PLAIN, REPEATED, SKIPPED = 0, 1, 2
_SECOND = 1_000_000
_FIRST, _LAST = epoch_us(EARLIEST), epoch_us(LATEST)


@dataclass(frozen=True, slots=True)
class Offsets:
    """A zone's offsets by wall-clock time, in pieces: piece i holds from ``starts[i]`` to the next one's start.

    Attributes:
        starts: wall-clock microseconds, ascending; the first lies before all.
        first: offset from UTC in microseconds; where time repeats, of the first pass; where it is skipped, the one
            before the gap.
        second: the same, but of the second pass where time repeats.
        kind: ``PLAIN``, ``REPEATED`` or ``SKIPPED``.
        names: of each piece, how the zone calls its time in the first and in the second pass (``CEST``, ``CET``).
    """

    starts: Microseconds
    first: Microseconds
    second: Microseconds
    kind: npt.NDArray[np.int8]
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Utc:
    """What wall-clock times are in UTC.

    Attributes:
        us: microseconds since the epoch, of the first pass where time repeats.
        second_us: the same, of the second pass.
        piece: place of each row in the zone's ``Offsets``; None where ``kind`` is.
        kind: ``PLAIN``, ``REPEATED`` or ``SKIPPED`` of each row; None where all are plain.
    """

    us: Microseconds
    second_us: Microseconds
    piece: npt.NDArray[np.int64] | None
    kind: npt.NDArray[np.int8] | None


def declared_zone(file: TelemetryFile, wall_us: Sequence[int] | Microseconds = ()) -> str:
    """Return the zone that a file's wall-clock times are in; ``wall_us``: some of them, as they are written.

    Raises:
        InputError: nobody says.
    """
    if file.time_zone is None:
        written = next((f"{from_epoch(int(us) / 1e6):%Y-%m-%d %H:%M:%S}" for us in wall_us[:1]), "without an offset")
        raise InputError(
            file.name,
            f"its times are wall-clock times ({written}), and nothing says in which zone",
            "add time_zone: to its entry of telemetry in experiment.yaml, such as Europe/Berlin",
        )
    return file.time_zone


def in_range(us: Microseconds) -> bool:
    """Whether all times lie between 1970 and 2200."""
    return not len(us) or bool(us.min() >= _FIRST and us.max() < _LAST)


def to_utc(wall_us: Microseconds, zone: str) -> Utc:
    """Return the UTC times of ``wall_us`` (between 1970 and 2200) in the IANA ``zone``."""
    if not len(wall_us):
        return Utc(wall_us, wall_us, None, None)
    bounds = (wall_us.min(), wall_us.max())
    table = offsets(zone, *(_year(bound) for bound in bounds))
    first, last = np.searchsorted(table.starts, bounds, side="right") - 1
    if first == last and table.kind[first] == PLAIN:
        us = wall_us - table.first[first]
        return Utc(us, us, None, None)
    piece = np.searchsorted(table.starts, wall_us, side="right") - 1
    us, kind = wall_us - table.first[piece], table.kind[piece]
    if not kind.any():
        return Utc(us, us, None, None)
    return Utc(us, wall_us - table.second[piece], piece, kind)


def offsets_of(wall_us: Microseconds, zone: str) -> Offsets:
    """Return the pieces that ``to_utc`` uses for these times."""
    return offsets(zone, _year(wall_us.min()), _year(wall_us.max()))


def _year(us: np.int64) -> int:
    return int(np.datetime64(int(us), "us").astype("datetime64[Y]").astype(int)) + 1970


@lru_cache(maxsize=64)
def offsets(zone: str, first_year: int, last_year: int) -> Offsets:
    """Return the offsets of ``zone`` in these years, both included."""
    info = zoneinfo.ZoneInfo(zone)
    begin = int(dt.datetime(first_year, 1, 1, tzinfo=dt.UTC).timestamp()) - 86_400
    end = int(dt.datetime(last_year + 1, 1, 1, tzinfo=dt.UTC).timestamp()) + 2 * 86_400
    before, name = _at(begin, info)
    pieces = [(np.iinfo(np.int64).min, before, before, PLAIN, (name, name))]
    for moment in _changes(begin, end, info):
        after, next_name = _at(moment, info)
        odd = REPEATED if after < before else SKIPPED
        names = (name, next_name if odd == REPEATED else name)
        second = after if odd == REPEATED else before
        if after != before:
            pieces.append(((moment + min(before, after)) * _SECOND, before, second, odd, names))
        pieces.append(((moment + max(before, after)) * _SECOND, after, after, PLAIN, (next_name, next_name)))
        before, name = after, next_name
    starts, first, second_pass, kinds, all_names = zip(*pieces, strict=True)
    return Offsets(
        np.array(starts, np.int64),
        np.array(first, np.int64) * _SECOND,
        np.array(second_pass, np.int64) * _SECOND,
        np.array(kinds, np.int8),
        all_names,
    )


def _changes(begin: int, end: int, zone: zoneinfo.ZoneInfo) -> list[int]:
    """Return the moments (epoch seconds) in [begin, end) at which the offset or its name changes."""
    found = []
    for day in range(begin, end, 86_400):
        low, high = day, day + 86_400
        if _at(low, zone) == _at(high, zone):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _at(middle, zone) == _at(low, zone):
                low = middle
            else:
                high = middle
        found.append(high)
    return found


def _at(epoch_s: int, zone: zoneinfo.ZoneInfo) -> tuple[int, str]:
    moment = dt.datetime.fromtimestamp(epoch_s, zone)
    offset = moment.utcoffset()
    return (int(offset.total_seconds()) if offset else 0), moment.tzname() or ""
