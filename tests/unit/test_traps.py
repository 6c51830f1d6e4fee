"""Traps of the field that belong to no single reader."""

from __future__ import annotations

from pathlib import Path

import pytest

import samples
from faultset.pipeline import inspect
from faultset.sources.scripts import orders as hook_scripts


def test_trap_the_workload_file_beside_a_report_need_not_be_what_ran(tmp_path: Path):
    """The file asks for 2000 iterations; the report's own configuration, which says 4, is the truth."""
    report = tmp_path / "report.html"
    report.write_text(samples.report())
    (tmp_path / "workload.yaml").write_text("Dummy.dummy:\n- runner: {type: constant, times: 2000, concurrency: 2}\n")
    [workload] = inspect(str(report))["workloads"]
    assert (workload["times"], workload["concurrency"], workload["iterations"]) == (4, 1, 4)


@pytest.mark.parametrize(("loop", "times"), [("{1..2}", 2), ("{1}", 1), ("{3..7}", 5), ("1 2 3", 3)])
def test_trap_a_brace_range_runs_b_minus_a_plus_one_times_and_a_lone_number_once(tmp_path: Path, loop: str, times: int):
    outer, inner = tmp_path / "restart.sh", tmp_path / "commands.sh"
    outer.write_text("cat commands.sh | sshpass -p x ssh rally@ctl1.example.org\n")
    inner.write_text(f"for i in {loop}\ndo\n    docker restart glance_api\ndone\n")
    library = hook_scripts.read_library([str(outer), str(inner)])
    found = hook_scripts.orders("sh ./restart.sh", library)
    assert found is not None
    assert sum(action.count for action in found.actions) == times
    assert {(action.host, action.name) for action in found.actions} == {("ctl1.example.org", "glance_api")}


def test_trap_a_component_without_hosts_lives_on_every_node(tmp_path: Path):
    report, cluster = tmp_path / "report.html", tmp_path / "os-faults.yaml"
    report.write_text(samples.report())
    cluster.write_text(samples.CLUSTER.replace("    hosts: [192.0.2.1]\n", ""))
    targets = inspect(str(report), cluster=str(cluster))["targets"]
    assert {target["node"] for target in targets} == {"ctl1", "cmp1"}
    assert {target["resolution"] for target in targets} == {"ambiguous"}
