"""What the file of a run says: workloads, what was to be injected into them, and what fired.

The words are Rally's, which was the first: a *hook* is whatever injects, a journal's action or a chaos object too.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from faultset.moments import Instant
from faultset.records.claims import Claim
from faultset.records.cluster import HumanCommand
from faultset.records.scripts import HookScripts

Unit = Literal["iteration", "time", "occurrence"]
TriggerKind = Literal["event", "periodic"]
ReportForm = Literal["report", "results", "results-old", "record"]


@dataclass(frozen=True, slots=True)
class TriggerPlan:
    """When a hook was asked to fire.

    Attributes:
        kind: ``event`` fires at each of ``at``; ``periodic`` at start, start + step, ... up to and including ``end``.
        unit: ``iteration`` (counted from 1), ``time`` (seconds since the first iteration, from 0) or ``occurrence``
            (counted from 1), where a tool goes through its faults by itself.
        at: the values of an ``event`` trigger, in the order written, without repeats.
        start: first value of a ``periodic`` trigger (Rally's default: 1 for iterations, 0 for time).
        step: distance of a ``periodic`` trigger, at least 1.
        end: last possible value of a ``periodic`` trigger; None where it is open.
    """

    kind: TriggerKind
    unit: Unit
    at: tuple[float, ...] = ()
    start: float = 0
    step: float = 1
    end: float | None = None


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A hook as configured.

    Attributes:
        index: its place in the workload's configuration, from 0.
        name: Rally's action plugin without its platform, such as ``sys_call`` or ``fault_injection``.
        args: the action's argument as text (JSON where it was no text), secrets replaced.
        description: as configured; None where there is none.
        trigger: when to fire; None for a trigger plugin that is not Rally's own.
        command: what ``args`` asks of os-faults; None where it is no human command.
        orders: what ``args`` and its scripts order; None where nothing can be said.
        notes: why a human command could not be read, in words.
        names_program: whether ``args`` names a script or a program by its file.
        says_restart: whether ``args`` or ``description`` calls it a restart.
        is_command: whether ``args`` is a command line.
        label: its name in the tool's file, published as a scenario's name is; None where it has none.
        unfired: why it did not fire, where the file tells; "" else.
        may_hide: whether it may have fired although the file shows no firing.
    """

    index: int
    name: str
    args: str
    description: str | None
    trigger: TriggerPlan | None
    command: HumanCommand | None = None
    orders: HookScripts | None = None
    notes: tuple[str, ...] = ()
    names_program: bool = False
    says_restart: bool = False
    is_command: bool = False
    label: str | None = None
    unfired: str = ""
    may_hide: bool = False


@dataclass(frozen=True, slots=True)
class HookResult:
    """One firing of a hook, as Rally recorded it.

    Attributes:
        hook_index: index of the hook plan it belongs to; None where no plan fits.
        name: the action plugin's name.
        description: the hook's description; None where there is none.
        unit: what triggered it.
        value: at which iteration (from 1) or second (from 0).
        started_at: start; from HTML known to the second only.
        ended_at: end; from HTML known to the second only.
        status: Rally's own word (``success``, ``failed``, ``validation_failed``, ...).
        return_code: exit code of a ``sys_call``; None where none was recorded.
        stdout: what the command printed, secrets replaced, cut at ``OUTPUT_LIMIT`` characters; "" where empty.
        stderr: likewise.
        error: Rally's message where the hook itself failed; None otherwise or where the file does not say.
        has_output: whether any output (text or charts) was recorded, so that the absence of words means something.
        matched_by: how ``hook_index`` was found, in words.
        claim: what the tool itself says of it; None of Rally, whose hooks are commands.
    """

    hook_index: int | None
    name: str
    description: str | None
    unit: Unit
    value: float
    started_at: Instant
    ended_at: Instant
    status: str
    return_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    has_output: bool = True
    matched_by: str = ""
    claim: Claim | None = None


OUTPUT_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class SlaResult:
    """One criterion of the workload's service-level agreement."""

    criterion: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class IterationError:
    """Why an iteration failed. ``message`` has secrets replaced; the traceback is not kept."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Iterations:
    """A workload's iterations, column by column and of one length (a row object each would cost too much memory).

    Attributes:
        number: iteration numbers, ascending, counted from 1. From HTML only those that the report shows.
        started_at: start in epoch seconds, NaN where unknown. From HTML always NaN: see ``error_local_times``.
        duration_s: seconds without idle time, NaN where unknown (a down-sampled HTML series is not used).
        idle_s: seconds of idle time, NaN where unknown. An iteration ends at started_at + duration_s + idle_s.
        errors: iteration number -> error, for the failed ones.
        trace_ids: iteration number -> OSProfiler trace id, where one was recorded.
        error_local_times: iteration number -> start in the local time of the machine that rendered the report, naive.
            HTML only: the zone is unknown to the file.
        complete: whether every iteration of the workload is in ``number``.
    """

    number: list[int] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)
    duration_s: list[float] = field(default_factory=list)
    idle_s: list[float] = field(default_factory=list)
    errors: dict[int, IterationError] = field(default_factory=dict)
    trace_ids: dict[int, str] = field(default_factory=dict)
    error_local_times: dict[int, dt.datetime] = field(default_factory=dict)
    complete: bool = True

    # NaN stands for "unknown" in these columns, and has to survive a way through JSON.
    __pydantic_config__: ClassVar[dict[str, str]] = {"ser_json_inf_nan": "constants"}


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload of a Rally task: what was asked for and what happened.

    Attributes:
        name: scenario, such as ``NovaServers.boot_and_delete_server``.
        position: counted per scenario name over all subtasks, from 0.
        uuid: Rally's id, lower case; None in files that have none.
        created_at: when Rally created it (UTC, whole seconds; can lie before the load's start); None where absent.
        runner: runner plugin, such as ``constant``, ``serial``, ``constant_for_duration``, ``rps``.
        times: iterations asked for; None for runners that have none.
        concurrency: parallel iterations asked for; None for runners that have none.
        iterations_count: iterations that ran; 0 where the context failed.
        failed_count: iterations that failed.
        started_at: start of the load; None in HTML, which has none.
        load_duration_s: seconds from the first iteration's start to the last one's end; None where unknown.
        full_duration_s: seconds with contexts; None where unknown.
        sla_passed: verdict over all criteria; None where none was recorded.
        sla: each criterion.
        hooks: hooks as configured.
        results: firings seen, in the file's order.
        charted_hooks: hook index -> number of firings that left only charts without times (HTML).
        iterations: the iterations.
        is_load: whether it puts load on the system; a tool that only injects has no iterations.
    """

    name: str
    position: int
    uuid: str | None
    created_at: dt.datetime | None
    runner: str
    times: int | None
    concurrency: int | None
    iterations_count: int
    failed_count: int
    started_at: dt.datetime | None
    load_duration_s: float | None
    full_duration_s: float | None
    sla_passed: bool | None
    sla: tuple[SlaResult, ...]
    hooks: tuple[HookPlan, ...]
    results: tuple[HookResult, ...]
    charted_hooks: dict[int, int]
    iterations: Iterations
    is_load: bool = True


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one file of a run says.

    Attributes:
        uri: where it was read.
        form: ``report`` (HTML), ``results`` (``rally task report --json``), ``results-old`` (``rally task results``),
            ``record`` (of any other tool; it shows every firing).
        rally_version: of the tool that wrote it; None where the file does not say.
        workloads: in the file's order.
        source: the tool, as ``faultset.sources.injections`` names it.
    """

    uri: str
    form: ReportForm
    rally_version: str | None
    workloads: tuple[Workload, ...]
    source: str = "rally"
