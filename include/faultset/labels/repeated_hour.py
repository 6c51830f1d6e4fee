"""Which pass of a repeated hour a row belongs to, where summer time ends and the wall clock runs an hour twice.

The abbreviation tells where a file uses both (CEST and CET); else the order of the rows does: the clock runs back once
by about the length of the repeat. What neither tells stays undecided.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultset.sources.telemetry.format import Microseconds
from faultset.sources.telemetry.wall_clock import REPEATED, offsets_of, to_utc

FIRST, SECOND, UNDECIDED = 0, 1, 2
_RUNS_BACK = 0.5  # by at least so much of the repeat's length: later than any jitter, earlier than most gaps


@dataclass(frozen=True, slots=True)
class WallClock:
    """Some rows of a file with wall-clock time: their rows, times, and the abbreviation of each where there is one."""

    row: Microseconds
    us: Microseconds
    abbreviation: npt.NDArray[np.str_] | None


@dataclass(frozen=True, slots=True)
class Passes:
    """The pass of each row whose time repeats: ``rows`` ascending, ``decided`` one of FIRST, SECOND, UNDECIDED."""

    rows: Microseconds
    decided: npt.NDArray[np.int8]

    def of(self, rows: Microseconds) -> npt.NDArray[np.int8]:
        """Return the pass of each of ``rows``, all of which are known."""
        return self.decided[np.searchsorted(self.rows, rows)]


def decide(parts: Iterable[WallClock], zone: str) -> Passes:
    """Return the pass of every row whose time repeats; ``parts`` are the whole file in its order."""
    rows, times, pieces, names, seen = [], [], [], [], set[str]()
    spans: dict[int, tuple[int, tuple[str, str]]] = {}
    for part in parts:
        utc = to_utc(part.us, zone)
        if part.abbreviation is not None:
            seen.update(np.unique(part.abbreviation).tolist())
        if utc.kind is None or utc.piece is None:
            continue
        table, twice = offsets_of(part.us, zone), utc.kind == REPEATED
        rows.append(part.row[twice])
        times.append(part.us[twice])
        names.append(part.abbreviation[twice] if part.abbreviation is not None else np.full(twice.sum(), ""))
        start = table.starts[utc.piece[twice]]
        pieces.append(start)
        for piece in np.unique(utc.piece[twice]).tolist():
            length = int(table.first[piece] - table.second[piece])
            spans[int(table.starts[piece])] = (length, table.names[piece])
    if not rows:
        return Passes(np.array([], np.int64), np.array([], np.int8))
    row, us, piece, name = (np.concatenate(parts_) for parts_ in (rows, times, pieces, names))
    decided = np.full(len(row), UNDECIDED, np.int8)
    for start, (length, (first_name, second_name)) in spans.items():
        here = piece == start
        if {first_name, second_name} <= seen:
            decided[here] = _by_name(name[here], first_name, second_name)
        else:
            decided[here] = _by_order(us[here], length)
    return Passes(row, decided)


def _by_name(name: npt.NDArray[np.str_], first: str, second: str) -> npt.NDArray[np.int8]:
    return np.select([name == first, name == second], [FIRST, SECOND], UNDECIDED).astype(np.int8)


def _by_order(us: Microseconds, length: int) -> npt.NDArray[np.int8]:
    """Return the passes of one repeat's rows: all before the one place where time runs back are of the first."""
    back = np.flatnonzero(np.diff(us) <= -_RUNS_BACK * length)
    if len(back) != 1:
        return np.full(len(us), UNDECIDED, np.int8)
    return np.where(np.arange(len(us)) > back[0], SECOND, FIRST).astype(np.int8)
