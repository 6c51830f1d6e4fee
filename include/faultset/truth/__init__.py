"""From records to decided rows, by pure functions: all the field's judgement about what happened."""

from __future__ import annotations

from dataclasses import dataclass

from faultset.tables import InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow


@dataclass(frozen=True, slots=True)
class Truth:
    """What was decided about one experiment, each table in a fixed order.

    Attributes:
        disagreements: where an HTML report and its result JSON say different things, a sentence each.
        different_runs: whether a report and the results declared beside it are of different runs.
        notes: what the decisions could not use (a script that was not found, an unknown loop), a sentence each.
        unread: commands of hooks that may act on something and were not read, a sentence each.
        surplus: where docker acknowledged more than was commanded, a sentence each.
    """

    workloads: tuple[WorkloadRow, ...]
    triggers: tuple[TriggerRow, ...]
    injections: tuple[InjectionRow, ...]
    targets: tuple[TargetRow, ...]
    iterations: tuple[IterationRow, ...]
    disagreements: tuple[str, ...] = ()
    different_runs: bool = False
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
