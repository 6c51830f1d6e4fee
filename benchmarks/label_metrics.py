"""Labeling metrics, against the fastest plain conversion of the same CSV to parquet, and against the peer's method.

Prints the ratios in time, peak memory and file size, measured in one run, each measurement in a fresh process. The file
is simulated: a node's Glances rows, with 300 windows, some of which overlap. The plain conversions parse the time,
compress with zstd and write row groups of the same size; DuckDB is left out, visibly, where it is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROW_GROUP = 131_072
WINDOWS = 300
NAIVE_ROWS = 200_000
TIME_GOAL, TIME_BOUND = 1.10, 1.40
MEMORY_GOAL_MB, MEMORY_BOUND_MB = 512, 768
SIZE_BOUND = 1.10

GENERATE = """
import sys
import numpy as np, polars as pl
target, rows = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
last, load, first = 1_547_000_000.0, 8.0, True
with open(target, "wb") as file:
    for begin in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - begin)
        steps = np.clip(random.normal(0.75, 0.3, n), 0.05, 3)
        steps[random.random(n) < 0.001] += 20
        t = last + np.cumsum(steps)
        walk = load + np.cumsum(random.normal(0, 0.0005, n))
        last, load = t[-1], walk[-1]
        day = np.sin(t / 86_400 * 6.283)
        cpu = np.clip(22 + random.normal(0, 3, n) + 4 * day, 0.1, 100).round(1)
        mem = ((14 + 0.2 * day) * 2**30 + random.normal(0, 0.01 * 2**30, n)).astype(np.int64) // 4096 * 4096
        loads = {f"load.min{m}": (walk * f).round(2) for m, f in ((1, 1.0), (5, 0.99), (15, 0.98))}
        values = {"cpu.user": cpu, "mem.used": mem, "load.cpucore": np.full(n, 8), **loads}
        frame = pl.DataFrame({"t": t.astype(np.int64), **values})
        wall = pl.from_epoch("t", "s").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
        frame = frame.select(wall.dt.strftime("%Y-%m-%d %H:%M:%S CEST").alias("now"), pl.exclude("t"))
        frame.write_csv(file, include_header=first)
        first = False
"""

COMMON = """
import datetime as dt, json, random, sys, time
source, target, row_group, count, rows = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
BEGIN = dt.datetime(2019, 1, 9, 3, tzinfo=dt.UTC)
def spans():
    chance = random.Random(1)
    for number in range(count):
        start = BEGIN + dt.timedelta(seconds=chance.uniform(0, 0.7 * rows))
        yield f"NovaServers.boot_and_delete_server-0-67d2d0fd:0:iteration:{number}", start, start + dt.timedelta(
            seconds=chance.uniform(10, 3000)), chance.random() < 0.5
def report(started):
    took = time.perf_counter() - started
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    print(json.dumps({"s": took, "mb": int(peak) / 1024}))
"""

OURS = """
from pathlib import Path
from faultset.labels.engine import label_file
from faultset.labels.windows import Policy, windows
from faultset.records import TelemetryFile
from faultset.tables import ImpactRow, InjectionRow, TargetRow
injections, targets, impacts = [], [], []
for name, start, end, moved in spans():
    injections.append(InjectionRow(name, name, "w", "iteration", 1.0, start, end, 0.0, 0.0, "results", "failed", 1,
                                   "restart", "full", "", None))
    targets.append(TargetRow(name, "wally113", None, None, None, "nova_compute", "nova", "openstack", "restart", 1,
                             True, True, moved, "exact", ""))
    if moved:
        impacts.append(ImpactRow(name, "wally113", "mem.used", start, end + dt.timedelta(seconds=100), "up", "detected",
                                 "bench", 5.0, 0.01))
file = TelemetryFile("metrics", source, Path(source).name, "Europe/Berlin")
started = time.perf_counter()
label_file(file, windows(injections, targets, impacts, Policy()), Path(target), nodes=["wally113"])
report(started)
"""

POLARS = """
import polars as pl
started = time.perf_counter()
times = pl.col("now").str.slice(0, 19).str.strptime(pl.Datetime("us"), "%Y-%m-%d %H:%M:%S", strict=False)
frame = pl.scan_csv(source).with_columns(times.alias("timestamp"))
frame.sink_parquet(target, compression="zstd", row_group_size=row_group)
report(started)
"""

PYARROW = """
import pyarrow.compute as pc, pyarrow.csv, pyarrow.parquet as pq
started = time.perf_counter()
table = pyarrow.csv.read_csv(source)
times = pc.strptime(pc.utf8_slice_codeunits(table["now"], 0, 19), "%Y-%m-%d %H:%M:%S", "us")
pq.write_table(table.append_column("timestamp", times), target, compression="zstd", row_group_size=row_group)
report(started)
"""

DUCKDB = """
import duckdb
started = time.perf_counter()
duckdb.sql(f"copy (select *, strptime(substr(now, 1, 19), '%Y-%m-%d %H:%M:%S') as timestamp from read_csv('{source}', "
           f"types={{'now': 'VARCHAR'}})) to '{target}' (format parquet, compression zstd, row_group_size {row_group})")
report(started)
"""

# Parse in a loop over the rows, spread repeated seconds, then a mask a window.
NAIVE = """
import csv, zoneinfo
import pandas as pd
started = time.perf_counter()
zone, times, frame = zoneinfo.ZoneInfo("Europe/Berlin"), [], []
with open(source) as file:
    for row in csv.DictReader(file):
        times.append(dt.datetime.strptime(row["now"][:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone).timestamp())
        frame.append({name: float(value) for name, value in row.items() if name != "now"})
begin = 0
for place in range(1, len(times) + 1):
    if place == len(times) or times[place] != times[begin]:
        for one in range(begin, place):
            times[one] += (one - begin) / (place - begin)
        begin = place
frame = pd.DataFrame(frame)
frame["timestamp"] = times
frame["label"] = 0
for name, start, end, moved in spans():
    frame.loc[(frame["timestamp"] >= start.timestamp()) & (frame["timestamp"] < end.timestamp()), "label"] = 1
frame.to_parquet(target)
report(started)
"""

PLAIN = {"Polars": POLARS, "pyarrow": PYARROW, "DuckDB": DUCKDB}


def measure(code: str, source: Path, rows: int) -> dict[str, float]:
    target = source.with_suffix(".parquet")
    call = [sys.executable, "-c", COMMON + code, source, target, ROW_GROUP, WINDOWS, rows]
    done = subprocess.run([str(part) for part in call], capture_output=True, text=True, check=True)
    size = target.stat().st_size / 1e6
    target.unlink()
    return {**json.loads(done.stdout), "size": size}


def generate(folder: Path, rows: int) -> Path:
    source = folder / f"wally113_{rows}.csv"
    subprocess.run([sys.executable, "-c", GENERATE, str(source), str(rows)], check=True)
    return source


def compare(source: Path, rows: int, rounds: int) -> bool:
    """Print time and size against the plain conversions, and memory; return whether all bounds hold."""
    plain: dict[str, dict[str, float]] = {}
    for name, code in PLAIN.items():
        if name == "DuckDB" and importlib.util.find_spec("duckdb") is None:
            print("  DuckDB   left out: duckdb is not installed")
            continue
        plain[name] = measure(code, source, rows)
        print("  {:8} {s:6.2f} s {mb:6.0f} MB peak {size:7.1f} MB file".format(name, **plain[name]))
    fastest = min(plain, key=lambda name: plain[name]["s"])
    pairs = [(measure(PLAIN[fastest], source, rows), measure(OURS, source, rows)) for _ in range(rounds)]
    ratio = statistics.median(ours["s"] / peer["s"] for peer, ours in pairs)
    seconds = statistics.median(ours["s"] for _, ours in pairs)
    memory = max(ours["mb"] for _, ours in pairs)
    size = pairs[0][1]["size"] / min(found["size"] for found in plain.values())
    print(f"labeled  {seconds:6.2f} s {memory:6.0f} MB peak {pairs[0][1]['size']:7.1f} MB file, median of {rounds}")
    print(f"  time   {ratio:.2f} x {fastest} (goal {TIME_GOAL:.2f}, bound {TIME_BOUND:.2f})")
    print(f"  memory {memory:.0f} MB (goal {MEMORY_GOAL_MB}, bound {MEMORY_BOUND_MB})")
    print(f"  size   {size:.2f} x the smallest (bound {SIZE_BOUND:.2f})")
    return ratio <= TIME_BOUND and memory <= MEMORY_BOUND_MB and size <= SIZE_BOUND


def compare_naive(folder: Path) -> None:
    """Print the factor against the peer's method, both on the same small file."""
    source = generate(folder, NAIVE_ROWS)
    naive, ours = measure(NAIVE, source, NAIVE_ROWS), measure(OURS, source, NAIVE_ROWS)
    print(f"  {naive['s'] / ours['s']:.0f} x as fast as a loop over rows and a mask a window ({NAIVE_ROWS:,} rows)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-at", type=int, nargs="*", default=[1_000_000, 30_000_000], help="rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = generate(folder, arguments.rows)
        print(f"labeling {arguments.rows:,} rows of metrics ({source.stat().st_size / 1e6:.0f} MB), {WINDOWS} windows:")
        fine = compare(source, arguments.rows, arguments.rounds)
        source.unlink()
        compare_naive(folder)
        for rows in arguments.memory_at:
            source = generate(folder, rows)
            found = measure(OURS, source, rows)
            source.unlink()
            print(f"  {rows:,} rows: {found['s']:.2f} s, {found['mb']:.0f} MB peak")
            fine = fine and found["mb"] <= MEMORY_BOUND_MB
    if not fine:
        sys.exit("above the bound")


if __name__ == "__main__":
    main()
