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
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from faultset.impacts.calibration import calibrate
from faultset.impacts.detect import Detection, detect
from planted import PLAYED, REAL, Planting, Tally, Trial, large, planted, real_recording, simulated, tally

SIZES = (2.0, 3.0, 5.0, 8.0)
SECONDS = (5.0, 10.0, 20.0, 40.0, 120.0)
PARTS = ("simulator", "real", "overlap", "calibration", "time")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="experiments of 5 sd and 20 s; a twentieth a cell")
    parser.add_argument("--quick", action="store_true", help="few seeds, and half a day instead of a whole one")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this only; may be repeated")
    given = parser.parse_args()
    seeds = min(given.seeds, 10) if given.quick else given.seeds
    for part in given.part or PARTS:
        print(f"\n## {part}\n", flush=True)
        MEASURE[part](seeds, given.quick)


def found(trial: Trial) -> Detection:
    """Detect, with the targets where there are any."""
    return detect(trial.series, trial.injections, targets=trial.targets or None)


def row(name: str, trials: Iterable[Trial]) -> Tally:
    """Print the line of a table."""
    total = tally(trials, found)
    errors = [_middle_and_most(one) for one in (total.start_errors, total.end_errors)]
    print(
        f"| {name} | {total.right + total.missed} | {total.precision:.3f} | {total.recall:.3f} | {total.f1:.3f} "
        f"| {100 * total.false_share:.2f} % of {total.untouched} | {errors[0]} | {errors[1]} | {total.wrong_way} |",
        flush=True,
    )
    return total


def _middle_and_most(errors: list[float]) -> str:
    if not errors:
        return ""
    return f"{statistics.median(errors):.1f} / {float(np.quantile(errors, 0.9)):.1f} s"


def head(first: str) -> None:
    """Print the head of a table."""
    print(f"| {first} | moves | precision | recall | F1 | false | start off by | end off by | wrong way |")
    print("|---|---|---|---|---|---|---|---|---|")


def simulator(seeds: int, _quick: bool) -> None:
    """Experiments of the simulator without overlaps."""
    head("size, duration")
    row(f"5 sd, 20 s, {seeds} seeds", _simulated(seeds, 5.0, 20.0))
    for size, seconds in itertools.product(SIZES, SECONDS):
        row(f"{size:g} sd, {seconds:g} s", _simulated(max(seeds // 20, 2), size, seconds))


def _simulated(seeds: int, size: float, seconds: float) -> Iterable[Trial]:
    scenarios = itertools.cycle(PLAYED)
    return (simulated(next(scenarios), seed, size, seconds) for seed in range(seeds))


def real(seeds: int, _quick: bool) -> None:
    """Moves in real noise, of one node with six KPIs."""
    if not REAL.is_file():
        print("skipped: there is no recording of real noise beside the checkout")
        return
    recording, few = real_recording(), max(seeds // 40, 2)
    head("size, duration")
    for size, seconds in itertools.product(SIZES, SECONDS):
        row(
            f"{size:g} sd, {seconds:g} s",
            (planted(recording, Planting(size, (seconds, seconds), 10), seed) for seed in range(few)),
        )
    for size, count in itertools.product((3.0, 5.0), (3, 10, 40)):
        files = max(10 * few // count, 1) * 2
        row(
            f"{size:g} sd, 25 s, {count} injections a file",
            (planted(recording, Planting(size, (25, 25), count), seed) for seed in range(files)),
        )
    for size, uncertainty in itertools.product((3.0, 5.0), (0.0, 1.0)):
        wanted = Planting(size, (2, 40), 10, uncertainty_s=uncertainty)
        row(
            f"{size:g} sd, 2-40 s, ends known to {uncertainty:g} s",
            (planted(recording, wanted, seed) for seed in range(2 * few)),
        )


def overlap(seeds: int, _quick: bool) -> None:
    """Windows that overlap, of which some have an effect."""
    head("what overlaps")
    few = max(seeds // 20, 2)
    moves: tuple[tuple[float | None, float | None], ...] = ((5.0, 20.0), (None, None))
    for size, seconds in moves:
        name = "simulated, 5 sd, 20 s" if size else "simulated, slow recovery"
        row(name, (simulated("overlap", seed, size, seconds) for seed in range(few)))
    if not REAL.is_file():
        print("skipped: there is no recording of real noise beside the checkout")
        return
    recording = real_recording()
    for size, uncertainty in ((3.0, 0.0), (5.0, 0.0), (5.0, 1.0), (8.0, 0.0)):
        wanted = Planting(size, (10, 60), 10, uncertainty_s=uncertainty, overlapping=0.5)
        row(
            f"real, {size:g} sd, 10-60 s, ends known to {uncertainty:g} s",
            (planted(recording, wanted, seed) for seed in range(3 * few)),
        )


def calibration(seeds: int, _quick: bool) -> None:
    """What the calibration says, all KPIs together."""
    trials: dict[str, Iterable[Trial]] = {"simulated": _simulated(max(seeds // 10, 2), 5.0, 20.0)}
    if REAL.is_file():
        recording = real_recording()
        trials["real"] = (planted(recording, Planting(5.0, (5, 40), 10), seed) for seed in range(max(seeds // 10, 2)))
    print("| data | trials | false positives | rate |\n|---|---|---|---|")
    for name, some in trials.items():
        rows = [one for trial in some for one in calibrate(trial.series, trial.injections)]
        tested, false = sum(one.trials for one in rows), sum(one.false_positives for one in rows)
        print(f"| {name} | {tested} | {false} | {100 * false / tested:.2f} % |", flush=True)


def time_and_memory(_seeds: int, quick: bool) -> None:
    """Five nodes of six KPIs over a day, 300 windows."""
    trial = large(43_200 if quick else 86_400, 300)
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


MEASURE = {
    "simulator": simulator,
    "real": real,
    "overlap": overlap,
    "calibration": calibration,
    "time": time_and_memory,
}

if __name__ == "__main__":
    main()
