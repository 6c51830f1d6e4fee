"""A last look at a build: none of the secrets that its inputs hold may stand in it, in whatever column or note.

The secrets are gathered from the inputs again and live in memory alone, for the time of the look.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from faultset import catalog
from faultset.catalog import Experiment
from faultset.records.telemetry import Exposure
from faultset.sources import injections
from faultset.sources.kit import files
from faultset.sources.kit.redaction import is_secret_name, secrets_in
from faultset.sources.kit.yaml_tree import YamlNode, decode, parse

# Shorter and plainer ones (rally, openstack) stand in any log, and would stop datasets that leak nothing.
_SHORTEST = 8


def known_secrets(experiment: Experiment) -> frozenset[str]:
    """Return the secrets that the experiment's cluster file, scripts and reports hold, as far as they are distinct.

    Raises:
        InputError: a file cannot be read any more.
    """
    return frozenset(value for value in _all_secrets(experiment) if _is_distinct(value))


def exposures(secrets: frozenset[str], folder: Path, notes: Iterable[Path]) -> tuple[Exposure, ...]:
    """Return where one of ``secrets`` stands in the tables below ``folder`` or in the texts of ``notes``."""
    if not secrets:
        return ()
    wanted = sorted(secrets)
    found = [one for path in sorted(folder.rglob("*.parquet")) for one in _in_table(path, folder, wanted)]
    written = sorted(secrets | {json.dumps(value)[1:-1] for value in secrets})
    for path in notes:
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if any(value in text for value in written):
            found.append(Exposure(path.name, "text", 1))
    return tuple(found)


def _in_table(path: Path, folder: Path, wanted: list[str]) -> Iterator[Exposure]:
    rows = pl.scan_parquet(path)
    texts = [name for name, kind in rows.collect_schema().items() if kind in (pl.String, pl.Categorical)]
    if not texts:
        return
    counts = rows.select(pl.col(name).cast(pl.String).str.contains_any(wanted).sum() for name in texts)
    for name, count in counts.collect(engine="streaming").row(0, named=True).items():
        if count:
            yield Exposure(path.relative_to(folder).as_posix(), name, count)


def _is_distinct(value: str) -> bool:
    """Whether a text that holds ``value`` by chance is unlikely; a path leads to a secret and is none."""
    plain = value.isalpha() and (value.islower() or value.isupper() or value.istitle())
    return len(value) >= _SHORTEST and not plain and not value.isdigit() and not value.startswith(("/", "~", "$", "./"))


def _all_secrets(experiment: Experiment) -> Iterator[str]:
    if experiment.cluster:
        cluster = catalog.resolve(experiment, experiment.cluster)
        text = decode(files.read_bytes(cluster, role="cluster_bytes"), cluster)
        yield from secrets_in(text)
        yield from _under_secret_names(parse(text, cluster))
    for run in experiment.runs:
        for script in run.hook_scripts:
            uri = catalog.resolve(experiment, script)
            yield from secrets_in(decode(files.read_bytes(uri, role="script_bytes"), uri))
        yield from injections.secrets_of(catalog.resolve(experiment, run.report))


def _under_secret_names(node: YamlNode, *, secret: bool = False) -> Iterator[str]:
    if node.kind == "scalar" and secret:
        yield node.text
    for item in node.items:
        yield from _under_secret_names(item, secret=secret)
    for key, value in node.entries:
        yield from _under_secret_names(value, secret=secret or is_secret_name(key.text))
