"""A verdict as a page: whole in itself, with no script; everything that came from outside is text on it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from faultset.errors import printable
from faultset.expectations.pages import safe, table_of, tag, whole_page
from faultset.inbox import timeline
from faultset.inbox.verdicts import VERDICT, Remark, Verdict
from faultset.severity import Severity

Row = Mapping[str, Any]
Recognised = Mapping[str, Sequence[Row]]

_MOST_WHERE = 5
_MOST_ROWS = 200
_LONGEST = 2000
_NO_NAME = "(no name)"
_SEVERITIES: Mapping[Severity, str] = {
    "critical": "The run is rejected for these.",
    "warning": "The run can be used; these deserve a look.",
    "info": "Nothing to do; these happen in sound runs, too.",
}


def render(verdict: Verdict) -> str:
    """Return the page of a verdict."""
    word = "accepted" if verdict.accepted else "rejected"
    name = printable(verdict.name) or _NO_NAME
    return whole_page(
        f"{word}: {name}",
        f'<header class="{"yes" if verdict.accepted else "no"}">\n'
        f'<p><span class="verdict {"yes" if verdict.accepted else "no"}">{word}</span></p>\n'
        f'<h1>{safe(name)}</h1>\n<p class="reason">{_text(verdict.reason)}</p>\n{_becomes(verdict)}</header>\n'
        f"<h2>Findings</h2>\n{_findings(verdict.remarks)}"
        f"{_offer(verdict.offer)}<h2>What was recognised</h2>\n{_recognised(verdict.recognised)}"
        f"<h2>Files</h2>\n{_files(verdict.files)}\n<h2>Particulars</h2>\n{_particulars(verdict)}",
    )


def _text(value: object) -> str:
    """Text from outside: one harmless line."""
    return safe(printable(str(value), _LONGEST))


def _becomes(verdict: Verdict) -> str:
    if verdict.accepted:
        what = f"It becomes the dataset <code>{_text(verdict.slug or '')}</code>, once a person has approved it."
    else:
        what = "Nothing was deleted: what was dropped lies beside this page. Mend it and drop it again."
    links = [f'<a href="{VERDICT}">{VERDICT}</a> for programs']
    if verdict.data_docs:
        links.insert(0, f'<a href="{safe(verdict.data_docs)}">every expectation and what it found</a>')
    return f"<p>{what}</p>\n<p>See also: {', '.join(links)}.</p>\n"


# --- findings -------------------------------------------------------------------------------------------------------


def _findings(remarks: Sequence[Remark]) -> str:
    if not remarks:
        return "<p>None: every expectation holds.</p>\n"
    counted = Counter(remark.severity for remark in remarks)
    said = ", ".join(f"{counted[severity]} {severity}" for severity in _SEVERITIES)
    parts = [f'<p class="mute">{said}.</p>\n']
    for severity, meaning in _SEVERITIES.items():
        own = [remark for remark in remarks if remark.severity == severity]
        if own:
            parts.append(f'<h3>{tag(severity)} <span class="mute">{meaning}</span></h3>\n')
            parts.extend(_remark(remark) for remark in own)
    return "".join(parts)


def _remark(remark: Remark) -> str:
    name = f' <code class="mute">{_text(remark.expectation)}</code>' if remark.expectation else ""
    told = (("where", _where(remark)), ("why it matters", _text(remark.why)), ("what to do", _text(remark.remedy)))
    parts = "".join(f"<div><dt>{label}</dt><dd>{value}</dd></div>" for label, value in told if value)
    return (
        f'<section class="finding {remark.severity}">\n<p>{_text(remark.what)}{name}</p>\n<dl>{parts}</dl></section>\n'
    )


def _where(remark: Remark) -> str:
    shown = "<br>".join(_text(place) for place in remark.where[:_MOST_WHERE])
    rest = remark.count - min(len(remark.where), _MOST_WHERE)
    return f'{shown}<br><span class="mute">and {rest:,} more</span>' if rest > 0 and remark.where else shown


def _offer(text: str) -> str:
    """What a person could confirm, ready to copy: its lines as they are, each harmless."""
    if not text:
        return ""
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "\ufffd" for sign in text)
    return f"<h2>To confirm: experiment.yaml</h2>\n<pre>{safe(shown)}</pre>\n"


# --- what was recognised --------------------------------------------------------------------------------------------


def _recognised(found: Recognised) -> str:
    if not found.get("workloads"):
        return "<p>No workload: the reading did not get that far, or there is none.</p>\n"
    return timeline.draw(found) + _workloads(found) + _injections(found) + _not_fired(found)


def _workloads(found: Recognised) -> str:
    header = ("workload", "runner", "iterations", "failed", "start, UTC", "end, UTC")
    cells = [
        (
            _text(row["name"] or _NO_NAME),
            _value(row["runner"]),
            f"{row['iterations']:,}",
            _value(row["failed_iterations"]),
            _moment(row["started_at"]),
            _moment(row["ended_at"]),
        )
        for row in found["workloads"]
    ]
    return _rows("workload", header, cells)


def _injections(found: Recognised) -> str:
    names = {row["workload_id"]: row["name"] or _NO_NAME for row in found["workloads"]}
    header = ("no.", "fired at", "start, UTC", "lasted", "fault's end", "effect", "hook status", "acted on")
    cells = [
        (
            str(number),
            f"{_text(row['unit'])} {_value(row['value'])}<br>{_mute(names.get(row['workload_id']))}",
            _moment(row["started_at"]),
            _lasted(row),
            _fault_end(row),
            _value(row["effect"]),
            _value(row["hook_status"]),
            _targets([one for one in found.get("targets", ()) if one["injection_id"] == row["injection_id"]]),
        )
        for number, row in enumerate(timeline.numbered(found.get("injections", ())), start=1)
    ]
    return _rows("injection", header, cells)


def _targets(targets: Sequence[Row]) -> str:
    """The nodes of each container; what is not known to have been acted on is told beside its node."""
    if not targets:
        return _mute("nothing that is known")
    said = {True: "", False: " (it did not act there)", None: " (not known whether)"}
    places: dict[str, list[str]] = {}
    for one in targets:
        places.setdefault(one["container"] or "the node itself", []).append(f"{one['node']}{said[one['effective']]}")
    return "<br>".join(_text(f"{container} on {', '.join(nodes)}") for container, nodes in places.items())


def _not_fired(found: Recognised) -> str:
    """The triggers that were planned and not seen; those of one hook with one reason together."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in found.get("triggers", ()):
        if row["outcome"] != "fired":
            reason = "the run ended before" if row["outcome"] == "not_reached" else "the inputs cannot tell whether"
            hook = f"hook {row['hook_index']} ({row['hook']}) of {row['workload_id']}"
            groups.setdefault((hook, str(row["unit"]), reason), []).append(row["value"])
    if not groups:
        return ""
    cells = [
        (_text(hook), _text(f"{unit} {', '.join(map(str, sorted(values)))}"), reason)
        for (hook, unit, reason), values in groups.items()
    ]
    return _rows("hook", ("hook", "planned at", "why"), cells, " with triggers that were not seen to fire")


def _rows(what: str, header: Sequence[str], cells: Sequence[Sequence[str]], rest: str = "") -> str:
    """A table with its heading; each cell is markup already, and carries its heading for narrow screens."""
    if not cells:
        return f"<h3>No {what}{rest}</h3>\n"
    lines = [
        "<tr>"
        + "".join(f'<td data-label="{name}">{cell}</td>' for name, cell in zip(header, row, strict=True))
        + "</tr>"
        for row in cells[:_MOST_ROWS]
    ]
    hidden = len(cells) - _MOST_ROWS
    more = f'<p class="mute">{hidden:,} more are in {VERDICT}.</p>\n' if hidden > 0 else ""
    plural = what if len(cells) == 1 else f"{what}s"
    return f'<h3>{len(cells):,} {plural}{rest}</h3>\n<div class="stacks">{table_of(header, lines)}</div>\n{more}'


def _value(value: object) -> str:
    return _mute("unknown") if value is None else _text(value)


def _mute(value: object) -> str:
    return f'<span class="mute">{_text(value)}</span>'


def _moment(text: str | None) -> str:
    if text is None:
        return _value(None)
    return f"{dt.datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _lasted(row: Row) -> str:
    if row["started_at"] is None or row["ended_at"] is None:
        return _value(None)
    start, end = (dt.datetime.fromisoformat(row[key]) for key in ("started_at", "ended_at"))
    return f"{(end - start).total_seconds():,.1f}&nbsp;s"


def _fault_end(row: Row) -> str:
    """When the fault itself ended, as the command's end or beside it, and why where that is not with its command."""
    if row.get("fault_end_source") == "command":
        return "with the command"
    why = _mute(row.get("fault_end_reason") or "no input tells")
    if row.get("fault_ended_at") is None:
        return f"unknown<br>{why}"
    return f"{_moment(row['fault_ended_at'])}<br>{why}"


# --- where it comes from --------------------------------------------------------------------------------------------


def _files(files: Sequence[Mapping[str, str]]) -> str:
    header = ("file", "taken for", "because")
    cells = [(_text(one["path"]), _text(one["role"].replace("_", " ")), _text(one["why"])) for one in files]
    return _rows("file", header, cells) if cells else "<p>None could be read.</p>"


def _particulars(verdict: Verdict) -> str:
    said = {
        "arrival": verdict.arrival,
        "arrived": verdict.arrived_at,
        "judged": verdict.judged_at,
        "judged by": verdict.judged_by,
        "content": f"sha256 {verdict.content_sha256}",
        "Rally": verdict.recognised.get("rally_version"),
        "judged before as": verdict.same_as,
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>" for name, value in said.items() if value)
    return f'<dl class="particulars">{rows}</dl>\n'
