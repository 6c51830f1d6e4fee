"""How well a series agrees with many shapes at every moment, by Fourier transforms of overlapping blocks.

What ``scipy.signal.oaconvolve`` does for one shape at a time, number for number: it costs a second to import, since all
of ``scipy.stats`` comes with it, and transforms the series anew for each shape, where shapes of one length could share.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.special import lambertw

from faultset.impacts.windows import Floats

_Spectrum = npt.NDArray[np.complex128]


class Spectra:
    """A series, transformed once for each length of shapes."""

    def __init__(self, value: Floats) -> None:
        self._value = value
        self._known: dict[int, _Spectrum] = {}

    def agreement(self, shape: Floats) -> Floats:
        """Return the sum of products with ``shape`` from each cell on, as if zeros followed the last."""
        cells, rows = len(self._value), len(shape)
        block = _block(cells, rows)
        if rows not in self._known:
            self._known = {rows: rfft(self._blocks(block, rows) if block < cells else self._value, block)}
        parts = irfft(self._known[rows] * rfft(shape[::-1], block), block)
        if block < cells:
            step = block - rows + 1
            parts[1:, : rows - 1] += parts[:-1, step:]
            parts = parts[:, :step].reshape(-1)
        return np.asarray(parts[rows - 1 : rows - 1 + cells])

    def _blocks(self, block: int, rows: int) -> Floats:
        """Return the series as a row for each block, with zeros after it as far as shapes reach."""
        step = block - rows + 1
        count = -(-(len(self._value) + rows - 1) // step)
        padded = np.zeros(count * step)
        padded[: len(self._value)] = self._value
        return padded.reshape(count, step)


@functools.cache
def _block(cells: int, rows: int) -> int:
    """Return the length of blocks that costs least, by the Lambert W function; at least ``cells``: all at once."""
    whole: int = next_fast_len(cells + rows - 1, real=True)
    if rows < 2 or rows >= cells / 2:
        return whole
    cheapest = -(rows - 1) * lambertw(-1 / (2 * math.e * (rows - 1)), k=-1).real
    block: int = next_fast_len(math.ceil(cheapest))
    return block if block < cells else whole
