"""How many tasks of a kind run at once: bounds that leave room for others.

Pools of Airflow's bound them where the environment of the scheduler names some. A pool that does not exist holds its
tasks up for ever, so that by default there is none but Airflow's own.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk.configuration import conf

DEFAULT = "default_pool"
JUDGES = os.environ.get("FAULTSET_POOL_JUDGES") or DEFAULT
LARGE = os.environ.get("FAULTSET_POOL_LARGE") or DEFAULT

# Without a pool large experiments leave half of the usual four workers to all others.
OF_LARGE: dict[str, Any] = (
    {"pool": LARGE} if LARGE != DEFAULT else {"pool": DEFAULT, "max_active_tis_per_dagrun": 2}
) | {"weight_rule": "absolute", "priority_weight": 1}
# What is small comes first wherever both wait for a worker.
OF_SMALL: dict[str, Any] = {"weight_rule": "absolute", "priority_weight": 10}


def most_of_a_rebuild() -> int:
    """Return how many tasks of a rebuild may be at work at once: one fewer than Airflow runs.

    Thousands of changed experiments take hours. With every worker at them, dropped runs would wait as long for their
    verdict, and candidates for a person.
    """
    usual: int = conf.getint("core", "max_active_tasks_per_dag")
    workers: int = conf.getint("core", "parallelism")
    return min(usual, max(1, workers - 1)) if workers else usual
