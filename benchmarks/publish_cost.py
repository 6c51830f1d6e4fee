"""What ``faultset publish`` of a fresh sample costs, a new process each time, against what its libraries cost alone.

    tools/run python benchmarks/publish_cost.py [--size smoke]

The sample is the simulator's Restart of a Glance API: 5 nodes, 3 injections, metrics, logs and traces. In each round it
is published for the first time, and two named peers run beside, each in an interpreter of its own:

* *checkpoint* imports pandas, pyarrow and Great Expectations, and runs a checkpoint of one expectation over one row;
* *picture* imports polars, SciPy's filters and matplotlib, and draws one picture with one line.

All times are processor seconds, user and system, so that what else the machine does is hardly in them. Exit code 1
where publishing costs more than so many times both peers together.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bounds import Bounds, options, versions

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "include")]

SCENARIO = "glance-api-restart"
BOUND = 2.8  # times both peers together
# One round of a busy machine is off by more than the bound leaves.
BOUND_OF_ONE_ROUND = 3.2
BOTH = "a checkpoint and a picture"
ROUNDS = {"full": 5, "smoke": 1}
PUBLISH = "from faultset.cli import main\nmain()"
CHECKPOINT = """
import pandas, pyarrow
import great_expectations as gx
context = gx.get_context(mode="ephemeral")
asset = context.data_sources.add_pandas("peer").add_dataframe_asset("frame")
suite = context.suites.add(gx.ExpectationSuite("peer"))
suite.add_expectation(gx.expectations.ExpectColumnValuesToNotBeNull(column="value"))
whole = asset.add_batch_definition_whole_dataframe("whole")
definition = context.validation_definitions.add(gx.ValidationDefinition(name="peer", data=whole, suite=suite))
checkpoint = context.checkpoints.add(gx.Checkpoint(name="peer", validation_definitions=[definition]))
assert checkpoint.run(batch_parameters={"dataframe": pandas.DataFrame({"value": [1]})}).success
"""
PICTURE = """
import io
import polars, scipy.ndimage
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
figure = Figure(figsize=(12, 8), dpi=100)
FigureCanvasAgg(figure)
figure.add_subplot().plot([1, 2, 3])
buffer = io.BytesIO()
figure.savefig(buffer, format="png")
assert buffer.getvalue().startswith(b"\\x89PNG")
"""
# The parts of a publication, by the functions that do them; what is called within another part counts for its own.
PARTS = """
import functools, json, os, sys, time
clock = time.process_time
spent, open_yet = {"start of the interpreter": clock()}, []

def timed(part, module, name):
    known = getattr(module, name)
    @functools.wraps(known)
    def asked(*arguments, **named):
        begun, outer = clock(), len(open_yet)
        open_yet.append(0.0)
        try:
            return known(*arguments, **named)
        finally:
            took = clock() - begun
            spent[part] = spent.get(part, 0.0) + took - open_yet.pop()
            if outer:
                open_yet[-1] += took
    setattr(module, name, asked)

import faultset.cli
from faultset import recipe
timed("digest of the recipe", recipe, "digest")
from faultset.pipeline import analysis
timed("tests of logs, spans and load", analysis, "ask")
timed("tests of metrics", analysis, "detect")
timed("calibration", analysis, "calibrate")
timed("pictures", analysis, "draw")
from faultset.pipeline import approving, building, rebuilding
timed("reading and hashing", building, "extract")
timed("labels", building, "label")
spent["imports of our own"] = clock() - spent["start of the interpreter"]
begun = clock()
from faultset.expectations import loading
loading.great_expectations()
spent["import of Great Expectations"] = clock() - begun
from faultset.expectations import run, site
timed("checks", run, "_results")
timed("Data Docs", site, "write")
try:
    faultset.cli.main()
except SystemExit as end:
    assert not end.code, end.code
spent["the rest"] = clock() - sum(spent.values())
with open(os.environ["PARTS"], "w") as file:
    json.dump(spent, file)
"""


def seconds(code: str, folder: Path, arguments: Sequence[str] = ()) -> float:
    """Return the processor time of a new interpreter that runs ``code``, with an empty root and work folder."""
    for name in ("datasets", "work"):
        shutil.rmtree(folder / name, ignore_errors=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "include"),
        "FAULTSET_CATALOG": str(folder / "catalog"),
        "FAULTSET_DATASETS": str(folder / "datasets"),
        "FAULTSET_WORK": str(folder / "work"),
        "GX_ANALYTICS_ENABLED": "false",
        "PARTS": str(folder / "parts.json"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installation has its bytecode
    with (folder / "said").open("wb") as said:
        actions = [(os.POSIX_SPAWN_DUP2, said.fileno(), 1), (os.POSIX_SPAWN_DUP2, said.fileno(), 2)]
        command = [sys.executable, "-c", code, *arguments]
        process = os.posix_spawn(sys.executable, command, environment, file_actions=actions)
        _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"an interpreter failed:\n{(folder / 'said').read_text()}")
    return used.ru_utime + used.ru_stime


def rounds(folder: Path, count: int) -> list[tuple[float, float, float, dict[str, float]]]:
    """Return by round: publishing, both peers, and publishing by part; all take turns, as slow moments strike all."""
    publish = ("publish", SCENARIO, "--approve")
    found = []
    for number in range(count + 1):
        taken = seconds(PUBLISH, folder, publish), seconds(CHECKPOINT, folder), seconds(PICTURE, folder)
        seconds(PARTS, folder, publish)
        if number:  # the first one compiles, and fills the disk's cache
            found.append((*taken, json.loads((folder / "parts.json").read_text())))
    return found


def main() -> int:
    given = options(argparse.ArgumentParser(description=__doc__)).parse_args()
    known = versions("great-expectations", "matplotlib")
    peers = {BOTH: ", ".join(f"{name} {number}" for name, number in known.items())}
    bounds = Bounds(__file__, given, about=f"first publication of {SCENARIO}, processor seconds", peers=peers)
    from faultset import simulator

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulator.simulate(SCENARIO, folder / "catalog" / SCENARIO, seed=0)
        found = rounds(folder, ROUNDS[given.size])
    ours, checkpoint, picture = (statistics.median(one[place] for one in found) for place in range(3))
    for part in found[0][3]:
        print(f"{statistics.median(one[3][part] for one in found):6.2f} s  {part}")
    bounds.note(
        f"Publishing took {ours:.1f} s, {ours / checkpoint:.1f} times the checkpoint ({checkpoint:.1f} s) and "
        f"{ours / picture:.1f} times the picture ({picture:.1f} s)."
    )
    ratio = statistics.median(one[0] / (one[1] + one[2]) for one in found)
    print(f"{ratio:.2f} times both peers together (bound {BOUND})")
    bounds.at_most("processor time", ratio, BOUND, unit="x", peer=BOTH, smoke=BOUND_OF_ONE_ROUND)
    return bounds.close()


if __name__ == "__main__":
    sys.exit(main())
