"""The dataset card: ``README.md`` with the YAML head that dataset hubs read.

Texts of the catalog, of reports and of findings are untrusted: ``markdown.text`` and ``_quoted`` let none of them act.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultset import tables
from faultset.errors import printable
from faultset.moments import iso
from faultset.release import corrected, markdown, telemetry_card
from faultset.release.description.about import Described, about, license_of
from faultset.release.manifest import Manifest
from faultset.release.markdown import limited, table, text
from faultset.severity import SEVERITIES
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth.fault_end import LONGEST_OPEN_S

_TAGS = ("fault-injection", "anomaly-detection", "aiops", "root-cause-analysis", "openstack", "rally", "os-faults")
# What dataset hubs call a licence where that is not its SPDX identifier in small letters.
_HUB_LICENSES = {"odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl"}
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")


@dataclass(frozen=True, slots=True)
class Content:
    """The rows that the card shows; iterations and telemetry are only counted."""

    workloads: Sequence[WorkloadRow]
    triggers: Sequence[TriggerRow]
    injections: Sequence[InjectionRow]
    targets: Sequence[TargetRow]
    impacts: Sequence[ImpactRow] = ()
    impact_tests: Sequence[ImpactTestRow] = ()


def render(manifest: Manifest, content: Content) -> str:
    """Return the text of ``README.md``; ``manifest.files`` needs to hold the tables, telemetry and figures only."""
    sections: tuple[list[str], ...] = (
        _head(manifest),
        _what(manifest),
        telemetry_card.figures(manifest),
        _in_numbers(manifest, content),
        telemetry_card.telemetry(manifest),
        telemetry_card.impacts(manifest, content.impacts, content.impact_tests),
        corrected.section(manifest),
        _findings(manifest.validation),
        _how_made(manifest),
        [*_MEANING, *telemetry_card.meaning(manifest)],
        _limits(manifest, content),
        _how_to_load(manifest),
        _dictionary(manifest),
        _how_to_cite(manifest),
    )
    return "\n".join(line for section in sections if section for line in [*section, ""])


def _quoted(value: str) -> str:
    """Return a YAML scalar (a JSON text is one) that is harmless also where the head is shown as Markdown."""
    quoted = json.dumps(printable(value), ensure_ascii=False)
    return re.sub(r"[<>&`|\[\]*~@!#$:{}]|\b_|_\b|(?<=www)\.", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _head(manifest: Manifest) -> list[str]:
    return [
        "---",
        *_license(manifest.license),
        f"pretty_name: {_quoted(manifest.title)}",
        "language:",
        "- en",
        "tags:",
        *(f"- {tag}" for tag in _TAGS),
        "task_categories:",
        "- tabular-classification",
        "size_categories:",
        f"- {_size(sum(manifest.rows.values()))}",
        "configs:",
        *(line for table in about(manifest).tables for line in _config(table)),
        "---",
    ]


def _license(declared: str | None) -> list[str]:
    """Return the hub's own name of a licence; ``other`` with the name as declared where it has none."""
    known = license_of(declared)
    if known is None:
        return []
    if known.url:
        name = known.name.lower()
        return [f"license: {_HUB_LICENSES.get(name, name)}"]
    return ["license: other", f"license_name: {_quoted(known.name)}"]


def _size(rows: int) -> str:
    """Return the hub's class of size: powers of ten from a thousand on."""
    return _SIZES[min(max(len(str(rows)) - 3, 0), len(_SIZES) - 1)]


def _config(table: Described) -> list[str]:
    """Return a hub's view of one table; files with other columns are a view of their own."""
    lines = [f"- config_name: {table.name}"]
    if table.whole_folder:
        lines.append(f"  data_files: {table.name}/*.parquet")
    elif table.is_telemetry:
        lines += ["  data_files:", *(f"  - {_quoted(file.path)}" for file in table.files)]
    else:
        lines.append(f"  data_files: {table.files[0].path}")
    return [*lines, "  default: true"] if table.name == tables.INJECTIONS.name else lines


def _table_names(manifest: Manifest) -> list[str]:
    return [declared.name for declared in tables.EVERY_TABLE if declared.name in manifest.rows]


def _what(manifest: Manifest) -> list[str]:
    return [
        f"# {text(manifest.title)}",
        "",
        text(manifest.description, 5000),
        "",
        f"Version {manifest.version} of `{manifest.slug}`, published {manifest.created_at}. "
        f"License: {text(manifest.license or 'none stated')}. "
        f"By: {', '.join(_creator(creator) for creator in manifest.creators) or 'not stated'}.",
        "",
        "What changed since the version before stands in `CHANGES.md`; hashes of all files, inputs and outputs, in "
        "`manifest.json`. For other tools: `croissant.json` (Croissant 1.1), `datapackage.json` (Data Package 2.0), "
        "`dictionary.md` (every column), `CITATION.cff`, and `datacite.json` (to register a DOI).",
    ]


def _creator(creator: dict[str, Any]) -> str:
    name = text(creator.get("name", ""))
    return f"{name} (ORCID {text(creator['orcid'])})" if creator.get("orcid") else name


# --- numbers --------------------------------------------------------------------------------------------------------


def _in_numbers(manifest: Manifest, content: Content) -> list[str]:
    rows = manifest.rows
    counted = [(name, rows[name]) for name in _table_names(manifest)]
    counted += [
        (kind, sum(count for name, count in rows.items() if name.startswith(f"{kind}/")))
        for kind in manifest.telemetry_kinds
    ]
    return [
        "## In numbers",
        "",
        *table(("table", "rows"), counted),
        "",
        "### Workloads",
        "",
        *limited(("workload", "runner", "iterations", "failed", "SLA passed"), content.workloads, _workload),
        "",
        "### Injections",
        "",
        *limited(
            ("injection", "start", "end", "uncertainty", "fault's end", "hook", "effect", "outcome", "why"),
            content.injections,
            _injection,
        ),
        "",
        "### Targets",
        "",
        *limited(
            ("injection", "node", "container", "action", "declared", "commanded", "effective", "resolution"),
            content.targets,
            _target,
        ),
        *_hooks(content),
    ]


def _hooks(content: Content) -> list[str]:
    """Return what was read of each hook and what was not, and what follows from that for each target."""
    hooks = {(row.workload_id, row.hook_index): row for row in content.triggers}
    if not hooks:
        return []
    lines = [
        "",
        "### What of the hooks was read",
        "",
        *limited(("workload", "hook", "read", "not read"), list(hooks.values()), _hook),
    ]
    unread = {row.trigger_id for row in content.triggers if row.commands_unread}
    injections = [row for row in content.injections if row.trigger_id in unread]
    if not injections:
        return [*lines, "", "Nothing of them that may act was left unread."] if not unread else lines
    concerned = {row.injection_id for row in injections}
    targets = [row for row in content.targets if row.injection_id in concerned]
    followed = {row.injection_id for row in targets}
    none = [row for row in injections if row.injection_id not in followed]
    return [
        *lines,
        "",
        "What follows where something was not read:",
        "",
        *limited(
            ("injection", "target", "effective", "why", "what follows"),
            [
                *((row.injection_id, _place(row), row.effective, *_parted(row.evidence)) for row in targets),
                *((row.injection_id, "none is known", None, *_parted(row.effect_reason)) for row in none),
            ],
            tuple,
        ),
    ]


def _hook(row: TriggerRow) -> Sequence[object]:
    read, unread = (text or "nothing" for text in (row.commands_read, row.commands_unread))
    return (row.workload_id, f"{row.hook_index}: {row.hook}", read, unread)


def _parted(reason: str) -> tuple[str, str]:
    """Return a reason without what follows from what was not read, and that."""
    why, _, follows = reason.rpartition("; ")
    return why, follows


def _place(row: TargetRow) -> str:
    return f"{row.container or 'the node itself'} on {row.node}"


def _workload(row: WorkloadRow) -> Sequence[object]:
    return (row.workload_id, row.runner, row.iterations, row.failed_iterations, row.sla_passed)


def _injection(row: InjectionRow) -> Sequence[object]:
    uncertainty = f"{row.start_uncertainty_s:g} s / {row.end_uncertainty_s:g} s"
    times = (iso(row.started_at), iso(row.ended_at), uncertainty, _fault_end(row))
    return (row.injection_id, *times, row.hook_status, row.effect, row.outcome, row.effect_reason)


def _fault_end(row: InjectionRow) -> str:
    """Return when the fault itself ended, and why where that is not with its command."""
    if row.fault_end_source == "command":
        return "with the command"
    if row.fault_ended_at is None:
        return f"unknown: {row.fault_end_reason}" if row.fault_end_reason else "unknown"
    return f"{iso(row.fault_ended_at)} + {row.fault_end_uncertainty_s or 0:g} s: {row.fault_end_reason}"


def _target(row: TargetRow) -> Sequence[object]:
    place = (row.injection_id, row.node, row.container or "the node itself", row.action)
    return (*place, row.declared, row.commanded, row.effective, row.resolution)


def _findings(validation: dict[str, Any]) -> list[str]:
    counted = ", ".join(f"{validation[severity]} {severity}" for severity in SEVERITIES)
    lines = ["## Findings", "", f"{validation['expectations']} expectations were evaluated; findings: {counted}."]
    if validation["findings"]:
        rows = [
            (finding["severity"], finding["table"], finding["message"], finding["count"], finding["remedy"])
            for finding in validation["findings"]
        ]
        lines += ["", *table(("severity", "table", "finding", "rows", "what to do"), rows)]
    return lines + _relaxed(validation.get("relaxed", ()))


def _relaxed(relaxed: Sequence[dict[str, Any]]) -> list[str]:
    """Return what of the expectations the experiment sets otherwise; nothing where all are as they are."""
    if not relaxed:
        return []
    rows = [(one["expectation"], one["what"], one["was"], one["now"], one["reason"]) for one in relaxed]
    return [
        "",
        "### Expectations set otherwise",
        "",
        "The experimenter set these expectations otherwise than they usually are, for the reasons stated.",
        "",
        *table(("expectation", "what", "usually", "here", "reason"), rows),
    ]


# --- words ----------------------------------------------------------------------------------------------------------


def _how_made(manifest: Manifest) -> list[str]:
    inputs = ((file.role, file.uri, file.bytes, file.sha256) for file in manifest.inputs)
    tools = ", ".join(f"{text(name)} {text(version)}" for name, version in manifest.tools.items())
    return [
        "## How it was made",
        "",
        "Read from the files below, decided by fixed rules (each decision carries its evidence), validated, and "
        f"written by {tools}. The same files and the same recipe of faultset ("
        f"{text(manifest.recipe[:12] or 'unknown')}) give the same records.",
        "",
        *table(("role", "file", "bytes", "sha256"), inputs),
    ]


_MEANING = [
    "## What a label means",
    "",
    "- **Injection**: what the experimenter did, a firing of a Rally hook. The true start lies in "
    "`[started_at, started_at + start_uncertainty_s)`, the true end likewise: a report knows whole seconds, a result "
    "file microseconds. `time_source` says which of the two it was, or that a declared correction replaced it.",
    "- **The fault's own end**: `fault_ended_at`, which is the command's end or later, known to "
    "`fault_end_uncertainty_s`; `fault_end_source` and `fault_end_reason` say what tells it. Rows and iterations are "
    "held against the fault, not against the command. Where its end is unknown, rows from the command's end to "
    f"`fault_open_until` (at most {LONGEST_OPEN_S:g} s, never beyond the end of the run) are boundary rows.",
    "- **Target**: a node and a container that an injection acted on, with three separate truths. *Declared*: the "
    "cluster file says that it runs there. *Commanded*: the hook went there. *Effective*: it demonstrably acted. "
    "A null is a value: nobody can tell.",
    "- **Effect**: full where the fault took hold on all commanded targets, partial on some, none, or unknown. The "
    "status of a hook says nothing about it: a failed hook can have hit its targets.",
    "- **Trigger**: what was planned. One that was not seen is `not_reached` (the run ended before) or "
    "`not_observable` (the inputs cannot tell), never left out.",
    "- **Iteration**: carries the ids of all injections whose window it overlaps; `is_boundary` says that the "
    "uncertainty leaves it open.",
]


def _limits(manifest: Manifest, content: Content) -> list[str]:
    outcomes = Counter(row.outcome for row in content.triggers)
    from_report = sum(row.time_source == "report" for row in content.injections)
    unknown = sum(row.effect == "unknown" for row in content.injections)
    open_ends = sum(row.fault_ended_at is None for row in content.injections)
    ambiguous = sum(row.resolution == "ambiguous" for row in content.targets)
    counted = [
        (outcomes["not_reached"], "planned triggers were not reached by their run."),
        (outcomes["not_observable"], "planned triggers cannot be seen in the inputs; they may have fired."),
        (from_report, "injections have their times from an HTML report, known to the second only."),
        (unknown, "injections have an unknown effect."),
        (open_ends, "injections have a fault whose end is unknown; rows after their command are boundary rows."),
        (ambiguous, "targets are one of several candidates; which one is recorded nowhere."),
    ]
    return [
        "## Known limits",
        "",
        *[f"- {count} {what}" for count, what in counted if count],
        "- A Rally report shows an iteration's own times only where it failed; a result file shows all.",
        _commands(manifest.experiment),
        *telemetry_card.limits(manifest),
    ]


def _commands(experiment: Mapping[str, Any]) -> str:
    if experiment.get("publish_commands") == "full":
        reason = text(str(experiment.get("publish_commands_reason", "")))
        return f"- Commands and descriptions of hooks stand here in full but for recognised secrets: {reason}"
    return (
        "- Of commands, scripts' notes and descriptions of hooks only words that were recognised are shown; "
        "`…` stands for all others, which may have been secrets."
    )


def _how_to_load(manifest: Manifest) -> list[str]:
    return [
        "## How to load",
        "",
        f"In the folder of this version (`{manifest.slug}/{manifest.version}`), with pandas:",
        "",
        "```python",
        "import pandas as pd",
        "",
        'injections = pd.read_parquet("injections.parquet")',
        'targets = pd.read_parquet("targets.parquet")',
        'hit = targets[targets["effective"].eq(True)]',
        'hit = hit.merge(injections, on="injection_id", suffixes=("", "_injection"))',
        'print(hit[["injection_id", "node", "container", "started_at", "ended_at"]].to_string())',
        "```",
        "",
        "With pyarrow:",
        "",
        "```python",
        "import pyarrow.parquet as pq",
        "",
        'iterations = pq.read_table("iterations.parquet")',
        "print(iterations.schema)",
        "```",
        *telemetry_card.how_to_load(manifest),
    ]


def _dictionary(manifest: Manifest) -> list[str]:
    lines = ["## Data dictionary", "", "Times are UTC with microseconds; spans are half-open, [start, end)."]
    for declared in tables.EVERY_TABLE:
        if declared.name not in manifest.rows:
            continue
        lines += [
            "",
            f"### {declared.name}",
            "",
            text(declared.description),
            "",
            f"Key: {', '.join(declared.key)}.",
            "",
        ]
        lines += markdown.columns(tables.columns(declared))
    return [*lines, *telemetry_card.dictionary(manifest)]


def _how_to_cite(manifest: Manifest) -> list[str]:
    names = ", ".join(text(creator.get("name", "")) for creator in manifest.creators)
    return [
        "## How to cite",
        "",
        f"{names + ': ' if names else ''}{text(manifest.title)}. Dataset {manifest.slug}, version {manifest.version}, "
        f"{manifest.created_at[:10]}. Fingerprint {manifest.fingerprint}.",
    ]
