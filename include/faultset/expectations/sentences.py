"""Sentences on many files, each said once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from faultset.expectations.frames import listed

# A number by itself: none of a date, a zone, a version or a name.
_NUMBER = re.compile(r"(?<![\w.,:+/-])\d[\d,]*(?![\w:/-]|[.,]\d)")


def sentences(breaches: Iterable[tuple[str, str]]) -> list[str]:
    """Return what is said of files, each sentence once, with the files that it is said of and the range of its numbers.

    Args:
        breaches: each sentence with the file that it begins with; "" where it is of no file.

    Returns:
        one sentence for those that differ in their file and in numbers only, in the order of the first of each.
    """
    alike: dict[tuple[str, ...], tuple[dict[str, None], list[list[str]]]] = {}
    for breach, where in breaches:
        file = where if breach.startswith(where) else ""
        rest = breach.removeprefix(file)
        # Without a file two sentences are two facts, whatever their numbers.
        words = tuple(_NUMBER.split(rest)) if file else (rest,)
        files, numbers = alike.setdefault(words, ({}, []))
        files[file] = None
        numbers.append(_NUMBER.findall(rest) if file else [])
    return [_sentence(words, list(files), numbers) for words, (files, numbers) in alike.items()]


def _sentence(words: tuple[str, ...], files: list[str], numbers: list[list[str]]) -> str:
    ranges = [_range(column) for column in zip(*numbers, strict=True)]
    rest = "".join(word + number for word, number in zip(words, [*ranges, ""], strict=True))
    return f"{files[0]}{rest}" if len(files) == 1 else f"each of {listed(files)}{rest}"


def _range(numbers: tuple[str, ...]) -> str:
    in_order = sorted(set(numbers), key=lambda number: int(number.replace(",", "")))
    return in_order[0] if len(in_order) == 1 else f"{in_order[0]} to {in_order[-1]}"
