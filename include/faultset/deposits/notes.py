"""``SLUG/deposits.json``: where versions were deposited, beside them, as a version itself never changes.

What it says of a draft is a hint and a claim: of all drafts that writers may have made, the one that stands here is
the one that may be published. Whether it was, the far side says.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, Self

from faultset.errors import InputError
from faultset.release.manifest import to_json
from faultset.settings import Archive
from faultset.slug import check_slug
from faultset.storage import Store

FILE = "deposits.json"


@dataclass(frozen=True, slots=True)
class Note:
    """A version in an archive.

    Attributes:
        to: which archive.
        at: its address.
        version: X.Y.Z.
        manifest_sha256: of that version.
        id: of the record or its draft; the commit of a repository.
        state: ``draft`` or ``published``; only what was seen there with all its files is ``published``.
        url: the page that shows it.
        doi: of the version; None where there is none.
        concept_doi: of all versions; None where there is none.
        deposited_at: when it was seen to be there, ISO 8601 UTC; None for a draft.
    """

    to: Archive
    at: str
    version: str
    manifest_sha256: str
    id: str
    state: Literal["draft", "published"]
    url: str | None = None
    doi: str | None = None
    concept_doi: str | None = None
    deposited_at: str | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the note that the file holds; keys of newer versions of the tool are passed over.

        Raises:
            TypeError: it holds none.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: values[name] for name in names if name in values})

    def same_place(self, other: Note) -> bool:
        """Whether both are about the same version in the same archive."""
        return (self.to, self.at, self.manifest_sha256) == (other.to, other.at, other.manifest_sha256)


def read(store: Store, slug: str) -> tuple[Note, ...]:
    """Return the notes of a dataset.

    Raises:
        InputError: the file is damaged.
        SetupError: it cannot be read.
    """
    return _decode(store.read(_name(slug)), store.uri_of(_name(slug)))


def claim(store: Store, slug: str, draft: Note) -> Note:
    """Note a draft unless one of the same version in the same archive stands there; return the one that does."""

    def decide(found: tuple[Note, ...]) -> tuple[Note, ...]:
        return found if any(map(draft.same_place, found)) else (*found, draft)

    return _only(_change(store, slug, decide), draft)


def put(store: Store, slug: str, seen: Note) -> Note:
    """Note what was seen, instead of what stood there of the same version in the same archive; return what stands."""

    def decide(found: tuple[Note, ...]) -> tuple[Note, ...]:
        if any(dataclasses.replace(seen, deposited_at=one.deposited_at) == one for one in found):
            return found  # it was seen before
        return (*(one for one in found if not seen.same_place(one)), seen)

    return _only(_change(store, slug, decide), seen)


def drop(store: Store, slug: str, note: Note) -> None:
    """Forget a note, if it still stands there as it is."""
    _change(store, slug, lambda found: tuple(one for one in found if one != note))


def _only(found: tuple[Note, ...], like: Note) -> Note:
    return next(one for one in found if like.same_place(one))


def _change(store: Store, slug: str, decide: Any) -> tuple[Note, ...]:
    after: list[tuple[Note, ...]] = []

    def change(data: bytes | None) -> bytes | None:
        found = _decode(data, store.uri_of(_name(slug)))
        after.append(decide(found))
        return data if after[-1] == found else _encode(after[-1])

    store.update(_name(slug), change)
    return after[-1]


def _name(slug: str) -> str:
    return f"{check_slug(slug)}/{FILE}"


def _encode(notes: tuple[Note, ...]) -> bytes:
    return to_json({"deposits": [dataclasses.asdict(note) for note in notes]})


def _decode(data: bytes | None, where: str) -> tuple[Note, ...]:
    if data is None:
        return ()
    try:
        return tuple(Note.from_dict(dict(one)) for one in json.loads(data)["deposits"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        remedy = "remove it and deposit the versions again: they are found where they lie, and nothing is sent twice"
        raise InputError(where, "these notes of deposits are damaged", remedy) from error
