"""What other tools do to machines, and which commands are known to act on nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from faultset.sources.scripts.engines import compose, crictl
from faultset.sources.scripts.shell_actions import Deed, NotReadError, arguments, base_name, host_of, option

Reader = Callable[[Sequence[str]], list[Deed]]

# They look, print, wait or keep house. Whatever is not named here may act, and is said to be unread.
_HARMLESS = frozenset(
    """
    . : [ [[ alias apt-cache arp arping awk basename bc bg bzip2 cal cd chmod chown chronyc clear cmp column
    comm cp curl cut date declare df diff dig dirname dirs dmesg dos2unix dpkg du echo egrep env envsubst export
    expr false fg fgrep file find findmnt fmt fold free getconf getent getopt getopts git glances grep gunzip
    gzip hash head help hexdump history host hostname hostnamectl id ifconfig iostat jobs journalctl jq
    keystone-status last ldd less let ln local locate logger logname logout ls lsb_release lsblk lscpu lsof
    lspci lsusb man mapfile md5sum mkdir mkfifo mktemp more mpstat mtr nc ncat netstat nl nmap nproc nslookup
    ntpq od osprofiler paste pathchk pgrep pidof ping ping6 popd pr printenv printf ps pstree pushd pwd pwdx
    rally read readarray readlink readonly realpath rev rmdir route rsync sar scp script seq sftp sha1sum
    sha256sum shopt shuf sleep sort source split ss ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan stat
    strings stty sum swapon sync tac tail tar tcpdump tee telnet test time timedatectl tload top touch tput tr
    tracepath traceroute trap true ts tty type typeset ulimit umask unalias uname unbuffer uniq unlink unset
    unzip uptime users vmstat w wait wall watch wc wget whatis whereis which who whoami xxd yes yq zcat zgrep
    zip
    """.split()  # noqa: SIM905 (a list of a hundred words reads best as text)
)
_OWN_FILE = re.compile(r"/(?:tmp|var/tmp|var/log|root|home)/.*|[^/].*|~.*|/dev/shm/.*")
_SENDING = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_CLIENT_LOOKS = frozenset({"list", "show", "stats", "usage", "quota-show", "service-list", "hypervisor-list", "help"})


def harmless(name: str, words: Sequence[str]) -> bool:
    """Whether a command is known to act on nothing that an experiment looks at."""
    if name in ("curl", "wget"):
        sends = {"-d", "--data", "--post-data"} & set(words) or (option(words, "X", "--request") or "") in _SENDING
        return not sends
    if name in ("rm", "mv", "truncate"):
        return all(_OWN_FILE.fullmatch(word) for word in arguments(words))
    if name == "cp":
        return all(_OWN_FILE.fullmatch(word) for word in arguments(words)[-1:])
    if name in ("mysql", "psql", "redis-cli"):
        return not re.search(r"shutdown|\bkill\b|\bset\s+global\b|flush|debug", " ".join(words), re.IGNORECASE)
    if name in ("openstack", "nova", "neutron", "cinder", "glance", "heat"):
        return bool(_CLIENT_LOOKS & set(words)) or any(word.endswith(("-list", "-show")) for word in words)
    return name in _HARMLESS


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
        "resume": "unpause", "start": "start",
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


def _ip(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words, "nf")
    if rest[:2] in (["link", "set"], ["l", "set"]) and {"down", "up"} & set(rest):
        return [Deed("disconnect" if "down" in rest else "connect", None, "node")]
    if rest[1:2] in (["del"], ["delete"], ["flush"], ["add"], ["replace"]):
        raise NotReadError(f"what 'ip {' '.join(rest[:2])}' does is not read")
    return []


def _interface(verb: str) -> Reader:
    return lambda words: [Deed(verb, None, "node")] if arguments(words) else []


def _tc(words: Sequence[str]) -> list[Deed]:
    if {"add", "replace", "change"} & set(words[:3]):
        return [Deed("degrade", None, "node")]
    return [Deed("restore", None, "node")] if {"del", "delete"} & set(words[:3]) else []


def _iptables(words: Sequence[str]) -> list[Deed]:
    if {"-A", "-I", "--append", "--insert"} & set(words):
        return [Deed("block", None, "node")] if {"DROP", "REJECT", "TARPIT"} & set(words) else []
    if {"-D", "--delete", "-F", "--flush"} & set(words):
        return [Deed("unblock", None, "node")]
    if {"-P", "--policy"} & set(words):
        return [Deed("block" if "DROP" in words else "unblock", None, "node")]
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


def _nmcli(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    if {"disconnect", "down", "off"} & set(rest):
        return [Deed("disconnect", None, "node")]
    return [Deed("connect", None, "node")] if {"connect", "up", "on"} & set(rest) else []


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
    "ip": _ip,
    "ifdown": _interface("disconnect"),
    "ifup": _interface("connect"),
    "nmcli": _nmcli,
    "tc": _tc,
    "iptables": _iptables,
    "ip6tables": _iptables,
    "stress": _stress,
    "stress-ng": _stress,
    "mysqladmin": _mysqladmin,
    "mariadb-admin": _mysqladmin,
    "rabbitmqctl": _rabbitmqctl,
    "mv": _move,
    "vagrant": _vagrant,
}
