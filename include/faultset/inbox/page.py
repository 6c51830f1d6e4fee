"""A verdict as a page: whole in itself, with no script; everything that came from outside is text on it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from faultset.errors import printable
from faultset.inbox import timeline
from faultset.inbox.verdicts import Verdict
from faultset.pages import environment
from faultset.severity import Severity

Row = Mapping[str, Any]
Recognised = Mapping[str, Sequence[Row]]

_MOST_WHERE = 5
_MOST_ROWS = 200
_NO_NAME = "(no name)"
_SEVERITIES: Mapping[Severity, str] = {
    "critical": "The run is rejected for these.",
    "warning": "The run can be used; these deserve a look.",
    "info": "Nothing to do; these happen in sound runs, too.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a cell; ``mute`` says less."""

    text: str
    mute: bool = False


Cell = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its heading: how many of ``what`` there are, and what ``rest`` says of them."""

    what: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    rest: str = ""


def render(verdict: Verdict) -> str:
    """Return the page of a verdict."""
    counts = Counter(remark.severity for remark in verdict.remarks)
    drawn = verdict.recognised.get("workloads")
    return environment.render(
        "verdict.html",
        verdict=verdict,
        name=printable(verdict.name) or _NO_NAME,
        counted=", ".join(f"{counts[severity]} {severity}" for severity in _SEVERITIES),
        remarks=[
            (severity, meaning, [remark for remark in verdict.remarks if remark.severity == severity])
            for severity, meaning in _SEVERITIES.items()
        ]
        if verdict.remarks
        else (),
        offer=_offer(verdict.offer),
        timeline=Markup(timeline.draw(verdict.recognised)) if drawn else "",  # noqa: S704 (escapes what it draws)
        tables=tuple(_tables(verdict.recognised)) if drawn else (),
        files=_files(verdict.files),
        particulars=_particulars(verdict),
        places=_MOST_WHERE,
        most=_MOST_ROWS,
    )


def _offer(text: str) -> Markup:
    """What a person could confirm, ready to copy: its lines as they are, each harmless."""
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)
    return environment.escaped(shown)


# --- what was recognised --------------------------------------------------------------------------------------------


def _tables(found: Recognised) -> Iterator[Table]:
    yield _workloads(found)
    yield _injections(found)
    silent = _not_fired(found)
    if silent.rows:
        yield silent


def _workloads(found: Recognised) -> Table:
    header = ("workload", "runner", "iterations", "failed", "start, UTC", "end, UTC")
    rows = tuple(
        (
            _value(row["name"] or _NO_NAME),
            _value(row["runner"]),
            _value(f"{row['iterations']:,}"),
            _value(row["failed_iterations"]),
            _moment(row["started_at"]),
            _moment(row["ended_at"]),
        )
        for row in found["workloads"]
    )
    return Table("workload", header, rows)


def _injections(found: Recognised) -> Table:
    names = {row["workload_id"]: row["name"] or _NO_NAME for row in found["workloads"]}
    header = ("no.", "fired at", "start, UTC", "lasted", "fault's end", "effect", "hook status", "acted on")
    rows = tuple(
        (
            _value(number),
            (Line(f"{row['unit']} {_known(row['value'])}"), Line(str(names.get(row["workload_id"])), mute=True)),
            _moment(row["started_at"]),
            _lasted(row),
            _fault_end(row),
            _value(row["effect"]),
            _value(row["hook_status"]),
            _targets([one for one in found.get("targets", ()) if one["injection_id"] == row["injection_id"]]),
        )
        for number, row in enumerate(timeline.numbered(found.get("injections", ())), start=1)
    )
    return Table("injection", header, rows)


def _targets(targets: Sequence[Row]) -> Cell:
    """The nodes of each container; what is not known to have been acted on is told beside its node."""
    if not targets:
        return (Line("nothing that is known", mute=True),)
    said = {True: "", False: " (it did not act there)", None: " (not known whether)"}
    places: dict[str, list[str]] = {}
    for one in targets:
        places.setdefault(one["container"] or "the node itself", []).append(f"{one['node']}{said[one['effective']]}")
    return tuple(Line(f"{container} on {', '.join(nodes)}") for container, nodes in places.items())


def _not_fired(found: Recognised) -> Table:
    """The triggers that were planned and not seen; those of one hook with one reason together."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in found.get("triggers", ()):
        if row["outcome"] != "fired":
            reason = "the run ended before" if row["outcome"] == "not_reached" else "the inputs cannot tell whether"
            hook = f"hook {row['hook_index']} ({row['hook']}) of {row['workload_id']}"
            groups.setdefault((hook, str(row["unit"]), reason), []).append(row["value"])
    rows = tuple(
        (_value(hook), _value(f"{unit} {', '.join(map(str, sorted(values)))}"), _value(reason))
        for (hook, unit, reason), values in groups.items()
    )
    return Table("hook", ("hook", "planned at", "why"), rows, "with triggers that were not seen to fire")


def _known(value: object) -> str:
    return "unknown" if value is None else str(value)


def _value(value: object) -> Cell:
    return (Line(_known(value), mute=value is None),)


def _moment(text: str | None) -> Cell:
    return _value(None if text is None else f"{dt.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}")


def _lasted(row: Row) -> Cell:
    if row["started_at"] is None or row["ended_at"] is None:
        return _value(None)
    start, end = (dt.datetime.fromisoformat(row[key]) for key in ("started_at", "ended_at"))
    return _value(f"{(end - start).total_seconds():,.1f} s")


def _fault_end(row: Row) -> Cell:
    """When the fault itself ended, as the command's end or beside it, and why where that is not with its command."""
    if row.get("fault_end_source") == "command":
        return _value("with the command")
    why = Line(row.get("fault_end_reason") or "no input tells", mute=True)
    if row.get("fault_ended_at") is None:
        return (Line("unknown"), why)
    return (*_moment(row["fault_ended_at"]), why)


# --- where it comes from --------------------------------------------------------------------------------------------


def _files(files: Sequence[Mapping[str, str]]) -> Table:
    rows = tuple((_value(one["path"]), _value(one["role"].replace("_", " ")), _value(one["why"])) for one in files)
    return Table("file", ("file", "taken for", "because"), rows)


def _particulars(verdict: Verdict) -> dict[str, str | None]:
    return {
        "arrival": verdict.arrival,
        "arrived": verdict.arrived_at,
        "judged": verdict.judged_at,
        "judged by": verdict.judged_by,
        "content": f"sha256 {verdict.content_sha256}",
        "written by": ", ".join(verdict.recognised.get("tools", ())) or None,
        "judged before as": verdict.same_as,
    }
