"""What is true of a simulated experiment; ``truth.json`` holds the same.

All times are whole microseconds since the epoch, so that nothing is lost on the way into a file and back. Nothing here
is shared with the readers: the truth is an oracle of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faultset.simulator.plan import Disturbances, NodePlan, Unit

Effect = Literal["full", "partial", "none"]
TelemetryKind = Literal["metrics", "logs", "traces"]
NEVER_US = 1 << 62  # past all that is recorded


@dataclass(frozen=True, slots=True)
class TargetTruth:
    """A node and container that an injection acted on, or tried to.

    Attributes:
        node: short name.
        node_ip: IP.
        role: role.
        component: key in the os-faults file.
        container: name that the machine knows it by.
        actions: single actions commanded there, in order.
        declared: the os-faults file says that the container runs there.
        commanded: the hook went there.
        effective: the container was acted on.
        recorded: some file says that it was this node; False for a random choice.
    """

    node: str
    node_ip: str
    role: str
    component: str
    container: str
    actions: tuple[str, ...]
    declared: bool
    commanded: bool
    effective: bool
    recorded: bool


@dataclass(frozen=True, slots=True)
class InjectionTruth:
    """One firing of a hook.

    Attributes:
        injection_id: readable and unique in the experiment.
        hook_index: place of the hook in the workload's configuration.
        unit: what triggered it.
        value: at which iteration (from 1) or second (from 0).
        started_at_us: exact start.
        ended_at_us: exact end.
        status: Rally's word.
        return_code: of a ``sys_call``; None for other hooks.
        effect: on all commanded targets, some or none.
        shown_in_html: whether a report shows this firing.
        targets: what it acted on.
        fault_ended_at_us: when the fault itself ended; None where it lasted longer than anything that is recorded.
        fault_end_known_us: between which moments it ended, as far as the files can tell; None where they cannot.
    """

    injection_id: str
    hook_index: int
    unit: Unit
    value: int
    started_at_us: int
    ended_at_us: int
    status: str
    return_code: int | None
    effect: Effect
    shown_in_html: bool
    targets: tuple[TargetTruth, ...]
    fault_ended_at_us: int | None
    fault_end_known_us: tuple[int, int] | None

    @property
    def lasts_until_us(self) -> int:
        """When the fault ended; later than all that is recorded where it did not."""
        return NEVER_US if self.fault_ended_at_us is None else self.fault_ended_at_us


@dataclass(frozen=True, slots=True)
class TriggerTruth:
    """A planned value of a hook's trigger, and what became of it; ``shown_in_html`` only where it fired and shows."""

    unit: Unit
    value: int
    outcome: Literal["fired", "not_reached"]
    shown_in_html: bool
    injection_id: str | None


@dataclass(frozen=True, slots=True)
class HookTruth:
    """A hook as configured."""

    index: int
    name: str
    action: str
    description: str
    kind: Literal["event", "periodic"]
    triggers: tuple[TriggerTruth, ...]


@dataclass(frozen=True, slots=True)
class SlaTruth:
    """A criterion of the SLA and its verdict."""

    criterion: str
    passed: bool


@dataclass(frozen=True, slots=True)
class IterationsTruth:
    """Iterations column by column, ordered by number (from 1).

    Attributes:
        started_at_us: exact start.
        ended_at_us: exact end, with idle time.
        idle_us: idle time inside.
        failed: whether it failed.
        trace_id: OSProfiler trace id.
        injections: iteration number -> ids of all injections, of any run, whose window it overlaps.
    """

    started_at_us: tuple[int, ...] = ()
    ended_at_us: tuple[int, ...] = ()
    idle_us: tuple[int, ...] = ()
    failed: tuple[bool, ...] = ()
    trace_id: tuple[str, ...] = ()
    injections: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkloadTruth:
    """A workload as planned and as it ran.

    Attributes:
        name: scenario.
        position: counted per scenario name over the whole task, from 0.
        ran: False where an abort of the task left it out; everything below is then empty.
        uuid: Rally's id.
        runner: runner plugin.
        times: iterations asked for.
        concurrency: parallel iterations asked for.
        iterations: iterations that ran.
        failed_iterations: iterations that failed.
        created_at_us: when Rally created it, whole seconds.
        started_at_us: start of the load.
        ended_at_us: end of the last iteration.
        sla_passed: verdict.
        sla: each criterion.
        hooks: hooks with every planned trigger.
        injections: what fired, by start.
        iteration: the iterations.
    """

    name: str
    position: int
    ran: bool
    uuid: str | None
    runner: str
    times: int
    concurrency: int
    iterations: int
    failed_iterations: int
    created_at_us: int | None
    started_at_us: int | None
    ended_at_us: int | None
    sla_passed: bool | None
    sla: tuple[SlaTruth, ...]
    hooks: tuple[HookTruth, ...]
    injections: tuple[InjectionTruth, ...]
    iteration: IterationsTruth


@dataclass(frozen=True, slots=True)
class RunTruth:
    """A Rally task and its files, named relative to the experiment's folder; None where not written."""

    report: str
    results: str | None
    results_old: str | None
    hook_scripts: tuple[str, ...]
    rally_version: str
    rendered_in: str
    aborted: bool
    workloads: tuple[WorkloadTruth, ...]


@dataclass(frozen=True, slots=True)
class KpiMove:
    """A KPI of a node that an injection moved.

    Attributes:
        injection_id: what moved it.
        node: short name.
        kpi: column of the metrics.
        started_at_us: start of the move.
        ended_at_us: end of the move.
        size: shift in the KPI's own unit, signed.
        size_in_robust_sd: the same in robust standard deviations (1.4826 x MAD) of the short-term noise.
    """

    injection_id: str
    node: str
    kpi: str
    started_at_us: int
    ended_at_us: int
    size: float
    size_in_robust_sd: float


@dataclass(frozen=True, slots=True)
class MetricsTruth:
    """A metrics file; rows of the true moments in [started_at_us, ended_at_us], written as wall-clock text."""

    path: str
    node: str
    rows: int
    started_at_us: int
    ended_at_us: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class GapTruth:
    """Time of which a file has no row; ``injection_id`` where it lies in an injection's window on purpose."""

    started_at_us: int
    ended_at_us: int
    injection_id: str | None


@dataclass(frozen=True, slots=True)
class TelemetryTruth:
    """A file of telemetry; ``rows.row_truth`` tells of its rows.

    Attributes:
        path: relative to the experiment's folder.
        kind: what it holds.
        time_zone: IANA zone that the experiment declares for it.
        rows: how many; of an OSProfiler tree its spans, parents before children, each at its start.
        started_at_us: when the file begins; where clocks drift, they were right then.
        ended_at_us: no row is later.
        resolution_us: the text of a row's time is cut to this.
        has_offset: whether the text of a row's time says its offset from UTC.
        shift_hours: the text is this many hours ahead of what its zone says.
        gaps: where rows are missing.
        leaking_rows: rows (from 0, the header not counted) that name an injection.
        nodes: short names, in order.
        moments: true time of each row, packed.
        row_nodes: place in ``nodes`` of each row, packed.
    """

    path: str
    kind: TelemetryKind
    time_zone: str
    rows: int
    started_at_us: int
    ended_at_us: int
    resolution_us: int
    has_offset: bool
    shift_hours: float
    gaps: tuple[GapTruth, ...]
    leaking_rows: tuple[int, ...]
    nodes: tuple[str, ...]
    moments: str
    row_nodes: str


@dataclass(frozen=True, slots=True)
class NodeDrift:
    """How a node's clock gains (microseconds a second), and by how many robust sd an hour each KPI creeps."""

    node: str
    clock_ppm: float
    level_sd_per_hour: dict[str, float]


@dataclass(frozen=True, slots=True)
class ComponentTruth:
    """A component as declared: IPs of its hosts, in order."""

    key: str
    container: str
    section: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterTruth:
    """The cluster as declared, and what is declared and yet not there."""

    path: str
    nodes: tuple[NodePlan, ...]
    components: tuple[ComponentTruth, ...]
    absent: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """Everything that is true of a simulated experiment; ``truth.json`` holds the same."""

    scenario: str
    seed: int
    title: str
    runs: tuple[RunTruth, ...]
    cluster: ClusterTruth
    metrics: tuple[MetricsTruth, ...]
    kpi_moves: tuple[KpiMove, ...]
    telemetry: tuple[TelemetryTruth, ...] = ()
    drifts: tuple[NodeDrift, ...] = ()
    reviewed_impacts: str | None = None
    disturbances: Disturbances = field(default_factory=Disturbances)

    @property
    def workloads(self) -> tuple[WorkloadTruth, ...]:
        """All workloads of all runs."""
        return tuple(workload for run in self.runs for workload in run.workloads)

    @property
    def injections(self) -> tuple[InjectionTruth, ...]:
        """All injections of all runs, by start."""
        found = [injection for workload in self.workloads for injection in workload.injections]
        return tuple(sorted(found, key=lambda injection: (injection.started_at_us, injection.injection_id)))
