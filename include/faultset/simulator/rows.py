"""What is true of each row of telemetry, from what was generated; no file is read."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from faultset.errors import InputError
from faultset.simulator import clocks
from faultset.simulator.plan import SECOND, Flags, Floats, Microseconds
from faultset.simulator.truth import NEVER_US, InjectionTruth, TelemetryTruth, Truth

Ids = npt.NDArray[np.object_]  # a tuple of strings a row


@dataclass(frozen=True, slots=True, eq=False)
class RowTruth:
    """A file's rows column by column, in the file's order.

    Attributes:
        true_us: true time, microseconds since the epoch.
        node: short name.
        injection_ids: injections whose fault covers the row, [start, its own end), on any node, by start.
        hit_by: those of them that took hold on the row's node.
        moved_kpis: KPIs of the row's node that a fault moves at that time.
        is_boundary: the text of the row's time and the known ends of the windows leave open what covers it.
        is_repeated: the text of the row's time can mean two moments, as summer time ends.
        leaks: the row names an injection.
    """

    true_us: Microseconds
    node: npt.NDArray[np.str_]
    injection_ids: Ids
    hit_by: Ids
    moved_kpis: Ids
    is_boundary: Flags
    is_repeated: Flags
    leaks: Flags

    @property
    def is_anomalous(self) -> Flags:
        """Whether a fault that took hold on the row's node is being injected."""
        return np.array([bool(ids) for ids in self.hit_by], dtype=np.bool_)


def pack(values: npt.NDArray[np.integer[Any]]) -> str:
    """Return integers as text: their differences, compressed."""
    steps = np.diff(values.astype("<i8"), prepend=np.int64(0))
    # All lowest bytes first, then all second ones: small steps compress best so.
    return base64.b64encode(zlib.compress(steps.view(np.uint8).reshape(-1, 8).T.tobytes(), 9)).decode()


def unpack(text: str) -> Microseconds:
    """Return the integers that ``pack`` made ``text`` of."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(8, -1)
    return np.cumsum(np.ascontiguousarray(planes.T).view("<i8").ravel(), dtype=np.int64)


def row_truth(truth: Truth, path: str) -> RowTruth:
    """Return what is true of each row of the telemetry file ``path``, named as in ``truth.telemetry``.

    Raises:
        InputError: no such file.
    """
    file = next((one for one in truth.telemetry if one.path == path), None)
    if file is None:
        known = ", ".join(one.path for one in truth.telemetry)
        raise InputError(path, "is no telemetry of this experiment", f"name one of {known}")
    moments = unpack(file.moments)
    where = unpack(file.row_nodes)
    leaks = np.zeros(len(moments), dtype=np.bool_)
    leaks[list(file.leaking_rows)] = True
    read = clocks.drifted(moments, file.started_at_us, _ppm(truth, file)[where])
    return RowTruth(
        true_us=moments,
        node=np.array(file.nodes)[where],
        injection_ids=_covering(moments, truth.injections),
        hit_by=_hit_by(moments, where, file, truth.injections),
        moved_kpis=_moved(moments, where, file, truth),
        is_boundary=_is_boundary(moments, read, file.resolution_us, truth),
        is_repeated=_is_repeated(read, file),
        leaks=leaks,
    )


def _ppm(truth: Truth, file: TelemetryTruth) -> Floats:
    rates = {drift.node: drift.clock_ppm for drift in truth.drifts}
    return np.array([rates[node] for node in file.nodes], dtype=np.float64)


def _covering(moments: Microseconds, injections: Iterable[InjectionTruth]) -> Ids:
    found = _nothing(len(moments))
    for one in injections:
        _add(found, (moments >= one.started_at_us) & (moments < one.lasts_until_us), one.injection_id)
    return found


def _hit_by(
    moments: Microseconds, where: Microseconds, file: TelemetryTruth, injections: Iterable[InjectionTruth]
) -> Ids:
    found = _nothing(len(moments))
    for one in injections:
        hit = {target.node for target in one.targets if target.effective}
        is_hit = np.array([node in hit for node in file.nodes], dtype=np.bool_)[where]
        _add(found, is_hit & (moments >= one.started_at_us) & (moments < one.lasts_until_us), one.injection_id)
    return found


def _moved(moments: Microseconds, where: Microseconds, file: TelemetryTruth, truth: Truth) -> Ids:
    found = _nothing(len(moments))
    places = {node: place for place, node in enumerate(file.nodes)}
    for move in sorted(truth.kpi_moves, key=lambda one: one.kpi):
        inside = (moments >= move.started_at_us) & (moments < move.ended_at_us)
        _add(found, inside & (where == places.get(move.node, -1)), move.kpi)
    return found


def _nothing(count: int) -> Ids:
    found = np.empty(count, dtype=np.object_)
    found.fill(())
    return found


def _add(found: Ids, rows: Flags, name: str) -> None:
    for row in np.flatnonzero(rows).tolist():
        if name not in found[row]:
            found[row] = (*found[row], name)


def _is_boundary(true_us: Microseconds, read_us: Microseconds, resolution_us: int, truth: Truth) -> Flags:
    """Return where the text leaves open on which side of a window's end a row lies.

    The text says that the row lies in [first, last); a clock that drifts widens that to where it truly lies.
    """
    text_us = read_us // resolution_us * resolution_us
    first, last = np.minimum(text_us, true_us), np.maximum(text_us + resolution_us, true_us + 1)
    undecided = np.zeros(len(true_us), dtype=np.bool_)
    for run in truth.runs:
        # A report alone cuts the times of hooks to whole seconds.
        unsure_us = 0 if run.results or run.results_old else SECOND
        for one in (injection for workload in run.workloads for injection in workload.injections):
            # Where the files cannot tell the fault's end, all that comes after the command is open.
            end = one.fault_end_known_us or (one.ended_at_us, NEVER_US)
            for earliest, latest in ((one.started_at_us, one.started_at_us), end):
                known, until = (edge // SECOND * SECOND if unsure_us else edge for edge in (earliest, latest))
                undecided |= (first < until + unsure_us) & (last > known)
    return undecided


def _is_repeated(read_us: Microseconds, file: TelemetryTruth) -> Flags:
    if file.has_offset:
        return np.zeros(len(read_us), dtype=np.bool_)
    wall, _ = clocks.local(read_us, file.time_zone)
    return clocks.is_repeated(wall + round(file.shift_hours * clocks.HOUR), file.time_zone)
