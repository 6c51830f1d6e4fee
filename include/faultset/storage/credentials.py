"""Where the storage of a bucket is, and who may use it.

Both come from the usual environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``,
``AWS_REGION`` or ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` (``AWS_ALLOW_HTTP=false``
refuses one without TLS), and the identities that clouds give to machines and containers. Whoever has credentials from
elsewhere, by the name of a connection as in ``s3://connection@bucket/prefix``, says so with :func:`credentials` for as
long as they are needed. No secret is shown in a ``repr`` or an error, or pickled.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NoReturn

from obstore.store import S3Store

from faultset.errors import SetupError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential


_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks, and where; nothing of it is ever shown.

    Attributes:
        access_key_id: None: whatever identity the machine or the container has.
        secret_access_key: the key's secret.
        session_token: of temporary credentials.
        region: of the bucket.
        endpoint: the storage's address where it is not Amazon's.
        allow_http: whether ``endpoint`` may be without TLS.
    """

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = field(default=None, repr=False)
    endpoint: str | None = field(default=None, repr=False)
    allow_http: bool = field(default=True, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Credentials:
        """Read the variables that other tools for S3 read, too."""
        of = os.environ if environment is None else environment
        return cls(
            access_key_id=of.get("AWS_ACCESS_KEY_ID") or None,
            secret_access_key=of.get("AWS_SECRET_ACCESS_KEY") or None,
            session_token=of.get("AWS_SESSION_TOKEN") or None,
            region=of.get("AWS_REGION") or of.get("AWS_DEFAULT_REGION") or None,
            endpoint=of.get("AWS_ENDPOINT_URL_S3") or of.get("AWS_ENDPOINT_URL") or None,
            allow_http=of.get("AWS_ALLOW_HTTP", "true").lower() not in ("false", "0", "no"),
        )

    def __call__(self) -> S3Credential:
        """Return the keys in the form that obstore asks for."""
        return {
            "access_key_id": self.access_key_id or "",
            "secret_access_key": self.secret_access_key or "",
            "token": self.session_token,
            "expires_at": None,
        }

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: pickles end up in files, queues and other processes."""
        raise TypeError("credentials are not pickled")


Resolve = Callable[[str], "Credentials | None"]
"""What a connection's name stands for; the empty name: any URI that names none. None: nobody knows it."""

_asked: list[Resolve] = []


@contextlib.contextmanager
def credentials(resolve: Resolve) -> Iterator[None]:
    """Ask ``resolve`` for credentials during the block, in this process and all its threads.

    It is asked when a bucket is used, once for each name. Where it has no answer, the environment's credentials are
    used for URIs that name no connection, and others are refused.
    """
    asked = cache(resolve)
    _asked.append(asked)
    try:
        yield
    finally:
        _asked.remove(asked)  # its own, whichever block of another thread began or ended meanwhile
        _client.cache_clear()


def credentials_for(connection: str) -> Credentials:
    """Return the credentials of a connection; of the environment where none is named and nobody else has any.

    Raises:
        SetupError: nobody knows this connection.
    """
    found = _asked[-1](connection) if _asked else None
    if found is not None:
        return found
    if connection:
        raise SetupError(
            f"s3://{connection}@",
            "this connection is not known here",
            "name an Airflow connection of type aws and run it in Airflow, or leave it out and use AWS_ACCESS_KEY_ID",
        )
    return Credentials.from_environment()


def client(bucket: str, connection: str) -> S3Store:
    """Return what asks for the objects of a bucket, with the credentials of a connection.

    Raises:
        SetupError: nobody knows this connection, or the environment says something impossible.
    """
    retries = _whole_number("FAULTSET_S3_RETRIES", default=10)
    seconds = _whole_number("FAULTSET_S3_RETRY_SECONDS", default=60)
    return _client(bucket, credentials_for(connection), retries, seconds)


def _whole_number(name: str, *, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise SetupError(name, f"{text} is no whole number", "correct it in the environment, or leave it out")
    return int(text)


@lru_cache(maxsize=16)
def _client(name: str, found: Credentials, retries: int, retry_seconds: int) -> S3Store:
    config: S3Config = {}
    if found.region:
        config["region"] = found.region
    if found.endpoint:
        if not _ENDPOINT.fullmatch(found.endpoint):
            raise SetupError("AWS_ENDPOINT_URL", "this is no address of a storage", "write https://host or http://host")
        config["endpoint"] = found.endpoint
    # A streamed body may take long; a stalled one may not.
    options: ClientConfig = {
        "timeout": "1h",
        "read_timeout": f"{max(1, retry_seconds)}s",
        "connect_timeout": "5s",
        "allow_http": found.allow_http and (found.endpoint or "").startswith("http://"),
    }
    again: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=retry_seconds)}
    provider = found if found.access_key_id else None
    return S3Store(name, config=config, client_options=options, retry_config=again, credential_provider=provider)
