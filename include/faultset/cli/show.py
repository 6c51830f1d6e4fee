"""Answers as short tables for people. All texts may come from reports: none is taken as markup or terminal code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from faultset.errors import printable

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]

_STYLES = {
    "critical": "bold red",
    "warning": "yellow",
    "no": "red",
    "failed": "red",
    "partial": "yellow",
    "not_reached": "yellow",
    "not_observable": "yellow",
}


def inspection(console: Console, document: Document) -> None:
    """Show workloads, triggers by outcome, injections and targets."""
    _line(console, f"Rally {document['rally_version'] or 'of unknown version'}")
    workloads = {row["workload_id"]: f"{row['name']} {row['position']}" for row in document["workloads"]}
    _table(
        console,
        "Workloads",
        ("workload", "runner", "times", "concurrency", "iterations", "failed", "start (UTC)", "end (UTC)", "SLA"),
        (
            (
                workloads[row["workload_id"]],
                *(row[key] for key in ("runner", "times", "concurrency", "iterations", "failed_iterations")),
                _moment(row["started_at"]),
                _moment(row["ended_at"]),
                {True: "passed", False: "failed", None: "?"}[row["sla_passed"]],
            )
            for row in document["workloads"]
        ),
    )
    _table(
        console,
        "Triggers",
        ("workload", "hook", "action", "outcome", "number", "at"),
        _triggers(document["triggers"], workloads),
    )
    _table(
        console,
        "Injections",
        ("injection", "start (UTC)", "end (UTC)", "start ±", "end ±", "from", "hook", "code", "action", "effect"),
        (
            (
                row["injection_id"],
                _moment(row["started_at"]),
                _moment(row["ended_at"]),
                *(f"{row[key]:g} s" for key in ("start_uncertainty_s", "end_uncertainty_s")),
                *(row[key] for key in ("time_source", "hook_status", "return_code", "action", "effect")),
            )
            for row in document["injections"]
        ),
    )
    _table(
        console,
        "Targets",
        ("injection", "node", "container", "service", "declared", "commanded", "effective", "resolution"),
        (
            (
                *(row[key] for key in ("injection_id", "node", "container", "service")),
                *(_truth(row[key]) for key in ("declared", "commanded", "effective")),
                row["resolution"],
            )
            for row in document["targets"]
        ),
    )
    for text in (*document.get("disagreements", ()), *document.get("notes", ())):
        _line(console, f"note: {text}")


def _triggers(rows: Iterable[Document], workloads: Mapping[str, str]) -> Iterable[tuple[object, ...]]:
    """One line a hook and outcome, with the first few values."""
    values: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        key = (workloads[row["workload_id"]], f"{row['hook_index']} {row['hook']}", row["action"], row["outcome"])
        unit = " s" if row["unit"] == "time" else ""
        values.setdefault(key, []).append(f"{row['value']:g}{unit}")
    for key, found in values.items():
        yield *key, len(found), ", ".join(found[:8]) + (", …" if len(found) > 8 else "")


def validation(console: Console, document: Document) -> None:
    """Show the findings and what to do about each."""
    findings(console, document["findings"])
    counts = Counter(finding["severity"] for finding in document["findings"])
    said = ", ".join(f"{counts[severity]} {severity}" for severity in ("critical", "warning", "info"))
    _line(console, f"{'passed' if document['passed'] else 'failed'}: {document['expectations']} expectations, {said}")
    if document["data_docs"]:
        _line(console, f"Data Docs: {document['data_docs']}")


def findings(console: Console, rows: Sequence[Document]) -> None:
    """Show what expectations found."""
    _table(
        console,
        "Findings",
        ("severity", "table", "rows", "found", "what to do"),
        ((row["severity"], row["table"], row["count"], row["message"], row["remedy"]) for row in rows),
    )


def _table(console: Console, title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table; one without rows is said to be empty in a line."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if table.row_count:
        console.print(table)
    else:
        _line(console, f"{title}: none")


def _cell(value: object) -> Text:
    text = "" if value is None else printable(str(value))
    return Text(text, style=_STYLES.get(text, ""))


def _line(console: Console, text: str) -> None:
    console.print(Text(printable(text, 2000)), soft_wrap=True)


def _moment(text: str | None) -> str:
    """Return an ISO time without its separators; the heading says UTC."""
    return text.replace("T", " ").removesuffix("Z") if text else "?"


def _truth(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"
