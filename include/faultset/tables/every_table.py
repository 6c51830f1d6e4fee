"""The tables of a dataset: name, row and key of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultset.tables.rows import (
    ImpactRow,
    ImpactTestRow,
    InjectionRow,
    IterationRow,
    LogLabels,
    MetricsLabels,
    TargetRow,
    TriggerRow,
    WorkloadRow,
)

SCHEMA_VERSION = "1.1"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the dataset.

    Attributes:
        name: of the table and its file.
        row: class of its rows.
        key: the columns that identify a row, in sort order.
        estimates: columns that depend on all else that was recorded, such as p values: another value is no other
            record, and no answer of anyone who relied on the old one becomes wrong.
        later_key: parts of the key that versions of older tools lack.
    """

    name: str
    row: type
    key: tuple[str, ...]
    estimates: frozenset[str] = frozenset()
    later_key: frozenset[str] = frozenset()

    @property
    def description(self) -> str:
        """What a row is."""
        return (self.row.__doc__ or "").strip()


WORKLOADS = Table("workloads", WorkloadRow, ("workload_id",))
TRIGGERS = Table("triggers", TriggerRow, ("trigger_id",))
INJECTIONS = Table("injections", InjectionRow, ("injection_id",))
TARGETS = Table(
    "targets",
    TargetRow,
    ("injection_id", "node", "container", "component", "pod", "namespace"),
    later_key=frozenset({"pod", "namespace"}),
)
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


def table_named(name: str, among: Sequence[Table] = TABLES) -> Table:
    """Return the table called ``name``.

    Raises:
        KeyError: there is none.
    """
    for table in among:
        if table.name == name:
            return table
    raise KeyError(name)
