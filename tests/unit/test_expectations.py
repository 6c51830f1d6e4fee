"""Validation: what is found, how it reads, and what Great Expectations leaves behind."""

from __future__ import annotations

import builtins
import json
import os
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from expectation_samples import (
    COMPUTE,
    CONTROLLER,
    DHCP_AGENT,
    IMPACT,
    IMPACT_TEST,
    INJECTION,
    INJECTION_ID,
    ITERATIONS,
    LOGS,
    METRICS,
    NODES,
    NOVA_COMPUTE,
    REVIEWED,
    TARGET,
    TARGETS,
    TRIGGER,
    TRUTH,
    WORKLOAD,
    WORKLOAD_ID,
    after,
    cluster,
    component,
    evidence_of,
)
from faultset.errors import SetupError
from faultset.expectations import RULES, check, relaxing, run, site
from faultset.records.cluster import Cluster, Node
from faultset.records.evidence import Evidence
from faultset.records.telemetry import Exposure
from faultset.records.validation import Finding, Validation
from faultset.truth import Truth
from faultset.truth.corrections import CORRECTED

SOUND = evidence_of(cluster(NOVA_COMPUTE))
BY_ID = {rule.id: rule for rule in RULES}


def by_rule(validation: Validation) -> dict[str, Finding]:
    return {finding.expectation: finding for finding in validation.findings}


# --- what Great Expectations touches ---------------------------------------------------------------------------------


class Watch:
    """What this process opens for writing and connects to, while on. An audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.on = False
        self.written: set[str] = set()
        self.connected: list[object] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event in {"socket.connect", "socket.getaddrinfo"}:
            self.connected.append(arguments)
        elif event in {"os.mkdir", "os.rename"} or (event == "open" and self.writes(arguments[2])):
            self.written.add(str(arguments[0]))

    @staticmethod
    def writes(flags: object) -> bool:
        return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


HOSTILE = "<script>alert(1)</script>{{7*7}}$x ${value} \"'`<img src=x onerror=alert(2)>&lt;\n\\"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The first check of the process, which imports Great Expectations, on an experiment full of hostile names."""
    folder = tmp_path_factory.mktemp("kept")
    node = Node(HOSTILE, HOSTILE, "192.0.2.9", HOSTILE, 16)
    part = component(HOSTILE, (HOSTILE, "unknown" + HOSTILE), HOSTILE + "2")
    hits = (
        *TARGETS,
        replace(TARGET, node=HOSTILE, container=HOSTILE, component=HOSTILE, declared=False, service=None),
        replace(TARGET, node="ctl1", declared=False, effective=False),
        replace(TARGET, node="ctl2", container=HOSTILE, resolution="ambiguous", component=HOSTILE),
    )
    truth = replace(
        TRUTH,
        triggers=(TRIGGER, replace(TRIGGER, trigger_id=HOSTILE, hook=HOSTILE, outcome="not_reached", evidence=HOSTILE)),
        injections=(replace(INJECTION, hook_status=HOSTILE, effect_reason=HOSTILE),),
        targets=hits,
        disagreements=(HOSTILE,),
        notes=(f"{HOSTILE} sshpass -p s3cr3t-CANARY ssh root@cmp1",),
    )
    evidence = evidence_of(Cluster("os-faults.yaml", (*NODES, node), (NOVA_COMPUTE, part)))
    watch = Watch()
    watch.on = True
    validation = check(truth, evidence, folder)
    watch.on = False
    return SimpleNamespace(folder=folder, validation=validation, watch=watch, truth=truth, evidence=evidence)


def pages(folder: Path) -> dict[str, str]:
    return {str(page.relative_to(folder)): page.read_text("utf-8") for page in sorted(folder.rglob("*.html"))}


def test_it_writes_nothing_elsewhere_and_connects_to_nothing(kept):
    bytecode = {path for path in kept.watch.written if "__pycache__" in path}
    elsewhere = {p for p in kept.watch.written - bytecode if not Path(p).is_relative_to(kept.folder)}
    assert elsewhere <= {os.devnull}
    assert kept.watch.written - bytecode - elsewhere
    assert kept.watch.connected == []
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


class Markup(HTMLParser):
    """Tags and attributes of a page, and its scripts' text."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.in_script = False

    def handle_starttag(self, tag, attrs):
        self.attributes |= {name for name, _ in attrs}
        self.in_script = tag == "script"

    def handle_endtag(self, _tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script:
            self.scripts.append(data)


def test_trap_hook_output_full_of_markup_is_dead_text_in_data_docs(kept):
    shown = pages(kept.folder)
    assert any("alert(1)" in page for page in shown.values())
    for page in shown.values():
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "{{7*7}}" not in page
        assert "${value}" not in page
        markup = Markup()
        markup.feed(page)
        assert "onerror" not in markup.attributes
        assert not any("alert(" in script for script in markup.scripts)


def test_data_docs_and_results_name_no_machine_path_and_no_secret(kept):
    for path in sorted(kept.folder.rglob("*")):
        if path.suffix in {".html", ".json"}:
            text = path.read_text("utf-8")
            assert str(kept.folder) not in text
            assert str(Path.home()) not in text
            assert "CANARY" not in text


def test_data_docs_do_not_call_home(kept):
    assert not any("great-expectations-web-assets" in page for page in pages(kept.folder).values())
    assert not any("dataContextId" in page for page in pages(kept.folder).values())


def test_the_first_page_of_data_docs_is_where_it_says(kept):
    assert kept.validation.data_docs == "validation/data_docs/index.html"
    assert (kept.folder / kept.validation.data_docs).is_file()
    assert {path.name for path in kept.folder.iterdir()} == {"validation"}


def test_results_are_kept_with_the_findings(kept):
    kept_results = json.loads((kept.folder / "validation" / "results.json").read_text("utf-8"))
    assert kept_results["passed"] is kept.validation.passed
    assert [f["message"] for f in kept_results["findings"]] == [f.message for f in kept.validation.findings]
    results = {result["rule"]: result for result in kept_results["great_expectations"]}
    assert set(results) == set(BY_ID)
    declared = results["targets.commanded_is_declared"]
    assert declared["expectation"] == "expect_column_values_to_be_in_set"
    assert (declared["success"], declared["severity"], declared["result"]["unexpected_count"]) == (False, "warning", 2)


def test_the_same_input_gives_the_same_bytes_and_replaces_an_earlier_check(kept, tmp_path):
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation" / "stale.html").write_text("of an earlier check")
    check(kept.truth, kept.evidence, tmp_path)
    first, second = (
        {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}
        for root in (kept.folder, tmp_path)
    )
    assert first == second


def test_a_place_that_cannot_be_written_is_an_error_of_the_environment(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(SetupError, match="cannot be written"):
        check(TRUTH, SOUND, tmp_path / "taken")


# --- what is found ---------------------------------------------------------------------------------------------------


def test_a_sound_experiment_has_no_findings():
    assert check(TRUTH, SOUND, None) == Validation(True, (), len(RULES), None)


def test_a_sound_experiment_with_telemetry_and_impacts_has_no_findings():
    sound = check(TRUTH, SOUND, None, (*METRICS, LOGS), (IMPACT, REVIEWED), tests=(IMPACT_TEST,))
    assert sound == Validation(True, (), len(RULES), None)


NOTHING = Truth(
    *((),) * 5,
    different_runs=True,
    disagreements=("a count differs",),
    notes=("no script", f"{CORRECTED}a clock"),
    unread=("what 'python' does is not read",),
    surplus=("3 acknowledgements of 2 actions",),
)

BROKEN_CLUSTER = evidence_of(
    Cluster(
        "os-faults.yaml",
        (*NODES, Node("CMP1", "CMP1", COMPUTE[0], None, 16)),
        (
            component("nova_compute", (*COMPUTE, "192.0.2.77")),
            component("ovs_vswitchd", ("192.0.2.88",), "openvswitch_vswitchd"),
            component("again", (), "openvswitch_vswitchd"),
            component("glance_api", (COMPUTE[1],)),
            component("nova_libvirt", (CONTROLLER,)),
            DHCP_AGENT,
        ),
    )
)
DHCP_ON_CONTROLLER = replace(TARGET, node="ctl1", component="neutron_dhcp_agent", container="neutron_dhcp_agent")

CTL, CMP1, CMP2 = METRICS
BROKEN_METRICS = (
    replace(
        CMP1,
        rows=99,
        without_time=4,
        ambiguous_times=5,
        nonexistent_times=6,
        out_of_order=7,
        left_out=2,
        left_out_where=("line 9: it has 5 instead of 7 fields", "line 10: it has 5 instead of 7 fields"),
        nulled=7,
        nulled_where=("line 4: mem.used is 'N/A', no number",),
        repeated_headers=1,
        limit_note="ask again",
        note="averages",
        duplicates=8,
        longest_gap_s=31.0,
        out_of_range={"cpu.user": 2, "mem.used": 0},
        coverage={INJECTION_ID: 0.8999},
        abbreviation_note="CEST in November, where Europe/Berlin is UTC+1 (CET); the zone was used",
        shift_s=-3600.0,
        shift_reason="the errors fit the windows there",
        columns=(("now", "string"), ("cpu.user", "int64"), ("swap.used", "int64")),
    ),
    replace(CMP1, source="metrics/cmp1_again.csv", coverage={INJECTION_ID: 0.9999}),
    replace(CTL, nodes=("ctl1", "cmp9"), strangers={"cmp9": 7}, first=after(101), last=after(200), anomalous=1),
)
BROKEN_LOGS = replace(LOGS, leaks=3, redacted=2)
BROKEN_IMPACTS = (
    replace(IMPACT, ended_at=IMPACT.started_at),
    replace(IMPACT, ended_at=IMPACT.started_at),
    replace(IMPACT, injection_id="gone"),
    replace(REVIEWED, injection_id="", kpi="mem.userd"),
    replace(REVIEWED, node="cmp9", direction="sideways"),
    replace(IMPACT, node="ctl1"),
    replace(IMPACT, source="hearsay", source_kind="stars"),
)
LOOKED_AT = {"telemetry", "telemetry_nodes", "ranges", "coverage", "impacts", "impact_tests"}
BROKEN_TESTS = (
    replace(IMPACT_TEST, found=False),
    replace(IMPACT_TEST, node="cmp2", found=True),
    replace(IMPACT_TEST, node="cmp2", found=True),
    replace(IMPACT_TEST, kpi="cpu.user", source_kind="stars", p_value=None, found=False),
)

SILENT = tuple(
    replace(TRIGGER, trigger_id=f"silent{value}", hook_index=1, value=float(value), outcome="not_reached")
    for value in (400, 500)
)
LATER = f"{WORKLOAD_ID}.hook0.iteration3"
ORPHANS = Truth(
    workloads=(
        replace(WORKLOAD, ended_at=after(-1), iterations=4, times=3, failed_iterations=2, sla_passed=False),
        replace(WORKLOAD, iterations=0, sla_passed=None),
    ),
    triggers=(
        replace(TRIGGER, workload_id="gone", outcome=None, kind="sometimes", unit="moon"),
        replace(TRIGGER, outcome="perhaps", evidence="unplanned: nobody asked", action="mysql -u root -phunter2"),
        replace(TRIGGER, trigger_id="a", outcome="not_observable", evidence="HTML hides hooks without output"),
        replace(TRIGGER, trigger_id="b", value=400.0, outcome="not_reached", evidence="the run ended after 3"),
    ),
    injections=(
        replace(INJECTION, trigger_id="gone", workload_id="gone", ended_at=after(19), effect="none"),
        replace(INJECTION, unit="moon", time_source="hearsay", effect="unlikely", outcome="bad", start_uncertainty_s=1),
        replace(
            INJECTION,
            injection_id="untargeted",
            started_at=after(-9),
            effect="unknown",
            fault_ended_at=None,
            fault_end_source="unknown",
            fault_end_reason="stop of nova_compute on cmp1: nothing that is known undoes it",
        ),
        replace(INJECTION, injection_id="failed", hook_status="failed", effect="partial", fault_end_source="moon"),
    ),
    targets=(
        TARGET,
        TARGET,
        replace(TARGET, injection_id="gone", node="cmp9", layer="sky", resolution="vague", kind="cloud"),
        replace(TARGET, injection_id="failed", container="c", placed=False),
        replace(TARGET, injection_id="failed", node="ctl1", declared=False, effective=None, service=None),
        replace(TARGET, injection_id="failed", container="b", resolution="ambiguous", commanded=None),
    ),
    iterations=(
        replace(ITERATIONS[0], iteration=0, ended_at=after(9)),
        replace(ITERATIONS[1], injection_ids=["nothing"], is_boundary=True),
        ITERATIONS[1],
        replace(ITERATIONS[2], iteration=4),
        replace(ITERATIONS[2], workload_id="gone"),
    ),
)

EXPOSED = {"nothing at all": (Exposure("targets.parquet", "evidence", 2),)}
SCENARIOS = {
    "nothing at all": (
        NOTHING,
        Evidence(()),
        {
            *("experiment.has_workloads", "experiment.is_of_one_run", "experiment.has_iterations"),
            *("experiment.has_cluster", "disagreements.none", "notes.none", "experiment.has_injections"),
            *("unread.none", "surplus.none"),
            *("corrections.declared", "secrets.none_comes_out"),
        },
    ),
    "a cluster file that contradicts itself": (
        replace(TRUTH, targets=(*TARGETS, DHCP_ON_CONTROLLER)),
        BROKEN_CLUSTER,
        {
            *("nodes.name_unique", "nodes.ip_unique", "nodes.role_known", "components.named_alike"),
            *("components.container_declared_once", "components.all_hosts_commanded", "hosts.of_injected_are_known"),
            *("hosts.are_known", "placements.role_fits"),
        },
    ),
    "tables that contradict themselves": (
        ORPHANS,
        SOUND,
        {
            rule.id
            for rule in RULES
            if rule.view in {"workloads", "iterations", "triggers", "injections", "targets", "choices"}
        }
        - {"workloads.shown_in_full", "workloads.met_by_metrics"}
        - {"triggers.hook_fired"}
        | {"components.all_hosts_commanded"},
    ),
    "a cluster file of another cluster": (
        replace(
            TRUTH,
            targets=(replace(TARGET, node="far1", declared=False), replace(TARGET, node="far2", container="b")),
        ),
        evidence_of(cluster(DHCP_AGENT)),
        {
            *("experiment.cluster_has_commanded_nodes", "experiment.cluster_declares_acted_containers"),
            *("targets.node_is_known", "targets.commanded_is_declared"),
        },
    ),
    "hooks that may have fired unseen": (
        replace(
            TRUTH,
            triggers=(replace(TRIGGER, outcome="not_observable"),),
            injections=(),
            targets=(),
            iterations=tuple(replace(one, injection_ids=[]) for one in ITERATIONS),
        ),
        SOUND,
        {"experiment.firings_are_seen", "triggers.observable"},
    ),
    "a hook that never fired beside one that did": (
        replace(TRUTH, triggers=(TRIGGER, *SILENT)),
        SOUND,
        {"triggers.hook_fired"},
    ),
    "telemetry and impacts that cannot be": (
        TRUTH,
        SOUND,
        {rule.id for rule in RULES if rule.view in LOOKED_AT}
        - {"telemetry.anomalous_where_concerned", "telemetry.meets_injections"}
        | {"nodes.has_metrics"},
        (*BROKEN_METRICS, BROKEN_LOGS),
        BROKEN_IMPACTS,
    ),
    "anomalous rows where nothing happened": (
        TRUTH,
        SOUND,
        {"telemetry.anomalous_where_concerned"},
        (replace(CTL, anomalous=1), CMP1, CMP2),
    ),
    "metrics beside every window": (
        TRUTH,
        SOUND,
        {"telemetry.meets_injections", "workloads.met_by_metrics", "coverage.nearly_whole"},
        tuple(replace(file, coverage={INJECTION_ID: 0.0}) for file in METRICS),
    ),
    "a report that shows some iterations": (
        replace(TRUTH, iterations=ITERATIONS[:1]),
        evidence_of(cluster(NOVA_COMPUTE), complete=False),
        {"workloads.shown_in_full"},
    ),
    "a failed hook with an effect, and no cluster file": (
        replace(
            TRUTH,
            injections=(replace(INJECTION, hook_status="failed", effect="partial"),),
            targets=tuple(replace(target, declared=None) for target in TARGETS),
        ),
        evidence_of(None),
        {"experiment.has_cluster", "injections.status_tells_effect"},
    ),
}

TESTED = {"telemetry and impacts that cannot be": BROKEN_TESTS}


@pytest.fixture(scope="module")
def validations():
    return {
        name: check(truth, evidence, None, *rest, tests=TESTED.get(name, ()), exposed=EXPOSED.get(name, ()))
        for name, (truth, evidence, _, *rest) in SCENARIOS.items()
    }


@pytest.fixture(scope="module")
def scenarios(validations):
    return {name: by_rule(validation) for name, validation in validations.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_breach_is_found_and_nothing_else(name, scenarios):
    assert set(scenarios[name]) == SCENARIOS[name][2]


def test_every_rule_can_fail(scenarios):
    assert set().union(*(set(findings) for findings in scenarios.values())) == set(BY_ID)


def test_findings_carry_the_severity_and_remedy_of_their_rule(scenarios):
    for findings in scenarios.values():
        for name, finding in findings.items():
            assert (finding.severity, finding.remedy) == (BY_ID[name].severity, BY_ID[name].remedy)
            assert finding.count >= len(finding.where) > 0
            assert finding.message


def test_no_secret_is_in_a_finding(scenarios):
    leak = scenarios["tables that contradict themselves"]["triggers.secret_free"]
    assert leak.severity == "critical"
    assert "hook 0 (sys_call) at iteration 2" in leak.message
    assert "hunter2" not in str(scenarios)


def test_critical_findings_come_first_and_alone_stop_the_dataset(validations):
    for validation in validations.values():
        severities = [finding.severity for finding in validation.findings]
        assert severities == sorted(severities, key=["critical", "warning", "info"].index)
        assert validation.passed == ("critical" not in severities)
        assert validation.expectations == len(RULES)
    assert {validation.passed for validation in validations.values()} == {True, False}


def test_a_hook_that_never_fired_is_told_once_with_its_plan_and_the_end_of_the_run(scenarios):
    silent = scenarios["a hook that never fired beside one that did"]["triggers.hook_fired"]
    assert (silent.severity, silent.count) == ("warning", 1)
    assert silent.message == (
        "hook 1 (sys_call) of NovaServers.boot-0-01234567 never fired: planned at iteration 400, 500; "
        "the run ended after 3 iterations, at 2019-11-19T21:48:20.000000Z"
    )


def test_another_clusters_file_is_named_by_the_nodes_and_the_containers_that_it_lacks(scenarios):
    other = scenarios["a cluster file of another cluster"]
    assert other["experiment.cluster_has_commanded_nodes"].message == (
        "the hooks command far1, far2, and none of them is a node of the cluster file: it is of another cluster"
    )
    assert other["experiment.cluster_declares_acted_containers"].message.startswith("docker acted on b, nova_compute,")


def test_messages_name_the_offenders(scenarios):
    cluster_file = scenarios["a cluster file that contradicts itself"]
    assert cluster_file["placements.role_fits"].message == (
        "glance_api is declared on cmp2, whose role is compute (expected: control); "
        "nova_libvirt is declared on ctl1, whose role is controller (expected: compute)"
    )
    assert cluster_file["components.all_hosts_commanded"].message == (
        "neutron_dhcp_agent is also declared on cmp1, cmp2, where no injection went"
    )
    assert cluster_file["hosts.of_injected_are_known"].message == (
        "nova_compute was injected, and its host 192.0.2.77 is no node of the cluster file"
    )
    tables = scenarios["tables that contradict themselves"]
    assert tables["choices.none_left_open"].message == ("it is not known on which of cmp1 failed was to stop+start b")
    assert tables["triggers.reached"].message == (
        f"hook 0 (sys_call) at iteration 400 of {WORKLOAD_ID} did not fire: the run ended after 3"
    )


def test_messages_on_telemetry_name_file_and_reason(scenarios):
    found = {rule: finding.message for rule, finding in scenarios["telemetry and impacts that cannot be"].items()}
    assert found["nodes.has_metrics"] == "there are no metrics of cmp2"
    assert found["telemetry.rows_are_whole"] == (
        "metrics/cmp1_metrics.csv: 2 rows could not be read and were left out "
        "(line 9: it has 5 instead of 7 fields; line 10: it has 5 instead of 7 fields)"
    )
    assert "(line 4: mem.used is 'N/A', no number; and 6 more)" in found["telemetry.values_are_numbers"]
    assert found["telemetry.keeps_every_row"] == (
        "metrics/cmp1_metrics.csv has 100 rows, and 99 of them came out labeled"
    )
    assert found["telemetry.columns_alike"] == (
        "metrics/cmp1_metrics.csv lacks mem.used and has swap.used and has another type in cpu.user (int64 instead of "
        "double), unlike metrics/cmp1_again.csv"
    )
    assert found["coverage.nearly_whole"] == f"metrics/cmp1_metrics.csv covers 89.9 % of {INJECTION_ID}"
    assert found["coverage.whole"] == f"metrics/cmp1_again.csv covers 99.9 % of {INJECTION_ID}"
    assert found["ranges.kept"] == "metrics/cmp1_metrics.csv: 2 of 99 rows have a cpu.user that cannot be"
    assert found["telemetry_nodes.are_known"] == (
        "metrics/ctl1_metrics.csv has 7 rows of cmp9, which is no node of the cluster file"
    )
    assert found["telemetry.in_run"] == "metrics/ctl1_metrics.csv has no row inside the run"
    assert found["telemetry.without_leaks"] == (
        "logs/openstack.csv: 3 rows name the injection itself, and are marked in the column names_injection"
    )
    assert found["impacts.reviewed_has_injection"] == (
        "the reviewed impact on mem.userd of cmp1 from 2019-11-19T21:47:01.000000Z fits no injection"
    )
    assert found["impacts.on_targets"] == (
        f"mem.used of cmp1 moved with gone, which acted elsewhere; mem.used of ctl1 moved with {INJECTION_ID}, "
        "which acted elsewhere"
    )


def test_trap_a_source_that_is_off_by_hours_is_a_warning_that_names_file_and_shift(scenarios):
    finding = scenarios["telemetry and impacts that cannot be"]["telemetry.clock_fits_run"]
    assert finding.severity == "warning"
    assert finding.message == (
        "metrics/cmp1_metrics.csv seems to be 1 h behind (suggested shift: +1 h), "
        "since the errors fit the windows there"
    )
    assert finding.remedy == "check time_zone in experiment.yaml; nothing was shifted"


def test_trap_summer_time_abbreviations_in_november_are_a_warning_with_what_was_used(scenarios):
    finding = scenarios["telemetry and impacts that cannot be"]["telemetry.abbreviation_fits_zone"]
    assert (finding.severity, finding.where) == ("warning", ("metrics/cmp1_metrics.csv",))
    assert finding.message.endswith("CEST in November, where Europe/Berlin is UTC+1 (CET); the zone was used")


def test_without_any_metrics_no_node_lacks_them():
    assert by_rule(check(TRUTH, SOUND, None, (LOGS,))) == {}


def test_leaks_and_disorder_do_not_stop_a_dataset():
    odd = replace(CMP1, out_of_order=7, duplicates=1, leaks=3, longest_gap_s=300.0)
    validation = check(TRUTH, SOUND, None, (CTL, odd, CMP2))
    assert validation.passed
    assert {finding.expectation: finding.severity for finding in validation.findings} == {
        "telemetry.no_duplicate_row": "warning",
        "telemetry.in_order": "info",
        "telemetry.without_long_gaps": "info",
        "telemetry.without_leaks": "info",
    }


def test_trap_a_node_commanded_and_not_declared_is_a_warning_that_names_it():
    stray = replace(TARGET, node="ctl1", node_ip=CONTROLLER, role="controller", declared=False, effective=False)
    again = f"{INJECTION_ID}.2"
    truth = replace(
        TRUTH,
        injections=(INJECTION, replace(INJECTION, injection_id=again, started_at=after(50), ended_at=after(60))),
        targets=tuple(replace(t, injection_id=i) for i in (INJECTION_ID, again) for t in (*TARGETS, stray)),
    )
    validation = check(truth, SOUND, None)
    assert validation.passed
    assert validation.findings == (
        Finding(
            severity="warning",
            expectation="targets.commanded_is_declared",
            table="targets",
            column="declared",
            message="ctl1 was commanded to stop+start nova_compute, which os-faults does not declare there",
            where=(
                f"nova_compute on ctl1, injection {INJECTION_ID}",
                f"nova_compute on ctl1, injection {again}",
            ),
            count=2,
            remedy="take the node out of the hook's script, or declare the container there in the os-faults file",
        ),
    )


def test_trap_a_failed_hook_with_an_effect_is_explained(scenarios):
    finding = scenarios["a failed hook with an effect, and no cluster file"]["injections.status_tells_effect"]
    assert (finding.severity, finding.count) == ("info", 1)
    assert "failed, yet the fault took hold" in finding.message


# --- many rows -------------------------------------------------------------------------------------------------------


def test_trap_a_stop_without_a_start_is_a_warning_that_says_how_long_rows_stay_open(scenarios):
    finding = scenarios["tables that contradict themselves"]["injections.fault_end_known"]
    assert finding.severity == "warning"
    assert finding.message == (
        "a fault whose end is unknown: untargeted: stop of nova_compute on cmp1: nothing that is known undoes it; rows "
        "until then are boundary rows"
    )


def test_twenty_of_many_are_named_and_all_are_counted(tmp_path):
    many = 20_000
    run_of_many = replace(WORKLOAD, times=10, iterations=many, failed_iterations=0)
    rows = tuple(replace(ITERATIONS[0], iteration=number) for number in range(1, many + 1))
    findings = by_rule(check(replace(TRUTH, workloads=(run_of_many,), iterations=rows), SOUND, tmp_path))
    assert set(findings) == {"workloads.within_times", "iterations.within_times"}
    beyond = findings["iterations.within_times"]
    assert (beyond.count, len(beyond.where)) == (many - 10, 20)
    assert beyond.where[0] == f"iteration 11 of {WORKLOAD_ID}"
    assert beyond.message.endswith("and 19,985 more")
    assert (tmp_path / "validation" / "results.json").stat().st_size < 200_000


# --- an error of the tool is never bad data --------------------------------------------------------------------------

RULE = BY_ID["experiment.has_workloads"]
VIEW = pd.DataFrame({"where": ["the experiment"], "workloads": [0.0]})


def result(success: bool = False, info: object = None, **content: object) -> SimpleNamespace:
    return SimpleNamespace(success=success, exception_info=info, result=content)


@pytest.mark.parametrize(
    "info",
    [
        {"raised_exception": True, "exception_message": "no such column", "exception_traceback": "..."},
        {"('metric', 'x', ())": {"raised_exception": True, "exception_message": "no such column"}},
    ],
)
def test_an_exception_inside_a_result_is_an_error_of_the_tool(info):
    with pytest.raises(SetupError, match=r"has_workloads could not be evaluated: no such column"):
        run.outcome(RULE, result(info=info), VIEW)


@pytest.mark.parametrize("odd", [result(), result(True, unexpected_index_list=[0]), result(unexpected_index_list=[])])
def test_a_result_that_contradicts_itself_is_an_error_of_the_tool(odd):
    with pytest.raises(SetupError, match="without the rows"):
        run.outcome(RULE, odd, VIEW)


def test_a_rule_that_was_not_evaluated_is_an_error_of_the_tool():
    with pytest.raises(SetupError, match="was not evaluated"):
        list(run._outcomes({}, RULES, {}))


def test_a_rule_over_a_column_that_is_not_there_really_raises(monkeypatch):
    broken = replace(RULE, expectation=replace(RULE.expectation, arguments={"column": "gone", "min_value": 1}))
    monkeypatch.setattr(relaxing, "RULES", (broken,))
    with pytest.raises(SetupError, match="could not be evaluated"):
        check(TRUTH, SOUND, None)


def test_without_great_expectations_the_error_says_so(monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "great_expectations":
            raise ImportError("not there")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SetupError, match="cannot be imported"):
        check(TRUTH, SOUND, None)


# --- pages -----------------------------------------------------------------------------------------------------------


def test_harmless_text_keeps_its_words():
    assert site.harmless("nova_compute on cmp1, at 12:00") == "nova_compute on cmp1, at 12:00"
    assert not set(site.harmless(HOSTILE)) & set("<>&\"'`${}\\\n")


def test_random_ids_become_numbers_in_order():
    one, two = "98580a61-c243-4953-804c-4aa12d855a17", "c2e023f0-2cb7-4d43-8e9f-b3d11053e67b"
    page = f"a {one} b {two} c {one}"
    assert re.findall(r"id\d+", site.settled(page)) == ["id1", "id2", "id1"]
