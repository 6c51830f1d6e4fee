"""A root of datasets behind a web server: files at addresses, read by ranges; nothing can be listed or written.

Which datasets there are says ``index.json``. A server that ignores ranges sends whole files; each is then fetched once.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import obstore
from obstore.exceptions import BaseError, NotSupportedError
from obstore.store import HTTPStore

from faultset.errors import InputError, SetupError

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._\[\]:-]+(?:/[A-Za-z0-9._~/%+-]*)?")


class NoRangesError(Exception):
    """The server knows no ranges; it sends whole files only."""


def is_web(uri: str) -> bool:
    """Whether ``uri`` names something on a web server."""
    return uri.startswith(("https://", "http://"))


@lru_cache(maxsize=16)
def _objects(address: str, pid: int) -> HTTPStore:  # noqa: ARG001 (its threads do not survive a fork)
    return HTTPStore.from_url(
        address,
        client_options={"allow_http": address.startswith("http://"), "connect_timeout": "10s", "timeout": "1h"},
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
    )


@dataclass(frozen=True, slots=True)
class WebRoot:
    """The files below an address; ``address`` has no ``/`` at its end."""

    address: str

    @classmethod
    def at(cls, uri: str) -> WebRoot:
        """Return the root at ``https://host/path``; nothing is asked of the server yet.

        Raises:
            InputError: it is no such address, or one with a password, a query or a fragment.
        """
        if not _ADDRESS.fullmatch(uri):
            shown = uri.partition("?")[0] if "@" not in uri else "https://…"  # what stands before @ may be a secret
            raise InputError(shown, "this is no address of a root of datasets", "write https://host/path")
        return cls(uri.rstrip("/"))

    def uri_of(self, name: str = "") -> str:
        """Return a file's address."""
        return f"{self.address}/{name}" if name else self.address

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes; None where it is not there.

        Raises:
            SetupError: the server cannot be asked.
        """
        with self._explained(name):
            try:
                return bytes(obstore.get(self._store(), name).bytes())
            except FileNotFoundError:
                return None

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of a file from ``start`` on.

        Raises:
            NoRangesError: the server sends whole files only.
            SetupError: the server cannot be asked, or has no such file.
        """
        with self._explained(name):
            try:
                return bytes(obstore.get_range(self._store(), name, start=start, length=length))
            except NotSupportedError:
                raise NoRangesError(name) from None

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes in pieces of some megabytes.

        Raises:
            SetupError: the server cannot be asked, or has no such file.
        """
        with self._explained(name):
            for piece in obstore.get(self._store(), name).stream(min_chunk_size=4 << 20):
                yield bytes(piece)

    def _store(self) -> HTTPStore:
        return _objects(self.address, os.getpid())

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn what the client says into one clear line; its own texts hold pages of the server."""
        try:
            yield
        except FileNotFoundError:
            raise SetupError(self.uri_of(name), "it is not there", "check the address") from None
        except (BaseError, ValueError, OSError) as error:
            status = re.search(r"status code: (\d{3})", str(error))
            problem = f"the server refuses (status {status[1]})" if status else "the server does not answer"
            raise SetupError(self.uri_of(name), problem, "check the address and the network") from None
