"""The catalogue of rules: what must hold in which view, how severe a breach is, how it reads and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from faultset import tables
from faultset.expectations.telemetry_rules import TELEMETRY_RULES, TELEMETRY_VIEWS
from faultset.expectations.ways import (
    REPORT_THIS,
    Rule,
    absent,
    among,
    at_least,
    at_most,
    equal,
    is_not,
    not_below,
    present,
    together_unique,
    unique,
)

# --- the experiment as a whole ---------------------------------------------------------------------------------------

_GET_RESULTS = "declare the run's result JSON (rally task report --json) as results: beside the report"

_EXPERIMENT = (
    Rule(
        "experiment.has_workloads",
        "critical",
        at_least("workloads", 1),
        "The runs hold at least one workload.",
        "no run holds a workload, so there is nothing to label",
        "check that runs: names the report of a Rally task that ran",
    ),
    Rule(
        "experiment.has_injections",
        "critical",
        at_least("injections", 1),
        "At least one hook fired in the runs.",
        "no hook fired in any run, so there is nothing to label",
        "check that runs: names the task whose hooks fired; if the run is without faults on purpose, set this "
        "expectation to info in experiment.yaml, with the reason",
        spares_labels=True,
    ),
    Rule(
        "experiment.firings_are_seen",
        "critical",
        at_most("unseen_firings", 0),
        "If hooks may have fired, the inputs show at least one that did.",
        "{unseen_firings:.0f} planned triggers may have fired, and no input shows one: all rows would count as normal",
        _GET_RESULTS,
    ),
    Rule(
        "experiment.cluster_has_commanded_nodes",
        "critical",
        absent("unknown_nodes"),
        "If hooks command nodes by name, the cluster file has at least one of them.",
        "the hooks command {unknown_nodes}, and none of them is a node of the cluster file: it is of another cluster",
        "declare the os-faults YAML of the cluster that this run was done on as cluster:",
    ),
    Rule(
        "experiment.cluster_declares_acted_containers",
        "critical",
        absent("undeclared_containers"),
        "Of the containers that docker acted on, the cluster file declares at least one, or has a commanded node.",
        "docker acted on {undeclared_containers}, and the cluster file declares nothing of that name: it is of another "
        "cluster",
        "declare the os-faults YAML of the cluster that this run was done on as cluster:; if it is that one, add to it "
        "what was restarted",
    ),
    Rule(
        "experiment.is_of_one_run",
        "critical",
        among("different_runs", False),
        "A report and the results declared beside it are of the same run.",
        "a report and the result JSON declared beside it are of different runs",
        "declare the result JSON of that very run, or leave results: out",
    ),
    Rule(
        "experiment.has_iterations",
        "warning",
        at_least("iterations", 1),
        "At least one iteration ran.",
        "no iteration ran in any workload",
        "look for the failed context or the aborted task in Rally's log and repeat the run",
    ),
    Rule(
        "experiment.has_cluster",
        "warning",
        at_least("cluster_files", 1),
        "There is an os-faults file, so that targets can be checked against what is declared.",
        "there is no os-faults file: which container runs where cannot be checked",
        "declare the os-faults YAML of the cluster as cluster:",
    ),
    Rule(
        "disagreements.none",
        "warning",
        absent("sentence"),
        "A report and the results declared beside it say the same, to the second that HTML knows.",
        "{sentence}",
        "the result JSON was believed; check that the report was rendered from the same task",
    ),
    Rule(
        "notes.none",
        "info",
        absent("sentence"),
        "The decisions could use every input.",
        "{sentence}",
        "read the note; a script or a result JSON that is missing can be declared in experiment.yaml",
    ),
    Rule(
        "unread.none",
        "warning",
        absent("sentence"),
        "Every command of the hooks that may act on something was read.",
        "{sentence}",
        "declare the script as hook_scripts:, or write the command so that it names what it acts on and where",
    ),
    Rule(
        "surplus.none",
        "warning",
        absent("sentence"),
        "Docker acknowledged no more than the hooks command.",
        "{sentence}",
        "declare all hook_scripts: that ran, as they ran; what prints names beside docker can be sent to /dev/null",
    ),
    Rule(
        "corrections.declared",
        "info",
        absent("sentence"),
        "No source holds an error that had to be corrected.",
        "{sentence}",
        "nothing, where it is right: the correction stands in experiment.yaml with its reason",
    ),
)

# --- the cluster -----------------------------------------------------------------------------------------------------

_SECRETS = (
    Rule(
        "secrets.none_comes_out",
        "critical",
        at_most("rows", 0),
        "No secret of the cluster file, the scripts or the reports stands in a table.",
        "{where} holds a secret of the inputs in {rows:.0f} rows",
        "change the secret on the cluster, take it out of the source named, and build again",
    ),
)

_CLUSTER = (
    Rule(
        "nodes.name_unique",
        "critical",
        unique("node"),
        "No two nodes of the cluster file share a name.",
        "{where}: the name {node} stands for more than one node",
        "give each node its own fqdn in the os-faults file",
    ),
    Rule(
        "nodes.ip_unique",
        "critical",
        unique("ip"),
        "No two nodes of the cluster file share an IP.",
        "{where}: the IP {ip} stands for more than one node",
        "correct the IP in the os-faults file",
    ),
    Rule(
        "nodes.role_known",
        "info",
        present("role"),
        "Every node has a role.",
        "{node} has no role",
        "write it as a comment beside the node in the os-faults file: # role: compute",
    ),
    Rule(
        "nodes.has_metrics",
        "warning",
        at_least("metrics_files", 1),
        "Every node of the cluster has metrics, if any node has.",
        "there are no metrics of {node}",
        "declare its file as telemetry: in experiment.yaml; without it nobody can tell what the faults did there",
    ),
    Rule(
        "components.named_alike",
        "info",
        equal("container", "component"),
        "A component's key and its container's name are the same.",
        "{component} is called {container} on its hosts",
        "nothing, if so intended: both names are known and lead to the same component",
    ),
    Rule(
        "components.container_declared_once",
        "info",
        together_unique("kind", "container"),
        "No two containers (or services) of the cluster file have the same name on their hosts.",
        "{where}: {container} is declared more than once",
        "declare it once, with all of its hosts",
    ),
    Rule(
        "components.all_hosts_commanded",
        "info",
        absent("untouched"),
        "A component that was injected was injected on every host that declares it.",
        "{container} is also declared on {untouched}, where no injection went",
        "nothing, if so intended: those hosts ran it undisturbed and are no targets",
    ),
    Rule(
        "hosts.of_injected_are_known",
        "critical",
        present("node", only_where=("injected", (True,))),
        "Every host of an injected component is a node of the cluster file, by IP or name.",
        "{container} was injected, and its host {host} is no node of the cluster file",
        "add the node to node_discover in the os-faults file, or correct the host",
    ),
    Rule(
        "hosts.are_known",
        "warning",
        present("node", only_where=("injected", (False,))),
        "Every host of the other components is a node of the cluster file, by IP or name.",
        "{container} has the host {host}, which is no node of the cluster file",
        "add the node to node_discover in the os-faults file, or correct the host",
    ),
    Rule(
        "placements.role_fits",
        "warning",
        equal("role", "expected"),
        "A component runs on nodes of the role that it belongs to.",
        "{container} is declared on {node}, whose role is {role} (expected: {expected})",
        "correct the role or the hosts in the os-faults file; nothing, if the cluster was built so",
    ),
)

# --- runs ------------------------------------------------------------------------------------------------------------

_RUNS = (
    Rule(
        "workloads.id_unique",
        "critical",
        unique("workload_id"),
        "Every workload has its own id.",
        "the id {workload_id} stands for more than one workload",
        "declare each run once",
    ),
    Rule(
        "workloads.ends_after_start",
        "critical",
        not_below("ended_at", "started_at"),
        "A workload ends after it starts.",
        "{where} ends before it starts",
        "check the report: its times contradict each other",
    ),
    Rule(
        "workloads.ran",
        "warning",
        at_least("iterations", 1),
        "Every workload ran at least one iteration.",
        "{workload_id} ran no iteration: its context failed, or the task was aborted",
        "look for the failed context in Rally's log; the workload has no labels to offer",
    ),
    Rule(
        "workloads.within_times",
        "warning",
        not_below("times", "iterations"),
        "A workload runs no more iterations than were asked for.",
        "{workload_id} ran {iterations:.0f} iterations, and {times:.0f} were asked for",
        "check that the report is whole and was not edited",
    ),
    Rule(
        "workloads.count_matches_rows",
        "warning",
        equal("iterations", "shown", only_where=("complete", (True,))),
        "An input with every iteration has as many as it counts.",
        "{workload_id} counts {iterations:.0f} iterations, and {shown:.0f} are there",
        "check that the result JSON is whole",
    ),
    Rule(
        "workloads.failures_match_rows",
        "warning",
        equal("failed_iterations", "shown_failed", only_where=("complete", (True,))),
        "An input with every iteration has as many failed ones as it counts.",
        "{workload_id} counts {failed_iterations:.0f} failed iterations, and {shown_failed:.0f} are there",
        "check that the result JSON is whole",
    ),
    Rule(
        "workloads.shown_in_full",
        "info",
        among("complete", True),
        "Every iteration is in the inputs.",
        "{workload_id} ran {iterations:.0f} iterations, of which the report shows {shown:.0f} one by one",
        _GET_RESULTS,
    ),
    Rule(
        "workloads.sla_passed",
        "info",
        among("sla_passed", True),
        "A workload meets its service-level agreement.",
        "{workload_id} failed its SLA",
        "nothing: under faults this is a result, not a mistake",
    ),
    Rule(
        "workloads.met_by_metrics",
        "warning",
        among("met_by_metrics", True),
        "Metrics, if there are any, have rows in the window of some injection of each workload.",
        "no metrics have a row in the window of any injection of {workload_id}",
        "check time_zone in experiment.yaml, and that the metrics are of this run",
    ),
    Rule(
        "iterations.key_unique",
        "critical",
        together_unique("workload_id", "iteration"),
        "No iteration occurs twice.",
        "{where} occurs more than once",
        REPORT_THIS,
    ),
    Rule(
        "iterations.workload_exists",
        "critical",
        among("workload_exists", True),
        "Every iteration belongs to a workload.",
        "{where} belongs to no workload",
        REPORT_THIS,
    ),
    Rule(
        "iterations.injections_exist",
        "critical",
        absent("unknown_injections"),
        "Every injection that an iteration names exists.",
        "{where} names {unknown_injections}, which is no injection",
        REPORT_THIS,
    ),
    Rule(
        "iterations.ends_after_start",
        "critical",
        not_below("ended_at", "started_at"),
        "An iteration ends after it starts.",
        "{where} ends before it starts",
        "check the report: its times contradict each other",
    ),
    Rule(
        "iterations.counted_from_one",
        "warning",
        at_least("iteration", 1),
        "Iterations are counted from 1.",
        "{where} is numbered below 1",
        REPORT_THIS,
    ),
    Rule(
        "iterations.within_times",
        "warning",
        not_below("times", "iteration"),
        "No iteration is numbered beyond what was asked for.",
        "{where} is beyond the {times:.0f} that were asked for",
        "check that the report is whole and was not edited",
    ),
    Rule(
        "iterations.clear_of_boundaries",
        "info",
        among("is_boundary", False),
        "Whether an iteration overlaps an injection can be decided.",
        "{where} begins or ends within the uncertainty of an injection's ends",
        _GET_RESULTS,
    ),
)

# --- hooks -----------------------------------------------------------------------------------------------------------

_HOOKS = (
    Rule(
        "triggers.id_unique",
        "critical",
        unique("trigger_id"),
        "Every trigger has its own id.",
        "the id {trigger_id} stands for more than one trigger",
        REPORT_THIS,
    ),
    Rule(
        "triggers.workload_exists",
        "critical",
        among("workload_exists", True),
        "Every trigger belongs to a workload.",
        "{where} belongs to no workload",
        REPORT_THIS,
    ),
    Rule(
        "triggers.has_outcome",
        "critical",
        present("outcome"),
        "Every planned trigger has an outcome.",
        "{what} has no outcome",
        REPORT_THIS,
    ),
    Rule(
        "triggers.secret_free",
        "critical",
        among("secret_free", True),
        "No command holds a password, a token or the path of a key.",
        "the command of {what} still holds what looks like a secret",
        "do not publish; report the form of the command, without the secret, so that it is recognised",
    ),
    Rule(
        "triggers.planned",
        "warning",
        among("planned", True),
        "What fired was planned.",
        "{what} fired, and no hook of the configuration plans it",
        "check that the report was not edited; the firing is kept as an injection",
    ),
    Rule(
        "triggers.observable",
        "info",
        is_not("outcome", "not_observable"),
        "The inputs tell of every planned trigger whether it fired.",
        "{what} may or may not have fired: {evidence}",
        _GET_RESULTS,
    ),
    Rule(
        "triggers.hook_fired",
        "warning",
        absent("silent_hook"),
        "Every hook fired at least once, as far as the inputs tell.",
        "{silent_hook}",
        "plan its triggers within the run; nothing, if the run was meant to end before",
    ),
    Rule(
        "triggers.reached",
        "info",
        is_not("outcome", "not_reached", only_where=("hook_silent", (False,))),
        "Every planned trigger of a hook that fired was reached.",
        "{what} did not fire: {evidence}",
        "nothing, if so intended; else plan triggers within the run",
    ),
    Rule(
        "injections.id_unique",
        "critical",
        unique("injection_id"),
        "Every injection has its own id.",
        "the id {injection_id} stands for more than one injection",
        REPORT_THIS,
    ),
    Rule(
        "injections.trigger_exists",
        "critical",
        among("trigger_exists", True),
        "Every injection belongs to a trigger.",
        "{where} belongs to no trigger",
        REPORT_THIS,
    ),
    Rule(
        "injections.workload_exists",
        "critical",
        among("workload_exists", True),
        "Every injection belongs to a workload.",
        "{where} belongs to no workload",
        REPORT_THIS,
    ),
    Rule(
        "injections.ends_after_start",
        "critical",
        not_below("latest_end", "started_at"),
        "An injection ends after it starts, within the uncertainty of its times.",
        "{where} ends before it starts",
        "check the report: its times contradict each other",
    ),
    Rule(
        "injections.has_target",
        "warning",
        at_least("targets", 1),
        "Every injection has a target.",
        "{injection_id} has no target: {effect_reason}",
        "declare the hook's scripts as hook_scripts: and the os-faults file as cluster:; until then it counts on every "
        "node, unless it acted on nothing",
    ),
    Rule(
        "injections.has_effect",
        "warning",
        is_not("effect", "none"),
        "Every injection has an effect on what it was aimed at.",
        "{injection_id} had no effect: {effect_reason}",
        "check the container names and the nodes in the hook; the window is labeled, and no target is effective",
    ),
    Rule(
        "injections.effect_known",
        "info",
        is_not("effect", "unknown"),
        "Of every injection it is known whether it took effect.",
        "{injection_id}: {effect_reason}",
        "declare the hook's scripts as hook_scripts:, or let the hook print what it does",
    ),
    Rule(
        "injections.fault_end_known",
        "warning",
        is_not("fault_end_source", "unknown"),
        "Of every injection it is known when its fault ended, with its command or later.",
        "a fault whose end is unknown: {injection_id}: {fault_end_reason}; rows until then are boundary rows",
        "declare the scripts that undo it as hook_scripts:, or the true end as fault_ended_at in a correction of "
        "injection_time",
    ),
    Rule(
        "injections.status_tells_effect",
        "info",
        among("hook_status", "success", only_where=("effect", ("full", "partial"))),
        "A tool calls a hook that took effect a success.",
        "The tool calls the hook of {injection_id} {hook_status}, yet the fault took hold: {effect_reason}",
        "nothing: the injection is labeled by its effect, not by the hook's exit code",
    ),
    Rule(
        "injections.times_exact",
        "info",
        at_most("start_uncertainty_s", 0),
        "The times of an injection are known to the microsecond.",
        "the start of {injection_id} is known to {start_uncertainty_s:g} s only, as an HTML report has it",
        _GET_RESULTS,
    ),
    Rule(
        "injections.in_run",
        "info",
        at_most("outside_s", 0),
        "An injection lies within the run of its workload.",
        "{injection_id} reaches {outside_s:g} s out of its run",
        "nothing: a hook can outlast the load; phases follow the injection's own times",
    ),
    Rule(
        "injections.apart_within_hook",
        "info",
        absent("overlapping"),
        "The firings of one hook do not overlap.",
        "{injection_id} started while {overlapping} was still going on",
        "nothing: rows that both cover carry both ids",
    ),
)

# --- targets ---------------------------------------------------------------------------------------------------------

_TARGETS = (
    Rule(
        "targets.key_unique",
        "critical",
        together_unique("injection_id", "node", "container", "component", "pod", "namespace"),
        "No target of an injection occurs twice.",
        "{where} occurs more than once",
        REPORT_THIS,
    ),
    Rule(
        "targets.injection_exists",
        "critical",
        among("injection_exists", True),
        "Every target belongs to an injection.",
        "{where} belongs to no injection",
        REPORT_THIS,
    ),
    Rule(
        "targets.node_is_known",
        "warning",
        among("node_known", True, only_where=("commanded", (True,))),
        "Every commanded node is a node of the cluster file.",
        "{node} was commanded to {order}, and the cluster file has no such node",
        "add the node to node_discover in the os-faults file, or correct the host in the hook's script",
    ),
    Rule(
        "targets.node_is_told",
        "info",
        among("placed", True),
        "Of every target an input tells the node that it is on.",
        "{node} was to be hit ({order}), and no input tells on which node it is: rows of nodes do not count for it, "
        "unless the cluster file has nodes, which then may all be it",
        "declare a cluster.yaml as cluster: that says which pod or container runs on which node",
    ),
    Rule(
        "targets.commanded_is_declared",
        "warning",
        among("declared", True, only_where=("commanded", (True,))),
        "Every commanded container is declared on the node that the command went to.",
        "{node} was commanded to {order}, which os-faults does not declare there",
        "take the node out of the hook's script, or declare the container there in the os-faults file",
    ),
    Rule(
        "targets.effective_known",
        "info",
        present("effective"),
        "Of every target it is known whether it was acted on.",
        "nothing shows whether {order} took effect on {node}",
        "declare the hook's scripts as hook_scripts:, or let the hook print what it does",
    ),
    Rule(
        "targets.service_known",
        "info",
        present("service"),
        "Every targeted container belongs to a service.",
        "{container} belongs to no service that is known",
        "add it to components: in experiment.yaml, such as components: {my_agent: nova}",
    ),
    Rule(
        "choices.none_left_open",
        "warning",
        absent("candidates"),
        "Of every injected container it is known on which nodes it was hit.",
        "it is not known on which of {candidates} {injection_id} was to {order}",
        "declare the hook's scripts as hook_scripts:, or name the nodes in the fault_injection command",
    ),
)

# --- vocabularies ----------------------------------------------------------------------------------------------------


def _vocabularies() -> tuple[Rule, ...]:
    """One rule for each column of a truth table that has a closed vocabulary."""
    return tuple(
        Rule(
            f"{table.name}.{spec.name}_in_vocabulary",
            "critical",
            among(spec.name, *spec.column.values),
            f"{spec.name} is one of {', '.join(spec.column.values)}.",
            f"{{where}}: {spec.name} is {{{spec.name}}}, which is no word for it",
            REPORT_THIS,
        )
        for table in tables.EVERY_TABLE
        for spec in tables.columns(table)
        if spec.column.values
    )


RULES: tuple[Rule, ...] = (
    *_EXPERIMENT, *_SECRETS, *_CLUSTER, *_RUNS, *_HOOKS, *_TARGETS, *TELEMETRY_RULES, *_vocabularies(),
)  # fmt: skip

VIEWS: Mapping[str, str] = {
    "experiment": "one row: what there is at all",
    "disagreements": "one row a sentence on what an HTML report and its result JSON say differently",
    "notes": "one row a sentence on what the decisions could not use",
    "unread": "one row a command of a hook that may act on something and was not read",
    "surplus": "one row a place where docker acknowledged more than was commanded",
    "corrections": "one row a declared correction of a source: from what, to what and why",
    "secrets": "one row a column in which a secret of the inputs stands",
    "nodes": "one row a node of the cluster file",
    "components": "one row a container or service of the cluster file",
    "hosts": "one row a host that a container or service names",
    "placements": "one row a component on a node whose role is known",
    "workloads": "one row a Rally workload",
    "iterations": "one row an iteration that the inputs show",
    "triggers": "one row a planned trigger",
    "injections": "one row a firing of a hook",
    "targets": "one row a node and container that an injection acted on",
    "choices": "one row an injection and container, with the candidates where the node is not known",
    **TELEMETRY_VIEWS,
}
