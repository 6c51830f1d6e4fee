"""What a record says of a version: InvenioRDM's metadata, made of what the version says of itself."""

from __future__ import annotations

import html
from typing import Any

from faultset.deposits.plan import Content
from faultset.release.description.about import KEYWORDS, WEB, Creator, License

_MOST_ORIGINS = 100


def document(version: Content, *, private: bool, publisher: str) -> dict[str, Any]:
    """Return the body of a draft.

    Args:
        version: what is deposited.
        private: whether the files are for those alone who may.
        publisher: who runs the archive; a DOI needs one.
    """
    known, manifest = version.about, version.manifest
    origins = [file.uri for file in manifest.inputs if WEB.fullmatch(file.uri)][:_MOST_ORIGINS]
    return {
        "access": {"record": "public", "files": "restricted" if private else "public"},
        "files": {"enabled": True},
        "metadata": {
            "resource_type": {"id": "dataset"},
            "title": known.title,
            "publication_date": known.published_on,
            "publisher": publisher,
            "version": manifest.version,
            "creators": [_creator(creator) for creator in known.creators],
            "description": _description(version),
            "rights": [_rights(known.license)] if known.license else [],
            "subjects": [{"subject": word} for word in KEYWORDS],
            "languages": [{"id": "eng"}],
            "identifiers": [{"scheme": "urn", "identifier": version.key}],
            "related_identifiers": [
                {"scheme": "url", "identifier": uri, "relation_type": {"id": "isderivedfrom"}}
                for uri in dict.fromkeys(origins)
            ],
        },
    }


def holds(record: dict[str, Any], version: Content) -> bool:
    """Whether a record or a draft says that it is this version."""
    metadata = record.get("metadata") or {}
    names = [one.get("identifier") for one in metadata.get("identifiers") or ()]
    # A draft of a next version has the identifiers of the one before, and no number.
    return version.key in names and metadata.get("version") == version.manifest.version


def _creator(creator: Creator) -> dict[str, Any]:
    """Return a creator; a name is taken apart only where a comma says which part is the family's."""
    family, comma, given = (part.strip() for part in creator.name.partition(","))
    named = {"family_name": family, "given_name": given} if comma and given else {"family_name": creator.name}
    orcid = [{"scheme": "orcid", "identifier": creator.orcid}] if creator.orcid else []
    return {"person_or_org": {"type": "personal", **named, **({"identifiers": orcid} if orcid else {})}}


def _rights(license_: License) -> dict[str, Any]:
    # InvenioRDM's vocabulary of licences is SPDX's in small letters.
    return {"id": license_.name.lower()} if license_.url else {"title": {"en": license_.name}}


def _description(version: Content) -> str:
    lines = (
        version.about.description,
        f"Version {version.manifest.version} of the dataset {version.manifest.slug}, fingerprint "
        f"{version.manifest.fingerprint}. README.md describes it; manifest.json holds the hash of each of its files.",
        "Folders are archives here: unpack metrics.zip, logs.zip and the others beside manifest.json, and all files "
        "lie as they were published.",
    )
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)
