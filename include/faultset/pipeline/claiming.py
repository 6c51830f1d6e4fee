"""What waits in the inbox, claimed, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faultset.errors import InputError, printable
from faultset.inbox import claims, filing, landing, mirror
from faultset.inbox.verdicts import Verdict
from faultset.pipeline.observing import Level, tell
from faultset.settings import Settings
from faultset.sources.kit import files
from faultset.storage.bucket import is_bucket


@dataclass(frozen=True, slots=True)
class Taken:
    """What a look at the inbox came to.

    Attributes:
        arrivals: runs that wait for their verdict, oldest first: claimed now or left by a process that died.
        growing: name -> why it is not yet taken for whole.
    """

    arrivals: tuple[str, ...]
    growing: dict[str, str]


def take(settings: Settings, now: float | None = None) -> Taken:
    """Claim every whole run in the inbox.

    Raises:
        SetupError: the inbox cannot be read or written.
    """
    inbox, moment = settings.inbox_folder, time.time() if now is None else now
    growing: dict[str, str] = {}
    if is_bucket(settings.inbox):
        growing |= mirror.bring(settings.inbox, inbox, settings.inbox_settle_s, moment)
        mirror.send(settings.inbox, inbox)  # what an earlier process was not spared the time for
    for drop in landing.look(inbox, settings.inbox_settle_s, moment):
        if not drop.whole:
            growing[drop.name] = drop.why
        elif claims.claim(inbox, drop, settings.inbox_settle_s, moment) is None:
            growing[drop.name] = "it changed while it was looked at"
    taken = Taken(tuple(claims.open_claims(inbox)), growing)
    tell(Level("inbox_runs", len(taken.arrivals), {"state": "whole"}))
    tell(Level("inbox_runs", len(growing), {"state": "growing"}))
    return taken


def take_by_hand(references: Sequence[str], settings: Settings) -> str:
    """Claim copies of a report and of what lies beside it, because a person asked; return the arrival.

    Raises:
        InputError: a file is missing.
        SetupError: the inbox cannot be written.
    """
    paths = [files.local_path(reference) for reference in references]
    for path in paths:
        if not path.exists():
            raise InputError(path, "does not exist", "check the path")
    return claims.claim_copies(settings.inbox_folder, paths, time.time()).arrival


def verdict_line(arrival: str, settings: Settings) -> str:
    """Return the verdict on an arrival in one harmless line."""
    found = next((one for one in _recorded(settings, [arrival])), None)
    if found is None:
        return f"{arrival}: another process has it"
    word = "accepted" if found.accepted else "rejected"
    return printable(f"{found.name}: {word}, {found.reason}", 400)


def accepted(arrivals: Sequence[str], settings: Settings) -> list[str]:
    """Return the experiments that accepted runs among these arrivals became, sorted."""
    return sorted({one.slug for one in _recorded(settings, arrivals) if one.accepted and one.slug})


def without_verdict(arrivals: Sequence[str], settings: Settings) -> list[str]:
    """Return the arrivals on which there is no verdict yet."""
    return [arrival for arrival in arrivals if filing.recorded_of(settings.inbox_folder, arrival) is None]


def _recorded(settings: Settings, arrivals: Sequence[str]) -> Iterator[Verdict]:
    for arrival in arrivals:
        found = filing.recorded_of(settings.inbox_folder, arrival)
        if found is not None:
            yield found
