"""The pages of a validation as people open them years later: whole in themselves, with no script and no call outside.

Great Expectations' pages need style sheets and scripts from half a dozen hosts, and its front page is empty without
them. Here each page gets a style of its own, and the front page is written by us: verdict, findings, every expectation.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from bs4 import BeautifulSoup

from faultset.expectations.ways import Rule
from faultset.records import Finding, Validation

# Even if markup slipped through, nothing on these pages could run or fetch.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

_TEMPLATE_MARKS = str.maketrans({mark: f"&#{ord(mark)};" for mark in "{}$`\\"})

_STYLE = """
:root { --line: #d0d7de; --soft: #f6f8fa; --ink: #1f2328; --mute: #59636e; --bad: #b3261e; --warn: #8a5a00;
  --info: #0b5cad; --good: #1a6f38 }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--ink); max-width: 1180px; margin: 0 auto;
  padding: 28px 32px 60px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 19px; margin: 34px 0 10px } h4 { font-size: 22px; margin: 0 }
h5 { font-size: 17px; margin: 26px 0 8px } h6 { font-size: 14px; margin: 18px 0 4px; color: var(--mute) }
p { margin: 6px 0 } a { color: var(--info) }
table { border-collapse: collapse; width: 100%; margin: 6px 0 }
th, td { text-align: left; vertical-align: top; padding: 7px 10px; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere }
th { background: var(--soft); font-weight: 600; font-size: 13px; color: var(--mute) }
.remedy { width: 32% } td table { width: auto }
th, .tag, td:last-child span { white-space: nowrap } code { font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace }
ul, ol { padding-left: 20px } .lead, .mute { color: var(--mute) }
.verdict { display: inline-block; padding: 1px 14px; border-radius: 16px; color: #fff; font-size: 20px }
.verdict.yes { background: var(--good) } .verdict.no { background: var(--bad) }
.tag { display: inline-block; min-width: 76px; padding: 1px 9px; border-radius: 10px; font-size: 13px;
  text-align: center; border: 1px solid currentColor }
.critical, .text-danger { color: var(--bad) } .warning, .text-warning { color: var(--warn) }
.info { color: var(--info) }
.text-success, .held { color: var(--good) }
.fa-check-circle::before { content: "held" } .fa-times::before { content: "broken" }
.fa-exclamation-triangle::before { content: "error" } i { font-style: normal; font-weight: 600; font-size: 13px }
nav ol { list-style: none; padding: 0; display: flex; gap: 10px; color: var(--mute) }
"""


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
    body = soup.body.decode_contents() if soup.body else ""
    return _page(title, f'<p><a href="{html.escape(home)}">All findings and expectations</a></p>\n{body}')


def front(validation: Validation, rules: Sequence[Rule], broken: Mapping[str, int], pages: Mapping[str, str]) -> str:
    """Return the front page.

    Args:
        validation: the outcome.
        rules: every rule that was checked.
        broken: rule -> rows that break it.
        pages: view -> page of Great Expectations about it, relative to the front page.
    """
    word = "passed" if validation.passed else "failed"
    counts = {severity: sum(f.severity == severity for f in validation.findings) for severity in _SEVERITIES}
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return _page(
        f"Validation {word}",
        f'<h1>Validation <span class="verdict {"yes" if validation.passed else "no"}">{word}</span></h1>\n'
        f'<p class="mute">{validation.expectations} expectations; findings: {said}. '
        "Critical findings stop a dataset, the others are recorded with it.</p>\n"
        f"<h2>Findings</h2>\n{_findings(validation.findings)}\n"
        f"<h2>Expectations</h2>\n{_expectations(rules, broken, pages)}",
    )


_SEVERITIES = ("critical", "warning", "info")


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>None.</p>"
    rows = [
        f"<tr><td>{_tag(finding.severity)}</td>"
        f'<td>{_text(finding.message)}<br><code class="mute">{_text(finding.expectation)}</code></td>'
        f'<td>{finding.count}</td><td class="remedy">{_text(finding.remedy)}</td></tr>'
        for finding in findings
    ]
    return _table(("severity", "what was found", "rows", "what to do"), rows)


def _expectations(rules: Sequence[Rule], broken: Mapping[str, int], pages: Mapping[str, str]) -> str:
    rows = []
    for rule in rules:
        count = broken.get(rule.id, 0)
        result = (
            f'<span class="{rule.severity}">broken by {count}</span>' if count else '<span class="held">held</span>'
        )
        name = f"<code>{html.escape(rule.id)}</code>"
        page = pages.get(rule.view)
        linked = f'<a href="{html.escape(page)}">{name}</a>' if page else name
        rows.append(
            f"<tr><td>{linked}</td><td>{_text(rule.meaning)}</td><td>{_tag(rule.severity)}</td><td>{result}</td></tr>"
        )
    return _table(("expectation", "what must hold", "severity", "result"), rows)


def _table(header: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{name}</th>" for name in header)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"


def _text(text: str) -> str:
    """Text that neither a browser nor a template engine, should one ever read the page, takes for more."""
    return html.escape(text).translate(_TEMPLATE_MARKS)


def _tag(severity: str) -> str:
    return f'<span class="tag {severity}">{severity}</span>'


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def way_home(page: Path, docs: Path) -> str:
    """Return the relative way from ``page`` to the front page of ``docs``."""
    return Path(os.path.relpath(docs / "index.html", page.parent)).as_posix()
