"""What of a version is sent, and whether it may be. Pure functions: each returns its answer and why.

A record holds 100 files and no folders, so that what lies at the top of a version goes as it is and each folder as one
archive: twenty-odd files, however much telemetry there is. A repository takes the version's files as they lie.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from faultset.release import number as numbers
from faultset.release.decisions import Answer
from faultset.release.description.about import About, about
from faultset.release.manifest import FileEntry, Manifest, sha256
from faultset.storage import MANIFEST

MOST_FILES = 100  # of a record


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file of a record.

    Attributes:
        name: without folders.
        members: the version's files that it holds; one where it is that file.
        archive: whether it is an archive of them.
    """

    name: str
    members: tuple[FileEntry, ...]
    archive: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A version that is to be deposited.

    Attributes:
        manifest: what it holds.
        manifest_sha256: names the version wherever it lies: no other version has it.
        files: all its files, the manifest too.
        others: number and manifest's hex digest of the dataset's other versions, newest first.
    """

    manifest: Manifest
    manifest_sha256: str
    files: tuple[FileEntry, ...]
    others: tuple[tuple[str, str], ...] = ()

    @property
    def about(self) -> About:
        """The version, ready to be described."""
        return about(self.manifest)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"{self.manifest.slug} {self.manifest.version}"

    @property
    def key(self) -> str:
        """What the far side is searched for: a name made of the manifest's hash alone."""
        return key(self.manifest_sha256)


def key(manifest_sha256: str) -> str:
    """Return the name that a version has on the far side, as a URN."""
    return f"urn:sha256:{manifest_sha256}"


def content(manifest: Manifest, data: bytes, others: tuple[tuple[str, str], ...] = ()) -> Content:
    """Return what there is to deposit; ``data`` are the bytes of the manifest."""
    digest = sha256(data)
    files = (*manifest.files, FileEntry(MANIFEST, len(data), digest))
    return Content(manifest, digest, tuple(sorted(files, key=lambda file: file.path)), others)


def parcels(version: Content) -> tuple[Parcel, ...]:
    """Divide a version's files into those of a record, by name."""
    whole, folders = [], dict[str, list[FileEntry]]()
    for file in version.files:
        folder, inside, _ = file.path.partition("/")
        if inside:
            folders.setdefault(folder, []).append(file)
        else:
            whole.append(Parcel(file.path, (file,), archive=False))
    made = (*whole, *(Parcel(f"{name}.zip", tuple(files), archive=True) for name, files in folders.items()))
    return tuple(sorted(made, key=lambda parcel: parcel.name))


def may_deposit(version: Content, withdrawn: str | None) -> Answer:
    """Decide whether a version may be deposited at all; whoever asks has not sent anything yet."""
    if withdrawn is not None:
        return Answer(False, f"it was withdrawn: {withdrawn}")
    if version.about.license is None:
        return Answer(False, "it has no license, and a deposit needs one")
    if not version.about.creators:
        return Answer(False, "it names no creators, and a deposit needs at least one")
    if len(parcels(version)) > MOST_FILES:
        return Answer(False, f"it has more than {MOST_FILES} files and folders at its top")
    return Answer(True, "it has a license and creators, and was not withdrawn")


def may_follow(version: Content, there: Collection[str]) -> Answer:
    """Decide whether a version may follow those that are there already: a record or a branch never goes back."""
    own = numbers.parse(version.manifest.version) or numbers.FIRST
    newest = max(filter(None, map(numbers.parse, there)), default=own)
    if newest > own:
        return Answer(False, f"{newest} is there already, and an older version cannot follow it")
    return Answer(True, "no newer version is there")
