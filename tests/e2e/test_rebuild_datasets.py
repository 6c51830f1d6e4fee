"""The DAG on a real scheduler, started over the REST API, with one experiment broken on purpose."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.conftest import ROOT, Airflow, running_airflow

pytestmark = pytest.mark.e2e

SHARED = ROOT.parent / "shared" / "real"
BROKEN = "neutron-agents-restart"
SECRET = re.compile(r"(?:password|private_key_file):\s*(\S+)|sshpass -p ['\"]?([^'\"\s]+)")
REAL = {
    "msod-nova": ("j_boot_delete_report.html", "j_boot_delete_output.json", "nova"),
    "msod-glance": ("j_image_output.html", "j_image_output.json", "glance"),
    "msod-neutron": ("j_network_report.html", "j_network_output.json", "neutron"),
}


def catalogue(folder: Path) -> None:
    """The samples, one of them with half a report; beside them the real experiments, where they are at hand."""
    shutil.copytree(ROOT / "experiments", folder)
    report = folder / BROKEN / "report.html"
    report.write_bytes(report.read_bytes()[: report.stat().st_size // 2])
    for slug, (html, results, scripts) in REAL.items() if SHARED.is_dir() else ():
        run = {
            "report": str(SHARED / "msod" / html),
            "results": str(SHARED / "msod" / results),
            "hook_scripts": sorted(str(path) for path in (SHARED / "hook_scripts" / scripts).iterdir()),
        }
        cluster = str(SHARED / "msod" / "os-faults-latest.yaml")
        entry = {"title": slug, "description": slug, "cluster": cluster, "runs": [run]}
        (folder / slug).mkdir()
        (folder / slug / "experiment.yaml").write_text(yaml.safe_dump(entry))


def secrets_of(*folders: Path) -> set[str]:
    texts = [path.read_text(errors="replace") for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {word for text in texts for found in SECRET.findall(text) for word in found if word}


def texts_of(value: Any) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(inner)


@dataclass(frozen=True)
class Ended:
    """What is left of a run."""

    airflow: Airflow
    catalog: Path
    datasets: Path
    run: dict[str, Any]

    def of_run(self, path: str) -> Any:
        return self.airflow.call("GET", f"/api/v2/dags/rebuild_datasets/dagRuns/{self.run['dag_run_id']}/{path}")

    def others(self) -> list[str]:
        return sorted(folder.name for folder in self.catalog.iterdir() if folder.name != BROKEN)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("rebuild")
    catalog, datasets = folder / "catalog", folder / "datasets"
    catalogue(catalog)
    environment = {"FAULTSET_CATALOG": str(catalog), "FAULTSET_DATASETS": str(datasets)}
    with running_airflow(folder / "airflow", environment) as airflow:
        yield Ended(airflow, catalog, datasets, airflow.run("rebuild_datasets", {}, 600))


def test_one_broken_experiment_never_blocks_the_others(ended: Ended) -> None:
    assert len(ended.others()) >= 2
    for slug in ended.others():
        latest = json.loads((ended.datasets / slug / "latest.json").read_text())
        assert (ended.datasets / slug / latest["version"] / "manifest.json").is_file()
    assert not (ended.datasets / BROKEN / "latest.json").exists()


def test_the_run_ends_failed_naming_the_broken_experiment_and_why(ended: Ended) -> None:
    assert ended.run["state"] == "failed"
    reason = ended.of_run("taskInstances/report/xcomEntries/reason")["value"]
    assert reason.startswith(f"{BROKEN}: ")
    assert "report.html" in reason
    assert "\n" not in reason
    log = ended.of_run("taskInstances/report/logs/1")
    assert any(reason in text for text in texts_of(log))
    outcomes = ended.of_run("taskInstances/report/xcomEntries/outcomes")["value"]
    assert {slug: outcomes[slug] for slug in ended.others()} == dict.fromkeys(ended.others(), "published")


def test_wrong_input_is_not_retried(ended: Ended) -> None:
    tasks = ended.of_run("taskInstances?limit=100")["task_instances"]
    failed = [task for task in tasks if task["state"] == "failed" and task["task_id"] != "report"]
    assert [(task["task_id"], task["rendered_map_index"]) for task in failed] == [("rebuild.extract", BROKEN)]
    assert [task["try_number"] for task in failed] == [1]


def test_each_new_version_is_an_event_of_its_partition(ended: Ended) -> None:
    events = ended.airflow.call("GET", "/api/v2/assets/events?source_dag_id=rebuild_datasets")["asset_events"]
    expected = {}
    for slug in ended.others():
        latest = json.loads((ended.datasets / slug / "latest.json").read_text())
        expected[slug] = {"slug": slug, **latest}
    assert {event["partition_key"]: event["extra"] for event in events} == expected
    assert len(events) == len(expected)


def test_only_references_travel_between_the_tasks(ended: Ended) -> None:
    entries = ended.of_run("taskInstances/~/xcomEntries?limit=200")["xcom_entries"]
    for entry in entries:
        path = f"taskInstances/{entry['task_id']}/xcomEntries/{entry['key']}?map_index={entry['map_index']}"
        value = ended.of_run(path)["value"]
        # A list has a reference for each experiment or file.
        assert all(len(json.dumps(item)) < 2000 for item in (value if isinstance(value, list) else [value]))


def test_no_secret_of_the_inputs_is_anywhere_after_the_run(ended: Ended) -> None:
    secrets = secrets_of(ended.catalog, *([SHARED / "msod", SHARED / "hook_scripts"] if SHARED.is_dir() else []))
    assert secrets
    words = [word.encode() for word in secrets | {"CANARY"}]
    written = [p for root in (ended.datasets, ended.airflow.home) for p in root.rglob("*") if p.is_file()]
    assert written
    assert [(path, word) for path in written for word in words if word in path.read_bytes()] == []
