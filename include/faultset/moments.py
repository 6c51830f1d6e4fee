"""One way to say time: aware UTC, and an instant known only to a second is an interval."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

UTC = dt.UTC
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
# What a pandas nanosecond timestamp can hold, and what no experiment lies outside of.
EARLIEST = dt.datetime(1970, 1, 1, tzinfo=UTC)
LATEST = dt.datetime(2200, 1, 1, tzinfo=UTC)


def from_epoch(seconds: float) -> dt.datetime:
    """Return the UTC time of ``seconds`` since the epoch, to the microsecond.

    Raises:
        ValueError: ``seconds`` is not finite or lies outside of 1970 to 2200.
    """
    try:
        moment = dt.datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, TypeError) as error:
        raise ValueError(f"{seconds!r} is no time in epoch seconds") from error
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"{seconds!r} is no time between 1970 and 2200")
    return moment


def epoch_us(moment: dt.datetime) -> int:
    """Return whole microseconds since the epoch; exact, unlike ``datetime.timestamp``."""
    return (moment - _EPOCH) // _MICROSECOND


def iso(moment: dt.datetime) -> str:
    """Return ISO 8601 with microseconds and ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A true moment that lies in ``[at, at + uncertainty_s)``; ``uncertainty_s`` 0 says that it is ``at`` itself.

    Attributes:
        at: the earliest possible moment, aware, UTC.
        uncertainty_s: seconds, never negative; 1.0 for the whole seconds of an HTML report.
    """

    at: dt.datetime
    uncertainty_s: float = 0.0

    @property
    def latest(self) -> dt.datetime:
        """The latest possible moment."""
        return self.at + dt.timedelta(seconds=self.uncertainty_s)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, [start, end)."""

    start: dt.datetime
    end: dt.datetime

    def overlaps(self, other: Window) -> bool:
        """Whether the two share a moment; a span of no length is the moment it stands at."""
        return self.start < _end(other) and other.start < _end(self)


def _end(window: Window) -> dt.datetime:
    return window.end if window.end > window.start else window.start + _MICROSECOND
