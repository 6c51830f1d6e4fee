"""The scores that need no method, of somebody else's set: what its users have to beat and are rarely told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faultset.audit.from_rcaeval import services
from faultset.audit.records import Floats, ForeignCase
from faultset.dataset import floors
from faultset.dataset.root_cause import RootCause


@dataclass(frozen=True, slots=True)
class Blamed:
    """Of one case: the service to blame, and how far each service moves after the injection (largest |z|)."""

    case: str
    service: str
    moved: Mapping[str, float]


def blamed(case: ForeignCase) -> Blamed | None:
    """Return what the floors of naming the service need of a case; None where it names no service of its own."""
    if case.root_cause is None or not len(case.onsets):
        return None
    after = case.time >= case.onsets[0]
    before = case.values[~after]
    if len(before) < 3 or not after.any():
        return None
    with np.errstate(all="ignore"):
        quiet = floors.Quiet.of(_rows(before, np.zeros(len(before), dtype=bool)), _names(before))
        z = np.abs(case.values[after] - quiet.median.to_numpy()) / quiet.deviation.to_numpy()
    largest = np.max(np.where(np.isfinite(z), z, 0.0), axis=0, initial=0.0)
    moved: dict[str, float] = {}
    for service, place in services(case):
        moved[service] = max(moved.get(service, 0.0), float(largest[place]))
    return Blamed(case.name, case.root_cause, moved) if case.root_cause in moved else None


def of_services(found: Sequence[Blamed]) -> dict[str, dict[str, float]]:
    """Return floor -> AC@1, AC@3, mrr, cases of naming the service to blame."""
    causes = [RootCause(one.case, (one.service,), (), (), (), (), is_known=True, why="") for one in found]
    names = sorted({name for one in found for name in one.moved})
    table = floors.of_root_causes(causes, causes, names, {one.case: one.moved for one in found})
    return _plain(table.rename(columns={"top1": "AC@1", "top3": "AC@3", "injections": "cases"}))


def of_rows(case: ForeignCase, train: int | None) -> pd.DataFrame:
    """Return the floors of telling labeled rows from others in one series; the rows before the first label train."""
    first = int(case.onsets[0]) if len(case.onsets) else len(case.time)
    split = min(train, first) if train else first
    labeled = case.labeled
    kpis = _names(case.values)
    return floors.of_anomalies(_rows(case.values[:split], labeled[:split]), _rows(case.values, labeled), kpis)


def mean(tables: Sequence[pd.DataFrame]) -> dict[str, dict[str, float]]:
    """Return floor -> measure -> its mean over the series."""
    if not tables:
        return {}
    return _plain(pd.concat(tables).groupby(level=0, sort=False).mean().assign(series=len(tables)))


def _rows(values: Floats, labeled: object) -> pd.DataFrame:
    found = pd.DataFrame(values, columns=_names(values))
    known = {"node": "", "phase": "normal", "is_boundary": False, "is_anomalous": labeled}
    return pd.concat([found, pd.DataFrame(known, index=found.index)], axis=1)


def _names(values: Floats) -> list[str]:
    return [str(place) for place in range(values.shape[1])]


def _plain(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {str(name): {str(key): float(value) for key, value in row.items()} for name, row in table.iterrows()}
