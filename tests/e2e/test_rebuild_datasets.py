"""From catalog to versions on a real scheduler, over REST: one experiment broken, people who answer or do not."""

from __future__ import annotations

import collections
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
import yaml

import lineage_events
from e2e.conftest import ROOT, Airflow, running_airflow, wait_for
from faultset import pipeline, simulator
from faultset.settings import Settings

pytestmark = pytest.mark.e2e

SHARED = ROOT.parent / "shared" / "real"
BROKEN = "neutron-agents-restart"
APPROVED, UNASKED = "nova-compute-restart", "glance-api-restart"
REFUSED, UNANSWERED, OUTDATED = "refused", "unanswered", "outdated"
POLICIES: dict[str, Any] = {
    APPROVED: "always",
    UNASKED: "never",
    REFUSED: {"policy": "always", "approvers": ["ann"]},
    UNANSWERED: {"policy": "always", "timeout": "1s"},
    OUTDATED: "always",
}
# With these files one experiment is larger than all others, and is divided among tasks.
LARGE_MB = "0.4"
FILES = [
    {"kind": "metrics", "files": "metrics/ct*.csv", "time_zone": "Europe/Berlin"},
    {"kind": "logs", "files": "logs/*.csv", "time_zone": "Europe/Berlin"},
]
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
RUNG = "{{ dag.dag_id }} {{ run_id }}: {{ reason }}"
BELL = """
from airflow.sdk import BaseNotifier

class Bell(BaseNotifier):
    template_fields = ("text",)

    def __init__(self, file, text):
        super().__init__()
        self.file, self.text = file, text

    def notify(self, context):
        with open(self.file, "a") as file:
            file.write(self.text + "\\n")
"""
UNPUBLISHED = (REFUSED, UNANSWERED, OUTDATED)
ENDS = {"success", "failed"}
WHY_APPROVED, WHY_REFUSED = "the new windows fit", "cmp02 was not\ntouched {{ ti }} <b>"
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
    for slug, policy in POLICIES.items():
        if slug in UNPUBLISHED:
            simulator.simulate(APPROVED, folder / slug, seed=len(slug), iterations=30)
        declare(folder, slug, approval=policy, telemetry=FILES if slug == UNASKED else None, reviewed_impacts=None)
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


def declare(folder: Path, slug: str, **keys: Any) -> None:
    """Set keys of an experiment; None removes one."""
    path = folder / slug / "experiment.yaml"
    entry = {**yaml.safe_load(path.read_text()), **keys}
    path.write_text(yaml.safe_dump({key: value for key, value in entry.items() if value is not None}))


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
    """What is left when all runs have ended, and every question was answered or ran out of time.

    Attributes:
        run: the run of ``rebuild_datasets``.
        publishing: experiment -> the run of ``publish_dataset`` that asks about its first candidate.
        questions: experiment -> what Airflow showed to the person.
        answers: experiment -> what the person does when asked.
    """

    airflow: Airflow
    catalog: Path
    datasets: Path
    run: dict[str, Any]
    publishing: dict[str, dict[str, Any]] = field(default_factory=dict)
    questions: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, Callable[[], None]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(str(self.catalog), str(self.datasets))

    def of_run(self, path: str, run: dict[str, Any] | None = None) -> Any:
        run = run or self.run
        return self.airflow.call("GET", f"/api/v2/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/{path}")

    def others(self) -> list[str]:
        return sorted(folder.name for folder in self.catalog.iterdir() if folder.name != BROKEN)

    def published(self) -> list[str]:
        return [slug for slug in self.others() if slug not in UNPUBLISHED]

    def latest(self, slug: str) -> dict[str, Any]:
        latest: dict[str, Any] = json.loads((self.datasets / slug / "latest.json").read_text())
        return latest

    def decision(self, slug: str) -> dict[str, Any]:
        manifest = json.loads((self.datasets / slug / self.latest(slug)["version"] / "manifest.json").read_text())
        decision: dict[str, Any] = manifest["decision"]
        return decision

    # --- what the fixture does, step by step ---

    def wait_for_questions(self) -> None:
        """Wait until each person who has to be asked is asked."""
        asked = {APPROVED, *UNPUBLISHED}
        self.publishing.update(wait_for("a run for each question", lambda: self._runs(asked)))
        self.questions.update(wait_for("the questions", lambda: self._questions(asked)))

    def all_runs(self) -> list[dict[str, Any]]:
        """The runs of ``publish_dataset``: those that look at all that waits name no experiment."""
        runs: list[dict[str, Any]] = self.airflow.call("GET", "/api/v2/dags/publish_dataset/dagRuns?limit=100")[
            "dag_runs"
        ]
        return runs

    def _runs(self, asked: set[str]) -> dict[str, dict[str, Any]]:
        found = {run["conf"]["experiment"]: run for run in self.all_runs() if run["conf"]}
        return found if found.keys() >= asked else {}

    def _questions(self, asked: set[str]) -> dict[str, dict[str, Any]]:
        slugs = {run["dag_run_id"]: slug for slug, run in self.publishing.items()}
        by_slug = {slugs[one["task_instance"]["dag_run_id"]]: one for one in self.airflow.questions()}
        return by_slug if by_slug.keys() >= asked else {}

    def answer(self, slug: str, chosen: str, reason: str | None, *, by: str = "admin") -> None:
        self.airflow.answer(self.publishing[slug]["dag_run_id"], chosen, reason, by=by)
        self.answers[slug] = lambda: self.answer(slug, chosen, reason, by=by)

    def answer_again(self) -> None:
        """Airflow asks again where an answer came before its scheduler had noted that the task waits."""
        for slug, question in self._questions(set()).items():
            if (
                slug in self.answers
                and question["task_instance"]["try_number"] > 1
                and not question["response_received"]
            ):
                self.answers[slug]()

    def wait_for_ends(self) -> None:
        def ended() -> dict[str, dict[str, Any]]:
            self.answer_again()
            runs = self.all_runs()
            if not all(run["state"] in ENDS for run in runs):
                return {}
            return self._runs(set(self.publishing))

        self.publishing.update(wait_for("the ends of all runs", ended))

    def told(self, slug: str) -> str:
        """What the report of an experiment's publishing says."""
        run = self.publishing[slug]
        key = "return_value" if run["state"] == "success" else "reason"
        told: str = self.of_run(f"taskInstances/report/xcomEntries/{key}", run)["value"]
        return told


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Ended]:
    folder = tmp_path_factory.mktemp("rebuild")
    catalog, datasets = folder / "catalog", folder / "datasets"
    catalogue(catalog)
    (folder / "inbox" / "half-a-run").mkdir(parents=True)
    shutil.copy(catalog / BROKEN / "report.html", folder / "inbox" / "half-a-run")
    (folder / "inbox" / "half-a-run" / "_COMPLETE").touch()
    environment = {
        "FAULTSET_CATALOG": str(catalog),
        "FAULTSET_DATASETS": str(datasets),
        "FAULTSET_INBOX": str(folder / "inbox"),
        "FAULTSET_LARGE_MB": LARGE_MB,
        **observed(folder),
    }
    with running_airflow(folder / "airflow", environment, PARTS, modules={"bell": BELL}, migrated=migrated) as airflow:
        ended = Ended(airflow, catalog, datasets, airflow.run("rebuild_datasets", {}))
        let_people_answer(ended)
        airflow.run("validate_reports", {})
        yield ended


def observed(folder: Path) -> dict[str, str]:
    """Lineage into files, and deadlines that pass while the tests run."""
    (folder / "airflow-told").mkdir()
    return {
        "OPENLINEAGE__TRANSPORT__TYPE": "file",
        "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(folder / "airflow-told" / "lineage"),
        "FAULTSET_DEADLINE_H": "0.001",
        "FAULTSET_STALE_H": "0.001",
        "FAULTSET_NOTIFIERS": json.dumps(
            [{"class": "bell.Bell", "arguments": {"file": str(folder / "airflow-told" / "bell"), "text": RUNG}}]
        ),
    }


def let_people_answer(ended: Ended) -> None:
    catalog = ended.catalog
    ended.wait_for_questions()
    # While a person thinks about it, the candidate is replaced.
    declare(catalog, OUTDATED, description="corrected meanwhile")
    pipeline.build(OUTDATED, ended.settings)
    ended.answer(APPROVED, "Approve", WHY_APPROVED)
    with pytest.raises(HTTPError, match="403"):
        ended.answer(REFUSED, "Approve", "it was another's to say")
    ended.answer(REFUSED, "Reject", WHY_REFUSED, by="ann")
    ended.answer(OUTDATED, "Approve", None)
    ended.wait_for_ends()


def test_one_broken_experiment_never_blocks_the_others(ended: Ended) -> None:
    assert len(ended.published()) >= 2
    for slug in ended.published():
        assert (ended.datasets / slug / ended.latest(slug)["version"] / "manifest.json").is_file()
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
    assert {slug: outcomes[slug] for slug in ended.others()} == dict.fromkeys(ended.others(), "candidate")


def test_wrong_input_is_not_retried(ended: Ended) -> None:
    tasks = ended.of_run("taskInstances?limit=100")["task_instances"]
    # The batch that it is in goes on and ends well; the report alone is red.
    assert [task["task_id"] for task in tasks if task["state"] == "failed"] == ["report"]
    assert {task["try_number"] for task in tasks if task["state"] == "success"} == {1}


def test_small_experiments_share_tasks_and_a_large_one_is_divided_by_files(ended: Ended) -> None:
    tasks = ended.of_run("taskInstances?limit=100")["task_instances"]
    done = collections.Counter(task["task_id"] for task in tasks if task["state"] == "success")
    assert 1 <= done["small.build"] < len(ended.others())
    assert done["large.decide"] == done["large.validate"] >= 1
    assert done["large.label"] >= 1


def test_the_candidates_of_each_lane_are_one_event(ended: Ended) -> None:
    source = f"source_dag_id=rebuild_datasets&source_run_id={quote(ended.run['dag_run_id'], safe='')}"
    events = ended.airflow.call("GET", f"/api/v2/assets/events?{source}")["asset_events"]
    assert len(events) == 2
    assert sorted(slug for event in events for slug in event["extra"]["candidates"]) == ended.others()
    assert sum(event["extra"]["count"] for event in events) == len(ended.others())


def test_each_new_version_is_an_event_of_its_partition(ended: Ended) -> None:
    events = ended.airflow.call("GET", "/api/v2/assets/events?source_dag_id=publish_dataset")["asset_events"]
    told = {event["partition_key"]: event["extra"]["versions"][event["partition_key"]] for event in events}
    assert told == {slug: ended.latest(slug) for slug in ended.published()}
    assert len(events) == len(told)


def test_what_needs_nobody_is_published_in_batches_without_a_run_of_its_own(ended: Ended) -> None:
    assert UNASKED not in ended.publishing
    looks = [run for run in ended.all_runs() if not run["conf"]]
    told = [ended.of_run("taskInstances/report/xcomEntries/return_value", run)["value"] for run in looks]
    assert sum(int(line.split()[0]) for line in told) == len(ended.published()) - 1


def test_a_version_that_was_approved_says_by_whom_and_why(ended: Ended) -> None:
    question = ended.questions[APPROVED]
    assert question["subject"] == f"Publish {APPROVED} 1.0.0?"
    assert "| injections | 2 |" in question["body"]
    decision = ended.decision(APPROVED)
    assert (decision["policy"], decision["outcome"], decision["reason"]) == ("always", "approved", WHY_APPROVED)
    assert decision["by"].lower() == "admin"
    assert decision["at"].endswith("Z")
    assert ended.told(APPROVED) == f"{APPROVED}: published as 1.0.0"


def test_a_policy_that_asks_nobody_publishes_and_says_so(ended: Ended) -> None:
    assert UNASKED not in ended.questions
    decision = ended.decision(UNASKED)
    assert (decision["policy"], decision["outcome"], decision["by"]) == ("never", "not_needed", None)


def test_the_pictures_of_a_candidate_are_shown_to_those_who_may_see_its_question(ended: Ended) -> None:
    version = ended.datasets / UNASKED / ended.latest(UNASKED)["version"]
    fingerprint = json.loads((version / "manifest.json").read_text())["fingerprint"]
    page = f"/faultset/pictures/{UNASKED}/{fingerprint}/"
    assert ended.airflow.fetch(f"{page}overview.png") == (version / "figures" / "overview.png").read_bytes()
    for path, token, status in (
        (f"{page}overview.png", "", 401),
        (f"{page}nothing.png", None, 404),
        (f"{page}..%2Fmanifest.json", None, 404),
        (f"/faultset/pictures/..%2F{UNASKED}/{fingerprint}/overview.png", None, 404),
    ):
        with pytest.raises(HTTPError, match=str(status)):
            ended.airflow.fetch(path, token=token)


def test_a_rejected_candidate_is_set_aside_with_the_rejection(ended: Ended) -> None:
    assert not (ended.datasets / REFUSED).exists()
    aside = ended.datasets / ".rejected" / REFUSED
    rejection = json.loads(next(aside.glob("*.rejection.json")).read_text())
    assert (rejection["outcome"], rejection["reason"]) == ("rejected", WHY_REFUSED.replace("\n", " "))
    assert rejection["by"].lower() == "ann"
    assert (aside / rejection["fingerprint"] / "injections.parquet").is_file()
    assert (aside / f"{rejection['fingerprint']}.proposal.json").is_file()
    assert ended.publishing[REFUSED]["state"] == "success"
    assert "was rejected by" in ended.told(REFUSED)


def test_where_nobody_answers_in_time_the_candidate_stays_unpublished(ended: Ended) -> None:
    assert not (ended.datasets / UNANSWERED).exists()
    assert len(list((ended.datasets / ".candidates" / UNANSWERED).glob("*/candidate.json"))) == 1
    assert ended.publishing[UNANSWERED]["state"] == "failed"
    assert ended.told(UNANSWERED).startswith(f"{UNANSWERED}: nobody answered within 0:00:01")


def test_approving_a_replaced_candidate_publishes_neither_it_nor_the_newer_one(ended: Ended) -> None:
    assert not (ended.datasets / OUTDATED).exists()
    assert ended.publishing[OUTDATED]["state"] == "failed"
    assert "nothing was published: the answer is for candidate" in ended.told(OUTDATED)


def test_the_next_rebuild_asks_only_about_what_nobody_was_asked_about(ended: Ended) -> None:
    slugs = sorted(POLICIES)
    again = ended.airflow.run("rebuild_datasets", {"experiments": slugs})
    outcomes = ended.of_run("taskInstances/report/xcomEntries/outcomes", again)["value"]
    assert outcomes == {slug: "candidate" if slug == OUTDATED else "unchanged" for slug in slugs}


def test_only_references_travel_between_the_tasks(ended: Ended) -> None:
    # The rebuild of the test before asks again: what it started may have only just begun.
    for run in (ended.run, *(run for run in ended.all_runs() if run["state"] in ENDS)):
        entries = ended.of_run("taskInstances/~/xcomEntries?limit=200", run)["xcom_entries"]
        assert entries
        for entry in entries:
            path = f"taskInstances/{entry['task_id']}/xcomEntries/{entry['key']}?map_index={entry['map_index']}"
            value = ended.of_run(path, run)["value"]
            # A list has a reference for each experiment or file.
            assert all(len(json.dumps(item)) < 2000 for item in (value if isinstance(value, list) else [value]))


def test_no_secret_of_the_inputs_is_anywhere_after_the_run(ended: Ended) -> None:
    secrets = secrets_of(ended.catalog, *([SHARED / "msod", SHARED / "hook_scripts"] if SHARED.is_dir() else []))
    assert secrets
    words = [word.encode() for word in secrets | {"CANARY"}]
    told = ended.datasets.parent / "airflow-told"
    assert list(told.glob("lineage*"))
    written = [p for root in (ended.datasets, ended.airflow.home, told) for p in root.rglob("*") if p.is_file()]
    assert written
    assert [(path, word) for path in written for word in words if word in path.read_bytes()] == []


# --- what is seen from outside ----------------------------------------------------------------------------------------


def lineage(ended: Ended) -> list[dict[str, Any]]:
    files = sorted((ended.datasets.parent / "airflow-told").glob("lineage*"))
    return [event for file in files for event in lineage_events.read(file)]


def test_every_event_of_lineage_is_as_the_specification_says(ended: Ended) -> None:
    events = lineage(ended)
    assert {event["job"]["name"] for event in events} >= {"rebuild_datasets", "publish_dataset", "faultset.judge"}
    assert [problem for event in events for problem in lineage_events.problems(event)] == []


def test_lineage_leads_from_the_files_of_an_experiment_to_its_dataset_below_the_run_of_the_dag(ended: Ended) -> None:
    events = lineage(ended)
    runs = {event["run"]["runId"] for event in events if event["job"]["name"] == "rebuild_datasets"}
    for slug in ended.published():
        [built] = [
            one
            for one in events
            if (one["job"]["name"], one["eventType"]) == (f"faultset.build.{slug}", "COMPLETE") and one.get("outputs")
        ]
        assert built["run"]["facets"]["parent"]["run"]["runId"] in runs
        assert any(one["name"].endswith(".html") and one["namespace"] == "file" for one in built["inputs"])
        [put] = [
            one for one in events if (one["job"]["name"], one["eventType"]) == (f"faultset.publish.{slug}", "COMPLETE")
        ]
        assert [one["name"] for one in put["inputs"]] == [one["name"] for one in built["outputs"]]
        [dataset] = put["outputs"]
        assert dataset["name"] == str(ended.datasets / slug)
        assert dataset["facets"]["version"]["datasetVersion"] == ended.latest(slug)["version"]
    broken = [one for one in events if one["job"]["name"] == f"faultset.build.{BROKEN}" and one["eventType"] == "FAIL"]
    assert broken
    assert all("report.html" in one["run"]["facets"]["errorMessage"]["message"] for one in broken)


def test_people_are_told_of_a_rebuild_that_does_not_end_in_time_and_of_datasets_that_stay_stale(ended: Ended) -> None:
    bell, run = ended.datasets.parent / "airflow-told" / "bell", ended.run["dag_run_id"]

    def rung(what: str) -> list[str]:
        lines = bell.read_text().splitlines() if bell.exists() else []
        return [line for line in lines if line.startswith(f"rebuild_datasets {run}: ") and what in line]

    assert wait_for("the notice of a late run", lambda: rung("it has not ended within 0.001 h"))
    [stale] = wait_for("the notice of stale datasets", lambda: rung("were not brought up to date for 0.001 h"))
    assert BROKEN in stale
