"""The pages of a validation as people open them years later: whole in themselves, with no script and no call outside.

Great Expectations' pages need style sheets and scripts from half a dozen hosts, and its front page is empty without
them. Here each page gets a style of its own, and the front page is written by us: verdict, findings, every expectation.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lxml import etree, html
from markupsafe import Markup

from faultset.expectations.ways import Rule
from faultset.pages.environment import render
from faultset.records.validation import Validation
from faultset.severity import SEVERITIES

_GONE = ("script", "link", "style", "footer", "img", "button", "meta", "base", "iframe")
_VOID = frozenset({"area", "br", "col", "embed", "hr", "input", "param", "source", "track", "wbr"})


def settle(page: str, home: str) -> str:
    """Return a page of Great Expectations without scripts, without anything fetched, in our style.

    Args:
        page: the page.
        home: the way from it to the front page.
    """
    root = html.document_fromstring(page)
    _settle_spaces(root)
    title = " ".join(root.xpath("string(//title)").split()) or "Data Docs"
    for element in root.xpath("|".join(["/*//comment()", *(f"//{name}" for name in _GONE)])):
        element.drop_tree()
    for card in root.find_class("card"):
        header = next(iter(card.find_class("card-header")), None)
        if header is not None and "".join(map(str.strip, header.itertext())) in {"Actions", "Table of Contents"}:
            card.drop_tree()
    for link in root.xpath(
        "//a[starts-with(@href, 'http:') or starts-with(@href, 'https:') or starts-with(@href, '//')]"
    ):
        paragraph = link.getparent() if link.getparent().tag == "p" else None
        (link if paragraph is None else paragraph).drop_tree()
    for element in root.iter("*"):
        kept = sorted((name, value) for name, value in element.attrib.items() if not name.startswith("on"))
        element.attrib.clear()
        element.attrib.update(kept)
        if element.text is None and element.tag not in _VOID:
            element.text = ""  # written as XML it would close itself, which HTML does not know
    body = root.find("body")
    inner = [body.text or "", *(etree.tostring(one, encoding="unicode", method="xml") for one in body)]
    return render("docs.html", title=title, home=home, body=Markup("".join(inner)))  # noqa: S704 (settled right here)


def _settle_spaces(root: html.HtmlElement) -> None:
    """Leave one blank or line break of each stretch of them between elements."""
    for element in root.iter("*"):
        for place in ("text", "tail"):
            said = getattr(element, place)
            if said and not said.strip():
                setattr(element, place, "\n" if "\n" in said else " ")


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
