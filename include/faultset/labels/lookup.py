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

    def __init__(self, node_windows: NodeWindows, row_uncertainty_s: float, blurs_s: Sequence[float] = (0.0,)) -> None:
        """Lay out the labels for rows that are so exact, and lag behind by one of ``blurs_s``."""
        names: list[str | None] = [None, *sorted(node_windows.nodes)]
        self._segments = {
            (name, place): segments(node_windows, name or "", row_uncertainty_s, blur_s)
            for place, blur_s in enumerate(blurs_s)
            for name in names
        }
        self._base: dict[tuple[str | None, int], int] = {}
        parts = list(self._segments.values())
        base = 0
        for key, part in self._segments.items():
            self._base[key] = base
            base += len(part.starts)
        self.phase = np.concatenate([part.phase for part in parts])
        self.is_anomalous = np.concatenate([part.is_anomalous for part in parts])
        self.is_boundary = np.concatenate([part.is_boundary for part in parts])
        self.is_guarded = np.concatenate([part.is_guarded for part in parts])
        self.injection_ids = NameLists([ids for part in parts for ids in part.injection_ids])
        self.node_injection_ids = NameLists([ids for part in parts for ids in part.node_injection_ids])
        self.impacted_kpis = NameLists([kpis for part in parts for kpis in part.impacted_kpis])

    def places(self, node: str | None, us: npt.NDArray[np.int64], blur: npt.NDArray[np.int8] | None = None) -> Places:
        """Return the place of the labels of rows of ``node`` at these times; ``blur``: which one each row lags by."""
        name = node if (node, 0) in self._segments else None
        if blur is None or not blur.any():
            return self._segments[name, 0].of(us) + self._base[name, 0]
        found = np.zeros(len(us), np.int64)
        for place in np.unique(blur).tolist():
            here = blur == place
            found[here] = self._segments[name, place].of(us[here]) + self._base[name, place]
        return found
