"""What happens when: iterations in parallel slots, hooks that fire among them, and failures near a fault."""

from __future__ import annotations

import heapq
import uuid
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from faultset.simulator import faults
from faultset.simulator.plan import SECOND, ClusterPlan, Flags, Floats, Microseconds, RunPlan, Scenario, WorkloadPlan
from faultset.simulator.truth import InjectionTruth

_FIRST_RUN = 10  # results that an SLA needs before it may abort a task


@dataclass(frozen=True, slots=True)
class Firing:
    """A firing with what it printed; ``stdout`` and ``stderr`` are None for hooks that leave no output.

    ``stopped`` holds (node, container) that it left stopped.
    """

    truth: InjectionTruth
    stdout: str | None
    stderr: str | None
    stopped: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Load:
    """The iterations of a workload, column by column, ordered by start; iteration n stands at index n - 1.

    Attributes:
        started_us: start.
        ended_us: end, with idle time.
        idle_us: idle time inside.
        failed: whether it failed.
        trace_ids: OSProfiler trace ids.
        tokens: eight hexadecimal digits an iteration, for names of resources.
    """

    started_us: Microseconds
    ended_us: Microseconds
    idle_us: Microseconds
    failed: Flags
    trace_ids: list[str]
    tokens: list[str]


@dataclass(frozen=True, slots=True)
class PlayedWorkload:
    """A workload that ran; ``position`` counts per scenario name over the task, as in HTML."""

    plan: WorkloadPlan
    position: int
    uuid: str
    created_us: int
    finished_us: int
    load: Load
    firings: tuple[Firing, ...]
    aborted: bool

    @property
    def started_us(self) -> int:
        """Start of the load."""
        return int(self.load.started_us[0])

    @property
    def ended_us(self) -> int:
        """End of the last iteration."""
        return int(self.load.ended_us.max())

    @property
    def iterations(self) -> int:
        """Iterations that ran."""
        return len(self.load.failed)

    @property
    def failed(self) -> int:
        """Iterations that failed."""
        return int(self.load.failed.sum())

    @property
    def failure_rate(self) -> float:
        """Per cent of iterations that failed."""
        return 100.0 * self.failed / self.iterations

    @property
    def failure_rate_passed(self) -> bool:
        """Whether the SLA's failure rate holds."""
        return self.failure_rate <= self.plan.failure_rate_max

    @property
    def sla_passed(self) -> bool:
        """Whether all SLA criteria hold."""
        return self.failure_rate_passed and not self.aborted


@dataclass(frozen=True, slots=True)
class PlayedRun:
    """A Rally task that ran; ``workloads`` lacks those that an abort left out."""

    plan: RunPlan
    task_uuid: str
    created_us: int
    workloads: tuple[PlayedWorkload, ...]

    @property
    def aborted(self) -> bool:
        """Whether the task was aborted."""
        return any(workload.aborted for workload in self.workloads)

    @property
    def finished_us(self) -> int:
        """End of the task."""
        return self.workloads[-1].finished_us


def play(scenario: Scenario, seed: int) -> tuple[PlayedRun, ...]:
    """Play all runs of ``scenario``; the same arguments give the same result."""
    return tuple(
        _play_run(run, scenario, np.random.default_rng([seed, number])) for number, run in enumerate(scenario.runs)
    )


def _play_run(run: RunPlan, scenario: Scenario, random: np.random.Generator) -> PlayedRun:
    created = round((scenario.begins.timestamp() + run.starts_after_s) * SECOND)
    played: list[PlayedWorkload] = []
    seen: Counter[str] = Counter()
    now = created + SECOND
    task = _uuids(1, random)[0]
    for plan in run.workloads:
        workload = _Runner(plan, run, scenario.cluster, seen[plan.name], now, random).run()
        seen[plan.name] += 1
        played.append(workload)
        now = workload.finished_us + SECOND
        if workload.aborted:
            break
    return PlayedRun(run, task, created, tuple(played))


@dataclass(slots=True)
class _Draws:
    """What chance decides for each iteration, drawn before the load starts."""

    duration_us: Microseconds
    failing_us: Microseconds
    pause_us: Microseconds
    luck: Floats
    fails_anyway: Flags


@dataclass(slots=True)
class _Runner:
    """Rally's ``constant`` runner: whenever a slot is free, the next iteration starts."""

    plan: WorkloadPlan
    run_plan: RunPlan
    cluster: ClusterPlan
    position: int
    created_us: int
    random: np.random.Generator
    started: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    in_flight: list[tuple[int, int]] = field(default_factory=list)  # (end, iteration number; 0 for an idle slot)
    outages: list[tuple[int, int]] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)
    done: int = 0
    done_failed: int = 0

    def run(self) -> PlayedWorkload:
        """Run all iterations, or those before an abort."""
        plan = self.plan
        created = self.created_us // SECOND * SECOND  # Rally keeps whole seconds
        start = self.created_us + round(float(self.random.uniform(3, 6)) * SECOND)
        draws = self._draw()
        by_iteration, by_time = self._due()
        self.in_flight = [(start + 3_000 * slot, 0) for slot in range(plan.concurrency)]
        aborted = False
        for number in range(1, plan.times + 1):
            self._fire_by_time(by_time, start, self.in_flight[0][0], draws)
            free_at, before = heapq.heappop(self.in_flight)
            self._count(before)
            if self.run_plan.abort_on_sla and self._violated():
                heapq.heappush(self.in_flight, (free_at, before))
                aborted = True
                break
            begins = self._begin(number, free_at, draws)
            for hook in by_iteration.get(number, ()):
                self._fire(hook, "iteration", number, begins, draws)
        self._fire_by_time(by_time, start, max(self.ended), draws)
        return self._played(created, aborted)

    def _draw(self) -> _Draws:
        plan, random, times = self.plan, self.random, self.plan.times
        usual = plan.duration_s * random.lognormal(0.0, plan.spread, times)
        failing = plan.failure.took_s * random.lognormal(0.0, 0.3, times)
        return _Draws(
            duration_us=np.maximum(np.rint(usual * SECOND), 1_000).astype(np.int64),
            failing_us=np.maximum(np.rint(failing * SECOND), 1_000).astype(np.int64),
            pause_us=random.integers(200, 2_000, times),
            luck=random.random(times),
            fails_anyway=random.random(times) < plan.error_share,
        )

    def _due(self) -> tuple[dict[int, list[int]], list[tuple[int, int]]]:
        """Return iteration -> hooks, and (second, hook) in order."""
        by_iteration: dict[int, list[int]] = {}
        by_time: list[tuple[int, int]] = []
        for index, hook in enumerate(self.plan.hooks):
            for value in hook.trigger.values:
                if hook.trigger.unit == "iteration":
                    by_iteration.setdefault(value, []).append(index)
                else:
                    by_time.append((value, index))
        return by_iteration, sorted(by_time)

    def _begin(self, number: int, free_at: int, draws: _Draws) -> int:
        index = number - 1
        begins = free_at + int(draws.pause_us[index])
        if self.started:
            begins = max(begins, self.started[-1] + 1)  # Rally numbers iterations by their start
        near = any(start <= begins < end for start, end in self.outages)
        fails = bool(draws.fails_anyway[index]) or (near and draws.luck[index] < self.plan.failure.share_in_outage)
        took = draws.failing_us[index] if fails else draws.duration_us[index] + round(self.plan.idle_s * SECOND)
        self.started.append(begins)
        self.ended.append(begins + int(took))
        self.failed.append(fails)
        heapq.heappush(self.in_flight, (self.ended[index], number))
        return begins

    def _fire_by_time(self, by_time: list[tuple[int, int]], start: int, until: int, draws: _Draws) -> None:
        while by_time and start + by_time[0][0] * SECOND <= until:
            value, hook = by_time.pop(0)
            self._fire(hook, "time", value, start + value * SECOND, draws)

    def _fire(self, index: int, unit: str, value: int, due_us: int, draws: _Draws) -> None:
        hook = self.plan.hooks[index]
        started = due_us + int(self.random.integers(2_000, 40_000))
        happened = faults.happen(hook.fault, self.cluster, self.random)
        truth = InjectionTruth(
            injection_id=self._injection_id(index, unit, value),
            hook_index=index,
            unit=hook.trigger.unit,
            value=value,
            started_at_us=started,
            ended_at_us=started + happened.took_us,
            status="failed" if happened.return_code else "success",
            return_code=happened.return_code,
            effect=happened.effect,
            shown_in_html=happened.stdout is not None,
            targets=happened.targets,
            fault_ended_at_us=None if happened.fault_us is None else started + happened.fault_us,
            fault_end_known_us=happened.known_us and (started + happened.known_us[0], started + happened.known_us[1]),
        )
        self._undo(happened.started, truth)
        self.firings.append(Firing(truth, happened.stdout, happened.stderr, happened.stopped))
        if happened.effect != "none":
            self._disturb(truth, draws)

    def _undo(self, started: frozenset[tuple[str, str]], by: InjectionTruth) -> None:
        """End the faults of which ``by`` started again all that they had left stopped."""
        for place, firing in enumerate(self.firings):
            if firing.truth.fault_ended_at_us is None and firing.stopped <= started:
                known = (by.started_at_us, by.ended_at_us)
                ended = replace(firing.truth, fault_ended_at_us=by.ended_at_us, fault_end_known_us=known)
                self.firings[place] = replace(firing, truth=ended)
                self.outages = [
                    (start, min(end, by.ended_at_us) if start == ended.started_at_us else end)
                    for start, end in self.outages
                ]

    def _injection_id(self, index: int, unit: str, value: int) -> str:
        prefix = f"{self.run_plan.name}/" if self.run_plan.name else ""
        return f"{prefix}{self.plan.name}/{self.position}/hook{index}/{unit}:{value}"

    def _disturb(self, injection: InjectionTruth, draws: _Draws) -> None:
        """Let iterations fail from now on, and some of those in flight: first one that began before the hook."""
        failure = self.plan.failure
        end = injection.lasts_until_us + round(failure.outage_after_s * SECOND)
        self.outages = [outage for outage in self.outages if outage[1] > injection.started_at_us]
        self.outages.append((injection.started_at_us, end))
        hit = sorted(number for ends, number in self.in_flight if number and ends > injection.started_at_us)
        for place, number in enumerate(hit):
            if place == 0 or draws.luck[number - 1] < failure.share_in_outage:
                self._fail_in_flight(number, injection.started_at_us + int(draws.failing_us[number - 1]))

    def _fail_in_flight(self, number: int, ends: int) -> None:
        self.in_flight.remove((self.ended[number - 1], number))
        heapq.heapify(self.in_flight)
        heapq.heappush(self.in_flight, (ends, number))
        self.ended[number - 1] = ends
        self.failed[number - 1] = True

    def _count(self, number: int) -> None:
        if number:
            self.done += 1
            self.done_failed += self.failed[number - 1]

    def _violated(self) -> bool:
        return self.done >= _FIRST_RUN and 100.0 * self.done_failed / self.done > self.plan.failure_rate_max

    def _played(self, created: int, aborted: bool) -> PlayedWorkload:
        ran = len(self.started)
        failed = np.array(self.failed, dtype=np.bool_)
        load = Load(
            started_us=np.array(self.started, dtype=np.int64),
            ended_us=np.array(self.ended, dtype=np.int64),
            idle_us=np.where(failed, 0, round(self.plan.idle_s * SECOND)).astype(np.int64),
            failed=failed,
            trace_ids=_uuids(ran, self.random),
            tokens=[text[:8] for text in _uuids(ran, self.random)],
        )
        hooks_end = max((firing.truth.ended_at_us for firing in self.firings), default=0)  # may end after the load
        cleanup = round(float(self.random.uniform(2, 9)) * SECOND)
        return PlayedWorkload(
            plan=self.plan,
            position=self.position,
            uuid=_uuids(1, self.random)[0],
            created_us=created,
            finished_us=max(*self.ended, hooks_end) + cleanup,
            load=load,
            firings=tuple(self.firings),
            aborted=aborted,
        )


def _uuids(count: int, random: np.random.Generator) -> list[str]:
    data = random.bytes(16 * count)
    return [str(uuid.UUID(bytes=data[at : at + 16], version=4)) for at in range(0, 16 * count, 16)]
