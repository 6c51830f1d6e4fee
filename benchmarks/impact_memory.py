"""Peak memory of finding impacts in long recordings: five nodes, six KPIs, as many rows as asked for.

The recording is simulated by ``label_metrics``; what is measured is the reading of the series, the detection, the
tolerance table and the outcomes, in a fresh process: all that a build does with metrics before it labels rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bounds import Bounds, options
from label_metrics import COMMON, GENERATE

NODES = 5
BOUND_MB = 768
ROWS, INJECTIONS = {"full": 30_000_000, "smoke": 300_000}, {"full": 30, "smoke": 8}

ANALYSE = """
from pathlib import Path
from faultset.pipeline import analysis
from faultset.records.telemetry import TelemetryFile
from faultset.tables import InjectionRow, TargetRow
from faultset.truth import Truth
injections, targets = [], []
for name, start, end, _ in spans():
    injections.append(InjectionRow(name, name, "w", "iteration", 1.0, start, min(end, start + dt.timedelta(seconds=60)),
                                   0.0, 0.0, "results", "ok", 0, "restart", "full", "", None))
    targets.append(TargetRow(name, "wally1", None, None, None, "nova_compute", "nova", "openstack", "restart", 1,
                             True, True, True, "exact", ""))
files = [TelemetryFile("metrics", str(path), path.name, "Europe/Berlin") for path in sorted(Path(source).glob("*.csv"))]
started = time.perf_counter()
found = analysis.analyse(Truth((), (), tuple(injections), tuple(targets), ()), None, files, None)
print(f"{sum(map(len, (one.time_us for one in found.metrics().series.values()))):,} values held, "
      f"{found.summary['parameters']['quiet_hours_read_share']:.1%} of the quiet hours", file=sys.stderr)
report(started)
"""


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--rows", type=int, help="of all nodes together")
    parser.add_argument("--injections", type=int, help="30, or 8 where it is to end soon")
    arguments = parser.parse_args()
    rows = arguments.rows or ROWS[arguments.size]
    each = rows // NODES
    injections = arguments.injections or INJECTIONS[arguments.size]
    about = f"finding impacts in {rows:,} rows of {NODES} nodes, {injections} injections"
    bounds = Bounds(__file__, arguments, about=about)
    with tempfile.TemporaryDirectory() as name:
        first = Path(name) / "wally1_metrics.csv"
        subprocess.run([sys.executable, "-c", GENERATE, str(first), str(each)], check=True)
        for number in range(2, NODES + 1):
            (Path(name) / f"wally{number}_metrics.csv").hardlink_to(first)
        call = [sys.executable, "-c", COMMON + ANALYSE, name, "-", 0, injections, each]
        done = subprocess.run([str(part) for part in call], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    print(f"{rows:,} rows of {NODES} nodes: {found['s']:.0f} s, {found['mb']:.0f} MB peak")
    bounds.at_most("peak memory", found["mb"], BOUND_MB, unit="MB")
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
