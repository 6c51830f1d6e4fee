"""The description of a version for other tools, all of it from its manifest and the one declaration of tables."""

from __future__ import annotations

from collections.abc import Mapping

from faultset.release.description import citation, croissant, datapackage, dictionary, doi, ro_crate
from faultset.release.description.about import about
from faultset.release.manifest import (
    CITATION,
    CROISSANT,
    DATA_PACKAGE,
    DATACITE,
    DICTIONARY,
    RO_CRATE,
    WORKFLOW,
    Manifest,
    to_json,
)


def render(described: Manifest) -> Mapping[str, bytes]:
    """Return file name -> bytes; the same manifest gives the same bytes.

    Args:
        described: holds the tables and telemetry in ``files``; other files there are left out of the description, so
            that it does not matter whether the manifest knows of this description yet.
    """
    known = about(described)
    return {
        CROISSANT: to_json(croissant.document(known)),
        DATA_PACKAGE: to_json(datapackage.document(known)),
        CITATION: citation.text(known).encode(),
        DATACITE: to_json(doi.document(known)),
        DICTIONARY: dictionary.text(known).encode(),
        RO_CRATE: to_json(ro_crate.document(known)),
        WORKFLOW: ro_crate.workflow().encode(),
    }
