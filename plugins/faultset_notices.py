"""Notices: any notifier of Airflow's that the environment names, of failed runs, missed deadlines and stale datasets.

Here, and not beside the DAGs, because deadlines are told of in the triggerer, which imports plugins alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultset.settings import Settings
    from faultset.storage.credentials import Credentials

log = logging.getLogger(__name__)

_MOST_NAMED = 20


def notifiers() -> list[Any]:
    """Return the notifiers that ``FAULTSET_NOTIFIERS`` names; none by default.

    Its value is a JSON list of ``{"class": "package.module.Name", "arguments": {...}}``. Arguments are templates of
    Airflow's; secrets belong into the connection that the notifier uses, never in here.
    """
    declared = json.loads(os.environ.get("FAULTSET_NOTIFIERS") or "[]")
    return [_notifier(one["class"], one.get("arguments", {})) for one in declared]


def _notifier(path: str, arguments: dict[str, Any]) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**arguments)


# --- in the triggerer -------------------------------------------------------------------------------------------------


async def not_ended_in_time(hours: float, context: dict[str, Any]) -> str:
    """Tell that a run has not ended in time; returns what was told."""
    return await _tell(context, f"it has not ended within {hours:g} h")


async def datasets_not_refreshed(hours: float, context: dict[str, Any]) -> str:
    """Tell of datasets that no rebuild found up to date for so long; returns what was told, or that all are fresh."""
    from faultset.settings import Settings
    from faultset.storage.bucket import Bucket, is_bucket
    from faultset_connections import of_connection_in_a_trigger

    settings = Settings.from_environment()
    found = None
    if is_bucket(settings.catalog):
        found = await of_connection_in_a_trigger(Bucket.at(settings.catalog).connection)
    stale = await asyncio.to_thread(_stale, settings, found)
    if not stale:
        return "all datasets are fresh"
    shown = ", ".join(stale[:_MOST_NAMED]) + (f" and {len(stale) - _MOST_NAMED} more" if stale[_MOST_NAMED:] else "")
    return await _tell(context, f"{len(stale)} datasets were not brought up to date for {hours:g} h or ever: {shown}")


def _stale(settings: Settings, found: Credentials | None) -> list[str]:
    from faultset import pipeline
    from faultset.storage.credentials import credentials

    with credentials(lambda _name: found):
        return pipeline.stale(settings)


async def _tell(context: dict[str, Any], reason: str) -> str:
    """Hand the notifiers what they are handed of a failed run, as far as it is known here, and the reason."""
    from airflow.sdk import DAG

    run = SimpleNamespace(**context["dag_run"])
    told = {
        "dag": DAG(run.dag_id, schedule=None),
        "dag_run": run,
        "run_id": run.dag_run_id if hasattr(run, "dag_run_id") else run.run_id,
        "reason": reason,
        "deadline": context.get("deadline"),
    }
    log.warning("%s: %s", run.dag_id, reason)
    for notifier in notifiers():
        notifier.context = dict(told)
        try:
            await notifier
        except NotImplementedError:  # one that knows no other way than to wait
            await asyncio.to_thread(notifier, dict(told))
    return reason
