"""From a candidate to a version that can be trusted, cited, verified and taken back."""

from faultset.release.history import (
    VersionRecord,
    held,
    is_held,
    latest_manifest,
    leftovers,
    version_folder,
    version_uri,
    versions,
    withdrawal,
)
from faultset.release.index import Index, index_of
from faultset.release.mend import mend
from faultset.release.verify import pointer_damage

__all__ = [
    "Index",
    "VersionRecord",
    "held",
    "index_of",
    "is_held",
    "latest_manifest",
    "leftovers",
    "mend",
    "pointer_damage",
    "version_folder",
    "version_uri",
    "versions",
    "withdrawal",
]
