"""``croissant.json``: Croissant 1.1, in the form that its own reader, mlcroissant, validates and loads.

What the reader cannot do decides three things here. A reference makes it join, which works in any order only where the
reference names the other table's file and column, not its field; a column that is a list points nowhere, as it knows no
join over lists. And files of one kind of telemetry with different columns are record sets of their own.
"""

from __future__ import annotations

import glob
from typing import Any
from urllib.parse import quote

from faultset.release.description import rai
from faultset.release.description.about import KEYWORDS, About, Creator, Described, Field, License
from faultset.release.manifest import FileEntry

VERSION = "http://mlcommons.org/croissant/1.1"
# The only name that the reader takes for parquet.
_PARQUET = "application/x-parquet"
_TYPES = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int64": "cr:Int64",
    "double": "cr:Float64",
    "timestamp[us, tz=UTC]": "sc:DateTime",
}
# As in the specification's appendix, and what the reader of version 1.1 compares it with.
_OWN = (
    "annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract", "field",
    "fileObject", "fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5",
    "parentField", "path", "readLines", "recordSet", "references", "regex", "repeated", "replace", "samplingRate",
    "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value",
)  # fmt: skip
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{name: f"cr:{name}" for name in _OWN},
}


def document(known: About) -> dict[str, Any]:
    """Return the document; keys without a value are left out."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": known.title,
        "description": known.description,
        "alternateName": known.manifest.slug,
        "version": known.manifest.version,
        "datePublished": known.published_on,
        "isLiveDataset": False,
        **({"license": _license(known.license)} if known.license else {}),
        **({"creator": [_creator(creator) for creator in known.creators]} if known.creators else {}),
        "keywords": list(KEYWORDS),
        "url": "README.md",
        "citeAs": known.citation,
        **rai.fields(known),
        "distribution": [
            *(_file(file) for file in known.files),
            *(_file_set(table) for table in known.tables if table.is_telemetry),
        ],
        "recordSet": [_record_set(table) for table in known.tables],
    }


def _license(license_: License) -> str | dict[str, str]:
    return license_.url or {"@type": "sc:CreativeWork", "name": license_.name}


def _creator(creator: Creator) -> dict[str, str]:
    if creator.url:
        return {"@type": "sc:Person", "name": creator.name, "url": creator.url}
    # The reader takes a person or an organization, nothing wider; a name alone does not say which.
    return {"@type": "sc:Organization", "name": creator.name}


# --- files ----------------------------------------------------------------------------------------------------------


def _file(file: FileEntry) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": quote(file.path),
        "name": file.path.rpartition("/")[2],
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": file.sha256,
    }


def _file_set(table: Described) -> dict[str, Any]:
    every = [glob.escape(file.path) for file in table.files]
    return {
        "@type": "cr:FileSet",
        "@id": _file_set_id(table),
        "name": table.name,
        "description": "One file a source file.",
        "encodingFormat": _PARQUET,
        "includes": f"{table.name}/*.parquet" if table.whole_folder else every,
    }


def _file_set_id(table: Described) -> str:
    return f"{table.name}-files"


# --- records --------------------------------------------------------------------------------------------------------


def _record_set(table: Described) -> dict[str, Any]:
    origin = {"fileSet": {"@id": _file_set_id(table)}} if table.is_telemetry else _file_of(table.files[0].path)
    key = [] if table.is_telemetry else [{"@id": _field_id(table.name, name)} for name in table.key]
    return {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": table.description,
        **({"key": key} if key else {}),
        "field": [_field(table, field, origin) for field in table.fields],
    }


def _file_of(path: str) -> dict[str, Any]:
    return {"fileObject": {"@id": quote(path)}}


def _field(table: Described, field: Field, origin: dict[str, Any]) -> dict[str, Any]:
    column = {"extract": {"column": field.name}}
    points = {"references": _file_of(f"{field.references}.parquet") | column} if field.references else {}
    return {
        "@type": "cr:Field",
        "@id": _field_id(table.name, field.name),
        "name": field.name,
        "description": _meaning(field),
        "dataType": _TYPES["string" if field.is_list else field.type],
        **({"isArray": True, "arrayShape": "-1"} if field.is_list else {}),
        **points,
        "source": origin | column,
    }


def _meaning(field: Field) -> str:
    unit = f" Unit: {field.column.unit}." if field.column.unit else ""
    values = f" One of: {', '.join(field.column.values)}." if field.column.values else ""
    return field.column.description + unit + values


def _field_id(table: str, name: str) -> str:
    return f"{table}/{quote(name, safe='', errors='replace')}"
