"""How often the test for impacts is wrong where nothing was injected."""

from __future__ import annotations

import numpy as np
import pytest

from faultset.impacts.calibration import Calibrated, calibrate
from faultset.impacts.windows import SECOND, Parameters, Series
from planted import injection

BEGIN = 1_700_000_000 * SECOND
INJECTIONS = [
    injection("a", BEGIN + 1500 * SECOND, BEGIN + 1530 * SECOND),
    injection("b", BEGIN + 3000 * SECOND, BEGIN + 3008 * SECOND),
]


def noisy(seed: int, by: float = 0.0, rows: int = 6000) -> Series:
    time = BEGIN + np.arange(rows, dtype=np.int64) * SECOND
    value = np.random.default_rng(seed).normal(0, 1, rows)
    value[1500:1530] += by
    value[3000:3008] += by
    return Series(time, value)


@pytest.fixture(scope="module")
def series() -> dict[tuple[str, str], Series]:
    of = {(f"n{node}", kpi): noisy(10 * node + place) for node in range(3) for place, kpi in enumerate(("cpu", "mem"))}
    time = next(iter(of.values())).time_us
    return {**of, ("n0", "cores"): Series(time, np.full(len(time), 8.0))}


def test_there_is_a_row_a_kpi_and_few_trials_are_false(series: dict[tuple[str, str], Series]):
    rows = {one.kpi: one for one in calibrate(series, INJECTIONS)}
    assert list(rows) == ["cores", "cpu", "mem"]
    for kpi in ("cpu", "mem"):
        assert rows[kpi].trials >= 30
        assert rows[kpi].rate == rows[kpi].false_positives / rows[kpi].trials <= 0.05


def test_a_kpi_that_cannot_be_tested_has_no_rate(series: dict[tuple[str, str], Series]):
    assert calibrate(series, INJECTIONS)[0] == Calibrated("cores", 0, 0, None)


def test_the_same_input_gives_the_same_rows(series: dict[tuple[str, str], Series]):
    assert calibrate(series, INJECTIONS) == calibrate(series, INJECTIONS)


def test_what_the_injections_did_does_not_count():
    kept, moved = ({("n", "cpu"): noisy(1, by)} for by in (0.0, 50.0))
    assert calibrate(kept, INJECTIONS) == calibrate(moved, INJECTIONS)


def test_a_laxer_test_is_wrong_more_often(series: dict[tuple[str, str], Series]):
    strict, lax = (calibrate(series, INJECTIONS, Parameters(largest_p=bound)) for bound in (0.01, 0.5))
    for one, other in zip(strict[1:], lax[1:], strict=True):
        assert one.trials == other.trials
        assert one.false_positives < other.false_positives
        assert other.rate is not None
        assert 0.2 <= other.rate <= 0.7


def test_a_recording_without_room_for_a_trial_has_no_rate():
    assert calibrate({("n", "cpu"): noisy(1, rows=100)}, INJECTIONS) == (Calibrated("cpu", 0, 0, None),)


def test_without_injections_there_is_nothing_to_try(series: dict[tuple[str, str], Series]):
    assert calibrate(series, []) == ()
