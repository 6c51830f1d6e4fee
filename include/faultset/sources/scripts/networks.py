"""What is done to a node's network: devices, queues and rules, each told apart from the others of its node."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from faultset.sources.scripts.shell_actions import Deed, NotReadError, arguments, option, part_of

Reader = Callable[[Sequence[str]], list[Deed]]

_IP_CHANGES = frozenset({"del", "delete", "flush", "add", "replace", "change", "append", "prepend", "chg"})
_KEEPERS = frozenset({"ACCEPT", "LOG", "NFLOG", "RETURN", "MARK", "CONNMARK", "SNAT", "MASQUERADE", "ULOG", "TRACE"})
_DROPS = frozenset({"DROP", "REJECT", "TARPIT"})
# Options of rules that say nothing of which packets it is for, with a value and without.
_BESIDE = frozenset({"--comment", "--wait", "-w", "-W", "--reject-with", "-c", "--set-counters"})


def _in_namespace(tool: str, words: Sequence[str]) -> None:
    """Refuse what is done in a network namespace: whose it is, is told by nothing."""
    named = {"-n", "-netns", "--netns"} & set(words[:2]) and tool != "iptables"
    if named or words[:2] == ["netns", "exec"] or words[:1] in (["-all"], ["-a"]):
        raise NotReadError(f"what '{tool}' does in a network namespace is not read")


def _ip(words: Sequence[str]) -> list[Deed]:
    _in_namespace("ip", words)
    rest = arguments(words, "nf", frozenset({"-family", "--family"}), in_front=True)
    area, verb = (*rest, "", "")[0], (*rest, "", "")[1]
    if area in ("link", "l") and verb in ("set", "s"):
        return _link(rest[2:])
    if verb in _IP_CHANGES or (area in ("netns", "link") and verb not in ("", "show", "list", "ls", "identify")):
        raise NotReadError(f"what 'ip {area} {verb}' does is not read")
    return []


def _link(words: Sequence[str]) -> list[Deed]:
    device = words[1] if words[:1] == ["dev"] and len(words) > 1 else (*words, "")[0]
    if "down" in words or "up" in words:
        verb = "disconnect" if "down" in words else "connect"
        return [Deed(verb, None, "node", part=part_of("link", device))]
    raise NotReadError("what 'ip link set' changes is not read")


def _ifconfig(words: Sequence[str]) -> list[Deed]:
    rest = arguments(words)
    if len(rest) < 2:
        return []
    if rest[-1] in ("down", "up"):
        verb = "disconnect" if rest[-1] == "down" else "connect"
        return [Deed(verb, None, "node", part=part_of("link", rest[0]))]
    raise NotReadError("what 'ifconfig' changes is not read")


def _route(words: Sequence[str]) -> list[Deed]:
    if {"add", "del", "delete", "flush"} & set(words):
        raise NotReadError("what 'route' changes is not read")
    return []


def _interface(verb: str) -> Reader:
    def read(words: Sequence[str]) -> list[Deed]:
        everything = {"-a", "--all"} & set(words)
        devices = ["" for _ in everything] or [name.partition("=")[0] for name in arguments(words, "io")]
        return [Deed(verb, None, "node", part=part_of("link", *filter(None, [name]))) for name in devices]

    return read


def _nmcli(words: Sequence[str]) -> list[Deed]:
    rest = [word for word in arguments(words, "", frozenset({"--wait"})) if word not in ("id", "uuid", "ifname")]
    area, verb, names = (*rest, "", "")[0], (*rest, "", "")[1], rest[2:]
    verbs = {"disconnect": "disconnect", "down": "disconnect", "off": "disconnect"}
    verbs |= {"connect": "connect", "up": "connect", "on": "connect"}
    if verb in verbs:
        return [Deed(verbs[verb], None, "node", part=part_of("link", *names[:1]))]
    if verb in ("modify", "mod", "delete", "add", "reapply", "set"):
        raise NotReadError(f"what 'nmcli {area} {verb}' does is not read")
    return []


def _tc(words: Sequence[str]) -> list[Deed]:
    _in_namespace("tc", words)
    rest = list(words)
    device = rest[rest.index("dev") + 1] if "dev" in rest[:-1] else ""
    side = "ingress" if {"ingress", "clsact"} & set(rest) else "root"
    part = part_of("queue", device, side)
    if {"add", "replace", "change"} & set(rest[:3]):
        return [Deed("degrade", None, "node", part=part)]
    return [Deed("restore", None, "node", part=part)] if {"del", "delete"} & set(rest[:3]) else []


def _iptables(family: str) -> Reader:
    def read(words: Sequence[str]) -> list[Deed]:
        table = option(words, "t", "--table") or "filter"
        front = [word for word in words if word not in ("-w", "--wait")]
        for position, word in enumerate(front):
            if verb := _RULE_VERBS.get(word):
                return _rule(verb, (family, table), front[position + 1 :])
        return []

    return read


_RULE_VERBS = {
    "-A": "add", "-I": "add", "--append": "add", "--insert": "add", "-D": "delete", "--delete": "delete",
    "-F": "flush", "--flush": "flush", "-P": "policy", "--policy": "policy", "-R": "replace", "--replace": "replace",
}  # fmt: skip


def _rule(verb: str, table: tuple[str, str], words: Sequence[str]) -> list[Deed]:
    """Return what a change of a table of rules does; a rule is told by its chain and its words."""
    named = words[:1] if words and not words[0].startswith("-") else []
    chain, told = tuple(named), list(words[1:])
    if verb == "flush":
        return [Deed("unblock", None, "node", part=part_of("rules", *table, *chain))]
    if verb == "policy":
        done = "unblock" if "ACCEPT" in told else "block"
        return [Deed(done, None, "node", part=part_of("policy", *table, *chain))]
    if told[:1] and told[0].isdigit():
        told = told[1:]
    jump = option(told, "j", "--jump") or option(told, "g", "--goto") or ""
    part = part_of("rules", *table, *chain, " ".join(_of_rule(told)))
    if verb == "delete":
        return [Deed("unblock", None, "node", part=part)]
    if jump in _DROPS:
        return [Deed("block", None, "node", part=part)]
    if jump in _KEEPERS and verb == "add":
        return []
    raise NotReadError("what a rule of 'iptables' does is not read")


def _of_rule(words: Sequence[str]) -> list[str]:
    """Return the words of a rule that say which packets it is for, in an order of their own."""
    pairs: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        values = []
        while rest and not (rest[0].startswith("-") and len(rest[0]) > 1) and rest[0] != "!":
            values.append(rest.pop(0))
        if word not in _BESIDE and (word, values) != ("-m", ["comment"]):
            pairs.append(" ".join([word, *values]))
    return sorted(pairs)


READERS: dict[str, Reader] = {
    "ip": _ip,
    "ifconfig": _ifconfig,
    "route": _route,
    "ifdown": _interface("disconnect"),
    "ifup": _interface("connect"),
    "nmcli": _nmcli,
    "tc": _tc,
    "iptables": _iptables("4"),
    "ip6tables": _iptables("6"),
}
