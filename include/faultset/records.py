"""What readers hand over: records of what a file says, with no opinion on what it means.

Everything here is plain and frozen, free of secrets (readers redact), with times in aware UTC. Parsing ends at the
border: whoever holds one of these may rely on its types and ranges.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from faultset.moments import Instant
from faultset.severity import Severity

Unit = Literal["iteration", "time"]
TriggerKind = Literal["event", "periodic"]
ReportForm = Literal["report", "results", "results-old"]


# --- Rally ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TriggerPlan:
    """When a hook was asked to fire.

    Attributes:
        kind: ``event`` fires at each of ``at``; ``periodic`` at start, start + step, ... up to and including ``end``.
        unit: ``iteration`` (counted from 1) or ``time`` (seconds since the first iteration, from 0).
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


@dataclass(frozen=True, slots=True)
class RallyRun:
    """What one file of a Rally task says.

    Attributes:
        uri: where it was read.
        form: ``report`` (HTML), ``results`` (``rally task report --json``), ``results-old`` (``rally task results``).
        rally_version: of the generator; None where the file does not say.
        workloads: in the file's order.
    """

    uri: str
    form: ReportForm
    rally_version: str | None
    workloads: tuple[Workload, ...]


# --- os-faults ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """A host of the cluster.

    Attributes:
        name: short name: the fqdn's first label, or the IP where there is no fqdn.
        fqdn: as written; None where absent.
        ip: as written; None where absent.
        role: from a ``role`` key or a ``# role:`` comment, lower case; None where neither is there.
        line: line of the file it starts at, from 1.
    """

    name: str
    fqdn: str | None
    ip: str | None
    role: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Component:
    """A container or service that os-faults can act on.

    Attributes:
        key: its name in the file.
        kind: ``container`` or ``service`` (the section it stands in).
        driver: os-faults' driver, such as ``docker_container`` or ``system_service``.
        container: the name that the machine knows it by (``container_name``, ``service_name``, ...); the key where
            nothing else is said.
        hosts: as written (IPs or names), in order; None where none are given, which means every node.
        line: line of the file it starts at, from 1.
    """

    key: str
    kind: Literal["container", "service"]
    driver: str
    container: str
    hosts: tuple[str, ...] | None
    line: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """An os-faults configuration without its credentials."""

    uri: str
    nodes: tuple[Node, ...]
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class HumanCommand:
    """A parsed os-faults human command.

    Attributes:
        action: ``restart``, ``kill``, ``freeze``, ``reboot``, ``disconnect``, ...
        component: service or container it acts on; None for a node action.
        selector: ``all``, ``one``, ``random`` (any one of several), ``some`` (several, unknown which), ``named``.
        nodes: fqdns of a ``named`` selection.
        duration_s: seconds, for actions that last; None otherwise.
        network: of ``disconnect`` and ``connect``; None otherwise.
    """

    action: str
    component: str | None
    selector: Literal["all", "one", "random", "some", "named"]
    nodes: tuple[str, ...] = ()
    duration_s: float | None = None
    network: str | None = None


# --- Hook scripts ---------------------------------------------------------------------------------------------------

# Where a command's output goes: into the hook's own, through a filter that may drop lines, or out of sight.
Stream = Literal["heard", "filtered", "gone"]


@dataclass(frozen=True, slots=True)
class Clue:
    """Something that can be seen of a hook, and what it says of one command: that it succeeded, or that it failed.

    Attributes:
        seen: the hook's exit code, a line that the hook prints only then, or what ansible and its like say of a node.
        succeeded: whether the command succeeded, where that is seen.
        text: the line, for a line.
    """

    seen: Literal["exit 0", "exit not 0", "line", "node"]
    succeeded: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command that is no action prints into the hook's output.

    Attributes:
        text: the line; None for the names of things, which ones the text does not tell.
        most: how often at most it prints one line; None where nothing tells.
        by: the command, in words.
    """

    text: str | None
    most: int | None
    by: str


@dataclass(frozen=True, slots=True)
class CommandedAction:
    """What a hook's scripts order on one node.

    Attributes:
        host: host as written behind ``ssh user@``; None for the machine that runs the hook.
        verb: ``stop``, ``start``, ``restart``, ``kill``, ``pause``, ``unpause``, ...
        name: container, service or process it acts on; None for a node action such as ``reboot``.
        kind: ``container`` (docker, podman, nerdctl), ``service`` (systemctl, service), ``process`` (kill, pkill) or
            ``node``.
        count: how often, loops unrolled.
        script: file name of the script it stands in.
        line: line in that script, from 1.
        begins_after_s: seconds from the hook's start to its first run, as far as the text's sleeps and timers tell;
            None where one of them is not known. What commands themselves take is not in it.
        last_begins_after_s: the same, of its last run.
        detached: whether it runs in the background, so that the hook may have returned before it.
        via: the tool that takes it to ``host`` where that is no host of ssh's own (``ansible``, ``pdsh``); ``host`` may
            then be a group or a pattern.
        chosen: whether ``name`` is no name but what things were chosen by (``grep ^nova``); None: chosen by what is
            not told.
        certain: whether it runs for certain, or in a branch that may not.
        at_least: whether ``count`` is the least only, for a loop whose rounds are not told.
        acknowledges: what shows its success: the name on a line of stdout, an id there, words that name it, or nothing.
        stdout: where that line goes.
        stderr: where its errors go.
        clues: what would show that it succeeded or failed. Where it runs several times, of every one of them.
    """

    host: str | None
    verb: str
    name: str | None
    kind: Literal["container", "service", "process", "node"]
    count: int
    script: str
    line: int
    begins_after_s: float | None = 0.0
    last_begins_after_s: float | None = 0.0
    detached: bool = False
    via: str | None = None
    chosen: bool = False
    certain: bool = True
    at_least: bool = False
    acknowledges: Literal["name", "id", "words", "nothing"] = "name"
    stdout: Stream = "heard"
    stderr: Stream = "heard"
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True)
class HumanOrder:
    """A human command given to os-faults' command line, in a hook's command or script.

    Attributes:
        text: the command.
        clues: what would show that os-faults succeeded or failed.
    """

    text: str
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True, slots=True)
class HookScripts:
    """What the scripts of a hook say, taken together.

    Attributes:
        actions: in the order they would run.
        sessions: hosts in the order of their sessions, one entry a session.
        notes: what could not be read (an unknown loop, a missing piped file), in words.
        unread: those of ``notes`` that are about a command which may act on something.
        prints: what else of its output could be mistaken for an answer.
        fallbacks: actions that run only after a failure (behind ``||``).
        human: commands of os-faults.
    """

    actions: tuple[CommandedAction, ...] = ()
    sessions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    prints: tuple[Printed, ...] = ()
    fallbacks: tuple[CommandedAction, ...] = ()
    human: tuple[HumanOrder, ...] = ()


# --- an experiment's evidence ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file that a dataset was made from.

    Attributes:
        role: ``experiment``, ``cluster``, ``report``, ``results``, ``hook_script``, ``telemetry``, ...
        uri: as the catalog names it (relative to the experiment's folder where it is), never a machine's own path.
        bytes: size.
        sha256: hex digest.
    """

    role: str
    uri: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """All that is known of one Rally run.

    Attributes:
        report: the HTML report, or the result JSON where there is no HTML.
        results: the result JSON beside an HTML report; None where there is none.
    """

    report: RallyRun
    results: RallyRun | None = None


@dataclass(frozen=True, slots=True)
class TimeCorrection:
    """The true time of an injection, as the experimenter declares it.

    Attributes:
        injection: id of the injection; None where the following tell.
        workload: id or scenario of its workload; None for any.
        hook: index of its hook in the workload's configuration; None for any.
        value: at which iteration or second it fired.
        started_at: true start; None where the sources are right.
        ended_at: true end; None where the sources are right.
        uncertainty_s: a corrected end lies in [it, it + this).
        reason: why the sources are wrong, in words.
        where: file and line of the declaration.
        fault_ended_at: true end of the fault itself; None where what was decided is right.
    """

    injection: str | None
    workload: str | None
    hook: int | None
    value: float | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    uncertainty_s: float
    reason: str
    where: str
    fault_ended_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one experiment, without secrets.

    Attributes:
        runs: the Rally runs in the catalog's order.
        cluster: where components live; None where no os-faults file was given.
        services: component or container -> service, beside the built-in table.
        inputs: the files that were read.
        corrections: of injections' times, as declared.
        corrected: what was corrected of telemetry, a sentence each.
    """

    runs: tuple[RunEvidence, ...]
    cluster: Cluster | None = None
    services: dict[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    corrections: tuple[TimeCorrection, ...] = ()
    corrected: tuple[str, ...] = ()


# --- telemetry ------------------------------------------------------------------------------------------------------

TelemetryKind = Literal["metrics", "logs", "traces"]


@dataclass(frozen=True, slots=True)
class TelemetryFile:
    """A file of telemetry, as the catalog declares it.

    Attributes:
        kind: what it holds.
        uri: where it lies.
        name: as a dataset names it, relative to the experiment's folder; never a machine's own path.
        time_zone: IANA zone of the wall-clock times in it.
        shift_us: microseconds to add to each of its times, as a declared correction says.
        renamed: (name in the source, true name) of nodes, as declared corrections say.
        hosts: (what a source may call a node, lower case; the node's name), of the cluster's nodes.
    """

    kind: TelemetryKind
    uri: str
    name: str
    time_zone: str
    shift_us: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    hosts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Exposure:
    """Where a secret of the inputs stands in a build: the file, its column, and in how many rows."""

    file: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class TelemetryFacts:
    """What is known of one labeled file of telemetry, for validation, card and manifest.

    Attributes:
        kind: what it holds.
        source: the source file, as the dataset names it.
        path: the labeled file in the dataset, such as ``metrics/node01_metrics.parquet``.
        time_zone: zone declared for its wall-clock times.
        nodes: nodes that its rows are of.
        source_rows: rows of the source.
        rows: rows of the labeled file.
        first: earliest time, UTC; None where no row has one.
        last: latest time, UTC.
        columns: the source's columns with their types, in order.
        cadence_s: usual distance of two rows of a node, in seconds; None with less than two rows.
        longest_gap_s: longest distance of two rows of a node, in seconds.
        out_of_order: rows earlier than the one before them.
        duplicates: rows equal to an earlier row in every column.
        without_time: rows whose time cannot be read.
        ambiguous_times: rows in a repeated hour (end of summer time) that nothing decides.
        nonexistent_times: rows in a skipped hour (start of summer time).
        out_of_range: column -> rows outside of what it can be (percent in 0..100, memory and load from 0).
        anomalous: rows labeled anomalous.
        boundary: rows that cannot be decided.
        boundary_anomalous: those of them that are labeled anomalous.
        guarded: rows that are left undecided by the guard before a command or the cooldown after it alone.
        guarded_anomalous: those of them that are labeled anomalous.
        strangers: node that the cluster file does not know -> rows.
        phases: phase -> rows.
        leaks: rows that name the injection itself.
        redacted: rows in which a secret was replaced.
        coverage: injection id -> share of its window that has rows, 0 to 1.
        abbreviation_note: how the abbreviation in the text disagrees with the declared zone; None where it agrees.
        shift_s: seconds that the source seems to be off by; None where it seems right.
        shift_reason: why.
    """

    kind: TelemetryKind
    source: str
    path: str
    time_zone: str
    nodes: tuple[str, ...]
    source_rows: int
    rows: int
    first: dt.datetime | None
    last: dt.datetime | None
    columns: tuple[tuple[str, str], ...]
    cadence_s: float | None = None
    longest_gap_s: float | None = None
    out_of_order: int = 0
    duplicates: int = 0
    without_time: int = 0
    ambiguous_times: int = 0
    nonexistent_times: int = 0
    out_of_range: dict[str, int] = field(default_factory=dict)
    anomalous: int = 0
    boundary: int = 0
    boundary_anomalous: int = 0
    guarded: int = 0
    guarded_anomalous: int = 0
    strangers: dict[str, int] = field(default_factory=dict)
    phases: dict[str, int] = field(default_factory=dict)
    leaks: int = 0
    redacted: int = 0
    coverage: dict[str, float] = field(default_factory=dict)
    abbreviation_note: str | None = None
    shift_s: float | None = None
    shift_reason: str = ""


# --- validation -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What an expectation found.

    Attributes:
        severity: ``critical`` stops the dataset; ``warning`` and ``info`` are recorded with it.
        expectation: stable id of the expectation, such as ``targets.commanded_is_declared``.
        table: table (or view) that it looked at.
        column: column concerned; None where a whole row or table is meant.
        message: what was found, for an experimenter; names the nodes, containers and triggers concerned.
        where: the rows concerned, in words (at most 20 are named).
        count: number of rows concerned.
        remedy: what to do about it.
    """

    severity: Severity
    expectation: str
    table: str
    column: str | None
    message: str
    where: tuple[str, ...]
    count: int
    remedy: str


@dataclass(frozen=True, slots=True)
class Relaxed:
    """An expectation that the experiment sets otherwise than the catalogue of expectations.

    Attributes:
        expectation: its id.
        what: ``severity``, ``at_least`` or ``at_most``.
        was: what the catalogue says.
        now: what the experiment says.
        reason: why, as the experiment says.
    """

    expectation: str
    what: str
    was: str
    now: str
    reason: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The outcome of a validation.

    Attributes:
        passed: no critical finding.
        findings: critical first, then warning, then info.
        expectations: how many were evaluated.
        data_docs: path of the Data Docs' first page, relative to the folder given; None where none was written.
        relaxed: expectations that the experiment sets otherwise, in the catalogue's order.
    """

    passed: bool
    findings: tuple[Finding, ...]
    expectations: int
    data_docs: str | None
    relaxed: tuple[Relaxed, ...] = ()
