"""Views of labeled telemetry and of impacts: small tables again, however many rows the files have."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pandas as pd

from faultset.expectations.frames import FLAG, NUMBER, TEXT, frame, listed, utc
from faultset.labels.windows import unplaced
from faultset.moments import iso
from faultset.records.telemetry import TelemetryFacts
from faultset.tables import ImpactRow, ImpactTestRow, InjectionRow
from faultset.truth import Truth
from faultset.truth.placement import Placement

LEAST_COVERAGE = 0.9
LONG_GAP_ROWS = 10
LONG_GAP_S = 30.0
_PACKED = (".gz", ".zst", ".zip")
_LINES_SHOWN = 5


# --- files -----------------------------------------------------------------------------------------------------------


def telemetry(files: Sequence[TelemetryFacts], truth: Truth, impacts: Sequence[ImpactRow]) -> pd.DataFrame:
    """One row a labeled file."""
    concerned = {row.node.lower() for row in truth.targets} | {row.node.lower() for row in impacts}
    if unplaced(truth.injections, truth.targets):
        concerned |= {node.lower() for file in files for node in file.nodes if node not in file.strangers}
    run = _run(truth)
    layouts = different_layouts(files)
    shifts = shifted(files)
    return frame(
        where=(TEXT, [file.source for file in files]),
        source=(TEXT, [file.source for file in files]),
        source_rows=(NUMBER, [file.source_rows for file in files]),
        rows=(NUMBER, [file.rows for file in files]),
        without_time=(NUMBER, [file.without_time for file in files]),
        ambiguous_times=(NUMBER, [file.ambiguous_times for file in files]),
        nonexistent_times=(NUMBER, [file.nonexistent_times for file in files]),
        time_zone=(TEXT, [file.time_zone for file in files]),
        in_run=(FLAG, [_in_run(file, run) for file in files]),
        out_of_order=(NUMBER, [file.out_of_order for file in files]),
        duplicates=(NUMBER, [file.duplicates for file in files]),
        left_out=(NUMBER, [file.left_out for file in files]),
        left_out_where=(TEXT, [_first_of(file.left_out_where, file.left_out) for file in files]),
        nulled=(NUMBER, [file.nulled for file in files]),
        nulled_where=(TEXT, [_first_of(file.nulled_where, file.nulled) for file in files]),
        limit_note=(TEXT, [file.limit_note or None for file in files]),
        note=(TEXT, [file.note or None for file in files]),
        repeated_headers=(NUMBER, [file.repeated_headers for file in files]),
        longest_gap_s=(NUMBER, [file.longest_gap_s for file in files]),
        usual_gap_s=(NUMBER, [_usual_gap(file) for file in files]),
        cadence_s=(NUMBER, [file.cadence_s for file in files]),
        abbreviation_note=(TEXT, [file.abbreviation_note for file in files]),
        shift=(TEXT, [shifts.get(file.source) for file in files]),
        different=(TEXT, [layouts.get(file.source) for file in files]),
        leaks=(NUMBER, [file.leaks for file in files]),
        redacted=(NUMBER, [file.redacted for file in files]),
        undisturbed_anomalous=(NUMBER, [_undisturbed(file, concerned) for file in files]),
        meets_injections=(FLAG, _met(files, truth.injections)),
    )


def _first_of(told: Sequence[str], count: int) -> str:
    """Return the first of what was told, and how many more there are."""
    shown = told[:_LINES_SHOWN]
    more = f"; and {count - len(shown):,} more" if count > len(shown) else ""
    return "; ".join(shown) + more


def _run(truth: Truth) -> tuple[dt.datetime, dt.datetime] | None:
    """From the first to the last moment that is known of the experiment; None where none is."""
    moments = [time for row in truth.workloads for time in (row.started_at or row.created_at, row.ended_at) if time]
    moments += [time for row in truth.injections for time in (row.started_at, row.ended_at)]
    return (min(moments), max(moments)) if moments else None


def _in_run(file: TelemetryFacts, run: tuple[dt.datetime, dt.datetime] | None) -> bool | None:
    if run is None:
        return None
    if file.first is None or file.last is None:
        return False
    return file.first <= run[1] and run[0] <= file.last


def _met(files: Sequence[TelemetryFacts], injections: Sequence[InjectionRow]) -> list[bool | None]:
    """Whether each file, or another one of its kind and node, tells of some injection; None where there is none."""
    if not injections:
        return [None for _ in files]
    met = {(file.kind, node) for file in files if _meets(file, injections) for node in _nodes(file)}
    return [any((file.kind, node) in met for node in _nodes(file)) for file in files]


def _meets(file: TelemetryFacts, injections: Sequence[InjectionRow]) -> bool:
    """Whether rows of metrics lie in some window; of what comes when it comes, whether the recording goes on in it."""
    if file.kind == "metrics":
        return any(share > 0 for share in file.coverage.values())
    first, last = file.first, file.last
    return (
        first is not None and last is not None and any(first <= i.ended_at and i.started_at <= last for i in injections)
    )


def met_by_metrics(files: Sequence[TelemetryFacts], truth: Truth) -> list[bool | None]:
    """Whether metrics have rows in some window of each workload; None where there are no metrics, or no injections."""
    metrics = [file for file in files if file.kind == "metrics"]
    met = {injection for file in metrics for injection, share in file.coverage.items() if share > 0}
    fired: Mapping[str, list[str]] = defaultdict(list)
    for row in truth.injections:
        fired[row.workload_id].append(row.injection_id)
    return [
        not met.isdisjoint(fired[row.workload_id]) if metrics and row.workload_id in fired else None
        for row in truth.workloads
    ]


def _usual_gap(file: TelemetryFacts) -> float | None:
    """The longest gap that is nothing to speak of, in seconds; None for what comes when it comes: logs and traces."""
    if file.kind != "metrics" or file.cadence_s is None:
        return None
    return max(LONG_GAP_ROWS * file.cadence_s, LONG_GAP_S)


def shifted(files: Sequence[TelemetryFacts]) -> dict[str, str]:
    """Return source -> by how much its clock seems to be off; files of a kind that agree share one sentence."""
    groups: Mapping[tuple[str, float], list[TelemetryFacts]] = defaultdict(list)
    for file in files:
        if file.shift_s:
            groups[file.kind, file.shift_s].append(file)
    of_kind: Counter[str] = Counter(file.kind for file in files)
    return {
        file.source: _shift(group, of_kind[kind], seconds / 3600)
        for (kind, seconds), group in groups.items()
        for file in group
    }


def _shift(group: Sequence[TelemetryFacts], of_kind: int, hours: float) -> str:
    """Return a sentence on files of one kind that are off by as much; the evidence is the first one's."""
    first = group[0]
    way = "ahead" if hours > 0 else "behind"
    why = f", since {first.shift_reason}" if first.shift_reason else ""
    names = listed(file.source for file in group)
    who = names if len(group) == 1 else f"{len(group)} of {of_kind} files of {first.kind} ({names})"
    verb = "seems" if len(group) == 1 else "seem"
    return f"{who} {verb} to be {abs(hours):.4g} h {way} (suggested shift: {-hours:+.4g} h){why}"


def _undisturbed(file: TelemetryFacts, concerned: set[str]) -> int | None:
    """Rows labeled anomalous in a file of nodes that no injection and no impact concerns; None for other files."""
    return None if not file.nodes or concerned & _nodes(file) else file.anomalous


def _nodes(file: TelemetryFacts) -> set[str]:
    return {node.lower() for node in file.nodes}


def different_layouts(files: Sequence[TelemetryFacts]) -> dict[str, str]:
    """Return source -> how its columns differ from those that most files of its kind and format have.

    A column without any value has no type of its own, and differs from none.
    """
    groups: Mapping[tuple[str, str], list[TelemetryFacts]] = defaultdict(list)
    for file in files:
        groups[file.kind, file.format or _format(file.source)].append(file)
    return {source: text for group in groups.values() for source, text in _different_in(group)}


def _format(source: str) -> str:
    """Return the ending that says how a file is written, whatever it is packed in."""
    name = source.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return name.rpartition(".")[2]


def _different_in(group: Sequence[TelemetryFacts]) -> Iterator[tuple[str, str]]:
    (usual, _), *_ = Counter(file.columns for file in group).most_common(1)
    like = next(file.source for file in group if file.columns == usual)
    for file in group:
        text = _difference(dict(file.columns), dict(usual))
        if text:
            yield file.source, f"{text}, unlike {like}"


def _difference(columns: Mapping[str, str], usual: Mapping[str, str]) -> str:
    missing = listed(name for name in usual if name not in columns)
    more = listed(name for name in columns if name not in usual)
    retyped = listed(
        f"{name} ({kind} instead of {usual[name]})"
        for name, kind in columns.items()
        if name in usual and kind != usual[name] and "null" not in (kind, usual[name])
    )
    parts = (("lacks ", missing), ("has ", more), ("has another type in ", retyped))
    return " and ".join(f"{says}{columns}" for says, columns in parts if columns)


def telemetry_nodes(files: Sequence[TelemetryFacts], placement: Placement) -> pd.DataFrame:
    """One row a labeled file and node of it; ``node_known`` is null where no cluster file was given."""
    rows = [(file, node) for file in files for node in file.nodes]
    return frame(
        where=(TEXT, [f"{node} in {file.source}" for file, node in rows]),
        source=(TEXT, [file.source for file, _ in rows]),
        node=(TEXT, [node for _, node in rows]),
        rows=(NUMBER, [file.strangers.get(node, file.rows) for file, node in rows]),
        node_known=(FLAG, [placement.place(node).node is not None if placement.known else None for _, node in rows]),
    )


def ranges(files: Sequence[TelemetryFacts]) -> pd.DataFrame:
    """One row a labeled file and column that has a range."""
    rows = [(file, name, count) for file in files for name, count in file.out_of_range.items()]
    return frame(
        where=(TEXT, [f"{name} in {file.source}" for file, name, _ in rows]),
        source=(TEXT, [file.source for file, _, _ in rows]),
        kpi=(TEXT, [name for _, name, _ in rows]),
        rows=(NUMBER, [file.rows for file, _, _ in rows]),
        outside=(NUMBER, [count for _, _, count in rows]),
    )


def coverage(files: Sequence[TelemetryFacts], truth: Truth) -> pd.DataFrame:
    """One row a metrics file and injection on a node of it; ``share`` of the window that has rows, null: unknown."""
    hit = dict.fromkeys((target.injection_id, target.node.lower()) for target in truth.targets)
    rows = [
        (file, injection, node)
        for file in files
        if file.kind == "metrics"
        for injection, node in hit
        if node in _nodes(file)
    ]
    shares = [file.coverage.get(injection) for file, injection, _ in rows]
    return frame(
        where=(TEXT, [f"{file.source}, injection {injection}" for file, injection, _ in rows]),
        source=(TEXT, [file.source for file, _, _ in rows]),
        injection_id=(TEXT, [injection for _, injection, _ in rows]),
        node=(TEXT, [node for _, _, node in rows]),
        share=(NUMBER, shares),
        # Never rounded up: 99.99 % is not the whole.
        percent=(NUMBER, [None if share is None else math.floor(share * 1000) / 10 for share in shares]),
        mostly=(FLAG, [None if share is None else share >= LEAST_COVERAGE for share in shares]),
    )


def metrics_files(files: Sequence[TelemetryFacts], nodes: Iterable[str]) -> list[int | None]:
    """Return the number of metrics files of each node; None for each where there are no metrics at all."""
    metrics = [file for file in files if file.kind == "metrics"]
    found = Counter(node for file in metrics for node in _nodes(file))
    return [found[node.lower()] if metrics else None for node in nodes]


# --- impacts ---------------------------------------------------------------------------------------------------------


def impact_view(
    impacts: Sequence[ImpactRow], truth: Truth, files: Sequence[TelemetryFacts], placement: Placement
) -> pd.DataFrame:
    """One row an impact.

    ``injection_exists`` is null for a reviewed one that names none; ``kpi_known`` where its node has no metrics, or
    where it is of no metrics; ``on_target`` for reviewed ones; ``node_known`` and ``on_target`` where it is of spans or
    of the load, which tell of requests.
    """
    known = {injection.injection_id for injection in truth.injections}
    hit = {(target.injection_id, target.node.lower()) for target in truth.targets}
    kpis: Mapping[str, set[str]] = defaultdict(set)
    for file in files:
        for node in _nodes(file) if file.kind == "metrics" else ():
            kpis[node] |= {name for name, _ in file.columns} | {*file.kpis}
    return frame(
        where=(TEXT, [_impact(row) for row in impacts]),
        injection_id=(TEXT, [row.injection_id for row in impacts]),
        has_injection=(FLAG, [bool(row.injection_id) for row in impacts]),
        injection_exists=(FLAG, [row.injection_id in known if row.injection_id else None for row in impacts]),
        node=(TEXT, [row.node for row in impacts]),
        node_known=(
            FLAG,
            [
                placement.place(row.node).node is not None if placement.known and _is_of_a_node(row) else None
                for row in impacts
            ],
        ),
        kpi=(TEXT, [row.kpi for row in impacts]),
        kpi_known=(
            FLAG,
            [
                row.kpi in kpis[row.node.lower()] if row.node.lower() in kpis and row.source_kind == "metrics" else None
                for row in impacts
            ],
        ),
        started_at=utc(row.started_at for row in impacts),
        ended_at=utc(row.ended_at for row in impacts),
        since=(TEXT, [iso(row.started_at) for row in impacts]),
        direction=(TEXT, [row.direction for row in impacts]),
        source=(TEXT, [row.source for row in impacts]),
        source_kind=(TEXT, [row.source_kind for row in impacts]),
        on_target=(
            FLAG,
            [
                (row.injection_id, row.node.lower()) in hit if row.source == "detected" and _is_of_a_node(row) else None
                for row in impacts
            ],
        ),
    )


def _is_of_a_node(row: ImpactRow) -> bool:
    return row.source_kind in {"metrics", "logs"}


def impact_test_view(tests: Sequence[ImpactTestRow], impacts: Sequence[ImpactRow]) -> pd.DataFrame:
    """One row a test; ``told_once``: the impacts say the same; ``reasoned``: it has a p value, or a reason for none."""
    detected = {(row.injection_id, row.node, row.kpi, row.source_kind) for row in impacts if row.source == "detected"}
    keys = [(row.injection_id, row.node, row.kpi, row.source_kind) for row in tests]
    return frame(
        where=(TEXT, [f"the test of {kpi} of {node} ({kind}) for {injection}" for injection, node, kpi, kind in keys]),
        injection_id=(TEXT, [row.injection_id for row in tests]),
        node=(TEXT, [row.node for row in tests]),
        kpi=(TEXT, [row.kpi for row in tests]),
        source_kind=(TEXT, [row.source_kind for row in tests]),
        told_once=(FLAG, [row.found == (key in detected) for row, key in zip(tests, keys, strict=True)]),
        reasoned=(FLAG, [row.tested == (row.why_not is None) == (row.p_value is not None) for row in tests]),
    )


def _impact(row: ImpactRow) -> str:
    injection = f"injection {row.injection_id}" if row.injection_id else "no injection"
    return f"{row.kpi} of {row.node} from {iso(row.started_at)}, {row.source}, {injection}"
