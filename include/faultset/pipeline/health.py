"""What ``faultset doctor`` looks at: each check in one line, with what to do where something is wrong.

Light and quick: nothing is read but catalog, indexes and small notes; nothing is written but a probe of some bytes,
which is removed again.
"""

from __future__ import annotations

import datetime as dt
import difflib
import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultset import catalog, release
from faultset.errors import FaultsetError, counted
from faultset.inbox import claims, filing, landing, mirror
from faultset.moments import UTC
from faultset.pipeline import airflow_health, freshness, probing, reconciling
from faultset.pipeline.operating import dead_builds
from faultset.settings import KNOWN, Settings
from faultset.storage import open_root
from faultset.storage.bucket import is_bucket, public

_LEAST_FREE_BYTES = 1 << 30
_MOST_CLOCK_S = 5.0
_LONG_JUDGED_S = 2 * 3600.0
_MOST_NAMED = 3
_NEAR = 0.9  # how alike a name and that of a setting are where one was meant for the other


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    run: Callable[[Settings], str]
    remedy: str


class UnwellError(Exception):
    """A finding of the doctor, not an error of the program."""


def doctor(settings: Settings) -> list[dict[str, Any]]:
    """Check the set-up and return a finding a check: check, ok, detail, remedy (None where all is well)."""
    findings = []
    for check in _CHECKS:
        try:
            detail, ok = check.run(settings), True
        except (UnwellError, FaultsetError) as error:
            detail, ok = str(error), False
        findings.append({"check": check.name, "ok": ok, "detail": detail, "remedy": None if ok else check.remedy})
    return findings


def _python(_: Settings) -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise UnwellError(f"Python {sys.version_info[0]}.{sys.version_info[1]}")
    return ".".join(map(str, sys.version_info[:3]))


def _packages(_: Settings) -> str:
    found = []
    for name in ("faultset", "pandas", "pyarrow", "great-expectations", "apache-airflow"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            if name != "apache-airflow":
                raise UnwellError(f"{name} is not installed") from None
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
        raise UnwellError(f"{len(broken)} of {len(names)} experiments cannot be read: {broken[0]}")
    return f"{counted(len(names), 'experiment')} in {settings.catalog}"


def _root(settings: Settings) -> str:
    found = f"{counted(len(open_root(settings.datasets).slugs()), 'dataset')} in {public(settings.datasets)}"
    root = Path(settings.work)
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UnwellError(f"{existing} is not writable")
    free = shutil.disk_usage(existing).free
    if free < _LEAST_FREE_BYTES:
        raise UnwellError(f"{free / (1 << 20):.0f} MiB free at {existing}")
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
        raise UnwellError(f"{existing} is not writable")
    judged = filing.recorded(folder)
    rejected = sum(not verdict.accepted for verdict in judged)
    claimed = claims.open_claims(folder)
    under_way = len(claimed)
    old = [one for one in claimed if now - _claimed_at(one) > _LONG_JUDGED_S]
    if old:
        raise UnwellError(f"{len(old)} of {under_way} claimed runs have no verdict after 2 h, the first {old[0]}")
    return (
        f"{len(dropped)} waiting, {under_way} under way, {len(judged)} judged and {rejected} of them rejected, "
        f"in {public(settings.inbox)}"
    )


def _claimed_at(arrival: str) -> float:
    """Return when a run was claimed, which its name says; now where it says nothing."""
    try:
        return dt.datetime.strptime(arrival.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return time.time()


def _versions(settings: Settings) -> str:
    damages = release.pointer_damage(settings.datasets)
    if damages:
        raise UnwellError(str(damages[0]))
    return counted(len(release.versions(settings.datasets)), "version")


def _leftovers(settings: Settings) -> str:
    left = [*release.leftovers(settings.datasets, settings.work), *map(str, dead_builds(settings))]
    if left:
        raise UnwellError(f"{len(left)} left by what died, the first {left[0]}")
    return "none"


def _storage(settings: Settings) -> str:
    """Return what a probe found: whether this process may write, and whether the storage keeps its promises."""
    probe = probing.probe(settings)
    if probe is None:
        return "not there yet; the first publish makes it"
    if probe.broken:
        raise UnwellError(probe.broken)
    return f"{probe.promises}, in {probe.seconds * 1000:.0f} ms"


def _clock(settings: Settings) -> str:
    """Return how far this machine's clock is from the storage's; ages of locks, leftovers and claims are told by it."""
    probe = probing.probe(settings)
    apart = probe.clock_s if probe else 0.0
    if abs(apart) > _MOST_CLOCK_S:
        raise UnwellError(f"this machine is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the storage")
    return f"within {_MOST_CLOCK_S:.0f} s of the storage's"


def _settings(settings: Settings) -> str:
    """Return whether the environment is understood, and is that of the last rebuild."""
    for name in sorted(set(os.environ).difference(KNOWN)):
        near = difflib.get_close_matches(name, KNOWN, 1, cutoff=_NEAR) if name.startswith("FAULTSET_") else []
        if near:
            raise UnwellError(f"{name} is no setting; {near[0]} is")
    before = freshness.known(settings).settings
    differ = [name for name, value in settings.shown().items() if before.get(name, value) != value]
    if differ:
        raise UnwellError(f"{differ[0]} is {settings.shown()[differ[0]]} here, {before[differ[0]]} in the last rebuild")
    return "as in the last rebuild" if before else "no name is nearly one of a setting"


def _airflow(_: Settings) -> str:
    return _answered(airflow_health.health(os.environ))


def _dags(_: Settings) -> str:
    return _answered(airflow_health.dags(os.environ))


def _connections(settings: Settings) -> str:
    named = (settings.catalog, settings.datasets, settings.inbox)
    return _answered(airflow_health.connections(os.environ, named))


def _pools(_: Settings) -> str:
    return _answered(airflow_health.pools(os.environ))


def _answered(found: airflow_health.Found) -> str:
    if found.wrong:
        raise UnwellError(found.wrong)
    return found.well


def _fresh(settings: Settings) -> str:
    found = freshness.known(settings)
    hours = settings.stale_after_s / 3600
    slugs = catalog.list_slugs(settings.catalog)
    late = found.stale(slugs, settings.stale_after_s, time.time())
    if late:
        raise UnwellError(f"{_named(late, slugs)} for {hours:.0f} h or ever")
    if found.of_all is None:
        return "no rebuild of all has ended yet"
    return f"all {counted(len(slugs), 'experiment')}, by the rebuild that ended {_ago(found.of_all)}"


def _waiting(settings: Settings) -> str:
    found, now = reconciling.look(settings), time.time()
    late = [one.slug for one in found if now - one.made_at / 1e9 > settings.waits_long_s]
    if late:
        raise UnwellError(f"{_named(late, found)} for more than {settings.waits_long_s / 3600:.0f} h")
    return counted(len(found), "candidate")


def _named(few: list[str], of: Any) -> str:
    shown = ", ".join(few[:_MOST_NAMED])
    more = f" and {len(few) - _MOST_NAMED} more" if len(few) > _MOST_NAMED else ""
    return f"{len(few)} of {len(of)}: {shown}{more},"


def _ago(moment: float) -> str:
    hours = (time.time() - moment) / 3600
    return f"{hours:.0f} h ago" if hours >= 1 else f"{hours * 60:.0f} min ago"


_CHECKS = (
    _Check("python", _python, "use Python 3.11 to 3.13"),
    _Check("packages", _packages, "run make setup, or pip install 'faultset[build]'"),
    _Check("settings", _settings, "set the same in all processes; see docs/reference/settings.md"),
    _Check("catalog", _catalog, "correct the files named, or point FAULTSET_CATALOG elsewhere"),
    _Check("datasets root", _root, "free space, correct the permissions, or point FAULTSET_DATASETS elsewhere"),
    _Check("storage", _storage, "correct rights and space, or use a storage that keeps its promises"),
    _Check("clock", _clock, "set the clocks by NTP on this machine and on the storage"),
    _Check("inbox", _inbox, "correct its permissions, unpause validate_reports, or point FAULTSET_INBOX elsewhere"),
    _Check("versions", _versions, "run faultset verify, which names every damage"),
    _Check("leftovers", _leftovers, "run faultset doctor --fix, which removes them"),
    _Check("fresh", _fresh, "see the report of rebuild_datasets, and whether it is paused"),
    _Check("candidates", _waiting, "answer under Required Actions in Airflow, or unpause publish_dataset"),
    _Check("airflow", _airflow, "start the part that is named, and read its log"),
    _Check("dags", _dags, "unpause what is paused; else see Airflow's import errors, its DAG folder and DAG processor"),
    _Check("connections", _connections, "add it in Airflow (airflow connections add NAME ...), or unset what names it"),
    _Check("pools", _pools, "make them (airflow pools set NAME SLOTS TEXT), or unset what names them"),
)
