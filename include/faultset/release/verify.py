"""Whether what lies on the disk is what was published: every file is hashed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faultset import storage
from faultset.errors import InputError
from faultset.release import history, manifest
from faultset.release.fingerprint import sha256_of
from faultset.release.manifest import MANIFEST, FileEntry, Manifest
from faultset.storage import INDEX, POINTER, DatasetRoot, check_slug, open_root

Kind = Literal["changed", "missing", "added", "manifest", "pointer", "index"]
_RESTORE = "restore it from a copy; a version's content never changes"
_REPOINT = "remove the file, then publish this dataset again, which writes it anew"
_REINDEX = "remove index.json, then publish any dataset, which writes it anew"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was published.

    Attributes:
        slug: name of the dataset; "" where the index as a whole is meant.
        version: X.Y.Z; None where the dataset as a whole is meant.
        path: the file concerned, relative to the root.
        kind: ``changed``, ``missing`` and ``added`` files; a damaged ``manifest``, ``pointer`` or ``index``.
        problem: what is wrong.
        remedy: what to do about it.
    """

    slug: str
    version: str | None
    path: str
    kind: Kind
    problem: str
    remedy: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.problem}; {self.remedy}"


def verify(
    root: str | Path,
    slug: str | None = None,
    version: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[Damage, ...]:
    """Hash all files of one version, of one dataset or of all, and compare manifests, pointers and index.

    A version that the pointer or the index does not name yet is what a killed publisher leaves, and no damage.

    Args:
        root: the root of the datasets.
        slug: only this dataset.
        version: only this version of ``slug``.
        progress: called with versions done, versions in all and which comes next.

    Raises:
        InputError: there is no such dataset or version.
        SetupError: something cannot be read.
    """
    store = open_root(root)
    recorded = history.read_index(store)
    chosen = [_read_dataset(store, name, recorded or {}) for name in _chosen(store, slug, recorded or {})]
    if slug is not None and version is not None and version not in (*chosen[0].manifests, *chosen[0].listed):
        raise InputError(f"{slug} {version}", "there is no such version", f"see faultset versions {slug}")
    found = [] if slug else [*_index_as_a_whole(store, recorded)]
    work = [(dataset, name) for dataset in chosen for name in dataset.manifests if version in (None, name)]
    for dataset in chosen:
        found += [damage for damage in _names(store, dataset) if version in (None, damage.version or version)]
    for done, (dataset, name) in enumerate(work):
        if progress:
            progress(done, len(work), f"{dataset.slug} {name}: hashing")
        found += _files(store, dataset.slug, name, dataset.manifests[name].content)
    return tuple(found)


def pointer_damage(root: str | Path) -> tuple[Damage, ...]:
    """Compare manifests, pointers and index with one another; no other file is read.

    Raises:
        SetupError: something cannot be read.
    """
    store = open_root(root)
    recorded = history.read_index(store)
    found = [*_index_as_a_whole(store, recorded)]
    for name in _chosen(store, None, recorded or {}):
        found += _names(store, _read_dataset(store, name, recorded or {}))
    return tuple(found)


def _chosen(store: DatasetRoot, slug: str | None, recorded: dict[tuple[str, str], Any]) -> list[str]:
    known = {name for name in store.slugs() if history.version_numbers(store, name) or _has_pointer(store, name)}
    known |= {name for name, _ in recorded}
    if slug is None:
        return sorted(known)
    if check_slug(slug) not in known:
        raise InputError(slug, "there is no dataset of this name", "see faultset versions for all names")
    return [slug]


def _has_pointer(store: DatasetRoot, slug: str) -> bool:
    return store.read(f"{slug}/{POINTER}") is not None


# --- a dataset ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest as found: ``sha256`` None where there is no file, ``content`` None where it is none."""

    sha256: str | None
    content: Manifest | None


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What is there of a dataset (``manifests``, by version) and what the index says of it (``listed``)."""

    slug: str
    manifests: dict[str, _Read]
    listed: dict[str, dict[str, Any]]
    pointer: history.Pointer | None


def _read_dataset(store: DatasetRoot, slug: str, recorded: dict[tuple[str, str], dict[str, Any]]) -> _Dataset:
    listed = {version: entry for (of, version), entry in recorded.items() if of == slug}
    if slug not in store.slugs():
        return _Dataset(slug, {}, listed, None)
    versions = [str(number) for number in history.version_numbers(store, slug)]
    manifests = {version: _read_manifest(store, slug, version) for version in versions}
    return _Dataset(slug, manifests, listed, history.read_pointer(store, slug))


def _read_manifest(store: DatasetRoot, slug: str, version: str) -> _Read:
    data = store.read(f"{slug}/{version}/{MANIFEST}")
    if data is None:
        return _Read(None, None)
    try:
        return _Read(manifest.sha256(data), manifest.decode(data, MANIFEST))
    except InputError:
        return _Read(manifest.sha256(data), None)


def _names(store: DatasetRoot, dataset: _Dataset) -> Iterator[Damage]:
    """Compare pointer, index and manifests with one another."""
    yield from _pointer(store, dataset)
    for version in dataset.manifests:
        yield from _manifest(dataset, version)
    for version in dataset.listed:
        if version not in dataset.manifests:
            problem = "index.json lists this version, and its folder is missing"
            remedy = "restore it from a copy; if it was removed on purpose, publish any dataset, which drops it"
            yield Damage(dataset.slug, version, f"{dataset.slug}/{version}", "index", problem, remedy)


def _pointer(store: DatasetRoot, dataset: _Dataset) -> Iterator[Damage]:
    path = f"{dataset.slug}/{POINTER}"
    if dataset.pointer is None:
        present = dataset.slug in store.slugs() and _has_pointer(store, dataset.slug)
        if present or any(version in dataset.listed for version in dataset.manifests):
            problem = "it is no pointer" if present else "it is missing"
            yield Damage(dataset.slug, None, path, "pointer", problem, _REPOINT)
    elif dataset.pointer.version not in dataset.manifests:
        problem = f"it names version {dataset.pointer.version}, which is not there"
        remedy = "restore that version from a copy; if it was removed on purpose, publish this dataset again"
        yield Damage(dataset.slug, None, path, "pointer", problem, remedy)


def _manifest(dataset: _Dataset, version: str) -> Iterator[Damage]:
    """Compare a manifest with the hashes that others hold of it: index, pointer, and the manifest of the next."""
    found = dataset.manifests[version]
    path = f"{dataset.slug}/{version}/{MANIFEST}"
    if found.sha256 is None:
        yield Damage(dataset.slug, version, path, "manifest", "it is missing", _RESTORE)
        return
    held = _held(dataset, version)
    wrong = [where for where, digest in held.items() if digest != found.sha256]
    if found.content is None or (wrong and len(wrong) == len(held)):
        yield Damage(dataset.slug, version, path, "manifest", "it is not the manifest that was published", _RESTORE)
        return
    if POINTER in wrong:
        problem = "it holds another hash than the manifest has"
        yield Damage(dataset.slug, version, f"{dataset.slug}/{POINTER}", "pointer", problem, _REPOINT)
    entry = dataset.listed.get(version)
    if entry is not None and entry != history.index_entry(found.content, found.sha256):
        problem = f"it says other things of {dataset.slug} {version} than the manifest"
        yield Damage(dataset.slug, version, INDEX, "index", problem, _REINDEX)
    if (found.content.slug, found.content.version) != (dataset.slug, version):
        problem = f"it is the manifest of {found.content.slug} {found.content.version}"
        yield Damage(dataset.slug, version, path, "manifest", problem, "give the folder its former name")


def _held(dataset: _Dataset, version: str) -> dict[str, object]:
    held: dict[str, object] = {}
    if version in dataset.listed:
        held[INDEX] = dataset.listed[version].get("manifest_sha256")
    if dataset.pointer is not None and dataset.pointer.version == version:
        held[POINTER] = dataset.pointer.manifest_sha256
    if (later := _held_by_next(version, dataset.manifests)) is not None:
        held[MANIFEST] = later
    return held


def _held_by_next(version: str, manifests: dict[str, _Read]) -> str | None:
    for other in manifests.values():
        previous = other.content.previous if other.content else None
        if previous is not None and previous.version == version:
            return previous.manifest_sha256
    return None


# --- a version ------------------------------------------------------------------------------------------------------


def _files(store: DatasetRoot, slug: str, version: str, content: Manifest | None) -> Iterator[Damage]:
    if content is None:
        return
    folder = store.path / slug / version
    present = set(storage.files(folder)) - {MANIFEST}
    for entry in content.files:
        path = f"{slug}/{version}/{entry.path}"
        if entry.path not in present:
            yield Damage(slug, version, path, "missing", "it is missing", _RESTORE)
        elif not _as_published(folder, entry):
            yield Damage(slug, version, path, "changed", "its bytes are not those that were published", _RESTORE)
    for name in sorted(present - {entry.path for entry in content.files}):
        path = f"{slug}/{version}/{name}"
        yield Damage(slug, version, path, "added", "it was not published with this version", "remove it")


def _as_published(folder: Path, entry: FileEntry) -> bool:
    path = folder / entry.path
    if path.is_symlink() or not path.is_file() or path.stat().st_size != entry.bytes:
        return False
    return sha256_of(path) == entry.sha256


# --- the index ------------------------------------------------------------------------------------------------------


def _index_as_a_whole(store: DatasetRoot, recorded: dict[tuple[str, str], Any] | None) -> Iterator[Damage]:
    numbered = {slug: history.version_numbers(store, slug) for slug in store.slugs()}
    if recorded is None:
        if store.read(INDEX) is not None:
            yield Damage("", None, INDEX, "index", "it is no index", _REINDEX)
        elif sum(map(len, numbered.values())) > 1:
            yield Damage("", None, INDEX, "index", "it is missing", "publish any dataset, which writes it anew")
        return
    for slug, found in numbered.items():
        for number in found[:-1]:
            if (slug, str(number)) not in recorded:
                yield Damage(slug, str(number), INDEX, "index", "it does not list this version", _REINDEX)
