"""Views: the truth tables and the evidence as small tables, one row a fact, each with a ``where`` that names it.

Pure functions; whatever a rule needs to know stands in a column. Columns hold names, ids, counts and times and no text
of a command, an output or an error, so that nothing secret can pass through a validation.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from faultset.expectations import telemetry_views
from faultset.expectations.frames import FLAG, NUMBER, TEXT, frame, listed, utc
from faultset.moments import iso
from faultset.records.cluster import Cluster, Component
from faultset.records.evidence import Evidence
from faultset.records.rally import Workload
from faultset.records.telemetry import Exposure, TelemetryFacts
from faultset.sources.kit.redaction import REDACTED, redact
from faultset.sources.public.text import HIDDEN
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import Truth, names
from faultset.truth.corrections import CORRECTED
from faultset.truth.placement import Placement
from faultset.truth.services import service_of

# Two words or more, as deployments name their containers; a single word may be said for any reason.
_CONTAINER = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)+")

Views = dict[str, pd.DataFrame]

# What a deployment keeps on its controllers, and what only makes sense beside a hypervisor. Components that sites
# place as they like (Neutron's agents, Cinder's volume service, Ceph) are in neither.
CONTROL_COMPONENTS = frozenset(
    {
        *("keystone", "keystone_fernet", "glance_api", "glance_registry", "placement_api", "horizon"),
        *(
            "nova_api",
            "nova_conductor",
            "nova_scheduler",
            "nova_novncproxy",
            "nova_consoleauth",
            "nova_super_conductor",
        ),
        *("neutron_server", "cinder_api", "cinder_scheduler", "heat_api", "heat_api_cfn", "heat_engine"),
        *("swift_proxy_server", "mariadb", "rabbitmq", "memcached", "haproxy"),
        *("kube_apiserver", "kube_scheduler", "kube_controller_manager", "etcd"),
    }
)
COMPUTE_COMPONENTS = frozenset({"nova_compute", "nova_libvirt"})
_ROLE_WORDS = {
    "control": frozenset({"controller", "control", "controlplane", "ctl", "master"}),
    "compute": frozenset({"compute", "cmp", "hypervisor", "worker"}),
}


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


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


# --- the experiment as a whole ---------------------------------------------------------------------------------------


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


# --- the cluster -----------------------------------------------------------------------------------------------------


def nodes(cluster: Cluster | None, telemetry: Sequence[TelemetryFacts] = ()) -> pd.DataFrame:
    """One row a node of the cluster file; ``metrics_files`` is null where there are no metrics at all."""
    rows = cluster.nodes if cluster else ()
    return frame(
        where=(TEXT, [f"node {node.name} (line {node.line})" for node in rows]),
        node=(TEXT, [node.name.lower() for node in rows]),
        ip=(TEXT, [node.ip.lower() if node.ip else None for node in rows]),
        role=(TEXT, [node.role for node in rows]),
        metrics_files=(NUMBER, telemetry_views.metrics_files(telemetry, [node.name for node in rows])),
    )


def component_view(components: Sequence[Component], found: Sequence[TargetRow], placement: Placement) -> pd.DataFrame:
    """One row a container or service; ``untouched`` names declared hosts of an injected one that no hook went to."""
    return frame(
        where=(TEXT, [_component(component) for component in components]),
        kind=(TEXT, [component.kind for component in components]),
        component=(TEXT, [component.key for component in components]),
        container=(TEXT, [component.container for component in components]),
        untouched=(TEXT, [_untouched(component, found, placement) for component in components]),
    )


def _component(component: Component) -> str:
    return f"{component.kind} {component.key} (line {component.line})"


def _targets_of(component: Component, found: Sequence[TargetRow]) -> list[TargetRow]:
    return [t for t in found if t.component == component.key and t.container]


def _untouched(component: Component, found: Sequence[TargetRow], placement: Placement) -> str | None:
    reached = {target.node for target in _targets_of(component, found)}
    if not reached or component.hosts is None:
        return None
    return listed(p.name for p in placement.homes(component) if p.node and p.name not in reached) or None


def hosts(components: Sequence[Component], found: Sequence[TargetRow], placement: Placement) -> pd.DataFrame:
    """One row a host that a container or service names; ``node`` is null where the cluster file has no such node."""
    injected = {component: bool(_targets_of(component, found)) for component in components}
    rows = [(component, host) for component in components for host in component.hosts or ()]
    known = [placement.place(host).node for _, host in rows]
    return frame(
        where=(TEXT, [f"{_component(component)}: host {host}" for component, host in rows]),
        container=(TEXT, [component.container for component, _ in rows]),
        host=(TEXT, [host for _, host in rows]),
        node=(TEXT, [node.name if node else None for node in known]),
        injected=(FLAG, [injected[component] for component, _ in rows]),
    )


def placements(components: Sequence[Component], placement: Placement) -> pd.DataFrame:
    """One row a component on a node whose role is known; ``expected`` is null where any role will do."""
    rows = [
        (component, place.node, place.node.role)
        for component in components
        if component.hosts is not None
        for place in placement.homes(component)
        if place.node and place.node.role
    ]
    return frame(
        where=(TEXT, [f"{component.container} on {node.name}" for component, node, _ in rows]),
        container=(TEXT, [component.container for component, _, _ in rows]),
        node=(TEXT, [node.name for _, node, _ in rows]),
        role=(TEXT, [role for _, _, role in rows]),
        expected=(TEXT, [expected_role(component, role) for component, _, role in rows]),
    )


def expected_role(component: Component, role: str) -> str | None:
    """Return the role that ``component`` belongs on: ``role`` itself where that fits, null where any will do."""
    known_as = {name.lower().replace("-", "_") for name in (component.key, component.container)}
    words = set(re.findall(r"[a-z]+", role.lower()))
    roles = {name for name, synonyms in _ROLE_WORDS.items() if words & synonyms}
    if not roles:
        return None
    for wanted, members in (("control", CONTROL_COMPONENTS), ("compute", COMPUTE_COMPONENTS)):
        if known_as & members:
            return role if wanted in roles else wanted
    return None


# --- runs ------------------------------------------------------------------------------------------------------------


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


# --- hooks -----------------------------------------------------------------------------------------------------------


def triggers(rows: Sequence[TriggerRow], runs: Sequence[WorkloadRow]) -> pd.DataFrame:
    """One row a planned trigger, or a firing that nobody planned. The command itself is not in it.

    ``silent_hook`` is told at the first trigger of each hook of which none was reached.
    """
    known = {workload.workload_id for workload in runs}
    clean: dict[str, bool] = {text: _is_clean(text) for row in rows for text in (row.action, row.description or "")}
    silent = _silent_hooks(rows)
    told = _told_once(silent, runs)
    return frame(
        where=(TEXT, [f"trigger {row.trigger_id}" for row in rows]),
        trigger_id=(TEXT, [row.trigger_id for row in rows]),
        what=(TEXT, [_trigger(row) for row in rows]),
        workload_exists=(FLAG, [row.workload_id in known for row in rows]),
        kind=(TEXT, [row.kind for row in rows]),
        unit=(TEXT, [row.unit for row in rows]),
        outcome=(TEXT, [row.outcome for row in rows]),
        evidence=(TEXT, [redact(row.evidence) for row in rows]),
        hook_silent=(FLAG, [(row.workload_id, row.hook_index) in silent for row in rows]),
        silent_hook=(TEXT, [told.get(row.trigger_id) for row in rows]),
        planned=(FLAG, [not row.evidence.startswith("unplanned") for row in rows]),
        secret_free=(FLAG, [clean[row.action] and clean[row.description or ""] for row in rows]),
    )


def _is_clean(text: str) -> bool:
    """Whether nothing in ``text`` looks like a secret; what is hidden does not."""
    replaced = text.replace(HIDDEN, REDACTED)
    return redact(replaced) == replaced


def _silent_hooks(rows: Sequence[TriggerRow]) -> dict[tuple[str, int], list[TriggerRow]]:
    """The hooks of which no trigger was reached, each with its triggers."""
    hooks: dict[tuple[str, int], list[TriggerRow]] = defaultdict(list)
    for row in rows:
        hooks[row.workload_id, row.hook_index].append(row)
    return {hook: own for hook, own in hooks.items() if all(row.outcome == "not_reached" for row in own)}


def _told_once(silent: Mapping[tuple[str, int], list[TriggerRow]], runs: Sequence[WorkloadRow]) -> dict[str, str]:
    """First trigger of a silent hook -> what is said of the hook."""
    by_id = {workload.workload_id: workload for workload in runs}
    told = {}
    for (identity, index), own in silent.items():
        planned = listed(_number(value) for value in sorted(row.value for row in own))
        end = _end(by_id.get(identity))
        told[own[0].trigger_id] = (
            f"hook {index} ({own[0].hook}) of {identity} never fired: planned at {own[0].unit} {planned}{end}"
        )
    return told


def _end(run: WorkloadRow | None) -> str:
    if run is None:
        return ""
    at = f", at {iso(run.ended_at)}" if run.ended_at else ""
    return f"; the run ended after {run.iterations} iterations{at}"


def _trigger(row: TriggerRow) -> str:
    return f"hook {row.hook_index} ({row.hook}) at {row.unit} {_number(row.value)} of {row.workload_id}"


def injections(truth: Truth) -> pd.DataFrame:
    """One row an injection, with its place in the run and beside the other firings of its hook."""
    rows = truth.injections
    runs = {workload.workload_id: workload for workload in truth.workloads}
    planned = {trigger.trigger_id for trigger in truth.triggers}
    hit = Counter(target.injection_id for target in truth.targets)
    overlaps = _overlaps(rows, truth.triggers)
    return frame(
        where=(TEXT, [f"injection {row.injection_id}" for row in rows]),
        injection_id=(TEXT, [row.injection_id for row in rows]),
        trigger_exists=(FLAG, [row.trigger_id in planned for row in rows]),
        workload_exists=(FLAG, [row.workload_id in runs for row in rows]),
        unit=(TEXT, [row.unit for row in rows]),
        started_at=utc(row.started_at for row in rows),
        latest_end=utc(row.ended_at + dt.timedelta(seconds=row.end_uncertainty_s) for row in rows),
        start_uncertainty_s=(NUMBER, [row.start_uncertainty_s for row in rows]),
        time_source=(TEXT, [row.time_source for row in rows]),
        outside_s=(NUMBER, [seconds_outside(row, runs.get(row.workload_id)) for row in rows]),
        overlapping=(TEXT, [overlaps.get(row.injection_id) for row in rows]),
        # What other tools call their firings says nothing of an effect, nor do they mean it to.
        hook_status=(TEXT, [None if row.unit == "occurrence" else row.hook_status for row in rows]),
        effect=(TEXT, [row.effect for row in rows]),
        effect_reason=(TEXT, [redact(row.effect_reason) for row in rows]),
        outcome=(TEXT, [row.outcome for row in rows]),
        targets=(NUMBER, [hit[row.injection_id] for row in rows]),
        fault_end_source=(TEXT, [row.fault_end_source for row in rows]),
        fault_end_reason=(TEXT, [redact(row.fault_end_reason) for row in rows]),
    )


def seconds_outside(row: InjectionRow, run: WorkloadRow | None) -> float | None:
    """Return how far an injection certainly reaches out of its run, in seconds; None where the run's times are unknown.

    A report knows no start of the load; the moment at which Rally created the workload is the earliest it can be.
    """
    began = (run.started_at or run.created_at) if run else None
    if run is None or began is None:
        return None
    before = (began - row.started_at).total_seconds() - row.start_uncertainty_s
    after = (row.ended_at - run.ended_at).total_seconds() if run.ended_at else 0.0
    return round(max(before, after, 0.0), 6)


def _overlaps(rows: Sequence[InjectionRow], planned: Iterable[TriggerRow]) -> dict[str, str]:
    """Injection -> the earlier firing of the same hook that was certainly still going on when it started."""
    hook_of = {trigger.trigger_id: trigger.hook_index for trigger in planned}
    by_hook: Mapping[object, list[InjectionRow]] = defaultdict(list)
    for row in rows:
        by_hook[row.workload_id, hook_of.get(row.trigger_id)].append(row)
    found: dict[str, str] = {}
    for firings in by_hook.values():
        last: InjectionRow | None = None
        for row in sorted(firings, key=lambda firing: (firing.started_at, firing.injection_id)):
            if last and row.started_at + dt.timedelta(seconds=row.start_uncertainty_s) < last.ended_at:
                found[row.injection_id] = last.injection_id
            if last is None or row.ended_at > last.ended_at:
                last = row
    return found


# --- targets ---------------------------------------------------------------------------------------------------------


def targets(rows: Sequence[TargetRow], fired: Sequence[InjectionRow], placement: Placement) -> pd.DataFrame:
    """One row a target. ``node_known`` and ``declared`` are null where no cluster file was given."""
    known = {injection.injection_id for injection in fired}
    return frame(
        where=(TEXT, [f"{_thing(row)} on {row.node}, injection {row.injection_id}" for row in rows]),
        injection_id=(TEXT, [row.injection_id for row in rows]),
        injection_exists=(FLAG, [row.injection_id in known for row in rows]),
        node=(TEXT, [row.node for row in rows]),
        node_known=(FLAG, [_node_known(row, placement) for row in rows]),
        placed=(FLAG, [row.placed for row in rows]),
        kind=(TEXT, [row.kind for row in rows]),
        pod=(TEXT, [row.pod or "" for row in rows]),
        namespace=(TEXT, [row.namespace or "" for row in rows]),
        # Empty, not null: null would count as unlike any other in a key.
        container=(TEXT, [row.container or "" for row in rows]),
        component=(TEXT, [row.component or "" for row in rows]),
        order=(TEXT, [_order(row) for row in rows]),
        service=(
            TEXT,
            [row.service if row.container else "the pod itself" if row.pod else "the node itself" for row in rows],
        ),
        layer=(TEXT, [row.layer for row in rows]),
        declared=(FLAG, [row.declared for row in rows]),
        commanded=(FLAG, [row.commanded for row in rows]),
        effective=(FLAG, [row.effective for row in rows]),
        resolution=(TEXT, [row.resolution for row in rows]),
    )


def _node_known(row: TargetRow, placement: Placement) -> bool | None:
    return placement.place(row.node).node is not None if placement.known and row.placed else None


def _thing(row: TargetRow) -> str:
    return row.container or row.pod or "the node"


def _order(row: TargetRow) -> str:
    """The order in words, such as ``stop+start nova_compute``."""
    return f"{row.action or 'act on'} {_thing(row)}"


def choices(rows: Sequence[TargetRow]) -> pd.DataFrame:
    """One row an injection and container; ``candidates`` names the nodes where it is not known which was hit."""
    groups: dict[tuple[str, str], list[TargetRow]] = defaultdict(list)
    for row in rows:
        groups[row.injection_id, _thing(row)].append(row)
    return frame(
        where=(TEXT, [f"{container}, injection {injection}" for injection, container in groups]),
        injection_id=(TEXT, [injection for injection, _ in groups]),
        container=(TEXT, [container for _, container in groups]),
        order=(TEXT, [_order(group[0]) for group in groups.values()]),
        candidates=(TEXT, [_candidates(group) for group in groups.values()]),
    )


def _candidates(group: Sequence[TargetRow]) -> str | None:
    return listed(row.node for row in group if row.resolution == "ambiguous") or None
