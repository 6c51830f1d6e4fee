"""Time as half-open stretches: when something was recorded, when nothing was injected, how much of it lies where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Microseconds = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stretches:
    """Disjoint half-open stretches of time, ascending; arrays of one item a stretch, microseconds since the epoch."""

    starts: Microseconds
    ends: Microseconds

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int]]) -> Stretches:
        """Return the time that any of ``spans`` covers; those that touch become one, empty ones none."""
        merged: list[list[int]] = []
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        edges = np.array(merged, dtype=np.int64).reshape(-1, 2)
        return cls(edges[:, 0], edges[:, 1])

    def spans(self) -> list[tuple[int, int]]:
        """Return start and end of each."""
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    def both(self, other: Stretches) -> Stretches:
        """Return the time that both cover."""
        found, place, theirs = [], 0, other.spans()
        for start, end in self.spans():
            while place < len(theirs) and theirs[place][1] <= start:
                place += 1
            at = place
            while at < len(theirs) and theirs[at][0] < end:
                found.append((max(start, theirs[at][0]), min(end, theirs[at][1])))
                at += 1
        return Stretches.of(found)

    def without(self, other: Stretches) -> Stretches:
        """Return the time that this covers and ``other`` does not."""
        if not len(self.starts):
            return self
        edges = [int(self.starts[0]), *(edge for span in other.spans() for edge in span), int(self.ends[-1])]
        gaps = zip(edges[0::2], edges[1::2], strict=True)
        return self.both(Stretches.of(gaps))

    @cached_property
    def total_us(self) -> int:
        """How much time it is."""
        return int((self.ends - self.starts).sum())

    @cached_property
    def _cumulated(self) -> tuple[Floats, Floats]:
        edges = np.column_stack([self.starts, self.ends]).ravel().astype(np.float64)
        lengths = np.column_stack([np.zeros(len(self.starts)), self.ends - self.starts]).ravel()
        return edges, np.cumsum(lengths)

    def before(self, us: Microseconds) -> Floats:
        """Return how much of it lies before each moment, microseconds."""
        if not len(self.starts):
            return np.zeros(us.shape)
        return np.asarray(np.interp(us, *self._cumulated))

    def room(self, us: Microseconds) -> Microseconds:
        """Return how long it goes on from each moment, microseconds; 0 where the moment is not in it."""
        if not len(self.starts):
            return np.zeros(us.shape, dtype=np.int64)
        place = np.searchsorted(self.starts, us, side="right") - 1
        left = np.where(place >= 0, self.ends[np.maximum(place, 0)] - us, 0)
        return np.maximum(left, 0)

    def contains(self, us: Microseconds) -> Flags:
        """Return which moments lie in it."""
        return np.asarray(self.room(us) > 0)

    def drawn(self, count: int, seed: int) -> Microseconds:
        """Return ``count`` random moments in it, ascending, evenly over its time; none where it is empty."""
        if not self.total_us:
            return np.empty(0, dtype=np.int64)
        drawn = np.sort(np.random.default_rng(seed).integers(0, self.total_us, count))
        before = np.concatenate([[0], np.cumsum(self.ends - self.starts)])
        place = np.searchsorted(before, drawn, side="right") - 1
        return np.asarray(self.starts[place] + drawn - before[place])
