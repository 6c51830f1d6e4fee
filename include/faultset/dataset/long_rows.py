"""Rows that hold one value each, of a KPI that they name, laid out with a column a KPI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_NOWHERE = -1


@dataclass(frozen=True)
class Long:
    """Where a file says whose value a row holds.

    Attributes:
        kpi: the column that names the KPI.
        value: the column that holds the value.
        kpis: the KPIs that are named.
    """

    kpi: str
    value: str
    kpis: tuple[str, ...]


def laid_out(rows: pa.Table, long: Long, kpis: Sequence[str]) -> pa.Table:
    """Return a row a moment and node, with a column for each of ``kpis``; the labels are the strongest of its rows.

    Args:
        rows: rows as they are written, with the columns of ``long``, timestamp, node and the labels.
        long: what they say.
        kpis: those wanted; rows of others are left out.
    """
    place = pc.index_in(rows[long.kpi].cast(pa.string()), pa.array(kpis, pa.string()))
    rows = rows.filter(pc.is_valid(place)).combine_chunks()
    column = np.asarray(place.drop_null())
    moment = rows["timestamp"].cast(pa.int64()).fill_null(_NOWHERE).to_numpy()
    node = rows["node"].cast(pa.string()).combine_chunks().dictionary_encode()
    codes = np.asarray((node.chunk(0) if isinstance(node, pa.ChunkedArray) else node).indices.fill_null(_NOWHERE))
    _, first, group = np.unique(np.stack([moment, codes]), axis=1, return_index=True, return_inverse=True)
    values = np.full((len(first), len(kpis)), np.nan)
    values[group.ravel(), column] = rows[long.value].cast(pa.float64()).fill_null(float("nan")).to_numpy()
    strongest = _strongest(rows, group.ravel(), len(first))
    order = np.argsort(first, kind="stable")
    kept = rows.drop_columns([long.kpi, long.value]).take(pa.array(strongest[order]))
    for number, name in enumerate(kpis):
        if name not in kept.column_names:
            kept = kept.append_column(name, pa.array(values[order, number], from_pandas=True))
    return kept


def _strongest(rows: pa.Table, group: np.ndarray, groups: int) -> np.ndarray:
    """Return of each group the row that says most: anomalous before boundary before neither, then the first."""
    flags = [rows[name].to_numpy() for name in ("is_anomalous", "is_boundary") if name in rows.column_names]
    strength = sum((2 - number) * flag.astype(np.int64) for number, flag in enumerate(flags)) if flags else 0
    ordered = np.lexsort((np.arange(len(group)), -np.asarray(strength) * np.ones(len(group), np.int64), group))
    starts = np.searchsorted(group[ordered], np.arange(groups))
    return np.asarray(ordered[starts])
