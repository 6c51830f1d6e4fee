"""How much likelier a move is in one test than in others of its KPI: by when it begins, and by what the same fault did.

Neither says anything of a chance result: that begins anywhere in the time that is looked at, and one node's noise knows
nothing of another's. So both may weigh tests beforehand (Ignatiadis et al., 2016), and both are learned from this
experiment: where a fault's moves begin with it, one that begins half a minute later has to be clearer; and where a KPI
moved on two of the nodes that an injection acted on, it may have on the third.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultset.impacts.windows import Floats, Rows

_LATER_S = (2.0, 5.0, 8.0, 12.0, 16.0, 21.0)  # where the classes of onsets begin, seconds; the first begins at 0
_BY_ONSET, _BY_FELLOWS = 3.0, 0.3  # moves that each class of onsets, each injection is taken to have shown beforehand
_LEAST, _MOST = 0.5, 3.0  # of a factor
_LEAST_BY_FELLOWS = 0.8  # a fault may well move one node alone
_STEEP = 3.0  # with which power of the factors a weight rises


def likelier(odds: Floats, favour: Floats, onset_s: Floats, fellows: Rows) -> Floats:
    """Return a factor of the weight of each test, around 1.

    What a test itself shows is left out of its own factor, so that no p value vouches for itself.

    Args:
        odds: that a test of its KPI is a move, each above 0.
        favour: how much likelier its p value is of a move than of chance.
        onset_s: seconds after the fault at which its most striking move begins; NaN where that is not known, so that it
            says nothing.
        fellows: number of what it belongs to: one KPI and one injection on all nodes.
    """
    classes = np.where(np.isnan(onset_s), len(_LATER_S) + 1, np.digitize(onset_s, _LATER_S))
    seen, expected = (one / (1 + one) for one in (favour * odds, odds))
    by_onset, by_fellows = (
        (_others(seen, label) + beforehand) / (_others(expected, label) + beforehand)
        for label, beforehand in ((classes, _BY_ONSET), (fellows, _BY_FELLOWS))
    )
    by_onset = np.where(np.isnan(onset_s), 1.0, by_onset)
    by_fellows = np.maximum(by_fellows, _LEAST_BY_FELLOWS)
    return np.asarray(np.clip(by_onset * by_fellows, _LEAST, _MOST) ** _STEEP)


def _others(number: Floats, label: Rows) -> Floats:
    return np.asarray(np.bincount(label, number)[label] - number)


def fellows_of(injections: Sequence[str], kpi: Rows) -> Rows:
    """Return a number for each pair of an injection and a KPI's number, from 0 on."""
    numbers = np.unique(injections, return_inverse=True)[1] * (int(kpi.max(initial=0)) + 1) + kpi
    return np.asarray(np.unique(numbers, return_inverse=True)[1], dtype=np.intp)
