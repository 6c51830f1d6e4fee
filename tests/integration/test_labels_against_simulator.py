"""Labels of every row of simulated telemetry, against what the simulator knows of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import row_labels

pytestmark = pytest.mark.integration

CASES = [
    ("nova-compute-restart", 1, {}),
    ("glance-api-restart", 2, {"gaps": 3}),
    ("neutron-agents-restart", 3, {}),
    ("overlap", 4, {"gaps": 2}),
    ("unreached-triggers", 5, {}),
    ("nova-compute-restart", 6, {"dst": True}),
]


@pytest.mark.parametrize(("scenario", "seed", "options"), CASES)
def test_every_row_outside_of_boundaries_is_right(scenario: str, seed: int, options: dict, tmp_path: Path):
    _, files = row_labels.labeled(scenario, seed, tmp_path, **options)
    wrong = [line for file in files for line in row_labels.wrong_rows(file)]
    assert wrong == []


def test_rows_that_name_the_injection_are_found(tmp_path: Path):
    _, files = row_labels.labeled("nova-compute-restart", 7, tmp_path)
    for file in files:
        if file.kind == "logs":
            assert file.rows["names_injection"] == file.truth.leaks.tolist()
