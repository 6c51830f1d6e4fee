"""What must hold, table by table, with its severity, a message that an experimenter understands and a remedy.

Truth and evidence become views (``views``: small tables, one row a fact), a catalogue of rules (``catalogue``) says
what must hold in them, Great Expectations checks it (``run``), and its results are kept with the dataset (``site``).
"""

from __future__ import annotations

from faultset.expectations.catalogue import RULES, Rule
from faultset.expectations.run import check

__all__ = ["RULES", "Rule", "check"]
