"""Files of telemetry: as declared, and what is known of them once they are labeled."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

TelemetryKind = Literal["metrics", "logs", "traces"]


@dataclass(frozen=True, slots=True)
class TelemetryFile:
    """A file of telemetry, as the catalog declares it.

    Attributes:
        kind: what it holds.
        uri: where it lies.
        name: as a dataset names it, relative to the experiment's folder; never a machine's own path.
        time_zone: IANA zone of the wall-clock times in it; None where nobody says, because it should hold none.
        shift_us: microseconds to add to each of its times, as a declared correction says.
        renamed: (name in the source, true name) of nodes, as declared corrections say.
        hosts: (what a source may call a node, lower case; the node's name), of the cluster's nodes.
        format: id of its format; None where it is told by the content.
        time_column: the column that holds the times; None where it is told by the content.
        node_column: the column that names the node; None where it is told by the content, or by the file's name.
        node: the node that all of it is of; None where rows, header or the file's name tell.
        values: the columns that are KPIs; none: all that hold numbers.
        time_blur_s: how far a value may lag behind what it tells of, as declared; None where the format tells.
    """

    kind: TelemetryKind
    uri: str
    name: str
    time_zone: str | None
    shift_us: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()
    format: str | None = None
    time_column: str | None = None
    node_column: str | None = None
    node: str | None = None
    values: tuple[str, ...] = ()
    time_blur_s: float | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """Where a secret of the inputs stands in a build: the file, its column, and in how many rows."""

    file: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class TelemetryFacts:
    """What is known of one labeled file of telemetry, for validation, card and manifest.

    Attributes:
        kind: what it holds.
        source: the source file, as the dataset names it.
        path: the labeled file in the dataset, such as ``metrics/node01_metrics.parquet``.
        time_zone: zone declared for its wall-clock times; None where it has none.
        nodes: nodes that its rows are of.
        source_rows: rows of the source.
        rows: rows of the labeled file.
        first: earliest time, UTC; None where no row has one.
        last: latest time, UTC.
        columns: the source's columns with their types, in order.
        cadence_s: usual distance of two rows of a node, in seconds; None with less than two rows.
        longest_gap_s: longest distance of two rows of a node, in seconds.
        out_of_order: rows earlier than the one before them.
        duplicates: rows equal to an earlier row in every column.
        left_out: rows of the source that are not whole, or have no time, and are not in the labeled file.
        left_out_where: which ones and why, the first of them.
        nulled: values that are no numbers, or no times, and are null.
        nulled_where: which ones, the first of them.
        repeated_headers: how often the header stands again between the rows.
        format: name of its format.
        row_uncertainty_s: a row's true time lies in [time, time + this).
        time_blur_s: KPI -> how far, in seconds, a value may lag behind what it tells of; those without are left out.
        note: what a reader has to know of its values; "" for nothing.
        limit_note: what to do about a number of rows that a tool gives unless it is told otherwise; "" for any other.
        kpi_column: where a row holds one value: the column that names its KPI; None where each KPI has its own.
        value_column: likewise, the column that holds the value.
        kpis: the KPIs: the columns that are one each, or those that rows name.
        without_time: rows whose time cannot be read.
        ambiguous_times: rows in a repeated hour (end of summer time) that nothing decides.
        nonexistent_times: rows in a skipped hour (start of summer time).
        out_of_range: column -> rows outside of what it can be (percent in 0..100, memory and load from 0).
        anomalous: rows labeled anomalous.
        boundary: rows that cannot be decided.
        boundary_anomalous: those of them that are labeled anomalous.
        guarded: rows that are left undecided by the guard before a command or the cooldown after it alone.
        guarded_anomalous: those of them that are labeled anomalous.
        strangers: node that the cluster file does not know -> rows.
        phases: phase -> rows.
        leaks: rows that name the injection itself.
        redacted: rows in which a secret was replaced.
        coverage: injection id -> share of its window that has rows, 0 to 1.
        abbreviation_note: how the abbreviation in the text disagrees with the declared zone; None where it agrees.
        shift_s: seconds that the source seems to be off by; None where it seems right.
        shift_reason: why.
    """

    kind: TelemetryKind
    source: str
    path: str
    time_zone: str | None
    nodes: tuple[str, ...]
    source_rows: int
    rows: int
    first: dt.datetime | None
    last: dt.datetime | None
    columns: tuple[tuple[str, str], ...]
    cadence_s: float | None = None
    longest_gap_s: float | None = None
    out_of_order: int = 0
    duplicates: int = 0
    left_out: int = 0
    left_out_where: tuple[str, ...] = ()
    nulled: int = 0
    nulled_where: tuple[str, ...] = ()
    repeated_headers: int = 0
    format: str = ""
    row_uncertainty_s: float = 0.0
    time_blur_s: dict[str, float] = field(default_factory=dict)
    note: str = ""
    limit_note: str = ""
    kpi_column: str | None = None
    value_column: str | None = None
    kpis: tuple[str, ...] = ()
    without_time: int = 0
    ambiguous_times: int = 0
    nonexistent_times: int = 0
    out_of_range: dict[str, int] = field(default_factory=dict)
    anomalous: int = 0
    boundary: int = 0
    boundary_anomalous: int = 0
    guarded: int = 0
    guarded_anomalous: int = 0
    strangers: dict[str, int] = field(default_factory=dict)
    phases: dict[str, int] = field(default_factory=dict)
    leaks: int = 0
    redacted: int = 0
    coverage: dict[str, float] = field(default_factory=dict)
    abbreviation_note: str | None = None
    shift_s: float | None = None
    shift_reason: str = ""
