"""Faultset turns fault-injection experiments on clouds into datasets that can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faultset.version import __version__

if TYPE_CHECKING:
    from faultset.reading import Dataset

__all__ = ["__version__", "open"]


def open(slug: str, *, version: str | None = None, root: str | Path | None = None) -> Dataset:  # noqa: A001 (as in gzip)
    """Open a published dataset; see ``faultset.reading.open_dataset``."""
    from faultset.reading import open_dataset  # noqa: PLC0415 (most users of the package read nothing)

    return open_dataset(slug, version=version, root=root)
