"""Thrift's compact protocol, as far as the metadata of parquet needs it: read, changed, and written as it was.

A struct is a mapping of field number -> (type, value), in the order of the file; a list is (type, values). What is not
changed is written with the same bytes again, whether or not this module knows what it means, since every writer packs a
value in one way only.
"""

from __future__ import annotations

import struct
from typing import Any

Struct = dict[int, tuple[int, Any]]

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_WHOLE = frozenset({I16, I32, I64})
_DEEPEST = 16  # parquet's own metadata has 6 levels
_LONG_LIST = 15


class CompactError(ValueError):
    """The bytes are no struct in this protocol."""


def read(data: bytes) -> Struct:
    """Return the struct that ``data`` begins with.

    Raises:
        CompactError: it is none.
    """
    try:
        return _Reader(data).struct(0)
    except (IndexError, struct.error) as error:
        raise CompactError("the bytes end within a struct") from error


def write(value: Struct) -> bytes:
    """Return a struct's bytes."""
    out = bytearray()
    _write_struct(out, value)
    return bytes(out)


class _Reader:
    """Goes through the bytes once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise CompactError(f"structs lie more than {_DEEPEST} deep")
        found: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 0x0F
            number = number + (head >> 4) if head >> 4 else _unzigzag(self._varint())
            found[number] = (kind, kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth))
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _WHOLE:
            return _unzigzag(self._varint())
        if kind == BINARY:
            return self._take(self._varint())
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            return self._list(depth + 1)
        if kind in (BYTE, TRUE, FALSE):  # a flag in a list is a byte
            return self._byte()
        if kind == DOUBLE:
            return struct.unpack("<d", self._take(8))[0]
        raise CompactError(f"type {kind} is none that parquet uses")

    def _list(self, depth: int) -> tuple[int, list[Any]]:
        if depth > _DEEPEST:
            raise CompactError(f"lists lie more than {_DEEPEST} deep")
        head = self._byte()
        count, kind = head >> 4, head & 0x0F
        if count == _LONG_LIST:
            count = self._varint()
        if count > len(self._data):
            raise CompactError(f"a list of {count:,} values is longer than all bytes")
        return kind, [self._value(kind, depth) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        self._at += count
        if self._at > len(self._data):
            raise CompactError("the bytes end within a value")
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise CompactError("a number has more than 64 bits")


def _write_struct(out: bytearray, value: Struct) -> None:
    last = 0
    for number, (kind, content) in value.items():
        of = (TRUE if content else FALSE) if kind in (TRUE, FALSE) else kind
        if 0 < number - last <= _LONG_LIST:
            out.append((number - last) << 4 | of)
        else:
            out.append(of)
            _write_varint(out, _zigzag(number))
        if kind not in (TRUE, FALSE):
            _write_value(out, kind, content)
        last = number
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in _WHOLE:
        _write_varint(out, _zigzag(value))
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind in (LIST, SET):
        of, values = value
        if len(values) < _LONG_LIST:
            out.append(len(values) << 4 | of)
        else:
            out.append(_LONG_LIST << 4 | of)
            _write_varint(out, len(values))
        for one in values:
            _write_value(out, of, one)
    elif kind == DOUBLE:
        out += struct.pack("<d", value)
    else:
        out.append(value)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _unzigzag(value: int) -> int:
    return value >> 1 if value % 2 == 0 else -((value + 1) >> 1)
