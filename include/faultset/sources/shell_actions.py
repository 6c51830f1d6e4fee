"""What a single command does to a machine: arguments of docker, systemctl, ssh and their like, read and never run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from faultset.sources.shell_expansion import UNKNOWN

Kind = Literal["container", "service", "process", "node"]

# What ``$(pidof NAME)`` becomes: an unknown number that is known to belong to a process of that name.
PROCESS_ID = f"{UNKNOWN}process:"

_ENGINES = frozenset({"docker", "podman", "nerdctl"})
_ENGINE_VERBS = frozenset({"stop", "start", "restart", "kill", "pause", "unpause", "rm"})
_ENGINE_OPTIONS = (
    "Hcl",
    frozenset({"--host", "--context", "--config", "--log-level", "--url", "--connection", "--namespace"}),
)
_VERB_OPTIONS = (
    "ts",
    frozenset({"--time", "--timeout", "--signal", "--checkpoint", "--checkpoint-dir", "--detach-keys"}),
)
_EXEC_OPTIONS = ("uew", frozenset({"--user", "--env", "--env-file", "--workdir", "--detach-keys"}))
_UNIT_VERBS = {
    "start": "start",
    "stop": "stop",
    "restart": "restart",
    "kill": "kill",
    "reload": "reload",
    "try-restart": "restart",
    "condrestart": "restart",
    "reload-or-restart": "restart",
    "force-reload": "reload",
    "freeze": "freeze",
    "thaw": "unfreeze",
}
_NODE_COMMANDS = {"reboot": "reboot", "poweroff": "poweroff", "halt": "poweroff", "shutdown": "shutdown"}
_SYSTEMCTL_OPTIONS = (
    "HMtpsno",
    frozenset({"--host", "--machine", "--type", "--signal", "--kill-who", "--kill-whom", "--job-mode"}),
)
_KILLERS_IN_CONTAINER = frozenset({"kill", "pkill", "killall", "reboot", "poweroff", "halt", "shutdown"})

SSH_OPTIONS = "BbcDEeFIiJLlmOopQRSWwP"

# Commands that run what stands behind them: options with a value, and how many operands come before that command.
_PREFIXES: dict[str, tuple[str, frozenset[str], int]] = {
    "sudo": ("ugpChrtTUDR", frozenset({"--user", "--group", "--prompt", "--host", "--chdir", "--role", "--type"}), 0),
    "doas": ("uC", frozenset(), 0),
    "env": ("uCS", frozenset({"--unset", "--chdir"}), 0),
    "nohup": ("", frozenset(), 0),
    "setsid": ("", frozenset(), 0),
    "time": ("of", frozenset(), 0),
    "command": ("", frozenset(), 0),
    "exec": ("a", frozenset(), 0),
    "builtin": ("", frozenset(), 0),
    "nice": ("n", frozenset({"--adjustment"}), 0),
    "ionice": ("cnp", frozenset({"--class", "--classdata"}), 0),
    "stdbuf": ("ioe", frozenset({"--input", "--output", "--error"}), 0),
    "timeout": ("ks", frozenset({"--kill-after", "--signal"}), 1),
    "sshpass": ("pfdP", frozenset(), 0),
}  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_]\w*\+?=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Deed:
    """One action of one command; ``host`` where the command itself names another machine."""

    verb: str
    name: str | None
    kind: Kind
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """An ssh command: where it goes (None: nowhere) and what it runs there (nothing: what it is piped)."""

    host: str | None
    command: tuple[str, ...]


def without_prefixes(words: Sequence[str]) -> list[str]:
    """Return the command that ``sudo``, ``sshpass``, ``nohup`` and their like run."""
    rest = list(words)
    while rest:
        while rest and _VARIABLE.fullmatch(rest[0]):
            rest = rest[1:]
        command = base_name(rest[0]) if rest else ""
        prefix = _PREFIXES.get(command)
        if prefix is None:
            break
        short, long, operands = prefix
        inside = arguments(rest[1:], short, long, in_front=True)[operands:]
        # sudo -i and sudo -s open a shell, which may be piped a script.
        rest = inside or (["sh"] if command == "sudo" and {"-i", "-s", "-Si", "-Ss"} & set(rest) else [])
    return rest


def base_name(command: str) -> str:
    """Return the last part of a command's path."""
    return command.rsplit("/", 1)[-1]


def arguments(
    words: Sequence[str], short: str = "", long: frozenset[str] = frozenset(), *, in_front: bool = False
) -> list[str]:
    """Return the words that are no options.

    Args:
        words: what stands behind a command.
        short: letters of the options that take a value.
        long: names of the long options that take a value as a word of its own.
        in_front: whether options end at the first operand.
    """
    found: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            return [*found, *words[position:]]
        if not word.startswith("-") or word == "-":
            found.append(word)
            if in_front:
                return [*found, *words[position:]]
        elif word.startswith("--"):
            position += word in long
        else:
            position += _takes_next(word, short)
    return found


def option(words: Sequence[str], letter: str, name: str) -> str | None:
    """Return the value of an option given as ``-X value``, ``-Xvalue``, ``--name value`` or ``--name=value``."""
    for position, word in enumerate(words):
        following = words[position + 1] if position + 1 < len(words) else None
        if word in (f"-{letter}", name):
            return following
        if word.startswith(f"{name}="):
            return word[len(name) + 1 :]
        if word.startswith(f"-{letter}") and len(word) > 2:
            return word[2:]
        if not word.startswith("-"):
            return None
    return None


def _takes_next(word: str, short: str) -> bool:
    """Whether a cluster of short options ends with one whose value is the next word."""
    for index, letter in enumerate(word[1:], start=1):
        if letter in short:
            return index == len(word) - 1
    return False


def host_of(destination: str) -> str:
    """Return the host of ``user@host``, ``ssh://user@host:port`` or ``tcp://host:port``."""
    _scheme, separator, rest = destination.partition("://")
    if separator:
        destination = rest.split("/", 1)[0]
        destination = re.sub(r":\d+$", "", destination)
    return destination.rsplit("@", 1)[-1].strip("[]")


def session(words: Sequence[str]) -> Session:
    """Return what the arguments of ``ssh`` ask for."""
    rest = arguments(words, SSH_OPTIONS, in_front=True)
    if not rest:
        return Session(None, ())
    # Options may follow the host as well; behind the command's first word they belong to the command.
    command = arguments(rest[1:], SSH_OPTIONS, in_front=True)
    return Session(host_of(rest[0]) or None, tuple(command))


def deeds(command: str, words: Sequence[str]) -> list[Deed] | None:
    """Return what ``command`` with its arguments does; None where it is no command that acts on anything."""
    if command in _ENGINES:
        return _engine(words)
    reader = _READERS.get(command)
    if reader:
        return reader(words)
    if command in _NODE_COMMANDS:
        return _node(command, words)
    return None


def _engine(words: Sequence[str]) -> list[Deed]:
    destination = option(words, "H", "--host") or option(words, "H", "--url")
    host = host_of(destination) if destination and not destination.startswith("unix://") else None
    rest = arguments(words, *_ENGINE_OPTIONS, in_front=True)
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if not rest:
        return []
    verb, behind = rest[0], rest[1:]
    if verb == "exec":
        return _inside(arguments(behind, *_EXEC_OPTIONS, in_front=True), host)
    if verb not in _ENGINE_VERBS:
        return []
    return [Deed(verb, name, "container", host) for name in arguments(behind, *_VERB_OPTIONS)]


def _inside(words: Sequence[str], host: str | None) -> list[Deed]:
    """Killing what runs inside a container kills the container."""
    if not words:
        return []
    inside = without_prefixes(words[1:])
    if inside and base_name(inside[0]) in ("sh", "bash"):
        inside = " ".join(arguments(inside[1:])).split()
    kills = bool(inside) and base_name(inside[0]) in _KILLERS_IN_CONTAINER
    return [Deed("kill", words[0], "container", host)] if kills else []


def _systemctl(words: Sequence[str]) -> list[Deed]:
    destination = option(words, "H", "--host")
    host = host_of(destination) if destination else None
    rest = arguments(words, *_SYSTEMCTL_OPTIONS)
    if not rest:
        return []
    if rest[0] in _NODE_COMMANDS:
        return [Deed(_NODE_COMMANDS[rest[0]], None, "node", host)]
    verb = _UNIT_VERBS.get(rest[0])
    if rest[0] in ("enable", "disable") and "--now" in words:
        verb = "start" if rest[0] == "enable" else "stop"
    return [Deed(verb, unit.removesuffix(".service"), "service", host) for unit in rest[1:]] if verb else []


def _service(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    verb = _UNIT_VERBS.get(rest[1]) if len(rest) > 1 else None
    return [Deed(verb, rest[0], "service")] if verb else []


def _initctl(words: Sequence[str]) -> list[Deed]:
    return _service(arguments(words)[1::-1])


def _pkill(words: Sequence[str]) -> list[Deed]:
    patterns = arguments(_without_signal(words), "uUgGPstF", frozenset({"--signal", "--euid", "--uid", "--parent"}))
    return [Deed("kill", patterns[-1], "process")] if patterns else []


def _killall(words: Sequence[str]) -> list[Deed]:
    options = frozenset({"--signal", "--user", "--older-than", "--younger-than"})
    return [Deed("kill", name, "process") for name in arguments(_without_signal(words), "suyo", options)]


def _kill(words: Sequence[str]) -> list[Deed]:
    ids = arguments(_without_signal(words), "sn", frozenset({"--signal"}))
    if "-l" in words or words[:1] == ["-0"]:
        return []
    names = [word.removeprefix(PROCESS_ID) if word.startswith(PROCESS_ID) else UNKNOWN for word in ids]
    return [Deed("kill", name, "process") for name in names]


_SIGNAL = re.compile(r"-(?:\d{1,2}|(?:SIG)?[A-Z][A-Z0-9]{1,8})")


def _without_signal(words: Sequence[str]) -> list[str]:
    """Drop ``-9`` and ``-KILL``, whose letters are no options."""
    return [word for word in words if not _SIGNAL.fullmatch(word)]


def _node(command: str, words: Sequence[str]) -> list[Deed]:
    flags = {letter for word in words if re.fullmatch(r"-[a-zA-Z]+", word) for letter in word[1:]}
    if command == "shutdown" and ("c" in flags or "k" in flags):
        return []
    verb = "reboot" if command == "shutdown" and ("r" in flags or "--reboot" in words) else _NODE_COMMANDS[command]
    return [Deed(verb, None, "node")]


def _init(words: Sequence[str]) -> list[Deed]:
    verb = {"0": "poweroff", "6": "reboot"}.get(words[0] if words else "")
    return [Deed(verb, None, "node")] if verb else []


_READERS: dict[str, Callable[[Sequence[str]], list[Deed]]] = {
    "systemctl": _systemctl,
    "service": _service,
    "rc-service": _service,
    "invoke-rc.d": _service,
    "initctl": _initctl,
    "pkill": _pkill,
    "killall": _killall,
    "kill": _kill,
    "init": _init,
    "telinit": _init,
}
