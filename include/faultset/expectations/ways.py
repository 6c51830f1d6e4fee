"""A rule, and the ways to expect something.

A rule names one of Great Expectations' own expectations and its arguments, so that this module needs no import of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from faultset.severity import Severity

Condition = tuple[str, tuple[str | bool, ...]]
THRESHOLDS = {"at_least": "min_value", "at_most": "max_value"}
_BETWEEN = "ExpectColumnValuesToBeBetween"
REPORT_THIS = "report this with the report file: Faultset's own tables contradict each other"


@dataclass(frozen=True, slots=True)
class Expectation:
    """An expectation of Great Expectations, not built yet.

    Attributes:
        name: class in ``great_expectations.expectations``.
        arguments: its arguments.
        column: the column that a finding names.
        only_where: a column and its values in the rows that it is asked of; None for all rows.
    """

    name: str
    arguments: Mapping[str, Any]
    column: str | None
    only_where: Condition | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold.

    Attributes:
        id: stable id, ``view.what_holds``.
        severity: of a breach: ``critical`` stops the dataset, ``warning`` and ``info`` are recorded with it.
        expectation: how it is checked.
        meaning: what holds, as a sentence.
        breach: what a row that breaks it says, filled in from the row's columns.
        remedy: what to do about it.
        spares_labels: of a critical rule: whether labels are right where it is broken, so that an experiment may relax
            it. Rules that are not critical may always be.
    """

    id: str
    severity: Severity
    expectation: Expectation
    meaning: str
    breach: str
    remedy: str
    spares_labels: bool = False

    @property
    def view(self) -> str:
        """The view that it looks at."""
        return self.id.partition(".")[0]

    @property
    def can_be_relaxed(self) -> bool:
        """Whether an experiment may set its severity and its threshold."""
        return self.severity != "critical" or self.spares_labels

    @property
    def threshold(self) -> tuple[str, float] | None:
        """The way and the number that it compares with, such as ``("at_least", 0.9)``; None where it has none."""
        if not self.can_be_relaxed or self.expectation.name != _BETWEEN:
            return None
        arguments = self.expectation.arguments
        return next((way, arguments[name]) for way, name in THRESHOLDS.items() if name in arguments)

    def set_otherwise(self, severity: Severity, threshold: float | None) -> Rule:
        """Return the rule with another severity, and with another number in the place of its threshold where given."""
        if threshold is None or self.threshold is None:
            return replace(self, severity=severity)
        way, usual = self.threshold
        arguments = {**self.expectation.arguments, THRESHOLDS[way]: threshold}
        return replace(
            self,
            severity=severity,
            expectation=replace(self.expectation, arguments=arguments),
            meaning=f"{self.meaning} Set here to {way} {threshold:g} in place of {usual:g}.",
        )


# --- ways to expect --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule.

    Attributes:
        rule: the rule.
        breaches: what each row that breaks it says, in the view's order.
        where: the ``where`` of each of those rows.
    """

    rule: Rule
    breaches: tuple[str, ...]
    where: tuple[str, ...]


def present(column: str, only_where: Condition | None = None) -> Expectation:
    """No value is null."""
    return Expectation("ExpectColumnValuesToNotBeNull", {"column": column}, column, only_where)


def absent(column: str) -> Expectation:
    """Every value is null: a text that is there says what is wrong."""
    return Expectation("ExpectColumnValuesToBeNull", {"column": column}, column)


def unique(column: str) -> Expectation:
    """No value occurs twice."""
    return Expectation("ExpectColumnValuesToBeUnique", {"column": column}, column)


def together_unique(*columns: str) -> Expectation:
    """No combination of values occurs twice."""
    return Expectation("ExpectCompoundColumnsToBeUnique", {"column_list": list(columns)}, None)


def among(column: str, *values: Any, only_where: Condition | None = None) -> Expectation:
    """Nulls pass: what is unknown is no breach."""
    return Expectation("ExpectColumnValuesToBeInSet", {"column": column, "value_set": list(values)}, column, only_where)


def is_not(column: str, value: str, only_where: Condition | None = None) -> Expectation:
    """No value is ``value``."""
    arguments = {"column": column, "value_set": [value]}
    return Expectation("ExpectColumnValuesToNotBeInSet", arguments, column, only_where)


def at_least(column: str, least: float, only_where: Condition | None = None) -> Expectation:
    """Every value is at least ``least``; nulls pass."""
    return Expectation(_BETWEEN, {"column": column, "min_value": least}, column, only_where)


def at_most(column: str, most: float) -> Expectation:
    """Every value is at most ``most``; nulls pass."""
    return Expectation(_BETWEEN, {"column": column, "max_value": most}, column)


def not_below(column: str, other: str) -> Expectation:
    """``column`` >= ``other`` wherever both are known."""
    return _pair_in_order(column, other, or_equal=True)


def above(column: str, other: str) -> Expectation:
    """``column`` > ``other`` wherever both are known."""
    return _pair_in_order(column, other, or_equal=False)


def _pair_in_order(column: str, other: str, *, or_equal: bool) -> Expectation:
    arguments = {
        "column_A": column,
        "column_B": other,
        "or_equal": or_equal,
        "ignore_row_if": "either_value_is_missing",
    }
    return Expectation("ExpectColumnPairValuesAToBeGreaterThanB", arguments, column)


def equal(column: str, other: str, only_where: Condition | None = None) -> Expectation:
    """``column`` == ``other`` wherever both are known."""
    arguments = {"column_A": column, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Expectation("ExpectColumnPairValuesToBeEqual", arguments, column, only_where)
