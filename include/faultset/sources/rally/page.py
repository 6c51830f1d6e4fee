"""A page that Rally rendered: which kind it is, and the data of a task report.

The data are two literals, each assigned at the start of a line of one script element. Nothing in them is escaped for
HTML, so that a hook's output can end the element or repeat an assignment: an HTML parser loses them there. Here the
first assignment at a line's start is the anchor, and one JSON value is decoded from it. BeautifulSoup reads what is
markup, before the first script: who made the page, and what it calls itself.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from typing import NoReturn

import orjson
from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup
from bs4.filter import SoupStrainer

from faultset.errors import InputError
from faultset.sources.kit.fields import decode_lenient, utf8
from faultset.sources.kit.files import read_bytes, refuse_binary
from faultset.sources.kit.reading_limits import Bounds

_SOURCE = b"$scope.source"
_SCENARIOS = b"$scope.scenarios"
_OTHER_DATA = b"$scope.data"
_ASSIGNED = re.compile(rb"[ \t]*=(?!=)\s*")
# No template indents further than this.
_DEEPEST_INDENT = 200
_HEAD = 65_536
_SCRIPT = re.compile(rb"<script", re.IGNORECASE)
_GENERATOR = re.compile(r"Rally version (\S{1,100})")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WANTED = "give the task report that `rally task report --html` or `--html-static` writes"


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The data of a task report, decoded and not yet checked.

    Attributes:
        rally_version: of the generator; None where the page does not say.
        source: the value assigned to ``$scope.source``, the task file as text; None where there is none.
        scenarios: the value assigned to ``$scope.scenarios``.
    """

    rally_version: str | None
    source: object
    scenarios: object


def read_page(uri: str, bounds: Bounds) -> ReportPage:
    """Return the data of the task report at ``uri``, within ``bounds``. The file's bytes are not kept.

    Raises:
        InputError: it cannot be read, is another kind of page, is cut off, or passes a limit.
    """
    data = read_bytes(uri)
    refuse_binary(uri, data)
    bounds.check_data(data)
    scenarios = _assignment(data, _SCENARIOS)
    if scenarios is None:
        _refuse(uri, data)
    markup = _Markup.of(data)
    if markup.generator is not None and markup.rally_version is None:
        raise InputError(uri, f'is no page of Rally\'s: "{markup.generator}" made it', _WANTED)
    source = _assignment(data, _SOURCE)
    return ReportPage(
        rally_version=markup.rally_version,
        source=None if source is None else _decode(uri, data, source, "$scope.source"),
        scenarios=_decode(uri, data, scenarios, "$scope.scenarios"),
    )


def looks_like_json(data: bytes) -> bool:
    """Whether ``data`` starts as a JSON object or array does."""
    return data[:4096].removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] in {b"{", b"["}


def _assignment(data: bytes, name: bytes) -> int | None:
    """Return where the value of the first assignment to ``name`` at a line's start begins."""
    position = data.find(name)
    while position >= 0:
        # Strings of the data hold no raw line feed: what stands at a line's start is script.
        before = data[max(0, position - _DEEPEST_INDENT) : position].rstrip(b" \t")
        assigned = _ASSIGNED.match(data, position + len(name)) if before[-1:] in {b"\n", b"\r"} else None
        if assigned:
            return assigned.end()
        position = data.find(name, position + 1)
    return None


def _decode(uri: str, data: bytes, start: int, name: str) -> object:
    """Return the JSON value at ``start``: usually the rest of its line, without a copy of it."""
    end = data.find(b"\n", start)
    end = len(data) if end < 0 else end
    while end > start and data[end - 1] in b" \t\r;":
        end -= 1
    try:
        return orjson.loads(memoryview(data)[start:end])
    except orjson.JSONDecodeError:
        return _decode_slowly(uri, data, start, name)


def _decode_slowly(uri: str, data: bytes, start: int, name: str) -> object:
    """Decode what orjson does not: values over several lines, NaN and Infinity, lone surrogates."""
    try:
        return decode_lenient(utf8(memoryview(data)[start:]))[0]
    except json.JSONDecodeError as error:
        # Not chained: the error holds the whole text.
        problem = f"the value of {name} is broken: {error.msg} at its character {error.pos + 1:,}"
    except ValueError as error:
        problem = f"the value of {name} cannot be read: {error}"
    if _is_cut_off(data):
        raise InputError(uri, f"is cut off in the middle of {name}", "copy the report again, whole")
    raise InputError(uri, problem, "give the report as Rally wrote it")


def _is_cut_off(data: bytes) -> bool:
    return b"</html" not in data[-4096:].lower()


@dataclass(frozen=True, slots=True)
class _Markup:
    """What the page's head says."""

    generator: str | None
    title: str

    @property
    def rally_version(self) -> str | None:
        """Version of the Rally that made the page; None where it does not say so."""
        match = _GENERATOR.search(self.generator or "")
        return match[1] if match else None

    @classmethod
    def of(cls, data: bytes) -> _Markup:
        """Parse the head up to the first script: what follows may be megabytes, and hostile."""
        head = data[:_HEAD]
        script = _SCRIPT.search(head)
        text = head[: script.start() if script else len(head)].decode("utf-8", "replace")
        if "<" not in text:
            return cls(None, "")
        try:
            with warnings.catch_warnings():
                # A head that resembles XML or a file name is worth no word on stderr.
                warnings.simplefilter("ignore")
                soup = BeautifulSoup(text, "lxml", parse_only=SoupStrainer(["meta", "title"]))
        except ParserRejectedMarkup:
            return cls(None, "")
        title = soup.find("title")
        return cls(_generator(soup), title.get_text(" ", strip=True) if title else "")


def _generator(soup: BeautifulSoup) -> str | None:
    """The program that the page says it was made by; Rally's word wins where several are named."""
    names = [
        str(meta.get("content", ""))
        for meta in soup.find_all("meta")
        if str(meta.get("name", "")).lower() == "generator"
    ]
    return next((name for name in names if _GENERATOR.search(name)), next(iter(names), None))


def _refuse(uri: str, data: bytes) -> NoReturn:
    """Say what the file is instead of a task report."""
    if looks_like_json(data):
        raise InputError(uri, "is JSON, not an HTML report", "give a results file as --results")
    if b"<" not in data[:_HEAD]:
        raise InputError(uri, "is no HTML page", _WANTED)
    markup = _Markup.of(data)
    if markup.rally_version is None:
        cut = ", or is cut off before the page says who made it" if _is_cut_off(data) else ""
        raise InputError(uri, f"is no page of Rally's (no generator names it){cut}", _WANTED)
    other = _assignment(data, _OTHER_DATA)
    if other is not None:
        kind = "trends report" if data[other : other + 1] == b"[" else "verification report"
        raise InputError(uri, f"is a Rally {kind}, not a task report", _WANTED)
    if _is_cut_off(data):
        raise InputError(uri, "is a Rally page that is cut off before its data end", "copy the report again, whole")
    raise InputError(uri, f'is a Rally page of an unknown kind ("{markup.title}"), not a task report', _WANTED)
