"""Where a judged run goes: under its content's hash, beside its verdict. Every step may be repeated after a crash.

::

    accepted/<content>/verdict/               verdict.json, index.html, validation/
                       dropped/<arrival>/     the run as it was dropped, once for each time
    quarantine/<content>/...                  likewise
    by-hand/<arrival>/verdict/                of files that lie elsewhere, judged because a person asked
    verdicts/<arrival>.json                   one for each arrival: what was said of it, and where it lies
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from faultset.inbox import verdicts
from faultset.inbox.claims import Claim, drop_claim
from faultset.inbox.landing import ACCEPTED, BY_HAND, QUARANTINE, VERDICTS
from faultset.inbox.verdicts import VERDICT, Verdict
from faultset.storage import bytes_of, explain_os_errors, put_whole


def place_of(inbox: Path, verdict: Verdict) -> Path:
    """Return the folder that content with this verdict lies in."""
    return inbox / (ACCEPTED if verdict.accepted else QUARANTINE) / verdict.content_sha256


def known(inbox: Path, content_sha256: str, judged_by: str) -> Verdict | None:
    """Return the verdict that this content was given before; None where it was judged by other rules or never."""
    for place in (ACCEPTED, QUARANTINE):
        found = verdicts.read(inbox / place / content_sha256 / "verdict")
        if found is not None and found.judged_by == judged_by:
            return found
    return None


def file(inbox: Path, claim: Claim, verdict: Verdict) -> Path:
    """Move a judged run to its place and record its verdict; return the place.

    Raises:
        SetupError: something cannot be moved or written.
    """
    place = inbox / BY_HAND / claim.arrival if claim.by_hand else place_of(inbox, verdict)
    with explain_os_errors(place):
        if verdict.same_as is None or claim.by_hand:
            _keep_verdict(claim, place)
        if not claim.by_hand:  # those are copies, and the files themselves lie where they lay
            _keep_dropped(claim, place / "dropped" / claim.arrival)
    record(inbox, verdict)
    drop_claim(claim)
    return place


def _keep_dropped(claim: Claim, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(claim.payload):
        claim.payload.rename(folder / claim.name)


def _keep_verdict(claim: Claim, place: Path) -> None:
    """Put the verdict beside the content; one by other rules makes way for it."""
    kept = verdicts.read(place / "verdict")
    own = verdicts.read(claim.verdict)
    if own is None or (kept is not None and kept.arrival == own.arrival):
        return
    staged = claim.folder / "filed"
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(claim.verdict, staged)
    place.mkdir(parents=True, exist_ok=True)
    if kept is not None:
        former = place / "former" / kept.arrival
        former.parent.mkdir(exist_ok=True)
        (place / "verdict").rename(former)
    staged.rename(place / "verdict")


def record(inbox: Path, verdict: Verdict) -> None:
    """Write down the verdict on an arrival, once; a reader sees all of it or nothing."""
    put_whole(inbox / VERDICTS / f"{verdict.arrival}.json", verdict.encode())


def recorded(inbox: Path) -> list[Verdict]:
    """Return the verdicts on all arrivals, oldest first."""
    root = inbox / VERDICTS
    with explain_os_errors(root):
        paths = sorted(root.glob("[!.]*.json")) if root.is_dir() else []
    found = map(bytes_of, paths)
    return [Verdict.decode(data) for data in found if data is not None]


def recorded_of(inbox: Path, arrival: str) -> Verdict | None:
    """Return the verdict on an arrival; None where there is none yet."""
    data = bytes_of(inbox / VERDICTS / f"{arrival}.json")
    return None if data is None else Verdict.decode(data)


def again(verdict: Verdict, claim: Claim) -> Verdict:
    """Return an old verdict as the verdict on another arrival of the same content."""
    return dataclasses.replace(
        verdict, arrival=claim.arrival, name=claim.name, arrived_at=claim.arrived_at, same_as=verdict.arrival
    )


def write(verdict: Verdict, folder: Path) -> None:
    """Write ``verdict.json`` into ``folder``."""
    with explain_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / VERDICT).write_bytes(verdict.encode())
