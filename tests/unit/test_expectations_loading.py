"""Great Expectations imported without what no rule asks for, and its expectations made once."""

import copy
import subprocess
import sys
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.registry import get_expectation_impl

from faultset.expectations import loading
from faultset.expectations.catalogue import RULES

ARGUMENTS: Any = {"column": "load", "min_value": 1, "severity": "warning", "meta": {"rule": "a.b"}}


def test_what_only_distributions_need_is_imported_when_they_ask_for_it() -> None:
    code = """
import sys
from typing import Any
from faultset.expectations import loading
loading.great_expectations()
assert not {"altair", "scipy.stats"} & set(sys.modules), "imported at once"
from great_expectations.expectations.core import expect_column_kl_divergence_to_be_less_than as distributions
assert distributions.stats.entropy([0.5, 0.5]) > 0
assert distributions.alt.Chart
import altair, scipy.stats
assert altair.Chart is distributions.alt.Chart
assert altair.__file__ and scipy.stats.__file__
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted({rule.expectation.name for rule in RULES}))
def test_an_expectation_of_ours_is_none_that_others_meet(name: str) -> None:
    known = getattr(gxe, name)
    ours = loading.expectation_class(name)
    assert issubclass(ours, known)
    assert ours is not known
    assert ours.expectation_type == known.expectation_type
    assert get_expectation_impl(known.expectation_type) is known


def test_a_configuration_is_that_of_the_known_expectation() -> None:
    ours = loading.expectation_class("ExpectColumnValuesToBeBetween")(**ARGUMENTS)
    known = get_expectation_impl("expect_column_values_to_be_between")(**ARGUMENTS)
    assert ours.configuration.to_json_dict() == known.configuration.to_json_dict()
    assert ours.configuration is ours.configuration
    assert ours.configuration.to_domain_obj() is ours.configuration.to_domain_obj()


def test_a_configuration_follows_its_expectation_and_an_expectation_its_configuration() -> None:
    ours = loading.expectation_class("ExpectColumnValuesToBeBetween")(**ARGUMENTS)
    before = ours.configuration
    ours.min_value = 2
    assert before.kwargs["min_value"] == 1
    assert ours.configuration.kwargs["min_value"] == 2
    other = copy.deepcopy(ours.configuration)
    other.kwargs["min_value"] = 3
    assert (ours.configuration.to_domain_obj().min_value, other.to_domain_obj().min_value) == (2, 3)
    other.kwargs["min_value"] = 4
    assert other.to_domain_obj().min_value == 4


def test_an_expectation_that_is_made_once_can_be_kept_in_a_suite() -> None:
    ours = loading.expectation_class("ExpectColumnValuesToBeBetween")(**ARGUMENTS)
    suite = gx.ExpectationSuite("load", expectations=[ours])
    assert [one.type for one in suite.expectation_configurations] == ["expect_column_values_to_be_between"]
