"""How a view is put together: columns of texts, flags, numbers and times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import pandas as pd

TEXT = "str"
FLAG = "object"  # True, False or None
NUMBER = "float64"  # counts too: they can be unknown
TIME = "datetime64[us]"  # UTC: Great Expectations drops a zone with a warning for each value
_MOST_NAMES = 20


def frame(**columns: tuple[str, Sequence[object]]) -> pd.DataFrame:
    """Return a frame of the given columns, each a dtype and its values."""
    return pd.DataFrame({name: pd.Series(list(values), dtype=dtype) for name, (dtype, values) in columns.items()})


def utc(moments: Iterable[dt.datetime | None]) -> tuple[str, list[dt.datetime | None]]:
    """Return a column of moments that are known to be UTC."""
    return TIME, [moment.replace(tzinfo=None) if moment else None for moment in moments]


def listed(things: Iterable[str]) -> str:
    """Return names as one text, at most 20 of them."""
    every = list(things)
    text = ", ".join(every[:_MOST_NAMES])
    return text if len(every) <= _MOST_NAMES else f"{text} and {len(every) - _MOST_NAMES} more"
