"""A bucket of an object storage that speaks S3: the few operations that are needed, with errors of one clear line.

Where the storage is and who may use it comes from the usual environment: ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``, ``AWS_REGION`` or ``AWS_DEFAULT_REGION``, ``AWS_ENDPOINT_URL_S3`` or
``AWS_ENDPOINT_URL`` (``AWS_ALLOW_HTTP=false`` refuses one without TLS), and the identities that clouds give to
machines and containers. Whoever has credentials from elsewhere, by the name of a connection as in
``s3://connection@bucket/prefix``, says so with :func:`credentials` for as long as they are needed. No secret is kept
in a :class:`Bucket`, shown in a ``repr`` or an error, or pickled.

Requests that fail for a moment are repeated, at most ``FAULTSET_S3_RETRIES`` times (10) within
``FAULTSET_S3_RETRY_SECONDS`` (60). The threads that send them do not survive a fork: a process that has used a bucket
starts others by ``spawn``.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from faultset.errors import InputError, SetupError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

_Names = list[str]  # inside the class, ``list`` is its own
_URI = re.compile(r"s3://(?:(?P<user>[^@/]*)@)?(?P<bucket>[^/@]*)(?:/(?P<prefix>.*))?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_CONNECTION = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")
_PART_BYTES = 8 * 1024 * 1024
_PARTS = 9_000  # S3 allows 10,000
_PARTS_AT_ONCE = 4  # with the size of a part, this bounds the memory of an upload
_DELETED_AT_ONCE = 1_000
_CONFLICT_ATTEMPTS = 5


class NotThereError(SetupError):
    """There is no object of this key."""


class ChangedError(SetupError):
    """The object is no longer in the state that was asked for."""


# --- who may use it -------------------------------------------------------------------------------------------------


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
    _asked.append(cache(resolve))
    try:
        yield
    finally:
        _asked.pop()
        _store.cache_clear()


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


def _whole_number(name: str, *, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise SetupError(name, f"{text} is no whole number", "correct it in the environment, or leave it out")
    return int(text)


@lru_cache(maxsize=16)
def _store(name: str, found: Credentials, retries: int, retry_seconds: int) -> S3Store:
    config: S3Config = {}
    if found.region:
        config["region"] = found.region
    if found.endpoint:
        if not _ENDPOINT.fullmatch(found.endpoint):
            raise SetupError("AWS_ENDPOINT_URL", "this is no address of a storage", "write https://host or http://host")
        config["endpoint"] = found.endpoint
    # A streamed body may take long; a stalled one may not.
    client: ClientConfig = {
        "timeout": "1h",
        "read_timeout": f"{max(1, retry_seconds)}s",
        "connect_timeout": "5s",
        "allow_http": found.allow_http and (found.endpoint or "").startswith("http://"),
    }
    again: RetryConfig = {"max_retries": retries, "retry_timeout": timedelta(seconds=retry_seconds)}
    provider = found if found.access_key_id else None
    return S3Store(name, config=config, client_options=client, retry_config=again, credential_provider=provider)


# --- the bucket -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing; ``key`` is relative to the bucket's prefix, ``size`` in bytes."""

    key: str
    size: int
    etag: str
    modified: datetime


def is_bucket(uri: str) -> bool:
    """Whether ``uri`` names something in a bucket."""
    return uri.startswith("s3://")


def public(uri: str) -> str:
    """Return ``uri`` without the name of a connection, as it may be recorded and shown."""
    return re.sub(r"^s3://[^@/]*@", "s3://", uri)


@dataclass(frozen=True, slots=True)
class Bucket:
    """The objects of a bucket under a prefix; all keys are relative to it.

    Attributes:
        name: of the bucket.
        prefix: empty, or without ``/`` at its ends.
        connection: the connection whose credentials are used; empty: the environment's.
    """

    name: str
    prefix: str = ""
    connection: str = field(default="", repr=False)

    @classmethod
    def at(cls, uri: str) -> Bucket:
        """Return the bucket at ``s3://[connection@]bucket[/prefix]``; nothing is asked of the storage yet.

        Raises:
            InputError: it is no such URI.
        """
        parts = _URI.fullmatch(uri)
        if parts is None or not _BUCKET.fullmatch(parts["bucket"]):
            shown = "s3://…" if "@" in uri else uri  # what stands before @ may be a secret
            raise InputError(shown, "this is no address of a bucket", "write s3://bucket/prefix")
        connection = parts["user"] or ""
        if connection and not _CONNECTION.fullmatch(connection):
            raise InputError(public(uri), "what stands before @ is no connection's name", "put no password into a URI")
        prefix = "/".join(part for part in (parts["prefix"] or "").split("/") if part)
        return cls(parts["bucket"], prefix, connection)

    @property
    def uri(self) -> str:
        """The address, without the name of a connection and without ``/`` at its end."""
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    def uri_of(self, key: str) -> str:
        """Return an object's address as it may be recorded and shown."""
        return f"{self.uri}/{key}" if key else self.uri

    # --- reading ----------------------------------------------------------------------------------------------------

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's bytes and e-tag; None where there is none.

        Raises:
            SetupError: the storage cannot be asked.
        """
        with self._explained(key):
            try:
                found = obstore.get(self._objects(), self._path(key))
                return bytes(found.bytes()), found.meta["e_tag"] or ""
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def head(self, key: str) -> tuple[int, str] | None:
        """Return an object's size in bytes and e-tag; None where there is none.

        Raises:
            SetupError: the storage cannot be asked.
        """
        with self._explained(key):
            try:
                found = obstore.head(self._objects(), self._path(key))
            except FileNotFoundError:
                # The answer to HEAD has no body, so it cannot tell a lost bucket from a lost object. A listing can.
                obstore.list_with_delimiter(self._objects(), self._path(key))
                return None
            return found["size"], found["e_tag"] or ""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes of an object from ``start`` on; fewer where it ends before.

        Raises:
            NotThereError: there is no such object.
            SetupError: the storage cannot be asked.
        """
        with self._explained(key):
            try:
                return bytes(obstore.get_range(self._objects(), self._path(key), start=start, length=length))
            except FileNotFoundError as error:
                _require_bucket(error)
                raise NotThereError(self.uri_of(key), "it is not there", "check the address") from None

    def stream(self, key: str, etag: str | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in pieces of some megabytes, all of one state of the object: of ``etag`` if given.

        Raises:
            NotThereError: there is no such object.
            ChangedError: its e-tag is another one.
            SetupError: the storage cannot be asked, or broke off.
        """
        with self._explained(key):
            try:
                found = obstore.get(self._objects(), self._path(key), options={"if_match": etag} if etag else None)
            except FileNotFoundError as error:
                _require_bucket(error)
                raise NotThereError(self.uri_of(key), "it is not there", "check the address") from None
            except PreconditionError:
                raise ChangedError(self.uri_of(key), "it was changed meanwhile", "run it again") from None
            seen = 0
            for piece in found.stream(min_chunk_size=_PART_BYTES):
                seen += len(piece)
                yield bytes(piece)
        if seen != found.meta["size"]:
            raise SetupError(self.uri_of(key), "the storage broke off in the middle", "run it again")

    def fetch(self, key: str, path: Path, etag: str | None = None) -> None:
        """Copy an object (in the state of ``etag`` if given) to a local file, which appears whole or not at all.

        Raises:
            NotThereError: there is no such object.
            ChangedError: its e-tag is another one.
            SetupError: the storage cannot be asked, or the file cannot be written.
        """
        temporary = path.with_name(f".{uuid.uuid4().hex}.part")
        try:
            with _local(path):
                with temporary.open("xb") as file:
                    for piece in self.stream(key, etag):
                        file.write(piece)
                temporary.replace(path)
        finally:
            with _local(path):
                temporary.unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield all objects below the folder ``prefix`` (empty: all), in order of text.

        Raises:
            SetupError: the storage cannot be asked.
        """
        with self._explained(prefix):
            for page in obstore.list(self._objects(), self._folder(prefix), chunk_size=1000):
                for found in page:
                    yield Entry(
                        found["path"][len(self.prefix) :].lstrip("/"),
                        found["size"],
                        found["e_tag"] or "",
                        found["last_modified"],
                    )

    def folders(self, prefix: str) -> _Names:
        """Return the names of the folders right below the folder ``prefix``, in order of text.

        Raises:
            SetupError: the storage cannot be asked.
        """
        with self._explained(prefix):
            found = obstore.list_with_delimiter(self._objects(), self._folder(prefix))
            return sorted(path.rsplit("/", 1)[-1] for path in found["common_prefixes"])

    # --- writing ----------------------------------------------------------------------------------------------------

    def create(self, key: str, data: bytes) -> bool:
        """Write an object if there is none of this key.

        A write whose answer got lost is repeated and then meets itself. So where something is there already and is
        the very same bytes, they count as ours. Whoever has to know that nobody else wrote them puts something
        unique into ``data``.

        Returns:
            Whether ``data`` is what is there now.

        Raises:
            SetupError: the storage cannot be asked.
        """
        for _ in range(_CONFLICT_ATTEMPTS):
            if self._put(key, data, "create"):
                return True
            there = self.get(key)
            if there is not None:
                return there[0] == data
            # S3 also says "conflict" while another write or a deletion is under way; then nothing may be there.
        raise SetupError(self.uri_of(key), "others write here at every moment", "run it again")

    def replace(self, key: str, data: bytes, etag: str) -> bool:
        """Write an object if the one of this key still has ``etag``; lost answers are treated as in :meth:`create`.

        Returns:
            Whether ``data`` is what is there now; False where the object changed or went meanwhile.

        Raises:
            SetupError: the storage cannot be asked.
        """
        for _ in range(_CONFLICT_ATTEMPTS):
            if self._put(key, data, etag):
                return True
            there = self.get(key)
            if there is None:
                return False
            if there[1] != etag:
                return there[0] == data
        raise SetupError(self.uri_of(key), "others write here at every moment", "run it again")

    def _put(self, key: str, data: bytes, condition: str) -> bool:
        """Write under a condition (``create`` or an e-tag); False where the storage says that it does not hold."""
        with self._explained(key):
            try:
                mode: obstore.PutMode = "create" if condition == "create" else {"e_tag": condition}
                obstore.put(self._objects(), self._path(key), data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as error:
                _require_bucket(error)
                return False
            except BaseError:
                # No answer, after all repetitions: it may have been written all the same.
                if self._holds(key, data):
                    return True
                raise
            return True

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            there = self.get(key)
        except SetupError:
            return False
        return there is not None and there[0] == data

    def put_file(self, path: Path, key: str) -> None:
        """Write a local file as an object, replacing what is there; large ones in parts, in bounded memory.

        Raises:
            SetupError: the file cannot be read, or the storage cannot be asked.
        """
        with _local(path):
            size = path.stat().st_size
            path.open("rb").close()
        part = max(_PART_BYTES, -(-size // _PARTS))
        with self._explained(key):
            obstore.put(self._objects(), self._path(key), path, chunk_size=part, max_concurrency=_PARTS_AT_ONCE)

    def copy(self, source_key: str, target_key: str) -> bool:
        """Copy an object within the storage, replacing what is there.

        Returns:
            False where there is no ``source_key``.

        Raises:
            SetupError: the storage cannot be asked.
        """
        with self._explained(target_key):
            try:
                obstore.copy(self._objects(), self._path(source_key), self._path(target_key))
            except FileNotFoundError as error:
                _require_bucket(error)
                return False
            return True

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there are fine.

        Raises:
            SetupError: the storage cannot be asked.
        """
        paths = (self._path(key) for key in keys)
        while batch := _Names(islice(paths, _DELETED_AT_ONCE)):
            with self._explained(""):
                obstore.delete(self._objects(), batch)

    # --- underneath -------------------------------------------------------------------------------------------------

    def _objects(self) -> S3Store:
        retries = _whole_number("FAULTSET_S3_RETRIES", default=10)
        seconds = _whole_number("FAULTSET_S3_RETRY_SECONDS", default=60)
        return _store(self.name, credentials_for(self.connection), retries, seconds)

    def _path(self, key: str) -> str:
        """The key within the bucket.

        Raises:
            InputError: it names no object: keys can come from files of others, and must not lead elsewhere.
        """
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise InputError(self.uri_of(key), "this is no address of an object", "leave out empty parts, . and ..")
        return f"{self.prefix}/{key}".lstrip("/")

    def _folder(self, prefix: str) -> str | None:
        """The folder within the bucket, None for the whole bucket."""
        inner = prefix.strip("/")
        return self._path(inner) if inner else self.prefix or None

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn whatever the storage says into one clear line; its own texts hold addresses and parts of signatures."""
        try:
            yield
        except (BaseError, FileNotFoundError, ValueError) as error:
            problem, remedy = _explanation(error)
            raise SetupError(self.uri_of(key), problem, remedy) from None


# --- what went wrong ------------------------------------------------------------------------------------------------

_CREDENTIALS_REFUSED = (
    "the storage does not accept the credentials",
    "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the Airflow connection",
)
_REFUSED = ("access is refused", "check the credentials, and what they may do with this bucket")
_NOT_ALLOWED = ("permission is missing", "let these credentials list, read and write this bucket")
_NO_BUCKET = ("this bucket does not exist", "create it, or correct the address")
_NO_CREDENTIALS = ("no credentials were found", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
_WRONG_REGION = ("the bucket lies in another region", "set AWS_REGION to it")
_NO_CONNECTION = ("the storage does not answer", "check AWS_ENDPOINT_URL and the network, then run it again")
_NO_TLS = ("the storage's address is http, which is not allowed", "use https, or leave out AWS_ALLOW_HTTP=false")
_TOO_SLOW = ("the storage fails for now", "run it again later")

_BY_CODE = {
    "NoSuchBucket": _NO_BUCKET,
    "AccessDenied": _NOT_ALLOWED,
    "AllAccessDisabled": _NOT_ALLOWED,
    "AuthorizationHeaderMalformed": _WRONG_REGION,
    "PermanentRedirect": _WRONG_REGION,
    "IllegalLocationConstraintException": _WRONG_REGION,
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set the clock, then run it again"),
    "QuotaExceeded": ("the storage is full", "free some space, then run it again"),
    "EntityTooLarge": ("the storage takes no file of this size", "split the file"),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
        _CREDENTIALS_REFUSED,
    ),
}
# What obstore says where the storage sent no code; the first that is found counts.
_BY_TEXT = (
    ("BadScheme", _NO_TLS),
    ("URL scheme is not allowed", _NO_TLS),
    ("BareRedirect", _WRONG_REGION),
    ("169.254.", _NO_CREDENTIALS),
    ("redential", _NO_CREDENTIALS),
    ("code: 5", _TOO_SLOW),
    ("code: 429", _TOO_SLOW),
    ("HTTP error", _NO_CONNECTION),
)


def _explanation(error: Exception) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    text = str(error)
    code = re.search(r"(?:<Code>|\(code: )([A-Za-z0-9.]{1,60})[<)]", text)
    if code and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    if isinstance(error, UnauthenticatedError):
        return _CREDENTIALS_REFUSED
    if isinstance(error, PermissionDeniedError):
        return _REFUSED
    for part, explained in _BY_TEXT:
        if part in text:
            return explained
    status = re.search(r"status code: (\d{3})", text)
    said = " ".join(part[1] for part in (status, code) if part) or type(error).__name__
    return f"the storage refuses ({said})", "see what it logged"


def _require_bucket(error: Exception) -> None:
    """Raise ``error`` again where it is not the object that is missing, but the bucket."""
    if "<Code>NoSuchBucket</Code>" in str(error):
        raise error


@contextlib.contextmanager
def _local(path: Path) -> Iterator[None]:
    """Turn what a local file refuses into one clear line."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            error.filename or path, error.strerror or "cannot be read or written", "check the disk that it lies on"
        ) from error
