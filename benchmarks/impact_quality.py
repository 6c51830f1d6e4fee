"""How well impacts are found: against the simulator's truth, and where moves are planted into real noise.

Prints tables by size and duration of the move, the errors in time, the same where injections overlap, what the
calibration says beside what really was false, and time and memory for a large experiment. The real noise is a recording
of a machine under load beside the checkout; where it is absent its tables are skipped, visibly.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bounds import Bounds, options
from faultset.impacts.calibration import Calibrated, calibrate
from faultset.impacts.detect import Detection, detect
from planted import PLAYED, REAL, Planting, Tally, Trial, large, planted, real_recording, simulated
from side_by_side import each

Draw = Callable[[], Trial]

SIZES = (2.0, 3.0, 5.0, 8.0)
SECONDS = (5.0, 10.0, 20.0, 40.0, 120.0)
SEEDS = {"full": 100, "smoke": 2}
PARTS = ("simulator", "real", "overlap", "calibration", "time")


# What holds of moves that are well above the noise; whether smaller and shorter ones are found, the tables say.
LEAST_F1 = {"simulator": 0.96, "real": 0.95, "simulated overlap": 0.92, "real overlap": 0.92}
MOST_FALSE = 0.015
MOST_FALSE_CALIBRATED = 0.02
MOST_MB = 512
SMOKE_LESS, SMOKE_FALSE = 0.4, 0.06  # few moves say little


def main() -> int:
    """Measure and print."""
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--seeds", type=int, help="experiments of 5 sd and 20 s; a tenth a cell")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this only; may be repeated")
    given = parser.parse_args()
    seeds = given.seeds or SEEDS[given.size]
    bounds = Bounds(
        __file__, given, about="impacts in the simulator's recordings, and where moves are planted into real noise"
    )
    for part in given.part or PARTS:
        print(f"\n## {part}\n", flush=True)
        MEASURE[part](seeds, bounds)
    return bounds.close()


def found(trial: Trial) -> Detection:
    """Detect, with the targets where there are any."""
    return detect(trial.series, trial.injections, targets=trial.targets or None)


def _seen(draw: Draw) -> tuple[Trial, Detection]:
    trial = draw()
    return trial, found(trial)


def row(name: str, draws: Iterable[Draw], bounds: Bounds, least: str = "") -> None:
    """Print the line of a table; ``least``: which bound its F1 is held against."""
    total = Tally()
    for trial, detection in each(_seen, draws):
        total.add(trial, detection)
    errors = [_middle_and_most(one) for one in (total.start_errors, total.end_errors)]
    print(
        f"| {name} | {total.right + total.missed} | {total.precision:.3f} | {total.recall:.3f} | {total.f1:.3f} "
        f"| {100 * total.false_share:.2f} % of {total.untouched} | {errors[0]} | {errors[1]} | {total.wrong_way} |",
        flush=True,
    )
    if least:
        least_f1 = LEAST_F1[least]
        bounds.at_least(f"{least}, {name}: F1", total.f1, least_f1, smoke=least_f1 - SMOKE_LESS)
        bounds.at_most(f"{least}, {name}: false", total.false_share, MOST_FALSE, unit="%", smoke=SMOKE_FALSE)


def _middle_and_most(errors: list[float]) -> str:
    if not errors:
        return ""
    return f"{statistics.median(errors):.1f} / {float(np.quantile(errors, 0.9)):.1f} s"


def head(first: str) -> None:
    """Print the head of a table."""
    print(f"| {first} | moves | precision | recall | F1 | false | start off by | end off by | wrong way |")
    print("|---|---|---|---|---|---|---|---|---|")


def _grid(bounds: Bounds) -> Iterable[tuple[float, float]]:
    """Return (size, seconds) of the cells; one where it is to end soon."""
    return [(5.0, 20.0)] if bounds.measured.size == "smoke" else itertools.product(SIZES, SECONDS)


def simulator(seeds: int, bounds: Bounds) -> None:
    """Experiments of the simulator without overlaps."""
    head("size, duration")
    row(f"5 sd, 20 s, {seeds} seeds", _simulated(seeds, 5.0, 20.0), bounds, "simulator")
    for size, seconds in _grid(bounds):
        row(f"{size:g} sd, {seconds:g} s", _simulated(max(seeds // 10, 2), size, seconds), bounds)


def _simulated(seeds: int, size: float, seconds: float) -> Iterable[Draw]:
    scenarios = itertools.cycle(PLAYED)
    return [partial(simulated, next(scenarios), seed, size, seconds) for seed in range(seeds)]


def real(seeds: int, bounds: Bounds) -> None:
    """Moves in real noise, of one node with six KPIs."""
    if not REAL.is_file():
        bounds.note("there is no recording of real noise beside the checkout: what is planted into it is left out")
        return
    recording, few = real_recording(), max(seeds // 20, 1)
    head("size, duration")
    for size, seconds in _grid(bounds):
        row(
            f"{size:g} sd, {seconds:g} s",
            [partial(planted, recording, Planting(size, (seconds, seconds), 10), seed) for seed in range(few)],
            bounds,
            "real" if size >= 5 and seconds >= 10 else "",
        )
    if bounds.measured.size == "smoke":
        return
    for size, count in itertools.product((3.0, 5.0), (3, 10, 40)):
        files = max(10 * few // count, 1) * 2
        row(
            f"{size:g} sd, 25 s, {count} injections a file",
            [partial(planted, recording, Planting(size, (25, 25), count), seed) for seed in range(files)],
            bounds,
        )
    for size, uncertainty in itertools.product((3.0, 5.0), (0.0, 1.0)):
        wanted = Planting(size, (2, 40), 10, uncertainty_s=uncertainty)
        row(
            f"{size:g} sd, 2-40 s, ends known to {uncertainty:g} s",
            [partial(planted, recording, wanted, seed) for seed in range(2 * few)],
            bounds,
        )


def overlap(seeds: int, bounds: Bounds) -> None:
    """Windows that overlap, of which some have an effect."""
    head("what overlaps")
    few = max(seeds // 10, 1)
    moves: tuple[tuple[float | None, float | None], ...] = ((5.0, 20.0), (None, None))
    for size, seconds in moves:
        name = "simulated, 5 sd, 20 s" if size else "simulated, slow recovery"
        draws = [partial(simulated, "overlap", seed, size, seconds) for seed in range(few)]
        row(name, draws, bounds, "simulated overlap")
    if not REAL.is_file():
        bounds.note("there is no recording of real noise beside the checkout: what is planted into it is left out")
        return
    recording = real_recording()
    cells = ((3.0, 0.0), (5.0, 0.0), (5.0, 1.0), (8.0, 0.0))
    for size, uncertainty in cells[1:2] if bounds.measured.size == "smoke" else cells:
        wanted = Planting(size, (10, 60), 10, uncertainty_s=uncertainty, overlapping=0.5)
        row(
            f"real, {size:g} sd, 10-60 s, ends known to {uncertainty:g} s",
            [partial(planted, recording, wanted, seed) for seed in range(3 * few)],
            bounds,
            "real overlap" if size >= 5 else "",
        )


def calibration(seeds: int, bounds: Bounds) -> None:
    """What the calibration says, all KPIs together."""
    draws: dict[str, Iterable[Draw]] = {"simulated": _simulated(max(seeds // 10, 2), 5.0, 20.0)}
    if REAL.is_file():
        recording = real_recording()
        wanted = Planting(5.0, (5, 40), 10)
        draws["real"] = [partial(planted, recording, wanted, seed) for seed in range(max(seeds // 10, 2))]
    print("| data | trials | false positives | rate |\n|---|---|---|---|")
    for name, some in draws.items():
        rows = list(itertools.chain.from_iterable(each(_calibrated, some)))
        tested, false = sum(one.trials for one in rows), sum(one.false_positives for one in rows)
        print(f"| {name} | {tested} | {false} | {100 * false / tested:.2f} % |", flush=True)
        what = f"calibration, {name}: false of {tested} quiet places"
        bounds.at_most(what, false / tested, MOST_FALSE_CALIBRATED, unit="%", smoke=SMOKE_FALSE)


def _calibrated(draw: Draw) -> tuple[Calibrated, ...]:
    trial = draw()
    return calibrate(trial.series, trial.injections)


def time_and_memory(_seeds: int, bounds: Bounds) -> None:
    """Five nodes of six KPIs over a day, 300 windows; an eighth of it where it is to end soon."""
    trial = large(10_800, 75) if bounds.measured.size == "smoke" else large(86_400, 300)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    tested = len(found(trial).tested)
    detected = time.process_time()
    calibrate(trial.series, trial.injections)
    calibrated = time.process_time()
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held) / 1024
    rows = sum(len(one.value) for one in trial.series.values())
    print(
        f"{rows} values, {tested} tests: detection {detected - begun:.1f} s, calibration {calibrated - detected:.1f} s "
        f"of processor time, {more:.0f} MB more than the data"
    )
    bounds.at_most(f"{rows:,} values, {tested} tests: memory beside the data", more, MOST_MB, unit="MB")


MEASURE = {
    "simulator": simulator,
    "real": real,
    "overlap": overlap,
    "calibration": calibration,
    "time": time_and_memory,
}

if __name__ == "__main__":
    sys.exit(main())
