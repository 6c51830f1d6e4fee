"""Looking at a report without building anything."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faultset.moments import iso
from faultset.pipeline.gathering import gather
from faultset.records.validation import Validation
from faultset.settings import Settings
from faultset.sources import injections
from faultset.sources.kit import locations
from faultset.truth.decide import decide

Document = dict[str, Any]
_NO_VERSION = "of unknown version"
_SHOWN = ("workloads", "triggers", "injections", "targets")


def inspect(
    report: str, *, results: str | None = None, cluster: str | None = None, hook_scripts: Sequence[str] = ()
) -> Document:
    """Return what a report holds, in the form of the command line's JSON document.

    Args:
        report: path or URI of the file of a run.
        results: a file that says more of the same run.
        cluster: os-faults YAML, or a cluster.yaml.
        hook_scripts: scripts of the hooks.
    """
    evidence = gather([(report, results, hook_scripts)], cluster)
    truth = decide(evidence)
    rows = {name: getattr(truth, name) for name in _SHOWN}
    sentences = ("disagreements", "notes", "unread", "surplus")
    return {**document(rows), **{name: list(getattr(truth, name)) for name in sentences}}


def names_targets(subject: str) -> bool:
    """Whether ``subject`` is a report of a tool that says itself what it acted on, so that no cluster is needed."""
    return locations.is_file(subject) and injections.source_of(subject).names_targets


def document(rows: Mapping[str, Sequence[Any]]) -> Document:
    """Return rows of the truth tables, by table, as plain JSON values."""
    return {
        "rally_version": next((row.rally_version for row in rows["workloads"] if row.rally_version), None),
        "tools": list(dict.fromkeys(f"{row.source} {row.source_version or _NO_VERSION}" for row in rows["workloads"])),
        **{name: [_plain(row) for row in rows[name]] for name in _SHOWN},
    }


def _plain(row: Any) -> Document:
    return {field.name: _value(getattr(row, field.name)) for field in dataclasses.fields(row)}


def _value(value: object) -> object:
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def validate_report(
    report: str,
    *,
    cluster: str | None,
    results: str | None = None,
    hook_scripts: Sequence[str] = (),
    folder: Path | None = None,
) -> Validation:
    """Run the expectations over one report; Data Docs are written under ``folder`` where one is given."""
    from faultset import expectations  # noqa: PLC0415 (seconds of import, for those who validate)

    evidence = gather([(report, results, hook_scripts)], cluster)
    return expectations.check(decide(evidence), evidence, folder)


def validate_experiment(slug: str, settings: Settings) -> Validation:
    """Run the expectations over an experiment of the catalog; nothing is written but Data Docs beside the builds.

    Returns:
        The outcome; its ``data_docs`` is a path that can be opened.
    """
    from faultset.pipeline import analysis, building  # noqa: PLC0415 (they import this module's siblings)

    decided = building.decide(building.extract(slug, settings, force=True), settings, draw=analysis.draw_nothing)
    for labeling in building.labelings(decided, settings):
        building.label(labeling, settings)
    found = building.check(decided, settings)
    folder = (Path(settings.work) / decided.folder / "candidate").absolute()
    return dataclasses.replace(found, data_docs=found.data_docs and str(folder / found.data_docs))
