"""A claim: one run, moved where nobody else looks by one rename, and everything that was found out about it.

What is done with a claim is told by what lies in its folder, so that whoever comes after a crash goes on from there::

    .claimed/<arrival>/claim.json    what was dropped, under which name, when
                       payload/      the run as it was dropped; gone once it is filed
                       verdict/      verdict.json, index.html, validation/; whole once it is there
                       work/         scratch
                       lock          held (by the kernel) by the process that works on it
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from faultset.errors import SetupError
from faultset.inbox.landing import CLAIMED, MARKER, Drop, look_at
from faultset.moments import UTC, iso
from faultset.storage import explain_os_errors, folders, unless_gone

_CLAIM = "claim.json"
_PAYLOAD = "payload"
_VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that was taken out of the inbox.

    Attributes:
        arrival: its name among all that ever arrived; safe as a file's name.
        name: the name that it was dropped under; untrusted.
        arrived_at: when it was claimed, ISO 8601 UTC.
        folder: the claim's folder.
        by_hand: whether a person asked for a verdict on copies of files that lie elsewhere; nothing follows from it.
    """

    arrival: str
    name: str
    arrived_at: str
    folder: Path
    by_hand: bool = False

    @property
    def payload(self) -> Path:
        """The run as it was dropped; not there any more once it is filed."""
        return self.folder / _PAYLOAD / self.name

    @property
    def verdict(self) -> Path:
        """The folder of the verdict, whole once it is there."""
        return self.folder / _VERDICT

    @property
    def work(self) -> Path:
        """Scratch space of whoever judges it."""
        return self.folder / "work"


def claim(inbox: Path, drop: Drop, settle_s: float, now: float) -> Claim | None:
    """Take a drop out of the inbox.

    Returns:
        None where another process was faster, or the drop changed since it was looked at; then it stays where it is.

    Raises:
        SetupError: it cannot be moved.
    """
    taken = _made(inbox, drop.name, now, by_hand=False)
    with explain_os_errors(taken.folder):
        try:
            (inbox / drop.name).rename(taken.payload)
        except FileNotFoundError:
            shutil.rmtree(taken.folder, ignore_errors=True)
            return None
        (inbox / f"{drop.name}.{MARKER}").unlink(missing_ok=True)
    # Times of change are renewed by the rename itself; names, sizes and times of modification are not.
    again = look_at(taken.payload, settle_s, now)
    if again is None or again.mark != drop.mark:
        _give_back(inbox, taken)
        return None
    return taken


def claim_copies(inbox: Path, paths: Sequence[Path], now: float) -> Claim:
    """Claim copies of files that lie elsewhere, for a verdict by hand; the run is named after the first of them.

    Raises:
        SetupError: they cannot be copied.
    """
    taken = _made(inbox, paths[0].name, now, by_hand=True)
    with explain_os_errors(taken.payload):
        staged = taken.folder / "copies"
        staged.mkdir()
        for number, path in enumerate(paths):
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            target = staged / path.name
            # Two files of one name from different folders: what they are is told by their content.
            copy(path, target.with_name(f"{number}-{path.name}") if target.exists() else target)
        staged.rename(taken.payload)
    return taken


def _made(inbox: Path, name: str, now: float, *, by_hand: bool) -> Claim:
    moment = dt.datetime.fromtimestamp(now, UTC)
    arrival = f"{moment:%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:12]}"
    made = Claim(arrival, name, iso(moment), inbox / CLAIMED / arrival, by_hand)
    with explain_os_errors(made.folder):
        (made.folder / _PAYLOAD).mkdir(parents=True)
        document = {"name": made.name, "arrived_at": made.arrived_at, "by_hand": made.by_hand}
        (made.folder / _CLAIM).write_text(json.dumps(document), encoding="utf-8")
    return made


def _give_back(inbox: Path, taken: Claim) -> None:
    """Put a run that turned out to be growing back; where its name is taken again, it is judged as it is."""
    with explain_os_errors(taken.payload):
        if not os.path.lexists(inbox / taken.name):
            taken.payload.rename(inbox / taken.name)
            shutil.rmtree(taken.folder)


def open_claims(inbox: Path) -> list[str]:
    """Return the arrivals that were claimed and not yet filed, oldest first; empty ones are swept."""
    root = inbox / CLAIMED
    return [name for name in folders.names(root) if _is_worth_it(root / name)]


def _is_worth_it(folder: Path) -> bool:
    """Whether anything lies in a claim that was listed; nothing does in one that was filed since.

    What a process left that died before it moved anything there is removed.
    """
    with explain_os_errors(folder), unless_gone(folder):
        if (folder / _VERDICT).exists() or any((folder / _PAYLOAD).glob("*")):
            return True
        if _is_unattended(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return False


def _is_unattended(folder: Path) -> bool:
    # A claimer needs moments from making the folder to moving the run into it.
    age = dt.datetime.now(UTC).timestamp() - folder.stat().st_ctime
    return age > 60


def read_claim(inbox: Path, arrival: str) -> Claim | None:
    """Return a claim; None where it was filed meanwhile."""
    folder = inbox / CLAIMED / arrival
    with explain_os_errors(folder):
        try:
            document = json.loads((folder / _CLAIM).read_bytes())
        except FileNotFoundError:
            return None
    return Claim(arrival, document["name"], document["arrived_at"], folder, document["by_hand"])


@contextlib.contextmanager
def held(claim: Claim) -> Iterator[bool]:
    """Hold a claim for this process and hand out whether that succeeded."""
    path = claim.folder / "lock"
    with contextlib.ExitStack() as until_done:
        try:
            is_mine = until_done.enter_context(locked(path))
        except FileNotFoundError:  # filed meanwhile
            is_mine = False
        except OSError as error:
            remedy = "check the inbox's permissions"
            raise SetupError(path, f"it cannot be opened ({error.strerror})", remedy) from error
        yield is_mine


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, made where it is not there; False, without waiting, where another process has it.

    The kernel lets go when the process dies.

    Raises:
        OSError: the file cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone_with(inbox: Path, content_sha256: str) -> Iterator[None]:
    """Wait until no other process judges the same content: the second of two is to find the verdict of the first.

    The kernel ends the wait where the other process dies.

    Raises:
        SetupError: the lock cannot be opened.
    """
    path = inbox / CLAIMED / f".{content_sha256}"
    with explain_os_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        # Whoever waits for it still holds the file that it opened; who comes later makes a new one and finds a verdict.
        path.unlink(missing_ok=True)
        os.close(handle)


def keep_verdict(claim: Claim, made: Path) -> None:
    """Make a finished folder the claim's verdict in one step; only whoever holds the claim does so."""
    with explain_os_errors(claim.verdict):
        made.rename(claim.verdict)


def drop_claim(claim: Claim) -> None:
    """Remove what is left of a filed claim."""
    shutil.rmtree(claim.folder, ignore_errors=True)
