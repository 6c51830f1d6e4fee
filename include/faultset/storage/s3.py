"""A bucket as the root of the datasets: conditional requests alone, and no lock.

A version is decided by creating the next entry of its dataset's log, which only one writer can, and shown by copying
its upload within the bucket, the manifest last. Whoever finds an entry whose version is not whole completes it first.
What this promises, and why: docs/adr/0005-a-bucket-decides-by-a-log.md.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from faultset.errors import SetupError
from faultset.slug import check_slug, is_slug
from faultset.storage import folders, log
from faultset.storage.bucket import Bucket
from faultset.storage.bucket import Entry as Object
from faultset.storage.common import (
    ABANDONED_S,
    INDEX,
    MANIFEST,
    STAGING,
    Listing,
    LostRaceError,
    explain_os_errors,
)
from faultset.storage.log import LOG, Commit, Entry, State
from faultset.storage.staging import Staging

_AT_ONCE = 8
_PATIENCE_S = 60.0
_LONGEST_PAUSE_S = 0.5
_CONTENT = "content"


@dataclass(frozen=True, slots=True)
class BucketRoot:
    """A bucket, or the part of it under a prefix, that holds the datasets.

    Attributes:
        bucket: where they lie.
        work: local folder for what is under way; None for those who only read.
    """

    bucket: Bucket
    work: Path | None = None

    @property
    def staging(self) -> Staging:
        """Where candidates are described before they are sent.

        Raises:
            SetupError: no local folder is known.
        """
        if self.work is None:
            raise SetupError(self.uri_of(), "no folder for work beside this bucket is known", "set FAULTSET_WORK")
        return Staging(self.work / STAGING)

    def uri_of(self, name: str = "") -> str:
        """As in ``Store``."""
        return self.bucket.uri_of(name).rstrip("/")

    # --- looking ----------------------------------------------------------------------------------------------------

    def slugs(self) -> list[str]:
        """As in ``Store``."""
        return [name for name in self.bucket.folders("") if is_slug(name)]

    def listing(self, slug: str) -> Listing:
        """As in ``Store``.

        The log is asked before the versions, so that a version that comes meanwhile makes the listing outdated, not
        wrong. What the index lists was whole once; only of other folders the manifest is looked for.
        """
        prefix = f"{check_slug(slug)}/{LOG}"
        numbers = [log.number_of(entry.key.removeprefix(f"{prefix}/")) for entry in self.bucket.list(prefix)]
        found = {name for name in self.bucket.folders(slug) if not name.startswith(".")}
        unknown = found - _indexed(self.read(INDEX), slug)
        without = {name for name in unknown if self.bucket.head(f"{slug}/{name}/{MANIFEST}") is None}
        return Listing(frozenset(found - without), max(numbers, default=0))

    def read(self, name: str) -> bytes | None:
        """As in ``Store``."""
        found = self.bucket.get(name)
        return found and found[0]

    def files(self, slug: str, version: str) -> dict[str, int]:
        """As in ``Store``."""
        prefix = f"{check_slug(slug)}/{version}"
        return {entry.key.removeprefix(f"{prefix}/"): entry.size for entry in self.bucket.list(prefix)}

    def sha256(self, name: str) -> str:
        """As in ``Store``."""
        digest = hashlib.sha256()
        for piece in self.bucket.stream(name):
            digest.update(piece)
        return digest.hexdigest()

    @contextlib.contextmanager
    def local(self, slug: str, version: str, names: Collection[str], here: Mapping[str, Path]) -> Iterator[Path]:
        """As in ``Store``."""
        with self.staging.scratch() if self.work else tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            for name in names:
                with explain_os_errors(folder / name):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    if name in here:
                        (folder / name).symlink_to(here[name].absolute())
                if name not in here:
                    self.bucket.fetch(f"{check_slug(slug)}/{version}/{name}", folder / name)
            yield folder

    # --- writing ----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def draft(self, folder: Path, names: Collection[str]) -> Iterator[_Draft]:
        """As in ``Store``; sends every file that does not change any more."""
        made = _Draft(self, folder, frozenset(names))
        try:
            made.send(names, _CONTENT)
            yield made
        finally:
            if not made.decided:
                self.drop_upload(made.token)

    def append(self, slug: str, state: State, *, given: Listing) -> None:
        """As in ``Store``."""
        self._create(slug, Entry(state), given)

    def decide(self, slug: str, commit: Commit, state: State, *, given: Listing) -> None:
        """Create the entry that gives ``commit.version`` to an upload.

        Raises:
            LostRaceError: another writer created that entry.
        """
        self._create(slug, Entry(state, commit), given)

    def _create(self, slug: str, entry: Entry, given: Listing) -> None:
        if not self.bucket.create(log.name(check_slug(slug), given.entries + 1), entry.encode()):
            raise LostRaceError(slug)

    def finish(self, slug: str, listing: Listing) -> bool:
        """As in ``Store``: shows the version that the last entry of the log decided on."""
        if not listing.entries:
            return False
        where = log.name(slug, listing.entries)
        commit = log.decode(self.read(where) or b"", self.uri_of(where)).commit
        return commit is not None and commit.version not in listing.folders and self.show(slug, commit)

    def show(self, slug: str, commit: Commit) -> bool:
        """Copy an upload to its version, the manifest last; any number of processes may do so at once.

        Returns:
            Whether the version is there now; an upload that somebody removed makes none.
        """
        prefix = f"{STAGING}/{commit.token}"
        target = f"{slug}/{commit.version}"
        sources = {
            f"{target}/{rest}": entry.key
            for entry in self.bucket.list(prefix)
            if (rest := _path_in_version(entry.key.removeprefix(f"{prefix}/"), commit.attempt))
        }
        manifest = sources.pop(f"{target}/{MANIFEST}", None)
        whole = manifest is not None and all(self._copy(sources)) and self.bucket.copy(manifest, f"{target}/{MANIFEST}")
        return whole or self.bucket.head(f"{target}/{MANIFEST}") is not None

    def _copy(self, sources: Mapping[str, str]) -> list[bool]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda target: self.bucket.copy(sources[target], target), sources))

    def drop_upload(self, token: str) -> None:
        """Remove an upload; without its manifest, which goes first, nobody takes the rest for whole."""
        self._delete([entry.key for entry in self.bucket.list(f"{STAGING}/{token}")])

    def update(self, name: str, change: Callable[[bytes | None], bytes | None]) -> None:
        """As in ``Store``.

        Raises:
            SetupError: others were faster for a whole minute.
        """
        deadline, pause = time.monotonic() + _PATIENCE_S, 0.01
        while not self._updated(name, change):
            if time.monotonic() > deadline:
                raise SetupError(self.uri_of(name), "other writers were always faster", "run it again")
            time.sleep(random.uniform(0, pause))  # noqa: S311 (spreads writers, protects nothing)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _updated(self, name: str, change: Callable[[bytes | None], bytes | None]) -> bool:
        found = self.bucket.get(name)
        before, etag = found or (None, "")
        after = change(before)
        if after is None or after == before:
            return True
        return self.bucket.replace(name, after, etag) if found else self.bucket.create(name, after)

    def remove(self, slug: str, version: str) -> None:
        """As in ``Store``."""
        self._delete([entry.key for entry in self.bucket.list(f"{check_slug(slug)}/{version}")])

    def _delete(self, keys: list[str]) -> None:
        first = [key for key in keys if key.endswith(f"/{MANIFEST}")]
        for batch in (first, [key for key in keys if key not in set(first)]):
            if batch:
                self.bucket.delete(batch)

    # --- what dead writers left -------------------------------------------------------------------------------------

    def leftovers(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:
        """As in ``Store``; in a bucket age alone tells who lives."""
        found = self._abandoned(STAGING, abandoned_s)
        for slug in self.slugs():
            shown = self.listing(slug).folders
            found += [name for name in self._abandoned(slug, abandoned_s) if name.partition("/")[2] not in shown]
        return found

    def _abandoned(self, parent: str, abandoned_s: float) -> list[str]:
        """Return the folders below ``parent`` in which nothing was written for so long."""
        newest: dict[str, Object] = {}
        for entry in self.bucket.list(parent):
            folder, separator, _ = entry.key.removeprefix(f"{parent}/").partition("/")
            if separator and folder != LOG and (folder not in newest or newest[folder].modified < entry.modified):
                newest[folder] = entry
        latest = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=abandoned_s)
        return [f"{parent}/{folder}" for folder, entry in newest.items() if entry.modified <= latest]

    def sweep(self, *, abandoned_s: float = ABANDONED_S) -> list[str]:
        """As in ``Store``; completes first what was decided, whose uploads are needed for that."""
        for slug in self.slugs():
            self.finish(slug, self.listing(slug))
        found = self.leftovers(abandoned_s=abandoned_s)
        for name in found:
            self._delete([entry.key for entry in self.bucket.list(name)])
        if self.work:
            found += [str(path) for path in self.staging.sweep()]
        return found


@dataclass(slots=True)
class _Draft:
    """An upload; ``decided`` once an entry of a log may name it, since then others need it, too."""

    root: BucketRoot
    folder: Path
    names: frozenset[str]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    attempts: int = 0
    decided: bool = False

    def send(self, names: Collection[str], place: str) -> None:
        prefix = f"{STAGING}/{self.token}/{place}"
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: self.root.bucket.put_file(self.folder / name, f"{prefix}/{name}"), names))

    def commit(self, slug: str, version: str, *, given: Listing, state: State) -> None:
        self.attempts += 1
        self.send([name for name in folders.files(self.folder) if name not in self.names], str(self.attempts))
        commit = Commit(version, self.token, self.attempts)
        self.decided = True  # whether or not the answer arrives
        try:
            self.root.decide(slug, commit, state, given=given)
        except LostRaceError:
            self.decided = False
            raise
        if not self.root.show(slug, commit):
            raise SetupError(self.root.uri_of(slug), "the upload was removed while it was published", "publish again")
        self.root.drop_upload(self.token)
        with explain_os_errors(self.folder):
            shutil.rmtree(self.folder)


def _indexed(data: bytes | None, slug: str) -> set[str]:
    """Return the versions of a dataset that ``index.json`` lists; none where it is damaged."""
    try:
        datasets = json.loads(data or b"")["datasets"]
        return {entry["version"] for dataset in datasets if dataset["slug"] == slug for entry in dataset["versions"]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return set()


def _path_in_version(path: str, attempt: int) -> str:
    """Return where a file of an upload belongs in the version; nothing for descriptions of other attempts."""
    place, _, rest = path.partition("/")
    return rest if place in (_CONTENT, str(attempt)) else ""
