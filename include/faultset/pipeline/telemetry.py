"""Telemetry of a build: its files, what each is labeled by, and what is known of each labeled file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from faultset import catalog, recipe
from faultset.catalog import Experiment
from faultset.labels import divided, leaks, ranges
from faultset.labels.counting import FileLabels
from faultset.labels.source_clock import RunTimes
from faultset.labels.windows import NodeWindows, Policy, windows
from faultset.moments import Window, from_epoch
from faultset.pipeline import correcting
from faultset.pipeline.progress import Progress, silent
from faultset.records.cluster import Cluster
from faultset.records.telemetry import TelemetryFacts, TelemetryFile
from faultset.sources.kit import files
from faultset.sources.telemetry import node_of
from faultset.sources.telemetry.format import Oddities
from faultset.storage import explain_os_errors
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import clock_evidence, clock_names, telemetry_clock
from faultset.truth.placement import Placement

_PACKED = (".gz", ".zst", ".zip", ".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".om")


# --- files ----------------------------------------------------------------------------------------------------------


def declared_files(experiment: Experiment) -> tuple[TelemetryFile, ...]:
    """Return the experiment's files of telemetry, in the catalog's order, each once."""
    found: dict[str, TelemetryFile] = {}
    for source in experiment.telemetry:
        for uri in catalog.telemetry_files(experiment, source):
            name = os.path.relpath(uri, experiment.folder)
            public = Path(name).as_posix() if not name.startswith("..") else catalog.public_name(uri)
            found.setdefault(uri, _declared(source, uri, public))
    return correcting.corrected(experiment, tuple(found.values()))


def _declared(source: catalog.Telemetry, uri: str, name: str) -> TelemetryFile:
    return TelemetryFile(
        kind=source.kind,
        uri=uri,
        name=name,
        time_zone=source.time_zone,
        format=source.format,
        time_column=source.time_column,
        node_column=source.node_column,
        node=source.node,
        values=source.values,
        time_blur_s=source.time_blur_s,
    )


def labeled_paths(declared: Sequence[TelemetryFile]) -> tuple[str, ...]:
    """Return where each file's rows go in the dataset, such as ``metrics/node01_metrics.parquet``; no two are alike."""
    taken: set[str] = set()
    paths = []
    for file in declared:
        stem = file.name.removeprefix(f"{file.kind}/")
        while stem.endswith(_PACKED):
            stem = stem[: stem.rindex(".")]
        stem = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._") or file.kind
        path = f"{file.kind}/{stem}.parquet"
        number = 1
        while path in taken:
            number += 1
            path = f"{file.kind}/{stem}-{number}.parquet"
        taken.add(path)
        paths.append(path)
    return tuple(paths)


def identity(file: TelemetryFile, content: tuple[int, str] | None = None) -> str:
    """Return what the rows of a file depend on: its content, and all that is declared of it but where it lies.

    Args:
        file: the file.
        content: its size and SHA-256, where they are known; else it is read.
    """
    return repr((content or files.sha256_of(file.uri), dataclasses.replace(file, uri="", hosts=())))


# --- labels ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Labeler:
    """All that the files of one experiment are labeled by.

    Attributes:
        slug: the experiment.
        windows: what covers which rows; holds the policy.
        nodes: names of the cluster's nodes; None where no cluster is known.
        hosts: what sources may call them, with those names.
        run: from the first iteration to the last one's end; None where no input tells.
    """

    slug: str
    windows: NodeWindows
    injections: tuple[InjectionRow, ...]
    targets: tuple[TargetRow, ...]
    iterations: tuple[IterationRow, ...]
    commands: tuple[str, ...]
    nodes: frozenset[str] | None
    hosts: tuple[tuple[str, str], ...]
    run: Window | None

    @classmethod
    def of(
        cls,
        slug: str,
        cluster: Cluster | None,
        *,
        workloads: Sequence[WorkloadRow],
        triggers: Sequence[TriggerRow],
        injections: Sequence[InjectionRow],
        targets: Sequence[TargetRow],
        iterations: Sequence[IterationRow],
        impacts: Sequence[ImpactRow],
        policy: Policy = Policy(),  # noqa: B008 (frozen)
    ) -> Labeler:
        """Return the labeler of the decided tables."""
        nodes = frozenset(node.name for node in cluster.nodes) if cluster else None
        return cls(
            slug=slug,
            windows=windows(injections, targets, impacts, policy, nodes),
            injections=tuple(injections),
            targets=tuple(targets),
            iterations=tuple(iterations),
            commands=tuple(sorted({trigger.action for trigger in triggers})),
            nodes=nodes,
            hosts=Placement(cluster).hosts(),
            run=_run(workloads, injections),
        )

    def key(self, file: TelemetryFile, content: tuple[int, str] | None = None) -> str:
        """Return what the labeled file depends on, as one hex digest: content, labels, declaration and recipe."""
        described = (
            recipe.digest(),
            identity(file, content),
            repr(self.windows),
            repr((sorted(self.nodes or ()), self.hosts)),
            repr(self.run),
            repr(self.commands),
            repr(sorted({target.container or "" for target in self.targets})),
        )
        return hashlib.sha256("\n".join(described).encode()).hexdigest()

    def label(
        self, file: TelemetryFile, path: str, folder: Path, progress: Progress = silent, *, kept: Path | None = None
    ) -> tuple[TelemetryFacts, clock_evidence.ShiftEvidence]:
        """Write the labeled rows of ``file`` to ``folder / path``; return what is known of them, and of their clock.

        Args:
            file: the source.
            path: where its rows go, relative to ``folder``.
            folder: of the candidate.
            progress: called while rows are written.
            kept: the folder with what ``label_range`` labeled of the file; None where nothing is.

        Raises:
            InputError: the file is wrong; names file and row.
            SetupError: the folder cannot be written.
        """
        work = self._work(file)
        target = folder / path
        with explain_os_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        counted = divided.label(
            work, target, ranges=kept, progress=lambda rows: progress(rows, 0, f"labeling {file.name}")
        )
        return self._facts(work.file, path, counted, target)

    def label_range(self, file: TelemetryFile, which: ranges.Range, kept: Path, progress: Progress = silent) -> None:
        """Label one range of a large file, and keep it in ``kept``, unless it is there.

        What is wrong with the file, and what only who knows the rows before can label, is left to ``label``.

        Raises:
            SetupError: the folder cannot be written.
        """
        work = self._work(file)
        if ranges.read_labeled(work, which, kept) is None:
            told = f"labeling {file.name}, range {which.number + 1}"
            ranges.label_range(work, which, kept, progress=lambda rows: progress(rows, 0, told))

    def _work(self, file: TelemetryFile) -> ranges.Work:
        return ranges.Work(
            dataclasses.replace(file, hosts=self.hosts),
            self.windows,
            self.nodes,
            leaks.leaks(self.commands, self.targets),
            RunTimes(self.run, self.injections, self.iterations),
        )

    def _facts(
        self, file: TelemetryFile, path: str, counted: FileLabels, target: Path
    ) -> tuple[TelemetryFacts, clock_evidence.ShiftEvidence]:
        evidence = counted.clock.evidence
        first = None if counted.first_us is None else from_epoch(counted.first_us / 1e6)
        last = None if counted.last_us is None else from_epoch(counted.last_us / 1e6)
        shift = self._shift(evidence)
        facts = TelemetryFacts(
            kind=file.kind,
            source=file.name,
            path=path,
            time_zone=file.time_zone,
            nodes=tuple(counted.nodes) or (node_of(file),),
            source_rows=counted.rows,
            rows=pq.read_metadata(target).num_rows,
            first=first,
            last=last,
            columns=tuple(counted.columns.items()),
            cadence_s=counted.clock.cadence_s,
            longest_gap_s=counted.largest_gap_s,
            out_of_order=counted.out_of_order,
            duplicates=counted.duplicates,
            left_out=counted.left_out.count,
            left_out_where=_lines(counted.left_out),
            nulled=counted.nulled.count,
            nulled_where=_lines(counted.nulled),
            repeated_headers=counted.repeated_headers,
            format=counted.form,
            row_uncertainty_s=counted.row_uncertainty_s,
            without_time=counted.without_time,
            ambiguous_times=counted.ambiguous,
            nonexistent_times=counted.nonexistent,
            out_of_range=dict(counted.out_of_range),
            time_blur_s=dict(counted.blur_s),
            note=counted.layout.values.note,
            limit_note=counted.layout.limit_note if counted.rows in counted.layout.limits else "",
            kpis=counted.named_kpis,
            kpi_column=counted.layout.long.kpi if counted.layout.long else None,
            value_column=counted.layout.long.value if counted.layout.long else None,
            anomalous=counted.anomalous,
            boundary=counted.boundary,
            boundary_anomalous=counted.boundary_anomalous,
            guarded=counted.guarded,
            guarded_anomalous=counted.guarded_anomalous,
            strangers=dict(counted.strangers),
            phases=dict(counted.phases),
            leaks=counted.names_injection,
            redacted=counted.redacted,
            coverage=dict(counted.clock.coverage),
            abbreviation_note=(
                clock_names.abbreviation_note(file.time_zone, counted.abbreviations, first, last)
                if file.time_zone and first and last
                else None
            ),
            shift_s=shift.seconds if shift else None,
            shift_reason=shift.why if shift else "",
        )
        return facts, evidence

    def _shift(self, evidence: clock_evidence.ShiftEvidence) -> telemetry_clock.Shift | None:
        if self.run is None or not evidence.recordings:
            return None
        return telemetry_clock.find_shift(evidence, self._spans(), self.run, self._failures())

    def with_shifts_of_kinds(
        self, every: Sequence[tuple[TelemetryFacts, clock_evidence.ShiftEvidence]]
    ) -> tuple[TelemetryFacts, ...]:
        """Return the facts of all files, the clocks of those that tell too little decided with others of their kind."""
        if self.run is None:
            return tuple(facts for facts, _ in every)
        kinds: dict[str, dict[str, tuple[clock_evidence.ShiftEvidence, telemetry_clock.Shift]]] = defaultdict(dict)
        for facts, evidence in every:
            own = telemetry_clock.Shift(_whole(facts.shift_s), "none", facts.shift_reason)
            kinds[facts.kind][facts.path] = (evidence, own)
        found = {
            path: shift
            for parts in kinds.values()
            for path, shift in telemetry_clock.find_shifts(parts, self._spans(), self.run, self._failures()).items()
        }
        return tuple(
            dataclasses.replace(facts, shift_s=found[facts.path].seconds, shift_reason=found[facts.path].why)
            for facts, _ in every
        )

    def _spans(self) -> list[Window]:
        return [Window(row.started_at, row.ended_at) for row in self.injections]

    def _failures(self) -> list[Window]:
        return [
            Window(row.started_at, row.ended_at)
            for row in self.iterations
            if row.failed and row.started_at is not None and row.ended_at is not None
        ]


def _lines(odd: Oddities) -> tuple[str, ...]:
    return tuple(f"line {line}: {problem}" for line, problem in odd.first)


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds)


def _run(workloads: Sequence[WorkloadRow], injections: Sequence[InjectionRow]) -> Window | None:
    starts = [start for row in workloads if (start := row.started_at or row.created_at)]
    if not starts:
        return None
    ends = [row.ended_at or _latest_end(row) for row in workloads]
    ends += [row.ended_at for row in injections]
    known = [end for end in ends if end]
    return Window(min(starts), max(known)) if known else None


def _latest_end(row: WorkloadRow) -> dt.datetime | None:
    start = row.started_at or row.created_at
    if start is None or row.load_duration_s is None:
        return None
    return start + dt.timedelta(seconds=row.load_duration_s)
