"""From when to when a move was there, and how large it was."""

from __future__ import annotations

import numpy as np

from faultset.impacts.windows import Floats


def extent(value: Floats, begun: int, length: int, onsets: tuple[int, int]) -> tuple[float, int, int]:
    """Return the size of a move, and the cells [start, end) that are nearer to its level than to the one around it.

    Args:
        value: the series.
        begun: about where it begins.
        length: about how many cells it lasts.
        onsets: cells [first, last) at which it may begin.
    """
    first, last = max(onsets[0], 0), min(begun + length + max(length, 20), len(value))
    beside = max(5, min(length, 20))
    around = np.concatenate([value[max(begun - beside, 0) : begun], value[begun + length : begun + length + beside]])
    if not len(around) or last - first < 1:
        return 0.0, begun, begun + length
    base = float(np.median(around))
    size = float(np.median(value[begun : begun + length])) - base
    away = np.sign(size) * (value[first:last] - base)
    gain = np.abs(away) - np.abs(away - abs(size))
    start, end = _heaviest(gain, (begun - first, begun + length - first), onsets[1] - first)
    return size, first + start, first + end


def _heaviest(gain: Floats, about: tuple[int, int], until: int) -> tuple[int, int]:
    """Return the run [start, end) of the largest sum that holds the middle of ``about`` and starts before ``until``."""
    middle = int(np.clip(sum(about) // 2, 0, len(gain) - 1))
    sums = np.cumsum(gain[middle::-1])[::-1]
    start = int(np.argmax(sums[: max(until, 1)]))
    return start, middle + int(np.argmax(np.cumsum(gain[middle:]))) + 1
