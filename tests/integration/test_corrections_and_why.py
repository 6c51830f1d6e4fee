"""Known errors of a source are declared, never edited away; and every record tells where it comes from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import faultset_cli
from faultset import pipeline, simulator
from faultset.errors import InputError
from faultset.settings import Settings

pytestmark = pytest.mark.integration

SLUG = "nova"
SECOND = dt.timedelta(seconds=1)


@dataclasses.dataclass(frozen=True)
class Place:
    """A catalog with one experiment, and its datasets."""

    settings: Settings
    declared: dict[str, Any]

    def declare(self, **changed: Any) -> Path:
        path = Path(self.settings.catalog) / SLUG / "experiment.yaml"
        path.write_text(yaml.safe_dump(self.declared | changed, sort_keys=False))
        return path

    def publish(self) -> str:
        built = pipeline.build(SLUG, self.settings)
        return pipeline.publish_by_hand(built, self.settings, reason="a test").version

    def table(self, version: str, name: str) -> Any:
        return pq.ParquetFile(Path(self.settings.datasets) / SLUG / version / f"{name}.parquet").read()

    def rows(self, version: str, name: str) -> list[dict[str, Any]]:
        return self.table(version, name).to_pylist()

    def run(self, *arguments: str) -> faultset_cli.Done:
        places = ("--catalog", self.settings.catalog, "--datasets", self.settings.datasets)
        return faultset_cli.run(*arguments, *places)

    def why(self, record: str, version: str) -> dict[str, Any]:
        done = self.run("why", SLUG, record, "--version", version, "--json")
        assert done.exit_code == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


def step(answer: dict[str, Any], title: str) -> dict[str, Any]:
    return next(one["facts"] for one in answer["chain"] if one["step"] == title)


CLOCK = {
    "what": "telemetry_clock",
    "kind": "metrics",
    "files": "metrics/*.csv",
    "shift": "-1h",
    "reason": "the collector wrote Berlin time and called it UTC",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Versions 1.0.0 as the sources say it, 1.0.1 with the metrics' clock corrected, 2.0.0 with more corrections."""
    root = tmp_path_factory.mktemp("corrections")
    folder = root / "catalog" / SLUG
    simulator.simulate("nova-compute-restart", folder, seed=1, iterations=60)
    declared = yaml.safe_load((folder / "experiment.yaml").read_text())
    logs = {"kind": "logs", "files": "logs/cmp01.csv", "time_zone": "Europe/Berlin"}
    metrics = {"kind": "metrics", "files": "metrics/cmp01_*.csv", "time_zone": "Europe/Berlin"}
    del declared["reviewed_impacts"]
    here = Place(Settings(str(root / "catalog"), str(root / "datasets")), declared | {"telemetry": [metrics, logs]})
    here.declare()
    assert here.publish() == "1.0.0"
    metrics = {**metrics, "time_zone": "UTC"}
    here.declare(telemetry=[metrics, logs], corrections=[CLOCK])
    assert here.publish() == "1.0.1"
    first = here.rows("1.0.0", "injections")[0]
    time = {
        "what": "injection_time",
        "value": first["value"],
        "started_at": (first["started_at"] + 2 * SECOND).isoformat(),
        "uncertainty_s": 0.5,
        "reason": "the hook slept before it acted",
    }
    node = {
        "what": "telemetry_node",
        "kind": "logs",
        "files": "logs/cmp01.csv",
        "node": "cmp01",
        "true_node": "cmp02",
        "reason": "the host was renamed after the run",
    }
    here.declare(telemetry=[metrics, logs], corrections=[CLOCK, time, node])
    assert here.publish() == "2.0.0"
    return here


# --- corrections ----------------------------------------------------------------------------------------------------


def test_a_corrected_clock_gives_the_rows_that_a_right_one_gives(place: Place) -> None:
    name = "metrics/cmp01_metrics"
    assert place.table("1.0.1", name).equals(place.table("1.0.0", name))
    assert place.table("1.0.1", "impacts").equals(place.table("1.0.0", "impacts"))


def test_a_corrected_time_moves_injection_iterations_and_labels(place: Place) -> None:
    before, after = (place.rows(version, "injections")[0] for version in ("1.0.1", "2.0.0"))
    assert after["started_at"] == before["started_at"] + 2 * SECOND
    assert (after["start_uncertainty_s"], after["time_source"]) == (0.5, "corrected")
    assert after["ended_at"] == before["ended_at"]
    covered = [
        {row["source_row"] for row in place.rows(version, "metrics/cmp01_metrics") if row["injection_ids"]}
        for version in ("1.0.1", "2.0.0")
    ]
    assert covered[1] < covered[0]


def test_a_corrected_node_leaves_the_sources_own_column_alone(place: Place) -> None:
    rows = place.rows("2.0.0", "logs/cmp01")
    assert {(row["Hostname"], row["node"]) for row in rows} == {("cmp01", "cmp02")}


def test_what_was_corrected_is_said_in_findings_card_and_manifest(place: Place) -> None:
    folder = Path(place.settings.datasets) / SLUG / "2.0.0"
    manifest = json.loads((folder / "manifest.json").read_bytes())
    (finding,) = [one for one in manifest["validation"]["findings"] if one["expectation"] == "corrections.declared"]
    messages = finding["where"]
    for said in ("corrected: clock of metrics", "corrected: injection ", "corrected: node in logs logs/cmp01.csv"):
        assert any(message.startswith(said) for message in messages), messages
    assert len(manifest["experiment"]["corrections"]) == 3
    card = (folder / "README.md").read_text()
    assert "## Corrections" in card
    for reason in ("the hook slept before it acted", "the host was renamed after the run"):
        assert reason in card


@pytest.mark.parametrize(
    ("correction", "problem"),
    [
        (CLOCK | {"files": "metrics/ctl*.csv"}, "no file of metrics fits corrections[0].files"),
        (
            {
                "what": "telemetry_node",
                "kind": "logs",
                "files": "logs/*.csv",
                "node": "cmp09",
                "true_node": "cmp01",
                "reason": "renamed",
            },
            'no row of the files that fit "logs/*.csv" is of a node cmp09',
        ),
        (
            {
                "what": "injection_time",
                "value": 21,
                "ended_at": "2025-11-18T22:00:00Z",
                "uncertainty_s": 0,
                "reason": "late",
            },
            "this correction is about no injection of the runs",
        ),
    ],
)
def test_a_correction_that_fits_nothing_is_an_error_with_its_line(
    place: Place, correction: dict[str, Any], problem: str
) -> None:
    path = place.declare(corrections=[correction])
    line = 1 + path.read_text().splitlines().index(f"- what: {correction['what']}")
    with pytest.raises(InputError) as error:
        pipeline.build(SLUG, place.settings)
    assert str(error.value).startswith(f"{path}:{line}: {problem}")


# --- differences ----------------------------------------------------------------------------------------------------


def test_a_difference_is_told_in_rows_and_in_words(place: Place) -> None:
    done = place.run("diff", SLUG, "1.0.1", "2.0.0", "--json")
    answer = json.loads(done.stdout)
    assert (answer["change"], answer["number"]["follows"]) == ("major", "2.0.0")
    first = place.rows("1.0.1", "injections")[0]["injection_id"]
    (injection,) = [one for one in answer["injections"] if one["injection_id"] == first]
    assert {value["column"] for value in injection["values"]} >= {"started_at", "start_uncertainty_s", "time_source"}
    tables = {table["table"]: table for table in answer["tables"]}
    logs = tables["logs/cmp01"]
    assert logs["columns_changed"]["node"] == logs["rows_before"]
    relabeled = tables["metrics/cmp01_metrics"]["relabeled"]
    assert set(relabeled) == {"cmp01"}
    said = {section["title"]: section["lines"] for section in answer["sections"]}
    assert any(line.startswith(f"{first}: started_at was ") for line in said["Injections"])
    labels = f"metrics/cmp01_metrics: labels of {relabeled['cmp01']} rows changed, on cmp01 {relabeled['cmp01']} ("
    assert any(line.startswith(labels) for line in said["Labels of telemetry"])
    assert "The experiment's declaration differs in corrections." in said["Inputs, declaration and tools"]
    (finding,) = [line for line in said["Findings"] if "corrected: injection" in line]
    assert finding.startswith("Finding changed (info), 1 rows before, 3 now: corrected: clock of metrics")


def test_changes_md_says_what_diff_says(place: Place) -> None:
    written = (Path(place.settings.datasets) / SLUG / "2.0.0" / "CHANGES.md").read_text()
    shown = place.run("diff", SLUG, "1.0.1", "2.0.0").stdout
    for title in ("In words", "Injections", "Labels of telemetry", "Inputs, declaration and tools", "Findings"):
        assert f"## {title}\n" in written
        assert f"\n{title}\n" in shown
    count = sum(line.startswith("- ") for line in written.splitlines())
    reasons = json.loads(place.run("diff", SLUG, "1.0.1", "2.0.0", "--json").stdout)["number"]["reasons"]
    assert sum(line.startswith("- ") for line in shown.splitlines()) == count + len(reasons)


def test_only_the_declaration_differs_in_a_patch(place: Place) -> None:
    answer = json.loads(place.run("diff", SLUG, "1.0.0", "1.0.1", "--json").stdout)
    assert (answer["change"], answer["number"]["follows"], answer["number"]["reasons"]) == ("patch", "1.0.1", [])


# --- why ------------------------------------------------------------------------------------------------------------


def test_an_injection_leads_back_to_its_report(place: Place) -> None:
    row = place.rows("1.0.0", "injections")[0]
    answer = place.why(row["injection_id"], "1.0.0")
    result = step(answer, "Hook result")
    assert (result["hook"], result["hook_index"], result["result_index"]) == ("sys_call", 0, 0)
    assert result["started_at_as_written"] == f"{row['started_at'].timestamp():.6f}"
    assert step(answer, "Workload")["report"] in {"report.html", "results.json"}
    manifest = json.loads((Path(place.settings.datasets) / SLUG / "1.0.0" / "manifest.json").read_bytes())
    recorded = {(one["role"], one["uri"]): (one["bytes"], one["sha256"]) for one in manifest["inputs"]}
    roles = [one["role"] for one in answer["inputs"]]
    assert {"report", "results", "hook_script", "cluster"} == set(roles)
    for one in answer["inputs"]:
        assert recorded[one["role"], one["uri"]] == (one["bytes"], one["sha256"])
    assert step(answer, "Version")["fingerprint"] == manifest["fingerprint"]


def test_a_corrected_injection_says_what_its_time_was(place: Place) -> None:
    row = place.rows("2.0.0", "injections")[0]
    (said,) = step(place.why(row["injection_id"], "2.0.0"), "Corrections")["corrections"]
    assert said["declared"].endswith("because: the hook slept before it acted")
    was = place.rows("1.0.0", "injections")[0]["started_at"]
    assert f"start was {was:%Y-%m-%dT%H:%M:%S}" in said["applied"]


def test_a_target_tells_its_evidence_and_an_impact_its_method(place: Place) -> None:
    target = place.rows("1.0.0", "targets")[0]
    names = (target["injection_id"], target["node"], target["component"] or target["container"])
    found = place.why("/".join(names), "1.0.0")
    assert (found["kind"], step(found, "Target")["evidence"]) == ("target", target["evidence"])
    impact = next(row for row in place.rows("1.0.0", "impacts") if row["source_kind"] == "metrics")
    found = place.why(f"{impact['injection_id']}/{impact['node']}/{impact['kpi']}", "1.0.0")
    assert found["kind"] == "impact"
    assert step(found, "Impact")["p_value"] == impact["p_value"]
    assert step(found, "How it was detected")["metrics"] == ["metrics/cmp01_metrics.csv"]
    assert "metrics" in {one["role"] for one in found["inputs"]}


def test_a_test_that_found_nothing_tells_what_could_have_hidden(place: Place) -> None:
    tested = next(row for row in place.rows("1.0.0", "impact_tests") if not row["found"])
    found = place.why(f"{tested['injection_id']}/{tested['node']}/{tested['kpi']}", "1.0.0")
    assert found["kind"] == "impact test"
    assert step(found, "Impact test")["why_not"] == tested["why_not"]
    assert "parameters" in step(found, "How it was tested")
    asked = step(place.why(tested["injection_id"], "1.0.0"), "Impact tests")["tests"]
    rows = [row for row in place.rows("1.0.0", "impact_tests") if row["injection_id"] == tested["injection_id"]]
    assert sum(kind["tested"] + kind["not_tested"] for kind in asked) == len(rows)


def test_a_row_of_telemetry_tells_its_line_and_its_windows(place: Place) -> None:
    rows = place.rows("1.0.0", "metrics/cmp01_metrics")
    row = next(row for row in rows if row["is_boundary"])
    found = place.why(f"metrics/cmp01_metrics.csv:{row['source_row']}", "1.0.0")
    line = int(step(found, "Source")["line"].partition(",")[0])
    source = (Path(place.settings.catalog) / SLUG / "metrics" / "cmp01_metrics.csv").read_text().splitlines()
    assert source[line - 1].split(",")[0] == row["now"]
    why = step(found, "Why these labels")
    assert [window["injection_id"] for window in why["windows"]] == row["injection_ids"]
    assert why["node_injection_ids"] == row["node_injection_ids"]
    assert any("within the uncertainty" in doubt for doubt in why["is_boundary"])
    assert place.why(f"metrics/cmp01_metrics.parquet:{row['source_row']}", "1.0.0")["chain"] == found["chain"]
    corrected = place.why(f"metrics/cmp01_metrics.csv:{row['source_row']}", "2.0.0")
    assert "-3600 s added" in step(corrected, "Corrections")["corrections"][0]["declared"]


def test_an_input_that_changed_or_went_is_said(place: Place) -> None:
    place.declare()
    script = Path(place.settings.catalog) / SLUG / "scripts" / "stop-start-nova-compute.sh"
    row = place.rows("1.0.0", "injections")[0]
    kept = script.read_bytes()
    try:
        script.write_bytes(kept + b"\n")
        now = {one["uri"]: one["now"] for one in place.why(row["injection_id"], "1.0.0")["inputs"]}
    finally:
        script.write_bytes(kept)
    assert now["scripts/stop-start-nova-compute.sh"] == "changed"
    assert now["report.html"] == "as recorded"
    elsewhere = dataclasses.replace(place.settings, catalog=str(Path(place.settings.datasets) / "none"))
    answer = pipeline.why(elsewhere, SLUG, row["injection_id"], "1.0.0")
    assert {one["now"] for one in answer["inputs"]} == {"not at hand"}


def test_a_miss_names_the_nearest(place: Place) -> None:
    row = place.rows("1.0.0", "injections")[0]
    done = place.run("why", SLUG, f"{row['injection_id']}9\x1b[31m")
    assert done.exit_code == 2
    assert row["injection_id"] in done.stderr
    assert "\x1b" not in done.stderr
    done = place.run("why", SLUG, "metrics/cmp01_metrics.csv:99999999")
    assert done.exit_code == 2
    assert "it has no row 99,999,999" in done.stderr


def test_what_sources_say_is_shown_as_text(place: Place) -> None:
    shown = place.run("why", SLUG, "logs/cmp01.csv:0", "--version", "1.0.0")
    assert shown.exit_code == 0
    assert "Payload: " in shown.stdout
    assert not any(ord(character) < 32 and character != "\n" for character in shown.stdout)
