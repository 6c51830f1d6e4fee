"""Sentences on many files, each said once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from faultset.expectations.frames import listed

# How many rows: what may differ from file to file in one sentence. Lines, shares and moments are a fact of each file.
_ROWS = re.compile(r"(?<![\w.,])\d[\d,]*(?= (?:of \d[\d,]* )?rows\b)")


def sentences(breaches: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is said of files, each sentence once, with the files that it is said of and how many rows each has.

    Args:
        breaches: each sentence with the file that it begins with; "" where it is of no file.

    Returns:
        one sentence for those of several files that differ in numbers of rows only, in the order of the first of each.
    """
    alike: dict[tuple[str, ...], dict[tuple[str, str], None]] = {}
    for breach, where in breaches:
        file = where if breach.startswith(where) else ""
        rest = breach.removeprefix(file)
        # Without a file two sentences are two facts, whatever their numbers.
        words = tuple(_ROWS.split(rest)) if file else (rest,)
        alike.setdefault(words, {})[file, rest] = None
    return [sentence for words, said in alike.items() for sentence in _said(words, list(said))]


def _said(words: tuple[str, ...], said: list[tuple[str, str]]) -> list[str]:
    files = dict.fromkeys(file for file, _ in said)
    if len(files) < len(said) or len(files) == 1:
        return [f"{file}{rest}" for file, rest in said]
    columns = zip(*(_ROWS.findall(rest) for _, rest in said), strict=True)
    ranges = [*map(_range, columns), ""]
    return [f"each of {listed(files)}" + "".join(word + rows for word, rows in zip(words, ranges, strict=True))]


def _range(numbers: tuple[str, ...]) -> str:
    in_order = sorted(set(numbers), key=lambda number: int(number.replace(",", "")))
    return in_order[0] if len(in_order) == 1 else f"{in_order[0]} to {in_order[-1]}"
