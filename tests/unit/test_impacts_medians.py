"""Medians and quantiles of rows are those of NumPy, bit for bit."""

import numpy as np
import pytest

from faultset.impacts.medians import deviations, medians, of_ascending, quantiles


@pytest.fixture(params=[1, 2, 3, 8, 20, 100, 256, 257])
def rows(request: pytest.FixtureRequest) -> np.ndarray:
    random = np.random.default_rng(request.param)
    return np.round(random.standard_t(2, (40, request.param)), request.param % 7)


def test_medians_are_those_of_numpy(rows: np.ndarray) -> None:
    np.testing.assert_array_equal(medians(rows), np.median(rows, axis=1))
    assert medians(rows[:0]).shape == (0,)


def test_deviations_are_those_of_numpy(rows: np.ndarray) -> None:
    middle = np.median(rows, axis=1)
    np.testing.assert_array_equal(deviations(rows, middle), np.median(np.abs(rows - middle[:, None]), axis=1))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9, 1 - 0.0025, 1.0])
def test_quantiles_are_those_of_numpy(rows: np.ndarray, share: float) -> None:
    np.testing.assert_array_equal(quantiles(rows, share), np.quantile(rows, share, axis=1))
    np.testing.assert_array_equal(of_ascending(np.sort(rows.ravel()), share), np.quantile(rows, share))
