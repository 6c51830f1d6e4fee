"""What ``pip install faultset`` brings: little, soon, and enough for the tutorial on reading; and that tutorial."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import snippets
from faultset import pipeline
from faultset.settings import Settings

pytestmark = pytest.mark.integration
CHECKOUT = Path(__file__).parents[2]
TUTORIAL = CHECKOUT / "docs/how-to/read-a-dataset.md"
HEAVY = {"apache-airflow", "great-expectations", "matplotlib", "polars", "scipy", "pydantic", "lxml"}
# pyarrow alone takes 165 MB, numpy and pandas 105 MB; what is ours to keep small is the rest.
MOST_MB = 330
MOST_BESIDE_MB = 40
BIG = ("pyarrow", "numpy", "numpy.libs", "pandas")


README = CHECKOUT / "README.md"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``make demo`` leaves it: the sample under ``datasets``."""
    folder = tmp_path_factory.mktemp("tutorial")
    settings = Settings(str(CHECKOUT / "experiments"), str(folder / "datasets"))
    built = pipeline.build("nova-compute-restart", settings)
    pipeline.publish_by_hand(built, settings, reason="a test")
    return folder


def test_the_tutorial_prints_what_it_shows(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(here)
    monkeypatch.setenv("FAULTSET_DATASETS", "datasets")
    shown = [snippet.output for snippet in snippets.snippets(TUTORIAL)]
    assert len(shown) > 5
    for number, (output, printed) in enumerate(zip(shown, snippets.printed(TUTORIAL), strict=True), 1):
        assert snippets.shape(printed) == snippets.shape(output), f"snippet {number}: run python tests/snippets.py"


def test_the_snippets_of_the_readme_run(here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(here)
    assert "largest |z|" in "".join(snippets.printed(README))


def test_a_fresh_environment_runs_the_tutorial(here: Path, tmp_path: Path):
    fresh = tmp_path / "fresh"
    python = fresh / "bin/python"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=CHECKOUT, check=True, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    started = time.monotonic()
    installing = [["venv", "--quiet", str(fresh)], ["pip", "install", "--quiet", "--python", str(python), str(wheel)]]
    for arguments in installing:
        done = subprocess.run([CHECKOUT / "tools/uv", *arguments], capture_output=True, text=True, check=False)
        if done.returncode and any(word in done.stderr.lower() for word in ("fetch", "dns", "connect", "no solution")):
            pytest.skip(f"the package index cannot be reached: {done.stderr[-300:]}")
        assert not done.returncode, done.stderr
    seconds = time.monotonic() - started

    packages = json.loads(
        subprocess.run(
            [CHECKOUT / "tools/uv", "pip", "list", "--format", "json", "--python", str(python)],
            capture_output=True,
            check=True,
        ).stdout
    )
    sizes = {folder.name: megabytes(folder) for folder in next(fresh.glob("lib/python3*/site-packages")).iterdir()}
    total, beside = sum(sizes.values()), sum(size for name, size in sizes.items() if name not in BIG)
    print(f"{len(packages)} packages, {total:.0f} MB, {beside:.0f} MB of them ours to choose, in {seconds:.1f} s")
    assert not {package["name"] for package in packages} & HEAVY
    assert total < MOST_MB
    assert beside < MOST_BESIDE_MB

    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment = {**clean, "FAULTSET_DATASETS": "datasets"}
    run = [python, "-I", CHECKOUT / "tests/snippets.py", "--run", TUTORIAL]
    done = subprocess.run(run, cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    for command, code in ((["list"], 0), (["show", "nova-compute-restart"], 0), (["build"], 3)):
        done = subprocess.run(
            [fresh / "bin/faultset", *command], cwd=here, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
    assert done.stderr == (
        "error: faultset build: it needs pydantic, which is not installed; run pip install 'faultset[build]'\n"
    )


def megabytes(path: Path) -> float:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6
