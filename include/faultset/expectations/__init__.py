"""What must hold, table by table, with its severity, a message that an experimenter understands and a remedy.

Truth, evidence and the facts of telemetry become views (``views``, ``telemetry_views``: small tables, one row a fact),
a catalogue of rules (``catalogue``, ``telemetry_rules``) says what must hold in them, Great Expectations checks it
(``run``), and its results are kept with the dataset (``site``).
"""

from __future__ import annotations

from faultset.expectations.catalogue import RULES
from faultset.expectations.run import check
from faultset.expectations.ways import Rule

__all__ = ["RULES", "Rule", "check", "meaning_of"]


def meaning_of(expectation: str) -> str:
    """Return what should hold, in words; "" for an id that is none of the catalogue's."""
    return next((rule.meaning for rule in RULES if rule.id == expectation), "")
