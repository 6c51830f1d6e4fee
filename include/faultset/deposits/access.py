"""Where the archives are, and who may write there.

A token comes from ``FAULTSET_ZENODO_TOKEN`` or ``FAULTSET_HUGGINGFACE_TOKEN`` (or ``HF_TOKEN``), or from the file that
``FAULTSET_ZENODO_TOKEN_FILE`` or ``FAULTSET_HUGGINGFACE_TOKEN_FILE`` names. Whoever has tokens from elsewhere, such as
Airflow's connections, says so with :func:`accesses` for as long as they are needed. No token is shown in a ``repr`` or
an error, or pickled.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from faultset.errors import InputError, SetupError
from faultset.settings import Archive
from faultset.storage import explain_os_errors

_URLS: dict[Archive, str] = {"zenodo": "https://zenodo.org", "huggingface": "https://huggingface.co"}
_URL = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")
# A token that leaves this machine is never sent in the clear.
_LOCAL = re.compile(r"http://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?(/.*)?")
_TOKEN = re.compile(r"[!-~]{1,4096}")
_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


@dataclass(frozen=True, slots=True)
class Access:
    """Where an archive is, and who may write there.

    Attributes:
        to: which archive.
        url: its address, without ``/`` at the end.
        token: never shown.
        namespace: the user or organisation whose repositories the datasets become (Hugging Face).
        private: whether only those who may can read the files.
    """

    to: Archive
    url: str
    token: str = field(repr=False)
    namespace: str | None = None
    private: bool = False

    def __post_init__(self) -> None:
        """Refuse an address that no token may be sent to.

        Raises:
            InputError: the address, the token or the namespace is none.
        """
        name = f"FAULTSET_{self.to.upper()}"
        if not _URL.fullmatch(self.url) or not (self.url.startswith("https://") or _LOCAL.fullmatch(self.url)):
            raise InputError(f"{name}_URL", "this is no address that a token may be sent to", "write https://host")
        if not _TOKEN.fullmatch(self.token):
            raise InputError(f"{name}_TOKEN", "this is no token", "copy it again; it has no spaces or line breaks")
        if self.to == "huggingface" and not _NAMESPACE.fullmatch(self.namespace or ""):
            problem = "nobody says whose repositories the datasets become" if not self.namespace else "this is no name"
            raise InputError(f"{name}_NAMESPACE", problem, "name a user or an organisation of Hugging Face")

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: pickles end up in files, queues and other processes."""
        raise TypeError("tokens are not pickled")


Resolve = Callable[[Archive], "Access | None"]
"""Who may write to an archive; None: nobody knows, so that the environment is asked."""

_asked: list[Resolve] = []


@contextlib.contextmanager
def accesses(resolve: Resolve) -> Iterator[None]:
    """Ask ``resolve`` for access during the block, in this process and all its threads."""
    _asked.append(resolve)
    try:
        yield
    finally:
        _asked.remove(resolve)


def access_to(to: Archive) -> Access:
    """Return who may write to an archive.

    Raises:
        InputError: an address, a token or a name is none.
        SetupError: nobody has a token, or its file cannot be read.
    """
    found = _asked[-1](to) if _asked else None
    return found or of_environment(to, os.environ)


def of_environment(
    to: Archive, environment: Mapping[str, str], *, token: str | None = None, **said: str | None
) -> Access:
    """Return what the environment says.

    Args:
        to: which archive.
        environment: the variables.
        token: where it is known already.
        said: ``url`` or ``namespace`` where they are known already; None is as if it was not given.
    """
    name = f"FAULTSET_{to.upper()}"
    visibility = environment.get("FAULTSET_DEPOSIT_VISIBILITY") or "public"
    if visibility not in ("public", "private"):
        raise InputError("FAULTSET_DEPOSIT_VISIBILITY", "this is no visibility", "write public or private")
    return Access(
        to=to,
        url=(said.get("url") or environment.get(f"{name}_URL") or _URLS[to]).rstrip("/"),
        token=token or _token(to, environment),
        namespace=said.get("namespace") or environment.get(f"{name}_NAMESPACE") or None,
        private=visibility == "private",
    )


def _token(to: Archive, environment: Mapping[str, str]) -> str:
    name = f"FAULTSET_{to.upper()}_TOKEN"
    usual = environment.get("HF_TOKEN") if to == "huggingface" else None
    if found := environment.get(name) or usual:
        return found.strip()
    if file := environment.get(f"{name}_FILE"):
        with explain_os_errors(f"{name}_FILE"):
            return Path(file).read_text("utf-8", "replace").strip()
    remedy = f"set {name} or {name}_FILE; in Airflow, add a connection and name it in FAULTSET_{to.upper()}_CONNECTION"
    raise SetupError(name, "there is no token", remedy)
