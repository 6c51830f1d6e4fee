"""One kind of telemetry of a dataset, read as one table: only what is asked for, file by file."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from faultset.dataset import columns as unified
from faultset.dataset import notebook, spans
from faultset.dataset.long_rows import Long, laid_out
from faultset.dataset.spans import During, Margin
from faultset.errors import InputError, nearest
from faultset.labels import one_table
from faultset.moments import Window
from faultset.release import parquet
from faultset.storage import explain_os_errors

if TYPE_CHECKING:
    from faultset.dataset.files import File

_AT_ONCE = 8
_BATCH_ROWS = 65_536
_FORMAT = ds.ParquetFileFormat()


@pd.api.extensions.register_dataframe_accessor("arrow")
class AsArrow:
    """``frame.arrow()``: a frame as Arrow. ``Telemetry.arrow`` also keeps the types that pandas has no room for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __call__(self) -> pa.Table:
        """Return the frame's columns, without its index."""
        return pa.Table.from_pandas(self._frame, preserve_index=False)


@dataclass(frozen=True)
class Part:
    """One file of telemetry, and what the manifest says of it.

    Attributes:
        file: where it is.
        columns: column -> type.
        rows: number of rows.
        nodes: names of the nodes that its rows are of; None where the manifest does not say.
        first: earliest time of a row, UTC; None where the manifest does not say, or no row has one.
        last: latest time.
        kpis: the columns that are KPIs; None where the manifest does not say, so that all numbers are.
        long: where each row holds the value of one KPI; None where each KPI has a column.
    """

    file: File
    columns: Mapping[str, pa.DataType]
    rows: int
    nodes: tuple[str, ...] | None = None
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    kpis: tuple[str, ...] | None = None
    long: Long | None = None

    def may_hold(self, nodes: Sequence[str] | None, wanted: Sequence[Window]) -> bool:
        """Whether it can have a row of these nodes (None: any) in these spans; else it need not be opened."""
        if nodes is not None and self.nodes is not None and not {*nodes} & {*self.nodes}:
            return False
        first, last = self.first, self.last
        return first is None or last is None or any(span.start <= last and first < span.end for span in wanted)

    def read(self, names: Sequence[str], condition: pc.Expression | None) -> pa.Table:
        """Return rows; of ``names`` only the columns that it has.

        Where rows name their KPIs and some of ``names`` are such, there is a row a moment and node, a column a KPI.

        Raises:
            InputError: the file is damaged.
            SetupError: it cannot be read.
        """
        with explain_os_errors(self.file), parquet.whole(self.file):
            fragment = self.file.fragment()
            data = ds.FileSystemDataset([fragment], fragment.physical_schema, _FORMAT)
            wanted = [name for name in names if name in self.columns]
            asked = [] if self.long is None else [name for name in names if name in self.long.kpis]
            if self.long is None or not asked or self.long.kpi in names:
                return data.to_table(columns=wanted, filter=condition)
            needed = dict.fromkeys((*wanted, "timestamp", "node", self.long.kpi, self.long.value))
            return laid_out(data.to_table(columns=list(needed), filter=condition), self.long, asked)

    def batches(self) -> Iterator[pa.Table]:
        """Yield all rows, some at a time.

        Raises:
            InputError: the file is damaged.
            SetupError: it cannot be read.
        """
        with explain_os_errors(self.file), parquet.whole(self.file):
            for batch in self.file.fragment().to_batches(batch_size=_BATCH_ROWS):
                yield pa.Table.from_batches([batch])


@dataclass(frozen=True)
class Telemetry:
    """One kind of telemetry of a dataset; call it to read rows as pandas, ``arrow`` gives them as Arrow.

    Attributes:
        kind: metrics, logs or traces.
        parts: its files, in order of their paths.
        within: spans of time that it is limited to, as a part of a split is.
    """

    kind: str
    parts: tuple[Part, ...]
    within: tuple[Window, ...] = field(default=(spans.ALWAYS,))

    def __call__(
        self,
        *,
        nodes: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
    ) -> pd.DataFrame:
        """Return rows as pandas; arguments as in ``arrow``."""
        frame: pd.DataFrame = self.arrow(nodes=nodes, columns=columns, during=during, margin=margin).to_pandas()
        return frame

    def arrow(
        self,
        *,
        nodes: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
    ) -> pa.Table:
        """Return rows as Arrow, file by file, in the order of the source's rows.

        All files have one set of columns: what a source does not have is null, and a type is one that holds all. Only
        the columns asked for are read, and only row groups that can hold rows of these nodes in this time.

        Args:
            nodes: names of nodes in any case, or a single one; None for all.
            columns: source columns, or a single one; None for all. Time, node, row number and labels come along always.
            during: an injection (to its latest possible end), an impact, or (start, end), half-open; None for all.
            margin: time before and after ``during``, such as ``5min``; a pair where they differ.

        Returns:
            The source's columns, timestamp, node, source_row, the labels; of some columns the latter three come first.

        Raises:
            InputError: the dataset has no such telemetry, node or column, or a time has no zone.
            SetupError: a file cannot be read.
        """
        found = list(self.pieces(nodes=nodes, columns=columns, during=during, margin=margin))
        return pa.concat_tables(found) if found else self._schema(columns).empty_table()

    def pieces(
        self,
        *,
        nodes: Sequence[str] | str | None = None,
        columns: Sequence[str] | str | None = None,
        during: During | None = None,
        margin: Margin = "0s",
    ) -> Iterator[pa.Table]:
        """Yield what ``arrow`` returns a file at a time, for what does not fit into memory."""
        schema = self._schema(columns)
        spelled = None if nodes is None else self.spelled(nodes)
        wanted = self.within if during is None else spans.shared(self.within, spans.window_of(during, margin))
        parts = [part for part in self.parts if wanted and part.may_hold(spelled, wanted)]
        limit = _condition(spelled, () if wanted == (spans.ALWAYS,) else wanted)

        def read(part: Part) -> pa.Table:
            return one_table.conform(part.read(schema.names, limit), schema)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(read, parts)

    def _schema(self, columns: Sequence[str] | str | None) -> pa.Schema:
        if not self.parts:
            raise InputError(self.kind, "this dataset has no such telemetry", "see its card for what it holds")
        schema = self.schema if columns is None else self._with_kpis
        names = unified.chosen(schema, columns, self.kind)
        return pa.schema([schema.field(name) for name in names])

    @functools.cached_property
    def _with_kpis(self) -> pa.Schema:
        """All columns, and one for each KPI that rows name."""
        named = dict.fromkeys(kpi for part in self.parts if part.long for kpi in part.long.kpis)
        return pa.schema(
            [*self.schema, *(pa.field(kpi, pa.float64()) for kpi in named if kpi not in self.schema.names)]
        )

    def spelled(self, nodes: Sequence[str] | str) -> list[str]:
        """Return nodes as the rows spell them; host names ignore case.

        Raises:
            InputError: there is no such node; names the nearest.
        """
        wanted = [nodes] if isinstance(nodes, str) else list(nodes)
        for name in wanted:
            if not any(known.casefold() == str(name).casefold() for known in self.nodes):
                raise InputError(
                    self.kind,
                    f'there is no node "{name}"{nearest(str(name), self.nodes)}',
                    f"there are {unified.few(self.nodes) or 'none'}",
                )
        asked = {str(name).casefold() for name in wanted}
        return [known for known in self.nodes if known.casefold() in asked]

    @functools.cached_property
    def schema(self) -> pa.Schema:
        """All columns with their types."""
        return one_table.union(part.columns for part in self.parts)

    @functools.cached_property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that rows are of, sorted; read from the rows where the manifest does not say."""
        found = {node for part in self.parts for node in (_nodes_of(part) if part.nodes is None else part.nodes)}
        return tuple(sorted(found))

    @property
    def files(self) -> tuple[File, ...]:
        """Where its files are, in order of their paths."""
        return tuple(part.file for part in self.parts)

    @functools.cached_property
    def values(self) -> tuple[str, ...]:
        """The source's columns that are numbers: of metrics, the KPIs, those that rows name included."""
        found: dict[str, None] = {}
        for part in self.parts:
            if part.long is not None:
                found |= dict.fromkeys(part.long.kpis)
            else:
                found |= dict.fromkeys(name for name in part.columns if part.kpis is None or name in part.kpis)
        schema = self._with_kpis
        around = {*one_table.FIRST, *one_table.LABELS}
        numbers = {field.name for field in schema if _is_number(field.type) and field.name not in around}
        return tuple(name for name in schema.names if name in found and name in numbers)

    @property
    def _own(self) -> list[str]:
        """The source's columns."""
        return [name for name in self.schema.names if name not in (*one_table.FIRST, *one_table.LABELS)]

    @property
    def rows(self) -> int:
        """Number of rows of all files."""
        return sum(part.rows for part in self.parts)

    def limited(self, within: tuple[Window, ...]) -> Telemetry:
        """Return it limited to spans of time."""
        return replace(self, within=within)

    def __repr__(self) -> str:
        return notebook.line(self._shown())

    def _repr_html_(self) -> str:
        return notebook.html(self.kind, self._shown())

    def _shown(self) -> dict[str, object]:
        if not self.parts:
            return {"telemetry": self.kind, "files": 0}
        return {
            "telemetry": self.kind,
            "files": len(self.parts),
            "rows": f"{self.rows:,}",
            "nodes": unified.few(sorted({node for part in self.parts for node in part.nodes or ()})),
            "columns": unified.few(self._own),
        }


def _nodes_of(part: Part) -> tuple[str, ...]:
    names = pc.unique(part.read(["node"], None)["node"]).to_pylist()
    return tuple(name for name in names if name is not None)


def _condition(nodes: Sequence[str] | None, wanted: Sequence[Window]) -> pc.Expression | None:
    conditions = [] if nodes is None else [pc.field("node").isin(list(nodes))]
    if wanted:
        conditions.append(spans.condition(wanted))
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else conditions[0] & conditions[1]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
