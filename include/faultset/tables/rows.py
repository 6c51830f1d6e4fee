"""What a row of each table is: a dataclass that names its columns."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from faultset.tables.shared_columns import (
    COUNT,
    NO_UNIT,
    SECONDS,
    Column,
    EndedAt,
    ImpactNode,
    InjectionId,
    InjectionIds,
    Iteration,
    Kpi,
    Layer,
    MaybeEndedAt,
    MaybeStartedAt,
    ServiceName,
    SourceKindColumn,
    StartedAt,
    TriggerId,
    UnitColumn,
    Value,
    Verb,
    Why,
    WorkloadId,
)


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """One row a workload, or a run of a tool that injects and puts no load: what was asked for and what happened."""

    workload_id: WorkloadId
    name: Annotated[str, Column("Rally scenario; the name of the run of another tool.", NO_UNIT)]
    position: Annotated[int, Column("Rally's pos: counted per scenario name, from 0.", COUNT)]
    runner: Annotated[str, Column("Rally runner plugin; of another tool its own name.", NO_UNIT)]
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
    source: Annotated[str, Column("Tool that wrote the input, such as rally or chaostoolkit.", NO_UNIT)] = "rally"
    source_version: Annotated[str | None, Column("Version of that tool; null where unknown.", NO_UNIT)] = None
    is_load: Annotated[
        bool, Column("Whether it puts load on the system; what only injects has no iterations.", NO_UNIT)
    ] = True


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """One row a planned trigger, fired or not."""

    trigger_id: TriggerId
    workload_id: WorkloadId
    hook_index: Annotated[int, Column("Place of the hook in the workload's configuration, from 0.", COUNT)]
    hook: Annotated[
        str, Column("What does it: a Rally hook action such as sys_call; a tool's own plugin or kind.", NO_UNIT)
    ]
    action: Annotated[str, Column("Argument of the hook: recognised words of its command; others are hidden.", NO_UNIT)]
    description: Annotated[
        str | None, Column("Description of the hook as configured, or its name in the tool's file.", NO_UNIT)
    ]
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
    commands_read: Annotated[
        str | None,
        Column("What was read of the hook's command and scripts, action by action; null where nothing was.", NO_UNIT),
    ] = None
    commands_unread: Annotated[
        str | None,
        Column("What of them may act and was not read; null where all was. Evidence says what follows.", NO_UNIT),
    ] = None


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
        str, Column("The tool's own word for how the hook ended; says nothing about the fault.", NO_UNIT)
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
    node: Annotated[
        str,
        Column(
            "Short name of the node; where no input tells it (placed is false), the name of what was acted on.", NO_UNIT
        ),
    ]
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
    kind: Annotated[
        str,
        Column("What was acted on.", NO_UNIT, values=("node", "pod", "container", "service", "process")),
    ] = "container"
    namespace: Annotated[
        str | None, Column("Namespace of the pod or the service in Kubernetes; null elsewhere.", NO_UNIT)
    ] = None
    pod: Annotated[str | None, Column("Name of the pod; null for what is in none.", NO_UNIT)] = None
    placed: Annotated[
        bool,
        Column(
            "Whether an input tells the node; where none does, node is the name of the pod, container or service.",
            NO_UNIT,
        ),
    ] = True


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
