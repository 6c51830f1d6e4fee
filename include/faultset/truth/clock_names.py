"""Whether the abbreviations behind wall-clock times are those of the declared zone."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator, Mapping

from faultset.errors import printable


def abbreviation_note(zone: str, seen: Mapping[str, int], first: dt.datetime, last: dt.datetime) -> str | None:
    """Return a warning where the text's zone abbreviations are not those of ``zone`` at that time; None where they are.

    Args:
        zone: IANA zone that the source declares.
        seen: abbreviation in the text -> number of rows; "" where nothing stands behind the time, which denies nothing.
        first: earliest time of the rows, aware.
        last: latest time of the rows, aware.
    """
    tz = zoneinfo.ZoneInfo(zone)
    expected = {_name(moment, tz): _offset(moment, tz) for moment in _moments(first, last)}
    known = {name.upper() for name in expected} | {written for offset in expected.values() for written in _same(offset)}
    written = ((name.strip(), count) for name, count in seen.items())
    strange = sorted((name, count) for name, count in written if name and name.upper() not in known)
    if not strange:
        return None
    says = ", ".join(f"{printable(name, 20)} ({count} {_plural('row', count)})" for name, count in strange[:5])
    means = " and ".join(f"{name} ({_utc(offset)})" for name, offset in expected.items())
    days = " to ".join(dict.fromkeys(moment.astimezone(tz).date().isoformat() for moment in (first, last)))
    return f"the times say {says}, but {zone} has {means} on {days}: the zone was used, the abbreviation was not"


def _moments(first: dt.datetime, last: dt.datetime) -> Iterator[dt.datetime]:
    """Yield ``first``, ``last`` and moments between, close enough that no season of a zone is left out."""
    yield first
    step = max(dt.timedelta(days=7), (last - first) / 1000)
    moment = first + step
    while moment < last:
        yield moment
        moment += step
    yield last


def _name(moment: dt.datetime, tz: dt.tzinfo) -> str:
    return moment.astimezone(tz).tzname() or "no name"


def _offset(moment: dt.datetime, tz: dt.tzinfo) -> int:
    return int((moment.astimezone(tz).utcoffset() or dt.timedelta(0)).total_seconds())


def _same(offset: int) -> tuple[str, ...]:
    """Return other ways to write an offset, which are right too."""
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    numbers = f"{sign}{minutes // 60:02}{minutes % 60:02}", f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return (*numbers, "UTC", "GMT", "Z") if offset == 0 else numbers


def _utc(offset: float) -> str:
    return f"UTC{signed(offset)}" if offset else "UTC"


def signed(seconds: float) -> str:
    """Return hours and minutes with their sign: ``+1``, ``-5:30``."""
    sign, minutes = "-" if seconds < 0 else "+", round(abs(seconds) / 60)
    return f"{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "")


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
