"""What a layout of another benchmark is, and what all of them share: names, progress, parts of tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from faultset.release.manifest import to_json

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

Tell: TypeAlias = Callable[[int, int, str], None]
_NAME = 80


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout that other tools read.

    Attributes:
        name: as ``faultset export --to`` takes it.
        reader: what reads it, in words.
        write: writes a dataset into an empty folder, telling how far it is (done, total, what), and returns what was
            left out of this one, in words. It raises InputError where nothing of it can be written.
        lost: what no dataset can carry over, in words.
        how_to_load: a snippet for the export's page, in Python or a shell.
    """

    name: str
    reader: str
    write: Callable[[Dataset, Path, Tell], list[str]]
    lost: tuple[str, ...]
    how_to_load: str


def word(text: str | None, allowed: str = "") -> str:
    """Return a name from outside as one harmless part of a file's name: letters, digits, ``-`` and what is allowed."""
    return re.sub(rf"[^A-Za-z0-9{re.escape(allowed)}]+", "-", text or "").strip("-.")[:_NAME] or "unknown"


def distinct(names: Iterable[str], spelled: Callable[[str], str]) -> dict[str, str]:
    """Return name -> its spelling, no two of them alike: a later one that would be gets a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        wanted = spelled(name)
        unique, number = wanted, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{wanted}{number}"
        taken.add(unique.casefold())
        found[name] = unique
    return found


def service(node: str) -> str:
    """Return a node as benchmarks of services name one: what stands before the first ``_`` of a metric's name."""
    return re.sub(r"[_\s/\\]+", "-", node).strip("-") or "unknown"


def changed(what: str, names: Mapping[str, str]) -> list[str]:
    """Return which names had to be spelled otherwise, in words; nothing where none had to be."""
    others = [f"{name} is {spelled}" for name, spelled in names.items() if name != spelled]
    more = f" and {len(others) - 20} more" if len(others) > 20 else ""
    return [f"{what} under their own names: {', '.join(others[:20])}{more}"] if others else []


def write_json(path: Path, document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a document as a version's own are written."""
    path.write_bytes(to_json(document))
