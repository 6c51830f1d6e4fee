"""A folder that Hugging Face ``datasets.load_dataset(path, config)`` reads; every dataset has the same configs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from faultset import tables
from faultset.dataset.telemetry import Part, Telemetry
from faultset.errors import InputError, printable
from faultset.exports.layout import Layout, Tell
from faultset.labels import one_table
from faultset.release.manifest import CARD

if TYPE_CHECKING:
    from faultset.dataset.opening import Dataset

_DEFAULT = "injections"
_MOST_FILES = 5_000  # a folder of a hub holds 10,000


def write(dataset: Dataset, folder: Path, tell: Tell) -> list[str]:
    """Write all tables and all telemetry as parquet, and a ``README.md`` whose head names the configs."""
    configs: dict[str, list[str]] = {}
    left_out: list[str] = []
    for place, table in enumerate(tables.EVERY_TABLE):
        tell(place, len(tables.EVERY_TABLE), table.name)
        path = folder / "data" / f"{table.name}.parquet"
        path.parent.mkdir(exist_ok=True)
        _write(_table(dataset, table, left_out), path)
        configs[table.name] = [f"data/{table.name}.parquet"]
    for table in tables.TELEMETRY:
        telemetry: Telemetry = getattr(dataset, table.name)
        configs[table.name] = _write_telemetry(telemetry, tables.schema(table), folder / "data", tell)
        if not telemetry.parts:
            left_out.append(f"{table.name}: this dataset has none; the config is there, without rows")
    (folder / CARD).write_text(_card(dataset, configs), encoding="utf-8")
    return left_out


def _write(data: pa.Table, path: Path) -> None:
    """Write a table; one without rows has no row group, as ``datasets`` fails on a row group without rows."""
    with pq.ParquetWriter(path, data.schema, compression="zstd") as writer:
        if len(data):
            writer.write_table(data)


def _table(dataset: Dataset, table: tables.Table, left_out: list[str]) -> pa.Table:
    try:
        found: pa.Table = getattr(dataset, table.name).arrow()
    except InputError as error:
        left_out.append(f"{table.name}: {error.problem}; the config is there, without rows")
        return tables.schema(table).empty_table()
    return found


def _write_telemetry(telemetry: Telemetry, labels: pa.Schema, folder: Path, tell: Tell) -> list[str]:
    """Write a file a part, one part in memory at a time; returns the patterns of their names."""
    (folder / telemetry.kind).mkdir()
    if not telemetry.parts:
        _write(labels.empty_table(), folder / telemetry.kind / "empty.parquet")
        return [f"data/{telemetry.kind}/*.parquet"]
    folders = [f"{number:04}" for number in range(-(-len(telemetry.parts) // _MOST_FILES))]
    for place, part in enumerate(telemetry.parts):
        tell(place, len(telemetry.parts), str(part.file))
        inside = folder / telemetry.kind / (folders[place // _MOST_FILES] if len(folders) > 1 else "")
        inside.mkdir(exist_ok=True)
        _write_part(part, telemetry.schema, inside / f"{place:05}.parquet")
    return [f"data/{telemetry.kind}/{'*/' if len(folders) > 1 else ''}*.parquet"]


def _write_part(part: Part, schema: pa.Schema, path: Path) -> None:
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in part.batches():
            if len(batch):
                writer.write_table(one_table.conform(batch, schema))


def _card(dataset: Dataset, configs: dict[str, list[str]]) -> str:
    """Return the dataset's card with a head that names the configs; the card itself where there is one."""
    head = ["configs:"]
    for name, patterns in configs.items():
        head += [f"- config_name: {name}", f"  data_files: {patterns[0]}"]
        head += ["  default: true"] if name == _DEFAULT else []
    card = dataset.root.read(f"{dataset.slug}/{dataset.version}/{CARD}") or b""
    own = card.decode("utf-8", "replace").splitlines()
    end = own.index("---", 1) if own[:1] == ["---"] and "---" in own[1:] else 0
    kept = []
    for line in own[1:end]:  # the card's own head, without its configs
        if line == "configs:":
            break
        kept.append(line)
    body = own[end + 1 :] if end else [f"# {printable(dataset.manifest.title)}"]
    return "\n".join(["---", *kept, *head, "---", *body, ""])


LAYOUT = Layout(
    "huggingface",
    "Hugging Face datasets",
    write,
    (
        "names of the telemetry's source files: files are numbered, rows keep node and source_row",
        "tables without rows in memory: of those load_dataset says that the split corresponds to no data; "
        "with streaming=True it gives their columns",
        "figures, validation and the history of versions: links of the card to them lead nowhere",
    ),
    'from datasets import load_dataset\nload_dataset("DIR", "metrics", split="train")',
)
