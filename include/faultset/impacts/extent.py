"""From when to when a move was there, and how large it was."""

from __future__ import annotations

import numpy as np

from faultset.impacts.windows import Floats

_SLOPES = (2, 4, 6, 9, 13, 19, 27, 38, 54, 76)  # cells that a ramp may take
_MOST_SLOPE = 0.8  # of the length of the move
_LEVEL_CELLS = 5  # beside a ramp that are compared too
_ROUNDS = 3  # what first is taken to be around a move can be a part of it: where it was tells the level around anew
_CLEARLY = 0.9  # of the deviation from a step, that a ramp may have at most: else it is a step


def extent(value: Floats, begun: int, length: int, onsets: tuple[int, int], most: int) -> tuple[float, int, int]:
    """Return the size of a move, and the cells [start, end) in which it was there.

    They are those that are nearer to its level than to the one around it, and where it ramps in or fades out clearly,
    the ones from the foot of that ramp on.

    Args:
        value: the series.
        begun: about where it begins.
        length: about how many cells it lasts.
        onsets: cells [first, last) at which it may begin.
        most: how many cells it is followed.
    """
    furthest = min(len(value), begun + most)
    while True:
        cells = max(onsets[0], 0), min(begun + length + max(length, 20), len(value))
        size, start, end = _between_levels(value, begun, length, cells, onsets[1])
        if end < cells[1] or cells[1] >= furthest:
            return size, *_with_ramps(value, start, end, size, cells)
        length *= 2  # it lasts until the end of what was looked at


def _between_levels(
    value: Floats, begun: int, length: int, cells: tuple[int, int], until: int
) -> tuple[float, int, int]:
    """Return the size of a move that begins before ``until``, and which ``cells`` are nearer to its level."""
    first, last = cells
    start, end = begun - first, begun + length - first
    if last - first < 1:
        return 0.0, begun, begun + length
    for _ in range(_ROUNDS):
        base = _base(value, first + start, first + end)
        size = float(np.median(value[first + start : first + end])) - base
        away = np.sign(size) * (value[first:last] - base)
        gain = np.abs(away) - np.abs(away - abs(size))
        before, (start, end) = (start, end), _heaviest(gain, (start, end), until - first)
        if (start, end) == before:
            break
    return size, first + start, first + end


def _with_ramps(value: Floats, start: int, end: int, size: float, cells: tuple[int, int]) -> tuple[int, int]:
    """Return the cells [start, end) with those of a ramp that leads into them or out of them, among ``cells``."""
    first, last = cells
    if not size:
        return start, end
    away = np.sign(size) * (value[first:last] - _base(value, start, end))
    course = np.clip(away / abs(size), -1.0, 2.0)
    most = _MOST_SLOPE * (end - start)
    foot = start - _ramp(course, start - first, most) // 2
    over = end + _ramp(course[::-1], last - end, most) // 2
    return max(foot, first), min(over, last)


def _base(value: Floats, start: int, end: int) -> float:
    """Return the level around the cells [start, end)."""
    beside = max(5, min(end - start, 20))
    around = np.concatenate([value[max(start - beside, 0) : start], value[end : end + beside]])
    return float(np.median(around)) if len(around) else float(np.median(value))


def _ramp(course: Floats, half: int, most: float) -> int:
    """Return over how many cells a course from 0 to 1 that is half-way up before cell ``half`` rises; 0 for a step.

    The ramp of the smallest absolute deviation, if it is clearly smaller than that of a step.
    """
    lengths = np.array([0, *(one for one in _SLOPES if one <= most)])
    reach = int(lengths[-1]) // 2 + _LEVEL_CELLS
    first, last = max(half - reach, 0), min(half + reach, len(course))
    at = np.arange(first, last) - half + 0.5
    models = np.clip(at / np.maximum(lengths, 1e-3)[:, None] + 0.5, 0.0, 1.0)
    deviation = np.abs(course[first:last] - models).sum(axis=1)
    best = int(np.argmin(deviation))
    return int(lengths[best]) if deviation[best] < _CLEARLY * deviation[0] else 0


def _heaviest(gain: Floats, about: tuple[int, int], until: int) -> tuple[int, int]:
    """Return the run [start, end) of the largest sum that holds the middle of ``about`` and starts before ``until``."""
    middle = int(np.clip(sum(about) // 2, 0, len(gain) - 1))
    sums = np.cumsum(gain[middle::-1])[::-1]
    start = int(np.argmax(sums[: max(until, 1)]))
    return start, middle + int(np.argmax(np.cumsum(gain[middle:]))) + 1
