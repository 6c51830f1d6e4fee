"""Views: the truth tables and the evidence as small tables, one row a fact."""

from __future__ import annotations

import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectation_samples import (
    COMPUTE,
    DHCP_AGENT,
    IMPACT,
    IMPACT_TEST,
    INJECTION,
    INJECTION_ID,
    ITERATIONS,
    LOGS,
    METRICS,
    NOVA_COMPUTE,
    REVIEWED,
    TARGET,
    TARGETS,
    TRIGGER,
    TRUTH,
    WORKLOAD,
    after,
    cluster,
    component,
    evidence_of,
)
from faultset import tables
from faultset.expectations import catalogue, cluster_views, docs, hook_views, telemetry_views, views
from faultset.expectations.catalogue import RULES, VIEWS
from faultset.records.evidence import Evidence
from faultset.tables import InjectionRow, TriggerRow
from faultset.truth import Truth
from faultset.truth.placement import Placement

# --- the catalogue and the views belong together ---------------------------------------------------------------------


def test_every_rule_looks_at_columns_that_its_view_has():
    frames = views.views_of(TRUTH, evidence_of(cluster(NOVA_COMPUTE)))
    for rule in RULES:
        arguments = rule.expectation.arguments
        asked = {arguments.get(name) for name in ("column", "column_A", "column_B")} | set(
            arguments.get("column_list", ())
        )
        asked |= {rule.expectation.only_where[0]} if rule.expectation.only_where else set()
        named = {field.split(":")[0] for _, field, _, _ in string.Formatter().parse(rule.breach) if field}
        assert asked - {None} | named <= set(frames[rule.view].columns), rule.id


def test_every_view_is_asked_something_and_every_rule_has_its_own_id():
    assert {rule.view for rule in RULES} == set(VIEWS) == set(views.views_of(TRUTH, Evidence(())))
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_closed_vocabulary_of_the_tables_is_held():
    held = {rule.id for rule in RULES if rule.id.endswith("_in_vocabulary")}
    assert "triggers.outcome_in_vocabulary" in held
    assert held == {
        f"{table.name}.{spec.name}_in_vocabulary"
        for table in tables.EVERY_TABLE
        for spec in tables.columns(table)
        if spec.column.values
    }


def test_rules_speak_plainly():
    for rule in RULES:
        assert rule.meaning.endswith("."), rule.id
        assert rule.breach, rule.id
        assert not rule.remedy.endswith("."), rule.id
        # Great Expectations renders these into pages without escaping them.
        assert not set("<>$&") & set(rule.meaning), rule.id


def test_the_reference_page_is_the_catalogue():
    page = Path(__file__).parents[2] / "docs" / "reference" / "expectations.md"
    assert page.read_text(encoding="utf-8") == docs.catalogue_page()
    assert all(f"`{rule.id}`" in docs.catalogue_page() for rule in catalogue.RULES)


def test_views_of_nothing_have_their_columns_and_types():
    empty = views.views_of(Truth((), (), (), (), ()), Evidence(()))
    full = views.views_of(
        TRUTH, evidence_of(cluster(NOVA_COMPUTE)), (*METRICS, LOGS), (IMPACT, REVIEWED), tests=(IMPACT_TEST,)
    )
    assert {name: list(frame.dtypes) for name, frame in empty.items()} == {
        name: list(frame.dtypes) for name, frame in full.items()
    }
    assert len(empty["experiment"]) == 1
    assert sum(len(frame) for name, frame in empty.items() if name != "experiment") == 0


# --- the cluster -----------------------------------------------------------------------------------------------------


def test_hosts_are_known_by_ip_by_name_and_by_full_name():
    parts = (component("nova_compute", (COMPUTE[0], "cmp2", "CTL1.example.org", "192.0.2.99", "cmp9")),)
    rows = cluster_views.hosts(parts, (), Placement(cluster(*parts)))
    assert list(rows["node"].fillna("")) == ["cmp1", "cmp2", "ctl1", "", ""]
    assert not any(rows["injected"])


def test_a_component_is_injected_when_it_is_targeted_under_its_key_or_its_containers_name():
    parts = (component("ovs_vswitchd", COMPUTE, "openvswitch_vswitchd"), component("nova_compute", COMPUTE))
    placement = Placement(cluster(*parts))
    for name in ("ovs_vswitchd", "openvswitch_vswitchd"):
        hit = (replace(TARGET, component="ovs_vswitchd", container=name),)
        rows = cluster_views.hosts(parts, hit, placement)
        assert list(rows["injected"]) == [True, True, False, False]


def test_trap_the_agent_is_declared_on_every_host_and_commanded_on_one():
    placement = Placement(cluster(DHCP_AGENT))
    hit = (replace(TARGET, node="ctl1", component="neutron_dhcp_agent", container="neutron_dhcp_agent"),)
    assert list(cluster_views.component_view((DHCP_AGENT,), hit, placement)["untouched"]) == ["cmp1, cmp2"]


def test_candidates_of_a_random_choice_are_not_called_untouched():
    placement = Placement(cluster(NOVA_COMPUTE))
    hit = tuple(replace(target, commanded=None, resolution="ambiguous") for target in TARGETS)
    assert cluster_views.component_view((NOVA_COMPUTE,), hit, placement)["untouched"].isna().all()


@pytest.mark.parametrize("hosts", [None, COMPUTE])
def test_components_without_injection_or_without_hosts_have_no_untouched_hosts(hosts):
    part = component("nova_compute", hosts)
    hit = TARGETS[:1] if hosts is None else ()
    assert cluster_views.component_view((part,), hit, Placement(cluster(part)))["untouched"].isna().all()


@pytest.mark.parametrize(
    ("key", "container", "role", "expected"),
    [
        ("nova_compute", None, "compute", "compute"),
        ("nova_compute", None, "controller", "compute"),
        ("nova-compute", None, "control", "compute"),
        ("neutron_server", None, "compute", "control"),
        ("api", "glance_api", "cmp", "control"),
        ("rabbitmq", None, "control-plane", "control-plane"),
        ("keystone", None, "controller, compute", "controller, compute"),
        ("nova_compute", None, "controller/compute", "controller/compute"),
        ("neutron_dhcp_agent", None, "compute", None),
        ("nova_compute", None, "storage", None),
    ],
)
def test_expected_role(key, container, role, expected):
    assert cluster_views.expected_role(component(key, COMPUTE, container), role) == expected


def test_components_without_hosts_say_nothing_about_roles():
    part = component("nova_compute", None)
    assert cluster_views.placements((part,), Placement(cluster(part))).empty


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_workload_is_complete_when_one_of_its_inputs_has_every_iteration():
    assert list(views.workloads(TRUTH, evidence_of(None))["complete"]) == [True]
    html_only = evidence_of(None, complete=False)
    assert list(views.workloads(TRUTH, html_only)["complete"]) == [False]
    run = html_only.runs[0]
    both = Evidence((replace(run, results=evidence_of(None).runs[0].report),))
    assert list(views.workloads(TRUTH, both)["complete"]) == [True]


def test_iterations_name_the_injections_that_do_not_exist():
    odd = replace(ITERATIONS[0], injection_ids=[INJECTION_ID, "gone"])
    unknown = replace(ITERATIONS[1], injection_ids=None)
    rows = views.iterations(replace(TRUTH, iterations=(odd, unknown)))
    assert list(rows["unknown_injections"].fillna("")) == ["gone", ""]


# --- hooks -----------------------------------------------------------------------------------------------------------


def test_a_command_that_still_holds_a_secret_is_seen_and_not_shown():
    leaking = replace(TRIGGER, action="sshpass -p hunter2 ssh root@cmp1 reboot")
    rows = hook_views.triggers((TRIGGER, leaking), (WORKLOAD,))
    assert list(rows["secret_free"]) == [True, False]
    assert "hunter2" not in rows.to_csv()


def test_a_described_secret_is_seen_too():
    rows = hook_views.triggers((replace(TRIGGER, description="password=hunter2"),), (WORKLOAD,))
    assert list(rows["secret_free"]) == [False]
    assert "hunter2" not in rows.to_csv()


def test_what_nobody_planned_is_told_apart():
    odd = replace(TRIGGER, evidence="unplanned: the file shows a firing that no hook plans")
    assert list(hook_views.triggers((TRIGGER, odd), ())["planned"]) == [True, False]


def injection(name: str, start: float, end: float, **changes: object) -> InjectionRow:
    return replace(INJECTION, injection_id=name, started_at=after(start), ended_at=after(end), **changes)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(20, 40, 0.0), (0, 100, 0.0), (-1.5, 40, 1.5), (90, 100.25, 0.25), (-1, 103, 3.0)],
)
def test_seconds_outside_of_the_run(start, end, expected):
    assert hook_views.seconds_outside(injection("i", start, end), WORKLOAD) == expected


def test_uncertainty_is_no_reason_to_lie_outside():
    assert hook_views.seconds_outside(injection("i", -0.5, 40, start_uncertainty_s=1.0), WORKLOAD) == 0.0


def test_trap_a_report_knows_no_start_of_the_load():
    html = replace(WORKLOAD, started_at=None, ended_at=None)
    assert hook_views.seconds_outside(injection("i", -4, 400), html) == 0.0
    assert hook_views.seconds_outside(injection("i", -7, 400), html) == 2.0
    assert hook_views.seconds_outside(injection("i", -7, 400), replace(html, created_at=None)) is None
    assert hook_views.seconds_outside(injection("i", -7, 400), None) is None


def overlaps(*rows: InjectionRow, triggers: tuple[TriggerRow, ...] = (TRIGGER,)) -> list[str]:
    frame = hook_views.injections(replace(TRUTH, injections=rows, triggers=triggers))
    return list(frame["overlapping"].fillna(""))


def test_firings_of_one_hook_overlap_when_one_starts_before_another_ended():
    assert overlaps(injection("a", 0, 10), injection("b", 10, 20), injection("c", 19, 30)) == ["", "", "b"]
    assert overlaps(injection("a", 0, 50), injection("b", 10, 20), injection("c", 30, 40)) == ["", "a", "a"]


def test_whole_seconds_that_touch_do_not_prove_an_overlap():
    first, second = injection("a", 0, 11), injection("b", 10, 20)
    assert overlaps(first, replace(second, start_uncertainty_s=1.0)) == ["", ""]
    assert overlaps(first, second) == ["", "a"]


def test_firings_of_different_hooks_may_overlap():
    other = replace(TRIGGER, trigger_id="other", hook_index=1)
    rows = (injection("a", 0, 10), injection("b", 5, 20, trigger_id="other"))
    assert overlaps(*rows, triggers=(TRIGGER, other)) == ["", ""]


# --- targets ---------------------------------------------------------------------------------------------------------


def test_without_a_cluster_file_nothing_is_undeclared():
    rows = hook_views.targets((replace(TARGET, declared=None),), (INJECTION,), Placement(None))
    assert list(rows["node_known"]) == [None]
    assert list(rows["declared"]) == [None]


def test_targets_say_what_was_ordered():
    reboot = replace(TARGET, action="reboot", container=None, component=None, service=None, layer="host")
    rows = hook_views.targets((TARGET, reboot, replace(TARGET, action=None)), (INJECTION,), Placement(cluster()))
    assert list(rows["order"]) == ["stop+start nova_compute", "reboot the node", "act on nova_compute"]
    assert list(rows["service"]) == ["nova", "the node itself", "nova"]


def test_an_open_choice_names_its_candidates():
    rows = hook_views.choices((*(replace(target, resolution="ambiguous") for target in TARGETS),))
    assert list(rows["candidates"]) == ["cmp1, cmp2"]
    assert hook_views.choices(TARGETS)["candidates"].isna().all()


@given(st.lists(st.text(min_size=1, max_size=5), max_size=60))
def test_a_list_of_names_counts_all_and_shows_twenty(names):
    text = views.listed(names)
    assert text.startswith(", ".join(names[:20]))
    assert (f"and {len(names) - 20} more" in text) == (len(names) > 20)


# --- telemetry -------------------------------------------------------------------------------------------------------


def test_coverage_is_asked_of_metrics_of_targets_only():
    rows = telemetry_views.coverage((*METRICS, LOGS), TRUTH)
    assert list(rows["source"]) == ["metrics/cmp1_metrics.csv", "metrics/cmp2_metrics.csv"]


def test_coverage_that_nobody_measured_is_unknown():
    rows = telemetry_views.coverage((replace(METRICS[1], coverage={}),), TRUTH)
    assert rows["share"].isna().all()
    assert rows["mostly"].isna().all()


def test_coverage_is_never_rounded_up_to_the_whole():
    rows = telemetry_views.coverage((replace(METRICS[1], coverage={INJECTION_ID: 0.99999}),), TRUTH)
    assert list(rows["percent"]) == [99.9]


def test_nodes_are_the_same_whatever_their_case():
    facts = replace(METRICS[1], nodes=("CMP1",))
    assert telemetry_views.metrics_files((facts,), ["cmp1", "cmp2"]) == [1, 0]
    assert list(telemetry_views.telemetry_nodes((facts,), Placement(cluster()))["node_known"]) == [True]
    assert len(telemetry_views.coverage((facts,), TRUTH)) == 1


def test_columns_are_compared_with_what_most_files_of_a_kind_and_format_have():
    csv, odd = METRICS[0], replace(METRICS[2], columns=(*METRICS[2].columns, ("swap.used", "int64")))
    assert telemetry_views.different_layouts((odd, csv, METRICS[1], LOGS)) == {
        odd.source: "has swap.used, unlike metrics/ctl1_metrics.csv"
    }
    packed = replace(odd, source="metrics/cmp2_metrics.csv.gz")
    assert list(telemetry_views.different_layouts((csv, METRICS[1], packed))) == [packed.source]
    trees = replace(LOGS, kind="traces", source="traces/boot.json")
    assert not telemetry_views.different_layouts((replace(trees, source="traces/boot.csv", columns=()), trees))


def test_a_column_without_any_value_is_no_change_and_neither_is_the_order_of_columns():
    name, cpu, mem = METRICS[0].columns
    others = (
        replace(METRICS[1], columns=(name, mem, cpu)),
        replace(METRICS[2], columns=(name, cpu, ("mem.used", "null"))),
    )
    assert telemetry_views.different_layouts((METRICS[0], *others)) == {}


@pytest.mark.parametrize(
    ("cadence", "gap", "found"), [(1.0, 30.0, False), (1.0, 30.1, True), (10.0, 99.0, False), (10.0, 101.0, True)]
)
def test_a_gap_is_long_beside_the_usual_distance_of_rows(cadence, gap, found):
    row = telemetry_views.telemetry((replace(METRICS[0], cadence_s=cadence, longest_gap_s=gap),), TRUTH, ())
    assert (row["longest_gap_s"] > row["usual_gap_s"]).item() is found


def test_logs_come_when_they_come_and_have_no_gaps():
    assert telemetry_views.telemetry((LOGS,), TRUTH, ())["usual_gap_s"].isna().all()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3600.0, "metrics/ctl1_metrics.csv seems to be 1 h ahead (suggested shift: -1 h)"),
        (-19800.0, "metrics/ctl1_metrics.csv seems to be 5.5 h behind (suggested shift: +5.5 h)"),
        (None, None),
        (0.0, None),
    ],
)
def test_a_shift_is_said_in_hours_with_what_would_mend_it(seconds, said):
    (found,) = telemetry_views.telemetry((replace(METRICS[0], shift_s=seconds),), TRUTH, ())["shift"].fillna("none")
    assert found == (said or "none")


def test_files_of_a_kind_that_are_off_alike_share_one_sentence_that_names_them():
    off = [replace(file, shift_s=3600.0, shift_reason="so it is") for file in METRICS[:2]]
    other = replace(METRICS[2], shift_s=-3600.0)
    found = telemetry_views.shifted((*off, other, LOGS))
    one, two = (found[file.source] for file in off)
    assert one == two
    assert one == (
        f"2 of 3 files of metrics ({off[0].source}, {off[1].source}) seem to be 1 h ahead (suggested shift: -1 h), "
        "since so it is"
    )
    assert found[other.source] == f"{other.source} seems to be 1 h behind (suggested shift: +1 h)"
    assert LOGS.source not in found


def test_whether_a_file_lies_in_the_run_is_unknown_where_no_time_of_the_run_is():
    nothing = Truth((), (), (), (), ())
    assert telemetry_views.telemetry(METRICS[:1], nothing, ())["in_run"].isna().all()
    assert list(telemetry_views.telemetry((replace(LOGS, first=None, last=None),), TRUTH, ())["in_run"]) == [False]


def test_a_file_whose_nodes_an_impact_concerns_may_have_anomalous_rows():
    spread = replace(IMPACT, node="ctl1")
    assert telemetry_views.telemetry(METRICS[:1], TRUTH, (spread,))["undisturbed_anomalous"].isna().all()
    assert list(telemetry_views.telemetry(METRICS[:1], TRUTH, ())["undisturbed_anomalous"]) == [0]


def test_an_injection_without_a_target_may_make_rows_anomalous_on_every_node_but_not_on_a_stranger():
    lost = replace(TRUTH, injections=tuple(replace(one, injection_id="lost") for one in TRUTH.injections))
    assert telemetry_views.telemetry(METRICS[:1], lost, ())["undisturbed_anomalous"].isna().all()
    stranger = replace(METRICS[0], nodes=("laptop",), strangers={"laptop": 5}, anomalous=5)
    assert list(telemetry_views.telemetry((stranger,), lost, ())["undisturbed_anomalous"]) == [5]


def test_an_impact_on_a_node_without_metrics_says_nothing_of_its_kpi():
    placement = Placement(cluster(NOVA_COMPUTE))
    rows = telemetry_views.impact_view((IMPACT, replace(IMPACT, kpi="x")), TRUTH, METRICS, placement)
    assert list(rows["kpi_known"]) == [True, False]
    assert telemetry_views.impact_view((IMPACT,), TRUTH, METRICS[:1], placement)["kpi_known"].isna().all()
