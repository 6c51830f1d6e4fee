"""The catalog entry that a dropped run would have, made of what was recognised in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from faultset import catalog
from faultset.errors import InputError, printable
from faultset.inbox.roles import Recognised, of_role
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.slug import is_slug
from faultset.sources import injections
from faultset.sources.injections import Source
from faultset.sources.kit import files
from faultset.sources.telemetry.zone import TimesAsWritten, times_as_written

_NO_SLUG = re.compile(r"[^a-z0-9]+")
_ARCHIVES = re.compile(r"(?:\.(?:tar|tgz|tar\.gz|zip|gz|html|json))+$")
_ENTRY_LIMIT = 1_000_000
_KINDS: tuple[TelemetryKind, ...] = ("metrics", "logs", "traces")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What ``experiment.yaml`` would say.

    Attributes:
        slug: name of the experiment.
        entry: the file's keys; references are relative to the run's folder.
        notes: what was left out or assumed, a sentence each.
        left_out: files of telemetry that were left out, because nobody said in which zone their times are.
        offer: the text of an ``experiment.yaml`` that names them too, for a person to confirm; "" where none is left.
    """

    slug: str
    entry: dict[str, Any]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    offer: str = ""


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
    reviewed = of_role(found, "reviewed_impacts")
    if len(reviewed) > 1:
        notes.append(f"of {len(reviewed)} files of reviewed impacts only {reviewed[0]} is used")
    if reviewed:
        entry["reviewed_impacts"] = reviewed[0]
    zoned, unzoned = _telemetry(run, found, time_zone)
    offer = _offer(entry, zoned, unzoned) if unzoned else ""
    if zoned:
        entry["telemetry"] = [file.declared(file.zone or "UTC") for file in zoned]
    entry["approval"] = "always"
    return Proposal(slug_of(name), entry, tuple(notes), tuple(file.path for file in unzoned), offer)


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
    return Proposal(slug_of(name), entry)


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


@dataclass(frozen=True, slots=True)
class _Telemetry:
    """A file of telemetry, and the zone of its times as far as it is known."""

    kind: TelemetryKind
    path: str
    zone: str | None
    written: TimesAsWritten

    def declared(self, zone: str) -> dict[str, str]:
        """Return the file as ``experiment.yaml`` declares it."""
        return {"kind": self.kind, "files": _literal(self.path), "time_zone": zone}


def _telemetry(
    run: Path, found: Sequence[Recognised], time_zone: str | None
) -> tuple[list[_Telemetry], list[_Telemetry]]:
    """Return the files of telemetry whose zone is known, and the others."""
    files = [_looked_at(run, kind, path, time_zone) for kind in _KINDS for path in of_role(found, kind)]
    return [file for file in files if file.zone], [file for file in files if not file.zone]


def _looked_at(run: Path, kind: TelemetryKind, path: str, time_zone: str | None) -> _Telemetry:
    """Return a file with the zone that it shows itself, else that of traces, else the one declared for all runs."""
    written = times_as_written(TelemetryFile(kind, str(run / path), path, "UTC"))
    if written.plain:
        return _Telemetry(kind, path, written.zone or "UTC", written)
    return _Telemetry(kind, path, "UTC" if kind == "traces" else time_zone, written)


def _offer(entry: dict[str, Any], zoned: Sequence[_Telemetry], unzoned: Sequence[_Telemetry]) -> str:
    """Return an ``experiment.yaml`` with all files; a person has to confirm the zone of those that do not tell it."""
    hints = {file.written.zone for file in zoned if file.written.zone}
    guess = hints.pop() if len(hints) == 1 else "UTC"
    why = "the one that the logs beside them show" if guess != "UTC" else "only a guess"
    lines = [
        "Put this into the run as experiment.yaml and drop it again, once the time_zone of each file is right, such as",
        f"Europe/Berlin. Of these files nothing tells it; {guess} is {why}:",
        *(f"  {file.path}: its first time is {file.written.first or 'not read'}" for file in unzoned),
    ]
    telemetry = [file.declared(file.zone or guess) for file in (*zoned, *unzoned)]
    text = yaml.safe_dump({**entry, "telemetry": telemetry}, allow_unicode=True, sort_keys=False, width=120)
    return "".join(f"# {printable(line, 300)}\n" for line in lines) + text


def _literal(path: str) -> str:
    """Return a pattern that fits this path alone."""
    return re.sub(r"([*?\[])", r"[\1]", path)
