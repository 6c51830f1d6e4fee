"""From when to when an injection is in force, with its fault: what rows, iterations and quiet time are held against."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from faultset.tables import InjectionRow, TargetRow


@dataclass(frozen=True, slots=True)
class Span:
    """The span of a fault: it truly starts in [start, start_latest) and ends in [end, end_latest)."""

    start: dt.datetime
    start_latest: dt.datetime
    end: dt.datetime
    end_latest: dt.datetime


def span_of(row: InjectionRow) -> Span:
    """Return the span of an injection with its fault: what rows and iterations are held against.

    It ends with the fault, and never before the command. Where the fault's end is not known, it ends somewhere between
    the command's end and ``fault_open_until``.
    """
    end, latest = row.ended_at, _later(row.ended_at, row.end_uncertainty_s)
    if row.fault_ended_at is not None:
        end = max(end, row.fault_ended_at)
        latest = max(latest, _later(row.fault_ended_at, row.fault_end_uncertainty_s or 0.0))
    elif row.fault_open_until is not None:
        latest = max(latest, row.fault_open_until)
    return Span(row.started_at, _later(row.started_at, row.start_uncertainty_s), end, latest)


def places_of(row: TargetRow) -> tuple[str, ...]:
    """Return what telemetry may call the place of a target: its node, its pod, or the service that it is."""
    names = (row.node, row.pod, row.container if row.kind == "service" and not row.placed else None)
    return tuple(dict.fromkeys(name.lower() for name in names if name)) if not row.placed or row.pod else (row.node,)


def known_end(row: InjectionRow) -> dt.datetime:
    """Return the latest moment at which a fault may have ended; where its end is not known, its command."""
    return span_of(row).end_latest if row.fault_ended_at else _later(row.ended_at, row.end_uncertainty_s)


def _later(moment: dt.datetime, seconds: float) -> dt.datetime:
    return moment + dt.timedelta(seconds=seconds)
