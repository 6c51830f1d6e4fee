"""What each file of a dropped run is, told by its content: names and folders say nothing that can be trusted."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faultset.errors import InputError, printable
from faultset.inbox.landing import MARKER
from faultset.records.telemetry import TelemetryFile
from faultset.sources import plain_cluster, reviewed_impacts
from faultset.sources.injections import recognised
from faultset.sources.kit import files, yaml_tree
from faultset.sources.kit.documents import Head
from faultset.sources.rally.page import looks_like_json
from faultset.sources.telemetry import opening
from faultset.sources.telemetry.compression import CutOffError, unpacked
from faultset.sources.telemetry.format import Format, Layout

Role = Literal[
    "report", "results", "cluster", "hook_script", "metrics", "logs", "traces", "reviewed_impacts", "experiment",
    "task_file", "unknown",
]  # fmt: skip
_HEAD = 65_536
_ORDERS = re.compile(
    rb"^[ \t]*(?:cat [^\n|]{1,300}\|[ \t]*)?(?:sudo )?(?:sshpass|ssh|docker|podman|systemctl|os-faults)[ \t]", re.M
)
_CLUSTER_LIKE = re.compile(rb"^(?:node_discover|cloud_management|containers):", re.M)
_TEMPLATE = re.compile(rb"\s*\{[%{#]")
_SCENARIO = re.compile(r"[A-Za-z_]\w*\.\w+")
_TASK_FILE = "a Rally task file, which says what was asked for; the report says that too"
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04")
_YAML_LIMIT = 1_000_000
_CLUSTER_KEYS = {"cloud_management", "node_discover", "containers", "services", "power_managements", "power_management"}
_EXPERIMENT_KEYS = {"cluster", "runs", "title"}


@dataclass(frozen=True, slots=True)
class Recognised:
    """A file of a run.

    Attributes:
        path: relative to the run's folder, with ``/``; untrusted.
        role: what it is.
        why: what told, or why nothing did, in one line.
    """

    path: str
    role: Role
    why: str


def recognise(run: Path) -> tuple[Recognised, ...]:
    """Return every file below ``run`` with its role, by path; the marker is left out.

    Raises:
        InputError: a file cannot be read.
    """
    paths = sorted(path for path in run.rglob("*") if path.is_file() and not path.is_symlink())
    named = [(path.relative_to(run).as_posix(), path) for path in paths if path.name != MARKER]
    return tuple(_recognised(name, path) for name, path in named)


def _recognised(name: str, path: Path) -> Recognised:
    role, why = role_of(path)
    return Recognised(name, role, printable(why))


def role_of(path: Path) -> tuple[Role, str]:
    """Return what a file is, and what told."""
    head = files.read_head(str(path), _HEAD)
    if not head:
        return "unknown", "it is empty"
    if head.startswith(_PACKED):
        return _packed_role(path)
    if b"\x00" in head[:4096]:
        return "unknown", "it is binary"
    for ask in _ASKED:
        told = ask(path, head)
        if told is not None:
            return told
    return "unknown", "its content is of no kind that is known here"


Told = tuple[Role, str] | None
_Ask = Callable[[Path, bytes], Told]


def _run(path: Path, head: bytes) -> Told:
    """Ask the sources of injections and of load."""
    told = recognised(Head(head, path.suffix.lower()))
    if told is None:
        return None
    source, recognition = told
    role: Role = "report" if recognition.part == "run" else "results"
    return role, f"{recognition.why}: {source.title}"


def _html(_path: Path, head: bytes) -> Told:
    start = head.lstrip()[:1000].lower()
    if not start.startswith((b"<!doctype html", b"<html", b"<!--", b"<?xml")):
        return None
    return "unknown", "it is a page that no known tool made"


def _json(_path: Path, head: bytes) -> Told:
    if not looks_like_json(head):
        return None
    if _TEMPLATE.match(head):
        return "task_file", f"it is a template of {_TASK_FILE}"
    keys = Head(head).keys()
    if "subtasks" in keys or (keys and all(_SCENARIO.fullmatch(key) for key in keys)):
        return "task_file", f"it is {_TASK_FILE}"
    return None


def _other_json(_path: Path, head: bytes) -> Told:
    return ("unknown", "it is JSON of no kind that is known here") if looks_like_json(head) else None


def _script(path: Path, head: bytes) -> Told:
    if head.startswith(b"#!"):
        return "hook_script", "its first line names an interpreter"
    if path.suffix in {".sh", ".bash"} or _ORDERS.search(head):
        return "hook_script", "it orders ssh or docker about"
    return None


def _telemetry(path: Path, _head: bytes) -> Told:
    found = _format_of(path)
    return (found[1].kind, f"it is {found[0].name}") if found else None


def _format_of(path: Path) -> tuple[Format, Layout] | None:
    try:
        return opening.kind_of(TelemetryFile("metrics", str(path), path.name, "UTC"))
    except InputError:
        return None


def _reviewed(_path: Path, head: bytes) -> Told:
    line = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].decode("utf-8", "replace").strip("\r")
    if "," not in line:
        return None
    try:
        columns = [name.strip() for name in next(csv.reader(io.StringIO(line)))]
    except (csv.Error, StopIteration):
        return None
    if reviewed_impacts.is_header(columns):
        return "reviewed_impacts", "it has a node, a KPI and times"
    return None


def _yaml(path: Path, head: bytes) -> Told:
    try:
        tree = yaml_tree.parse(yaml_tree.decode(files.read_bytes(str(path), limit=_YAML_LIMIT), path.name), path.name)
    except InputError as error:
        # What is wrong with a broken os-faults file is its reader's to say.
        if _CLUSTER_LIKE.search(head):
            return "cluster", "it has the keys of an os-faults file or a cluster.yaml"
        return ("unknown", f"it cannot be read: {error.problem}") if path.suffix in {".yaml", ".yml"} else None
    keys = {key.text for key, _ in tree.entries}
    if plain_cluster.is_plain(frozenset(keys)) or keys & _CLUSTER_KEYS:
        return "cluster", "it has the keys of an os-faults file or a cluster.yaml"
    if len(keys & _EXPERIMENT_KEYS) >= 2:
        return "experiment", "it has the keys of an experiment.yaml"
    if "subtasks" in keys or (keys and all(_SCENARIO.fullmatch(key) for key in keys)):
        return "task_file", f"it is {_TASK_FILE}"
    return None


def _packed_role(path: Path) -> tuple[Role, str]:
    """Look at the first bytes of what is packed: telemetry comes so."""
    try:
        with unpacked(TelemetryFile("metrics", path.name, str(path), "UTC")) as stream:
            head = stream.read(_HEAD)
    except (InputError, CutOffError) as error:
        return "unknown", f"it is packed and cannot be unpacked: {printable(str(error), 120)}"
    told = _telemetry(path, head) or _json(path, head)
    return told or ("unknown", "what is packed in it is of no kind that is known here")


_ASKED: tuple[_Ask, ...] = (_run, _html, _json, _script, _reviewed, _telemetry, _other_json, _yaml)


def of_role(found: Sequence[Recognised], role: Role) -> list[str]:
    """Return the paths with this role, in order."""
    return [one.path for one in found if one.role == role]
