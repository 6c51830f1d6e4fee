"""Metrics of a node as Glances exports them: CSV, wall-clock times in whole seconds, an abbreviation behind them."""

from __future__ import annotations

import numpy as np
import polars as pl

from faultset.sources.telemetry.format import Clock, Flags, Form, first_true, microseconds

_LENGTH = len("2019-10-11 21:11:16")
_PATTERN = "%Y-%m-%d %H:%M:%S"
_ABBREVIATION = r"^( ?[A-Za-z]{1,6})?$"

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


def _clock(frame: pl.DataFrame) -> Clock:
    now = frame["now"]
    wall = np.ones(len(now), bool)
    behind = (now[0] or "")[_LENGTH:] if len(now) else ""
    if _is_abbreviation(behind) and _all_end_with(now, behind):
        times = now.str.strptime(pl.Datetime("us"), _PATTERN + behind, strict=False, cache=False)
        if not times.null_count():
            return Clock(microseconds(times), wall, abbreviations={behind.strip(): len(now)})
    return _mixed_clock(now, wall)


def _all_end_with(now: pl.Series, behind: str) -> bool:
    return bool(now.str.ends_with(behind).all() and (now.str.len_bytes() == _LENGTH + len(behind)).all())


def _mixed_clock(now: pl.Series, wall: Flags) -> Clock:
    """Return the times where not every row has the same abbreviation, or a text is no time."""
    times = now.str.slice(0, _LENGTH).str.strptime(pl.Datetime("us"), _PATTERN, strict=False, cache=False)
    behind = now.str.slice(_LENGTH).fill_null("")
    counts = behind.str.strip_chars().value_counts()
    return Clock(
        microseconds(times),
        wall,
        unreadable=first_true(times.is_null() | ~behind.str.contains(_ABBREVIATION)),
        abbreviations=dict(counts.sort(counts.columns[0]).iter_rows()),
    )


def _is_abbreviation(text: str) -> bool:
    return bool(pl.Series([text]).str.contains(_ABBREVIATION).item())


def _abbreviation(frame: pl.DataFrame) -> pl.Series:
    return frame["now"].str.slice(_LENGTH).str.strip_chars()


def _knows(column: str) -> bool:
    """Whether Glances has such a column: ``plugin.field`` or ``plugin_field``, as its versions write them."""
    plugin, _, name = column.replace("_", ".", 1).partition(".") if "." not in column else column.partition(".")
    return name in _FIELDS[plugin].split() if plugin in _FIELDS else plugin in _PLUGINS


FORM = Form(
    name="Glances CSV",
    kind="metrics",
    columns={
        "now": pl.String,
        "cpu.user": pl.Float64,
        "mem.used": pl.Int64,
        "load.cpucore": pl.Int64,
        "load.min1": pl.Float64,
        "load.min5": pl.Float64,
        "load.min15": pl.Float64,
    },
    time=("now",),
    clock=_clock,
    row_uncertainty_s=1.0,
    node=None,
    text=None,
    others=None,
    knows=_knows,
    abbreviation=_abbreviation,
)
