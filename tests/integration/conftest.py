"""A dataset that tests of exports and of the worked example share; it is built once a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import faultset
from faultset import pipeline, simulator
from faultset.dataset.opening import Dataset
from faultset.settings import Settings
from once import once


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Two runs that overlap, injections on two kinds of nodes, spans of two forms, a node's memory with decimals."""
    folder = once(tmp_path_factory, "two-runs", publish_two_runs)
    return faultset.open("two-runs", root=folder / "datasets")


def publish_two_runs(folder: Path) -> None:
    experiment = folder / "experiments" / "two-runs"
    simulator.simulate("overlap", experiment, seed=1)
    source = next((experiment / "metrics").glob("cmp01*.csv"))
    header, *rows = source.read_text().splitlines()
    place = header.split(",").index("mem.used")
    cells = [row.split(",") for row in rows]
    decimals = [",".join([*row[:place], f"{row[place]}.5", *row[place + 1 :]]) for row in cells]
    source.write_text("\n".join([header, *decimals]) + "\n")
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    pipeline.publish_by_hand(pipeline.build("two-runs", settings), settings, reason="a test")


@pytest.fixture
def root_of(two_runs: Dataset) -> Path:
    """The folder of datasets that holds it."""
    return Path(str(two_runs.root.uri))
