"""A bucket of an object storage that speaks S3: the few operations that are needed, with errors of one clear line.

Requests that fail for a moment are repeated, at most ``FAULTSET_S3_RETRIES`` times (10) within
``FAULTSET_S3_RETRY_SECONDS`` (60). The threads that send them do not survive a fork: a process that has used a bucket
starts others by ``spawn``.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from faultset.errors import InputError, SetupError
from faultset.storage.bucket_errors import explanation, require_bucket
from faultset.storage.credentials import client

_Names = list[str]  # inside the class, ``list`` is its own
_URI = re.compile(r"s3://(?:(?P<user>[^@/]*)@)?(?P<bucket>[^/@]*)(?:/(?P<prefix>.*))?", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_CONNECTION = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_PART_BYTES = 8 * 1024 * 1024
_PARTS = 9_000  # S3 allows 10,000
_PARTS_AT_ONCE = 4  # with the size of a part, this bounds the memory of an upload
_DELETED_AT_ONCE = 1_000
_CONFLICT_ATTEMPTS = 5


class NotThereError(SetupError):
    """There is no object of this key."""


class ChangedError(SetupError):
    """The object is no longer in the state that was asked for."""


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
                require_bucket(error)
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
                require_bucket(error)
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
                require_bucket(error)
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
                require_bucket(error)
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
                require_bucket(error)
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
        return client(self.name, self.connection)

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
            problem, remedy = explanation(error)
            raise SetupError(self.uri_of(key), problem, remedy) from None


@contextlib.contextmanager
def _local(path: Path) -> Iterator[None]:
    """Turn what a local file refuses into one clear line."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            error.filename or path, error.strerror or "cannot be read or written", "check the disk that it lies on"
        ) from error
