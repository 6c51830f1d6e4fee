"""What a real run tells those who watch it, over StatsD and over OpenTelemetry: every query of the dashboard on it."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dashboard import compared, metrics_of, of_alerts, of_panels
from e2e.conftest import Airflow, running_airflow, wait_for
from faultset import simulator
from monitoring import Exposing, Prometheus, collector, prometheus, prometheus_is_there, statsd

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not prometheus_is_there(), reason="there is no prometheus; tools/prometheus installs it"),
]

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
SMALL, LARGE, ASKED, BROKEN = "small", "large", "asked", "broken"
# All files of the large one are 0.13 MiB, those of each other one less than 0.1.
LARGE_MB = "0.115"
TELEMETRY = {"kind": "metrics", "files": "metrics/*.csv", "time_zone": "Europe/Berlin"}
# Outcome and stage -> pieces of work.
EXPECTED_WORK = {
    ("candidate", "build"): 2,
    ("failed", "build"): 1,
    ("done", "decide"): 1,
    ("candidate", "validate"): 1,
    ("published", "publish"): 2,
    ("rejected", "judge"): 1,
}
# What a run that goes well does not tell, and why; all else has to be there.
NOT_BY_A_RUN = {
    'sum(increase(airflow_faultset_work_total{outcome="trouble"}[30m]))': "nothing of this run's environment fails",
}


def catalogue(folder: Path) -> None:
    """One that is built in one task, one that is divided, one that a person is asked about, one that is broken."""
    for number, slug in enumerate((SMALL, LARGE, ASKED, BROKEN), start=1):
        simulator.simulate("glance-api-restart", folder / slug, seed=number, iterations=30, metric_seconds=60)
        path = folder / slug / "experiment.yaml"
        declared = {**yaml.safe_load(path.read_text()), "approval": "always" if slug == ASKED else "never"}
        if slug != LARGE:
            declared["telemetry"] = [TELEMETRY]
        path.write_text(yaml.safe_dump(declared))
    report = folder / BROKEN / "report.html"
    report.write_bytes(report.read_bytes()[: report.stat().st_size // 2])


def drop(inbox: Path, report: Path) -> None:
    """A run that will be rejected, for it has no cluster, and one that is still being copied."""
    (inbox / "dropped").mkdir(parents=True)
    shutil.copy(report, inbox / "dropped")
    (inbox / "dropped" / "_COMPLETE").touch()
    (inbox / "growing").mkdir()
    (inbox / "growing" / "report.html.part").touch()


@dataclass(frozen=True)
class Way:
    """How metrics leave Airflow.

    Attributes:
        server: takes them.
        configuration: of Airflow.
        environment: of all its processes.
    """

    server: Exposing
    configuration: dict[str, str]
    environment: dict[str, str]


@contextlib.contextmanager
def over_statsd() -> Iterator[Way]:
    with statsd() as server:
        yield Way(server, {"statsd_on": "True", "statsd_host": "127.0.0.1", "statsd_port": str(server.port)}, {})


@contextlib.contextmanager
def over_opentelemetry() -> Iterator[Way]:
    with collector() as told:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": told.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",  # ms; those of the long-lived parts would else come a minute later
        }
        yield Way(told, {"metrics.otel_on": "True"}, environment)


@dataclass(frozen=True)
class Watched:
    """A run that has ended, and the Prometheus that watched it."""

    airflow: Airflow
    datasets: Path
    prometheus: Prometheus


@pytest.fixture(scope="module", params=[over_statsd, over_opentelemetry], ids=["statsd", "opentelemetry"])
def watched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("observed")
    catalogue(folder / "catalog")
    (folder / "inbox").mkdir()
    environment = {
        "FAULTSET_CATALOG": str(folder / "catalog"),
        "FAULTSET_DATASETS": str(folder / "datasets"),
        "FAULTSET_INBOX": str(folder / "inbox"),
        "FAULTSET_LARGE_MB": LARGE_MB,
    }
    with (
        request.param() as way,
        prometheus(way.server, folder, wait_for) as asked,
        running_airflow(
            folder / "airflow",
            {**environment, **way.environment},
            PARTS,
            configuration=way.configuration,
            migrated=migrated,
        ) as airflow,
    ):
        airflow.run("rebuild_datasets", {})
        wait_for("a question", airflow.questions)
        wait_for(
            "the versions", lambda: all((folder / "datasets" / s / "latest.json").exists() for s in (SMALL, LARGE))
        )
        drop(folder / "inbox", folder / "catalog" / BROKEN / "report.html")
        airflow.run("validate_reports", {})
        airflow.run("publish_dataset", {})
        asked.wait_for_two_looks(wait_for)
        yield Watched(airflow, folder / "datasets", asked)


def test_every_query_of_dashboard_and_alerts_is_answered_with_what_a_run_told(watched: Watched) -> None:
    for query in (*of_panels(), *of_alerts()):
        watched.prometheus.ask(query)  # as it is, with its condition: an error where it is no query
    asked = {compared(one): title for one, title in {**of_panels(), **of_alerts()}.items()}
    unanswered = {query: title for query, title in asked.items() if not watched.prometheus.ask(query)}
    assert unanswered.keys() <= NOT_BY_A_RUN.keys(), unanswered
    assert NOT_BY_A_RUN.keys() <= asked.keys()


def test_every_metric_that_is_drawn_is_told_of(watched: Watched) -> None:
    wanted = {name for query in (*of_panels(), *of_alerts()) for name in metrics_of(query)}
    assert {name for name in wanted if not watched.prometheus.ask(name)} == set()


def test_numbers_are_those_of_what_happened(watched: Watched) -> None:
    ask = watched.prometheus.values
    assert ask("airflow_faultset_datasets") == {(): 2}
    assert ask("airflow_faultset_experiments") == {("candidate",): 3, ("unchanged",): 0, ("failed",): 1}
    assert ask("airflow_faultset_experiments_stale") == {(): 1}
    assert ask("airflow_faultset_candidates") == {("nobody",): 0, ("person",): 1}
    assert ask('airflow_faultset_inbox_runs{state="growing"}') == {("growing",): 1}
    work = ask("airflow_faultset_work_total")
    assert {key: work.get(key) for key in EXPECTED_WORK} == EXPECTED_WORK
    manifests = [
        json.loads(path.read_text()) for path in watched.datasets.glob("*/1.0.0/manifest.json") if path.is_file()
    ]
    files = [file for manifest in manifests for file in manifest["files"]]
    assert ask("airflow_faultset_published_bytes_total") == {(): sum(file["bytes"] for file in files)}
    assert ask("airflow_faultset_published_rows_total") == {(): sum(file["rows"] or 0 for file in files)}
