"""A mended tool makes a new candidate of the same inputs, and its difference; a reworded one makes none.

Each runs as it would for a user: a copy of the package, changed, in a process of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import faultset
from faultset import simulator

pytestmark = pytest.mark.integration

SLUG = "nova"


@dataclass(frozen=True)
class Place:
    """A copy of the tool, a catalog with one experiment, and its datasets."""

    root: Path

    @property
    def package(self) -> Path:
        return self.root / "tool" / "faultset"

    def faultset(self, *arguments: str) -> dict[str, Any]:
        """Run a command of this copy of the tool and return its answer."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.package.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            "FAULTSET_CATALOG": str(self.root / "catalog"),
            "FAULTSET_DATASETS": str(self.root / "datasets"),
        }
        call = [
            sys.executable,
            "-c",
            "import sys; from faultset.cli import main; sys.exit(main())",
            *arguments,
            "--json",
        ]
        done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=self.root, env=environment)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def build(self) -> dict[str, Any]:
        (built,) = self.faultset("build", SLUG)["built"]
        return dict(built)

    def manifest(self, version: str) -> dict[str, Any]:
        return dict(json.loads((self.root / "datasets" / SLUG / version / "manifest.json").read_text()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A published first version."""
    place = Place(tmp_path_factory.mktemp("another-tool"))
    shutil.copytree(Path(faultset.__file__).parent, place.package, ignore=shutil.ignore_patterns("__pycache__"))
    simulator.simulate("nova-compute-restart", place.root / "catalog" / SLUG, seed=3, iterations=60)
    assert not place.build()["unchanged"]
    assert place.faultset("publish", SLUG, "--approve")["version"] == "1.0.0"
    return place


def reworded(package: Path) -> None:
    """Change every docstring of a module, comments, and what pages, cards and the command line say."""
    for path in package.rglob("*.py"):
        text = path.read_text()
        if text.startswith('"""'):
            path.write_text('"""Reworded. ' + text.removeprefix('"""') + "\n# a remark\n")
    speaking = [*package.glob("cli/*.py"), *package.glob("release/card*.py"), *package.glob("inbox/page*.py")]
    assert speaking
    for path in speaking:
        path.write_text(path.read_text() + "\nREMARK = 'another text'\n")
    for path in [*package.rglob("*.j2"), *package.rglob("*.css")]:
        path.write_text(path.read_text() + "\n")


def test_other_words_make_no_other_candidate(place: Place) -> None:
    reworded(place.package)
    assert place.build()["unchanged"]


def mend(package: Path, old: str, new: str) -> None:
    """Change the one module of the impacts that has ``old``."""
    modules = [*package.glob("impacts/**/*.py"), *package.glob("truth/impact*.py")]
    (module,) = [path for path in modules if old in path.read_text()]
    module.write_text(module.read_text().replace(old, new))


def test_a_constant_of_the_impacts_makes_a_candidate_and_its_difference(place: Place) -> None:
    before = place.manifest("1.0.0")
    mend(place.package, 'METHOD = "edges-', 'METHOD = "mended-edges-')
    built = place.build()
    assert not built["unchanged"]
    assert built["fingerprint"] != before["fingerprint"]
    published = place.faultset("publish", SLUG, "--approve")
    assert published["version"] == "2.0.0"
    after = place.manifest("2.0.0")
    assert after["recipe"] != before["recipe"]
    difference = place.faultset("diff", SLUG, "1.0.0", "2.0.0")
    (impacts,) = [one for one in difference["tables"] if one["table"] == "impacts"]
    assert impacts["rows_changed"] > 0
    assert all(row["columns"] == ["method"] for row in impacts["changed"])
    assert any("decides what the dataset says" in line for line in difference["words"])
    assert place.build()["unchanged"]
