"""What ``index.json`` says: all versions of all datasets, so that lists read one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultset.release.manifest import Manifest
from faultset.storage import INDEX, Store, open_root

Index = Mapping[tuple[str, str], Mapping[str, Any]]
"""(slug, version) -> what ``index.json`` says of it."""


def index_of(root: str | Path) -> Index:
    """Return what ``index.json`` says, for whoever asks about many datasets; nothing where it is missing or damaged.

    Raises:
        SetupError: the root cannot be read.
    """
    return read(open_root(root)) or {}


def read(store: Store) -> dict[tuple[str, str], dict[str, Any]] | None:
    """Return (slug, version) -> what ``index.json`` says of it; None where it is missing or damaged."""
    return decode(store.read(INDEX))


def decode(data: bytes | None) -> dict[tuple[str, str], dict[str, Any]] | None:
    """Return what the bytes of ``index.json`` say; None where there are none, or other ones."""
    try:
        document = json.loads(data or b"")
        return {
            (str(dataset["slug"]), str(entry["version"])): dict(entry)
            for dataset in document["datasets"]
            for entry in dataset["versions"]
        }
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def entry(manifest: Manifest, digest: str) -> dict[str, Any]:
    """Return what the index says of a version that was not withdrawn."""
    return {
        "version": manifest.version,
        "title": manifest.title,
        "created_at": manifest.created_at,
        "fingerprint": manifest.fingerprint,
        "manifest_sha256": digest,
    }
