"""Untrusted text in Markdown: shown as it is, never as markup, links or HTML."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from faultset.errors import printable
from faultset.pages.environment import environment
from faultset.tables import ColumnSpec

SHOWN = 100

# Markup anywhere; an underscore only where it can start or end emphasis, so that nova_compute stays readable.
_LIVE = re.compile(
    r"[&<>`|\[\]{}\\*~$@!^]"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|:(?=//)|(?<=www)\.",
    re.IGNORECASE,
)
# What makes a heading, list, quote, rule or code block, but only at the start of a line.
_START = re.compile(r"^(?:[#+=-]|\d{1,9}[.)](?=\s|$))")


def text(untrusted: object, limit: int = 500) -> str:
    """Return ``untrusted`` as one line of at most ``limit`` characters of plain text, before they are escaped."""
    line = _LIVE.sub(_entity, printable(str(untrusted), limit))
    return _START.sub(lambda match: match[0][:-1] + _code(match[0][-1]), line)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; cells are escaped here, the header is trusted."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return lines + [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]


def limited(header: Sequence[str], rows: Sequence[Any], cells: Callable[[Any], Sequence[object]]) -> list[str]:
    """Return the lines of a table of the first rows, and how many there are."""
    if not rows:
        return ["None."]
    lines = table(header, (cells(row) for row in rows[:SHOWN]))
    return lines if len(rows) <= SHOWN else [*lines, "", f"The first {SHOWN} of {len(rows)}; the table has all."]


def columns(declared: Iterable[ColumnSpec]) -> list[str]:
    """Return the lines of a table of columns and what they mean."""
    return table(("column", "type", "unit", "null", "meaning"), map(_column, declared))


def _column(spec: ColumnSpec) -> Sequence[object]:
    values = f" One of: {', '.join(spec.column.values)}." if spec.column.values else ""
    null = "possible" if spec.nullable else "never"
    return (spec.name, str(spec.arrow_type), spec.column.unit, null, spec.column.description + values)


def _cell(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text(value, 300)


def _entity(match: re.Match[str]) -> str:
    named = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
    return named.get(match[0]) or _code(match[0])


def _code(character: str) -> str:
    return f"&#{ord(character)};"


# --- templates ------------------------------------------------------------------------------------------------------


def render(template: str, **values: Any) -> str:
    """Return Markdown from a template of ``versions/``; each value that is no ``block`` is one line of plain text."""
    return _templates().get_template(f"versions/{template}").render(**values)


def block(lines: Iterable[str]) -> Markup:
    """Return lines that are Markdown already, for a template."""
    return Markup("\n".join(lines))  # noqa: S704 (no HTML: it says that this needs no escaping)


@functools.cache
def _templates() -> Environment:
    return environment(finalize=_plain, keep_trailing_newline=True)


def _plain(value: object) -> object:
    return block([text(value)]) if isinstance(value, str) and not isinstance(value, Markup) else value
