"""What ``deploy/`` declares: no default password, secrets as files, health checks, the same settings everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import cluster

DEPLOY = cluster.COMPOSE.parent
COMPOSE: dict[str, Any] = yaml.safe_load(cluster.COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"migrate", "bucket"}
ONCE_A_DAY = {"clean"}
AIRFLOW = [name for name, service in SERVICES.items() if service.get("command", [])[:1] == ["airflow"]]
HELM: dict[str, Any] = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text())
PRIVATE = re.compile(r"password|secret|_key\b|token|sql_alchemy_conn|broker_url|result_backend", re.IGNORECASE)


def test_every_part_of_airflow_has_the_same_settings() -> None:
    assert set(AIRFLOW) == {"api-server", "scheduler", "dag-processor", "triggerer", "worker"}
    assert [name for name in AIRFLOW if SERVICES[name]["environment"] != SERVICES["migrate"]["environment"]] == []
    assert {name: SERVICES[name]["deploy"]["replicas"] for name in ("scheduler", "worker")} == {
        "scheduler": 2,
        "worker": 2,
    }


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE - ONCE_A_DAY))
def test_what_runs_for_long_is_restarted_and_tells_its_health(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"]


def test_no_secret_stands_in_an_environment() -> None:
    for service in SERVICES.values():
        for name, value in (service.get("environment") or {}).items():
            if PRIVATE.search(name.rpartition("__")[2]):
                assert "/run/secrets/" in str(value) or name.endswith("PASSWORDS_FILE"), name


def test_all_secrets_are_made_up_and_given_only_to_who_needs_them(tmp_path: Path) -> None:
    cluster.write_secrets(tmp_path / "secrets", cluster.Places())
    made = {path.name for path in (tmp_path / "secrets").iterdir()}
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= made
    assert set(COMPOSE["secrets"]) == {name for service in SERVICES.values() for name in _secrets(service)}
    assert "postgres_password" not in _secrets(SERVICES["worker"])
    assert "passwords.json" not in _secrets(SERVICES["worker"])


def _secrets(service: dict[str, Any]) -> set[str]:
    named = service.get("secrets", [])
    return {name for each in named for name in (each if isinstance(each, list) else [each])}


def test_secrets_are_kept_where_they_are_and_are_others_elsewhere(tmp_path: Path) -> None:
    def written(folder: str) -> dict[str, str]:
        cluster.write_secrets(tmp_path / folder, cluster.Places())
        return {path.name: path.read_text() for path in (tmp_path / folder).iterdir()}

    first, again, other = written("one"), written("one"), written("other")
    assert first == again
    assert [name for name in first if first[name] == other[name]] == []
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
    assert json.loads(first["connections.json"])["faultset_s3"]["password"] == first["s3_secret"]


def test_the_chart_and_the_containers_agree_on_how_failures_are_met() -> None:
    for section in ("scheduler", "workers"):
        for key, value in HELM["config"][section].items():
            if key != "task_queued_timeout":  # a pod needs longer than a message
                assert SERVICES["scheduler"]["environment"][f"AIRFLOW__{section}__{key}".upper()] == str(value)


def test_the_chart_and_the_containers_agree_on_where_things_are() -> None:
    declared = SERVICES["worker"]["environment"]
    assert {one["name"]: one["value"] for one in HELM["env"]} == {
        name: value for name, value in declared.items() if not name.startswith("AIRFLOW_")
    }
    assert declared["FAULTSET_S3_CONNECTION"] == HELM["config"]["logging"]["remote_log_conn_id"]


def test_airflow_knows_every_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from airflow.configuration import conf

    # Read by the scheduler and described nowhere; those of the transport are Celery's own.
    undescribed = {("scheduler", "num_stuck_in_queued_retries"), ("celery_broker_transport_options", "*")}
    known = {(section, key) for section, found in conf.configuration_description.items() for key in found["options"]}
    named = {(section, key) for section, keys in HELM["config"].items() for key in keys}
    for name in SERVICES["worker"]["environment"]:
        if name.startswith("AIRFLOW__"):
            section, key = name.removeprefix("AIRFLOW__").lower().split("__")
            named.add((section, "*" if section.endswith("_options") else key.removesuffix("_cmd")))
    assert named - known - undescribed == set()
