"""Asks Airflow's REST API how its parts are, where ``FAULTSET_AIRFLOW_URL`` says where it is."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT_S = 5.0
_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_URL, _TOKEN = "FAULTSET_AIRFLOW_URL", "FAULTSET_AIRFLOW_TOKEN"
_POOLS = ("FAULTSET_POOL_JUDGES", "FAULTSET_POOL_LARGE")


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to say: ``wrong`` is empty where all is well."""

    well: str = ""
    wrong: str = ""


class _Unanswered(Exception):  # noqa: N818 (a reason)
    pass


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


def pools(environment: Mapping[str, str]) -> Found:
    """Return whether the pools that the settings name are there; a task of a pool that is not waits for ever."""
    named = [environment[name] for name in _POOLS if environment.get(name)]
    if not named:
        return Found("none is named")
    url, token = environment.get(_URL, ""), environment.get(_TOKEN, "")
    if not url or not token:
        return Found(f"{', '.join(named)} not asked for, since {_URL if not url else _TOKEN} is not set")
    try:
        said = _get(url, "/api/v2/pools?limit=1000", token)
    except _Unanswered as error:
        return Found(wrong=str(error))
    there = {pool["name"]: pool["slots"] for pool in said.get("pools", ())}
    missing = [name for name in named if name not in there]
    empty = [name for name in named if there.get(name) == 0]
    wrong = [f"{name} does not exist" for name in missing] + [f"{name} has no slots" for name in empty]
    told = ", ".join(f"{name} with {there[name]} slots" for name in named if name in there)
    return Found(told, ", ".join(wrong))


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
        raise _Unanswered(f"{_shown(url)} answers {error.code} to {path.partition('?')[0]}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        why = os.strerror(reason.errno) if isinstance(reason, OSError) and reason.errno else type(reason).__name__
        raise _Unanswered(f"{_shown(url)} does not answer ({why})") from None
    return said if isinstance(said, dict) else {}


def _shown(url: str) -> str:
    """Return an address without who asks."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0].rstrip('/')}"
