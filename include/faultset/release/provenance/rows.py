"""Why a row of telemetry has its labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from faultset.errors import InputError
from faultset.labels.windows import NodeWindows, Policy, windows
from faultset.moments import epoch_us, from_epoch, iso
from faultset.release import parquet
from faultset.release.manifest import Manifest
from faultset.release.provenance.chain import Content, Fact, Found, Step, plain
from faultset.release.provenance.injections import inputs_of, steps_of_injection
from faultset.release.row_reasons import Reason, reasons
from faultset.storage import explain_os_errors
from faultset.truth import corrections

ROW_ADDRESS = re.compile(r"(?P<file>.+):(?P<row>\d{1,15})", re.DOTALL)


def at_row(content: Content, address: str) -> Found | None:
    """Return what is known of ``FILE:SOURCE_ROW``; None where no file has this name."""
    match = ROW_ADDRESS.fullmatch(address)
    entry = next((one for one in content.manifest.telemetry if match and match["file"] in names_of(one)), None)
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
        inputs += inputs_of(content, injection)
    steps = [
        Step("Row", tuple((name, plain(value)) for name, value in row.items())),
        Step("Source", _source(entry, number)),
        *_corrected_file(content, entry),
        Step("Why these labels", tuple(_why(content, entry, row))),
        *(step for injection in concerned for step in steps_of_injection(content, injection)),
    ]
    return "telemetry", steps, inputs


def names_of(entry: dict[str, Any]) -> tuple[str, str]:
    """Return the names that a labeled file goes by: the source's and its own."""
    return entry["source"], entry["path"]


def _read_row(path: Path, number: int) -> dict[str, Any] | None:
    with explain_os_errors(path), parquet.whole(path):
        found = ds.dataset(path, format="parquet").to_table(
            filter=pc.field("source_row") == pa.scalar(number, pa.int64())
        )
        rows: list[dict[str, Any]] = found.slice(0, 1).to_pylist()
    return rows[0] if rows else None


def _source(entry: dict[str, Any], number: int) -> tuple[Fact, ...]:
    is_table = not any(part == "json" for part in entry["source"].lower().rsplit("/", 1)[-1].split(".")[1:])
    line = f"{number + 2}, where no value before it holds a line break" if is_table else None
    facts = (("file", entry["source"]), ("source_row", number), ("line", line), ("labeled_file", entry["path"]))
    return (*facts, ("time_zone", entry["time_zone"] or "as written"))


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
    """Return how exact the times of the entry's file are, in seconds; older manifests do not say."""
    return float(entry.get("row_uncertainty_s", 1.0 if entry["kind"] == "metrics" else 0.001))


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
