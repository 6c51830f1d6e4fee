"""How things show themselves in a console and in a notebook: bounded, and harmless whatever a report said."""

from __future__ import annotations

import html as escaping
from collections.abc import Mapping

from faultset.errors import printable

_LONGEST = 300


def line(facts: Mapping[str, object]) -> str:
    """Return facts in one line: ``<telemetry metrics, 5 files, …>``."""
    return f"<{', '.join(f'{name} {_text(value)}' for name, value in facts.items() if value not in (None, ''))}>"


def lines(title: str, facts: Mapping[str, object]) -> str:
    """Return a title and facts, a line each."""
    width = max(map(len, facts), default=0)
    rows = [f"  {name.ljust(width)}  {_text(value)}" for name, value in facts.items() if value not in (None, "")]
    return "\n".join([printable(title, _LONGEST), *rows])


def html(title: str, facts: Mapping[str, object]) -> str:
    """Return a title and facts as a small table, escaped."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escaping.escape(name)}</th>'
        f'<td style="text-align:left">{escaping.escape(_text(value))}</td></tr>'
        for name, value in facts.items()
        if value not in (None, "")
    )
    return f"<table><caption>{escaping.escape(printable(title, _LONGEST))}</caption><tbody>{rows}</tbody></table>"


def _text(value: object) -> str:
    return printable(str(value), _LONGEST)
