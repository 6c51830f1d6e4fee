"""Labeled rows to parquet: one way of packing them, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP_ROWS = 131_072
_ROW_GROUP_BYTES = 64 * 1024**2  # rows of logs can be long
_COMPRESSION_LEVEL = 1


class Writer:
    """Writes tables as row groups of ``ROW_GROUP_ROWS`` rows, fewer where rows are long, in a thread of its own.

    Whole numbers and times are written as differences, which is what makes them small; names from few, and decimals
    with few digits, as dictionaries.
    """

    def __init__(self, path: Path | pa.NativeFile, schema: pa.Schema, plain: Collection[str] = ()) -> None:
        """Open a file.

        Args:
            path: where it is written: a file, or what takes its bytes.
            schema: its columns.
            plain: columns whose values hardly repeat, such as the source's own times.
        """
        deltas = {field.name: "DELTA_BINARY_PACKED" for field in schema if _is_whole(field.type)}
        flags = {field.name: "RLE" for field in schema if pa.types.is_boolean(field.type)}
        encoded = deltas | flags | dict.fromkeys(plain, "PLAIN")
        leaves = [_leaf(field) for field in schema]
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=[leaf for leaf in leaves if leaf not in encoded],
            column_encoding=encoded,
            # What rows are looked for by; the others would cost a tenth of the time.
            write_statistics=["timestamp", "source_row"],
            write_batch_size=8192,
            write_page_index=True,
            store_schema=False,
        )
        self._pool = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def add(self, table: pa.Table) -> None:
        """Write ``table`` after what came before."""
        self._pending.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        while self._rows >= ROW_GROUP_ROWS:
            self._write(ROW_GROUP_ROWS)
        if self._bytes > _ROW_GROUP_BYTES:
            self._write(self._rows)

    def _write(self, rows: int) -> None:
        together = pa.concat_tables(self._pending)
        self._wait()
        self._running = self._pool.submit(self._writer.write_table, together.slice(0, rows), ROW_GROUP_ROWS)
        rest = together.slice(rows)
        self._pending, self._rows, self._bytes = [rest], rest.num_rows, rest.nbytes

    def flush(self) -> None:
        """Write what is left."""
        if self._rows:
            self._write(self._rows)
        self._wait()

    def _wait(self) -> None:
        """Wait for the row group that is being written; one at a time keeps memory bounded."""
        if self._running is not None:
            self._running.result()

    def close(self) -> None:
        """Write the file's end."""
        self._pool.shutdown()
        self._writer.close()


def _is_whole(of: pa.DataType) -> bool:
    return bool(pa.types.is_integer(of) or pa.types.is_timestamp(of))


def _leaf(column: pa.Field) -> str:
    """Return the path of a column's values in the file."""
    return f"{column.name}.list.element" if pa.types.is_list(column.type) else str(column.name)
