"""Parsing each DAG file against parsing an empty one, a fresh interpreter each: goal 1.1, bound 1.3.

Run it as ``tools/run python benchmarks/dag_parse.py``; it ends with exit code 1 above the bound.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAGS = Path(__file__).resolve().parents[1] / "dags"
GOAL, BOUND = 1.1, 1.3
ROUNDS = 7
EMPTY = """\
from airflow.sdk import dag


@dag(schedule=None)
def empty():
    pass


empty()
"""


def seconds(file: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, str(file)], check=True, cwd=file.parent)
    return time.perf_counter() - start


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        files = sorted(DAGS.glob("*.py"))
        for file in [empty, *files]:
            seconds(file)  # compiles, and fills the disk's cache
        # Rounds alternate between the files, so that a slow moment of the machine strikes all of them.
        rounds = [[seconds(file) for file in [empty, *files]] for _ in range(ROUNDS)]
    base, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"an empty DAG file: {base:.2f} s")
    for file, taken in zip(files, others, strict=True):
        print(f"{file.name}: {taken:.2f} s, {taken / base:.2f} times the empty one (goal {GOAL}, bound {BOUND})")
    return int(max(others) / base > BOUND)


if __name__ == "__main__":
    sys.exit(main())
