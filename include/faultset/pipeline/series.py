"""The KPIs of all nodes as series in memory: all rows, or of a long recording those that impacts are found by.

Finding impacts needs the rows near each injection, and quiet time to compare with. Where all rows together would take
more than ``HELD_BYTES``, whole hours of quiet time are left out, evenly over the recording: what is held depends on the
number of injections, not on how long was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from faultset.errors import InputError
from faultset.fault_span import known_end
from faultset.impacts.stretches import Stretches
from faultset.impacts.windows import Series
from faultset.moments import epoch_us
from faultset.pipeline.progress import Progress, silent
from faultset.records.telemetry import TelemetryFile
from faultset.sources.kit.files import local_path
from faultset.sources.telemetry import node_of
from faultset.sources.telemetry.series import read_file
from faultset.tables import InjectionRow
from faultset.truth.placement import Placement

HELD_BYTES = 64 * 1024**2
_MARGIN_S = 2400  # what is looked at beside a window: five minutes before, fifteen after, and how restless it is there
_HOUR_US = 3_600_000_000
_PACKED = (".gz", ".zst", ".zip")
_UNPACKED_IS = 10  # times larger, about, than a packed file of numbers

Microseconds = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was read of the metrics.

    Attributes:
        series: (node, KPI) -> its values; several files of one node are one series.
        rows_us: node -> ascending times of its rows, those of one second spread over it.
        quiet_share: share of the hours without an injection that was read, 0 to 1; 1.0: every row.
        blur_s: (node, KPI) -> by how much its values lag behind at most, in seconds; those that do not are left out.
        smoothed: KPIs that are averages, which repeat later what others say.
        usual: KPIs that a figure shows first.
    """

    series: Mapping[tuple[str, str], Series]
    rows_us: Mapping[str, Microseconds]
    quiet_share: float
    blur_s: Mapping[tuple[str, str], float]
    smoothed: frozenset[str]
    usual: frozenset[str]


def read_metrics(
    declared: Sequence[TelemetryFile],
    placement: Placement,
    injections: Sequence[InjectionRow],
    progress: Progress = silent,
    held_bytes: int = HELD_BYTES,
) -> Metrics:
    """Read the metrics among the ``declared`` files.

    Args:
        declared: files of telemetry.
        placement: what nodes are called.
        injections: whose rows are needed.
        progress: called for each file.
        held_bytes: what all series may take together, beside the rows near injections.

    Raises:
        InputError: a file is wrong; names the row. Or it is of a node that the cluster does not have.
    """
    hosts = placement.hosts()
    files = [replace(file, hosts=hosts) for file in declared if file.kind == "metrics"]
    excerpt = Excerpt.of(injections, share_of(files, held_bytes))
    parts: dict[tuple[str, str], list[tuple[Microseconds, _Floats]]] = {}
    rows: dict[str, list[Microseconds]] = {}
    blurs: dict[tuple[str, str], float] = {}
    smoothed: set[str] = set()
    usual: set[str] = set()
    for number, file in enumerate(files):
        progress(number, len(files), f"reading {file.name}")
        found = read_file(file, kept=None if excerpt.share >= 1 else excerpt.keeps)
        smoothed |= found.smoothed
        usual |= found.usual
        longest: dict[str, Microseconds] = {}
        for (written, kpi), one in found.series.items():
            node = _node(file, written, placement)
            if node is None:
                continue
            parts.setdefault((node, kpi), []).append(one)
            if (written, kpi) in found.blur_s:
                blurs[node, kpi] = max(found.blur_s[written, kpi], blurs.get((node, kpi), 0.0))
            if len(one[0]) > len(longest.get(node, ())) or node not in longest:
                longest[node] = one[0]
        for node, times in longest.items():
            rows.setdefault(node, []).append(times)
    return Metrics(
        series={key: _joined(some) for key, some in sorted(parts.items())},
        rows_us={node: np.sort(np.concatenate(some)) if len(some) > 1 else some[0] for node, some in rows.items()},
        quiet_share=excerpt.share,
        blur_s=blurs,
        smoothed=frozenset(smoothed),
        usual=frozenset(usual),
    )


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Which rows are held: those within 40 minutes of an injection, and a share of the other hours.

    Attributes:
        starts: (n,) ascending, microseconds: where the time around injections begins.
        ends: (n,) where each stretch of it ends.
        share: of the hours elsewhere, spread evenly.
    """

    starts: Microseconds
    ends: Microseconds
    share: float

    @classmethod
    def of(cls, injections: Sequence[InjectionRow], share: float) -> Excerpt:
        """Return the excerpt for ``injections``."""
        margin = _MARGIN_S * 1_000_000
        spans = sorted((epoch_us(one.started_at) - margin, epoch_us(known_end(one)) + margin) for one in injections)
        merged: list[list[int]] = []
        for start, end in spans:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        edges = np.array(merged, np.int64).reshape(-1, 2)
        return cls(edges[:, 0], edges[:, 1], share)

    def keeps(self, us: Microseconds) -> _Flags:
        """Return which of the times are kept."""
        sampled = self._sampled(us)
        if not len(self.starts):
            return np.asarray(sampled)
        place = np.searchsorted(self.starts, us, side="right") - 1
        return np.asarray(sampled | ((place >= 0) & (us < self.ends[np.maximum(place, 0)])))

    def _sampled(self, us: Microseconds) -> _Flags:
        hour = us // _HOUR_US
        return np.asarray(np.floor((hour + 1) * self.share) > np.floor(hour * self.share))

    def stretches(self, first_us: int, last_us: int) -> Stretches:
        """Return the time between two moments that is kept."""
        hours = np.arange(first_us // _HOUR_US, last_us // _HOUR_US + 1, dtype=np.int64) * _HOUR_US
        sampled = hours[self._sampled(hours)]
        spans = [*zip(sampled.tolist(), (sampled + _HOUR_US).tolist(), strict=True)]
        spans += zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return Stretches.of(spans).both(Stretches.of([(first_us, last_us + 1)]))


def share_of(files: Sequence[TelemetryFile], held_bytes: int) -> float:
    """Return which share of all rows may be held: a value takes about as much as text as it does in memory."""
    sizes = [_size(file) for file in files]
    return min(1.0, held_bytes / max(sum(sizes), 1))


def _size(file: TelemetryFile) -> int:
    try:
        size = local_path(file.uri).stat().st_size
    except (OSError, InputError):
        return 0  # whoever reads it says what is wrong
    return size * _UNPACKED_IS if Path(file.name).suffix in _PACKED else size


def _node(file: TelemetryFile, written: str, placement: Placement) -> str | None:
    """Return what the node is called; None for one that the rows name and the cluster does not have.

    Raises:
        InputError: the file itself is named after such a one, or declared to be of it.
    """
    place = placement.place(written)
    if not placement.known or place.node is not None:
        return place.name
    if written != (file.node or node_of(file)):
        return None
    known = ", ".join(one.name for one in placement.everywhere()[:20])
    raise InputError(
        file.name,
        f"it is named after {place.name}, which the cluster file does not know",
        f"rename the file (NODE_….csv), declare its node, or add the node there; its nodes are {known}",
    )


def _joined(parts: Sequence[tuple[Microseconds, _Floats]]) -> Series:
    if len(parts) == 1:
        return Series(*parts[0])  # ascending as it is read
    times = np.concatenate([time for time, _ in parts])
    values = np.concatenate([value for _, value in parts])
    order = np.argsort(times, kind="stable")
    return Series(times[order], values[order])
