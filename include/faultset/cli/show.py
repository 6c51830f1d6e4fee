"""Answers as short tables for people. All texts may come from reports: none is taken as markup or terminal code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from faultset.errors import printable
from faultset.moments import iso
from faultset.severity import SEVERITIES

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
_SHOWN = 8
_STANDINGS = {
    "waiting": ", its candidate waits to be published",
    "proposed": ", its candidate waits for an answer",
    "rejected": ", its candidate was rejected",
}


def inspection(console: Console, document: Document) -> None:
    """Show workloads, triggers by outcome, injections and targets; workloads are numbered to keep the rest short."""
    places = {row["workload_id"]: number for number, row in enumerate(document["workloads"], 1)}
    numbers = {workload: f"#{number}" for workload, number in places.items()}
    injections = sorted(document["injections"], key=lambda row: (places[row["workload_id"]], row["started_at"]))
    names = {row["injection_id"]: _short_name(row, numbers) for row in injections}
    order = {injection: place for place, injection in enumerate(names)}
    targets = sorted(document["targets"], key=lambda row: order.get(row["injection_id"], len(order)))
    _line(console, ", ".join(document["tools"]))
    _table(
        console,
        "Workloads",
        (
            "",
            "name",
            "pos",
            "runner",
            "times",
            "concurrency",
            "iterations",
            "failed",
            "start (UTC)",
            "end (UTC)",
            "SLA",
        ),
        (
            (
                numbers[row["workload_id"]],
                *(row[key] for key in ("name", "position", "runner", "times", "concurrency")),
                *(row[key] for key in ("iterations", "failed_iterations")),
                _moment(row["started_at"]),
                _moment(row["ended_at"], beside=row["started_at"]),
                {True: "passed", False: "failed", None: "?"}[row["sla_passed"]],
            )
            for row in document["workloads"]
        ),
    )
    _table(
        console,
        "Triggers",
        ("", "hook", "action", "outcome", "number", "at"),
        _triggers(document["triggers"], numbers),
    )
    _table(
        console,
        "Injections",
        ("injection", "start (UTC)", "+", "end (UTC)", "+", "fault's end", "hook", "code", "action", "effect"),
        (
            (
                names[row["injection_id"]],
                _moment(row["started_at"]),
                f"{row['start_uncertainty_s']:g} s",
                _moment(row["ended_at"], beside=row["started_at"]),
                f"{row['end_uncertainty_s']:g} s",
                _fault_end(row),
                *(row[key] for key in ("hook_status", "return_code", "action", "effect")),
            )
            for row in injections
        ),
    )
    _table(
        console,
        "Targets",
        (
            "injection",
            "node",
            "pod",
            "container",
            "service",
            "action",
            "declared",
            "commanded",
            "effective",
            "resolution",
        ),
        (
            (
                names.get(row["injection_id"], row["injection_id"]),
                row["node"] if row["placed"] else None,
                "/".join(part for part in (row["namespace"], row["pod"]) if part) or None,
                *(row[key] for key in ("container", "service", "action")),
                *(_truth(row[key]) for key in ("declared", "commanded", "effective")),
                row["resolution"],
            )
            for row in targets
        ),
    )
    for row in injections:
        if row["fault_end_source"] != "command":
            _line(console, f"fault's end of {names[row['injection_id']]}: {row['fault_end_reason']}")
    hooks = {f"{numbers[row['workload_id']]} hook{row['hook_index']}": row for row in document["triggers"]}
    for name, row in hooks.items():
        if row["commands_read"]:
            _line(console, f"read of {name}: {row['commands_read']}")
    for text in document.get("unread", ()):
        _line(console, f"not read: {text}")
    kinds = ("surplus", "disagreements", "notes")
    for text in (text for kind in kinds for text in document.get(kind, ())):
        _line(console, f"note: {text}")


def _fault_end(row: Document) -> str:
    """Return when the fault itself ended; the command's end is not told twice."""
    if row["fault_end_source"] == "command":
        return "command's"
    if row["fault_ended_at"] is None:
        return "unknown"
    return f"{_moment(row['fault_ended_at'], beside=row['started_at'])} + {row['fault_end_uncertainty_s']:g} s"


def _short_name(row: Document, numbers: Mapping[str, str]) -> str:
    """Return an injection's id with the workload's number in place of the workload's id."""
    workload = row["workload_id"]
    return f"{numbers[workload]} {row['injection_id'].removeprefix(f'{workload}.')}"


def _triggers(rows: Iterable[Document], numbers: Mapping[str, str]) -> Iterable[tuple[object, ...]]:
    """One line a hook and outcome, with the first few values."""
    values: dict[tuple[str, ...], list[str]] = {}
    for row in sorted(rows, key=lambda row: row["value"]):
        key = (numbers[row["workload_id"]], f"{row['hook_index']} {row['hook']}", row["action"], row["outcome"])
        unit = "s" if row["unit"] == "time" else ""
        values.setdefault(key, []).append(f"{row['value']:g}{unit}")
    for hook, found in values.items():
        yield *hook, len(found), ", ".join(found[:8]) + (", …" if len(found) > 8 else "")


def validation(console: Console, document: Document) -> None:
    """Show the findings and what to do about each."""
    findings(console, document["findings"])
    counts = Counter(finding["severity"] for finding in document["findings"])
    said = ", ".join(f"{counts[severity]} {severity}" for severity in SEVERITIES)
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


def builds(console: Console, document: Document) -> None:
    """Show each candidate and the findings of each."""
    for row in document["built"]:
        if row["unchanged"]:
            _line(console, f"{row['slug']}: unchanged{_STANDINGS.get(row['standing'], '')}")
        if row["validation"] is None:
            continue
        _line(console, f"{row['slug']}: candidate with {row['injections']} injections and {row['targets']} targets")
        validation(console, row["validation"])


def publication(console: Console, document: Document) -> None:
    """Show the version that was published or was there already."""
    version, latest = document["version"], document["latest"]
    if document["new"]:
        said = f"published {version}"
    elif version == latest:
        said = f"unchanged, the latest version is {version}"
    else:
        said = f"unchanged since {version}, which was taken back; the latest version is {latest}"
    _line(console, f"{document['slug']}: {said}")
    _facts(console, document, ("folder", "manifest_sha256", "injections", "targets", "findings"))


def formats(console: Console, document: Document) -> None:
    """Show the formats of telemetry."""
    rows = [(one["format"], ", ".join(one["kinds"]), one["name"], one["about"]) for one in document["formats"]]
    _table(console, "Formats of telemetry", ("format", "kind", "name", "written by"), rows)
    for one in document["formats"]:
        if one["sample"]:
            _line(console, "")
            _line(console, f"{one['format']}:")
            for line in one["sample"].splitlines():
                _line(console, f"  {line}")


def datasets(console: Console, document: Document) -> None:
    """Show a dataset a line."""
    _table(
        console,
        "Datasets",
        ("dataset", "latest", "versions", "published (UTC)", "title"),
        (
            (row.slug, row.latest or "withdrawn", len(row.versions), _moment(row.created_at), row.title)
            for row in document["datasets"]
        ),
    )


def dataset(console: Console, document: Document) -> None:
    """Show a version: what it is, its tables, its telemetry."""
    latest = "" if document["version"] == document["latest"] else f" (the latest is {document['latest']})"
    _line(console, f"{document['slug']} {document['version']}{latest}: {document['title']}")
    if document["withdrawn"]:
        _line(console, f"  withdrawn: {document['withdrawn']}")
    if document["description"]:
        _line(console, f"  {document['description']}")
    _facts(console, document, ("versions", "created_at", "license", "findings", "uri"))
    _table(console, "Tables", ("table", "rows"), document["tables"].items())
    _table(
        console,
        "Telemetry",
        ("kind", "files", "rows", "nodes", "from (UTC)", "to (UTC)"),
        (
            (
                *(row[key] for key in ("kind", "files", "rows")),
                _few(row["nodes"]),
                *(_moment(row[key] and iso(row[key])) for key in ("first", "last")),
            )
            for row in document["telemetry"]
        ),
    )


def exported(console: Console, document: Document) -> None:
    """Show what was written; what could not be stands on standard error."""
    where = document["folder"]
    _line(
        console, f"wrote {document['files']} files, {document['bytes']:,} bytes, for {document['layout']} into {where}"
    )
    _line(console, f"{where}/EXPORT.md says how to load it, what needs no method, and what was not carried over")


def audited(console: Console, document: Document) -> None:
    """Show what was seen of a foreign set: its cases, what is wrong with them, and its floors."""
    cases = document["cases"]
    _table(
        console,
        "cases",
        ("case", "rows", "columns", "labels", "visible", "strength", "could hide", "findings"),
        [_audited_case(case) for case in cases],
    )
    found = [
        (one["case"], one["kind"], _few_columns(one["columns"]), one["message"])
        for case in cases
        for one in case["findings"]
    ]
    if found:
        _table(console, "findings", ("case", "what", "columns", "message"), found)
    if document["shift"]:
        _line(console, document["shift"])
    floors = document["floors"]
    if floors:
        measures = list(next(iter(floors.values())))
        rows = [(name, *(f"{values[one]:.3g}" for one in measures)) for name, values in floors.items()]
        _table(console, f"without any method: {document['floors_of']}", ("floor", *measures), rows)
    counts = ", ".join(f"{kind} in {count}" for kind, count in document["summary"].items())
    _line(console, f"{len(cases)} cases: {counts or 'nothing found'}")


def _audited_case(case: Document) -> tuple[str, ...]:
    effect = case["effect"] or {}
    kinds = list(dict.fromkeys(one["kind"] for one in case["findings"]))
    sizes = (effect.get("strength_sd"), effect.get("detectable_sd"))
    return (
        case["case"],
        str(case["rows"]),
        str(case["columns"]),
        str(effect.get("labels", "?")),
        str(effect.get("visible", "?")),
        *("-" if size is None else f"{size:.1f} sd" for size in sizes),
        ", ".join(kinds) or "none",
    )


def _few_columns(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)}: {', '.join(names[:_SHOWN])}{more}" if names else "?"


def versions(console: Console, document: Document) -> None:
    """Show a version a line."""
    _table(
        console,
        "Versions",
        ("dataset", "version", "", "published (UTC)", "rows", "manifest"),
        (
            (
                row["slug"],
                row["version"],
                _standing(row),
                _moment(row["created_at"]),
                _words(row["rows"]),
                (row["manifest_sha256"] or "missing")[:12],
            )
            for row in document["versions"]
        ),
    )


def _standing(row: Document) -> str:
    if row["withdrawn"]:
        return f"withdrawn: {row['withdrawn']}"
    said = ["latest"] if row["latest"] else []
    return ", ".join([*said, *(f"cited: {citation}" for citation in row["cited"])])


def undone(console: Console, document: Document) -> None:
    """Show what is the latest after a decision."""
    _line(console, f"{document['slug']}: the latest version is {document['latest']}")
    _line(console, f"  why: {document['why']}")


def retention(console: Console, document: Document) -> None:
    """Show what a policy says of each version."""
    gone = "removed" if document["removed"] else "would be removed"
    rows = ((row["slug"], row["version"], "kept" if row["kept"] else gone, row["why"]) for row in document["versions"])
    _table(console, "Versions", ("dataset", "version", "", "why"), rows)


def damages(console: Console, document: Document) -> None:
    """Show what verify found."""
    if document["intact"]:
        _line(console, "intact: every file is as it was published")
    else:
        _table(
            console,
            "Damages",
            ("dataset", "version", "file", "what is wrong", "what to do"),
            (
                tuple(row[key] for key in ("slug", "version", "path", "problem", "remedy"))
                for row in document["damages"]
            ),
        )


def difference(console: Console, document: Document) -> None:
    """Show a difference in words, under the headings of CHANGES.md, and the number that follows from it."""
    follows = document["number"]
    _line(console, f"{document['slug']}: from {document['from']} to {document['to']}")
    for section in document["sections"]:
        _line(console, "")
        _line(console, section["title"])
        for text in section["lines"]:
            _line(console, f"- {text}")
    _line(console, "")
    _line(console, f"{follows['follows']} would follow on {document['from']}: {follows['change']}, {follows['why']}")
    for text in follows["reasons"]:
        _line(console, f"- {text}")


def chain(console: Console, document: Document) -> None:
    """Show a chain step by step, then its inputs and whether they still are what they were."""
    _line(console, f"{document['kind']} {document['id']} of {document['slug']} {document['version']}")
    for step in document["chain"]:
        _line(console, "")
        _line(console, step["step"])
        for name, value in step["facts"].items():
            _fact(console, name, value)
    _table(
        console,
        "Inputs",
        ("role", "file", "bytes", "sha256", "now"),
        (tuple(row[key] for key in ("role", "uri", "bytes", "sha256", "now")) for row in document["inputs"]),
    )


def _fact(console: Console, name: str, value: object) -> None:
    if isinstance(value, list):
        _line(console, f"  {name}:{'' if value else ' none'}")
        for item in value:
            _line(console, f"    - {_pairs(item)}")
    elif value is not None:
        _line(console, f"  {name}: {_pairs(value)}")


def _pairs(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_pairs(part)}" for name, part in value.items() if part not in (None, []))
    if isinstance(value, list):
        return ", ".join(_pairs(part) for part in value)
    return str(_truth(value)) if isinstance(value, bool) else str(value)


def new(console: Console, document: Document) -> None:
    """Show where the new experiment lies and what comes next."""
    _line(console, f"wrote {document['path']}")
    _line(console, f"next: complete it, then run: faultset validate {document['slug']}")


def scenarios(console: Console, document: Document) -> None:
    """Show a name a line."""
    for name in document["scenarios"]:
        _line(console, name)


def simulation(console: Console, document: Document) -> None:
    """Show what was written."""
    _facts(console, document, tuple(document))


def health(console: Console, document: Document) -> None:
    """Show what was done, each check, and what to do where one failed."""
    for line in document["done"]:
        _line(console, line)
    _table(
        console,
        "Set-up",
        ("check", "ok", "found", "what to do"),
        ((row["check"], _truth(row["ok"]), row["detail"], row["remedy"]) for row in document["checks"]),
    )


def _facts(console: Console, document: Document, keys: Sequence[str]) -> None:
    for key in keys:
        _line(console, f"  {key}: {_words(document[key])}")


def _words(value: object) -> object:
    if isinstance(value, bool):
        return _truth(value)
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items()) or "none"
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else value


def _table(console: Console, title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a table; one without rows is said to be empty in a line."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if table.row_count:
        console.print()
        console.print(table)
    else:
        _line(console, f"{title}: none")


def _cell(value: object) -> Text:
    text = "" if value is None else printable(str(value))
    return Text(text, style=_STYLES.get(text, ""))


def _line(console: Console, text: str) -> None:
    console.print(Text(printable(text, 2000)), soft_wrap=True)


def _moment(text: str | None, beside: str | None = None) -> str:
    """Return an ISO time without its separators, and without the day where it is that of ``beside``."""
    if not text:
        return "?"
    day, _, clock = text.removesuffix("Z").partition("T")
    return clock if beside and beside.startswith(day) else f"{day} {clock}"


def _truth(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"
