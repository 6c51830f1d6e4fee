"""Where published datasets are: a folder, a bucket or a web server, asked alike. No pandas here: lists answer at once.

What is read is always a whole version: its manifest appears last and never changes, and nothing is looked for that it
does not name.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from faultset.errors import InputError, SetupError, nearest
from faultset.release import decisions, history, number
from faultset.release import index as indexed
from faultset.release.history import History
from faultset.release.manifest import Manifest, decode
from faultset.settings import Settings
from faultset.slug import check_slug
from faultset.storage import INDEX, MANIFEST, POINTER, Store, open_root
from faultset.storage.bucket import Bucket, is_bucket, public
from faultset.storage.web import WebRoot, is_web

if TYPE_CHECKING:
    from faultset.dataset.files import File

_AT_ONCE = 16
Index = Mapping[tuple[str, str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a dataset at one moment.

    Attributes:
        numbers: X.Y.Z of each, ascending.
        latest: the one that is opened unless another is named; None where all were withdrawn.
        withdrawn: version -> why.
        manifest_sha256: version -> hex digest that its manifest must have, where that is known.
    """

    numbers: tuple[str, ...]
    latest: str | None
    withdrawn: Mapping[str, str]
    manifest_sha256: Mapping[str, str]


class Root(Protocol):
    """A root of datasets, for reading."""

    @property
    def uri(self) -> str:
        """Its address, as it may be shown."""

    def slugs(self) -> list[str]:
        """Return the names of all datasets, sorted."""

    def index(self) -> Index:
        """Return (slug, version) -> what ``index.json`` says of it; empty where there is none."""

    def versions(self, slug: str) -> Versions:
        """Return what there is of a dataset; no versions where it does not exist."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small file; None where it is not there."""

    def file(self, name: str, size: int) -> File:
        """Return a file that a manifest names; nothing is read yet."""


def root_at(root: str | Path | None) -> Root:
    """Return the root at a folder, ``s3://bucket/prefix`` or ``https://host/path``.

    Args:
        root: None for ``FAULTSET_DATASETS``.

    Raises:
        InputError: it is no such address.
        SetupError: this storage is not supported.
    """
    where = str(root) if root is not None else Settings.from_environment().datasets
    if is_web(where):
        return Web(WebRoot.at(where))
    return Stored(where, open_root(where))


@dataclass(frozen=True)
class Stored:
    """A folder or a bucket; decisions stand in the datasets' logs."""

    where: str
    store: Store

    @property
    def uri(self) -> str:
        """As in ``Root``."""
        return public(self.where)

    def slugs(self) -> list[str]:
        """As in ``Root``."""
        return self.store.slugs()

    def index(self) -> Index:
        """As in ``Root``."""
        return indexed.read(self.store) or {}

    def versions(self, slug: str) -> Versions:
        """As in ``Root``."""
        known = history.read_history(self.store, slug)
        withdrawn = {str(found): why for found, why in decisions.withdrawn(known.decisions).items()}
        pointer = known.pointer
        pinned = {pointer.version: pointer.manifest_sha256} if pointer else {}
        return Versions(tuple(map(str, known.numbers)), _latest(known), withdrawn, pinned)

    def read(self, name: str) -> bytes | None:
        """As in ``Root``."""
        return self.store.read(name)

    def file(self, name: str, size: int) -> File:
        """As in ``Root``."""
        from faultset.dataset.files import LocalFile, StoredFile  # noqa: PLC0415 (lists need no parquet)

        if is_bucket(self.where):
            return StoredFile(Bucket.at(self.where), name, size)
        return LocalFile(Path(self.store.uri_of(name)))


def _latest(known: History) -> str | None:
    """Return what ``latest.json`` names; what follows from the versions where it is missing or behind."""
    if known.pointer and number.parse(known.pointer.version) in known.numbers:
        return known.pointer.version
    return str(known.latest.number) if known.latest.number else None


@dataclass(frozen=True)
class Web:
    """A web server; what there is says ``index.json``, and of a single dataset also its ``latest.json``."""

    site: WebRoot

    @property
    def uri(self) -> str:
        """As in ``Root``."""
        return self.site.address

    def slugs(self) -> list[str]:
        """As in ``Root``.

        Raises:
            SetupError: there is no ``index.json``.
        """
        if not self.index():
            raise SetupError(self.site.uri_of(INDEX), "it is not there, or lists nothing", "check the address")
        return sorted({slug for slug, _ in self.index()})

    def index(self) -> Index:
        """As in ``Root``."""
        return self._index

    @functools.cached_property
    def _index(self) -> Index:
        return indexed.decode(self.site.read(INDEX)) or {}

    def versions(self, slug: str) -> Versions:
        """As in ``Root``."""
        pointer = history.decode_pointer(self.site.read(f"{check_slug(slug)}/{POINTER}"))
        listed = {version: entry for (name, version), entry in self.index().items() if name == slug}
        pinned = {version: str(entry.get("manifest_sha256", "")) for version, entry in listed.items()}
        if pointer:
            pinned[pointer.version] = pointer.manifest_sha256
        found = sorted(known for version in pinned if (known := number.parse(version)))
        withdrawn = {version: str(entry["withdrawn"]) for version, entry in listed.items() if entry.get("withdrawn")}
        usable = [str(known) for known in found if str(known) not in withdrawn]
        latest = pointer.version if pointer else usable[-1] if usable else None
        return Versions(tuple(map(str, found)), latest, withdrawn, pinned)

    def read(self, name: str) -> bytes | None:
        """As in ``Root``."""
        return self.site.read(name)

    def file(self, name: str, size: int) -> File:
        """As in ``Root``."""
        from faultset.dataset.files import WebFile  # noqa: PLC0415

        return WebFile(self.site, name, size)


# --- what there is ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset, as lists show it.

    Attributes:
        slug: its name.
        title: of its latest version; None where nothing tells.
        latest: X.Y.Z; None where every version was withdrawn.
        versions: X.Y.Z of all, ascending.
        created_at: when the latest version was published, ISO 8601 UTC; None where nothing tells.
    """

    slug: str
    title: str | None
    latest: str | None
    versions: tuple[str, ...]
    created_at: str | None


def records(root: Root) -> list[DatasetRecord]:
    """Return all datasets of a root, by name. No manifest is read where the index knows the latest version.

    Raises:
        SetupError: the root cannot be read.
    """
    index = root.index()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda slug: _record(root, index, slug), root.slugs())
        return [record for record in found if record.versions]


def _record(root: Root, index: Index, slug: str) -> DatasetRecord:
    known = root.versions(slug)
    entry: Mapping[str, Any] = index.get((slug, known.latest or ""), {})
    if not entry and known.latest:
        manifest = manifest_of(root, slug, known.latest, known)
        entry = {"title": manifest.title, "created_at": manifest.created_at}
    texts = {name: str(entry[name]) if entry.get(name) else None for name in ("title", "created_at")}
    return DatasetRecord(slug, texts["title"], known.latest, known.numbers, texts["created_at"])


def known_versions(root: Root, slug: str) -> Versions:
    """Return the versions of a dataset.

    Raises:
        InputError: there is no such dataset; names the nearest.
    """
    known = root.versions(check_slug(slug))
    if not known.numbers:
        names = _names(root)
        raise InputError(
            slug, f"there is no dataset of this name{nearest(slug, names)}", f"see faultset list: {_few(names)}"
        )
    return known


def _names(root: Root) -> list[str]:
    try:
        return [name for name in root.slugs() if root.versions(name).numbers]
    except SetupError:  # a web server without an index: the names would only have helped
        return []


def _few(names: list[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "there is none"


def manifest_of(root: Root, slug: str, version: str, known: Versions) -> Manifest:
    """Return a version's manifest, checked against the hash that the root keeps of it.

    Raises:
        InputError: there is no such version, or its manifest is damaged or another one.
    """
    name = f"{slug}/{version}/{MANIFEST}"
    data = root.read(name) if version in known.numbers else None
    where = f"{root.uri.rstrip('/')}/{name}"
    if data is None:
        raise InputError(
            f"{slug} {version}",
            "there is no such version",
            f"there are {', '.join(known.numbers)}",
        )
    wanted = known.manifest_sha256.get(version)
    if wanted and wanted != hashlib.sha256(data).hexdigest():
        raise InputError(where, "this is not the manifest that was published", "run faultset verify")
    return decode(data, where)
