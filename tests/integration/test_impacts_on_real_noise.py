"""Moves planted into a real recording with drifts, spikes and repeated seconds: what is found of them."""

from __future__ import annotations

import numpy as np
import pytest

from faultset.impacts.calibration import calibrate
from faultset.impacts.detect import Detection, detect
from planted import REAL, Planting, Recording, Tally, Trial, planted, real_recording, tally

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def recording() -> Recording:
    if not REAL.is_file():
        pytest.skip(f"no real files beside the checkout ({REAL.name})")
    return real_recording()


def found(trial: Trial) -> Detection:
    return detect(trial.series, trial.injections)


def measured(recording: Recording, wanted: Planting, files: int) -> Tally:
    return tally((planted(recording, wanted, seed) for seed in range(files)), found)


@pytest.mark.parametrize(("size", "least"), [(5.0, 0.95), (3.0, 0.90)])
@pytest.mark.parametrize("injections", [10, 40])
def test_moves_of_25_seconds_are_found(recording: Recording, size: float, least: float, injections: int):
    total = measured(recording, Planting(size, (25, 25), injections), 40 // injections)
    assert total.f1 >= least
    assert total.false_share <= 0.02
    assert total.wrong_way == 0
    assert np.median(total.start_errors) <= 1.5
    assert np.median(total.end_errors) <= 2.0


def test_times_known_to_a_second_do(recording: Recording):
    assert measured(recording, Planting(5.0, (25, 25), 10, uncertainty_s=1.0), 3).f1 >= 0.95


def test_of_windows_that_overlap_those_are_found_that_moved_something(recording: Recording):
    total = measured(recording, Planting(5.0, (25, 60), 10, overlapping=0.5), 3)
    assert total.f1 >= 0.90
    assert total.false_share <= 0.03


def test_the_calibration_is_near_what_is_false(recording: Recording):
    rows = [
        one
        for seed in range(3)
        for trial in [planted(recording, Planting(5.0, (5, 40), 10), seed)]
        for one in calibrate(trial.series, trial.injections)
    ]
    assert sum(one.trials for one in rows) >= 60
    assert sum(one.false_positives for one in rows) <= 0.05 * sum(one.trials for one in rows)
