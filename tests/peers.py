"""Known ways to find what moved, on the same series as ours: what ``benchmarks/impact_peers.py`` compares with."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Literal

import numpy as np
import ruptures
from scipy.ndimage import median_filter
from scipy.stats import false_discovery_control, mannwhitneyu

from effects import EffectTrial, unit_before
from faultset.impacts.windows import Floats, Series
from faultset.simulator.plan import SECOND
from planted import Key

ALPHA = 0.02
PENALTIES = tuple(2.0**power for power in range(1, 11))  # in units of log(rows), the noise being of variance one
BIC = 2.0

_SIDE_US = 60 * SECOND  # before and after, for Mann-Whitney
_LEAST_ROWS = 4
_LATEST_ONSET_US = 20 * SECOND
_CUT_US = (300 * SECOND, 180 * SECOND)  # before and after a start, for PELT
_LENGTHS_S = (5, 6.5, 8, 10, 13, 17, 21, 25, 32, 40, 50, 60, 80, 100, 120)


def mann_whitney(trial: EffectTrial) -> dict[Key, float]:
    """Return the p value of each pair: a minute after the start of the command against a minute before."""
    found = {}
    for key, series, start in _asked(trial):
        edges = np.searchsorted(series.time_us, [start - _SIDE_US, start, start + _SIDE_US])
        before, after = np.split(series.value[edges[0] : edges[2]], [int(edges[1] - edges[0])])
        enough = min(len(before), len(after)) >= _LEAST_ROWS
        found[key] = float(mannwhitneyu(before, after).pvalue) if enough else 1.0
    return found


def discovered(p_values: Mapping[Key, float], alpha: float = ALPHA) -> set[Key]:
    """Return the pairs that Benjamini and Hochberg accept."""
    adjusted = false_discovery_control(np.array(list(p_values.values())))
    return {key for key, one in zip(p_values, adjusted.tolist(), strict=True) if one <= alpha}


def pelt(trial: EffectTrial) -> dict[Key, float]:
    """Return of each pair the largest of ``PENALTIES`` at which PELT sees a change of level at an onset; 0 for none."""
    return {key: _largest_penalty(series, start) for key, series, start in _asked(trial)}


def _largest_penalty(series: Series, start: int) -> float:
    rows = slice(*np.searchsorted(series.time_us, [start - _CUT_US[0], start + _CUT_US[1]]).tolist())
    time, value = series.time_us[rows], series.value[rows]
    noise = 1.4826 * float(np.median(np.abs(np.diff(value)))) / np.sqrt(2) if len(value) > _LEAST_ROWS else 0.0
    if not noise:
        return 0.0
    algorithm = ruptures.KernelCPD(kernel="linear", min_size=2).fit((value / noise)[:, None])
    for penalty in sorted(PENALTIES, reverse=True):
        changes = time[np.array(algorithm.predict(pen=penalty * np.log(len(value))))[:-1]]
        if ((changes >= start) & (changes <= start + _LATEST_ONSET_US)).any():
            return penalty
    return 0.0


def scan(trial: EffectTrial) -> dict[Key, float]:
    """Return of each pair the largest step up and back (or down and back) at any onset and length, in deviations."""
    medians = {place: _medians(series) for place, series in trial.series.items()}
    return {
        key: _best_pulse(series, medians[key[1:]], start) / unit
        for key, series, start in _asked(trial)
        if (unit := unit_before(series, start))
    }


def _medians(series: Series) -> tuple[int, Floats]:
    """Return over how many rows levels are compared, and the median of so many from each row on."""
    rows = 5 if np.median(np.diff(series.time_us)) > 2 * SECOND else 8
    centred = median_filter(series.value, size=rows, mode="nearest")
    return rows, np.concatenate([centred[rows // 2 :], np.full(rows // 2, centred[-1])])


def _best_pulse(series: Series, medians: tuple[int, Floats], start: int) -> float:
    rows, level = medians
    time = series.time_us
    onsets = np.arange(*np.searchsorted(time, [start - SECOND, start + _LATEST_ONSET_US]))
    onsets = onsets[(onsets >= rows) & (onsets < len(level))]
    up = level[onsets] - level[onsets - rows]
    best = 0.0
    for length in _LENGTHS_S:
        end = np.clip(np.searchsorted(time, time[onsets] + round(length * SECOND)), rows, len(level) - 1)
        back = level[end - rows] - level[end]
        smaller = np.where(up * back > 0, np.minimum(np.abs(up), np.abs(back)), 0.0)
        best = max(best, float(smaller.max(initial=0.0)))
    return best


def in_hindsight(evidence: Mapping[Key, float], truth: Collection[Key]) -> set[Key]:
    """Return the pairs above the threshold that gives the best F1: an upper bound that nobody can use."""
    order = sorted(evidence, key=evidence.__getitem__, reverse=True)
    value = np.array([evidence[key] for key in order])
    right = np.cumsum([key in truth for key in order])
    score = 2 * right / (np.arange(1, len(order) + 1) + len(truth))
    is_cut = np.concatenate((value[1:] < value[:-1], [True])) & (value > 0)
    return set(order[: int(np.argmax(np.where(is_cut, score, -1.0))) + 1])


def _asked(trial: EffectTrial) -> Iterator[tuple[Key, Series, int]]:
    for key in trial.pairs:
        yield key, trial.series[key[1:]], trial.windows[key[0]][0]


Peer = Literal[
    "Mann-Whitney, Benjamini-Hochberg", "PELT, BIC", "PELT, penalty in hindsight", "scan, threshold in hindsight"
]


def told(evidence: Mapping[str, Mapping[Key, float]], truth: Collection[Key]) -> dict[Peer, set[Key]]:
    """Return what each peer calls an impact, from what ``evidence_of`` gave."""
    return {
        "Mann-Whitney, Benjamini-Hochberg": discovered(evidence["mann_whitney"]),
        "PELT, BIC": {key for key, penalty in evidence["pelt"].items() if penalty >= BIC},
        "PELT, penalty in hindsight": in_hindsight(evidence["pelt"], truth),
        "scan, threshold in hindsight": in_hindsight(evidence["scan"], truth),
    }


def evidence_of(trial: EffectTrial) -> dict[str, dict[Key, float]]:
    """Return p values, penalties and sizes of all pairs."""
    return {"mann_whitney": mann_whitney(trial), "pelt": pelt(trial), "scan": scan(trial)}
