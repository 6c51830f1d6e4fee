"""``faultset.open`` and ``faultset.list``: a published dataset in Python, of which only what is needed is read."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, overload

import pandas as pd

from faultset import tables
from faultset.dataset import columns, extent_rows, floors, notebook, overview, sliding, spans, timeline, wide
from faultset.dataset.long_rows import Long
from faultset.dataset.root_cause import RootCause, root_causes
from faultset.dataset.roots import DatasetRecord, Root, known_versions, manifest_of, records, root_at
from faultset.dataset.rows import Rows
from faultset.dataset.sliding import Windows
from faultset.dataset.spans import ALWAYS, During, Length, Margin
from faultset.dataset.telemetry import Part, Telemetry
from faultset.dataset.timeline import Extent
from faultset.errors import InputError, counted, nearest, printable
from faultset.moments import Window
from faultset.release.manifest import Manifest
from faultset.tables import Table

_TASKS = ("anomalies", "root_causes")


class Split(NamedTuple):
    """What to learn from and what to be judged on; both are datasets, limited to spans of time."""

    train: Dataset
    test: Dataset


@dataclass(frozen=True, repr=False)
class Dataset:
    """A published version, or the part of it that lies in some spans of time.

    Attributes:
        slug: name of the dataset.
        version: X.Y.Z.
        manifest: everything that ``manifest.json`` says.
        root: where it lies.
        within: spans of time that it is limited to; all time for a whole version.
        learnt_from: of a split's test part, its training part; floors are measured with it.
    """

    slug: str
    version: str
    manifest: Manifest
    root: Root
    within: tuple[Window, ...] = field(default=(ALWAYS,))
    learnt_from: Dataset | None = None

    @property
    def path(self) -> Path | str:
        """Its folder; an address where it lies elsewhere."""
        where = f"{self.root.uri.rstrip('/')}/{self.slug}/{self.version}"
        return where if "://" in where else Path(where)

    # --- tables -----------------------------------------------------------------------------------------------------

    @property
    def workloads(self) -> Rows[tables.WorkloadRow]:
        """What was asked for and what happened."""
        return self._rows(tables.WORKLOADS)

    @property
    def triggers(self) -> Rows[tables.TriggerRow]:
        """Planned triggers."""
        return self._rows(tables.TRIGGERS)

    @property
    def injections(self) -> Rows[tables.InjectionRow]:
        """What the experimenter did, in order of time."""
        return self._injections

    @property
    def targets(self) -> Rows[tables.TargetRow]:
        """Nodes and containers that injections acted on."""
        return self._rows(tables.TARGETS).where(self._of_these_injections)

    @property
    def iterations(self) -> Rows[tables.IterationRow]:
        """Iterations of the workloads; of a part of a dataset, those whose start is known and lies in it."""
        return self._rows(tables.ITERATIONS).where(lambda row: self._covers(row.started_at))

    @property
    def impacts(self) -> Rows[tables.ImpactRow]:
        """KPIs that moved."""
        return self._rows(tables.IMPACTS).where(self._of_these_injections)

    @property
    def impact_tests(self) -> Rows[tables.ImpactTestRow]:
        """What was tested, found or not, and how large a move could have hidden."""
        return self._rows(tables.IMPACT_TESTS).where(self._of_these_injections)

    @functools.cached_property
    def _injections(self) -> Rows[tables.InjectionRow]:
        rows = self._rows(tables.INJECTIONS).sorted(lambda row: (row.started_at, row.injection_id))
        return rows.where(lambda row: self._covers(row.started_at))

    def _covers(self, moment: Any) -> bool:
        if self.within == (ALWAYS,):
            return True
        return moment is not None and any(span.start <= moment < span.end for span in self.within)

    def _of_these_injections(self, row: Any) -> bool:
        return self.within == (ALWAYS,) or row.injection_id in self._ids

    @functools.cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(row.injection_id for row in self.injections)

    def _rows(self, table: Table) -> Rows[Any]:
        name = f"{table.name}.parquet"
        found = next((file for file in self.manifest.files if file.path == name), None)
        if found is None:
            raise InputError(f"{self.slug} {self.version}", f"it has no table {table.name}", "see its card")
        return Rows.of(table, self.root.file(self._name(name), found.bytes))

    def _name(self, path: str) -> str:
        """Return the name, below the root, of a file that the manifest names."""
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise InputError(f"{self.slug} {self.version}", f"{path} is no file of a version", "run faultset verify")
        return f"{self.slug}/{self.version}/{path}"

    # --- telemetry --------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> Telemetry:
        """Labeled metrics."""
        return self._telemetry["metrics"]

    @property
    def logs(self) -> Telemetry:
        """Labeled log lines."""
        return self._telemetry["logs"]

    @property
    def traces(self) -> Telemetry:
        """Labeled spans."""
        return self._telemetry["traces"]

    @functools.cached_property
    def _telemetry(self) -> Mapping[str, Telemetry]:
        facts = {str(entry.get("path")): entry for entry in self.manifest.telemetry}
        return {
            table.name: Telemetry(
                table.name,
                tuple(
                    self._part(file, facts.get(file.path, {}))
                    for file in sorted(self.manifest.files, key=lambda file: file.path)
                    if file.path.startswith(f"{table.name}/") and file.schema is not None
                ),
                self.within,
            )
            for table in tables.TELEMETRY
        }

    def _part(self, file: Any, facts: Mapping[str, Any]) -> Part:
        nodes = facts.get("nodes")
        return Part(
            file=self.root.file(self._name(file.path), file.bytes),
            columns={str(column["name"]): columns.type_named(str(column["type"])) for column in file.schema},
            rows=file.rows or 0,
            nodes=None if nodes is None else tuple(map(str, nodes)),
            first=overview.moment_of(facts, "first"),
            last=overview.moment_of(facts, "last"),
            kpis=tuple(map(str, facts["kpis"])) if facts.get("kpis") else None,
            long=Long(str(facts["kpi_column"]), str(facts["value_column"]), tuple(map(str, facts.get("kpis", ()))))
            if facts.get("kpi_column")
            else None,
        )

    # --- laid out for methods ---------------------------------------------------------------------------------------

    def wide(
        self,
        *,
        nodes: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
        every: Length | None = "1s",
    ) -> pd.DataFrame:
        """Return metrics as time x (node, KPI), labels beside.

        Args:
            nodes: names in any case, or a single one; None for all.
            columns: KPIs, or a single one; None for every column that is a number.
            during: an injection, an impact, or (start, end); None for all.
            margin: time before and after ``during``; a pair where they differ.
            every: rows of one node in a bin of this width are one: the mean of a KPI, the strongest label. None: only
                rows of the same moment are.

        Returns:
            Ascending times (the bins' starts, UTC); columns (node, KPI), then (node, is_anomalous), (node, phase),
            (node, is_boundary). Nothing is filled in: what a node has no row for is missing, its label too.

        Raises:
            InputError: there are no metrics, no such node or column, or a column is no number.
        """
        width = wide.interval(every)
        named, kpis = wide.nodes_of(self.metrics, nodes), wide.kpis_of(self.metrics, columns)
        rows = self.metrics(nodes=named, columns=kpis, during=during, margin=margin)
        return wide.wide(rows, named, kpis, width)

    def aligned(
        self,
        *,
        nodes: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
        every: Length = "1s",
        count_by: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return all sources on one regular clock.

        Args:
            nodes: names in any case, or a single one; None for all. Workloads always come along.
            during: as in ``wide``.
            margin: as in ``wide``.
            every: width of a bin.
            count_by: kind -> column; beside all rows of that kind, those of each value are counted, as in
                ``{"logs": "log_level"}``.

        Returns:
            Times; columns (source, node, name): metrics as ``wide`` lays them out, with their labels; ``rows`` of logs
            and traces a node (0 where the source was recording, missing before and after); of workloads
            (iterations, failed, duration_s) under the workload's id.
        """
        width = wide.interval(every) or pd.Timedelta("1s")
        window = ALWAYS if during is None else spans.window_of(during, margin)
        sources: dict[str, pd.DataFrame] = {}
        if self.metrics.parts:
            sources["metrics"] = self.wide(nodes=self._here("metrics", nodes), during=window, every=every)
        for kind in ("logs", "traces"):
            if self._telemetry[kind].parts:
                sources[kind] = self._counts(kind, nodes, window, width, (count_by or {}).get(kind))
        done = [row for row in self.iterations if row.started_at and window.start <= row.started_at < window.end]
        sources["workloads"] = wide.workload(done, width)
        return wide.aligned(sources, width)

    def _here(self, kind: str, nodes: Sequence[str] | str | None) -> list[str] | None:
        """Return those of the nodes that a kind of telemetry has; one that no kind has is an error."""
        if nodes is None:
            return None
        wanted = [nodes] if isinstance(nodes, str) else list(nodes)
        everywhere = {node for found in self._telemetry.values() for node in found.nodes}
        for name in wanted:
            if name.casefold() not in {node.casefold() for node in everywhere}:
                raise InputError("nodes", f'there is no node "{name}"{nearest(name, everywhere)}', "correct the name")
        known = {node.casefold() for node in self._telemetry[kind].nodes}
        return [name for name in wanted if name.casefold() in known]

    def _counts(
        self, kind: str, nodes: Sequence[str] | str | None, window: Window, width: pd.Timedelta, by: str | None
    ) -> pd.DataFrame:
        found = self._telemetry[kind]
        named = wide.nodes_of(found, self._here(kind, nodes))
        rows = found(nodes=named, columns=[by] if by else [], during=window)
        return wide.counts(rows, named, width, by, "rows")

    def sliding(
        self,
        *,
        length: Length,
        step: Length,
        every: Length = "1s",
        nodes: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
    ) -> Windows:
        """Return windows of equal length over the metrics, with labels; none reaches out of a span of a split.

        Args:
            length: of a window.
            step: from one window's start to the next one's.
            every: distance of two steps in a window.
            nodes: as in ``wide``.
            columns: as in ``wide``.
            during: as in ``wide``.
            margin: as in ``wide``.

        Raises:
            InputError: as in ``wide``, or a length is no whole number of steps.
        """
        window = ALWAYS if during is None else spans.window_of(during, margin)
        parts = spans.shared(self.within, window)
        pieces = [self.wide(nodes=nodes, columns=columns, during=part, every=every) for part in parts]
        if not pieces:
            raise InputError("during", "nothing of this dataset lies in it", "give another span")
        lengths = [pd.Timedelta(spans.length(value)) for value in (every, length, step)]
        return sliding.sliding(pieces, *lengths)

    def windows(self, *, margin: Margin = "5min") -> Iterator[tuple[tables.InjectionRow, Window]]:
        """Yield each injection with when it is felt, its recovery included, and a margin: to be given as ``during``."""
        felt = {extent.injection_id: extent.window for extent in self.extents}
        for injection in self.injections:
            yield injection, spans.window_of(felt[injection.injection_id], margin)

    # --- truth, splits, floors --------------------------------------------------------------------------------------

    @functools.cached_property
    def extents(self) -> tuple[Extent, ...]:
        """When each injection is felt, by command, impacts and labeled rows; in the order of ``injections``."""
        labeled = extent_rows.labeled(self._telemetry.values())
        return tuple(timeline.extents(self.injections, self.impacts, labeled))

    @functools.cached_property
    def root_causes(self) -> tuple[RootCause, ...]:
        """Where each injection acted, and what is not known of that; in the order of ``injections``."""
        return tuple(root_causes(self.injections, self.targets))

    def splits(self, *, by: str = "injection", folds: int = 5, seed: int = 0, gap: Length = "0s") -> Iterator[Split]:
        """Yield ways to split into training and test part, both of which are datasets.

        Injections that overlap stay together. All time is cut, in the middle of the quiet between two such groups:
        never through an injection or its recovery. Each group is tested in exactly one fold.

        Args:
            by: ``injection``; windows drawn at random would put one injection into both parts.
            folds: how many; at most the number of groups.
            seed: which groups are tested together.
            gap: quiet time left out of training on both sides of what is tested.

        Raises:
            InputError: there are too few groups, or ``by`` is something else.
        """
        if by != "injection":
            problem = f'"{by}" would put one injection into both parts' if by in ("window", "windows", "random") else ""
            raise InputError("by", problem or f'"{by}" is no way to split', 'give by="injection"')
        for fold in timeline.folds(timeline.groups(self.extents), folds, seed, spans.length(gap)):
            train = dataclasses.replace(self, within=self._limited(fold.train))
            yield Split(train, dataclasses.replace(self, within=self._limited(fold.test), learnt_from=train))

    def _limited(self, wanted: Sequence[Window]) -> tuple[Window, ...]:
        return tuple(part for span in wanted for part in spans.shared(self.within, span))

    def floors(self, task: str = "anomalies") -> pd.DataFrame:
        """Return the trivial scores of a task: what a method has to beat. Of a test part, with what training says.

        Args:
            task: ``anomalies``: telling anomalous rows of metrics from others (rows of no node do not count);
                ``root_causes``: naming the node.

        Returns:
            A row each for constant, chance, always, never and largest |z|; columns as in
            ``faultset.dataset.floors.of_anomalies`` and ``of_root_causes``.

        Raises:
            InputError: there are no metrics, or no such task.
        """
        train = self.learnt_from or self
        if task == "anomalies":
            kpis, nodes = self.metrics.values, self.metrics.nodes
            parts = ((floors.rows_of(train.metrics, node), floors.rows_of(self.metrics, node)) for node in nodes)
            return floors.of_many_anomalies(parts, kpis)
        if task == "root_causes":
            return floors.of_root_causes(train.root_causes, self.root_causes, self.metrics.nodes, self.moved(train))
        raise InputError("task", f'there is no task "{task}"{nearest(task, _TASKS)}', f"there are {', '.join(_TASKS)}")

    def moved(self, train: Dataset) -> dict[str, dict[str, float]]:
        """Return injection id -> node -> its largest |z| while the injection was felt; ``train`` says what is usual."""
        kpis, nodes = self.metrics.values, self.metrics.nodes
        quiet = floors.Quiet.together(floors.Quiet.of(floors.rows_of(train.metrics, node), kpis) for node in nodes)
        moved = {}
        for injection, window in self.windows(margin="0s"):
            rows = self.metrics(columns=kpis, during=window)
            largest = pd.Series(quiet.largest_z(rows), index=rows.index).groupby(rows["node"]).max().dropna()
            moved[injection.injection_id] = {str(node): float(z) for node, z in largest.items()}
        return moved

    # --- shown ------------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return notebook.lines(f"{self.slug} {self.version}", self._shown())

    def _repr_html_(self) -> str:
        return notebook.html(f"{self.slug} {self.version}", self._shown())

    def _shown(self) -> dict[str, object]:
        found = overview.described(self.manifest)
        held = {name: f"{rows:,} row{'s' * (rows != 1)}" for name, rows in found["tables"].items()}
        for kind in found["telemetry"]:
            nodes = columns.few(kind["nodes"])
            held[kind["kind"]] = f"{kind['rows']:,} rows in {counted(kind['files'], 'file')}, nodes {nodes}"
        limited = "" if self.within == (ALWAYS,) else f"{len(self.within)} spans of time"
        return {"title": self.manifest.title, "part": limited, **held, "path": self.path}


class Datasets(Sequence[DatasetRecord]):
    """The datasets of a root; ``"slug" in datasets`` asks for one, ``.pandas()`` gives a table."""

    def __init__(self, found: Sequence[DatasetRecord]) -> None:
        self._found = tuple(found)

    @overload
    def __getitem__(self, index: int) -> DatasetRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DatasetRecord]: ...
    def __getitem__(self, index: int | slice) -> DatasetRecord | Sequence[DatasetRecord]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, wanted: object) -> bool:
        return wanted in self._found or any(found.slug == wanted for found in self._found)

    def pandas(self) -> pd.DataFrame:
        """Return a row a dataset."""
        names = [field.name for field in dataclasses.fields(DatasetRecord)]
        return pd.DataFrame([{name: getattr(found, name) for name in names} for found in self], columns=names)

    def __repr__(self) -> str:
        return notebook.lines(counted(len(self), "dataset"), self._shown())

    def _repr_html_(self) -> str:
        return notebook.html(counted(len(self), "dataset"), self._shown())

    def _shown(self) -> dict[str, object]:
        shown: dict[str, object] = {found.slug: f"{found.latest or 'withdrawn'}  {found.title}" for found in self[:50]}
        return {**shown, "…": f"{len(self) - 50} more"} if len(self) > 50 else shown


# --- opening ----------------------------------------------------------------------------------------------------------


def open_dataset(slug: str, *, version: str | None = None, root: str | Path | None = None) -> Dataset:
    """Open a published version.

    What is read is always a whole version: its manifest appears last and never changes, and nothing is looked for that
    it does not name. A version that was withdrawn can still be read; a warning says why it was withdrawn.

    Args:
        slug: name of the dataset.
        version: X.Y.Z; None for the latest.
        root: root of the datasets, a folder, ``s3://bucket/prefix`` or ``https://host/path``; None for
            ``FAULTSET_DATASETS``.

    Raises:
        InputError: there is no such dataset or version, or its manifest is damaged.
        SetupError: the root cannot be read.
    """
    where = root_at(root)
    known = known_versions(where, slug)
    chosen = version or known.latest
    if chosen is None:
        raise InputError(slug, "every version was withdrawn", f"name one of {', '.join(known.numbers)}")
    manifest = manifest_of(where, slug, chosen, known)
    if manifest.schema_version.split(".")[0] != tables.SCHEMA_VERSION.split(".")[0]:
        warnings.warn(f"{slug} {chosen} has schema {manifest.schema_version}, newer than this tool", stacklevel=3)
    if chosen in known.withdrawn:
        warnings.warn(f"{slug} {chosen} was withdrawn: {printable(known.withdrawn[chosen])}", stacklevel=3)
    return Dataset(slug, chosen, manifest, where)


def list_datasets(*, root: str | Path | None = None) -> Datasets:
    """Return the datasets of a root, by name.

    Args:
        root: as in ``open_dataset``.

    Raises:
        SetupError: the root cannot be read.
    """
    return Datasets(records(root_at(root)))
