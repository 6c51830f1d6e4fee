"""Whether log lines, spans and the load moved with an injection: one scan for all, one question a series.

Each series is asked for the window after the injection's start, of any onset and length, that stands out most, and so
is each quiet place. How often quiet places come up with as much is the p value; beyond the largest a heavy tail is
assumed (``Null``), and where a series has too little quiet time of its own, the same kind in other places helps out.
What moved everywhere is expected everywhere: the middle of the places that the injection did not act on is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from faultset.fault_span import known_end
from faultset.impacts.counts import Baseline
from faultset.impacts.found import Extent, Found, Tested
from faultset.impacts.null import Null, Usual
from faultset.impacts.onsets import SECOND, STEP_S, WINDOWS, Largest, room_class
from faultset.impacts.stretches import Flags, Floats, Microseconds, Stretches
from faultset.impacts.windows import Parameters
from faultset.moments import epoch_us
from faultset.tables import InjectionRow, SourceKind

_PLACES = 2000
_LEAST_PLACES = 400
_MOST_PLACES = 60_000  # in all series of a group together
_ENOUGH_EVENTS = 20  # in quiet time, from which on it alone tells what is usual
_ROUNDS = 3  # the second finds what moves that outlast the guard hid; more change little
_STILL_ACTS_US = 60 * SECOND  # how long after its end an injection may still act
_SHARED_EDGE_US = 4 * SECOND  # starts nearer than this cannot be told apart
_FAR = 10**12
_LEAST_QUIET_SHARE = 0.25
_LEAST_QUIET_US = 600 * SECOND
_MOST_EDGES = 200  # moments that the edges of an extent are chosen among


class Family(Protocol):
    """The same kind of thing in several places, such as the error lines of all nodes; see ``CountFamily``."""

    method: str
    nothing_there: str
    quiet: list[Stretches]

    def __len__(self) -> int:
        """How many series there are."""
        ...

    def recorded(self, series: int) -> Stretches:
        """When a series was recorded."""
        ...

    def baseline(self, moments: Microseconds, since: Microseconds | None = None) -> Baseline:
        """Return what is usual at some moments, where something else may still act since others."""
        ...

    def scan(self, moments: Microseconds, baseline: Baseline, controls: Flags) -> dict[int, Largest]:
        """Return the largest number over the windows after each moment, by room."""
        ...

    def seen(self, series: int) -> int:
        """Return how many events quiet time saw."""
        ...

    def by_law(self, series: int, moment: int, window: int) -> float:
        """Return how likely what is in a window is by the law of rare events, NaN where there is none."""
        ...

    def smallest(self, series: int, p_of: Callable[[Floats, Floats], Floats], largest_p: float) -> float | None:
        """Return the smallest move of 25 s that is accepted in nine of ten cases, in standard deviations."""
        ...

    def numbers(self, series: int, starts: Microseconds, ends: Microseconds, rate: float) -> Floats:
        """Return the signed number of each window [start, end)."""
        ...

    def edges(self, series: int, since: int, until: int) -> Microseconds:
        """Return the moments within [since, until) at which something happened."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """Series of one kind that tell each other what happened everywhere.

    Attributes:
        nodes: what the tables call the place of each.
        kpis: what is looked at, of each.
        source_kind: what all were taken from.
        recorded: when each was recorded.
        family: quiet time of each -> what can be asked of them.
        hosts: the node that each tells of; None where that is not known, or it tells of none, as the load.
    """

    nodes: tuple[str, ...]
    kpis: tuple[str, ...]
    source_kind: SourceKind
    recorded: tuple[Stretches, ...]
    family: Callable[[Sequence[Stretches]], Family]
    hosts: tuple[str | None, ...]


def ask(
    groups: Sequence[Group],
    injections: Sequence[InjectionRow],
    parameters: Parameters = Parameters(),  # noqa: B008 (frozen)
    targets: Mapping[str, frozenset[str]] | None = None,
) -> tuple[Found, ...]:
    """Ask of every series whether each injection moved it; false discoveries are not controlled yet.

    Args:
        groups: what was recorded.
        injections: all of them; those that are left out would pass as quiet time.
        parameters: those of the detection.
        targets: injection id -> nodes that it acted on.
    """
    groups = [group for group in groups if group.nodes]
    if not injections or not groups:
        return ()
    shots = _Shots.of(injections, targets or {})
    return tuple(answer for group in groups for answer in _answers(group, shots, parameters))


def _answers(group: Group, shots: _Shots, parameters: Parameters) -> list[Found]:
    """Ask of a group, and ask again without the time in which a series perhaps was away, as far as only answers tell.

    A move may outlast the guard; its time would then pass as quiet, and hide other moves.
    """
    moved = [Stretches.of(())] * len(group.nodes)
    answers: list[Found] = []
    for _ in range(_ROUNDS):
        quiet = [_quiet(one, shots, parameters, away) for one, away in zip(group.recorded, moved, strict=True)]
        answers = list(_Asked.of(group, quiet, shots, parameters).answers())
        count = len(shots.rows)
        later = [_perhaps_away(answers[first : first + count]) for first in range(0, len(answers), count)]
        if [one.spans() for one in later] == [one.spans() for one in moved]:
            break
        moved = later
    return answers


@dataclass(frozen=True, slots=True)
class _Shots:
    """The injections as arrays, in microseconds.

    Attributes:
        rows: the injections.
        start, end: of each, as early and as late as it can be.
        acts_on: nodes that each acted on; None where that is not known.
        since: when another injection began that may still act at the start, at most a minute before; the start itself
            where none.
    """

    rows: tuple[InjectionRow, ...]
    start: Microseconds
    end: Microseconds
    acts_on: tuple[frozenset[str] | None, ...]
    since: Microseconds

    @classmethod
    def of(cls, injections: Sequence[InjectionRow], targets: Mapping[str, frozenset[str]]) -> _Shots:
        start = np.array([epoch_us(row.started_at) for row in injections], dtype=np.int64)
        end = np.maximum(np.array([epoch_us(known_end(row)) for row in injections], dtype=np.int64), start + 1)
        since = start.copy()
        for place, moment in enumerate(start.tolist()):
            acting = (start <= moment - _SHARED_EDGE_US) & (end + _STILL_ACTS_US > moment)
            if acting.any():
                since[place] = max(int(start[acting].min()), moment - _STILL_ACTS_US)
        acts_on = tuple(targets.get(row.injection_id) or None for row in injections)
        return cls(tuple(injections), start, end, acts_on, since)

    def acting(self, host: str | None) -> Flags:
        """Return which injections acted on a node, or may have; all where there is no node."""
        return np.array([host is None or nodes is None or host in nodes for nodes in self.acts_on], dtype=bool)

    def room(self, host: str | None) -> Microseconds:
        """Return how long it is from each start until another injection begins that may act on the same node."""
        here = self.acting(host)
        room = np.full(len(self.start), _FAR, dtype=np.int64)
        for place, moment in enumerate(self.start.tolist()):
            after = (self.start >= moment + _SHARED_EDGE_US) & (here | ~here[place])
            room[place] = np.min(self.start[after] - moment, initial=_FAR)
        return room

    def yields(self, host: str | None) -> Flags:
        """Return which acted elsewhere only, while another one that starts at the same moment may have acted here."""
        here = self.acting(host)
        near = np.abs(self.start[:, None] - self.start[None, :]) < _SHARED_EDGE_US
        return np.asarray(~here & (near & here[None, :]).any(axis=1))


@dataclass(frozen=True, slots=True)
class _Known:
    """What quiet places say, and how many events they saw."""

    null: Null
    events: int


def _quiet(recorded: Stretches, shots: _Shots, parameters: Parameters, moved: Stretches) -> Stretches:
    """Return the time outside of all injections, of the guard after each, and of what perhaps moved later.

    Where guards would take most of the time, they shrink, so that there is something to compare with.
    """
    resolution = round(parameters.row_resolution_s * SECOND)
    bare = _outside(recorded, shots, resolution, 0)
    wanted = min(bare.total_us, max(_LEAST_QUIET_US, _LEAST_QUIET_SHARE * recorded.total_us))
    for share in (1.0, 0.5, 0.2):
        quiet = _outside(recorded, shots, resolution, round(share * parameters.guard_s * SECOND))
        for candidate in (quiet.without(moved), quiet):
            if candidate.total_us >= wanted:
                return candidate
    return bare


def _outside(recorded: Stretches, shots: _Shots, before: int, after: int) -> Stretches:
    loud = zip((shots.start - before).tolist(), (shots.end + after).tolist(), strict=True)
    return recorded.without(Stretches.of(loud))


def _perhaps_away(answers: Sequence[Found]) -> Stretches:
    return Stretches.of((answer.extent.start_us, answer.extent.end_us) for answer in answers if answer.extent)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A group with what its quiet places say; ``usual`` is by series and room, ``scans`` by room."""

    group: Group
    family: Family
    shots: _Shots
    parameters: Parameters
    usual: Mapping[tuple[int, int], Usual]
    baseline: Baseline
    scans: Mapping[int, Largest]
    nulls: dict[tuple[int, int], _Known | None]

    @classmethod
    def of(cls, group: Group, quiet: Sequence[Stretches], shots: _Shots, parameters: Parameters) -> _Asked:
        family = group.family(quiet)
        baseline = family.baseline(shots.start, shots.since)
        scans = family.scan(shots.start, baseline, _controls(group, shots))
        return cls(group, family, shots, parameters, _usual(group, family, parameters.seed), baseline, scans, {})

    def answers(self) -> Iterator[Found]:
        """Yield an answer for each series and injection."""
        for series in range(len(self.family)):
            host = self.group.hosts[series]
            recorded = self.family.recorded(series).room(self.shots.start)
            room, yields = self.shots.room(host), self.shots.yields(host)
            fits = room_class(np.minimum(room, recorded))
            for place in range(len(self.shots.rows)):
                why_not = _why_not(bool(yields[place]), int(recorded[place]), int(fits[place]))
                yield (
                    self._refused(series, place, why_not)
                    if why_not
                    else self._answer(series, place, int(fits[place]), int(min(room[place], recorded[place])))
                )

    def _answer(self, series: int, place: int, fits: int, room: int) -> Found:
        while fits and (known := self._known(series, fits)) is None:
            fits = max((shorter for shorter in self.scans if shorter < fits), default=0)
        if not fits or known is None:
            return self._refused(series, place, "there is too little quiet time to compare with")
        best = self.scans[fits]
        size = float(best.size[series, place])
        if np.isnan(size):
            return self._refused(series, place, self.family.nothing_there)
        window = int(best.window[series, place])
        by_law = self.family.by_law(series, int(self.shots.start[place]), window) if size else 1.0
        p_value = float(_p_value(known.null, known.events, np.array([size]), np.array([by_law]))[0])
        up = bool(best.sign[series, place] > 0)
        perhaps = size > 0 and p_value <= self.parameters.largest_p_targets
        extent = self._extent(series, place, window, room, up=up) if perhaps else None
        tested = Tested(
            injection_id=self.shots.rows[place].injection_id,
            node=self.group.nodes[series],
            kpi=self.group.kpis[series],
            p_value=p_value,
            adjusted_p_value=None,
            score=float(np.sqrt(size)),
            power=None,
            moved=extent is not None,
            question=None,
            is_back=extent.is_back if extent else None,
            why_not=None,
            source_kind=self.group.source_kind,
        )
        smallest = partial(self.family.smallest, series, partial(_p_value, known.null, known.events))
        return Found(tested, extent, "up" if up else "down", self.family.method, smallest=smallest)

    def _refused(self, series: int, place: int, why_not: str) -> Found:
        tested = Tested(
            self.shots.rows[place].injection_id, self.group.nodes[series], self.group.kpis[series],
            None, None, None, None, False, None, None, why_not, self.group.source_kind,
        )  # fmt: skip
        return Found(tested, method=self.family.method)

    def _known(self, series: int, room: int) -> _Known | None:
        """Return how large the number is at quiet places of this room, the others' too where its own are too few."""
        key = (series, room)
        if key not in self.nulls:
            apart, least = room * SECOND, self.parameters.least_placements
            own = self.usual[key]
            known = _Known(Null.of(own, apart), self.family.seen(series)) if len(own.values) >= least else None
            if known is None or not known.null.is_known:
                every = Usual.together([some for other, some in self.usual.items() if other[1] == room])
                events = sum(map(self.family.seen, range(len(self.family))))
                known = _Known(Null.of(every, apart), events) if len(every.values) >= least else None
            self.nulls[key] = known
        return self.nulls[key]

    def _extent(self, series: int, place: int, window: int, room: int, *, up: bool) -> Extent:
        """Return from when to when the number is largest, within the time that an impact is followed."""
        moment, chosen = int(self.shots.start[place]), WINDOWS[window]
        limit = moment + min(room, round(self.parameters.recovery_s * SECOND))
        first, last = (moment + offset * STEP_S * SECOND for offset in (chosen.first, chosen.last))
        starts = self._moments(series, max(moment, first - STEP_S * SECOND), last)
        near = self._moments(series, first, min(last + 2 * STEP_S * SECOND, limit)) + 1
        far = np.arange(min(last, limit), limit + 1, STEP_S * SECOND, dtype=np.int64)
        ends = np.concatenate([near, far])
        rate = (self.baseline.high if up else self.baseline.low)[series, place]
        number = self.family.numbers(series, starts[:, None], ends[None, :], float(rate))
        number = np.where(ends[None, :] > starts[:, None], number if up else -number, -np.inf)
        start, end = (int(at) for at in np.unravel_index(int(np.argmax(number)), number.shape))
        ended = int(ends[end])
        return Extent(
            int(starts[start]), max(ended, int(starts[start]) + SECOND), is_back=ended < limit - STEP_S * SECOND
        )

    def _moments(self, series: int, since: int, until: int) -> Microseconds:
        """Return moments that an edge may lie at: where something happened, and every second."""
        happened = self.family.edges(series, since, until)
        happened = happened[:: max(1, len(happened) // _MOST_EDGES)]
        return np.unique(np.concatenate([np.arange(since, until, SECOND, dtype=np.int64), happened]))


def _controls(group: Group, shots: _Shots) -> Flags:
    """Return which series tell of each injection what happened everywhere: those of nodes that it did not act on."""
    return np.array(
        [[_tells(group) and (nodes is None or host not in nodes) for nodes in shots.acts_on] for host in group.hosts],
        dtype=bool,
    )


def _tells(group: Group) -> bool:
    """Whether the series of a group tell each other what happened everywhere: several loads do not."""
    return group.source_kind != "workload"


def _usual(group: Group, family: Family, seed: int) -> dict[tuple[int, int], Usual]:
    """Return by series and room how large the number is at quiet places."""
    anywhere = Stretches.of(span for one in family.quiet for span in one.spans())
    places = anywhere.drawn(max(_LEAST_PLACES, min(_PLACES, _MOST_PLACES // len(family))), seed)
    controls = np.full((len(family), len(places)), _tells(group))
    scans = family.scan(places, family.baseline(places), controls)
    found = {}
    for series, quiet in enumerate(family.quiet):
        room = quiet.room(places)
        for length, scan in scans.items():
            inside = (room >= length * SECOND) & np.isfinite(scan.size[series])
            values = scan.size[series][inside]
            found[series, length] = Usual(values, values, places[inside])
    return found


def _why_not(yields: bool, recorded: int, fits: int) -> str | None:
    if yields:
        return "another injection starts at the same moment, and that one acted here"
    if not recorded:
        return "nothing was recorded when it started"
    if not fits:
        return "another injection starts too soon after it, or the recording ends"
    return None


def _p_value(null: Null, events: int, size: Floats, by_law: Floats) -> Floats:
    """Return how likely numbers of this size are in quiet time.

    The quiet places say so. Where they hardly ever saw an event, they are helped by the law of rare events, all the
    more the fewer they saw: without any, that law alone answers.
    """
    seen = null.p_value(size)
    weight = min(1.0, events / _ENOUGH_EVENTS)
    law = np.where(np.isnan(by_law), seen, np.maximum(by_law, np.finfo(np.float64).tiny))
    return np.asarray(np.exp(weight * np.log(seen) + (1 - weight) * np.log(law)))
