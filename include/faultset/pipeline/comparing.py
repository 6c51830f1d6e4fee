"""What differs between two versions, or between a candidate and a version."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from faultset.errors import InputError
from faultset.pipeline.published import read_manifest
from faultset.release import changes, number
from faultset.release import diff as differences
from faultset.release.diff import Difference
from faultset.release.manifest import FileEntry, Manifest
from faultset.settings import Settings
from faultset.storage import open_root


def diff(settings: Settings, slug: str, old: str, new: str) -> dict[str, Any]:
    """Return how two versions differ, by key, in rows and in words.

    Returns:
        What ``Difference.as_dict`` says, with ``slug``, ``from``, ``to``, ``words`` (all that ``sections`` say, one
        after the other), ``sections`` (title and lines, those of ``CHANGES.md``) and ``number`` (the number that
        follows on ``from``, why, and what makes it so).

    Raises:
        InputError: there is no such version, or it is damaged.
        SetupError: it cannot be read.
    """
    before, after = (read_manifest(slug, version, settings) for version in (old, new))
    with _tables(settings, after, {}) as folder:
        here = {file.sha256: folder / file.path for file in _files(after)}
        with _tables(settings, before, here) as former:
            found = differences.diff(former, folder)
    said = changes.sections(found, before, after)
    return {
        **found.as_dict(),
        "slug": slug,
        "from": old,
        "to": new,
        "words": [line for section in said for line in section.lines],
        "sections": [{"title": section.title, "lines": list(section.lines)} for section in said],
        "number": _number(slug, old, found),
    }


def compare(folder: Path, settings: Settings, slug: str, version: str) -> Difference:
    """Return how the tables of ``folder``, of a candidate or of another version, differ from those of ``version``.

    Raises:
        InputError: there is no such version, or a table is damaged.
        SetupError: a table cannot be read.
    """
    with _tables(settings, read_manifest(slug, version, settings), {}) as former:
        return differences.diff(former, folder)


def _files(manifest: Manifest) -> tuple[FileEntry, ...]:
    return tuple(file for file in manifest.files if file.rows is not None)


@contextlib.contextmanager
def _tables(settings: Settings, manifest: Manifest, here: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder with the tables of a version; of those whose sha256 is ``here``, the copy that is here already."""
    files = _files(manifest)
    same = {file.path: here[file.sha256] for file in files if file.sha256 in here}
    store = open_root(settings.datasets, settings.work)
    with store.local(manifest.slug, manifest.version, [file.path for file in files], same) as folder:
        yield folder


def _number(slug: str, old: str, found: Difference) -> dict[str, Any]:
    current = number.parse(old)
    if current is None:
        raise InputError(f"{slug} {old}", "this is no version number", "write X.Y.Z")
    return {
        "follows": str(current.after(found.change)),
        "change": found.change,
        "why": number.WHY[found.change],
        "reasons": found.reasons(),
    }
