"""Whether the clock of telemetry can be believed: shifts by whole or half hours.

Everything here looks and reports; nothing moves a time. ``docs/explanation/clocks.md`` says how a shift is decided.

Signs: a shift of +3600 s says that the source's times, read with its declared zone, lie one hour after the true ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from faultset.moments import Window, epoch_us
from faultset.truth.clock_evidence import BIN_S, SECOND, Counts, Floats, Microseconds, Recording, ShiftEvidence, near
from faultset.truth.clock_names import signed

Confidence = Literal["exact", "strong", "suggested", "none"]

_HOUR_S = 3600
_QUARTERS = (5.75, 8.75, 12.75)  # Nepal, Eucla, the Chatham Islands
CANDIDATES_S = tuple(
    sorted(
        {half * _HOUR_S // 2 for half in range(-28, 29)}
        | {int(sign * hours * _HOUR_S) for hours in _QUARTERS for sign in (-1, 1)}
    )
)
"""Shifts that are tried, seconds."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The answer on one source.

    Attributes:
        seconds: by how much the source's times lie after the true ones; None: no shift is suggested.
        confidence: ``exact``: trace times lie in their iterations then, and only then; ``strong``: KPI moves or errors
            stand out in the windows then, and nowhere else; ``suggested``: the source covers the run then, and only
            then; ``none``: no shift is suggested.
        why: the evidence, in words.
    """

    seconds: int | None
    confidence: Confidence
    why: str


def find_shift(
    evidence: ShiftEvidence, windows: Sequence[Window], run_span: Window, failures: Sequence[Window] = ()
) -> Shift:
    """Return by which of ``CANDIDATES_S`` the source is off against the report, if any.

    Args:
        evidence: of one file, or of all files of a kind.
        windows: the injections, from the report.
        run_span: from the first iteration's start to the last one's end, from the report.
        failures: failed iterations, from the report; errors in logs may lie there too.
    """
    exact = _by_placed_traces(evidence.placed_us)
    if exact is not None:
        return exact
    recordings = [trimmed for one in evidence.recordings if len((trimmed := near(one, run_span)).bins_us)]
    if not recordings:
        return Shift(None, "none", "no row lies within 15 hours of the run")
    covered = _coverage_by_candidate(recordings, run_span)
    scores = _scores(recordings, _sample(windows), _sample((*windows, *failures)))
    return _by_windows(covered, scores) or _by_coverage(covered) or Shift(None, "none", _why_none(covered, scores))


def find_shifts(
    parts: Mapping[str, tuple[ShiftEvidence, Shift]],
    windows: Sequence[Window],
    run_span: Window,
    failures: Sequence[Window] = (),
) -> dict[str, Shift]:
    """Return the answer on each source of one kind, those that tell too little by themselves decided together.

    A source that tells by itself keeps its answer: one collector of several may be wrong. The others follow all of
    them together, unless any source speaks against that.

    Args:
        parts: source -> its evidence, and its own answer (``find_shift``).
        windows: as for ``find_shift``.
        run_span: as for ``find_shift``.
        failures: as for ``find_shift``.
    """
    own = {name: shift for name, (_, shift) in parts.items()}
    told = {shift.seconds: name for name, shift in own.items() if shift.seconds is not None}
    open_ones = {name: parts[name][0] for name, shift in own.items() if shift.seconds is None}
    if not open_ones or len(own) == 1 or len(told) > 1:
        return own
    if len(open_ones) == len(own) - 1:
        # One that tells speaks only for those that it alone brings into the run.
        [(seconds, name)] = told.items()
        why = f"with it the file has rows in the run, without it none, as of {name}"
        joining = {one for one, evidence in open_ones.items() if _is_in_the_run_then(evidence, run_span, seconds)}
        return own | {one: Shift(seconds, "suggested", why) for one in joining}
    every = ShiftEvidence.together(evidence for evidence, _ in parts.values())
    together = find_shift(every, windows, run_span, failures)
    if together.seconds is None or set(told) - {together.seconds}:
        return own
    if any(_speaks_against(evidence, run_span, together.seconds) for evidence in open_ones.values()):
        return own
    why = f"taking all {len(own)} files together: {together.why}"
    return own | {name: Shift(together.seconds, together.confidence, why) for name in open_ones}


def _is_in_the_run_then(evidence: ShiftEvidence, run_span: Window, shift: int) -> bool:
    """Whether a source has rows in the run if it is off by ``shift``, and none if it is right."""
    start, end = epoch_us(run_span.start), epoch_us(run_span.end)
    bins_us = np.concatenate([one.bins_us for one in evidence.recordings] or [np.zeros(0, np.int64)])
    inside = [((bins_us - by * SECOND >= start) & (bins_us - by * SECOND < end)).any() for by in (0, shift)]
    return inside == [False, True]


def _speaks_against(evidence: ShiftEvidence, run_span: Window, shift: int) -> bool:
    """Whether a source covers the run worse if it is off by ``shift`` than if it is right, or its traces lie right."""
    placed = _by_placed_traces(evidence.placed_us)
    if placed is not None:
        return placed.seconds != shift
    recordings = [one for one in evidence.recordings if len(one.bins_us)]
    if not recordings:
        return False
    covered = _coverage_by_candidate(recordings, run_span)
    return covered[shift] < _LEAST_AS_WELL * covered[0]


# --- traces: each belongs to an iteration ---------------------------------------------------------------------------

_PLACED_SLACK_US = 60 * SECOND  # clocks of two machines, and what a service does after the iteration
_LEAST_PLACED = 3


def _by_placed_traces(placed_us: Microseconds | None) -> Shift | None:
    """Return the answer of traces that are known to belong to iterations; None where they give none."""
    if placed_us is None or len(placed_us) < _LEAST_PLACED:
        return None
    times, starts, ends = placed_us.T
    shares = {
        shift: float(
            np.mean(
                (starts - _PLACED_SLACK_US <= times - shift * SECOND)
                & (times - shift * SECOND <= ends + _PLACED_SLACK_US)
            )
        )
        for shift in CANDIDATES_S
    }
    best = max(CANDIDATES_S, key=lambda shift: (shares[shift], -abs(shift)))
    runner_up = max(share for shift, share in shares.items() if shift != best)
    if shares[best] < 0.9 or runner_up > 0.5:
        return None
    if best == 0:
        return Shift(None, "none", f"{shares[0]:.0%} of {len(placed_us)} traces lie in their own iterations")
    why = (
        f"{shares[best]:.0%} of {len(placed_us)} traces then lie in the iterations they belong to by their ids, "
        f"{shares[0]:.0%} as they are"
    )
    return Shift(best, "exact", why)


_LEAST_ITERATIONS = 5  # a number names an iteration less surely than an id: that of any workload


def placed_by_number(
    traces: Sequence[tuple[str, int]], workloads: Sequence[Mapping[str, tuple[int, int]]]
) -> Microseconds | None:
    """Return (n, 3) time of a span, start and end of the iteration whose number it carries; None where it is not sure.

    Which workload the numbers count is written nowhere: it is the one at which the spans lie in their iterations at
    one shift and at no other. Where workloads disagree about the shift, nothing is said.

    Args:
        traces: number of the iteration, time in microseconds.
        workloads: number -> start and end of the iteration in microseconds, of each workload.
    """
    answers: dict[int | None, Microseconds] = {}
    for known in workloads:
        if len({number for number, _ in traces if number in known}) < _LEAST_ITERATIONS:
            continue
        placed = np.array([(time, *known[number]) for number, time in traces if number in known], dtype=np.int64)
        answer = _by_placed_traces(placed)
        if answer is not None:
            answers.setdefault(answer.seconds, placed)
    return next(iter(answers.values())) if len(answers) == 1 else None


# --- coverage: does the source cover the run at all -----------------------------------------------------------------


def _coverage_by_candidate(recordings: Sequence[Recording], run: Window) -> dict[int, float]:
    """Return candidate -> share of the run that the sources recorded then, on average."""
    start, end = epoch_us(run.start) / SECOND, epoch_us(run.end) / SECOND
    end = max(end, start + BIN_S)
    shifts = np.asarray(CANDIDATES_S, dtype=np.float64)
    shares = [_recorded_share(one, start + shifts, end + shifts) for one in recordings]
    return dict(zip(CANDIDATES_S, np.mean(shares, axis=0).tolist(), strict=True))


def _recorded_share(recording: Recording, starts: Floats, ends: Floats) -> Floats:
    """Return the share of each [start, end) (seconds) in which the source was recording.

    It was recording between two rows whose distance is usual for it: sparse logs are no gaps.
    """
    bins = recording.bins_us / SECOND
    steps = np.diff(bins)
    longest = max(60.0, 3.0 * float(np.percentile(steps, 99))) if len(steps) else 60.0
    recorded = np.concatenate(([0.0], np.cumsum(np.where(steps <= longest, steps, 0.0))))
    covered = np.interp(ends, bins, recorded) - np.interp(starts, bins, recorded)
    return np.asarray(covered / (ends - starts))


# --- windows: do KPIs move, do errors come, when faults are injected ------------------------------------------------

_MOST_WINDOWS = 60  # more say nothing new, and cost time
_TAIL_S = 20  # a fault shows at least this long after its start
_BEFORE_S = 60  # what a window is held against
_ERRORS_TAIL_S = 60  # errors come with time-outs
_CAP = 6.0  # one window cannot outvote the others
_ERRORS_COUNT = 1.5  # a KPI moves for many reasons, an error is a sign of its own
_USUAL = 2.0  # robust standard deviations that say nothing
_BLOCK = 600 // BIN_S  # what is usual is looked for in ten minutes at a time
_LEAST_LAGS = 45 * 60 // BIN_S  # fewer placements say nothing about what is usual
_LAGS = np.arange(-(14 * _HOUR_S + 900) // BIN_S, (14 * _HOUR_S + 900) // BIN_S + 1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Spans:
    """Windows in bins: ``starts`` (w,) and ``lengths`` (w,)."""

    starts: Counts
    lengths: Counts


def _sample(windows: Sequence[Window]) -> _Spans:
    """Return the windows, evenly thinned where they are many, in bins."""
    pairs = sorted({(epoch_us(window.start), epoch_us(window.end)) for window in windows})
    if len(pairs) > _MOST_WINDOWS:
        pairs = [pairs[place * len(pairs) // _MOST_WINDOWS] for place in range(_MOST_WINDOWS)]
    edges = np.asarray(pairs, dtype=np.int64).reshape(-1, 2) / (BIN_S * SECOND)
    starts = np.rint(edges[:, 0]).astype(np.int64)
    return _Spans(starts, np.ceil(edges[:, 1] - edges[:, 0]).astype(np.int64))


def _scores(recordings: Sequence[Recording], windows: _Spans, troubles: _Spans) -> Floats:
    """Return (lags,) how much the windows stand out at each lag of ``_LAGS``; NaN: not covered.

    In robust standard deviations beyond what is usual, summed over KPIs and files.
    """
    parts: list[Floats] = []
    for one in recordings:
        parts.extend(_level_score(one.bins_us, values, windows) for values in one.levels.values())
        if one.errors is not None:
            parts.append(_error_score(one.bins_us, one.errors, troubles))
    known = [part for part in parts if np.isfinite(part).sum() >= _LEAST_LAGS]
    if not known:
        return np.full(len(_LAGS), np.nan)
    table = np.stack(known)
    covered = np.isfinite(table)
    # What is usual adds nothing, so that many quiet nodes do not drown the one that was hit.
    total = np.where(covered, np.maximum(table - _USUAL, 0.0), 0.0).sum(axis=0)
    return np.where(covered.mean(axis=0) < 0.5, np.nan, total)


def _level_score(bins_us: Microseconds, values: Floats, spans: _Spans) -> Floats:
    """Return (lags,) how far a KPI's level in the windows lies from its level before them."""
    finite = np.isfinite(values)
    if not len(spans.starts) or not finite.any() or np.ptp(values[finite]) == 0:
        return np.full(len(_LAGS), np.nan)
    sums, origin = _running(bins_us[finite], _without_spikes(values[finite]))
    counts, _ = _running(bins_us[finite], np.ones(int(finite.sum())))
    first = spans.starts[:, None] + _LAGS - origin
    length = np.maximum(spans.lengths, _TAIL_S // BIN_S)[:, None]
    before = _BEFORE_S // BIN_S
    inside_n, before_n = _between(counts, first, first + length), _between(counts, first - before, first)
    enough = (inside_n >= length / 2) & (before_n >= before / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside_mean = _between(sums, first, first + length) / inside_n
        moved = np.where(enough, inside_mean - _between(sums, first - before, first) / before_n, np.nan)
    return _pooled(moved, least_scale=0.0)


def _error_score(bins_us: Microseconds, errors: Counts, spans: _Spans) -> Floats:
    """Return (lags,) how far the number of errors in the windows lies above the number that is usual."""
    if not len(spans.starts) or not errors.any():
        return np.full(len(_LAGS), np.nan)
    counts, origin = _running(bins_us, errors.astype(np.float64))
    first = spans.starts[:, None] + _LAGS - origin
    length = (spans.lengths + _ERRORS_TAIL_S // BIN_S)[:, None]
    inside = np.where((first >= 0) & (first + length < len(counts)), _between(counts, first, first + length), np.nan)
    # Square roots of counts vary by about 1/2, however many they are.
    roots = 2.0 * np.sqrt(inside)
    return _ERRORS_COUNT * _pooled(roots - _median(roots.ravel()), least_scale=1.0)


def _running(bins_us: Microseconds, values: Floats) -> tuple[Floats, int]:
    """Return sums of all values before each bin of a dense grid, and the grid's first bin."""
    bins = bins_us // (BIN_S * SECOND)
    origin = int(bins[0])
    dense = np.zeros(int(bins[-1]) - origin + 1)
    dense[bins - origin] = values
    return np.concatenate(([0.0], np.cumsum(dense))), origin


def _between(running: Floats, first: Counts, last: Counts) -> Floats:
    """Return sums over [first, last), the bins outside of the recording being empty."""
    top = len(running) - 1
    return np.asarray(running[np.clip(last, 0, top)] - running[np.clip(first, 0, top)])


def _without_spikes(values: Floats) -> Floats:
    """Return ``values`` minus their median, each at most six robust standard deviations away from it."""
    middle = float(np.median(values))
    limit = 6.0 * _spread(values - middle) or float(np.ptp(values))
    return np.clip(values - middle, -limit, limit)


def _spread(values: Floats) -> float:
    return 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values))))


def _pooled(moved: Floats, least_scale: float) -> Floats:
    """Return (lags,) the windows' moves (w, lags) together, in robust standard deviations; NaN: too few are covered."""
    covered = np.isfinite(moved)
    enough = covered.mean(axis=0) >= 0.8
    scale = _usual_move(moved, least_scale)
    if scale is None:
        return np.full(len(_LAGS), np.nan)
    deviation = np.where(covered, np.clip(moved / scale, -_CAP, _CAP), 0.0)
    one_way = np.maximum(_but_one(deviation), _but_one(-deviation))
    return np.where(enough, one_way / np.sqrt(np.maximum(covered.sum(axis=0) - 1, 1)), np.nan)


def _but_one(deviation: Floats) -> Floats:
    """Return (lags,) the sum of positive deviations (w, lags) without the greatest.

    A reboot or a spike meets one window, a fault meets them all, and moves a KPI the same way each time.
    """
    up = np.maximum(deviation, 0.0)
    return np.asarray(up.sum(axis=0) - (up.max(axis=0) if len(up) > 1 else 0.0))


def _usual_move(moved: Floats, least: float) -> Floats | None:
    """Return (w, lags) how far a level usually moves around that time, where nothing is being injected.

    A busy hour moves more than a quiet one: the scale is that of the 50 minutes around. None where nothing moves.
    """
    everywhere = max(_spread(moved[np.isfinite(moved)]), least) if np.isfinite(moved).any() else 0.0
    if everywhere == 0.0:
        return None
    blocks = -(-len(_LAGS) // _BLOCK)
    padded = np.pad(np.abs(moved), ((0, 0), (0, blocks * _BLOCK - len(_LAGS))), constant_values=np.nan)
    by_block = _median(padded.reshape(len(moved), blocks, _BLOCK))
    around = np.pad(by_block, ((0, 0), (2, 2)), constant_values=np.nan)
    smooth = _median(np.lib.stride_tricks.sliding_window_view(around, 5, axis=1))
    scale = 1.4826 * np.repeat(smooth, _BLOCK, axis=1)[:, : len(_LAGS)]
    return np.fmax(scale, max(least, 0.1 * everywhere))


def _median(values: Floats) -> Floats:
    """Return the median along the last axis, of what is known there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a stretch without rows has no median: NaN is the answer
        return np.asarray(np.nanmedian(values, axis=-1))


# --- the decision ---------------------------------------------------------------------------------------------------

_LEAST_SCORE = 10.0
_LEAST_SCORE_UNCOVERED = 4.0  # the times are wrong for certain where the run is not covered; by how much is all to ask
_OVER_CANDIDATES = 2.0
_OVER_ANY_LAG = 1.5
_NEAR_S = 600  # around a fault its own move shows
_PEAK_S = 30  # faults show some seconds after the command
_NOT_COVERED = 0.5
_LEAST_AS_WELL = 0.9
_COVERED = 0.95
_MOSTLY_COVERED = 0.6


def _by_windows(covered: Mapping[int, float], scores: Floats) -> Shift | None:
    """Return the candidate at which the windows stand out as at no other time; None where there is none, or it is 0."""
    most = max(covered.values())
    peaks = {shift: _peak(scores, shift) for shift in CANDIDATES_S if covered[shift] >= 0.9 * most}
    best = max(peaks, key=lambda shift: (peaks[shift], -abs(shift)))
    as_is = _peak(scores, 0)
    others = max([as_is, *(peak for shift, peak in peaks.items() if shift != best)])
    anywhere = float(np.nanmax(scores, where=np.abs(_LAGS * BIN_S - best) > _NEAR_S, initial=0.0))
    least = _LEAST_SCORE if covered[0] >= _NOT_COVERED else _LEAST_SCORE_UNCOVERED
    if best == 0 or peaks[best] < max(least, _OVER_CANDIDATES * others, _OVER_ANY_LAG * anywhere):
        return None
    why = (
        f"KPI moves and errors then stand out in the injections' windows by {peaks[best]:.1f} robust standard "
        f"deviations ({as_is:.1f} as the times are, {max(others, anywhere):.1f} at most at any other time)"
    )
    return Shift(best, "strong", f"{why}{_run_is_covered(covered, best)}")


def _run_is_covered(covered: Mapping[int, float], shift: int) -> str:
    if covered[shift] - covered[0] < 0.05:
        return ""
    return f", and {covered[shift]:.0%} of the run are covered instead of {covered[0]:.0%}"


def _peak(scores: Floats, shift: int) -> float:
    return float(np.nanmax(scores, where=np.abs(_LAGS * BIN_S - shift) <= _PEAK_S, initial=0.0))


def _by_coverage(covered: Mapping[int, float]) -> Shift | None:
    """Return the only candidate at which a source covers the run that it does not cover as it is.

    A source with gaps covers most of the run at one candidate, and less than half as much at any other.
    """
    best = max(CANDIDATES_S, key=lambda shift: (covered[shift], -abs(shift)))
    runner_up = max(share for shift, share in covered.items() if shift != best)
    alone = runner_up < _COVERED <= covered[best] or 2 * runner_up < covered[best] >= _MOSTLY_COVERED
    if covered[0] >= _NOT_COVERED or not alone:
        return None
    why = (
        f"{covered[best]:.0%} of the run are covered then, {covered[0]:.0%} as the times are, "
        f"and at most {runner_up:.0%} at any other shift"
    )
    return Shift(best, "suggested", why)


def _why_none(covered: Mapping[int, float], scores: Floats) -> str:
    fitting = [shift for shift in CANDIDATES_S if covered[shift] >= _COVERED]
    if covered[0] < _NOT_COVERED:
        hours = ", ".join(signed(shift) for shift in fitting) or "none"
        return f"only {covered[0]:.0%} of the run are covered; shifts that cover it, with nothing to choose by: {hours}"
    if _peak(scores, 0) >= _LEAST_SCORE_UNCOVERED:
        return "KPI moves and errors stand out in the injections' windows as the times are"
    return "the run is covered as the times are, and the windows stand out clearly at no other hour"
