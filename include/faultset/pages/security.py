"""What holds for every answer and change: headers, and that a change was meant by the person whose login it uses."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from faultset.errors import FaultsetError

TOKEN_HEADER = "x-faultset-token"  # noqa: S105  # nosec B105 (its name)
_LASTS_S = 12 * 3600

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
"""For our pages: nothing inline, nothing from elsewhere, shown in no page but the server's own."""

POLICY_OF_FILES = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'; sandbox allow-same-origin"
)
"""For pages that lie in versions and verdicts: they run nothing, whatever stands in them. That they are of this
server is kept, so that a browser sends the login with what a link in the frame asks for."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",
}


class CrossSiteError(FaultsetError):
    """A change that did not come from a page of ours."""


def token(secret: str, user: str, now: float | None = None) -> str:
    """Return what a form of this user carries; it holds for twelve hours, for nobody else."""
    until = int((time.time() if now is None else now) + _LASTS_S)
    return f"{until}.{_signed(secret, user, until)}"


def check_token(secret: str, user: str, given: str, now: float | None = None) -> None:
    """Do nothing where ``given`` is a token of this user.

    Raises:
        CrossSiteError: it is none, of somebody else, or too old.
    """
    until, _, signature = given.partition(".")
    known = until.isascii() and until.isdigit() and len(until) < 16
    if not known or not hmac.compare_digest(signature.encode(), _signed(secret, user, int(until)).encode()):
        raise CrossSiteError("the form", "it is not of a page that you opened", "open the page again, then repeat it")
    if int(until) < (time.time() if now is None else now):
        raise CrossSiteError("the form", "its page was opened too long ago", "open the page again, then repeat it")


def check_origin(headers: Mapping[str, str]) -> None:
    """Do nothing where the browser says that a request comes from a page of this server.

    Raises:
        CrossSiteError: it says another thing, or nothing at all.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        came_from_here = site == "same-origin"
    else:  # a browser of before 2023, or behind plain http on another name than localhost
        origin, host = urlsplit(headers.get("origin", "")), headers.get("host", "")
        came_from_here = bool(host) and origin.netloc == host
    if not came_from_here:
        raise CrossSiteError("the request", "it does not come from a page of this server", "use the pages themselves")


def _signed(secret: str, user: str, until: int) -> str:
    return hmac.new(secret.encode(), f"faultset pages\0{until}\0{user}".encode(), hashlib.sha256).hexdigest()
