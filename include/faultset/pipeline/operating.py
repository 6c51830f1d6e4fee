"""What the operator asks for beside building: a first catalog entry, samples, an overview, mending."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from faultset import catalog, release
from faultset.errors import InputError
from faultset.pipeline.candidates import BUILDS
from faultset.pipeline.inspecting import names_targets
from faultset.pipeline.published import read_manifest
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.sources.kit import locations
from faultset.storage import ABANDONED_S, explain_os_errors, unless_gone


def new(
    settings: Settings,
    slug: str,
    *,
    report: str,
    cluster: str | None,
    **options: Any,
) -> str:
    """Write a first ``experiment.yaml`` for a report and return where it lies; never overwrites one.

    Options are those of ``catalog.new_experiment``.
    """
    if cluster is None and locations.is_file(report) and not names_targets(report):
        raise InputError(report, "a report is declared together with its cluster", "add --cluster FILE")
    return catalog.new_experiment(settings.catalog, slug, report, cluster, **options)


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


# --- what died --------------------------------------------------------------------------------------------------------


def mend(settings: Settings) -> list[str]:
    """Complete and repair what killed builds and writers left, and remove the rest of it; never a version.

    Returns:
        What was done, a line each.

    Raises:
        SetupError: the datasets root cannot be written.
    """
    done = release.mend(settings.datasets, settings.work)
    for folder in dead_builds(settings):
        with explain_os_errors(folder), unless_gone(folder):  # another doctor may be at it
            shutil.rmtree(folder)
        done.append(f"{folder.relative_to(settings.work).as_posix()}: removed")
    return done


def dead_builds(settings: Settings) -> list[Path]:
    """Return the folders of builds in which nothing was written for a day.

    The steps of a build run in different processes, with pauses between them, so that age alone tells.
    """
    latest = time.time() - ABANDONED_S
    found = sorted((Path(settings.work) / BUILDS).glob("*/*"))
    return [folder for folder in found if _last_written(folder) < latest]


def _last_written(folder: Path) -> float:
    with explain_os_errors(folder):
        try:
            return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        except FileNotFoundError:  # a living build moves its files on
            return time.time()
