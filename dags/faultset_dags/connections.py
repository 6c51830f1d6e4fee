"""Credentials of object storage from Airflow's connections, so that no task needs them in its environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from faultset.bucket import Credentials

DEFAULT = "FAULTSET_S3_CONNECTION"
"""Names the connection for every ``s3://`` URI that names none; unset: the environment's ``AWS_...`` variables."""


def of_connection(name: str) -> Credentials | None:
    """Return what ``name`` in ``s3://name@bucket`` stands for; None where no name is given and there is no default.

    Raises:
        SetupError: there is no such connection, or it is of another type or of a kind that is not supported.
    """
    name = name or os.environ.get(DEFAULT, "")
    if not name:
        return None
    from faultset.errors import SetupError

    try:
        found = Connection.get(name)
    except AirflowNotFoundException:
        raise SetupError(f"connection {name}", "Airflow knows no such connection", "add one of type aws") from None
    if found.conn_type != "aws":
        raise SetupError(f"connection {name}", f"it is of type {found.conn_type}", "name one of type aws")
    return _credentials(found)


def _credentials(found: Connection) -> Credentials:
    from faultset.bucket import Credentials
    from faultset.errors import SetupError

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
