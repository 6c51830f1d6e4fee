"""How rare a number is beside those of quiet places, where large numbers need not be the rarest.

A series can have events of its own: a nightly job that moves memory by fifty standard deviations. A move of five is not
explained by those, though every one of them is larger. So a number is not ranked by its size alone but by how rarely
numbers *of about its size* come at quiet places, on a logarithmic scale, of those above the median. The p value is the
share of quiet places whose numbers are as rare or rarer: a valid p value whatever the order is, and what it says of the
largest numbers is what a rank by size would say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d

from faultset.impacts.windows import Floats, Rows

_BIN = 0.02  # of the logarithm of a number
_NARROW, _WIDE, _WIDE_SHARE = 0.1, 0.3, 0.07
_LEAST = 1e-3  # numbers below this are all the same
_NONE = np.empty(0)


def _kernel() -> Floats:
    """Return a kernel with a narrow core and a wide foot: larger numbers than those seen are to be expected."""
    at = np.arange(-150, 151) * _BIN
    core, foot = np.exp(-0.5 * (at / _NARROW) ** 2), np.exp(-np.abs(at) / _WIDE)
    return np.asarray((1 - _WIDE_SHARE) * core / core.sum() + _WIDE_SHARE * foot / foot.sum())


_KERNEL = _kernel()


@dataclass(frozen=True)
class Quiet:
    """Numbers at quiet places as places on a logarithmic scale.

    Attributes:
        bins: of each number.
        first: logarithm at bin 0.
        count: how many bins there are.
        strange_bins: of the numbers of other series, which stand for what the own ones are too few for.
        share: what these count for, 0 to 1.
        trust: power that p values are raised to, below 1 where so few places are independent that the rarest numbers
            are not among them.
    """

    bins: Rows
    first: float
    count: int
    strange_bins: Rows
    share: float
    trust: float

    @classmethod
    def of(cls, numbers: Floats, strangers: Floats = _NONE, share: float = 0.0, trust: float = 1.0) -> Quiet:
        """Place ``numbers``, each at least 0, and beside them those of ``strangers``, which count for ``share``."""
        logs = np.log(np.maximum(np.concatenate([numbers, strangers]), _LEAST))
        first = float(logs.min()) - 150 * _BIN
        bins = ((logs - first) / _BIN).astype(np.intp)
        own, other = np.split(bins, [len(numbers)])
        return cls(own, first, int(bins.max()) + 300, other, share if len(strangers) else 0.0, trust)

    def p_value(self, number: Floats, weight: Floats, strange_weight: Floats | None = None) -> Floats:
        """Return how probable numbers as rare as each of ``number`` are at quiet places, counted with their weights.

        Those of other series all count alike where ``strange_weight`` is None.
        """
        mass = np.bincount(self.bins, weight * ((1 - self.share) / weight.sum()), self.count)
        if self.share:
            strange_weight = np.ones(len(self.strange_bins)) if strange_weight is None else strange_weight
            mass += np.bincount(self.strange_bins, strange_weight * (self.share / strange_weight.sum()), self.count)
        median = int(np.searchsorted(np.cumsum(mass), 0.5))
        density = np.maximum(convolve1d(mass, _KERNEL, mode="constant"), 1e-12)
        above = np.sort(density[median + 1 :])
        rarer = np.cumsum(above)
        place = ((np.log(np.maximum(number, _LEAST)) - self.first) / _BIN).astype(np.intp)
        beyond = np.maximum(place - self.count + 1, 0) * _BIN
        here = density[np.clip(place, 0, self.count - 1)]
        p_value = rarer[np.maximum(np.searchsorted(above, here, side="right") - 1, 0)] * np.exp(-beyond / _WIDE)
        return np.where(place <= median, 1.0, np.minimum(p_value, 1.0) ** self.trust)


def alike(far: Floats) -> Floats:
    """Return weights that fall with the distance, so that the nearest third counts most."""
    far = np.abs(far)
    near = max(float(np.partition(far, len(far) // 3)[len(far) // 3]), 1e-9)
    return np.asarray(np.exp(-0.5 * (far / near) ** 2))
