"""Sources of injections and of load: one registry, recognised by content, known by name nowhere else."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest

import faultset
from fault_files import rows, write
from faultset import pipeline, simulator
from faultset.errors import InputError
from faultset.inbox.proposal import propose
from faultset.inbox.roles import recognise, role_of
from faultset.simulator import tool_files
from faultset.simulator.tool_files import Request
from faultset.sources import injections

RECORDED = Path(__file__).parents[1] / "recorded"
START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
REQUESTS = [Request(0.1, 0.05), Request(1.1, 0.4, failed=True), Request(2.1, 0.05), Request(3.1, 0.07)]
LOADS = {"k6": tool_files.k6_json, "locust": tool_files.locust_history, "jmeter": tool_files.jmeter_jtl}


def test_no_module_but_a_tools_own_names_it():
    package = Path(faultset.__file__).parent
    names = [source.name for source in injections.sources() if source.name != "rally"]
    named = re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))
    allowed = {package / "sources" / "injections.py", package / "simulator" / "tools.py"}
    own = tuple(package / "sources" / module.partition(".")[0] for module in injections.MODULES)
    for path in package.rglob("*.py"):
        if path in allowed or any(path.is_relative_to(folder) for folder in own) or "simulator" in path.parts:
            continue
        code = "\n".join(line for line in path.read_text().splitlines() if "import" in line or '== "' in line)
        assert not named.search(code), path


def test_each_source_has_a_name_and_a_title_of_its_own():
    sources = injections.sources()
    assert len({source.name for source in sources}) == len(sources)
    assert len({source.title for source in sources}) == len(sources)


@pytest.mark.parametrize("tool", simulator.TOOLS)
def test_a_file_is_recognised_by_what_stands_in_it_whatever_it_is_called(tool, tmp_path):
    simulator.simulate_tool(tool, tmp_path)
    file = tmp_path / simulator.TOOLS[tool].file
    odd = file.rename(tmp_path / "something.txt")
    assert role_of(odd)[0] == "report"
    assert injections.source_of(str(odd)).name == tool


@pytest.mark.parametrize("tool", simulator.TOOLS)
def test_a_dropped_run_of_any_tool_gets_an_entry_without_an_os_faults_file(tool, tmp_path):
    simulator.simulate_tool(tool, tmp_path)
    for name in ("experiment.yaml", "truth.json", "cluster.yaml"):
        (tmp_path / name).unlink()
    proposal = propose(tmp_path, "run", recognise(tmp_path), "UTC")
    assert "cluster" not in proposal.entry
    assert simulator.TOOLS[tool].file in [run["report"] for run in proposal.entry["runs"]]
    assert len(proposal.entry["runs"]) == 2  # the load beside it


def test_a_dropped_run_of_rally_needs_a_cluster_file(tmp_path):
    simulator.simulate("nova-compute-restart", tmp_path, iterations=50)
    (tmp_path / "os-faults.yaml").unlink()
    with pytest.raises(InputError, match="there is no os-faults file"):
        propose(tmp_path, "run", recognise(tmp_path), "UTC")


def test_events_of_a_namespace_are_put_beside_their_results(tmp_path):
    write(*next(row for row in rows("effect") if row[0] == "litmus"), tmp_path)
    (run,) = propose(tmp_path, "run", recognise(tmp_path), None).entry["runs"]
    assert run == {"report": "run.json", "results": "beside.json"}


def test_a_file_is_recognised_however_many_targets_stand_before_its_actions(tmp_path):
    tool, row = next(row for row in [*rows("effect"), *rows("no_effect")] if row[0] == "aws-fis")
    path = Path(write(tool, row, tmp_path)[0])
    document = json.loads(path.read_text())
    (target,) = document["experiment"]["targets"].values()
    target["resourceArns"] = [f"arn:aws:ec2:eu-central-1:000000000000:instance/i-{number}" for number in range(5000)]
    path.write_text(json.dumps(document))
    assert injections.source_of(str(path)).name == tool


def test_files_of_two_tools_are_no_one_run(tmp_path):
    journal, _ = write(*rows("effect")[0], tmp_path)
    (tmp_path / "k6.json").write_text(tool_files.k6_json(REQUESTS, START))
    with pytest.raises(InputError, match="declare each as a run of its own"):
        pipeline.inspect(journal, results=str(tmp_path / "k6.json"))


@pytest.mark.parametrize("tool", simulator.TOOLS)
def test_simulated_faults_are_read_with_the_truth_that_was_planned(tool, tmp_path):
    truth = simulator.simulate_tool(tool, tmp_path, seed=3)
    found = pipeline.inspect(str(tmp_path / simulator.TOOLS[tool].file), cluster=str(tmp_path / "cluster.yaml"))
    hit = {(target["pod"] or target["container"], target["node"]) for target in found["targets"] if target["effective"]}
    planned = {(fault["pod"], fault["node"]) for fault in truth["faults"] if fault["effective"]}
    assert hit == (set() if tool in {"aws-fis", "chaosblade"} else planned)  # they prove no target
    for fault in truth["faults"]:
        if fault["effective"]:
            assert any(_covers(row, fault) for row in found["injections"]), fault


def _covers(row, fault):
    start, end = (dt.datetime.fromisoformat(fault[key]) for key in ("started_at", "ended_at"))
    began = dt.datetime.fromisoformat(row["started_at"])
    ended = dt.datetime.fromisoformat(row["fault_ended_at"] or row["ended_at"])
    doubt = dt.timedelta(seconds=row["fault_end_uncertainty_s"] or 0)
    return began <= start <= began + dt.timedelta(seconds=row["start_uncertainty_s"]) and ended <= end <= ended + doubt


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        simulator.simulate_tool("krkn", tmp_path / folder, seed=1)
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


# --- load ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["k6", "jmeter"])
def test_each_request_is_an_iteration(tool, tmp_path):
    path = tmp_path / "load"
    path.write_text(LOADS[tool](REQUESTS, START))
    run = injections.read_run(str(path)).report
    (workload,) = run.workloads
    assert (run.source, workload.is_load, workload.iterations_count, workload.failed_count) == (tool, True, 4, 1)
    series = workload.iterations
    assert series.started_at == pytest.approx([START.timestamp() + request.starts_s for request in REQUESTS])
    assert series.duration_s == pytest.approx([request.took_s for request in REQUESTS])
    assert list(series.errors) == [2]
    assert series.errors[2].kind == "503"


def test_each_interval_of_locust_is_an_iteration_with_its_mean(tmp_path):
    path = tmp_path / "load"
    path.write_text(tool_files.locust_history(REQUESTS, START))
    (workload,) = injections.read_run(str(path)).report.workloads
    series = workload.iterations
    assert workload.iterations_count == 4
    assert series.duration_s == pytest.approx([0.05, 0.4, 0.05, 0.07])
    assert [
        began + took + idle
        for began, took, idle in zip(series.started_at, series.duration_s, series.idle_s, strict=True)
    ] == (pytest.approx([START.timestamp() + second for second in (1, 2, 3, 4)]))
    assert series.errors[2].message == "1 of 1 requests failed"


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_k6_writes_its_csv_in_any_unit(unit, tmp_path):
    path = tmp_path / "load"
    at = int(START.timestamp()) * unit
    path.write_text(f"metric_name,timestamp,metric_value,expected_response\nhttp_req_duration,{at},250,false\n")
    (workload,) = injections.read_run(str(path)).report.workloads
    assert workload.iterations.started_at == pytest.approx([START.timestamp() - 0.25])
    assert workload.failed_count == 1


@pytest.mark.parametrize("tool", LOADS)
def test_a_cut_line_and_a_repeated_header_shift_nothing(tool, tmp_path):
    path = tmp_path / "load"
    whole = LOADS[tool](REQUESTS, START)
    header = whole.partition("\n")[0] + "\n"
    path.write_text(whole + header + whole.splitlines()[-1][:9])
    (workload,) = injections.read_run(str(path)).report.workloads
    assert workload.iterations_count == 4


@pytest.mark.parametrize("tool", LOADS)
def test_a_load_without_a_sample_is_refused_in_one_line(tool, tmp_path):
    path = tmp_path / "load"
    path.write_text(LOADS[tool](REQUESTS, START).partition("\n")[0] + "\n")
    with pytest.raises(InputError, match="holds no sample"):
        injections.read_run(str(path))


# --- recorded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "effects", "ends"),
    [
        ("between", ["full", "full"], ["reversed_by", "command"]),
        ("rb_always", ["full", "full"], ["reversed_by", "command"]),
        ("background", ["full", "full", "full"], ["unknown", "reversed_by", "command"]),
        ("dry_actions", ["none", "none"], ["command", "command"]),
        ("dry_activities", ["none", "none"], ["command", "command"]),
        ("dry_pause", ["full", "full"], ["reversed_by", "command"]),
        ("activity_dry", ["full"], ["unknown"]),  # the tool passed over the word and ran it
        ("exit1", ["none"], ["command"]),
        ("ref", ["full", "full"], ["unknown", "unknown"]),
        ("ssm_fail", [], []),
    ],
)
def test_journals_that_chaos_toolkit_wrote(name, effects, ends):
    found = pipeline.inspect(str(RECORDED / "chaostoolkit" / f"{name}.journal.json"))
    assert [row["effect"] for row in found["injections"]] == effects
    assert [row["fault_end_source"] for row in found["injections"]] == ends


def test_telemetry_that_krkns_models_wrote():
    found = pipeline.inspect(str(RECORDED / "krkn" / "telemetry.json"))
    assert [row["effect"] for row in found["injections"]] == ["full", "full", "unknown", "unknown"]
    assert [(row["pod"], row["effective"]) for row in found["targets"]] == [
        ("web-7c9f", True),
        (None, True),
        ("web-7c9f", None),
    ]


def test_a_history_that_locust_wrote():
    (workload,) = injections.read_run(str(RECORDED / "locust" / "run_stats_history.csv")).report.workloads
    assert workload.failed_count == workload.iterations_count > 4
    assert workload.concurrency == 3


# --- cluster.yaml ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes: []\npods: {}\n", "nodes is no list of nodes"),
        ("nodes: [a]\npods: {web: b}\n", '"b" is none of the nodes'),
        ("nodes: [{nam: a}]\npods: {}\n", 'a node has the unknown key "nam"'),
        ("nodes: [a]\npods: [web]\n", "pods is no mapping"),
    ],
)
def test_a_wrong_cluster_yaml_is_one_line_with_its_place(text, said, tmp_path):
    journal, _ = write(*rows("effect")[0], tmp_path)
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        pipeline.inspect(journal, cluster=str(tmp_path / "cluster.yaml"))
    assert "cluster.yaml:" in str(caught.value)


def test_a_pattern_of_a_cluster_yaml_says_on_which_node_a_pod_is(tmp_path):
    tool, row = next(row for row in rows("effect") if row[0] == "chaos-mesh")
    chaos, _ = write(tool, row, tmp_path)
    (tmp_path / "cluster.yaml").write_text("nodes: [worker1, worker2]\npods: {web-*: worker2}\n")
    (target,) = pipeline.inspect(chaos, cluster=str(tmp_path / "cluster.yaml"))["targets"]
    assert (target["node"], target["placed"], target["declared"]) == ("worker2", True, True)


def test_the_oracle_knows_no_reader():
    text = (Path(simulator.__file__).parent / "tool_files.py").read_text()
    assert "faultset.sources" not in text
    assert json.loads(tool_files.fis_experiment([tool_files.ToolFault("a", "b", "c", 0, 1)], START))
