"""Publishing what waits, found by looking at the candidates: what needs nobody at once, the rest by asking people."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faultset import catalog
from faultset.errors import FaultsetError, SetupError
from faultset.moments import UTC
from faultset.pipeline import candidates, planning
from faultset.pipeline.batching import Division, Item
from faultset.pipeline.ledger import Ledger, sweep
from faultset.pipeline.observing import Level, is_observed, tell
from faultset.pipeline.planning import MIB, Batch
from faultset.pipeline.progress import Told
from faultset.settings import Settings
from faultset.storage import CANDIDATES, bytes_of, explain_os_errors, open_root, unless_gone
from faultset.storage.folders import names

_CANDIDATE = 64 * MIB  # publishing costs a second beside what is hashed
_BATCH = 1024 * MIB
_ASKED_AT_ONCE = 16
_MOST_ASKED = 900  # each waits in a run of its own


@dataclass(frozen=True, slots=True)
class Waiting:
    """A candidate that waits.

    Attributes:
        slug: the experiment.
        fingerprint: of the candidate.
        made_at: when it was kept, epoch ns.
        asked: whether a person was asked about it.
    """

    slug: str
    fingerprint: str
    made_at: int
    asked: bool


def look(settings: Settings) -> list[Waiting]:
    """Return the candidates of the catalog's experiments that wait, by name.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked.
    """
    slugs = names(Path(settings.work) / CANDIDATES)
    there = {slug: newest for slug in slugs if (newest := candidates.newest(slug, settings))}
    known = set(catalog.list_slugs(settings.catalog)) if there else set()
    return [
        Waiting(slug, fingerprint, at, _was_asked(slug, fingerprint, settings))
        for slug, (fingerprint, at) in there.items()
        if slug in known
    ]


def waiting(settings: Settings) -> list[str]:
    """Return the experiments of the catalog of which a candidate waits, by name.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked.
    """
    return [one.slug for one in look(settings)]


def _was_asked(slug: str, fingerprint: str, settings: Settings) -> bool:
    written = bytes_of(candidates.proposal_file(slug, fingerprint, settings))
    try:
        return written is not None and bool(json.loads(written)["needs_person"])
    except (ValueError, TypeError, KeyError):
        return False


def plan_publishing(run: str, settings: Settings) -> tuple[Batch, ...]:
    """Divide the candidates that wait and that nobody was asked about.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked, or the work folder cannot be written.
    """
    sweep(settings)
    found = look(settings)
    if is_observed():
        _tell(found, settings)
    items = [Item(one.slug, _bytes(one, settings)) for one in found if not one.asked]
    return planning.divide(run, "publish", items, Division(settings.batches, _CANDIDATE, _BATCH), settings)


def _tell(found: Sequence[Waiting], settings: Settings) -> None:
    asked = sum(one.asked for one in found)
    tell(Level("candidates", len(found) - asked, {"waits_for": "nobody"}))
    tell(Level("candidates", asked, {"waits_for": "person"}))
    oldest = min((one.made_at for one in found), default=None)
    tell(Level("candidates_oldest_seconds", 0.0 if oldest is None else max(0.0, time.time() - oldest / 1e9)))
    tell(Level("datasets", len(open_root(settings.datasets).slugs())))


def _bytes(one: Waiting, settings: Settings) -> int:
    folder = candidates.candidate_folder(one.slug, one.fingerprint, settings)
    sizes: list[int] = []
    with explain_os_errors(folder), unless_gone(folder):
        sizes += (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(sizes)


def publish_batch(batch: Batch, settings: Settings, told: Told) -> dict[str, dict[str, str]]:
    """Publish each candidate of a batch that needs nobody, and note those that need a person.

    Returns:
        experiment -> ``version`` and ``manifest_sha256`` of what is new.

    Raises:
        SetupError: the storage failed; what was published stays, and the next try goes on with the others.
    """
    ledger = published_by(batch.run, settings)
    slugs = batch.names(settings)
    new: dict[str, dict[str, str]] = {}
    for done, slug in enumerate(slugs, start=1):
        record = ledger.get(slug)
        if record is None or record["outcome"] == "failed":
            try:
                record = _publish(slug, settings)
            except SetupError:
                raise
            except FaultsetError as error:
                record = {"outcome": "failed", "line": f"{slug}: {str(error).removeprefix(f'{slug}: ')}"}
            ledger.put(slug, record)
        if record["outcome"] == "published":
            new[slug] = {key: record[key] for key in ("version", "manifest_sha256")}
        told(done, len(slugs), record["line"])
    return new


def _publish(slug: str, settings: Settings) -> dict[str, str]:
    from faultset.pipeline import approving  # noqa: PLC0415 (a second of import, for those who publish)

    made = approving.proposal(slug, settings)
    if made is None:
        return {"outcome": "gone", "line": f"{slug}: its candidate was published or withdrawn meanwhile"}
    if made.needs_person:
        return {"outcome": "asks", "line": f"{slug}: a person is asked, since {made.why}"}
    done = approving.publish_proposal(made, approving.not_asked(made), settings)
    if not done.new:
        return {"outcome": "gone", "line": f"{slug}: version {done.version} was made of the same inputs already"}
    return {
        "outcome": "published",
        "line": f"{slug}: published as {done.version}",
        "version": done.version,
        "manifest_sha256": done.manifest_sha256,
    }


def published_by(run: str, settings: Settings) -> Ledger:
    """Return the ledger of what a run published, found to need a person, or failed at."""
    return Ledger.of(run, "published", settings)


def to_ask(run: str, settings: Settings) -> list[tuple[str, str]]:
    """Return the candidates that a person has to be asked about now: experiment, and a name for the question.

    They are few at a time, and none where very many wait for people already; the next look finds the others. A question
    has one name for a day, so that one whose run ended before anybody was asked is asked again.
    """
    day = dt.datetime.now(UTC).date().isoformat()
    waiting = {one.slug: one for one in look(settings)}
    room = min(_ASKED_AT_ONCE, _MOST_ASKED - sum(one.asked for one in waiting.values()))
    asks = [record["name"] for record in published_by(run, settings).all() if record["outcome"] == "asks"]
    open_ones = [waiting[slug] for slug in asks if slug in waiting and not waiting[slug].asked]
    return [
        (one.slug, f"{one.slug}__{one.fingerprint[:12]}__{one.made_at // 10**9}__{day}")
        for one in open_ones[: max(0, room)]
    ]


def published_lines(run: str, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what became of each candidate that a run looked at: outcome, and one line."""
    for record in published_by(run, settings).all():
        yield record["outcome"], record["line"]
