"""Windows of injections on the rows of a node: which rows they cover, in which phase, and which rows nobody can decide.

A row written with time t has its true moment in [t, t + u), u being the uncertainty of its source (0: t itself); an
injection truly starts in [started_at, started_at + its uncertainty), and lasts as long as its fault. The fault's end is
known likewise, or lies anywhere between the command's end and ``fault_open_until``. A row that may lie in a window is
labelled as covered; where it also may not, it is a boundary row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from faultset.fault_span import places_of, span_of
from faultset.moments import epoch_us
from faultset.tables import ImpactRow, InjectionRow, TargetRow

PHASES = ("normal", "injection", "recovery")
NORMAL, INJECTION, RECOVERY = range(3)
_SECOND = 1_000_000
_BEFORE_ALL = np.iinfo(np.int64).min
_Named = TypeVar("_Named", int, str)


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be chosen about labels.

    Attributes:
        recovery_limit_s: a node counts as recovering for at most so long after the fault's end; 900 s is past the
            longest recovery that was reviewed by hand in the experiments this was made for.
        guard_before_s: rows so shortly before a command are boundary rows; their phase stays as it is.
        cooldown_after_s: rows so shortly after a fault, or after the recovery where there is one, likewise.
    """

    recovery_limit_s: float = 900.0
    guard_before_s: float = 0.0
    cooldown_after_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("recovery_limit_s", "guard_before_s", "cooldown_after_s"):
            if not 0 <= getattr(self, name) < 1e9:
                raise ValueError(f"{name} must be a number of seconds from 0 on")


@dataclass(frozen=True, slots=True)
class Command:
    """What the experimenter did, with its fault, in microseconds since the epoch.

    Attributes:
        injection_id: its id.
        start: earliest possible start.
        start_latest: the true start lies before this, or at ``start``.
        end: earliest possible end, of the fault where that outlasts the command.
        end_latest: the true end lies before this, or at ``end``.
    """

    injection_id: str
    start: int
    start_latest: int
    end: int
    end_latest: int


@dataclass(frozen=True, slots=True)
class NodeWindow:
    """What an injection did to one node.

    Attributes:
        concerns: it acted on the node, may have acted on it, or an impact was found there.
        recovery_end: until when the node recovers, microseconds; None where no impact was found there.
        impacts: KPI, start, end (microseconds) of each impact on metrics that counts.
    """

    concerns: bool = False
    recovery_end: int | None = None
    impacts: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class NodeWindows:
    """All windows of an experiment.

    Attributes:
        commands: in order of start, then id.
        nodes: node -> injection id -> what it did there.
        policy: what was chosen.
        elsewhere: injection id -> what it did to a node that ``nodes`` does not say it of.
    """

    commands: tuple[Command, ...]
    nodes: Mapping[str, Mapping[str, NodeWindow]]
    policy: Policy = field(default_factory=Policy)
    elsewhere: Mapping[str, NodeWindow] = field(default_factory=dict)

    def on(self, node: str) -> Mapping[str, NodeWindow]:
        """Return injection id -> what it did to ``node``; injections that did nothing there are left out."""
        return {**self.elsewhere, **self.nodes.get(node, {})}


@dataclass(frozen=True, slots=True)
class Segments:
    """Elementary half-open segments of a row's time; segment i reaches from ``starts[i]`` to the next one's start.

    Attributes:
        starts: microseconds since the epoch, strictly ascending; the first lies before all rows.
        phase: places in ``PHASES``.
        is_anomalous: flags: some injection concerns the node.
        is_boundary: flags.
        is_guarded: flags: boundary for the policy's guard or cooldown alone.
        injection_ids: of each segment, in order of start, then id.
        node_injection_ids: those of them that concern the node, in that order.
        impacted_kpis: of each segment, sorted.
    """

    starts: npt.NDArray[np.int64]
    phase: npt.NDArray[np.int8]
    is_anomalous: npt.NDArray[np.bool_]
    is_boundary: npt.NDArray[np.bool_]
    is_guarded: npt.NDArray[np.bool_]
    injection_ids: tuple[tuple[str, ...], ...]
    node_injection_ids: tuple[tuple[str, ...], ...]
    impacted_kpis: tuple[tuple[str, ...], ...]

    def of(self, us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the segment of each time."""
        if not (us[1:] >= us[:-1]).all():
            return np.searchsorted(self.starts, us, side="right") - 1
        # Ascending times, as files nearly always have: find the few starts among them, not each of them.
        firsts = np.searchsorted(us, self.starts[1:], side="left")
        return np.repeat(np.arange(len(self.starts)), np.diff(firsts, prepend=0, append=len(us)))


def windows(
    injections: Sequence[InjectionRow],
    targets: Sequence[TargetRow],
    impacts: Sequence[ImpactRow],
    policy: Policy,
    nodes: Collection[str] | None = None,
) -> NodeWindows:
    """Return the windows of all injections on all nodes that they touched, or may have.

    Where an injection has detected impacts on a node, these count; else the reviewed ones do.

    Args:
        injections: all of the experiment.
        targets: theirs. An injection without any, of which nothing says that it acted on nothing, may have acted on
            every node.
        impacts: theirs.
        policy: what was chosen.
        nodes: names of the cluster's nodes; None where no cluster is known, so that any name may be one.
    """
    commands = sorted((_command(row) for row in injections), key=lambda command: (command.start, command.injection_id))
    ends = {command.injection_id: command.end for command in commands}
    concerned = {(place, row.injection_id) for row in targets if _acted(row) for place in places_of(row)}
    anywhere = unplaced(injections, targets, by_name=nodes is None)
    concerned |= {(node, injection_id) for node in nodes or () for injection_id in anywhere}
    # What the whole cluster did says nothing of a node that no fault acted on.
    alone = (row for row in impacts if row.wave is None or (row.node, row.injection_id) in concerned)
    counting = _counting(row for row in alone if row.injection_id in ends)
    found: dict[str, dict[str, NodeWindow]] = defaultdict(dict)
    for node, injection_id in sorted(concerned | counting.keys()):
        if injection_id not in ends:
            continue
        moved = counting.get((node, injection_id), ())
        limit = ends[injection_id] + _us(policy.recovery_limit_s)
        recovery_end = min(max(epoch_us(row.ended_at) for row in moved), limit) if moved else None
        found[node][injection_id] = NodeWindow(True, recovery_end, _of_metrics(moved))
    elsewhere = {injection_id: NodeWindow(True) for injection_id in anywhere} if nodes is None else {}
    return NodeWindows(tuple(commands), dict(found), policy, elsewhere)


def unplaced(injections: Sequence[InjectionRow], targets: Sequence[TargetRow], *, by_name: bool = False) -> list[str]:
    """Return the injections that acted, or may have, nobody knows where.

    Args:
        injections: all of the experiment.
        targets: theirs.
        by_name: whether telemetry may be of pods and services: a target that is named is then placed by its name.
    """
    placed = {row.injection_id for row in targets if row.placed}
    named = {row.injection_id for row in targets}
    return [
        row.injection_id
        for row in injections
        if row.injection_id not in placed and row.effect != "none" and not (by_name and row.injection_id in named)
    ]


def _command(row: InjectionRow) -> Command:
    span = span_of(row)
    start, start_latest = epoch_us(span.start), epoch_us(span.start_latest)
    end, end_latest = epoch_us(span.end), epoch_us(span.end_latest)
    end = max(end, start + (start_latest == start and end_latest == end))
    return Command(row.injection_id, start, start_latest, end, max(end, end_latest))


def _acted(row: TargetRow) -> bool:
    """Whether the injection acted there, or may have: what is unknown counts."""
    return row.effective is True or (row.effective is None and row.commanded is not False)


def _counting(impacts: Iterable[ImpactRow]) -> dict[tuple[str, str], list[ImpactRow]]:
    found: dict[tuple[str, str], dict[str, list[ImpactRow]]] = defaultdict(lambda: defaultdict(list))
    for row in impacts:
        found[row.node, row.injection_id][row.source].append(row)
    return {key: by.get("detected") or by["reviewed"] for key, by in found.items()}


def _of_metrics(impacts: Iterable[ImpactRow]) -> tuple[tuple[str, int, int], ...]:
    """Return KPI, start and end of those on metrics: a row of metrics names its own columns only."""
    return tuple(
        sorted(
            (row.kpi, epoch_us(row.started_at), epoch_us(row.ended_at))
            for row in impacts
            if row.source_kind == "metrics"
        )
    )


def _us(seconds: float) -> int:
    return round(seconds * _SECOND)


# --- segments -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Spans:
    """Half-open spans of row time in microseconds, with what each says; ``injection`` is a place among the commands."""

    covered: list[tuple[int, int, int]] = field(default_factory=list)
    in_command: list[tuple[int, int]] = field(default_factory=list)
    recovering: list[tuple[int, int]] = field(default_factory=list)
    concerning: list[tuple[int, int, int]] = field(default_factory=list)
    undecided: list[tuple[int, int]] = field(default_factory=list)
    guarded: list[tuple[int, int]] = field(default_factory=list)
    impacted: list[tuple[int, int, str]] = field(default_factory=list)


def segments(node_windows: NodeWindows, node: str, row_uncertainty_s: float, blur_s: float = 0.0) -> Segments:
    """Return the segments of a node's rows.

    Args:
        node_windows: the experiment's windows.
        node: short name; a node that nothing happened to has segments too, for commands elsewhere count.
        row_uncertainty_s: a row's true moment lies in [its time, its time + this); 0 says that its time is exact.
        blur_s: what a row tells of may be so much older than its time: rows so long after a fault may still tell of
            it, and rows so shortly after its start may not yet.
    """
    row_us, blur_us = _us(row_uncertainty_s), _us(blur_s)
    here = node_windows.on(node)
    spans = _Spans()
    for place, command in enumerate(node_windows.commands):
        _add(spans, place, here.get(command.injection_id, NodeWindow()), node_windows, (row_us, blur_us))
    ids = [command.injection_id for command in node_windows.commands]
    return _cut_up(spans, ids)


def _add(spans: _Spans, place: int, here: NodeWindow, node_windows: NodeWindows, row_width_us: tuple[int, int]) -> None:
    """Add what the injection at ``place`` means for the rows of one node; a row's moment lies within its width."""
    command, policy = node_windows.commands[place], node_windows.policy
    row_us, blur_us = row_width_us

    def reaching(moment: int) -> int:
        """Return the first row time whose true moment may lie at or after ``moment``."""
        return moment - row_us + 1 if row_us else moment

    first = reaching(command.start)
    after = command.end_latest + blur_us
    spans.covered.append((first, after, place))
    spans.in_command.append((first, after))
    # Decided are the rows that lie in the window wherever its ends and their own moment truly are.
    sure_from, sure_to = command.start_latest + blur_us, reaching(command.end)
    if sure_from < sure_to:
        spans.undecided.extend([(first, min(sure_from, after)), (max(sure_to, first), after)])
    else:
        spans.undecided.append((first, after))
    if here.recovery_end is not None and here.recovery_end > after:
        spans.covered.append((after, here.recovery_end, place))
        spans.recovering.append((after, here.recovery_end))
        spans.undecided.append((max(after, reaching(here.recovery_end)), here.recovery_end))
        after = here.recovery_end
    if here.concerns:
        spans.concerning.append((first, after, place))
    if policy.guard_before_s:
        spans.guarded.append((reaching(command.start - _us(policy.guard_before_s)), first))
    if policy.cooldown_after_s:
        spans.guarded.append((after, after + _us(policy.cooldown_after_s)))
    spans.impacted.extend((start, end, kpi) for kpi, start, end in here.impacts)


def _cut_up(spans: _Spans, ids: Sequence[str]) -> Segments:
    edges = {_BEFORE_ALL}
    for some in (spans.covered, spans.undecided, spans.guarded, spans.impacted):
        edges.update(edge for span in some for edge in span[:2] if span[0] < span[1])
    starts = np.array(sorted(edges), np.int64)
    phase = np.where(_flags(starts, spans.recovering), np.int8(RECOVERY), np.int8(NORMAL))
    phase[_flags(starts, spans.in_command)] = INJECTION
    covering, concerning = _collected(starts, spans.covered), _collected(starts, spans.concerning)
    kpis = _collected(starts, spans.impacted)
    undecided = _flags(starts, spans.undecided)
    guarded = _flags(starts, spans.guarded)
    return Segments(
        starts=starts,
        phase=phase,
        is_anomalous=np.array([bool(places) for places in concerning]),
        is_boundary=undecided | guarded,
        is_guarded=guarded & ~undecided,
        injection_ids=_named(covering, ids),
        node_injection_ids=_named(concerning, ids),
        impacted_kpis=tuple(tuple(sorted(names)) for names in kpis),
    )


def _named(places: Iterable[set[int]], ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(ids[place] for place in sorted(some)) for some in places)


def _flags(starts: npt.NDArray[np.int64], spans: Collection[tuple[int, int]]) -> npt.NDArray[np.bool_]:
    """Return which segments lie in any of ``spans``."""
    depth = np.zeros(len(starts) + 1, np.int64)
    for start, end in spans:
        if start < end:
            depth[np.searchsorted(starts, start)] += 1
            depth[np.searchsorted(starts, end)] -= 1
    return np.asarray(np.cumsum(depth[:-1]) > 0)


def _collected(starts: npt.NDArray[np.int64], spans: Collection[tuple[int, int, _Named]]) -> list[set[_Named]]:
    """Return the names of the spans that each segment lies in."""
    found: list[set[_Named]] = [set() for _ in starts]
    for start, end, name in spans:
        for place in range(int(np.searchsorted(starts, start)), int(np.searchsorted(starts, end))):
            found[place].add(name)
    return found
