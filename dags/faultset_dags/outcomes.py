"""What became of each experiment of a rebuild: read from the run's task states, shown as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from faultset_dags.use_cases import NOTE, REASON

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one experiment.

    Attributes:
        reason: why it failed or what holds it unchanged, in one line; empty otherwise.
        candidate: what the last task of its chain returned; None unless there is a candidate.
    """

    experiment: str
    outcome: Literal["candidate", "unchanged", "failed"]
    reason: str = ""
    candidate: Mapping[str, Any] | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the outcome as a row of the table."""
        if self.candidate is None:
            return (self.experiment, self.outcome, "-", "-", "-", self.reason)
        found = ", ".join(f"{count} {severity}" for severity, count in self.candidate["findings"].items() if count)
        numbers = (str(self.candidate[key]) for key in ("injections", "targets"))
        return (self.experiment, self.outcome, *numbers, found or "none", self.reason)


def blame(states: Mapping[str, str | None]) -> str | None:
    """Return the task at which a chain broke, given the states of its tasks in order; None where it did not break."""
    broken = [name for name, state in states.items() if state not in {"success", "skipped"}]
    # An earlier task of the chain can be "upstream_failed" only after a failed one, so the first failure is the cause.
    return next((name for name in broken if states[name] == "failed"), broken[0] if broken else None)


def read_outcomes(ti: Any, run_id: str, experiments: Sequence[str], chain: Sequence[str]) -> list[Outcome]:
    """Return each experiment's outcome.

    Args:
        ti: the asking task instance.
        run_id: the run asked about.
        experiments: the experiments, in the order of the map indexes.
        chain: ids of the mapped tasks in the order in which they run; the last one has the candidate.
    """
    if not experiments:
        return []
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(chain), run_ids=[run_id]).get(run_id, {})
    return [
        _outcome(ti, experiment, index, {name: states.get(f"{name}_{index}") for name in chain})
        for index, experiment in enumerate(experiments)
    ]


def _outcome(ti: Any, experiment: str, index: int, states: Mapping[str, str | None]) -> Outcome:
    broken = blame(states)
    if broken:
        told = (
            ti.xcom_pull(task_ids=broken, map_indexes=index, key=REASON) or f"{broken} ended unexpectedly; see its log"
        )
        return Outcome(experiment, "failed", told.removeprefix(f"{experiment}: "))
    if "skipped" in states.values():
        held = (ti.xcom_pull(task_ids=name, map_indexes=index, key=NOTE) for name in states)
        return Outcome(experiment, "unchanged", next(filter(None, held), ""))
    return Outcome(experiment, "candidate", candidate=ti.xcom_pull(task_ids=list(states)[-1], map_indexes=index))


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines of a plain-text table."""
    head = ("experiment", "outcome", "injections", "targets", "findings", "why")
    rows = [head, *(outcome.cells() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]
