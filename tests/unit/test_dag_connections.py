"""Credentials of object storage come from Airflow's connections, and go nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from faultset.errors import SetupError
from faultset.storage.credentials import Credentials, credentials, credentials_for

KEYS = {"conn_type": "aws", "login": "AKIDLAB", "password": "lab-secret"}


@pytest.fixture
def of_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from faultset_connections import of_connection

    return of_connection


def connection(monkeypatch: pytest.MonkeyPatch, name: str, **values: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({**KEYS, **values}))


def test_a_connection_gives_keys_region_and_endpoint(of_connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"region_name": "eu-central-1", "endpoint_url": "https://s3.lab", "aws_session_token": "token"}
    connection(monkeypatch, "lab", extra=extra)
    expected = Credentials("AKIDLAB", "lab-secret", "token", "eu-central-1", "https://s3.lab")
    before = dict(os.environ)
    with credentials(of_connection):
        assert credentials_for("lab") == expected
        assert dict(os.environ) == before
    with pytest.raises(SetupError, match="this connection is not known here"):
        credentials_for("lab")


def test_a_default_connection_stands_for_addresses_without_one(
    of_connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection(monkeypatch, "lab")
    with credentials(of_connection):
        assert credentials_for("") == Credentials.from_environment()
    monkeypatch.setenv("FAULTSET_S3_CONNECTION", "lab")
    with credentials(of_connection):
        assert credentials_for("").access_key_id == "AKIDLAB"


def test_a_connection_that_leads_nowhere_is_one_clear_line(of_connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection(monkeypatch, "database", conn_type="postgres")
    connection(monkeypatch, "role", extra={"role_arn": "arn:aws:iam::1:role/x"})
    for name, said in (("none", "knows no such"), ("database", "of type postgres"), ("role", "takes on a role")):
        with credentials(of_connection), pytest.raises(SetupError, match=said) as error:
            credentials_for(name)
        assert "lab-secret" not in str(error.value)


@pytest.fixture
def of_archive(of_connection: Any) -> Any:
    from faultset_connections import of_archive

    return of_archive


def test_a_connection_gives_the_token_and_the_address_of_an_archive(
    of_archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTSET_ZENODO_CONNECTION", "archive")
    monkeypatch.setenv("FAULTSET_HUGGINGFACE_CONNECTION", "hub")
    connection(monkeypatch, "archive", conn_type="http", host="sandbox.zenodo.org", password="a-token")
    connection(monkeypatch, "hub", conn_type="http", password="another", extra={"namespace": "a-lab"})
    zenodo, hub = of_archive("zenodo"), of_archive("huggingface")
    assert (zenodo.url, zenodo.token) == ("https://sandbox.zenodo.org", "a-token")
    assert (hub.url, hub.token, hub.namespace) == ("https://huggingface.co", "another", "a-lab")
    assert "token" not in repr(zenodo)


def test_an_archive_without_a_connection_is_left_to_the_environment(
    of_archive: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert of_archive("zenodo") is None
    monkeypatch.setenv("FAULTSET_ZENODO_CONNECTION", "archive")
    with pytest.raises(SetupError, match="Airflow knows no such connection; add one of type http"):
        of_archive("zenodo")
    connection(monkeypatch, "archive", conn_type="http", password="")
    with pytest.raises(SetupError, match="connection archive: it has no password"):
        of_archive("zenodo")
