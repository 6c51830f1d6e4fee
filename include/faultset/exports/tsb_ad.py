"""TSB-AD's layout: one CSV a series, its KPIs and then ``Label``. A node is a series."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from faultset.errors import InputError
from faultset.exports.layout import Layout, Tell, changed, distinct, word

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

LABEL = "Label"
_MOST_MISSING = 0.05  # share of a node's rows; a KPI with more gaps would cost more rows than it is worth


@dataclass(frozen=True, slots=True)
class _Series:
    node: str
    frame: pd.DataFrame
    train: int
    first: int


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write a series a node that has anomalous rows, into the folder ``series``.

    The rows before the first that an injection touches, or that nobody can decide, are for training.
    """
    nodes = dataset.metrics.nodes if dataset.metrics.parts else ()
    (folder / "series").mkdir()
    left_out: list[str] = []
    index: list[dict[str, object]] = []
    for place, node in enumerate(nodes):
        tell(place, len(nodes), node)
        found = _series(dataset, node, left_out)
        if isinstance(found, str):
            left_out.append(f"{node}: {found}")
            continue
        number = len(index) + 1
        stem = f"{number:03}_{word(dataset.slug)}_id_{number}_Facility_tr_{found.train}_1st_{found.first}"
        found.frame.to_csv(folder / "series" / f"{stem}.csv", index=False)
        index.append({"file": f"{stem}.csv", "node": node, "rows": len(found.frame), "train": found.train})
    if not index:
        why = left_out[-1] if left_out else "it has no metrics"
        raise InputError(f"{dataset.slug} {dataset.version}", f"no series can be made of it: {why}", "see its card")
    pd.DataFrame(index).to_csv(folder / "series.csv", index=False)
    return left_out


def _series(dataset: Dataset, node: str, left_out: list[str]) -> _Series | str:
    """Return a node's series, or why there is none."""
    kpis = list(dataset.metrics.values)
    columns = ["timestamp", "is_anomalous", "is_boundary", "phase"]
    rows = dataset.metrics.arrow(nodes=node, columns=kpis).select([*kpis, *columns]).to_pandas()
    rows = rows.sort_values("timestamp", kind="stable")
    missing = rows[kpis].isna().mean()
    gaps = [kpi for kpi in kpis if missing[kpi] > _MOST_MISSING]
    if gaps:
        left_out.append(f"{node}: {', '.join(gaps)}, missing in more than {_MOST_MISSING:.0%} of its rows")
    kept = [kpi for kpi in kpis if kpi not in gaps]
    whole = rows[rows[kept].notna().all(axis=1)].reset_index(drop=True)
    if len(whole) < len(rows) and kept:
        left_out.append(f"{node}: {len(rows) - len(whole)} rows in which a KPI is missing; its reader drops them")
    labels = whole["is_anomalous"].astype("int64")
    if not kept or not labels.any():
        return "it has no KPI" if not kept else "it has no anomalous row, and a series needs one"
    touched = (whole["phase"] != "normal") | whole["is_boundary"] | whole["is_anomalous"]
    train = int(touched.to_numpy().argmax())
    if not train:
        return "an injection or a row that nobody can decide stands first, so that there is nothing to learn from"
    names = distinct([LABEL, *kept], lambda name: name)
    left_out += changed(f"{node}: KPIs", {name: names[name] for name in kept})
    frame = whole[kept].rename(columns=names).astype("float64").assign(**{LABEL: labels})
    return _Series(node, frame, train, int(labels.to_numpy().argmax()))


LAYOUT = Layout(
    "tsb-ad",
    "TSB-AD's loader of CSV files, from the folder series; series.csv says which node each is",
    write,
    (
        "times: rows are taken for evenly spaced, which they may not be",
        "logs, traces, injections, targets and impacts",
        "which rows nobody can decide: they are labeled as they most probably are",
    ),
    "python -m TSB_AD.main --data_direc DIR/series/ --filename NAME.csv --AD_Name IForest",
)
