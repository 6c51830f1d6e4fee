"""Experiments of tools other than Rally with known truth: the tool's file, a load, a cluster.yaml, metrics, the truth.

Three faults that work and some that the tool calls a success and that do nothing, each on a pod of a node of its own.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from faultset.errors import SetupError
from faultset.simulator import tool_files
from faultset.simulator.tool_files import Fate, Request, ToolFault

_START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
_NODES = ("worker1", "worker2", "worker3")
_APART_S = 240.0
_BEFORE_S = 300


@dataclass(frozen=True, slots=True)
class Tool:
    """How a tool's experiment is written.

    Attributes:
        file: name of its file.
        write: writes the file from the faults, the run's start and the node that the tool runs on.
        idle: what becomes of its faults that do nothing.
        of_nodes: whether it acts on nodes; else on pods, or containers.
    """

    file: str
    write: Callable[[Sequence[ToolFault], dt.datetime, str], str]
    idle: tuple[Fate, ...]
    of_nodes: bool = False


TOOLS: dict[str, Tool] = {
    "chaostoolkit": Tool("journal.json", tool_files.chaostoolkit_journal, ("refused", "dry", "nothing_selected")),
    "chaos-mesh": Tool(
        "chaos.json",
        lambda faults, start, _node: tool_files.chaos_mesh_list(faults, start),
        ("never_applied", "nothing_selected"),
    ),
    "krkn": Tool(
        "telemetry.json",
        lambda faults, start, _node: tool_files.krkn_telemetry(faults, start),
        ("nothing_selected", "refused"),
    ),
    "litmus": Tool(
        "chaosresults.json", lambda faults, start, _node: tool_files.litmus_list(faults, start), ("only_targeted",)
    ),
    "aws-fis": Tool(
        "experiment.json",
        lambda faults, start, _node: tool_files.fis_experiment(faults, start),
        ("skipped",),
        of_nodes=True,
    ),
    "chaosblade": Tool(
        "status.json",
        lambda faults, start, _node: tool_files.chaosblade_status(faults, start),
        ("refused", "never_applied"),
    ),
}
LOADS: dict[str, tuple[str, Callable[[Sequence[Request], dt.datetime], str]]] = {
    "k6": ("k6.json", tool_files.k6_json),
    "locust": ("run_stats_history.csv", tool_files.locust_history),
    "jmeter": ("results.jtl", tool_files.jmeter_jtl),
}
# Each load beside a tool, so that every one is met in some scenario.
_BESIDE = dict(zip(TOOLS, ("locust", "k6", "jmeter", "k6", "locust", "jmeter"), strict=True))


def simulate_tool(name: str, folder: Path, *, seed: int = 0) -> dict[str, Any]:
    """Write an experiment of the tool called ``name`` into ``folder`` and return its truth, as ``truth.json`` says it.

    The same arguments write the same bytes.

    Raises:
        SetupError: the folder cannot be written.
    """
    tool, chance = TOOLS[name], random.Random(f"{name} {seed}")  # noqa: S311 (chance, not a secret)
    faults = _faults(tool, chance)
    host = "worker1" if name == "chaostoolkit" else "lab"
    if name == "chaostoolkit":  # it acts where it runs
        faults = [ToolFault(**{**asdict(fault), "node": host}) for fault in faults]
    requests = _requests(faults, chance)
    load_file, write_load = LOADS[_BESIDE[name]]
    truth = {"tool": name, "start": tool_files.iso(_START), "faults": [_true(fault) for fault in faults]}
    files = {
        tool.file: tool.write(faults, _START, host),
        load_file: write_load(requests, _START),
        "cluster.yaml": _cluster(faults),
        "experiment.yaml": _experiment(name, tool.file, load_file),
        "truth.json": json.dumps(truth, indent=2) + "\n",
        **{f"metrics/{node}_metrics.csv": _metrics(node, faults, chance) for node in _NODES},
    }
    try:
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise SetupError(folder, f"cannot be written ({error.strerror})", "choose a folder that can") from error
    return truth


def _faults(tool: Tool, chance: random.Random) -> list[ToolFault]:
    fates: list[Fate] = ["hit", "hit", *tool.idle, "hit"]
    return [
        ToolFault(
            name=f"fault-{number}",
            pod=f"web-{number}",
            node=_NODES[number % len(_NODES)],
            starts_s=_BEFORE_S + number * _APART_S + round(chance.uniform(0, 20), 3),
            lasts_s=float(chance.randrange(30, 90)),
            fate=fate,
        )
        for number, fate in enumerate(fates)
    ]


def _true(fault: ToolFault) -> dict[str, Any]:
    begin = _START + dt.timedelta(seconds=fault.starts_s)
    return {
        "name": fault.name,
        "pod": fault.pod,
        "node": fault.node,
        "effective": fault.works,
        "started_at": tool_files.iso(begin),
        "ended_at": tool_files.iso(begin + dt.timedelta(seconds=fault.lasts_s)),
        "fate": fault.fate,
    }


def _requests(faults: Sequence[ToolFault], chance: random.Random) -> list[Request]:
    last = int(faults[-1].starts_s + faults[-1].lasts_s + 200)
    hit = [(fault.starts_s, fault.starts_s + fault.lasts_s) for fault in faults if fault.works]
    requests = []
    for second in range(last):
        bad = any(start <= second < end for start, end in hit)
        took = round(chance.uniform(0.04, 0.08) * (8 if bad else 1), 4)
        requests.append(Request(second + 0.1, took, bad and chance.random() < 0.5))
    return requests


def _cluster(faults: Sequence[ToolFault]) -> str:
    homes = {fault.pod: fault.node for fault in faults}
    nodes = [{"name": node, "role": "worker"} for node in _NODES]
    return yaml.safe_dump({"nodes": nodes, "pods": homes}, sort_keys=False)


def _experiment(name: str, file: str, load: str) -> str:
    return yaml.safe_dump(
        {
            "title": f"Simulated faults of {name}",
            "cluster": "cluster.yaml",
            "runs": [{"report": file}, {"report": load}],
            "telemetry": [{"kind": "metrics", "files": "metrics/*.csv", "time_zone": "UTC"}],
        },
        sort_keys=False,
    )


def _metrics(node: str, faults: Sequence[ToolFault], chance: random.Random) -> str:
    """Metrics of a node, a row a second: memory falls while one of its pods is hit."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("now", "cpu.user", "mem.used", "load.cpucore", "load.min1", "load.min5", "load.min15"))
    last = int(faults[-1].starts_s + faults[-1].lasts_s + 300)
    mine = [(one.starts_s, one.starts_s + one.lasts_s) for one in faults if one.works and one.node == node]
    for second in range(last):
        down = any(start <= second < end for start, end in mine)
        at = (_START + dt.timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S UTC")
        memory = 8e9 + chance.gauss(0, 2e7) - (9e8 if down else 0)
        loads = (f"{chance.gauss(1.0, 0.1):.2f}" for _ in range(3))
        table.writerow((at, f"{chance.gauss(20, 2):.1f}", round(memory), 8, *loads))
    return out.getvalue()
