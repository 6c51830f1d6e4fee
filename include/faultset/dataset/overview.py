"""A version in short, from its manifest alone: what the command line and a notebook show first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from faultset import tables
from faultset.dataset.roots import Root, known_versions, manifest_of
from faultset.errors import InputError
from faultset.release.manifest import Manifest
from faultset.severity import SEVERITIES

Document = dict[str, Any]
_TABLES = tuple(table.name for table in tables.EVERY_TABLE)
_KINDS = tuple(table.name for table in tables.TELEMETRY)


def overview(root: Root, slug: str, version: str | None = None) -> Document:
    """Return what a version holds, as plain values; only ``manifest.json`` is read.

    Args:
        root: where it is.
        slug: the dataset.
        version: X.Y.Z; None for the latest.

    Returns:
        slug, version, latest, versions, withdrawn (why, or None), title, description, license, created_at,
        fingerprint, tables (name -> rows), telemetry (see ``telemetry``), findings (severity -> number), uri.

    Raises:
        InputError: there is no such dataset or version.
    """
    known = known_versions(root, slug)
    chosen = version or known.latest
    if chosen is None:
        raise InputError(slug, "every version was withdrawn", f"name one of {', '.join(known.numbers)}")
    manifest = manifest_of(root, slug, chosen, known)
    return {
        "slug": slug,
        "version": chosen,
        "latest": known.latest,
        "versions": list(known.numbers),
        "withdrawn": known.withdrawn.get(chosen),
        **described(manifest),
        "uri": f"{root.uri.rstrip('/')}/{slug}/{chosen}",
    }


def described(manifest: Manifest) -> Document:
    """Return what a manifest says of a version's content, as plain values; see ``overview``."""
    return {
        **{name: getattr(manifest, name) for name in ("title", "description", "license", "created_at", "fingerprint")},
        "tables": {name: manifest.rows[name] for name in _TABLES if name in manifest.rows},
        "telemetry": [found for kind in _KINDS if (found := telemetry(manifest, kind))],
        "findings": {severity: manifest.validation[severity] for severity in SEVERITIES},
    }


def telemetry(manifest: Manifest, kind: str) -> Document | None:
    """Return what there is of a kind of telemetry: kind, files, rows, bytes, nodes, first, last; None: nothing."""
    files = [file for file in manifest.files if file.path.startswith(f"{kind}/") and file.rows is not None]
    if not files:
        return None
    facts = [entry for entry in manifest.telemetry if entry.get("kind") == kind]
    moments = [moment for entry in facts for name in ("first", "last") if (moment := moment_of(entry, name))]
    return {
        "kind": kind,
        "files": len(files),
        "rows": sum(file.rows or 0 for file in files),
        "bytes": sum(file.bytes for file in files),
        "nodes": sorted({str(node) for entry in facts for node in entry.get("nodes", ())}),
        "first": min(moments, default=None),
        "last": max(moments, default=None),
    }


def moment_of(entry: Mapping[str, Any], name: str) -> dt.datetime | None:
    """Return a time that a manifest names; None where it names none that can be read."""
    try:
        return dt.datetime.fromisoformat(entry[name])
    except (KeyError, TypeError, ValueError):
        return None
