"""Impacts against truth that owes nothing to commands, beside known ways to find them, on the same series.

Effects begin 0 to 20 s after their command, last 5 to 120 s and go as they like (``tests/effects.py``). The noise is
recorded where recordings lie beside the checkout, else the simulator's, which the tables say. Peers
(``tests/peers.py``): Mann-Whitney with Benjamini-Hochberg (canary analysis), PELT, and a scan of steps up and back with
the one threshold that is best in hindsight. Four parts: ``free``; ``concurrent``, three workloads at once; ``many``, a
large cluster (``--nodes``, ``--kpis``); ``power``, moves of just the size of which 90 % should be found. Exit code 1
where a bound is passed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bounds import Bounds, options, versions
from effects import (
    LASTINGS,
    NODES,
    SHAPES,
    SIZES,
    Effect,
    EffectTrial,
    Noise,
    concurrent,
    empty,
    free,
    noises,
)
from faultset.impacts.detect import Detection, detect
from faultset.impacts.windows import SECOND
from faultset.moments import epoch_us
from peers import evidence_of, told
from planted import Key
from side_by_side import each

PARTS = ("free", "concurrent", "many", "power")
MANN_WHITNEY, PELT = "Mann-Whitney, Benjamini-Hochberg", "PELT, penalty in hindsight"
ABOVE_SCAN = {"five_nodes": 0.03, "glances": -0.08}  # F1 less that of the scan with hindsight, at least
MOST_FALSE = 0.015
LEAST_CONCURRENT_F1 = 0.88  # where rows come every second
LEAST_CONCURRENT_PRECISION = 0.9  # half of a target's pairs moved, so that false ones are held against what was found
MOST_RECALL_LOST, MOST_MB = 0.05, 1024
POWER = (0.85, 0.95)
SMOKE_LESS, SMOKE_FALSE = 0.4, 0.06  # one file says little
LONE = 4  # single moves that are planted a file
OFTEN = 4  # ``detectable_sd`` is of KPIs that move with every fourth injection
LENGTHS = {"5-10 s": (0.0, 10.0), "10-25 s": (10.0, 25.0), "25-60 s": (25.0, 60.0), "60-120 s": (60.0, 121.0)}


@dataclass(frozen=True)
class Sizes:
    """How much is measured: files a size and noise, nodes and KPIs of ``many``."""

    files: int
    sizes: tuple[float | None, ...]
    draws: int
    injections: int
    nodes: int
    kpis: int
    many: int
    power: int


FULL = Sizes(files=4, sizes=(*SIZES, None), draws=12, injections=36, nodes=20, kpis=20, many=3, power=20)
SMOKE = Sizes(files=1, sizes=(5.0,), draws=1, injections=24, nodes=6, kpis=3, many=1, power=0)


def main() -> int:
    """Measure and print."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this only; may be repeated")
    parser.add_argument("--noise", action="append", help="on this noise only; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, help="of the large cluster")
    parser.add_argument("--kpis", type=int, help="of each of its nodes")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    wanted = SMOKE if given.size == "smoke" else FULL
    wanted = replace(wanted, nodes=given.nodes or wanted.nodes, kpis=given.kpis or wanted.kpis)
    found = [noise for noise in noises() if not given.noise or noise.name in given.noise]
    found = found[:1] if given.size == "smoke" else found
    if given.child:
        return _child(found[0], wanted, given.seed, given.child == "many")
    known = versions("scipy", "ruptures")
    peers = {MANN_WHITNEY: f"of scipy {known['scipy']}", PELT: f"of ruptures {known['ruptures']}"}
    bounds = Bounds(
        __file__, given, about="impacts that owe nothing to commands, beside other ways to find them", peers=peers
    )
    if not any(noise.is_recorded for noise in found):
        bounds.note("there are no recordings beside the checkout: the noise is the simulator's, the scan sets no bound")
    for part, noise in itertools.product(given.part or PARTS, found):
        print(f"\n## {part}, noise of {noise.name}\n", flush=True)
        MEASURE[part](noise, wanted, given.seed, bounds)
    return bounds.close()


# --- how well it was found ------------------------------------------------------------------------------------------


@dataclass
class Score:
    """What one way found in several files, and the truth; keys are numbered by file."""

    truth: dict[tuple[int, Key], Effect] = field(default_factory=dict)
    found: set[tuple[int, Key]] = field(default_factory=set)
    untouched: int = 0

    def add(self, number: int, trial: EffectTrial, found: Collection[Key]) -> None:
        """Count one file."""
        self.truth.update({(number, key): effect for key, effect in trial.effects.items()})
        self.found.update((number, key) for key in found)
        self.untouched += len(trial.pairs) - len(trial.effects)

    @property
    def right(self) -> int:
        return len(self.found & self.truth.keys())

    @property
    def precision(self) -> float:
        return self.right / max(1, len(self.found))

    @property
    def recall(self) -> float:
        return self.right / max(1, len(self.truth))

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, len(self.found) + len(self.truth))

    @property
    def false_share(self) -> float:
        return len(self.found - self.truth.keys()) / max(1, self.untouched)

    def recall_of(self, those: Callable[[Effect], bool]) -> str:
        """Return the recall of some effects as text."""
        some = {key for key, effect in self.truth.items() if those(effect)}
        return f"{len(some & self.found) / len(some):.3f} of {len(some)}" if some else "-"

    def line(self) -> str:
        """Return cells of a table."""
        false = f"{100 * self.false_share:.2f} % of {self.untouched}"
        return f"{self.f1:.3f} | {self.precision:.3f} | {self.recall:.3f} | {false}"


@dataclass
class Errors:
    """How far times and directions of what was found are off, seconds; the ends of moves that stay are not asked."""

    start: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)
    wrong_way: int = 0

    def add(self, trial: EffectTrial, detection: Detection) -> None:
        """Compare what was found in one file."""
        for row in detection.impacts:
            effect = trial.effects.get((str(row.injection_id), row.node, row.kpi))
            if effect is None:
                continue
            self.start.append(abs(epoch_us(row.started_at) - effect.start_us) / SECOND)
            self.wrong_way += (row.direction == "up") != effect.is_up
            if effect.end_us is not None:
                self.end.append(abs(epoch_us(row.ended_at) - effect.end_us) / SECOND)

    def __str__(self) -> str:
        return f"start off by {_median(self.start)}, end by {_median(self.end)}, {self.wrong_way} the wrong way"


def _median(errors: list[float]) -> str:
    if not errors:
        return "-"
    return f"{statistics.median(errors):.1f} s (nine in ten: {float(np.quantile(errors, 0.9)):.1f} s)"


def ours(trial: EffectTrial) -> Detection:
    """Detect, told which nodes were acted on."""
    return detect(trial.series, trial.injections, targets=trial.targets)


def keys(detection: Detection) -> set[Key]:
    """Return which pairs have an impact."""
    return {(str(row.injection_id), row.node, row.kpi) for row in detection.impacts}


Draw = Callable[[np.random.Generator], EffectTrial]


def compared(draw: Draw, seeds: Sequence[list[int]]) -> tuple[dict[str, Score], Errors]:
    """Return how well every way does on the same files, one a seed."""
    scores, errors, evidence = {"Faultset": Score()}, Errors(), {}
    for number, (trial, detection, said) in enumerate(each(_seen, itertools.repeat(draw), seeds)):
        scores["Faultset"].add(number, trial, keys(detection))
        errors.add(trial, detection)
        for name, values in said.items():
            evidence.setdefault(name, {}).update({(number, key): value for key, value in values.items()})
    truth = scores["Faultset"].truth
    for name, found in told(evidence, truth).items():
        scores[name] = replace(scores["Faultset"], found=found)
    return scores, errors


def _seen(draw: Draw, seed: list[int]) -> tuple[EffectTrial, Detection, dict[str, dict[Key, float]]]:
    trial = draw(np.random.default_rng(seed))
    return trial, ours(trial), evidence_of(trial)


# --- parts ----------------------------------------------------------------------------------------------------------


def measure_free(noise: Noise, wanted: Sizes, seed: int, bounds: Bounds) -> None:
    """Onset, length and shape as they like, one workload on one node."""
    every = []
    print("| size | way | F1 | precision | recall | false |\n|---|---|---|---|---|---|")
    for size in wanted.sizes:
        name = "mixed" if size is None else f"{size:g} sd"
        seeds = [[seed, number, int(size or 0)] for number in range(wanted.files)]
        scores, errors = compared(partial(free, noise, size, wanted.injections), seeds)
        for way, score in scores.items():
            print(f"| {name} | {way} | {score.line()} |", flush=True)
        print(f"| | {len(scores['Faultset'].truth)} effects: {errors} | | | | |", flush=True)
        every.append(scores["Faultset"])
        _hold_free(noise, name, scores, bounds)
    for title, cases in _cases():
        print(f"\n| recall of Faultset by {title} | {' | '.join(cases)} |\n|---|{'---|' * len(cases)}")
        for size, score in zip(wanted.sizes, every, strict=True):
            cells = [score.recall_of(those) for those in cases.values()]
            print(f"| {'mixed' if size is None else f'{size:g} sd'} | {' | '.join(cells)} |", flush=True)


def _hold_free(noise: Noise, name: str, scores: dict[str, Score], bounds: Bounds) -> None:
    own, best = scores["Faultset"], scores["scan, threshold in hindsight"]
    what, least = f"free, {noise.name}, {name}", ABOVE_SCAN.get(noise.name)
    if least is not None:
        said = f"{what}: F1 {own.f1:.3f} less that of the scan with hindsight"
        bounds.at_least(said, own.f1 - best.f1, least, smoke=least - SMOKE_LESS)
    _hold_peers(what, scores, bounds)
    bounds.at_most(f"{what}: false", own.false_share, MOST_FALSE, unit="%", smoke=SMOKE_FALSE)


def _hold_peers(what: str, scores: dict[str, Score], bounds: Bounds) -> None:
    """Hold F1 against that of ways that people use: no worse than either."""
    for peer in (MANN_WHITNEY, PELT):
        if scores[peer].f1:
            ratio = scores["Faultset"].f1 / scores[peer].f1
            bounds.at_least(f"{what}: F1", ratio, 1.0, unit="x", peer=peer, smoke=1 - SMOKE_LESS)


def _cases() -> Iterator[tuple[str, dict[str, Callable[[Effect], bool]]]]:
    yield "shape", {shape: lambda effect, shape=shape: effect.shape == shape for shape in SHAPES}
    yield (
        "length",
        {
            name: lambda effect, least=least, most=most: least <= effect.length_s < most
            for name, (least, most) in LENGTHS.items()
        },
    )
    yield "size", {f"{size:g} sd": lambda effect, size=size: effect.size == size for size in SIZES}


def measure_concurrent(noise: Noise, wanted: Sizes, seed: int, bounds: Bounds) -> None:
    """Three workloads at once, 31 windows that overlap, effects of 5 sd."""
    print("| effects last | way | F1 | precision | recall | false |\n|---|---|---|---|---|---|")
    for name in LASTINGS:
        seeds = [[seed, number] for number in range(wanted.draws)]
        scores, errors = compared(partial(concurrent, noise, 5.0, name), seeds)
        for way, score in scores.items():
            print(f"| {name} | {way} | {score.line()} |", flush=True)
        own = scores["Faultset"]
        print(f"| | {len(own.truth)} effects: {errors} | | | | |", flush=True)
        what = f"concurrent, {noise.name}, {name}"
        if noise.name != "five_nodes":  # a command of 3 s leaves no trace in rows every 5 s
            bounds.at_least(f"{what}: F1", own.f1, LEAST_CONCURRENT_F1, smoke=LEAST_CONCURRENT_F1 - SMOKE_LESS)
        _hold_peers(what, scores, bounds)
        least = LEAST_CONCURRENT_PRECISION
        bounds.at_least(f"{what}: precision", own.precision, least, smoke=least - SMOKE_LESS)


def measure_many(noise: Noise, wanted: Sizes, seed: int, bounds: Bounds) -> None:
    """A large cluster, in which the node that was hit and its neighbours are those of a small one."""
    print(
        "| cluster | file | recall on the node hit | false | s of processor time | peak MB |\n|---|---|---|---|---|---|"
    )
    total: dict[str, Counter[str]] = {"few": Counter(), "many": Counter()}
    cells = list(itertools.product(range(wanted.many), total))
    sizes = ["--size", bounds.measured.size, "--nodes", str(wanted.nodes), "--kpis", str(wanted.kpis)]
    calls = [
        [sys.executable, __file__, "--child", which, "--noise", noise.name, "--seed", str(seed + number), *sizes]
        for number, which in cells
    ]
    for (number, which), found in zip(cells, each(_told, calls), strict=True):
        total[which].update({name: found[name] for name in ("right", "effects", "false", "untouched")})
        recall, false = found["right"] / found["effects"], found["false"] / found["untouched"]
        print(
            f"| {found['cluster']} | {number} | {recall:.3f} of {found['effects']} "
            f"| {false:.2%} of {found['untouched']} | {found['s']:.0f} | {found['mb']:.0f} |",
            flush=True,
        )
        bounds.at_most(f"{found['cluster']}, {noise.name}: peak memory", found["mb"], MOST_MB, unit="MB")
    few, many = (total[which]["right"] / total[which]["effects"] for which in ("few", "many"))
    bounds.at_most(f"many, {noise.name}: of a recall of {few:.3f} lost", few - many, MOST_RECALL_LOST, smoke=SMOKE_LESS)


def _told(call: list[str]) -> dict[str, Any]:
    """Return what a process says that does nothing else, so that the peak of its memory is that of one cluster."""
    answer: dict[str, Any] = json.loads(subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return answer


def _child(noise: Noise, wanted: Sizes, seed: int, is_many: bool) -> int:
    random = np.random.default_rng([seed, 1])
    trial = free(noise, 5.0, min(30, wanted.injections), random)
    if is_many:
        trial.series = noise.repeated(trial.series, wanted.nodes, wanted.kpis, random)
    begun = time.process_time()
    found = keys(ours(trial))
    took = time.process_time() - begun
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(
        json.dumps(
            {
                "cluster": f"{wanted.nodes} nodes, {wanted.kpis} KPIs" if is_many else f"{len(NODES)} nodes, 2 KPIs",
                "right": len(found & trial.effects.keys()),
                "effects": len(trial.effects),
                "false": len(found - trial.effects.keys()),
                "untouched": len(trial.pairs) - len(trial.effects),
                "s": took,
                "mb": int(peak.split()[1]) / 1024,
            }
        )
    )
    return 0


def measure_power(noise: Noise, wanted: Sizes, seed: int, bounds: Bounds) -> None:
    """Moves of 25 s of just the size that would be found nine times out of ten, with every fourth injection or once."""
    if not wanted.power:
        bounds.note("moves of just the size that should be found are not planted at this size")
        return
    print("| moved | planted | found | size in sd: least, median, most | none would be found |\n|---|---|---|---|---|")
    for often, name in ((True, "with every fourth injection"), (False, "once")):
        tallied = _Power()
        plant = partial(_plant_at_limit, noise, often=often)
        for one in each(plant, ([seed, number] for number in range(wanted.power))):
            tallied.found += one.found
            tallied.sizes += one.sizes
            tallied.hopeless += one.hopeless
        share = tallied.found / max(1, len(tallied.sizes))
        least, middle, most = np.quantile(tallied.sizes, [0, 0.5, 1]) if tallied.sizes else (np.nan,) * 3
        planted = len(tallied.sizes)
        print(
            f"| {name} | {planted} | {share:.3f} | {least:.1f}, {middle:.1f}, {most:.1f} | {tallied.hopeless} |",
            flush=True,
        )
        # Of single moves few series say a size at all, so that what is found of them comes from two or three series.
        if often:
            what = f"power, {noise.name}, {name}: found of {planted}"
            bounds.at_least(what, share, POWER[0], unit="%")
            bounds.at_most(what, share, POWER[1], unit="%")


@dataclass
class _Power:
    found: int = 0
    sizes: list[float] = field(default_factory=list)
    hopeless: int = 0


def _plant_at_limit(noise: Noise, seed: list[int], *, often: bool) -> _Power:
    """Plant, into one file that is else untouched: at every fourth injection at a time, or single moves one by one."""
    random, tallied = np.random.default_rng(seed), _Power()
    trial = empty(noise, 36, random)
    trial.series = {place: trial.series[place] for place in trial.series if place[0] in NODES[:3]}
    detection = ours(trial)
    moved = keys(detection)
    limits = {
        key: one.detectable_sd if often else one.detectable_once_sd
        for one in detection.tested
        if one.node == NODES[0] and (key := (one.injection_id, one.node, one.kpi)) not in moved
    }
    tallied.hopeless += sum(size is None for size in limits.values())
    sizes = {key: size for key, size in limits.items() if size is not None}
    ids = [one.injection_id for one in trial.injections]
    if often:
        together = [{key for key in sizes if key[0] in ids[first::OFTEN]} for first in range(OFTEN)]
    else:
        order = random.permutation(len(sizes))[:LONE]
        together = [{key} for place, key in enumerate(sizes) if place in order]
    for some in together:
        here = replace(trial, series=dict(trial.series), effects={})
        here.plant({key: _sought(here, key, sizes[key], random) for key in some}, random)
        tallied.sizes += [effect.size for effect in here.effects.values()]
        tallied.found += len(keys(ours(here)) & here.effects.keys())
    return tallied


def _sought(trial: EffectTrial, key: Key, size: float, random: np.random.Generator) -> Effect:
    begin = trial.windows[key[0]][0] + round(random.uniform(0, 20) * SECOND)
    return Effect("held", size, begin, begin + 25 * SECOND, bool(random.random() < 0.5))


MEASURE = {"free": measure_free, "concurrent": measure_concurrent, "many": measure_many, "power": measure_power}

if __name__ == "__main__":
    sys.exit(main())
