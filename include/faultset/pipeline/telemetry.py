"""Telemetry of a build: what moved in it, each file labeled by itself, and what is known of each labeled file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
import re
import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultset import catalog, recipe
from faultset.catalog import Experiment
from faultset.labels import engine, leaks
from faultset.labels.counting import FileLabels
from faultset.labels.windows import NodeWindows, Policy, windows
from faultset.moments import Window, epoch_us, from_epoch
from faultset.pipeline import correcting
from faultset.pipeline.progress import Progress, silent
from faultset.records.cluster import Cluster
from faultset.records.telemetry import TelemetryFacts, TelemetryFile
from faultset.sources.kit import files
from faultset.sources.telemetry import node_of
from faultset.sources.telemetry.format import Layout, Oddities
from faultset.storage import reported
from faultset.tables import ImpactRow, InjectionRow, IterationRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import clock_evidence, clock_names, telemetry_clock
from faultset.truth.placement import Placement

_PACKED = (".gz", ".zst", ".zip", ".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".om")
_GAP_CADENCES = 3
_EVIDENCE = "clock.npz"
_KEEPERS = 100  # at once, each of which removes what is not whole
_ERROR_LEVELS = ("WARNING", "WARN", "ERROR", "CRITICAL", "FATAL")

_MOST_SERIES = 40  # of a file that has one after the other: more say nothing new of its clock

Microseconds = npt.NDArray[np.int64]


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

    def key(self, file: TelemetryFile) -> str:
        """Return what the labeled file depends on, as one hex digest: content, labels, declaration and recipe."""
        _, content = files.sha256_of(file.uri)
        described = (
            recipe.digest(),
            content,
            file.kind,
            file.name,
            file.time_zone,
            repr((file.shift_us, file.renamed, file.format, file.time_column, file.node_column, file.node)),
            repr((file.values, file.time_blur_s)),
            repr(self.windows),
            repr((sorted(self.nodes or ()), self.hosts)),
            repr(self.run),
            repr(self.commands),
            repr(sorted({target.container or "" for target in self.targets})),
        )
        return hashlib.sha256("\n".join(described).encode()).hexdigest()

    def label(
        self, file: TelemetryFile, path: str, folder: Path, progress: Progress = silent
    ) -> tuple[TelemetryFacts, clock_evidence.ShiftEvidence]:
        """Write the labeled rows of ``file`` to ``folder / path``; return what is known of them, and of their clock.

        Raises:
            InputError: the file is wrong; names file and row.
            SetupError: the folder cannot be written.
        """
        file = dataclasses.replace(file, hosts=self.hosts)
        target = folder / path
        with reported(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        counted = engine.label_file(
            file,
            self.windows,
            target,
            nodes=self.nodes,
            leak=leaks.leaks(self.commands, self.targets),
            progress=lambda rows: progress(rows, 0, f"labeling {file.name}"),
        )
        return self._facts(file, path, counted, target)

    def _facts(
        self, file: TelemetryFile, path: str, counted: FileLabels, target: Path
    ) -> tuple[TelemetryFacts, clock_evidence.ShiftEvidence]:
        look = _Look.at(target, counted.layout, self.injections, self.run)
        evidence = look.evidence(self.iterations)
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
            cadence_s=look.cadence_s,
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
            coverage=look.coverage,
            abbreviation_note=(
                clock_names.abbreviation_note(file.time_zone, counted.abbreviations, first, last)
                if first and last
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


# --- a look at a labeled file ---------------------------------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class _Look:
    """What the labeled rows themselves tell, read one row group at a time; of clocks, only what lies near the run."""

    run: Window | None
    recordings: list[clock_evidence.Recording] = dataclasses.field(default_factory=list)
    coverage: dict[str, float] = dataclasses.field(default_factory=dict)
    cadence_s: float | None = None
    traces: list[tuple[str | None, str | None, int]] = dataclasses.field(default_factory=list)

    @classmethod
    def at(cls, path: Path, layout: Layout, injections: Sequence[InjectionRow], run: Window | None) -> _Look:
        look = cls(run)
        covered = {row.injection_id: 0.0 for row in injections}
        for times, group in _groups(path, layout):
            if layout.kind == "metrics":
                look.add_metrics(times, group, layout)
                _cover(covered, times, injections, look.cadence_s or 1.0)
            elif layout.kind == "logs":
                levels = group[layout.level] if layout.level in group.column_names else None
                errors = (
                    None if levels is None else np.asarray(pc.is_in(pc.utf8_upper(levels), pa.array(_ERROR_LEVELS)))
                )
                look.add_recording(clock_evidence.recording(times, None, errors))
            else:
                look.add_traces(times, group, layout)
        look.coverage = covered if layout.kind == "metrics" else {}
        return look

    def add_recording(self, part: clock_evidence.Recording) -> None:
        """Add what one row group recorded."""
        if self.run is not None:
            self.recordings.append(clock_evidence.near(part, self.run))

    def add_metrics(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group of metrics."""
        if layout.long is not None:
            self._add_long(times, group, layout)
            return
        columns = {
            field.name: group[field.name].cast(pa.float64()).to_numpy()
            for field in group.schema
            if (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
            and not layout.values.smoothed(field.name)
        }
        self.add_recording(clock_evidence.recording(times, columns))
        self._add_cadence(times if not layout.names_nodes else np.unique(times))

    def _add_long(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group in which each row holds the value of a KPI that it names."""
        if layout.long is None:
            return
        self.add_recording(clock_evidence.recording(times))
        keys = pc.binary_join_element_wise(
            group["node"].cast(pa.string()), group[layout.long.kpi].cast(pa.string()), " ", null_handling="replace"
        )
        values = group[layout.long.value].cast(pa.float64()).to_numpy()
        counts = sorted(pc.value_counts(keys).to_pylist(), key=lambda one: (-one["counts"], one["values"]))
        for place, one in enumerate(counts[:_MOST_SERIES]):
            here = np.asarray(pc.equal(keys, one["values"]))
            self.add_recording(clock_evidence.recording(times[here], {one["values"]: values[here]}))
            if place == 0:
                self._add_cadence(np.unique(times[here]))

    def _add_cadence(self, times: Microseconds) -> None:
        steps = np.diff(np.sort(times))
        if self.cadence_s is None and len(steps):
            self.cadence_s = float(np.median(steps)) / 1e6

    def add_traces(self, times: Microseconds, group: pa.Table, layout: Layout) -> None:
        """Add a row group of traces."""
        self.add_recording(clock_evidence.recording(times))
        bases, numbers = (group[name].to_pylist() if name else [None] * len(times) for name in layout.iteration)
        self.traces.extend(zip(bases, numbers, times.tolist(), strict=True))

    def evidence(self, iterations: Sequence[IterationRow]) -> clock_evidence.ShiftEvidence:
        """Return what tells whether the file's clock is off."""
        recordings = (clock_evidence.joined(self.recordings),) if self.recordings else ()
        return clock_evidence.ShiftEvidence(recordings, self._placed(iterations) if self.traces else None)

    def _placed(self, iterations: Sequence[IterationRow]) -> Microseconds | None:
        """Return (n, 3): time of a span, start and end of the iteration that it belongs to by its id or number."""
        known = {
            row.trace_id: (epoch_us(row.started_at), epoch_us(row.ended_at))
            for row in iterations
            if row.trace_id and row.started_at is not None and row.ended_at is not None
        }
        by_id = [(time, *known[base]) for base, _, time in self.traces if base in known]
        if by_id:
            return np.array(by_id, dtype=np.int64)
        workloads: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        for row in iterations:
            if row.started_at is not None and row.ended_at is not None:
                workloads[row.workload_id][str(row.iteration)] = (epoch_us(row.started_at), epoch_us(row.ended_at))
        return telemetry_clock.placed_by_number(self.traces_by_number(), list(workloads.values()))

    def traces_by_number(self) -> list[tuple[str, int]]:
        """Return the spans that name the number of an iteration: number, time."""
        return [(number, time) for _, number, time in self.traces if number]


def _groups(path: Path, layout: Layout) -> Iterator[tuple[Microseconds, pa.Table]]:
    """Yield the rows that have a time, with the columns that numbers and levels are in, one row group at a time."""
    texts = {layout.level, *layout.iteration, layout.long.kpi if layout.long else None}
    with reported(path):
        file = pq.ParquetFile(path)
        fields = list(file.schema_arrow)
        source = fields[: file.schema_arrow.get_field_index("timestamp")]
        wanted = [f.name for f in source if not pa.types.is_string(f.type) or f.name in texts]
        wanted += ["timestamp", *(["node"] if layout.long else [])]
        for number in range(file.num_row_groups):
            group = file.read_row_group(number, columns=wanted)
            group = group.filter(pc.is_valid(group["timestamp"]))
            yield group["timestamp"].cast(pa.int64()).to_numpy(), group.drop_columns(["timestamp"])


def _cover(
    covered: dict[str, float], times: Microseconds, injections: Sequence[InjectionRow], cadence_s: float
) -> None:
    ordered = np.sort(times)
    for row in injections:
        start, end = epoch_us(row.started_at), epoch_us(row.ended_at)
        # A collector that is late by a row or two has left no gap.
        span_us = round(_GAP_CADENCES * cadence_s * 1e6)
        share = clock_evidence.covered_share(ordered, start, max(end, start + 1), span_us)
        covered[row.injection_id] = min(1.0, covered[row.injection_id] + share)


# --- what is kept between steps ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a labeled file, where it can be read again: plain values, and a file of numbers."""

    facts: dict[str, Any]
    evidence: Path


def cached(
    labeler: Labeler, file: TelemetryFile, path: str, *, folder: Path, cache: Path, progress: Progress = silent
) -> Kept:
    """Label ``file`` unless the same rows were labeled the same way before.

    Args:
        labeler: what it is labeled by.
        file: the source.
        path: where its rows go, relative to ``folder``.
        folder: of the candidate.
        cache: keeps labeled files by key; a file is linked from there, not copied.
        progress: called while rows are written.
    """
    kept = cache / labeler.key(file)
    if not _is_whole(kept):
        draft = cache / f".{kept.name}.{uuid.uuid4().hex}"
        with reported(draft):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        try:
            facts, evidence = labeler.label(file, path, draft, progress)
            with reported(draft):
                (draft / path).rename(draft / "rows.parquet")
                write_evidence(evidence, draft / _EVIDENCE)
                (draft / "facts.json").write_text(json.dumps(dataclasses.asdict(facts), default=_text))
                _keep(draft, kept)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    target = folder / path
    with reported(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(kept / "rows.parquet", target)
        facts_kept: dict[str, Any] = json.loads((kept / "facts.json").read_bytes())
    return Kept({**facts_kept, "path": path}, kept / _EVIDENCE)


def _is_whole(kept: Path) -> bool:
    """Whether a labeled file is kept with all that is known of it; older tools knew less."""
    return all((kept / name).is_file() for name in ("rows.parquet", "facts.json", _EVIDENCE))


def _keep(draft: Path, kept: Path) -> None:
    """Give a labeled file its place. What is whole stays: others may be about to link it, and it is the same."""
    for _ in range(_KEEPERS):
        try:
            draft.rename(kept)
        except OSError:
            if _is_whole(kept):
                return
            shutil.rmtree(kept, ignore_errors=True)
        else:
            return
    draft.rename(kept)


def write_evidence(evidence: clock_evidence.ShiftEvidence, path: Path) -> None:
    """Write what tells of a file's clock."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    for one in evidence.recordings:
        arrays["bins"] = one.bins_us
        arrays |= {f"level {kpi}": values for kpi, values in one.levels.items()}
        if one.errors is not None:
            arrays["errors"] = one.errors
    if evidence.placed_us is not None:
        arrays["placed"] = evidence.placed_us
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_evidence(path: Path) -> clock_evidence.ShiftEvidence:
    """Read what ``write_evidence`` wrote."""
    with reported(path), np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    recordings: tuple[clock_evidence.Recording, ...] = ()
    if "bins" in arrays:
        levels = {name.removeprefix("level "): values for name, values in arrays.items() if name.startswith("level ")}
        recordings = (clock_evidence.Recording(arrays["bins"], levels, arrays.get("errors")),)
    return clock_evidence.ShiftEvidence(recordings, arrays.get("placed"))


def _text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)
