"""NumPy arrays as Arrow arrays, without a copy. ``pyarrow.array`` would import pandas first, which takes a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa


def numbers(values: npt.NDArray[Any], of: pa.DataType, known: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Return ``values`` as an array of type ``of``, which has the same width; null where not ``known``."""
    valid = None if known is None else _bits(known)
    return pa.Array.from_buffers(of, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def flags(values: npt.NDArray[np.bool_]) -> pa.Array:
    """Return ``values`` as booleans."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(values)])


def names(codes: npt.NDArray[np.int32], of: pa.Array) -> pa.DictionaryArray:
    """Return the names that ``codes`` stand for: places in ``of``."""
    return pa.DictionaryArray.from_arrays(numbers(codes, pa.int32()), of)


def lists(ends: npt.NDArray[np.int32], values: pa.Array) -> pa.ListArray:
    """Return lists over ``values``; list i begins where list i - 1 ends."""
    offsets = np.concatenate((np.zeros(1, np.int32), ends))
    return pa.ListArray.from_arrays(numbers(offsets, pa.int32()), values)


def texts(values: Sequence[str]) -> pa.Array:
    """Return ``values`` as ``large_string``."""
    return pl.Series(values, dtype=pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())


def _bits(values: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(values, bitorder="little"))
