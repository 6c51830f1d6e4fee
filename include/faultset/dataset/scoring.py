"""Scores of detectors and of rankings, as plain numbers; the floors are measured by the same functions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Detection:
    """How well answers agree with labels; NaN where a measure says nothing.

    Attributes:
        said: share of rows called anomalous.
        precision: share of those that are.
        recall: share of anomalous rows that were called so.
        f1: their harmonic mean.
        auroc: probability that an anomalous row scores above a normal one.
        average_precision: area under precision over recall.
    """

    said: float
    precision: float
    recall: float
    f1: float
    auroc: float
    average_precision: float


def detection(truth: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> Detection:
    """Score a detector that calls a row anomalous where its score reaches the threshold.

    Args:
        truth: (n,) whether each row is anomalous.
        scores: (n,) higher is more anomalous; NaN counts as the lowest.
        threshold: in the scores' unit.
    """
    labels = np.asarray(truth, dtype=bool)
    values = np.asarray(scores, dtype=float)
    values = np.where(np.isnan(values), -np.inf, values)
    said = values >= threshold
    return counted(
        hits=float((said & labels).sum()),
        said=float(said.sum()),
        anomalous=float(labels.sum()),
        rows=len(labels),
        auroc=auroc(labels, values),
        average_precision=average_precision(labels, values),
    )


def counted(
    *, hits: float, said: float, anomalous: float, rows: int, auroc: float, average_precision: float
) -> Detection:
    """Return the scores that follow from counts, which may be expected ones."""
    precision = hits / said if said else math.nan
    recall = hits / anomalous if anomalous else math.nan
    f1 = 2 * hits / (said + anomalous) if said + anomalous else math.nan
    return Detection(said / rows if rows else math.nan, precision, recall, f1, auroc, average_precision)


def auroc(labels: Flags, scores: Numbers) -> float:
    """Return the area under the ROC curve, ties counted half; NaN where only one kind of row is there."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return math.nan
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(labels: Flags, scores: Numbers) -> float:
    """Return the sum of precision times gain of recall over all thresholds; NaN without an anomalous row."""
    if not labels.any():
        return math.nan
    hits, said, _ = _by_threshold(labels, scores)
    gains = np.diff(hits, prepend=0.0) / labels.sum()
    return float((gains * hits / said).sum())


def best_threshold(labels: Flags, scores: Numbers) -> float:
    """Return the threshold of the highest F1; infinity (nothing is anomalous) without an anomalous row."""
    if not labels.any():
        return math.inf
    hits, said, thresholds = _by_threshold(labels, scores)
    return float(thresholds[np.argmax(2 * hits / (said + labels.sum()))])


def _by_threshold(labels: Flags, scores: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return hits and rows called anomalous at each distinct threshold, descending."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(labels[order], dtype=float)[last]
    said = np.arange(1.0, len(scores) + 1)[last]
    return hits, said, ordered[last]


@dataclass(frozen=True, slots=True)
class Ranking:
    """How high the truth stands in a ranking.

    Attributes:
        top1: whether the first is right, 0 to 1 (an expected value where ties are broken by chance).
        top3: whether one of the first three is.
        mrr: one over the place of the first that is right.
    """

    top1: float
    top3: float
    mrr: float


NOTHING = Ranking(0.0, 0.0, 0.0)


def ranking(truth: Collection[str], ranked: Sequence[Collection[str]]) -> Ranking:
    """Score a ranking of nodes; those that are tied are in chance order, and the expected score is returned.

    Args:
        truth: names to be found, at least one.
        ranked: groups of tied names, best first.
    """
    top = {1: 0.0, 3: 0.0}
    reciprocal, before, unseen = 0.0, 0, 1.0  # unseen: probability that no right one came yet; it is 1 or 0
    for tied in ranked:
        right, number = len({*truth} & {*tied}), len(tied)
        for place in range(1, number + 1):
            first = _first_at(place, right, number) * unseen
            reciprocal += first / (before + place)
            for limit in top:
                top[limit] += first * (before + place <= limit)
        unseen = 0.0 if right else unseen
        before += number
    return Ranking(top[1], top[3], reciprocal)


def _first_at(place: int, right: int, number: int) -> float:
    """Return the probability that the first of ``right`` among ``number`` in chance order stands at ``place``."""
    if not right or place > number - right + 1:
        return 0.0
    return math.comb(number - place, right - 1) / math.comb(number, right)
