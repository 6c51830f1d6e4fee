"""Pools of Airflow's that bound how many tasks of a kind run at once; named by the environment of the scheduler.

A pool that does not exist holds its tasks up for ever, so that by default there is none but Airflow's own.
"""

from __future__ import annotations

import os
from typing import Any

DEFAULT = "default_pool"
JUDGES = os.environ.get("FAULTSET_POOL_JUDGES") or DEFAULT
LARGE = os.environ.get("FAULTSET_POOL_LARGE") or DEFAULT

# Without a pool large experiments leave half of the usual four workers to all others.
OF_LARGE: dict[str, Any] = (
    {"pool": LARGE} if LARGE != DEFAULT else {"pool": DEFAULT, "max_active_tis_per_dagrun": 2}
) | {"weight_rule": "absolute", "priority_weight": 1}
# What is small comes first wherever both wait for a worker.
OF_SMALL: dict[str, Any] = {"weight_rule": "absolute", "priority_weight": 10}
