"""Which versions a dataset has, and which is the latest. ``latest.json`` and ``index.json`` follow, and are made good.

The folders of the versions and the log of decisions are the truth. A writer that was killed may leave a whole version
or a decision that the pointer or the index does not show yet. That is no damage: the next writer completes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset.errors import InputError, SetupError
from faultset.release import decisions as decided
from faultset.release import index as indexed
from faultset.release import manifest as manifests
from faultset.release import number as numbers
from faultset.release.decisions import Decision, Latest
from faultset.release.index import Index
from faultset.release.manifest import Manifest, to_json
from faultset.release.number import Change, Number
from faultset.severity import SEVERITIES
from faultset.slug import check_slug
from faultset.storage import INDEX, MANIFEST, POINTER, Listing, State, Store, log, open_root

_COMPLETIONS = 1000


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
        withdrawn: why it was withdrawn; None where it was not.
        cited: who relies on it, such as DOIs.
    """

    slug: str
    version: str
    created_at: str | None
    fingerprint: str | None
    rows: dict[str, int]
    findings: dict[str, int]
    manifest_sha256: str | None
    latest: bool
    withdrawn: str | None = None
    cited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pointer:
    """What ``latest.json`` says; ``moved`` is the decision that made another version than the newest the latest."""

    version: str
    manifest_sha256: str
    moved: dict[str, str] | None = None

    def encode(self) -> bytes:
        """Return the bytes of ``latest.json``."""
        said = {"version": self.version, "manifest_sha256": self.manifest_sha256}
        return to_json({**said, "moved": self.moved} if self.moved else said)


@dataclass(frozen=True, slots=True)
class Head:
    """The latest version of a dataset, whole and readable."""

    number: Number
    manifest: Manifest
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class History:
    """A dataset at one moment.

    Attributes:
        listing: what a change rests on; whoever changes something compares it again in the same step.
        numbers: of all versions, ascending.
        decisions: about them, oldest first.
        pointer: what ``latest.json`` says; None where it is missing or damaged.
        remembered: the highest number that the log knows of.
    """

    listing: Listing
    numbers: tuple[Number, ...]
    decisions: tuple[Decision, ...]
    pointer: Pointer | None
    remembered: Number | None

    @property
    def latest(self) -> Latest:
        """The latest version, as it follows from versions and decisions."""
        return decided.latest(self.numbers, self.decisions)

    @property
    def newest_is_gone(self) -> bool:
        """Whether ``latest.json`` names a newer version than there is: a person removed that version's folder."""
        named = self._named
        return named is not None and (not self.numbers or named > self.numbers[-1])

    @property
    def _named(self) -> Number | None:
        return numbers.parse(self.pointer.version) if self.pointer else None

    @property
    def _highest(self) -> Number | None:
        """The highest number that was ever given, as far as anything tells; its version may be gone."""
        return max((number for number in (*self.numbers, self._named, self.remembered) if number), default=None)

    def change_for_followers(self, change: Change | None) -> Change | None:
        """Return what the next version is to those who follow the numbers.

        Args:
            change: its difference to the latest version; None where there is none.

        Returns:
            ``major`` where the latest is not the highest ever given: whoever comes from that one, which was taken back
            or is gone, may miss records; None for a first version.
        """
        return change if self.latest.number == self._highest else "major"

    def next_number(self, change: Change | None) -> Number:
        """Return the number that follows; that of a version that was removed is not used again."""
        return self._highest.after(change or "major") if self._highest else numbers.FIRST

    def with_version(self, number: Number) -> State:
        """Return what the log says once ``number`` was given."""
        return State(str(number), tuple(decision.as_dict() for decision in self.decisions))

    def with_decision(self, decision: Decision) -> State:
        """Return what the log says once this was decided."""
        newest = max(number for number in (decision.newest, self._named, self.remembered) if number)
        return State(str(newest), tuple(one.as_dict() for one in (*self.decisions, decision)))


def versions(root: str | Path, slug: str | None = None) -> list[VersionRecord]:
    """Return all versions of one dataset or of all, by name and number.

    Raises:
        InputError: there is no dataset of this name.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    slugs = [name for name in store.slugs() if slug in (None, name)]
    found = {name: known for name in slugs if (known := read_history(store, name)).numbers}
    if slug is not None and not found:
        raise InputError(check_slug(slug), "there is no dataset of this name", "see faultset versions for all names")
    return [_record(store, name, known, number) for name, known in found.items() for number in known.numbers]


def version_folder(root: str | Path, slug: str, version: str) -> Path:
    """Return the folder of a version on a disk.

    Raises:
        InputError: there is no such version.
    """
    return Path(version_uri(root, slug, version))


def version_uri(root: str | Path, slug: str, version: str) -> str:
    """Return where a version lies: the path of its folder, or its address in a bucket.

    Raises:
        InputError: there is no such version.
    """
    store = open_root(root)
    known = list(map(str, read_history(store, slug).numbers))
    if not known:
        raise InputError(check_slug(slug), "there is no dataset of this name", "see faultset versions for all names")
    if version not in known:
        raise InputError(f"{slug} {version}", "there is no such version", f"there are {', '.join(known)}")
    return store.uri_of(f"{slug}/{version}")


def withdrawal(root: str | Path, slug: str, version: str) -> str | None:
    """Return why a version was withdrawn; None where it was not.

    Raises:
        InputError: the dataset's log is damaged.
        SetupError: the root cannot be read.
    """
    number = numbers.parse(version)
    store = open_root(root)
    decisions, _ = _state(store, slug, store.listing(slug))
    return decided.withdrawn(decisions).get(number) if number else None


def latest_manifest(root: str | Path, slug: str) -> dict[str, Any] | None:
    """Return the latest version's manifest, as it stands in the file.

    Returns:
        None also where the pointer or the index do not know that version yet: publishing again makes that good.

    Raises:
        InputError: the latest version is damaged.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    known = read_history(store, slug)
    head = read_head(store, slug, known)
    if head is None or not is_settled(store, slug, known):
        return None
    document: dict[str, Any] = json.loads(head.manifest.encode())
    return document


def held(root: str | Path, slug: str, fingerprint: str) -> Head | None:
    """Return the version that holds what was made from these inputs, and needs no publishing.

    That is the latest version, or one that a person took back: made again from the same, it would be no better.

    Returns:
        None also where pointer or index do not show it yet: publishing again makes that good.

    Raises:
        InputError: a version is damaged.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    known = read_history(store, slug)
    return holder(store, slug, known, fingerprint) if is_settled(store, slug, known) else None


def is_held(root: str | Path, slug: str, fingerprint: str, index: Index) -> bool:
    """Whether ``held`` would return a version; of the latest one what the index says is believed, unread.

    Args:
        root: of the datasets.
        slug: the dataset.
        fingerprint: of inputs and tool.
        index: what ``index_of`` returned.

    Raises:
        InputError: a version is damaged.
        SetupError: the root cannot be read.
    """
    store = open_root(root)
    known = read_history(store, slug)
    if not is_settled(store, slug, known, index) or known.pointer is None:
        return False
    entry = index[slug, known.pointer.version]
    told = (entry.get("fingerprint"), entry.get("manifest_sha256"))
    if told == (fingerprint, known.pointer.manifest_sha256) and not known.newest_is_gone:
        return True
    return holder(store, slug, known, fingerprint) is not None


def is_settled(store: Store, slug: str, known: History, index: Index | None = None) -> bool:
    """Whether pointer and index show the latest version, and the index every withdrawal.

    Args:
        store: the root.
        slug: the dataset.
        known: what there is of it.
        index: what ``index.json`` says; None: it is read.
    """
    latest = known.latest.number
    if latest is None or known.pointer is None or known.pointer.version != str(latest):
        return False
    index = (indexed.read(store) or {}) if index is None else index
    withdrawn = [index.get((slug, str(number))) for number in decided.withdrawn(known.decisions)]
    return (slug, str(latest)) in index and all("withdrawn" in entry for entry in withdrawn if entry)


def leftovers(root: str | Path, work: str | Path | None = None) -> list[str]:
    """Return what writers left that are dead; readers never see it."""
    return open_root(root, work).leftovers()


def version_numbers(store: Store, slug: str) -> list[Number]:
    """Return the numbers of a dataset's versions, ascending."""
    return list(read_history(store, slug).numbers)


def read_pointer(store: Store, slug: str) -> Pointer | None:
    """Return what ``latest.json`` says; None where it is missing or damaged."""
    return decode_pointer(store.read(f"{slug}/{POINTER}"))


def decode_pointer(data: bytes | None) -> Pointer | None:
    """Return what the bytes of ``latest.json`` say; None where there are none, or other ones."""
    try:
        document = json.loads(data or b"")
        version, digest, moved = document["version"], document["manifest_sha256"], document.get("moved")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    if numbers.parse(version) is None or not isinstance(digest, str) or not isinstance(moved, dict | None):
        return None
    return Pointer(version, digest, moved)


def read_history(store: Store, slug: str) -> History:
    """Return what there is of a dataset.

    Raises:
        InputError: its log is damaged.
    """
    listing = store.listing(slug)
    decisions, remembered = _state(store, slug, listing)
    gone = decided.pruned(decisions)
    found = {number for name in listing.folders if (number := numbers.parse(name))} - gone
    return History(listing, tuple(sorted(found)), decisions, read_pointer(store, slug), remembered)


def _state(store: Store, slug: str, listing: Listing) -> tuple[tuple[Decision, ...], Number | None]:
    if not listing.entries:
        return (), None
    name = log.name(slug, listing.entries)
    state = log.decode(store.read(name) or b"", store.uri_of(name)).state
    try:
        return tuple(map(Decision.from_dict, state.decisions)), numbers.parse(state.newest)
    except (ValueError, KeyError) as error:
        raise InputError(
            store.uri_of(name), "it holds a decision that this version does not know", "use a newer faultset"
        ) from error


def read_head(store: Store, slug: str, known: History) -> Head | None:
    """Return the latest version; None where there is none.

    Raises:
        InputError: it is damaged.
    """
    number = known.latest.number
    return None if number is None else _head(store, slug, number, known.pointer)


def _head(store: Store, slug: str, number: Number, pointer: Pointer | None) -> Head:
    where = store.uri_of(f"{slug}/{number}/{MANIFEST}")
    data = store.read(f"{slug}/{number}/{MANIFEST}")
    remedy = f"run faultset verify {slug}, then restore the version from a copy or roll back to another one"
    if data is None:
        raise InputError(where, "the latest version has no manifest", remedy)
    digest = manifests.sha256(data)
    if pointer and pointer.version == str(number) and pointer.manifest_sha256 != digest:
        raise InputError(where, "it is not the manifest that latest.json names", remedy)
    return Head(number, manifests.decode(data, where), digest)


def holder(store: Store, slug: str, known: History, fingerprint: str) -> Head | None:
    """Return the version that makes publishing this content again needless: see ``held``.

    Raises:
        InputError: a version is damaged.
    """
    head = read_head(store, slug, known)
    if head is None:
        return None
    if head.manifest.fingerprint == fingerprint and not known.newest_is_gone:
        return head
    taken_back = [*(n for n in known.numbers if n > head.number), *decided.withdrawn(known.decisions)]
    for number in sorted(set(taken_back) & set(known.numbers), reverse=True):
        other = _head(store, slug, number, known.pointer)
        if other.manifest.fingerprint == fingerprint:
            return other
    return None


def _record(store: Store, slug: str, known: History, number: Number) -> VersionRecord:
    version = str(number)
    latest = known.pointer is not None and known.pointer.version == version
    data = store.read(f"{slug}/{version}/{MANIFEST}")
    digest = None if data is None else manifests.sha256(data)
    said = (decided.withdrawn(known.decisions).get(number), tuple(decided.cited(known.decisions).get(number, ())))
    try:
        manifest = manifests.decode(data or b"", f"{slug}/{version}/{MANIFEST}")
    except InputError:
        return VersionRecord(slug, version, None, None, {}, {}, digest, latest, *said)
    findings: dict[str, int] = {severity: manifest.validation[severity] for severity in SEVERITIES}
    made = (manifest.created_at, manifest.fingerprint)
    return VersionRecord(slug, version, *made, manifest.rows, findings, digest, latest, *said)


# --- making good ----------------------------------------------------------------------------------------------------


def complete(store: Store, slug: str) -> History:
    """Complete what a killed writer had decided: a version that is not whole, a removal that is not done.

    Returns:
        What there is of the dataset now.

    Raises:
        InputError: its log is damaged.
        SetupError: others decide faster than it can be completed, or the storage cannot be written.
    """
    for _ in range(_COMPLETIONS):
        known = read_history(store, slug)
        removed = [str(number) for number in sorted(decided.pruned(known.decisions))]
        left = [version for version in removed if version in known.listing.folders]
        for version in left:
            store.remove(slug, version)
        # Only a look that finds all done will do: others go on deciding between two looks.
        if not store.finish(slug, known.listing) and not left:
            return known
    raise SetupError(store.uri_of(slug), "other writers were always faster", "end some of them, then run it again")


def settle(store: Store, slug: str) -> None:
    """Let the pointer name the latest version and the index list all; writes nothing where that is so already.

    A pointer to a newer version than there is stays until the next version: it alone remembers that number.
    """
    point(store, slug)
    refresh_index(store, slug)


def point(store: Store, slug: str) -> None:
    """Let ``latest.json`` name the latest version."""
    store.update(f"{slug}/{POINTER}", lambda old: _wanted_pointer(store, slug, old))


def _wanted_pointer(store: Store, slug: str, old: bytes | None) -> bytes | None:
    known = read_history(store, slug)
    latest, pointer = known.latest, decode_pointer(old)
    data = None if latest.number is None else store.read(f"{slug}/{latest.number}/{MANIFEST}")
    if data is None or known.newest_is_gone:
        return None
    digest = manifests.sha256(data)
    if pointer and pointer.version == str(latest.number) and pointer.manifest_sha256 != digest:
        # One of the two was changed. Which of them, the index knows; where it does not, a person has to look.
        entry = (indexed.read(store) or {}).get((slug, pointer.version), {})
        if entry.get("manifest_sha256") != digest:
            return None
    return Pointer(str(latest.number), digest, latest.moved.as_dict() if latest.moved else None).encode()


def refresh_index(store: Store, slug: str | None = None) -> None:
    """Let ``index.json`` list all versions of a dataset; of all without ``slug``, or where it is missing or damaged.

    What the index says of a version stays as it is, so that a manifest damaged later is not taken for the true one.
    """
    store.update(INDEX, lambda old: _wanted_index(store, slug, old))


def _wanted_index(store: Store, slug: str | None, old: bytes | None) -> bytes | None:
    known = indexed.decode(old)
    entries: dict[str, list[dict[str, Any]]] = {}
    if slug is None or known is None:
        entries = {name: _index_entries(store, name, known or {}) for name in store.slugs()}
    else:
        for (name, _), entry in known.items():
            entries.setdefault(name, []).append(entry)
        entries[slug] = _index_entries(store, slug, known)
    datasets = [{"slug": name, "versions": entries[name]} for name in sorted(entries) if entries[name]]
    return to_json({"datasets": datasets}) if datasets or old is not None else None


def _index_entries(store: Store, slug: str, known: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    there = read_history(store, slug)
    withdrawn = decided.withdrawn(there.decisions)
    entries = []
    for number in there.numbers:
        entry = known.get((slug, str(number))) or _new_entry(store, slug, number)
        if entry:
            entries.append({**entry, "withdrawn": withdrawn[number]} if number in withdrawn else entry)
    return entries


def _new_entry(store: Store, slug: str, number: Number) -> dict[str, Any] | None:
    data = store.read(f"{slug}/{number}/{MANIFEST}")
    if data is None:
        return None
    try:
        return indexed.entry(manifests.decode(data, slug), manifests.sha256(data))
    except InputError:
        return None
