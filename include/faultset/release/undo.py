"""Taking back: rollback, withdrawal, citation, retention. Each adds an entry to the log of the dataset.

No file of a version is touched by any of them but ``prune``, which removes whole versions. Each may be killed at any
moment: without its entry nothing happened, with it whoever comes next does what follows from it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.moments import iso
from faultset.release import decisions as decided
from faultset.release import history, retention
from faultset.release import number as numbers
from faultset.release.decisions import Answer, Decision, Kind
from faultset.release.history import History
from faultset.release.retention import Policy
from faultset.slug import check_slug
from faultset.storage import LostRaceError, Store, open_root

_ATTEMPTS = 1000
_LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True)
class Author:
    """Who decides, and when.

    Attributes:
        by: a name.
        at: aware.
    """

    by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of a decision.

    Attributes:
        slug: the dataset.
        version: the version concerned.
        latest: what ``latest.json`` names now.
        why: why that is the latest.
    """

    slug: str
    version: str
    latest: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Retained:
    """What a policy says of a version."""

    slug: str
    version: str
    kept: bool
    why: str


def rollback(root: str | Path, slug: str, version: str, reason: str, author: Author) -> Undone:
    """Make ``version`` the latest until a newer one is published than there is now.

    Raises:
        InputError: there is no such version, or no reason.
        AnswerIsNo: it was withdrawn, or is the latest already.
        SetupError: the storage cannot be written.
    """

    def decide(known: History) -> Decision:
        decision = _decision("rollback", version, reason, author, known, slug=slug)
        _insist(slug, version, decided.may_roll_back(decision.version, known.numbers, known.decisions))
        return decision

    return _decide(open_root(root), slug, version, decide)


def withdraw(root: str | Path, slug: str, version: str, reason: str, author: Author) -> Undone:
    """Mark ``version`` as withdrawn: it stays, and is never the latest again.

    Raises:
        InputError: there is no such version, or no reason.
        AnswerIsNo: it was withdrawn before, or nothing would be the latest then.
        SetupError: the storage cannot be written.
    """

    def decide(known: History) -> Decision:
        decision = _decision("withdraw", version, reason, author, known, slug=slug)
        _insist(slug, version, decided.may_withdraw(decision, known.numbers, known.decisions))
        return decision

    return _decide(open_root(root), slug, version, decide)


def cite(root: str | Path, slug: str, version: str, citation: str, author: Author) -> Undone:
    """Record that somebody relies on ``version``, so that no policy removes it.

    Args:
        root: the root of the datasets.
        slug: the dataset.
        version: X.Y.Z.
        citation: a DOI, an address, a reference.
        author: who says so.

    Raises:
        InputError: there is no such version, or the citation is empty.
        SetupError: the storage cannot be written.
    """

    def decide(known: History) -> Decision | None:
        decision = _decision("cite", version, citation, author, known, slug=slug)
        return None if decision.reason in decided.cited(known.decisions).get(decision.version, []) else decision

    return _decide(open_root(root), slug, version, decide)


def plan(root: str | Path, slug: str, policy: Policy, now: dt.datetime) -> list[Retained]:
    """Say which versions ``prune`` would keep and why; nothing is changed.

    Raises:
        InputError: there is no such dataset.
        SetupError: the storage cannot be read.
    """
    records = {record.version: record.created_at for record in history.versions(root, slug)}
    known = history.read_history(open_root(root), slug)
    published = {number: _moment(records.get(str(number))) for number in known.numbers}
    answers = retention.keep(published, known.decisions, policy, now)
    return [Retained(slug, str(number), answer.yes, answer.why) for number, answer in answers.items()]


def prune(root: str | Path, slug: str, policy: Policy, author: Author) -> list[Retained]:
    """Remove the versions that ``policy`` does not keep, oldest first; one entry of the log each.

    Raises:
        InputError: there is no such dataset.
        SetupError: the storage cannot be written.
    """
    answers = plan(root, slug, policy, author.at)
    for answer in answers:
        if not answer.kept:
            _decide(open_root(root), slug, answer.version, _prune(root, slug, answer.version, policy, author))
    return answers


def _prune(
    root: str | Path, slug: str, version: str, policy: Policy, author: Author
) -> Callable[[History], Decision | None]:
    def decide(known: History) -> Decision | None:
        # Somebody may have cited it, or rolled back to it, since the plan was made.
        still = [answer for answer in plan(root, slug, policy, author.at) if answer.version == version]
        if not still or still[0].kept:
            return None
        return _decision("prune", version, still[0].why, author, known, slug=slug)

    return decide


# --- what all have in common ----------------------------------------------------------------------------------------


def _decide(store: Store, slug: str, version: str, decide: Callable[[History], Decision | None]) -> Undone:
    check_slug(slug)
    for _ in range(_ATTEMPTS):
        known = history.complete(store, slug)
        if not known.numbers:
            raise InputError(slug, "there is no dataset of this name", "see faultset versions for all names")
        decision = decide(known)
        try:
            if decision is not None:
                store.append(slug, known.with_decision(decision), given=known.listing)
        except LostRaceError:
            continue
        after = history.complete(store, slug).latest
        history.settle(store, slug)
        return Undone(slug, version, str(after.number) if after.number else None, after.why)
    raise SetupError(slug, "other writers were always faster", "end some of them, then run it again")


def _decision(kind: Kind, version: str, reason: str, author: Author, known: History, *, slug: str) -> Decision:
    number = numbers.parse(version)
    if number is None or number not in known.numbers:
        listed = ", ".join(map(str, known.numbers))
        raise InputError(f"{slug} {version}", "there is no such version", f"there are {listed}")
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        remedy = f"say in 1 to {_LONGEST_REASON} characters why; it is shown beside the version"
        raise InputError(f"{slug} {version}", "there is no reason", remedy)
    return Decision(kind, number, max(known.numbers), author.by, iso(author.at), reason.strip())


def _insist(slug: str, version: str, answer: Answer) -> None:
    if not answer.yes:
        raise AnswerIsNo(f"{slug} {version}", answer.why, f"see faultset versions {slug}")


def _moment(text: str | None) -> dt.datetime | None:
    try:
        return None if text is None else dt.datetime.fromisoformat(text)
    except ValueError:
        return None


__all__ = ["Author", "Retained", "Undone", "cite", "plan", "prune", "rollback", "withdraw"]
