"""How often the test for impacts is wrong on this very data: the same test where nothing was injected."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultset.impacts.detect import judged_by_node, windows_at
from faultset.impacts.windows import SECOND, Parameters, Series, Windows
from faultset.moments import from_epoch
from faultset.tables import InjectionRow

_MOST_TRIALS = 24  # a node
_LENGTHS = 2  # of the injections a node; others on other nodes
_SHARE = 0.25  # of a node's time that trials and the guard after them may take; the rest is what they are compared with
_DRAWS = 50  # places tried for each trial


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What the test found where there was nothing to find.

    Attributes:
        kpi: column of the metrics, on all nodes.
        trials: windows at quiet places that could be tested.
        false_positives: those with a p value that an impact could have been accepted with (``largest_p``).
        rate: share of them, 0 to 1; None where there was no trial.
    """

    kpi: str
    trials: int
    false_positives: int
    rate: float | None


def calibrate(
    series: Mapping[tuple[str, str], Series],
    injections: Sequence[InjectionRow],
    parameters: Parameters = Parameters(),  # noqa: B008 (frozen)
    targets: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Calibrated, ...]:
    """Test windows as long as the injections' own at random quiet places, well away from these; one row a KPI.

    The trials and the guard after each are taken out of the quiet time that they are compared with. All of a node are
    tested at once, so that this costs a fraction of the detection.

    Args:
        series: (node, KPI) -> its values, as for ``impacts.detect``.
        injections: all of them.
        parameters: those of the detection; its ``seed`` places the trials.
        targets: as for the detection.
    """
    if not injections:
        return ()
    pretended = {node: _pretended(node, series, injections, parameters) for node in {node for node, _ in series}}
    windows = {
        node: _as_hit(windows_at(node, [*injections, *some], parameters, targets or {}), len(some))
        for node, some in pretended.items()
    }
    return tuple(
        _calibrated(kpi, series, windows, len(injections), parameters) for kpi in sorted({kpi for _, kpi in series})
    )


def _calibrated(
    kpi: str,
    series: Mapping[tuple[str, str], Series],
    windows: Mapping[str, Windows],
    injections: int,
    parameters: Parameters,
) -> Calibrated:
    here = {node: some for node, some in windows.items() if (node, kpi) in series}
    judged = judged_by_node(kpi, series, here, parameters)
    p_values = [told.p_value for one in judged.values() for told in one.told[injections:] if told]
    tested, false = len(p_values), sum(p_value <= parameters.largest_p for p_value in p_values)
    return Calibrated(kpi, tested, false, false / tested if tested else None)


def _as_hit(windows: Windows, pretended: int) -> Windows:
    """Return windows whose last are asked as where a fault acted: there chance gives small p values most often."""
    hit = windows.hit.copy()
    hit[len(hit) - pretended :] = True
    return replace(windows, hit=hit)


# --- where ----------------------------------------------------------------------------------------------------------


def _pretended(
    node: str,
    series: Mapping[tuple[str, str], Series],
    injections: Sequence[InjectionRow],
    parameters: Parameters,
) -> list[InjectionRow]:
    """Return injections that never were, at quiet places of a node."""
    random = np.random.default_rng([parameters.seed, zlib.crc32(node.encode())])
    time = np.unique(np.concatenate([one.known.time_us for (name, _), one in series.items() if name == node]))
    if not len(time):
        return []
    models = [injections[place] for place in random.permutation(len(injections))[:_LENGTHS].tolist()]
    windows = Windows.of(injections, parameters)
    guard = round(parameters.guard_s * SECOND)
    longest = max((one.ended_at - one.started_at).total_seconds() for one in models)
    wanted = int(_SHARE * (time[-1] - time[0]) / (longest * SECOND + guard))
    starts, ends = windows.start - guard, windows.lasting + guard
    found: list[InjectionRow] = []
    for draw in range(_DRAWS * wanted):
        if len(found) == min(wanted, _MOST_TRIALS):
            break
        model = models[draw % len(models)]
        start = int(random.choice(time)) + int(random.integers(SECOND))
        end = start + round((model.ended_at - model.started_at).total_seconds() * SECOND)
        # The recording goes on for a while on both sides, and nothing else is near; in a gap nothing could be tested.
        inside = time[0] + guard <= start and end + guard <= time[-1]
        if inside and not ((start < ends) & (starts < end)).any():
            found.append(_moved(model, start, end, len(found)))
            starts, ends = np.append(starts, start - guard), np.append(ends, end + guard)
    return found


def _moved(model: InjectionRow, start_us: int, end_us: int, number: int) -> InjectionRow:
    # A name with a space is none of an injection's own.
    return replace(
        model,
        injection_id=f"quiet {number}",
        started_at=from_epoch(start_us / SECOND),
        ended_at=from_epoch(end_us / SECOND),
        fault_ended_at=None,
        fault_open_until=None,
    )
