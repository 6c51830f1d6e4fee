"""What an experiment's inputs looked like when their fingerprint was last told, so that a look tells whether it holds.

``.seen/SLUG.json`` in the work folder: size, times and inode of each local file, size and e-tag of each object, and
what each pattern fitted. It is a memory and no truth: where it is missing, damaged, of another tool or of another
catalog, the inputs are hashed. A file that changed shortly before it was looked at is not trusted, since it can change
again without another time.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from faultset import catalog, recipe
from faultset.catalog import Experiment
from faultset.settings import Settings
from faultset.slug import is_slug
from faultset.sources.kit import files, locations
from faultset.storage import bytes_of, put_whole
from faultset.storage.bucket import Bucket, is_bucket

FOLDER = ".seen"
# Times of files are as coarse as 2 s on some file systems; the rest is for clocks that differ.
_YOUNG_S = 60.0

Mark = tuple[int, str]
"""Size in bytes, and what else changes with the content."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at all inputs of an experiment, and what their content came to.

    Attributes:
        recipe: of the tool that told the fingerprint.
        folder: of the experiment.
        fingerprint: of content and tool.
        files: place -> mark.
        patterns: pattern of the catalog -> places that it fitted.
    """

    recipe: str
    folder: str
    fingerprint: str
    files: dict[str, Mark]
    patterns: dict[str, list[str]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """How large all inputs are together."""
        return sum(size for size, _ in self.files.values())


_SEEN = TypeAdapter(Seen)


@dataclass(frozen=True, slots=True)
class Eye:
    """Looks at files and objects; a catalog in a bucket is listed once, whoever asks about how many experiments.

    Attributes:
        root: of the catalog.
        listed: folder of an experiment -> place -> mark; None where places are looked at one by one.
    """

    root: str
    listed: Mapping[str, Mapping[str, Mark]] | None = None

    @classmethod
    def of_all(cls, settings: Settings) -> Eye:
        """Return an eye for the whole catalog.

        Raises:
            SetupError: the bucket cannot be asked.
        """
        root = catalog.catalog_root(settings.catalog)
        if not is_bucket(root):
            return cls(root)
        listed: dict[str, dict[str, Mark]] = {}
        for entry in Bucket.at(root).list(""):
            folder = f"{root}/{entry.key.partition('/')[0]}"
            listed.setdefault(folder, {})[f"{root}/{entry.key}"] = (entry.size, entry.etag)
        return cls(root, listed)

    def slugs(self, settings: Settings) -> list[str]:
        """Return the names of the catalog's experiments, sorted."""
        if self.listed is None:
            return catalog.list_slugs(settings.catalog)
        found = (folder for folder, files in self.listed.items() if f"{folder}/{catalog.FILE_NAME}" in files)
        return sorted(name for folder in found if not (name := folder.rpartition("/")[2]).startswith("."))

    def mark(self, folder: str, place: str) -> Mark | None:
        """Return what changes with the content of a place; None where nothing is there."""
        if self.listed is not None and place.startswith(f"{folder}/"):
            return self.listed.get(folder, {}).get(place)
        return files.mark_of(place)

    def fitting(self, folder: str, pattern: str) -> list[str]:
        """Return the places that a pattern fits, seen from the experiment's folder, sorted."""
        if self.listed is not None and (whole := locations.join(folder, pattern)).startswith(f"{folder}/"):
            inner, start = whole[len(folder) + 1 :], len(folder) + 1
            return sorted(place for place in self.listed.get(folder, {}) if locations.fits(place[start:], inner))
        return catalog.fitting(folder, pattern)


def look(slug: str, settings: Settings) -> Seen | None:
    """Return how an experiment's inputs look now, before anybody hashes them; None where that cannot be trusted.

    Raises:
        InputError: the experiment is wrong.
        SetupError: a bucket cannot be asked.
    """
    experiment, eye = catalog.read_experiment(settings.catalog, slug), Eye(catalog.catalog_root(settings.catalog))
    patterns = _patterns(experiment, eye)
    found = _marks(experiment, patterns, eye)
    if None in found.values() or any(_is_young(place, mark) for place, mark in found.items() if mark):
        return None
    there = {place: mark for place, mark in found.items() if mark is not None}
    return Seen(recipe.digest(), experiment.folder, "", there, patterns)


def marks(experiment: Experiment, eye: Eye) -> dict[str, Mark | None]:
    """Return place -> mark of all inputs of an experiment; None for what is not there."""
    return _marks(experiment, _patterns(experiment, eye), eye)


def _marks(experiment: Experiment, patterns: Mapping[str, Sequence[str]], eye: Eye) -> dict[str, Mark | None]:
    fitted = (place for places in patterns.values() for place in places)
    return {place: eye.mark(experiment.folder, place) for place in sorted({*_declared(experiment), *fitted})}


def _patterns(experiment: Experiment, eye: Eye) -> dict[str, list[str]]:
    return {source.files: eye.fitting(experiment.folder, source.files) for source in experiment.telemetry}


def _declared(experiment: Experiment) -> Iterator[str]:
    named = [catalog.FILE_NAME, experiment.cluster, experiment.reviewed_impacts]
    for run in experiment.runs:
        named += [run.report, run.results, *run.hook_scripts]
    for reference in named:
        if reference is not None:
            yield catalog.local_or_bucket(catalog.resolve(experiment, reference))


def _is_young(place: str, mark: Mark) -> bool:
    return not is_bucket(place) and int(mark[1].split()[1]) / 1e9 > time.time() - _YOUNG_S


def holds(seen: Seen, eye: Eye) -> bool:
    """Whether everything looks as it did."""
    folder = seen.folder
    return all(eye.mark(folder, place) == tuple(mark) for place, mark in seen.files.items()) and all(
        eye.fitting(folder, pattern) == fitted for pattern, fitted in seen.patterns.items()
    )


def remember(slug: str, seen: Seen | None, fingerprint: str, settings: Settings) -> None:
    """Keep a look with what the content came to, in one step; of two writers either may stay: both say what they saw.

    Raises:
        SetupError: the work folder cannot be written.
    """
    if seen is None:
        return
    put_whole(_path(slug, settings), _SEEN.dump_json(dataclasses.replace(seen, fingerprint=fingerprint)))


def recall(slug: str, eye: Eye, settings: Settings) -> Seen | None:
    """Return what was seen of an experiment by this tool in this catalog; None where nothing can be trusted."""
    if not is_slug(slug):
        return None
    data = bytes_of(_path(slug, settings))
    try:
        seen = None if data is None else _SEEN.validate_python(json.loads(data))
    except (ValueError, ValidationError, RecursionError):
        return None
    if seen is None or seen.recipe != recipe.digest() or seen.folder != locations.join(eye.root, slug):
        return None
    return seen


def _path(slug: str, settings: Settings) -> Path:
    return Path(settings.work) / FOLDER / f"{slug}.json"
