"""What the scan says: of each window, whether, when and how far a series moved; and moves that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultset.impacts.windows import Floats, Microseconds


@dataclass(frozen=True)
class Scanned:
    """What the scan says of each window; arrays of one item a window.

    Attributes:
        p_value: NaN where nothing could be asked.
        size: of the move, signed, in the series' unit.
        start_us, end_us: when the move was there.
    """

    p_value: Floats
    size: Floats
    start_us: Microseconds
    end_us: Microseconds

    @classmethod
    def nothing(cls, count: int) -> Scanned:
        """Return that none of ``count`` windows could be asked."""
        return cls(np.full(count, np.nan), np.zeros(count), *(np.zeros(count, dtype=np.int64) for _ in range(2)))


@dataclass(frozen=True, slots=True)
class Move:
    """A move that is known: its signed size in the series' unit, and when it was there."""

    size: float
    start_us: int
    end_us: int
