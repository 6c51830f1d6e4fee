"""A version as a record of an InvenioRDM, such as Zenodo: one record, one DOI, however often this is killed.

Each step looks first. Which record is meant follows from what lies there and from the dataset's notes together: a
draft is published only if the notes name it, which one draft alone can be, and only if it holds every file with its
size and hash; that it was published, only the record itself tells.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from faultset.deposits import archive, invenio_metadata, notes, plan
from faultset.deposits.archive import Sealed
from faultset.deposits.errors import ConflictError, UnavailableError, rejected
from faultset.deposits.http import Client, said, until_done
from faultset.deposits.job import Job
from faultset.deposits.notes import Note
from faultset.errors import AnswerIsNo, InputError, SetupError, counted
from faultset.moments import UTC, iso

_MOST_ASKED = 50  # other versions in one query
_UPLOADS = 5  # of one file whose hash is another one there


@dataclass(kw_only=True)
class Deposit(Job):
    """The deposit of one version in one InvenioRDM."""

    def __post_init__(self) -> None:
        """Connect; nothing is asked yet."""
        self.client = Client(self.access, self.patience)
        self._sealed: tuple[Sealed, ...] = ()

    def run(self) -> Note:
        """As in ``Job``."""
        self._sealed = self._seal()
        return until_done(self._step, self.client.trouble, ConflictError)

    # --- one look, and what follows from it ---------------------------------------------------------------------------

    def _step(self) -> Note:
        record = self._published()
        if record is None:
            record = self._publish(self._ready(self._draft()))
        note = notes.put(self.store, self.version.manifest.slug, self._seen(record))
        self._discard_others(note.id)
        return note

    def _published(self) -> dict[str, Any] | None:
        """Return the version's record; None where it was not published."""
        ids = [note.id for note in self._notes() if note.manifest_sha256 == self.version.manifest_sha256]
        ids += [hit["id"] for hit in self._hits() if hit.get("is_published")]
        found = {}
        for id_ in dict.fromkeys(ids):
            record = self.client.get(f"/records/{_segment(id_)}")
            if record is not None and invenio_metadata.holds(record, self.version):
                found[id_] = record
        if len(found) > 1:
            problem = f"it is published {len(found)} times there: {', '.join(found)}"
            raise AnswerIsNo(self.version.name, problem, "ask the archive's support which of them is to stay")
        return next(iter(found.values()), None)

    def _draft(self) -> str:
        """Return the id of the draft that the notes name; make one where there is none."""
        slug = self.version.manifest.slug
        noted = next((note for note in self._notes() if note.manifest_sha256 == self.version.manifest_sha256), None)
        if noted is not None:
            if self.client.get(f"/records/{_segment(noted.id)}/draft") is not None:
                return noted.id
            if noted.state == "published":
                problem = f"record {noted.id}, which held it, is not there any more"
                remedy = (
                    f"see {noted.url or self.access.url}; if it is to be deposited anew, remove it from deposits.json"
                )
                raise AnswerIsNo(self.version.name, problem, remedy)
            if self._published() is not None:
                raise ConflictError
            notes.drop(self.store, slug, noted)  # somebody discarded it
        made = self._left_draft() or self._new_draft()
        claimed = notes.claim(self.store, slug, self._note(made, "draft"))
        if claimed.id != made:
            self._discard(made)
            raise ConflictError
        return made

    def _left_draft(self) -> str | None:
        """Return a draft of this version that somebody made and was killed before it was noted."""
        left = sorted(hit["id"] for hit in self._hits() if not hit.get("is_published"))
        return next((id_ for id_ in left if self._is_own_draft(id_)), None)

    def _is_own_draft(self, id_: str) -> bool:
        draft = self.client.get(f"/records/{_segment(id_)}/draft")
        return draft is not None and not draft.get("is_published") and invenio_metadata.holds(draft, self.version)

    def _new_draft(self) -> str:
        before = self._before()
        if before is None:
            made = self.client.change("POST", "/records", self._body({}))
        else:
            # Of a next version there is one draft at most: who asks again, and whoever else asks, is given the same.
            made = self.client.change("POST", f"/records/{_segment(before)}/versions")
        if made is None:
            raise ConflictError
        return str(made["id"])

    def _before(self) -> str | None:
        """Return a record of an earlier version of the dataset; None where none was published there.

        Raises:
            AnswerIsNo: a later version was.
        """
        ids = {note.manifest_sha256: note.id for note in self._notes() if note.state == "published"}
        keys = {plan.key(digest): digest for _, digest in self.version.others[:_MOST_ASKED]}
        for hit in self._hits(*keys) if keys else ():
            said_there = {one.get("identifier") for one in hit["metadata"].get("identifiers") or ()}
            digests = [digest for name, digest in keys.items() if name in said_there and hit.get("is_published")]
            ids.update((digest, str(hit["id"])) for digest in digests if digest not in ids)
        there = [number for number, digest in self.version.others if digest in ids]
        answer = plan.may_follow(self.version, there)
        if not answer.yes:
            remedy = "deposit versions in their order, or only the newest one"
            raise AnswerIsNo(self.version.name, f"{self.access.url}: {answer.why}", remedy)
        return next((ids[digest] for _, digest in self.version.others if digest in ids), None)

    def _ready(self, id_: str) -> str:
        """Give a draft its metadata, its files and its DOI."""
        path = f"/records/{_segment(id_)}/draft"
        draft = self.client.get(path)
        if draft is None:
            raise ConflictError
        # What is left out here is lost there: a DOI that was reserved, too.
        made = self.client.change("PUT", path, self._body(draft.get("pids") or {}))
        if made is None:
            raise ConflictError
        if wrong := said(made.get("errors")):
            raise rejected(self.access.url, wrong)
        self._send_files(path)
        if not _doi(made):
            self._reserve(path)
        return id_

    def _reserve(self, path: str) -> None:
        """Reserve the DOI, so that it is known before it is registered: a draft never gets a second one."""
        try:
            self.client.change("POST", f"{path}/pids/doi")
        except InputError:
            draft = self.client.get(path)
            if draft is None or not _doi(draft):  # otherwise somebody did meanwhile
                raise

    def _publish(self, id_: str) -> dict[str, Any]:
        """Publish a draft that holds all there is to hold, and is the one that the notes name."""
        path = f"/records/{_segment(id_)}"
        wrong = self._differences(self._entries(f"{path}/draft/files"))
        if wrong or not any(note.id == id_ for note in self._notes()):
            raise ConflictError
        self.tell(self._bytes, self._bytes, "publishing")
        if self.client.change("POST", f"{path}/draft/actions/publish") is None:
            raise ConflictError
        record = self.client.get(path)
        if record is None:
            raise UnavailableError("it does not show yet what was published")
        return record

    def _seen(self, record: dict[str, Any]) -> Note:
        """Return where a record is, once it is seen to hold every file.

        Raises:
            AnswerIsNo: it does not.
        """
        id_ = str(record["id"])
        wrong = self._differences(self._entries(f"/records/{_segment(id_)}/files"))
        if wrong:
            problem = f"record {id_} differs from it in {counted(len(wrong), 'file')}, such as {min(wrong)}"
            raise AnswerIsNo(self.version.name, problem, "ask the archive's support; it was changed there")
        return self._note(id_, "published", record)

    def _discard_others(self, id_: str) -> None:
        """Discard drafts of this version that killed writers left; they hold no DOI that anybody was told."""
        for hit in self._hits():
            if not hit.get("is_published") and hit["id"] != id_ and self._is_own_draft(str(hit["id"])):
                self._discard(str(hit["id"]))

    def _discard(self, id_: str) -> None:
        if self._is_own_draft(id_):
            self.client.change("DELETE", f"/records/{_segment(id_)}/draft")

    # --- files --------------------------------------------------------------------------------------------------------

    @property
    def _bytes(self) -> int:
        return sum(one.bytes for one in self._sealed)

    def _seal(self) -> tuple[Sealed, ...]:
        parcels = plan.parcels(self.version)
        total, done = sum(file.bytes for parcel in parcels for file in parcel.members), 0

        def read(more: int) -> None:
            nonlocal done
            done += more
            self.tell(min(done, total), total, "reading")

        return tuple(archive.seal(self.folder, parcel, read) for parcel in parcels)

    def _entries(self, path: str) -> dict[str, dict[str, Any]]:
        found = self.client.get(path)
        if found is None:
            raise ConflictError
        return {str(entry["key"]): entry for entry in found.get("entries") or ()}

    def _differences(self, entries: dict[str, dict[str, Any]]) -> set[str]:
        """Return the names of files that are not there as they are here, or not here."""
        wanted = {one.parcel.name: one for one in self._sealed}
        missing = {name for name, one in wanted.items() if name not in entries or not _is_whole(entries[name], one)}
        return missing | (entries.keys() - wanted.keys())

    def _send_files(self, path: str) -> None:
        for attempt in range(_UPLOADS):
            entries = self._entries(f"{path}/files")
            wrong = self._differences(entries)
            if not wrong:
                return
            # Nobody else works at this version (a lock says so), so what is not whole was left by the dead.
            for name in sorted(wrong & entries.keys()):
                self.client.change("DELETE", f"{path}/files/{_segment(name)}")
            done = self._bytes - sum(one.bytes for one in self._sealed if one.parcel.name in wrong)
            for one in self._sealed:
                if one.parcel.name in wrong:
                    self._send(path, one, done, attempt)
                    done += one.bytes
        problem = "files arrive there with other bytes than were sent, each time"
        raise SetupError(self.access.url, problem, "see whether a proxy stands between, then try again")

    def _send(self, path: str, one: Sealed, done: int, attempt: int) -> None:
        name = one.parcel.name
        again = f" (try {attempt + 1})" if attempt else ""

        def told() -> Iterator[bytes]:
            sent = done
            for piece in archive.pieces(self.folder, one.parcel):
                yield piece
                sent += len(piece)
                self.tell(sent, self._bytes, f"sending {name}{again}")

        if self.client.change("POST", f"{path}/files", [{"key": name}]) is None:
            raise ConflictError
        self.client.send(f"{path}/files/{_segment(name)}/content", told(), one.bytes)
        if self.client.change("POST", f"{path}/files/{_segment(name)}/commit") is None:
            raise ConflictError

    # --- words --------------------------------------------------------------------------------------------------------

    def _body(self, pids: dict[str, Any]) -> dict[str, Any]:
        publisher = "Zenodo" if "zenodo" in self.access.url else self.access.url.partition("://")[2]
        made = invenio_metadata.document(self.version, private=self.access.private, publisher=publisher)
        return {**made, "pids": pids}

    def _hits(self, *keys: str) -> list[dict[str, Any]]:
        """Return this user's records and drafts of versions; what was made just now need not be among them."""
        names = " OR ".join(f'"{name}"' for name in keys or (self.version.key,))
        query = f"metadata.identifiers.identifier:({names})"
        found = self.client.get("/user/records", q=query, size=100, sort="newest", allversions="true")
        if found is None:
            raise SetupError(self.access.url, "its answer is no InvenioRDM's", "check its address")
        return [
            hit
            for hit in (found.get("hits") or {}).get("hits") or ()
            if isinstance(hit, dict) and {"id", "metadata"} <= hit.keys()
        ]

    def _notes(self) -> list[Note]:
        found = notes.read(self.store, self.version.manifest.slug)
        return [note for note in found if (note.to, note.at) == (self.access.to, self.access.url)]

    def _note(self, id_: str, state: Any, record: dict[str, Any] | None = None) -> Note:
        manifest = self.version.manifest
        links = (record or {}).get("links") or {}
        return Note(
            to=self.access.to,
            at=self.access.url,
            version=manifest.version,
            manifest_sha256=self.version.manifest_sha256,
            id=id_,
            state=state,
            url=links.get("self_html"),
            doi=_doi(record or {}),
            concept_doi=_doi((record or {}).get("parent") or {}),
            deposited_at=iso(dt.datetime.now(UTC)) if record else None,
        )


def _is_whole(entry: dict[str, Any], one: Sealed) -> bool:
    as_sent = (entry.get("checksum"), entry.get("size")) == (f"md5:{one.md5}", one.bytes)
    return as_sent and entry.get("status", "completed") == "completed"


def _doi(document: dict[str, Any]) -> str | None:
    found = ((document.get("pids") or {}).get("doi") or {}).get("identifier")
    return str(found) if found else None


def _segment(name: object) -> str:
    return quote(str(name), safe="")
