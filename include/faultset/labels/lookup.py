"""The labels of all segments of all nodes in flat arrays, so that a row's labels are one place in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from faultset.labels import arrays
from faultset.labels.windows import NodeWindows, segments

Places = npt.NDArray[np.int64]


class NameLists:
    """Lists of names, one a place; ``names`` are all that occur, sorted."""

    def __init__(self, lists: Sequence[Sequence[str]]) -> None:
        self.names = sorted({name for names in lists for name in names})
        codes = {name: code for code, name in enumerate(self.names)}
        self._lengths = np.array([len(names) for names in lists], np.int32)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._codes = np.array([codes[name] for names in lists for name in names], np.int32)
        self._dictionary = arrays.texts(self.names)
        self._lists = lists

    def at(self, place: int) -> Sequence[str]:
        """Return the names at ``place``."""
        return self._lists[place]

    def take(self, places: Places) -> pa.ListArray:
        """Return the lists at ``places`` (at least one), their values as a dictionary."""
        lengths = self._lengths[places]
        ends = np.cumsum(lengths, dtype=np.int32)
        codes = self._codes[:0]
        if ends[-1]:
            first = np.repeat(self._starts[places] - (ends - lengths), lengths)
            codes = self._codes[first + np.arange(ends[-1])]
        return arrays.lists(ends, arrays.names(codes, self._dictionary))


class Lookup:
    """The labels of a source's rows, by place: those of a node that nothing happened to first, then node by node."""

    def __init__(self, node_windows: NodeWindows, row_uncertainty_s: float) -> None:
        names: list[str | None] = [None, *sorted(node_windows.nodes)]
        self._segments = {name: segments(node_windows, name or "", row_uncertainty_s) for name in names}
        self._base: dict[str | None, int] = {}
        parts = list(self._segments.values())
        base = 0
        for name, part in self._segments.items():
            self._base[name] = base
            base += len(part.starts)
        self.phase = np.concatenate([part.phase for part in parts])
        self.is_anomalous = np.concatenate([part.is_anomalous for part in parts])
        self.is_boundary = np.concatenate([part.is_boundary for part in parts])
        self.is_guarded = np.concatenate([part.is_guarded for part in parts])
        self.injection_ids = NameLists([ids for part in parts for ids in part.injection_ids])
        self.node_injection_ids = NameLists([ids for part in parts for ids in part.node_injection_ids])
        self.impacted_kpis = NameLists([kpis for part in parts for kpis in part.impacted_kpis])

    def places(self, node: str | None, us: npt.NDArray[np.int64]) -> Places:
        """Return the place of the labels of rows of ``node`` at these times."""
        name = node if node in self._segments else None
        return self._segments[name].of(us) + self._base[name]
