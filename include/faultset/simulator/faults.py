"""What a fault does: sessions on the nodes, what they print and in which order, and what they hit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from faultset.simulator.plan import SECOND, ClusterPlan, DockerCommand, HumanFault, ScriptFault, Sleep
from faultset.simulator.truth import Effect, TargetTruth

NO_TERMINAL = "Pseudo-terminal will not be allocated because stdin is not a terminal."
_ERROR_S = 0.05  # how long docker takes to say that a container is not there
_LATE_US = 10 * SECOND  # how long a background job may be late, for all that anybody knows


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of a fault.

    Attributes:
        took_us: until the hook returned.
        return_code: None where the hook leaves none.
        stdout, stderr: None where the hook leaves no output.
        targets: what it acted on.
        fault_us: from the hook's start to the fault's own end; None where it goes on.
        known_us: between which two the files let that be; None where they do not.
        stopped: (node, container) that it left stopped.
        started: (node, container) that it started.
    """

    took_us: int
    return_code: int | None
    stdout: str | None
    stderr: str | None
    targets: tuple[TargetTruth, ...]
    fault_us: int | None
    known_us: tuple[int, int] | None
    stopped: frozenset[tuple[str, str]] = frozenset()
    started: frozenset[tuple[str, str]] = frozenset()

    @property
    def effect(self) -> Effect:
        """Whether it took hold on all commanded targets, some or none."""
        hits = [target.effective for target in self.targets if target.commanded]
        if all(hits):
            return "full"
        return "partial" if any(hits) else "none"


def happen(fault: ScriptFault | HumanFault, cluster: ClusterPlan, random: np.random.Generator) -> Happened:
    """Let ``fault`` happen."""
    if isinstance(fault, ScriptFault):
        return _run_script(fault, cluster, random)
    return _act_on_one(fault, cluster, random)


# --- a script over ssh ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Session:
    """One ssh session: lines with the second at which they appear, and the code of the last command.

    ``late_s`` is when the last command that nobody waited for was done; 0 where there is none.
    """

    now_s: float
    stdout: list[tuple[float, str]] = field(default_factory=list)
    stderr: list[tuple[float, str]] = field(default_factory=list)
    last_s: float = 0.0
    late_s: float = 0.0
    return_code: int = 0


def _run_script(fault: ScriptFault, cluster: ClusterPlan, random: np.random.Generator) -> Happened:
    sessions = [_session(fault, host, cluster, random) for host in fault.hosts]
    # Rally waits until the last session has closed the pipes; the script's code is that of its last line.
    took = round(max(session.last_s for session in sessions) * SECOND)
    stopped, started = _left(fault, cluster)
    late = round(max(session.late_s for session in sessions) * SECOND)
    put_off = round(max((_put_off_s(command) for command in fault.commands), default=0.0) * SECOND)
    known = (put_off, took + put_off + _LATE_US) if late else (took, took)
    return Happened(
        took_us=took,
        return_code=sessions[-1].return_code,
        stdout=_interleaved(line for session in sessions for line in session.stdout),
        stderr=_interleaved(line for session in sessions for line in session.stderr),
        targets=tuple(_script_targets(fault, cluster)),
        fault_us=None if stopped else max(took, late),
        known_us=None if stopped else known,
        stopped=stopped,
        started=started,
    )


def _put_off_s(command: DockerCommand | Sleep) -> float:
    return command.after_s if isinstance(command, DockerCommand) else 0.0


def _left(fault: ScriptFault, cluster: ClusterPlan) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Return what a script left stopped, and what it started."""
    stopped: set[tuple[str, str]] = set()
    started: set[tuple[str, str]] = set()
    for command in (command for command in fault.commands if isinstance(command, DockerCommand)):
        there = {(host, command.container) for host in fault.hosts if cluster.runs(host, command.container)}
        if command.verb == "stop":
            stopped |= there
        else:
            stopped -= there
            started |= there
    return frozenset(stopped), frozenset(started)


def _session(fault: ScriptFault, host: str, cluster: ClusterPlan, random: np.random.Generator) -> _Session:
    session = _Session(now_s=float(random.uniform(0.4, 0.9)))
    session.stderr.append((0.0, NO_TERMINAL))
    session.stdout.append((session.now_s, fault.banner))
    for _ in range(fault.round_count):
        session.stdout.append((session.now_s, fault.label))
        for command in fault.commands:
            _run_command(session, command, host, cluster, random)
    session.last_s = max(session.last_s, session.now_s)
    return session


def _run_command(
    session: _Session, command: DockerCommand | Sleep, host: str, cluster: ClusterPlan, random: np.random.Generator
) -> None:
    if isinstance(command, Sleep):
        session.now_s += command.seconds
        return
    is_there = cluster.runs(host, command.container)
    took = float(random.uniform(*command.took_s)) if is_there else _ERROR_S
    done = session.now_s + took
    if command.after_s:
        session.late_s = max(session.late_s, done + command.after_s)
        session.return_code = 0
        return
    if is_there:
        session.stdout.append((done, command.container))
    else:
        session.stderr.extend((done, line) for line in _not_there(command))
    session.last_s = max(session.last_s, done)
    if not command.background:
        session.now_s = done
        session.return_code = 0 if is_there else 1


def _not_there(command: DockerCommand) -> Iterator[str]:
    yield f"Error response from daemon: No such container: {command.container}"
    if command.verb == "start":
        yield f"Error: failed to start containers: {command.container}"


def _interleaved(lines: Iterable[tuple[float, str]]) -> str:
    return "".join(f"{text}\n" for _, text in sorted(lines, key=lambda line: line[0]))


def _script_targets(fault: ScriptFault, cluster: ClusterPlan) -> Iterator[TargetTruth]:
    commands = [command for command in fault.commands if isinstance(command, DockerCommand)]
    for host in fault.hosts:
        for container in dict.fromkeys(command.container for command in commands):
            one_round = tuple(command.verb for command in commands if command.container == container)
            yield _target(cluster, host, container, one_round * fault.round_count, hit=cluster.runs(host, container))


# --- an os-faults human command -------------------------------------------------------------------------------------


def _act_on_one(fault: HumanFault, cluster: ClusterPlan, random: np.random.Generator) -> Happened:
    chosen = fault.candidates[int(random.integers(len(fault.candidates)))]
    recorded = len(fault.candidates) == 1
    targets = (
        _target(
            cluster,
            node,
            fault.container,
            (fault.verb,) if node == chosen else (),
            hit=node == chosen and cluster.runs(node, fault.container),
            commanded=node == chosen,
            recorded=recorded,
        )
        for node in fault.candidates
    )
    took, lasts = round(float(random.uniform(*fault.took_s)) * SECOND), round(fault.lasts_s * SECOND)
    # It begins somewhere between the start and the end of the command.
    return Happened(
        took_us=took,
        return_code=None,
        stdout=None,
        stderr=None,
        targets=tuple(targets),
        fault_us=took // 2 + lasts if lasts else took,
        known_us=(lasts, took + lasts) if lasts else (took, took),
    )


def _target(
    cluster: ClusterPlan,
    node: str,
    container: str,
    actions: tuple[str, ...],
    *,
    hit: bool,
    commanded: bool = True,
    recorded: bool = True,
) -> TargetTruth:
    host = cluster.node(node)
    return TargetTruth(
        node=host.name,
        node_ip=host.ip,
        role=host.role,
        component=cluster.component_of(container).key,
        container=container,
        actions=actions,
        declared=cluster.declares(node, container),
        commanded=commanded,
        effective=hit,
        recorded=recorded,
    )
