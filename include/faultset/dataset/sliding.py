"""Windows of equal length over a regular clock, with the labels of what they cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from faultset.dataset import notebook
from faultset.errors import InputError


@dataclass(frozen=True)
class Windows:
    """n windows of as many steps.

    Attributes:
        values: (n, steps, features); NaN where a node has no row. A view: copy it before changing it.
        features: (node, KPI) of each feature.
        starts: (n,) when each window starts, UTC.
        is_anomalous: (n,) whether any row in it is, on any node.
        is_boundary: (n,) whether any row in it cannot be decided, and none is anomalous beyond doubt.
        nodes: n x node: whether any row of that node in the window is anomalous.
    """

    values: npt.NDArray[np.float64]
    features: pd.MultiIndex
    starts: pd.DatetimeIndex
    is_anomalous: npt.NDArray[np.bool_]
    is_boundary: npt.NDArray[np.bool_]
    nodes: pd.DataFrame

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return notebook.line(self._shown())

    def _repr_html_(self) -> str:
        return notebook.html("sliding windows", self._shown())

    def _shown(self) -> dict[str, object]:
        n, steps, features = self.values.shape
        return {"windows": n, "steps": steps, "features": features, "anomalous": int(self.is_anomalous.sum())}


def sliding(pieces: list[pd.DataFrame], every: pd.Timedelta, length: pd.Timedelta, step: pd.Timedelta) -> Windows:
    """Cut windows out of frames that ``wide`` laid out; none goes from one piece into another.

    Args:
        pieces: with the same columns, at least one; each on bins of ``every``.
        every: distance of two steps.
        length: of a window; a whole number of steps.
        step: from one window's start to the next one's; likewise.

    Raises:
        InputError: a length is no whole number of steps.
    """
    steps, stride = _whole(length, every, "length"), _whole(step, every, "step")
    labels = ("is_anomalous", "phase", "is_boundary")
    columns = pieces[0].columns
    features = pd.MultiIndex.from_frame(columns[~columns.isin(labels, level=1)].to_frame(), names=["node", "kpi"])
    cut = [_cut(_regular(piece, every), features, steps, stride) for piece in pieces]
    nodes = sorted(set(features.get_level_values(0)))
    anomalous = np.concatenate([found.anomalous for found in cut])
    certain = np.concatenate([found.certain for found in cut])
    boundary = np.concatenate([found.boundary for found in cut])
    starts = pd.DatetimeIndex(np.concatenate([found.starts for found in cut])).tz_localize("UTC")
    return Windows(
        values=cut[0].values if len(cut) == 1 else np.concatenate([found.values for found in cut]),
        features=features,
        starts=starts,
        is_anomalous=np.any(anomalous, axis=1),
        is_boundary=boundary & ~certain,
        nodes=pd.DataFrame(anomalous, index=starts, columns=nodes),
    )


def _whole(length: pd.Timedelta, every: pd.Timedelta, name: str) -> int:
    if length < every or length % every != pd.Timedelta(0):
        raise InputError(name, f"{length} is no whole number of steps of {every}", f"give a multiple of {every}")
    return int(length // every)


def _regular(piece: pd.DataFrame, every: pd.Timedelta) -> pd.DataFrame:
    if piece.empty:
        return piece
    return piece.reindex(pd.date_range(piece.index.min(), piece.index.max(), freq=every).as_unit("us"))


@dataclass(frozen=True)
class _Cut:
    """The windows of one piece: as in ``Windows``, and whether any row in each is anomalous beyond doubt."""

    values: npt.NDArray[np.float64]
    starts: npt.NDArray[np.datetime64]
    anomalous: npt.NDArray[np.bool_]
    certain: npt.NDArray[np.bool_]
    boundary: npt.NDArray[np.bool_]


def _cut(piece: pd.DataFrame, features: pd.MultiIndex, steps: int, stride: int) -> _Cut:
    nodes = sorted(set(features.get_level_values(0)))
    anomalous, boundary = _flags(piece, nodes, "is_anomalous"), _flags(piece, nodes, "is_boundary")
    times = pd.DatetimeIndex(piece.index).tz_convert(None).to_numpy()
    return _Cut(
        values=_view(piece[list(features)].to_numpy(dtype=float), steps, stride),
        starts=times[: max(len(piece) - steps + 1, 0) : stride],
        anomalous=np.any(_view(anomalous, steps, stride), axis=1),
        certain=np.any(_view(anomalous & ~boundary, steps, stride), axis=(1, 2)),
        boundary=np.any(_view(boundary, steps, stride), axis=(1, 2)),
    )


def _flags(piece: pd.DataFrame, nodes: list[str], name: str) -> npt.NDArray[np.bool_]:
    columns = [(node, name) for node in nodes]
    return piece[columns].fillna(False).to_numpy(dtype=bool)


def _view(data: npt.NDArray[Any], steps: int, stride: int) -> npt.NDArray[Any]:
    """Return (n, steps, columns) windows of (rows, columns) data without copying it."""
    if len(data) < steps:
        return np.empty((0, steps, data.shape[1]), dtype=data.dtype)
    return np.lib.stride_tricks.sliding_window_view(data, steps, axis=0)[::stride].transpose(0, 2, 1)
