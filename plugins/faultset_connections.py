"""Credentials of storage and archives from Airflow's connections, so that no process needs them in its environment.

Here, and not beside the DAGs, because the triggerer imports plugins alone.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultset.deposits import Access
    from faultset.settings import Archive
    from faultset.storage.credentials import Credentials

DEFAULT = "FAULTSET_S3_CONNECTION"
"""Names the connection for every ``s3://`` URI that names none; unset: the environment's ``AWS_...`` variables."""


def of_connection(name: str) -> Credentials | None:
    """Return what ``name`` in ``s3://name@bucket`` stands for; None where no name is given and there is no default.

    Raises:
        SetupError: there is no such connection, it is of another type or of a kind that is not supported, or Airflow
            cannot be asked now.
    """
    name = _or_default(name)
    if not name:
        return None
    with _explained(name, "aws"):
        return _credentials(Connection.get(name))


def of_archive(to: Archive) -> Access | None:
    """Return who may write to an archive, after ``FAULTSET_ZENODO_CONNECTION`` or ``FAULTSET_HUGGINGFACE_CONNECTION``.

    The connection's password is the token, its host the archive's address where it is not the usual one, and of its
    extra ``namespace`` counts. None where no connection is named: the environment is asked.

    Raises:
        InputError: an address, a token or a name is none.
        SetupError: there is no such connection, or Airflow cannot be asked now.
    """
    name = os.environ.get(f"FAULTSET_{to.upper()}_CONNECTION", "")
    if not name:
        return None
    from faultset.deposits import of_environment
    from faultset.errors import SetupError

    with _explained(name, "http"):
        found = Connection.get(name)
    if not found.password:
        raise SetupError(f"connection {name}", "it has no password", "put the token there")
    return of_environment(
        to, os.environ, token=found.password, url=_address(found), namespace=found.extra_dejson.get("namespace")
    )


def _address(found: Connection) -> str | None:
    """Return a connection's address; https where it does not say."""
    host: str = found.host or ""
    if not host or "://" in host:
        return host or None
    return f"{found.schema or 'https'}://{host}{f':{found.port}' if found.port else ''}"


async def of_connection_in_a_trigger(name: str) -> Credentials | None:
    """As ``of_connection``, where tasks' way to ask would wait for the very loop that it is asked in."""
    name = _or_default(name)
    if not name:
        return None
    with _explained(name, "aws"):
        return _credentials(await Connection.async_get(name))


def _or_default(name: str) -> str:
    return name or os.environ.get(DEFAULT, "")


@contextmanager
def _explained(name: str, kind: str) -> Iterator[None]:
    from faultset.errors import SetupError

    where = f"connection {name}"
    try:
        yield
    except AirflowNotFoundException:
        raise SetupError(where, "Airflow knows no such connection", f"add one of type {kind}") from None
    except AirflowRuntimeError as error:
        problem = f"Airflow cannot be asked for it now ({error.error.error.value})"
        raise SetupError(where, problem, "see the log of the API server; it is tried again") from None


def _credentials(found: Connection) -> Credentials:
    from faultset.errors import SetupError
    from faultset.storage.credentials import Credentials

    if found.conn_type != "aws":
        raise SetupError(f"connection {found.conn_id}", f"it is of type {found.conn_type}", "name one of type aws")
    extra: dict[str, Any] = found.extra_dejson
    if extra.get("role_arn"):
        where = f"connection {found.conn_id}"
        raise SetupError(where, "it takes on a role, which is not supported", "give it an access key, or none at all")
    service = extra.get("service_config", {}).get("s3", {})
    return Credentials(
        access_key_id=found.login or extra.get("aws_access_key_id"),
        secret_access_key=found.password or extra.get("aws_secret_access_key"),
        session_token=extra.get("aws_session_token"),
        region=extra.get("region_name"),
        endpoint=service.get("endpoint_url") or extra.get("endpoint_url"),
    )
