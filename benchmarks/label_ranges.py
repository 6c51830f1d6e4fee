"""A large file of metrics, labeled in ranges by 1, 2 and 4 processes, and joined: against one pass through it.

Prints clock, processor seconds and peak memory of each process, and of the join; then what more workers would take,
computed from the ranges' own seconds. The result has to be the same bytes for any number of workers. The file is
simulated: a node's Glances rows, one a second. ``--bytes 20e9`` is the size that docs/scale.md tells of; the others end
in a minute or two, in ranges of a tenth of the file.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bounds import Bounds, options

MEMORY_BOUND_MB = 1024
BYTES = {"full": 400e6, "smoke": 60e6}
WORKERS = (1, 2, 4)
COMPUTED = (1, 2, 4, 8, 16, 32)

GENERATE = """
import sys
import numpy as np
target, size = sys.argv[1], int(sys.argv[2])
random, n = np.random.default_rng(1), 86_400
columns = ["cpu.user", "cpu.system", "cpu.idle", "cpu.iowait", "mem.used", "mem.free", "mem.percent", "memswap.used",
           "load.min1", "load.min5", "load.min15"]
values = [random.uniform(0, most, n).round(1) for most in (60, 20, 100, 9)]
values += [random.integers(10**10, 2 * 10**10, n) for _ in range(2)]
values += [random.uniform(10, 90, n).round(1), random.integers(0, 10**8, n)]
values += [random.uniform(0, 9, n).round(2) for _ in range(3)]
rows = [",".join(map(str, row)) for row in zip(*(column.tolist() for column in values))]
rows = [f" {s // 3600:02}:{s // 60 % 60:02}:{s % 60:02},{row}\\n" for s, row in enumerate(rows)]
day, written = np.datetime64("1971-01-01"), 0
with open(target, "w", buffering=2**22) as file:
    written += file.write(",".join(["now", *columns]) + "\\n")
    while written < size:
        written += file.write("".join([f"{day}{row}" for row in rows]))
        day += 1
"""

COMMON = """
import json, os, sys, time
from pathlib import Path
from faultset.labels import divided, engine, ranges
from faultset.labels.windows import NodeWindows
from faultset.records.telemetry import TelemetryFile
source, folder, ranges.RANGE_BYTES = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
file = TelemetryFile("metrics", source, "node01_metrics.csv", "UTC", node="node01")
work = ranges.Work(file, NodeWindows((), {}))
every = ranges.ranges_of(file)
started, before, each = time.perf_counter(), os.times(), []
def report():
    took, now = time.perf_counter() - started, os.times()
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    cpu = now.user + now.system - before.user - before.system
    print(json.dumps({"s": took, "cpu": cpu, "mb": int(peak) / 1024, "each": each, "ranges": len(every)}))
"""

AT_ONCE = """
engine.label_file(file, work.node_windows, folder / "whole.parquet")
report()
"""

LABEL = """
worker, workers = int(sys.argv[4]), int(sys.argv[5])
for which in every[worker::workers]:
    begin = os.times()
    assert ranges.label_range(work, which, folder / "ranges")
    end = os.times()
    each.append(end.user + end.system - begin.user - begin.system)
report()
"""

JOIN = """
divided.label(work, folder / "joined.parquet", ranges=folder / "ranges")
report()
"""


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__.splitlines()[0]))
    parser.add_argument("--bytes", type=float, help="size of the file")
    parser.add_argument("--range-bytes", type=float, help="of a range; default: 1 GiB, or a tenth of a smaller file")
    parser.add_argument("--source", type=Path, help="a file of metrics that is there, instead of a simulated one")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS)
    parser.add_argument("--without-one-pass", action="store_true", help="do not measure one pass through the file")
    given = parser.parse_args()
    bounds = Bounds(__file__, given, about="a large file labeled in ranges by 1, 2 and 4 processes")
    with tempfile.TemporaryDirectory(prefix="label-ranges-") as name:
        folder = Path(name)
        source = given.source or folder / "node01_metrics.csv"
        if given.source is None:
            run(GENERATE, str(source), str(int(given.bytes or BYTES[given.size])))
        size = source.stat().st_size
        most = int(given.range_bytes or min(1024**3, size // 10))
        print(f"{size / 1e9:.2f} GB of CSV, ranges of at most {most / 2**20:.0f} MiB; load {os.getloadavg()[0]:.1f}")
        if not given.without_one_pass:
            told("one pass", measured(COMMON + AT_ONCE, source, folder, most))
            (folder / "whole.parquet").unlink()
        digests = set()
        each: list[float] = []
        join: dict[str, Any] = {}
        peaks = []
        for workers in given.workers:
            started = time.perf_counter()
            found = labeled(source, folder, most, workers)
            clock = time.perf_counter() - started
            for number, one in enumerate(found):
                told(f"{workers} workers, worker {number + 1}", one)
            join = measured(COMMON + JOIN, source, folder, most)
            told(f"{workers} workers, join", join)
            print(
                f"{workers} workers: {clock:.1f} s to label, {clock + join['s']:.1f} s with the join; "
                f"{sum(one['cpu'] for one in found) + join['cpu']:.1f} s of processor; load {os.getloadavg()[0]:.1f}"
            )
            each = each or [seconds for one in found for seconds in one["each"]]
            peaks += [one["mb"] for one in (*found, join)]
            digests.add(digest(folder / "joined.parquet"))
            shutil.rmtree(folder / "ranges", ignore_errors=True)
    for workers in COMPUTED:
        print(f"computed for {workers} workers with a core each: {longest(each, workers) + join['cpu']:.1f} s")
    bounds.at_most("different files that different numbers of workers make", len(digests), 1)
    bounds.at_most("peak memory of any process", max(peaks), MEMORY_BOUND_MB, unit="MB")
    return bounds.close()


def labeled(source: Path, folder: Path, most: int, workers: int) -> list[dict[str, Any]]:
    """Label all ranges by so many processes at once, and return what each tells."""
    arguments = [str(source), str(folder), str(most)]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", COMMON + LABEL, *arguments, str(number), str(workers)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(workers)
    ]
    answers = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        raise SystemExit("error: a worker failed")
    return [json.loads(text) for text in answers]


def measured(script: str, source: Path, folder: Path, most: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(script, str(source), str(folder), str(most)))
    return answer


def run(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def told(what: str, one: dict[str, Any]) -> None:
    print(f"{what}: {one['s']:.1f} s, {one['cpu']:.1f} s of processor, {one['mb']:.0f} MB", flush=True)


def longest(each: list[float], workers: int) -> float:
    """Return how long the busiest of so many workers works, each taking the next range when it is done with one."""
    heap = [0.0] * workers
    for seconds in sorted(each, reverse=True):
        heapq.heapreplace(heap, heap[0] + seconds)
    return max(heap)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
