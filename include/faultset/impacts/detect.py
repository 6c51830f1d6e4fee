"""Impacts: which KPI of which node moved with which injection, from when to when, which way, how much, how sure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from faultset.fault_span import places_of
from faultset.impacts.decide import decide
from faultset.impacts.edges import QUESTIONS, Answers
from faultset.impacts.found import Extent, Found, Tested
from faultset.impacts.null import Question, QuietSeries
from faultset.impacts.overlap import answer_all
from faultset.impacts.plants import NO_P, SCAN_SHARE, Smallest
from faultset.impacts.scan import Scan
from faultset.impacts.scanned import Move, Scanned
from faultset.impacts.waves import waves
from faultset.impacts.windows import SECOND, Flags, Floats, Microseconds, Parameters, Series, Windows
from faultset.moments import epoch_us, from_epoch
from faultset.tables import ImpactRow, InjectionRow, TargetRow

_SMOOTH_ROWS = 5
_MOST_ROUNDS = 3  # the second finds what the first one's moves hid; more change little
_KNOWS_ENOUGH = 15  # independent quiet places from which on a scan of a series' own is worth that share
# Where no fault is known to have acted, the scan has this part of its share: noise is full of moves of any onset and
# length, with two to eight times as many p values of 0.005 as chance allows, and they would tell of little else there.
_ELSEWHERE = 0.1
_PERHAPS_P = 0.05  # p value up to which time may be away from its level; less strict than what makes an impact
_NO_ROOM = "there are too few rows beside its edges, or edges of other injections are too near"


@dataclass(frozen=True, slots=True)
class Detection:
    """All impacts that were found, by injection, node and KPI, and all that was tested, in the same order."""

    impacts: tuple[ImpactRow, ...]
    tested: tuple[Tested, ...]


def detect(
    series: Mapping[tuple[str, str], Series],
    injections: Sequence[InjectionRow],
    parameters: Parameters = Parameters(),  # noqa: B008 (frozen)
    targets: Mapping[str, frozenset[str]] | None = None,
    others: Sequence[Found] = (),
) -> Detection:
    """Find what moved.

    Where several injections overlap, each is judged by its own edges.

    Args:
        series: (node, KPI) -> its values. No more than one KPI at a time is held beyond what is passed.
        injections: all injections of all runs on these nodes; those that are left out would pass as quiet time.
        parameters: the defaults need no tuning.
        targets: injection id -> nodes that it acted on (see ``target_nodes``); only decides whose a move is where
            injections overlap. None, or an injection without nodes: it may have acted on any.
        others: what was tested by other means, of log lines, spans and the load; false discoveries are controlled over
            all together.
    """
    if not injections:
        return Detection((), ())
    kpis = sorted({kpi for _, kpi in series})
    asked = [tests for kpi in kpis for tests in _ask_all(kpi, series, injections, parameters, targets or {})]
    found = decide([*(one for tests in asked for one in tests), *others], targets or {}, parameters)
    found = waves(found, injections, targets or {}, parameters)
    order = {one.injection_id: place for place, one in enumerate(injections)}
    found.sort(key=lambda one: (order[one.tested.injection_id], one.tested.node, one.tested.kpi))
    return Detection(
        impacts=_cut_at_the_next([one for one in found if one.tested.moved], injections),
        tested=tuple(one.tested for one in found),
    )


def target_nodes(targets: Sequence[TargetRow]) -> dict[str, frozenset[str]]:
    """Return injection id -> nodes that it acted on or may have acted on."""
    nodes: dict[str, set[str]] = {}
    for target in targets:
        if target.effective is not False:
            nodes.setdefault(target.injection_id, set()).update(places_of(target))
    return {injection_id: frozenset(some) for injection_id, some in nodes.items()}


def _ask_all(
    kpi: str,
    series: Mapping[tuple[str, str], Series],
    injections: Sequence[InjectionRow],
    parameters: Parameters,
    targets: Mapping[str, frozenset[str]],
) -> Iterator[list[Found]]:
    """Test one KPI of all nodes."""
    windows = {node: windows_at(node, injections, parameters, targets) for node, of in series if of == kpi}
    for node, judged in judged_by_node(kpi, series, windows, parameters).items():
        yield _ask(node, kpi, judged, injections)


def windows_at(
    node: str, injections: Sequence[InjectionRow], parameters: Parameters, targets: Mapping[str, frozenset[str]]
) -> Windows:
    """Return the windows of ``injections`` as ``node`` sees them."""
    nodes = [targets.get(one.injection_id) for one in injections]
    is_target = np.array([not some or node in some for some in nodes], dtype=bool)
    is_hit = np.array([bool(some) for some in nodes], dtype=bool) & is_target
    return replace(Windows.of(injections, parameters, is_target), hit=is_hit)


@dataclass(frozen=True, slots=True)
class Told:
    """What the test says of one injection on one series.

    Attributes:
        p_value: of this test alone.
        step: size of the move, signed.
        base: level before.
        scale: robust standard deviation of the quiet time before.
        power: as in ``Tested``.
        question: as in ``Tested``.
        extent: from when to when, where it perhaps moved.
        onset_s: as in ``Found``.
        scan_share: of the risk of a false answer, what the scan has; 0 where it could not be asked.
    """

    p_value: float
    step: float
    base: float
    scale: float
    power: float
    question: Question
    extent: Extent | None = None
    onset_s: float | None = None
    scan_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """What the test says of all injections on one series, in their order.

    Attributes:
        refusal: why there was no test of any; None where there was.
        told: None where there was no test of an injection.
        smallest: gives, while the series is at hand, what says the smallest move of 25 s that is found with 90 % power;
            None if nobody knows.
    """

    refusal: str | None
    told: tuple[Told | None, ...]
    smallest: Callable[[], Smallest | None] | None = None

    @property
    def back_us(self) -> Microseconds:
        """When the series was back after each injection that perhaps moved it; 0 after others and if it never was."""
        extents = [one.extent if one and one.p_value <= _PERHAPS_P else None for one in self.told]
        return np.array([one.end_us if one and one.is_back else 0 for one in extents], dtype=np.int64)


def judged_by_node(
    kpi: str, series: Mapping[tuple[str, str], Series], windows: Mapping[str, Windows], parameters: Parameters
) -> dict[str, Judged]:
    """Return node, in order -> what the test says there of a KPI."""
    of_kpi = {node: series[node, kpi] for node in sorted(windows)}
    judged, back = _by_edges_alone(of_kpi, windows, parameters)
    return _scanned(judged, of_kpi, windows, parameters, back)


def _by_edges_alone(
    series: Mapping[str, Series], windows: Mapping[str, Windows], parameters: Parameters
) -> tuple[dict[str, Judged], dict[str, Microseconds]]:
    """Return node -> what the edges say, and when the series was back after each window.

    The time in which a KPI is away from its level is not quiet, however long after the window; but only a test tells
    that it is. So where what perhaps is a move outlasts the guard, all is tested again without that time.
    """
    back = {node: np.zeros_like(of.start) for node, of in windows.items()}
    judged: dict[str, Judged] = {}
    quiet: dict[str, QuietSeries] = {}
    for _ in range(_MOST_ROUNDS):
        quiet = {
            node: quiet.get(node) or QuietSeries(one, windows[node], parameters, back[node])
            for node, one in series.items()
        }
        judged = _by_edges(quiet, windows)
        later = {node: np.maximum(back[node], _late(judged[node], windows[node], parameters)) for node in judged}
        quiet = {node: one for node, one in quiet.items() if np.array_equal(later[node], back[node])}
        if len(quiet) == len(later):
            break
        back = later
    return judged, back


def _by_edges(quiet: Mapping[str, QuietSeries], windows: Mapping[str, Windows]) -> dict[str, Judged]:
    """Return node -> what the edges say; the nodes, in order, help each other out."""
    able = [one for one in quiet.values() if one.can_help]
    for one in quiet.values():
        one.help_from([peer for peer in able if peer is not one])
    judged = {}
    for node, one in quiet.items():
        judged[node] = _judged(one, windows[node])
        one.forget_steps()
    for one in quiet.values():
        one.help_from(())  # they know each other, and would be held until a collection of such circles
    return judged


def _scanned(
    judged: Mapping[str, Judged],
    series: Mapping[str, Series],
    windows: Mapping[str, Windows],
    parameters: Parameters,
    back: Mapping[str, Microseconds],
) -> dict[str, Judged]:
    """Return what the edges and the scan say together; nodes with little quiet time are helped by the others."""
    scans = {
        node: Scan(series[node], windows[node], parameters, back[node])
        for node in judged
        if len(series[node].known.value)
    }
    for node, scan in scans.items():
        scan.asked.peers = tuple(other.asked for name, other in scans.items() if name != node)
    together = {node: _together(one, scans.get(node), parameters) for node, one in judged.items()}
    for scan in scans.values():
        scan.asked.peers = ()
    return together


def _together(judged: Judged, scan: Scan | None, parameters: Parameters) -> Judged:
    if scan is None:
        return judged
    scanned = scan.answers([_known(one, parameters) for one in judged.told])
    told = tuple(_clearer(one, scanned, place, scan, parameters) for place, one in enumerate(judged.told))
    return Judged(judged.refusal if not any(told) else None, told, scan.asked.smallest if any(told) else None)


def _known(told: Told | None, parameters: Parameters) -> Move | None:
    """Return the move that the edges of a window show beyond doubt."""
    if told is None or told.extent is None or told.p_value > parameters.largest_p:
        return None
    return Move(told.step, told.extent.start_us, told.extent.end_us)


def _clearer(told: Told | None, scanned: Scanned, place: int, scan: Scan, parameters: Parameters) -> Told | None:
    """Return what two answers say together, in the words of the clearer one."""
    p_value, size = float(scanned.p_value[place]), float(scanned.size[place])
    if not p_value >= 0:
        return told
    both, share, is_told = p_value, 1.0, False
    if told is not None:
        share = _scan_share(scan, place)
        both = p_of_both(told.p_value, p_value, share)
        knows_when = told.p_value <= parameters.largest_p_targets or p_value > parameters.largest_p_targets
        is_told = knows_when and told.p_value / (1 - share) <= p_value / share
    onset_s = float(scanned.start_us[place] - scan.windows.start[place]) / SECOND if size else None
    if told is not None and is_told:
        return replace(_timed(told, scanned, place, scan), p_value=both, onset_s=onset_s, scan_share=share)
    extent = Extent(int(scanned.start_us[place]), int(scanned.end_us[place]), is_back=True)
    return Told(
        p_value=both,
        step=size,
        base=0.0,
        scale=scan.scale_at(place),
        power=told.power if told else 0.0,
        question="filter" if scan.asked.way == "filter" else "pulse",
        extent=extent if both <= parameters.largest_p_targets and size else None,
        onset_s=onset_s,
        scan_share=share,
    )


def _scan_share(scan: Scan, place: int) -> float:
    is_clear = scan.independent_beside(place) >= _KNOWS_ENOUGH and not scan.is_entangled(place)
    share = SCAN_SHARE if is_clear else SCAN_SHARE / 2
    return share if scan.windows.hit[place] else share * _ELSEWHERE


def p_of_both(edges: float, scan: float, share: float) -> float:
    """Return the harmonic mean of two p values of one question (Wilson, 2019), the scan's with weight ``share``.

    It is no more than twice the smaller one, as if the risk were shared, and less where both see the move; whether
    they depend on each other does not matter.
    """
    return 1.0 / ((1 - share) / max(edges, NO_P) + share / max(scan, NO_P))


def _timed(told: Told, scanned: Scanned, place: int, scan: Scan) -> Told:
    """Return what the edges tell, with the times of the scan where both perhaps see the same move.

    The edges say little of a move that begins or ends between them. The scan may see a part of one that is longer than
    what it looks for.
    """
    is_same = scanned.size[place] * told.step > 0 and scanned.p_value[place] <= _PERHAPS_P
    if told.extent is None or not told.extent.is_back or not is_same:
        return told
    after = scan.grid.between(int(scanned.end_us[place]), told.extent.end_us)
    if len(after) and np.median(np.sign(told.step) * (after - told.base)) > abs(told.step) / 2:
        return told
    return replace(told, extent=Extent(int(scanned.start_us[place]), int(scanned.end_us[place]), is_back=True))


def _late(judged: Judged, windows: Windows, parameters: Parameters) -> Microseconds:
    """Return when the series was back after each injection, 0 where that is not later than the guard."""
    guarded = windows.end + windows.end_slack + round(parameters.guard_s * SECOND)
    return np.where(judged.back_us > guarded, judged.back_us, 0)


def _judged(quiet: QuietSeries, windows: Windows) -> Judged:
    refusal, count = quiet.refusal, len(windows.start)
    if refusal:
        return Judged(refusal, (None,) * count)
    answers = answer_all(quiet, windows)
    asked = np.isfinite(answers.p_value).tolist()
    return Judged(None, tuple(_told(quiet, windows, answers, at) if asked[at] else None for at in range(count)))


def _told(quiet: QuietSeries, windows: Windows, answers: Answers, place: int) -> Told:
    p_value, step = float(answers.p_value[place]), float(answers.step[place])
    told = Told(
        p_value=p_value,
        step=step,
        base=float(answers.base[place]),
        scale=float(answers.scale[place]),
        power=float(answers.power[place]),
        question=QUESTIONS[answers.question[place]],
    )
    if p_value > quiet.parameters.largest_p_targets or not step:
        return told
    return replace(told, extent=_extent(quiet, windows, place, told))


def _ask(node: str, kpi: str, judged: Judged, injections: Sequence[InjectionRow]) -> list[Found]:
    why_not, smallest = judged.refusal or _NO_ROOM, judged.smallest() if judged.smallest else None
    return [
        _found(one, node, kpi, told, smallest) if told else _not_tested(one, node, kpi, why_not)
        for one, told in zip(injections, judged.told, strict=True)
    ]


def _not_tested(injection: InjectionRow, node: str, kpi: str, why: str) -> Found:
    return Found(Tested(injection.injection_id, node, kpi, None, None, None, None, False, None, None, why))


def _found(injection: InjectionRow, node: str, kpi: str, told: Told, smallest: Smallest | None) -> Found:
    tested = Tested(
        injection_id=injection.injection_id,
        node=node,
        kpi=kpi,
        p_value=told.p_value,
        adjusted_p_value=None,
        score=abs(told.step) / told.scale,
        power=told.power,
        moved=told.step != 0,
        question=told.question,
        is_back=told.extent.is_back if told.extent else None,
        why_not=None,
    )
    hidden = partial(smallest, share=told.scan_share) if smallest and told.scan_share else None
    return Found(tested, told.extent, "up" if told.step > 0 else "down", smallest=hidden, onset_s=told.onset_s)


def _cut_at_the_next(found: Sequence[Found], injections: Sequence[InjectionRow]) -> tuple[ImpactRow, ...]:
    """Return the impacts; one that outlasts its command ends at the latest where the next one of its KPI starts."""
    ended_us = {one.injection_id: epoch_us(one.ended_at) for one in injections}
    starts: dict[tuple[str, str], list[int]] = {}
    for one in found:
        if one.extent:
            starts.setdefault((one.tested.node, one.tested.kpi), []).append(one.extent.start_us)
    rows = []
    for one in found:
        if one.extent is None:
            continue
        earliest = max(ended_us[one.tested.injection_id], one.extent.start_us + 1)
        following = [start for start in starts[one.tested.node, one.tested.kpi] if start >= earliest]
        rows.append(_row(one, one.extent.start_us, min([one.extent.end_us, *following])))
    return tuple(rows)


def _row(one: Found, start_us: int, end_us: int) -> ImpactRow:
    return ImpactRow(
        injection_id=one.tested.injection_id,
        node=one.tested.node,
        kpi=one.tested.kpi,
        started_at=from_epoch(start_us / SECOND),
        ended_at=from_epoch(end_us / SECOND),
        direction=one.direction,
        source="detected",
        method=one.method,
        score=one.tested.score,
        p_value=one.tested.adjusted_p_value,
        source_kind=one.tested.source_kind,
        wave=one.wave,
    )


# --- from when to when ----------------------------------------------------------------------------------------------


def _extent(quiet: QuietSeries, windows: Windows, place: int, told: Told) -> Extent:
    """Return from when to when a KPI is away from its level of before, row by row.

    It starts at the first row of the window, or soon after, that has gone more than half of the way. It ends at the
    first row, not before the window's end if the KPI was away until there, that is back in the normal band.
    """
    parameters = quiet.parameters
    window_start, window_end = int(windows.start[place]), int(windows.end[place])
    slack = int(windows.end_slack[place])
    first = int(np.searchsorted(quiet.time, window_start - quiet.resolution, side="right"))
    last = int(np.searchsorted(quiet.time, window_end + slack + round(parameters.recovery_s * SECOND)))
    time = quiet.time[first:last]
    away = np.sign(told.step) * (quiet.value[first:last] - told.base)
    size = abs(told.step)
    start = _first(_smooth(away, 3) > size / 2, 0)
    start = 0 if start is None or time[start] > _latest_start(windows, place, parameters) else start
    until = start + 1
    if told.question in {"edges", "end"}:
        until = max(until, int(np.searchsorted(time, window_end - quiet.resolution, side="right")))
        back = quiet.after(np.array([window_end + slack]), max(parameters.stretches)).median[0]
        away = away if np.isnan(back) else np.sign(told.step) * (quiet.value[first:last] - back)
    band = max(min(told.scale, size / 2), size / 4)
    end = _first(_smooth(away, _SMOOTH_ROWS) <= band, until)
    if end is None:
        return Extent(int(time[start]), int(time[-1]) + 1, is_back=False)
    return Extent(int(time[start]), max(int(time[end]), int(time[start]) + 1), is_back=True)


def _latest_start(windows: Windows, place: int, parameters: Parameters) -> int:
    delay = round((max(parameters.delays_s) + parameters.row_resolution_s) * SECOND)
    return int(windows.start[place] + windows.start_slack[place]) + delay


def _first(flags: Flags, since: int) -> int | None:
    where = np.flatnonzero(flags[since:])
    return int(where[0]) + since if len(where) else None


def _smooth(values: Floats, rows: int) -> Floats:
    """Return running medians of an odd number of ``rows``; they leave a step where it is."""
    padded = np.pad(values, rows // 2, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, rows), axis=1))
