"""Each column that several tables have, declared once with type, unit and description; closed vocabularies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Final, Literal

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
    str,
    Column(
        "What the trigger counts: iterations from 1, seconds from 0, or occurrences from 1 of a tool that goes through "
        "its faults by itself.",
        NO_UNIT,
        values=("iteration", "time", "occurrence"),
    ),
]
Value = Annotated[
    float,
    Column("At which iteration, how many seconds after the first iteration's start, or which occurrence it is.", COUNT),
]
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
