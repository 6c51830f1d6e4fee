"""The values of a large JSON document one after the other, without holding the whole of it.

Documents of telemetry are one long list (of series, of traces, of batches) or a value a line. A part is cut out of the
bytes where its brackets close, found many bytes at once with numpy, and given to orjson whole: the streaming parsers
that hand out single events take several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from faultset.sources.telemetry.compression import ByteStream, CutOffError

BLOCK = 4 * 1024**2
PART_LIMIT = 64 * 1024**2  # bytes of a single series, trace or line
_ESCAPE = ord("\\")
_IS_QUOTE, _IS_OPENING, _IS_CLOSING = 1, 2, 3
_KINDS = np.zeros(256, np.uint8)
_KINDS[ord('"')] = _IS_QUOTE
_KINDS[[ord("{"), ord("[")]] = _IS_OPENING
_KINDS[[ord("}"), ord("]")]] = _IS_CLOSING


def lines(head: bytes, stream: ByteStream) -> Iterator[bytes]:
    """Yield blocks of whole lines; the last one may end without a line feed.

    Raises:
        CutOffError: the archive is damaged, or a line is too long.
    """
    pending = head
    while True:
        more = stream.read(BLOCK)
        pending += more
        if len(more) < BLOCK:
            if pending.strip():
                yield pending
            return
        end = pending.rfind(b"\n") + 1
        if end:
            yield pending[:end]
            pending = pending[end:]
        elif len(pending) > PART_LIMIT:
            raise CutOffError(f"a line has more than {PART_LIMIT:,} bytes")


def elements(head: bytes, stream: ByteStream, depth: int) -> Iterator[list[bytes]]:
    """Yield, block by block, the objects that stand at ``depth`` brackets deep in a document.

    Args:
        head: its first bytes.
        stream: the rest.
        depth: how many brackets are open around such an object: 1 in a list, 2 in a list of an object.

    Raises:
        CutOffError: the document ends within an object, or one is too long.
    """
    cutter = _Cutter(depth)
    data = head
    while data:
        found = cutter.cut(data)
        if found:
            yield found
        data = stream.read(BLOCK)
    if cutter.is_open:
        raise CutOffError("it ends in the middle of a value")


class _Cutter:
    """Cuts objects at a depth out of bytes that come in blocks."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._level = 0
        self._in_text = False
        self._escaped = False
        self._pending: list[bytes] = []
        self._started = False

    @property
    def is_open(self) -> bool:
        """Whether an object has begun and not ended, or the document itself."""
        return self._started or self._level > 0

    def cut(self, data: bytes) -> list[bytes]:
        """Return the objects that end in ``data``, in their order.

        Raises:
            CutOffError: an object is too long.
        """
        letters = np.frombuffer(data, np.uint8)
        kinds = _KINDS[letters]
        at = np.flatnonzero(kinds)
        kind = kinds[at]
        kind[self._escaped_marks(letters, at, kind)] = 0
        texts = kind == _IS_QUOTE
        inside = (np.cumsum(texts) + self._in_text) % 2 == 1
        if len(at):
            self._in_text = bool(inside[-1])
        brackets = (kind >= _IS_OPENING) & ~inside
        at, opens = at[brackets], kind[brackets] == _IS_OPENING
        levels = self._level + np.cumsum(np.where(opens, 1, -1))
        begins = at[opens & (levels == self._depth + 1)]
        ends = at[~opens & (levels == self._depth)] + 1
        if len(at):
            self._level = int(levels[-1])
        return self._pieces(data, begins, ends)

    def _escaped_marks(self, letters: np.ndarray, at: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Return the places in ``at`` of quotation marks that are escaped: they open and close nothing."""
        slashes = np.flatnonzero(letters == _ESCAPE)
        first, self._escaped = self._escaped, False
        if not len(slashes):
            return np.flatnonzero(at == 0) if first else np.zeros(0, np.int64)
        escaped, self._escaped = _escaped_bytes(len(letters), slashes, first_escaped=first)
        return np.flatnonzero((kind == _IS_QUOTE) & np.isin(at, escaped))

    def _pieces(self, data: bytes, begins: np.ndarray, ends: np.ndarray) -> list[bytes]:
        found: list[bytes] = []
        starts = iter(begins.tolist())
        for end in ends.tolist():
            if self._started:
                found.append(b"".join((*self._pending, data[:end])))
                self._pending, self._started = [], False
            else:
                found.append(data[next(starts) : end])
        if self._started:
            self._pending.append(data)
        elif (start := next(starts, None)) is not None:
            self._pending, self._started = [data[start:]], True
        if sum(map(len, self._pending)) > PART_LIMIT:
            raise CutOffError(f"a value has more than {PART_LIMIT:,} bytes")
        return found


def _escaped_bytes(length: int, slashes: np.ndarray, *, first_escaped: bool) -> tuple[np.ndarray, bool]:
    """Return the bytes that a backslash stands before, and whether the next block's first byte is such a one."""
    begins = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    lengths = np.diff(np.append(begins, len(slashes)))
    behind = slashes[begins] + lengths
    if first_escaped and slashes[0] == 0:
        lengths[0] -= 1  # the first backslash is itself what was escaped
    escaped = behind[lengths % 2 == 1]
    ends_escaped = bool(len(escaped) and escaped[-1] == length)
    return (np.append(escaped, 0) if first_escaped else escaped), ends_escaped
