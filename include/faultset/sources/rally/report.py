"""Rally task reports (HTML, plain and static) as records."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass

from faultset.errors import InputError
from faultset.moments import Instant
from faultset.records.run import HookResult, IterationError, Iterations, RunRecord, Unit, Workload
from faultset.sources.kit.collector import collector_paused
from faultset.sources.kit.fields import Field, decode_json, finite
from faultset.sources.kit.files import read_head
from faultset.sources.kit.reading_limits import Bounds
from faultset.sources.kit.redaction import redact
from faultset.sources.kit.yaml_tree import load
from faultset.sources.rally.config import RunnerPlan, WorkloadConfig, plugin_name, read_task
from faultset.sources.rally.match import Match, ShownHook, match_hooks
from faultset.sources.rally.output import CommandOutput, command_output, read_errors, read_sla, sla_verdict, trace_id
from faultset.sources.rally.page import ReportPage, looks_like_json, read_page
from faultset.sources.rally.results import read_results

_WHOLE_SECOND_S = 1.0
_TRIGGERED_BY = re.compile(r"(iteration|time): *(\d{1,12}(?:\.\d{1,9})?)")


def read_report(uri: str) -> RunRecord:
    """Return what the task report (HTML) at ``uri`` says.

    Raises:
        InputError: it cannot be read, is no task report, is cut off, or holds what Rally does not write.
    """
    with collector_paused():
        bounds = Bounds(uri)
        page = read_page(uri, bounds)
        return RunRecord(uri, "report", page.rally_version, _workloads(uri, page, bounds))


def read_run(uri: str) -> RunRecord:
    """Return what the file at ``uri`` says, told by its content: a report (HTML) or results (JSON).

    Raises:
        InputError: as ``read_report`` and ``read_results``.
    """
    return read_results(uri) if looks_like_json(read_head(uri)) else read_report(uri)


def _workloads(uri: str, page: ReportPage, bounds: Bounds) -> tuple[Workload, ...]:
    listed = Field(uri, "scenarios", page.scenarios)
    # Before each gets a record of its own, which is larger than what it stands for.
    bounds.check_workloads(len(listed.values()))
    scenarios = listed.items()
    if not scenarios:
        raise InputError(uri, "holds no workload", "give the report of a task that ran")
    source = _Source(Field(uri, "source", page.source))
    seen: Counter[str] = Counter()
    workloads = []
    for scenario in scenarios:
        name = plugin_name(f"{scenario.get('cls').text()}.{scenario.get('met').text()}")
        bounds.check_hooks(len(scenario.get("hooks").values()))
        workloads.append(bounds.add(_workload(scenario, name, seen[name], source)))
        seen[name] += 1
    return tuple(workloads)


class _Source:
    """The task file inside the report; decoded only where a scenario lacks its own configuration."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._configs: tuple[WorkloadConfig, ...] | None = None

    def config(self, name: str, position: int) -> WorkloadConfig | None:
        """Return the configuration of the workload at ``position`` among those called ``name``."""
        if self._configs is None:
            text = self._field.text_or_none()
            self._configs = () if text is None else read_task(_decoded(self._field, text))
        same = [config for config in self._configs if config.name == name]
        return same[position] if position < len(same) else None


def _decoded(field: Field, text: str) -> Field:
    """Return the task file in ``text``: JSON as Rally writes it, or YAML as a person does."""
    if not text.lstrip().startswith(("{", "[")):
        return Field(field.uri, field.path, load(text, f"{field.uri} ({field.path})"))
    try:
        return Field(field.uri, field.path, decode_json(text))
    except ValueError:
        raise field.error("a task file in JSON") from None


def _config(scenario: Field, name: str, position: int, source: _Source) -> WorkloadConfig:
    """Return what was asked for: the scenario's own configuration, else its entry in the task file."""
    own = scenario.get("config")
    text = own.text_or_none()
    if text is not None:
        configs = read_task(_decoded(own, text))
        if len(configs) != 1:
            raise own.error("a task file with one workload")
        return configs[0]
    runner = scenario.get("runner").text_or_none()
    return source.config(name, position) or WorkloadConfig(name, None, RunnerPlan(plugin_name(runner or "unknown")), ())


def _workload(scenario: Field, name: str, seen: int, source: _Source) -> Workload:
    """Return one workload; ``seen`` counts those of the same name before it."""
    written = scenario.get("pos").count_or_none()
    position = seen if written is None else written
    config = _config(scenario, name, position, source)
    count = scenario.get("iterations_count").count()
    failed = _failed_count(scenario, count)
    shown = _shown_hooks(scenario.get("hooks"))
    matches = match_hooks([hook.shown for hook in shown], config.hooks, count)
    sla = read_sla(scenario.get("sla"))
    return Workload(
        name=name,
        position=position,
        uuid=config.uuid,
        created_at=_created_at(scenario.get("created_at")),
        runner=plugin_name(scenario.get("runner").text_or_none() or config.runner.name),
        times=config.runner.times,
        concurrency=config.runner.concurrency,
        iterations_count=count,
        failed_count=failed,
        started_at=None,
        load_duration_s=scenario.get("load_duration").seconds_or_none(),
        full_duration_s=scenario.get("full_duration").seconds_or_none(),
        sla_passed=sla_verdict(scenario.get("sla_success"), sla),
        sla=sla,
        hooks=config.hooks,
        results=_results(shown, matches),
        charted_hooks=_charted(shown, matches),
        iterations=_iterations(scenario, count),
    )


def _created_at(field: Field) -> dt.datetime | None:
    return field.utc() if field.value not in (None, "") else None


def _failed_count(scenario: Field, count: int) -> int:
    pie = scenario.get("iterations").get("pie")
    for item in pie.items():
        if len(item.values()) == 2 and item.values()[0] == "errors":
            failed = item.items()[1]
            break
    else:
        failed = Field(scenario.uri, scenario.at("errors"), len(scenario.get("errors").values()))
    if failed.count() > count:
        raise failed.error(f"a number of failures among {count} iterations")
    return failed.count()


# --- hooks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Firing:
    unit: Unit
    value: float
    started_at: Instant
    ended_at: Instant
    status: str
    output: CommandOutput


@dataclass(frozen=True, slots=True)
class _Hook:
    """A hook as shown; ``charted`` counts the firings that left nothing but a point in a chart."""

    shown: ShownHook
    firings: tuple[_Firing, ...]
    charted: int


def _shown_hooks(field: Field) -> list[_Hook]:
    return [_shown_hook(item) for item in field.items()]


def _shown_hook(field: Field) -> _Hook:
    firings = tuple(_firing(item) for item in field.get("complete").items())
    points = max((_points(chart) for chart in field.get("additive").values()), default=0)
    description = field.get("desc").text_or_none()
    shown = ShownHook(
        name=plugin_name(field.get("name").text()),
        description=None if description is None else redact(description),
        args=next((firing.output.args for firing in firings if firing.output.args is not None), None),
        fired=tuple((firing.unit, firing.value) for firing in firings),
    )
    return _Hook(shown, firings, max(0, points - len(firings)))


def _firing(field: Field) -> _Firing:
    unit, value = _triggered_by(field.get("triggered_by"))
    return _Firing(
        unit=unit,
        value=value,
        started_at=_instant(field.get("started_at")),
        ended_at=_instant(field.get("finished_at")),
        status=field.get("status").text(),
        output=command_output(field.get("charts").values()),
    )


def _triggered_by(field: Field) -> tuple[Unit, float]:
    match = _TRIGGERED_BY.fullmatch(field.text())
    if match is None:
        raise field.error('a trigger such as "iteration: 5" or "time: 30"')
    return ("iteration" if match[1] == "iteration" else "time"), float(match[2])


def _instant(field: Field) -> Instant:
    """Return a hook's time: UTC and, as Rally cuts the fraction off, anywhere in the second that it names."""
    return Instant(field.utc(), 0.0 if "." in field.text() else _WHOLE_SECOND_S)


def _points(chart: object) -> int:
    """Return how many firings an additive chart was made of, at least: a series has a point for each."""
    data = chart.get("data") if isinstance(chart, dict) else None
    if isinstance(data, dict):
        # A table of statistics counts them in its last column; any other table stands for a single firing.
        rows, columns = data.get("rows"), data.get("cols")
        if isinstance(rows, list) and isinstance(columns, list) and columns[-1:] == ["Count"]:
            counts = [row[-1] for row in rows if isinstance(row, list) and row and type(row[-1]) is int]
            return max(1, *counts) if counts and max(counts) < 1_000_000 else 1
        return 1
    series = data if isinstance(data, list) else []
    return max((len(item[1]) for item in series if _is_series(item)), default=1)


def _is_series(item: object) -> bool:
    return isinstance(item, list) and len(item) == 2 and isinstance(item[1], list)


def _results(hooks: list[_Hook], matches: list[Match]) -> tuple[HookResult, ...]:
    return tuple(
        HookResult(
            hook_index=match.index,
            name=hook.shown.name,
            description=hook.shown.description,
            unit=firing.unit,
            value=firing.value,
            started_at=firing.started_at,
            ended_at=firing.ended_at,
            status=firing.status,
            return_code=firing.output.return_code,
            stdout=firing.output.stdout,
            stderr=firing.output.stderr,
            matched_by=match.reason,
        )
        for hook, match in zip(hooks, matches, strict=True)
        for firing in hook.firings
    )


def _charted(hooks: list[_Hook], matches: list[Match]) -> dict[int, int]:
    return {
        match.index: hook.charted
        for hook, match in zip(hooks, matches, strict=True)
        if match.index is not None and hook.charted
    }


# --- iterations -----------------------------------------------------------------------------------------------------


def _iterations(scenario: Field, count: int) -> Iterations:
    """Return the iterations as far as the report shows them.

    Series of many iterations are down-sampled, which leaves the durations unknown; errors and outputs are not.
    """
    errors, local_times = _errors(scenario.get("errors"), count)
    outputs = scenario.get("complete_output").values()
    series = _series(scenario.get("iterations").get("iter"))
    spans = _spans(series, count)
    if spans is not None or len(outputs) == count:
        number, complete = list(range(1, count + 1)), True
    else:
        points = {point[0] for item in series.values() for point in _pairs(item)}
        shown = {value for value in points if isinstance(value, int) and 1 <= value <= count}
        number, complete = sorted(shown | errors.keys()), False
    unknown = [math.nan] * len(number)
    duration, idle = spans if spans is not None else (unknown, unknown)
    return Iterations(
        number=number,
        started_at=unknown,
        duration_s=duration,
        idle_s=idle,
        errors=errors,
        trace_ids=_trace_ids(outputs) if len(outputs) == count else {},
        error_local_times=local_times,
        complete=complete,
    )


def _errors(field: Field, count: int) -> tuple[dict[int, IterationError], dict[int, dt.datetime]]:
    """Return error and local start of each failed iteration; there can be very many."""
    found: dict[int, tuple[object, object]] = {}
    local_times: dict[int, dt.datetime] = {}
    for index, error in enumerate(field.values()):
        if not isinstance(error, dict):
            raise Field(field.uri, field.at(index), error).error("a mapping")
        number = _iteration(error.get("iteration"), field, index, count)
        found[number] = error.get("type"), error.get("message")
        # Rally 0.10 does not write one.
        if "timestamp" in error:
            local_times[number] = _local_time(error["timestamp"], field, index)
    return read_errors(found, field), local_times


def _iteration(value: object, errors: Field, index: int, count: int) -> int:
    """Return the number of the failed iteration, which Rally writes as text."""
    field = Field(errors.uri, f"{errors.path}[{index}].iteration", value)
    number = field.count()
    if not 1 <= number <= count:
        raise field.error(f"an iteration from 1 to {count}")
    return number


def _local_time(value: object, errors: Field, index: int) -> dt.datetime:
    """Return a time of the machine that rendered the report; a line feed stands between date and time."""
    try:
        return dt.datetime.fromisoformat(value).replace(tzinfo=None)  # type: ignore[arg-type]  # caught below
    except (TypeError, ValueError):
        raise Field(errors.uri, f"{errors.path}[{index}].timestamp", value).error("a time") from None


def _series(field: Field) -> dict[str, Field]:
    """Return the chart's series by name."""
    found = {}
    for item in field.items():
        pair = item.items()
        if len(pair) != 2:
            raise item.error("a series' name with its points")
        found[pair[0].text()] = pair[1]
    return found


def _pairs(series: Field) -> list[list[object]]:
    points = series.values()
    for index, point in enumerate(points):
        if not isinstance(point, list) or len(point) != 2:
            raise Field(series.uri, series.at(index), point).error("a pair of iteration and seconds")
    return points  # type: ignore[return-value]  # each was just seen to be a pair


def _spans(series: dict[str, Field], count: int) -> tuple[list[float], list[float]] | None:
    """Return duration and idle time of each iteration in seconds; None where the chart does not show each.

    A failed iteration has zeros there, and both together as ``failed_duration``, which stands as its duration here.
    """
    durations = _column(series.get("duration"), count)
    idles = _column(series.get("idle_duration"), count)
    if durations is None or idles is None:
        return None
    failed = _column(series.get("failed_duration"), count)
    if failed is not None:
        durations = [lost or duration for duration, lost in zip(durations, failed, strict=True)]
    return durations, idles


def _column(series: Field | None, count: int) -> list[float] | None:
    """Return a series' values where it has one for each iteration, NaN for those that are no span of time."""
    if series is None:
        return None
    pairs = _pairs(series)
    values = [value for _, value in pairs]
    if not all(value is None or finite(value) is not None for value in values):
        raise series.error("a series of finite numbers")
    # Compared without a list of its own: a report can claim a thousand million iterations and show two.
    if len(pairs) != count or any(number != expected for expected, (number, _) in enumerate(pairs, 1)):
        return None
    return [math.nan if span is None or span < 0 else span for span in values]  # type: ignore[operator, misc]


def _trace_ids(outputs: list[object]) -> dict[int, str]:
    found = {}
    for number, charts in enumerate(outputs, 1):
        if charts:
            trace = trace_id(charts)
            if trace is not None:
                found[number] = trace
    return found
