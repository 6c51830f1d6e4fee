"""What telemetry tells of its own clock: when it recorded, how KPIs stood, when errors came, in bins of seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultset.moments import Window, epoch_us

Microseconds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
_Flags = npt.NDArray[np.bool_]

SECOND = 1_000_000
BIN_S = 5
"""Telemetry is looked at in bins of this many seconds: hours are in question, and a bin is robust and small."""
REACH_S = 15 * 3600
"""How far before the run and after it telemetry can matter: 14 hours and some slack."""


@dataclass(slots=True)
class Coverage:
    """Which parts of [start_us, end_us) lie at most one cadence after a row; rows come in any order, part by part.

    Attributes:
        start_us: start of the window, microseconds since the epoch.
        end_us: its end; a window of no length is the moment it stands at.
    """

    start_us: int
    end_us: int
    _covered: Microseconds = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def add(self, times_us: Microseconds, cadence_us: int) -> None:
        """Add rows.

        Args:
            times_us: (n,) their times, sorted, microseconds since the epoch.
            cadence_us: for how long a row speaks, such as a few times the source's usual step.
        """
        end_us = max(self.end_us, self.start_us + 1)
        first, behind = np.searchsorted(times_us, (self.start_us - cadence_us, end_us))
        if first == behind:
            return
        near = times_us[first:behind]
        self.cover(np.column_stack((np.maximum(near, self.start_us), np.minimum(near + cadence_us, end_us))))

    @property
    def spans(self) -> Microseconds:
        """(n, 2) the covered parts so far: start and end, microseconds since the epoch, apart and in order."""
        return self._covered

    def cover(self, spans: Microseconds) -> None:
        """Add covered parts (n, 2) of the window."""
        if not len(spans):
            return
        spans = np.concatenate((self._covered, spans))
        spans = spans[np.argsort(spans[:, 0], kind="stable")]
        until = np.maximum.accumulate(spans[:, 1])
        apart = np.flatnonzero(spans[1:, 0] > until[:-1])
        self._covered = np.column_stack((spans[np.append(0, apart + 1), 0], until[np.append(apart, -1)]))

    @property
    def share(self) -> float:
        """The share of the window, 0 to 1, that is covered so far."""
        covered_us = int((self._covered[:, 1] - self._covered[:, 0]).sum())
        return covered_us / (max(self.end_us, self.start_us + 1) - self.start_us)


@dataclass(frozen=True, slots=True)
class Recording:
    """What one file recorded, in bins of ``BIN_S`` seconds; only bins with rows, in order of time.

    Attributes:
        bins_us: (n,) start of each bin, a multiple of ``BIN_S`` seconds since the epoch.
        levels: KPI -> (n,) mean in each bin, NaN where it has none.
        errors: (n,) lines of level WARNING or above in each bin; None for a file that has no levels.
    """

    bins_us: Microseconds
    levels: Mapping[str, Floats] = field(default_factory=dict)
    errors: Counts | None = None


@dataclass(frozen=True, slots=True)
class ShiftEvidence:
    """What tells whether a source, or all sources of a kind together, are off.

    Attributes:
        recordings: a file each.
        placed_us: (m, 3) time of a trace, start and end of the iteration that it belongs to by its id.
    """

    recordings: tuple[Recording, ...]
    placed_us: Microseconds | None = None

    @classmethod
    def together(cls, parts: Iterable[ShiftEvidence]) -> ShiftEvidence:
        """Return the evidence of several sources that share one clock."""
        parts = tuple(parts)
        placed = [part.placed_us for part in parts if part.placed_us is not None]
        return cls(
            tuple(recording for part in parts for recording in part.recordings),
            np.concatenate(placed) if placed else None,
        )


def recording(
    times_us: Microseconds, columns: Mapping[str, Floats] | None = None, is_error: _Flags | None = None
) -> Recording:
    """Return rows at ``times_us`` (n,), in any order, as bins.

    Args:
        times_us: microseconds since the epoch.
        columns: KPI -> (n,) values; those that are not finite count as absent.
        is_error: (n,) whether a line's level is WARNING or above.
    """
    bins_us, place = np.unique(times_us // (BIN_S * SECOND), return_inverse=True)
    return Recording(
        bins_us=bins_us * (BIN_S * SECOND),
        levels={name: _means(values, place, len(bins_us)) for name, values in (columns or {}).items()},
        errors=None if is_error is None else np.bincount(place[is_error], minlength=len(bins_us)).astype(np.int64),
    )


def joined(parts: Sequence[Recording]) -> Recording:
    """Return the parts of one file as one recording; a bin that two of them share is their mean."""
    if len(parts) == 1:
        return parts[0]
    bins_us, place = np.unique(np.concatenate([part.bins_us for part in parts]), return_inverse=True)
    ends = np.cumsum([len(part.bins_us) for part in parts])
    places = np.split(place, ends[:-1])
    held: dict[str, list[int]] = {}
    for number, part in enumerate(parts):
        for kpi in part.levels:
            held.setdefault(kpi, []).append(number)
    levels = {
        kpi: _means(
            np.concatenate([parts[number].levels[kpi] for number in numbers]),
            np.concatenate([places[number] for number in numbers]),
            len(bins_us),
        )
        for kpi, numbers in held.items()
    }
    counted = [part.errors for part in parts if part.errors is not None]
    errors = None
    if len(counted) == len(parts):
        errors = np.bincount(place, weights=np.concatenate(counted), minlength=len(bins_us)).astype(np.int64)
    return Recording(bins_us, levels, errors)


def _means(values: Floats, place: npt.NDArray[np.intp], bins: int) -> Floats:
    finite = np.isfinite(values)
    counts = np.bincount(place[finite], minlength=bins)
    sums = np.bincount(place[finite], weights=values[finite], minlength=bins)
    return np.asarray(np.divide(sums, counts, out=np.full(bins, np.nan), where=counts > 0))


def is_near(times_us: Microseconds, run: Window) -> _Flags:
    """Return which of the times (n,) lie in bins that can lie in the run at some candidate."""
    first, last = epoch_us(run.start) - REACH_S * SECOND, epoch_us(run.end) + REACH_S * SECOND
    bin_us = BIN_S * SECOND
    return np.asarray((times_us >= -(-first // bin_us) * bin_us) & (times_us < (last // bin_us + 1) * bin_us))


def near(recording: Recording, run: Window) -> Recording:
    """Return the bins that can lie in the run at some candidate."""
    inside = is_near(recording.bins_us, run)
    return Recording(
        recording.bins_us[inside],
        {name: values[inside] for name, values in recording.levels.items()},
        None if recording.errors is None else recording.errors[inside],
    )
