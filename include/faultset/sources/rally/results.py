"""Rally results (JSON) as records: ``rally task report --json``, and the older ``rally task results``."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from faultset.errors import InputError
from faultset.moments import EARLIEST, LATEST, Instant, from_epoch
from faultset.records.run import HookPlan, HookResult, Iterations, RunRecord, Unit, Workload
from faultset.sources.kit.collector import collector_paused
from faultset.sources.kit.fields import Field, decode_json, finite, parse_moment
from faultset.sources.kit.files import read_bytes, refuse_binary
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import redact
from faultset.sources.rally.config import plugin_name, read_hook, read_hooks, read_runner
from faultset.sources.rally.match import fitting_plan
from faultset.sources.rally.output import command_output, read_errors, read_sla, safe_output, sla_verdict, trace_id
from faultset.sources.rally.page import looks_like_json

if TYPE_CHECKING:
    import datetime as dt

_RETURNED = re.compile(r"Subprocess returned (-?\d{1,9})")
_EARLIEST_S, _LATEST_S = EARLIEST.timestamp(), LATEST.timestamp()
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(.*)", re.DOTALL)
# What Rally wrote before 0.7 was released.
_NO_DESCRIPTION = "n/a"
_WANTED = "give the file that `rally task report --json` or `rally task results` writes"


def read_results(uri: str) -> RunRecord:
    """Return what the results (JSON) at ``uri`` say.

    Raises:
        InputError: the file cannot be read, is no results file, is cut off, or holds what Rally does not write.
    """
    with collector_paused():
        return _read(uri)


def _read(uri: str) -> RunRecord:
    bounds = Bounds(uri)
    root = Field(uri, "the file", _decode(uri, bounds))
    if isinstance(root.value, list):
        bounds.check_workloads(len(root.value))
        return _run(uri, "results-old", None, _old_entries(Field(uri, "results", root.value)), bounds)
    if "tasks" not in root.mapping():
        raise InputError(uri, f"is {_what_else(root)}, not the results of a Rally task", _WANTED)
    bounds.check_workloads(len(Field(uri, "tasks", root.mapping()["tasks"]).values()))
    version = Field(uri, "info", root.mapping().get("info")).get("rally_version").text_or_none()
    return _run(uri, "results", version, _entries(Field(uri, "tasks", root.mapping()["tasks"])), bounds)


def _decode(uri: str, bounds: Bounds) -> object:
    data = read_bytes(uri, role="results_bytes")
    refuse_binary(uri, data)
    bounds.check_data(data)
    if not looks_like_json(data):
        kind = "an HTML page" if data.lstrip()[:1] == b"<" else "no JSON"
        remedy = "give it as the report" if data.lstrip()[:1] == b"<" else _WANTED
        raise InputError(uri, f"is {kind}, not the results of a Rally task", remedy)
    view = memoryview(data)
    try:
        return decode_json(view[3:] if data.startswith(b"\xef\xbb\xbf") else view)
    except ValueError as error:
        problem = str(error)
    cut = data.rstrip()[-1:] not in {b"}", b"]"}
    if cut:
        raise InputError(uri, f"is cut off: {problem}", "copy the file again, whole")
    raise InputError(uri, f"is broken JSON: {problem}", "give the file as Rally wrote it")


def _what_else(root: Field) -> str:
    keys = root.mapping().keys()
    if "verifications" in keys:
        return "the results of a Rally verification"
    if "subtasks" in keys:
        return "a Rally task file (what to run)"
    return "a JSON file of another kind"


class _Entry(NamedTuple):
    """A workload in either form: where its parts stand; ``hooks`` is what was asked for beside the results."""

    name: str
    position: int | None
    uuid: str | None
    whole: Field
    runner: Field
    hooks: Field
    iterations: Field
    sla: Field
    verdict: Field
    created_at: Field
    day_first: bool


def _entries(tasks: Field) -> list[_Entry]:
    workloads = [
        workload
        for task in tasks.items()
        for subtask in task.get("subtasks").items()
        for workload in subtask.get("workloads").items()
    ]
    return [
        _Entry(
            name=_scenario(workload.get("scenario")),
            # Counted here, since Rally counts its own anew in each subtask.
            position=None,
            uuid=_uuid(workload.get("uuid")),
            whole=workload,
            runner=workload.get("runner"),
            hooks=Field(workload.uri, workload.path, None),
            iterations=workload.get("data"),
            sla=workload.get("sla_results").get("sla"),
            verdict=workload.get("pass_sla"),
            created_at=workload.get("created_at"),
            day_first=False,
        )
        for workload in workloads
    ]


def _old_entries(results: Field) -> list[_Entry]:
    found = []
    for workload in results.items():
        key = workload.get("key")
        found.append(
            _Entry(
                name=plugin_name(key.get("name").text()),
                position=key.get("pos").count_or_none(),
                uuid=None,
                whole=workload,
                runner=key.get("kw").get("runner"),
                hooks=key.get("kw").get("hooks"),
                iterations=workload.get("result"),
                sla=workload.get("sla"),
                verdict=Field(workload.uri, workload.path, None),
                created_at=workload.get("created_at"),
                day_first=True,
            )
        )
    return found


def _scenario(field: Field) -> str:
    members = field.entries()
    if len(members) != 1:
        raise field.error("a mapping of one scenario to its arguments")
    return plugin_name(members[0][0])


def _uuid(field: Field) -> str | None:
    text = field.text_or_none()
    return text.lower() if text else None


def _run(uri: str, form: str, version: str | None, entries: list[_Entry], bounds: Bounds) -> RunRecord:
    if not entries:
        raise InputError(uri, "holds no workload", "give the results of a task that ran")
    bounds.check_workloads(len(entries))
    workloads = tuple(
        bounds.add(_workload(entry, position)) for entry, position in zip(entries, _positions(entries), strict=True)
    )
    return RunRecord(uri, "results" if form == "results" else "results-old", version, workloads)


def _positions(entries: list[_Entry]) -> list[int]:
    """Return each workload's position among those of its name.

    What the file says is taken where it counts on from 0 for each name; often every position is 0.
    """
    by_name: dict[str, list[int | None]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry.position)
    seen: Counter[str] = Counter()
    positions = []
    for entry in entries:
        written = by_name[entry.name]
        counts_on = set(written) == set(range(len(written)))
        positions.append(entry.position if counts_on and entry.position is not None else seen[entry.name])
        seen[entry.name] += 1
    return positions


def _workload(entry: _Entry, position: int) -> Workload:
    whole = entry.whole
    iterations = _iterations(entry.iterations)
    total = whole.get("total_iteration_count")
    failed = whole.get("failed_iteration_count").count_or_none()
    started_at = _started_at(whole.get("start_time"), iterations)
    runner = read_runner(entry.runner)
    sla = read_sla(entry.sla)
    plans, results = _hooks(entry)
    count = total.count() if total.value is not None else len(iterations.number)
    if len(iterations.number) > count or (failed or 0) > count:
        raise total.error(f"at least the {max(len(iterations.number), failed or 0)} iterations that are listed")
    return Workload(
        name=entry.name,
        position=position,
        uuid=entry.uuid,
        created_at=_created_at(entry.created_at, started_at, day_first=entry.day_first),
        runner=runner.name,
        times=runner.times,
        concurrency=runner.concurrency,
        iterations_count=count,
        failed_count=len(iterations.errors) if failed is None else failed,
        started_at=started_at,
        load_duration_s=whole.get("load_duration").seconds_or_none(),
        full_duration_s=whole.get("full_duration").seconds_or_none(),
        sla_passed=sla_verdict(entry.verdict, sla),
        sla=sla,
        hooks=plans,
        results=results,
        charted_hooks={},
        iterations=Iterations(
            number=iterations.number,
            started_at=iterations.started_at,
            duration_s=iterations.duration_s,
            idle_s=iterations.idle_s,
            errors=iterations.errors,
            trace_ids=iterations.trace_ids,
            complete=len(iterations.number) == count,
        ),
    )


def _started_at(field: Field, iterations: Iterations) -> dt.datetime | None:
    """Return the load's start: as written, else the first iteration's."""
    if field.value:
        return field.epoch()
    return from_epoch(iterations.started_at[0]) if iterations.started_at else None


def _created_at(field: Field, near: dt.datetime | None, *, day_first: bool) -> dt.datetime | None:
    """Return when the workload was created.

    ``rally task results`` swaps day and month ("2026-23-11T15:02:52"). Where both readings are possible, the one
    nearer to the load's start is right; without a start it is the swapped one.
    """
    if field.value in (None, ""):
        return None
    match = _DATE.fullmatch(field.text()) if day_first else None
    if match is None:
        return field.utc()
    year, first, second, rest = match.groups()
    readings = [parse_moment(f"{year}-{second}-{first}{rest}"), parse_moment(field.text())]
    possible = [reading for reading in readings if reading is not None]
    if not possible:
        raise field.error("a time from 1970 to 2200")
    return possible[0] if near is None else min(possible, key=lambda reading: abs(reading - near))


# --- hooks ----------------------------------------------------------------------------------------------------------


def _hooks(entry: _Entry) -> tuple[tuple[HookPlan, ...], tuple[HookResult, ...]]:
    """Return what was asked for and what fired.

    Each of ``hooks`` is a configuration with its results; before Rally 0.7 was released each was a single result, and
    the configurations stood in the workload's key.
    """
    listed = entry.whole.get("hooks").items()
    if not listed or any("config" not in item.mapping() and "hook" in item.mapping() for item in listed):
        return _lone_results(listed, read_hooks(entry.hooks))
    hooks = [_hook(item, index) for index, item in enumerate(listed)]
    return tuple(plan for plan, _ in hooks), tuple(result for _, results in hooks for result in results)


def _lone_results(
    listed: list[Field], plans: tuple[HookPlan, ...]
) -> tuple[tuple[HookPlan, ...], tuple[HookResult, ...]]:
    taken: set[tuple[int, Unit, float]] = set()
    results = []
    for item in listed:
        unit, value = _fired_by(item.get("triggered_by"))
        name = plugin_name(item.get("hook").text())
        description = item.get("description").text_or_none()
        description = None if description == _NO_DESCRIPTION else description
        plan = fitting_plan(
            name, description, unit, value, [plan for plan in plans if (plan.index, unit, value) not in taken]
        )
        if plan is not None:
            taken.add((plan.index, unit, value))
            results.append(_result(item, plan, unit, value, "its name and trigger are those of this configuration"))
        else:
            lone = HookPlan(0, name, "", None if description is None else redact(description), None)
            why = "no configured hook has its name and trigger"
            results.append(replace(_result(item, lone, unit, value, why), hook_index=None))
    return plans, tuple(results)


def _fired_by(field: Field) -> tuple[Unit, float]:
    """Return what triggered a hook: ``{iteration: 20}``, or as Rally has written it since."""
    if "event_type" in field.mapping():
        return _unit(field.get("event_type")), _value(field.get("value"))
    members = field.entries()
    if len(members) != 1:
        raise field.error("a trigger such as {iteration: 20}")
    return _unit(Field(field.uri, field.path, members[0][0])), _value(members[0][1])


def _hook(field: Field, index: int) -> tuple[HookPlan, list[HookResult]]:
    plan = read_hook(field.get("config"), index)
    why = "the results file lists it under its configuration"
    return plan, [
        _result(item, plan, *_fired_by(item.get("triggered_by")), why) for item in field.get("results").items()
    ]


def _result(field: Field, plan: HookPlan, unit: Unit, value: float, matched_by: str) -> HookResult:
    error = field.get("error")
    output = field.get("output")
    charts = output.get("complete").values()
    said = command_output(charts)
    return_code, stdout, stderr = said.return_code, said.stdout, said.stderr
    message = _message(error)
    returned = _RETURNED.fullmatch(error.get("msg").text_or_none() or "")
    if said.return_code is None and returned:
        # The command printed charts, or the file holds no output: the error repeats one of its streams.
        return_code = int(returned[1])
        stdout, stderr = _streams(error.get("details"))
    return HookResult(
        hook_index=plan.index,
        name=plan.name,
        description=plan.description,
        unit=unit,
        value=value,
        started_at=Instant(field.get("started_at").epoch()),
        ended_at=Instant(field.get("finished_at").epoch()),
        status=field.get("status").text(),
        return_code=return_code,
        stdout=stdout,
        stderr=stderr,
        error=message,
        has_output=bool(charts or output.get("additive").values()),
        matched_by=matched_by,
    )


def _message(error: Field) -> str | None:
    if not error.mapping():
        return None
    kind = error.get("etype").text_or_none() or "n/a"
    message = redact(error.get("msg").text_or_none() or "")
    return message if kind == "n/a" else f"{kind}: {message}"


def _streams(details: Field) -> tuple[str, str]:
    """Return stdout and stderr: Rally keeps stderr as the details, and stdout where that is empty."""
    text = details.text_or_none() or ""
    if text.startswith("stdout: "):
        return safe_output(text.removeprefix("stdout: ")), ""
    return "", safe_output(text)


def _unit(field: Field) -> Unit:
    unit = field.text()
    if unit == "iteration":
        return "iteration"
    if unit == "time":
        return "time"
    raise field.error('"iteration" or "time"')


def _value(field: Field) -> float:
    if field.number() < 0:
        raise field.error("a number from 0")
    return float(field.number())


# --- iterations -----------------------------------------------------------------------------------------------------


def _iterations(field: Field) -> Iterations:
    """Return the iterations, numbered from 1 by their start, as reports number them."""
    rows = [_row(field, index, row) for index, row in enumerate(field.values())]
    starts = [_start(field, index, row) for index, row in enumerate(rows)]
    order = sorted(range(len(rows)), key=starts.__getitem__)
    errors: dict[int, tuple[object, object]] = {}
    trace_ids: dict[int, str] = {}
    for number, index in enumerate(order, 1):
        if rows[index].get("error"):
            errors[number] = _error(Field(field.uri, field.at(index), rows[index]).get("error"))
        output = rows[index].get("output")
        trace = trace_id(output.get("complete")) if isinstance(output, dict) else None
        if trace is not None:
            trace_ids[number] = trace
    return Iterations(
        number=list(range(1, len(rows) + 1)),
        started_at=[starts[index] for index in order],
        duration_s=[_span(field, index, rows[index], "duration") for index in order],
        idle_s=[_span(field, index, rows[index], "idle_duration") for index in order],
        errors=read_errors(errors, field),
        trace_ids=trace_ids,
    )


def _row(field: Field, index: int, row: object) -> dict[object, object]:
    return row if isinstance(row, dict) else Field(field.uri, field.at(index), row or 0).mapping()


def _start(field: Field, index: int, row: dict[object, object]) -> float:
    """Return an iteration's start in epoch seconds."""
    start = finite(row.get("timestamp"))
    if start is None or not _EARLIEST_S <= start < _LATEST_S:
        raise Field(field.uri, field.at(index), row).get("timestamp").error("a time in seconds from 1970 to 2200")
    return float(start)


def _span(field: Field, index: int, row: dict[object, object], key: str) -> float:
    """Return seconds; NaN where the file does not say, or where a clock that was set back made them negative."""
    value = row.get(key)
    if value is None:
        return math.nan
    span = finite(value)
    if span is None:
        raise Field(field.uri, field.at(index), row).get(key).error("a finite number of seconds")
    return float(span) if span >= 0 else math.nan


def _error(field: Field) -> tuple[object, object]:
    """Return type and message of a list of the error's type, its message and the traceback."""
    parts = [*field.values(), None]
    return parts[0], parts[1]
