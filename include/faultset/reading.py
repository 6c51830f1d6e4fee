"""Reading a published dataset: tables as rows, pandas or Arrow, and telemetry without touching more than needed.

Nothing here knows how a dataset was made; ``faultset.open`` is the way in.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from faultset import release, tables
from faultset.errors import InputError
from faultset.moments import UTC
from faultset.release import parquet
from faultset.release.manifest import MANIFEST, Manifest, decode
from faultset.settings import Settings
from faultset.storage import reported
from faultset.tables import ImpactRow, InjectionRow, Table

Row = TypeVar("Row")
KINDS = ("metrics", "logs", "traces")
_LABELS = [field.name for field in dataclasses.fields(tables.TelemetryLabels)]
_EXTRA_LABELS = ["impacted_kpis", "names_injection"]


class Frame(pd.DataFrame):
    """A pandas DataFrame that can also be had as Arrow, without the loss of types that pandas brings."""

    _metadata = ("_arrow",)

    @classmethod
    def of(cls, data: pa.Table) -> Frame:
        """Return ``data`` as pandas, remembering where it came from."""
        frame = cls(data.to_pandas())
        object.__setattr__(frame, "_arrow", data)
        return frame

    def arrow(self) -> pa.Table:
        """Return the rows as read, as an Arrow table."""
        return self._arrow

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        # What is computed from a frame is plain pandas: only what was read is known to Arrow.
        return pd.DataFrame


class Rows(Sequence[Row], Generic[Row]):
    """A table's rows, in its order; ``.pandas()`` and ``.arrow()`` give all of them at once."""

    def __init__(self, table: Table, path: Path) -> None:
        self._table = table
        self._path = path
        self._rows: list[Row] = parquet.read_table(table, path)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"<{len(self)} {self._table.name}>"

    def arrow(self) -> pa.Table:
        """Return the table as Arrow."""
        return parquet.read_arrow(self._path)

    def pandas(self) -> pd.DataFrame:
        """Return the table as pandas."""
        frame: pd.DataFrame = self.arrow().to_pandas()
        return frame


class Telemetry:
    """One kind of telemetry of a dataset; call it to read rows."""

    def __init__(self, kind: str, files: Sequence[Path], filesystem: fs.FileSystem | None = None) -> None:
        self.kind = kind
        self.files = tuple(files)
        self._filesystem = filesystem or fs.LocalFileSystem()

    def __call__(
        self,
        *,
        nodes: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        during: InjectionRow | ImpactRow | tuple[dt.datetime, dt.datetime] | None = None,
        margin: str | dt.timedelta = "0s",
    ) -> Frame:
        """Return rows as pandas; arguments as in ``arrow``."""
        return Frame.of(self.arrow(nodes=nodes, columns=columns, during=during, margin=margin))

    def arrow(
        self,
        *,
        nodes: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        during: InjectionRow | ImpactRow | tuple[dt.datetime, dt.datetime] | None = None,
        margin: str | dt.timedelta = "0s",
    ) -> pa.Table:
        """Return rows as Arrow, file by file, in the order of the source's rows.

        Only the columns asked for are read, and only row groups that can hold rows of these nodes in this time.

        Args:
            nodes: short names; None for all.
            columns: source columns; None for all. Time, node, row number and labels come along always.
            during: an injection, an impact, or (start, end) in aware UTC, half-open; None for the whole run. The end's
                uncertainty is included.
            margin: time before and after ``during``, as pandas writes it (``5min``).

        Raises:
            InputError: the dataset has no such telemetry, or no such column.
            SetupError: a file cannot be read.
        """
        if not self.files:
            raise InputError(self.kind, "this dataset has no such telemetry", "see its card for what it holds")
        with reported(self.files[0].parent):
            data = ds.dataset([str(path) for path in self.files], format="parquet", filesystem=self._filesystem)
            return data.to_table(columns=self._columns(data.schema, columns), filter=_filter(nodes, during, margin))

    def _columns(self, schema: pa.Schema, wanted: Sequence[str] | None) -> list[str]:
        labels = [name for name in (*_LABELS, *_EXTRA_LABELS) if name in schema.names]
        if wanted is None:
            return list(schema.names)
        unknown = [name for name in wanted if name not in schema.names]
        if unknown:
            raise InputError(self.kind, f'there is no column "{unknown[0]}"', f"there are {', '.join(schema.names)}")
        return list(dict.fromkeys([*labels[:3], *wanted, *labels[3:]]))


def _filter(
    nodes: Sequence[str] | None,
    during: InjectionRow | ImpactRow | tuple[dt.datetime, dt.datetime] | None,
    margin: str | dt.timedelta,
) -> pc.Expression | None:
    conditions = []
    if nodes is not None:
        conditions.append(pc.field("node").isin(list(nodes)))
    if during is not None:
        start, end = _span(during)
        around = pd.Timedelta(margin).to_pytimedelta()
        kind = pa.timestamp("us", tz="UTC")
        conditions.append(pc.field("timestamp") >= pa.scalar((start - around).astimezone(UTC), kind))
        conditions.append(pc.field("timestamp") < pa.scalar((end + around).astimezone(UTC), kind))
    if not conditions:
        return None
    combined = conditions[0]
    for condition in conditions[1:]:
        combined = combined & condition
    return combined


def _span(during: InjectionRow | ImpactRow | tuple[dt.datetime, dt.datetime]) -> tuple[dt.datetime, dt.datetime]:
    if isinstance(during, InjectionRow):
        return during.started_at, during.ended_at + dt.timedelta(seconds=during.end_uncertainty_s)
    if isinstance(during, ImpactRow):
        return during.started_at, during.ended_at
    return during


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A published version.

    Attributes:
        slug: name of the dataset.
        version: X.Y.Z.
        path: its folder.
        manifest: everything that ``manifest.json`` says.
    """

    slug: str
    version: str
    path: Path
    manifest: Manifest

    def _rows(self, table: Table) -> Rows[Any]:
        path = self.path / f"{table.name}.parquet"
        if not path.is_file():
            raise InputError(f"{self.slug} {self.version}", f"it has no table {table.name}", "see its card")
        return Rows(table, path)

    @property
    def workloads(self) -> Rows[tables.WorkloadRow]:
        """What was asked for and what happened."""
        return self._rows(tables.WORKLOADS)

    @property
    def triggers(self) -> Rows[tables.TriggerRow]:
        """Planned triggers."""
        return self._rows(tables.TRIGGERS)

    @property
    def injections(self) -> Rows[InjectionRow]:
        """What the experimenter did, in order of time."""
        rows = self._rows(tables.INJECTIONS)
        rows._rows.sort(key=lambda row: (row.started_at, row.injection_id))  # noqa: SLF001 (of this module)
        return rows

    @property
    def targets(self) -> Rows[tables.TargetRow]:
        """Nodes and containers that injections acted on."""
        return self._rows(tables.TARGETS)

    @property
    def iterations(self) -> Rows[tables.IterationRow]:
        """Iterations of the workloads."""
        return self._rows(tables.ITERATIONS)

    @property
    def impacts(self) -> Rows[ImpactRow]:
        """KPIs that moved."""
        return self._rows(tables.IMPACTS)

    def _telemetry(self, kind: str) -> Telemetry:
        return Telemetry(kind, sorted((self.path / kind).glob("*.parquet")))

    @property
    def metrics(self) -> Telemetry:
        """Labeled metrics."""
        return self._telemetry("metrics")

    @property
    def logs(self) -> Telemetry:
        """Labeled log lines."""
        return self._telemetry("logs")

    @property
    def traces(self) -> Telemetry:
        """Labeled spans."""
        return self._telemetry("traces")


def open_dataset(slug: str, *, version: str | None = None, root: str | Path | None = None) -> Dataset:
    """Open a published version.

    Args:
        slug: name of the dataset.
        version: X.Y.Z; None for the latest.
        root: root of the datasets; None for ``FAULTSET_DATASETS``.

    Raises:
        InputError: there is no such dataset or version.
        SetupError: the root cannot be read.
    """
    where = str(root) if root is not None else Settings.from_environment().datasets
    known = release.versions(where, slug)
    if not known:
        raise InputError(slug, f"there is no such dataset in {where}", "see faultset versions")
    chosen = version or next((record.version for record in known if record.latest), known[-1].version)
    folder = release.version_folder(where, slug, chosen)
    with reported(folder):
        manifest = decode((folder / MANIFEST).read_bytes(), folder / MANIFEST)
    if manifest.schema_version.split(".")[0] != tables.SCHEMA_VERSION.split(".")[0]:
        warnings.warn(f"{slug} {chosen} has schema {manifest.schema_version}, newer than this tool", stacklevel=2)
    return Dataset(slug, chosen, folder, manifest)
