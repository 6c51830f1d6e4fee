"""A Hugging Face Hub to test against, as the library ``huggingface_hub`` asks it: repositories, LFS, commits, tags."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from archives.server import Answer, Request, StandIn

NAMESPACE = "a-lab"
_LARGE = (".parquet", ".png", ".zip")
_PAGE = 7


@dataclass(frozen=True)
class Blob:
    """A file of a commit; ``large``: kept beside git, under its sha256."""

    content: bytes
    large: bool


@dataclass(frozen=True)
class Commit:
    """A commit and what it holds."""

    id: str
    title: str
    message: str
    files: dict[str, Blob]


@dataclass
class Repository:
    """A dataset repository: the commits of main, oldest first, and its tags."""

    private: bool
    commits: list[Commit] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def at(self, revision: str) -> Commit | None:
        if revision == "main":
            return self.commits[-1]
        wanted = self.tags.get(revision, revision)
        return next((commit for commit in self.commits if commit.id == wanted), None)


class Hub(StandIn):
    """The server and all that it knows."""

    def __init__(self, *, part_bytes: int = 1 << 40) -> None:
        super().__init__()
        self.part_bytes = part_bytes  # larger files are sent in parts of this size
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self._parts: dict[str, dict[int, bytes]] = {}

    # --- what tests ask -----------------------------------------------------------------------------------------------

    def downloaded(self, repo: str, revision: str) -> dict[str, bytes]:
        commit = self.repositories[repo].at(revision)
        assert commit
        return {path: blob.content for path, blob in commit.files.items() if path != ".gitattributes"}

    def commits_of(self, repo: str, manifest_sha256: str) -> list[Commit]:
        return [one for one in self.repositories[repo].commits if manifest_sha256 in one.message]

    # --- routes -------------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Answer:
        # Addresses that large files go to are signed, and take no token.
        if not request.path.startswith("/storage/") and (refusal := self.refuse(request)):
            return refusal
        for method, pattern, do in _ROUTES:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                answer: Answer = do(self, request, *match.groups())
                return answer
        return Answer(404, {"error": "Sorry, we can't find the page you are looking for."})

    def create(self, request: Request) -> Answer:
        asked = request.json
        repo = f"{asked['organization']}/{asked['name']}"
        if asked.get("type") != "dataset" or asked["organization"] != NAMESPACE:
            return Answer(403, {"error": "You don't have the rights to create a dataset under this namespace"})
        if repo in self.repositories:
            address = f"{self.url}/datasets/{repo}"
            return Answer(409, {"error": "You already created this dataset repo", "url": address})
        made = Repository(asked.get("visibility") == "private" or bool(asked.get("private")))
        attributes = {".gitattributes": Blob(b"*.parquet filter=lfs\n", large=False)}
        made.commits.append(_commit("initial commit", "", attributes, None))
        self.repositories[repo] = made
        return Answer(200, {"url": f"{self.url}/datasets/{repo}", "name": repo, "id": "0"})

    def validate_yaml(self, request: Request) -> Answer:
        head = re.match(r"---\n(.*?)\n---\n", request.json["content"], re.DOTALL)
        try:
            found = yaml.safe_load(head[1]) if head else {}
        except yaml.YAMLError:
            return Answer(400, {"errors": [{"message": "Invalid YAML"}], "warnings": []})
        if found.get("license") not in (None, "cc-by-4.0", "cc0-1.0", "mit", "other"):
            return Answer(400, {"errors": [{"message": '"license" must be one of [...]'}], "warnings": []})
        return Answer(200, {"errors": [], "warnings": []})

    def info(self, _: Request, repo: str) -> Answer:
        found = self.repositories.get(repo)
        return Answer(200, {"id": repo, "sha": found.commits[-1].id}) if found else _no_repository()

    def refs(self, _: Request, repo: str) -> Answer:
        found = self.repositories.get(repo)
        if found is None:
            return _no_repository()
        tags = [_ref(name, f"refs/tags/{name}", commit) for name, commit in found.tags.items()]
        main = [_ref("main", "refs/heads/main", found.commits[-1].id)]
        return Answer(200, {"branches": main, "converts": [], "tags": tags})

    def commits(self, request: Request, repo: str, _revision: str) -> Answer:
        found = self.repositories[repo].commits[::-1]
        said = [
            {"id": one.id, "authors": [{"user": "a"}], "date": "2026-01-02T03:04:05.000Z", "title": one.title,
             "message": one.message}
            for one in found
        ]  # fmt: skip
        return self._page(request, said)

    def tree(self, request: Request, repo: str, revision: str) -> Answer:
        commit = self.repositories[repo].at(revision)
        if commit is None:
            return Answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        folders = sorted({path.rpartition("/")[0] for path in commit.files} - {""})
        said: list[dict[str, Any]] = [
            {"type": "directory", "path": path, "oid": _sha1(path.encode())} for path in folders
        ]
        said += [_described(path, blob) for path, blob in sorted(commit.files.items())]
        return self._page(request, said)

    def _page(self, request: Request, rows: list[dict[str, Any]]) -> Answer:
        start = int(request.query.get("cursor", 0))
        rest = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "cursor")
        following = f"{self.url}{request.path}?{rest}&cursor={start + _PAGE}"
        more = {"Link": f'<{following}>; rel="next"'} if start + _PAGE < len(rows) else {}
        return Answer(200, rows[start : start + _PAGE], more)

    def preupload(self, request: Request, repo: str, revision: str) -> Answer:
        commit = self.repositories[repo].at(revision)
        files = []
        for one in request.json["files"]:
            blob = commit.files.get(one["path"]) if commit else None
            large = one["path"].endswith(_LARGE) or one["size"] > 10_000_000
            oid = None if blob is None else _described(one["path"], blob)["oid"]
            oid = hashlib.sha256(blob.content).hexdigest() if blob and blob.large else oid
            mode = "lfs" if large else "regular"
            files.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return Answer(200, {"files": files})

    def batch(self, request: Request, _repo: str) -> Answer:
        return Answer(200, {"transfer": "basic", "objects": [self._object(one) for one in request.json["objects"]]})

    def _object(self, one: dict[str, Any]) -> dict[str, Any]:
        if one["oid"] in self.large:
            return one
        href = f"{self.url}/storage/{one['oid']}"
        upload: dict[str, Any] = {"href": href}
        if one["size"] > self.part_bytes:
            count = -(-one["size"] // self.part_bytes)
            parts = {str(number): f"{href}/{number}" for number in range(1, count + 1)}
            upload = {"href": f"{href}/complete", "header": {"chunk_size": str(self.part_bytes), **parts}}
        return {**one, "actions": {"upload": upload, "verify": {"href": f"{self.url}/verify"}}}

    def put_large(self, request: Request, oid: str) -> Answer:
        if hashlib.sha256(request.body).hexdigest() != oid:
            return Answer(400, {"error": "The Content-SHA256 you specified did not match what we received"})
        self.large[oid] = request.body
        return Answer(200, {}, {"ETag": f'"{_sha1(request.body)}"'})

    def put_part(self, request: Request, oid: str, number: str) -> Answer:
        self._parts.setdefault(oid, {})[int(number)] = request.body
        return Answer(200, {}, {"ETag": f'"{_sha1(request.body)}"'})

    def complete(self, request: Request, oid: str) -> Answer:
        parts = self._parts.get(oid, {})
        data = b"".join(parts[one["partNumber"]] for one in request.json["parts"] if one["partNumber"] in parts)
        if hashlib.sha256(data).hexdigest() != oid:
            return Answer(400, {"error": "the parts are not the file"})
        self.large[oid] = data
        return Answer(200, {"success": True})

    def verify(self, request: Request) -> Answer:
        return Answer(200 if request.json["oid"] in self.large else 404, {})

    def commit(self, request: Request, repo: str, _revision: str) -> Answer:
        found = self.repositories[repo]
        lines = [json.loads(line) for line in request.body.splitlines()]
        head = lines[0]["value"]
        if head.get("parentCommit") not in (None, found.commits[-1].id):
            return Answer(412, {"error": "A commit has happened since. Please refresh and try again."})
        files = dict(found.commits[-1].files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = Blob(base64.b64decode(value["content"]), large=False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    return Answer(400, {"error": f"LFS pointer pointed to a file that does not exist: {value['oid']}"})
                files[value["path"]] = Blob(self.large[value["oid"]], large=True)
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        made = _commit(head["summary"], head["description"], files, found.commits[-1].id)
        found.commits.append(made)
        address = f"{self.url}/datasets/{repo}/commit/{made.id}"
        return Answer(200, {"success": True, "commitOid": made.id, "commitUrl": address})

    def tag(self, request: Request, repo: str, revision: str) -> Answer:
        found, name = self.repositories[repo], request.json["tag"]
        commit = found.at(revision)
        if commit is None:
            return Answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
        if name in found.tags:
            return Answer(409, {"error": f"Tag reference exists already: {name}"})
        found.tags[name] = commit.id
        return Answer(200, {})


_REPO = r"/api/datasets/([^/]+/[^/]+)"
_ROUTES = (
    ("POST", r"/api/repos/create", Hub.create),
    ("POST", r"/api/validate-yaml", Hub.validate_yaml),
    ("GET", _REPO, Hub.info),
    ("GET", _REPO + "/refs", Hub.refs),
    ("GET", _REPO + "/commits/([^/]+)", Hub.commits),
    ("GET", _REPO + "/tree/([^/]+)", Hub.tree),
    ("POST", _REPO + "/preupload/([^/]+)", Hub.preupload),
    ("POST", _REPO + "/commit/([^/]+)", Hub.commit),
    ("POST", _REPO + "/tag/([^/]+)", Hub.tag),
    ("POST", r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", Hub.batch),
    ("PUT", r"/storage/([0-9a-f]{64})", Hub.put_large),
    ("PUT", r"/storage/([0-9a-f]{64})/(\d+)", Hub.put_part),
    ("POST", r"/storage/([0-9a-f]{64})/complete", Hub.complete),
    ("POST", r"/verify", Hub.verify),
)


def _commit(title: str, message: str, files: dict[str, Blob], parent: str | None) -> Commit:
    content = sorted((path, hashlib.sha256(blob.content).hexdigest()) for path, blob in files.items())
    return Commit(_sha1(json.dumps([title, message, parent, content]).encode()), title, message, files)


def _described(path: str, blob: Blob) -> dict[str, Any]:
    git = _sha1(b"blob %d\0" % len(blob.content) + blob.content)
    said = {"type": "file", "path": path, "size": len(blob.content), "oid": git}
    if not blob.large:
        return said
    digest = hashlib.sha256(blob.content).hexdigest()
    return {
        **said,
        "oid": _sha1(digest.encode()),
        "lfs": {"oid": digest, "size": len(blob.content), "pointerSize": 130},
    }


def _ref(name: str, ref: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": ref, "targetCommit": commit}


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _no_repository() -> Answer:
    return Answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
