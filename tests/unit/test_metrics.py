"""Metrics: how they follow from what happens, that they stay few, and how Airflow's own backends name them."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from faultset.pipeline import freshness, metrics, observing
from faultset.pipeline.metrics import METRICS, MetricsObserver
from faultset.pipeline.observing import Begun, Ended, Watch, observed, tell
from faultset.pipeline.outcomes import Outcome
from faultset.settings import Settings
from monitoring import collector

ROOT = Path(__file__).resolve().parents[2]


class Book:
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.levels: dict[tuple[str, ...], float] = {}

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        self.counts[(name, *labels.values())] += value
        declared(name, "counter", labels)

    def level(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        self.levels[(name, *labels.values())] = value
        declared(name, "gauge", labels)


def declared(name: str, kind: str, labels: Mapping[str, str]) -> None:
    [metric] = [one for one in METRICS if one.name == name]
    assert metric.type == kind
    assert list(labels) == list(metric.labels)
    assert all(value in metric.labels[label] for label, value in labels.items())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "catalog").mkdir()
    return Settings(str(tmp_path / "catalog"), str(tmp_path / "datasets"))


@pytest.fixture
def book(settings: Settings) -> Iterator[Book]:
    kept = Book()
    with observed(MetricsObserver(kept, settings)):
        yield kept


def test_a_piece_of_work_counts_once_with_its_time_and_its_findings(book: Book) -> None:
    tell(Ended(Begun("run", "judge", "a"), "rejected", 2.5, "because", {"critical": 2, "info": 0}))
    assert book.counts == {
        ("work", "judge", "rejected"): 1,
        ("work_seconds", "judge"): 2.5,
        ("findings", "judge", "critical"): 2,
    }


def test_a_rebuild_of_all_tells_what_became_of_the_experiments_and_how_many_are_stale(
    book: Book, settings: Settings
) -> None:
    outcomes = [Outcome("a", "candidate"), Outcome("b", "unchanged"), Outcome("c", "failed"), Outcome("d", "trouble")]
    freshness.note(outcomes, settings, of_all=True)
    found = {key: value for key, value in book.levels.items() if key[0].startswith("experiments")}
    assert found == {
        ("experiments", "candidate"): 1,
        ("experiments", "unchanged"): 1,
        ("experiments", "failed"): 2,
        ("experiments_stale",): 2,
    }


def test_a_rebuild_of_some_says_nothing_of_the_others(book: Book, settings: Settings) -> None:
    freshness.note([Outcome("a", "candidate"), Outcome("b", "failed")], settings, of_all=True)
    book.levels.clear()
    freshness.note([Outcome("b", "candidate")], settings, of_all=False)
    assert book.levels == {}
    assert freshness.known(settings).at.keys() == {"a", "b"}


def test_an_experiment_is_stale_where_no_rebuild_found_it_up_to_date_for_long() -> None:
    known = freshness.Known(of_all=1000.0, at={"old": 100.0, "older": 50.0, "fresh": 950.0})
    assert known.stale(["fresh", "old", "older", "never"], after_s=500, now=1000) == ["never", "older", "old"]
    assert freshness.Known().stale(["a"], after_s=500, now=1000) == []


def test_work_goes_on_where_an_observer_fails_and_no_text_of_its_error_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: observing.Happening) -> None:
        msg = "password=CANARY"
        raise ValueError(msg)

    with observed(broken):
        Watch("run", "build", "a").ended("candidate")
    assert "ValueError" in caplog.text
    assert "CANARY" not in caplog.text


def test_labels_have_few_values_and_no_name_of_an_experiment_is_one() -> None:
    series = [math.prod(len(values) for values in metric.labels.values()) for metric in METRICS]
    assert max(series) <= 60
    assert {label for metric in METRICS for label in metric.labels} == {
        "stage",
        "outcome",
        "severity",
        "state",
        "waits_for",
    }


# --- Airflow's own backends -------------------------------------------------------------------------------------------

SEND = """
import sys
sys.path.insert(0, "dags")
from airflow.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
from faultset_dags.observers import AirflowMeter, _keeps_labels, metrics_are_on
assert metrics_are_on()
meter = AirflowMeter(in_names=not _keeps_labels())
meter.count("work", 1, {"stage": "build", "outcome": "candidate"})
meter.count("work_seconds", 1.25, {"stage": "build"})
meter.level("datasets", 3, {})
"""


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(30)
        yield listener


def sent(home: Path, **configuration: str) -> list[str]:
    """What Airflow sends over StatsD, a line each."""
    with listening() as listener:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(listener.getsockname()[1]),
            **{f"AIRFLOW__METRICS__{key.upper()}": value for key, value in configuration.items()},
        }
        subprocess.run([sys.executable, "-c", SEND], cwd=ROOT, env=environment, check=True, capture_output=True)
        lines = iter(lambda: listener.recv(2000).decode(), "")
        return list(itertools.islice((line for line in lines if line.startswith("airflow.faultset.")), 3))


def test_over_plain_statsd_values_of_labels_are_parts_of_the_name(tmp_path: Path) -> None:
    assert sent(tmp_path) == [
        "airflow.faultset.work.build.candidate:1|c",
        "airflow.faultset.work_seconds.build:1.25|c",
        "airflow.faultset.datasets:3|g",
    ]


def test_over_statsd_with_tags_they_are_tags(tmp_path: Path) -> None:
    assert sent(tmp_path, statsd_influxdb_enabled="True") == [
        "airflow.faultset.work,stage=build,outcome=candidate:1|c",
        "airflow.faultset.work_seconds,stage=build:1.25|c",
        "airflow.faultset.datasets:3|g",
    ]


def test_over_opentelemetry_they_are_attributes_of_differences_that_a_collector_adds_up(tmp_path: Path) -> None:
    with collector() as told:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": told.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        }
        for _ in range(2):  # as two tasks, each a process of its own
            subprocess.run([sys.executable, "-c", SEND], cwd=ROOT, env=environment, check=True, capture_output=True)
    work = ("airflow.faultset.work", (("outcome", "candidate"), ("stage", "build")))
    assert told.sums[work] == 2
    assert told.sums["airflow.faultset.work_seconds", (("stage", "build"),)] == 2.5
    assert told.levels["airflow.faultset.datasets", ()] == 3
    assert not any(name.startswith("airflow.faultset.") for name in told.others)


def test_every_stage_and_outcome_that_is_told_is_declared() -> None:
    assert set(metrics.STAGES) == set(observing.Stage.__args__)


# --- what operators are given -----------------------------------------------------------------------------------------


def in_prometheus(metric: metrics.Metric) -> str:
    return f"airflow_faultset_{metric.name}" + ("_total" if metric.type == "counter" else "")


def test_the_mapping_makes_labels_of_all_parts_of_the_names() -> None:
    rules = yaml.safe_load((ROOT / "deploy" / "grafana" / "statsd-mapping.yaml").read_text())["mappings"]
    assert [(rule["match"], rule["name"], rule.get("labels", {})) for rule in rules] == [
        (
            f"airflow.faultset.{metric.name}{'.*' * len(metric.labels)}",
            in_prometheus(metric),
            {label: f"${place}" for place, label in enumerate(metric.labels, start=1)},
        )
        for metric in METRICS
    ]


@pytest.mark.parametrize("file", ["faultset.json", "alerts.yaml"])
def test_dashboard_and_alerts_ask_for_metrics_and_labels_that_there_are(file: str) -> None:
    text = (ROOT / "deploy" / "grafana" / file).read_text()
    known = {in_prometheus(metric): metric.labels for metric in METRICS}
    asked = re.findall(r"(airflow_faultset_\w+)(?:\{([^}]*)\})?", text)
    assert asked
    for name, selection in asked:
        for label, values in re.findall(r'(\w+)=~?\\?"([^"\\]*)', selection):
            assert set(values.split("|")) <= set(known[name][label])
        assert name in known


def test_every_metric_is_drawn_and_described() -> None:
    board = (ROOT / "deploy" / "grafana" / "faultset.json").read_text()
    page = (ROOT / "docs" / "how-to" / "observe.md").read_text()
    for metric in METRICS:
        assert in_prometheus(metric) in board
        labels = ", ".join(f"`{label}`: {' '.join(values)}" for label, values in metric.labels.items()) or "-"
        assert f"| `{metric.name}` | {metric.type} | {metric.unit} | {labels} | {metric.meaning} |" in page
