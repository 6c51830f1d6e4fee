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
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, Table, TargetRow, TriggerRow, WorkloadRow
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
    named = [text(creator.get("name", "")) for creator in manifest.creators]
    return markdown.render(
        "card.md",
        manifest=manifest,
        experiment=manifest.experiment,
        validation={"relaxed": (), **manifest.validation},
        head=markdown.block(_head(manifest)),
        description=markdown.block([text(manifest.description, 5000)]),
        creators=markdown.block([", ".join(_creator(creator) for creator in manifest.creators)]),
        names=markdown.block([", ".join(named)]),
        counted=", ".join(f"{manifest.validation[severity]} {severity}" for severity in SEVERITIES),
        figures=markdown.block(telemetry_card.figures(manifest)),
        numbers=markdown.block(_in_numbers(manifest, content)),
        telemetry=markdown.block(telemetry_card.telemetry(manifest)),
        impacts=markdown.block(telemetry_card.impacts(manifest, content.impacts, content.impact_tests)),
        corrections=markdown.block(corrected.section(manifest)),
        tools=markdown.block([", ".join(f"{text(name)} {text(version)}" for name, version in manifest.tools.items())]),
        inputs=markdown.block(
            table(
                ("role", "file", "bytes", "sha256"),
                ((file.role, file.uri, file.bytes, file.sha256) for file in manifest.inputs),
            )
        ),
        longest_open_s=f"{LONGEST_OPEN_S:g}",
        meaning=markdown.block(telemetry_card.meaning(manifest)),
        limits=_limits(content),
        limits_of_telemetry=markdown.block(telemetry_card.limits(manifest)),
        how_to_load=markdown.block(telemetry_card.how_to_load(manifest)),
        tables=_tables(manifest),
        columns=lambda declared: markdown.block(markdown.columns(tables.columns(declared))),
        table=_table,
        dictionary=markdown.block(telemetry_card.dictionary(manifest)),
    )


def _table(header: Sequence[str], rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    return markdown.block(table(header, ([row[name] for name in names] for row in rows)))


def _quoted(value: str) -> str:
    """Return a YAML scalar (a JSON text is one) that is harmless also where the head is shown as Markdown."""
    quoted = json.dumps(printable(value), ensure_ascii=False)
    return re.sub(r"[<>&`|\[\]*~@!#$:{}]|\b_|_\b|(?<=www)\.", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _head(manifest: Manifest) -> list[str]:
    return [
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


def _tables(manifest: Manifest) -> list[Table]:
    return [declared for declared in tables.EVERY_TABLE if declared.name in manifest.rows]


def _creator(creator: dict[str, Any]) -> str:
    name = text(creator.get("name", ""))
    return f"{name} (ORCID {text(creator['orcid'])})" if creator.get("orcid") else name


# --- numbers --------------------------------------------------------------------------------------------------------


def _in_numbers(manifest: Manifest, content: Content) -> list[str]:
    rows = manifest.rows
    counted = [(declared.name, rows[declared.name]) for declared in _tables(manifest)]
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


def _limits(content: Content) -> list[tuple[int, str]]:
    """Return how often something is not known, and what."""
    outcomes = Counter(row.outcome for row in content.triggers)
    from_report = sum(row.time_source == "report" for row in content.injections)
    unknown = sum(row.effect == "unknown" for row in content.injections)
    open_ends = sum(row.fault_ended_at is None for row in content.injections)
    ambiguous = sum(row.resolution == "ambiguous" for row in content.targets)
    return [
        (outcomes["not_reached"], "planned triggers were not reached by their run."),
        (outcomes["not_observable"], "planned triggers cannot be seen in the inputs; they may have fired."),
        (from_report, "injections have their times from an HTML report, known to the second only."),
        (unknown, "injections have an unknown effect."),
        (open_ends, "injections have a fault whose end is unknown; rows after their command are boundary rows."),
        (ambiguous, "targets are one of several candidates; which one is recorded nowhere."),
    ]
