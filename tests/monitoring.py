"""What listens to metrics in tests: StatsD, a collector, and a real Prometheus that asks them as it asks exporters."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import json
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_DELTA, NumberDataPoint

ROOT = Path(__file__).resolve().parents[1]
MAPPING = ROOT / "deploy" / "grafana" / "statsd-mapping.yaml"


Series = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels."""


def prometheus_is_there() -> bool:
    return shutil.which("prometheus") is not None


class Exposing(Protocol):
    """What Prometheus can ask."""

    def exposition(self) -> str:
        """The series in Prometheus's own format."""


@dataclass
class StatsD:
    """Adds up what arrives, by the mapping that operators give to their exporter.

    Attributes:
        port: where it listens, if it does.
        values: series -> its value.
        counters: names of those that only grow.
    """

    port: int = 0
    values: dict[Series, float] = field(default_factory=dict)
    counters: set[str] = field(default_factory=set)

    def take(self, line: str) -> None:
        found = re.fullmatch(r"([^:]+):([0-9.eE+-]+)\|(c|g)(\|@[0-9.]+)?", line)
        if not found:
            return  # a timer
        name, labels = _mapped(found[1])
        key, value = (name, tuple(sorted(labels.items()))), float(found[2])
        if found[3] == "c":
            self.counters.add(name)
            value += self.values.get(key, 0.0)
        self.values[key] = value

    def exposition(self) -> str:
        """The series in Prometheus's own format."""
        return _exposition(self.values.copy(), self.counters)


def _exposition(values: Mapping[Series, float], counters: Collection[str]) -> str:
    lines, told = [], ""
    for (name, labels), value in sorted(values.items()):
        if name != told:
            lines.append(f"# TYPE {name} {'counter' if name in counters else 'gauge'}")
            told = name
        inner = ",".join(f'{label}="{text}"' for label, text in labels)
        lines.append(f"{name}{{{inner}}} {value}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def statsd() -> Iterator[StatsD]:
    """A server that takes metrics over UDP, a line or several a datagram."""
    server = StatsD()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for line in self.request[0].decode().splitlines():
                server.take(line)

    with socketserver.UDPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            server.port = listener.server_address[1]
            yield server
        finally:
            listener.shutdown()
            thread.join()


def _rules() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    rules = yaml.safe_load(MAPPING.read_text())["mappings"]
    return [(re.compile(re.escape(rule["match"]).replace(r"\*", r"([^.]*)")), rule) for rule in rules]


_RULES = _rules()


def _mapped(name: str) -> tuple[str, dict[str, str]]:
    for pattern, rule in _RULES:
        if found := pattern.fullmatch(name):
            labels = {label: found[int(place[1:])] for label, place in rule.get("labels", {}).items()}
            return rule["name"], labels
    return _plain(name), {}


def _plain(name: str) -> str:
    """A name as Prometheus has them."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


@dataclass(frozen=True)
class Prometheus:
    """A real one, at ``url``."""

    url: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query answers with, each with ``metric`` and ``value``; an error where it is no query."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 (our own server)
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def values(self, query: str) -> dict[tuple[str, ...], float]:
        """Values of a series' labels, in the order of their names -> its value."""
        return {
            tuple(value for name, value in sorted(one["metric"].items()) if name not in _OF_SCRAPING): float(
                one["value"][1]
            )
            for one in self.ask(query)
        }

    def wait_for_two_looks(self, wait_for: Any) -> None:
        """Wait until the server was asked twice from now on, as rates need."""
        asked = 'count_over_time(up{job="faultset"}[1h])'

        def count() -> float:
            try:
                return sum(self.values(asked).values())
            except OSError:
                return 0.0

        before = count()
        # The first one that is seen may have begun before.
        wait_for("two more samples of Prometheus", lambda: count() >= before + 3)


_OF_SCRAPING = frozenset({"__name__", "instance", "job"})


@contextlib.contextmanager
def prometheus(server: Exposing, folder: Path, wait_for: Any) -> Iterator[Prometheus]:
    """A Prometheus that has asked the server twice, as rates need."""
    with _served(server) as port:
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: faultset, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            found = Prometheus(f"http://{address}")
            found.wait_for_two_looks(wait_for)
            yield found
        finally:
            process.terminate()
            process.wait(30)


@contextlib.contextmanager
def _served(server: Exposing) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = server.exposition().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as port:
        yield port


@contextlib.contextmanager
def _serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield web.server_port
        finally:
            web.shutdown()
            thread.join()


@dataclass
class Collector:
    """What a collector of OpenTelemetry was told.

    Attributes:
        endpoint: its address.
        sums: series of a counter -> all differences that arrived, added up.
        levels: series of a gauge -> its last value.
        others: counters that were told as totals of a process, which nobody could add up.
    """

    endpoint: str = ""
    sums: Counter[Series] = field(default_factory=Counter)
    levels: dict[Series, float] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def take(self, request: ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                for point in metric.sum.data_points:
                    self.sums[_labelled(metric.name, point)] += point.as_double or point.as_int
                for point in metric.gauge.data_points:
                    self.levels[_labelled(metric.name, point)] = point.as_double or point.as_int
                if metric.sum.is_monotonic and metric.sum.aggregation_temporality != AGGREGATION_TEMPORALITY_DELTA:
                    self.others.add(metric.name)

    def exposition(self) -> str:
        """The series in Prometheus's own format, named as OpenTelemetry's exporter for it names them."""
        sums = {(f"{_plain(name)}_total", labels): value for (name, labels), value in self.sums.copy().items()}
        levels = {(_plain(name), labels): value for (name, labels), value in self.levels.copy().items()}
        return _exposition(sums | levels, {name for name, _ in sums})


def _labelled(name: str, point: NumberDataPoint) -> Series:
    return name, tuple(sorted((label.key, label.value.string_value) for label in point.attributes))


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """A server that takes metrics over OTLP, as protobuf over HTTP."""
    told = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            told.take(ExportMetricsServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _serving(Handler) as port:
        told.endpoint = f"http://127.0.0.1:{port}"
        yield told
