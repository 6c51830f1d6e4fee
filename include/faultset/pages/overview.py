"""All datasets in short, held in memory and looked at again only where something changed: thousands answer at once."""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faultset import pipeline, tables
from faultset.dataset.overview import moment_of
from faultset.dataset.roots import Versions, root_at
from faultset.errors import FaultsetError
from faultset.pages import held_index
from faultset.pages.held_index import Found, Held
from faultset.pipeline import awaiting
from faultset.pipeline.awaiting import Pending
from faultset.release import decisions, history, manifest, parquet
from faultset.release.manifest import Manifest
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.slug import is_slug
from faultset.storage import MANIFEST, DatasetRoot, Store, open_root

_AT_ONCE = 16
_FRESH_S = 3.0
"""How old what is shown may be; a bucket, where each look is a request a dataset, is looked at more seldom."""

_FRESH_IN_A_BUCKET_S = 60.0
_MOST_FINDINGS = 200  # kept of one version; its card has all

Freshness = Literal["current", "entry changed", "not in the catalog", "no version"]


@dataclass(frozen=True, slots=True)
class Line:
    """A dataset, or an experiment of the catalog that has no version yet.

    Attributes:
        slug: its name.
        latest: X.Y.Z; None where there is none, or all were withdrawn.
        versions: how many there are.
        held: of the latest version; None where there is none, or it is damaged.
        freshness: how it stands to the catalog.
        waits: what waits for a decision; None where nothing does.
        problem: why it cannot be read; None where it can.
    """

    slug: str
    latest: str | None
    versions: int
    held: Held | None
    freshness: Freshness
    waits: Pending | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All datasets at one moment, by name."""

    lines: tuple[Line, ...]
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class _Known:
    """What was read of a dataset, and the marks of its folders then."""

    mark: object
    versions: Versions | None
    held: Held | None
    problem: str | None


class Overviews:
    """Looks at the datasets of ``settings``; one look at a time, and who comes meanwhile gets the former one.

    Args:
        settings: where things are, asked at each look.
    """

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._known: dict[str, _Known] = {}
        self._manifests: dict[str, Held] = {}
        self._written = -1
        self._shown: Overview | None = None
        self._until = 0.0
        self._looking = threading.Lock()

    def get(self) -> Overview:
        """Return all datasets, as they were seconds ago at most; waits for a look only where there was none yet.

        Raises:
            SetupError: the root or the catalog cannot be read.
        """
        shown = self._shown
        if shown is not None and time.monotonic() < self._until:
            return shown
        if shown is not None:
            # Somebody else looks already: what was seen before is no worse than waiting for it.
            if not self._looking.acquire(blocking=False):
                return shown
        else:
            self._looking.acquire()
        try:
            if self._shown is not None and time.monotonic() < self._until:
                return self._shown
            return self._look()
        finally:
            self._looking.release()

    def forget(self) -> None:
        """Look anew when asked next: something was changed from here."""
        self._until = 0.0

    def _look(self) -> Overview:
        settings = self._settings()
        store = open_root(settings.datasets)
        entries = _entries(settings)
        if self._written < 0:
            self._manifests |= held_index.read(settings)
            self._written = len(self._manifests)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            names = [name for name in store.slugs() if is_slug(name)]
            found = dict(zip(names, pool.map(lambda name: self._read(store, name), names), strict=True))
        self._known = {name: known for name, known in found.items() if known.versions or known.problem}
        if len(self._manifests) > self._written:
            held_index.write(settings, self._manifests)
            self._written = len(self._manifests)
        waiting = awaiting.all_pending(settings)
        slugs = sorted({*self._known, *entries, *waiting})
        lines = tuple(_line(slug, self._known.get(slug), entries, waiting.get(slug)) for slug in slugs)
        shown = Overview(lines, dt.datetime.now(dt.UTC))
        local = isinstance(store, DatasetRoot)
        self._shown, self._until = shown, time.monotonic() + (_FRESH_S if local else _FRESH_IN_A_BUCKET_S)
        return shown

    def _read(self, store: Store, slug: str) -> _Known:
        seen_at = mark(store, slug)
        known = self._known.get(slug)
        if known is not None and seen_at is not None and known.mark == seen_at:
            return known
        try:
            seen = history.read_history(store, slug)
            if not seen.numbers:
                return _Known(seen_at, None, None, None)
            latest = None if seen.latest.number is None else str(seen.latest.number)
            withdrawn = {str(number): why for number, why in decisions.withdrawn(seen.decisions).items()}
            versions = Versions(tuple(map(str, seen.numbers)), latest, withdrawn, {})
            return _Known(seen_at, versions, self._held(store, slug, latest) if latest else None, None)
        except FaultsetError as error:
            return _Known(None, None, None, str(error))

    def _held(self, store: Store, slug: str, version: str) -> Held:
        where = f"{slug}/{version}/{MANIFEST}"
        data = store.read(where) or b""
        digest = manifest.sha256(data)
        if digest not in self._manifests:
            self._manifests[digest] = held_of(manifest.decode(data, where), store)
        return self._manifests[digest]


def held_of(known: Manifest, store: Store) -> Held:
    """Return what a version holds, in short; beside its manifest two small tables are read."""
    firsts = [moment for entry in known.telemetry if (moment := moment_of(entry, "first"))]
    starts = [row.started_at for row in _rows(store, known, tables.WORKLOADS) if row.started_at]
    injections = _rows(store, known, tables.INJECTIONS)
    effects = {
        effect: sum(row.effect == effect for row in injections) for effect in ("full", "partial", "none", "unknown")
    }
    severity_of = {severity: place for place, severity in enumerate(SEVERITIES)}
    listed = sorted(known.validation["findings"], key=lambda one: severity_of.get(one["severity"], 9))
    return Held(
        title=known.title,
        published_at=_moment(known.created_at),
        ran_at=min(starts, default=None) or min(firsts, default=None),
        injections=len(injections),
        effects={effect: count for effect, count in effects.items() if count},
        findings={severity: int(known.validation[severity]) for severity in SEVERITIES},
        listed=tuple(
            Found(one["severity"], one["expectation"], one["message"], one["count"], one["remedy"])
            for one in listed[:_MOST_FINDINGS]
        ),
    )


def _rows(store: Store, known: Manifest, table: tables.Table) -> list[Any]:
    name = f"{known.slug}/{known.version}/{table.name}.parquet"
    if all(file.path != f"{table.name}.parquet" for file in known.files):
        return []
    return parquet.rows(table, parquet.decode_arrow(store.read(name) or b"", name), name)


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def mark(store: Store, slug: str) -> object:
    """Return what changes whenever a dataset does; None where nothing tells without asking for all of it."""
    if not isinstance(store, DatasetRoot):
        return None
    folder = store.path / slug
    return tuple(_changed_at(path) for path in (folder, folder / ".log", folder / "latest.json"))


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _entries(settings: Settings) -> dict[str, float | None]:
    """Return slug -> when its entry in the catalog changed, epoch seconds; None where that is not known."""
    slugs = [slug for slug in pipeline.slugs(settings) if is_slug(slug)]
    if "://" in settings.catalog:
        return dict.fromkeys(slugs)
    return {slug: _entry_changed(Path(settings.catalog) / slug / "experiment.yaml") for slug in slugs}


def _entry_changed(path: Path) -> float | None:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116 (thousands of them, several times as fast)
    except OSError:
        return None


def _line(slug: str, known: _Known | None, entries: Mapping[str, float | None], waits: Pending | None) -> Line:
    versions = known.versions if known else None
    held = known.held if known else None
    problem = known.problem if known else None
    latest = versions.latest if versions else None
    count = len(versions.numbers) if versions else 0
    return Line(slug, latest, count, held, _freshness(slug, held, latest, entries), waits, problem)


def _freshness(slug: str, held: Held | None, latest: str | None, entries: Mapping[str, float | None]) -> Freshness:
    if latest is None:
        return "no version"
    if slug not in entries:
        return "not in the catalog"
    changed = entries[slug]
    if changed is not None and held and held.published_at and changed > held.published_at.timestamp():
        return "entry changed"
    return "current"


def findings(shown: Overview) -> Iterator[tuple[Line, Found]]:
    """Yield every finding of every latest version."""
    for line in shown.lines:
        for found in line.held.listed if line.held else ():
            yield line, found


def versions_of(settings: Settings, slug: str) -> Versions:
    """Return the versions of a dataset; none where it does not exist.

    Raises:
        InputError: this is no name of a dataset, or its log is damaged.
    """
    return root_at(settings.datasets).versions(slug)
