"""What the tasks of every DAG have in common unless the DAG says otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "faultset",
    # Storage in trouble is often well again within minutes; wrong input ends its task without another try.
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(hours=2),
}
