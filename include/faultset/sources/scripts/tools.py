"""What other tools do to machines."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from faultset.sources.scripts import networks
from faultset.sources.scripts.engines import compose, crictl
from faultset.sources.scripts.harmless import harmless
from faultset.sources.scripts.shell_actions import Deed, NotReadError, arguments, base_name, host_of, option

Reader = Callable[[Sequence[str]], list[Deed]]


def _kubectl(words: Sequence[str]) -> list[Deed]:
    """Nodes are named by drain and cordon; where a pod runs is told by nothing."""
    long = frozenset({
        "--namespace", "--context", "--kubeconfig", "--selector", "--grace-period", "--timeout", "--replicas",
        "--field-selector", "--output", "--cluster", "--user", "--server",
    })  # fmt: skip
    rest = arguments(words, "nlfo", long)
    verb, names = (rest[0], rest[1:]) if rest else ("", [])
    if verb in ("drain", "cordon", "uncordon") and names:
        return [Deed(verb, None, "node", host=name, via="kubectl") for name in names]
    if verb == "delete" and names[:1] and names[0] in ("node", "nodes", "no"):
        return [Deed("delete", None, "node", host=name, via="kubectl") for name in names[1:]]
    if verb in ("rollout", "scale", "delete") and names:
        return _workloads(verb, names)
    looks = ("get", "describe", "logs", "top", "version", "wait", "explain", "config", "cluster-info", "auth", "")
    if verb in (*looks, "api-resources", "port-forward", "events"):
        return []
    raise NotReadError(f"what 'kubectl {verb}' does is not read")


def _workloads(verb: str, names: Sequence[str]) -> list[Deed]:
    if verb == "rollout":
        verb, names = (names[0], names[1:]) if names else ("", [])
        if verb != "restart":
            return []
    kinds = r"(?:pods?|po|deploy(?:ment)?s?|daemonsets?|ds|statefulsets?|sts|replicasets?|rs)(?:\.apps)?"
    found = []
    if names and re.fullmatch(kinds, names[0]):
        found = list(names[1:])
    found += [name.partition("/")[2] for name in names if re.fullmatch(kinds + "/.+", name)]
    if not found:
        raise NotReadError(f"what 'kubectl {verb} {' '.join(names)[:60]}' acts on is not read")
    return [Deed(verb, name, "service", host="", via="kubectl") for name in found]


def _pcs(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "f", frozenset({"--wait", "--name", "--node"}))
    area, verb, names = (*rest, "", "")[0], (*rest, "", "")[1], rest[2:]
    nodes = {
        ("node", "standby"): "standby", ("node", "unstandby"): "unstandby", ("cluster", "stop"): "stop",
        ("cluster", "start"): "start", ("cluster", "kill"): "kill", ("stonith", "fence"): "reboot",
        ("cluster", "standby"): "standby", ("cluster", "unstandby"): "unstandby",
        ("node", "maintenance"): "maintenance",
    }  # fmt: skip
    if (area, verb) in nodes:
        if not names:
            raise NotReadError(f"on which nodes 'pcs {area} {verb}' acts is not read")
        return [Deed(nodes[area, verb], None, "node", host=name, via="pcs") for name in names]
    resources = {"disable": "stop", "enable": "start", "restart": "restart", "debug-stop": "stop", "ban": "stop"}
    if area == "resource" and verb in resources and names:
        there = names[1] if len(names) > 1 and verb in ("restart", "ban") else ""
        return [Deed(resources[verb], names[0].removesuffix("-clone"), "service", host=there, via="pcs")]
    if verb in ("status", "show", "config", "list", "") or area in ("status", "config", "property", ""):
        return []
    raise NotReadError(f"what 'pcs {area} {verb}' does is not read")


def _crm(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "wF")
    area, verb, names = (*rest, "", "")[0], (*rest, "", "")[1], rest[2:]
    if area == "node" and verb in ("standby", "online", "fence", "maintenance", "ready") and names:
        done = {"online": "unstandby", "fence": "reboot", "ready": "unstandby"}.get(verb, verb)
        return [Deed(done, None, "node", host=names[0], via="crm")]
    if area == "resource" and verb in ("stop", "start", "restart") and names:
        return [Deed(verb, names[0], "service", host="")]
    if area in ("status", "configure", "") or verb in ("status", "show", "list"):
        return []
    raise NotReadError(f"what 'crm {area} {verb}' does is not read")


def _virsh(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "c", frozenset({"--connect"}), in_front=True)
    verbs = {
        "destroy": "poweroff", "reset": "reboot", "reboot": "reboot", "shutdown": "shutdown", "suspend": "pause",
        "resume": "unpause", "start": "poweron",
    }  # fmt: skip
    verb, names = (rest[0], arguments(rest[1:])) if rest else ("", [])
    if verb in verbs and names:
        return [Deed(verbs[verb], None, "node", host=name, via="virsh") for name in names[:1]]
    if verb in ("list", "dominfo", "domstate", "dumpxml", "") or verb.endswith(("list", "info", "stats")):
        return []
    raise NotReadError(f"what 'virsh {verb}' does is not read")


def _ipmitool(words: Sequence[str]) -> list[Deed]:
    host = option(words, "H", "") or ""
    rest = arguments(words, "HUPILpEfCokygr")
    rest = rest[1:] if rest[:1] in (["power"], ["chassis"]) else rest
    rest = rest[1:] if rest[:1] == ["power"] else rest
    verbs = {"off": "poweroff", "soft": "shutdown", "cycle": "reboot", "reset": "reboot", "on": "poweron"}
    if rest and rest[0] in verbs:
        return [Deed(verbs[rest[0]], None, "node", host=host, via="ipmitool")]
    return []


def _supervisorctl(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "csupn")
    verbs = {"stop": "stop", "start": "start", "restart": "restart"}
    if not rest or rest[0] not in verbs:
        return []
    names = [name.removesuffix(":*") for name in rest[1:]]
    return [Deed(verbs[rest[0]], name, "service", acknowledges="words", chosen=name == "all") for name in names]


def _lxc(verb: str) -> Reader:
    def read(words: Sequence[str]) -> list[Deed]:
        name = option(words, "n", "--name") or (arguments(words, "Ptk") or [""])[-1]
        return [Deed(verb, name, "container")] if name else []

    return read


def _lxc_client(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    known = {"stop": "stop", "start": "start", "restart": "restart", "pause": "pause", "delete": "rm"}
    if rest and rest[0] in known:
        return [Deed(known[rest[0]], name, "container") for name in rest[1:]]
    if rest[:1] in (["list"], ["ls"], ["info"], ["config"], []):
        return []
    raise NotReadError(f"what 'lxc {rest[0]}' does is not read")


def _snap(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    known = {"stop": "stop", "start": "start", "restart": "restart", "disable": "stop", "enable": "start"}
    if rest and rest[0] in known:
        return [Deed(known[rest[0]], name, "service") for name in rest[1:]]
    return []


def _stress(words: Sequence[str]) -> list[Deed]:
    return [] if {"--help", "--version"} & set(words) else [Deed("stress", None, "node")]


def _mysqladmin(words: Sequence[str]) -> list[Deed]:
    host = option(words, "h", "--host")
    there = None if host in (None, "localhost", "127.0.0.1") else host
    return [Deed("stop", "mysqld", "process", there)] if "shutdown" in words else []


def _rabbitmqctl(words: Sequence[str]) -> list[Deed]:
    verbs = {"stop_app": "stop", "stop": "stop", "shutdown": "stop", "start_app": "start", "force_reset": "reset"}
    rest = arguments(words, "nqtp", frozenset({"--node", "--timeout"}))
    node = option(words, "n", "--node")
    there = host_of(node) if node and "localhost" not in node else None
    if rest and rest[0] in verbs:
        return [Deed(verbs[rest[0]], "rabbitmq", "process", there)]
    if rest and rest[0].startswith(
        ("list_", "status", "cluster_status", "eval", "report", "environment", "await", "ping")
    ):
        return []
    if rest:
        raise NotReadError(f"what 'rabbitmqctl {rest[0]}' does is not read")
    return []


def _move(words: Sequence[str]) -> list[Deed]:
    """Moving the manifest of a static pod away stops it; moving it back starts it."""
    operands = arguments(words)
    manifest = re.compile(r"/etc/kubernetes/manifests/(?:(?P<name>[\w.-]+)\.ya?ml)?.*")
    source = next((m for word in operands[:-1] if (m := manifest.fullmatch(word)) and m["name"]), None)
    if source:
        return [Deed("stop", source["name"], "service")]
    if operands and manifest.fullmatch(operands[-1]):
        name = base_name(operands[0]).rsplit(".", 1)[0]
        return [Deed("start", name, "service")]
    if harmless("mv", words):
        return []
    raise NotReadError("what 'mv' does to files of the system is not read")


def _vagrant(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "c")
    known = {"halt": "shutdown", "reload": "reboot", "suspend": "suspend", "destroy": "poweroff", "up": "poweron"}
    if rest and rest[0] in known and len(rest) > 1:
        return [Deed(known[rest[0]], None, "node", host=name, via="vagrant") for name in rest[1:]]
    if rest[:1] in (["status"], ["global-status"], ["ssh-config"]):
        return []
    raise NotReadError(f"what 'vagrant {' '.join(rest[:1])}' does is not read")


READERS: dict[str, Reader] = {
    "kubectl": _kubectl,
    "oc": _kubectl,
    "k3s": lambda words: _kubectl(words[1:]),
    "pcs": _pcs,
    "crm": _crm,
    "virsh": _virsh,
    "ipmitool": _ipmitool,
    "crictl": crictl,
    "docker-compose": compose,
    "podman-compose": compose,
    "supervisorctl": _supervisorctl,
    "lxc-stop": _lxc("stop"),
    "lxc-start": _lxc("start"),
    "lxc-freeze": _lxc("freeze"),
    "lxc-unfreeze": _lxc("unfreeze"),
    "lxc-destroy": _lxc("rm"),
    "lxc": _lxc_client,
    "snap": _snap,
    **networks.READERS,
    "stress": _stress,
    "stress-ng": _stress,
    "mysqladmin": _mysqladmin,
    "mariadb-admin": _mysqladmin,
    "rabbitmqctl": _rabbitmqctl,
    "mv": _move,
    "vagrant": _vagrant,
}
