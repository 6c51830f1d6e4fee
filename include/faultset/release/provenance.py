"""Where a record comes from: the chain from an injection, a target, an impact or a row of telemetry to its inputs.

Everything is read from the published version alone. Texts are untrusted: whoever shows them escapes them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from faultset import tables
from faultset.errors import InputError, printable
from faultset.labels.windows import NodeWindows, Policy, windows
from faultset.moments import epoch_us, from_epoch, iso
from faultset.records.evidence import InputFile
from faultset.records.telemetry import TelemetryFile
from faultset.release import parquet
from faultset.release.manifest import Manifest
from faultset.release.row_reasons import Reason, reasons
from faultset.sources.telemetry import forms_of
from faultset.storage import reported
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow, TargetRow, TriggerRow, WorkloadRow
from faultset.truth import corrections

_ROW_ADDRESS = re.compile(r"(?P<file>.+):(?P<row>\d{1,15})", re.DOTALL)
_SHORT = re.compile(r"(?:#(?P<number>[1-9]\d{0,5})\s+)?(?P<end>\S+)")
_NEAR = 5
_READ = (tables.WORKLOADS, tables.TRIGGERS, tables.INJECTIONS, tables.TARGETS, tables.IMPACTS, tables.IMPACT_TESTS)
Fact = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain.

    Attributes:
        title: what it is about.
        facts: name and value, in order; a value is plain JSON, or a list of plain mappings.
    """

    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """All that is known of where a record comes from.

    Attributes:
        slug: the dataset.
        version: X.Y.Z.
        id: what was asked for.
        kind: ``injection``, ``target``, ``impact`` or ``telemetry``.
        steps: from the record to the inputs.
        inputs: the files concerned.
    """

    slug: str
    version: str
    id: str
    kind: str
    steps: tuple[Step, ...]
    inputs: tuple[InputFile, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "slug": self.slug,
            "version": self.version,
            "id": self.id,
            "kind": self.kind,
            "chain": [{"step": step.title, "facts": dict(step.facts)} for step in self.steps],
            "inputs": [dataclasses.asdict(file) for file in self.inputs],
        }


@dataclass(frozen=True)
class Content:
    """A published version: its manifest and its folder; tables are read when they are needed."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str

    def _rows(self, table: tables.Table) -> list[Any]:
        path = self.folder / f"{table.name}.parquet"
        return parquet.read_table(table, path) if table.name in self.manifest.rows else []

    @functools.cached_property
    def workloads(self) -> list[WorkloadRow]:
        """Rows of the table."""
        return self._rows(tables.WORKLOADS)

    @functools.cached_property
    def triggers(self) -> list[TriggerRow]:
        """Rows of the table."""
        return self._rows(tables.TRIGGERS)

    @functools.cached_property
    def injections(self) -> list[InjectionRow]:
        """Rows of the table."""
        return self._rows(tables.INJECTIONS)

    @functools.cached_property
    def targets(self) -> list[TargetRow]:
        """Rows of the table."""
        return self._rows(tables.TARGETS)

    @functools.cached_property
    def impacts(self) -> list[ImpactRow]:
        """Rows of the table."""
        return self._rows(tables.IMPACTS)

    @functools.cached_property
    def impact_tests(self) -> list[ImpactTestRow]:
        """Rows of the table; none in a version of an older tool."""
        return self._rows(tables.IMPACT_TESTS)

    @property
    def corrections(self) -> list[dict[str, Any]]:
        """Corrections as the catalog's entry declares them."""
        return list(self.manifest.experiment.get("corrections", ()))


def needed(manifest: Manifest, address: str) -> tuple[str, ...]:
    """Return the files of a version that ``explain`` reads for ``address``."""
    match = _ROW_ADDRESS.fullmatch(address)
    asked = [entry["path"] for entry in manifest.telemetry if match and match["file"] in _names_of(entry)]
    wanted = [*(f"{table.name}.parquet" for table in _READ), *asked]
    return tuple(file.path for file in manifest.files if file.path in wanted)


def explain(content: Content, address: str) -> Chain:
    """Return the chain of what ``address`` names.

    Args:
        content: the version.
        address: an injection's id, whole or as ``inspect`` shows it (``#1 hook0.iteration40``), or only its end where
            no other has it; ``INJECTION/NODE/COMPONENT`` (the component's key, the container's name, or ``-``
            for the node itself); ``INJECTION/NODE/KPI``, moved or only tested; or ``FILE:SOURCE_ROW``, the
            file as the catalog or as the dataset names it, its rows counted from 0.

    Raises:
        InputError: there is nothing of this name; names the nearest ones. Or a table is damaged.
    """
    whole = _whole_address(content, address)
    found = _injection(content, whole) or _at_node(content, whole) or _row_of_telemetry(content, address)
    if found is None:
        raise _unknown(content, address)
    kind, steps, inputs = found
    named = address if kind == "telemetry" else whole
    return Chain(
        content.manifest.slug, content.manifest.version, named, kind, (*steps, _version(content)), _unique(inputs)
    )


def _whole_address(content: Content, address: str) -> str:
    """Return an address with the whole id of the injection that it names shortly; as it is where that is no one's."""
    short, slash, rest = address.partition("/")
    match = _SHORT.fullmatch(short)
    if match is None:
        return address
    number, end = match["number"], match["end"]
    workloads = [row.workload_id for row in content.workloads]
    of = workloads if number is None else workloads[int(number) - 1 : int(number)]
    fitting = [row.injection_id for row in content.injections if any(row.injection_id == f"{one}.{end}" for one in of)]
    return f"{fitting[0]}{slash}{rest}" if len(fitting) == 1 else address


_Found = tuple[str, list[Step], list[InputFile]]


# --- injections -----------------------------------------------------------------------------------------------------


def _injection(content: Content, address: str) -> _Found | None:
    row = next((row for row in content.injections if row.injection_id == address), None)
    if row is None:
        return None
    targets = [target for target in content.targets if target.injection_id == address]
    impacts = [impact for impact in content.impacts if impact.injection_id == address]
    steps = [
        *_of_injection(content, row),
        Step("Targets", (("targets", [_said(target, _TARGET_SHORT) for target in targets]),)),
        Step("Impacts", (("impacts", [_said(impact, _IMPACT_SHORT) for impact in impacts]),)),
        *_asked_of(content, address),
    ]
    return "injection", steps, _inputs_of(content, row)


_TARGET_SHORT = ("node", "component", "container", "declared", "commanded", "effective", "resolution", "evidence")
_IMPACT_SHORT = (
    "node", "kpi", "source_kind", "started_at", "ended_at", "direction", "source", "method", "score", "p_value",
)  # fmt: skip


def _asked_of(content: Content, injection_id: str) -> Iterator[Step]:
    """Yield what was tested of an injection, kind by kind, and how large a move could have hidden."""
    mine = [test for test in content.impact_tests if test.injection_id == injection_id]
    said = [
        {
            "source_kind": kind,
            "tested": sum(test.tested for test in some),
            "not_tested": sum(not test.tested for test in some),
            "found": sum(test.found for test in some),
            "largest_detectable_sd": max(
                (test.detectable_sd for test in some if test.detectable_sd is not None), default=None
            ),
        }
        for kind in dict.fromkeys(test.source_kind for test in mine)
        for some in ([test for test in mine if test.source_kind == kind],)
    ]
    if said:
        yield Step("Impact tests", (("tests", said),))


def _of_injection(content: Content, row: InjectionRow) -> list[Step]:
    trigger = next((one for one in content.triggers if one.trigger_id == row.trigger_id), None)
    workload = next((one for one in content.workloads if one.workload_id == row.workload_id), None)
    decided = ("started_at", "ended_at", "start_uncertainty_s", "end_uncertainty_s", "time_source", "action")
    lasted = ("fault_ended_at", "fault_end_uncertainty_s", "fault_end_source", "fault_end_reason", "fault_open_until")
    why = ("effect", "effect_reason", "outcome", "outcome_reason")
    result: list[Fact] = [
        ("hook", trigger.hook if trigger else None),
        ("description", trigger.description if trigger else None),
        ("hook_index", trigger.hook_index if trigger else None),
        ("result_index", row.result_index),
        ("triggered_by", f"{row.unit}: {row.value:g}"),
        *_as_written(row),
        ("status", row.hook_status),
        ("return_code", row.return_code),
    ]
    steps = [
        Step("Injection", (("injection_id", row.injection_id), *_facts(row, decided + lasted), *_facts(row, why))),
        *_corrected(content, row, workload),
        Step("Hook result", tuple(result)),
    ]
    if trigger:
        shown = ("trigger_id", "action", "kind", "unit", "value", "outcome", "evidence")
        steps.append(Step("Trigger", _facts(trigger, shown)))
    if workload:
        shown = ("workload_id", "name", "position", "runner", "iterations", "rally_version", "report")
        steps.append(Step("Workload", _facts(workload, shown)))
    return steps


def _as_written(row: InjectionRow) -> Iterator[Fact]:
    """Yield the times as the input writes them; what a correction replaced stands in its sentence."""
    for name, moment, doubt in (
        ("started_at", row.started_at, row.start_uncertainty_s),
        ("finished_at", row.ended_at, row.end_uncertainty_s),
    ):
        if row.time_source == "results":
            yield f"{name}_as_written", f"{epoch_us(moment) / 1e6:.6f}"
        elif row.time_source == "report":
            yield f"{name}_as_written", f"{moment:%Y-%m-%d %H:%M:%S} (UTC, known to {doubt:g} s)"
        else:
            yield f"{name}_as_written", None


def _corrected(content: Content, row: InjectionRow, workload: WorkloadRow | None) -> Iterator[Step]:
    scenario = workload.name if workload else ""
    said = [
        {"declared": corrections.sentence(one), "applied": _applied(content, row.injection_id)}
        for one in content.corrections
        if corrections.fits_injection(one, row, scenario)
    ]
    if said:
        yield Step("Corrections", (("corrections", said),))


def _applied(content: Content, injection_id: str) -> str | None:
    start = f"{corrections.CORRECTED}injection {injection_id}: "
    said = (str(one) for finding in content.manifest.validation["findings"] for one in finding["where"])
    return next((one for one in said if one.startswith(start)), None)


def _inputs_of(content: Content, row: InjectionRow) -> list[InputFile]:
    """Return report, results and scripts of the injection's run, and the cluster file."""
    workload = next((one for one in content.workloads if one.workload_id == row.workload_id), None)
    named = {("cluster", content.manifest.experiment.get("cluster"))}
    for run in content.manifest.experiment.get("runs", ()):
        if workload is not None and workload.report in (run.get("report"), run.get("results")):
            named |= {("report", run.get("report")), ("results", run.get("results"))}
            named |= {("hook_script", script) for script in run.get("hook_scripts", ())}
    return [file for file in content.manifest.inputs if (file.role, file.uri) in named]


# --- targets and impacts --------------------------------------------------------------------------------------------


def _at_node(content: Content, address: str) -> _Found | None:
    injection = max(
        (row for row in content.injections if address.startswith(f"{row.injection_id}/")),
        key=lambda row: len(row.injection_id),
        default=None,
    )
    if injection is None:
        return None
    node, _, name = address.removeprefix(f"{injection.injection_id}/").partition("/")
    targets = [row for row in content.targets if _is_target(row, injection.injection_id, node, name)]
    impacts = [
        row for row in content.impacts if (row.injection_id, row.node, row.kpi) == (injection.injection_id, node, name)
    ]
    tests = [
        row
        for row in content.impact_tests
        if (row.injection_id, row.node, row.kpi) == (injection.injection_id, node, name)
    ]
    if not targets and not impacts and not tests:
        return None
    steps = [Step("Target", (*_whole(row), *_cluster_of(content))) for row in targets]
    steps += [Step("Impact", _whole(row)) for row in impacts]
    steps += [Step("Impact test", _whole(row)) for row in tests]
    steps += _found_by(content, node, impacts, tests)
    inputs = [*_inputs_of(content, injection), *_inputs_of_impacts(content, node, impacts, tests)]
    kind = "target" if targets else "impact" if impacts else "impact test"
    return kind, [*steps, *_of_injection(content, injection)], inputs


def _is_target(row: TargetRow, injection_id: str, node: str, name: str) -> bool:
    names = {row.component, row.container} - {None} or {"-"}
    return row.injection_id == injection_id and row.node == node and name in names


def _cluster_of(content: Content) -> Iterator[Fact]:
    yield "cluster_file", content.manifest.experiment.get("cluster")


def _found_by(
    content: Content, node: str, impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]
) -> Iterator[Step]:
    looked_at = _kinds_looked_at(impacts, tests)
    if looked_at:
        parameters = content.manifest.analysis.get("parameters", {})
        read = [(entry["kind"], entry["source"]) for entry in _telemetry_of(content, node, looked_at)]
        facts = tuple((kind, [name for of, name in read if of == kind]) for kind in looked_at)
        title = "How it was detected" if any(row.source == "detected" for row in impacts) else "How it was tested"
        yield Step(title, (*facts, ("parameters", parameters)))
    if any(row.source == "reviewed" for row in impacts):
        yield Step("Who reviewed it", (("reviewed_impacts", content.manifest.experiment.get("reviewed_impacts")),))


def _kinds_looked_at(impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]) -> list[str]:
    detected = [row.source_kind for row in impacts if row.source == "detected"]
    return sorted({*detected, *(test.source_kind for test in tests)})


def _inputs_of_impacts(
    content: Content, node: str, impacts: Sequence[ImpactRow], tests: Sequence[ImpactTestRow]
) -> list[InputFile]:
    kinds = _kinds_looked_at(impacts, tests)
    named = {(entry["kind"], entry["source"]) for entry in _telemetry_of(content, node, kinds)}
    if any(row.source == "reviewed" for row in impacts):
        named.add(("reviewed_impacts", content.manifest.experiment.get("reviewed_impacts")))
    return [file for file in content.manifest.inputs if (file.role, file.uri) in named]


def _telemetry_of(content: Content, node: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Return the files of these kinds that tell of a node, or of a service (``node``) whose spans name no host."""
    entries = [entry for entry in content.manifest.telemetry if entry["kind"] in kinds]
    known = any(node in entry["nodes"] for entry in content.manifest.telemetry)
    return [entry for entry in entries if node in entry["nodes"] or (not known and entry["kind"] == "traces")]


# --- telemetry ------------------------------------------------------------------------------------------------------


def _row_of_telemetry(content: Content, address: str) -> _Found | None:
    match = _ROW_ADDRESS.fullmatch(address)
    entry = next((one for one in content.manifest.telemetry if match and match["file"] in _names_of(one)), None)
    if match is None or entry is None:
        return None
    number = int(match["row"])
    row = _read_row(content.folder / entry["path"], number)
    if row is None:
        problem, remedy = f"it has no row {number:,}", f"its rows are 0 to {entry['source_rows'] - 1:,}"
        raise InputError(match["file"], problem, remedy)
    inputs = [file for file in content.manifest.inputs if (file.role, file.uri) == (entry["kind"], entry["source"])]
    concerned = [one for one in content.injections if one.injection_id in row["injection_ids"]]
    for injection in concerned:
        inputs += _inputs_of(content, injection)
    steps = [
        Step("Row", tuple((name, plain(value)) for name, value in row.items())),
        Step("Source", _source(entry, number)),
        *_corrected_file(content, entry),
        Step("Why these labels", tuple(_why(content, entry, row))),
        *(step for injection in concerned for step in _of_injection(content, injection)),
    ]
    return "telemetry", steps, inputs


def _names_of(entry: dict[str, Any]) -> tuple[str, str]:
    return entry["source"], entry["path"]


def _read_row(path: Path, number: int) -> dict[str, Any] | None:
    with reported(path), parquet.whole(path):
        found = ds.dataset(path, format="parquet").to_table(
            filter=pc.field("source_row") == pa.scalar(number, pa.int64())
        )
        rows: list[dict[str, Any]] = found.slice(0, 1).to_pylist()
    return rows[0] if rows else None


def _source(entry: dict[str, Any], number: int) -> tuple[Fact, ...]:
    is_table = not any(part == "json" for part in entry["source"].lower().rsplit("/", 1)[-1].split(".")[1:])
    line = f"{number + 2}, where no value before it holds a line break" if is_table else None
    facts = (("file", entry["source"]), ("source_row", number), ("line", line), ("labeled_file", entry["path"]))
    return (*facts, ("time_zone", entry["time_zone"]))


def _corrected_file(content: Content, entry: dict[str, Any]) -> Iterator[Step]:
    said = [
        {"declared": corrections.sentence(one)}
        for one in content.corrections
        if corrections.fits(one, entry["kind"], entry["source"])
    ]
    if said:
        yield Step("Corrections", (("corrections", said),))


def _why(content: Content, entry: dict[str, Any], row: dict[str, Any]) -> Iterator[Fact]:
    """Yield what each label rests on."""
    doubt_s = _uncertainty(entry)
    if row["timestamp"] is None:
        yield "is_boundary", "the row has no time that can be read, so that nothing about it can be decided"
        return
    yield "time", f"the row's true moment lies in [{iso(row['timestamp'])}, {doubt_s:g} s later)"
    found = reasons(_windows(content), row["node"] or "", epoch_us(row["timestamp"]), doubt_s)
    yield "windows", [_in_words(reason) for reason in found] or ["no injection covers the row"]
    yield "phase", _phase(found)
    yield "node_injection_ids", _concerned(found)
    yield "is_anomalous", _anomalous(found, row["node"])
    doubts = [f"{reason.injection_id}: {reason.doubt}" for reason in found if reason.doubt]
    if row["is_boundary"] and not doubts:
        doubts = ["its wall-clock time stands in an hour that came twice or never"]
    yield "is_boundary", doubts or ["nothing is open"]


def _uncertainty(entry: dict[str, Any]) -> float:
    """Return how exact the times of the entry's format are, in seconds."""
    columns = {name for name, _ in entry["columns"]}
    forms = forms_of(TelemetryFile(entry["kind"], "", entry["source"], entry["time_zone"]))
    return max(
        forms, key=lambda form: (form.columns.keys() <= columns, len(form.columns.keys() & columns))
    ).row_uncertainty_s


def _windows(content: Content) -> NodeWindows:
    policy = Policy(**content.manifest.experiment.get("labels", {}))
    return windows(content.injections, content.targets, content.impacts, policy, _nodes(content.manifest))


def _nodes(manifest: Manifest) -> frozenset[str] | None:
    """Return the nodes of the cluster that telemetry tells of; None where no cluster is known."""
    if not manifest.experiment.get("cluster"):
        return None
    return frozenset(
        node for entry in manifest.telemetry for node in entry["nodes"] if node not in entry.get("strangers", {})
    )


def _in_words(reason: Reason) -> dict[str, Any]:
    return {
        "injection_id": reason.injection_id,
        "part": reason.part,
        "from": iso(from_epoch(reason.start / 1e6)),
        "to": iso(from_epoch(reason.end / 1e6)),
        "concerns_this_node": reason.concerns,
        "kpis": list(reason.kpis),
    }


def _phase(found: Sequence[Reason]) -> str:
    parts = {reason.part for reason in found}
    if "command" in parts:
        return "injection: a command, or the fault it left, covers the row, on whatever node"
    if "recovery" in parts:
        return "recovery: an impact on this node has not ended yet"
    return "normal: nothing covers the row"


def _concerned(found: Sequence[Reason]) -> list[str]:
    return [reason.injection_id for reason in found if reason.part and reason.concerns]


def _anomalous(found: Sequence[Reason], node: str | None) -> str:
    if concerned := _concerned(found):
        return f"yes: {', '.join(concerned)} acted on {node}, may have, or moved a KPI there"
    covered = any(reason.part for reason in found)
    return f"no: what covers it did not concern {node}" if covered else "no: nothing covers it"


# --- what all chains end in -----------------------------------------------------------------------------------------


def _version(content: Content) -> Step:
    manifest = content.manifest
    return Step(
        "Version",
        (
            ("dataset", manifest.slug),
            ("version", manifest.version),
            ("manifest_sha256", content.manifest_sha256),
            ("fingerprint", manifest.fingerprint),
            ("created_at", manifest.created_at),
            ("recipe", manifest.recipe),
            ("tools", manifest.tools),
        ),
    )


def _facts(row: Any, names: Iterable[str]) -> tuple[Fact, ...]:
    return tuple((name, plain(getattr(row, name))) for name in names)


def _whole(row: Any) -> tuple[Fact, ...]:
    return _facts(row, (field.name for field in dataclasses.fields(row)))


def _said(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return dict(_facts(row, names))


def plain(value: Any) -> Any:
    """Return a cell's value as JSON knows it."""
    if isinstance(value, dt.datetime):
        return iso(value)
    if isinstance(value, float) and value != value:  # noqa: PLR0124 (only NaN differs from itself)
        return None
    return value if value is None or isinstance(value, bool | int | float | str | list) else str(value)


def _unique(files: Iterable[InputFile]) -> tuple[InputFile, ...]:
    return tuple(dict.fromkeys(sorted(files, key=lambda file: (file.role, file.uri))))


def _unknown(content: Content, address: str) -> InputError:
    known = [row.injection_id for row in content.injections]
    known += [f"{row.injection_id}/{row.node}/{row.component or row.container or '-'}" for row in content.targets]
    known += [f"{row.injection_id}/{row.node}/{row.kpi}" for row in content.impacts]
    known += [f"{entry['source']}:0" for entry in content.manifest.telemetry]
    near = difflib.get_close_matches(address, known, n=_NEAR, cutoff=0.5) or known[:_NEAR]
    return InputError(
        printable(address),
        f"{content.manifest.slug} {content.manifest.version} has nothing of this name",
        f"name an INJECTION, INJECTION/NODE/COMPONENT, INJECTION/NODE/KPI or FILE:SOURCE_ROW, such as "
        f"{', '.join(dict.fromkeys(near))}",
    )
