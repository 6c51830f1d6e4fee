"""What a fault does: sessions on the nodes, what they print and in which order, and what they hit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from faultset.simulator.plan import SECOND, ClusterPlan, DockerCommand, HumanFault, ScriptFault, Sleep
from faultset.simulator.truth import Effect, TargetTruth

NO_TERMINAL = "Pseudo-terminal will not be allocated because stdin is not a terminal."
_ERROR_S = 0.05  # how long docker takes to say that a container is not there


@dataclass(frozen=True, slots=True)
class Happened:
    """What came of a fault; the output is None for a hook that leaves none."""

    took_us: int
    return_code: int | None
    stdout: str | None
    stderr: str | None
    targets: tuple[TargetTruth, ...]

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
    """One ssh session: lines with the second at which they appear, and the code of the last command."""

    now_s: float
    stdout: list[tuple[float, str]] = field(default_factory=list)
    stderr: list[tuple[float, str]] = field(default_factory=list)
    last_s: float = 0.0
    return_code: int = 0


def _run_script(fault: ScriptFault, cluster: ClusterPlan, random: np.random.Generator) -> Happened:
    sessions = [_session(fault, host, cluster, random) for host in fault.hosts]
    # Rally waits until the last session has closed the pipes; the script's code is that of its last line.
    return Happened(
        took_us=round(max(session.last_s for session in sessions) * SECOND),
        return_code=sessions[-1].return_code,
        stdout=_interleaved(line for session in sessions for line in session.stdout),
        stderr=_interleaved(line for session in sessions for line in session.stderr),
        targets=tuple(_script_targets(fault, cluster)),
    )


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
    return Happened(round(float(random.uniform(*fault.took_s)) * SECOND), None, None, None, tuple(targets))


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
