"""Lineage of builds and publishing: what was read, what was written, and nothing that is not for everybody's eyes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import lineage_events
from faultset import pipeline, simulator
from faultset.errors import InputError
from faultset.pipeline.lineage import LineageObserver, Parent, name_of
from faultset.pipeline.observing import Begun, observed, observed_by_environment
from faultset.settings import Settings

pytestmark = pytest.mark.integration

SLUG, BROKEN = "restart", "broken"
CANARY = "CANARY7f3a"
PARENT = Parent("01890a5d-ac96-774b-bcce-b302099a8057", "here", "rebuild_datasets")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    base = tmp_path_factory.mktemp("lineage")
    for slug in (SLUG, BROKEN):
        simulator.simulate("nova-compute-restart", base / "catalog" / slug, seed=1, iterations=30, metric_seconds=60)
    report = base / "catalog" / BROKEN / "report.html"
    report.write_bytes(report.read_bytes()[: report.stat().st_size // 2])
    cluster = base / "catalog" / SLUG / "os-faults.yaml"
    declared = yaml.safe_load(cluster.read_text())
    declared["cloud_management"]["args"] = {
        **declared["cloud_management"].get("args", {}),
        "auth": {"username": "stack", "password": CANARY},
    }
    cluster.write_text(yaml.safe_dump(declared))
    return Settings(str(base / "catalog"), str(base / "datasets"))


@pytest.fixture(scope="module")
def events(settings: Settings) -> list[dict[str, Any]]:
    sent: list[Any] = []
    with observed(LineageObserver(sent.append, settings, "here", PARENT)):
        built = pipeline.build(SLUG, settings)
        pipeline.publish_by_hand(built, settings, reason="a test")
        with pytest.raises(InputError):
            pipeline.build(BROKEN, settings)
    return lineage_events.of(sent)


def of(events: list[dict[str, Any]], job: str, state: str) -> dict[str, Any]:
    [found] = [one for one in events if (one["job"]["name"], one["eventType"]) == (job, state)]
    return found


def test_every_event_is_as_the_specification_says(events: list[dict[str, Any]]) -> None:
    assert len(events) == 6
    assert [problem for event in events for problem in lineage_events.problems(event)] == []


def test_a_judge_of_events_sees_what_is_wrong_with_one(events: list[dict[str, Any]]) -> None:
    event = json.loads(json.dumps(of(events, f"faultset.publish.{SLUG}", "COMPLETE")))
    event["run"]["runId"] = "no UUID"
    event["outputs"][0]["facets"]["version"]["datasetVersion"] = 1
    event["outputs"][0]["facets"]["schema"]["fields"][0]["kind"] = "table"
    assert len(lineage_events.problems(event)) == 3


def test_a_build_reads_the_files_that_the_catalog_declares(events: list[dict[str, Any]], settings: Settings) -> None:
    inputs = of(events, f"faultset.build.{SLUG}", "COMPLETE")["inputs"]
    read = {one["name"] for one in inputs}
    folder = Path(settings.catalog) / SLUG
    assert {str(folder / "report.html"), str(folder / "os-faults.yaml")} <= read
    assert {one["namespace"] for one in inputs} == {"file"}
    assert all(Path(name).is_file() for name in read)
    assert all(one["facets"]["version"]["datasetVersion"].startswith("sha256:") for one in inputs)
    sizes = {one["name"]: one["inputFacets"]["dataQualityMetrics"]["bytes"] for one in inputs}
    assert sizes == {name: Path(name).stat().st_size for name in read}


def test_publishing_writes_the_dataset_with_version_and_columns(
    events: list[dict[str, Any]], settings: Settings
) -> None:
    event = of(events, f"faultset.publish.{SLUG}", "COMPLETE")
    [dataset] = event["outputs"]
    assert (dataset["namespace"], dataset["name"]) == ("file", f"{settings.datasets}/{SLUG}")
    assert dataset["facets"]["version"]["datasetVersion"] == "1.0.0"
    tables = {one["name"]: one["fields"] for one in dataset["facets"]["schema"]["fields"]}
    assert {"injections", "targets", "metrics"} <= tables.keys()
    assert tables["injections"][0]["name"] == "injection_id"
    assert tables["injections"][0]["description"]
    manifest = json.loads((Path(settings.datasets) / SLUG / "1.0.0" / "manifest.json").read_text())
    written = dataset["outputFacets"]["outputStatistics"]
    assert written["fileCount"] == len(manifest["files"])
    assert written["size"] == sum(file["bytes"] for file in manifest["files"])
    assert written["rowCount"] == sum(file["rows"] or 0 for file in manifest["files"])


def test_what_was_built_is_what_is_published_with_what_its_validation_found(events: list[dict[str, Any]]) -> None:
    [made] = of(events, f"faultset.build.{SLUG}", "COMPLETE")["outputs"]
    [used] = of(events, f"faultset.publish.{SLUG}", "COMPLETE")["inputs"]
    assert (used["namespace"], used["name"]) == (made["namespace"], made["name"])
    assert used["facets"]["version"] == made["facets"]["version"]
    assertions = used["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert assertions == made["facets"]["dataQualityAssertions"]["assertions"]
    assert {"assertion": "validation.passed", "success": True, "severity": "error", "params": {}} in assertions


def test_beginning_and_end_are_one_run_below_the_run_of_the_dag(events: list[dict[str, Any]]) -> None:
    job = f"faultset.build.{SLUG}"
    begun, ended = of(events, job, "START"), of(events, job, "COMPLETE")
    assert begun["run"]["runId"] == ended["run"]["runId"]
    parent = ended["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (PARENT.run, PARENT.job)


def test_a_build_that_fails_says_why_and_what_it_was_to_read(events: list[dict[str, Any]]) -> None:
    event = of(events, f"faultset.build.{BROKEN}", "FAIL")
    assert "report.html" in event["run"]["facets"]["errorMessage"]["message"]
    assert any(one["name"].endswith("report.html") for one in event["inputs"])
    assert not event.get("outputs")


def test_no_secret_of_the_inputs_is_in_an_event(events: list[dict[str, Any]]) -> None:
    assert CANARY not in json.dumps(events)


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("/data/a.csv", ("file", "/data/a.csv")),
        ("file:///data/a%20b.csv", ("file", "/data/a b.csv")),
        ("s3://conn@bucket/a/b.csv", ("s3://bucket", "a/b.csv")),
        (f"https://me:{CANARY}@host:8443/a?token={CANARY}#{CANARY}", ("https://host:8443", "/a")),
    ],
)
def test_a_dataset_is_named_as_the_specification_says_and_never_with_who_may_read_it(
    uri: str, named: tuple[str, str]
) -> None:
    assert name_of(uri) == named


def test_where_no_transport_is_named_nothing_is_imported() -> None:
    code = (
        "import sys; from faultset import pipeline; from faultset.settings import Settings\n"
        "with pipeline.observed_by_environment(Settings('/a', '/b'), {}): pass\n"
        "print([name for name in sys.modules if name.startswith('openlineage')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_events_go_where_the_environment_says(settings: Settings, tmp_path: Path) -> None:
    written = tmp_path / "events.jsonl"
    environment = {
        "OPENLINEAGE__TRANSPORT__TYPE": "file",
        "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(written),
        "OPENLINEAGE__TRANSPORT__APPEND": "true",
        "OPENLINEAGE_NAMESPACE": "lab",
    }
    with pytest.MonkeyPatch.context() as patch:
        for key, value in environment.items():
            patch.setenv(key, value)
        with observed_by_environment(settings):
            from faultset.pipeline import observing

            observing.tell(Begun("a", "build", SLUG))
    [event] = lineage_events.read(written)
    assert (event["job"]["namespace"], event["job"]["name"]) == ("lab", f"faultset.build.{SLUG}")
