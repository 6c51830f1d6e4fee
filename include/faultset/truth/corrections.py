"""Corrections of known errors in a source, as the experimenter declares them with a reason; inputs are never edited.

What a correction changes is always said: which, from what, to what, and why.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from faultset.errors import InputError
from faultset.moments import epoch_us, iso
from faultset.records.evidence import TimeCorrection
from faultset.records.telemetry import TelemetryFile
from faultset.tables import InjectionRow

CORRECTED = "corrected: "  # how a note begins that says what was corrected
_SECOND = 1_000_000


# --- telemetry ------------------------------------------------------------------------------------------------------


def fits(correction: Mapping[str, Any], kind: str, name: str) -> bool:
    """Return whether a declared correction of telemetry is about the file ``name`` of this kind.

    Args:
        correction: as the catalog's entry declares it.
        kind: of the file.
        name: of the file, as the dataset names it.
    """
    return correction.get("kind") == kind and fnmatchcase(name, str(correction.get("files", "")))


def shifted(file: TelemetryFile, shift_s: float) -> TelemetryFile:
    """Return ``file`` with ``shift_s`` seconds to be added to each of its times."""
    return dataclasses.replace(file, shift_us=file.shift_us + round(shift_s * _SECOND))


def renamed(file: TelemetryFile, node: str, true_node: str) -> TelemetryFile:
    """Return ``file`` with rows of ``node`` to be taken as rows of ``true_node``."""
    return dataclasses.replace(file, renamed=(*file.renamed, (node, true_node)))


def sentence(correction: Mapping[str, Any]) -> str:
    """Return what a declared correction says and why, in words; plain text."""
    return f"{statement(correction)}; because: {correction['reason']}"


def statement(correction: Mapping[str, Any]) -> str:
    """Return what a declared correction says, in words; plain text."""
    what = correction["what"]
    if what == "telemetry_clock":
        return f"clock of {correction['kind']} {correction['files']}: {correction['shift']:+g} s added to each time"
    if what == "telemetry_node":
        names = f"{correction['node']} is {correction['true_node']}"
        return f"node in {correction['kind']} {correction['files']}: {names}"
    return f"time of {_address(correction)}: {_window(correction)}"


def _address(correction: Mapping[str, Any]) -> str:
    if correction.get("injection"):
        return f"injection {correction['injection']}"
    parts = {"workload": "", "hook": "hook ", "value": "at "}
    known = [f"{word}{correction[key]}" for key, word in parts.items() if correction.get(key) is not None]
    return f"injection {' '.join(known)}"


def _window(correction: Mapping[str, Any]) -> str:
    ends = [f"{key} {correction[key]}" for key in ("started_at", "ended_at", "fault_ended_at") if correction.get(key)]
    return f"{', '.join(ends)}, known to {correction['uncertainty_s']:g} s"


# --- injections -----------------------------------------------------------------------------------------------------


def correct(
    injections: Sequence[InjectionRow], workloads: Mapping[str, str], corrections: Sequence[TimeCorrection]
) -> tuple[list[InjectionRow], tuple[str, ...]]:
    """Return the injections with their corrected times, and a sentence for each correction.

    Args:
        injections: as the sources tell.
        workloads: workload id -> scenario.
        corrections: as declared; each is about exactly one injection.

    Raises:
        InputError: a correction is about no injection or several, one injection is corrected twice, or would end before
            it starts; names the line.
    """
    rows = list(injections)
    done: set[str] = set()
    said = []
    for correction in corrections:
        place = _place(rows, workloads, correction)
        before = rows[place]
        if before.injection_id in done:
            problem = f"injection {before.injection_id} is corrected already"
            raise InputError(correction.where, problem, "declare one correction of it")
        done.add(before.injection_id)
        rows[place] = _corrected(before, correction)
        said.append(_changes(before, rows[place], correction))
    return rows, tuple(said)


def fits_injection(correction: Mapping[str, Any], row: InjectionRow, scenario: str) -> bool:
    """Return whether a declared correction of a time is about this injection.

    Args:
        correction: as the catalog's entry declares it.
        row: the injection.
        scenario: of its workload.
    """
    if correction.get("what") != "injection_time":
        return False
    if correction.get("injection"):
        return bool(correction["injection"] == row.injection_id)
    hook = correction.get("hook")
    return (
        correction.get("value") == row.value
        and correction.get("workload") in (None, row.workload_id, scenario)
        and (hook is None or row.trigger_id.startswith(f"{row.workload_id}.hook{hook}."))
    )


def _place(rows: Sequence[InjectionRow], workloads: Mapping[str, str], correction: TimeCorrection) -> int:
    declared = dataclasses.asdict(correction) | {"what": "injection_time"}
    found = [
        place for place, row in enumerate(rows) if fits_injection(declared, row, workloads.get(row.workload_id, ""))
    ]
    if len(found) == 1:
        return found[0]
    names = [rows[place].injection_id for place in found] or sorted(row.injection_id for row in rows)
    if not found:
        remedy = f"there are {_some(names)}" if names else "remove it: the runs have no injection"
        raise InputError(correction.where, "this correction is about no injection of the runs", remedy)
    raise InputError(
        correction.where,
        f"this correction is about {len(found)} injections",
        f"say which with injection: one of {_some(names)}",
    )


def _some(names: Collection[str], shown: int = 5) -> str:
    listed = ", ".join(list(names)[:shown])
    return f"{listed} and {len(names) - shown} more" if len(names) > shown else listed


def _corrected(row: InjectionRow, correction: TimeCorrection) -> InjectionRow:
    starts = {} if correction.started_at is None else _end("start", correction.started_at, correction.uncertainty_s)
    ends = {} if correction.ended_at is None else _end("end", correction.ended_at, correction.uncertainty_s)
    fixed = dataclasses.replace(row, **starts, **ends, **_fault_end(row, correction))
    if starts or ends:
        fixed = dataclasses.replace(fixed, time_source="corrected")
    if fixed.ended_at < fixed.started_at:
        raise InputError(
            correction.where,
            f"injection {row.injection_id} would end at {iso(fixed.ended_at)}, before it starts at "
            f"{iso(fixed.started_at)}",
            "correct both ends",
        )
    return fixed


def _fault_end(row: InjectionRow, correction: TimeCorrection) -> dict[str, Any]:
    """Return the columns of a declared end of the fault; none where none is declared."""
    at = correction.fault_ended_at
    if at is None:
        return {}
    if at < (correction.ended_at or row.ended_at):
        raise InputError(
            correction.where,
            f"the fault of {row.injection_id} would end at {iso(at)}, before its command at "
            f"{iso(correction.ended_at or row.ended_at)}",
            "correct fault_ended_at, or ended_at too",
        )
    return {
        "fault_ended_at": at,
        "fault_end_uncertainty_s": correction.uncertainty_s,
        "fault_end_source": "corrected",
        "fault_end_reason": f"declared: {correction.reason}",
        "fault_open_until": None,
    }


def _end(which: str, at: dt.datetime, uncertainty_s: float) -> dict[str, Any]:
    return {f"{which}ed_at": at, f"{which}_uncertainty_s": uncertainty_s}


def _changes(before: InjectionRow, after: InjectionRow, correction: TimeCorrection) -> str:
    parts = [
        f"{name} was {_moment(was, doubt)} by the {before.time_source} and is {_moment(now, left)}"
        for name, was, doubt, now, left in (
            ("start", before.started_at, before.start_uncertainty_s, after.started_at, after.start_uncertainty_s),
            ("end", before.ended_at, before.end_uncertainty_s, after.ended_at, after.end_uncertainty_s),
        )
        if (epoch_us(was), doubt) != (epoch_us(now), left)
    ]
    if after.fault_ended_at is not None and after.fault_ended_at != before.fault_ended_at:
        parts.append(f"the fault's end is {_moment(after.fault_ended_at, after.fault_end_uncertainty_s or 0.0)}")
    said = "; ".join(parts) or "its times were right already"
    return f"{CORRECTED}injection {before.injection_id}: {said}; because: {correction.reason}"


def _moment(at: dt.datetime, uncertainty_s: float) -> str:
    return f"{iso(at)} (+ {uncertainty_s:g} s)"
