"""Expectations that an experiment sets otherwise: another severity, another threshold, and the reason for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from faultset import catalog
from faultset.catalog import Experiment
from faultset.errors import InputError, nearest, printable
from faultset.expectations.catalogue import RULES
from faultset.expectations.ways import THRESHOLDS, Rule
from faultset.records.validation import Relaxed
from faultset.sources.kit.redaction import redact

_KEY = "expectations"
Settings = Mapping[str, Mapping[str, Any]]


def require_known(experiment: Experiment) -> None:
    """Look whether each expectation that the experiment sets is there and can be set so.

    Raises:
        InputError: one is not; names the line, and the nearest id there is.
    """
    rules = {rule.id: rule for rule in RULES}
    for name, setting in experiment.expectations.items():
        if name not in rules:
            raise InputError(
                catalog.where(experiment, (_KEY, name)),
                f'there is no expectation "{name}"{nearest(name, rules)}',
                "docs/reference/expectations.md lists them all",
            )
        for key in ("severity", *THRESHOLDS):
            if getattr(setting, key) is not None:
                _require_settable(rules[name], key, catalog.where(experiment, (_KEY, name, key)))


def _require_settable(rule: Rule, key: str, where: str) -> None:
    if not rule.can_be_relaxed:
        raise InputError(
            where,
            f"{rule.id} cannot be set otherwise: where it is broken, labels are wrong or a secret is out",
            f"take it out, and mend the cause: {rule.remedy}",
        )
    if key in THRESHOLDS and (rule.threshold is None or rule.threshold[0] != key):
        known = f"its threshold is {rule.threshold[0]}" if rule.threshold else "it compares with no number"
        raise InputError(where, f"{rule.id} has no {key}: {known}", "set its severity, or take the key out")


def rules_of(declared: Settings) -> tuple[Rule, ...]:
    """Return every rule of the catalogue, as an experiment sets it.

    Args:
        declared: id -> ``severity``, ``at_least`` or ``at_most``, and ``reason``; checked before.
    """
    return tuple(_set(rule, declared[rule.id]) if rule.id in declared else rule for rule in RULES)


def _set(rule: Rule, setting: Mapping[str, Any]) -> Rule:
    number = next((setting[way] for way in THRESHOLDS if setting.get(way) is not None), None)
    return rule.set_otherwise(setting.get("severity") or rule.severity, number)


def relaxed(declared: Settings) -> tuple[Relaxed, ...]:
    """Return what differs from the catalogue, in its order: from what, to what and why."""
    return tuple(one for rule in RULES if rule.id in declared for one in _differences(rule, declared[rule.id]))


def _differences(rule: Rule, setting: Mapping[str, Any]) -> Iterator[Relaxed]:
    severity, reason = setting.get("severity"), printable(redact(setting["reason"]), 500)
    if severity is not None and severity != rule.severity:
        yield Relaxed(rule.id, "severity", rule.severity, severity, reason)
    if rule.threshold is not None:
        way, usual = rule.threshold
        number = setting.get(way)
        if number is not None and number != usual:
            yield Relaxed(rule.id, way, f"{usual:g}", f"{number:g}", reason)
