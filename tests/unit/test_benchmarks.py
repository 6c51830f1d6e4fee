"""Benchmarks write down what they measured; their page names it, and a bound that is passed fails the run."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from bounds import Bounds, Held, Measured, options  # noqa: E402
from report import write  # noqa: E402


def begin(folder: Path, name: str = "reading", size: str = "full") -> Bounds:
    given = options(argparse.ArgumentParser()).parse_args(["--size", size, "--results", str(folder)])
    return Bounds(f"{name}.py", given, about="a report of 50 MB", peers={"orjson": "3.11"})


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, str(BENCHMARKS / "run.py"), *map(str, arguments)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_a_benchmark_runs_at_smoke_size_and_its_report_is_written(tmp_path: Path) -> None:
    done = run("--size", "smoke", "--results", tmp_path, "verify_speed")
    measured = Measured.read(tmp_path / "verify_speed.json")
    (held,) = measured.held
    page = (tmp_path / "benchmarks.md").read_text()
    assert done.returncode == int(not held.holds), done.stderr
    assert held.value > 0
    assert f"sha256sum {measured.peers['sha256sum']}" in page
    assert measured.machine in page
    assert re.search(rf"\| speed \| .*{held.text(held.value)}.* \| ≥ {held.text(held.bound)} \|", page)
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page):
        assert (tmp_path / picture).read_text().startswith("<?xml")


@pytest.mark.parametrize(
    ("value", "is_least", "code"), [(1.6, False, 0), (1.61, False, 1), (1.6, True, 0), (1.59, True, 1)]
)
def test_a_bound_that_is_passed_fails(value: float, is_least: bool, code: int, tmp_path: Path) -> None:
    bounds = begin(tmp_path)
    (bounds.at_least if is_least else bounds.at_most)("time", value, 1.6, unit="x", peer="orjson")
    assert bounds.close() == code


def test_what_could_not_be_measured_fails(tmp_path: Path) -> None:
    bounds = begin(tmp_path)
    bounds.at_most("time", float("nan"), 1.6, unit="x", peer="orjson")
    assert bounds.close() == 1


def test_a_smoke_run_is_held_against_the_bounds_of_its_size(tmp_path: Path) -> None:
    bounds = begin(tmp_path, size="smoke")
    bounds.at_most("time", 2.0, 1.6, unit="x", peer="orjson", smoke=3.0)
    assert bounds.close() == 0


def test_a_peer_without_a_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="simdjson is none of the peers"):
        begin(tmp_path).at_most("time", 1.0, 1.6, unit="x", peer="simdjson")


def test_the_page_marks_what_passed_its_bound_and_names_what_did_not_run(tmp_path: Path) -> None:
    bounds = begin(tmp_path)
    bounds.at_most("time", 2.0, 1.6, unit="x", peer="orjson")
    bounds.at_most("peak memory", 100.0, 768, unit="MB")
    bounds.close()
    write([Measured.read(tmp_path / "reading.json")], ["labeling"], tmp_path / "page.md", tmp_path, absent=["parsing"])
    page = (tmp_path / "page.md").read_text()
    assert "| time | **2 x, passed** | ≤ 1.6 x | orjson 3.11 |" in page
    assert "| peak memory | 100 MB | ≤ 768 MB |" in page
    assert "Did not run to their end: labeling." in page
    assert "Not run yet at this size: parsing." in page
    assert "1 of 2 bounds hold" in page


def test_all_others_run_where_one_fails(tmp_path: Path) -> None:
    for name, code in (("bounds", None), ("report", None), ("run", None), ("a", 1), ("b", 0)):
        text = (BENCHMARKS / f"{name}.py").read_text() if code is None else SMALL.format(code=code)
        (tmp_path / "benchmarks").mkdir(exist_ok=True)
        (tmp_path / "benchmarks" / f"{name}.py").write_text(text)
    call = [sys.executable, str(tmp_path / "benchmarks" / "run.py")]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "in a; see above" in done.stderr
    page = (tmp_path / "docs" / "reference" / "benchmarks.md").read_text()
    assert "[b](#b) | 1 of 1" in page
    assert "Did not run to their end: a." in page
    assert (tmp_path / "docs" / "images" / "benchmarks-bounds.svg").is_file()


SMALL = """\
import argparse, sys
from bounds import Bounds, options
if {code}:
    sys.exit("it cannot be run")
bounds = Bounds(__file__, options(argparse.ArgumentParser()).parse_args(), about="nothing")
bounds.at_most("size", 1, 2)
sys.exit(bounds.close())
"""


@pytest.mark.parametrize(
    ("held", "share"),
    [
        (Held("time", 0.8, 1.6), 0.5),
        (Held("F1", 0.8, 0.4, is_least=True), 0.5),
        (Held("wrong rows", 0, 0), 0.0),
        (Held("wrong rows", 1, 0), 2.0),
        (Held("less than another", -0.1, -0.08, is_least=True), 2.0),
    ],
)
def test_how_much_of_a_bound_is_used(held: Held, share: float) -> None:
    assert held.of_bound() == share


def test_what_is_written_down_names_no_machine(tmp_path: Path) -> None:
    begin(tmp_path).close()
    told = json.loads((tmp_path / "reading.json").read_text())
    assert re.fullmatch(r"\d+ cores \(\w+\), \d+ GB, \w+, Python [\d.]+", told["machine"])
