"""Looking at what was published. Light: who lists versions needs nothing of what builds them."""

from __future__ import annotations

import dataclasses
from typing import Any

from faultset import release
from faultset.pipeline.progress import Progress, silent
from faultset.release import verify as verification
from faultset.release.manifest import Manifest, decode
from faultset.settings import Settings
from faultset.storage import MANIFEST, open_root


def read_manifest(slug: str, version: str, settings: Settings) -> Manifest:
    """Return the manifest of a version.

    Raises:
        InputError: there is no such version, or its manifest is damaged.
        SetupError: it cannot be read.
    """
    where = f"{release.version_uri(settings.datasets, slug, version)}/{MANIFEST}"
    return decode(open_root(settings.datasets).read(f"{slug}/{version}/{MANIFEST}") or b"", where)


def versions(settings: Settings, slug: str | None = None) -> list[dict[str, Any]]:
    """Return all versions, or those of one dataset, oldest first."""
    return [dataclasses.asdict(record) for record in release.versions(settings.datasets, slug)]


def verify(
    settings: Settings, slug: str | None = None, version: str | None = None, progress: Progress = silent
) -> list[dict[str, Any]]:
    """Hash everything again and return the damages; an empty list says that all is as it was published."""
    found = verification.verify(settings.datasets, slug, version, progress)
    return [dataclasses.asdict(damage) for damage in found]
