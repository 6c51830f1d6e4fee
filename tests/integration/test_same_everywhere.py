"""The same inputs give the same fingerprint and the same bytes, on whatever machine, in whatever zone and order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from faultset import simulator

pytestmark = pytest.mark.integration

INCLUDE = Path(__file__).parents[2] / "include"
SLUG = "nova"
BUILD = """
import hashlib, json, sys
from pathlib import Path
from faultset.pipeline import building
from faultset.settings import Settings
settings = Settings(*sys.argv[1:3])
build = building.decide(building.extract("nova", settings), settings)
for labeling in building.labelings(build, settings):
    building.label(labeling, settings)
folder = Path(settings.work) / build.folder / "candidate"
made = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*.parquet"))}
print(json.dumps({"fingerprint": build.fingerprint, "tables": made}))
"""


def built(catalog: Path, datasets: Path, zone: str, seed: str) -> dict[str, object]:
    """Build in a process of its own, as on another machine: its zone, its order of sets, its folders."""
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "PYTHONPATH": str(INCLUDE)}
    datasets.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(catalog), str(datasets)],
        capture_output=True,
        text=True,
        check=False,
        cwd=datasets,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def copied_backwards(source: Path, target: Path) -> None:
    """Copy a folder, the last file first, so that the file system lists its files in another order."""
    for path in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def test_two_machines_make_the_same_bytes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "elsewhere" / "deeper" / "catalog"
    simulator.simulate("nova-compute-restart", here / SLUG, seed=3, iterations=30)
    copied_backwards(here / SLUG, there / SLUG)
    one = built(here, tmp_path / "first", "UTC", "1")
    other = built(there, tmp_path / "second", "America/St_Johns", "2")
    assert one["fingerprint"] == other["fingerprint"]
    assert one["tables"] == other["tables"]
    tables = one["tables"]
    assert isinstance(tables, dict)
    assert {"injections.parquet", "impacts.parquet", "metrics/cmp01_metrics.parquet", "logs/cmp01.parquet"} <= set(
        tables
    )
