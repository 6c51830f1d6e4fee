"""Labeling of formats beside Glances' CSV, against the fastest plain conversion of the same file to parquet.

A CSV of any columns is held against Polars and pyarrow; JSON of Prometheus and of OTLP against orjson, which reads the
whole file, and Polars, which makes a table of it. Prints ratios in time and peak memory, each in a fresh process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bounds import Bounds, options, versions

MEMORY_BOUND_MB = 768

GENERATE_CSV = """
import sys
import numpy as np, polars as pl
target, rows = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
first, begin = True, 1_547_000_000
with open(target, "wb") as file:
    for start in range(0, rows, 1_000_000):
        n = min(1_000_000, rows - start)
        at = pl.from_epoch(pl.Series(begin + np.arange(start, start + n)), "s").dt.replace_time_zone("UTC")
        frame = pl.DataFrame({
            "time": at.dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            "cpu": np.clip(22 + random.normal(0, 3, n), 0.1, 100).round(1),
            "memory": random.integers(10**10, 2 * 10**10, n) // 4096 * 4096,
            "disk": random.integers(0, 10**6, n), "net": random.normal(5, 1, n).round(2),
            "load": random.normal(8, 1, n).round(2),
        })
        frame.write_csv(file, include_header=first)
        first = False
"""

GENERATE_PROMETHEUS = """
import sys
import numpy as np
target, rows = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
points = 10_000
with open(target, "w") as file:
    file.write('{"status":"success","data":{"resultType":"matrix","result":[')
    for number in range(max(1, rows // points)):
        values = np.round(random.normal(100, 5, points), 3)
        text = ",".join(f'[{1547000000 + 15 * place},"{value}"]' for place, value in enumerate(values))
        labels = f'"__name__":"m{number % 50}","instance":"cmp{number // 50:03}:9100","job":"node"'
        file.write(("," if number else "") + '{"metric":{' + labels + '},"values":[' + text + "]}")
    file.write("]}}")
"""

GENERATE_OTLP = """
import json, sys
import numpy as np
target, rows = sys.argv[1], int(sys.argv[2])
random = np.random.default_rng(1)
with open(target, "w") as file:
    for second in range(max(1, rows // 20)):
        when = str((1547000000 + second) * 10**9)
        metrics = [{"name": f"system.metric.{n}", "unit": "By", "gauge": {"dataPoints": [
            {"timeUnixNano": when, "asDouble": float(value), "attributes": [
                {"key": "state", "value": {"stringValue": "used"}}]}]}}
            for n, value in enumerate(np.round(random.normal(100, 5, 20), 3))]
        host = {"attributes": [{"key": "host.name", "value": {"stringValue": f"cmp{second % 5}"}}]}
        batch = {"resource": host, "scopeMetrics": [{"metrics": metrics}]}
        file.write(json.dumps({"resourceMetrics": [batch]}) + "\\n")
"""

COMMON = """
import json, sys, time
source, target = sys.argv[1:3]
began = time.process_time()
def report(started):
    took, cpu = time.perf_counter() - started, time.process_time() - began
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    print(json.dumps({"s": took, "cpu": cpu, "mb": int(peak) / 1024}))
"""

OURS = """
from pathlib import Path
from faultset.labels.engine import label_file
from faultset.labels.windows import Policy, windows
from faultset.records.telemetry import TelemetryFile
from faultset.tables import InjectionRow, TargetRow
import datetime as dt
injections, targets = [], []
for number in range(300):
    begin = dt.datetime.fromtimestamp(1547000000 + 500 * number, dt.UTC)
    end = begin + dt.timedelta(seconds=30)
    injections.append(InjectionRow(f"i{number}", f"i{number}", "w", "iteration", 1.0, begin, end, 0.0, 0.0, "results",
                                   "failed", 1, "restart", "full", "", None))
    targets.append(TargetRow(f"i{number}", "cmp000", None, None, None, "nova_compute", "nova", "openstack",
                             "restart", 1, True, True, True, "exact", ""))
file = TelemetryFile("metrics", source, "cmp000_x", "UTC")
started = time.perf_counter()
label_file(file, windows(injections, targets, [], Policy()), Path(target))
report(started)
"""

POLARS_CSV = """
import polars as pl
started = time.perf_counter()
frame = pl.scan_csv(source).with_columns(pl.col("time").str.to_datetime("%Y-%m-%dT%H:%M:%S%#z").alias("timestamp"))
frame.sink_parquet(target, compression="zstd", row_group_size=131072)
report(started)
"""

PYARROW_CSV = """
import pyarrow.csv, pyarrow.parquet as pq
started = time.perf_counter()
table = pyarrow.csv.read_csv(source)
pq.write_table(table, target, compression="zstd", row_group_size=131072)
report(started)
"""

ORJSON_PROMETHEUS = """
import orjson, polars as pl
started = time.perf_counter()
document = orjson.loads(open(source, "rb").read())
parts = []
for series in document["data"]["result"]:
    labels = series["metric"]
    times = [time for time, _ in series["values"]]
    values = pl.Series([value for _, value in series["values"]]).cast(pl.Float64)
    parts.append(pl.DataFrame({"time": times, "value": values}).with_columns(
        pl.from_epoch(pl.col("time"), "s").alias("timestamp"), pl.lit(labels["__name__"]).alias("metric"),
        pl.lit(labels["instance"]).alias("node"), pl.lit(json.dumps(labels)).alias("labels")))
pl.concat(parts).write_parquet(target, compression="zstd", row_group_size=131072)
report(started)
"""

ORJSON_OTLP = """
import orjson, polars as pl
started = time.perf_counter()
rows = []
for line in open(source, "rb"):
    for batch in orjson.loads(line)["resourceMetrics"]:
        told = {one["key"]: one["value"]["stringValue"] for one in batch["resource"]["attributes"]}
        for scope in batch["scopeMetrics"]:
            for metric in scope["metrics"]:
                for point in metric["gauge"]["dataPoints"]:
                    attributes = {one["key"]: one["value"]["stringValue"] for one in point["attributes"]}
                    rows.append((int(point["timeUnixNano"]), told["host.name"], metric["name"], metric["unit"],
                                 point["asDouble"], orjson.dumps(attributes).decode()))
frame = pl.DataFrame(rows, schema=["time", "node", "metric", "unit", "value", "attributes"], orient="row")
frame = frame.with_columns(pl.from_epoch(pl.col("time"), "ns").alias("timestamp"))
frame.write_parquet(target, compression="zstd", row_group_size=131072)
report(started)
"""


@dataclass(frozen=True)
class Case:
    name: str
    generate: str
    plain: dict[str, str]
    bound: float
    rows: int


CASES = (
    Case("any CSV", GENERATE_CSV, {"Polars": POLARS_CSV, "pyarrow": PYARROW_CSV}, 1.15, 10_000_000),
    Case("Prometheus JSON", GENERATE_PROMETHEUS, {"orjson and Polars": ORJSON_PROMETHEUS}, 1.5, 5_000_000),
    Case("OTLP JSON", GENERATE_OTLP, {"orjson and Polars": ORJSON_OTLP}, 1.5, 1_000_000),
)
SHARE, ROUNDS = {"full": 1.0, "smoke": 0.05}, {"full": 3, "smoke": 1}
SMOKE_BOUND = 4.0  # of few rows the time is what an interpreter needs to begin


def run(code: str, source: Path, target: Path) -> dict[str, float]:
    call = [sys.executable, "-c", COMMON + code, str(source), str(target)]
    return json.loads(subprocess.run(call, capture_output=True, text=True, check=True).stdout)


def compare(case: Case, folder: Path, rows: int, rounds: int, bounds: Bounds) -> None:
    """Print time and memory against the plain conversions, and hold them against the bounds."""
    source, target = folder / "cmp000_source", folder / "out.parquet"
    subprocess.run([sys.executable, "-c", case.generate, str(source), str(rows)], check=True)
    print(f"{case.name}, {rows:,} rows ({source.stat().st_size / 1e6:.0f} MB):")
    codes = {**case.plain, "labeled": OURS}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in codes}
    for _ in range(rounds):
        for name, code in codes.items():
            found[name].append(run(code, source, target))
    seconds = {name: statistics.median(one["s"] for one in each) for name, each in found.items()}
    cpu = {name: statistics.median(one["cpu"] for one in each) for name, each in found.items()}
    memory = {name: max(one["mb"] for one in each) for name, each in found.items()}
    for name in codes:
        print(f"  {name:18} {seconds[name]:6.2f} s ({cpu[name]:.2f} s of CPU), {memory[name]:.0f} MB peak")
    fastest = min(case.plain, key=lambda name: seconds[name])
    ratio = seconds["labeled"] / seconds[fastest]
    print(f"  time {ratio:.2f} x {fastest} (bound {case.bound:.2f}), median of {rounds}; {MEMORY_BOUND_MB} MB at most")
    what = f"{case.name}, {rows:,} rows"
    bounds.at_most(f"{what}: time", ratio, case.bound, unit="x", peer=fastest, smoke=SMOKE_BOUND)
    bounds.at_most(f"{what}: peak memory", memory["labeled"], MEMORY_BOUND_MB, unit="MB")


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--share", type=float, help="of the rows, for a first look")
    parser.add_argument("--rounds", type=int)
    arguments = parser.parse_args()
    share, rounds = arguments.share or SHARE[arguments.size], arguments.rounds or ROUNDS[arguments.size]
    known = versions("polars", "pyarrow", "orjson")
    peers = {
        "Polars": known["polars"],
        "pyarrow": known["pyarrow"],
        "orjson and Polars": f"{known['orjson']} and {known['polars']}",
    }
    bounds = Bounds(
        __file__, arguments, about="labeling files beside the fastest plain conversion to parquet", peers=peers
    )
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            compare(case, Path(name), round(case.rows * share), rounds, bounds)
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
