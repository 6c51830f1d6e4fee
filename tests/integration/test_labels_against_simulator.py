"""Labels of every row of simulated telemetry, against what the simulator knows of it.

``benchmarks/label_quality.py`` does the same over hundreds of seeds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import row_labels

pytestmark = pytest.mark.integration

CASES = [
    ("nova-compute-restart", 1, {}),
    ("glance-api-restart", 2, {"gaps": 3, "results": False}),
    ("neutron-agents-restart", 3, {"clock_drift_ppm": 200.0}),
    ("overlap", 4, {"gaps": 2}),
    ("partial-failure", 5, {}),
    ("invisible-hook", 6, {}),
    ("unreached-triggers", 7, {"level_drift": 3.0}),
    ("nova-compute-restart", 8, {"dst": True}),
]


@pytest.mark.parametrize(("scenario", "seed", "options"), CASES)
def test_every_row_outside_of_boundaries_is_right(scenario: str, seed: int, options: dict, tmp_path: Path):
    _, files = row_labels.labeled(scenario, seed, tmp_path, iterations=60, **options)
    found = sum((row_labels.compare(file) for file in files), row_labels.Compared())
    assert found.wrong == []
    assert found.compared > 0.7 * found.rows


@pytest.mark.parametrize("options", [{}, {"results": False}, {"gaps": 2, "clock_drift_ppm": 100.0}], ids=str)
def test_rows_follow_the_fault_and_stay_open_where_nobody_knows_its_end(options: dict, tmp_path: Path):
    _, files = row_labels.labeled("lasting-faults", 9, tmp_path, **options)
    found = sum((row_labels.compare(file) for file in files), row_labels.Compared())
    assert found.wrong == []
    assert found.compared > 0.4 * found.rows
    assert found.open > 0.1 * found.rows


def test_rows_that_name_the_injection_are_found(tmp_path: Path):
    _, files = row_labels.labeled("nova-compute-restart", 7, tmp_path)
    logs = [file for file in files if file.kind == "logs"]
    assert any(file.truth.leaks.any() for file in logs)
    for file in logs:
        assert file.rows["names_injection"].tolist() == file.truth.leaks.tolist()
