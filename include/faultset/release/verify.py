"""Whether what is there is what was published: every file is hashed again, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faultset.errors import InputError, SetupError
from faultset.release import decisions, history, index, manifest, number
from faultset.release.decisions import Decision
from faultset.release.manifest import FileEntry, Manifest
from faultset.slug import check_slug
from faultset.storage import INDEX, LOG, MANIFEST, POINTER, Store, open_root

Kind = Literal["changed", "missing", "added", "manifest", "pointer", "index", "log"]
_RESTORE = "restore it from a copy; a version's content never changes"
_REPOINT = "remove the file, then run faultset doctor --fix, which writes it anew"
_REINDEX = "remove index.json, then run faultset doctor --fix, which writes it anew"
_MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was published.

    Attributes:
        slug: name of the dataset; "" where the index as a whole is meant.
        version: X.Y.Z; None where the dataset as a whole is meant.
        path: the file concerned, relative to the root.
        kind: ``changed``, ``missing`` and ``added`` files; a damaged ``manifest``, ``pointer``, ``index`` or ``log``.
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
    seen = _look(store, slug)
    if (
        slug is not None
        and version is not None
        and version not in (*seen.datasets[0].manifests, *seen.datasets[0].listed)
    ):
        raise InputError(f"{slug} {version}", "there is no such version", f"see faultset versions {slug}")
    found = [damage for damage in _lasting(store, slug, seen) if version in (None, damage.version or version)]
    work = [(dataset, name) for dataset in seen.datasets for name in dataset.manifests if version in (None, name)]
    with ThreadPoolExecutor(min(_MOST_AT_ONCE, 2 * (os.cpu_count() or 1))) as pool:
        for done, (dataset, name) in enumerate(work):
            if progress:
                progress(done, len(work), f"{dataset.slug} {name}: hashing")
            found += _of_version(store, pool, dataset, name)
    return tuple(found)


def pointer_damage(root: str | Path) -> tuple[Damage, ...]:
    """Compare manifests, pointers and index with one another; no other file is read.

    Raises:
        SetupError: something cannot be read.
    """
    store = open_root(root)
    return _lasting(store, None, _look(store, None))


# --- looking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """The datasets as they were found one after the other, and what does not fit together."""

    datasets: tuple[_Dataset, ...]
    damages: tuple[Damage, ...]


def _look(store: Store, slug: str | None) -> _Seen:
    """Compare manifests, pointers and index of one dataset or of all."""
    recorded = index.read(store)
    chosen = [_read_dataset(store, name, recorded or {}) for name in _chosen(store, slug, recorded or {})]
    found = [] if slug else [*_index_as_a_whole(store, recorded)]
    for dataset in chosen:
        found += _names(store, dataset)
    return _Seen(tuple(chosen), tuple(found))


def _lasting(store: Store, slug: str | None, seen: _Seen) -> tuple[Damage, ...]:
    """Return the damages that a second look finds, too: what was written or pruned during the first one is none."""
    again = frozenset(_look(store, slug).damages) if seen.damages else frozenset()
    return tuple(damage for damage in seen.damages if damage in again)


def _of_version(store: Store, pool: ThreadPoolExecutor, dataset: _Dataset, version: str) -> tuple[Damage, ...]:
    """Return what is wrong with a version's files; nothing where it was pruned since it was listed."""
    try:
        found = (*_files(store, pool, dataset.slug, version, dataset.manifests[version].content),)
    except SetupError:
        if _is_listed(store, dataset.slug, version):
            raise
        return ()
    return found if found and _is_listed(store, dataset.slug, version) else ()


def _is_listed(store: Store, slug: str, version: str) -> bool:
    return version in map(str, _versions_and_decisions(store, slug)[0])


def _chosen(store: Store, slug: str | None, recorded: dict[tuple[str, str], Any]) -> list[str]:
    known = {name for name in store.slugs() if _has_versions(store, name) or _has_pointer(store, name)}
    known |= {name for name, _ in recorded}
    if slug is None:
        return sorted(known)
    if check_slug(slug) not in known:
        raise InputError(slug, "there is no dataset of this name", "see faultset versions for all names")
    return [slug]


def _has_versions(store: Store, slug: str) -> bool:
    listing = store.listing(slug)
    return bool(listing.entries or any(map(number.parse, listing.folders)))


def _has_pointer(store: Store, slug: str) -> bool:
    return store.read(f"{slug}/{POINTER}") is not None


# --- a dataset ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest as found: ``sha256`` None where there is no file, ``content`` None where it is none."""

    sha256: str | None
    content: Manifest | None


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What is there of a dataset (``manifests``, by version), and what the index says of it (``listed``).

    ``decided`` is None where the log cannot be read.
    """

    slug: str
    manifests: dict[str, _Read]
    listed: dict[str, dict[str, Any]]
    pointer: history.Pointer | None
    decided: tuple[Decision, ...] | None = ()


def _read_dataset(store: Store, slug: str, recorded: dict[tuple[str, str], dict[str, Any]]) -> _Dataset:
    listed = {version: entry for (of, version), entry in recorded.items() if of == slug}
    if slug not in store.slugs():
        return _Dataset(slug, {}, listed, None)
    found, decided = _versions_and_decisions(store, slug)
    manifests = {str(version): _read_manifest(store, slug, str(version)) for version in found}
    return _Dataset(slug, manifests, listed, history.read_pointer(store, slug), decided)


def _versions_and_decisions(store: Store, slug: str) -> tuple[tuple[number.Number, ...], tuple[Decision, ...] | None]:
    try:
        known = history.read_history(store, slug)
    except InputError:
        return tuple(sorted(filter(None, map(number.parse, store.listing(slug).folders)))), None
    return known.numbers, known.decisions


def _read_manifest(store: Store, slug: str, version: str) -> _Read:
    data = store.read(f"{slug}/{version}/{MANIFEST}")
    if data is None:
        return _Read(None, None)
    try:
        return _Read(manifest.sha256(data), manifest.decode(data, MANIFEST))
    except InputError:
        return _Read(manifest.sha256(data), None)


def _names(store: Store, dataset: _Dataset) -> Iterator[Damage]:
    """Compare pointer, index and manifests with one another."""
    if dataset.decided is None:
        remedy = "restore it from a copy; it holds what was decided about the versions"
        yield Damage(dataset.slug, None, f"{dataset.slug}/{LOG}", "log", "its last entry cannot be read", remedy)
    yield from _pointer(store, dataset)
    for version in dataset.manifests:
        yield from _manifest(dataset, version)
    removed = {str(version) for version in decisions.pruned(dataset.decided or ())}
    for version in dataset.listed:
        if version not in dataset.manifests and version not in removed:
            problem = "index.json lists this version, and its folder is missing"
            remedy = "restore it from a copy; if it was removed on purpose, run faultset doctor --fix, which drops it"
            yield Damage(dataset.slug, version, f"{dataset.slug}/{version}", "index", problem, remedy)


def _pointer(store: Store, dataset: _Dataset) -> Iterator[Damage]:
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
    elif not _was_decided(dataset, dataset.pointer.moved):
        yield Damage(dataset.slug, None, path, "pointer", "it names a decision that nobody made", _REPOINT)


def _was_decided(dataset: _Dataset, moved: dict[str, str] | None) -> bool:
    return moved is None or dataset.decided is None or moved in [decision.as_dict() for decision in dataset.decided]


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
    if entry is not None and not _agrees(dataset, version, entry, index.entry(found.content, found.sha256)):
        problem = f"it says other things of {dataset.slug} {version} than the manifest"
        yield Damage(dataset.slug, version, INDEX, "index", problem, _REINDEX)
    if (found.content.slug, found.content.version) != (dataset.slug, version):
        problem = f"it is the manifest of {found.content.slug} {found.content.version}"
        yield Damage(dataset.slug, version, path, "manifest", problem, "give the folder its former name")


def _agrees(dataset: _Dataset, version: str, entry: dict[str, Any], made: dict[str, Any]) -> bool:
    """Whether the index says what manifest and log say; a withdrawal that it does not show yet is no damage."""
    reasons: list[object] = [None]
    reasons += [reason for of, reason in decisions.withdrawn(dataset.decided or ()).items() if str(of) == version]
    said = dict(entry)
    return (dataset.decided is None or said.pop("withdrawn", None) in reasons) and said == made


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


def _files(
    store: Store, pool: ThreadPoolExecutor, slug: str, version: str, content: Manifest | None
) -> Iterator[Damage]:
    if content is None:
        return
    present = {name: size for name, size in store.files(slug, version).items() if name != MANIFEST}
    # The largest first, so that all threads end at about the same time.
    entries = sorted(content.files, key=lambda entry: -entry.bytes)
    intact = pool.map(lambda entry: _as_published(store, f"{slug}/{version}", entry, present), entries)
    for entry, as_published in sorted(zip(entries, intact, strict=True), key=lambda pair: pair[0].path):
        path = f"{slug}/{version}/{entry.path}"
        if entry.path not in present:
            yield Damage(slug, version, path, "missing", "it is missing", _RESTORE)
        elif not as_published:
            yield Damage(slug, version, path, "changed", "its bytes are not those that were published", _RESTORE)
    for name in sorted(present.keys() - {entry.path for entry in content.files}):
        path = f"{slug}/{version}/{name}"
        yield Damage(slug, version, path, "added", "it was not published with this version", "remove it")


def _as_published(store: Store, folder: str, entry: FileEntry, present: dict[str, int]) -> bool:
    return present.get(entry.path) == entry.bytes and store.sha256(f"{folder}/{entry.path}") == entry.sha256


# --- the index ------------------------------------------------------------------------------------------------------


def _index_as_a_whole(store: Store, recorded: dict[tuple[str, str], Any] | None) -> Iterator[Damage]:
    numbered = {slug: _versions_and_decisions(store, slug)[0] for slug in store.slugs()}
    if recorded is None:
        if store.read(INDEX) is not None:
            yield Damage("", None, INDEX, "index", "it is no index", _REINDEX)
        elif sum(map(len, numbered.values())) > 1:
            yield Damage("", None, INDEX, "index", "it is missing", "run faultset doctor --fix, which writes it anew")
        return
    for slug, found in numbered.items():
        for version in map(str, found[:-1]):
            if (slug, version) not in recorded:
                yield Damage(slug, version, INDEX, "index", "it does not list this version", _REINDEX)
