"""What people decided about versions, and what follows from it. Pure functions: each returns its answer and why.

A version itself never changes. Which one is the latest follows from the versions and the decisions alone, so that
``latest.json`` can be written anew at any time, by anybody, to the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from faultset.release import number as numbers
from faultset.release.number import Number

Kind = Literal["rollback", "withdraw", "cite", "prune"]
_KINDS: tuple[Kind, ...] = ("rollback", "withdraw", "cite", "prune")


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that a person or a policy decided about a version.

    Attributes:
        kind: ``rollback`` to it, ``withdraw`` it, ``cite`` it (somebody relies on it), ``prune`` it.
        version: X.Y.Z.
        newest: the newest version at that moment; a later one is not concerned.
        by: who decided.
        at: when, ISO 8601 UTC.
        reason: why; for ``cite`` the citation, such as a DOI.
    """

    kind: Kind
    version: Number
    newest: Number
    by: str
    at: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return plain texts."""
        return {name: str(getattr(self, name)) for name in (field.name for field in dataclasses.fields(self))}

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> Self:
        """Return what ``as_dict`` described.

        Raises:
            ValueError, KeyError: it did not.
        """
        kind = next((kind for kind in _KINDS if kind == values["kind"]), None)
        version, newest = numbers.parse(values["version"]), numbers.parse(values["newest"])
        if kind is None or version is None or newest is None:
            raise ValueError("this is no decision")
        return cls(kind, version, newest, values["by"], values["at"], values["reason"])


@dataclass(frozen=True, slots=True)
class Latest:
    """Which version is the latest.

    Attributes:
        number: None where there is none.
        why: one line.
        moved: the decision that made another version than the newest one the latest.
    """

    number: Number | None
    why: str
    moved: Decision | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether something may be done, and why (not)."""

    yes: bool
    why: str


def latest(versions: Collection[Number], decisions: Sequence[Decision]) -> Latest:
    """Decide which version is the latest.

    The newest one that was not withdrawn; after a rollback its target, until a newer version is published than there
    was at the rollback. Where a target goes (withdrawn, removed), the newest version before it follows: what was rolled
    back from does not come back by itself.
    """
    gone = withdrawn(decisions)
    usable = [version for version in versions if version not in gone]
    if not usable:
        return Latest(None, "there is no version that was not withdrawn")
    back = next((decision for decision in reversed(decisions) if decision.kind == "rollback"), None)
    if back and max(usable) <= back.newest:
        usable = [version for version in usable if version <= back.version]
    if not usable:
        return Latest(None, "every version up to the one rolled back to was withdrawn")
    found = max(usable)
    if found == max(versions):
        return Latest(found, "it is the newest version")
    moved = _moved(found, decisions, back)
    why = f"{moved.kind} of {moved.version} by {moved.by}: {moved.reason}" if moved else "a newer one was removed"
    return Latest(found, why, moved)


def _moved(found: Number, decisions: Sequence[Decision], back: Decision | None) -> Decision | None:
    """Return the last decision that keeps newer versions than ``found`` from being the latest."""
    withdrawals = [one for one in decisions if one.kind == "withdraw" and one.version > found]
    causes = [*withdrawals, *([back] if back and back.newest > found else [])]
    return max(causes, key=decisions.index, default=None)


def withdrawn(decisions: Sequence[Decision]) -> dict[Number, str]:
    """Return the versions that were withdrawn, and why."""
    return {decision.version: decision.reason for decision in decisions if decision.kind == "withdraw"}


def cited(decisions: Sequence[Decision]) -> dict[Number, list[str]]:
    """Return the versions that somebody relies on, and who."""
    found: dict[Number, list[str]] = {}
    for decision in decisions:
        if decision.kind == "cite":
            found.setdefault(decision.version, []).append(decision.reason)
    return found


def pruned(decisions: Sequence[Decision]) -> set[Number]:
    """Return the versions that a policy removed."""
    return {decision.version for decision in decisions if decision.kind == "prune"}


def may_roll_back(version: Number, versions: Collection[Number], decisions: Sequence[Decision]) -> Answer:
    """Decide whether ``version`` may become the latest."""
    if version in withdrawn(decisions):
        return Answer(False, "it was withdrawn, and is never the latest again")
    if version == latest(versions, decisions).number:
        return Answer(False, "it is the latest already")
    return Answer(True, "it is there and was not withdrawn")


def may_withdraw(decision: Decision, versions: Collection[Number], decisions: Sequence[Decision]) -> Answer:
    """Decide whether a version may be withdrawn; another one has to be there for ``latest``."""
    if decision.version in withdrawn(decisions):
        return Answer(False, "it was withdrawn before")
    after = latest(versions, [*decisions, decision])
    if after.number is None:
        return Answer(False, f"nothing would be the latest then: {after.why}")
    return Answer(True, f"{after.number} is the latest then")
