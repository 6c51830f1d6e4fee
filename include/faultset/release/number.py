"""Version numbers, after Croissant 1.1: what a new version does to the records of the one before."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Change = Literal["major", "minor", "patch"]
WHY: dict[Change, str] = {
    "major": "an existing record, label, column or type changed or went",
    "minor": "something was added and every old record is intact",
    "patch": "the same records; only what is said about them, or how they are packed, changed",
}
_NUMBER = re.compile(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)


class Number(NamedTuple):
    """A version number X.Y.Z; ordered as numbers, so that 1.10.0 comes after 1.9.0.

    A tuple, since a hundred thousand of them are put in order several times slower otherwise.
    """

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """X.Y.Z."""
        return f"{self.major}.{self.minor}.{self.patch}"

    def after(self, change: Change) -> Number:
        """Return the number that follows."""
        if change == "major":
            return Number(self.major + 1, 0, 0)
        if change == "minor":
            return Number(self.major, self.minor + 1, 0)
        return Number(self.major, self.minor, self.patch + 1)


FIRST = Number(1, 0, 0)


def parse(text: object) -> Number | None:
    """Return the number that ``text`` is; None where it is none."""
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    return Number(int(match[1]), int(match[2]), int(match[3])) if match else None
