"""Which node a column of metrics is of, where its name says so: ``node_memory_used{instance="cmp01:9100"}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Labels that name a node are written by a person or by discovery, and win over the address that was asked: the state of
# all nodes of Kubernetes comes from one such address. A host or a machine may be what a request was for.
_ADDRESS = "instance"
NODE_LABELS = ("node", "nodename", "kubernetes_node", "k8s_node_name", _ADDRESS, "hostname", "host", "machine")
_LABELED = re.compile(r"(?P<name>[^{}]*)\{(?P<labels>.*)\}")
_LABEL = re.compile(r'\s*([A-Za-z_][\w.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
PORT = r"^(\[[0-9A-Fa-f:.]+\]|[^:]+):\d{1,5}$"  # the host before it is what is in brackets
_PORT = re.compile(PORT)


def parse_labels(text: str) -> dict[str, str] | None:
    """Return the labels of ``a="b",c="d"``; None where it is written otherwise."""
    found: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _LABEL.match(text, place)
        if match is None:
            return None
        found[match[1]] = match[2].replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n")
        place = match.end()
    return found


def without_port(instance: str) -> str:
    """Return the host of ``cmp01:9100``; brackets around an address of version 6 fall away."""
    match = _PORT.match(instance)
    return (match[1] if match else instance).strip("[]")


def node_in(labels: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """Return the node that labels name and the labels that a KPI keeps, alike on all nodes; None: no node is named."""
    for name in NODE_LABELS:
        if labels.get(name):
            rest = {label: value for label, value in labels.items() if label not in (name, _ADDRESS)}
            return without_port(labels[name]), rest
    return None


def kpi(name: str, labels: Mapping[str, str]) -> str:
    """Return how a KPI with these labels is called: ``cpu{mode="idle"}``."""
    inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def of_column(column: str) -> tuple[str, str] | None:
    """Return the node of a column and its name without it; None where its name names no node."""
    match = _LABELED.fullmatch(column.strip())
    labels = parse_labels(match["labels"]) if match else None
    found = node_in(labels) if labels else None
    if match is None or labels is None or found is None:
        return None
    node, rest = found
    return node, kpi(match["name"].strip() or "value", rest)


def of_columns(columns: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return column -> its node and its name without it, of the columns that name one."""
    return {column: found for column in columns if (found := of_column(column)) is not None}
