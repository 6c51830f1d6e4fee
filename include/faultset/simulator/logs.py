"""Logs of the services, the machines and the experimenter's own sessions, as an export from Elasticsearch."""

from __future__ import annotations

import csv
import functools
import io
import string
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faultset.simulator import clocks
from faultset.simulator.log_texts import BROKEN, FAILED, OTHERS, PASSED, USUAL, Text
from faultset.simulator.plan import SECOND, ClusterPlan, HumanFault, Microseconds, Scenario, ScriptFault
from faultset.simulator.timeline import Firing, PlayedRun, PlayedWorkload
from faultset.simulator.truth import TargetTruth

TIME_ZONE = "Europe/Berlin"
COLUMNS = (
    "Hostname",
    "log_level",
    "Timestamp",
    "@timestamp",
    "Payload",
    "programname",
    "python_module",
    "request_id",
)

_EVERY_S = 6.0  # mean time between usual lines of a node
_OTHERS_EVERY_S = 150.0
_WARNINGS = 0.02  # share of usual lines
_STRAY_ERRORS = 0.003
_PASSED_MOST = 400  # iterations that passed and leave lines, spread evenly
_USER = "rally"


@dataclass(frozen=True, slots=True)
class Line:
    """A line at its true time; ``leaks`` where it names an injection."""

    at_us: int
    node: str
    level: str
    payload: str
    program: str
    module: str = ""
    request_id: str = ""
    leaks: bool = False


class _Writer:
    """Makes lines of one experiment; chance comes from ``seed`` alone."""

    def __init__(self, cluster: ClusterPlan, seed: int) -> None:
        self.cluster = cluster
        self.random = np.random.default_rng([seed, zlib.crc32(b"logs")])
        self.programs = {node.name: _containers_with_logs(cluster, node.name) for node in cluster.nodes}

    def line(self, at_us: int, node: str, text: Text, container: str, **more: str) -> Line:
        """Return a line of ``container``'s program."""
        values = self._values(node, container) | more
        module = _filled(text.module, values)
        request = f"req-{self._uuid()}" if module else ""
        return Line(
            at_us, node, text.level, _filled(text.payload, values), container.replace("_", "-"), module, request
        )

    def some(self, texts: tuple[Text, ...]) -> Text:
        """Return one of ``texts``."""
        return texts[int(self.random.integers(len(texts)))]

    def between(self, first_us: int, last_us: int, count: int) -> list[int]:
        """Return ``count`` moments in [first_us, last_us), in order."""
        return sorted(self.random.integers(first_us, max(last_us, first_us + 1), count).tolist())

    def usual(self, node: str, begin_us: int, end_us: int) -> Iterator[Line]:
        """Yield what the services and the machine itself write."""
        for moment in self.between(begin_us, end_us, round((end_us - begin_us) / SECOND / _EVERY_S)):
            container = self.programs[node][int(self.random.integers(len(self.programs[node])))]
            yield self.line(moment, node, self._usual_text(container), container)
        for moment in self.between(begin_us, end_us, round((end_us - begin_us) / SECOND / _OTHERS_EVERY_S)):
            program, payload = OTHERS[int(self.random.integers(len(OTHERS)))]
            yield Line(moment, node, "INFO", _filled(payload, self._values(node, "")), program)

    def _usual_text(self, container: str) -> Text:
        luck = self.random.random()
        if luck < _STRAY_ERRORS:
            return self.some(BROKEN)
        level = "WARNING" if luck < _WARNINGS else "INFO"
        texts = USUAL[container]
        return self.some(tuple(text for text in texts if text.level == level) or texts)

    def _values(self, node: str, container: str) -> dict[str, str]:
        other = self.cluster.nodes[int(self.random.integers(len(self.cluster.nodes)))]
        name = self._uuid()
        return {
            "node": node,
            "ip": other.ip,
            "uuid": name,
            "token": name[:8],
            "few": str(int(self.random.integers(1, 10))),
            "many": str(int(self.random.integers(100, 9_000))),
            "seconds": f"{self.random.uniform(0.05, 9):.3f}",
            "service": container.split("_", maxsplit=1)[0],
        }

    def _uuid(self) -> str:
        return str(uuid.UUID(bytes=self.random.bytes(16), version=4))


def _containers_with_logs(cluster: ClusterPlan, node: str) -> list[str]:
    containers = (component.container for component in cluster.components)
    return [container for container in containers if container in USUAL and cluster.runs(node, container)]


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _template(text).substitute(values) if "$" in text else text


@functools.cache
def _template(text: str) -> string.Template:
    return string.Template(text)


# --- what happened --------------------------------------------------------------------------------------------------


def lines(plan: Scenario, played: tuple[PlayedRun, ...], begin_us: int, end_us: int, seed: int) -> list[Line]:
    """Return all lines of all nodes in [begin_us, end_us), in no order."""
    writer = _Writer(plan.cluster, seed)
    found: list[Line] = []
    for node in plan.cluster.nodes:
        found.extend(writer.usual(node.name, begin_us, end_us))
    for workload in (workload for run in played for workload in run.workloads):
        found.extend(_of_iterations(writer, workload))
        for firing in workload.firings:
            found.extend(_of_broken_services(writer, firing))
            found.extend(_of_sessions(writer, workload, firing))
    return [line for line in found if begin_us <= line.at_us < end_us]


def _of_iterations(writer: _Writer, workload: PlayedWorkload) -> Iterator[Line]:
    """Yield what failed iterations leave on the controller, all of them, and passed ones, some of them."""
    load, controller = workload.load, writer.cluster.nodes[0].name
    container = f"{workload.plan.actions[0][0].split('.')[0].split('_')[0]}_api"
    step = max(workload.iterations // _PASSED_MOST, 1)
    for index, failed in enumerate(load.failed.tolist()):
        if not failed and index % step:
            continue
        start, end = int(load.started_us[index]), int(load.ended_us[index])
        texts = FAILED if failed else PASSED
        for moment, text in zip(writer.between(start, end, len(texts)), texts, strict=True):
            yield writer.line(moment, controller, text, container, kind=workload.plan.failure.kind)


def _of_broken_services(writer: _Writer, firing: Firing) -> Iterator[Line]:
    """Yield the burst of errors on each node that the fault took hold on, from its first second to some after it."""
    injection = firing.truth
    hit = [target for target in injection.targets if target.effective]
    each = max(10 // max(len({target.container for target in hit}), 1), 3)
    for target in hit:
        first, last = injection.started_at_us + SECOND, injection.ended_at_us + 5 * SECOND
        for moment in writer.between(first, last, each + int(writer.random.integers(4))):
            yield writer.line(moment, target.node, writer.some(BROKEN), target.container)


def _of_sessions(writer: _Writer, workload: PlayedWorkload, firing: Firing) -> Iterator[Line]:
    """Yield what the experimenter's own doing leaves: all of it but the login names the injection."""
    injection = firing.truth
    fault = workload.plan.hooks[injection.hook_index].fault
    controller = writer.cluster.nodes[0]
    start, took = injection.started_at_us, injection.ended_at_us - injection.started_at_us
    command = f"sh ./{fault.outer}" if isinstance(fault, ScriptFault) else fault.command
    yield Line(start, controller.name, "INFO", f"Running hook: {command}", _USER, "rally.task.hook", leaks=True)
    for node in dict.fromkeys(target.node for target in injection.targets if target.commanded):
        login = f"Accepted password for {_USER} from {controller.ip} port 51{injection.value % 1000:03} ssh2"
        yield Line(start + 200_000, node, "INFO", login, "sshd")
        if isinstance(fault, ScriptFault):
            yield Line(start + SECOND, node, "INFO", f"{_USER}: {fault.label}", "bash", leaks=True)
        targets = [target for target in injection.targets if target.node == node]
        orders = [(target, verb) for target in targets for verb in _first_round(target, fault)]
        for moment, (target, verb) in zip(writer.between(start, start + took, len(orders)), orders, strict=True):
            yield from _of_order(moment, target, verb)


def _first_round(target: TargetTruth, fault: ScriptFault | HumanFault) -> tuple[str, ...]:
    rounds = fault.round_count if isinstance(fault, ScriptFault) else 1
    return target.actions[: len(target.actions) // rounds]


def _of_order(at_us: int, target: TargetTruth, verb: str) -> Iterator[Line]:
    order = f"{_USER} : TTY=unknown ; PWD=/home/{_USER} ; USER=root ; COMMAND=/usr/bin/docker {verb} {target.container}"
    yield Line(at_us, target.node, "INFO", order, "sudo", leaks=True)
    if target.effective and verb != "start":
        stopped = f'level=warning msg="Container failed to exit within 10s of signal 15", name="{target.container}"'
        yield Line(at_us + 1_000, target.node, "WARNING", stopped, "dockerd", leaks=True)


# --- as exported ----------------------------------------------------------------------------------------------------


def exported(found: Iterable[Line], path: str, seed: int) -> list[Line]:
    """Return ``found`` in an export's order: by time, but for a few lines that were indexed late or early."""
    ordered = sorted(found, key=lambda line: (line.at_us, line.node, line.program, line.payload))
    random = np.random.default_rng([seed, zlib.crc32(path.encode())])
    late = random.random(len(ordered)) < 0.015
    places = np.array([line.at_us for line in ordered], dtype=np.int64)
    places[late] += random.integers(-20 * SECOND, 20 * SECOND, int(late.sum()))
    return [ordered[place] for place in np.argsort(places, kind="stable").tolist()]


def rows(ordered: list[Line], read_us: Microseconds, shift_us: int) -> Iterator[str]:
    """Yield the CSV of ``ordered``, whose clocks read ``read_us``; the text is ``shift_us`` ahead of them."""
    wall, offsets = clocks.local(read_us, TIME_ZONE)
    stamps = clocks.texts(wall + shift_us, "ms")
    yield _csv(COLUMNS)
    for line, stamp, offset in zip(ordered, stamps, offsets.tolist(), strict=True):
        zoned = f"{stamp.replace(' ', 'T')}+{offset // 3600:02}:{offset % 3600 // 60:02}"
        yield _csv(
            (line.node, line.level, stamp, zoned, line.payload, line.program, line.module, line.request_id),
        )


def _csv(cells: tuple[str, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
