"""Which versions a policy keeps. A pure function: for each version the answer, and why."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faultset.release import decisions as decided
from faultset.release.decisions import Answer, Decision
from faultset.release.number import Number


@dataclass(frozen=True, slots=True)
class Policy:
    """What is to be kept beside what always is.

    Attributes:
        newest: so many of the newest versions.
        younger_than: every version published less than so long ago; None where age does not matter.
    """

    newest: int
    younger_than: dt.timedelta | None = None


def keep(
    published: Mapping[Number, dt.datetime | None], decisions: Sequence[Decision], policy: Policy, now: dt.datetime
) -> dict[Number, Answer]:
    """Say for each version whether it is kept.

    Always kept are the latest version, those that are newer (a rebuild is compared with them, so that what was rolled
    back from is not published again), those that somebody cites, and those whose age nobody knows.

    Args:
        published: the versions and when they were published; None where that cannot be read.
        decisions: about them.
        policy: what else is kept.
        now: aware.
    """
    latest = decided.latest(published, decisions).number
    cited = decided.cited(decisions)
    newest = set(sorted(published, reverse=True)[: policy.newest])

    def answer(version: Number, at: dt.datetime | None) -> Answer:
        if latest is None or version >= latest:
            return Answer(True, "it is the latest" if version == latest else "it is newer than the latest")
        if version in cited:
            return Answer(True, f"it is cited: {cited[version][-1]}")
        if at is None:
            return Answer(True, "its manifest cannot be read")
        if version in newest:
            return Answer(True, f"it is one of the newest {policy.newest}")
        if policy.younger_than is not None and now - at < policy.younger_than:
            return Answer(True, f"it is younger than {policy.younger_than.days} days")
        return Answer(False, "it is neither the latest, nor cited, nor new enough for the policy")

    return {version: answer(version, at) for version, at in sorted(published.items())}
