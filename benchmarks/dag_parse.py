"""Parsing each DAG file against parsing an empty one, a fresh interpreter each, in processor time: bound 1.1.

Run it as ``tools/run python benchmarks/dag_parse.py``; it ends with exit code 1 above the bound.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bounds import Bounds, options, versions

DAGS = Path(__file__).resolve().parents[1] / "dags"
BOUND = 1.1
EMPTY_FILE = "an empty DAG file in Airflow"
ROUNDS = {"full": 11, "smoke": 1}
EMPTY = """\
from airflow.sdk import dag


@dag(schedule=None)
def empty():
    pass


empty()
"""


def seconds(file: Path) -> float:
    """Return the processor time of an interpreter that runs a file; what else the machine does is hardly in it."""
    os.chdir(file.parent)
    process = os.posix_spawn(sys.executable, [sys.executable, str(file)], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{file} cannot be run")
    return used.ru_utime + used.ru_stime


def main() -> int:
    given = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    here = Path.cwd()
    peers = {EMPTY_FILE: versions("apache-airflow")["apache-airflow"]}
    bounds = Bounds(__file__, given, about="processor time of an interpreter that runs a DAG file", peers=peers)
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(EMPTY)
        files = sorted(DAGS.glob("*.py"))
        for file in [empty, *files]:
            seconds(file)  # compiles, and fills the disk's cache
        # Rounds alternate between the files, so that a slow moment of the machine strikes all of them.
        rounds = [[seconds(file) for file in [empty, *files]] for _ in range(ROUNDS[given.size])]
    os.chdir(here)
    base, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"an empty DAG file: {base:.2f} s")
    for file, taken in zip(files, others, strict=True):
        print(f"{file.name}: {taken:.2f} s, {taken / base:.2f} times the empty one (bound {BOUND})")
        # One round of a busy machine is off by more than the bound leaves.
        bounds.at_most(file.name, taken / base, BOUND, unit="x", peer=EMPTY_FILE, smoke=1.5)
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
