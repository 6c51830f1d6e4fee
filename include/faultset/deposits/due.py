"""Which versions have to be deposited, found by looking at the versions, the catalog and the notes of deposits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from faultset import catalog
from faultset.deposits import notes, plan
from faultset.deposits.access import access_to
from faultset.errors import FaultsetError
from faultset.release import history, manifest
from faultset.release import number as numbers
from faultset.settings import ARCHIVES, Archive, Settings
from faultset.storage import MANIFEST, Store, open_root


@dataclass(frozen=True, slots=True)
class Due:
    """A version that is not in an archive in which it should be.

    Attributes:
        slug: the dataset.
        version: X.Y.Z, its latest.
        to: which archive.
        why_not: why it cannot be deposited as it is; None where it can.
    """

    slug: str
    version: str
    to: Archive
    why_not: str | None


def due(settings: Settings) -> Iterator[Due]:
    """Yield the latest versions that are not noted where their experiments, or the settings, want them, by name.

    What was deposited of a newer version is not followed by an older one, to which somebody rolled back.

    Raises:
        InputError: the catalog cannot be read.
        SetupError: a storage cannot be asked, or there is no token for an archive.
    """
    store = open_root(settings.datasets, settings.work)
    published = set(store.slugs())
    urls: dict[Archive, str] = {}
    for slug in catalog.list_slugs(settings.catalog):
        wanted = _wanted(slug, settings) if slug in published else ()
        pointer = history.read_pointer(store, slug) if wanted else None
        if pointer is None:
            continue
        there = notes.read(store, slug)
        for to in wanted:
            urls[to] = urls.get(to) or access_to(to).url
            newest = [numbers.parse(one.version) for one in there if (one.to, one.at) == (to, urls[to])
                      and one.state == "published"]  # fmt: skip
            own = numbers.parse(pointer.version) or numbers.FIRST
            if max(filter(None, newest), default=numbers.Number(0, 0, 0)) < own:
                yield Due(slug, pointer.version, to, _why_not(store, slug, pointer.version))


def _wanted(slug: str, settings: Settings) -> tuple[Archive, ...]:
    """Return where versions go; an experiment that cannot be read goes nowhere, and its rebuild says why."""
    try:
        declared = catalog.deposit_of(settings.catalog, slug)
    except FaultsetError:
        return ()
    chosen = settings.deposit_to if declared is None else declared
    return tuple(to for to in ARCHIVES if to in chosen)


def _why_not(store: Store, slug: str, version: str) -> str | None:
    name = f"{slug}/{version}/{MANIFEST}"
    data = store.read(name) or b""
    answer = plan.may_deposit(plan.content(manifest.decode(data, store.uri_of(name)), data), None)
    return None if answer.yes else answer.why
