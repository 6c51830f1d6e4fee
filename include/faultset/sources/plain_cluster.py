"""A ``cluster.yaml`` of our own: which pod, container or service runs on which node, where no os-faults file says it.

Each of ``pods``, ``containers`` and ``services`` maps names, or patterns such as ``redis-*``, to a node or to several::

    nodes: [{name: worker1, ip: 10.0.0.11, role: worker}, worker2]
    pods: {redis-*: worker1}
    containers: {nginx: [worker1, worker2]}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from faultset.errors import InputError, nearest
from faultset.records.cluster import Cluster, Component, Node
from faultset.sources.kit import files
from faultset.sources.kit.yaml_tree import YamlNode, decode, parse
from faultset.sources.os_faults import cluster as os_faults

_SECTIONS: dict[str, Literal["pod", "container", "service"]] = {
    "pods": "pod",
    "containers": "container",
    "services": "service",
}
_KEYS = ("nodes", *_SECTIONS)
_REMEDY = "see docs/reference/experiment-yaml.md for what a cluster.yaml holds"


def is_plain(keys: frozenset[str]) -> bool:
    """Whether a mapping with these keys is a cluster.yaml of our own."""
    return "nodes" in keys and keys <= set(_KEYS)


def read_cluster(uri: str) -> Cluster:
    """Return what runs where: of a cluster.yaml, or of an os-faults file, told by the keys.

    Raises:
        InputError: it cannot be read, or says something that it cannot; names the line.
    """
    tree = parse(decode(files.read_bytes(uri, role="cluster_bytes"), uri), uri)
    if not is_plain(frozenset(tree.keys())):
        return os_faults.read_cluster(uri)
    nodes = tuple(_nodes(tree.get("nodes")))
    known = {node.name for node in nodes}
    components = tuple(
        component
        for section, kind in _SECTIONS.items()
        for component in _components(tree.get(section), kind, section, known)
    )
    return Cluster(uri, nodes, components)


def _nodes(listed: YamlNode | None) -> Iterator[Node]:
    if listed is None or listed.kind != "sequence" or not listed.items:
        raise InputError(listed.where if listed else "cluster.yaml", "nodes is no list of nodes", _REMEDY)
    for node in listed.items:
        name, ip, role = node, None, None
        if node.kind == "mapping":
            strange = next(
                (key for key in [name.text for name, _ in node.entries] if key not in ("name", "ip", "role")), None
            )
            if strange is not None:
                hint = nearest(strange, ("name", "ip", "role"))
                raise InputError(node.where, f'a node has the unknown key "{strange}"{hint}', _REMEDY)
            named, ip, role = node.get("name"), node.get("ip"), node.get("role")
            if named is None:
                raise InputError(node.where, "a node has no name", _REMEDY)
            name = named
        yield Node(_text(name), None, _text(ip) if ip else None, _text(role).lower() if role else None, node.line)


def _components(
    section: YamlNode | None, kind: Literal["pod", "container", "service"], name: str, known: set[str]
) -> Iterator[Component]:
    if section is None or section.is_null:
        return
    if section.kind != "mapping":
        raise InputError(section.where, f"{name} is no mapping of names to nodes", _REMEDY)
    for key, value in section.entries:
        hosts = tuple(_text(host) for host in (value.items if value.kind == "sequence" else (value,)))
        for host in hosts:
            if host not in known:
                raise InputError(value.where, f'"{host}" is none of the nodes{nearest(host, known)}', _REMEDY)
        yield Component(key.text, kind, "plain", key.text, hosts, key.line)


def _text(node: YamlNode) -> str:
    if node.kind != "scalar" or not node.text.strip():
        raise InputError(node.where, f"is {node.described}, no name", _REMEDY)
    return node.text.strip()
