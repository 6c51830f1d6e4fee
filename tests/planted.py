"""Series with known moves: simulated ones, and moves planted into real noise; and how well a detection found them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

import truth_rows
from faultset.impacts.detect import Detection
from faultset.impacts.windows import Series
from faultset.moments import epoch_us, from_epoch
from faultset.records.telemetry import TelemetryFile
from faultset.simulator.plan import SECOND, Size, WorkloadPlan
from faultset.simulator.scenarios import SCENARIOS
from faultset.simulator.telemetry import KPIS, NodeMetrics, WantedMove, measure
from faultset.simulator.timeline import play
from faultset.simulator.truth import InjectionTruth
from faultset.sources.telemetry.series import read_series, spread_within
from faultset.tables import ImpactRow, InjectionRow

REAL = Path(__file__).parents[2] / "shared" / "real" / "msod" / "glances_out.csv"
PLAYED = ("nova-compute-restart", "glance-api-restart", "neutron-agents-restart", "partial-failure", "invisible-hook")

Key = tuple[str, str, str]  # injection, node, KPI
Recording = Mapping[str, Series]  # KPI -> series of one node

# Iterations, where the usual ones are so few that moves of more than 45 s would run into each other on one node.
LONGER = {"invisible-hook": 450}


class Move(NamedTuple):
    """When something was moved, in microseconds, and which way."""

    start_us: int
    end_us: int
    direction: str


@dataclass(frozen=True)
class Trial:
    """What a detector is given, and the truth."""

    series: dict[tuple[str, str], Series]
    injections: list[InjectionRow]
    targets: dict[str, frozenset[str]]
    moves: dict[Key, Move]


def injection(name: str, start_us: int, end_us: int, uncertainty_s: float = 0.0) -> InjectionRow:
    """An injection; with an uncertainty of a second its times are cut to whole seconds, as HTML reports do."""
    if uncertainty_s:
        start_us, end_us = start_us // SECOND * SECOND, end_us // SECOND * SECOND
    return truth_rows.injection(
        name,
        from_epoch(start_us / SECOND),
        from_epoch(end_us / SECOND),
        workload_id="workload",
        start_uncertainty_s=uncertainty_s,
        end_uncertainty_s=uncertainty_s,
        time_source="report" if uncertainty_s else "results",
    )


# --- simulated ------------------------------------------------------------------------------------------------------


def simulated(scenario: str, seed: int, size: float | None, seconds: float | None) -> Trial:
    """The metrics of a simulated experiment, as ``simulate(kpi_size=size, kpi_seconds=seconds)`` would write them.

    Without the load averages, which nothing moves, for the time that they take.
    """
    plan = SCENARIOS[scenario](Size(LONGER.get(scenario) if seconds and seconds > 45 else None))
    played = play(plan, seed)
    ran = [workload for run in played for workload in run.workloads]
    begin = min(workload.started_us for workload in ran) - 300 * SECOND
    end = max(run.finished_us for run in played) + 300 * SECOND
    fired = [(firing.truth, workload.plan) for workload in ran for firing in workload.firings]
    wanted: dict[str, list[WantedMove]] = {}
    for truth, workload in fired:
        for node in {target.node for target in truth.targets if target.effective}:
            wanted.setdefault(node, []).extend(_wanted(truth, workload, size, seconds))
    trial = Trial({}, [], {}, {})
    for truth, _ in fired:
        trial.injections.append(injection(truth.injection_id, truth.started_at_us, truth.ended_at_us))
        trial.targets[truth.injection_id] = frozenset(one.node for one in truth.targets if one.effective)
    for node in (one.name for one in plan.cluster.nodes):
        metrics = measure(node, wanted.get(node, ()), begin, end, seed, drift={})
        recorded = _recorded(node, metrics)
        trial.series.update({(node, kpi): recorded[node, kpi] for kpi in KPIS})
        for move in metrics.moves:
            trial.moves[move.injection_id, node, move.kpi] = Move(
                move.started_at_us, move.ended_at_us, "up" if move.size > 0 else "down"
            )
    return trial


def _wanted(truth: InjectionTruth, plan: WorkloadPlan, size: float | None, seconds: float | None) -> list[WantedMove]:
    moves = []
    for impact in plan.hooks[truth.hook_index].impacts:
        fades = truth.ended_at_us + round(impact.recovery_s / 2 * SECOND)
        ends = truth.ended_at_us + round(impact.recovery_s * SECOND)
        if seconds is not None:
            fades = ends = truth.started_at_us + round(seconds * SECOND)
        by = impact.size if size is None else float(np.copysign(size, impact.size))
        moves.append(WantedMove(truth.injection_id, impact.kpi, truth.started_at_us, fades, ends, by))
    return moves


def _recorded(node: str, metrics: NodeMetrics) -> dict[tuple[str, str], Series]:
    """The values as a collector writes them: whole seconds, few decimals."""
    time = spread_within(metrics.sampled_us // SECOND * SECOND, SECOND)
    values = dict(zip(KPIS, (np.round(metrics.cpu_user, 1), np.rint(metrics.mem_used / 4096) * 4096), strict=True))
    values.update({f"load.min{of}": load for of, load in zip((1, 5, 15), metrics.loads, strict=True)})
    values["load.cpucore"] = np.full(len(time), 8.0)
    return {(node, kpi): Series(time, value) for kpi, value in values.items()}


def large(seconds: int, windows: int) -> Trial:
    """Five nodes of six KPIs, a row a second, with windows of 2 to 60 s in which nothing happens."""
    random = np.random.default_rng(0)
    begin = 1_700_000_000 * SECOND
    trial = Trial({}, [], {}, {})
    for node in (f"node{number}" for number in range(5)):
        trial.series.update(_recorded(node, measure(node, (), begin, begin + seconds * SECOND, 0, drift={})))
    for number in range(windows):
        start = begin + int(random.integers(400, seconds - 200)) * SECOND
        trial.injections.append(injection(f"i{number}", start, start + int(random.integers(2, 60)) * SECOND))
    return trial


# --- planted into real noise ----------------------------------------------------------------------------------------


def real_recording() -> Recording:
    """The KPIs of a machine, recorded over 18 hours under load."""
    file = TelemetryFile("metrics", str(REAL), REAL.name, "Europe/Berlin")
    return {kpi: Series(found[0], found[1]) for (_, kpi), found in read_series(file).items()}


@dataclass(frozen=True)
class Planting:
    """What to plant.

    Attributes:
        size: in robust standard deviations of the 300 s before.
        seconds: length of windows and moves: from, to.
        injections: how many.
        every_s: seconds from one injection to the next, on average: from, to.
        uncertainty_s: of each end of the windows.
        overlapping: share of injections that overlap with another: half of that time, its window's start or both its
            edges are set beside another's.
    """

    size: float
    seconds: tuple[float, float]
    injections: int
    every_s: tuple[float, float] = (150.0, 500.0)
    uncertainty_s: float = 0.0
    overlapping: float = 0.0


def planted(recording: Recording, wanted: Planting, seed: int) -> Trial:
    """A stretch of the recording with moves planted in half of the KPIs by half of the injections."""
    random = np.random.default_rng([seed, wanted.injections])
    cut = _cut(recording, wanted, random)
    time = next(iter(cut.values())).time_us
    windows = _windows(time, wanted, random)
    acting = random.permutation(len(windows)) < max(1, len(windows) // 2)
    movable = [kpi for kpi in sorted(cut) if np.ptp(cut[kpi].value)]
    touched = random.choice(movable, size=len(cut) // 2, replace=False).tolist()
    trial = Trial({}, [], {}, {})
    values = {kpi: one.value.copy() for kpi, one in cut.items()}
    for number, (start, end) in enumerate(windows):
        name = f"i{number:03}"
        trial.injections.append(injection(name, start, end, wanted.uncertainty_s))
        for kpi in touched if acting[number] else ():
            by = wanted.size * _robust_sd_before(cut[kpi], start) * random.choice([-1.0, 1.0])
            if by:
                values[kpi][(time >= start) & (time < end)] += by
                trial.moves[name, "node", kpi] = Move(start, end, "up" if by > 0 else "down")
    for kpi, value in values.items():
        trial.series["node", kpi] = Series(time, np.round(value, 0 if kpi == "mem.used" else 2))
    return trial


def _cut(recording: Recording, wanted: Planting, random: np.random.Generator) -> Recording:
    time = next(iter(recording.values())).time_us
    seconds = wanted.injections * random.uniform(*wanted.every_s) + 900
    begin = int(random.integers(time[0], time[-1] - round(seconds * SECOND)))
    rows = slice(*np.searchsorted(time, [begin, begin + round(seconds * SECOND)]).tolist())
    return {kpi: Series(one.time_us[rows], one.value[rows]) for kpi, one in recording.items()}


def _windows(
    time: np.ndarray[tuple[int], np.dtype[np.int64]], wanted: Planting, random: np.random.Generator
) -> list[tuple[int, int]]:
    """Windows at random, well inside the recording, over rows, at least 40 s apart unless they shall overlap."""
    found: list[tuple[int, int]] = []
    single: list[tuple[int, int]] = []
    while len(found) < wanted.injections:
        length = round(random.uniform(*wanted.seconds) * SECOND)
        beside = bool(single) and random.random() < wanted.overlapping
        if beside:
            other = single[int(random.integers(len(single)))]
            start, length = _beside(other, length, random)
        else:
            start = int(random.integers(time[0] + 320 * SECOND, time[-1] - 120 * SECOND))
            if any(start < end + 40 * SECOND and begin < start + length + 40 * SECOND for begin, end in found):
                continue
        inside = np.count_nonzero((time >= start) & (time < start + length))
        if inside * SECOND < 0.6 * length:
            continue
        found.append((start, start + length))
        single = [one for one in single if one != other] if beside else [*single, found[-1]]
    return sorted(found)


def _beside(other: tuple[int, int], length: int, random: np.random.Generator) -> tuple[int, int]:
    """A window that overlaps partly, is nested or has the same start."""
    kind = int(random.integers(3))
    if kind == 0:
        return other[0] + round(random.uniform(0.3, 0.8) * (other[1] - other[0])), length
    if kind == 1:
        share = random.uniform(0.3, 0.5)
        return other[0] + round(share / 2 * (other[1] - other[0])), round(share * (other[1] - other[0]))
    return other[0], round(random.choice([0.5, 0.7, 1.4, 1.8]) * (other[1] - other[0]))


def _robust_sd_before(series: Series, moment: int) -> float:
    first, last = np.searchsorted(series.time_us, [moment - 300 * SECOND, moment])
    before = series.value[first:last]
    return 1.4826 * float(np.median(np.abs(before - np.median(before)))) if len(before) else 0.0


# --- how well it was found ------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """Counts over many trials, and errors of what was found, in seconds."""

    right: int = 0
    missed: int = 0
    false: int = 0
    untouched: int = 0
    wrong_way: int = 0
    start_errors: list[float] = field(default_factory=list)
    end_errors: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Share of what was found that is right."""
        return self.right / max(1, self.right + self.false)

    @property
    def recall(self) -> float:
        """Share of the moves that were found."""
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / max(1, 2 * self.right + self.false + self.missed)

    @property
    def false_share(self) -> float:
        """Share of untouched injection x node x KPI with an impact."""
        return self.false / max(1, self.untouched)

    def add(self, trial: Trial, found: Detection) -> Tally:
        """Count a detection."""
        impacts = {(one.injection_id, one.node, one.kpi): one for one in found.impacts}
        every = {(one.injection_id, one.node, one.kpi) for one in found.tested}
        self.right += len(impacts.keys() & trial.moves.keys())
        self.missed += len(trial.moves.keys() - impacts.keys())
        self.false += len(impacts.keys() - trial.moves.keys())
        self.untouched += len(every - trial.moves.keys())
        for key in impacts.keys() & trial.moves.keys():
            self._compare(impacts[key], trial.moves[key])
        return self

    def _compare(self, impact: ImpactRow, move: Move) -> None:
        self.wrong_way += impact.direction != move.direction
        self.start_errors.append(abs(epoch_us(impact.started_at) - move.start_us) / SECOND)
        self.end_errors.append(abs(epoch_us(impact.ended_at) - move.end_us) / SECOND)


def tally(trials: Iterable[Trial], detector: Callable[[Trial], Detection]) -> Tally:
    """Run a detector over trials."""
    total = Tally()
    for trial in trials:
        total.add(trial, detector(trial))
    return total
