"""Labels of every row of many simulated experiments, against what the simulator knows of each row.

Every scenario is played with many seeds, undisturbed and with gaps, drifting clocks and levels, a report alone (times
cut to seconds) and the end of summer time; each is built by the functions that a build calls. Compared are phase,
injection ids, those of the node, node, boundary and anomaly of every row whose label is not open: rows that the text of
their time leaves open and rows in recovery are counted, not compared. It fails where one row is wrong, and where more
rows than a bound says are left out, or decided by a rule or by an impact instead of by what is known.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from bounds import Bounds, options
from faultset import simulator
from row_labels import Compared, compare, labeled
from side_by_side import each

DISTURBED: tuple[dict[str, object], ...] = (
    {},
    {"gaps": 3},
    {"clock_drift_ppm": 200.0},
    {"level_drift": 3.0, "gaps": 1},
    {"results": False},
    {"dst": True},
    {"kpi_size": 0.0},
)
SIZES: dict[str, dict[str, int]] = {"large": {"iterations": 300, "injections": 10}}
SMALL = {"iterations": 45}
# At most so much of all rows may be left out of the comparison, or be named by a rule or by an impact alone.
# Nine scenarios with seven disturbances, each pair once.
SEEDS = {"full": 63, "smoke": 2}
BOUNDS = {"open": 0.04, "recovery": 0.08, "by rule": 0.015, "by impact": 0.005}
SAID = {
    "open": "left open",
    "recovery": "in recovery, not compared",
    "by rule": "named by a rule",
    "by impact": "named for an impact alone",
}


def cases(first: int, seeds: int) -> list[tuple[str, int, dict[str, object]]]:
    """Return (scenario, seed, options): the scenarios and what is wrong in turn, each pair as often as the others."""
    names = list(simulator.SCENARIOS)
    found = []
    for seed in range(first, first + seeds):
        name = names[seed % len(names)]
        wrong = DISTURBED[(seed // len(names) + seed) % len(DISTURBED)]
        found.append((name, seed, {**SIZES.get(name, SMALL), **wrong}))
    return found


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--seeds", type=int, help="experiments, one a seed")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    seeds = arguments.seeds or SEEDS[arguments.size]
    bounds = Bounds(
        __file__, arguments, about=f"labels of every row of {seeds} simulated experiments against what is known"
    )
    found: dict[str, Compared] = {}
    times: dict[str, int] = {}
    started = time.perf_counter()
    total = Compared()
    wanted = cases(arguments.first, seeds)
    for number, ((name, seed, changed), here) in enumerate(zip(wanted, each(_compared, wanted), strict=True), 1):
        found[name] = found.get(name, Compared()) + here
        times[name] = times.get(name, 0) + 1
        total = total + here
        for line in here.wrong[:3]:
            print(f"{name}, seed {seed}, {changed}: {line}", flush=True)
        so_far = f"{total.compared:,} of {total.rows:,} rows compared, {len(total.wrong):,} wrong"
        print(f"{number} of {seeds}: {so_far}", file=sys.stderr, flush=True)
    print(f"{'scenario':24} {'seeds':>5} {'rows':>10} {'compared':>10} {'open':>8} {'recovery':>9} {'wrong':>6}")
    for name, one in found.items():
        print(_line(name, times[name], one))
    print(_line("all", seeds, total))
    for name, share in shares(total).items():
        print(f"{name:24} {share:8.3%} of all rows (bound {BOUNDS[name]:.1%})")
        # Few experiments may be those of which much is open.
        bounds.at_most(f"rows {SAID[name]}", share, BOUNDS[name], unit="%", smoke=3 * BOUNDS[name])
    print(f"{time.perf_counter() - started:.0f} s")
    bounds.at_most(f"wrong rows of {total.compared:,}", len(total.wrong), 0)
    return bounds.close()


def _compared(case: tuple[str, int, dict[str, object]]) -> Compared:
    name, seed, changed = case
    with tempfile.TemporaryDirectory() as folder:
        _, files = labeled(name, seed, Path(folder), **changed)
        return sum((compare(file) for file in files), Compared())


def shares(total: Compared) -> dict[str, float]:
    """Return which share of all rows is not compared, and which is held against a rule."""
    counts = {
        "open": total.boundary,
        "recovery": total.recovery,
        "by rule": total.unknown,
        "by impact": total.by_impact,
    }
    return {name: count / max(total.rows, 1) for name, count in counts.items()}


def _line(name: str, seeds: int, one: Compared) -> str:
    counts = f"{one.rows:>10,} {one.compared:>10,} {one.boundary:>8,} {one.recovery:>9,} {len(one.wrong):>6,}"
    return f"{name:24} {seeds:>5} {counts}"


if __name__ == "__main__":
    sys.exit(main())
