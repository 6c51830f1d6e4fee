"""Runs that were dropped, newest first: those that wait, those being judged, and the verdicts on the others."""

from __future__ import annotations

import datetime as dt
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faultset.errors import FaultsetError
from faultset.inbox import claims, filing, landing
from faultset.inbox.landing import BY_HAND, VERDICTS
from faultset.inbox.verdicts import Verdict
from faultset.moments import UTC, iso
from faultset.settings import Settings
from faultset.severity import SEVERITIES, Severity
from faultset.storage import bytes_of, explain_os_errors, folders

MOST_VERDICTS = 2000
"""Listed: the newest. Older ones are found by their arrival."""

State = Literal["waiting", "judging", "accepted", "rejected"]
_ARRIVAL = re.compile(r"[0-9]{8}T[0-9]{12}Z-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A dropped run in short.

    Attributes:
        arrival: its name among all that ever arrived; None while it lies in the inbox.
        name: that it was dropped under; untrusted.
        state: how far it is.
        at: since when, ISO 8601 UTC.
        reason: why, in one line.
        slug: the experiment that it becomes or would become; None where that was not known.
        findings: severity -> number of remarks.
        again: whether the same content was judged before.
    """

    arrival: str | None
    name: str
    state: State
    at: str
    reason: str
    slug: str | None
    findings: dict[Severity, int]
    again: bool = False


class Arrivals:
    """What is kept of verdicts between two looks; a verdict never changes."""

    def __init__(self) -> None:
        self._known: dict[str, Arrival] = {}
        self._lock = threading.Lock()

    def listed(self, settings: Settings) -> list[Arrival]:
        """Return what waits, then what is judged, then the newest verdicts.

        Raises:
            SetupError: the inbox cannot be read.
        """
        inbox = settings.inbox_folder
        with self._lock:
            names = _names(inbox / VERDICTS)[:MOST_VERDICTS]
            fresh = {name: found for name in names if name not in self._known and (found := _judged(inbox, name))}
            self._known = {
                name: self._known.get(name) or fresh[name] for name in names if name in self._known or name in fresh
            }
            judged = list(self._known.values())
        return [*_waiting(settings), *_claimed(inbox, {one.arrival for one in judged}), *judged]


def verdict(arrival: str, settings: Settings) -> Verdict | None:
    """Return the verdict on an arrival; None where there is no such arrival, or none yet."""
    return filing.recorded_of(settings.inbox_folder, arrival) if _ARRIVAL.fullmatch(arrival) else None


def page_of(found: Verdict, name: str, settings: Settings) -> bytes | None:
    """Return a file that lies beside a verdict; None where it has none of this name.

    Args:
        found: the verdict.
        name: relative to its folder, with ``/``; only what lies there is ever opened.
        settings: where things are.
    """
    folder = _folder(found, settings.inbox_folder)
    return bytes_of(folder / name) if folder.is_dir() and name in folders.files(folder) else None


def _folder(found: Verdict, inbox: Path) -> Path:
    by_hand = inbox / BY_HAND / found.arrival
    return (by_hand if by_hand.is_dir() else filing.place_of(inbox, found)) / "verdict"


def _names(folder: Path) -> list[str]:
    with explain_os_errors(folder):
        try:
            names = [entry.name.removesuffix(".json") for entry in os.scandir(folder)]
        except FileNotFoundError:
            return []
    return sorted((name for name in names if _ARRIVAL.fullmatch(name)), reverse=True)


def _judged(inbox: Path, name: str) -> Arrival | None:
    try:
        found = filing.recorded_of(inbox, name)
    except (ValueError, KeyError, TypeError):  # cut off, or of another version
        return None
    if found is None:
        return None
    counts = {severity: sum(remark.severity == severity for remark in found.remarks) for severity in SEVERITIES}
    state: State = "accepted" if found.accepted else "rejected"
    again = found.same_as is not None
    return Arrival(found.arrival, found.name, state, found.arrived_at, found.reason, found.slug, counts, again)


def _waiting(settings: Settings) -> list[Arrival]:
    drops = landing.look(settings.inbox_folder, settings.inbox_settle_s, time.time())
    return [Arrival(None, drop.name, "waiting", iso(dt.datetime.now(UTC)), _why(drop), None, {}) for drop in drops]


def _why(drop: landing.Drop) -> str:
    return f"whole, since {drop.why}; validate_reports takes it" if drop.whole else f"not whole yet: {drop.why}"


def _claimed(inbox: Path, judged: set[str | None]) -> list[Arrival]:
    found = []
    for name in folders.names(inbox / landing.CLAIMED):
        try:
            claim = claims.read_claim(inbox, name) if name not in judged else None
        except (FaultsetError, ValueError, KeyError):
            continue
        if claim is not None:
            found.append(Arrival(name, claim.name, "judging", claim.arrived_at, "it is read and checked now", None, {}))
    return found
