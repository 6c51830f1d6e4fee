"""Runs the benchmarks one after another and writes the page of what they measured; fails where a bound is passed.

tools/run python benchmarks/run.py [--size smoke] [NAME ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from bounds import RESULTS, SIZES, Measured
from report import write

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
HELPERS = {"bounds", "report", "run", "side_by_side"}


def main() -> int:
    """Run all, or those named; return the exit code."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in HELPERS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks; all where none is named")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--results", type=Path, help="folder of what each measured; the page of a smoke run, too")
    parser.add_argument("--page", type=Path, help="the page to write")
    parser.add_argument("--images", type=Path, help="the folder of its pictures")
    given = parser.parse_args()
    if unknown := set(given.names) - set(names):
        print(
            f"error: no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(names)}", file=sys.stderr
        )
        return 2
    results = (given.results or RESULTS / given.size).resolve()
    # What a small input says of speed is no reference.
    docs = given.size == "full" and not given.results
    page = given.page or (DOCS / "reference" / "benchmarks.md" if docs else results / "benchmarks.md")
    images = given.images or (DOCS / "images" if docs else results)
    wanted = given.names or names
    failed = [name for name in wanted if not ran(name, given.size, results)]
    # Named ones are run again beside what the others left.
    there = [Measured.read(path) for name in names if (path := results / f"{name}.json").is_file()]
    unseen = {*names} - {one.benchmark for one in there}
    ended_early = [name for name in failed if name in unseen]
    write(there, ended_early, page, images, absent=sorted(unseen - {*failed}))
    print(f"written: {page}")
    if failed:
        print(f"error: a bound is passed, or no number came, in {', '.join(failed)}; see above", file=sys.stderr)
    return int(bool(failed))


def ran(name: str, size: str, results: Path) -> bool:
    """Run one; return whether it ended well and wrote numbers of which all bounds hold."""
    print(f"== {name} ({size})", flush=True)
    begun, target = time.monotonic(), results / f"{name}.json"
    target.unlink(missing_ok=True)
    call = [sys.executable, str(HERE / f"{name}.py"), "--size", size, "--results", str(results)]
    code = subprocess.run(call, check=False, stdin=subprocess.DEVNULL).returncode
    print(f"== {name}: {time.monotonic() - begun:.0f} s, exit code {code}", flush=True)
    return code == 0 and target.is_file() and all(held.holds for held in Measured.read(target).held)


if __name__ == "__main__":
    sys.exit(main())
