"""Requests to an archive: what may be repeated is, and whatever else goes wrong becomes one of a few errors."""

from __future__ import annotations

import email.utils
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from faultset.deposits.access import Access
from faultset.deposits.errors import UnavailableError, refused, rejected
from faultset.errors import InputError, SetupError, printable

T = TypeVar("T")
_JSON = "application/vnd.inveniordm.v1+json"  # without it Zenodo answers in the form of its former interface
_LONGEST_PAUSE_S = 60.0
_OTHERS_FASTER = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait.

    Attributes:
        answer_s: for one answer, or for the next piece of it (``FAULTSET_DEPOSIT_TIMEOUT_SECONDS``).
        trouble_s: while nothing succeeds any more (``FAULTSET_DEPOSIT_RETRY_SECONDS``).
    """

    answer_s: float = 180.0
    trouble_s: float = 900.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Patience:
        """Read the settings.

        Raises:
            InputError: one is no number of seconds.
        """
        return cls(
            _seconds(environment, "FAULTSET_DEPOSIT_TIMEOUT_SECONDS", 180.0),
            _seconds(environment, "FAULTSET_DEPOSIT_RETRY_SECONDS", 900.0),
        )


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text, re.ASCII):
        raise InputError(name, "this is no number of seconds", f"write a number such as {default:g}")
    return float(text)


class Trouble:
    """How long nothing has succeeded, and how long to pause before the next try.

    A far side that answers questions and does nothing is in trouble, too: what changes something is counted by itself.
    """

    def __init__(self, where: str, patience: Patience) -> None:
        self._where, self._patience = where, patience
        self._since: dict[bool, float] = {}  # whether a change failed -> since when
        self._failed = {False: 0, True: 0}

    def over(self, *, change: bool) -> None:
        """Note that a question was answered, or a change made."""
        for kind in (False, True) if change else (False,):
            self._since.pop(kind, None)
            self._failed[kind] = 0

    def wait(self, error: UnavailableError, *, change: bool) -> None:
        """Pause before the next try, for as long as the far side asks to.

        Raises:
            SetupError: it would be longer than patience lasts.
        """
        now = time.monotonic()
        since = self._since.setdefault(change, now)
        longest = min(0.5 * 2 ** self._failed[change], _LONGEST_PAUSE_S)
        pause = random.uniform(0.5, 1) * longest if error.after_s is None else error.after_s  # noqa: S311
        if now + pause - since > self._patience.trouble_s:
            remedy = "see whether it is well, then try again; what was sent is kept and is not sent again"
            raise SetupError(self._where, error.why, remedy)
        self._failed[change] += 1
        time.sleep(pause)


class Client:
    """Asks an InvenioRDM."""

    def __init__(self, access: Access, patience: Patience) -> None:
        self.where = access.url
        self.trouble = Trouble(access.url, patience)
        self._client = httpx.Client(
            base_url=f"{access.url}/api",
            headers={"Authorization": f"Bearer {access.token}", "Accept": _JSON, "User-Agent": "faultset"},
            timeout=httpx.Timeout(patience.answer_s, connect=min(30.0, patience.answer_s)),
            follow_redirects=False,  # a token goes where it was meant to go
        )

    def get(self, path: str, **params: str | int) -> dict[str, Any] | None:
        """Return a document; None where there is none (any more). Repeated for as long as patience lasts.

        Raises:
            SetupError: the far side cannot be asked.
        """
        while True:
            try:
                answer = self._ask("GET", path, params=params)
            except UnavailableError as error:
                self.trouble.wait(error, change=False)
            else:
                self.trouble.over(change=False)
                return None if answer.status_code in (404, 410) else self._document(answer)

    def change(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """Ask for a change, once, and return the answer; None where what it concerns is not there.

        Raises:
            UnavailableError: nobody knows whether it was done.
            InputError: it was rejected.
            SetupError: the token was.
        """
        answer = self._ask(method, path, json=body)
        self.trouble.over(change=True)
        if answer.status_code in (404, 410):
            return None
        return {} if answer.status_code == 204 else self._document(answer)

    def send(self, path: str, pieces: Iterator[bytes], size: int) -> None:
        """Send a file's bytes, once.

        Raises:
            UnavailableError: nobody knows whether they arrived.
            InputError, SetupError: as for ``change``.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer = self._ask("PUT", path, content=pieces, headers=headers)
        if answer.status_code in (404, 410):
            raise UnavailableError("the draft that a file was sent to is gone")
        self.trouble.over(change=True)

    def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **how)
        except httpx.TransportError as error:
            raise UnavailableError(f"it does not answer ({type(error).__name__})") from None
        status = answer.status_code
        if status in (401, 403):
            raise refused(self.where)
        if status == 429 or status >= 500:
            raise UnavailableError(f"it cannot now (status {status})", _after_s(answer.headers))
        if status >= 300 and status not in (404, 410):
            raise rejected(self.where, _messages(answer) or f"status {status}")
        return answer

    def _document(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SetupError(self.where, "its answer is no InvenioRDM's", "check its address")
        return found


def until_done(step: Callable[[], T], trouble: Trouble, lost: type[Exception]) -> T:
    """Run ``step``, which looks before it does anything, again and again until it comes to its end.

    Args:
        step: goes on from whatever it finds on the far side.
        trouble: says how long to wait after an ``UnavailableError``.
        lost: raised by the step where another writer was faster.

    Raises:
        SetupError: patience is at its end, or others were faster each time.
    """
    for _ in range(_OTHERS_FASTER):
        try:
            while True:
                try:
                    return step()
                except UnavailableError as error:
                    trouble.wait(error, change=True)
        except lost:
            continue
    raise SetupError("the archive", "other writers were always faster", "end some of them, then run it again")


def after_s(text: str | None, reset: str | None = None) -> float | None:
    """Return how many seconds ``Retry-After`` (or Zenodo's time of reset, epoch s) says; None where neither does."""
    if text and re.fullmatch(r"[0-9]{1,6}", text.strip(), re.ASCII):
        return float(text)
    if text:
        with_zone = email.utils.parsedate_tz(text)
        if with_zone:
            return max(0.0, email.utils.mktime_tz(with_zone) - time.time())
    if reset and re.fullmatch(r"[0-9]{9,12}", reset.strip(), re.ASCII):
        return min(3600.0, max(0.0, float(reset) - time.time()))
    return None


def _after_s(headers: httpx.Headers) -> float | None:
    return after_s(headers.get("retry-after"), headers.get("x-ratelimit-reset"))


def _messages(answer: httpx.Response) -> str:
    """Return what a refusal says, as ``field: message``."""
    try:
        found = answer.json()
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    return said(found.get("errors")) or printable(str(found.get("message") or ""), 250)


def said(errors: object) -> str:
    """Return a list of InvenioRDM's errors in one line; "" where there are none."""
    found = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    lines = (f"{error.get('field')}: {' '.join(map(str, error.get('messages') or ()))}" for error in found)
    return printable("; ".join(lines), 250)
