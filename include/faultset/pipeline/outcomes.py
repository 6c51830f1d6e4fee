"""What became of each experiment of a rebuild, and the same as one table."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from faultset.errors import counted
from faultset.pipeline.candidates import Standing

if TYPE_CHECKING:
    from faultset.pipeline.building import Built  # seconds of import, for those who build

HELD: Mapping[Standing, str] = {
    "published": "the latest version was made of the same inputs",
    "proposed": "its candidate, of the same inputs, waits for an answer in publish_dataset",
    "rejected": "a candidate of the same inputs was rejected",
}
"""Why an experiment of this standing needs no work."""

_MOST_UNCHANGED = 50  # lines of a table that people read
_GONE = "its candidate was published, replaced or rejected meanwhile"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one experiment.

    Attributes:
        experiment: its name.
        outcome: what it came to; ``trouble``: its environment failed it, so that it is tried again.
        reason: why it failed or what holds it unchanged, in one line; empty otherwise.
        fingerprint: of the candidate; empty where there is none.
        injections: of the candidate.
        targets: of the candidate.
        findings: severity -> number of findings of the candidate.
    """

    experiment: str
    outcome: Literal["candidate", "unchanged", "failed", "trouble"]
    reason: str = ""
    fingerprint: str = ""
    injections: int = 0
    targets: int = 0
    findings: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, built: Built) -> Self:
        """Return the outcome of a build."""
        if built.standing in HELD and built.unchanged:
            return cls(built.slug, "unchanged", HELD[built.standing])
        if built.validation is None:
            return cls(built.slug, "unchanged", _GONE)
        return cls(
            built.slug, "candidate", "", built.fingerprint, built.injections, built.targets, dict(built.findings)
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the outcome that ``as_dict`` described."""
        return cls(**{one.name: values[one.name] for one in dataclasses.fields(cls)})

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return dataclasses.asdict(self)

    @property
    def is_final(self) -> bool:
        """Whether a task that is tried again passes it over."""
        return self.outcome in ("candidate", "unchanged")

    @property
    def line(self) -> str:
        """What became of it, in one line."""
        return f"{self.experiment}: {self.outcome}" + (f": {self.reason}" if self.reason else "")

    def cells(self) -> tuple[str, ...]:
        """Return the outcome as a row of the table."""
        shown = "failed" if self.outcome == "trouble" else self.outcome
        if self.outcome != "candidate":
            return (self.experiment, shown, "-", "-", "-", self.reason)
        found = ", ".join(f"{count} {severity}" for severity, count in self.findings.items() if count)
        return (self.experiment, shown, str(self.injections), str(self.targets), found or "none", self.reason)


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines of a plain-text table; very many unchanged experiments are counted, not listed."""
    unchanged = [one for one in outcomes if one.outcome == "unchanged"]
    many = len(unchanged) > _MOST_UNCHANGED
    head = ("experiment", "outcome", "injections", "targets", "findings", "why")
    rows = [head, *(one.cells() for one in outcomes if not (many and one.outcome == "unchanged"))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]
    return [*lines, *(_counted(unchanged) if many else ())]


def _counted(unchanged: Sequence[Outcome]) -> Iterator[str]:
    for why, count in sorted(Counter(one.reason for one in unchanged).items()):
        yield f"{counted(count, 'experiment')} unchanged: {why}"
