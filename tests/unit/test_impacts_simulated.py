"""Which KPI moved with which injection, against what the simulator knows. ``benchmarks/impact_quality.py`` has more."""

from __future__ import annotations

import numpy as np

from faultset.impacts.detect import Detection, detect
from planted import PLAYED, Trial, simulated, tally


def found(trial: Trial) -> Detection:
    return detect(trial.series, trial.injections, targets=trial.targets)


def test_moves_of_five_sd_and_twenty_seconds_are_found_and_hardly_anything_else():
    total = tally((simulated(scenario, seed, 5.0, 20.0) for seed, scenario in enumerate(PLAYED)), found)
    assert total.right + total.missed >= 15
    assert total.precision >= 0.95
    assert total.recall >= 0.95
    assert total.false_share <= 0.02
    assert total.wrong_way == 0
    assert np.median(total.start_errors) <= 1.0
    assert np.median(total.end_errors) <= 2.0


def test_moves_that_outlast_their_command_by_minutes_are_found():
    total = tally((simulated(scenario, seed, 5.0, 120.0) for seed, scenario in enumerate(PLAYED)), found)
    assert total.right + total.missed >= 15
    assert total.precision >= 0.95
    assert total.recall >= 0.95
    assert total.wrong_way == 0


def test_where_nothing_moves_hardly_anything_is_found():
    total = tally((simulated(scenario, 7, 0.0, 20.0) for scenario in PLAYED[:2]), found)
    assert total.false_share <= 0.02


def test_a_fault_elsewhere_is_not_blamed_for_what_overlapping_faults_did_here():
    trial = simulated("overlap", 4, None, None)
    impacts = found(trial).impacts
    assert impacts
    assert all(one.node in trial.targets[one.injection_id] for one in impacts)
