"""The catalog's entry of an accepted run: a new one, or the next content of one that the inbox made.

What an operator wrote is never changed: a run of the same name gets an entry of another name then.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from faultset.catalog import FILE_NAME
from faultset.storage import reported

OURS = ".inbox.json"
_SHORT = 16


def choose_slug(catalog: Path, slug: str, content_sha256: str) -> str:
    """Return ``slug`` where there is no such entry or the inbox made it; else one of this content alone."""
    return slug if _is_ours(catalog / slug) else f"{slug[:80]}-{content_sha256[:8]}"


def folder_of(content_sha256: str) -> str:
    """Return the name of the folder that a run with this content has in its experiment."""
    return content_sha256[:_SHORT]


def install(catalog: Path, slug: str, entry: Mapping[str, Any], tree: Path, content_sha256: str) -> None:
    """Move an accepted run into the catalog, under its content's hash, and let an entry name it.

    Repeating it changes nothing.

    Args:
        catalog: root folder of the catalog.
        slug: name of the experiment, of ``choose_slug``.
        entry: the keys of ``experiment.yaml``; references are relative to ``tree``.
        tree: the run's files; gone afterwards.
        content_sha256: of the run.

    Raises:
        SetupError: the catalog cannot be written.
    """
    folder, short = catalog / slug, folder_of(content_sha256)
    with reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / short).is_dir():
            _move(tree, folder / short)
        text = yaml.safe_dump(inside(entry, short), allow_unicode=True, sort_keys=False, width=120).encode()
        note = {"content_sha256": content_sha256, "entry_sha256": hashlib.sha256(text).hexdigest()}
        # The note first: an entry without it would pass for an operator's.
        _replace(folder / OURS, (json.dumps(note) + "\n").encode())
        _replace(folder / FILE_NAME, text)


def inside(entry: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return an entry whose references start with ``folder``."""
    moved = dict(entry)
    for key in ("cluster", "reviewed_impacts"):
        if moved.get(key):
            moved[key] = f"{folder}/{moved[key]}"
    moved["runs"] = [_run_inside(run, folder) for run in entry["runs"]]
    if entry.get("telemetry"):
        moved["telemetry"] = [{**source, "files": f"{folder}/{source['files']}"} for source in entry["telemetry"]]
    return moved


def _run_inside(run: dict[str, Any], folder: str) -> dict[str, Any]:
    moved = {**run, "report": f"{folder}/{run['report']}"}
    if run.get("results"):
        moved["results"] = f"{folder}/{run['results']}"
    if run.get("hook_scripts"):
        moved["hook_scripts"] = [f"{folder}/{script}" for script in run["hook_scripts"]]
    return moved


def _is_ours(folder: Path) -> bool:
    """Whether there is no entry, or one that the inbox wrote and nobody changed since."""
    entry = folder / FILE_NAME
    if not entry.exists():
        return True
    try:
        note = json.loads((folder / OURS).read_bytes())
        return bool(note["entry_sha256"] == hashlib.sha256(entry.read_bytes()).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _move(tree: Path, target: Path) -> None:
    """Rename a folder; where the catalog lies on another file system, copy it and rename the copy."""
    try:
        tree.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        staged = target.with_name(f".{target.name}-{uuid.uuid4().hex[:8]}")
        shutil.copytree(tree, staged)
        staged.rename(target)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    temporary.write_bytes(data)
    temporary.replace(path)
