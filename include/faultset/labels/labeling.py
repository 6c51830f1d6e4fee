"""Labels on a block of rows: its times in UTC, the node of each row, and what the windows say of both."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pyarrow as pa

from faultset import tables
from faultset.errors import InputError, printable
from faultset.labels import arrays, repeated_hour
from faultset.labels.leaks import Leak
from faultset.labels.lookup import Lookup, Places
from faultset.labels.windows import PHASES, NodeWindows
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.kit.redaction import redact
from faultset.sources.telemetry import node_of, true_name
from faultset.sources.telemetry.format import NOT_KNOWN, Block, ColumnType, Flags, Microseconds, Rows
from faultset.sources.telemetry.secrets import without_secrets
from faultset.sources.telemetry.wall_clock import REPEATED, SKIPPED, declared_zone, in_range, to_utc

_TIMESTAMP = pa.timestamp("us", "UTC")
_PHASES = arrays.texts(PHASES)

LABELS: dict[TelemetryKind, type] = {
    "metrics": tables.MetricsLabels,
    "logs": tables.LogLabels,
    "traces": tables.LogLabels,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known before a row is read; ``types`` and ``passes`` are learned on the way."""

    file: TelemetryFile
    windows: NodeWindows
    nodes: frozenset[str] | None
    leak: Leak | None
    types: dict[str, ColumnType] = field(default_factory=dict)
    passes: list[repeated_hour.Passes] = field(default_factory=list)


class RepeatedHourError(Exception):
    """A row lies in a repeated hour: the passes have to be decided on the whole file first."""


@dataclass(frozen=True, slots=True)
class Moments:
    """The times of a block in UTC: microseconds (``NOT_KNOWN`` where there are none) and the rows that are doubtful."""

    us: Microseconds
    ambiguous: Flags
    nonexistent: Flags


@dataclass(frozen=True, slots=True)
class Part:
    """A labeled block: its rows as written, what they came from, the place of each row's segment, and counts.

    ``node`` is the one that the file is named after; "" where the rows name theirs.
    """

    table: pa.Table
    block: Block
    moments: Moments
    place: Places
    node: str
    boundary: int
    boundary_anomalous: int
    guarded: int
    guarded_anomalous: int
    names_injection: int
    redacted: int
    repeats: int
    differences: Microseconds
    series_begin: Flags | None
    named_kpis: frozenset[str]
    out_of_range: Mapping[str, int]
    blur_s: Mapping[str, float]


_RENAMED = {"timestamp": "source_timestamp", "node": "source_node"}


def written_as(column: str) -> str:
    """Return what a source's column is called in a dataset: its own name, which two labels of every row need."""
    return _RENAMED.get(column, column)


class BlockLabeler:
    """Lays labels on blocks; safe to use from several threads."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        self._plan = plan
        self._layout = rows.layout
        self._node = None if rows.layout.names_nodes else _known_node(plan, rows.layout.fixed_node)
        self.lookup = Lookup(plan.windows, rows.layout.row_uncertainty_s, rows.layout.blurs_s)
        kind = LABELS[plan.file.kind]
        declared = tables.columns(tables.Table(plan.file.kind, kind, ()))
        clash = [spec.name for spec in declared if spec.name in rows.types and spec.name not in _RENAMED]
        if clash:
            raise InputError(f"{plan.file.name}:1", f"column {clash[0]!r} has the name of a label", "rename it")
        if unsafe := [name for name in rows.types if redact(name) != name or printable(name, 10_000) != name]:
            column = f"column {list(rows.types).index(unsafe[0]) + 1}"
            raise InputError(f"{plan.file.name}:1", f"{column} has a name that cannot be shown", "rename it")
        source = [pa.field(written_as(name), arrow_type(of)) for name, of in rows.types.items()]
        added = [pa.field(spec.name, self._label_type(spec), nullable=spec.nullable) for spec in declared]
        self.schema = pa.schema([*source, *added])

    def _label_type(self, spec: tables.ColumnSpec) -> pa.DataType:
        """Return the type to write: names from few come as dictionaries, and are plain text in the file."""
        if spec.name == "node" and self._node is None:
            return pa.large_string()
        names = pa.dictionary(pa.int32(), pa.large_string())
        return {pa.string(): names, pa.list_(pa.string()): pa.list_(names)}.get(spec.arrow_type, spec.arrow_type)

    def label(self, block: Block, row: int) -> Part:
        """Return the labeled rows of ``block``, before which ``row`` rows stand in the file."""
        block = _with_true_nodes(self._plan.file, block)
        moments = _with_true_times(self._plan.file, self._moments(block, row))
        known = moments.us != NOT_KNOWN
        place = self._places(block, moments.us)
        unsure = moments.ambiguous | moments.nonexistent | ~known
        boundary = self.lookup.is_boundary[place] | unsure
        anomalous = self.lookup.is_anomalous[place]
        guarded = self.lookup.is_guarded[place] & ~unsure
        names = self._names_injection(block)
        labels: dict[str, object] = {
            "timestamp": arrays.numbers(moments.us, _TIMESTAMP, None if known.all() else known),
            "node": self._nodes(block),
            "source_row": arrays.numbers(places_of(block) + row, pa.int64()),
            "is_anomalous": arrays.flags(anomalous),
            "injection_ids": self.lookup.injection_ids.take(place),
            "node_injection_ids": self.lookup.node_injection_ids.take(place),
            "phase": arrays.names(self.lookup.phase[place].astype(np.int32), _PHASES),
            "is_boundary": arrays.flags(boundary),
            "impacted_kpis": self.lookup.impacted_kpis.take(place) if names is None else None,
            "names_injection": None if names is None else arrays.flags(names),
        }
        frame, redacted = without_secrets(block.frame, keep=self._layout.time)
        source = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        columns = [*source.columns, *(labels[name] for name in self.schema.names[source.num_columns :])]
        return Part(
            table=pa.table(columns, schema=self.schema),
            block=block,
            moments=moments,
            place=place,
            node=self._node or "",
            boundary=int(boundary.sum()),
            boundary_anomalous=int((boundary & anomalous).sum()),
            guarded=int(guarded.sum()),
            guarded_anomalous=int((guarded & anomalous).sum()),
            names_injection=0 if names is None else int(names.sum()),
            redacted=redacted,
            repeats=_repeats(block.frame, moments.us),
            differences=self._differences(block, moments.us),
            series_begin=self._series_begin(block),
            named_kpis=self._named_kpis(block.frame),
            out_of_range=self._out_of_range(block.frame),
            blur_s=self._blurs(block),
        )

    def _moments(self, block: Block, row: int) -> Moments:
        clock = block.clock
        known = clock.us != NOT_KNOWN
        if not in_range(clock.us[known]):
            raise InputError(
                self._plan.file.name,
                f"a time in the rows {row + 1:,} to {row + len(known):,} lies outside of 1970 to 2200",
                "correct the row",
            )
        nowhere = np.zeros(len(known), bool)
        wall = np.flatnonzero(clock.wall)
        if not len(wall):
            return Moments(clock.us, nowhere, nowhere)
        written = clock.us if len(wall) == len(known) else clock.us[wall]
        utc = to_utc(written, declared_zone(self._plan.file, written))
        if utc.kind is None and len(wall) == len(known):
            return Moments(utc.us, nowhere, nowhere)
        us = clock.us.copy()
        us[wall] = utc.us
        if utc.kind is None:
            return Moments(us, nowhere, nowhere)
        ambiguous, nonexistent = nowhere.copy(), nowhere.copy()
        nonexistent[wall] = utc.kind == SKIPPED
        twice = np.flatnonzero(utc.kind == REPEATED)
        if len(twice):
            if not self._plan.passes:
                raise RepeatedHourError
            decided = self._plan.passes[0].of(places_of(block)[wall[twice]] + row)
            us[wall[twice]] = np.where(decided == repeated_hour.SECOND, utc.second_us[twice], utc.us[twice])
            ambiguous[wall[twice]] = decided == repeated_hour.UNDECIDED
        return Moments(us, ambiguous, nonexistent)

    def _places(self, block: Block, us: Microseconds) -> Places:
        """Return the place of each row's segment in the lookup."""
        if self._node is not None:
            return self.lookup.places(self._node, us, block.blur)
        # A node that the cluster does not have is one that nothing happened to: exported logs hold other hosts too.
        nodes = block.nodes if block.nodes is not None else pl.Series([None] * len(us), dtype=pl.String)
        place = np.zeros(len(us), np.int64)
        for name in nodes.unique().sort().to_list():
            here = nodes.eq_missing(pl.Series([name], dtype=pl.String)).to_numpy()
            place[here] = self.lookup.places(name, us[here], None if block.blur is None else block.blur[here])
        return place

    def _nodes(self, block: Block) -> pa.Array:
        if self._node is not None:
            return arrays.names(np.zeros(len(block.frame), np.int32), arrays.texts([self._node]))
        return block.nodes.to_arrow(compat_level=pl.CompatLevel.oldest()) if block.nodes is not None else None

    def _names_injection(self, block: Block) -> Flags | None:
        if self._layout.text is None:
            return None
        if self._plan.leak is None:
            return np.zeros(len(block.frame), bool)
        return np.asarray(block.frame.select(self._plan.leak(pl.col(self._layout.text))).to_series(), bool)

    def _kpis(self, frame: pl.DataFrame) -> list[str]:
        """Return the columns that are KPIs, in rows that hold one each."""
        numbers = (name for name, kind in frame.schema.items() if kind.is_numeric())
        return [name for name in numbers if self._layout.is_kpi(name)]

    def _named_kpis(self, frame: pl.DataFrame) -> frozenset[str]:
        long = self._layout.long
        return frozenset() if long is None else frozenset(frame[long.kpi].drop_nulls().unique().to_list())

    def _series_begin(self, block: Block) -> Flags | None:
        """Return the rows at which another series begins, in a file of series; None where all rows are of one."""
        if self._layout.long is None or not len(block.frame):
            return None
        kpi = block.frame[self._layout.long.kpi]
        begins = kpi.ne_missing(kpi.shift(1))
        if block.nodes is not None:
            begins |= block.nodes.ne_missing(block.nodes.shift(1))
        flags = np.array(begins.to_numpy(), bool)
        flags[0] = True
        return flags

    def _out_of_range(self, frame: pl.DataFrame) -> dict[str, int]:
        """Return KPI -> values that cannot be, by what the format knows of it; those without are left out."""
        if self._layout.kind != "metrics" or self._layout.long is not None:
            return {}
        found: dict[str, int] = {}
        for name in self._kpis(frame):
            least, most = self._layout.values.bounds(name)
            wrong = 0 if least is None else int((frame[name] < least).sum())
            wrong += 0 if most is None else int((frame[name] > most).sum())
            if wrong:
                found[name] = wrong
        return found

    def _blurs(self, block: Block) -> dict[str, float]:
        """Return KPI -> by how much its values lag behind at most, in seconds; those that do not are left out."""
        blurs, long = self._layout.blurs_s, self._layout.long
        if self._layout.kind != "metrics" or not any(blurs):
            return {}
        if long is None:
            return dict.fromkeys(self._kpis(block.frame), max(blurs))
        place = block.blur if block.blur is not None else np.zeros(len(block.frame), np.int8)
        frame = pl.DataFrame({"kpi": block.frame[long.kpi], "blur": np.asarray(blurs)[place]})
        most = frame.group_by("kpi").agg(pl.col("blur").max())
        return {kpi: blur for kpi, blur in most.iter_rows() if kpi is not None and blur}

    def _differences(self, block: Block, us: Microseconds) -> Microseconds:
        """Return by how much the rows' second time is off, in microseconds; empty where there is none."""
        if block.clock.beside is None or self._plan.file.time_zone is None:
            return np.array([], np.int64)
        both = block.clock.beside != NOT_KNOWN
        beside = block.clock.beside[both]
        if not in_range(beside):
            return np.array([], np.int64)
        utc = to_utc(beside, self._plan.file.time_zone)
        said = us[both] - self._plan.file.shift_us
        first, second = utc.us - said, utc.second_us - said
        return np.asarray(np.where(np.abs(second) < np.abs(first), second, first), np.int64)


def _repeats(frame: pl.DataFrame, us: Microseconds) -> int:
    """Return how many rows are identical to the one directly before; most differ in the first columns already."""
    same = np.flatnonzero(us[1:] == us[:-1])
    for column in sorted(frame.iter_columns(), key=lambda column: column.dtype == pl.String):
        if not len(same):
            break
        equal = column.gather(same + 1).eq_missing(column.gather(same))
        same = same[equal.to_numpy()]
    return len(same)


def places_of(block: Block) -> Microseconds:
    """Return of each row its place among the block's rows in the source."""
    return np.arange(len(block.frame), dtype=np.int64) if block.places is None else block.places


def _with_true_nodes(file: TelemetryFile, block: Block) -> Block:
    """Return the block with the names that nodes truly have; the source's own columns stay as they are."""
    if block.nodes is None or not (file.renamed or file.hosts):
        return block
    written = block.nodes.drop_nulls().unique().to_list()
    return replace(block, nodes=block.nodes.replace({name: true_name(file, name) for name in written}))


def _with_true_times(file: TelemetryFile, moments: Moments) -> Moments:
    """Return the times as a declared correction of the source's clock says."""
    if not file.shift_us:
        return moments
    return replace(moments, us=np.where(moments.us == NOT_KNOWN, moments.us, moments.us + file.shift_us))


def _known_node(plan: Plan, fixed: str | None) -> str:
    node = true_name(plan.file, fixed) if fixed is not None else node_of(plan.file)
    if plan.nodes is not None and node not in plan.nodes:
        raise unknown_node(plan, node, "")
    return node


def unknown_node(plan: Plan, node: str, where: str) -> InputError:
    """Return the error of a file of a node that the cluster does not have."""
    near = difflib.get_close_matches(node, plan.nodes or (), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    known = ", ".join(sorted(plan.nodes or ())[:20])
    return InputError(
        plan.file.name, f"{where}the cluster has no node {node!r}{hint}", f"its nodes are {known}; correct the name"
    )


def arrow_type(kind: ColumnType) -> pa.DataType:
    """Return the type in memory of a source's column."""
    if kind == pl.Int64:
        return pa.int64()
    return pa.float64() if kind == pl.Float64 else pa.large_string()


def file_type(kind: ColumnType) -> pa.DataType:
    """Return the type in the parquet file of a source's column."""
    found = arrow_type(kind)
    return pa.string() if pa.types.is_large_string(found) else found
