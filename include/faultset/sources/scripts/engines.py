"""What docker, podman, nerdctl, crictl and docker compose do to containers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from faultset.sources.scripts.shell_actions import (
    Acknowledgement,
    Deed,
    NotReadError,
    arguments,
    host_of,
    option,
    part_of,
)
from faultset.sources.scripts.units import verb_of_signal

VERBS = frozenset({"stop", "start", "restart", "kill", "pause", "unpause", "rm"})
_OPTIONS = (
    "Hcl",
    frozenset({"--host", "--context", "--config", "--log-level", "--url", "--connection", "--namespace"}),
)
_VERB_OPTIONS = (
    "ts",
    frozenset({"--time", "--timeout", "--signal", "--checkpoint", "--checkpoint-dir", "--detach-keys"}),
)
_UPDATE_OPTIONS = (
    "cm",
    frozenset({
        "--cpus", "--cpu-shares", "--cpu-quota", "--cpu-period", "--cpuset-cpus", "--memory", "--memory-swap",
        "--restart", "--blkio-weight", "--pids-limit", "--memory-reservation", "--cpuset-mems",
    }),
)  # fmt: skip
_COMPOSE_OPTIONS = (
    "fp",
    frozenset({
        "--file", "--project-name", "--profile", "--project-directory", "--env-file", "--ansi", "--context", "--host",
    }),
)  # fmt: skip
_LOOKS = frozenset({
    "ps", "ls", "logs", "inspect", "images", "image", "info", "version", "stats", "top", "port", "diff", "events",
    "history", "search", "pull", "push", "build", "tag", "save", "load", "login", "logout", "cp", "wait", "attach",
    "exec", "volume", "config", "pods", "", "export", "import", "commit", "create", "rmi", "buildx", "manifest",
})  # fmt: skip


def engine(command: str, words: Sequence[str], host: str) -> list[Deed]:
    """Return what ``docker`` and its like do.

    Args:
        command: docker, podman or nerdctl.
        words: its arguments.
        host: ``DOCKER_HOST``; "" where it is not set.

    Raises:
        NotReadError: it may act on something, and how is not read.
    """
    rest = arguments(words, *_OPTIONS, in_front=True)
    front = words[: len(words) - len(rest)]
    destination = option(front, "H", "--host") or option(front, "", "--url") or host
    there = host_of(destination) if destination and not destination.startswith("unix://") else None
    context = option(front, "c", "--context")
    if rest[:1] == ["container"]:
        rest = rest[1:]
    verb, behind = (rest[0], rest[1:]) if rest else ("", [])
    found = _container(verb, behind)
    if found is None:
        found = _other(command, verb, behind)
    via = f"{command} context" if context and not there else None
    return [replace(d, host=d.host or there or (context if via else None), via=via) for d in found]


def _container(verb: str, behind: Sequence[str]) -> list[Deed] | None:
    if verb not in VERBS:
        return None
    done = verb_of_signal(option(behind, "s", "--signal") or "KILL") if verb == "kill" else verb
    names = [name for name in arguments(behind, *_VERB_OPTIONS) if name]
    if not names and "--help" not in behind:
        raise NotReadError(f"what '{verb}' acts on is not told")
    return [Deed(done, name, "container", acknowledges="name") for name in names]


def _other(command: str, verb: str, behind: Sequence[str]) -> list[Deed]:
    reader = _OTHERS.get(verb)
    if reader:
        return reader(behind)
    if verb in ("stack", "swarm") and behind[:1] in (["ls"], ["ps"], ["services"]):
        return []
    if verb not in _LOOKS:
        raise NotReadError(f"what '{command} {verb}' does is not read")
    return []


def _update(behind: Sequence[str]) -> list[Deed]:
    return [Deed("update", name, "container", acknowledges="name") for name in arguments(behind, *_UPDATE_OPTIONS)]


def _rename(behind: Sequence[str]) -> list[Deed]:
    return [Deed("rename", name, "container") for name in arguments(behind)[:1]]


def _swarm_node(behind: Sequence[str]) -> list[Deed]:
    if behind[:1] == ["update"] and "drain" in " ".join(behind):
        return [Deed("drain", None, "node", host=arguments(behind[1:], "", frozenset({"--availability"}))[-1])]
    if behind[:1] == ["update"] and "active" in " ".join(behind):
        return [Deed("uncordon", None, "node", host=arguments(behind[1:], "", frozenset({"--availability"}))[-1])]
    if behind[:1] in (["ls"], ["ps"], ["inspect"]):
        return []
    raise NotReadError(f"what 'docker node {' '.join(behind[:1])}' does is not read")


def _network(behind: Sequence[str]) -> list[Deed]:
    rest = arguments(behind, "", frozenset({"--alias", "--ip", "--ip6", "--link", "--driver-opt"}))
    if rest[:1] in (["disconnect"], ["connect"]) and len(rest) > 2:
        return [Deed(rest[0], rest[2], "container", part=part_of("network", rest[1]))]
    if rest[:1] in (["ls"], ["inspect"], ["create"], []):
        return []
    raise NotReadError(f"what 'docker network {rest[0]}' does is not read")


def _swarm_service(behind: Sequence[str]) -> list[Deed]:
    """A service of a swarm runs on nodes that the command does not name."""
    rest = arguments(behind, "", frozenset({"--replicas", "--image", "--limit-cpu", "--limit-memory"}))
    verb, names = (rest[0], rest[1:]) if rest else ("", [])
    if verb == "scale":
        return [Deed("scale", name.partition("=")[0], "container", host="") for name in names]
    if verb in ("update", "rm", "rollback"):
        return [Deed("restart" if verb != "rm" else "rm", name, "container", host="") for name in names]
    return []


def compose(words: Sequence[str]) -> list[Deed]:
    """Return what ``docker compose`` does to the services that it names.

    Raises:
        NotReadError: it names none, or does what is not read.
    """
    rest = arguments(words, *_COMPOSE_OPTIONS, in_front=True)
    verb, behind = (rest[0], rest[1:]) if rest else ("", [])
    names = arguments(behind, "ts", frozenset({"--timeout", "--signal", "--scale", "--index"}))
    if verb in VERBS and names:
        done = verb_of_signal(option(behind, "s", "--signal") or "KILL") if verb == "kill" else verb
        return [Deed(done, name, "container", acknowledges="words") for name in names]
    if verb == "up" and names:
        return [Deed("start", name, "container", acknowledges="words") for name in names]
    if verb in ("ps", "ls", "logs", "config", "images", "top", "pull", "version", "port", "events", "build"):
        return []
    raise NotReadError(f"which containers 'docker compose {verb}' acts on is not read")


def crictl(words: Sequence[str]) -> list[Deed]:
    """Return what ``crictl`` does."""
    rest = arguments(words, "ricD", frozenset({"--runtime-endpoint", "--image-endpoint", "--config", "--timeout"}))
    verb, behind = (rest[0], rest[1:]) if rest else ("", [])
    known = {"stop": "stop", "rm": "rm", "start": "start", "stopp": "stop", "rmp": "rm"}
    if verb in known:
        shown: Acknowledgement = "id"
        return [Deed(known[verb], name, "container", acknowledges=shown) for name in arguments(behind, "t")]
    return []


_OTHERS: dict[str, Callable[[Sequence[str]], list[Deed]]] = {
    "compose": compose,
    "update": _update,
    "rename": _rename,
    "network": _network,
    "service": _swarm_service,
    "node": _swarm_node,
}
