"""A wrong file of telemetry is named, with its row; its experiment is not published and the others are unaffected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from faultset import simulator
from faultset_cli import run

pytestmark = pytest.mark.integration

Damage = Callable[[Path], None]


def rewritten(change: Callable[[list[str]], list[str]]) -> Damage:
    def apply(experiment: Path) -> None:
        path = experiment / "metrics" / "ctl01_metrics.csv"
        path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    return apply


def renamed(experiment: Path) -> None:
    (experiment / "metrics" / "ctl01_metrics.csv").rename(experiment / "metrics" / "elsewhere_metrics.csv")


def in_an_unknown_zone(experiment: Path) -> None:
    path = experiment / "experiment.yaml"
    path.write_text(path.read_text().replace("Europe/Berlin", "Europe/Berlim", 1))


DAMAGES: dict[str, tuple[Damage, str]] = {
    "without a column of times": (
        rewritten(lambda lines: [line.partition(",")[2] for line in lines]),
        "ctl01_metrics.csv",
    ),
    "without rows": (rewritten(lambda lines: lines[:1]), "ctl01_metrics.csv"),
    "of a node that the cluster does not know": (renamed, "elsewhere"),
    "in an unknown zone": (in_an_unknown_zone, "experiment.yaml"),
}


ODD: dict[str, Damage] = {
    "cut off in the middle of a row": rewritten(lambda lines: [*lines[:300], lines[300][:30]]),
    "with a broken row": rewritten(lambda lines: [*lines[:50], "a,b\n", *lines[50:]]),
    "with a time that is none": rewritten(lambda lines: [*lines[:50], lines[50].replace("20", "xx", 1), *lines[51:]]),
}


@pytest.mark.parametrize("damage", ODD.values(), ids=ODD)
def test_a_row_costs_itself_alone_and_is_a_finding_in_a_file_that_is(damage: Damage, tmp_path: Path):
    catalog, datasets = tmp_path / "experiments", tmp_path / "datasets"
    simulator.simulate("glance-api-restart", catalog / "odd", seed=1)
    damage(catalog / "odd")
    done = run("build", "odd", "--catalog", str(catalog), "--datasets", str(datasets), "--json")
    assert done.exit_code == 0, done
    [note] = datasets.glob(".candidates/odd/*/candidate.json")
    assert "telemetry.rows_are_whole" in note.read_text()


@pytest.mark.parametrize(("damage", "named"), DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is(damage: Damage, named: str, tmp_path: Path):
    catalog, datasets = tmp_path / "experiments", tmp_path / "datasets"
    simulator.simulate("glance-api-restart", catalog / "broken", seed=1)
    damage(catalog / "broken")
    done = run("build", "broken", "--catalog", str(catalog), "--datasets", str(datasets), "--json")
    assert done.exit_code == 2, done
    assert done.stdout == ""
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert "Traceback" not in line
    assert not list((datasets).glob(".candidates/broken/*"))
    assert not list(datasets.glob(".builds/*/*"))


def test_the_other_experiments_are_built(tmp_path: Path):
    catalog, datasets = tmp_path / "experiments", tmp_path / "datasets"
    for name in ("broken", "sound"):
        simulator.simulate("glance-api-restart", catalog / name, seed=1)
    renamed(catalog / "broken")
    done = run("build", "--catalog", str(catalog), "--datasets", str(datasets))
    assert done.exit_code == 2
    assert list(datasets.glob(".candidates/sound/*/candidate.json"))
    assert not list(datasets.glob(".candidates/broken/*"))
