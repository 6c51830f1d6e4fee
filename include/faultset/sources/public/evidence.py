"""The one border at which commands, scripts and outputs become what may be stored and shown.

Before it they are read: what a hook orders, what a human command asks for. Behind it decisions have those facts, and of
the texts only the words that were recognised (``sources/public/text.py``).
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from faultset.records.cluster import Cluster, HumanCommand
from faultset.records.evidence import Evidence
from faultset.records.run import HookPlan, HookResult, RunRecord, Workload
from faultset.records.scripts import Clue, CommandedAction, HookScripts, HumanOrder, Printed
from faultset.sources.public.text import (
    HIDDEN,
    Known,
    is_name,
    public_command,
    public_message,
    public_output,
    public_sentence,
)

Record = TypeVar("Record", bound=CommandedAction | HookScripts | HumanCommand | Clue | Printed | HumanOrder)
_STATUS = re.compile(r"[A-Za-z_]{1,40}")


def public_evidence(evidence: Evidence) -> Evidence:
    """Return ``evidence`` with nothing but recognised words of commands, scripts, outputs and descriptions."""
    known = _known(evidence.cluster, evidence.services)
    runs = tuple(
        replace(run, report=_run(run.report, known), results=run.results and _run(run.results, known))
        for run in evidence.runs
    )
    return replace(evidence, runs=runs)


def _known(cluster: Cluster | None, services: Mapping[str, str]) -> Known:
    nodes = (name for node in (cluster.nodes if cluster else ()) for name in (node.name, node.fqdn, node.ip))
    components = (
        name
        for component in (cluster.components if cluster else ())
        for name in (component.key, component.container, *(component.hosts or ()))
    )
    return Known().also(nodes).also(components).also(services).also(services.values())


def _run(run: RunRecord, known: Known) -> RunRecord:
    return replace(run, workloads=tuple(_workload(workload, known) for workload in run.workloads))


def _workload(workload: Workload, known: Known) -> Workload:
    claimed = _claimed(workload)
    of_hook: dict[int | None, Known] = {
        hook.index: known.also((*_acted_on(hook), *claimed[hook.index])) for hook in workload.hooks
    }
    errors = {
        number: replace(error, message=public_message(error.message, known))
        for number, error in workload.iterations.errors.items()
    }
    return replace(
        workload,
        hooks=tuple(_hook(hook, of_hook[hook.index]) for hook in workload.hooks),
        results=tuple(_result(result, of_hook.get(result.hook_index, known)) for result in workload.results),
        iterations=replace(workload.iterations, errors=errors),
    )


def _claimed(workload: Workload) -> dict[int | None, list[str | None]]:
    """Return the names of what tools say that they acted on, by hook; they are published as targets, too."""
    names: dict[int | None, list[str | None]] = defaultdict(list)
    for result in workload.results:
        for target in result.claim.targets if result.claim else ():
            names[result.hook_index] += [target.node, target.namespace, target.pod, target.name]
        names[result.hook_index].append(result.claim.machine if result.claim else None)
    return names


def _acted_on(hook: HookPlan) -> Iterator[str | None]:
    """Yield the names of what a recognised action acts on, and of where; they are published as targets, too."""
    for action in hook.orders.actions if hook.orders else ():
        yield from (action.name, action.host)
    yield from hook.orders.sessions if hook.orders else ()
    if hook.command:
        yield from (hook.command.component, hook.command.network, *hook.command.nodes)


def _hook(hook: HookPlan, known: Known) -> HookPlan:
    return replace(
        hook,
        args=public_command(hook.args, known),
        description=None if hook.description is None else public_sentence(hook.description, known),
        command=hook.command and _record(hook.command, known),
        orders=hook.orders and _record(hook.orders, known),
        notes=tuple(public_sentence(note, known) for note in hook.notes),
    )


def _result(result: HookResult, known: Known) -> HookResult:
    return replace(
        result,
        description=None if result.description is None else public_sentence(result.description, known),
        status=result.status if _STATUS.fullmatch(result.status) else public_sentence(result.status, known),
        stdout=public_output(result.stdout, known),
        stderr=public_output(result.stderr, known),
        error=None if result.error is None else public_sentence(result.error, known),
    )


def _record(record: Record, known: Known) -> Record:
    """Return what was parsed of a command: names stay, any other text keeps its known words."""
    changes: dict[str, Any] = {
        field.name: _value(getattr(record, field.name), known)
        for field in dataclasses.fields(record)
        if field.name not in _OWN_WORDS
    }
    return replace(record, **changes)


# Words of readers, never of a text: verbs, kinds, and the names of files that the catalog declares.
_OWN_WORDS = frozenset({
    "verb", "kind", "script", "action", "selector", "stdout", "stderr", "acknowledges", "via", "seen", "part",
})  # fmt: skip


def _value(value: object, known: Known) -> object:
    if isinstance(value, str):
        return value if is_name(value) and value.lower() in known.names else public_sentence(value, known)
    if isinstance(value, tuple):
        # A line that is hidden looks like every other hidden line, and shows nothing any more.
        public = (_value(item, known) for item in value)
        return tuple(item for item in public if not (isinstance(item, Clue) and HIDDEN in item.text))
    if isinstance(value, Clue):
        return replace(value, text=public_output(value.text, known))  # as the line that it is looked for in
    if isinstance(value, CommandedAction | HookScripts | HumanCommand | Clue | Printed | HumanOrder):
        return _record(value, known)
    return value
