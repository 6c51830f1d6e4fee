"""Airflow as ``deploy/compose.yaml`` lays it out, as plain processes: PostgreSQL, Redis, Celery, S3, two schedulers."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import cluster
from e2e.conftest import Airflow

_REACHED_BY_ALL = 0o711  # PostgreSQL runs as a user of its own where the tests run as root


@dataclass
class ClusterAirflow(Airflow):
    """The usual one's clients on a cluster's parts."""

    parts_of: cluster.Cluster = field(kw_only=True)

    def start(self) -> None:
        self.parts_of.start()
        self.token = self.token_of("admin")

    def password_of(self, user: str) -> str:
        passwords: dict[str, str] = json.loads((self.home / "people" / "passwords.json").read_text())
        return passwords[user]

    def stop(self) -> None:
        self.parts_of.stop()


@contextlib.contextmanager
def running_cluster(
    environment: dict[str, str],
    s3_endpoint: Callable[[str], str] = lambda address: address,
    restore: Callable[[cluster.Cluster], None] = lambda _cluster: None,
    secrets: Path | None = None,
) -> Iterator[ClusterAirflow]:
    """Run all parts; until the end, the environment's credentials are those of its storage.

    Args:
        environment: settings beside those of ``compose.yaml``.
        s3_endpoint: where the parts find the storage, given where it is.
        secrets: a folder of those that are used; without it they are made up.
        restore: brings back what was saved, once there are servers, and nothing in them.
    """
    if why := cluster.missing():
        pytest.skip(why)
    # Not below pytest's own folder, which nobody else may enter.
    home = Path(tempfile.mkdtemp(prefix="cluster-"))
    home.chmod(_REACHED_BY_ALL)
    if secrets is not None:
        shutil.copytree(secrets, home / "secrets")
    parts = cluster.Cluster(home, cluster.free_port(), environment, s3_endpoint=s3_endpoint, restore=restore)
    airflow = ClusterAirflow(home, environment, port=parts.port, parts_of=parts)
    try:
        airflow.start()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in parts.storage().items():
                patch.setenv(name, value)
            yield airflow
    finally:
        airflow.stop()
        shutil.rmtree(home, ignore_errors=True)
