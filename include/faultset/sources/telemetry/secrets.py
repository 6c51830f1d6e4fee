"""Secrets in the texts of telemetry: rows that may hold one are told apart at once, and only they are looked at."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from faultset.sources.kit.redaction import SUSPECT, redact

_FIRST, _OFTEN = 2000, 8  # texts that tell whether they repeat themselves: so often on average
_NO_ROWS = pl.Series(dtype=pl.UInt32)


def without_secrets(frame: pl.DataFrame, *, keep: Collection[str] = ()) -> tuple[pl.DataFrame, int]:
    """Return ``frame`` with each secret in its texts replaced, and in how many rows one was.

    Columns, rows and their order stay.

    Args:
        frame: rows as they were read.
        keep: columns to leave alone, such as those that ``clock`` could read.
    """
    touched = np.zeros(len(frame), bool)
    for name in frame.columns:
        if name in keep or frame.schema[name] != pl.String:
            continue
        changed = _redacted(frame[name], touched)
        if changed is not None:
            frame = frame.with_columns(changed)
    return frame, int(touched.sum())


def _redacted(texts: pl.Series, touched: np.ndarray) -> pl.Series | None:
    """Return ``texts`` without secrets and note the rows; None where there is none."""
    rows = _suspects(texts)
    if not len(rows):
        return None
    suspects = texts.gather(rows)
    # Logs repeat themselves: each different text is looked at once.
    different = suspects.unique()
    safe = {text: redact(text) for text in different.to_list()}
    changed = [safe[text] != text for text in suspects.to_list()]
    if not any(changed):
        return None
    places = rows.filter(pl.Series(changed))
    touched[places.to_numpy()] = True
    return texts.scatter(places, [safe[text] for text in texts.gather(places).to_list()])


def _suspects(texts: pl.Series) -> pl.Series:
    """Return the rows that may hold a secret; where texts come again and again, each is looked at once."""
    first = texts.head(_FIRST)
    if first.n_unique() <= len(first) // _OFTEN:
        different = texts.unique()
        suspect = different.filter(different.str.contains(SUSPECT))
        return texts.is_in(suspect.implode()).arg_true() if len(suspect) else _NO_ROWS
    begins = texts.ne_missing(texts.shift(1))
    if len(texts):
        begins[0] = True
    if begins.sum() > len(texts) // 2:
        return texts.str.contains(SUSPECT).arg_true()
    suspect = texts.filter(begins).str.contains(SUSPECT).fill_null(value=False)
    return suspect.gather(begins.cast(pl.UInt32).cum_sum() - 1).arg_true()
