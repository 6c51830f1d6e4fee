"""What formats of telemetry are read, with a sample of each: for the command line, and the page of the reference."""

# ruff: noqa: E501 (lines of a page)

from __future__ import annotations

from typing import Any

from faultset.sources.telemetry.registry import FORMATS

_INTRO = """\
# Formats of telemetry

<!-- written by faultset.pipeline.formats.page(); a test holds it to the code -->

Each file is recognised by its content; its name and its folder say nothing. `faultset formats` lists the same, and one
dataset may mix all of them. What is not recognised is refused with the nearest format and what is missing. Any of these
may be packed with gzip, zstd, or as the only member of a zip archive; parquet packs itself.

| `format` | kind | written by |
|---|---|---|
"""
_RULES = """\
## What an entry of `telemetry` can say

```yaml
telemetry:
  - {kind: metrics, files: "grafana/*.csv", time_zone: Europe/Berlin}                      # recognised
  - {kind: metrics, files: "power.csv", time_zone: UTC, time_column: at, values: watts, node: cmp01}
  - {kind: metrics, files: "prom/*.json", format: prometheus, time_blur_s: 15}
```

| key | means |
|---|---|
| `format` | one of the names above, where the content alone does not tell |
| `time_column` | the column of the times |
| `node_column` | the column that names the node of each row |
| `node` | the node that the whole file is of |
| `values` | the column of the values, or a list of the columns that are KPIs; else every column of numbers is one |
| `time_blur_s` | how far a value may lag behind what it tells of, in seconds, where the source does not tell or is wrong |

## Times

Known are seconds, milliseconds, microseconds and nanoseconds since 1970; ISO 8601; `YYYY-MM-DD HH:MM:SS` with or without
an abbreviation; and Kibana's `Nov 18, 2025 @ 18:33:41.787`. An offset in the text (`Z`, `+01:00`, `+01`) is exact and wins
over `time_zone`, which only times of the wall clock need. An abbreviation such as `CEST` is not trusted: the zone gives the
offset, and a disagreement is a finding.

## Nodes

The node of a row is told by `node` or `node_column`; by a column such as `host` or `instance`; by the label of a series or
a column's header (`{instance="cmp01:9100"}`); by a resource (`host.name`); or by the file's name. Ports and domains fall
away, addresses are looked up in the cluster file, and case is ignored. A label that names a node (`node`, `nodename`,
`kubernetes_node`) wins over `instance`, the address that was asked; neither is part of the KPI's name, so that a KPI is
called alike on all nodes. In OTLP and Jaeger a service stands for its host where none is named. One row of a CSV that
tells of several nodes becomes one row a node, with the same `source_row`.

## Wide and long

A wide file has a column a KPI, a long one a row a value. Long rows stay as they are, with the columns of their format;
`ds.wide()`, `ds.metrics(columns=[KPI])` and all exports lay them out with a column a KPI. A source's columns `timestamp` and
`node` are called `source_timestamp` and `source_node`, since every row has labels of these names.

## What is odd

| what | what becomes of it | finding |
|---|---|---|
| a row of another length than its header | left out, never shifted | `telemetry.rows_are_whole`, with its lines |
| a last line that is cut off, a row of metrics without a time that can be read, bytes that are no text | left out | the same |
| `N/A` and the like, or a text, in a column of numbers | null | `telemetry.values_are_numbers`, with its lines |
| the header again between the rows | no row | `telemetry.header_stands_once` |
| exactly as many rows as the tool gives by default (30 of logcli) | kept | `telemetry.not_cut_by_a_limit` |
| averages over buckets of time (Gnocchi) | kept | `telemetry.values_are_of_their_time` |

`source_row` counts every row of the source, those left out included.

## Values that lag behind

`time_blur_s` of a file's KPIs stands in the manifest. Prometheus answers a range query with the last value scraped, at most
five minutes earlier, and repeats that of a target that died: a KPI's blur is the query's step, and as long as its value ever
stood without a change, up to five minutes. The window of a `rate(x[5m])` is not in the answer: add it with `time_blur_s`.
Rows may tell of a fault for so long after it, and not tell of it for so long after its start: these are boundary rows. A
detected impact may have begun so much earlier than its KPI shows it.

A counter (`_total`, `_count`, `_sum`, `_bucket`; cumulative sums of OTLP) is published as it is; impacts are looked for in
its rate.

## A sample of each
"""


def formats() -> list[dict[str, Any]]:
    """Return the formats, the most particular first, as plain values."""
    return [
        {"format": one.id, "name": one.name, "kinds": list(one.kinds), "about": one.about, "sample": one.sample}
        for one in FORMATS
    ]


def page() -> str:
    """Return ``docs/reference/telemetry.md``."""
    rows = [f"| `{one.id}` | {', '.join(one.kinds)} | {one.name}: {_escaped(one.about)} |" for one in FORMATS]
    samples = [f"### {one.name}\n\n```\n{one.sample}```\n" for one in FORMATS if one.sample]
    return _INTRO + "\n".join(rows) + "\n\n" + _RULES + "\n" + "\n".join(samples)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
