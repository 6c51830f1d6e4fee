"""Asks Airflow's REST API how its parts are, where ``FAULTSET_AIRFLOW_URL`` says where it is."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from faultset.errors import printable
from faultset.settings import ARCHIVES
from faultset.storage.bucket import Bucket, is_bucket, public

_TIMEOUT_S = 5.0
_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_URL, _TOKEN = "FAULTSET_AIRFLOW_URL", "FAULTSET_AIRFLOW_TOKEN"
_POOLS = ("FAULTSET_POOL_JUDGES", "FAULTSET_POOL_LARGE")
_CONNECTIONS = ("FAULTSET_S3_CONNECTION", *(f"FAULTSET_{archive.upper()}_CONNECTION" for archive in ARCHIVES))
_DAGS = ("rebuild_datasets", "publish_dataset", "validate_reports", "maintain_datasets", "deposit_versions")
_LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to say: ``wrong`` is empty where all is well."""

    well: str = ""
    wrong: str = ""


class _Unanswered(Exception):  # noqa: N818 (a reason)
    """Why there is no answer; ``status``: of HTTP, 0 where nobody answered."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


def health(environment: Mapping[str, str]) -> Found:
    """Return whether each part of Airflow says that it is well."""
    url = environment.get(_URL, "")
    if not url:
        return Found(f"not asked, since {_URL} is not set")
    try:
        said = _get(url, "/api/v2/monitor/health", "")
    except _Unanswered as error:
        return Found(wrong=str(error))
    found = {part: (said.get(part) or {}).get("status") or "missing" for part in _PARTS}
    ill = [f"{part} is {status}" for part, status in found.items() if status != "healthy"]
    return Found(f"{', '.join(found)} are well, at {_shown(url)}", ", ".join(ill))


def dags(environment: Mapping[str, str]) -> Found:
    """Return whether Airflow has read all DAGs, and none is paused: what is not there, or paused, never runs."""
    asked = _Asked.of(environment)
    if asked is None:
        return Found(_not_asked("DAGs", environment))
    try:
        said = asked.get("/api/v2/dags?tags=faultset&exclude_stale=true&limit=100").get("dags", ())
        errors = asked.get("/api/v2/importErrors?limit=100").get("import_errors", ())
    except _Unanswered as error:
        return Found(wrong=str(error))
    there = {dag["dag_id"]: dag for dag in said}
    # A file that can be read no more keeps the DAG of its last reading, which runs no more.
    broken = {str(one["filename"]).rpartition("/")[2].removesuffix(".py"): _last_line(one) for one in errors}
    unread = [f"{name}.py cannot be read: {broken[name]}" for name in _DAGS if name in broken]
    missing = [name for name in _DAGS if name not in there and name not in broken]
    paused = [name for name in _DAGS if name in there and name not in broken and there[name]["is_paused"]]
    wrong = unread[:1]
    if len(unread) > 1:
        wrong.append(f"{len(unread) - 1} more DAG files cannot be read either")
    wrong += [f"{', '.join(missing)} not read from the DAG folder"] if missing else []
    wrong += [f"{', '.join(paused)} paused"] if paused else []
    return Found(f"all {len(_DAGS)} are read, none is paused", "; ".join(wrong))


def _last_line(error: Mapping[str, Any]) -> str:
    lines = str(error.get("stack_trace", "")).strip().splitlines() or ["see Airflow's import errors"]
    return printable(lines[-1], _LONGEST_REASON)


def connections(environment: Mapping[str, str], uris: Sequence[str]) -> Found:
    """Return whether the connections that settings or addresses name are there; whoever needs one that is not fails.

    Args:
        environment: of this process; a connection may be there as ``AIRFLOW_CONN_NAME``, too.
        uris: that may name a connection, as in ``s3://name@bucket``.
    """
    named = {environment[name]: name for name in _CONNECTIONS if environment.get(name)}
    named |= {Bucket.at(uri).connection: public(uri) for uri in uris if is_bucket(uri)}
    named.pop("", None)
    left = {name: by for name, by in named.items() if f"AIRFLOW_CONN_{name.upper()}" not in environment}
    if not left:
        return Found(f"{', '.join(named)} in the environment" if named else "none is named")
    asked = _Asked.of(environment)
    if asked is None:
        return Found(_not_asked(", ".join(left), environment))
    try:
        missing = [name for name in left if not asked.has(f"/api/v2/connections/{quote(name, safe='')}")]
    except _Unanswered as error:
        return Found(wrong=str(error))
    wrong = ", ".join(f"{name}, which {left[name]} names, does not exist" for name in missing)
    return Found(f"{', '.join(named)} there", wrong)


def pools(environment: Mapping[str, str]) -> Found:
    """Return whether the pools that the settings name are there; a task of a pool that is not waits for ever."""
    named = [environment[name] for name in _POOLS if environment.get(name)]
    if not named:
        return Found("none is named")
    asked = _Asked.of(environment)
    if asked is None:
        return Found(_not_asked(", ".join(named), environment))
    try:
        said = asked.get("/api/v2/pools?limit=1000")
    except _Unanswered as error:
        return Found(wrong=str(error))
    there = {pool["name"]: pool["slots"] for pool in said.get("pools", ())}
    missing = [name for name in named if name not in there]
    empty = [name for name in named if there.get(name) == 0]
    wrong = [f"{name} does not exist" for name in missing] + [f"{name} has no slots" for name in empty]
    told = ", ".join(f"{name} with {there[name]} slots" for name in named if name in there)
    return Found(told, ", ".join(wrong))


@dataclass(frozen=True, slots=True)
class _Asked:
    """An Airflow that may be asked."""

    url: str
    token: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> _Asked | None:
        """Return it, where the environment says where it is and who asks."""
        url, token = environment.get(_URL, ""), environment.get(_TOKEN, "")
        return cls(url, token) if url and token else None

    def get(self, path: str) -> dict[str, Any]:
        """Return what is at a path."""
        return _get(self.url, path, self.token)

    def has(self, path: str) -> bool:
        """Whether there is anything at a path."""
        try:
            self.get(path)
        except _Unanswered as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True


def _not_asked(what: str, environment: Mapping[str, str]) -> str:
    return f"{what} not asked for, since {_TOKEN if environment.get(_URL) else _URL} is not set"


def _get(url: str, path: str, token: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise _Unanswered(f"{_URL} is no address that starts with http:// or https://")
    request = urllib.request.Request(url.rstrip("/") + path)  # noqa: S310 (checked above)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            said: Any = json.load(answer)
    except urllib.error.HTTPError as error:
        told = f"{_shown(url)} answers {error.code} to {path.partition('?')[0]}"
        raise _Unanswered(told, error.code) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = os.strerror(reason.errno) if isinstance(reason, OSError) and reason.errno else type(reason).__name__
        raise _Unanswered(f"{_shown(url)} does not answer ({why})") from None
    return said if isinstance(said, dict) else {}


def _shown(url: str) -> str:
    """Return an address without who asks."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0].rstrip('/')}"
