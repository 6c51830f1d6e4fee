"""What a Rally task asked for: runner, hooks and triggers, in each notation that Rally has had.

An action, a trigger or a runner is a mapping ``{name: arguments}`` (each scenario's ``config``, result JSON), a pair
``[name, arguments]`` (``source`` of a report), ``{name, args}`` (old hooks) or ``{type, ...arguments}`` (old runners).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from faultset.records.run import HookPlan, TriggerPlan, Unit
from faultset.sources.kit.fields import Field, clean, finite
from faultset.sources.kit.redaction import redact, redact_all

_UUID = re.compile(r"\(uuid=([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\)")
_DEFAULT_RUNNER = "serial"


@dataclass(frozen=True, slots=True)
class RunnerPlan:
    """How the load was to be made; ``times`` and ``concurrency`` are None for runners that have none."""

    name: str = _DEFAULT_RUNNER
    times: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class WorkloadConfig:
    """One workload of a task file; ``uuid`` only where Rally wrote the task for one workload."""

    name: str
    uuid: str | None
    runner: RunnerPlan
    hooks: tuple[HookPlan, ...]


def read_task(task: Field) -> tuple[WorkloadConfig, ...]:
    """Return the workloads of a decoded task file (format 1 or 2), in its order.

    Raises:
        InputError: it is no task file.
    """
    uuid = _uuid(task)
    return tuple(
        WorkloadConfig(name, uuid, read_runner(workload.get("runner")), read_hooks(workload.get("hooks")))
        for name, workload in _workloads(task)
    )


def read_runner(field: Field) -> RunnerPlan:
    """Return the runner; Rally's default where none is given."""
    if field.value is None:
        return RunnerPlan()
    if isinstance(field.value, dict) and "type" in field.value:
        name, arguments = plugin_name(field.get("type").text()), field
    else:
        name, arguments = _named(field)
    if arguments.value is None:
        return RunnerPlan(name)
    return RunnerPlan(name, arguments.get("times").count_or_none(), arguments.get("concurrency").count_or_none())


def read_hooks(field: Field) -> tuple[HookPlan, ...]:
    """Return the hooks, in their order."""
    return tuple(read_hook(item, index) for index, item in enumerate(field.items()))


def plugin_name(text: str) -> str:
    """Return the plugin that ``text`` names; for each of its plugins Rally accepts ``name@platform``."""
    return text.partition("@")[0] or text


def read_hook(field: Field, index: int) -> HookPlan:
    """Return the hook that stands at ``index`` of its workload's configuration, secrets replaced."""
    name, arguments = _named(field.get("action") if "action" in field.mapping() else _old_action(field))
    description = field.get("description").text_or_none()
    return HookPlan(
        index=index,
        name=name,
        args=_as_text(arguments),
        description=None if description is None else redact(description),
        trigger=_read_trigger(field.get("trigger")),
    )


def _old_action(field: Field) -> Field:
    return Field(field.uri, field.path, [field.get("name").text(), field.mapping().get("args")])


def _read_trigger(field: Field) -> TriggerPlan | None:
    """Return when to fire; None without a trigger and for a plugin that is not Rally's own."""
    if field.value is None:
        return None
    if isinstance(field.value, dict) and "unit" in field.value:
        # The oldest notation names no trigger plugin.
        name, arguments = ("periodic" if "step" in field.value else "event"), field
    else:
        name, arguments = _named(field)
    if name == "event":
        return TriggerPlan(kind="event", unit=_unit(arguments.get("unit")), at=_values(arguments.get("at")))
    if name == "periodic":
        return _periodic(arguments)
    return None


def _periodic(arguments: Field) -> TriggerPlan:
    unit = _unit(arguments.get("unit"))
    start, step, end = arguments.get("start"), arguments.get("step"), arguments.get("end")
    if step.number() < 1:
        raise step.error("a number from 1")
    return TriggerPlan(
        kind="periodic",
        unit=unit,
        start=_value(start) if start.value is not None else float(unit == "iteration"),
        step=step.number(),
        # Rally itself writes Infinity where no end is asked for.
        end=None if end.value is None or end.value == math.inf else _value(end),
    )


def _unit(field: Field) -> Unit:
    unit = field.text()
    if unit == "iteration":
        return "iteration"
    if unit == "time":
        return "time"
    raise field.error('"iteration" or "time"')


def _values(field: Field) -> tuple[float, ...]:
    """Return each value once, in the order written; a value without a list counts as one."""
    if finite(field.value) is not None:
        return (_value(field),)
    return tuple(dict.fromkeys(_value(item) for item in field.items()))


def _value(field: Field) -> float:
    if field.number() < 0:
        raise field.error("a number from 0")
    return field.number()


def _named(field: Field) -> tuple[str, Field]:
    """Return the plugin's name without its platform, and its arguments, whatever the notation."""
    name, arguments = _written(field)
    return plugin_name(name), arguments


def _written(field: Field) -> tuple[str, Field]:
    value = field.value
    if isinstance(value, str):
        return clean(value), Field(field.uri, field.path, None)
    if isinstance(value, list) and 1 <= len(value) <= 2:
        items = field.items()
        return items[0].text(), items[1] if len(items) == 2 else Field(field.uri, field.at(1), None)
    if isinstance(value, dict) and isinstance(value.get("name"), str) and value.keys() <= {"name", "args"}:
        return field.get("name").text(), field.get("args")
    if isinstance(value, dict) and len(value) == 1:
        return field.entries()[0]
    raise field.error("a plugin's name with its arguments")


def _as_text(arguments: Field) -> str:
    if arguments.value is None:
        return ""
    if isinstance(arguments.value, str):
        return redact(arguments.text())
    try:
        return clean(json.dumps(redact_all(arguments.value), ensure_ascii=False, default=str))
    except (RecursionError, ValueError, TypeError) as error:
        raise arguments.error("an argument that can be shown") from error


def _uuid(task: Field) -> str | None:
    description = task.get("description")
    match = _UUID.search(description.value) if isinstance(description.value, str) else None
    return match[1].lower() if match else None


def _workloads(task: Field) -> list[tuple[str, Field]]:
    if "subtasks" not in task.mapping():
        return _old_workloads(task)
    found = []
    for subtask in task.get("subtasks").items():
        many = subtask.get("workloads").items() if "workloads" in subtask.mapping() else [subtask]
        found += [(_scenario_name(workload.get("scenario")), workload) for workload in many]
    return found


def _old_workloads(task: Field) -> list[tuple[str, Field]]:
    """Format 1: a mapping of scenario names, each to a list of its workloads."""
    found = []
    for name, entry in task.entries():
        if name == "version":
            continue
        workloads = entry.items() if isinstance(entry.value, list) else [entry]
        # Scenario names have a dot; an entry of null asks for the scenario with its defaults.
        found += [(plugin_name(name), Field(item.uri, item.path, item.mapping())) for item in workloads]
    return found


def _scenario_name(field: Field) -> str:
    return _named(field)[0]
