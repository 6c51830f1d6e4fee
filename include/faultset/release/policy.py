"""Whether a person has to approve a candidate: a pure function of the experiment's policy and of what would change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from faultset import tables
from faultset.records.validation import Finding
from faultset.release.diff import Difference
from faultset.release.table_difference import TableDifference

Policy = Literal["always", "on_change_of_labels", "never"]
Outcome = Literal["approved", "rejected", "not_needed"]

# Findings that leave open whether the telemetry is of this run at all, as a wrong zone does: then labels are wrong in
# whole, and no difference shows it. An experiment that sets one of them down to "info" has said why.
DOUBTS = (
    "telemetry.clock_fits_run",
    "telemetry.in_run",
    "telemetry.meets_injections",
    "workloads.met_by_metrics",
)
_DOUBTS_SHOWN = 3
_LABELS = tuple(table.name for table in (tables.INJECTIONS, tables.TARGETS, tables.IMPACTS))
_KINDS = tuple(f"{table.name}/" for table in tables.TELEMETRY)
# What a row of telemetry has beside the source's own columns; its number in the source is no label.
_LABEL_COLUMNS = {spec.name for table in tables.TELEMETRY for spec in tables.columns(table)} - {"source_row"}


@dataclass(frozen=True, slots=True)
class Need:
    """Whether a person has to approve, and why or why not, in words."""

    person: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Who said that a candidate may, or may not, be published.

    Attributes:
        policy: the experiment's, when it was decided.
        outcome: ``not_needed`` where the policy asks nobody.
        by: the person's name; None where nobody was asked.
        at: ISO 8601 UTC with ``Z``.
        reason: the person's words, or why nobody was asked; None where the person gave none.
    """

    policy: Policy
    outcome: Outcome
    by: str | None
    at: str
    reason: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the decision that ``as_dict`` described."""
        return cls(**values)


def need(
    policy: Policy, difference: Difference | None, findings: Sequence[Finding] = (), known: Sequence[Finding] = ()
) -> Need:
    """Return whether a person has to approve a candidate.

    Args:
        policy: of the experiment.
        difference: to the version that ``latest`` names; None where there is no version yet.
        findings: of the candidate.
        known: findings of the version that ``latest`` names: what it was published with is not asked again.
    """
    if policy == "always":
        return Need(True, "the policy asks a person each time")
    if policy == "never":
        return Need(False, "the policy asks nobody")
    if doubts := _doubts(findings, known):
        more = f"; and {len(doubts) - _DOUBTS_SHOWN} more" if len(doubts) > _DOUBTS_SHOWN else ""
        return Need(True, f"its telemetry may not be of this run: {'; '.join(doubts[:_DOUBTS_SHOWN])}{more}")
    if difference is None:
        return Need(False, "there is no earlier version, so no label of one can change")
    touched = [words for table in difference.tables for words in _touched(table)]
    if touched:
        return Need(True, f"existing labels change: {'; '.join(touched)}")
    return Need(False, "every existing label stays as it is")


def _doubts(findings: Sequence[Finding], known: Sequence[Finding]) -> list[str]:
    """Return what is said of them, in the order of ``DOUBTS``: what the cause may be comes first."""
    before = {(finding.expectation, finding.message, finding.where) for finding in known}
    doubts = [
        finding
        for finding in findings
        if finding.expectation in DOUBTS
        and finding.severity != "info"
        and (finding.expectation, finding.message, finding.where) not in before
    ]
    return [finding.message for finding in sorted(doubts, key=lambda one: DOUBTS.index(one.expectation))]


def _touched(table: TableDifference) -> Iterator[str]:
    """Yield what happens to the labels of a table that were there; nothing where they stay."""
    telemetry = table.table.startswith(_KINDS)
    if table.table not in _LABELS and not telemetry:
        return
    if table.state == "removed":
        yield f"{table.table} goes as a whole"
        return
    gone = [name for name in table.columns_removed if name in _LABEL_COLUMNS or not telemetry]
    retyped = [column.name for column in table.columns_retyped if column.name in _LABEL_COLUMNS or not telemetry]
    for verb, columns in (("goes", gone), ("has another type", retyped)):
        if columns:
            yield f"{table.table}: column {', '.join(columns)} {verb}"
    if table.rows_removed:
        yield f"{table.table}: {_rows(table.rows_removed)} removed"
    if table.rows_changed and (not telemetry or _labels_differ(table)):
        yield f"{table.table}: {_rows(table.rows_changed)} changed"


def _labels_differ(table: TableDifference) -> bool:
    """Whether a label is among what changed in rows of telemetry, or which moment or node a row is of."""
    changed = {name for name, _ in table.columns_changed} | {name for row in table.changed for name in row.columns}
    return bool(changed & _LABEL_COLUMNS)


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"
