"""Names and texts that want to be more than text, at every way out."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import samples
from faultset.errors import InputError, printable
from faultset.expectations import pages
from faultset.figures import style
from faultset.records.validation import Finding, Validation
from faultset.release import markdown
from faultset.release.csv_cells import cell
from faultset.sources.kit.redaction import redact
from hostile_entry import inspected

NAMES = {
    "script": "<script>alert(1)</script>",
    "event handler": "<img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)',
    "link": "[click](javascript:alert(1))",
    "address": "https://evil.example/?q=1",
    "table": "a | b | c",
    "heading": "# Heading",
    "template": "{{ 7*7 }} ${7*7} {% raw %}",
    "formula of TeX": r"$\frac{a}{b}$ $\input{/etc/passwd}$",
    "markup of rich": "[bold red]x[/bold red][link=http://x]y[/link]",
    "terminal": "\x1b[2J\x1b]8;;http://evil\x07click\x1b]8;;\x07",
    "8-bit terminal": "\x9b2J\x9d0;x\x9c",
    "right to left": "safe\u202etxt.exe\u2066\u2069",
    "Arabic mark": "a\u061cb",
    "invisible": "ad\u200bmin\u2060\ufeff\u00ad\u034f\u3164",
    "tags": "a\U000e0061\U000e0062",
    "line feeds": "one\ntwo\r\nthree\u2028four\u0085five",
    "NUL": "a\x00b",
    "lone surrogate": "a\udc80b",
    "percent": "%s %n %(x)s {0.__class__}",
    "comment": "--> <!-- x",
    "end of data": "]]> </title></style></textarea>",
}
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e0fff]"
)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_text_on_every_way_out(name: str):
    line = printable(name)
    assert line.isprintable()
    assert str(InputError(name, name, name)).isprintable()
    shown = markdown.text(name)
    assert not set("<>|[]`*") & set(html.unescape("") + re.sub(r"&#?\w+;", "", shown))
    assert not CONTROL.search(shown)
    finding = Finding("critical", "rule", "table", None, printable(redact(name)), (line,), 1, printable(name))
    page = pages.front(Validation(False, (finding,), 1, None), (), {}, {})
    soup = BeautifulSoup(page, "lxml")
    assert not soup.find_all(["script", "img", "iframe", "object"])
    assert not [
        attribute for element in soup.find_all(True) for attribute in element.attrs if attribute.startswith("on")
    ]
    assert not CONTROL.search(page)
    assert style.safe(name).isprintable()


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_scenarios_name_is_text_on_the_terminal(name: str, tmp_path: Path):
    hook = {**samples.SCENARIO["hooks"][0], "desc": name}
    report = samples.report([samples.scenario(cls=name, met=name, hooks=[hook], runner=name)])
    inspected(tmp_path, report=report.encode())


def test_no_text_of_a_figure_is_taken_for_tex():
    sources = (Path(style.__file__).parent).glob("*.py")
    drawn = [
        call
        for path in sources
        for call in re.findall(r"\.(?:text|annotate|set_ylabel)\((?:[^()]|\([^()]*\))*\)", path.read_text())
    ]
    assert drawn
    assert not [call for call in drawn if "parse_math=False" not in call]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =cmd|' /C calc'!A0",
        "|x",
        "%0A=1",
        "\uff1dcmd",
        "-",
        "+",
        "@",
    ],
)
def test_a_spreadsheet_runs_no_cell(text: str):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["nova_compute", "", "-1.5", "+2", "-3e-5", "a=b", 5, -5, 1.5, None, True])
def test_a_harmless_cell_stays(value: object):
    assert cell(value) == value
