"""Why a record is what it is: the chain to its inputs, and whether these still are what they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from faultset import catalog, release
from faultset.catalog import Experiment
from faultset.errors import FaultsetError
from faultset.pipeline import telemetry
from faultset.pipeline.published import read_manifest
from faultset.records.evidence import InputFile
from faultset.release import provenance
from faultset.settings import Settings
from faultset.sources.kit import files
from faultset.storage import MANIFEST, open_root


def why(settings: Settings, slug: str, address: str, version: str | None = None) -> dict[str, Any]:
    """Return the chain of a record, as plain JSON values.

    Args:
        settings: where datasets and catalog are.
        slug: the dataset.
        address: as in ``provenance.explain``.
        version: X.Y.Z; None for the latest.

    Returns:
        ``slug``, ``version``, ``id``, ``kind``, ``chain`` (steps with their facts) and ``inputs`` (role, uri, bytes,
        sha256, ``now``: ``as recorded``, ``changed`` or ``not at hand``).

    Raises:
        InputError: there is no such version or record, or the version is damaged.
        SetupError: it cannot be read.
    """
    chosen = version or _latest(settings, slug)
    manifest = read_manifest(slug, chosen, settings)
    store = open_root(settings.datasets, settings.work)
    digest = store.sha256(f"{slug}/{chosen}/{MANIFEST}")
    with store.local(slug, chosen, provenance.needed(manifest, address), {}) as folder:
        chain = provenance.explain(provenance.Content(folder, manifest, digest), address)
    places = _places(settings, slug)
    inputs = [{**entry, "now": _now(file, places)} for entry, file in zip(_entries(chain), chain.inputs, strict=True)]
    return {**chain.as_dict(), "inputs": inputs}


def _entries(chain: provenance.Chain) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = chain.as_dict()["inputs"]
    return entries


def _latest(settings: Settings, slug: str) -> str:
    known = release.versions(settings.datasets, slug)
    return next((record.version for record in known if record.latest), known[-1].version)


def _places(settings: Settings, slug: str) -> dict[tuple[str, str], list[str]]:
    """Return where the inputs of the catalog's entry lie now, by role and name; nothing where it cannot be read."""
    try:
        experiment = catalog.read_experiment(settings.catalog, slug)
        named = [
            *_named(experiment),
            *((file.kind, file.name, file.uri) for file in telemetry.declared_files(experiment)),
        ]
    except FaultsetError:
        return {}
    found: dict[tuple[str, str], list[str]] = {}
    for role, name, uri in named:
        found.setdefault((role, name), []).append(uri)
    return found


def _named(experiment: Experiment) -> Iterator[tuple[str, str, str]]:
    references = [("cluster", experiment.cluster), ("reviewed_impacts", experiment.reviewed_impacts)]
    for run in experiment.runs:
        references += [("report", run.report), ("results", run.results)]
        references += [("hook_script", script) for script in run.hook_scripts]
    for role, reference in references:
        if reference:
            yield role, catalog.public_name(reference), catalog.resolve(experiment, reference)


def _now(file: InputFile, places: dict[tuple[str, str], list[str]]) -> str:
    digests = []
    for uri in places.get((file.role, file.uri), ()):
        try:
            digests.append(files.sha256_of(uri)[1])
        except FaultsetError:
            continue
    if not digests:
        return "not at hand"
    return "as recorded" if file.sha256 in digests else "changed"
