"""Small candidates to publish; each test changes one thing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultset import tables
from faultset.records.evidence import InputFile
from faultset.records.metadata import Metadata
from faultset.records.telemetry import TelemetryFacts
from faultset.records.validation import Finding, Validation
from faultset.release import parquet
from faultset.release.commit import Candidate, Published, publish

SLUG = "nova-restart"
START = dt.datetime(2019, 11, 19, 22, 51, 43, 166326, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
WARNING = Finding(
    "warning",
    "targets.commanded_is_declared",
    "targets",
    "declared",
    "wally113 was commanded and does not run nova_compute",
    ("wally113",),
    1,
    "check the script's list of hosts",
)
PASSED = Validation(True, (WARNING,), 17, "validation/data_docs/index.html")


def workload(**changed: Any) -> tables.WorkloadRow:
    row = tables.WorkloadRow(
        workload_id="boot.0",
        name="NovaServers.boot_and_delete_server",
        position=0,
        runner="constant",
        times=750,
        concurrency=3,
        iterations=750,
        failed_iterations=2,
        started_at=START,
        ended_at=START + dt.timedelta(hours=2),
        created_at=None,
        load_duration_s=7200.0,
        sla_passed=True,
        rally_version="1.5.1",
        report="report.html",
    )
    return dataclasses.replace(row, **changed)


def trigger(value: float, **changed: Any) -> tables.TriggerRow:
    row = tables.TriggerRow(
        trigger_id=f"boot.0.{value:g}",
        workload_id="boot.0",
        hook_index=0,
        hook="sys_call",
        action="sh ./restart.sh",
        description=None,
        kind="event",
        unit="iteration",
        value=value,
        outcome="fired",
        evidence="a result with this value was recorded",
    )
    return dataclasses.replace(row, **changed)


def injection(value: float, **changed: Any) -> tables.InjectionRow:
    row = tables.InjectionRow(
        injection_id=f"boot.0.{value:g}",
        trigger_id=f"boot.0.{value:g}",
        workload_id="boot.0",
        unit="iteration",
        value=value,
        started_at=START + dt.timedelta(seconds=value),
        ended_at=START + dt.timedelta(seconds=value + 40),
        start_uncertainty_s=0.0,
        end_uncertainty_s=1.0,
        time_source="results",
        hook_status="failed",
        return_code=1,
        action="stop+start",
        effect="partial",
        effect_reason="4 of 5 nodes acted",
        outcome=None,
        fault_ended_at=START + dt.timedelta(seconds=value + 40),
        fault_end_uncertainty_s=1.0,
        fault_end_source="command",
        fault_end_reason="stop+start of nova_compute on wally117 was over when the command ended",
    )
    return dataclasses.replace(row, **changed)


def target(value: float, node: str, **changed: Any) -> tables.TargetRow:
    row = tables.TargetRow(
        injection_id=f"boot.0.{value:g}",
        node=node,
        node_ip="10.0.0.1",
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
        evidence="named by the script",
    )
    return dataclasses.replace(row, **changed)


def iteration(number: int, **changed: Any) -> tables.IterationRow:
    row = tables.IterationRow(
        workload_id="boot.0",
        iteration=number,
        started_at=START + dt.timedelta(seconds=number),
        ended_at=START + dt.timedelta(seconds=number + 3),
        duration_s=3.0,
        idle_s=0.0,
        failed=False,
        error=None,
        trace_id=None,
        injection_ids=["boot.0.250"] if number >= 250 else [],
        is_boundary=False,
    )
    return dataclasses.replace(row, **changed)


def impact(kpi: str, **changed: Any) -> tables.ImpactRow:
    row = tables.ImpactRow(
        injection_id="boot.0.250",
        node="wally117",
        kpi=kpi,
        started_at=START + dt.timedelta(seconds=251),
        ended_at=START + dt.timedelta(seconds=300),
        direction="down",
        source="detected",
        method="steps at the edges, 1",
        score=12.54,
        p_value=0.0003,
    )
    return dataclasses.replace(row, **changed)


def impact_test(kpi: str, **changed: Any) -> tables.ImpactTestRow:
    row = tables.ImpactTestRow(
        injection_id="boot.0.250",
        node="wally117",
        kpi=kpi,
        source_kind="metrics",
        tested=True,
        why_not=None,
        p_value=0.0001,
        adjusted_p_value=0.0003,
        score=12.54,
        found=False,
        detectable_sd=2.5,
    )
    return dataclasses.replace(row, **changed)


def facts(kind: Any, node: str, **changed: Any) -> TelemetryFacts:
    known = TelemetryFacts(
        kind=kind,
        source=f"{kind}/{node}.csv",
        path=f"{kind}/{node}.parquet",
        time_zone="Europe/Berlin",
        nodes=(node,),
        source_rows=4,
        rows=4,
        first=START,
        last=START + dt.timedelta(seconds=3),
        columns=(("now", "string"), ("cpu.user", "double")),
        anomalous=2,
        boundary=1,
        coverage={"boot.0.250": 1.0},
    )
    return dataclasses.replace(known, **changed)


def telemetry_rows(count: int, **changed: Any) -> pa.Table:
    """Labeled metrics, every other row anomalous; ``changed`` replaces columns."""
    numbers = np.arange(count)
    columns = {
        "now": pa.array(np.char.add("2019-11-19 23:51:43 row ", numbers.astype(str))),
        "cpu.user": pa.array(numbers / 7),
        "timestamp": pa.array(numbers * 1_000_000, pa.timestamp("us", tz="UTC")),
        "node": pa.array(["wally117"] * count),
        "source_row": pa.array(numbers, pa.int64()),
        "is_anomalous": pa.array(numbers % 2 == 1),
        "injection_ids": pa.ListArray.from_arrays(
            np.concatenate(([0], np.cumsum(numbers % 2))), pa.array(["boot.0.250"] * int((numbers % 2).sum()))
        ),
        "phase": pa.array(["normal"] * count),
        "is_boundary": pa.array(np.zeros(count, dtype=bool)),
    }
    return pa.table(columns | changed)


def write_telemetry(folder: Path, path: str, data: pa.Table) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(data, folder / path, row_group_size=131_072, compression="zstd")


def rows() -> dict[str, list[Any]]:
    return {
        "workloads": [workload()],
        "triggers": [trigger(250), trigger(500, outcome="not_reached")],
        "injections": [injection(250)],
        "targets": [target(250, "wally117"), target(250, "wally113", declared=False, effective=None)],
        "iterations": [iteration(number) for number in (249, 250, 251)],
    }


def candidate(root: Path, mark: str, content: dict[str, list[Any]] | None = None, **changed: Any) -> Candidate:
    """Fill a candidate's folder; ``mark`` stands for what it was made from."""
    fingerprint = hashlib.sha256(mark.encode()).hexdigest()
    folder = root / ".candidates" / SLUG / f"{mark}-{fingerprint[:8]}"
    (folder / "validation").mkdir(parents=True)
    (folder / "validation" / "results.json").write_text("{}\n")
    (folder / "candidate.json").write_text('{"kept": true}\n')
    for table in tables.TABLES:
        parquet.write_table(table, (content or rows())[table.name], folder / f"{table.name}.parquet")
    made = Candidate(
        slug=SLUG,
        metadata=Metadata(
            title="Restart of nova_compute",
            description="Each compute node's container is restarted twice.",
            license="CC-BY-4.0",
            creators=({"name": "A. Researcher", "orcid": "0000-0002-1825-0097"},),
            experiment={"title": "Restart of nova_compute", "cluster": "os-faults.yaml"},
        ),
        fingerprint=fingerprint,
        folder=folder,
        inputs=(InputFile("report", "report.html", 1234, hashlib.sha256(mark.encode()).hexdigest()),),
        validation=PASSED,
    )
    return with_changes(made, changed)


def with_changes(made: Candidate, changed: dict[str, Any]) -> Candidate:
    """Return the candidate with other values, of what the experiment says of itself, too."""
    said = {field.name for field in dataclasses.fields(Metadata)} & changed.keys()
    metadata = dataclasses.replace(made.metadata, **{name: changed[name] for name in said})
    others = {name: value for name, value in changed.items() if name not in said}
    return dataclasses.replace(made, metadata=metadata, **others)


def published(root: Path, mark: str, content: dict[str, list[Any]] | None = None, **changed: Any) -> Published:
    return publish(candidate(root, mark, content, **changed), root, created_at=NOW)
