"""Each column declared once, with type, unit and description; a table is a dataclass that names its columns.

Parquet schemas, expectations, Croissant, data packages and the data dictionary follow from this file. A row is an
instance of its table's class; ``to_arrow`` turns rows into a table in the declared order and types.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import pyarrow as pa

SCHEMA_VERSION = "1.1"

NO_UNIT: Final = ""  # said of a column, not left out: names, ids, flags, texts, moments
SECONDS: Final = "s"
COUNT: Final = "1"  # counts, positions, ratios, codes
UNITS = (NO_UNIT, SECONDS, COUNT)


@dataclass(frozen=True, slots=True)
class Column:
    """What a column means.

    Attributes:
        description: a sentence for the data dictionary.
        unit: one of ``UNITS``; there is no default, so that a column without a unit says so.
        values: the closed vocabulary, where there is one.
    """

    description: str
    unit: str
    values: tuple[str, ...] = ()


# --- columns --------------------------------------------------------------------------------------------------------

WorkloadId = Annotated[str, Column("Id of the workload: scenario, position and the head of Rally's own id.", NO_UNIT)]
TriggerId = Annotated[str, Column("Id of the planned trigger: workload, hook index, unit and value.", NO_UNIT)]
InjectionId = Annotated[str, Column("Id of the injection; equals the id of the trigger that fired it.", NO_UNIT)]
InjectionIds = Annotated[
    list[str], Column("Ids of all injections whose window this row overlaps, in order of start.", NO_UNIT)
]
StartedAt = Annotated[dt.datetime, Column("Start, UTC.", NO_UNIT)]
EndedAt = Annotated[dt.datetime, Column("End, UTC; the span is half-open, [started_at, ended_at).", NO_UNIT)]
MaybeStartedAt = Annotated[dt.datetime | None, Column("Start, UTC; null where no input tells.", NO_UNIT)]
MaybeEndedAt = Annotated[dt.datetime | None, Column("End, UTC, half-open; null where no input tells.", NO_UNIT)]
UnitColumn = Annotated[
    str, Column("What the trigger counts: iterations from 1, or seconds from 0.", NO_UNIT, values=("iteration", "time"))
]
Value = Annotated[float, Column("At which iteration, or how many seconds after the first iteration's start.", COUNT)]
Iteration = Annotated[int, Column("Iteration number, counted from 1.", COUNT)]
Why = Annotated[str, Column("Why the decision fell as it did, in words.", NO_UNIT)]
ImpactNode = Annotated[
    str,
    Column(
        "Short name of the node; of spans without a host the service, of the load itself the workload's id.", NO_UNIT
    ),
]
Kpi = Annotated[
    str,
    Column(
        "What is looked at: a column of the metrics such as mem.used; log_lines.LEVEL, span_duration.SERVICE or "
        "span_errors.SERVICE; iteration_duration or iteration_failures.",
        NO_UNIT,
    ),
]
SourceKindColumn = Annotated[
    str,
    Column(
        "What the KPI was taken from; workload: from the iterations of the load itself.",
        NO_UNIT,
        values=("metrics", "logs", "traces", "workload"),
    ),
]
ServiceName = Annotated[
    str | None, Column("Service that the component belongs to, such as nova; null where the table knows none.", NO_UNIT)
]
Layer = Annotated[
    str | None,
    Column(
        "Layer of the service.",
        NO_UNIT,
        values=("openstack", "infrastructure", "kubernetes", "network", "storage", "host"),
    ),
]
Verb = Annotated[
    str | None, Column("What was done, such as restart or stop+start; null where no input tells.", NO_UNIT)
]

TriggerOutcome = Literal["fired", "not_reached", "not_observable"]
Effect = Literal["full", "partial", "none", "unknown"]
Resolution = Literal["exact", "inferred", "ambiguous"]
SourceKind = Literal["metrics", "logs", "traces", "workload"]
FaultEndSource = Literal["command", "script", "reversed_by", "observed", "corrected", "unknown"]


# --- tables ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One row a Rally workload: what was asked for and what happened."""

    workload_id: WorkloadId
    name: Annotated[str, Column("Rally scenario.", NO_UNIT)]
    position: Annotated[int, Column("Rally's pos: counted per scenario name, from 0.", COUNT)]
    runner: Annotated[str, Column("Rally runner plugin.", NO_UNIT)]
    times: Annotated[int | None, Column("Iterations asked for; null for runners without.", COUNT)]
    concurrency: Annotated[int | None, Column("Parallel iterations asked for; null for runners without.", COUNT)]
    iterations: Annotated[int, Column("Iterations that ran.", COUNT)]
    failed_iterations: Annotated[int, Column("Iterations that failed.", COUNT)]
    started_at: MaybeStartedAt
    ended_at: MaybeEndedAt
    created_at: Annotated[dt.datetime | None, Column("When Rally created the workload, UTC, whole seconds.", NO_UNIT)]
    load_duration_s: Annotated[float | None, Column("From the first iteration's start to the last one's end.", SECONDS)]
    sla_passed: Annotated[
        bool | None, Column("Rally's verdict over all SLA criteria; null where none was recorded.", NO_UNIT)
    ]
    rally_version: Annotated[
        str | None, Column("Version of the Rally that wrote the input; null where unknown.", NO_UNIT)
    ]
    report: Annotated[str, Column("Input that this row was read from.", NO_UNIT)]


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """One row a planned trigger, fired or not."""

    trigger_id: TriggerId
    workload_id: WorkloadId
    hook_index: Annotated[int, Column("Place of the hook in the workload's configuration, from 0.", COUNT)]
    hook: Annotated[str, Column("Rally hook action plugin, such as sys_call or fault_injection.", NO_UNIT)]
    action: Annotated[str, Column("Argument of the hook: recognised words of its command; others are hidden.", NO_UNIT)]
    description: Annotated[str | None, Column("Description of the hook as configured.", NO_UNIT)]
    kind: Annotated[str, Column("Kind of trigger.", NO_UNIT, values=("event", "periodic"))]
    unit: UnitColumn
    value: Value
    outcome: Annotated[
        str,
        Column(
            "Whether it fired; not_reached: the run ended before; not_observable: the inputs cannot tell.",
            NO_UNIT,
            values=("fired", "not_reached", "not_observable"),
        ),
    ]
    evidence: Why


@dataclass(frozen=True, slots=True)
class InjectionRow:
    """One row a firing of a hook: what the experimenter did, with the uncertainty of each end."""

    injection_id: InjectionId
    trigger_id: TriggerId
    workload_id: WorkloadId
    unit: UnitColumn
    value: Value
    started_at: StartedAt
    ended_at: EndedAt
    start_uncertainty_s: Annotated[float, Column("The true start lies in [started_at, started_at + this).", SECONDS)]
    end_uncertainty_s: Annotated[float, Column("The true end lies in [ended_at, ended_at + this).", SECONDS)]
    time_source: Annotated[
        str,
        Column(
            "Which input gave the times; corrected: a declared correction did, and the findings say of what.",
            NO_UNIT,
            values=("results", "report", "corrected"),
        ),
    ]
    hook_status: Annotated[
        str, Column("Rally's own word for how the hook ended; says nothing about the fault.", NO_UNIT)
    ]
    return_code: Annotated[int | None, Column("Exit code of a sys_call; null where none was recorded.", COUNT)]
    action: Verb
    effect: Annotated[
        str,
        Column(
            "Whether the fault took hold on all commanded targets, some, none, or nothing can be said.",
            NO_UNIT,
            values=("full", "partial", "none", "unknown"),
        ),
    ]
    effect_reason: Why
    outcome: Annotated[
        str | None,
        Column(
            "What the fault did to the system; null until impacts are known.",
            NO_UNIT,
            values=("no_effect", "local", "visible", "contaminated"),
        ),
    ]
    outcome_reason: Annotated[
        str | None, Column("Why the outcome was decided so; null until impacts are known.", NO_UNIT)
    ] = None
    result_index: Annotated[
        int | None,
        Column("Place among the results that the input shows for this hook, from 0; null where not kept.", COUNT),
    ] = None
    fault_ended_at: Annotated[
        dt.datetime | None,
        Column("When the fault itself ended, UTC, at the command's end or later; null where no input tells.", NO_UNIT),
    ] = None
    fault_end_uncertainty_s: Annotated[
        float | None,
        Column("The true end of the fault lies in [fault_ended_at, fault_ended_at + this); null: unknown.", SECONDS),
    ] = None
    fault_end_source: Annotated[
        str,
        Column(
            "What tells the fault's end: command: it ended with its command; script: what the command or its scripts "
            "say of durations and delays; reversed_by: a later injection undid it; observed: the system's return; "
            "corrected: a declared correction; unknown: nothing.",
            NO_UNIT,
            values=("command", "script", "reversed_by", "observed", "corrected", "unknown"),
        ),
    ] = "unknown"
    fault_end_reason: Annotated[str, Column("Why the fault's end was decided so, in words.", NO_UNIT)] = ""
    fault_open_until: Annotated[
        dt.datetime | None,
        Column(
            "Where the fault's end is unknown: rows from the command's end up to here are boundary rows; null where "
            "it is known.",
            NO_UNIT,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class TargetRow:
    """One row a node and container that an injection acted on, or may have acted on."""

    injection_id: InjectionId
    node: Annotated[str, Column("Short name of the node.", NO_UNIT)]
    node_ip: Annotated[str | None, Column("IP of the node; null where the cluster file has none.", NO_UNIT)]
    role: Annotated[str | None, Column("Role of the node, from the cluster file; null where it has none.", NO_UNIT)]
    component: Annotated[
        str | None, Column("Key of the component in the cluster file; null where undeclared.", NO_UNIT)
    ]
    container: Annotated[
        str | None, Column("Name of the container or service; null for an action on the node.", NO_UNIT)
    ]
    service: ServiceName
    layer: Layer
    action: Verb
    action_count: Annotated[
        int | None, Column("How many single actions were commanded here; null where no input tells.", COUNT)
    ]
    declared: Annotated[
        bool | None, Column("Whether the cluster file says that it runs there; null without a cluster file.", NO_UNIT)
    ]
    commanded: Annotated[bool | None, Column("Whether the hook went there; null: unknown.", NO_UNIT)]
    effective: Annotated[bool | None, Column("Whether it demonstrably acted there; null: unknown.", NO_UNIT)]
    resolution: Annotated[
        str,
        Column(
            "exact: named by the command; inferred: follows from output and declared hosts; ambiguous: one of several.",
            NO_UNIT,
            values=("exact", "inferred", "ambiguous"),
        ),
    ]
    evidence: Why


@dataclass(frozen=True, slots=True)
class IterationRow:
    """One row an iteration that the inputs show."""

    workload_id: WorkloadId
    iteration: Iteration
    started_at: MaybeStartedAt
    ended_at: MaybeEndedAt
    duration_s: Annotated[float | None, Column("Duration without idle time; null where unknown.", SECONDS)]
    idle_s: Annotated[float | None, Column("Idle time inside the iteration; null where unknown.", SECONDS)]
    failed: Annotated[bool, Column("Whether the iteration failed.", NO_UNIT)]
    error: Annotated[
        str | None, Column("Type and message of the error, secrets replaced; null where it passed.", NO_UNIT)
    ]
    trace_id: Annotated[str | None, Column("OSProfiler trace id; null where none was recorded.", NO_UNIT)]
    injection_ids: Annotated[
        list[str] | None,
        Column("Ids of all injections whose window the iteration overlaps; null where its times are unknown.", NO_UNIT),
    ]
    is_boundary: Annotated[
        bool, Column("Whether the overlap cannot be decided within the uncertainty of the injection's ends.", NO_UNIT)
    ]


@dataclass(frozen=True, slots=True)
class ImpactRow:
    """One row a KPI of a node that moved because of an injection, detected by method or reviewed by a person."""

    injection_id: InjectionId
    node: ImpactNode
    kpi: Kpi
    started_at: StartedAt
    ended_at: EndedAt
    direction: Annotated[
        str | None, Column("Which way it moved; null where a review does not say.", NO_UNIT, values=("up", "down"))
    ]
    source: Annotated[str, Column("Who says so.", NO_UNIT, values=("detected", "reviewed"))]
    method: Annotated[str, Column("How it was found, with the method's version.", NO_UNIT)]
    score: Annotated[
        float | None,
        Column("Size of the move in robust standard deviations of the quiet time before; null: reviewed.", COUNT),
    ]
    p_value: Annotated[
        float | None,
        Column("Probability of such a move in quiet time, false discoveries controlled; null: reviewed.", COUNT),
    ]
    source_kind: SourceKindColumn = "metrics"
    wave: Annotated[
        str | None,
        Column(
            "Which nodes that no fault acted on at that moment moved with this one, where most of them did: what the "
            "whole cluster did, because of the fault or by itself, said once; null where it moved alone.",
            NO_UNIT,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class ImpactTestRow:
    """One row a question whether an injection moved a KPI of a node, whatever the answer, and what would have shown."""

    injection_id: InjectionId
    node: ImpactNode
    kpi: Kpi
    source_kind: SourceKindColumn
    tested: Annotated[bool, Column("Whether there was a test; why_not says why there was none.", NO_UNIT)]
    why_not: Annotated[str | None, Column("Why there was no test, in words; null where there was one.", NO_UNIT)]
    p_value: Annotated[
        float | None,
        Column("Probability of such a move in quiet time, of this test alone; null where there was none.", COUNT),
    ]
    adjusted_p_value: Annotated[
        float | None,
        Column("The p value with false discoveries controlled; null where there was no test.", COUNT),
    ]
    score: Annotated[
        float | None,
        Column("Size of the move in robust standard deviations of quiet time; null where there was no test.", COUNT),
    ]
    found: Annotated[bool, Column("Whether it is an impact, which then stands in impacts.", NO_UNIT)]
    detectable_sd: Annotated[
        float | None,
        Column(
            "The smallest move of 25 s that would have been found here with 90 % power, in the unit of the score, had "
            "the KPI moved so with every fourth injection; null where none would have been, or nothing is known of it.",
            COUNT,
        ),
    ]
    detectable_once_sd: Annotated[
        float | None,
        Column("The same, had the KPI moved so with this injection only: a single move has to be larger.", COUNT),
    ] = None


@dataclass(frozen=True, slots=True)
class TelemetryLabels:
    """What is added to each row of telemetry; the source's columns stay as they are, under their own names."""

    timestamp: Annotated[
        dt.datetime | None, Column("Time of the row, UTC; null where the row has none that can be read.", NO_UNIT)
    ]
    node: Annotated[str | None, Column("Short name of the node.", NO_UNIT)]
    source_row: Annotated[int, Column("Row of the source file, from 0, its header not counted.", COUNT)]
    is_anomalous: Annotated[
        bool,
        Column(
            "Whether an injection that concerns this node covers the row, or the node has not recovered yet: whether "
            "node_injection_ids is not empty.",
            NO_UNIT,
        ),
    ]
    injection_ids: InjectionIds
    node_injection_ids: Annotated[
        list[str],
        Column(
            "Those of injection_ids that concern this node: they acted on it, may have, or an impact was found there.",
            NO_UNIT,
        ),
    ]
    phase: Annotated[
        str,
        Column(
            "injection: a fault is being injected, on any node; recovery: this node is not back to normal; or normal.",
            NO_UNIT,
            values=("normal", "injection", "recovery"),
        ),
    ]
    is_boundary: Annotated[
        bool,
        Column(
            "Whether the row cannot be decided within the uncertainty of its time and of the windows' ends.", NO_UNIT
        ),
    ]


@dataclass(frozen=True, slots=True)
class MetricsLabels(TelemetryLabels):
    """Labels of a row of metrics."""

    impacted_kpis: Annotated[list[str], Column("KPIs of this node that an impact covers at this time.", NO_UNIT)]


@dataclass(frozen=True, slots=True)
class LogLabels(TelemetryLabels):
    """Labels of a log line."""

    names_injection: Annotated[
        bool, Column("Whether the row names the injection itself, so that a model could read the answer.", NO_UNIT)
    ]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the dataset.

    Attributes:
        name: of the table and its file.
        row: class of its rows.
        key: the columns that identify a row, in sort order.
        estimates: columns that depend on all else that was recorded, such as p values: another value is no other
            record, and no answer of anyone who relied on the old one becomes wrong.
    """

    name: str
    row: type
    key: tuple[str, ...]
    estimates: frozenset[str] = frozenset()

    @property
    def description(self) -> str:
        """What a row is."""
        return (self.row.__doc__ or "").strip()


WORKLOADS = Table("workloads", WorkloadRow, ("workload_id",))
TRIGGERS = Table("triggers", TriggerRow, ("trigger_id",))
INJECTIONS = Table("injections", InjectionRow, ("injection_id",))
TARGETS = Table("targets", TargetRow, ("injection_id", "node", "container", "component"))
ITERATIONS = Table("iterations", IterationRow, ("workload_id", "iteration"))
IMPACTS = Table("impacts", ImpactRow, ("injection_id", "node", "kpi", "source", "started_at"))
IMPACT_TESTS = Table(
    "impact_tests",
    ImpactTestRow,
    ("injection_id", "node", "kpi", "source_kind"),
    frozenset({"p_value", "adjusted_p_value", "score", "detectable_sd", "detectable_once_sd"}),
)
TABLES = (WORKLOADS, TRIGGERS, INJECTIONS, TARGETS, ITERATIONS)
EVERY_TABLE = tuple(dict.fromkeys((*TABLES, IMPACTS, IMPACT_TESTS)))

# One file a source file, in a folder of the kind; only the columns that are added to the source's own are declared.
METRICS = Table("metrics", MetricsLabels, ("source_row",))
LOGS = Table("logs", LogLabels, ("source_row",))
TRACES = Table("traces", LogLabels, ("source_row",))
TELEMETRY = (METRICS, LOGS, TRACES)


# --- what follows from the declarations -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column as a table uses it."""

    name: str
    arrow_type: pa.DataType
    nullable: bool
    column: Column


_ARROW: dict[object, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    dt.datetime: pa.timestamp("us", tz="UTC"),
    list[str]: pa.list_(pa.string()),
}


def columns(table: Table) -> tuple[ColumnSpec, ...]:
    """Return the table's columns in order."""
    hints = typing.get_type_hints(table.row, include_extras=True)
    return tuple(_spec(field.name, hints[field.name]) for field in dataclasses.fields(table.row))


def _spec(name: str, hint: Any) -> ColumnSpec:
    base, column = typing.get_args(hint)
    nullable = isinstance(base, types.UnionType)
    if nullable:
        base = next(part for part in typing.get_args(base) if part is not type(None))
    return ColumnSpec(name, _ARROW[base], nullable, column)


def references(table: Table) -> dict[str, Table]:
    """Return column -> table that it points into: a column named as another table's key is that key there."""
    keys = {other.key[0]: other for other in EVERY_TABLE if len(other.key) == 1 and other is not table}
    return {spec.name: keys[spec.name] for spec in columns(table) if spec.name in keys}


def schema(table: Table) -> pa.Schema:
    """Return the Arrow schema; each field carries its description and unit as metadata."""
    return pa.schema(
        [
            pa.field(
                spec.name,
                spec.arrow_type,
                nullable=spec.nullable,
                metadata={"description": spec.column.description, "unit": spec.column.unit},
            )
            for spec in columns(table)
        ]
    )


def to_arrow(table: Table, rows: Iterable[Any]) -> pa.Table:
    """Return ``rows`` (instances of ``table.row``) as an Arrow table with the declared schema, in the given order."""
    rows = list(rows)
    return pa.Table.from_pydict(
        {spec.name: [getattr(row, spec.name) for row in rows] for spec in columns(table)}, schema=schema(table)
    )


def from_arrow(table: Table, data: pa.Table) -> list[Any]:
    """Return the rows of ``data`` as instances of ``table.row``."""
    return [table.row(**record) for record in data.to_pylist()]


def table_named(name: str, among: Sequence[Table] = TABLES) -> Table:
    """Return the table called ``name``.

    Raises:
        KeyError: there is none.
    """
    for table in among:
        if table.name == name:
            return table
    raise KeyError(name)
