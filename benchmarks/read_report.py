"""Reading a large Rally report, against a plain read of the file plus ``orjson`` of its two literals.

Prints the ratio in time and in peak memory, both measured in one run, each round a fresh process. The report is
simulated: 100,000 iterations, 500 hook results, about 50 MB.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bounds import Bounds, options, versions

ROUNDS, ITERATIONS = {"full": 7, "smoke": 3}, {"full": 100_000, "smoke": 10_000}
PEER = """
import json, resource, sys, time
import orjson
path = sys.argv[1]
started = time.perf_counter()
with open(path, "rb") as file:
    data = file.read()
view = memoryview(data)
for name in (b"source", b"scenarios"):
    start = data.index(b"\\n        $scope." + name + b" = ") + len(name) + 19
    end = data.index(b"\\n", start)
    value = orjson.loads(view[start : end - 1])
took = time.perf_counter() - started
print(json.dumps({"s": took, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""

OURS = """
import json, resource, sys, time
import orjson
from faultset.sources.rally.report import read_report
path = sys.argv[1]
started = time.perf_counter()
run = read_report(path)
took = time.perf_counter() - started
assert sum(w.iterations_count for w in run.workloads) > 0
print(json.dumps({"s": took, "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def measure(code: str, path: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> int:
    parser = options(argparse.ArgumentParser(description=__doc__))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--iterations", type=int)
    arguments = parser.parse_args()
    iterations = arguments.iterations or ITERATIONS[arguments.size]
    from faultset import simulator

    with tempfile.TemporaryDirectory() as folder:
        simulator.simulate("large", Path(folder), seed=1, iterations=iterations)
        report = Path(folder) / "report.html"
        size = report.stat().st_size / 1e6
        about = f"reading a Rally report of {size:.0f} MB, {iterations:,} iterations, beside a plain read and orjson"
        bounds = Bounds(__file__, arguments, about=about, peers=versions("orjson"))
        rounds = arguments.rounds or ROUNDS[arguments.size]
        pairs = [(measure(PEER, report), measure(OURS, report)) for _ in range(rounds)]
    time_ratio = statistics.median(ours["s"] / peer["s"] for peer, ours in pairs)
    memory_ratio = statistics.median(ours["kib"] / peer["kib"] for peer, ours in pairs)
    peer_s = statistics.median(peer["s"] for peer, _ in pairs)
    peer_mb = statistics.median(peer["kib"] for peer, _ in pairs) / 1024
    print(f"reading a report of {size:.0f} MB against read + orjson ({peer_s:.2f} s, {peer_mb:.0f} MiB peak):")
    print(f"  time   {time_ratio:.2f} x (goal 1.3, bound 1.6)")
    print(f"  memory {memory_ratio:.2f} x (goal 1.3, bound 1.6)")
    # A small report is read in a tenth of a second, of which what is done once is much.
    bounds.at_most("time", time_ratio, 1.6, unit="x", peer="orjson", smoke=8.0)
    bounds.at_most("peak memory", memory_ratio, 1.6, unit="x", peer="orjson", smoke=4.0)
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
