"""What is known of an injection at a node: a target, an impact, a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from faultset.records.evidence import InputFile
from faultset.release.provenance.chain import Content, Fact, Found, Step, all_facts_of
from faultset.release.provenance.injections import inputs_of, steps_of_injection
from faultset.tables import ImpactRow, ImpactTestRow, TargetRow


def at_node(content: Content, address: str) -> Found | None:
    """Return what is known of ``INJECTION/NODE/NAME``; None where that names no target, impact or test."""
    injection = max(
        (row for row in content.injections if address.startswith(f"{row.injection_id}/")),
        key=lambda row: len(row.injection_id),
        default=None,
    )
    if injection is None:
        return None
    node, _, name = address.removeprefix(f"{injection.injection_id}/").partition("/")
    targets = [row for row in content.targets if _is_target(row, injection.injection_id, node, name)]
    impacts = [
        row for row in content.impacts if (row.injection_id, row.node, row.kpi) == (injection.injection_id, node, name)
    ]
    tests = [
        row
        for row in content.impact_tests
        if (row.injection_id, row.node, row.kpi) == (injection.injection_id, node, name)
    ]
    if not targets and not impacts and not tests:
        return None
    steps = [Step("Target", (*all_facts_of(row), *_cluster_of(content))) for row in targets]
    steps += [Step("Impact", all_facts_of(row)) for row in impacts]
    steps += [Step("Impact test", all_facts_of(row)) for row in tests]
    steps += _found_by(content, node, impacts, tests)
    inputs = [*inputs_of(content, injection), *_inputs_of_impacts(content, node, impacts, tests)]
    kind = "target" if targets else "impact" if impacts else "impact test"
    return kind, [*steps, *steps_of_injection(content, injection)], inputs


def _is_target(row: TargetRow, injection_id: str, node: str, name: str) -> bool:
    names = {row.component, row.container, row.pod} - {None} or {"-"}
    return row.injection_id == injection_id and row.node == node and name in names


def _cluster_of(content: Content) -> Iterator[Fact]:
    yield "cluster_file", content.manifest.experiment.get("cluster")


def _found_by(
    content: Content, node: str, impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]
) -> Iterator[Step]:
    looked_at = _kinds_looked_at(impacts, tests)
    if looked_at:
        parameters = content.manifest.analysis.get("parameters", {})
        read = [(entry["kind"], entry["source"]) for entry in _telemetry_of(content, node, looked_at)]
        facts = tuple((kind, [name for of, name in read if of == kind]) for kind in looked_at)
        title = "How it was detected" if any(row.source == "detected" for row in impacts) else "How it was tested"
        yield Step(title, (*facts, ("parameters", parameters)))
    if any(row.source == "reviewed" for row in impacts):
        yield Step("Who reviewed it", (("reviewed_impacts", content.manifest.experiment.get("reviewed_impacts")),))


def _kinds_looked_at(impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]) -> list[str]:
    detected = [row.source_kind for row in impacts if row.source == "detected"]
    return sorted({*detected, *(test.source_kind for test in tests)})


def _inputs_of_impacts(
    content: Content, node: str, impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]
) -> list[InputFile]:
    kinds = _kinds_looked_at(impacts, tests)
    named = {(entry["kind"], entry["source"]) for entry in _telemetry_of(content, node, kinds)}
    if any(row.source == "reviewed" for row in impacts):
        named.add(("reviewed_impacts", content.manifest.experiment.get("reviewed_impacts")))
    return [file for file in content.manifest.inputs if (file.role, file.uri) in named]


def _telemetry_of(content: Content, node: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return the files of these kinds that tell of a node, or of a service (``node``) whose spans name no host."""
    entries = [entry for entry in content.manifest.telemetry if entry["kind"] in kinds]
    known = any(node in entry["nodes"] for entry in content.manifest.telemetry)
    return [entry for entry in entries if node in entry["nodes"] or (not known and entry["kind"] == "traces")]
