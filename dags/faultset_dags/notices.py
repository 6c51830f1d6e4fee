"""Notices of failure: any notifier of Airflow's, named by the environment of the scheduler."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any


def on_failure() -> list[Any]:
    """Return the notifiers that ``FAULTSET_NOTIFIERS`` names, for ``on_failure_callback``; none by default.

    Its value is a JSON list of ``{"class": "package.module.Name", "arguments": {...}}``. Arguments are templates of
    Airflow's; secrets belong into the connection that the notifier uses, never in here.
    """
    declared = json.loads(os.environ.get("FAULTSET_NOTIFIERS") or "[]")
    return [_notifier(one["class"], one.get("arguments", {})) for one in declared]


def _notifier(path: str, arguments: dict[str, Any]) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**arguments)
