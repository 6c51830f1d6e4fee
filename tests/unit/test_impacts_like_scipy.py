"""What is computed as scipy computes it, without the import that scipy's own functions cost: number for number."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.signal import oaconvolve
from scipy.stats import false_discovery_control

from faultset.impacts.decide import _adjusted
from faultset.impacts.matched import Spectra


@pytest.mark.parametrize("cells", [100, 1234, 9001, 20_000])
@pytest.mark.parametrize("rows", [2, 41, 162])
def test_agreement_with_a_shape_is_what_scipys_overlapping_blocks_give(cells: int, rows: int) -> None:
    random = np.random.default_rng([cells, rows])
    spectra = Spectra(random.normal(size=cells))
    for shape in random.normal(size=(3, rows)):
        whole = oaconvolve(spectra._value, shape[::-1])
        assert np.array_equal(spectra.agreement(shape), whole[rows - 1 :])


def test_shapes_of_other_lengths_may_follow_each_other() -> None:
    random = np.random.default_rng(1)
    spectra = Spectra(random.normal(size=5000))
    for rows in (50, 120, 50):
        shape = random.normal(size=rows)
        assert np.array_equal(spectra.agreement(shape), oaconvolve(spectra._value, shape[::-1])[rows - 1 :])


@pytest.mark.parametrize("count", [1, 2, 7, 500])
def test_false_discoveries_are_controlled_as_scipy_does(count: int) -> None:
    p_value = np.random.default_rng(count).random(count).round(2)
    assert np.array_equal(_adjusted(p_value, np.ones(count)), false_discovery_control(p_value))


def test_finding_impacts_imports_neither_scipys_statistics_nor_its_signals() -> None:
    asked = "{'scipy.stats', 'scipy.signal'}"
    code = f"import sys, faultset.pipeline.analysis; print(*{asked}.intersection(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == ""
