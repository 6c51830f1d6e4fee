"""Rows that name the injection itself, from which a model would read the answer instead of finding the fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from faultset.sources.public.text import HIDDEN
from faultset.tables import TargetRow

Leak = Callable[[pl.Expr], pl.Expr]
_SCRIPT = re.compile(r"[\w.-]+\.(?:sh|bash|py|ya?ml)\b")
_ENGINES = "docker|podman|nerdctl"
_WORD = re.compile(r"\w{2,}")
# With fewer words that are known, any row of a shell would look like the command.
_FEWEST_WORDS = 3
_VERBS = "stop|start|restart|kill|pause|unpause|rm"


def leaks(commands: Iterable[str], targets: Sequence[TargetRow]) -> Leak:
    """Return what finds such rows by their text.

    Found are a container engine's command against a target (any container, where no target is known), also through
    ``sudo`` or a session of the experimenter; the engine's word that a target would not stop; the echo
    ``Restarting nova-container`` of a hook script; the scripts that ``commands`` name; and the commands themselves. A
    container's own name alone is no leak: the services name themselves all the time.

    Args:
        commands: the hooks' commands.
        targets: what the injections acted on.
    """
    commands = sorted({command.strip() for command in commands if len(command.strip()) >= 8})
    scripts = sorted({name for command in commands for name in _SCRIPT.findall(command)})
    containers = sorted({row.container for row in targets if row.container})
    of_a_target = rf"[^\n]*\b(?:{_any_of(containers)})\b" if containers else ""
    services = {name.replace("_", "-").partition("-")[0] for name in containers} | {"nova", "glance", "neutron"}
    patterns = [
        rf"\b(?:{_ENGINES})(?:\s+container)?\s+(?:{_VERBS})\b{of_a_target}",
        *([rf"failed to exit\b.*\b(?:{_any_of(containers)})\b"] if containers else []),
        rf"\b(?:stopp|start|restart|kill|paus|unpaus)(?:ing|ed)\s+(?:{_any_of(sorted(services))})[\w-]*-containers?\b",
        *([rf"\bsystemctl\s+(?:{_VERBS})\s+(?:{_any_of(containers)})\b"] if containers else []),
        *([rf"(?:^|[\s/'\"])(?:{_any_of(scripts)})\b"] if scripts else []),
        *filter(None, map(_repeated, commands)),
    ]
    pattern = "(?i)" + "|".join(f"(?:{part})" for part in patterns)
    return lambda text: text.str.contains(pattern).fill_null(value=False)


def _repeated(command: str) -> str | None:
    """Return the pattern of a row that repeats a published command, whose hidden words can be any."""
    if HIDDEN in command and len(_WORD.findall(command)) < _FEWEST_WORDS:
        return None
    return r"[^\n]{1,200}?".join(re.escape(part) for part in command.split(HIDDEN))


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in names)
