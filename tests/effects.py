"""Effects of faults that begin, last and end as they like, planted into recorded noise.

Their onset, length and shape are drawn without a look at the command that is said to have caused them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow.parquet as pq

from faultset.impacts.windows import Flags, Floats, Microseconds, Series
from faultset.simulator.plan import SECOND
from faultset.simulator.telemetry import measure
from faultset.tables import InjectionRow
from planted import REAL, Key, Recording, injection, real_recording

FIVE_NODES = REAL.parents[1] / "five_nodes" / "scaled.parquet"
NODES = ("node1", "node2", "node3", "node4", "node5")
KPIS = ("cpu.user", "mem.used")
SIZES = (3.0, 5.0, 8.0)
ONSET_S = (0.0, 20.0)
LENGTH_S = (5.0, 120.0)

_BEGIN_US = 1_700_000_000 * SECOND
_BASELINE_US = 300 * SECOND
_LEAST_SHARE = 0.25  # of the deviation that is usual for a series: where it stands still, an effect is no smaller
_DECIMALS = {"cpu.user": 1, "mem.used": 0}
_PER_CENT, _MEMORY_BYTES = 100.0, 2e10  # what a scaled 1 stands for


# --- noise ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noise:
    """Recordings of machines under load.

    Attributes:
        name: what it is called in tables.
        machines: KPI -> series of each machine, all at the same moments.
        is_recorded: whether machines made it; the simulator did otherwise.
    """

    name: str
    machines: Sequence[Recording]
    is_recorded: bool

    def cut(self, nodes: Sequence[str], seconds: float, random: np.random.Generator) -> dict[tuple[str, str], Series]:
        """Return the KPIs of ``nodes`` over so many seconds: machines at one time, or places of the only one."""
        together = len(self.machines) >= len(nodes)
        order, begin = random.permutation(len(self.machines)), self._begin(seconds, random)
        found = {}
        for number, node in enumerate(nodes):
            machine = self.machines[order[number % len(order)]]
            since = begin if together else self._begin(seconds, random)
            found.update({(node, kpi): _moved(machine[kpi], since, seconds) for kpi in KPIS})
        return found

    def repeated(
        self, series: Mapping[tuple[str, str], Series], nodes: int, kpis: int, random: np.random.Generator
    ) -> dict[tuple[str, str], Series]:
        """Return ``series`` with more nodes and KPIs beside them, which are the same noise at other places.

        A node's KPIs share their moments, as a collector's do.
        """
        known = list(dict.fromkeys(node for node, _ in series))
        clocks = {node: series[node, KPIS[0]].time_us for node in known}
        names = [*known, *(f"node{number}" for number in range(len(known) + 1, nodes + 1))]
        more = dict(series)
        for node in names:
            time = clocks.setdefault(node, clocks[known[int(random.integers(len(known)))]])
            for number in range(kpis):
                kpi = KPIS[number] if number < len(KPIS) else f"kpi{number:02}"
                if (node, kpi) not in more:
                    more[node, kpi] = Series(time, self._elsewhere(KPIS[number % len(KPIS)], len(time), random))
        return more

    def _begin(self, seconds: float, random: np.random.Generator) -> int:
        time = self.machines[0][KPIS[0]].time_us
        return int(random.integers(time[0], time[-1] - round(seconds * SECOND)))

    def _elsewhere(self, kpi: str, rows: int, random: np.random.Generator) -> Floats:
        value = self.machines[int(random.integers(len(self.machines)))][kpi].value
        first = int(random.integers(len(value) - rows))
        return value[first : first + rows]


def _moved(series: Series, since: int, seconds: float) -> Series:
    rows = slice(*np.searchsorted(series.time_us, [since, since + round(seconds * SECOND)]).tolist())
    return Series(series.time_us[rows] - since + _BEGIN_US, series.value[rows])


def noises() -> list[Noise]:
    """Return the recorded noise that there is, the simulator's where there is none."""
    found = [*_one_machine(), *_five_machines()]
    return found or [simulated_noise(hours=12)]


def _one_machine() -> Iterator[Noise]:
    if REAL.is_file():
        yield Noise("glances", [real_recording()], is_recorded=True)


def _five_machines() -> Iterator[Noise]:
    """Five machines at the same moments, a row every 5 s; the file has no times and is scaled to 0..1."""
    if not FIVE_NODES.is_file():
        return
    frame = pq.read_table(FIVE_NODES).to_pandas()
    time = np.arange(len(frame), dtype=np.int64) * 5 * SECOND
    machines = [
        {
            "cpu.user": Series(time, frame[f"node{number}.cpu.user"].to_numpy(np.float64) * _PER_CENT),
            "mem.used": Series(time, 4e9 + frame[f"node{number}.mem.used"].to_numpy(np.float64) * _MEMORY_BYTES),
        }
        for number in range(1, 6)
    ]
    yield Noise("five_nodes", machines, is_recorded=True)


def simulated_noise(hours: float) -> Noise:
    """Return what the simulator writes of five nodes in which nothing happens."""
    end = _BEGIN_US + round(hours * 3600 * SECOND)
    machines = []
    for node in NODES:
        metrics = measure(node, (), _BEGIN_US, end, 0, drift={})
        values = dict(zip(KPIS, (metrics.cpu_user, metrics.mem_used), strict=True))
        machines.append({kpi: Series(metrics.sampled_us, values[kpi]) for kpi in KPIS})
    return Noise("simulated", machines, is_recorded=False)


# --- effects --------------------------------------------------------------------------------------------------------

Course = Callable[[Floats, np.random.Generator], Floats]  # share of its time that has gone, 0 to 1 -> share of its size


def _with_spikes(share: Floats, random: np.random.Generator) -> Floats:
    return 1.0 + 2.0 * (random.random(len(share)) < 0.1)


SHAPES: dict[str, Course] = {
    "held": lambda share, _: np.ones(len(share)),
    "ramps in": lambda share, _: np.minimum(1.0, 3 * share),
    "fades out": lambda share, _: np.minimum(1.0, 2 * (1 - share)),
    "two steps": lambda share, _: np.where(share < 0.5, 0.5, 1.0),
    "spikes in between": _with_spikes,
    "creeps": lambda share, _: share,
    "stays": lambda share, _: np.ones(len(share)),
}


@dataclass(frozen=True)
class Effect:
    """What a fault did to a KPI.

    Attributes:
        shape: its course, one of ``SHAPES``.
        size: in robust standard deviations of the 300 s before, above 0.
        start_us: when it began.
        end_us: when it was over; None where it stays.
        is_up: which way.
    """

    shape: str
    size: float
    start_us: int
    end_us: int | None
    is_up: bool

    @property
    def length_s(self) -> float:
        """How long it lasts; more than any other where it stays."""
        return np.inf if self.end_us is None else (self.end_us - self.start_us) / SECOND


@dataclass
class EffectTrial:
    """What a detector is given, and the truth."""

    series: dict[tuple[str, str], Series]
    injections: list[InjectionRow] = field(default_factory=list)
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    targets: dict[str, frozenset[str]] = field(default_factory=dict)
    effects: dict[Key, Effect] = field(default_factory=dict)

    def inject(self, start_us: int, end_us: int, targets: Sequence[str]) -> str:
        """Add an injection and return its id."""
        name = f"i{len(self.injections):03}"
        self.injections.append(injection(name, start_us, end_us))
        self.windows[name] = start_us, end_us
        self.targets[name] = frozenset(targets)
        return name

    @property
    def pairs(self) -> list[Key]:
        """All injections x nodes x KPIs."""
        return [(one.injection_id, node, kpi) for one in self.injections for node, kpi in self.series]

    def plant(self, wanted: Mapping[Key, Effect], random: np.random.Generator) -> None:
        """Add effects to the series, each in the unit of the noise before its injection."""
        still = dict(self.series)
        values = {(node, kpi): self.series[node, kpi].value.copy() for _, node, kpi in wanted}
        for key, asked in wanted.items():
            place = key[1:]
            by = asked.size * unit_before(still[place], self.windows[key[0]][0])
            if not by:
                continue
            effect = replace(asked, is_up=_fits(still[place].value, by, key[2], is_up=asked.is_up))
            inside, share = _inside(still[place].time_us, effect)
            course = SHAPES[effect.shape](share, random)
            values[place][inside] += (1 if effect.is_up else -1) * by * course
            self.effects[key] = effect
        for place, value in values.items():
            self.series[place] = Series(still[place].time_us, _written(place[1], value))


def unit_before(series: Series, moment: int) -> float:
    """Return the robust standard deviation of the 300 s before, but no less than a share of what is usual."""
    every = np.arange(series.time_us[0] + _BASELINE_US, series.time_us[-1], _BASELINE_US)
    usual = float(np.median([_deviation(series, int(one)) for one in every]))
    return max(_deviation(series, moment), _LEAST_SHARE * usual)


def _deviation(series: Series, moment: int) -> float:
    before = series.value[slice(*np.searchsorted(series.time_us, [moment - _BASELINE_US, moment]).tolist())]
    return 1.4826 * float(np.median(np.abs(before - np.median(before)))) if len(before) else 0.0


def _inside(time: Microseconds, effect: Effect) -> tuple[Flags, Floats]:
    """Return which rows an effect covers, and the share of its time that has gone at each of them."""
    end = int(time[-1]) + 1 if effect.end_us is None else effect.end_us
    inside = (time >= effect.start_us) & (time < end)
    return inside, (time[inside] - effect.start_us) / (end - effect.start_us)


def _fits(value: Floats, by: float, kpi: str, *, is_up: bool) -> bool:
    """Return the way of a move, turned where a per cent would leave 0 to 100."""
    if kpi != "cpu.user":
        return is_up
    middle = float(np.median(value))
    return middle + by <= 100 if is_up else middle - by < 0


def _written(kpi: str, value: Floats) -> Floats:
    value = np.clip(value, 0, 100) if kpi == "cpu.user" else np.maximum(value, 0)
    return np.asarray(np.round(value, _DECIMALS.get(kpi, 1)))


def drawn(start_us: int, size: float | None, random: np.random.Generator, shape: str | None = None) -> Effect:
    """Return an effect of any onset, length, shape and way; of any size too where ``size`` is None."""
    shape = shape or str(random.choice(list(SHAPES)))
    begin = start_us + round(random.uniform(*ONSET_S) * SECOND)
    length = np.exp(random.uniform(*np.log(LENGTH_S)))
    return Effect(
        shape=shape,
        size=float(random.choice(SIZES)) if size is None else size,
        start_us=begin,
        end_us=None if shape == "stays" else begin + round(length * SECOND),
        is_up=bool(random.random() < 0.5),
    )


# --- experiments ----------------------------------------------------------------------------------------------------


def empty(noise: Noise, injections: int, random: np.random.Generator) -> EffectTrial:
    """Return injections on the first of five nodes every 4 to 9 minutes, commands of 2 to 40 s, without any effect."""
    starts = 1800 + np.cumsum(random.uniform(240, 540, injections))
    trial = EffectTrial(noise.cut(NODES, float(starts[-1]) + 2400, random))
    for start in _BEGIN_US + np.rint(starts * SECOND).astype(np.int64):
        length = np.exp(random.uniform(np.log(2), np.log(40)))
        trial.inject(int(start), int(start) + round(length * SECOND), NODES[:1])
    return trial


def free(noise: Noise, size: float | None, injections: int, random: np.random.Generator) -> EffectTrial:
    """Return ``empty`` with an effect on half of the pairs of the node that was hit."""
    trial = empty(noise, injections, random)
    wanted = {
        key: drawn(trial.windows[key[0]][0], size, random)
        for key in trial.pairs
        if key[1] == NODES[0] and random.random() < 0.5
    }
    trial.plant(wanted, random)
    return trial


WORKLOADS = (  # injections, seconds of a command, nodes that they act on: three workloads that run at once
    (8, (38.0, 46.0), NODES[1:]),
    (12, (2.2, 3.2), NODES[:1]),
    (11, (19.0, 22.0), NODES[:1]),
)
Lasting = Callable[[int, int, np.random.Generator], tuple[int, int]]  # a command's edges -> the effect's
LASTINGS: dict[str, Lasting] = {
    "as long as its command": lambda start, end, _: (start, end),
    "25 s": lambda start, _, __: (start, start + 25 * SECOND),
    "0-8 s late, 20-120 s": lambda start, _, random: _late(start, random),
}


def _late(start: int, random: np.random.Generator) -> tuple[int, int]:
    begin = start + round(random.uniform(0, 8) * SECOND)
    return begin, begin + round(random.uniform(20, 120) * SECOND)


def concurrent(noise: Noise, size: float, lasting: str, random: np.random.Generator) -> EffectTrial:
    """Return three workloads at once over three hours, 31 windows that overlap; half of the KPIs move.

    ``lasting`` is one of ``LASTINGS``.
    """
    first, last, total = 2400.0, 10_000.0, 12_600.0
    trial = EffectTrial(noise.cut(NODES, total, random))
    windows = []
    for count, seconds, nodes in WORKLOADS:
        gaps = np.cumsum(random.uniform(0.5, 1.5, count)) / count
        starts = _BEGIN_US + np.rint((first + gaps * (last - first)) * SECOND).astype(np.int64)
        windows += [(start, start + round(random.uniform(*seconds) * SECOND), nodes) for start in starts.tolist()]
    wanted = {}
    for start, end, nodes in sorted(windows):
        name = trial.inject(start, end, nodes)
        for kpi in (kpi for kpi in KPIS if random.random() < 0.5):
            begin, over = LASTINGS[lasting](start, end, random)
            is_up = bool(random.random() < 0.5)
            wanted.update({(name, node, kpi): Effect("held", size, begin, over, is_up) for node in nodes})
    trial.plant(wanted, random)
    return trial
