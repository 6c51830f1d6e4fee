"""A small sound experiment, by hand: nova_compute is stopped and started on both compute nodes at iteration 2 of 3."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from faultset.moments import from_epoch
from faultset.records.cluster import Cluster, Component, Node
from faultset.records.evidence import Evidence, RunEvidence
from faultset.records.run import Iterations, RunRecord, Workload
from faultset.records.telemetry import TelemetryFacts
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import Truth

CONTROLLER, COMPUTE = "192.0.2.1", ("192.0.2.2", "192.0.2.3")
NODES = (
    Node("ctl1", "ctl1.example.org", CONTROLLER, "controller", 4),
    Node("cmp1", "cmp1.example.org", COMPUTE[0], "compute", 8),
    Node("cmp2", "cmp2.example.org", COMPUTE[1], "compute", 12),
)
WORKLOAD_ID = "NovaServers.boot-0-01234567"
INJECTION_ID = f"{WORKLOAD_ID}.hook0.iteration2"
NOON = from_epoch(1_574_200_000.0)


def component(key: str, hosts: tuple[str, ...] | None, container: str | None = None) -> Component:
    return Component(key, "container", "docker_container", container or key, hosts, 20)


NOVA_COMPUTE = component("nova_compute", COMPUTE)
DHCP_AGENT = component("neutron_dhcp_agent", (CONTROLLER, *COMPUTE))


def cluster(*components: Component) -> Cluster:
    return Cluster("os-faults.yaml", NODES, components)


def after(seconds: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


WORKLOAD = WorkloadRow(
    workload_id=WORKLOAD_ID,
    name="NovaServers.boot",
    position=0,
    runner="constant",
    times=3,
    concurrency=1,
    iterations=3,
    failed_iterations=1,
    started_at=NOON,
    ended_at=after(100),
    created_at=after(-5),
    load_duration_s=100.0,
    sla_passed=True,
    rally_version="1.5.1",
    report="report.html",
)
TRIGGER = TriggerRow(
    trigger_id=INJECTION_ID,
    workload_id=WORKLOAD_ID,
    hook_index=0,
    hook="sys_call",
    action="sh restart.sh",
    description=None,
    kind="event",
    unit="iteration",
    value=2.0,
    outcome="fired",
    evidence="the result JSON shows its result",
)
INJECTION = InjectionRow(
    injection_id=INJECTION_ID,
    trigger_id=INJECTION_ID,
    workload_id=WORKLOAD_ID,
    unit="iteration",
    value=2.0,
    started_at=after(20),
    ended_at=after(40),
    start_uncertainty_s=0.0,
    end_uncertainty_s=0.0,
    time_source="results",
    hook_status="success",
    return_code=0,
    action="stop+start",
    effect="full",
    effect_reason="it acted on nova_compute on cmp1, cmp2 and missed none",
    outcome=None,
    fault_ended_at=after(40),
    fault_end_uncertainty_s=0.0,
    fault_end_source="command",
    fault_end_reason="stop+start of nova_compute on cmp1 was over when the command ended",
)
TARGET = TargetRow(
    injection_id=INJECTION_ID,
    node="cmp1",
    node_ip=COMPUTE[0],
    role="compute",
    component="nova_compute",
    container="nova_compute",
    service="nova",
    layer="openstack",
    action="stop+start",
    action_count=4,
    declared=True,
    commanded=True,
    effective=True,
    resolution="exact",
    evidence="commands.sh:1 commands stop+start",
)
TARGETS = (TARGET, replace(TARGET, node="cmp2", node_ip=COMPUTE[1]))
ITERATIONS = tuple(
    IterationRow(
        workload_id=WORKLOAD_ID,
        iteration=number,
        started_at=after(10 * number),
        ended_at=after(10 * number + 8),
        duration_s=8.0,
        idle_s=0.0,
        failed=number == 2,
        error="Timeout: gave up" if number == 2 else None,
        trace_id=None,
        injection_ids=[INJECTION_ID] if number > 1 else [],
        is_boundary=False,
    )
    for number in (1, 2, 3)
)
TRUTH = Truth((WORKLOAD,), (TRIGGER,), (INJECTION,), TARGETS, ITERATIONS)


def metrics(node: str) -> TelemetryFacts:
    """A sound file of metrics, a row a second for the whole run."""
    target = node != "ctl1"
    return TelemetryFacts(
        kind="metrics",
        source=f"metrics/{node}_metrics.csv",
        path=f"metrics/{node}_metrics.parquet",
        time_zone="Europe/Berlin",
        nodes=(node,),
        source_rows=100,
        rows=100,
        first=NOON,
        last=after(99),
        columns=(("now", "string"), ("cpu.user", "double"), ("mem.used", "int64")),
        cadence_s=1.0,
        longest_gap_s=3.0,
        anomalous=20 if target else 0,
        phases={"normal": 80, "injection": 20},
        coverage={INJECTION_ID: 1.0},
    )


METRICS = tuple(metrics(node.name) for node in NODES)
LOGS = TelemetryFacts(
    kind="logs",
    source="logs/openstack.csv",
    path="logs/openstack.parquet",
    time_zone="Europe/Berlin",
    nodes=("cmp1", "ctl1"),
    source_rows=7,
    rows=7,
    first=after(1),
    last=after(90),
    columns=(("Hostname", "string"), ("Payload", "string")),
    cadence_s=0.5,
    longest_gap_s=60.0,
    anomalous=3,
)
IMPACT = ImpactRow(
    injection_id=INJECTION_ID,
    node="cmp1",
    kpi="mem.used",
    started_at=after(21),
    ended_at=after(50),
    direction="down",
    source="detected",
    method="steps at the edges, 1",
    score=12.5,
    p_value=0.0003,
)
IMPACT_TEST = ImpactTestRow(
    injection_id=INJECTION_ID,
    node="cmp1",
    kpi="mem.used",
    source_kind="metrics",
    tested=True,
    why_not=None,
    p_value=0.0001,
    adjusted_p_value=0.0003,
    score=12.5,
    found=True,
    detectable_sd=2.5,
)
REVIEWED = replace(IMPACT, source="reviewed", direction=None, method="by hand", score=None, p_value=None)


def evidence_of(cluster_file: Cluster | None, *, complete: bool = True) -> Evidence:
    workload = Workload(
        name="NovaServers.boot",
        position=0,
        uuid="0123456789ab",
        created_at=None,
        runner="constant",
        times=3,
        concurrency=1,
        iterations_count=3,
        failed_count=1,
        started_at=None,
        load_duration_s=None,
        full_duration_s=None,
        sla_passed=True,
        sla=(),
        hooks=(),
        results=(),
        charted_hooks={},
        iterations=Iterations(complete=complete),
    )
    return Evidence((RunEvidence(RunRecord("report.html", "report", "1.5.1", (workload,))),), cluster_file)
