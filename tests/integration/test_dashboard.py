"""The dashboard and the alerts on a real Prometheus that has every series which there can be."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dashboard import compared, of_alerts, of_panels
from e2e.conftest import wait_for
from faultset.pipeline.metrics import METRICS
from monitoring import StatsD, prometheus, prometheus_is_there

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not prometheus_is_there(), reason="there is no prometheus; tools/prometheus installs it"),
]


def every_series() -> StatsD:
    server = StatsD()
    for metric in METRICS:
        for values in itertools.product(*metric.labels.values()):
            kind = "c" if metric.type == "counter" else "g"
            server.take(f"{'.'.join(['airflow.faultset', metric.name, *values])}:3|{kind}")
    for name in ("queued_tasks", "running_tasks", "open_slots"):
        server.take(f"airflow.executor.{name}:3|g")
    return server


def queries() -> set[str]:
    return {compared(one) for one in (*of_panels(), *of_alerts())}


def test_every_query_of_dashboard_and_alerts_has_an_answer(tmp_path: Path) -> None:
    with prometheus(every_series(), tmp_path, wait_for) as asked:
        assert len(queries()) > 20
        assert {query for query in queries() if not asked.ask(query)} == set()
        assert asked.ask("airflow_faultset_nothing") == []
