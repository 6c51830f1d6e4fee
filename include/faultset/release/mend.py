"""Making good, for all datasets at once, what writers left that were killed. A version is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faultset.errors import FaultsetError
from faultset.release import history
from faultset.storage import ABANDONED_S, INDEX, POINTER, Store, open_root


def mend(root: str | Path, work: str | Path | None = None, *, abandoned_s: float = ABANDONED_S) -> list[str]:
    """Complete what was decided, write pointers and index anew where they are behind, sweep what nobody needs.

    Args:
        root: the root of the datasets.
        work: local folder for what is under way where ``root`` is a bucket.
        abandoned_s: in a bucket, where nothing tells who lives: seconds without a write after which nobody does.

    Returns:
        What was done, and what could not be done, a line each.

    Raises:
        SetupError: the storage cannot be written.
    """
    store = open_root(root, work)
    done = [line for slug in store.slugs() for line in _dataset(store, slug)]
    before = store.read(INDEX)
    history.refresh_index(store)
    if store.read(INDEX) != before:
        done.append(f"{INDEX}: written anew")
    return [*done, *(f"{name}: removed" for name in store.sweep(abandoned_s=abandoned_s))]


def _dataset(store: Store, slug: str) -> Iterator[str]:
    try:
        before = store.listing(slug).folders
        history.complete(store, slug)
        after = store.listing(slug).folders
        yield from (f"{slug}/{version}: completed" for version in sorted(after - before))
        yield from (f"{slug}/{version}: its removal completed" for version in sorted(before - after))
        pointer = store.read(f"{slug}/{POINTER}")
        history.point(store, slug)
        if store.read(f"{slug}/{POINTER}") != pointer:
            yield f"{slug}/{POINTER}: written anew"
    except FaultsetError as error:
        yield str(error)
