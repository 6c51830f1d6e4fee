"""The one settings object; everything that the environment decides is read here and nowhere else.

Whoever starts something (the command line, a task, a page, a step of a build) says which settings hold, with
:func:`in_force`; what is read far below asks for them with :func:`current`, never the environment itself.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from faultset.errors import InputError
from faultset.limits import Limits

Archive = Literal["zenodo", "huggingface"]
"""A public archive that versions are deposited in: any InvenioRDM, and Hugging Face."""
ARCHIVES: tuple[Archive, ...] = get_args(Archive)


def project_root() -> Path:
    """The checkout: the folder that holds ``experiments/`` and ``include/``; the current folder outside of one."""
    here = Path(__file__).resolve()
    for folder in here.parents:
        if (folder / "pyproject.toml").is_file() and (folder / "include").is_dir():
            return folder
    return Path.cwd()


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are.

    Attributes:
        catalog: root of the experiments (``FAULTSET_CATALOG``).
        datasets: root of the dataset versions (``FAULTSET_DATASETS``): a folder or ``s3://bucket/prefix``.
        work: the folder for builds, candidates and labeled files: hidden folders under ``datasets`` where that is a
            folder, so that publishing renames; ``FAULTSET_WORK`` (default: ``.work`` in the checkout) where it is a
            bucket. All workers have to see the same one.
        inbox: the folder or ``s3://bucket/prefix`` that new runs are dropped into (``FAULTSET_INBOX``, default:
            ``inbox`` in the checkout).
        inbox_settle_s: seconds without a change after which a dropped run without a marker is taken for whole
            (``FAULTSET_INBOX_SETTLE_S``).
        inbox_time_zone: IANA zone of the times in dropped metrics and logs, where a run brings no experiment.yaml
            (``FAULTSET_INBOX_TIME_ZONE``); None: nobody knows, and they are left out.
        inputs_bytes: how much is kept of inputs that were fetched from a bucket (``FAULTSET_INPUTS_GB``, in GiB).
        limits: how much of untrusted input is read (``FAULTSET_LIMIT_…``).
        batches: into how many tasks a stage of a DAG's work is divided at most (``FAULTSET_BATCHES``).
        large_bytes: from which size of its inputs on an experiment is built by many tasks (``FAULTSET_LARGE_MB``, in
            MiB).
        stale_after_s: seconds after which a dataset is stale that no rebuild found up to date (``FAULTSET_STALE_H``).
        waits_long_s: seconds after which a candidate waits for too long (``FAULTSET_WAITS_LONG_H``).
        deposit_to: the archives that each version goes to, of experiments that do not say so themselves
            (``FAULTSET_DEPOSIT_TO``).
        keep_work_days: days after which labeled files that no build used are removed (``FAULTSET_KEEP_WORK_DAYS``).
        keep_dropped_days: days after which runs that were judged are removed from the inbox; 0: never
            (``FAULTSET_KEEP_DROPPED_DAYS``).
        keep_versions: newest versions of a dataset that maintenance keeps (``FAULTSET_KEEP_VERSIONS``); 0: all.
        keep_versions_days: beside those, versions younger than so many days (``FAULTSET_KEEP_VERSIONS_DAYS``).
    """

    catalog: str
    datasets: str
    work: str = field(default_factory=lambda: str(project_root() / ".work"))
    inbox: str = field(default_factory=lambda: str(project_root() / "inbox"))
    inbox_settle_s: float = 30.0
    inbox_time_zone: str | None = None
    inputs_bytes: int = 20 * 1024**3
    limits: Limits = field(default_factory=lambda: Limits.from_mapping(os.environ))
    batches: int = 16
    large_bytes: int = 256 * 1024**2
    stale_after_s: float = 36 * 3600.0
    waits_long_s: float = 72 * 3600.0
    deposit_to: tuple[Archive, ...] = ()
    keep_work_days: int = 30
    keep_dropped_days: int = 180
    keep_versions: int = 0
    keep_versions_days: int = 0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; the defaults lie in the checkout."""
        environment = os.environ if environment is None else environment
        root = project_root()
        return cls(
            catalog=environment.get("FAULTSET_CATALOG") or str(root / "experiments"),
            datasets=environment.get("FAULTSET_DATASETS") or str(root / "datasets"),
            work=environment.get("FAULTSET_WORK") or str(root / ".work"),
            inbox=environment.get("FAULTSET_INBOX") or str(root / "inbox"),
            inbox_settle_s=_seconds("FAULTSET_INBOX_SETTLE_S", environment.get("FAULTSET_INBOX_SETTLE_S") or "30"),
            inbox_time_zone=environment.get("FAULTSET_INBOX_TIME_ZONE") or None,
            limits=Limits.from_mapping(environment),
            inputs_bytes=_whole("FAULTSET_INPUTS_GB", environment, 20, unit="GiB") * 1024**3,
            batches=max(1, _whole("FAULTSET_BATCHES", environment, 16, unit="tasks")),
            large_bytes=_mib("FAULTSET_LARGE_MB", environment.get("FAULTSET_LARGE_MB") or "256"),
            stale_after_s=_hours("FAULTSET_STALE_H", environment, 36),
            waits_long_s=_hours("FAULTSET_WAITS_LONG_H", environment, 72),
            deposit_to=_archives("FAULTSET_DEPOSIT_TO", environment.get("FAULTSET_DEPOSIT_TO") or ""),
            keep_work_days=_whole("FAULTSET_KEEP_WORK_DAYS", environment, 30, unit="days"),
            keep_dropped_days=_whole("FAULTSET_KEEP_DROPPED_DAYS", environment, 180, unit="days"),
            keep_versions=_whole("FAULTSET_KEEP_VERSIONS", environment, 0, unit="versions"),
            keep_versions_days=_whole("FAULTSET_KEEP_VERSIONS_DAYS", environment, 0, unit="days"),
        )

    def __post_init__(self) -> None:
        """Make folders absolute, so that a change of the current folder moves nothing; URIs stay as they are."""
        for name in ("catalog", "datasets", "work", "inbox"):
            value = getattr(self, name)
            if "://" not in value:
                object.__setattr__(self, name, str(Path(value).absolute()))
        if "://" not in self.datasets:
            object.__setattr__(self, "work", self.datasets)

    def shown(self) -> dict[str, str]:
        """Return what all processes should have alike, as it may be shown: no names of connections."""
        values = {
            "FAULTSET_CATALOG": self.catalog,
            "FAULTSET_DATASETS": self.datasets,
            "FAULTSET_WORK": self.work,
            "FAULTSET_INBOX": self.inbox,
            "FAULTSET_INBOX_SETTLE_S": f"{self.inbox_settle_s:g}",
            "FAULTSET_INBOX_TIME_ZONE": self.inbox_time_zone or "none",
        }
        return {name: re.sub(r"^s3://[^@/]*@", "s3://", value) for name, value in values.items()}

    @property
    def inbox_folder(self) -> Path:
        """The folder in which runs are judged: the inbox itself, or one below ``work`` where that is a bucket."""
        return Path(self.work) / ".inbox" if "://" in self.inbox else Path(self.inbox)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86_400:
        raise InputError(name, f'"{text}" is no number of seconds', "give a number from 0 to 86400, such as 30")
    return seconds


def _whole(name: str, environment: Mapping[str, str], default: int, *, unit: str) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InputError(name, f'"{text}" is no whole number', f"give a number of {unit}, such as {default}")
    return int(text)


def _hours(name: str, environment: Mapping[str, str], default: int) -> float:
    text = environment.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        raise InputError(name, f'"{text}" is no number of hours', f"give one, such as {default}")
    return float(text) * 3600.0


def _mib(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text, re.ASCII):
        raise InputError(name, f'"{text}" is no size', "give a number of MiB, such as 256")
    return round(float(text) * 1024**2)


def _archives(name: str, text: str) -> tuple[Archive, ...]:
    words = text.replace(",", " ").split()
    if wrong := [word for word in words if word not in ARCHIVES]:
        raise InputError(name, f'"{wrong[0]}" is no archive', f"name some of {', '.join(ARCHIVES)}, or none")
    return tuple(archive for archive in ARCHIVES if archive in words)


_OF_ARCHIVES = ("URL", "TOKEN", "TOKEN_FILE", "CONNECTION")
KNOWN = (
    *("FAULTSET_CATALOG", "FAULTSET_DATASETS", "FAULTSET_WORK", "FAULTSET_INPUTS_GB", "FAULTSET_BATCHES"),
    *("FAULTSET_INBOX", "FAULTSET_INBOX_SETTLE_S", "FAULTSET_INBOX_TIME_ZONE", "FAULTSET_LARGE_MB"),
    *("FAULTSET_POOL_JUDGES", "FAULTSET_POOL_LARGE", "FAULTSET_NOTIFIERS", "FAULTSET_DEADLINE_H"),
    *("FAULTSET_STALE_H", "FAULTSET_WAITS_LONG_H", "FAULTSET_AIRFLOW_URL", "FAULTSET_AIRFLOW_TOKEN"),
    *("FAULTSET_S3_CONNECTION", "FAULTSET_S3_RETRIES", "FAULTSET_S3_RETRY_SECONDS"),
    *("FAULTSET_DEPOSIT_TO", "FAULTSET_DEPOSIT_VISIBILITY", "FAULTSET_HUGGINGFACE_NAMESPACE"),
    *("FAULTSET_DEPOSIT_TIMEOUT_SECONDS", "FAULTSET_DEPOSIT_RETRY_SECONDS"),
    *(f"FAULTSET_{archive.upper()}_{what}" for archive in ARCHIVES for what in _OF_ARCHIVES),
)
"""Variables that people misspell, to their loss: one that is no setting is passed over silently."""

_in_force: list[Settings] = []


@contextlib.contextmanager
def in_force(settings: Settings) -> Iterator[None]:
    """Let ``settings`` hold during the block, in this process and all its threads."""
    _in_force.append(settings)
    try:
        yield
    finally:
        # Its own, whichever block of another thread began or ended meanwhile.
        place = next(place for place in reversed(range(len(_in_force))) if _in_force[place] is settings)
        del _in_force[place]


def current() -> Settings:
    """Return the settings that hold; those of the environment where nobody said.

    Raises:
        InputError: the environment says something impossible.
    """
    return _in_force[-1] if _in_force else Settings.from_environment()


def limits() -> Limits:
    """Return the limits on untrusted input that hold.

    Raises:
        InputError: a variable names no limit, or its value is none.
    """
    return _in_force[-1].limits if _in_force else Limits.from_mapping(os.environ)
