"""Untrusted text in a CSV cell: a spreadsheet shows it and never runs it."""

from __future__ import annotations

import re

# What Excel, LibreOffice and Google Sheets take for the start of a formula, also behind blanks and in full width; a
# plain number is none.
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")


def cell(value: object) -> object:
    """Return ``value`` as it may be written into a CSV file.

    Numbers, times and other values that are no text stay; a text that a spreadsheet would run gets an apostrophe in
    front, which spreadsheets do not show.
    """
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}" if _FORMULA.match(value) else value
