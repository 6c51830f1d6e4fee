"""Any CSV of metrics: a time, perhaps a node, and numbers, wide (a column a KPI) or long (a row a value)."""

from __future__ import annotations

from faultset.sources.telemetry import csv_repair, csv_rows, generic
from faultset.sources.telemetry.format import Format, Layout, Missing
from faultset.sources.telemetry.head import Head


def _recognise(head: Head) -> Layout | Missing:
    if not head.header:
        return Missing("it is no CSV", 0.1)
    if not any(head.sample.values()):
        return Missing("it has no rows as long as its header", 0.4)
    numbers = frozenset(name for name, values in head.sample.items() if _are_numbers(values))
    return generic.layout(head.file, generic.Columns(head.sample, numbers), FORMAT.name)


def _are_numbers(values: list[str]) -> bool:
    """Whether a column holds numbers: most of what is there is one, and the rest is what tools write for none."""
    known = [text for value in values if (text := value.strip()) and text not in csv_repair.NO_VALUES]
    numbers = sum(csv_repair.number(text) is not None for text in known)
    return numbers == len(known) if known else bool(values)


FORMAT = Format(
    id="csv",
    name="CSV of metrics",
    kinds=("metrics",),
    about="any CSV with a column of times and columns of numbers: Grafana, collectd, sar, your own script",
    sample='Time,node_memory_used{instance="cmp01:9100"}\n2025-11-18 18:33:42,15024152576\n',
    recognise=_recognise,
    rows=csv_rows.read,
)
