"""Tools that take a command to many machines: ansible, pdsh, clush, parallel-ssh, salt."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faultset.sources.scripts.shell_actions import Deed, NotReadError, arguments, host_of, option
from faultset.sources.scripts.shell_expansion import braces
from faultset.sources.scripts.units import UNIT_VERBS

MOST_HOSTS = 1_000


@dataclass(frozen=True, slots=True)
class Fanout:
    """A command for many machines.

    Attributes:
        tool: that takes it there.
        hosts: as written: hosts, groups or patterns.
        command: in words of a shell; "" where ``deeds`` say it, or where it is piped.
        deeds: what is done to each.
        fails_with_nodes: whether the tool's exit code is not 0 where one machine's was not.
    """

    tool: str
    hosts: tuple[str, ...]
    command: str = ""
    deeds: tuple[Deed, ...] = ()
    fails_with_nodes: bool = True


def fanout(tool: str, words: Sequence[str]) -> Fanout:
    """Return what a tool takes where.

    Raises:
        NotReadError: its arguments do not tell.
    """
    return FANOUTS[tool](words)


def host_list(text: str) -> tuple[str, ...]:
    """Return the hosts of ``cmp[01-03,07],ctl1``."""
    ranges = re.sub(r"\[([\w,-]+)\]", lambda match: "{" + _braced(match[1]) + "}", text)
    # A comma between brackets has become one between braces, the others separate hosts.
    pieces = re.split(r"[\s,](?![^{]*\})", ranges)
    return tuple(host for piece in pieces if piece for host in braces(piece))[:MOST_HOSTS]


def _braced(inside: str) -> str:
    parts = [re.sub(r"^(\d+)-(\d+)$", r"\1..\2", part) for part in inside.split(",")]
    if len(parts) == 1:
        return parts[0]
    return ",".join("{" + part + "}" if ".." in part else part for part in parts)


def _hosts(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(host_of(host) for word in words for host in host_list(word))


def _ansible(words: Sequence[str]) -> Fanout:
    long = frozenset({
        "--inventory", "--module-name", "--args", "--user", "--limit", "--forks", "--become-user", "--private-key",
        "--extra-vars", "--connection", "--timeout", "--become-method", "--poll", "--background", "--tree",
        "--inventory-file", "--vault-password-file",
    })  # fmt: skip
    patterns = arguments(words, "imaulfTtcePBM", long)
    limit = option(words, "l", "--limit")
    hosts = tuple(host for host in re.split(r"[,:]", limit or (patterns[0] if patterns else "")) if host)
    module = (option(words, "m", "--module-name") or "command").rsplit(".", 1)[-1]
    given = option(words, "a", "--args") or ""
    looks = {"-C", "--check", "--list-hosts"} & set(words)
    if not hosts or any(host.startswith(("!", "&", "@")) for host in hosts):
        raise NotReadError("on which nodes 'ansible' acts is not read")
    if looks or module in ("ping", "setup", "debug", "stat", "service_facts", "gather_facts"):
        return Fanout("ansible", hosts)
    if module in ("command", "shell", "raw"):
        text = re.sub(r"\s*\b(?:chdir|warn|executable|creates|removes)=\S+", "", given)
        return Fanout("ansible", hosts, text)
    return Fanout("ansible", hosts, deeds=(_module(module, given),))


def _module(module: str, given: str) -> Deed:
    values = dict(re.findall(r"(\w+)=(?:\"|')?([^\s\"']+)", given))
    name = values.get("name", "")
    state = values.get("state", "")
    units = {"stopped": "stop", "started": "start", "restarted": "restart", "reloaded": "reload"}
    if module in ("service", "systemd", "systemd_service", "sysvinit") and name and state in units:
        return Deed(units[state], name.removesuffix(".service"), "service")
    containers = {"stopped": "stop", "started": "start", "absent": "rm"}
    if module in ("docker_container", "podman_container") and name:
        done = "restart" if values.get("restart") in ("yes", "true") else containers.get(state)
        if done:
            return Deed(done, name, "container")
    if module in ("reboot", "win_reboot"):
        return Deed("reboot", None, "node")
    raise NotReadError(f"what the module '{module}' of ansible does is not read")


def _pdsh(words: Sequence[str]) -> Fanout:
    hosts = option(words, "w", "") or ""
    rest = arguments(words, "wxlRtuf", in_front=True)
    if not hosts or hosts.startswith("^"):
        raise NotReadError("on which nodes 'pdsh' acts is not read")
    left = _without(_hosts([hosts]), option(words, "x", ""))
    return Fanout("pdsh", left, " ".join(rest), fails_with_nodes="-S" in words)


def _without(hosts: Sequence[str], excluded: str | None) -> tuple[str, ...]:
    """Return the hosts that are not left out; NotReadError where those are a pattern or stand in a file."""
    if not excluded:
        return tuple(hosts)
    if re.search(r"[^\w.,\[\]-]", excluded):
        raise NotReadError("which nodes are left out is not read")
    out = _hosts([excluded])
    return tuple(host for host in hosts if host not in out)


def _clush(words: Sequence[str]) -> Fanout:
    hosts = _clustered(words, "w", "--nodes") or _clustered(words, "g", "--group") or ""
    # -b and its like may stand before -w in one word, as in -bw.
    flags = [word for word in words if re.fullmatch(r"-[a-zA-Z]*w", word)]
    long = frozenset({"--nodes", "--group", "--options", "--fanout", "--exclude"})
    rest = arguments(words, "wxgXtufol", long, in_front=True)
    if not hosts and not flags:
        raise NotReadError("on which nodes 'clush' acts is not read")
    shows = any(re.fullmatch(r"-[a-zA-Z]*S[a-zA-Z]*", word) for word in words) or "--maxrc" in words
    left = _without(_hosts([hosts]), _clustered(words, "x", "--exclude"))
    return Fanout("clush", left, " ".join(rest), fails_with_nodes=shows)


def _clustered(words: Sequence[str], letter: str, name: str) -> str | None:
    """An option that may end a cluster of letters, as in ``-bw cmp[01-04]``."""
    for position, word in enumerate(words[:-1]):
        if re.fullmatch(rf"-[a-zA-Z]*{letter}", word):
            return words[position + 1]
    return option(words, letter, name)


def _parallel_ssh(words: Sequence[str]) -> Fanout:
    given = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("-H", "--host")]
    given += [word[2:] for word in words if re.fullmatch(r"-H.+", word)]
    given += [word.partition("=")[2] for word in words if word.startswith("--host=")]
    long = frozenset(
        {"--hosts", "--host", "--user", "--par", "--timeout", "--outdir", "--errdir", "--option", "--args"}
    )
    rest = arguments(words, "hHlptoeOxX", long, in_front=True)
    if not given:
        raise NotReadError("on which nodes 'parallel-ssh' acts is not read: they stand in a file")
    hosts = tuple(re.sub(r":\d+$", "", host_of(host)) for text in given for host in text.split())
    return Fanout("parallel-ssh", hosts, " ".join(rest))


def _salt(words: Sequence[str]) -> Fanout:
    rest = arguments(words, "tbo", frozenset({"--timeout", "--batch", "--out", "--output"}))
    by_list = "-L" in words or "--list" in words
    if len(rest) < 2:
        raise NotReadError("what 'salt' does is not read")
    target, function, given = rest[0], rest[1], rest[2:]
    hosts = tuple(target.split(",")) if by_list else (target,)
    area, _, verb = function.partition(".")
    if function in ("cmd.run", "cmd.shell", "cmd.run_all", "cmd.retcode"):
        return Fanout("salt", hosts, given[0] if given else "", fails_with_nodes=False)
    if area in ("service", "systemd") and verb in UNIT_VERBS and given:
        return Fanout("salt", hosts, deeds=(Deed(UNIT_VERBS[verb], given[0], "service"),), fails_with_nodes=False)
    if area in ("docker", "dockerng") and verb in ("stop", "start", "restart", "kill", "pause", "unpause") and given:
        return Fanout("salt", hosts, deeds=(Deed(verb, given[0], "container"),), fails_with_nodes=False)
    if area == "system" and verb in ("reboot", "poweroff", "shutdown", "halt"):
        deed = Deed("poweroff" if verb == "halt" else verb, None, "node")
        return Fanout("salt", hosts, deeds=(deed,), fails_with_nodes=False)
    if function in ("test.ping", "grains.items", "grains.get", "service.status", "pkg.version"):
        return Fanout("salt", hosts, fails_with_nodes=False)
    raise NotReadError(f"what '{function}' of salt does is not read")


FANOUTS: dict[str, Callable[[Sequence[str]], Fanout]] = {
    "ansible": _ansible,
    "pdsh": _pdsh,
    "clush": _clush,
    "parallel-ssh": _parallel_ssh,
    "pssh": _parallel_ssh,
    "salt": _salt,
}
