"""What systemctl, service, kill, reboot and their like do to a machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from faultset.sources.scripts.shell_actions import (
    CONTAINER_PROCESS,
    PROCESS_CHOICE,
    PROCESS_ID,
    Deed,
    NotReadError,
    arguments,
    host_of,
    option,
)
from faultset.sources.scripts.shell_expansion import UNKNOWN
from faultset.sources.scripts.timers import seconds

UNIT_VERBS = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "kill": "kill",
    "reload": "reload",
    "try-restart": "restart",
    "condrestart": "restart",
    "reload-or-restart": "restart",
    "try-reload-or-restart": "restart",
    "force-reload": "reload",
    "freeze": "freeze",
    "thaw": "unfreeze",
}
NODE_COMMANDS = {
    "reboot": "reboot", "poweroff": "poweroff", "halt": "poweroff", "shutdown": "shutdown", "suspend": "suspend",
    "hibernate": "suspend", "kexec": "reboot", "soft-reboot": "reboot",
}  # fmt: skip
_UNITS_UNREAD = frozenset(
    {"isolate", "rescue", "emergency", "default", "set-property", "set-default", "revert", "clean"}
)
_SYSTEMCTL_OPTIONS = (
    "HMtpsno",
    frozenset({"--host", "--machine", "--type", "--signal", "--kill-who", "--kill-whom", "--job-mode", "--property"}),
)
_SIGNALS = {
    "STOP": "freeze", "TSTP": "freeze", "TTIN": "freeze", "TTOU": "freeze", "19": "freeze", "20": "freeze",
    "CONT": "unfreeze", "18": "unfreeze", "HUP": "reload", "1": "reload",
}  # fmt: skip
_NO_FAULT = frozenset({"0", "USR1", "10", "USR2", "12", "WINCH", "28", "CHLD", "17", "URG", "23"})
_SIGNAL = re.compile(r"-(?:\d{1,2}|(?:SIG)?[A-Z][A-Z0-9]{1,8})")


def verb_of_signal(signal: str | None) -> str:
    """Return what a signal does: ``kill``, ``freeze``, ``unfreeze``, ``reload``; ``signal`` where that is no fault."""
    name = (signal or "TERM").upper().removeprefix("SIG")
    return "signal" if name in _NO_FAULT else _SIGNALS.get(name, "kill")


def _signal(words: Sequence[str], *letters: str) -> str | None:
    for word in words:
        if _SIGNAL.fullmatch(word):
            return word[1:]
    values = (option(words, letter, "--signal") for letter in letters)
    return next((value for value in values if value), None)


def _without_signal(words: Sequence[str]) -> list[str]:
    """Drop ``-9`` and ``-KILL``, whose letters are no options."""
    return [word for word in words if not _SIGNAL.fullmatch(word)]


def _systemctl(words: Sequence[str]) -> list[Deed]:
    destination = option(words, "H", "--host")
    host = host_of(destination) if destination else None
    rest = arguments(words, *_SYSTEMCTL_OPTIONS)
    if not rest:
        return []
    if rest[0] in NODE_COMMANDS:
        return [Deed(NODE_COMMANDS[rest[0]], None, "node", host)]
    if rest[0] in _UNITS_UNREAD:
        raise NotReadError(f"what 'systemctl {rest[0]}' does is not read")
    verb = UNIT_VERBS.get(rest[0])
    if rest[0] == "kill":
        verb = verb_of_signal(option(words, "s", "--signal"))
    if rest[0] in ("enable", "disable", "mask") and "--now" in words:
        verb = "start" if rest[0] == "enable" else "stop"
    units = [unit.removesuffix(".service") for unit in rest[1:]]
    queued = "--no-block" in words
    return [Deed(verb, unit, "service", host, chosen="*" in unit, detached=queued) for unit in units] if verb else []


def _service(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    verb = UNIT_VERBS.get(rest[1]) if len(rest) > 1 else None
    return [Deed(verb, rest[0], "service")] if verb else []


def _initctl(words: Sequence[str]) -> list[Deed]:
    return _service(arguments(words)[1::-1])


def _upstart(verb: str) -> Callable[[Sequence[str]], list[Deed]]:
    return lambda words: [Deed(verb, name, "service") for name in arguments(words)[:1]]


def _pkill(words: Sequence[str]) -> list[Deed]:
    options = frozenset({"--signal", "--euid", "--uid", "--parent"})
    patterns = arguments(_without_signal(words), "uUgGPstF", options)
    exact = any(re.fullmatch(r"-[a-z]*x[a-z]*", word) for word in words)
    verb = verb_of_signal(_signal(words, ""))
    return [Deed(verb, patterns[-1], "process", chosen=not exact)] if patterns else _killed_of(words)


def _killed_of(words: Sequence[str]) -> list[Deed]:
    if option(words, "u", "--uid") or option(words, "U", "--euid"):
        raise NotReadError("which processes of a user are killed is not read")
    return []


def _killall(words: Sequence[str]) -> list[Deed]:
    options = frozenset({"--signal", "--user", "--older-than", "--younger-than"})
    verb = verb_of_signal(_signal(words, "s"))
    return [Deed(verb, name, "process") for name in arguments(_without_signal(words), "suyo", options)]


def _kill(words: Sequence[str]) -> list[Deed]:
    ids = arguments(_without_signal(words), "sn", frozenset({"--signal"}))
    if "-l" in words or "-L" in words:
        return []
    verb = verb_of_signal(_signal(words, "s", "n"))
    if verb == "signal":
        return []
    return [_killed(verb, word) for word in ids]


def _killed(verb: str, word: str) -> Deed:
    if word.startswith(CONTAINER_PROCESS):
        return Deed(verb, word.removeprefix(CONTAINER_PROCESS), "container")
    if word.startswith((PROCESS_ID, PROCESS_CHOICE)):
        return Deed(verb, word, "process")
    return Deed(verb, UNKNOWN, "process")


def _halt(command: str) -> Callable[[Sequence[str]], list[Deed]]:
    return lambda words: [Deed(NODE_COMMANDS[command], None, "node")] if "--help" not in words else []


def _shutdown(words: Sequence[str]) -> list[Deed]:
    flags = {letter for word in words if re.fullmatch(r"-[a-zA-Z]+", word) for letter in word[1:]}
    if "c" in flags or "k" in flags:
        return []
    verb = "reboot" if "r" in flags or "--reboot" in words else "shutdown"
    when = (arguments(words, "t") or ["+1"])[0]
    delay: float | None = 0.0
    if when.startswith("+") or when.isdigit():
        delay = seconds(when.removeprefix("+") + "m")
    elif when != "now":
        delay = None
    return [Deed(verb, None, "node", delay_s=delay, detached=delay != 0.0)]


def _init(words: Sequence[str]) -> list[Deed]:
    verb = {"0": "poweroff", "6": "reboot"}.get(words[0] if words else "")
    return [Deed(verb, None, "node")] if verb else []


READERS: dict[str, Callable[[Sequence[str]], list[Deed]]] = {
    "systemctl": _systemctl,
    "service": _service,
    "rc-service": _service,
    "invoke-rc.d": _service,
    "initctl": _initctl,
    "start": _upstart("start"),
    "stop": _upstart("stop"),
    "restart": _upstart("restart"),
    "pkill": _pkill,
    "killall": _killall,
    "kill": _kill,
    "init": _init,
    "telinit": _init,
    "reboot": _halt("reboot"),
    "poweroff": _halt("poweroff"),
    "halt": _halt("halt"),
    "shutdown": _shutdown,
}
