"""What a configured hook asks for, read at the border: a human command of os-faults, or what scripts order."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from faultset.sources import hook_scripts, human_commands

if TYPE_CHECKING:
    from faultset.records import HookPlan, RallyRun
    from faultset.sources.hook_scripts import ScriptLibrary

_RESTART = re.compile(r"(?<![a-z])re-?start", re.IGNORECASE)
_PROGRAM = re.compile(r"[\w-]+\.(?:sh|bash|ksh|py|pl|rb|yml|yaml)\b|\.{0,2}/\w", re.IGNORECASE)
_OS_FAULTS_CLI = re.compile(r"\bos[-_](?:inject[-_]fault|faults)\b")


def read_hooks(run: RallyRun, library: ScriptLibrary) -> RallyRun:
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
        known[key] = _with_command(replace(hook, command=None, orders=None, notes=()), library)
    same = known[key]
    return replace(with_own_words(hook), command=same.command, orders=same.orders, notes=same.notes)


def with_own_words(hook: HookPlan) -> HookPlan:
    """Return ``hook`` with what its command and description say of themselves, where nothing else tells."""
    return replace(
        hook,
        names_program=_PROGRAM.search(hook.args) is not None,
        says_restart=_RESTART.search(f"{hook.args} {hook.description or ''}") is not None,
    )


def _with_command(hook: HookPlan, library: ScriptLibrary) -> HookPlan:
    """Human commands of os-faults are not shell; whatever else a ``sys_call`` runs is."""
    text = _action_of(hook.args) if hook.name == "fault_injection" else _os_faults_words(hook.args)
    if text is not None:
        try:
            return replace(hook, command=human_commands.parse(text))
        except ValueError as error:
            hook = replace(hook, notes=(str(error),))
    if hook.name != "sys_call":
        return hook
    return replace(hook, orders=hook_scripts.orders(hook.args, library))


def _action_of(args: str) -> str:
    """The command of a ``fault_injection`` hook, whose argument is ``{"action": COMMAND, "verify": ...}`` or text."""
    try:
        config = json.loads(args)
    except ValueError:
        return args
    action = config.get("action") if isinstance(config, dict) else config
    return action if isinstance(action, str) else args


def _os_faults_words(command: str) -> str | None:
    """The human command given to the os-faults command line, such as ``os-inject-fault -c FILE 'kill x service'``."""
    found = _OS_FAULTS_CLI.search(command)
    if not found:
        return None
    try:
        words = shlex.split(command[found.end() :])
    except ValueError:
        return None
    with_values = {"-c", "--config"}
    plain = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith("-") and before not in with_values
    ]
    return " ".join(plain) or None
