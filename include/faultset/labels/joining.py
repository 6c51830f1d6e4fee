"""Parquet files of the same columns, joined into one without reading their values: row groups are copied as bytes.

What a file says of its row groups stands in its footer, and of their pages in indexes before it: both tell places in
the file, which are moved. Only the column that counts rows through the whole file is packed anew, which costs little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from faultset.labels import compact
from faultset.labels.compact import I16, I32, I64, LIST, STRUCT, Struct
from faultset.labels.writer import Writer

_MAGIC = b"PAR1"
_TAIL = 8  # length of the footer, and the magic
# Numbers of fields, from parquet.thrift.
_FILE_ROWS, _FILE_GROUPS, _FILE_SCHEMA, _FILE_NOTES = 3, 4, 2, 5
_GROUP_COLUMNS, _GROUP_BYTES, _GROUP_OFFSET, _GROUP_PACKED, _GROUP_ORDINAL = 1, 2, 5, 6, 7
_CHUNK_FILE, _CHUNK_OFFSET, _CHUNK_META = 1, 2, 3
_OFFSET_INDEX, _OFFSET_INDEX_LENGTH, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH = 4, 5, 6, 7
_CHUNK_KEY, _CHUNK_SECRET = 8, 9
_META_PATH, _META_BYTES, _META_PACKED, _META_DATA, _META_INDEX, _META_DICTIONARY = 3, 6, 7, 9, 10, 11
_META_BLOOM, _META_BLOOM_LENGTH = 14, 15
_PAGES, _PAGE_OFFSET = 1, 1
_MOST_ORDINALS = 2**15  # it is a number of 16 bits, and may be left out


class NotJoinableError(ValueError):
    """The files cannot be joined as bytes; the message says why."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One of the files to join.

    Attributes:
        path: where it lies.
        rows_before: by how much its rows' numbers are raised.
    """

    path: Path
    rows_before: int


@dataclass(slots=True)
class _Chunk:
    """A column of a row group: what the footer says of it, its bytes, and its indexes."""

    entry: Struct
    data: bytes
    column_index: bytes
    offset_index: Struct


def join(pieces: Sequence[Piece], target: Path, *, numbers: str) -> int:
    """Write the rows of all pieces to ``target``, in order; one row group is in memory at a time.

    Args:
        pieces: files of the same columns, written by ``Writer``.
        target: the file to write.
        numbers: the column of whole numbers that is raised by each piece's ``rows_before``.

    Returns:
        How many rows were written.

    Raises:
        NotJoinableError: their columns differ, or one holds what cannot be moved.
        OSError: a file cannot be read or written.
    """
    with target.open("wb") as out:
        joined = _Joined(out)
        for piece in pieces:
            with _Part(piece, numbers) as part:
                joined.add(part)
        return joined.end()


class _Joined:
    """The file that is written."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._out.write(_MAGIC)
        self._footer: Struct = {}
        self._groups: list[Struct] = []
        self._indexes: list[tuple[Struct, bytes, Struct]] = []
        self._rows = 0

    def add(self, part: _Part) -> None:
        """Append the row groups of a file."""
        if not self._footer:
            self._footer = part.footer
        for number, what in ((_FILE_SCHEMA, "columns"), (_FILE_NOTES, "notes")):
            if self._footer.get(number) != part.footer.get(number):
                raise NotJoinableError(f"{part.piece.path.name} has other {what}")
        self._rows += part.footer[_FILE_ROWS][1]
        for group, chunks in part.groups():
            self._add_group(group, chunks)

    def _add_group(self, group: Struct, chunks: Sequence[_Chunk]) -> None:
        begin = self._out.tell()
        for chunk in chunks:
            shift = self._out.tell() - _begin_of(chunk.entry)
            meta = chunk.entry[_CHUNK_META][1]
            for number in (_META_DATA, _META_INDEX, _META_DICTIONARY):
                _move(meta, number, shift)
            for page in chunk.offset_index.get(_PAGES, (LIST, (STRUCT, [])))[1][1]:
                _move(page, _PAGE_OFFSET, shift)
            self._out.write(chunk.data)
            self._indexes.append((chunk.entry, chunk.column_index, chunk.offset_index))
        metas = [chunk.entry[_CHUNK_META][1] for chunk in chunks]
        changed: Struct = {
            _GROUP_COLUMNS: (LIST, (STRUCT, [chunk.entry for chunk in chunks])),
            _GROUP_BYTES: (I64, sum(meta[_META_BYTES][1] for meta in metas)),
            _GROUP_OFFSET: (I64, begin),
            _GROUP_PACKED: (I64, sum(meta[_META_PACKED][1] for meta in metas)),
            _GROUP_ORDINAL: (I16, len(self._groups)),
        }
        fields = {number: changed.get(number, value) for number, value in group.items()}
        if len(self._groups) >= _MOST_ORDINALS:
            fields.pop(_GROUP_ORDINAL, None)
        self._groups.append(fields)

    def end(self) -> int:
        """Write the indexes and the footer."""
        for entry, column_index, _ in self._indexes:
            self._put_index(entry, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH, column_index)
        for entry, _, offset_index in self._indexes:
            self._put_index(
                entry, _OFFSET_INDEX, _OFFSET_INDEX_LENGTH, compact.write(offset_index) if offset_index else b""
            )
        changed: Struct = {_FILE_ROWS: (I64, self._rows), _FILE_GROUPS: (LIST, (STRUCT, self._groups))}
        footer = compact.write({number: changed.get(number, value) for number, value in self._footer.items()})
        self._out.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)
        return self._rows

    def _put_index(self, entry: Struct, offset: int, length: int, data: bytes) -> None:
        if data:
            entry[offset] = (I64, self._out.tell())
            entry[length] = (I32, len(data))
            self._out.write(data)


@dataclass(slots=True)
class _Part:
    """A file that is read: its footer, and its row groups one by one."""

    piece: Piece
    numbers: str
    footer: Struct = field(default_factory=dict)
    _file: Any = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> _Part:
        self._file = self._stack.enter_context(self.piece.path.open("rb"))
        self.footer = _footer(self._file, self.piece.path.name)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def groups(self) -> Iterator[tuple[Struct, list[_Chunk]]]:
        """Yield what the footer says of each row group, and its columns."""
        numbered = None
        if self.piece.rows_before:
            numbered = self._stack.enter_context(pq.ParquetFile(self.piece.path))
        for place, group in enumerate(self.footer[_FILE_GROUPS][1][1]):
            entries = group[_GROUP_COLUMNS][1][1]
            yield group, [self._chunk(entry, numbered, place) for entry in entries]

    def _chunk(self, entry: Struct, numbered: pq.ParquetFile | None, group: int) -> _Chunk:
        if numbered is not None and _path(entry) == self.numbers:
            column = numbered.read_row_group(group, columns=[self.numbers])
            return _raised(column, self.piece.rows_before)
        return _chunk_of(self._file, entry)


def _raised(column: pa.Table, by: int) -> _Chunk:
    """Return a column of one row group with each number raised, packed as ``Writer`` packs it."""
    sink = pa.BufferOutputStream()
    table = pa.table([pc.add(column[0], by)], schema=column.schema)
    with contextlib.closing(Writer(sink, table.schema)) as writer:
        writer.add(table)
        writer.flush()
    file = pa.BufferReader(sink.getvalue())
    [group] = _footer(file, "numbers")[_FILE_GROUPS][1][1]
    [entry] = group[_GROUP_COLUMNS][1][1]
    return _chunk_of(file, entry)


def _chunk_of(file: Any, entry: Struct) -> _Chunk:
    meta = entry[_CHUNK_META][1]
    if _CHUNK_FILE in entry or _CHUNK_KEY in entry or _CHUNK_SECRET in entry or _META_BLOOM in meta:
        raise NotJoinableError(f"column {_path(entry)} lies in another file, is encrypted or has a Bloom filter")
    if entry[_CHUNK_OFFSET][1]:
        raise NotJoinableError(f"column {_path(entry)} has its metadata between the row groups")
    data = _at(file, _begin_of(entry), meta[_META_PACKED][1])
    column_index = _index(file, entry, _COLUMN_INDEX, _COLUMN_INDEX_LENGTH)
    offset_index = _index(file, entry, _OFFSET_INDEX, _OFFSET_INDEX_LENGTH)
    return _Chunk(entry, data, column_index, compact.read(offset_index) if offset_index else {})


def _footer(file: Any, name: str) -> Struct:
    file.seek(0, 2)
    size = file.tell()
    tail = _at(file, size - _TAIL, _TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != _MAGIC or length > size - _TAIL:
        raise NotJoinableError(f"{name} is no whole parquet file")
    return compact.read(_at(file, size - _TAIL - length, length))


def _at(file: Any, begin: int, length: int) -> bytes:
    file.seek(begin)
    data: bytes = file.read(length)
    if len(data) != length:
        raise NotJoinableError("a file ends too early")
    return data


def _index(file: Any, entry: Struct, offset: int, length: int) -> bytes:
    return _at(file, entry[offset][1], entry[length][1]) if offset in entry else b""


def _path(entry: Struct) -> str:
    _, names = entry[_CHUNK_META][1][_META_PATH][1]
    return b".".join(names).decode()


def _begin_of(entry: Struct) -> int:
    """Return at which byte a column's pages begin: its dictionary stands first, where it has one."""
    meta = entry[_CHUNK_META][1]
    begin: int = min(meta[number][1] for number in (_META_DATA, _META_DICTIONARY) if number in meta)
    return begin


def _move(fields: Struct, number: int, by: int) -> None:
    if number in fields:
        kind, value = fields[number]
        fields[number] = (kind, value + by)
