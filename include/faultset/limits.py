"""How much of an untrusted input is read before it is refused; each limit has a name, a value and a way to raise it.

Sizes bound memory and, as every reader is linear in the size of its file, time: also the time spent inside decoders
written in C, which nothing could interrupt. ``read_seconds`` is looked at between the steps of a run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from faultset.errors import InputError

PREFIX = "FAULTSET_LIMIT_"
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_WRITTEN = re.compile(r"(\d{1,15})\s*(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE | re.ASCII)


def _limit(default: int, meaning: str) -> int:
    """Declare a limit with its default and what it bounds."""
    value: int = field(default=default, metadata={"meaning": meaning})
    return value


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits; each can be set by the environment variable ``FAULTSET_LIMIT_<NAME IN CAPITALS>``."""

    report_bytes: int = _limit(512 * 1024**2, "bytes of a Rally report (HTML)")
    results_bytes: int = _limit(512 * 1024**2, "bytes of a result JSON")
    cluster_bytes: int = _limit(8 * 1024**2, "bytes of an os-faults file")
    script_bytes: int = _limit(1024**2, "bytes of a hook script")
    impacts_bytes: int = _limit(64 * 1024**2, "bytes of a file of reviewed impacts")
    traces_json_bytes: int = _limit(256 * 1024**2, "bytes of a file of OSProfiler traces in JSON, unpacked")
    telemetry_bytes: int = _limit(256 * 1024**3, "bytes of a file of telemetry, unpacked")
    telemetry_ratio: int = _limit(2000, "times that a packed file of telemetry may grow when unpacked")
    json_groups: int = _limit(4_000_000, "lists and mappings of a report or a result JSON")
    workloads: int = _limit(1000, "workloads of a run")
    hooks: int = _limit(1000, "hooks of a run")
    triggers: int = _limit(200_000, "planned and fired triggers of a run")
    iterations: int = _limit(5_000_000, "listed iterations of a run")
    read_seconds: int = _limit(600, "seconds to read one run")
    judge_seconds: int = _limit(3600, "seconds to judge one dropped run, its telemetry included")
    archive_bytes: int = _limit(8 * 1024**3, "bytes of an archive")
    archive_members: int = _limit(10_000, "members of an archive")
    archive_unpacked_bytes: int = _limit(32 * 1024**3, "bytes of an archive's members together, unpacked")
    archive_ratio: int = _limit(200, "times that an archive may grow when unpacked")

    @classmethod
    def from_mapping(cls, values: Mapping[str, str]) -> Limits:
        """Return the defaults with what ``values`` says under ``FAULTSET_LIMIT_…``; ``512M`` means 512 MiB.

        Raises:
            InputError: a value is no whole number from 1, or there is no such limit.
        """
        known = {PREFIX + one.name.upper(): one.name for one in fields(cls)}
        written = {key: text for key, text in values.items() if key.startswith(PREFIX) and text.strip()}
        for key in written:
            if key not in known:
                raise InputError(key, "is no limit", "see docs/reference/limits.md for their names")
        return cls(**{known[key]: _number(key, text) for key, text in written.items()})

    def check(self, name: str, value: float, where: object) -> None:
        """Refuse a ``value`` above the limit called ``name``.

        Raises:
            InputError: names the limit and how to raise it.
        """
        allowed = getattr(self, name)
        if value > allowed:
            raise self.passed(name, where)

    def passed(self, name: str, where: object) -> InputError:
        """Return the error that the limit called ``name`` was passed."""
        meaning = next(one.metadata["meaning"] for one in fields(self) if one.name == name)
        return InputError(
            where,
            f"passes the limit {name}: more than {getattr(self, name):,} {meaning}",
            f"check that this is the right file; {PREFIX}{name.upper()} raises the limit",
        )


def _number(key: str, text: str) -> int:
    match = _WRITTEN.fullmatch(text.strip())
    number = int(match[1]) * _UNITS[(match[2] or "").lower()] if match else 0
    if number < 1:
        raise InputError(key, f'"{text}" is no limit', "give a whole number from 1, such as 2000000, 512M or 2G")
    return number


class Deadline:
    """The moment until which something has to be done."""

    def __init__(self, limits: Limits, where: object) -> None:
        self._limits = limits
        self._where = where
        self._end = time.monotonic() + limits.read_seconds

    def check(self) -> None:
        """Refuse to go on after the deadline.

        Raises:
            InputError: names the limit.
        """
        if time.monotonic() > self._end:
            raise self._limits.passed("read_seconds", self._where)
