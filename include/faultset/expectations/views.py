"""Views: the truth tables and the evidence as small tables, one row a fact, each with a ``where`` that names it.

Pure functions; whatever a rule needs to know stands in a column. Columns hold names, ids, counts and times and no text
of a command, an output or an error, so that nothing secret can pass through a validation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

from faultset.expectations import telemetry_views
from faultset.expectations.cluster_views import component_view, hosts, nodes, placements
from faultset.expectations.frames import FLAG, NUMBER, TEXT, frame, listed, utc
from faultset.expectations.hook_views import choices, injections, targets, triggers
from faultset.records.evidence import Evidence
from faultset.records.run import Workload
from faultset.records.telemetry import Exposure, TelemetryFacts
from faultset.sources.kit.redaction import redact
from faultset.tables import ImpactRow, ImpactTestRow, IterationRow, TargetRow
from faultset.truth import Truth, names
from faultset.truth.corrections import CORRECTED
from faultset.truth.placement import Placement
from faultset.truth.services import service_of

# Two words or more, as deployments name their containers; a single word may be said for any reason.
_CONTAINER = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")
Views = dict[str, pd.DataFrame]


def views_of(
    truth: Truth,
    evidence: Evidence,
    telemetry: Sequence[TelemetryFacts] = (),
    impacts: Sequence[ImpactRow] = (),
    *,
    tests: Sequence[ImpactTestRow] = (),
    exposed: Sequence[Exposure] = (),
) -> Views:
    """Return every view by its name."""
    placement = Placement(evidence.cluster)
    components = evidence.cluster.components if evidence.cluster else ()
    return {
        "experiment": experiment(truth, evidence),
        "disagreements": sentences("disagreement", truth.disagreements),
        "notes": sentences("note", [note for note in truth.notes if not note.startswith(CORRECTED)]),
        "unread": sentences("command", truth.unread),
        "surplus": sentences("count", truth.surplus),
        "corrections": corrections([note for note in truth.notes if note.startswith(CORRECTED)]),
        "secrets": secrets(exposed),
        "nodes": nodes(evidence.cluster, telemetry),
        "components": component_view(components, truth.targets, placement),
        "hosts": hosts(components, truth.targets, placement),
        "placements": placements(components, placement),
        "workloads": workloads(truth, evidence, telemetry),
        "triggers": triggers(truth.triggers, truth.workloads),
        "injections": injections(truth),
        "targets": targets(truth.targets, truth.injections, placement),
        "choices": choices(truth.targets),
        "iterations": iterations(truth),
        "telemetry": telemetry_views.telemetry(telemetry, truth, impacts),
        "telemetry_nodes": telemetry_views.telemetry_nodes(telemetry, placement),
        "ranges": telemetry_views.ranges(telemetry),
        "coverage": telemetry_views.coverage(telemetry, truth),
        "impacts": telemetry_views.impact_view(impacts, truth, telemetry, placement),
        "impact_tests": telemetry_views.impact_test_view(tests, impacts),
    }


def experiment(truth: Truth, evidence: Evidence) -> pd.DataFrame:
    """One row: what there is at all, and what speaks against the cluster file as a whole."""
    placement = Placement(evidence.cluster)
    unseen = sum(trigger.outcome == "not_observable" for trigger in truth.triggers) if not truth.injections else 0
    return frame(
        where=(TEXT, ["the experiment"]),
        workloads=(NUMBER, [len(truth.workloads)]),
        iterations=(NUMBER, [_iterations_of_load(truth)]),
        # Null where firings may be hidden: that is a breach of its own, which nobody may relax.
        injections=(NUMBER, [None if unseen else len(truth.injections)]),
        unseen_firings=(NUMBER, [unseen]),
        unknown_nodes=(TEXT, [_unknown_nodes(truth.targets, placement)]),
        undeclared_containers=(TEXT, [_undeclared_containers(truth.targets, evidence, placement)]),
        cluster_files=(NUMBER, [int(evidence.cluster is not None) if _needs_cluster(evidence) else None]),
        different_runs=(FLAG, [truth.different_runs]),
    )


def _iterations_of_load(truth: Truth) -> int | None:
    """Return how many iterations ran; null where nothing put load on the system."""
    loads = [workload.iterations for workload in truth.workloads if workload.is_load]
    return sum(loads) if loads or not truth.workloads else None


def _needs_cluster(evidence: Evidence) -> bool:
    """Whether a cluster file has to say what runs where: a tool that claims what it did names its targets itself."""
    claims = [result.claim for run in evidence.runs for workload in run.report.workloads for result in workload.results]
    return not claims or None in claims


def _named_nodes(found: Sequence[TargetRow]) -> list[str]:
    """The nodes that scripts and human commands name."""
    named = (t for t in found if t.commanded and t.resolution == "exact" and t.placed)
    return sorted({target.node for target in named})


def _unknown_nodes(found: Sequence[TargetRow], placement: Placement) -> str | None:
    """The nodes that hooks command, where the cluster file has not one of them."""
    named = _named_nodes(found)
    if not placement.known or any(placement.place(node).node for node in named):
        return None
    return listed(named) or None


def _undeclared_containers(found: Sequence[TargetRow], evidence: Evidence, placement: Placement) -> str | None:
    """The containers that docker acted on, where nothing says that the cluster file is of this cluster.

    A commanded node that the file has vouches for it: then containers are missing from the file, not the cluster.
    """
    if not placement.containers() or any(placement.place(node).node for node in _named_nodes(found)):
        return None
    acted = {target.container for target in found if target.effective and target.container}
    acted |= _acknowledged(evidence)
    if any(placement.component(name) for name in acted):
        return None
    return listed(sorted(acted)) or None


def _acknowledged(evidence: Evidence) -> set[str]:
    """Lines of hooks' output that consist of the name of a well-known container, as docker acknowledges an action."""
    found: set[str] = set()
    for run in evidence.runs:
        for workload in (*run.report.workloads, *(run.results.workloads if run.results else ())):
            for result in workload.results:
                lines = (line.strip().removeprefix("StdOut: ") for line in result.stdout.splitlines())
                found.update(line for line in lines if _CONTAINER.fullmatch(line))
    return {name for name in found if service_of(name) != (None, None)}


def secrets(exposed: Sequence[Exposure]) -> pd.DataFrame:
    """One row a column in which a secret of the inputs stands."""
    return frame(
        where=(TEXT, [f"{one.file}: {one.column}" for one in exposed]),
        rows=(NUMBER, [one.rows for one in exposed]),
    )


def sentences(kind: str, found: Sequence[str]) -> pd.DataFrame:
    """One row a sentence that the decisions left."""
    return frame(
        where=(TEXT, [f"{kind} {number}" for number, _ in enumerate(found, start=1)]),
        sentence=(TEXT, [redact(text) for text in found]),
    )


def corrections(found: Sequence[str]) -> pd.DataFrame:
    """One row a correction, known by what it says: from what, to what and why."""
    said = [redact(text) for text in found]
    return frame(where=(TEXT, said), sentence=(TEXT, said))


def workloads(truth: Truth, evidence: Evidence, telemetry: Sequence[TelemetryFacts] = ()) -> pd.DataFrame:
    """One row a workload, with the iterations that the table shows of it; ``met_by_metrics``: null without metrics."""
    rows = truth.workloads
    shown = Counter(iteration.workload_id for iteration in truth.iterations)
    failed = Counter(iteration.workload_id for iteration in truth.iterations if iteration.failed)
    complete = _complete(evidence)
    return frame(
        where=(TEXT, [f"workload {row.workload_id}" for row in rows]),
        workload_id=(TEXT, [row.workload_id for row in rows]),
        times=(NUMBER, [row.times for row in rows]),
        iterations=(NUMBER, [row.iterations if row.is_load else None for row in rows]),
        failed_iterations=(NUMBER, [row.failed_iterations for row in rows]),
        shown=(NUMBER, [shown[row.workload_id] for row in rows]),
        shown_failed=(NUMBER, [failed[row.workload_id] for row in rows]),
        complete=(FLAG, [row.workload_id in complete for row in rows]),
        sla_passed=(FLAG, [row.sla_passed for row in rows]),
        started_at=utc(row.started_at for row in rows),
        ended_at=utc(row.ended_at for row in rows),
        met_by_metrics=(FLAG, telemetry_views.met_by_metrics(telemetry, truth)),
    )


def _complete(evidence: Evidence) -> frozenset[str]:
    """Ids of the workloads of which some input has every iteration."""
    read: list[Workload] = []
    for run in evidence.runs:
        read.extend(run.report.workloads)
        read.extend(run.results.workloads if run.results else ())
    return frozenset(names.workload_id(workload) for workload in read if workload.iterations.complete)


def iterations(truth: Truth) -> pd.DataFrame:
    """One row an iteration that the inputs show."""
    rows = truth.iterations
    times = {row.workload_id: row.times for row in truth.workloads}
    known = {injection.injection_id for injection in truth.injections}
    return frame(
        where=(TEXT, [f"iteration {row.iteration} of {row.workload_id}" for row in rows]),
        workload_id=(TEXT, [row.workload_id for row in rows]),
        workload_exists=(FLAG, [row.workload_id in times for row in rows]),
        iteration=(NUMBER, [row.iteration for row in rows]),
        times=(NUMBER, [times.get(row.workload_id) for row in rows]),
        started_at=utc(row.started_at for row in rows),
        ended_at=utc(row.ended_at for row in rows),
        is_boundary=(FLAG, [row.is_boundary for row in rows]),
        unknown_injections=(TEXT, [_strangers(row, known) for row in rows]),
    )


def _strangers(row: IterationRow, known: Collection[str]) -> str | None:
    return listed(identity for identity in row.injection_ids or () if identity not in known) or None
