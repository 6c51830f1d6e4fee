"""Medians and quantiles of many short rows, to the last bit those of NumPy.

Sorting whole rows takes a tenth of the time of ``np.partition``, which ``np.median`` is made of, where the processor
sorts many numbers with one instruction; and no NaN has to be looked for where there can be none.
"""

from __future__ import annotations

import numpy as np

from faultset.impacts.windows import Floats


def medians(rows: Floats) -> Floats:
    """Return what ``np.median(rows, axis=1)`` does, of rows of at least one value and without NaN."""
    ascending, middle = np.sort(rows, axis=1), rows.shape[1] // 2
    if rows.shape[1] % 2:
        return np.asarray(ascending[:, middle])
    return np.asarray((ascending[:, middle - 1] + ascending[:, middle]) / 2)


def deviations(rows: Floats, middle: Floats) -> Floats:
    """Return the median absolute deviation of each row from its ``middle``."""
    return medians(np.abs(rows - middle[:, None]))


def quantiles(rows: Floats, share: float) -> Floats:
    """Return what ``np.quantile(rows, share, axis=1)`` does, of rows of at least one value and without NaN."""
    return of_ascending(np.sort(rows, axis=1), share)


def of_ascending(rows: Floats, share: float) -> Floats:
    """Return the quantile of each row that is in order already; of a single row, an array of no dimension."""
    last = rows.shape[-1] - 1
    below = min(int(share * last), last)
    part = share * last - below
    low, high = rows[..., below], rows[..., min(below + 1, last)]
    # NumPy interpolates from the nearer end.
    return np.asarray(low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part))
