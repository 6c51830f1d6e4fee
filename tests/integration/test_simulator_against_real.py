"""What the simulator writes has the shape of what Rally wrote: the same keys, types and page layout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from faultset.simulator import simulate

pytestmark = pytest.mark.integration

SHARED = Path(__file__).parents[2].parent / "shared" / "real"
REPORTS = ["rally/1.5.1/07_fail_sla", "rally/3.4.0/03_hook_fail", "rally/1.5.1/02_hooks_ok", "rally/1.5.1/09_long_3500"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"no real files beside the checkout ({SHARED.name})")
    folder = tmp_path_factory.mktemp("simulated")
    simulate("nova-compute-restart", folder, results_old=True)
    return folder


def literals(report: Path) -> list[Any]:
    lines = report.read_text(encoding="utf-8").split("\n")
    found = []
    for start in ('        $scope.source = "', "        $scope.scenarios = ["):
        (line,) = [line for line in lines if line.startswith(start)]
        found.append(json.loads(line[start.index("=") + 2 :].rstrip().rstrip(";")))
    return [json.loads(found[0]), found[1]]


def shape(value: Any) -> Any:
    """Return keys and types: objects with their keys, lists by the shapes of their items."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def first(value: Any, *path: Any) -> Any:
    for step in path:
        value = value[step]
    return value


@pytest.mark.parametrize("real", REPORTS)
def test_a_simulated_scenario_has_the_keys_of_a_real_one(real: str, simulated: Path) -> None:
    _, (ours,) = literals(simulated / "report.html")
    for theirs in literals(SHARED / real / "report.html")[1]:
        assert list(ours) == list(theirs)
        for path in (
            ("iterations",),
            ("iterations", "histogram"),
            ("iterations", "histogram", "views", 0),
            ("iterations", "histogram", "data", 0, 0),
            ("table",),
            ("atomic",),
            ("sla", 0),
        ):
            assert set(first(ours, *path)) == set(first(theirs, *path))
        assert shape(
            {key: ours[key] for key in ("pos", "config", "created_at", "load_duration", "sla_success")}
        ) == shape({key: theirs[key] for key in ("pos", "config", "created_at", "load_duration", "sla_success")})
        assert ours["table"]["cols"] == theirs["table"]["cols"]
        assert len(ours["load_profile"][0][1]) == len(theirs["load_profile"][0][1])


def test_simulated_hooks_errors_and_output_have_the_shape_of_the_real_nova_report(simulated: Path) -> None:
    our_source, (ours,) = literals(simulated / "report.html")
    their_source, (theirs,) = literals(SHARED / "msod/j_boot_delete_report.html")
    assert shape(ours["hooks"]) == shape(theirs["hooks"])
    assert shape(ours["errors"][0]) == shape(theirs["errors"][0])
    assert shape(ours["complete_output"][0]) == shape(theirs["complete_output"][0])
    assert len(ours["errors"][0]["timestamp"]) == len(theirs["errors"][0]["timestamp"])
    assert [name for name, _ in ours["iterations"]["iter"]] == [name for name, _ in theirs["iterations"]["iter"]]
    assert [name for name, _ in ours["atomic"]["iter"]] == [name for name, _ in theirs["atomic"]["iter"]]
    assert [row[0] for row in ours["table"]["rows"]] == [row[0] for row in theirs["table"]["rows"]]
    assert shape(our_source) == shape(their_source)
    assert shape(json.loads(ours["config"])) == shape(json.loads(theirs["config"]))
    assert ours["sla"][0]["detail"].split()[:4] == theirs["sla"][0]["detail"].split()[:4]


def test_simulated_results_have_the_shape_of_the_real_nova_results(simulated: Path) -> None:
    ours = json.loads((simulated / "results.json").read_text())
    theirs = json.loads((SHARED / "msod/j_boot_delete_output.json").read_text())
    for path in ((), ("tasks", 0), ("tasks", 0, "subtasks", 0), ("tasks", 0, "subtasks", 0, "workloads", 0)):
        assert set(first(ours, *path)) == set(first(theirs, *path))
    work = ("tasks", 0, "subtasks", 0, "workloads", 0)
    assert shape(first(ours, *work, "hooks")) == shape(first(theirs, *work, "hooks"))
    assert shape(first(ours, *work, "data", 0)) == shape(first(theirs, *work, "data", 0))
    assert shape(first(ours, *work, "statistics")) == shape(first(theirs, *work, "statistics"))
    our_failed, their_failed = (next(one for one in first(x, *work, "data") if one["error"]) for x in (ours, theirs))
    assert shape(our_failed) == shape(their_failed)


def test_simulated_old_results_have_the_shape_of_real_ones(simulated: Path) -> None:
    ours = json.loads((simulated / "results-old.json").read_text())[0]
    theirs = json.loads((SHARED / "rally/3.4.0/02_hooks_ok/results_old.json").read_text())[0]
    assert set(ours) == set(theirs)
    assert set(ours["key"]) == set(theirs["key"])
    assert set(ours["key"]["kw"]) == set(theirs["key"]["kw"])
    assert shape(ours["key"]["kw"]["hooks"][0]) == shape(theirs["key"]["kw"]["hooks"][0])
    assert set(ours["result"][0]) == set(theirs["result"][0])
    assert shape(ours["result"][0]["atomic_actions"]["nova.boot_server"]) == "number"


def test_a_simulated_metrics_file_starts_as_a_real_one_does(simulated: Path) -> None:
    ours = (simulated / "metrics/cmp01_metrics.csv").read_text().splitlines()
    with (SHARED / "msod/glances_out.csv").open() as file:
        assert ours[0] == next(file).rstrip("\n")
        theirs = next(file).split(",")
    assert [len(part) for part in ours[1].split(",")[:1]] == [len(part) for part in theirs[:1]]
    assert ours[1].split(",")[2].isdigit()


def test_a_simulated_trace_tree_has_the_shape_of_a_real_one(simulated: Path) -> None:
    (path,) = simulated.glob("traces/osprofiler-*.json")
    ours, theirs = json.loads(path.read_text()), json.loads((SHARED / "msod/osprofiler_trace_sample.json").read_text())
    assert list(ours) == list(theirs)
    assert shape(ours["info"]) == shape(theirs["info"])
    assert shape(ours["stats"]["wsgi"]) == shape(theirs["stats"]["wsgi"])
    leaves = [next(one for one in tree["children"] if not one["children"]) for tree in (ours, theirs)]
    assert shape(leaves[0]) == shape(leaves[1])
    assert list(leaves[0]["info"]) == list(leaves[1]["info"])


def test_simulated_reviews_have_the_form_of_real_ones(simulated: Path) -> None:
    ours = (simulated / "impacts.csv").read_text().splitlines()
    theirs = (SHARED / "msod/adjust_anomaly_label_sequential.csv").read_text().splitlines()
    assert ours[0] == theirs[0]
    mine, real = (re.sub(r"\d", "0", line.split(",", 2)[2]) for line in (ours[1], theirs[2]))
    assert re.sub(r"\.0+,|\.0+$", ".0,", mine) == re.sub(r"\.0+,|\.0+$", ".0,", real)
