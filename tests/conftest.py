"""Fixtures that tests of several folders share, and what holds for all of them."""

from collections.abc import Sequence

import pytest
from hypothesis import settings

from s3 import new_bucket, s3_server

__all__ = ["new_bucket", "s3_server"]

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# Folders and files in the order in which they are handed to processes: the longest first, so that none idles at the end
# for another that has just begun one.
FOLDERS = ("e2e", "integration", "hostile", "unit")
LONGEST = (
    "test_cluster.py",
    "test_chaos.py",
    "test_many_experiments.py",
    "test_rebuild_datasets.py",
    "test_doctor_on_airflow.py",
    "test_observed.py",
    "test_validate_reports.py",
    "test_pages.py",
    "test_everything_in_a_bucket.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; the tests of a file stay as they are written."""
    items.sort(key=lambda item: (_place(FOLDERS, item.path.parent.name), _place(LONGEST, item.path.name)))


def _place(known: Sequence[str], name: str) -> int:
    return known.index(name) if name in known else len(known)
