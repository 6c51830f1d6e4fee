"""``CITATION.cff``: Citation File Format 1.2.0."""

from __future__ import annotations

from typing import Any

import yaml

from faultset.release.description.about import KEYWORDS, About, Creator

# The format needs an author; this is no name that could be taken for one.
_NOBODY = {"name": "not stated"}


def text(known: About) -> str:
    """Return the file's text: ASCII, so that it reads the same wherever it is opened."""
    license_ = known.license
    document: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite the version that you used.",
        "type": "dataset",
        "title": known.title,
        "abstract": known.description,
        "authors": [_author(creator) for creator in known.creators] or [_NOBODY],
        "version": known.manifest.version,
        "date-released": known.published_on,
        # The format's vocabulary of licences is SPDX's; it has no place for another one.
        **({"license": license_.name} if license_ and license_.url else {}),
        "keywords": list(KEYWORDS),
        "identifiers": [
            {
                "type": "other",
                "value": known.manifest.fingerprint,
                "description": "Fingerprint of what the dataset was made from.",
            }
        ],
    }
    dumped: str = yaml.safe_dump(document, sort_keys=False, width=10_000)
    return dumped


def _author(creator: Creator) -> dict[str, str]:
    """Return an author; a name is not taken apart, as nothing says which part of it is the family's."""
    return {"name": creator.name, **({"orcid": creator.url} if creator.url else {})}
