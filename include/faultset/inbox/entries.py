"""The catalog's entry of an accepted run: a new one, or the next content of one that the inbox made.

What an operator wrote is never changed: a run of the same name gets an entry of another name then.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from faultset.catalog import FILE_NAME
from faultset.storage import bytes_of, explain_os_errors
from faultset.storage.bucket import Bucket, is_bucket
from faultset.storage.folders import move

OURS = ".inbox.json"
_SHORT = 16


def choose_slug(catalog: str, slug: str, name: str, content_sha256: str) -> str:
    """Return ``slug`` where it is free, or the inbox made that entry of a run of this name; else one of this content.

    Args:
        catalog: root of the catalog, a folder or ``s3://…``.
        slug: made of ``name``.
        name: that the run was dropped under.
        content_sha256: of the run.
    """
    shelf = _shelf(catalog, slug)
    return slug if _is_free(shelf, name) else f"{slug[:80]}-{content_sha256[:8]}"


def folder_of(content_sha256: str) -> str:
    """Return the name of the folder that a run with this content has in its experiment."""
    return content_sha256[:_SHORT]


def install(catalog: str, slug: str, entry: Mapping[str, Any], tree: Path, *, name: str, content_sha256: str) -> None:
    """Move an accepted run into the catalog, under its content's hash, and let an entry name it.

    Repeating it changes nothing.

    Args:
        catalog: root of the catalog, a folder or ``s3://…``.
        slug: name of the experiment, of ``choose_slug``.
        entry: the keys of ``experiment.yaml``; references are relative to ``tree``.
        tree: the run's files; may be gone afterwards.
        name: that the run was dropped under.
        content_sha256: of the run.

    Raises:
        SetupError: the catalog cannot be written.
    """
    shelf, short = _shelf(catalog, slug), folder_of(content_sha256)
    shelf.put_tree(tree, short)
    # The entry names the folder once, so that every other name in it, and with it in the dataset, is the run's own.
    text = yaml.safe_dump({**entry, "inputs": short}, allow_unicode=True, sort_keys=False, width=120).encode()
    note = {
        "name": name,
        "content_sha256": content_sha256,
        "entry_sha256": hashlib.sha256(text).hexdigest(),
    }
    # The note first: an entry without it would pass for an operator's.
    shelf.replace(OURS, (json.dumps(note) + "\n").encode())
    shelf.replace(FILE_NAME, text)


def _is_free(shelf: _Shelf, name: str) -> bool:
    """Whether there is no entry, or one that the inbox made of a run of this name and nobody changed since."""
    entry = shelf.read(FILE_NAME)
    if entry is None:
        return True
    try:
        note = json.loads(shelf.read(OURS) or b"")
        return bool(note["name"] == name and note["entry_sha256"] == hashlib.sha256(entry).hexdigest())
    except (ValueError, KeyError, TypeError):
        return False


# --- where it lies --------------------------------------------------------------------------------------------------


class _Shelf(Protocol):
    """The folder of one experiment."""

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None where it is not there."""

    def put_tree(self, tree: Path, name: str) -> None:
        """Put a folder there, unless it is there already."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a file in one step."""


def _shelf(catalog: str, slug: str) -> _Shelf:
    return (
        _InBucket(Bucket.at(f"{catalog.rstrip('/')}/{slug}")) if is_bucket(catalog) else _OnDisk(Path(catalog) / slug)
    )


@dataclass(frozen=True, slots=True)
class _OnDisk:
    folder: Path

    def read(self, name: str) -> bytes | None:
        return bytes_of(self.folder / name)

    def put_tree(self, tree: Path, name: str) -> None:
        with explain_os_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / name).is_dir():
                move(tree, self.folder / name)

    def replace(self, name: str, data: bytes) -> None:
        with explain_os_errors(self.folder / name):
            temporary = self.folder / f".{name}.{uuid.uuid4().hex[:8]}"
            temporary.write_bytes(data)
            temporary.replace(self.folder / name)


@dataclass(frozen=True, slots=True)
class _InBucket:
    bucket: Bucket

    def read(self, name: str) -> bytes | None:
        found = self.bucket.get(name)
        return None if found is None else found[0]

    def put_tree(self, tree: Path, name: str) -> None:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                self.bucket.put_file(path, f"{name}/{path.relative_to(tree).as_posix()}")

    def replace(self, name: str, data: bytes) -> None:
        # The same arrival writes the same bytes, so that whichever of two writers is last is right.
        while True:
            found = self.bucket.get(name)
            if found is None:
                if self.bucket.create(name, data):
                    return
            elif found[0] == data or self.bucket.replace(name, data, found[1]):
                return
