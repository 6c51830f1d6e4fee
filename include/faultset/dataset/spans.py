"""Spans of time that rows are asked for: of an injection, of an impact, or from a start to an end, with margins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from faultset.errors import InputError
from faultset.fault_span import span_of
from faultset.moments import UTC, Window
from faultset.tables import ImpactRow, InjectionRow

Moment: TypeAlias = dt.datetime | str
During: TypeAlias = InjectionRow | ImpactRow | Window | tuple[Moment, Moment]
Length: TypeAlias = str | dt.timedelta
Margin: TypeAlias = Length | tuple[Length, Length]

ALWAYS = Window(dt.datetime.min.replace(tzinfo=UTC), dt.datetime.max.replace(tzinfo=UTC))
_TIME = pa.timestamp("us", tz="UTC")


def window_of(during: During, margin: Margin = "0s") -> Window:
    """Return the span that is asked for, half-open, with what the margin adds to it.

    Args:
        during: an injection (to the latest possible end of its fault), an impact, or start and end: aware times, or
            texts with an offset such as ``2025-11-18T17:40:00Z``.
        margin: time before and after; a pair where they differ.

    Raises:
        InputError: a time has no zone, the end lies before the start, or a length is none.
    """
    before, after = (length(part) for part in (margin if isinstance(margin, tuple) else (margin, margin)))
    start, end = _ends(during)
    if end < start:
        raise InputError("during", f"it ends ({end}) before it starts ({start})", "give (start, end)")
    return Window(_moved(start, -before), _moved(end, after))


def _ends(during: During) -> tuple[dt.datetime, dt.datetime]:
    if isinstance(during, InjectionRow):
        fault = span_of(during)
        return fault.start, fault.end_latest
    if isinstance(during, ImpactRow):
        return during.started_at, during.ended_at
    if isinstance(during, Window):
        return during.start, during.end
    try:
        start, end = during
    except (TypeError, ValueError) as error:
        raise InputError("during", "it is no span of time", "give an injection, an impact, or (start, end)") from error
    return moment(start), moment(end)


def moment(value: Moment) -> dt.datetime:
    """Return an aware time, UTC.

    Raises:
        InputError: it has no zone, or is no time.
    """
    try:
        found = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise InputError("during", f"{value!r} is no time", "write it like 2025-11-18T17:40:00Z") from error
    if found.tzinfo is None:  # as it is of what pandas takes for no time at all
        raise InputError("during", f"{value} has no zone", "all times are UTC here: write 2025-11-18T17:40:00Z")
    aware: dt.datetime = found.to_pydatetime(warn=False)
    return aware.astimezone(UTC)


def length(value: Length) -> dt.timedelta:
    """Return a length of time that is written as pandas writes it, such as ``5min``.

    Raises:
        InputError: it is none, or negative.
    """
    try:
        exact: dt.timedelta = pd.Timedelta(value).to_pytimedelta()
        if exact >= dt.timedelta(0):
            return exact
    except (ValueError, TypeError, AttributeError):  # the last: pandas takes it for no time at all
        pass
    raise InputError("margin", f'"{value}" is no length of time', "write it like 30s, 5min or 1h")


def _moved(at: dt.datetime, by: dt.timedelta) -> dt.datetime:
    try:
        return at + by
    except OverflowError:
        return ALWAYS.end if by > dt.timedelta(0) else ALWAYS.start


def shared(one: Iterable[Window], other: Window) -> tuple[Window, ...]:
    """Return the parts of spans that lie in another one."""
    parts = (Window(max(span.start, other.start), min(span.end, other.end)) for span in one)
    return tuple(part for part in parts if part.start < part.end)


def condition(spans: Sequence[Window]) -> pc.Expression:
    """Return the filter for rows whose time lies in one of the spans; there has to be one."""
    parts = [
        (pc.field("timestamp") >= pa.scalar(span.start, _TIME)) & (pc.field("timestamp") < pa.scalar(span.end, _TIME))
        for span in spans
    ]
    combined = parts[0]
    for part in parts[1:]:
        combined = combined | part
    return combined
