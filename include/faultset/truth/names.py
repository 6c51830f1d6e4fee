"""Ids that are stable across rebuilds and readable: they follow from what was read, never from an order of reading."""

from __future__ import annotations

import hashlib
import re

from faultset.moments import iso
from faultset.records.run import Unit, Workload

# What makes an id hard to type, to quote or to put into a path; titles hold it, scenarios do not.
_UNFIT = re.compile(r"[^\w.:-]+")


def workload_id(workload: Workload) -> str:
    """Return an id such as ``NovaServers.boot_and_delete_server-0-e4dd1255``.

    The last part is the head of Rally's own id, which HTML and JSON both hold, so that a run added to an experiment
    never renames the others. Files without one use a hash of scenario, position and creation time.
    """
    token = workload.uuid[:8] if workload.uuid else _hash_of(workload)
    return f"{_UNFIT.sub('_', workload.name)}-{workload.position}-{token}"


def _hash_of(workload: Workload) -> str:
    created = iso(workload.created_at) if workload.created_at else ""
    return hashlib.sha256(f"{workload.name}\n{workload.position}\n{created}".encode()).hexdigest()[:8]


def trigger_id(workload: str, hook_index: int, unit: Unit, value: float) -> str:
    """Return an id such as ``NovaServers.boot_and_delete_server-0-e4dd1255.hook0.iteration250``."""
    return (
        f"{workload}.hook{hook_index}.{unit}{value:g}"
        if value != int(value)
        else (f"{workload}.hook{hook_index}.{unit}{int(value)}")
    )
