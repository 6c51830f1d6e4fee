"""Which versions a dataset has. The folders say so; ``latest.json`` and ``index.json`` follow, and are made good here.

A publisher that was killed may leave a whole version that the pointer does not name yet, or that the index does not
list yet. That is no damage: the next publish of any content moves the pointer and adds to the index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset.errors import InputError
from faultset.release import manifest as manifests
from faultset.release import number as numbers
from faultset.release.manifest import MANIFEST, SEVERITIES, Manifest, to_json
from faultset.release.number import Number
from faultset.storage import INDEX, POINTER, DatasetRoot, check_slug, open_root


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """A version, as lists show it.

    Attributes:
        slug: name of the dataset.
        version: X.Y.Z.
        created_at: ISO 8601 UTC; None where the manifest cannot be read.
        fingerprint: hex digest of what it was made from; None where the manifest cannot be read.
        rows: table -> number of rows; empty where the manifest cannot be read.
        findings: severity -> number of findings of its validation; empty where the manifest cannot be read.
        manifest_sha256: hex digest of its manifest; None where there is none.
        latest: whether ``latest.json`` names it.
    """

    slug: str
    version: str
    created_at: str | None
    fingerprint: str | None
    rows: dict[str, int]
    findings: dict[str, int]
    manifest_sha256: str | None
    latest: bool


@dataclass(frozen=True, slots=True)
class Pointer:
    """What ``latest.json`` says."""

    version: str
    manifest_sha256: str

    def encode(self) -> bytes:
        """Return the bytes of ``latest.json``."""
        return to_json({"version": self.version, "manifest_sha256": self.manifest_sha256})


@dataclass(frozen=True, slots=True)
class Head:
    """The newest version of a dataset, whole and readable."""

    number: Number
    folder: Path
    manifest: Manifest
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class History:
    """A dataset at one moment.

    Attributes:
        folders: names of all visible folders; whoever changes something compares them again under the lock.
        head: the newest version; None where there is none.
        pointer: what ``latest.json`` says; None where it is missing or damaged.
    """

    folders: frozenset[str]
    head: Head | None
    pointer: Pointer | None

    @property
    def newest_is_gone(self) -> bool:
        """Whether ``latest.json`` names a newer version than there is: a person removed that version's folder."""
        named = numbers.parse(self.pointer.version) if self.pointer else None
        return named is not None and (self.head is None or named > self.head.number)

    def next_number(self, change: numbers.Change) -> Number:
        """Return the number that follows; the number of a version that a person removed is not used again."""
        named = numbers.parse(self.pointer.version) if self.pointer else None
        known = [number for number in (self.head and self.head.number, named) if number]
        return max(known).after(change) if known else numbers.FIRST


def versions(root: str | Path, slug: str | None = None) -> list[VersionRecord]:
    """Return all versions of one dataset or of all, by name and number.

    Raises:
        InputError: there is no dataset of this name.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    slugs = [name for name in store.slugs() if slug in (None, name) and version_numbers(store, name)]
    if slug is not None and not slugs:
        raise InputError(check_slug(slug), "there is no dataset of this name", "see faultset versions for all names")
    return [_record(store, name, number) for name in slugs for number in version_numbers(store, name)]


def version_folder(root: str | Path, slug: str, version: str) -> Path:
    """Return the folder of a version.

    Raises:
        InputError: there is no such version.
    """
    known = [record.version for record in versions(root, slug)]
    if version not in known:
        raise InputError(f"{slug} {version}", "there is no such version", f"there are {', '.join(known)}")
    return open_root(root).path / slug / version


def latest_manifest(root: str | Path, slug: str) -> dict[str, Any] | None:
    """Return the newest version's manifest, as it stands in the file.

    Returns:
        None also where the pointer or the index do not know that version yet: publishing again makes that good.

    Raises:
        InputError: the newest version is damaged.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    known = read_history(store, slug)
    head = known.head
    if head is None or known.pointer is None or known.pointer.version != str(head.number):
        return None
    if (slug, str(head.number)) not in (read_index(store) or {}):
        return None
    document: dict[str, Any] = json.loads(head.manifest.encode())
    return document


def leftovers(root: str | Path) -> list[Path]:
    """Return what lies in the staging folder: work under way, or left by a process that was killed."""
    return open_root(root).leftovers()


def version_numbers(store: DatasetRoot, slug: str) -> list[Number]:
    """Return the numbers of a dataset's versions, ascending."""
    return sorted(number for name in store.folders(slug) if (number := numbers.parse(name)))


def read_pointer(store: DatasetRoot, slug: str) -> Pointer | None:
    """Return what ``latest.json`` says; None where it is missing or damaged."""
    try:
        document = json.loads(store.read(f"{slug}/{POINTER}") or b"")
        version, digest = document["version"], document["manifest_sha256"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if numbers.parse(version) is None or not isinstance(digest, str):
        return None
    return Pointer(version, digest)


def read_history(store: DatasetRoot, slug: str) -> History:
    """Return what there is of a dataset.

    Raises:
        InputError: the newest version is damaged.
    """
    folders = frozenset(store.folders(slug))
    found = [number for name in folders if (number := numbers.parse(name))]
    pointer = read_pointer(store, slug)
    return History(folders, _head(store, slug, max(found), pointer) if found else None, pointer)


def _head(store: DatasetRoot, slug: str, number: Number, pointer: Pointer | None) -> Head:
    folder = store.path / slug / str(number)
    data = store.read(f"{slug}/{number}/{MANIFEST}")
    remedy = f"run faultset verify {slug}, then restore the version from a copy or remove its folder"
    if data is None:
        raise InputError(folder, "the newest version has no manifest", remedy)
    digest = manifests.sha256(data)
    if pointer and pointer.version == str(number) and pointer.manifest_sha256 != digest:
        raise InputError(folder / MANIFEST, "it is not the manifest that latest.json names", remedy)
    return Head(number, folder, manifests.decode(data, folder / MANIFEST), digest)


def _record(store: DatasetRoot, slug: str, number: Number) -> VersionRecord:
    version = str(number)
    pointer = read_pointer(store, slug)
    latest = pointer is not None and pointer.version == version
    data = store.read(f"{slug}/{version}/{MANIFEST}")
    digest = None if data is None else manifests.sha256(data)
    try:
        manifest = manifests.decode(data or b"", f"{slug}/{version}/{MANIFEST}")
    except InputError:
        return VersionRecord(slug, version, None, None, {}, {}, digest, latest)
    findings = {severity: manifest.validation[severity] for severity in SEVERITIES}
    made = (manifest.created_at, manifest.fingerprint)
    return VersionRecord(slug, version, *made, manifest.rows, findings, digest, latest)


# --- making pointer and index good ----------------------------------------------------------------------------------


def settle(store: DatasetRoot, slug: str, history: History) -> None:
    """Let the pointer name the newest version and the index list all; writes nothing where that is so already.

    A pointer to a newer version than there is stays until the next version: it alone remembers that number.

    Raises:
        LostRaceError: another writer published meanwhile.
    """
    head = history.head
    if head is None:
        return
    wanted = Pointer(str(head.number), head.manifest_sha256)
    if history.pointer != wanted and not history.newest_is_gone:
        store.point(slug, beside=history.folders, pointer=wanted.encode())
    refresh_index(store)


def refresh_index(store: DatasetRoot) -> None:
    """Let ``index.json`` list all versions of all datasets; writes nothing where it does already.

    What the index says of a version stays as it is, so that a manifest damaged later is not taken for the true one.
    """
    if store.read(INDEX) == _index(store):
        return
    with store.index_locked():
        wanted = _index(store)
        if store.read(INDEX) != wanted:
            store.replace(INDEX, wanted)


def read_index(store: DatasetRoot) -> dict[tuple[str, str], dict[str, Any]] | None:
    """Return (slug, version) -> what ``index.json`` says of it; None where it is missing or damaged."""
    try:
        document = json.loads(store.read(INDEX) or b"")
        return {
            (str(dataset["slug"]), str(entry["version"])): dict(entry)
            for dataset in document["datasets"]
            for entry in dataset["versions"]
        }
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def index_entry(manifest: Manifest, digest: str) -> dict[str, Any]:
    """Return what the index says of a version."""
    return {
        "version": manifest.version,
        "title": manifest.title,
        "created_at": manifest.created_at,
        "fingerprint": manifest.fingerprint,
        "manifest_sha256": digest,
    }


def _index(store: DatasetRoot) -> bytes:
    known = read_index(store) or {}
    datasets = []
    for slug in store.slugs():
        entries = [
            entry
            for number in version_numbers(store, slug)
            if (entry := known.get((slug, str(number))) or _new_entry(store, slug, number))
        ]
        if entries:
            datasets.append({"slug": slug, "versions": entries})
    return to_json({"datasets": datasets})


def _new_entry(store: DatasetRoot, slug: str, number: Number) -> dict[str, Any] | None:
    data = store.read(f"{slug}/{number}/{MANIFEST}")
    if data is None:
        return None
    try:
        return index_entry(manifests.decode(data, slug), manifests.sha256(data))
    except InputError:
        return None
