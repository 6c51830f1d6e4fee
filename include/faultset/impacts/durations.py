"""Durations that come when they come, such as those of a service's spans: whether they became longer or shorter.

Durations have heavy tails, and a service does several things that take differently long. So each is replaced by its
rank among the quiet ones of its own operation, as a normal score; what is longer than all of them counts a little
more, by how much longer it is. The number that is compared is the squared sum of a window's scores over what quiet time
lets expect. How large it is at quiet places is asked of these places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from faultset.impacts.counts import Baseline
from faultset.impacts.onsets import SECOND, Largest, Window, at_offsets, everywhere, largest, middle_of_controls
from faultset.impacts.stretches import Flags, Floats, Microseconds, Stretches

METHOD = "duration-ranks/1"
_BEFORE_US = 600 * SECOND
_PRIOR_SAMPLES = 20.0  # how much all quiet time counts beside the time just before
_LEAST_IN_WINDOW = 2
_LEAST_IN_GROUP = 30  # operations that were seen less often are ranked together
_LEAST_CONTROLS = 3
_MOST_BEYOND = 3.0  # how much a duration beyond all quiet ones can count more than the longest of these
_LEAST_SPREAD = 0.02  # of logarithms: 2 %
_POWER_SD = 1.28


@dataclass(frozen=True)
class Samples:
    """Durations in one place.

    Attributes:
        time_us: when each ended, ascending, microseconds since the epoch.
        seconds: how long each took.
        operation: what was done, any numbers.
        recorded: when ends would have been seen.
    """

    time_us: Microseconds
    seconds: Floats
    operation: npt.NDArray[np.int64]
    recorded: Stretches


class DurationFamily:
    """Durations of the same kind in several places, which tell each other what happened everywhere."""

    method = METHOD
    nothing_there = "fewer than two ended in any window after its start"

    def __init__(self, samples: Sequence[Samples], quiet: Sequence[Stretches]) -> None:
        self.samples = samples
        self.quiet = [time.both(one.recorded) for one, time in zip(samples, quiet, strict=True)]
        inside = [time.contains(one.time_us) for one, time in zip(samples, self.quiet, strict=True)]
        self._scores = [_scores(one, quiet) for one, quiet in zip(samples, inside, strict=True)]
        self._sums = [np.concatenate([[0.0], np.cumsum(score)]) for score in self._scores]
        self._quiet_times = [one.time_us[quiet] for one, quiet in zip(samples, inside, strict=True)]
        self._quiet_sums = [
            np.concatenate([[0.0], np.cumsum(score[quiet])]) for score, quiet in zip(self._scores, inside, strict=True)
        ]

    def __len__(self) -> int:
        """How many places there are."""
        return len(self.samples)

    def recorded(self, series: int) -> Stretches:
        """When a series was recorded."""
        return self.samples[series].recorded

    # --- what is usual ----------------------------------------------------------------------------------------------

    def baseline(self, moments: Microseconds, since: Microseconds | None = None) -> Baseline:
        """Return the usual mean score at each moment; see ``CountFamily.baseline``."""
        mean = np.array([self._quiet_mean(series, moments) for series in range(len(self))])
        if since is None:
            return Baseline(mean, mean)
        local = np.array([self._local_mean(series, since, moments) for series in range(len(self))])
        return Baseline(np.fmin(local, mean), np.fmax(local, mean))

    def _quiet_mean(self, series: int, moments: Microseconds) -> Floats:
        times, sums = self._quiet_times[series], self._quiet_sums[series]
        last, first = np.searchsorted(times, moments), np.searchsorted(times, moments - _BEFORE_US)
        return np.asarray((sums[last] - sums[first]) / (last - first + _PRIOR_SAMPLES))

    def _local_mean(self, series: int, since: Microseconds, until: Microseconds) -> Floats:
        times, sums = self.samples[series].time_us, self._sums[series]
        last, first = np.searchsorted(times, until), np.searchsorted(times, since)
        return np.where(last > first, (sums[last] - sums[first]) / np.maximum(last - first, 1), np.nan)

    # --- the scan ---------------------------------------------------------------------------------------------------

    def scan(self, moments: Microseconds, baseline: Baseline, controls: Flags) -> dict[int, Largest]:
        """Return the largest squared, standardised sum of scores over the windows after each moment, by room."""
        at = np.array([at_offsets(one.time_us, moments) for one in self.samples])
        sums = np.array([some[place] for some, place in zip(self._sums, at, strict=True)])

        def signed(window: Window) -> Floats:
            count = at[:, :, window.last] - at[:, :, window.first]
            total = sums[:, :, window.last] - sums[:, :, window.first]
            mean = np.where(count >= _LEAST_IN_WINDOW, total / np.maximum(count, 1), np.nan)
            told, doubt = mean - baseline.high, 1 / np.maximum(count, 1)
            middle, error = everywhere(*middle_of_controls(told, doubt, controls, _LEAST_CONTROLS))
            more = np.maximum(mean - baseline.high - middle, 0.0)
            less = np.maximum(baseline.low + middle - mean, 0.0)
            return np.asarray((more**2 - less**2) / (1 / np.maximum(count, 1) + error**2))

        return largest(signed, (len(self), len(moments)))

    def seen(self, series: int) -> int:
        """Return how many events quiet time saw."""
        return len(self._quiet_times[series])

    def by_law(self, _series: int, _moment: int, _window: int) -> float:
        """Return NaN: there is no law of durations."""
        return float("nan")

    # --- sizes ------------------------------------------------------------------------------------------------------

    def smallest(self, _series: int, p_of: Callable[[Floats, Floats], Floats], largest_p: float) -> float | None:
        """Return the smallest move whose p value is at most ``largest_p`` in nine of ten cases; see ``CountFamily``."""
        size = np.linspace(0.5, 40.0, 400) ** 2
        enough = p_of(size, np.full_like(size, np.nan)) <= largest_p
        return float(np.sqrt(size[np.argmax(enough)])) + _POWER_SD if enough.any() else None

    # --- from when to when ------------------------------------------------------------------------------------------

    def numbers(self, series: int, starts: Microseconds, ends: Microseconds, mean: float) -> Floats:
        """Return the signed number of each window [start, end); arrays broadcast."""
        times, sums = self.samples[series].time_us, self._sums[series]
        last, first = np.searchsorted(times, ends), np.searchsorted(times, starts)
        count = np.maximum(last - first, 1)
        away = (sums[last] - sums[first]) / count - mean
        return np.asarray(np.where(last > first, np.sign(away) * count * away**2, 0.0))

    def edges(self, series: int, since: int, until: int) -> Microseconds:
        """Return the moments within [since, until) at which something ended."""
        times = self.samples[series].time_us
        return times[np.searchsorted(times, since) : np.searchsorted(times, until)]


def _scores(samples: Samples, quiet: Flags) -> Floats:
    """Return the normal score of each duration's rank among the quiet ones of its operation."""
    value = np.log(np.maximum(samples.seconds, 1e-6))
    score = np.zeros(len(value))
    operations, seen = np.unique(samples.operation[quiet], return_counts=True)
    known = operations[seen >= _LEAST_IN_GROUP]
    group = np.where(np.isin(samples.operation, known), samples.operation, -1)
    for one in np.unique(group):
        members = group == one
        if np.count_nonzero(members & quiet) > 1:
            score[members] = _normal_scores(value[members], quiet[members])
    return score


def _normal_scores(value: Floats, quiet: Flags) -> Floats:
    """Return the normal score of each value's rank among the quiet ones, a quiet one's among the others of them."""
    usual = np.sort(value[quiet])
    low, high = np.searchsorted(usual, value, side="left"), np.searchsorted(usual, value, side="right") - quiet
    score = ndtri((low + high + 1) / 2 / (len(usual) - quiet + 1))
    middle = float(np.median(usual))
    spread = max(1.4826 * float(np.median(np.abs(usual - middle))), _LEAST_SPREAD)
    longest = np.where(quiet & (value == usual[-1]), usual[-2], usual[-1])
    shortest = np.where(quiet & (value == usual[0]), usual[1], usual[0])
    above = np.clip((value - longest) / spread, 0, _MOST_BEYOND)
    below = np.clip((shortest - value) / spread, 0, _MOST_BEYOND)
    return np.asarray(score + above - below)
