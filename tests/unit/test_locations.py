"""Patterns and references mean the same in a folder and in a bucket."""

from __future__ import annotations

import posixpath
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.sources.kit import locations

NAMES = ["a", "b.csv", "ab.csv", ".hidden", "c[1].csv", "x*y"]
PARTS = ["a", "*", "**", "*.csv", "?.csv", "[ab]*", "[!a]*", ".*", ".hidden", "metrics", "c[[]1].csv"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every name as a file, in folders two deep; folders are called otherwise than files."""
    root = tmp_path_factory.mktemp("tree")
    folders = [root / first / second for first in ("metrics", ".dots", "d1") for second in ("a1", ".b1", "c")]
    for folder in [root, *(folder.parent for folder in folders), *folders]:
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            if not (folder / name).exists():
                (folder / name).write_text("content")
    return root


@given(pattern=st.lists(st.sampled_from([*PARTS, "d1", "*1", ".dots"]), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_pattern_fits_the_same_keys_as_files(tree: Path, pattern: list[str]) -> None:
    on_disk = [Path(found).relative_to(tree).as_posix() for found in locations.fitting(str(tree), "/".join(pattern))]
    keys = [path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()]
    assert sorted(key for key in keys if locations.fits(key, "/".join(pattern))) == on_disk


@given(
    folder=st.lists(st.sampled_from(["a", "b"]), max_size=3),
    reference=st.lists(st.sampled_from(["..", ".", "a", "b"]), min_size=1, max_size=6),
)
def test_a_reference_never_leads_out_of_its_bucket(folder: list[str], reference: list[str]) -> None:
    start = "/".join(["s3://bucket", *folder])
    depth = len(folder)
    inside = True
    for part in reference:
        depth += {"..": -1, ".": 0}.get(part, 1)
        inside = inside and depth >= 0
    if depth > 0 and inside:
        expected = posixpath.normpath("/".join(["bucket", *folder, *reference]))
        assert locations.join(start, "/".join(reference)) == f"s3://{expected}"
    elif depth <= 0:
        with pytest.raises(InputError, match="leads out of the bucket"):
            locations.join(start, "/".join(reference))


def test_addresses_and_absolute_paths_stay_as_they_are() -> None:
    for reference in ("s3://other/x.csv", "file:///data/x.csv", "/data/x.csv"):
        assert locations.join("s3://bucket/experiments/nova", reference) == reference
