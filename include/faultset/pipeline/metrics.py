"""The metrics: which there are, and how they follow from what happens. Where they go is for the caller to say.

Every label has few values. Names of experiments, runs and files are no labels: thousands of them would be as many time
series, in systems that keep each for weeks; which experiment it was, logs, pages and lineage tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from faultset.pipeline.build_folder import read_note
from faultset.pipeline.candidates import candidate_folder, newest
from faultset.pipeline.observing import Ended, Happening, Level
from faultset.pipeline.published import read_manifest
from faultset.settings import Settings
from faultset.severity import SEVERITIES
from faultset.storage import unless_gone


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: below ``faultset.``.
        type: a counter adds up what happened; a gauge says how much there is.
        unit: of its values.
        labels: label -> all its values.
        meaning: in one sentence.
    """

    name: str
    type: Literal["counter", "gauge"]
    unit: str
    labels: Mapping[str, tuple[str, ...]]
    meaning: str


STAGES = ("build", "decide", "label", "validate", "judge", "publish")
OUTCOMES = ("done", "candidate", "unchanged", "failed", "trouble", "accepted", "rejected", "published", "gone")

METRICS = (
    Metric("work", "counter", "pieces", {"stage": STAGES, "outcome": OUTCOMES}, "pieces of work that came to an end"),
    Metric("work_seconds", "counter", "seconds", {"stage": STAGES}, "how long they took, added up"),
    Metric(
        "findings",
        "counter",
        "findings",
        {"stage": ("build", "validate", "judge"), "severity": SEVERITIES},
        "findings of candidates and of judged runs",
    ),
    Metric("read_bytes", "counter", "bytes", {}, "size of the inputs of which candidates were made"),
    Metric("published_bytes", "counter", "bytes", {}, "size of the files of new versions"),
    Metric("published_rows", "counter", "rows", {}, "rows of all tables of new versions"),
    Metric("inbox_runs", "gauge", "runs", {"state": ("whole", "growing")}, "runs in the inbox at the last look"),
    Metric(
        "candidates",
        "gauge",
        "candidates",
        {"waits_for": ("nobody", "person")},
        "candidates that wait: for the next look, or for a person's answer",
    ),
    Metric("candidates_oldest_seconds", "gauge", "seconds", {}, "how long the oldest of them waits"),
    Metric("datasets", "gauge", "datasets", {}, "datasets that have a version"),
    Metric(
        "experiments",
        "gauge",
        "experiments",
        {"outcome": ("candidate", "unchanged", "failed")},
        "what became of the experiments of the last rebuild",
    ),
    Metric("experiments_stale", "gauge", "experiments", {}, "experiments that no rebuild brought up to date in time"),
    Metric("rebuild_timestamp_seconds", "gauge", "seconds since 1970", {}, "when the last rebuild of all ended"),
)


class Meter(Protocol):
    """Where metrics go."""

    def count(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Add to a counter."""

    def level(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge."""


@dataclass(frozen=True, slots=True)
class MetricsObserver:
    """Hands what happens on as metrics."""

    meter: Meter
    settings: Settings

    def __call__(self, happening: Happening) -> None:
        """Hand it on."""
        if isinstance(happening, Level):
            self.meter.level(happening.name, happening.value, happening.labels)
        elif isinstance(happening, Ended):
            self._ended(happening)

    def _ended(self, ended: Ended) -> None:
        stage = ended.begun.stage
        self.meter.count("work", 1, {"stage": stage, "outcome": ended.outcome})
        self.meter.count("work_seconds", round(ended.seconds, 3), {"stage": stage})
        for severity, found in ended.findings.items():
            if found:
                self.meter.count("findings", found, {"stage": stage, "severity": severity})
        if ended.outcome == "candidate":
            self.meter.count("read_bytes", self._bytes_read(ended.begun.name), {})
        if ended.version:
            files = read_manifest(ended.begun.name, ended.version, self.settings).files
            self.meter.count("published_bytes", sum(file.bytes for file in files), {})
            self.meter.count("published_rows", sum(file.rows or 0 for file in files), {})

    def _bytes_read(self, slug: str) -> int:
        found = newest(slug, self.settings)
        if found is not None:
            folder = candidate_folder(slug, found[0], self.settings)
            with unless_gone(folder):
                return sum(file.bytes for file in read_note(folder).inputs)
        return 0
