"""The words of a single command: prefixes such as ``sudo``, options, where ssh goes. Read and never run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from faultset.sources.scripts.shell_expansion import UNKNOWN

Kind = Literal["container", "service", "process", "node"]
Acknowledgement = Literal["name", "id", "words", "nothing"]

# What a command in $(...) becomes that prints names or numbers which the text does not tell, with what is known of
# them: the process or the container they belong to, or what they were chosen by.
PROCESS_ID = f"{UNKNOWN}process:"
CONTAINER_PROCESS = f"{UNKNOWN}container-process:"
PROCESS_CHOICE = f"{UNKNOWN}processes-like:"
CONTAINER_CHOICE = f"{UNKNOWN}containers-like:"
CHOICES = (CONTAINER_CHOICE, PROCESS_CHOICE)

ENGINES = frozenset({"docker", "podman", "nerdctl"})

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
    "chroot": ("", frozenset({"--userspec", "--groups"}), 1),
    "nsenter": ("tSGr", frozenset({"--target", "--setuid", "--setgid", "--root", "--wd"}), 0),
    "flock": ("wE", frozenset({"--timeout", "--wait", "--conflict-exit-code"}), 1),
    "unbuffer": ("", frozenset(), 0),
    "chronic": ("", frozenset(), 0),
    "lxc-attach": ("nPsv", frozenset({"--name", "--lxcpath"}), 0),
    "proxychains": ("f", frozenset(), 0),
    "taskset": ("", frozenset({"--cpu-list"}), 1),
    "numactl": ("", frozenset({"--cpunodebind", "--membind"}), 0),
    "strace": ("oeps", frozenset(), 0),
    "torsocks": ("", frozenset(), 0),
}  # fmt: skip
_BEHIND = {"sudo": r"-[A-Za-z]*b|--background", "setsid": r"-[cw]*f[cw]*|--fork"}
_VARIABLE = re.compile(r"[A-Za-z_]\w*\+?=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Deed:
    """One action of one command.

    Attributes:
        verb: what is done; ``signal`` for one that is no fault.
        name: of what; None for the node itself.
        kind: what it is.
        host: where the command itself names another machine; "" where it does not say which one.
        acknowledges: what shows its success.
        chosen: whether ``name`` is what things are chosen by.
        via: the tool that leads to ``host`` where that need be no node's name.
        delay_s: seconds until it begins; None where that is not told.
        detached: whether the command returns before.
        part: of what on the node or of the thing; see ``part_of``.
    """

    verb: str
    name: str | None
    kind: Kind
    host: str | None = None
    acknowledges: Acknowledgement = "nothing"
    chosen: bool = False
    via: str | None = None
    delay_s: float | None = 0.0
    detached: bool = False
    part: str = ""


def part_of(*names: str) -> str:
    """Return the path of a device, a rule or a network: what undoes it names the same, or what holds it.

    Args:
        names: from the largest to the smallest; all but the first are a text's, and become digests.
    """
    return "/".join((names[0], *(hashlib.sha256(name.encode()).hexdigest()[:8] for name in names[1:])))


class NotReadError(Exception):
    """A command may act on something, and how is not read; the message says so."""


@dataclass(frozen=True, slots=True)
class Session:
    """An ssh command: where it goes (None: nowhere), what it runs there (nothing: what it is piped), its flags."""

    host: str | None
    command: tuple[str, ...]
    flags: tuple[str, ...] = ()


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
        shells = command == "sudo" and any(re.fullmatch(r"-[a-zA-Z]*[is][a-zA-Z]*", word) for word in rest[1:])
        rest = inside or (["sh"] if shells or command == "lxc-attach" else [])
        # exec alone keeps its redirections, which are the shell's from then on.
        if not rest and command == "exec":
            return ["exec"]
    return rest


def leaves_behind(words: Sequence[str]) -> bool:
    """Whether a prefix returns before the command that it runs: ``sudo -b``, ``setsid -f``."""
    command = ""
    for word in words[: len(words) - len(without_prefixes(words))]:
        if not word.startswith("-"):
            command = base_name(word) if base_name(word) in _PREFIXES else command
        elif re.fullmatch(_BEHIND.get(command, "(?!)"), word):
            return True
    return False


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
    """Return the value of an option given as ``-X value``, ``-Xvalue``, ``--name value`` or ``--name=value``.

    Args:
        words: what stands behind a command.
        letter: the short option; "" where there is none.
        name: the long option.
    """
    for position, word in enumerate(words):
        following = words[position + 1] if position + 1 < len(words) else None
        if word == name or (letter and word == f"-{letter}"):
            return following
        if word.startswith(f"{name}="):
            return word[len(name) + 1 :]
        if letter and word.startswith(f"-{letter}") and len(word) > 2:
            return word[2:]
    return None


def filters_of(words: Sequence[str]) -> str:
    """Return what ``docker ps --filter name=X`` chooses containers by; "" where by nothing that is told."""
    for position, word in enumerate(words):
        value = word.partition("=")[2] if word.startswith("--filter=") else word
        before = words[position - 1] if position else ""
        if before in ("-f", "--filter", "-qf", "-aqf", "-qaf", "--name") or word.startswith("--filter="):
            key, _, name = value.rpartition("=")
            if key.endswith("name") or before == "--name":
                return name.strip("^$/")
    return ""


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
    flags = tuple(word[1:] for word in words[: len(words) - len(command)] if re.fullmatch(r"-[A-Za-z]+", word))
    return Session(host_of(rest[0]) or None, tuple(command), flags)
