"""What the operator asks for beside building: a first catalog entry, samples, an overview, the health of the set-up."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import catalog, release
from faultset.errors import FaultsetError, InputError, counted
from faultset.inbox import claims, filing, landing, mirror
from faultset.pipeline.candidates import BUILDS
from faultset.pipeline.inspecting import names_targets
from faultset.pipeline.published import read_manifest
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.storage import ABANDONED_S, open_root, reported, unless_gone
from faultset.storage.bucket import is_bucket, public

_LEAST_FREE_BYTES = 1 << 30


def new(
    settings: Settings,
    slug: str,
    *,
    report: str,
    cluster: str | None,
    results: str | None = None,
    hook_scripts: Sequence[str] = (),
    title: str | None = None,
) -> str:
    """Write a first ``experiment.yaml`` for a report and return where it lies; never overwrites one."""
    if cluster is None and not names_targets(report):
        raise InputError(report, "a report is declared together with its cluster", "add --cluster FILE")
    return catalog.new_experiment(
        settings.catalog, slug, report, cluster, results, hook_scripts=hook_scripts, title=title
    )


def scenarios() -> list[str]:
    """Return the names of the simulator's scenarios, sorted."""
    from faultset import simulator  # noqa: PLC0415 (not needed by anything else)

    return sorted((*simulator.SCENARIOS, *simulator.TOOLS))


def simulate(scenario: str, folder: str | Path, *, seed: int = 0, **options: Any) -> dict[str, Any]:
    """Write a simulated experiment into ``folder`` and say what is true in it, in numbers.

    Args:
        scenario: one of ``scenarios()``.
        folder: where it is written.
        seed: the same seed, the same files.
        options: size and disturbances, as ``simulator.simulate`` takes them.
    """
    from faultset import simulator  # noqa: PLC0415

    if scenario in simulator.TOOLS:
        told = simulator.simulate_tool(scenario, Path(folder), seed=seed)
        faults = told["faults"]
        counts = {"workloads": 2, "injections": len(faults), "targets": sum(fault["effective"] for fault in faults)}
        return {"scenario": scenario, "folder": str(folder), "seed": seed, **counts}
    truth = simulator.simulate(scenario, Path(folder), seed=seed, **options)
    workloads = [workload for run in truth.runs for workload in run.workloads if workload.ran]
    injections = [injection for workload in workloads for injection in workload.injections]
    return {
        "scenario": scenario,
        "folder": str(folder),
        "seed": seed,
        "workloads": len(workloads),
        "injections": len(injections),
        "targets": sum(len(injection.targets) for injection in injections),
    }


def summary(settings: Settings) -> str:
    """Return a short table of the latest versions: what was found and where it lies."""
    header = ("experiment", "version", "injections", "targets", *SEVERITIES, "folder")
    rows: list[tuple[str, ...]] = [header]
    for record in release.versions(settings.datasets):
        if record.latest:
            found = read_manifest(record.slug, record.version, settings).validation
            path = release.version_uri(settings.datasets, record.slug, record.version)
            rows.append(
                (
                    record.slug,
                    record.version,
                    str(record.rows.get("injections", 0)),
                    str(record.rows.get("targets", 0)),
                    *(str(found.get(severity, 0)) for severity in SEVERITIES),
                    path if "://" in path else os.path.relpath(path),
                )
            )
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


# --- doctor ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    run: Callable[[Settings], str]
    remedy: str


class _Unwell(Exception):  # noqa: N818 (a finding of the doctor, not an error of the program)
    pass


def mend(settings: Settings) -> list[str]:
    """Complete and repair what killed builds and writers left, and remove the rest of it; never a version.

    Returns:
        What was done, a line each.

    Raises:
        SetupError: the datasets root cannot be written.
    """
    done = release.mend(settings.datasets, settings.work)
    for folder in _dead_builds(settings):
        with reported(folder), unless_gone(folder):  # another doctor may be at it
            shutil.rmtree(folder)
        done.append(f"{folder.relative_to(settings.work).as_posix()}: removed")
    return done


def _dead_builds(settings: Settings) -> list[Path]:
    """Return the folders of builds in which nothing was written for a day.

    The steps of a build run in different processes, with pauses between them, so that age alone tells.
    """
    latest = time.time() - ABANDONED_S
    found = sorted((Path(settings.work) / BUILDS).glob("*/*"))
    return [folder for folder in found if _last_written(folder) < latest]


def _last_written(folder: Path) -> float:
    with reported(folder):
        try:
            return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        except FileNotFoundError:  # a living build moves its files on
            return time.time()


def doctor(settings: Settings) -> list[dict[str, Any]]:
    """Check the set-up and return a finding a check: check, ok, detail, remedy (None where all is well)."""
    findings = []
    for check in _CHECKS:
        try:
            detail, ok = check.run(settings), True
        except (_Unwell, FaultsetError) as error:
            detail, ok = str(error), False
        findings.append({"check": check.name, "ok": ok, "detail": detail, "remedy": None if ok else check.remedy})
    return findings


def _python(_: Settings) -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise _Unwell(f"Python {sys.version_info[0]}.{sys.version_info[1]}")
    return ".".join(map(str, sys.version_info[:3]))


def _packages(_: Settings) -> str:
    found = []
    for name in ("faultset", "pandas", "pyarrow", "great-expectations", "apache-airflow"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if name != "apache-airflow":
                raise _Unwell(f"{name} is not installed") from None
            found.append("no apache-airflow (not needed by the command line)")
    return ", ".join(found)


def _catalog(settings: Settings) -> str:
    broken = []
    names = catalog.list_slugs(settings.catalog)
    for slug in names:
        try:
            catalog.read_experiment(settings.catalog, slug)
        except FaultsetError as error:
            broken.append(str(error))
    if broken:
        raise _Unwell(f"{len(broken)} of {len(names)} experiments cannot be read: {broken[0]}")
    return f"{counted(len(names), 'experiment')} in {settings.catalog}"


def _root(settings: Settings) -> str:
    found = f"{counted(len(open_root(settings.datasets).slugs()), 'dataset')} in {public(settings.datasets)}"
    root = Path(settings.work)
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _Unwell(f"{existing} is not writable")
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise _Unwell(f"{free / (1 << 20):.0f} MiB free at {existing}")
    return f"{found}, {free / (1 << 30):.1f} GiB free at {existing}"


def _inbox(settings: Settings) -> str:
    """Return what lies in the inbox; nothing has to, and its folder is made by the first look."""
    folder, now = settings.inbox_folder, time.time()
    if is_bucket(settings.inbox):
        dropped = mirror.look(settings.inbox, settings.inbox_settle_s, now)
    else:
        dropped = landing.look(folder, settings.inbox_settle_s, now)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _Unwell(f"{existing} is not writable")
    judged = filing.recorded(folder)
    rejected = sum(not verdict.accepted for verdict in judged)
    under_way = len(claims.open_claims(folder))
    return (
        f"{len(dropped)} waiting, {under_way} under way, {len(judged)} judged and {rejected} of them rejected, "
        f"in {public(settings.inbox)}"
    )


def _versions(settings: Settings) -> str:
    damages = release.pointer_damage(settings.datasets)
    if damages:
        raise _Unwell(str(damages[0]))
    return counted(len(release.versions(settings.datasets)), "version")


def _leftovers(settings: Settings) -> str:
    left = [*release.leftovers(settings.datasets, settings.work), *map(str, _dead_builds(settings))]
    if left:
        raise _Unwell(f"{len(left)} left by what died, the first {left[0]}")
    return "none"


_CHECKS = (
    _Check("python", _python, "use Python 3.11 to 3.13"),
    _Check("packages", _packages, "run make setup, or pip install 'faultset[build]'"),
    _Check("catalog", _catalog, "correct the files named, or point FAULTSET_CATALOG elsewhere"),
    _Check("datasets root", _root, "free space, correct the permissions, or point FAULTSET_DATASETS elsewhere"),
    _Check("inbox", _inbox, "correct its permissions, or point FAULTSET_INBOX elsewhere"),
    _Check("versions", _versions, "run faultset verify, which names every damage"),
    _Check("leftovers", _leftovers, "run faultset doctor --fix, which removes them"),
)
