"""The catalog entry that a dropped run would have, made of what was recognised in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from faultset import catalog
from faultset.errors import InputError, counted, printable
from faultset.inbox.roles import Recognised, of_role
from faultset.slug import is_slug
from faultset.sources import injections
from faultset.sources.injections import Source
from faultset.sources.kit import files

_NO_SLUG = re.compile(r"[^a-z0-9]+")
_ARCHIVES = re.compile(r"(?:\.(?:tar|tgz|tar\.gz|zip|gz|html|json))+$")
_ENTRY_LIMIT = 1_000_000
_TELEMETRY = ("metrics", "logs", "traces")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What ``experiment.yaml`` would say.

    Attributes:
        slug: name of the experiment.
        entry: the file's keys; references are relative to the run's folder.
        notes: what was left out or assumed, a sentence each.
    """

    slug: str
    entry: dict[str, Any]
    notes: tuple[str, ...]

    def text(self) -> str:
        """Return the file's text."""
        return yaml.safe_dump(self.entry, allow_unicode=True, sort_keys=False, width=120)


def propose(run: Path, name: str, found: Sequence[Recognised], time_zone: str | None) -> Proposal:
    """Return the entry of a run that brought none.

    Args:
        run: its folder.
        name: that it was dropped under.
        found: its files.
        time_zone: IANA zone of wall-clock times in metrics and logs; None where nobody declared one.

    Raises:
        InputError: it has no report, no cluster file or more than one, or its files cannot be told apart.
    """
    runs, notes = _runs(run, found)
    entry: dict[str, Any] = {
        "title": printable(_title(name), 200),
        "description": "Proposed from a run that was dropped into the inbox; nobody has reviewed it yet.",
    }
    cluster = _only_cluster(name, found, needed=_need_cluster(run, runs))
    if cluster:
        entry["cluster"] = cluster
    entry["runs"] = runs
    telemetry, more = _telemetry(found, time_zone)
    if telemetry:
        entry["telemetry"] = telemetry
    reviewed = of_role(found, "reviewed_impacts")
    if len(reviewed) > 1:
        more.append(f"of {len(reviewed)} files of reviewed impacts only {reviewed[0]} is used")
    if reviewed:
        entry["reviewed_impacts"] = reviewed[0]
    entry["approval"] = "always"
    return Proposal(slug_of(name), entry, (*notes, *more))


def brought(run: Path, name: str, path: str) -> Proposal:
    """Return the entry that a run brought, as far as it can be trusted: it names files of the run alone.

    Args:
        run: the run's folder.
        name: that it was dropped under.
        path: of its ``experiment.yaml``, relative to ``run``.

    Raises:
        InputError: the file is wrong, or names something outside of the run.
    """
    declared = catalog.parse_declared(files.read_bytes(str(run / path), limit=_ENTRY_LIMIT), path)
    entry = declared.model_dump(mode="json", exclude_defaults=True)
    base = PurePosixPath(path).parent
    if "inputs" in entry:
        base = PurePosixPath(_inside(base, entry.pop("inputs"), path))
    for key in ("cluster", "reviewed_impacts"):
        if key in entry:
            entry[key] = _inside(base, entry[key], path)
    for one in entry["runs"]:
        for key in ("report", "results"):
            if key in one:
                one[key] = _inside(base, one[key], path)
        if "hook_scripts" in one:
            one["hook_scripts"] = [_inside(base, script, path) for script in one["hook_scripts"]]
    for source in entry.get("telemetry", ()):
        source["files"] = _inside(base, source["files"], path)
    # Whoever drops a run does not decide whether a person looks at what it becomes.
    entry["approval"] = "always"
    for key in ("publish_commands", "publish_commands_reason"):  # whoever drops a run does not decide on its secrets
        entry.pop(key, None)
    return Proposal(slug_of(name), entry, ())


def _inside(base: PurePosixPath, reference: str, where: str) -> str:
    path = PurePosixPath(reference)
    if "://" in reference or path.is_absolute() or ".." in path.parts or "\\" in reference:
        raise InputError(
            where, f'"{reference}" leads out of the run', "name files of the run, relative to its experiment.yaml"
        )
    return str(base / path)


def slug_of(name: str) -> str:
    """Return the name of an experiment made of the name that a run was dropped under."""
    slug = _NO_SLUG.sub("-", _ARCHIVES.sub("", name.lower())).strip("-")[:80].strip("-")
    return slug if is_slug(slug) else "run"


def _title(name: str) -> str:
    words = re.sub(r"[-_\s]+", " ", _ARCHIVES.sub("", name)).strip()
    return (words[:1].upper() + words[1:]) or "A dropped run"


def _need_cluster(run: Path, runs: Sequence[dict[str, Any]]) -> bool:
    return not all(injections.source_of(str(run / one["report"])).names_targets for one in runs)


def _only_cluster(name: str, found: Sequence[Recognised], *, needed: bool) -> str | None:
    clusters = of_role(found, "cluster")
    if not clusters and not needed:
        return None
    if not clusters:
        raise InputError(
            name,
            "there is no os-faults file, so nobody can tell which container runs on which node",
            "add the os-faults YAML of the cluster that this run was done on, then drop it again",
        )
    if len(clusters) > 1:
        raise InputError(
            name,
            f"there are {len(clusters)} cluster files ({', '.join(clusters[:3])})",
            "keep the one of this cluster, or add an experiment.yaml that names it",
        )
    return clusters[0]


# --- runs -----------------------------------------------------------------------------------------------------------


def _runs(run: Path, found: Sequence[Recognised]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a declaration for each run: its file, and the one beside it that says more of the same run."""
    reports, left = of_role(found, "report"), of_role(found, "results")
    if not reports and not left:
        raise InputError(
            run.name,
            "there is no report of a run in it",
            "add the file that the tool wrote, such as Rally's report or Chaos Toolkit's journal",
        )
    notes: list[str] = []
    declared: list[dict[str, Any]] = []
    for path in reports:
        source = injections.source_of(str(run / path))
        beside = next((other for other in left if _says_more(source, run / path, run / other)), None)
        if beside is not None:
            left.remove(beside)
        declared.append({"report": path, **({"results": beside} if beside else {})})
    for path in left:
        if reports:
            notes.append(f"{path} holds workloads of no report here, and is taken for a run of its own")
        declared.append({"report": path})
    scripts = of_role(found, "hook_script")
    return [{**one, **({"hook_scripts": scripts} if scripts else {})} for one in declared], notes


def _says_more(source: Source, report: Path, beside: Path) -> bool:
    return injections.source_of(str(beside)).name == source.name and source.same_run(str(report), str(beside))


# --- telemetry ------------------------------------------------------------------------------------------------------


def _telemetry(found: Sequence[Recognised], time_zone: str | None) -> tuple[list[dict[str, str]], list[str]]:
    declared, notes = [], []
    for kind in _TELEMETRY:
        paths = [one.path for one in found if one.role == kind]
        zone = "UTC" if kind == "traces" else time_zone
        if paths and zone is None:
            notes.append(
                f"{counted(len(paths), 'file')} of {kind} left out, because nobody said in which zone the times are: "
                "add an experiment.yaml that declares it, or set FAULTSET_INBOX_TIME_ZONE"
            )
            continue
        declared += [{"kind": kind, "files": _literal(path), "time_zone": zone} for path in paths if zone]
    return declared, notes


def _literal(path: str) -> str:
    """Return a pattern that fits this path alone."""
    return re.sub(r"([*?\[])", r"[\1]", path)
