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

from bounds import Bounds, options, versions

ROW_GROUP = 131_072
WINDOWS = 300
NAIVE_ROWS = 200_000
TIME_GOAL, TIME_BOUND = 1.10, 1.40
MEMORY_GOAL_MB, MEMORY_BOUND_MB = 512, 768
SIZE_BOUND = 1.10
ROWS, ROUNDS = {"full": 10_000_000, "smoke": 300_000}, {"full": 3, "smoke": 1}
MEMORY_AT: dict[str, list[int]] = {"full": [1_000_000, 30_000_000], "smoke": []}
SMOKE_TIME_BOUND = 4.0  # of few rows the time is what an interpreter needs to begin

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
        columns = {"t": t.astype(np.int64), "cpu.user": cpu, "mem.used": mem, "load.cpucore": np.full(n, 8)}
        frame = pl.DataFrame({**columns, **loads})
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
from faultset.records.telemetry import TelemetryFile
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
duckdb.sql("set enable_progress_bar = false")
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

# Read the rows of one injection, five minutes more on both sides, from a labeled file.
ONE_INJECTION = """
import io, os
import pyarrow as pa, pyarrow.parquet as pq
class Counting(io.FileIO):
    bytes_read = 0
    def read(self, size=-1):
        data = super().read(size)
        Counting.bytes_read += len(data)
        return data
name, start, end, _ = min(spans(), key=lambda span: abs(span[1] - BEGIN - dt.timedelta(seconds=0.35 * rows)))
margin = dt.timedelta(minutes=5)
between = [("timestamp", ">=", start - margin), ("timestamp", "<", end + margin)]
found = pq.read_table(pa.PythonFile(Counting(source)), filters=between, pre_buffer=False)
assert any(name in ids for ids in found["injection_ids"].to_pylist())
print(json.dumps({"rows": len(found), "read": Counting.bytes_read / 1e6, "stored": os.path.getsize(source) / 1e6}))
"""

PLAIN = {"Polars": POLARS, "pyarrow": PYARROW, "DuckDB": DUCKDB}


def run(code: str, source: Path, rows: int) -> dict[str, float]:
    call = [sys.executable, "-c", COMMON + code, source, source.with_suffix(".parquet"), ROW_GROUP, WINDOWS, rows]
    done = subprocess.run([str(part) for part in call], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(code: str, source: Path, rows: int) -> dict[str, float]:
    found = run(code, source, rows)
    return {**found, "size": source.with_suffix(".parquet").stat().st_size / 1e6}


def generate(folder: Path, rows: int) -> Path:
    source = folder / f"wally113_{rows}.csv"
    subprocess.run([sys.executable, "-c", GENERATE, str(source), str(rows)], check=True)
    return source


def compare(source: Path, rows: int, rounds: int, bounds: Bounds) -> None:
    """Print time, memory and size against the plain conversions, and hold them against the bounds."""
    codes = {**PLAIN, "labeled": OURS}
    if importlib.util.find_spec("duckdb") is None:
        del codes["DuckDB"]
        bounds.note("DuckDB is left out: it is not installed")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            found[name].append(measure(code, source, rows))
    one = run(ONE_INJECTION, source.with_suffix(".parquet"), rows)
    seconds = {name: statistics.median(one["s"] for one in each) for name, each in found.items()}
    memory = {name: max(one["mb"] for one in each) for name, each in found.items()}
    sizes = {name: each[0]["size"] for name, each in found.items()}
    for name in codes:
        print(f"  {name:8} {seconds[name]:6.2f} s {memory[name]:6.0f} MB peak {sizes[name]:7.1f} MB file")
    plain = [name for name in codes if name != "labeled"]
    fastest, smallest = (min(plain, key=which.__getitem__) for which in (seconds, sizes))
    ratio, size = seconds["labeled"] / seconds[fastest], sizes["labeled"] / sizes[smallest]
    print(f"  time   {ratio:.2f} x {fastest} (goal {TIME_GOAL:.2f}, bound {TIME_BOUND:.2f}), median of {rounds}")
    print(f"  memory {memory['labeled']:.0f} MB (goal {MEMORY_GOAL_MB}, bound {MEMORY_BOUND_MB})")
    print(f"  size   {size:.2f} x {smallest} (bound {SIZE_BOUND:.2f})")
    print("  one injection's {rows:,.0f} rows: {read:.1f} MB read of {stored:.1f} MB stored".format(**one))
    compare_naive(source.parent, seconds["labeled"] / rows)
    what = f"{rows:,} rows"
    bounds.at_most(f"{what}: time", ratio, TIME_BOUND, unit="x", peer=fastest, smoke=SMOKE_TIME_BOUND)
    bounds.at_most(f"{what}: file size", size, SIZE_BOUND, unit="x", peer=smallest, smoke=2 * SIZE_BOUND)
    bounds.at_most(f"{what}: peak memory", memory["labeled"], MEMORY_BOUND_MB, unit="MB")


def compare_naive(folder: Path, seconds_a_row: float) -> None:
    """Print the factor against the peer's method, which is tried on few rows: its time grows with them."""
    naive = measure(NAIVE, generate(folder, NAIVE_ROWS), NAIVE_ROWS)["s"] / NAIVE_ROWS
    print(f"  {naive / seconds_a_row:.0f} x as fast a row as a loop over rows, then a mask a window")


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--memory-at", type=int, nargs="*", help="rows")
    arguments = parser.parse_args()
    wanted, rounds = arguments.rows or ROWS[arguments.size], arguments.rounds or ROUNDS[arguments.size]
    memory_at = MEMORY_AT[arguments.size] if arguments.memory_at is None else arguments.memory_at
    names = {"polars": "Polars", "pyarrow": "pyarrow", "duckdb": "DuckDB"}
    peers = {names[name]: known for name, known in versions(*names).items()}
    about = f"labeling Glances' rows, {WINDOWS} windows, beside the fastest plain conversion of the CSV to parquet"
    bounds = Bounds(__file__, arguments, about=about, peers=peers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = generate(folder, wanted)
        print(f"labeling {wanted:,} rows of metrics ({source.stat().st_size / 1e6:.0f} MB), {WINDOWS} windows:")
        compare(source, wanted, rounds, bounds)
        source.unlink()
        for rows in memory_at:
            source = generate(folder, rows)
            found = measure(OURS, source, rows)
            source.unlink()
            print(f"  {rows:,} rows: {found['s']:.2f} s, {found['mb']:.0f} MB peak")
            bounds.at_most(f"{rows:,} rows: peak memory", found["mb"], MEMORY_BOUND_MB, unit="MB")
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
