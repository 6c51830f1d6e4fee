"""From which to which row each injection is labeled: the columns of labels alone are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from faultset.dataset.telemetry import Telemetry
from faultset.moments import Window

_MICROSECOND = dt.timedelta(microseconds=1)


def labeled(found: Iterable[Telemetry]) -> dict[str, Window]:
    """Return injection id -> from its first labeled row to right after its last one, over all kinds of telemetry."""
    spans: dict[str, Window] = {}
    for telemetry in found:
        if not telemetry.parts:
            continue
        for rows in telemetry.pieces(columns=[]):
            for injection_id, window in _of_rows(rows).items():
                known = spans.get(injection_id, window)
                spans[injection_id] = Window(min(known.start, window.start), max(known.end, window.end))
    return spans


def _of_rows(rows: pa.Table) -> dict[str, Window]:
    rows = rows.filter(pc.is_valid(rows["timestamp"])).combine_chunks()
    ids = rows["injection_ids"]
    each = pa.table({"id": pc.list_flatten(ids), "at": pc.take(rows["timestamp"], pc.list_parent_indices(ids))})
    spans = each.group_by("id").aggregate([("at", "min"), ("at", "max")]).to_pylist()
    return {span["id"]: Window(span["at_min"], span["at_max"] + _MICROSECOND) for span in spans}
