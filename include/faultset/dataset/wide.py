"""Telemetry laid out as time x (node, KPI), and several sources on one clock. Nothing here is filled in or smoothed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from faultset.dataset import spans
from faultset.dataset.spans import Length
from faultset.dataset.telemetry import Telemetry
from faultset.errors import InputError, nearest
from faultset.tables import IterationRow

LABELS = ("is_anomalous", "phase", "is_boundary")
_BY_STRENGTH = ("normal", "recovery", "injection")
_FLAGS = ("is_anomalous", "is_boundary")


def interval(every: Length | None) -> pd.Timedelta | None:
    """Return the width of a bin.

    Raises:
        InputError: it is no length of time, or none at all.
    """
    if every is None:
        return None
    found = pd.Timedelta(spans.length(every))
    if found <= pd.Timedelta(0):
        raise InputError("every", f'"{every}" is no width of a bin', "write it like 1s or 1min")
    return found


def kpis_of(telemetry: Telemetry, columns: Sequence[str] | str | None) -> list[str]:
    """Return the columns to lay out: those wanted, or all that are numbers.

    Raises:
        InputError: one is there but holds no numbers, or none is there.
    """
    known = telemetry.values
    wanted = known if columns is None else [columns] if isinstance(columns, str) else columns
    for name in wanted:
        if name not in known:
            problem = "is no number" if name in telemetry.schema.names else "is not there"
            raise InputError(
                telemetry.kind, f'the column "{name}" {problem}{nearest(str(name), known)}', "lay out numbers"
            )
    return list(dict.fromkeys(wanted))


def nodes_of(telemetry: Telemetry, nodes: Sequence[str] | str | None) -> list[str]:
    """Return the nodes to lay out, as rows spell them: those wanted, or all."""
    return list(telemetry.nodes) if nodes is None else telemetry.spelled(nodes)


def wide(rows: pd.DataFrame, nodes: Sequence[str], kpis: Sequence[str], every: pd.Timedelta | None) -> pd.DataFrame:
    """Lay out rows as time x (node, KPI), labels beside.

    Args:
        rows: timestamp, node, the KPIs and the labels; rows without time or node have no place and are left out.
        nodes: whose columns there are, whether or not they have rows here.
        kpis: likewise.
        every: rows of one node in a bin of this width are one: the mean of a KPI, the strongest label; None: only rows
            of the same moment are.

    Returns:
        Ascending times (the bins' starts); columns (node, KPI), then (node, is_anomalous), (node, phase) and
        (node, is_boundary). What a node has no row for is missing, its label too.
    """
    rows = rows[rows["timestamp"].notna() & rows["node"].notna()]
    at = rows["timestamp"] if every is None else rows["timestamp"].dt.floor(every)
    keys = [at.rename("timestamp"), rows["node"]]
    values = _beside(rows[list(kpis)].astype("float64").groupby(keys).mean(), "node").reindex(
        columns=pd.MultiIndex.from_product([nodes, kpis])
    )
    found = pd.concat([values, _labels(rows, keys, nodes)], axis=1).sort_index()
    found.columns = found.columns.set_names(["node", "kpi"])
    return found


def _beside(found: Any, level: str) -> pd.DataFrame:
    """Return what was grouped by time and ``level`` with columns (level, name)."""
    frame: pd.DataFrame = found.unstack(level).swaplevel(axis=1)
    return frame


def _labels(rows: pd.DataFrame, keys: Sequence[pd.Series], nodes: Sequence[str]) -> pd.DataFrame:
    places = {phase: place for place, phase in enumerate(_BY_STRENGTH)}
    coded = pd.DataFrame({name: rows[name].astype("float64") for name in _FLAGS})
    coded["phase"] = rows["phase"].map(places).astype("float64")
    strongest = _beside(coded.groupby(list(keys)).max(), "node").reindex(
        columns=pd.MultiIndex.from_product([nodes, LABELS])
    )
    names = dict(enumerate(_BY_STRENGTH))
    typed = {
        column: strongest[column].map(names).astype("str")
        if column[1] == "phase"
        else strongest[column].astype("boolean")
        for column in strongest.columns
    }
    return pd.DataFrame(typed, index=strongest.index, columns=strongest.columns)


def counts(rows: pd.DataFrame, nodes: Sequence[str], every: pd.Timedelta, by: str | None, unit: str) -> pd.DataFrame:
    """Count rows a bin and node: 0 where the source was recording and wrote none, missing before and after it.

    Args:
        rows: timestamp, node, and the column ``by``.
        nodes: whose columns there are.
        every: width of a bin.
        by: also count the rows of each value of this column.
        unit: what is counted: the column's name.

    Returns:
        Ascending times; columns (node, unit) and (node, ``unit.value``).
    """
    rows = rows[rows["timestamp"].notna() & rows["node"].notna()]
    at = rows["timestamp"].dt.floor(every)
    found = {(node, unit): at[rows["node"] == node].value_counts() for node in nodes}
    if by is not None:
        for node, value in rows[["node", by]].drop_duplicates().dropna().itertuples(index=False):
            of = (rows["node"] == node) & (rows[by] == value)
            found[node, f"{unit}.{value}"] = at[of].value_counts()
    grid = _grid(at, every)
    columns = pd.MultiIndex.from_tuples(sorted(found), names=["node", "kpi"])
    return pd.DataFrame(
        {column: found[column].reindex(grid, fill_value=0).astype("float64") for column in columns},
        index=grid,
        columns=columns,
    )


def _grid(at: pd.Series, every: pd.Timedelta) -> pd.DatetimeIndex:
    if at.empty:
        return pd.DatetimeIndex([], tz="UTC", name="timestamp").as_unit("us")
    return pd.date_range(at.min(), at.max(), freq=every, name="timestamp").as_unit("us")


def workload(rows: Sequence[IterationRow], every: pd.Timedelta) -> pd.DataFrame:
    """Return what the workloads did a bin, by the start of each iteration.

    Returns:
        Ascending times; columns (workload id, iterations | failed | duration_s): numbers, and the mean duration.
    """
    known = [row for row in rows if row.started_at is not None]
    frame = pd.DataFrame(
        {
            "timestamp": pd.to_datetime([str(row.started_at) for row in known], utc=True).as_unit("us").floor(every),
            "workload": [row.workload_id for row in known],
            "failed": [float(row.failed) for row in known],
            "duration_s": pd.Series([row.duration_s for row in known], dtype="float64"),
        }
    )
    grouped = frame.groupby(["timestamp", "workload"])
    found = pd.DataFrame(
        {
            "iterations": grouped.size().astype("float64"),
            "failed": grouped["failed"].sum(),
            "duration_s": grouped["duration_s"].mean(),
        }
    )
    laid_out = _beside(found, "workload").sort_index(axis=1).reindex(_grid(frame["timestamp"], every))
    for column in laid_out.columns:
        if column[1] != "duration_s":
            laid_out[column] = laid_out[column].fillna(0.0)
    return laid_out


def aligned(sources: Mapping[str, pd.DataFrame], every: pd.Timedelta) -> pd.DataFrame:
    """Lay several sources side by side on one regular clock; what a source does not say is missing.

    Args:
        sources: name -> time x (node, KPI), on bins of this width.
        every: width of a bin.

    Returns:
        Columns (source, node, KPI).
    """
    filled = {name: frame for name, frame in sources.items() if len(frame)}
    joined = pd.concat(filled, axis=1) if filled else pd.DataFrame(index=pd.DatetimeIndex([], tz="UTC"))
    if len(joined):
        joined = joined.reindex(pd.date_range(joined.index.min(), joined.index.max(), freq=every).as_unit("us"))
        joined.columns = joined.columns.set_names(["source", "node", "kpi"])
    joined.index.name = "timestamp"
    return joined
