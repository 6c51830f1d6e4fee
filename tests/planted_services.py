"""An experiment whose logs and traces are made here: services with planted slowness and failures, all else untouched.

What is planted begins and ends as it likes, up to 20 s after the command's start and for 20 to 110 s.
"""

from __future__ import annotations

import csv
import datetime as dt
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from faultset import simulator
from faultset.moments import iso
from faultset.simulator.truth import Truth

SERVICES = {  # service -> host, project, service as the trace calls it, usual seconds
    "nova-api": ("ctl01", "nova", "api", 0.05),
    "nova-conductor": ("ctl01", "nova", "conductor", 0.08),
    "nova-compute": ("cmp01", "nova", "compute", 0.4),
    "neutron-server": ("ctl01", "neutron", "server", 0.15),
    "glance-api": ("ctl01", "glance", "api", 0.1),
    "keystone-public": ("ctl01", "keystone", "public", 0.02),
    "cinder-volume": ("cmp02", "cinder", "volume", 0.2),
}
NODES = ("ctl01", "cmp01", "cmp02", "cmp03", "cmp04")
SLOW, FAILING, NOISY = "neutron-server", "glance-api", "cmp02"
_CALLED = tuple(name for name in SERVICES if name != "nova-api")
_EVERY_S = 1.5  # a request


@dataclass(frozen=True)
class Planted:
    """What was planted.

    Attributes:
        truth: of the simulated rest.
        moved: (injection's start, node, KPI) -> from when to when, seconds since the epoch.
    """

    truth: Truth
    moved: dict[tuple[float, str, str], tuple[float, float]] = field(default_factory=dict)


@dataclass
class _Span:
    service: str
    start: float
    end: float
    parent: str
    base: str
    broken: bool = False
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))


def write(folder: Path, seed: int, *, planted: bool = True) -> Planted:
    """Write the experiment into ``folder``: a simulated run, whose logs and traces are replaced."""
    truth = simulator.simulate("nova-compute-restart", folder, seed=seed, iterations=250, injections=4, kpi_size=0.0)
    entry = yaml.safe_load((folder / "experiment.yaml").read_text())
    entry["telemetry"] = [one for one in entry["telemetry"] if not one["files"].endswith(".json")]
    (folder / "experiment.yaml").write_text(yaml.safe_dump(entry))
    random = np.random.default_rng(seed)
    workload = truth.runs[0].workloads[0]
    begin, end = workload.started_at_us / 1e6, workload.ended_at_us / 1e6
    starts = sorted(one.started_at_us / 1e6 for one in workload.injections)
    made = Planted(truth)
    if planted:
        for start, following in zip(starts, [*starts[1:], end], strict=True):
            for node, kpi in (
                (SERVICES[SLOW][0], f"span_duration.{SLOW}"),
                (SERVICES[FAILING][0], f"span_errors.{FAILING}"),
                (NOISY, "log_lines.ERROR"),
            ):
                first = start + random.uniform(0, 20)
                made.moved[start, node, kpi] = (first, min(first + random.uniform(20, 110), following - 10))
    _write_traces(folder / "traces", made, begin, end, random)
    _write_logs(folder / "logs", made, begin, end, random)
    return made


# --- traces ---------------------------------------------------------------------------------------------------------


def _write_traces(folder: Path, made: Planted, begin: float, end: float, random: np.random.Generator) -> None:
    for old in folder.iterdir():
        old.unlink()
    events = []
    now = begin
    while now < end:
        for span in _request(made, now, random):
            events.append((span.start, "start", span))
            if not span.broken:
                events.append((span.end, "stop", span))
        now += random.exponential(_EVERY_S)
    header = ["Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id"]
    with (folder / "requests.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for at, what, span in sorted(events, key=lambda event: event[:2]):
            host, project, service, _ = SERVICES[span.service]
            stamp = dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
            writer.writerow((host, f"rpc-{what}", service, project, stamp, 1, span.identity, span.parent, span.base))


def _request(made: Planted, now: float, random: np.random.Generator) -> Iterator[_Span]:
    """Yield a request to the API, which waits for some of the others, one after the other."""
    base = str(uuid.uuid4())
    api = _Span("nova-api", now, now, base, base)
    at = now + _took("nova-api", random) / 2
    for service in random.permutation(_CALLED)[:4].tolist():
        slow = _within(made, f"span_duration.{service}", at)
        took = _took(service, random) * (4 if slow else 1)
        broken = _within(made, f"span_errors.{service}", at) and bool(random.random() < 0.7)
        yield _Span(service, at, at + took, api.identity, base, broken)
        at += took
    api.end = at + _took("nova-api", random) / 2
    yield api


def _took(service: str, random: np.random.Generator) -> float:
    return SERVICES[service][3] * float(np.exp(0.4 * random.standard_t(4)))


def _within(made: Planted, kpi: str, at: float) -> bool:
    return any(first <= at < last for (_, _, name), (first, last) in made.moved.items() if name == kpi)


# --- logs -----------------------------------------------------------------------------------------------------------


def _write_logs(folder: Path, made: Planted, begin: float, end: float, random: np.random.Generator) -> None:
    for old in folder.iterdir():
        old.unlink()
    with (folder / "all.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Hostname", "log_level", "Timestamp", "@timestamp", "Payload", "programname"])
        for at, node, level in sorted(_lines(made, begin, end, random)):
            stamp = iso(dt.datetime.fromtimestamp(at, dt.UTC))
            writer.writerow((f"{node}.example.org", level, "", stamp, f"something {level}", "nova-compute"))


def _lines(made: Planted, begin: float, end: float, random: np.random.Generator) -> Iterator[tuple[float, str, str]]:
    moved = [(*span, node) for (_, node, kpi), span in made.moved.items() if kpi == "log_lines.ERROR"]
    for node in NODES:
        for level, rate in (("INFO", 1.0), ("ERROR", 0.004)):
            for at in _moments(rate, begin - 200, end + 200, random):
                yield at, node, level
        for first, last, where in moved:
            if where == node:
                for at in _moments(0.5, first, last, random):
                    yield at, node, "error"  # a level in small letters is the same level


def _moments(rate: float, begin: float, end: float, random: np.random.Generator) -> Sequence[float]:
    found = random.uniform(begin, end, random.poisson(rate * (end - begin)))
    return [float(at) for at in found]
