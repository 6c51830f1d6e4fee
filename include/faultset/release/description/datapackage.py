"""``datapackage.json``: Data Package 2.0, in the form that its own reader, frictionless, validates and loads.

What the reader cannot do decides three things here. It checks the size of a file only where it does not read it as a
table, so that the tables carry a hash and no ``bytes``. It takes minutes for a million rows, so that telemetry is of
type ``file``, where hash and size are checked, with its schema beside it. And it gets lists as arrays of numpy and
nullable integers as floating-point numbers, so that their types are ``any`` and ``number``; ``arrow_type`` is the type
in the file.
"""

from __future__ import annotations

import re
from typing import Any

from faultset.errors import printable
from faultset.records.evidence import InputFile
from faultset.release.description.about import DATA, KEYWORDS, WEB, About, Creator, Described, Field, License
from faultset.release.manifest import FileEntry

PROFILE = "https://datapackage.org/profiles/2.0/datapackage.json"
_TYPES = {
    "string": "string",
    "bool": "boolean",
    "int64": "integer",
    "double": "number",
    "timestamp[us, tz=UTC]": "datetime",
}


def document(known: About) -> dict[str, Any]:
    """Return the document; keys without a value are left out."""
    manifest = known.manifest
    return {
        "$schema": PROFILE,
        "name": manifest.slug,
        "title": known.title,
        "description": known.description,
        "version": manifest.version,
        "created": manifest.created_at,
        "keywords": list(KEYWORDS),
        **({"licenses": [_license(known.license)]} if known.license else {}),
        **({"contributors": [_contributor(creator) for creator in known.creators]} if known.creators else {}),
        "sources": [_source(file) for file in manifest.inputs],
        "fingerprint": manifest.fingerprint,
        "resources": [resource for table in known.tables for resource in _resources(table)],
    }


def _license(license_: License) -> dict[str, str]:
    if license_.url:
        return {"name": license_.name, "path": license_.url}
    return {"name": re.sub(r"[^-a-zA-Z0-9._]+", "-", license_.name).strip("-") or "other", "title": license_.name}


def _contributor(creator: Creator) -> dict[str, Any]:
    return {"title": creator.name, "roles": ["creator"], **({"path": creator.url} if creator.url else {})}


def _source(file: InputFile) -> dict[str, Any]:
    web = {"path": file.uri} if WEB.fullmatch(file.uri) else {}
    return {
        "title": printable(file.uri),
        **web,
        "role": file.role,
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
    }


# --- resources ------------------------------------------------------------------------------------------------------


def _resources(table: Described) -> list[dict[str, Any]]:
    if not table.is_telemetry:
        return [{**_resource(table.files[0], table, table.name), "type": "table", "schema": _keyed(table)}]
    return [
        {**_resource(file, table, file.path.removesuffix(".parquet")), "type": "file", "bytes": file.bytes}
        | {"schema": _schema(table)}
        for file in table.files
    ]


def _resource(file: FileEntry, table: Described, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "path": file.path,
        "description": table.description,
        "format": "parquet",
        "mediatype": DATA,
        "hash": f"sha256:{file.sha256}",
    }


def _schema(table: Described) -> dict[str, Any]:
    # An empty text is a value; nulls are nulls in the file already.
    return {"fields": [_field(field) for field in table.fields], "missingValues": []}


def _keyed(table: Described) -> dict[str, Any]:
    points = [
        {"fields": [field.name], "reference": {"resource": field.references, "fields": [field.name]}}
        for field in table.fields
        if field.references
    ]
    keys = {"primaryKey": list(table.key), **({"foreignKeys": points} if points else {})}
    return {**_schema(table), **keys}


def _field(field: Field) -> dict[str, Any]:
    constraints: dict[str, Any] = {} if field.nullable else {"required": True}
    if field.column.values:
        constraints["enum"] = list(field.column.values)
    type_ = _type(field)
    return {
        "name": field.name,
        "type": type_,
        # The reader's own: a decimal number is made from the digits of a float, and is not the float.
        **({"floatNumber": True} if type_ == "number" else {}),
        "description": field.column.description,
        **({"unit": field.column.unit} if field.column.unit else {}),
        "arrow_type": field.type,
        **({"constraints": constraints} if constraints else {}),
    }


def _type(field: Field) -> str:
    if field.nullable and field.type == "int64":
        return "number"
    return _TYPES.get(field.type, "any")
