"""From a candidate to a version that can be trusted, cited and verified."""

from faultset.release.history import VersionRecord, latest_manifest, leftovers, version_folder, versions
from faultset.release.verify import pointer_damage

__all__ = ["VersionRecord", "latest_manifest", "leftovers", "pointer_damage", "version_folder", "versions"]
