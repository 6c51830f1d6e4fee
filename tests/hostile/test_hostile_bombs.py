"""Small files that ask for much memory or time: read in a process, each with ten seconds of work and 1 GiB at most."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

import samples
from faultset.simulator import tool_files
from faultset.simulator.tool_files import ToolFault

START = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
ROOT = Path(__file__).resolve().parents[2]

READER = """
import json, os, resource, sys, time
sys.path[:0] = [{include!r}, {tests!r}]
from pathlib import Path
from faultset_cli import run
folder = Path(sys.argv[1])
run("inspect", str(folder / "sample.html"))  # what is imported is no part of a bomb
for path in sorted(folder.iterdir()):
    if path.name == "sample.html":
        continue
    if os.fork():  # each in a process of its own, so that its peak is its own
        os.wait()
        continue
    started = time.process_time()
    done = run("inspect", str(path))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = time.process_time() - started
    print(json.dumps([path.stem, done.exit_code, done.stderr, len(done.stdout), took, peak]), flush=True)
    os._exit(0)
"""


def page(scenarios: str) -> bytes:
    return (samples.HEAD.format(version="1.5.1") + f"        $scope.scenarios = {scenarios};\n" + samples.FOOT).encode()


def results_of(rows: int) -> bytes:
    row = json.dumps({"timestamp": 1574186023.0, "duration": 2.0, "error": [], "output": {}})
    text = json.dumps(samples.results(data=["ROWS"], total_iteration_count=rows))
    return text.replace('"ROWS"', ", ".join([row] * rows)).encode()


def many_triggers() -> bytes:
    hook = {
        "action": {"sys_call": "x"},
        "trigger": {"periodic": {"unit": "iteration", "start": 1, "step": 1, "end": 1e9}},
    }
    config = json.loads(samples.SCENARIO["config"])
    config["subtasks"][0]["hooks"] = [hook] * 900
    return samples.report([samples.scenario(config=json.dumps(config))]).encode()


def compared(hooks: int) -> bytes:
    """Hooks that are all alike, so that each shown one has to be compared with each that is configured."""
    values = list(range(1, 190))
    hook = {"description": "Run script", "action": {"sys_call": "x"},
            "trigger": {"event": {"unit": "iteration", "at": values}}}  # fmt: skip
    shown = {**samples.SCENARIO["hooks"][0], "complete": []}
    config = json.loads(samples.SCENARIO["config"])
    config["subtasks"][0]["hooks"] = [hook] * hooks
    return samples.report([samples.scenario(config=json.dumps(config), hooks=[shown] * (hooks - 1))]).encode()


def faults(count: int) -> list[ToolFault]:
    return [ToolFault(f"f{number}", f"web-{number}", "n", 100.0 * number, 50) for number in range(count)]


def applied_again_and_again() -> bytes:
    chaos = json.loads(tool_files.chaos_mesh_list(faults(1), START))
    (record,) = chaos["items"][0]["status"]["experiment"]["containerRecords"]
    record["events"] = [
        {"operation": ("Apply", "Recover")[second % 2], "type": "Succeeded",
         "timestamp": tool_files.zulu(START + dt.timedelta(seconds=second))} for second in range(20_000)
    ]  # fmt: skip
    return json.dumps(chaos).encode()


BOMBS = {
    "lists": lambda: page("[" + "[]," * 5_000_000 + "[]]"),
    "mappings": lambda: page("[" + '{"a":1},' * 2_900_000 + "{}]"),
    "more lists than allowed": lambda: page("[" + "[]," * 9_000_000 + "[]]"),
    "texts": lambda: page('["' + '","'.join("abcdefgh" for _ in range(2_000_000)) + '"]'),
    "one text": lambda: page('["' + "a" * 40_000_000 + '"]'),
    "blanks": lambda: page("[" + " " * 40_000_000 + "]"),
    "assignments": lambda: b"<html>\n" + b"$scope.scenarios" * 1_500_000,
    "assignments at the start of lines": lambda: b"<html>" + b"\n $scope.scenarios == 1" * 1_000_000,
    "brackets": lambda: page("[" * 20_000_000),
    "numbers": lambda: page("[" + "1.5," * 4_000_000 + "1]"),
    "triggers": many_triggers,
    "hooks to compare": lambda: compared(400),
    "iterations": lambda: results_of(100_000),
    "scripts to parse": lambda: b"<html><head>" + b"<script>" * 2_000_000,
    "elements to parse": lambda: b"<html><head>" + b"<meta name=generator content=x><b>" * 500_000,
    "passwords": lambda: samples.report([samples.scenario(errors=[
        {**samples.SCENARIO["errors"][0], "message": "password=" * 1_000_000}])]).encode(),
    "events of a fault": applied_again_and_again,
    "events of many engines": lambda: tool_files.litmus_list(faults(1000), START).encode(),
}  # fmt: skip
READ = {
    "one text": 2, "triggers": 2, "hooks to compare": 0, "iterations": 0, "passwords": 0, "events of a fault": 0,
    "events of many engines": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, float, float]]:
    folder = tmp_path_factory.mktemp("bombs")
    (folder / "sample.html").write_text(samples.report())
    for name, made in BOMBS.items():
        (folder / f"{name}.html").write_bytes(made())
    code = READER.format(include=str(ROOT / "include"), tests=str(ROOT / "tests"))
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(BOMBS), done.stderr[-2000:]
    return {name: (exit_code, said, took, peak) for name, exit_code, said, _, took, peak in lines}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_of(name: str, outcomes: dict[str, tuple[int, str, float, float]]):
    exit_code, said, took, peak = outcomes[name]
    assert exit_code == READ.get(name, 2), said
    assert exit_code == 0 or len(said.splitlines()) == 1
    assert took < 10, f"{took:.1f} s"
    assert peak < 1024, f"{peak:.0f} MiB"
