"""Logs exported from Elasticsearch or Kibana as CSV: quoted fields, which may hold line feeds.

``@timestamp`` counts where it has an offset; ``Timestamp``, the node's wall-clock time, stands in where that is
missing. Kibana's reports write ``@timestamp`` in the wall-clock time of the browser.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import polars as pl

from faultset.sources.telemetry import csv_rows, times
from faultset.sources.telemetry.format import NOT_KNOWN, Clock, Format, Layout, Missing
from faultset.sources.telemetry.head import Head

_EXACT, _WALL = "@timestamp", "Timestamp"
NODES = ("Hostname", "hostname", "host.name", "host.hostname", "agent.hostname", "host", "node", "kubernetes.node.name")
TEXTS = ("Payload", "message", "Message", "log", "msg", "body", "line", "event.original")
LEVELS = ("log_level", "log.level", "level", "severity_label", "severity", "loglevel")


def _clock(exact: str | None, wall: str | None, frame: pl.DataFrame) -> Clock:
    if exact is None or wall is None:
        return times.of_texts(frame[exact or wall or ""])
    first, second = times.of_texts(frame[exact]), times.of_texts(frame[wall])
    has_first = first.us != NOT_KNOWN
    bad = [one.unreadable for one in (first, second) if one.unreadable is not None]
    return Clock(
        us=np.where(has_first, first.us, second.us),
        wall=np.where(has_first, first.wall, second.wall),
        beside=np.where(has_first & ~first.wall & second.wall, second.us, NOT_KNOWN),
        unreadable=np.logical_or.reduce(bad) & ~has_first if bad else None,
    )


def _recognise(head: Head) -> Layout | Missing:
    columns = set(head.header)
    declared = head.file.time_column
    exact = declared or (_EXACT if _EXACT in columns else None)
    wall = None if declared else (_WALL if _WALL in columns else None)
    text = next((name for name in TEXTS if name in columns), None)
    node = head.file.node_column or next((name for name in NODES if name in columns), None)
    needed = {"@timestamp or Timestamp": exact or wall, "Hostname": node or head.file.node, "Payload or message": text}
    absent = [name for name, there in needed.items() if there is None]
    if absent:
        return Missing(f"column {absent[0]} is missing", 1 - len(absent) / len(needed))
    level = next((name for name in LEVELS if name in columns), None)
    told = times.recognise(head.sample.get(exact or wall or "", ()))
    return Layout(
        format="logs exported from Elasticsearch",
        kind="logs",
        columns=dict.fromkeys(head.header, pl.String),
        time=tuple(name for name in (wall, exact) if name is not None),
        clock=partial(_clock, exact, wall),
        row_uncertainty_s=told.uncertainty_s if told and not wall else 0.001,  # Elasticsearch keeps milliseconds
        node=node,
        fixed_node=None if node else head.file.node,
        text=text,
        others=pl.String,
        level=level,
    )


FORMAT = Format(
    id="elastic-csv",
    name="logs exported from Elasticsearch",
    kinds=("logs",),
    about="a CSV report of Kibana, or an export of an index of logs",
    sample=(
        "Hostname,log_level,Timestamp,@timestamp,Payload,programname\n"
        "cmp01,INFO,2019-11-19 23:51:43.166,2019-11-19T22:51:43.166+00:00,Instance destroyed,nova-compute\n"
    ),
    recognise=_recognise,
    rows=csv_rows.read,
)
