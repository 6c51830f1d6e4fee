"""How the catalog writes where files lie: paths from the experiment's folder, absolute ones, URIs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from faultset.errors import nearest
from faultset.sources.kit import files, locations
from faultset.storage.bucket import is_bucket, public

URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def public_name(reference: str) -> str:
    """Return ``reference`` as it may be written into a dataset: no machine's folders, no credentials.

    A relative reference is kept, an absolute path is cut to the file's name, and a URI loses user, password, query
    and fragment.
    """
    if is_bucket(reference):
        return public(reference)
    if URI.match(reference):
        parts = urlsplit(reference)
        if parts.scheme == "file":
            return Path(unquote(parts.path)).name
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return Path(reference).name if Path(reference).is_absolute() else reference


def catalog_root(catalog: str) -> str:
    """Return where the catalog lies, without a slash behind it."""
    return local_or_bucket(catalog).rstrip("/")


def local_or_bucket(reference: str) -> str:
    """Return a local path or an ``s3://`` URI; refuse other URIs."""
    return reference if is_bucket(reference) else str(files.local_path(reference))


def fitting(folder: str, pattern: str) -> list[str]:
    """Return the files that a pattern fits, seen from ``folder``, sorted."""
    return locations.fitting(folder, local_or_bucket(pattern))


def nearest_file(place: str) -> str:
    """Return a hint to the file beside ``place`` whose name is the nearest; "" where none is near."""
    return nearest(place.rpartition("/")[2], locations.siblings(place))
