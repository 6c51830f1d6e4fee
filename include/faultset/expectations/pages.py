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
from faultset.records.validation import Finding, Relaxed, Validation
from faultset.severity import SEVERITIES

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
h1, p, dd { overflow-wrap: anywhere } h3 { font-size: 15px; margin: 22px 0 8px } h3 .mute { font-weight: 400 }
header { border-left: 6px solid; padding: 2px 0 2px 20px } header h1 { margin-top: 10px } .reason { font-size: 18px }
header.yes { border-color: var(--good) } header.no { border-color: var(--bad) }
.finding { border: 1px solid var(--line); border-left: 4px solid; border-radius: 4px; padding: 8px 14px; margin: 8px 0;
  break-inside: avoid }
.finding > p { color: var(--ink); margin: 0 0 6px; font-weight: 600 } .finding code { font-weight: 400 }
.finding.info > p { font-weight: 400 } .stacks td { overflow-wrap: break-word }
.stacks td:first-child, .stacks td:last-child, .stacks td .mute { overflow-wrap: anywhere }
.finding dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 6px 24px; margin: 0 }
dt { font-size: 13px; color: var(--mute) } dd { margin: 0; color: var(--ink) } .finding dd { font-size: 14px }
.particulars > div { display: grid; grid-template-columns: 150px 1fr; padding: 3px 0 }
.timeline { overflow-x: auto; margin: 8px 0 } .timeline svg { width: 100%; min-width: 820px; font-family: inherit }
@media (max-width: 720px) {
  body { padding: 16px 14px 40px } h1 { font-size: 21px } .remedy { width: auto }
  .stacks thead { display: none } .stacks tr, .stacks td { display: block; padding: 2px 0; border: 0 }
  .stacks tr { border-bottom: 1px solid var(--line); padding: 8px 0 }
  .stacks td::before { content: attr(data-label) ": "; color: var(--mute); font-size: 13px }
  .particulars > div { display: block }
}
@media print {
  body { padding: 0; max-width: none; font-size: 12px } .timeline { overflow: visible }
  .timeline svg { min-width: 0 } tr { break-inside: avoid } h2, h3 { break-after: avoid }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
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
    return whole_page(title, f'<p><a href="{html.escape(home)}">All findings and expectations</a></p>\n{body}')


def front(validation: Validation, rules: Sequence[Rule], broken: Mapping[str, int], pages: Mapping[str, str]) -> str:
    """Return the front page.

    Args:
        validation: the outcome.
        rules: every rule that was checked.
        broken: rule -> rows that break it.
        pages: view -> page of Great Expectations about it, relative to the front page.
    """
    word = "passed" if validation.passed else "failed"
    counts = {severity: sum(f.severity == severity for f in validation.findings) for severity in SEVERITIES}
    said = ", ".join(f"{count} {severity}" for severity, count in counts.items())
    return whole_page(
        f"Validation {word}",
        f'<h1>Validation <span class="verdict {"yes" if validation.passed else "no"}">{word}</span></h1>\n'
        f'<p class="mute">{validation.expectations} expectations; findings: {said}. '
        "Critical findings stop a dataset, the others are recorded with it.</p>\n"
        f"<h2>Findings</h2>\n{_findings(validation.findings)}\n{_relaxed(validation.relaxed)}"
        f"<h2>Expectations</h2>\n{_expectations(rules, broken, pages)}",
    )


def _findings(findings: Sequence[Finding]) -> str:
    if not findings:
        return "<p>None.</p>"
    rows = [
        f"<tr><td>{tag(finding.severity)}</td>"
        f'<td>{safe(finding.message)}<br><code class="mute">{safe(finding.expectation)}</code></td>'
        f'<td>{finding.count}</td><td class="remedy">{safe(finding.remedy)}</td></tr>'
        for finding in findings
    ]
    return table_of(("severity", "what was found", "rows", "what to do"), rows)


def _relaxed(relaxed: Sequence[Relaxed]) -> str:
    if not relaxed:
        return ""
    rows = [
        f"<tr><td><code>{safe(one.expectation)}</code></td><td>{safe(one.what.replace('_', ' '))}</td>"
        f"<td>{safe(one.was)}</td><td>{safe(one.now)}</td><td>{safe(one.reason)}</td></tr>"
        for one in relaxed
    ]
    header = ("expectation", "what", "usually", "here", "reason")
    return f"<h2>Set otherwise by the experiment</h2>\n{table_of(header, rows)}\n"


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
            f"<tr><td>{linked}</td><td>{safe(rule.meaning)}</td><td>{tag(rule.severity)}</td><td>{result}</td></tr>"
        )
    return table_of(("expectation", "what must hold", "severity", "result"), rows)


def table_of(header: Sequence[str], rows: Sequence[str]) -> str:
    """Return a table of rows that are markup already; ``header`` is our own."""
    head = "".join(f"<th>{name}</th>" for name in header)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody>\n</table>"


def safe(text: str) -> str:
    """Return text that neither a browser nor a template engine, should one ever read the page, takes for more."""
    return html.escape(text).translate(_TEMPLATE_MARKS)


def tag(severity: str) -> str:
    """Return a severity as a mark in its colour."""
    return f'<span class="tag {severity}">{severity}</span>'


def whole_page(title: str, body: str) -> str:
    """Return a page that is whole in itself, on which nothing can run or be fetched; ``body`` is markup already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def way_home(page: Path, docs: Path) -> str:
    """Return the relative way from ``page`` to the front page of ``docs``."""
    return Path(os.path.relpath(docs / "index.html", page.parent)).as_posix()
