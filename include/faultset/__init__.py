"""Faultset turns fault-injection experiments on clouds into datasets that can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from faultset.version import __version__

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset, Datasets

__all__ = ["__version__", "list", "open"]


def open(slug: str, *, version: str | None = None, root: str | Path | None = None) -> Dataset:  # noqa: A001 (as in gzip)
    """Open a published dataset; see ``faultset.dataset.opening.open_dataset``."""
    from faultset.dataset.opening import open_dataset  # noqa: PLC0415 (who imports the package need not read)

    return open_dataset(slug, version=version, root=root)


def list(*, root: str | Path | None = None) -> Datasets:  # noqa: A001 (read as faultset.list)
    """List the datasets of a root; see ``faultset.dataset.opening.list_datasets``."""
    from faultset.dataset.opening import list_datasets  # noqa: PLC0415

    return list_datasets(root=root)
