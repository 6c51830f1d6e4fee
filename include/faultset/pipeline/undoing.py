"""Taking back what was published, marking what is relied on, and removing what a policy does not keep."""

from __future__ import annotations

import dataclasses
import datetime as dt
import getpass
import os
from typing import Any

from faultset import release
from faultset.errors import InputError, printable
from faultset.moments import UTC
from faultset.release import undo
from faultset.release.retention import Policy
from faultset.settings import Settings


def rollback(slug: str, version: str, settings: Settings, *, reason: str, by: str | None = None) -> dict[str, Any]:
    """Make a version the latest; return slug, version, latest and why.

    Raises:
        InputError: there is no such version, or no reason.
        AnswerIsNo: it was withdrawn, or is the latest already.
        SetupError: the datasets root cannot be written.
    """
    return dataclasses.asdict(undo.rollback(settings.datasets, slug, version, printable(reason, 2000), _author(by)))


def withdraw(slug: str, version: str, settings: Settings, *, reason: str, by: str | None = None) -> dict[str, Any]:
    """Mark a version as withdrawn; return slug, version, latest and why.

    Raises:
        InputError: there is no such version, or no reason.
        AnswerIsNo: it was withdrawn before, or nothing would be the latest then.
        SetupError: the datasets root cannot be written.
    """
    return dataclasses.asdict(undo.withdraw(settings.datasets, slug, version, printable(reason, 2000), _author(by)))


def cite(slug: str, version: str, settings: Settings, *, citation: str, by: str | None = None) -> dict[str, Any]:
    """Record who relies on a version; return slug, version, latest and why.

    Raises:
        InputError: there is no such version, or the citation is empty.
        SetupError: the datasets root cannot be written.
    """
    return dataclasses.asdict(undo.cite(settings.datasets, slug, version, printable(citation, 2000), _author(by)))


def retention(
    settings: Settings, slug: str | None = None, *, newest: int, younger_than_days: float | None = None
) -> list[dict[str, Any]]:
    """Say of each version of a dataset, or of all, whether a policy keeps it and why; nothing is changed."""
    policy, now = _policy(newest, younger_than_days), dt.datetime.now(UTC)
    answers = [undo.plan(settings.datasets, name, policy, now) for name in _slugs(settings, slug)]
    return [dataclasses.asdict(answer) for of_one in answers for answer in of_one]


def prune(
    settings: Settings,
    slug: str | None = None,
    *,
    newest: int,
    younger_than_days: float | None = None,
    by: str | None = None,
) -> list[dict[str, Any]]:
    """Remove the versions that a policy does not keep; return what ``retention`` said of each.

    Raises:
        InputError: there is no such dataset, or the policy is none.
        SetupError: the datasets root cannot be written.
    """
    policy, author = _policy(newest, younger_than_days), _author(by)
    answers = [undo.prune(settings.datasets, name, policy, author) for name in _slugs(settings, slug)]
    return [dataclasses.asdict(answer) for of_one in answers for answer in of_one]


def _policy(newest: int, younger_than_days: float | None) -> Policy:
    if newest < 1 or (younger_than_days is not None and younger_than_days < 0):
        raise InputError("the policy", "it keeps less than nothing", "keep at least the newest 1, and 0 days or more")
    return Policy(newest, None if younger_than_days is None else dt.timedelta(days=younger_than_days))


def _slugs(settings: Settings, slug: str | None) -> list[str]:
    return [slug] if slug else list(dict.fromkeys(record.slug for record in release.versions(settings.datasets)))


def _author(by: str | None) -> undo.Author:
    return undo.Author(printable(by or _user(), 200), dt.datetime.now(UTC))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return f"uid {os.getuid()}"
