"""The log of a dataset: what was decided about its versions, one small file an entry, created once, never changed.

An entry says all that holds from then on, so that the last one is all that anybody reads. A bucket's entries also
say which upload becomes which version (``Commit``): whoever creates entry N has the right to the next number.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from dataclasses import dataclass
from typing import Any

from faultset.errors import InputError

LOG = ".log"


@dataclass(frozen=True, slots=True)
class State:
    """What a dataset's log says.

    Attributes:
        newest: the highest number that was ever given; None where the folders alone say so.
        decisions: all decisions about versions, oldest first, as plain JSON values.
    """

    newest: str | None = None
    decisions: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """An upload that becomes a version.

    Attributes:
        version: name of the version's folder.
        token: names the upload.
        attempt: which of the descriptions that were uploaded with it is the right one.
    """

    version: str
    token: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log; ``token`` tells it from any other, whatever else they say."""

    state: State
    commit: Commit | None = None
    token: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def encode(self) -> bytes:
        """Return the bytes of the file; they hold their own hash, so that damage shows."""
        said = dataclasses.asdict(self)
        return (json.dumps({**said, "sha256": _digest(said)}, indent=2) + "\n").encode("ascii")


def decode(data: bytes, where: str) -> Entry:
    """Return what an entry's bytes say.

    Raises:
        InputError: they are damaged.
    """
    try:
        said = _intact(json.loads(data))
        state = State(said["state"]["newest"], tuple(map(_texts, said["state"]["decisions"])))
        return Entry(state, said["commit"] and Commit(**said["commit"]), said["token"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(where, "this entry of the dataset's log is damaged", "restore it from a copy") from error


def name(slug: str, number: int) -> str:
    """Return the name of an entry's file, relative to the root."""
    return f"{slug}/{LOG}/{number:08}.json"


def number_of(file: str) -> int:
    """Return the number of the entry that a file of the log's folder holds; 0 for any other file."""
    stem, _, ending = file.partition(".")
    return int(stem) if ending == "json" and stem.isascii() and stem.isdigit() else 0


def _intact(said: dict[str, Any]) -> dict[str, Any]:
    if said.pop("sha256") != _digest(said):
        raise ValueError("other bytes were written")
    return said


def _texts(entry: dict[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in entry.items()}


def _digest(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode("ascii")).hexdigest()
