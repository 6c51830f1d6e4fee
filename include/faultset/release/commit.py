"""From a candidate that passed its validation to a version that never changes."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultset import tables
from faultset.errors import AnswerIsNo, InputError, SetupError
from faultset.moments import iso
from faultset.records.evidence import InputFile
from faultset.records.metadata import Metadata
from faultset.records.telemetry import TelemetryFacts
from faultset.records.validation import Validation
from faultset.release import card, description, history, manifest, parquet
from faultset.release.changes import Changes
from faultset.release.diff import diff
from faultset.release.history import Head, History, latest_manifest
from faultset.release.manifest import CARD, CHANGES, DESCRIPTION, FileEntry, Manifest, Previous
from faultset.release.number import Number
from faultset.slug import check_slug
from faultset.storage import MANIFEST, NOTE, LostRaceError, Store, bytes_of, explain_os_errors, open_root

_WRITTEN_HERE = (CARD, CHANGES, *DESCRIPTION, MANIFEST)
# Each lost race is another writer's success, so that this many in a row mean that something is wrong.
_ATTEMPTS = 1000
_STEPS = 3
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A dataset that could become a version.

    Attributes:
        slug: name of the dataset.
        metadata: what the experiment says of itself.
        fingerprint: hex digest of what it was made from (``release.fingerprint``).
        folder: holds the tables, ``validation/`` and perhaps ``candidate.json``, which does not go into the version;
            publishing moves it, so it lies under the root of the datasets.
        inputs: the files that it was made from.
        validation: the outcome of its validation; ``data_docs`` relative to ``folder``.
        telemetry: what is known of each labeled file.
        analysis: as in ``Manifest``.
        decision: as in ``Manifest``.
        recipe: as in ``Manifest``.
    """

    slug: str
    metadata: Metadata
    fingerprint: str
    folder: Path
    inputs: tuple[InputFile, ...]
    validation: Validation
    telemetry: tuple[TelemetryFacts, ...] = ()
    analysis: dict[str, Any] = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a candidate.

    Attributes:
        slug: name of the dataset.
        version: X.Y.Z of the version that holds the candidate's content.
        uri: where it lies: the path of its folder, or its address in a bucket.
        manifest_sha256: hex digest of its manifest.
        new: False where a version was made from the same inputs by the same tool; nothing was written then.
        changes: one line on what differs from the version before.
    """

    slug: str
    version: str
    uri: str
    manifest_sha256: str
    new: bool
    changes: str

    @property
    def path(self) -> Path:
        """Its folder, on a disk."""
        return Path(self.uri)


def publish(
    candidate: Candidate,
    root: str | Path,
    *,
    created_at: dt.datetime,
    work: str | Path | None = None,
    progress: Progress | None = None,
) -> Published:
    """Make ``candidate`` the next version of its dataset, unless a version has its fingerprint.

    It is compared with the latest version, and gets a number above all. Where the latest is not the newest because
    somebody took that back, a candidate made from the same as the newest is not published either. The candidate's
    folder is moved, not copied; where publishing fails it is given back. Any number of processes may publish at once,
    and each may be killed at any moment: readers see whole versions only.

    Args:
        candidate: what to publish.
        root: the root of the datasets.
        created_at: aware time of publication.
        work: local folder for what is under way where ``root`` is a bucket; None: beside the candidate.
        progress: called with steps done, steps in all and what comes next.

    Raises:
        AnswerIsNo: the candidate did not pass its validation.
        InputError: the candidate is incomplete, or the latest version is damaged.
        SetupError: the disk is full, read-only, ...; or the candidate is gone.
    """
    store = open_root(root, work or candidate.folder.parent)
    say = progress or (lambda _done, _total, _what: None)
    _refuse_unfit(candidate)
    known = history.complete(store, candidate.slug)
    history.read_head(store, candidate.slug, known)  # nothing is built on a damaged version
    if not history.is_settled(store, candidate.slug, known):
        history.settle(store, candidate.slug)
    return _unchanged(candidate, store, known) or _publish_new(candidate, store, created_at, say)


def _refuse_unfit(candidate: Candidate) -> None:
    check_slug(candidate.slug)
    critical = [finding for finding in candidate.validation.findings if finding.severity == "critical"]
    if not candidate.validation.passed or critical:
        problem = f"validation failed with {len(critical)} critical findings"
        remedy = critical[0].remedy if critical else "see the validation's results, then build it again"
        raise AnswerIsNo(candidate.slug, f"{problem}: {critical[0].message}" if critical else problem, remedy)


def _unchanged(candidate: Candidate, store: Store, known: History) -> Published | None:
    holder = history.holder(store, candidate.slug, known, candidate.fingerprint)
    if holder is None:
        return None
    latest = known.latest
    said = "nothing changed" if holder.number == latest.number else f"taken back; {latest.number} is the latest"
    return _published(candidate, store, holder.number, holder.manifest_sha256, new=False, changes=said)


def _publish_new(candidate: Candidate, store: Store, created_at: dt.datetime, say: Progress) -> Published:
    with _staged(candidate, store) as folder:
        say(0, _STEPS, f"{candidate.slug}: hashing")
        contents = _contents(candidate, folder)
        with store.draft(folder, [entry.path for entry in contents]) as draft:
            for _ in range(_ATTEMPTS):
                known = history.complete(store, candidate.slug)
                if same := _unchanged(candidate, store, known):
                    return same
                head = history.read_head(store, candidate.slug, known)
                say(1, _STEPS, f"{candidate.slug}: comparing with the version before")
                changes = _compare(store, known, head, folder, contents)
                number = known.next_number(changes.change)
                described = _describe(candidate, number, head, contents, created_at)
                digest = manifest.sha256(_write(described, changes, folder))
                say(2, _STEPS, f"{candidate.slug}: writing the version")
                with contextlib.suppress(LostRaceError):
                    draft.commit(candidate.slug, str(number), given=known.listing, state=known.with_version(number))
                    history.settle(store, candidate.slug)
                    return _published(candidate, store, number, digest, new=True, changes=changes.summary())
    raise _too_many_writers(candidate)


def _published(
    candidate: Candidate, store: Store, number: Number, digest: str, *, new: bool, changes: str
) -> Published:
    uri = store.uri_of(f"{candidate.slug}/{number}")
    return Published(candidate.slug, str(number), uri, digest, new=new, changes=changes)


def _too_many_writers(candidate: Candidate) -> SetupError:
    return SetupError(candidate.slug, "other writers were always faster", "end some of them, then run it again")


# --- staging --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _staged(candidate: Candidate, store: Store) -> Iterator[Path]:
    """Have the candidate's folder for this process alone; what did not become a version is given back."""
    with store.staging.taken(candidate.folder) as folder:
        if folder is None:
            raise SetupError(candidate.folder, "the candidate is gone, perhaps to another publish", "build it again")
        note = folder / NOTE
        kept = bytes_of(note)
        with explain_os_errors(note):
            note.unlink(missing_ok=True)
        try:
            yield folder
        finally:
            if folder.is_dir():
                with explain_os_errors(folder):
                    for name in _WRITTEN_HERE:
                        (folder / name).unlink(missing_ok=True)
                    if kept is not None:
                        note.write_bytes(kept)
                store.staging.give_back(folder, candidate.folder)


def _contents(candidate: Candidate, folder: Path) -> tuple[FileEntry, ...]:
    contents = manifest.describe_files(folder)
    present = {entry.path for entry in contents}
    for table in tables.TABLES:
        if f"{table.name}.parquet" not in present:
            raise InputError(candidate.folder, f"the candidate has no {table.name}.parquet", "build it again")
    return contents


# --- describing -----------------------------------------------------------------------------------------------------


def _compare(store: Store, known: History, head: Head | None, folder: Path, contents: tuple[FileEntry, ...]) -> Changes:
    if head is None:
        return Changes(known.change_for_followers(None), None, None)
    here = {entry.sha256: folder / entry.path for entry in contents}
    names = [entry.path for entry in head.manifest.files if entry.path.endswith(".parquet")]
    same = {entry.path: here[entry.sha256] for entry in head.manifest.files if entry.sha256 in here}
    with store.local(head.manifest.slug, str(head.number), names, same) as before:
        difference = diff(before, folder)
    return Changes(known.change_for_followers(difference.change), difference, head.manifest)


def _describe(
    candidate: Candidate, number: Number, head: Head | None, contents: tuple[FileEntry, ...], created_at: dt.datetime
) -> Manifest:
    return Manifest(
        slug=candidate.slug,
        version=str(number),
        **dataclasses.asdict(candidate.metadata),
        schema_version=tables.SCHEMA_VERSION,
        created_at=iso(created_at),
        fingerprint=candidate.fingerprint,
        previous=Previous(str(head.number), head.manifest_sha256) if head else None,
        inputs=candidate.inputs,
        files=contents,
        tools=manifest.tool_versions(),
        validation=manifest.validation_summary(candidate.validation),
        telemetry=tuple(map(manifest.telemetry_entry, candidate.telemetry)),
        analysis=manifest.plain(candidate.analysis),
        decision=candidate.decision,
        recipe=candidate.recipe,
    )


def _write(described: Manifest, changes: Changes, folder: Path) -> bytes:
    """Write card, changes, description and manifest; return the manifest's bytes."""
    content = card.Content(
        workloads=parquet.read_table(tables.WORKLOADS, folder / "workloads.parquet"),
        triggers=parquet.read_table(tables.TRIGGERS, folder / "triggers.parquet"),
        injections=parquet.read_table(tables.INJECTIONS, folder / "injections.parquet"),
        targets=parquet.read_table(tables.TARGETS, folder / "targets.parquet"),
        impacts=_rows(tables.IMPACTS, folder),
        impact_tests=_rows(tables.IMPACT_TESTS, folder),
    )
    with explain_os_errors(folder):
        _overwrite(folder / CARD, card.render(described, content).encode())
        _overwrite(folder / CHANGES, changes.render(described).encode())
        for name, data in description.render(described).items():
            _overwrite(folder / name, data)
    added = tuple(manifest.describe_file(folder, name) for name in (CARD, CHANGES, *DESCRIPTION))
    files = sorted((*described.files, *added), key=lambda entry: entry.path)
    encoded = dataclasses.replace(described, files=tuple(files)).encode()
    with explain_os_errors(folder):
        _overwrite(folder / MANIFEST, encoded)
    return encoded


def _rows(table: tables.Table, folder: Path) -> list[Any]:
    """Return the rows of a table that a candidate of an older tool may lack."""
    path = folder / f"{table.name}.parquet"
    return parquet.read_table(table, path) if path.is_file() else []


def _overwrite(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)  # a former attempt's file is read-only by now
    path.write_bytes(data)


__all__ = ["Candidate", "Published", "latest_manifest", "publish"]
