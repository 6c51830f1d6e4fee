"""What of a hook was read, what was not, and what follows for each target: the one place that words it.

The tables carry these words, and card, ``inspect``, ``validate`` and ``why`` show them as they stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from faultset.records.run import HookPlan
from faultset.records.scripts import CommandedAction
from faultset.truth.targets import Target

_SHOWN = 12
_CALLED = "the hook's command"


def read_of(hook: HookPlan) -> str | None:
    """Return what was read of a hook's command and scripts, action by action; None where nothing was."""
    if hook.command is not None:
        return f"{hook.command.action} of {hook.command.component or 'the node itself'}: {hook.command.selector}"
    if hook.orders is None:
        return None
    said = [_action(action) for action in hook.orders.actions]
    said += [f"after a failure only: {_action(action)}" for action in hook.orders.fallbacks]
    said += [f"os-faults: {order.text}" for order in hook.orders.human]
    said = list(dict.fromkeys(said))
    more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    if said:
        return "; ".join(said[:_SHOWN]) + more
    return None if hook.orders.unread else "nothing that acts"


def _action(action: CommandedAction) -> str:
    what = action.name or ("what it chooses" if action.chosen else "the node itself")
    where = "" if action.host is None else f" on {action.host}"
    place = f"{action.script}:{action.line}" if action.script else _CALLED
    times = f", {action.count} times" if action.count > 1 else ""
    return f"{action.verb} of {what}{where} ({place}{times})"


def unread_of(hook: HookPlan) -> str | None:
    """Return what of a hook may act and was not read; None where all of it was."""
    if hook.command is not None:
        return None
    if hook.orders is not None:
        return "; ".join(hook.orders.unread) or None
    if hook.name == "sys_call" and hook.names_program:
        return f"{_CALLED}: none of the scripts that it names was given"
    return ("; ".join(hook.notes) or None) if hook.name == "fault_injection" else None


def follows(target: Target) -> str:
    """Return what follows for a target from a part of its hook that was not read."""
    if target.effective:
        return "what was not read may have ended it, or done more"
    if target.effective is False:
        return "what was not read may have acted here all the same"
    return "what was not read may have acted here, too"


def with_what_follows(targets: Sequence[Target], hook: HookPlan) -> list[Target]:
    """Return the targets of a firing, each one's evidence with what follows from what was not read."""
    if unread_of(hook) is None:
        return list(targets)
    return [replace(target, evidence=f"{target.evidence}; {follows(target)}") for target in targets]


FOLLOWS_FOR_ALL = "what was not read may have acted on more"
FOLLOWS_WITHOUT_TARGETS = "what was not read may have acted on anything"


def unread_sentence(hook: HookPlan, targets: Iterable[Target]) -> str | None:
    """Return what was not read of a hook, and what follows for its firings' targets; None where all was read."""
    unread = unread_of(hook)
    if unread is None:
        return None
    found: dict[str, dict[str, None]] = {}
    for target in targets:
        found.setdefault(follows(target), {})[f"{target.container or 'the node'} on {target.place.name}"] = None
    told = [f"for {_listed(list(names))}: {what}" for what, names in found.items()] or [FOLLOWS_WITHOUT_TARGETS]
    return f"{unread}; {'; '.join(told)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
