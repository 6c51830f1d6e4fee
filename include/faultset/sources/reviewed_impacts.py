"""Impacts that a person reviewed: a CSV of node, KPI, start and end.

Two forms are read: ``node,kpi,start,end`` with times in ISO 8601 or epoch seconds, and
``anomaly_type,node_name,metric_name,start_time,start_timestamp,end_time,end_timestamp``, whose epoch columns are right
while the text beside them may name a zone that it does not mean. So epoch seconds win where both stand.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from faultset.errors import InputError
from faultset.moments import UTC, from_epoch
from faultset.sources.kit import yaml_tree
from faultset.sources.kit.files import read_bytes
from faultset.sources.kit.redaction import redact

_NODE = ("node", "node_name")
_KPI = ("kpi", "metric", "metric_name")
_START = ("start_timestamp", "started_at", "start", "start_time")
_END = ("end_timestamp", "ended_at", "end", "end_time")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_WANTED = "write columns node, kpi, start and end, times in epoch seconds or ISO 8601 with an offset"


@dataclass(frozen=True, slots=True)
class ReviewedImpact:
    """A row of the file: [started_at, ended_at) in UTC; ``line`` counts from 1, the header being line 1."""

    node: str
    kpi: str
    started_at: dt.datetime
    ended_at: dt.datetime
    line: int


def read_reviewed_impacts(uri: str) -> tuple[ReviewedImpact, ...]:
    """Return the reviewed impacts in the file's order.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row is wrong; names the line.
    """
    text = yaml_tree.decode(read_bytes(uri, role="impacts_bytes"), uri)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [_column(reader.fieldnames or [], wanted, uri) for wanted in (_NODE, _KPI, _START, _END)]
        return tuple(
            _impact(row, names, f"{uri}:{reader.line_num}", reader.line_num) for row in reader if any(row.values())
        )
    except csv.Error as error:
        raise InputError(f"{uri}:{reader.line_num}", f"the CSV is broken: {error}", _WANTED) from error


def is_header(columns: Sequence[str]) -> bool:
    """Return whether these are the columns of reviewed impacts."""
    return all(set(wanted) & set(columns) for wanted in (_NODE, _KPI, _START, _END))


def _column(columns: object, wanted: tuple[str, ...], uri: str) -> str:
    known = [str(name).strip() for name in columns] if isinstance(columns, list) else []
    for name in wanted:
        if name in known:
            return name
    raise InputError(f"{uri}:1", f"there is no column {wanted[0]}", _WANTED)


def _impact(row: dict[str, str | None], names: list[str], where: str, line: int) -> ReviewedImpact:
    node, kpi, start, end = ((row.get(name) or "").strip() for name in names)
    if not node or not kpi:
        raise InputError(where, "node or KPI is missing", _WANTED)
    started, ended = _moment(start, names[2], where), _moment(end, names[3], where)
    if ended < started:
        raise InputError(where, "the impact ends before it starts", "correct the row")
    return ReviewedImpact(node, kpi, started, ended, line)


def _moment(text: str, column: str, where: str) -> dt.datetime:
    try:
        return from_epoch(float(text))
    except ValueError:
        pass
    try:
        # More than six digits of a fraction are more than a microsecond can hold.
        moment = dt.datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(where, f'{column} "{redact(text)}" is no time with an offset', _WANTED)
    return moment.astimezone(UTC)
