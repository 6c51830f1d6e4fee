"""What waits for a decision: candidates beside what would change, as people look at them before they answer."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import tables
from faultset.moments import UTC
from faultset.pipeline import candidates
from faultset.release import parquet
from faultset.settings import Settings
from faultset.slug import check_slug, is_slug
from faultset.storage import CANDIDATES, bytes_of, unless_gone
from faultset.storage.folders import names

_FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class Pending:
    """A candidate that nobody has answered yet.

    Attributes:
        slug: the experiment.
        fingerprint: of the candidate.
        since: when it was built; aware.
        number: the version that it would become; None where nobody was told of it yet.
        needs_person: whether the policy asks a person; None where nobody was told of it yet.
        why: why (not); "" where nobody was told.
    """

    slug: str
    fingerprint: str
    since: dt.datetime
    number: str | None = None
    needs_person: bool | None = None
    why: str = ""

    @property
    def is_told(self) -> bool:
        """Whether somebody was told of it."""
        return self.number is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate with what it holds.

    Attributes:
        pending: in short.
        against: the version that it is compared with; None for a first one.
        change: what it does to those who rely on that one; None for a first version or where nobody was told yet.
        policy: of the experiment.
        injections: in order of time.
        targets: of all injections.
        impacts: of all injections.
        pictures: name -> new, changed or as before; that of the whole run first.
        page: Markdown that says all that would change; None where nobody was told yet.
    """

    pending: Pending
    against: str | None
    change: str | None
    policy: str | None
    injections: tuple[tables.InjectionRow, ...]
    targets: tuple[tables.TargetRow, ...]
    impacts: tuple[tables.ImpactRow, ...]
    pictures: dict[str, str]
    page: str | None


def all_pending(settings: Settings) -> dict[str, Pending]:
    """Return experiment -> its newest candidate, as ``pending_of`` does; of a damaged dataset whatever waits.

    Raises:
        SetupError: the work folder or the datasets root cannot be read.
    """
    slugs = [name for name in names(Path(settings.work) / CANDIDATES) if is_slug(name)]
    found = {slug: one for slug in slugs if (one := _newest(slug, settings))}
    untold = {slug: one.fingerprint for slug, one in found.items() if not one.is_told}
    standings = candidates.standings(untold, settings) if untold else {}
    return {slug: one for slug, one in found.items() if standings.get(slug) != "published"}


def pending_of(slug: str, settings: Settings) -> Pending | None:
    """Return an experiment's newest candidate; None where none waits, or the latest version holds the same.

    Raises:
        InputError: this is no name of an experiment.
        SetupError: the work folder cannot be read.
    """
    found = _newest(check_slug(slug), settings)
    if found is None or found.is_told:
        return found
    return None if candidates.standing(slug, found.fingerprint, settings) == "published" else found


def _newest(slug: str, settings: Settings) -> Pending | None:
    fingerprint = candidates.waiting(slug, settings)
    if fingerprint is None:
        return None
    folder = candidates.candidate_folder(slug, fingerprint, settings)
    found: Pending | None = None
    with unless_gone(folder):
        since = dt.datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        told = _document(slug, fingerprint, settings)
        found = Pending(
            slug, fingerprint, since, *((told["number"], told["needs_person"], told["why"]) if told else ())
        )
    return found  # noqa: RET504 (what goes meanwhile ends the block early)


def candidate(slug: str, settings: Settings) -> Candidate | None:
    """Return an experiment's newest candidate with what it holds; None where none waits.

    Raises:
        InputError: this is no name of an experiment, or a table is damaged.
        SetupError: the work folder cannot be read.
    """
    found = pending_of(slug, settings)
    if found is None:
        return None
    held: Candidate | None = None
    folder = candidates.candidate_folder(slug, found.fingerprint, settings)
    with unless_gone(folder):
        held = _held(found, folder, settings)
    return held  # noqa: RET504


def _held(found: Pending, folder: Path, settings: Settings) -> Candidate:
    document = _document(found.slug, found.fingerprint, settings) or {}
    page = bytes_of(candidates.proposal_file(found.slug, found.fingerprint, settings, "md"))
    injections = _table(tables.INJECTIONS, folder)
    return Candidate(
        pending=found,
        against=document.get("against"),
        change=document.get("change"),
        policy=document.get("policy"),
        injections=tuple(sorted(injections, key=lambda row: (row.started_at, row.injection_id))),
        targets=tuple(_table(tables.TARGETS, folder)),
        impacts=tuple(_table(tables.IMPACTS, folder)),
        pictures=_pictures(folder, document),
        page=None if page is None else page.decode(),
    )


def _document(slug: str, fingerprint: str, settings: Settings) -> dict[str, Any] | None:
    data = bytes_of(candidates.proposal_file(slug, fingerprint, settings))
    return None if data is None else json.loads(data)


def _table(table: tables.Table, folder: Path) -> list[Any]:
    path = folder / f"{table.name}.parquet"
    return parquet.read_table(table, path) if path.is_file() else []


def _pictures(folder: Path, document: dict[str, Any]) -> dict[str, str]:
    told = {Path(one["path"]).name: str(one["state"]) for one in document.get("figures", ())}
    if told:
        return told
    drawn = sorted((path.name for path in (folder / _FIGURES).glob("*.png")), key=lambda name: name != "overview.png")
    return dict.fromkeys(drawn, "new")
