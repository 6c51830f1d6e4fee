"""A first ``experiment.yaml`` for files that are there."""

from __future__ import annotations

import os
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from faultset.catalog.read import FILE_NAME, experiment_of
from faultset.catalog.references import URI, catalog_root, local_or_bucket, nearest_file
from faultset.errors import InputError
from faultset.slug import check_slug
from faultset.sources.kit import locations
from faultset.storage.bucket import is_bucket, public

# What stands where no cluster file, and no telemetry, is named.
_NO_CLUSTER = "# cluster: cluster.yaml # what runs on which node, where the reports do not say it"
_NO_TELEMETRY = """\
# telemetry: # the zone of the times in the files; CEST or UTC+1 are no zones, Europe/Berlin is one
#   - {kind: metrics, files: "metrics/*.csv", time_zone: Europe/Berlin}"""

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultset.records.telemetry import TelemetryKind


_TEMPLATE = """\
# What was done, and where its files lie. Paths are relative to this file, absolute, or URIs.
title: {title}
# description: what was done, why, and what a reader of the dataset should know
{cluster}
runs: # the runs; several may overlap in time on one cluster
{runs}
{telemetry}
# reviewed_impacts: impacts.csv # node, KPI, start and end, by a person
# components: {{my_agent: nova}} # services of components that the built-in table does not know
# license: CC-BY-4.0
# creators:
#   - {{name: A name, orcid: an ORCID iD}}
"""


def new_experiment(
    catalog: str,
    slug: str,
    report: str,
    cluster: str | None,
    results: str | None = None,
    *,
    hook_scripts: Sequence[str] = (),
    telemetry: Sequence[tuple[TelemetryKind, str]] = (),
    time_zone: str | None = None,
    title: str | None = None,
) -> str:
    """Write a first ``experiment.yaml`` and return where it lies; the files are named, not copied.

    Paths are taken from the current folder. Those beside the catalog, or inside it, are written relative to the
    experiment's folder, so that all of it can move together; others are written absolute.

    Args:
        catalog: the catalog's root.
        slug: the experiment's name.
        report: file of the run.
        cluster: what runs where; None where the report says so.
        results: a file that says more of the same run.
        hook_scripts: scripts of its hooks.
        telemetry: kind and files of each entry, a path or a pattern such as ``metrics/*.csv``.
        time_zone: of the times in the telemetry; None where they say it themselves.
        title: of the dataset; from the slug where there is none.

    Raises:
        InputError: the slug is no slug, the experiment is there already, or a file is missing.
        SetupError: the folder cannot be written, or a bucket cannot be asked.
    """
    check_slug(slug)
    folder = locations.join(catalog_root(catalog), slug)
    path = locations.join(folder, FILE_NAME)
    if locations.is_file(path):
        raise InputError(public(path), "the experiment is there already", "edit it, or choose another name")
    for reference in (report, *([cluster] if cluster else []), *([results] if results else []), *hook_scripts):
        _check_named(reference)
    for _, pattern in telemetry:
        if not locations.fitting("", local_or_bucket(pattern)):
            raise InputError(public(pattern), "no file fits this pattern", "correct it; a shell needs it in quotes")

    def text(written: Callable[[str], str]) -> str:
        run: dict[str, object] = {"report": written(report)}
        if results:
            run["results"] = written(results)
        if hook_scripts:
            run["hook_scripts"] = [written(script) for script in hook_scripts]
        return _TEMPLATE.format(
            title=_scalar(title or slug.replace("-", " ").capitalize()),
            cluster=f"cluster: {_scalar(written(cluster))}" if cluster else _NO_CLUSTER,
            runs=textwrap.indent(_dump([run]), "  ").rstrip(),
            telemetry=_telemetry([(kind, written(files)) for kind, files in telemetry], time_zone),
        )

    # The folder is not there yet, and nothing is found from there on.
    experiment_of(text(_whole), path, slug)
    if not locations.write_new(path, text(partial(_seen_from, folder))):
        raise InputError(public(path), "the experiment is there already", "edit it, or choose another name")
    return public(path)


def _check_named(reference: str) -> None:
    place = local_or_bucket(reference)
    if not locations.is_file(place):
        raise InputError(public(reference), f"there is no such file{nearest_file(place)}", "correct the path")


def _whole(reference: str) -> str:
    return reference if URI.match(reference) else str(Path(reference).absolute())


def _seen_from(folder: str, reference: str) -> str:
    if URI.match(reference):
        return reference.removeprefix(f"{folder}/") if is_bucket(reference) else reference
    # Normalised, since "a/../b" is below a only as it is written.
    path, inside = (Path(os.path.normpath(Path(one).absolute())) for one in (reference, folder))
    beside = inside.parent.parent
    moves_along = beside != beside.parent and path.is_relative_to(beside)
    return os.path.relpath(path, inside) if moves_along else str(path)


def _telemetry(entries: Sequence[tuple[str, str]], time_zone: str | None) -> str:
    if not entries:
        return _NO_TELEMETRY
    zone = {"time_zone": time_zone} if time_zone else {}
    return _dump({"telemetry": [{"kind": kind, "files": files, **zone} for kind, files in entries]}).rstrip()


def _dump(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000, indent=2)


def _scalar(text: str) -> str:
    return _dump(text).removesuffix("...\n").strip()
