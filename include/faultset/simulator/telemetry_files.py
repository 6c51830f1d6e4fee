"""The files of telemetry: metrics, logs and traces with what is wrong with them, and the reviewed impacts."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faultset.errors import InputError
from faultset.simulator import clocks, logs, telemetry, traces
from faultset.simulator.plan import SECOND, Disturbances, Flags, ImpactPlan, Microseconds, Scenario
from faultset.simulator.rows import pack
from faultset.simulator.timeline import PlayedRun, PlayedWorkload
from faultset.simulator.truth import (
    GapTruth,
    InjectionTruth,
    KpiMove,
    MetricsTruth,
    NodeDrift,
    TelemetryKind,
    TelemetryTruth,
)

METRICS, LOGS, TRACES = "metrics", "logs", "traces"
IMPACTS = "impacts.csv"
DECLARED = (
    {"kind": "metrics", "files": f"{METRICS}/*.csv", "time_zone": telemetry.TIME_ZONE},
    {"kind": "logs", "files": f"{LOGS}/*.csv", "time_zone": logs.TIME_ZONE},
    {"kind": "traces", "files": f"{TRACES}/*.csv", "time_zone": traces.TIME_ZONE},
    {"kind": "traces", "files": f"{TRACES}/*.json", "time_zone": traces.TIME_ZONE},
)

_MARGIN_US = 300 * SECOND  # before the first load and after the last
_REVIEWED_AS = {"NovaServers": "boot", "GlanceImages": "image", "NeutronNetworks": "network"}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    metrics: tuple[MetricsTruth, ...]
    kpi_moves: tuple[KpiMove, ...]
    telemetry: tuple[TelemetryTruth, ...]
    drifts: tuple[NodeDrift, ...]


@dataclass(frozen=True, slots=True)
class _Spread:
    """The telemetry of one experiment: from when to when, of what, and what is wrong with it."""

    plan: Scenario
    played: tuple[PlayedRun, ...]
    seed: int
    wrong: Disturbances
    begin_us: int
    load_end_us: int
    end_us: int
    drifts: dict[str, NodeDrift]

    @property
    def ran(self) -> list[tuple[PlayedRun, PlayedWorkload]]:
        """Every workload that ran, with its run."""
        return [(run, workload) for run in self.played for workload in run.workloads]

    @property
    def injections(self) -> list[InjectionTruth]:
        """All injections, by start."""
        fired = [firing.truth for _, workload in self.ran for firing in workload.firings]
        return sorted(fired, key=lambda one: (one.started_at_us, one.injection_id))

    def random(self, purpose: str) -> np.random.Generator:
        """Return chance for one purpose, the same for the same seed."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])


def paths(plan: Scenario, played: tuple[PlayedRun, ...]) -> list[str]:
    """Return the paths of all files of telemetry."""
    nodes = [node.name for node in plan.cluster.nodes]
    ran = [(run, workload) for run in played for workload in run.workloads]
    return [
        *(f"{METRICS}/{node}_metrics.csv" for node in nodes),
        *(f"{LOGS}/{name}.csv" for name in (["all"] if plan.logs_in_one_file else nodes)),
        *(f"{TRACES}/{traces.file_of(run, workload)}" for run, workload in ran),
        f"{TRACES}/{traces.tree_of(_trace_id_of_tree(ran[0][1]))}",
    ]


def check(folder: Path, expected: Iterable[str], wrong: Disturbances) -> None:
    """Refuse a folder with telemetry of another experiment, and shifts of files that are none of this one's.

    Raises:
        InputError: one of the two.
    """
    ours = set(expected)
    for kind in (METRICS, LOGS, TRACES):
        found = sorted(path for path in (folder / kind).glob("*") if path.suffix in {".csv", ".json"})
        other = next((path for path in found if f"{kind}/{path.name}" not in ours), None)
        if other is not None:
            # experiment.yaml names the telemetry by patterns, which would take this in.
            raise InputError(folder, f"{kind}/{other.name} is of another experiment", "give an empty folder")
    unknown = sorted(set(wrong.shift_hours) - ours - {METRICS, LOGS, TRACES})
    if unknown:
        remedy = f"name a kind (metrics, logs, traces) or one of {', '.join(sorted(ours))}"
        raise InputError("simulate", f"there is no telemetry {unknown[0]} to shift", remedy)


def write(plan: Scenario, played: tuple[PlayedRun, ...], folder: Path, seed: int, wrong: Disturbances) -> Written:
    """Write all telemetry into ``folder``."""
    spread = _spread(plan, played, seed, wrong)
    for kind in (METRICS, LOGS, TRACES):
        (folder / kind).mkdir(exist_ok=True)
    metrics, moves, files = _metrics(spread, folder)
    files.extend(_logs(spread, folder))
    files.extend(_traces(spread, folder))
    return Written(tuple(metrics), tuple(moves), tuple(files), tuple(spread.drifts.values()))


def _spread(plan: Scenario, played: tuple[PlayedRun, ...], seed: int, wrong: Disturbances) -> _Spread:
    begin = min(workload.started_us for run in played for workload in run.workloads) - _MARGIN_US
    load_end = end = max(run.finished_us for run in played) + _MARGIN_US
    if plan.metric_seconds is not None:
        end = begin + plan.metric_seconds * SECOND
    random = np.random.default_rng([seed, zlib.crc32(b"drifts")])
    drifts = {node.name: _drift(node.name, wrong, random) for node in plan.cluster.nodes}
    return _Spread(plan, played, seed, wrong, begin, min(load_end, end), end, drifts)


def _drift(node: str, wrong: Disturbances, random: np.random.Generator) -> NodeDrift:
    """Return how ``node`` drifts: each clock and each KPI at half to all of the rate, either way."""
    rates = random.uniform(0.5, 1.0, 3) * random.choice([-1.0, 1.0], 3)
    levels = {kpi: float(rate * wrong.level_drift) for kpi, rate in zip(telemetry.KPIS, rates[1:], strict=True)}
    return NodeDrift(node, float(rates[0] * wrong.clock_drift_ppm), levels)


def _write(path: Path, pieces: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
        file.writelines(pieces)


# --- what is wrong --------------------------------------------------------------------------------------------------


def _shift_hours(spread: _Spread, path: str) -> float:
    kind = path.split("/", maxsplit=1)[0]
    return float(spread.wrong.shift_hours.get(path, spread.wrong.shift_hours.get(kind, 0.0)))


def _gaps(spread: _Spread, path: str, end_us: int) -> tuple[GapTruth, ...]:
    """Return where ``path`` has no row: at random, and in some windows, half of one or all of it."""
    random = spread.random(f"gaps/{path}")
    if not spread.wrong.gaps:
        return ()
    found = []
    for _ in range(spread.wrong.gaps):
        start = int(random.integers(spread.begin_us, end_us))
        found.append(GapTruth(start, start + int(random.uniform(5, 60) * SECOND), None))
    for one in spread.injections:
        first, last = ((0.25, 0.75), (-0.05, 1.05), (0.0, 0.0))[int(random.integers(3))]
        length = one.ended_at_us - one.started_at_us
        if last:
            start, end = (one.started_at_us + round(length * share) for share in (first, last))
            found.append(GapTruth(start, end, one.injection_id))
    return tuple(sorted(found, key=lambda gap: (gap.started_at_us, gap.ended_at_us)))


def _cut(spread: _Spread, path: str, moments: Microseconds, end_us: int) -> tuple[Flags, tuple[GapTruth, ...]]:
    """Return which rows are left, and the gaps; none where they would take all rows of a short file."""
    gaps = _gaps(spread, path, end_us)
    kept = np.ones(len(moments), dtype=np.bool_)
    for gap in gaps:
        kept &= (moments < gap.started_at_us) | (moments >= gap.ended_at_us)
    return (kept, gaps) if kept.any() else (~kept, ())


def _read(spread: _Spread, nodes: Iterable[str], moments: Microseconds) -> Microseconds:
    """Return what the clocks of ``nodes``, one a row, show at ``moments``."""
    ppm = np.array([spread.drifts[node].clock_ppm for node in nodes], dtype=np.float64)
    return clocks.drifted(moments, spread.begin_us, ppm)


def _truth(
    spread: _Spread,
    path: str,
    kind: TelemetryKind,
    nodes: list[str],
    moments: Microseconds,
    *,
    time_zone: str,
    resolution_us: int,
    end_us: int,
    gaps: tuple[GapTruth, ...] = (),
    leaking: Iterable[int] = (),
) -> TelemetryTruth:
    names, where = np.unique(np.array(nodes, dtype=np.str_), return_inverse=True)
    return TelemetryTruth(
        path=path,
        kind=kind,
        time_zone=time_zone,
        rows=len(moments),
        started_at_us=spread.begin_us,
        ended_at_us=end_us,
        resolution_us=resolution_us,
        has_offset=kind == "logs",
        shift_hours=_shift_hours(spread, path),
        gaps=gaps,
        leaking_rows=tuple(leaking),
        nodes=tuple(str(name) for name in names),
        moments=pack(moments),
        row_nodes=pack(where),
    )


# --- metrics --------------------------------------------------------------------------------------------------------


def _metrics(spread: _Spread, folder: Path) -> tuple[list[MetricsTruth], list[KpiMove], list[TelemetryTruth]]:
    wanted = _wanted_moves(spread)
    metrics: list[MetricsTruth] = []
    moves: list[KpiMove] = []
    files: list[TelemetryTruth] = []
    for node in (node.name for node in spread.plan.cluster.nodes):
        path = f"{METRICS}/{node}_metrics.csv"
        drift = spread.drifts[node]
        measured = telemetry.measure(
            node, wanted.get(node, []), spread.begin_us, spread.end_us, spread.seed, drift=drift.level_sd_per_hour
        )
        kept, gaps = _cut(spread, path, measured.sampled_us, spread.end_us)
        measured = measured.only(kept)
        count = len(measured.sampled_us)
        read = clocks.drifted(measured.sampled_us, spread.begin_us, drift.clock_ppm)
        _write(folder / path, telemetry.rows(measured, read, round(_shift_hours(spread, path) * clocks.HOUR)))
        metrics.append(MetricsTruth(path, node, count, spread.begin_us, spread.end_us, telemetry.TIME_ZONE))
        moves.extend(measured.moves)
        files.append(
            _truth(
                spread,
                path,
                "metrics",
                [node] * count,
                measured.sampled_us,
                time_zone=telemetry.TIME_ZONE,
                resolution_us=SECOND,
                end_us=spread.end_us,
                gaps=gaps,
            )
        )
    return metrics, moves, files


def _wanted_moves(spread: _Spread) -> dict[str, list[telemetry.WantedMove]]:
    """Return node -> moves: each KPI that a hook moves, on each node that it took hold on."""
    wanted: dict[str, list[telemetry.WantedMove]] = {}
    if spread.wrong.kpi_size == 0:
        return wanted
    for _, workload in spread.ran:
        for injection in (firing.truth for firing in workload.firings):
            hit = dict.fromkeys(target.node for target in injection.targets if target.effective)
            for impact in workload.plan.hooks[injection.hook_index].impacts:
                move = _wanted_move(injection, impact, spread.wrong)
                for node in hit:
                    wanted.setdefault(node, []).append(move)
    return wanted


def _wanted_move(injection: InjectionTruth, impact: ImpactPlan, wrong: Disturbances) -> telemetry.WantedMove:
    recovery = round(impact.recovery_s * SECOND)
    fades, end = injection.lasts_until_us + recovery // 2, injection.lasts_until_us + recovery
    if wrong.kpi_seconds is not None:
        fades = end = injection.started_at_us + round(wrong.kpi_seconds * SECOND)
    size = impact.size if wrong.kpi_size is None else float(np.copysign(wrong.kpi_size, impact.size))
    return telemetry.WantedMove(injection.injection_id, impact.kpi, injection.started_at_us, fades, end, size)


# --- logs -----------------------------------------------------------------------------------------------------------


def _logs(spread: _Spread, folder: Path) -> Iterator[TelemetryTruth]:
    every = logs.lines(spread.plan, spread.played, spread.begin_us, spread.load_end_us, spread.seed)
    if spread.plan.logs_in_one_file:
        yield _log_file(spread, folder, f"{LOGS}/all.csv", every)
        return
    by_node: dict[str, list[logs.Line]] = {node.name: [] for node in spread.plan.cluster.nodes}
    for line in every:
        by_node[line.node].append(line)
    for node, some in by_node.items():
        yield _log_file(spread, folder, f"{LOGS}/{node}.csv", some)


def _log_file(spread: _Spread, folder: Path, path: str, found: list[logs.Line]) -> TelemetryTruth:
    ordered = logs.exported(found, path, spread.seed)
    every = np.array([line.at_us for line in ordered], dtype=np.int64)
    kept, gaps = _cut(spread, path, every, spread.load_end_us)
    ordered = [line for line, keep in zip(ordered, kept.tolist(), strict=True) if keep]
    moments = every[kept]
    nodes = [line.node for line in ordered]
    shift = round(_shift_hours(spread, path) * clocks.HOUR)
    _write(folder / path, logs.rows(ordered, _read(spread, nodes, moments), shift))
    return _truth(
        spread,
        path,
        "logs",
        nodes,
        moments,
        time_zone=logs.TIME_ZONE,
        resolution_us=1_000,
        end_us=spread.load_end_us,
        gaps=gaps,
        leaking=[row for row, line in enumerate(ordered) if line.leaks],
    )


# --- traces ---------------------------------------------------------------------------------------------------------


def _traces(spread: _Spread, folder: Path) -> Iterator[TelemetryTruth]:
    for place, (run, workload) in enumerate(spread.ran):
        path = f"{TRACES}/{traces.file_of(run, workload)}"
        found = traces.spans(workload, spread.plan.cluster, path, spread.seed)
        yield _trace_table(spread, folder, path, found)
        if place == 0:
            trace_id = _trace_id_of_tree(workload)
            yield _trace_tree(spread, folder, trace_id, [span for span in found if span.base_id == trace_id])


def _trace_id_of_tree(workload: PlayedWorkload) -> str:
    return workload.load.trace_ids[traces.shown_as_tree(workload)]


def _trace_table(spread: _Spread, folder: Path, path: str, found: list[traces.Span]) -> TelemetryTruth:
    ordered = traces.events(found)
    every = np.array([event.at_us for event in ordered], dtype=np.int64)
    kept, gaps = _cut(spread, path, every, spread.load_end_us)
    ordered = [event for event, keep in zip(ordered, kept.tolist(), strict=True) if keep]
    moments = every[kept]
    nodes = [event.span.host for event in ordered]
    shift = round(_shift_hours(spread, path) * clocks.HOUR)
    _write(folder / path, traces.rows(ordered, _read(spread, nodes, moments), shift))
    end = max(spread.load_end_us, int(moments.max(initial=0)))
    return _truth(
        spread, path, "traces", nodes, moments, time_zone=traces.TIME_ZONE, resolution_us=1, end_us=end, gaps=gaps
    )


def _trace_tree(spread: _Spread, folder: Path, trace_id: str, found: list[traces.Span]) -> TelemetryTruth:
    path = f"{TRACES}/{traces.tree_of(trace_id)}"
    nodes = [span.host for span in found]
    starts = np.array([span.started_us for span in found], dtype=np.int64)
    stops = np.array([span.ended_us for span in found], dtype=np.int64)
    shift = round(_shift_hours(spread, path) * clocks.HOUR)
    read = zip(*((_read(spread, nodes, moments) + shift).tolist() for moments in (starts, stops)), strict=True)
    written: Mapping[str, tuple[int, int]] = dict(zip([span.trace_id for span in found], read, strict=True))
    _write(folder / path, [traces.tree(found, written)])
    end = max(spread.load_end_us, int(stops.max()))
    return _truth(spread, path, "traces", nodes, starts, time_zone=traces.TIME_ZONE, resolution_us=1, end_us=end)


# --- reviewed impacts -----------------------------------------------------------------------------------------------


def write_reviews(folder: Path, moves: Iterable[KpiMove]) -> None:
    """Write the moves as a person notes them: from the injection's start, to the half second where all is quiet."""
    header = "anomaly_type,node_name,metric_name,start_time,start_timestamp,end_time,end_timestamp\n"
    ordered = sorted(moves, key=lambda move: (move.started_at_us, move.node, move.kpi))
    _write(folder / IMPACTS, [header, *(_review(move) for move in ordered)])


def _review(move: KpiMove) -> str:
    workload = move.injection_id.split("/hook")[0].split("/")[-2]
    kind = _REVIEWED_AS.get(workload.split(".")[0], "other")
    half = SECOND // 2
    end = (move.ended_at_us + half // 2) // half * half
    cells = [kind, move.node, move.kpi]
    for moment in (move.started_at_us, end):
        wall, _ = clocks.local(np.array([moment], dtype=np.int64), telemetry.TIME_ZONE)
        cells += [f"{clocks.texts(wall, 'us')[0]} CEST", repr(moment / SECOND)]
    return ",".join(cells) + "\n"
