"""What needs no method at all: the scores that any method has to beat before it says anything.

Of each task: *constant* (the answer that is most frequent in training), *chance* (expected, not drawn), *always*,
*never*, and *largest |z|* (how far a KPI is from its quiet median, in robust deviations of its node).
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from faultset.dataset import scoring
from faultset.dataset.root_cause import RootCause
from faultset.dataset.scoring import Detection, Ranking

if TYPE_CHECKING:
    from faultset.dataset.telemetry import Telemetry

FLOORS = ("constant", "chance", "always", "never", "largest |z|")
_MAD_TO_SD = 1.4826


@dataclass(frozen=True)
class Quiet:
    """What is usual: the median and the robust deviation of each KPI of each node, from rows that nothing concerns.

    Attributes:
        median: node x KPI.
        deviation: node x KPI; standard deviation where half of the values are one; 0 where all are.
    """

    median: pd.DataFrame
    deviation: pd.DataFrame

    @classmethod
    def of(cls, rows: pd.DataFrame, kpis: Sequence[str]) -> Quiet:
        """Measure it on the rows of phase ``normal`` that are no boundary rows."""
        quiet = rows[(rows["phase"] == "normal") & ~rows["is_boundary"] & ~rows["is_anomalous"]]
        values = quiet[list(kpis)].astype("float64")
        grouped = values.groupby(quiet["node"])
        median = grouped.median()
        distance = (values - median.reindex(quiet["node"]).set_axis(values.index)).abs()
        deviation = distance.groupby(quiet["node"]).median() * _MAD_TO_SD
        return cls(median, deviation.where(deviation > 0, grouped.std(ddof=0)))

    @classmethod
    def together(cls, parts: Iterable[Quiet]) -> Quiet:
        """Return what is usual of several nodes, each measured on its own."""
        known = [part for part in parts if len(part.median)]
        if not known:
            return cls(pd.DataFrame(), pd.DataFrame())
        return cls(pd.concat([part.median for part in known]), pd.concat([part.deviation for part in known]))

    def largest_z(self, rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return (n,) the largest |z| over the KPIs of each row; NaN where nothing is known of its node."""
        kpis = list(self.median.columns)
        node = rows["node"]
        distance = np.abs(rows[kpis].to_numpy(dtype=float) - self.median.reindex(node).to_numpy(dtype=float))
        scale = self.deviation.reindex(node).to_numpy(dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(distance == 0, 0.0, distance / scale)
        known = ~np.isnan(z)
        return np.where(known.any(axis=1), np.where(known, z, -np.inf).max(axis=1, initial=-np.inf), np.nan)


def of_anomalies(train: pd.DataFrame, test: pd.DataFrame, kpis: Sequence[str]) -> pd.DataFrame:
    """Return the floors of telling anomalous rows of metrics from others; rows that cannot be decided do not count.

    Args:
        train: rows of metrics with labels: what is usual, how frequent anomalies are, and the threshold come from here.
        test: rows that are judged.
        kpis: numeric columns of both.

    Returns:
        A row a floor: said, precision, recall, f1, auroc, average_precision, rows, anomalous.
    """
    return of_many_anomalies([(train, test)], kpis)


def of_many_anomalies(parts: Iterable[tuple[pd.DataFrame, pd.DataFrame]], kpis: Sequence[str]) -> pd.DataFrame:
    """Return what ``of_anomalies`` does; parts are training and test rows of nodes of their own, one in memory."""
    scored = [_scored(train, test, kpis) for train, test in parts]
    before, labels = (np.concatenate([np.zeros(0, bool), *(part[at] for part in scored)]) for at in (0, 2))
    learnt, judged = (np.concatenate([np.zeros(0), *(part[at] for part in scored)]) for at in (1, 3))
    share = float(before.mean()) if len(before) else 0.0
    threshold = scoring.best_threshold(before, learnt)
    same = np.zeros(len(labels))
    found = {
        "constant": scoring.detection(labels, same, threshold=0.0 if share > 0.5 else math.inf),
        "chance": _chance(labels, share),
        "always": scoring.detection(labels, same, threshold=0.0),
        "never": scoring.detection(labels, same, threshold=math.inf),
        "largest |z|": scoring.detection(labels, judged, threshold),
    }
    table = pd.DataFrame([dataclasses.asdict(found[name]) for name in FLOORS], index=pd.Index(FLOORS, name="floor"))
    return table.assign(rows=len(labels), anomalous=int(labels.sum()))


def rows_of(metrics: Telemetry, node: str) -> pd.DataFrame:
    """Return the rows of a node with what floors need of them: node, KPIs, and labels that are no lists."""
    names = ["node", *metrics.values, "is_anomalous", "phase", "is_boundary"]
    frame: pd.DataFrame = metrics.arrow(nodes=node, columns=metrics.values).select(names).to_pandas()
    return frame


def _scored(train: pd.DataFrame, test: pd.DataFrame, kpis: Sequence[str]) -> tuple[npt.NDArray[Any], ...]:
    """Return labels and largest |z| of the training rows, then of the test rows that can be decided."""
    learnt, judged = train[~train["is_boundary"]], test[~test["is_boundary"]]
    quiet = Quiet.of(train, kpis)
    return tuple(
        found
        for rows in (learnt, judged)
        for found in (rows["is_anomalous"].to_numpy(dtype=bool), _finite(quiet.largest_z(rows)))
    )


def _finite(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.isnan(scores), -1.0, scores)  # below every |z|: a row of which nothing is known is not called


def _chance(labels: npt.NDArray[np.bool_], share: float) -> Detection:
    """Return what is expected of calling rows anomalous as often as they are in training, at random."""
    rows, anomalous = len(labels), float(labels.sum())
    return scoring.counted(
        hits=share * anomalous,
        said=share * rows,
        anomalous=anomalous,
        rows=rows,
        auroc=0.5 if 0 < anomalous < rows else math.nan,
        average_precision=anomalous / rows if anomalous else math.nan,
    )


def of_root_causes(
    train: Sequence[RootCause],
    test: Sequence[RootCause],
    nodes: Sequence[str],
    moved: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Return the floors of naming the node that a fault acted on; injections whose truth is not known do not count.

    Args:
        train: truth that frequencies come from.
        test: truth that is judged.
        nodes: all that can be named.
        moved: injection id -> node -> its largest |z| while the injection was felt.

    Returns:
        A row a floor: top1, top3, mrr (means over the injections), injections.
    """
    judged = [truth for truth in test if truth.is_known]
    frequent = Counter(node for truth in train if truth.is_known for node in truth.nodes)
    rankings: dict[str, Callable[[RootCause], list[list[str]]]] = {
        "constant": lambda _: _tied({node: float(frequent[node]) for node in nodes}),
        "chance": lambda _: [list(nodes)],
        "always": lambda _: [list(nodes)],
        "never": lambda _: [],
        "largest |z|": lambda truth: _tied(moved.get(truth.injection_id, {})),
    }
    rows = [_mean([scoring.ranking(truth.nodes, rankings[name](truth)) for truth in judged]) for name in FLOORS]
    return pd.DataFrame(rows, index=pd.Index(FLOORS, name="floor")).assign(injections=len(judged))


def _tied(scores: Mapping[str, float]) -> list[list[str]]:
    """Return names by descending score, those of one score together."""
    groups: dict[float, list[str]] = {}
    for name, score in scores.items():
        groups.setdefault(score, []).append(name)
    return [groups[score] for score in sorted(groups, reverse=True)]


def _mean(found: Sequence[Ranking]) -> dict[str, float]:
    names = [field.name for field in dataclasses.fields(Ranking)]
    return {
        name: float(np.mean([getattr(ranking, name) for ranking in found])) if found else math.nan for name in names
    }
