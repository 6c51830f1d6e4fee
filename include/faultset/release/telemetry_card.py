"""What the dataset card says of telemetry and impacts; every section is empty where a version holds none."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from faultset import tables
from faultset.moments import iso
from faultset.release.manifest import Manifest
from faultset.release.markdown import columns, limited, table, text
from faultset.tables import ImpactRow, ImpactTestRow

OVERVIEW = "figures/overview.png"
_NODES_SHOWN = 8
_NAMES_SHOWN = 20


# --- figures --------------------------------------------------------------------------------------------------------


def figures(manifest: Manifest) -> list[str]:
    """Return the section with the pictures, the overview first."""
    found = [file.path for file in manifest.files if file.path.startswith("figures/") and file.path.endswith(".png")]
    pictures = [line for path in sorted(found, key=_overview_first) for line in (_picture(path), "")]
    return ["## Figures", "", *pictures[:-1]] if pictures else []


def _overview_first(path: str) -> tuple[bool, list[int | str]]:
    """Order by name, and numbers in names as numbers."""
    return path != OVERVIEW, [int(part) if part.isdigit() else part for part in re.split(r"([0-9]+)", path)]


def _picture(path: str) -> str:
    shown = PurePosixPath(path).stem
    says = (
        "The run on one page: load, failures, injections and the KPIs of every node, with windows and impacts marked"
        if path == OVERVIEW
        else f"{text(shown)}: the KPIs around one injection, with its window and its impacts marked"
    )
    return f"![{says}]({urllib.parse.quote(path)})"


# --- telemetry ------------------------------------------------------------------------------------------------------


def telemetry(manifest: Manifest) -> list[str]:
    """Return the section with a row a labeled file."""
    if not manifest.telemetry:
        return []
    leaks = sum(entry["leaks"] for entry in manifest.telemetry)
    return [
        "## Telemetry",
        "",
        "One labeled file a source file, with the source's columns, rows and order. Times are UTC; the zone is the one "
        "that the source's wall-clock times were read in.",
        "",
        *limited(
            ("file", "kind", "node", "rows", "from", "to", "anomalous", "boundary", "zone"), manifest.telemetry, _file
        ),
        "",
        *_open_rows(manifest),
        "",
        f"{leaks} rows name the injection itself, so that a model could read the answer; they are marked in the "
        "column `names_injection`."
        if leaks
        else "No row was found that names the injection itself.",
    ]


def _open_rows(manifest: Manifest) -> list[str]:
    """Return how many rows are decided, with the guard and the cooldown and without them."""
    chosen = {"guard_before_s": 0.0, "cooldown_after_s": 0.0, **manifest.experiment.get("labels", {})}
    count = {
        name: sum(entry.get(name, 0) for entry in manifest.telemetry)
        for name in ("rows", "anomalous", "boundary", "boundary_anomalous", "guarded", "guarded_anomalous")
    }
    undecided = count["boundary"] - count["guarded"]
    sure = count["anomalous"] - count["boundary_anomalous"] + count["guarded_anomalous"]
    without = (count["rows"] - undecided, sure, undecided)
    taken = (
        without[0] - count["guarded"],
        sure - count["guarded_anomalous"],
        count["boundary"],
    )
    return [
        f"A guard of {chosen['guard_before_s']:g} s before each command and a cooldown of "
        f"{chosen['cooldown_after_s']:g} s after it, or after the recovery, leave more rows open:",
        "",
        *table(
            ("guard and cooldown", "decided rows", "of them anomalous", "boundary rows"),
            (("without", *without), ("with", *taken)),
        ),
    ]


def _file(entry: Mapping[str, Any]) -> Sequence[object]:
    nodes = entry["nodes"]
    more = f" and {len(nodes) - _NODES_SHOWN} more" if len(nodes) > _NODES_SHOWN else ""
    place = (entry["path"], entry["kind"], ", ".join(nodes[:_NODES_SHOWN]) + more)
    return (
        *place,
        entry["rows"],
        entry["first"],
        entry["last"],
        entry["anomalous"],
        entry["boundary"],
        entry["time_zone"] or "as written",
    )


# --- impacts --------------------------------------------------------------------------------------------------------


def impacts(manifest: Manifest, rows: Sequence[ImpactRow], tests: Sequence[ImpactTestRow] = ()) -> list[str]:
    """Return the section on what moved, what was tested, and how far to trust it."""
    if not rows and not tests and not manifest.analysis:
        return []
    analysis = manifest.analysis
    ordered = sorted(rows, key=lambda row: (row.started_at, row.node, row.kpi, row.source))
    return [
        "## Impacts",
        "",
        "KPIs of nodes that moved with an injection, detected by method or reviewed by a person. The score is the size "
        "of the move in robust standard deviations of the quiet time before. The kind says what the KPI was taken "
        "from: metrics, log lines, spans of traces, or the iterations of the workload itself.",
        "",
        *limited(("injection", "node", "KPI", "kind", "from", "to", "direction", "source", "score"), ordered, _impact),
        *_tests(tests),
        *_agreement(analysis.get("agreement")),
        *_calibration(analysis.get("calibration") or ()),
        *_tolerance(analysis.get("tolerance") or ()),
        *_parameters(analysis.get("parameters") or {}),
    ]


def _impact(row: ImpactRow) -> Sequence[object]:
    place = (row.injection_id or "none", row.node, row.kpi, row.source_kind, iso(row.started_at), iso(row.ended_at))
    return (*place, row.direction, row.source, "" if row.score is None else f"{row.score:.1f}")


def _tests(rows: Sequence[ImpactTestRow]) -> list[str]:
    """Return the part on what was tested: how large a move could have hidden where none was found."""
    if not rows:
        return []
    by_injection: dict[str, list[ImpactTestRow]] = {}
    for row in rows:
        by_injection.setdefault(row.injection_id, []).append(row)
    return [
        "",
        "### What was tested, and what could have hidden",
        "",
        "Every injection was looked for in every KPI that was recorded; `impact_tests` has the answers. Detectable is "
        "the smallest move of 25 s that would have been found with 90 % power, in robust standard deviations: what was "
        "smaller could have hidden.",
        "",
        *limited(
            ("injection", "tested", "found", "not tested", "detectable, median", "detectable, worst", "there"),
            list(by_injection.items()),
            lambda of: (of[0], *_tested(of[1])),
        ),
    ]


def _tested(rows: Sequence[ImpactTestRow]) -> Sequence[object]:
    tested = sum(row.tested for row in rows)
    counted = (tested, sum(row.found for row in rows), len(rows) - tested)
    known = sorted((row.detectable_sd, f"{row.kpi} of {row.node}") for row in rows if row.detectable_sd is not None)
    if not known:
        return (*counted, None, None, "")
    (median, _), (worst, where) = known[len(known) // 2], known[-1]
    return (*counted, f"{median:.1f} sd", f"{worst:.1f} sd", where)


def _agreement(found: Mapping[str, Any] | None) -> list[str]:
    head = ["", "### Detected and reviewed", ""]
    if not found:
        return [*head, "Nobody reviewed the impacts of this version, so that nothing is said of how far both agree."]
    return [
        *head,
        "How far detected and reviewed impacts agree. Neither is the truth: a person sees what stands out, and a test "
        "sees what is unlike quiet time.",
        "",
        *table(("measure", "value"), ((_words(name), _value(name, value)) for name, value in found.items())),
    ]


def _calibration(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    found = [(row["kpi"], row["trials"], row["false_positives"], _value("rate", row["rate"])) for row in rows]
    if not found:
        return []
    return [
        "",
        "### False positives in quiet time",
        "",
        "The same test at quiet stretches of the same data, where nothing was injected: what it finds there is false.",
        "",
        *table(("KPI", "trials", "false positives", "rate"), found),
    ]


def _tolerance(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [
        "",
        "### Tolerance in time",
        "",
        "How labels and outcomes would differ if every window were wider by a tolerance on both sides.",
        "",
        *table(
            [text(_words(name)) for name in names], ([_value(name, row.get(name)) for name in names] for row in rows)
        ),
    ]


def _parameters(found: Mapping[str, Any]) -> list[str]:
    if not found:
        return []
    return [
        "",
        "### Parameters of the test",
        "",
        *table(("parameter", "value"), ((name, _value(name, value)) for name, value in found.items())),
    ]


def _words(name: str) -> str:
    """Return a name of the analysis as words: its unit, where it ends with one, in brackets."""
    words = name.removesuffix("_s").replace("_", " ")
    return f"{words} (s)" if name.endswith("_s") else words


def _value(name: str, value: object) -> object:
    if isinstance(value, float) and name.endswith(("rate", "share", "precision", "recall")):
        return f"{100 * value:.3g} %"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        more = f" and {len(value) - _NAMES_SHOWN} more" if len(value) > _NAMES_SHOWN else ""
        return "; ".join(str(_value(name, part)) for part in value[:_NAMES_SHOWN]) + more if value else "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{_words(str(key))} {_value(str(key), part)}" for key, part in value.items())
    return value


# --- words ----------------------------------------------------------------------------------------------------------

_ROW_MEANS = (
    "- **Row of telemetry**: carries the ids of all injections that cover it, those of them that concern its node "
    "(`node_injection_ids`), and its phase; it is anomalous where some concern its node. Rows on nodes that were no "
    "target are not labeled anomalous unless an impact was found there, or nobody knows where an injection acted; "
    "their phase and injection ids still say what was going on in the cluster. `is_boundary` marks rows that the "
    "uncertainty of their time and of the windows' ends leaves open: leave them out of an evaluation."
)
_IMPACT_MEANS = (
    "- **Impact**: a KPI of a node that moved with an injection. `source` tells detected from reviewed; both are kept, "
    "neither corrects the other. `impact_tests` says what was tested, also where nothing was found, and how large a "
    "move could have hidden."
)
_OUTCOME_MEANS = (
    "- **Outcome** of an injection: `no_effect`, `local` (KPIs of its targets moved), `visible` (the workload failed "
    "or slowed too), `contaminated` (another injection or disturbance overlaps). None is left out for having had no "
    "effect."
)


def meaning(manifest: Manifest) -> list[str]:
    """Return what the labels of telemetry mean."""
    impacts_too = tables.IMPACTS.name in manifest.rows
    return [
        *([_ROW_MEANS] if manifest.telemetry_kinds else []),
        *([_IMPACT_MEANS, _OUTCOME_MEANS] if impacts_too else []),
    ]


def limits(manifest: Manifest) -> list[str]:
    """Return what telemetry and impacts do not tell."""
    if not manifest.telemetry_kinds:
        return ["- Telemetry, and the impact of the faults on it, are not part of this version."]
    lines = [
        "- A row that is not labeled anomalous is not proven normal: an impact on a node that was no target can be too "
        "small or too short for the test to find.",
        "- Times of telemetry are as good as the clocks that wrote them; nothing was shifted. A source that seems to "
        "be off is named in the findings.",
    ]
    if "metrics" not in manifest.telemetry_kinds:
        lines.append("- There are no metrics, so that no impact could be looked for.")
    elif tables.IMPACTS.name not in manifest.rows:
        lines.append("- Impacts were not looked for.")
    return lines


def how_to_load(manifest: Manifest) -> list[str]:
    """Return how to read telemetry with pandas."""
    if not manifest.telemetry_kinds:
        return []
    kind = manifest.telemetry_kinds[0]
    return [
        "",
        f"Labeled {kind}, without what cannot be decided; only what is asked for is read:",
        "",
        "```python",
        "import pandas as pd",
        "",
        f'wanted = ["timestamp", "node", {_first_column(manifest, kind)}"is_anomalous", "phase"]',
        f'{kind} = pd.read_parquet("{kind}", columns=wanted, filters=[("is_boundary", "==", False)])',
        f'print({kind}.groupby(["node", "phase"])["is_anomalous"].agg(["size", "sum"]))',
        "```",
    ]


def _first_column(manifest: Manifest, kind: str) -> str:
    """Return the first KPI of metrics for the example, if its name is harmless in code."""
    labels = _labels(kind)
    for name, type_ in _source_columns(manifest, kind, labels):
        if kind == "metrics" and type_ in {"double", "int64"} and re.fullmatch(r"[A-Za-z][\w.]{0,63}", name, re.ASCII):
            return f'"{name}", '
    return ""


def dictionary(manifest: Manifest) -> list[str]:
    """Return the columns of telemetry: the source's own, and the labels that the files have."""
    return [line for kind in manifest.telemetry_kinds for line in _dictionary_of(manifest, kind)]


def _dictionary_of(manifest: Manifest, kind: str) -> list[str]:
    labels = _labels(kind)
    held = {column["name"] for columns_of in _schemas(manifest, kind) for column in columns_of}
    own = ", ".join(f"{name} ({type_})" for name, type_ in _source_columns(manifest, kind, labels))
    return [
        "",
        f"### {kind}",
        "",
        f"One row a row of the source. The source's columns under their own names: {text(own or 'none', 5000)}.",
        "",
        "Key: file, source_row. Added to each row:",
        "",
        *columns(spec for name, spec in labels.items() if name in held),
    ]


def _labels(kind: str) -> dict[str, tables.ColumnSpec]:
    return {spec.name: spec for spec in tables.columns(tables.table_named(kind, tables.TELEMETRY))}


def _schemas(manifest: Manifest, kind: str) -> list[tuple[dict[str, Any], ...]]:
    return [file.schema for file in manifest.files if file.path.startswith(f"{kind}/") and file.schema is not None]


def _source_columns(manifest: Manifest, kind: str, labels: Mapping[str, object]) -> list[tuple[str, str]]:
    every = [column for columns_of in _schemas(manifest, kind) for column in columns_of]
    return list(
        {column["name"]: (column["name"], column["type"]) for column in every if column["name"] not in labels}.values()
    )
