"""An InvenioRDM to test against: its records API for drafts, files, versions and DOIs, as invenio-rdm-records has it.

What matters of the real one: a draft takes metadata that are wrong and says so, publishing does not; a reserved DOI is
lost where a draft is written without it; a next version has one draft, whoever asks; what was written just now is not
found by searching yet; a file is published only once it was committed.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from archives.server import Answer, Request, StandIn

PREFIX = "10.5072/zenodo."
_LICENSES = {"cc-by-4.0", "cc0-1.0", "mit", "apache-2.0"}
_SCHEMES = {"ark", "doi", "handle", "isbn", "issn", "url", "urn", "w3id", "other"}
_RELATIONS = {"iscitedby", "cites", "isderivedfrom", "issourceof", "isidenticalto", "isvariantformof"}
_FILES_AT_MOST = 100


@dataclass
class Upload:
    """A file of a draft or a record; ``content`` is None until its bytes arrived."""

    content: bytes | None = None
    committed: bool = False


@dataclass
class Entry:
    """A record with its draft, or a draft alone."""

    id: str
    parent: str
    index: int
    draft: dict[str, Any] | None
    draft_files: dict[str, Upload] = field(default_factory=dict)
    record: dict[str, Any] | None = None
    files: dict[str, Upload] = field(default_factory=dict)


class Invenio(StandIn):
    """The server and all that it knows."""

    def __init__(self, *, index_lag: int = 0) -> None:
        super().__init__()
        self.index_lag = index_lag  # requests until a change is found by searching
        self.entries: dict[str, Entry] = {}
        self.reserved: dict[str, str] = {}
        self.registered: dict[str, str] = {}
        self.replaced: dict[str, Callable[[Request], Answer]] = {}  # what answers a request instead, once
        self._next = 1001
        self._indexed: dict[str, list[tuple[int, dict[str, Any] | None]]] = {}

    # --- what tests ask -----------------------------------------------------------------------------------------------

    def published(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.record is not None]

    def drafts(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.draft is not None]

    def downloaded(self, id_: str) -> dict[str, bytes]:
        return {name: upload.content or b"" for name, upload in self.entries[id_].files.items()}

    # --- routes -------------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        if refusal := self.refuse(request):
            return refusal
        if request.headers.get("accept") != "application/vnd.inveniordm.v1+json":
            return Answer(200, {"conceptrecid": "1000", "title": "as Zenodo's former interface has it"})
        if instead := self.replaced.pop(f"{request.method} {request.path}", None):
            return instead(request)
        for method, pattern, do in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                answer: Answer = do(self, request, *match.groups())
                return answer
        return _missing()

    def search(self, request: Request) -> Answer:
        keys = set(re.findall(r'"([^"]+)"', request.query["q"]))
        now = len(self.requests)
        hits = []
        for versions in self._indexed.values():
            seen = [document for at, document in versions if at + self.index_lag <= now or self.index_lag == 0]
            if seen and (found := seen[-1]) is not None:
                named = {one.get("identifier") for one in found["metadata"].get("identifiers", [])}
                hits += [found] if named & keys else []
        return Answer(200, {"hits": {"hits": hits[: int(request.query.get("size", 10))], "total": len(hits)}})

    def create(self, request: Request) -> Answer:
        id_, parent = self._new_id(), self._new_id()
        entry = Entry(id_, parent, 1, {})
        self.entries[id_] = entry
        return self._written(entry, request.json, 201)

    def read(self, _: Request, id_: str) -> Answer:
        entry = self.entries.get(id_)
        return Answer(200, self._document(entry)) if entry and entry.record is not None else _missing()

    def read_draft(self, _: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        return Answer(200, self._document(entry, draft=True)) if entry else _missing()

    def write_draft(self, request: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        return self._written(entry, request.json, 200) if entry else _missing()

    def delete_draft(self, _: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        if entry is None:
            return _missing()
        entry.draft, entry.draft_files = None, {}
        if entry.record is None:
            self.reserved = {doi: of for doi, of in self.reserved.items() if of != id_}
            del self.entries[id_]
        self._index(entry)
        return Answer(204)

    def reserve(self, _: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        if entry is None or entry.draft is None:
            return _missing()
        if entry.draft["pids"].get("doi"):
            return _wrong([{"field": "pids.doi", "messages": ["A PID already exists for type doi"]}])
        doi = f"{PREFIX}{id_}"
        self.reserved[doi] = id_
        entry.draft["pids"] = {"doi": {"identifier": doi, "provider": "datacite", "client": "datacite"}}
        self._index(entry)
        return Answer(201, self._document(entry, draft=True))

    def publish(self, _: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        if entry is None or entry.draft is None:
            return _missing()
        errors = _errors(entry.draft["metadata"])
        if not entry.draft_files:
            errors.append({"field": "files.enabled", "messages": ["Missing uploaded files."]})
        if not all(upload.committed for upload in entry.draft_files.values()):
            errors.append({"field": "files", "messages": ["One or more files have not completed their transfer."]})
        if errors:
            return _wrong(errors)
        doi = entry.draft["pids"].get("doi", {}).get("identifier") or f"{PREFIX}{id_}"
        pids = {"doi": {"identifier": doi, "provider": "datacite", "client": "datacite"}}
        self.registered[doi] = id_
        entry.record, entry.files = {**entry.draft, "pids": pids}, entry.draft_files
        entry.draft, entry.draft_files = None, {}
        self._index(entry)
        return Answer(202, self._document(entry))

    def new_version(self, _: Request, id_: str) -> Answer:
        before = self.entries.get(id_)
        if before is None or before.record is None:
            return _missing()
        family = [entry for entry in self.entries.values() if entry.parent == before.parent]
        if waiting := next((entry for entry in family if entry.record is None), None):
            return Answer(201, self._document(waiting, draft=True))
        latest = max((entry for entry in family if entry.record is not None), key=lambda entry: entry.index)
        draft = copy.deepcopy(latest.record) or {}
        draft["pids"] = {}
        for name in ("version", "publication_date"):
            draft["metadata"].pop(name, None)
        entry = Entry(self._new_id(), before.parent, latest.index + 1, draft)
        self.entries[entry.id] = entry
        self._index(entry)
        return Answer(201, self._document(entry, draft=True))

    # --- files --------------------------------------------------------------------------------------------------------

    def list_draft_files(self, _: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        return Answer(200, _listing(entry.draft_files)) if entry else _missing()

    def list_files(self, _: Request, id_: str) -> Answer:
        entry = self.entries.get(id_)
        return Answer(200, _listing(entry.files)) if entry and entry.record is not None else _missing()

    def start_files(self, request: Request, id_: str) -> Answer:
        entry = self._with_draft(id_)
        if entry is None:
            return _missing()
        names = [one["key"] for one in request.json]
        if any(name in entry.draft_files for name in names):
            return _refused(f"File with key {names[0]} already exists.")
        if any("/" in name for name in names):
            return _refused("Invalid file name.")
        if len(entry.draft_files) + len(names) > _FILES_AT_MOST:
            return _refused(f"Uploading selected files will result in more than {_FILES_AT_MOST} files.")
        entry.draft_files |= {name: Upload() for name in names}
        return Answer(201, _listing(entry.draft_files))

    def put_content(self, request: Request, id_: str, name: str) -> Answer:
        entry = self._with_draft(id_)
        upload = entry.draft_files.get(name) if entry else None
        if upload is None:
            return _missing()
        if upload.content is not None:
            return _refused(f'File with key "{name}" is already committed.')
        upload.content = request.body
        return Answer(200, _file(name, upload))

    def commit_file(self, _: Request, id_: str, name: str) -> Answer:
        entry = self._with_draft(id_)
        upload = entry.draft_files.get(name) if entry else None
        if upload is None:
            return _missing()
        if upload.content is None:
            return _refused(f'File with key "{name}" has no content.')
        upload.committed = True
        return Answer(200, _file(name, upload))

    def delete_file(self, _: Request, id_: str, name: str) -> Answer:
        entry = self._with_draft(id_)
        if entry is None or entry.draft_files.pop(name, None) is None:
            return _missing()
        return Answer(204)

    def get_content(self, _: Request, id_: str, name: str) -> Answer:
        entry = self.entries.get(id_)
        upload = entry.files.get(name) if entry else None
        if upload is None:
            return _missing()
        return Answer(200, content=upload.content, headers={"Content-Type": "application/octet-stream"})

    # --- state --------------------------------------------------------------------------------------------------------

    def _new_id(self) -> str:
        self._next += 1
        return str(self._next)

    def _with_draft(self, id_: str) -> Entry | None:
        entry = self.entries.get(id_)
        return entry if entry and entry.draft is not None else None

    def _written(self, entry: Entry, body: dict[str, Any], status: int) -> Answer:
        pids = body.get("pids", {})
        if wrong := [doi for doi in _dois(pids) if self.reserved.get(doi) != entry.id]:
            return _wrong([{"field": "pids.doi", "messages": [f"{wrong[0]} was not reserved for this draft"]}])
        entry.draft = {"metadata": body.get("metadata", {}), "access": body.get("access", {}), "pids": pids}
        self._index(entry)
        errors = _errors(entry.draft["metadata"])
        document = self._document(entry, draft=True)
        return Answer(status, document | ({"errors": errors} if errors else {}))

    def _index(self, entry: Entry) -> None:
        gone = entry.record is None and entry.draft is None
        document = None if gone else self._document(entry, draft=entry.record is None)
        self._indexed.setdefault(entry.id, []).append((len(self.requests), copy.deepcopy(document)))

    def _document(self, entry: Entry, *, draft: bool = False) -> dict[str, Any]:
        said = (entry.draft if draft else entry.record) or {}
        family = [one for one in self.entries.values() if one.parent == entry.parent and one.record is not None]
        concept = {"doi": {"identifier": f"{PREFIX}{entry.parent}", "provider": "datacite"}} if family else {}
        return {
            "id": entry.id,
            "parent": {"id": entry.parent, "pids": concept},
            "versions": {"index": entry.index},
            "is_published": entry.record is not None,
            "is_draft": draft,
            "links": {"self_html": f"{self.url}/{'uploads' if draft else 'records'}/{entry.id}"},
            **copy.deepcopy(said),
        }


_ID = r"/api/records/(\d+)"
_NAME = r"/([^/]+)"
_ROUTES = (
    ("GET", r"/api/user/records", Invenio.search),
    ("POST", r"/api/records", Invenio.create),
    ("GET", _ID, Invenio.read),
    ("GET", _ID + "/draft", Invenio.read_draft),
    ("PUT", _ID + "/draft", Invenio.write_draft),
    ("DELETE", _ID + "/draft", Invenio.delete_draft),
    ("POST", _ID + "/draft/pids/doi", Invenio.reserve),
    ("POST", _ID + "/draft/actions/publish", Invenio.publish),
    ("POST", _ID + "/versions", Invenio.new_version),
    ("GET", _ID + "/draft/files", Invenio.list_draft_files),
    ("POST", _ID + "/draft/files", Invenio.start_files),
    ("PUT", _ID + "/draft/files" + _NAME + "/content", Invenio.put_content),
    ("POST", _ID + "/draft/files" + _NAME + "/commit", Invenio.commit_file),
    ("DELETE", _ID + "/draft/files" + _NAME, Invenio.delete_file),
    ("GET", _ID + "/files", Invenio.list_files),
    ("GET", _ID + "/files" + _NAME + "/content", Invenio.get_content),
)


def _errors(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the schema of records says of metadata."""
    missing = "Missing data for required field."
    needed = ("title", "publication_date", "publisher", "creators", "resource_type")
    wrong = [(name, missing) for name in needed if not metadata.get(name)]
    for place, creator in enumerate(metadata.get("creators", [])):
        wrong += [(f"creators.{place}.{where}", what) for where, what in _wrong_of_creator(creator["person_or_org"])]
    for place, right in enumerate(metadata.get("rights", [])):
        if "id" in right and right["id"] not in _LICENSES:
            wrong.append((f"rights.{place}", f"Invalid value {right['id']}."))
    for name in ("identifiers", "related_identifiers"):
        for place, one in enumerate(metadata.get(name, [])):
            if not _is_identifier(one, related=name.startswith("related")):
                wrong.append((f"{name}.{place}", "Invalid identifier."))
    return [{"field": f"metadata.{name}", "messages": [message]} for name, message in wrong]


def _wrong_of_creator(person: dict[str, Any]) -> list[tuple[str, str]]:
    named = person.get("type") == "personal" and person.get("family_name")
    wrong = [] if named else [("person_or_org.family_name", "Family name must be filled.")]
    orcids = [one["identifier"] for one in person.get("identifiers", []) if one["scheme"] == "orcid"]
    return wrong + [("person_or_org.identifiers", "Invalid ORCID identifier.") for one in orcids if not _orcid(one)]


def _is_identifier(one: dict[str, Any], *, related: bool) -> bool:
    urn = one.get("scheme") != "urn" or re.fullmatch(r"urn:[a-z0-9][a-z0-9-]{0,31}:\S+", one["identifier"])
    relation = not related or (one.get("relation_type") or {}).get("id") in _RELATIONS
    return bool(one.get("scheme") in _SCHEMES and urn and relation)


def _orcid(text: str) -> bool:
    total = 0
    digits = text.replace("-", "")
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return digits[-1] == ("X" if check == 10 else str(check))


def _dois(pids: dict[str, Any]) -> list[str]:
    return [pids["doi"]["identifier"]] if "doi" in pids else []


def _listing(files: dict[str, Upload]) -> dict[str, Any]:
    return {"enabled": True, "entries": [_file(name, upload) for name, upload in files.items()]}


def _file(name: str, upload: Upload) -> dict[str, Any]:
    if not upload.committed:
        return {"key": name, "status": "pending"}
    data = upload.content or b""
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"key": name, "status": "completed", "checksum": f"md5:{digest}", "size": len(data)}


def _missing() -> Answer:
    return Answer(404, {"status": 404, "message": "The persistent identifier does not exist."})


def _refused(message: str) -> Answer:
    return Answer(400, {"status": 400, "message": message})


def _wrong(errors: list[dict[str, Any]]) -> Answer:
    return Answer(400, {"status": 400, "message": "A validation error occurred.", "errors": errors})
