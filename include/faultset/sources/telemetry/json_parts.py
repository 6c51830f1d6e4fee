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
_QUOTE, _ESCAPE = ord('"'), ord("\\")
_OPENING, _CLOSING = (ord("{"), ord("[")), (ord("}"), ord("]"))


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
        inside = self._texts(letters)
        opens = ((letters == _OPENING[0]) | (letters == _OPENING[1])) & ~inside
        closes = ((letters == _CLOSING[0]) | (letters == _CLOSING[1])) & ~inside
        at = np.flatnonzero(opens | closes)
        levels = self._level + np.cumsum(np.where(opens[at], 1, -1))
        begins = at[opens[at] & (levels == self._depth + 1)]
        ends = at[closes[at] & (levels == self._depth)] + 1
        if len(at):
            self._level = int(levels[-1])
        return self._pieces(data, begins, ends)

    def _texts(self, letters: np.ndarray) -> np.ndarray:
        """Return which bytes stand between quotation marks; an escaped mark opens and closes nothing."""
        quotes = np.flatnonzero(letters == _QUOTE)
        if self._escaped and len(quotes) and quotes[0] == 0:
            quotes = quotes[1:]
        slashes = np.flatnonzero(letters == _ESCAPE)
        ends_escaped = False
        if len(slashes):
            quotes, ends_escaped = _without_escaped(letters, quotes, slashes, first_escaped=self._escaped)
        self._escaped = ends_escaped
        marks = np.zeros(len(letters), np.int8)
        marks[quotes] = 1
        inside = (np.cumsum(marks, dtype=np.int64) + self._in_text) % 2 == 1
        if len(letters):
            self._in_text = bool(inside[-1])
        return np.asarray(inside)

    def _pieces(self, data: bytes, begins: np.ndarray, ends: np.ndarray) -> list[bytes]:
        found: list[bytes] = []
        starts = begins.tolist()
        for end in ends.tolist():
            if self._started:
                found.append(b"".join((*self._pending, data[:end])))
                self._pending, self._started = [], False
            else:
                found.append(data[starts.pop(0) : end])
        if self._started:
            self._pending.append(data)
        elif starts:
            self._pending, self._started = [data[starts[0] :]], True
        if sum(map(len, self._pending)) > PART_LIMIT:
            raise CutOffError(f"a value has more than {PART_LIMIT:,} bytes")
        return found


def _without_escaped(
    letters: np.ndarray, quotes: np.ndarray, slashes: np.ndarray, *, first_escaped: bool
) -> tuple[np.ndarray, bool]:
    """Return the quotation marks that are not escaped, and whether the next block's first byte is."""
    run_starts = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
    lengths = np.diff(np.append(run_starts, len(slashes)))
    firsts = slashes[run_starts]
    if first_escaped and firsts[0] == 0:
        lengths[0] -= 1  # the first backslash is itself what was escaped
    behind = slashes[run_starts] + np.diff(np.append(run_starts, len(slashes)))
    escaped = behind[lengths % 2 == 1]
    ends_escaped = bool(len(escaped) and escaped[-1] == len(letters))
    return quotes[~np.isin(quotes, escaped)], ends_escaped
