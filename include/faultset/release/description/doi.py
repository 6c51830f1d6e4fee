"""``datacite.json``: DataCite metadata 4.6 without a DOI: the attributes that a registration takes as they are."""

from __future__ import annotations

from typing import Any

from faultset.release.description.about import DATA, KEYWORDS, WEB, About, Creator, License

SCHEMA = "http://datacite.org/schema/kernel-4"
_UNKNOWN = ":unav"  # DataCite's own words for a value that is unavailable, and for one that is yet to be assigned
_LATER = ":tba"


def document(known: About) -> dict[str, Any]:
    """Return the attributes; ``doi``, ``url`` and ``publisher`` are for whoever registers to fill in."""
    manifest = known.manifest
    size = sum(file.bytes for file in known.files)
    rows = sum(file.rows or 0 for file in known.files)
    return {
        "schemaVersion": SCHEMA,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Labeled fault-injection experiment"},
        "creators": [_creator(creator) for creator in known.creators] or [{"name": _UNKNOWN}],
        "titles": [{"title": known.title}],
        "publisher": {"name": _LATER},
        "publicationYear": known.published_on[:4],
        "version": manifest.version,
        "dates": [{"date": known.published_on, "dateType": "Issued"}],
        "language": "en",
        "descriptions": [{"description": known.description, "descriptionType": "Abstract"}],
        "subjects": [{"subject": word} for word in KEYWORDS],
        "alternateIdentifiers": [
            {
                "alternateIdentifier": f"{manifest.slug}/{manifest.version}",
                "alternateIdentifierType": "Dataset version",
            },
            {"alternateIdentifier": manifest.fingerprint, "alternateIdentifierType": "Fingerprint"},
        ],
        "relatedIdentifiers": [_origin(file.uri) for file in manifest.inputs if WEB.fullmatch(file.uri)],
        "sizes": [f"{size} bytes", f"{rows} rows", f"{len(known.files)} files"],
        "formats": [DATA],
        "rightsList": [_rights(known.license)] if known.license else [],
    }


def _creator(creator: Creator) -> dict[str, Any]:
    if creator.url is None:
        return {"name": creator.name}
    identifier = {
        "nameIdentifier": creator.url,
        "nameIdentifierScheme": "ORCID",
        "schemeUri": "https://orcid.org",
    }
    return {"name": creator.name, "nameType": "Personal", "nameIdentifiers": [identifier]}


def _origin(uri: str) -> dict[str, str]:
    return {"relatedIdentifier": uri, "relatedIdentifierType": "URL", "relationType": "IsDerivedFrom"}


def _rights(license_: License) -> dict[str, str]:
    if license_.url is None:
        return {"rights": license_.name}
    return {
        "rights": license_.name,
        "rightsUri": license_.url,
        "rightsIdentifier": license_.name,
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
    }
