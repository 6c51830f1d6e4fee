"""What a configured hook asks for, read at the border: a human command of os-faults, or what scripts order."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from faultset.sources.os_faults import commands as human_commands
from faultset.sources.scripts import orders as hook_scripts

if TYPE_CHECKING:
    from faultset.records.run import HookPlan, RunRecord
    from faultset.sources.scripts.orders import ScriptLibrary

_RESTART = re.compile(r"(?<![a-z])re-?start", re.IGNORECASE)
_PROGRAM = re.compile(r"[\w-]+\.(?:sh|bash|ksh|py|pl|rb|yml|yaml)\b|\.{0,2}/\w", re.IGNORECASE)


def read_hooks(run: RunRecord, library: ScriptLibrary) -> RunRecord:
    """Return ``run`` with what each of its hooks asks for."""
    known: dict[tuple[str, str], HookPlan] = {}
    workloads = tuple(
        replace(workload, hooks=tuple(_read(hook, library, known) for hook in workload.hooks))
        for workload in run.workloads
    )
    return replace(run, workloads=workloads)


def _read(hook: HookPlan, library: ScriptLibrary, known: dict[tuple[str, str], HookPlan]) -> HookPlan:
    """Read each command once: many hooks share one."""
    key = (hook.name, hook.args)
    if key not in known:
        known[key] = read_hook(replace(hook, command=None, orders=None, notes=()), library)
    same = known[key]
    return replace(with_own_words(hook), command=same.command, orders=same.orders, notes=same.notes)


def with_own_words(hook: HookPlan) -> HookPlan:
    """Return ``hook`` with what its command and description say of themselves, where nothing else tells."""
    return replace(
        hook,
        names_program=_PROGRAM.search(hook.args) is not None,
        says_restart=_RESTART.search(f"{hook.args} {hook.description or ''}") is not None,
    )


def read_hook(hook: HookPlan, library: ScriptLibrary) -> HookPlan:
    """Return ``hook`` with what it asks for: a human command of os-faults, or what a ``sys_call`` runs."""
    if hook.name == "fault_injection":
        return _with_human_command(hook, _action_of(hook.args))
    if hook.name != "sys_call" and not hook.is_command:
        return hook
    orders = hook_scripts.orders(hook.args, library)
    hook = replace(hook, orders=orders)
    if orders is None or not orders.human:
        return hook
    if len(orders.human) > 1 or orders.actions:
        several = "it gives several orders, of which those to os-faults are not read"
        return replace(hook, notes=(several,))
    return _with_human_command(hook, orders.human[0].text)


def _with_human_command(hook: HookPlan, text: str) -> HookPlan:
    try:
        return replace(hook, command=human_commands.parse(text))
    except ValueError as error:
        return replace(hook, notes=(str(error),))


def _action_of(args: str) -> str:
    """The command of a ``fault_injection`` hook, whose argument is ``{"action": COMMAND, "verify": ...}`` or text."""
    try:
        config = json.loads(args)
    except ValueError:
        return args
    action = config.get("action") if isinstance(config, dict) else config
    return action if isinstance(action, str) else args
