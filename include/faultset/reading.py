"""Reading a published dataset: tables as rows, pandas or Arrow, and telemetry without touching more than needed.

Nothing here knows how a dataset was made; ``faultset.open`` is the way in.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
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
from faultset.bucket import Bucket, is_bucket
from faultset.errors import InputError, printable
from faultset.moments import UTC
from faultset.release import history, number, parquet
from faultset.release.manifest import Manifest, decode
from faultset.settings import Settings
from faultset.storage import MANIFEST, Store, check_slug, open_root, reported
from faultset.tables import ImpactRow, InjectionRow, Table

Row = TypeVar("Row")
KINDS = ("metrics", "logs", "traces")
_FORMAT = ds.ParquetFileFormat()
_LABELS = [field.name for field in dataclasses.fields(tables.TelemetryLabels)]
_EXTRA_LABELS = ["impacted_kpis", "names_injection"]


# --- files of a version, in a folder or in a bucket -------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class StoredFile:
    """A file of a version in a bucket; ``str()`` gives its URI.

    Attributes:
        bucket: where it lies.
        key: its name there.
        size: in bytes.
    """

    bucket: Bucket
    key: str
    size: int

    def __str__(self) -> str:
        return self.bucket.uri_of(self.key)

    def content(self) -> bytes:
        """Return all of it."""
        return self.bucket.read_range(self.key, 0, self.size) if self.size else b""


class _Ranges(io.RawIOBase):
    """A stored file as a file object that asks the storage for exactly the bytes that are read."""

    def __init__(self, file: StoredFile) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._file.size - self._at)
        if length <= 0:
            return 0
        data = self._file.bucket.read_range(self._file.key, self._at, length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


File = Path | StoredFile


def _table_of(file: File) -> pa.Table:
    """Return all rows of a file of a version.

    Raises:
        InputError: it is damaged.
        SetupError: it cannot be read.
    """
    if isinstance(file, Path):
        return parquet.read_arrow(file)
    return parquet.decode_arrow(file.content(), file)


def _fragment(file: File, filesystem: fs.FileSystem) -> ds.Fragment:
    if isinstance(file, Path):
        return _FORMAT.make_fragment(str(file), filesystem)
    return _FORMAT.make_fragment(pa.PythonFile(_Ranges(file), mode="r"))


# --- what is read -----------------------------------------------------------------------------------------------------


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

    def __init__(self, table: Table, file: File) -> None:
        self._table = table
        self._file = file
        self._rows: list[Row] = parquet.rows(table, _table_of(file), file)

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
        return _table_of(self._file)

    def pandas(self) -> pd.DataFrame:
        """Return the table as pandas."""
        frame: pd.DataFrame = self.arrow().to_pandas()
        return frame


class Telemetry:
    """One kind of telemetry of a dataset; call it to read rows."""

    def __init__(self, kind: str, files: Sequence[File], filesystem: fs.FileSystem | None = None) -> None:
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
        with reported(self.files[0]):
            fragments = [_fragment(file, self._filesystem) for file in self.files]
            data = ds.FileSystemDataset(fragments, fragments[0].physical_schema, _FORMAT)
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
        path: its folder; a URI where it lies in a bucket.
        manifest: everything that ``manifest.json`` says.
    """

    slug: str
    version: str
    path: Path | str
    manifest: Manifest
    _bucket: Bucket | None = dataclasses.field(repr=False)

    def _file(self, name: str, size: int) -> File:
        """Return a file that the manifest names."""
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise InputError(f"{self.slug} {self.version}", f"{name} is no file of a version", "run faultset verify")
        if self._bucket:
            return StoredFile(self._bucket, f"{self.slug}/{self.version}/{name}", size)
        return Path(self.path) / name

    def _rows(self, table: Table) -> Rows[Any]:
        name = f"{table.name}.parquet"
        found = next((file for file in self.manifest.files if file.path == name), None)
        if found is None:
            raise InputError(f"{self.slug} {self.version}", f"it has no table {table.name}", "see its card")
        return Rows(table, self._file(name, found.bytes))

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

    @property
    def impact_tests(self) -> Rows[tables.ImpactTestRow]:
        """What was tested, found or not, and how large a move could have hidden."""
        return self._rows(tables.IMPACT_TESTS)

    def _telemetry(self, kind: str) -> Telemetry:
        found = [file for file in self.manifest.files if file.path.startswith(f"{kind}/") and file.schema is not None]
        found.sort(key=lambda file: file.path)
        return Telemetry(kind, [self._file(file.path, file.bytes) for file in found])

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


# --- opening ----------------------------------------------------------------------------------------------------------


def open_dataset(slug: str, *, version: str | None = None, root: str | Path | None = None) -> Dataset:
    """Open a published version.

    What is read is always a whole version: its manifest appears last and never changes, and nothing is looked for that
    it does not name. A version that was withdrawn can still be read; a warning says why it was withdrawn.

    Args:
        slug: name of the dataset.
        version: X.Y.Z; None for the latest.
        root: root of the datasets, a folder or ``s3://bucket/prefix``; None for ``FAULTSET_DATASETS``.

    Raises:
        InputError: there is no such dataset or version, or its manifest is damaged.
        SetupError: the root cannot be read.
    """
    where = str(root) if root is not None else Settings.from_environment().datasets
    store = open_root(where)
    chosen = version or _latest(store, slug)
    manifest = _manifest(store, slug, chosen)
    if manifest.schema_version.split(".")[0] != tables.SCHEMA_VERSION.split(".")[0]:
        warnings.warn(f"{slug} {chosen} has schema {manifest.schema_version}, newer than this tool", stacklevel=3)
    reason = release.withdrawal(where, slug, chosen)
    if reason is not None:
        warnings.warn(f"{slug} {chosen} was withdrawn: {printable(reason)}", stacklevel=3)
    folder = store.uri_of(f"{slug}/{chosen}")
    if is_bucket(where):
        return Dataset(slug, chosen, folder, manifest, Bucket.at(where))
    return Dataset(slug, chosen, Path(folder), manifest, None)


def _latest(store: Store, slug: str) -> str:
    """Return the version that ``latest.json`` names; the newest one where that is missing."""
    pointer = history.read_pointer(store, check_slug(slug))
    return pointer.version if pointer else _versions(store, slug)[-1]


def _versions(store: Store, slug: str) -> list[str]:
    """Return the versions of a dataset, ascending.

    Raises:
        InputError: there is none.
    """
    known = history.version_numbers(store, check_slug(slug))
    if not known:
        raise InputError(slug, "there is no dataset of this name", "see faultset versions for all names")
    return [str(one) for one in known]


def _manifest(store: Store, slug: str, version: str) -> Manifest:
    """Return a version's manifest, checked against ``latest.json`` where that names the version."""
    name = f"{check_slug(slug)}/{version}/{MANIFEST}"
    data = store.read(name) if number.parse(version) else None
    if data is None:
        known = ", ".join(_versions(store, slug))
        raise InputError(f"{slug} {version}", "there is no such version", f"there are {known}")
    pointer = history.read_pointer(store, slug)
    if pointer and pointer.version == version and pointer.manifest_sha256 != hashlib.sha256(data).hexdigest():
        raise InputError(store.uri_of(name), "this is not the manifest that was published", "run faultset verify")
    return decode(data, store.uri_of(name))
