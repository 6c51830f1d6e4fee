"""What to simulate: a cluster, the faults, the load; and how large."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Unit = Literal["iteration", "time"]
Microseconds = npt.NDArray[np.int64]  # since the epoch, or a duration
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SECOND = 1_000_000
# Fake credentials of the simulated files; whoever reads those files must never let one out.
SECRETS = ("simulated-password", "simulated-become-password", "simulated-key-file")


@dataclass(frozen=True, slots=True)
class Size:
    """How large an experiment shall be; None leaves the choice to the scenario.

    Attributes:
        iterations: iterations asked for in each workload.
        injections: firings of each ``event`` hook over iterations, spread evenly over the run.
        nodes: nodes of the cluster, one of them the controller.
        metric_seconds: length of the metrics.
        error_share: share of iterations, 0 to 1, that fail without a fault being near.
    """

    iterations: int | None = None
    injections: int | None = None
    nodes: int | None = None
    metric_seconds: int | None = None
    error_share: float | None = None


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What is wrong with the telemetry, and how far the KPIs move; see ``simulate``."""

    shift_hours: Mapping[str, float] = field(default_factory=dict)
    gaps: int = 0
    clock_drift_ppm: float = 0.0
    level_drift: float = 0.0
    dst: bool = False
    kpi_size: float | None = None
    kpi_seconds: float | None = None


# --- the cluster ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A host: short name, IP and role as the os-faults file has them."""

    name: str
    ip: str
    role: str


@dataclass(frozen=True, slots=True)
class ComponentPlan:
    """A container (or service) that the os-faults file declares on ``hosts`` (node names)."""

    key: str
    container: str
    hosts: tuple[str, ...]
    section: Literal["containers", "services"] = "containers"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """The cluster as declared, and ``absent``: (node, container) that is declared and yet not there."""

    nodes: tuple[NodePlan, ...]
    components: tuple[ComponentPlan, ...]
    absent: frozenset[tuple[str, str]] = frozenset()

    def node(self, name: str) -> NodePlan:
        """Return the node called ``name``."""
        return next(node for node in self.nodes if node.name == name)

    def component_of(self, container: str) -> ComponentPlan:
        """Return the declaration of ``container``."""
        return next(component for component in self.components if component.container == container)

    def declares(self, node: str, container: str) -> bool:
        """Whether the os-faults file says that ``container`` is on ``node``."""
        return node in self.component_of(container).hosts

    def runs(self, node: str, container: str) -> bool:
        """Whether ``container`` really is on ``node``."""
        return self.declares(node, container) and (node, container) not in self.absent


# --- faults -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DockerCommand:
    """A line ``docker VERB CONTAINER`` of the script that runs on a node.

    Attributes:
        verb: what is done.
        container: to what.
        took_s: (least, most) seconds.
        background: whether the script goes on at once, and its session waits.
        after_s: where it is not 0, the command is put off so long, and nobody waits for it.
    """

    verb: Literal["stop", "start", "restart"]
    container: str
    took_s: tuple[float, float]
    background: bool = False
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sleep:
    """A line ``sleep SECONDS``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ScriptFault:
    """A ``sys_call`` hook: a script that pipes a second one to each node over ssh.

    Attributes:
        outer: file name of the script that the hook runs.
        inner: file name of the script that runs on each node.
        label: what each round prints first.
        rounds: as written behind ``in``: ``{1..2}`` runs twice, ``{1}`` once.
        round_count: how often that is.
        commands: one round.
        hosts: nodes in the script's order; all sessions but the last run in the background.
        banner: what a login prints.
    """

    outer: str
    inner: str
    label: str
    rounds: str
    round_count: int
    commands: tuple[DockerCommand | Sleep, ...]
    hosts: tuple[str, ...]
    banner: str


@dataclass(frozen=True, slots=True)
class HumanFault:
    """A ``fault_injection`` hook: an os-faults human command on one of ``candidates``, which leaves no output.

    Attributes:
        command: as os-faults takes it.
        container: what it acts on.
        verb: what it does.
        candidates: nodes, of which it takes one.
        took_s: (least, most) seconds until it returns.
        lasts_s: seconds that the fault lasts in the background; 0 where it ends with the command.
    """

    command: str
    container: str
    verb: str
    candidates: tuple[str, ...]
    took_s: tuple[float, float]
    lasts_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """A trigger that fires at each of ``at``."""

    unit: Unit
    at: tuple[int, ...]

    @property
    def values(self) -> tuple[int, ...]:
        """The planned values."""
        return self.at


@dataclass(frozen=True, slots=True)
class Periodic:
    """A trigger that fires at ``start``, ``start + step``, ... up to and including ``end``."""

    unit: Unit
    start: int
    step: int
    end: int

    @property
    def values(self) -> tuple[int, ...]:
        """The planned values."""
        return tuple(range(self.start, self.end + 1, self.step))


@dataclass(frozen=True, slots=True)
class ImpactPlan:
    """How a KPI of each node that a fault took hold on moves.

    Attributes:
        kpi: column of the metrics.
        size: shift in robust standard deviations of the KPI's short-term noise, signed.
        recovery_s: how long the move goes on after the fault's end.
    """

    kpi: str
    size: float
    recovery_s: float


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A hook of a workload."""

    fault: ScriptFault | HumanFault
    trigger: Event | Periodic
    description: str
    impacts: tuple[ImpactPlan, ...] = ()


# --- the load ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailurePlan:
    """How an iteration fails.

    Attributes:
        kind: class of the exception.
        message: its text; ``{token}`` is replaced by some eight hexadecimal digits.
        frames: lines of the traceback between its first and its last.
        took_s: seconds that a failing iteration takes.
        share_in_outage: share of iterations near a fault that fail.
        outage_after_s: how long after the fault iterations go on failing.
    """

    kind: str
    message: str
    frames: tuple[str, ...]
    took_s: float
    share_in_outage: float
    outage_after_s: float


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """A workload of a Rally task, run by the ``constant`` runner.

    Attributes:
        name: scenario.
        description: as Rally has it.
        args: arguments of the scenario.
        contexts: Rally's contexts.
        times: iterations asked for.
        concurrency: parallel iterations.
        duration_s: usual duration of an iteration without idle time.
        spread: standard deviation of the duration's logarithm.
        idle_s: idle time in each iteration.
        actions: atomic actions in order, with each one's share of the duration.
        failure: how iterations fail.
        error_share: share of iterations that fail without a fault being near.
        failure_rate_max: per cent of failures that the SLA allows.
        hooks: faults.
        script_output: whether each iteration has a second chart with the output of a script.
    """

    name: str
    description: str
    args: dict[str, object]
    contexts: dict[str, object]
    times: int
    concurrency: int
    duration_s: float
    spread: float
    idle_s: float
    actions: tuple[tuple[str, float], ...]
    failure: FailurePlan
    error_share: float = 0.0
    failure_rate_max: int = 100
    hooks: tuple[HookPlan, ...] = ()
    script_output: bool = False


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A Rally task: its workloads run one after another.

    Attributes:
        name: prefix of its files, "" where the experiment has one run only.
        workloads: in the order of the task file.
        starts_after_s: seconds from the experiment's start to the task's.
        abort_on_sla: whether the task ends at the first violation of the SLA.
    """

    name: str
    workloads: tuple[WorkloadPlan, ...]
    starts_after_s: float = 0.0
    abort_on_sla: bool = False

    def file(self, name: str) -> str:
        """Return the name of one of its files."""
        return f"{self.name}-{name}" if self.name else name


@dataclass(frozen=True, slots=True)
class Scenario:
    """An experiment to simulate.

    Attributes:
        title: of the experiment.
        description: of the experiment.
        begins: when the first task is created; fixed, so that the same call writes the same files.
        cluster: the cluster.
        runs: Rally tasks.
        rendered_in: IANA zone of the machine that renders the HTML reports.
        has_results: whether result JSON is written unless the caller says otherwise.
        metric_seconds: length of the metrics; None: five minutes before the first load to five minutes after the last.
        logs_in_one_file: whether the logs of all nodes lie in one file; otherwise each node has its own.
        has_reviews: whether a person has reviewed which KPIs moved.
    """

    title: str
    description: str
    begins: dt.datetime
    cluster: ClusterPlan
    runs: tuple[RunPlan, ...]
    rendered_in: str
    has_results: bool = True
    metric_seconds: int | None = None
    logs_in_one_file: bool = False
    has_reviews: bool = False
