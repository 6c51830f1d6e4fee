"""How a column tells the time: recognised by its first values, then read many rows at once.

Known are seconds, milliseconds, microseconds and nanoseconds since the epoch; ISO 8601 with an offset or without;
``YYYY-MM-DD HH:MM:SS`` with or without an abbreviation behind it; and Kibana's ``Nov 18, 2025 @ 18:33:41.787``. An
offset in the text is exact. Without one a time is the wall clock's, in the zone that the source declares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from faultset.sources.telemetry.format import NOT_KNOWN, Clock, Microseconds, microseconds, unreadable

_DATE = r"\d{4}[-/]\d{2}[-/]\d{2}"
_TIME = r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
_OFFSET = r"Z|[+-]\d{2}(?::?\d{2})?"
_ABBREVIATION = r"[A-Za-z]{1,6}"
_WRITTEN = re.compile(rf"({_DATE})[T ]({_TIME}) ?({_OFFSET}|{_ABBREVIATION}|)")
_KIBANA = re.compile(r"[A-Z][a-z]{2} \d{1,2}, \d{4} @ \d{2}:\d{2}:\d{2}(?:\.\d{1,9})?")
_EPOCH = re.compile(r"\d{9,19}(?:\.\d+)?(?:[eE]\+?\d+)?")
# Seconds reach to the year 5138 below the first bound, and begin in 1973; the others likewise.
_UNITS = ((1e11, 1_000_000.0), (1e14, 1000.0), (1e17, 1.0), (1e20, 0.001))
_FRACTION = re.compile(r":\d{2}[.,](\d+)|^\d+\.(\d+)$")
_WALL = "%Y-%m-%dT%H:%M:%S%.f"
_KIBANA_PATTERN = "%b %d, %Y @ %H:%M:%S%.f"
_PLAIN_LENGTH = len("2019-10-11 21:11:16")


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """How a column tells the time.

    Attributes:
        clock: its values -> times.
        uncertainty_s: a true moment lies in [time, time + this): a second where times are cut to whole ones.
        exact: whether every value seen says its offset, so that no zone has to be known.
        what: in words.
        is_number: whether its values are numbers.
    """

    clock: Callable[[pl.Series], Clock]
    uncertainty_s: float
    exact: bool
    what: str
    is_number: bool = False


def recognise(values: Sequence[str]) -> TimeColumn | None:
    """Return how a column with these first values tells the time; None where it does not."""
    known = [text for value in values if (text := value.strip())]
    if not known:
        return None
    width = _uncertainty(known)
    if all(_KIBANA.fullmatch(text) for text in known):
        return TimeColumn(_kibana_clock, width, exact=False, what="Kibana's times")
    found = [_WRITTEN.fullmatch(text) for text in known]
    readable = [match for match in found if match]
    if len(readable) > len(known) / 2:
        exact = all(_is_offset(match[3]) for match in readable)
        what = "times with an offset" if exact else "wall-clock times"
        return TimeColumn(written_clock, width, exact=exact, what=what)
    if all(_EPOCH.fullmatch(text) for text in known):
        unit_us = _unit([float(text) for text in known])
        return None if unit_us is None else TimeColumn(_epoch(unit_us), width, True, "the time since 1970", True)
    return None


def of_numbers(values: Sequence[float]) -> TimeColumn | None:
    """Return how a column with these first numbers tells the time; None where it does not."""
    unit_us = _unit(values)
    if unit_us is None:
        return None
    whole = all(float(value).is_integer() for value in values)
    width = unit_us / 1e6 if whole else 1e-6
    return TimeColumn(_epoch(unit_us), width if width > 1e-6 else 0.0, True, "the time since 1970", True)


def _is_offset(text: str) -> bool:
    return text == "Z" or (text[:1] in "+-" and bool(text))


def _uncertainty(texts: Sequence[str]) -> float:
    """Return the width of the last digit that says anything: ``.000`` everywhere is a time cut to seconds."""
    digits = 0
    for text in texts:
        match = _FRACTION.search(text)
        if match:
            digits = max(digits, len((match[1] or match[2]).rstrip("0")))
    if digits == 0 and all(_EPOCH.fullmatch(text) for text in texts):
        unit_us = _unit([float(text) for text in texts]) or 1e6
        return 0.0 if unit_us < 1000 else unit_us / 1e6
    return 0.0 if digits >= 6 else 10.0**-digits


def _unit(values: Sequence[float]) -> float | None:
    """Return how many microseconds a number counts; None where the numbers are no times of 1973 to 2200."""
    if not values or min(values) < 1e8:
        return None
    unit = next((us for bound, us in _UNITS if max(values) < bound), None)
    fits = unit is not None and all(1e14 <= value * unit < 7.3e15 for value in (min(values), max(values)))
    return unit if fits else None


def _epoch(unit_us: float) -> Callable[[pl.Series], Clock]:
    def clock(values: pl.Series) -> Clock:
        numbers = values if values.dtype.is_numeric() else values.str.strip_chars().cast(pl.Float64, strict=False)
        if numbers.dtype.is_integer():
            # Nanoseconds do not fit into a decimal number.
            us = numbers * round(unit_us) if unit_us >= 1 else numbers // round(1 / unit_us)
        else:
            us = (numbers.fill_nan(None) * unit_us).round(0).cast(pl.Int64, strict=False)
        bad = us.is_null() & (values.is_not_null() if values.dtype.is_numeric() else values.fill_null("") != "")
        return Clock((us.fill_null(NOT_KNOWN)).to_numpy(), np.zeros(len(us), bool), unreadable=unreadable(bad))

    return clock


def _kibana_clock(text: pl.Series) -> Clock:
    times = text.str.strip_chars().str.strptime(pl.Datetime("us"), _KIBANA_PATTERN, strict=False, cache=False)
    us = microseconds(times)
    bad = times.is_null() & (text.fill_null("").str.strip_chars() != "")
    return Clock(us, us != NOT_KNOWN, unreadable=unreadable(bad), abbreviations={"": len(us)})


def of_seconds(values: pl.Series) -> Clock:
    """Return the times of seconds since the epoch, decimals included."""
    return _epoch(1_000_000.0)(values)


def of_nanoseconds(values: pl.Series) -> Clock:
    """Return the times of whole nanoseconds since the epoch."""
    return _epoch(0.001)(values)


def of_microseconds(values: pl.Series) -> Clock:
    """Return the times of whole microseconds since the epoch."""
    return _epoch(1.0)(values)


def of_column(values: Sequence[str]) -> TimeColumn:
    """Return how a column tells the time; where its first values say nothing, each part of it is asked again."""
    return recognise(values) or TimeColumn(of_texts, 1.0, exact=False, what="times")


def of_texts(values: pl.Series) -> Clock:
    """Return the times of a column as its own first values tell: of texts with a date, Kibana's, or numbers."""
    first = values.drop_nulls().head(1).to_list()
    told = recognise([str(first[0])]) if first else None
    if told is not None:
        return told.clock(values)
    return written_clock(values.cast(pl.String))


def written_clock(text: pl.Series) -> Clock:
    """Return the times of texts with a date first: an offset behind is exact, an abbreviation says nothing."""
    return _alike(text) or _mixed(text)


def _alike(text: pl.Series) -> Clock | None:
    """Return the times where all rows are written as the first one is, which is nearly always so; else None."""
    if not len(text) or text.null_count():
        return None
    match = _WRITTEN.fullmatch(text[0].strip())
    if match is None or "/" in match[1] or "," in match[2]:
        return None
    behind = text[0][text[0].index(match[2]) + len(match[2]) :]
    seconds = "%S%.f" if "." in match[2] else "%S"
    pattern = f"%Y-%m-%d{text[0][10]}%H:%M:{seconds}"
    if _is_offset(match[3]):
        blank = " " if behind.startswith(" ") else ""
        times = text.str.strptime(pl.Datetime("us", "UTC"), f"{pattern}{blank}%#z", strict=False, cache=False)
    elif not behind or text.str.ends_with(behind).all():
        times = text.str.strptime(pl.Datetime("us"), f"{pattern}{behind}", strict=False, cache=False)
    else:
        return None
    if times.null_count():
        return None
    wall = not _is_offset(match[3])
    seen = {match[3]: len(text)} if wall else {}
    return Clock(microseconds(times), np.full(len(text), wall), abbreviations=seen)


def _mixed(text: pl.Series) -> Clock:
    """Return the times row by row: what is behind each decides."""
    parts = text.str.strip_chars().str.extract_groups(rf"^({_DATE})[T ]({_TIME}) ?({_OFFSET}|{_ABBREVIATION}|)$")
    date, time, behind = parts.struct.unnest().get_columns()
    plain = date.str.replace_all("/", "-", literal=True) + "T" + time.str.replace(",", ".", literal=True)
    wall_times = plain.str.strptime(pl.Datetime("us"), _WALL, strict=False, cache=False)
    exact = behind.str.contains(rf"^({_OFFSET})$").fill_null(value=False)
    us, wall = microseconds(wall_times), ~exact.to_numpy()
    if exact.any():
        us = us - np.where(us == NOT_KNOWN, 0, _offset_us(behind, exact))
    bad = wall_times.is_null() & (text.fill_null("").str.strip_chars() != "")
    wall &= us != NOT_KNOWN
    return Clock(us, wall, unreadable=unreadable(bad), abbreviations=_counted(behind, exact))


def _counted(behind: pl.Series, exact: pl.Series) -> dict[str, int]:
    counts = behind.filter(~exact).fill_null("").value_counts()
    return dict(counts.sort(counts.columns[0]).iter_rows())


def _offset_us(behind: pl.Series, exact: pl.Series) -> Microseconds:
    """Return by how much each text lies ahead of UTC, in microseconds; 0 where it says nothing."""
    digits = behind.str.replace(":", "", literal=True).str.replace("Z", "+00", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.select(pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    seconds = (sign * (hours * 60 + minutes) * 60).fill_null(0)
    return np.where(exact.to_numpy(), seconds.to_numpy() * 1_000_000, 0)


def abbreviations(text: pl.Series) -> pl.Series:
    """Return what stands behind each time: ``CEST``, ``+01``, or nothing."""
    return text.str.strip_chars().str.extract(rf"{_TIME} ?({_OFFSET}|{_ABBREVIATION})$").fill_null("")
