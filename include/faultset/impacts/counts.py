"""Events of one kind, such as error lines of a node: whether more or fewer came than are usual.

What is expected in a window follows from the quiet time before it and from all quiet time. The number that is compared
is the likelihood ratio of counts, divided by how much more restless quiet time is than Poisson counts are. How large it
is at quiet places is asked of these places, so that neither is taken on trust. Where quiet time hardly ever showed an
event there are no places to ask: then the law of rare events answers, with what is known of the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import betainc

from faultset.impacts.onsets import (
    SECOND,
    STEP_S,
    WINDOWS,
    Largest,
    Window,
    at_offsets,
    everywhere,
    largest,
    middle_of_controls,
)
from faultset.impacts.stretches import Flags, Floats, Microseconds, Stretches

METHOD = "count-scan/1"
_BEFORE_US = 300 * SECOND
_PRIOR_US = 60 * SECOND  # how much all quiet time counts beside the time just before
_PRIOR_EVENTS = 0.5  # Jeffreys: how many events more there might have been
_SPREAD_S = 20  # length of the windows that tell how restless quiet time is
_LEAST_CONTROLS = 3
_SOUGHT_S = 25.0
_POWER_SD = 1.28  # of a normal distribution: nine of ten lie above the mean less this


@dataclass(frozen=True)
class Events:
    """Events of one kind in one place.

    Attributes:
        time_us: ascending, microseconds since the epoch.
        recorded: when events would have been seen.
    """

    time_us: Microseconds
    recorded: Stretches


@dataclass(frozen=True)
class Baseline:
    """What is usual at some moments, arrays (series, moments) in events a microsecond.

    Attributes:
        low, high: the same, but where another injection still acts: then what it left there counts too.
    """

    low: Floats
    high: Floats


class CountFamily:
    """The same kind of events in several places, which tell each other what happened everywhere."""

    method = METHOD
    nothing_there = "nothing was recorded after its start"

    def __init__(self, events: Sequence[Events], quiet: Sequence[Stretches]) -> None:
        self.events = events
        self.quiet = [time.both(one.recorded) for one, time in zip(events, quiet, strict=True)]
        self._quiet_times = [
            one.time_us[time.contains(one.time_us)] for one, time in zip(events, self.quiet, strict=True)
        ]
        self.rates = np.array(
            [
                (len(times) + _PRIOR_EVENTS) / max(stretches.total_us, SECOND)
                for times, stretches in zip(self._quiet_times, self.quiet, strict=True)
            ]
        )

    def __len__(self) -> int:
        """How many places there are."""
        return len(self.events)

    def recorded(self, series: int) -> Stretches:
        """When a series was recorded."""
        return self.events[series].recorded

    # --- what is usual ----------------------------------------------------------------------------------------------

    def baseline(self, moments: Microseconds, since: Microseconds | None = None) -> Baseline:
        """Return what is usual at each moment.

        Args:
            moments: (m,).
            since: (m,): when another injection began that may still act at the moment; the moment itself where none.
        """
        rate = np.array([self._quiet_rate(series, moments) for series in range(len(self))])
        if since is None:
            return Baseline(rate, rate)
        local = np.array([self._local_rate(series, since, moments) for series in range(len(self))])
        acting = np.isfinite(local)
        return Baseline(
            np.where(acting, np.fmin(local, rate), rate),
            np.where(acting, np.fmax(local, rate), rate),
        )

    def _quiet_rate(self, series: int, moments: Microseconds) -> Floats:
        quiet, times = self.quiet[series], self._quiet_times[series]
        span = quiet.before(moments) - quiet.before(moments - _BEFORE_US)
        count = np.searchsorted(times, moments) - np.searchsorted(times, moments - _BEFORE_US)
        return np.asarray((count + self.rates[series] * _PRIOR_US) / (span + _PRIOR_US))

    def _local_rate(self, series: int, since: Microseconds, until: Microseconds) -> Floats:
        times = self.events[series].time_us
        count = np.searchsorted(times, until) - np.searchsorted(times, since)
        span = np.where(until > since, until - since, np.nan)
        return np.asarray((count + _PRIOR_EVENTS) / span)

    @cached_property
    def spread(self) -> Floats:
        """How much more restless quiet time is than Poisson counts, at least 1: (series,)."""
        return np.array([self._spread(series) for series in range(len(self))])

    def _spread(self, series: int) -> float:
        length = _SPREAD_S * SECOND
        starts = [np.arange(start, end - length, length) for start, end in self.quiet[series].spans()]
        moments = np.concatenate(starts) if starts else np.empty(0, np.int64)
        if len(moments) < _SPREAD_S:
            return 1.0
        times = self.events[series].time_us
        count = np.searchsorted(times, moments + length) - np.searchsorted(times, moments)
        expected = self._quiet_rate(series, moments) * length
        return max(1.0, float(((count - expected) ** 2).sum() / expected.sum()))

    # --- the scan ---------------------------------------------------------------------------------------------------

    def scan(self, moments: Microseconds, baseline: Baseline, controls: Flags) -> dict[int, Largest]:
        """Return the largest likelihood ratio over the windows after each moment, by room.

        Args:
            moments: (m,).
            baseline: what is usual there.
            controls: (series, m): which series tell what happened everywhere.
        """
        cumulated = np.array([at_offsets(one.time_us, moments) for one in self.events])

        def signed(window: Window) -> Floats:
            count = (cumulated[:, :, window.last] - cumulated[:, :, window.first]).astype(np.float64)
            length = window.seconds * SECOND
            low, high = baseline.low * length, baseline.high * length
            told = np.log((count + 0.5) / (high + 0.5))
            doubt = self.spread[:, None] / (np.maximum(count, high) + 0.5)
            middle, error = everywhere(*middle_of_controls(told, doubt, controls, _LEAST_CONTROLS))
            low, high = _as_everywhere(low, np.exp(middle)), _as_everywhere(high, np.exp(middle))
            more = likelihood_ratio(count, high) * (count > high) / (1 + high * error**2)
            less = likelihood_ratio(count, low) * (count < low) / (1 + low * error**2)
            return np.asarray((more - less) / self.spread[:, None])

        return largest(signed, (len(self), len(moments)))

    def seen(self, series: int) -> int:
        """Return how many events quiet time saw."""
        return len(self._quiet_times[series])

    def by_law(self, series: int, moment: int, window: int) -> float:
        """Return how likely as many (or as few) events are in a window after a moment by the law of rare events.

        Of the rate only that is known which quiet time showed; all windows that are looked at count.
        """
        chosen = WINDOWS[window]
        first = moment + chosen.first * STEP_S * SECOND
        times = self.events[series].time_us
        count = np.searchsorted(times, first + chosen.seconds * SECOND) - np.searchsorted(times, first)
        return float(self._by_law(series, np.array([count], dtype=np.float64), chosen.seconds)[0])

    def _by_law(self, series: int, count: Floats, seconds: float) -> Floats:
        """Return the same of counts: the predictive law of a Poisson rate that is known from quiet time (Jeffreys)."""
        length, known = seconds * SECOND, max(self.quiet[series].total_us, SECOND)
        seen, share = len(self._quiet_times[series]) + _PRIOR_EVENTS, length / (length + known)
        more = np.where(count > 0, betainc(np.maximum(count, 1), seen, share), 1.0)
        less = 1 - betainc(count + 1, seen, share)
        p_value = np.where(count > seen * length / known, more, less)
        return np.asarray(np.minimum(1.0, len(WINDOWS) * p_value))

    # --- sizes ------------------------------------------------------------------------------------------------------

    def smallest(self, series: int, p_of: Callable[[Floats, Floats], Floats], largest_p: float) -> float | None:
        """Return the smallest rise of 25 s whose p value is at most ``largest_p`` in nine of ten cases.

        Args:
            series: its place.
            p_of: sizes, and how likely each is by law -> p values.
            largest_p: what p values are accepted up to.

        Returns:
            A size in standard deviations; None where no number of events would do.
        """
        expected = self.rates[series] * _SOUGHT_S * SECOND
        count = np.unique(np.ceil(np.geomspace(max(expected, 1.0), 1000 * max(expected, 1.0), 400)))
        size = self._size(series, count, expected)
        enough = p_of(size, self._by_law(series, count, _SOUGHT_S)) <= largest_p
        if not enough.any():
            return None
        least = count[np.argmax(enough)]
        mean = least + _POWER_SD * np.sqrt(least * self.spread[series]) + _POWER_SD**2 / 2
        return float(np.sqrt(self._size(series, np.array([mean]), expected)[0]))

    def _size(self, series: int, count: Floats, expected: float) -> Floats:
        return np.asarray(likelihood_ratio(count, np.full_like(count, expected)) / self.spread[series])

    # --- from when to when ------------------------------------------------------------------------------------------

    def numbers(self, series: int, starts: Microseconds, ends: Microseconds, rate: float) -> Floats:
        """Return the signed likelihood ratio of each window [start, end); arrays broadcast."""
        times = self.events[series].time_us
        count = (np.searchsorted(times, ends) - np.searchsorted(times, starts)).astype(np.float64)
        expected = rate * np.maximum(ends - starts, 1)
        return np.asarray(np.sign(count - expected) * likelihood_ratio(count, expected))

    def edges(self, series: int, since: int, until: int) -> Microseconds:
        """Return the moments within [since, until) at which something happened."""
        times = self.events[series].time_us
        return np.asarray(times[np.searchsorted(times, since) : np.searchsorted(times, until)])


def likelihood_ratio(count: Floats, expected: Floats) -> Floats:
    """Return twice the logarithm of how much better counts fit a rate of their own than the expected one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(count > 0, count * np.log(count / expected), 0.0)
    return np.asarray(2 * np.maximum(ratio - (count - expected), 0.0))


def _as_everywhere(expected: Floats, common: Floats) -> Floats:
    """Return what is expected where all controls had ``common`` times as much as usual."""
    return np.where(common > 1, (expected + 0.5) * common - 0.5, expected * common)
