"""Where datasets are kept, on a disk or in a bucket, and the few operations on it that need care.

A reader sees whole versions only, a version never changes, and whatever dies leaves the state before or the state
after. What is promised on which storage, and why: docs/adr/0001-versions-are-committed-by-rename.md and
docs/adr/0005-a-bucket-decides-by-a-log.md.
"""

from __future__ import annotations

from pathlib import Path

from faultset.errors import SetupError
from faultset.storage.bucket import Bucket, is_bucket
from faultset.storage.common import (
    ABANDONED_S,
    CANDIDATES,
    INDEX,
    MANIFEST,
    NOTE,
    POINTER,
    STAGING,
    Draft,
    Listing,
    LostRaceError,
    Store,
    bytes_of,
    explain_os_errors,
    put_whole,
    unless_gone,
)
from faultset.storage.disk import DatasetRoot
from faultset.storage.folders import files, seal
from faultset.storage.log import LOG, Entry, State
from faultset.storage.s3 import BucketRoot
from faultset.storage.staging import Staging

__all__ = [
    "ABANDONED_S",
    "CANDIDATES",
    "INDEX",
    "LOG",
    "MANIFEST",
    "NOTE",
    "POINTER",
    "STAGING",
    "BucketRoot",
    "DatasetRoot",
    "Draft",
    "Entry",
    "Listing",
    "LostRaceError",
    "Staging",
    "State",
    "Store",
    "bytes_of",
    "explain_os_errors",
    "files",
    "open_root",
    "put_whole",
    "seal",
    "unless_gone",
]


def open_root(root: str | Path, work: str | Path | None = None) -> Store:
    """Return the root of the datasets; it need not exist yet.

    Args:
        root: a folder, or ``s3://bucket/prefix``.
        work: local folder for what is under way beside a bucket; a folder is its own.

    Raises:
        InputError: ``root`` is no address of a bucket.
        SetupError: ``root`` names a storage that is not supported.
    """
    scheme, separator, _ = str(root).partition("://")
    if is_bucket(str(root)):
        return BucketRoot(Bucket.at(str(root)), Path(work) if work else None)
    if separator:
        raise SetupError(
            f"{scheme[:20]}://",
            "this storage is not supported",
            "point FAULTSET_DATASETS at a folder or at s3://bucket/prefix",
        )
    return DatasetRoot(Path(root))
