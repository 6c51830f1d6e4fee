"""What a hook whose commands were read did: its targets, and what of its output or its commands stays unexplained."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from faultset.records.run import HookPlan, HookResult
from faultset.records.scripts import CommandedAction, HookScripts
from faultset.truth import choices, claimed
from faultset.truth.output import Acknowledgements, HostAnswer, host_answers, read_output
from faultset.truth.placement import Placement
from faultset.truth.proof import Seen, acknowledged
from faultset.truth.targets import (
    Target,
    orders_of,
    places_of,
    targets_by_command,
    targets_by_output,
    targets_by_script,
)

# Tools that are told groups and patterns, and say themselves which nodes these are.
_FANOUTS = frozenset({"ansible", "pdsh", "clush", "parallel-ssh", "salt"})
_MANAGEMENT = re.compile(r"(?P<node>.+?)[-_.](?:ipmi|bmc|ilo|idrac|drac|oob|mgmt)(?:\..*)?")

Answers = Mapping[str, Mapping[str, HostAnswer]]


@dataclass(frozen=True, slots=True)
class Hooked:
    """What one firing did.

    Attributes:
        targets: what it acted on, or may have.
        output: what its output proves.
        idle: whether the commands, read whole, act on nothing.
        notes: what stays unexplained, a sentence each.
        surplus: where docker acknowledged more than was commanded, a sentence each.
        actions: what was commanded, groups and choices replaced by what they came to.
    """

    targets: tuple[Target, ...]
    output: Acknowledgements
    idle: bool = False
    notes: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    actions: tuple[CommandedAction, ...] = ()


def decide(hook: HookPlan, result: HookResult, placement: Placement) -> Hooked:
    """Decide what a firing did: a human command says it best, then commands, then output and declared hosts alone.

    Args:
        hook: its configuration, with what it asks for.
        result: the firing.
        placement: where things are.
    """
    claim = result.claim
    if claim is not None and (claim.applied is False or not claim.of_command):
        return Hooked(claimed.targets_by_claim(claim, placement), Acknowledgements(seen=result.has_output))
    if claim is not None and hook.orders is not None:
        found = _by_commands(_on_machine(hook.orders, claim.machine, placement), result, placement)
        return replace(found, targets=(*found.targets, *claimed.of_kubectl(hook.orders, result)))
    if hook.command is not None:
        targets = targets_by_command(hook.command, _os_faults_succeeded(hook, result), placement)
        return Hooked(targets, Acknowledgements(seen=result.has_output))
    if hook.orders is not None:
        return _by_commands(hook.orders, result, placement)
    output = read_output(result, placement.containers())
    return Hooked(targets_by_output(placement.containers(), output, placement), output)


def _on_machine(scripts: HookScripts, machine: str | None, placement: Placement) -> HookScripts:
    """Return what commands order, those without a host on the machine that ran them, unless the cluster has no such."""
    if machine is None or (placement.known and placement.place(machine).node is None):
        return scripts

    def placed(action: CommandedAction) -> CommandedAction:
        return replace(action, host=machine) if action.host is None and action.via is None else action

    return replace(
        scripts,
        actions=tuple(placed(action) for action in scripts.actions),
        fallbacks=tuple(placed(action) for action in scripts.fallbacks),
    )


def _by_commands(scripts: HookScripts, result: HookResult, placement: Placement) -> Hooked:
    tools = {action.via for action in scripts.actions if action.via}
    answers = {tool: host_answers(result, tool) for tool in tools}
    spread = replace(
        scripts,
        actions=_spread(scripts.actions, placement, answers),
        fallbacks=_spread(scripts.fallbacks, placement, answers),
    )
    shown = read_output(result, placement.containers())
    settled = choices.settle(spread.actions, placement, shown)
    orders = orders_of(spread, placement, shown)
    commanded = frozenset(order.name for order in orders if order.name)
    output = read_output(result, placement.containers() | commanded)
    seen = Seen(output, result.return_code, scripts.prints, bool(scripts.unread), answers)
    targets = targets_by_script(orders, output, placement, result.return_code, seen)
    open_names = placement.containers() - commanded
    others = output
    if not scripts.unread:
        others = replace(output, acted=output.acted & _possible(spread.actions, placement, output))
    by_output = targets_by_output(open_names, others, placement)
    idle = not (scripts.actions or scripts.fallbacks or scripts.unread or scripts.human)
    notes = [
        *_unplaced(spread.actions, placement, targets),
        *_unexplained(open_names, by_output, seen, idle=idle),
    ]
    return Hooked(
        (*targets, *by_output),
        replace(output, acted=output.acted & _counted(targets, by_output, output)),
        idle,
        tuple(notes),
        tuple(_surplus(targets)),
        settled,
    )


def _os_faults_succeeded(hook: HookPlan, result: HookResult) -> bool:
    """Whether os-faults itself is shown to have succeeded: a shell around it can end with 0 all the same."""
    if hook.orders is None or not hook.orders.human:
        return result.status == "success"
    shown = any(clue.seen == "exit 0" and clue.succeeded for clue in hook.orders.human[0].clues)
    return result.status == "success" and shown


def _spread(actions: Sequence[CommandedAction], placement: Placement, answers: Answers) -> tuple[CommandedAction, ...]:
    """Return an action for each node that a tool reached, where it was told a group or a pattern."""
    spread: list[CommandedAction] = []
    for action in actions:
        if action.via is None or action.host is None or placement.place(action.host).node is not None:
            spread.append(action)
        elif action.via in _FANOUTS and answers.get(action.via):
            hosts = [host for host in answers[action.via] if _is_node(host, placement)]
            spread += [replace(action, host=host) for host in hosts]
        elif action.via == "ipmitool" and (match := _MANAGEMENT.fullmatch(action.host)):
            spread.append(replace(action, host=match["node"]))
        else:
            spread.append(action)
    return tuple(spread)


def _is_node(host: str, placement: Placement) -> bool:
    return not placement.known or placement.place(host).node is not None


def _possible(actions: Sequence[CommandedAction], placement: Placement, output: Acknowledgements) -> Counter[str]:
    """Return the acknowledgements that commands could have printed whose node is not known."""
    lost = [action for action in actions if not places_of(action, placement) and action.kind == "container"]
    names = {action.name for action in lost if action.name and not action.chosen}
    if any(action.chosen for action in lost):
        return output.acted
    return Counter({name: count for name, count in output.acted.items() if name in names})


def _counted(targets: Sequence[Target], by_output: Sequence[Target], output: Acknowledgements) -> Counter[str]:
    named = {target.container for target in (*targets, *by_output)}
    return Counter({name: count for name, count in output.acted.items() if name in named})


def _unplaced(actions: Sequence[CommandedAction], placement: Placement, targets: Sequence[Target]) -> list[str]:
    """Say of commands that no input tells where, or on what, they act."""
    reached = {target.container for target in targets}
    notes = []
    for action in actions:
        what = f"'{action.verb}'" + (f" of {action.name}" if action.name else "")
        if action.chosen and not any(target.action and action.verb in target.action for target in targets):
            by = f"'{action.name}'" if action.name else "what is not told"
            notes.append(f"{what} acts on what was chosen by {by}; the output does not name it")
        elif not places_of(action, placement) and (action.name is None or action.name not in reached):
            there = f"{action.via} goes to {action.host}, which" if action.via and action.host else "where it runs"
            notes.append(
                f"{what}: {there} no input tells" if not action.host else f"{what}: {there} is no node that is known"
            )
    return list(dict.fromkeys(notes))


def _unexplained(names: frozenset[str], by_output: Sequence[Target], seen: Seen, *, idle: bool) -> list[str]:
    """Say what the output names that no command explains."""
    told = {target.container or "" for target in by_output}
    notes = []
    if told and not idle:
        notes.append(f"docker acknowledged {', '.join(sorted(told))}, which the scripts do not command")
    unexplained = sorted(name for name in names if acknowledged(name, seen).least and name not in told)
    if unexplained:
        notes.append(f"the output names {', '.join(unexplained)}, which the commands, read whole, do not act on")
    return notes


def _surplus(targets: Sequence[Target]) -> list[str]:
    return list(
        dict.fromkeys(
            f"more acknowledgements than commands of {target.container}: {target.evidence.rpartition('; ')[2]}"
            for target in targets
            if "what printed the others" in target.evidence
        )
    )
