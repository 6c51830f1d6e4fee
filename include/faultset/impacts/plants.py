"""Moves that are planted at quiet places, to see what would have been found."""

from __future__ import annotations

import numpy as np

from faultset.impacts.windows import Floats


def mixed(lengths: tuple[int, ...], onset: int, random: np.random.Generator) -> Floats:
    """Return the course of a move of any onset, length and shape."""
    length = int(random.choice(lengths))
    share = (np.arange(length) + 0.5) / length
    shape = [np.ones(length), np.minimum(1, 3 * share), np.minimum(1, 2 * (1 - share))][int(random.integers(3))]
    return _placed(shape, onset, onset + lengths[-1], random)


def held(length: int, onset: int, count: int, random: np.random.Generator) -> Floats:
    """Return the course of a held move of ``length`` cells and any onset, of ``count`` cells."""
    return _placed(np.ones(length), onset, count, random)


def _placed(shape: Floats, onset: int, count: int, random: np.random.Generator) -> Floats:
    course = np.zeros(count)
    begin = int(random.integers(onset))
    course[begin : begin + len(shape)] = shape[: len(course) - begin]
    return course if random.random() < 0.5 else -course
