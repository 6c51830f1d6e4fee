"""A first ``experiment.yaml`` for files that are there."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from faultset.catalog.read import FILE_NAME, experiment_of
from faultset.catalog.references import URI, catalog_root, local_or_bucket, nearest_file
from faultset.errors import InputError
from faultset.slug import check_slug
from faultset.sources.kit import locations
from faultset.storage.bucket import is_bucket, public

# What stands where no cluster file is named.
_NO_CLUSTER = "# cluster: cluster.yaml # what runs on which node, where the reports do not say it"

if TYPE_CHECKING:
    from collections.abc import Sequence


_TEMPLATE = """\
# What was done, and where its files lie. Paths are relative to this file, absolute, or URIs.
title: {title}
# description: what was done, why, and what a reader of the dataset should know
{cluster}
runs: # the runs; several may overlap in time on one cluster
{runs}
# telemetry: # the zone of the times in the files; CEST or UTC+1 are no zones, Europe/Berlin is one
#   - {{kind: metrics, files: "metrics/*.csv", time_zone: Europe/Berlin}}
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
    title: str | None = None,
) -> str:
    """Write a first ``experiment.yaml`` and return where it lies; the files are named, not copied.

    Paths are taken from the current folder. Those inside the experiment's folder are written relative to it, so that
    the folder can move; others are written absolute.

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
    run: dict[str, object] = {"report": _written(report, folder)}
    if results:
        run["results"] = _written(results, folder)
    if hook_scripts:
        run["hook_scripts"] = [_written(script, folder) for script in hook_scripts]
    text = _TEMPLATE.format(
        title=_scalar(title or slug.replace("-", " ").capitalize()),
        cluster=f"cluster: {_scalar(_written(cluster, folder))}" if cluster else _NO_CLUSTER,
        runs=textwrap.indent(_dump([run]), "  ").rstrip(),
    )
    experiment_of(text, path, slug)
    if not locations.write_new(path, text):
        raise InputError(public(path), "the experiment is there already", "edit it, or choose another name")
    return public(path)


def _check_named(reference: str) -> None:
    place = local_or_bucket(reference)
    if not locations.is_file(place):
        raise InputError(public(reference), f"there is no such file{nearest_file(place)}", "correct the path")


def _written(reference: str, folder: str) -> str:
    if URI.match(reference):
        return reference.removeprefix(f"{folder}/") if is_bucket(reference) else reference
    path, inside = Path(reference).absolute(), Path(folder).absolute()
    return str(path.relative_to(inside) if path.is_relative_to(inside) else path)


def _dump(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000, indent=2)


def _scalar(text: str) -> str:
    return _dump(text).removesuffix("...\n").strip()
