"""The pages of a validation as people open them years later: whole in themselves, with no script and no call outside.

Great Expectations' pages need style sheets and scripts from half a dozen hosts, and its front page is empty without
them. Here each page gets a style of its own, and the front page is written by us: verdict, findings, every expectation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bs4 import BeautifulSoup
from markupsafe import Markup

from faultset.expectations.ways import Rule
from faultset.pages.environment import render
from faultset.records.validation import Validation
from faultset.severity import SEVERITIES


def settle(page: str, home: str) -> str:
    """Return a page of Great Expectations without scripts, without anything fetched, in our style.

    Args:
        page: the page.
        home: the way from it to the front page.
    """
    soup = BeautifulSoup(page, "lxml")
    for element in soup.find_all(["script", "link", "style", "footer", "img", "button", "meta", "base", "iframe"]):
        element.decompose()
    for card in soup.select(".card"):
        header = card.select_one(".card-header")
        if header is not None and header.get_text(strip=True) in {"Actions", "Table of Contents"}:
            card.decompose()
    for link in soup.find_all("a"):
        if str(link.get("href", "")).startswith(("http:", "https:", "//")):
            link.parent.decompose() if link.parent and link.parent.name == "p" else link.decompose()
    for element in soup.find_all(True):
        for name in [name for name in element.attrs if name.startswith("on")]:
            del element[name]
    title = soup.title.get_text(" ", strip=True) if soup.title else "Data Docs"
    body = Markup(soup.body.decode_contents() if soup.body else "")  # noqa: S704 (settled right here)
    return render("docs.html", title=title, home=home, body=body)


def front(validation: Validation, rules: Sequence[Rule], broken: Mapping[str, int], pages: Mapping[str, str]) -> str:
    """Return the front page.

    Args:
        validation: the outcome.
        rules: every rule that was checked.
        broken: rule -> rows that break it.
        pages: view -> page of Great Expectations about it, relative to the front page.
    """
    counts = {severity: sum(f.severity == severity for f in validation.findings) for severity in SEVERITIES}
    counted = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return render("validation.html", validation=validation, rules=rules, broken=broken, pages=pages, counted=counted)


def way_home(page: Path, docs: Path) -> str:
    """Return the relative way from ``page`` to the front page of ``docs``."""
    return Path(os.path.relpath(docs / "index.html", page.parent)).as_posix()
