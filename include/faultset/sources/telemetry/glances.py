"""Metrics of a node as Glances exports them: CSV, a column a field of a plugin.

``--stdout-csv now,cpu.user,…`` writes ``now`` with an abbreviation, from version 4 on ``now.iso`` with an offset and
``now.custom``; ``--export csv`` writes ``timestamp`` without either, and ``plugin_field``. Times are whole seconds.
"""

from __future__ import annotations

import re

import polars as pl

from faultset.sources.telemetry import csv_rows, times
from faultset.sources.telemetry.format import ColumnType, Format, Layout, Missing, Values
from faultset.sources.telemetry.head import Head

_FIELDS = {
    "cpu": "user system idle nice iowait irq softirq steal guest guest_nice total cpucore ctx_switches interrupts "
    "soft_interrupts syscalls dpc time_since_update",
    "mem": "used total percent available free active inactive buffers cached shared",
    "memswap": "used total percent free sin sout time_since_update",
    "load": "cpucore min1 min5 min15",
}
# Of these plugins the fields depend on the machine (interfaces, disks, sensors).
_PLUGINS = (
    *("alert", "amps", "battery", "cloud", "connections", "containers", "core", "diskio", "docker", "folders", "fs"),
    *("gpu", "hddtemp", "ip", "irq", "network", "npu", "percpu", "ports", "processcount", "processlist", "quicklook"),
    *("raid", "sensors", "smart", "system", "uptime", "version", "vms", "wifi", "wireless"),
)
_TIMES = ("now.iso", "now", "now.custom", "timestamp")  # the best one first
_PERCENT = re.compile(r"^(cpu[._](?!cpucore|ctx|interrupts|soft|syscalls|dpc|time_since)|.*percent)")
_FROM_ZERO = re.compile(r"^(mem|memswap|load)[._]")
_COLUMNS: dict[str, ColumnType] = {
    "cpu.user": pl.Float64,
    "mem.used": pl.Int64,
    "load.cpucore": pl.Int64,
    "load.min1": pl.Float64,
    "load.min5": pl.Float64,
    "load.min15": pl.Float64,
}


def _bounds(kpi: str) -> tuple[float | None, float | None]:
    if _PERCENT.match(kpi):
        return 0.0, 100.0
    return (0.0, None) if _FROM_ZERO.match(kpi) else (None, None)


VALUES = Values(
    bounds=_bounds,
    smoothed=lambda kpi: kpi.startswith(("load.", "load_")),  # load averages repeat what other KPIs say
    usual=("cpu.user", "mem.used", "cpu_user", "mem_used"),
)


def knows(column: str) -> bool:
    """Whether Glances has such a column: ``plugin.field`` or ``plugin_field``, as its versions write them."""
    plugin, _, name = column.replace("_", ".", 1).partition(".") if "." not in column else column.partition(".")
    return name in _FIELDS[plugin].split() if plugin in _FIELDS else plugin in _PLUGINS


def _recognise(head: Head) -> Layout | Missing:
    own = [name for name in head.header if name not in _TIMES and knows(name)]
    others = [name for name in head.header if name not in _TIMES and not knows(name)]
    time = next((name for name in _TIMES if name in head.header), None)
    if not own or len(others) > len(own):
        return Missing(_not_there(head), 0.2)
    if time is None:
        return Missing("a column now, now.iso or timestamp is missing", 0.8)
    told = times.of_column(head.sample[time])
    texts = [name for name in _TIMES if name in head.header and not (name == time and told.is_number)]
    return Layout(
        format="Glances CSV",
        kind="metrics",
        columns={**dict.fromkeys(texts, pl.String), **_COLUMNS},
        time=(time,),
        clock=lambda frame: told.clock(frame[time]),
        row_uncertainty_s=1.0,
        fixed_node=head.file.node,
        abbreviation=None if told.is_number else lambda frame: times.abbreviations(frame[time]),
        kpis=frozenset(head.file.values) if head.file.values else None,
        values=VALUES,
        blurs_s=(head.file.time_blur_s or 0.0,),
    )


def _not_there(head: Head) -> str:
    return "columns such as cpu.user or mem.used are missing" if head.header else "it is no CSV"


FORMAT = Format(
    id="glances",
    name="Glances CSV",
    kinds=("metrics",),
    about="glances --stdout-csv now,cpu.user,mem.used,load (versions 3 and 4), or glances --export csv",
    sample="now,cpu.user,mem.used,load.min1\n2019-10-11 21:11:16 CEST,20.8,15024152576,1.67\n",
    recognise=_recognise,
    rows=csv_rows.read,
)
