"""os-faults configurations: which nodes there are, and which container or service runs on which of them.

Credentials (``auth``, ``become_password``, key paths, the arguments of drivers) are dropped here and exist nowhere
behind this module: only what is asked for by name is ever read, and no message repeats a value.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Literal

from faultset.errors import InputError
from faultset.records.cluster import Cluster, Component, Node
from faultset.sources.kit.files import read_bytes
from faultset.sources.kit.yaml_tree import Comment, YamlNode, decode, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECTIONS = (
    "cloud_management", "power_management", "power_managements", "node_discover", "services", "containers",
)  # fmt: skip
_NODE_KEYS = ("ip", "fqdn", "mac", "libvirt_name", "auth", "role", "become", "become_password")
_COMPONENT_KEYS = ("driver", "args", "hosts")
# Drivers of cloud_management whose arguments name the nodes themselves.
_DRIVERS_WITH_ADDRESSES = frozenset({"universal", "devstack", "devstack_systemd"})
# What the machine knows a component by, in the order in which it is asked for; each driver has its own.
_NAME_ARGUMENTS = ("container_name", "service_name", "linux_service", "salt_service", "pcs_service")
_ARGUMENTS = (*_NAME_ARGUMENTS, "grep", "port", "window_name", "restart_cmd", "terminate_cmd", "start_cmd")
_NAME_OF_DRIVER = {
    "docker_container": "container_name",
    "system_service": "service_name",
    "linux_service": "linux_service",
    "salt_service": "salt_service",
    "pcs_service": "pcs_service",
    "pcs_or_linux_service": "linux_service",
    "process": "grep",
}
_PLAIN_NAME = re.compile(r"[\w.@:-]+")
_ROLE = re.compile(r"\brole\s*[:=]\s*[\"']?(?P<role>[\w-]+)", re.IGNORECASE)
_HOST = re.compile(r"[\w.:%-]+")
_LONGEST_NAME = 255
# How alike a slip and what was meant are: arg and args, hots and hosts, but not vip and ip.
_NEAR, _NEAR_IN_SHORT = 0.75, 0.81


def read_cluster(uri: str) -> Cluster:
    """Read the os-faults configuration at ``uri``.

    Raises:
        InputError: the file cannot be read, is no strict YAML, or lacks what os-faults itself needs; names file, line
            and key. A component's host that is no known node is not an error here.
    """
    root = parse(decode(read_bytes(uri, role="cluster_bytes"), uri), uri)
    if root.kind != "mapping":
        raise InputError(root.where, f"is {root.described}, not a mapping of sections", "give an os-faults YAML file")
    _refuse_near_misses(root, _SECTIONS)
    return Cluster(
        uri=uri,
        nodes=_nodes(root),
        components=(*_components(root, "containers", "container"), *_components(root, "services", "service")),
    )


# --- nodes -----------------------------------------------------------------------------------------------------------


def _nodes(root: YamlNode) -> tuple[Node, ...]:
    """Return the nodes of ``node_discover``, else those that ``cloud_management`` names itself."""
    discover = _section(root, "node_discover")
    if discover is not None:
        _refuse_near_misses(discover, _COMPONENT_KEYS)
    listed = _node_list(discover)
    management = _section(root, "cloud_management")
    if listed is None:
        listed = _node_list(management)
    if listed is None and management is not None:
        addresses = _addresses(management)
        if addresses:
            return addresses
    if listed is None:
        raise InputError(
            discover.where if discover else root.source.where,
            "names no nodes: 'node_discover.args' is missing",
            "list the nodes: 'node_discover: {driver: node_list, args: [{ip: ..., fqdn: ...}]}'",
        )
    if not listed.items:
        raise InputError(listed.where, "the list of nodes is empty", "list each node with its ip and fqdn")
    return tuple(_node(item, role) for item, role in zip(listed.items, _roles_in_comments(root, listed), strict=True))


def _node_list(section: YamlNode | None) -> YamlNode | None:
    """Return the list of nodes in a section's ``args``, which may be that list or hold it."""
    args = section.get("args") if section else None
    if args is None or args.is_null:
        return None
    if args.kind == "sequence":
        return args
    if args.kind != "mapping":
        raise _wrong(args, "args", "a list of nodes")
    for key in ("nodes", "node_list", "hosts"):
        if listed := args.get(key):
            if listed.kind != "sequence":
                raise _wrong(listed, key, "a list of nodes")
            return listed
    return None


def _addresses(management: YamlNode) -> tuple[Node, ...]:
    """Return the nodes that a driver without node discovery is given by address."""
    args = management.get("args")
    driver = management.get("driver")
    if args is None or args.kind != "mapping" or driver is None or driver.text not in _DRIVERS_WITH_ADDRESSES:
        return ()
    slaves = args.get("slaves")
    if slaves is not None and slaves.kind != "sequence":
        raise _wrong(slaves, "slaves", "a list of addresses")
    listed = [node for node in (args.get("address"), *(slaves.items if slaves else ())) if node is not None]
    texts = [(node.line, _host(node, "address", "an IP address or a host name")) for node in listed]
    return tuple(Node(name=short_name(text), fqdn=None, ip=text, role=None, line=line) for line, text in texts)


def _node(item: YamlNode, commented_role: str | None) -> Node:
    if item.kind != "mapping":
        raise _wrong(item, "a node", "a mapping with 'ip' and 'fqdn'")
    _refuse_near_misses(item, _NODE_KEYS)
    ip = _required_host(item, "ip", "the node's IP address")
    fqdn = _optional_host(item, "fqdn", "the node's host name")
    role = _optional_text(item, "role", "the node's role, such as compute") or commented_role
    return Node(name=short_name(fqdn or ip), fqdn=fqdn, ip=ip, role=role.lower() if role else None, line=item.line)


def short_name(host: str) -> str:
    """Return the first label of a host name; an IP address stays whole."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.split(".", 1)[0] or host
    return host


def _roles_in_comments(root: YamlNode, listed: YamlNode) -> list[str | None]:
    """Return for each node the role that a comment beside it names; a plain load would lose it."""
    roles: list[str | None] = [None] * len(listed.items)
    starts = [item.start for item in listed.items]
    for comment in root.source.comments_within(*_surroundings(root, listed)):
        match = _ROLE.match(comment.text)
        index = _item_beside(comment, listed.items, bisect_right(starts, comment.start) - 1)
        if match and index < len(roles) and roles[index] is None:
            roles[index] = match["role"]
    return roles


def _surroundings(root: YamlNode, listed: YamlNode) -> tuple[int, int]:
    """Return the span from the key before a list to the next key behind it."""
    keys = [
        key for section_key, section in root.entries for key in (section_key, *(name for name, _ in section.entries))
    ]
    before = max((key.end for key in keys if key.end <= listed.start), default=0)
    after = min((key.start for key in keys if key.start >= listed.end), default=sys.maxsize)
    return before, after


def _item_beside(comment: Comment, items: Sequence[YamlNode], last: int) -> int:
    """Return the index of the item that a comment belongs to: the ``last`` one that began before it, or the next."""
    if last < 0:
        return 0
    item = items[last]
    belongs = comment.line <= item.last_line or (comment.alone and comment.column >= item.column)
    return last if belongs else last + 1


# --- components ------------------------------------------------------------------------------------------------------


def _components(root: YamlNode, name: str, kind: Literal["container", "service"]) -> tuple[Component, ...]:
    section = _section(root, name)
    return tuple(_component(key, value, kind) for key, value in section.entries) if section else ()


def _component(key: YamlNode, value: YamlNode, kind: Literal["container", "service"]) -> Component:
    if not key.text.strip():
        raise InputError(key.where, f"a {kind} has no name", "name it")
    if value.kind != "mapping":
        raise _wrong(value, key.text, "a mapping with 'driver', 'args' and 'hosts'")
    _refuse_near_misses(value, _COMPONENT_KEYS)
    driver = _required_text(value, "driver", "the name of an os-faults driver")
    return Component(
        key=key.text,
        kind=kind,
        driver=driver,
        container=_known_as(key, value, driver),
        hosts=_hosts(value),
        line=key.line,
    )


def _known_as(key: YamlNode, component: YamlNode, driver: str) -> str:
    """Return the name that the machine knows a component by."""
    args = component.get("args")
    if args is not None and args.is_null:
        args = None
    if args is not None and args.kind != "mapping":
        raise _wrong(args, "args", "a mapping of the driver's arguments")
    if args is not None:
        _refuse_near_misses(args, _ARGUMENTS)
        for argument in _NAME_ARGUMENTS:
            if name := _optional_text(args, argument, "the name that the machine knows it by"):
                return name
        pattern = _optional_text(args, "grep", "a pattern of the process")
        if pattern and driver != "docker_container":
            return pattern if _PLAIN_NAME.fullmatch(pattern) else key.text
    if needed := _NAME_OF_DRIVER.get(driver):
        raise _missing(args or component, needed if args else f"args: {{{needed}: ...}}", f"the driver '{driver}'")
    return key.text


def _hosts(component: YamlNode) -> tuple[str, ...] | None:
    """Return the hosts; None where none are given, which os-faults takes as every node."""
    hosts = component.get("hosts")
    if hosts is None or hosts.is_null:
        return None
    if hosts.kind != "sequence":
        raise _wrong(hosts, "hosts", "a list of IP addresses or host names")
    return tuple(_host(host, "hosts", "an IP address or a host name") for host in hosts.items)


# --- checked access --------------------------------------------------------------------------------------------------


def _section(root: YamlNode, name: str) -> YamlNode | None:
    section = root.get(name)
    if section is None or section.is_null:
        return None
    if section.kind != "mapping":
        raise _wrong(section, name, "a mapping")
    return section


def _required_text(mapping: YamlNode, key: str, meaning: str) -> str:
    text = _optional_text(mapping, key, meaning)
    if text is None:
        raise _missing(mapping, key, "os-faults")
    return text


def _optional_text(mapping: YamlNode, key: str, meaning: str) -> str | None:
    node = mapping.get(key)
    return None if node is None or node.is_null else _text(node, key, meaning)


def _text(node: YamlNode, key: str, meaning: str) -> str:
    if node.kind != "scalar" or not isinstance(node.value, str):
        raise _wrong(node, key, f"a text ({meaning})")
    text = node.value.strip()
    if not text or len(text) > _LONGEST_NAME or not text.isprintable():
        raise InputError(
            node.where, f"'{key}' is no usable text", f"give {meaning}, at most {_LONGEST_NAME} characters"
        )
    return text


def _host(node: YamlNode, key: str, meaning: str) -> str:
    text = _text(node, key, meaning)
    if not _HOST.fullmatch(text):
        raise InputError(node.where, f"'{key}' is neither an IP address nor a host name", f"give {meaning}")
    return text


def _optional_host(mapping: YamlNode, key: str, meaning: str) -> str | None:
    node = mapping.get(key)
    return None if node is None or node.is_null else _host(node, key, meaning)


def _required_host(mapping: YamlNode, key: str, meaning: str) -> str:
    host = _optional_host(mapping, key, meaning)
    if host is None:
        raise _missing(mapping, key, "os-faults")
    return host


def _wrong(node: YamlNode, key: str, expected: str) -> InputError:
    return InputError(node.where, f"'{key}' is {node.described}, not {expected}", f"make it {expected}")


def _missing(mapping: YamlNode, key: str, whom: str) -> InputError:
    return InputError(mapping.where, f"'{key}' is missing, which {whom} needs", f"add '{key}'")


def _refuse_near_misses(mapping: YamlNode, valid: Sequence[str]) -> None:
    """Refuse a key that is a slip of a known one; other unknown keys are none of this reader's business."""
    for key, _ in mapping.entries:
        if key.text in valid or len(key.text) > _LONGEST_NAME:
            continue
        cutoff = _NEAR if len(key.text) > 3 else _NEAR_IN_SHORT
        near = difflib.get_close_matches(key.text.lower(), valid, n=1, cutoff=cutoff)
        if near:
            raise InputError(key.where, f"the key '{key.text}' is not known", f"write '{near[0]}'")
