"""Metrics of each node: a noisy signal a KPI, moved where a fault took hold, written as the nodes' collector writes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from faultset.simulator import clocks
from faultset.simulator.plan import SECOND, Flags, Floats, Microseconds
from faultset.simulator.truth import KpiMove

TIME_ZONE = "Europe/Berlin"
KPIS = ("cpu.user", "mem.used")
COLUMNS = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"

_CORES = 8
_DAY_S = 86_400
_GIB = 2**30
_PAGE = 4096
_BLOCK = 100_000  # rows that are text at a time


@dataclass(frozen=True, slots=True)
class WantedMove:
    """A move to make, its size in robust standard deviations, signed."""

    injection_id: str
    kpi: str
    started_us: int
    fades_us: int
    ended_us: int
    size: float


@dataclass(frozen=True, slots=True)
class NodeMetrics:
    """A node's metrics, a row a sample; ``moves`` says what the faults did to them.

    The load is of its own, not what ``cpu_user`` adds up to: a KPI that no fault moves stays untouched to the last bit.
    """

    sampled_us: Microseconds
    cpu_user: Floats
    mem_used: Floats
    loads: tuple[Floats, ...]
    moves: tuple[KpiMove, ...]

    def only(self, kept: Flags) -> NodeMetrics:
        """Return the rows that were ``kept``."""
        loads = tuple(load[kept] for load in self.loads)
        return NodeMetrics(self.sampled_us[kept], self.cpu_user[kept], self.mem_used[kept], loads, self.moves)


def measure(
    node: str, wanted: Iterable[WantedMove], begin_us: int, end_us: int, seed: int, *, drift: Mapping[str, float]
) -> NodeMetrics:
    """Return the metrics of ``node`` in [begin_us, end_us], moved as ``wanted``.

    ``drift`` says by how many robust standard deviations an hour a KPI creeps; a move beyond ``end_us`` is left out.
    """
    random = np.random.default_rng([seed, zlib.crc32(node.encode())])
    sampled = _samples(begin_us, end_us, random)
    parts = {"cpu.user": _cpu(sampled, random), "mem.used": _mem(sampled, random)}
    loads = _loads(np.add(*parts["cpu.user"]))
    for kpi, rate in drift.items():
        slow, noise = parts[kpi]
        slow += rate * robust_sd(noise) * (sampled - begin_us) / (3600 * SECOND)
    moves = []
    for move in wanted:
        if move.started_us > end_us:
            continue
        slow, noise = parts[move.kpi]
        size = move.size * robust_sd(noise)
        slow += size * _shape(sampled, move)
        moves.append(KpiMove(move.injection_id, node, move.kpi, move.started_us, move.ended_us, float(size), move.size))
    cpu, mem = (np.add(*parts[kpi]) for kpi in KPIS)
    return NodeMetrics(sampled, np.clip(cpu, 0.1, 100.0), mem, loads, tuple(moves))


def _loads(cpu_user: Floats) -> tuple[Floats, ...]:
    """Return the load over 1, 5 and 15 minutes."""
    load = np.clip(cpu_user, 0.1, 100.0) / 100 * _CORES
    return tuple(np.round(_trailing_mean(load, 60 * minutes), 2) for minutes in (1, 5, 15))


def robust_sd(values: Floats) -> float:
    """Return 1.4826 times the median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _samples(begin_us: int, end_us: int, random: np.random.Generator) -> Microseconds:
    """Return sampling moments: about one a second, some two in one second, and now and then a gap."""
    count = int((end_us - begin_us) / SECOND) + 100
    steps = np.clip(random.normal(1.05, 0.3, count), 0.2, 3.0)
    gaps = random.random(count) < 0.001
    steps[gaps] += random.uniform(3.0, 30.0, int(gaps.sum()))
    moments = begin_us + np.rint(np.cumsum(steps) * SECOND).astype(np.int64)
    return moments[moments <= end_us]


def _cpu(sampled: Microseconds, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the slow part (daily load) and the noise (short waves and spikes) of ``cpu.user`` in per cent."""
    count = len(sampled)
    slow = random.uniform(18, 26) + 3.0 * _daily(sampled)
    noise = random.normal(0, 2.0, count) + 1.5 * _smooth(random.normal(0, 1, count), 20)
    spikes = random.random(count) < 0.002
    noise[spikes] += random.uniform(10, 40, int(spikes.sum()))
    return slow, noise


def _mem(sampled: Microseconds, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the slow part (drift, daily load) and the noise of ``mem.used`` in bytes."""
    count = len(sampled)
    hours = (sampled - sampled[0]) / (3600 * SECOND)
    slow = random.uniform(11, 16) * _GIB + 0.02 * _GIB * hours + 0.2 * _GIB * _daily(sampled)
    noise = random.normal(0, 0.004 * _GIB, count) + 0.006 * _GIB * _smooth(random.normal(0, 1, count), 60)
    return slow, noise


def _daily(sampled: Microseconds) -> Floats:
    return np.asarray(np.sin(2 * np.pi * (sampled / SECOND % _DAY_S) / _DAY_S))


def _smooth(values: Floats, width: int) -> Floats:
    """Return ``values``, of standard deviation 1, as a wave of about ``width`` samples of the same deviation."""
    sums, counts = _trailing_sums(values, width)
    return np.asarray(sums / np.sqrt(counts))


def _trailing_mean(values: Floats, width: int) -> Floats:
    sums, counts = _trailing_sums(values, width)
    return np.asarray(sums / counts)


def _trailing_sums(values: Floats, width: int) -> tuple[Floats, Microseconds]:
    """Return, for each value, the sum of the last ``width`` ones (fewer at the start) and how many they are."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    last = np.arange(1, len(values) + 1, dtype=np.int64)
    first = np.maximum(last - width, 0)
    return np.asarray(sums[last] - sums[first]), last - first


def _shape(sampled: Microseconds, move: WantedMove) -> Floats:
    """Return 1 from the move's start on, falling to 0 between the moments where it fades and ends."""
    if move.fades_us == move.ended_us:
        return ((sampled >= move.started_us) & (sampled < move.ended_us)).astype(np.float64)
    falling = np.interp(sampled, [move.fades_us, move.ended_us], [1.0, 0.0])
    return np.asarray(np.where(sampled >= move.started_us, falling, 0.0))


def rows(metrics: NodeMetrics, read_us: Microseconds, shift_us: int) -> Iterator[str]:
    """Yield the CSV of ``metrics``, whose clock reads ``read_us``; the text is ``shift_us`` ahead of it.

    The time says ``CEST`` in winter too, as the real collector's does.
    """
    cpu_user = np.round(metrics.cpu_user, 1)
    mem_used = np.rint(metrics.mem_used / _PAGE).astype(np.int64) * _PAGE
    yield f"{COLUMNS}\n"
    for first in range(0, len(cpu_user), _BLOCK):
        block = slice(first, first + _BLOCK)
        times = clocks.texts(clocks.local(read_us[block], TIME_ZONE)[0] + shift_us, "s")
        columns = [column[block].tolist() for column in (cpu_user, mem_used, *metrics.loads)]
        for now, cpu, mem, min1, min5, min15 in zip(times, *columns, strict=True):
            yield f"{now} CEST,{cpu},{mem},{_CORES},{min1},{min5},{min15}\n"
