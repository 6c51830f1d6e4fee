"""The documentation site: every page is on it, every link leads somewhere, nothing is asked of another host."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import snippets

pytestmark = pytest.mark.integration
CHECKOUT = Path(__file__).parents[2]
PAGES = sorted((CHECKOUT / "docs").rglob("*.md"))
_ASKED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["'](https?:)?//""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as ``make docs`` builds it, from a copy of what it is made of."""
    folder = tmp_path_factory.mktemp("site")
    # Copied: the tool keeps a cache beside the real path of its settings.
    shutil.copy(CHECKOUT / "mkdocs.yml", folder)
    for part in ("docs", "include"):
        shutil.copytree(CHECKOUT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    tool = Path(sys.executable).with_name("zensical")
    built = subprocess.run([tool, "build"], cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / ".cache/site"


def test_every_page_has_its_place_in_the_navigation():
    navigation = (CHECKOUT / "mkdocs.yml").read_text("utf-8")
    names = [page.relative_to(CHECKOUT / "docs").as_posix() for page in PAGES]
    assert [name for name in names if not re.search(rf": {re.escape(name)}$", navigation, re.MULTILINE)] == []


def test_the_site_builds_and_every_link_leads_somewhere(site: Path):
    # A link or an anchor that leads nowhere ends a strict build, which the fixture asserts.
    made = {page.relative_to(site).with_suffix(".md").as_posix() for page in site.rglob("*.html")}
    assert made >= {page.relative_to(CHECKOUT / "docs").as_posix() for page in PAGES}


def test_the_reference_is_made_of_docstrings(site: Path):
    text = (site / "reference/python.html").read_text("utf-8")
    assert "Raises" in text
    assert 'id="faultset.dataset.opening.Dataset.splits"' in text


def test_no_page_asks_another_host_for_anything(site: Path):
    asking = {page.name: _ASKED.findall(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert {name: found for name, found in asking.items() if found} == {}


def test_the_first_walk_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAULTSET_CATALOG", raising=False)
    page = CHECKOUT / "docs/first-walk.md"
    shown = [snippet.output for snippet in snippets.snippets(page)]
    assert sum(bool(output) for output in shown) >= 6
    for number, (output, printed) in enumerate(zip(shown, snippets.printed(page), strict=True), 1):
        assert snippets.shape(printed) == snippets.shape(output), f"snippet {number}: run python tests/snippets.py"
