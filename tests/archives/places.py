"""What tests of deposits share: the environment that leads to a stand-in, and what was downloaded put together."""

from __future__ import annotations

import io
import zipfile

from archives.hub import NAMESPACE
from archives.invenio import Invenio
from archives.server import TOKEN, StandIn


def environment_of(archive: StandIn) -> dict[str, str]:
    """Return the variables that lead to an archive."""
    name = "FAULTSET_ZENODO" if isinstance(archive, Invenio) else "FAULTSET_HUGGINGFACE"
    return {
        f"{name}_URL": archive.url,
        f"{name}_TOKEN": TOKEN,
        "FAULTSET_HUGGINGFACE_NAMESPACE": NAMESPACE,
        "FAULTSET_DEPOSIT_TIMEOUT_SECONDS": "1",
        "FAULTSET_DEPOSIT_RETRY_SECONDS": "60",
    }


def unpacked(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return a record's files as they lie once its archives are unpacked beside the others."""
    found: dict[str, bytes] = {}
    for name, data in files.items():
        if not name.endswith(".zip"):
            found[name] = data
            continue
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            found |= {member: archive.read(member) for member in archive.namelist()}
    return found
