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


def covered_share(times_us: Microseconds, window_start_us: int, window_end_us: int, cadence_us: int) -> float:
    """Return the share of [window_start_us, window_end_us), 0 to 1, that lies at most one cadence after a row.

    Args:
        times_us: (n,) times of rows, in any order, microseconds since the epoch.
        window_start_us: start of the window.
        window_end_us: end of the window; a window of no length is the moment it stands at.
        cadence_us: for how long a row speaks, such as a few times the source's usual step.
    """
    end_us = max(window_end_us, window_start_us + 1)
    near = times_us[(times_us >= window_start_us - cadence_us) & (times_us < end_us)]
    before = near[near < window_start_us]
    inside = np.sort(near[near >= window_start_us])
    spoken_until = (
        np.concatenate((before.max(initial=window_start_us - cadence_us, keepdims=True), inside)) + cadence_us
    )
    silent_until = np.concatenate((inside, [end_us]))
    silent_us = np.maximum(0, silent_until - np.maximum(spoken_until, window_start_us)).sum()
    return 1.0 - float(silent_us) / (end_us - window_start_us)


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
    kpis = dict.fromkeys(kpi for part in parts for kpi in part.levels)
    nothing = {id(part): np.full(len(part.bins_us), np.nan) for part in parts}
    levels = {
        kpi: _means(np.concatenate([part.levels.get(kpi, nothing[id(part)]) for part in parts]), place, len(bins_us))
        for kpi in kpis
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


def near(recording: Recording, run: Window) -> Recording:
    """Return the bins that can lie in the run at some candidate."""
    first, last = epoch_us(run.start) - REACH_S * SECOND, epoch_us(run.end) + REACH_S * SECOND
    inside = (recording.bins_us >= first) & (recording.bins_us <= last)
    return Recording(
        recording.bins_us[inside],
        {name: values[inside] for name, values in recording.levels.items()},
        None if recording.errors is None else recording.errors[inside],
    )
