"""Experiments of any size with known truth: files of Rally and other tools, clusters, scripts, telemetry.

Nothing here uses the readers or what decides on their records: it is the oracle that these are held against.
"""

from __future__ import annotations

from faultset.simulator.plan import SECRETS
from faultset.simulator.rows import RowTruth, row_truth
from faultset.simulator.scenarios import SCENARIOS
from faultset.simulator.tools import TOOLS, simulate_tool
from faultset.simulator.truth import InjectionTruth, Truth
from faultset.simulator.write import TRUTH, simulate

__all__ = [
    "SCENARIOS", "SECRETS", "TOOLS", "TRUTH", "InjectionTruth", "RowTruth", "Truth", "row_truth", "simulate",
    "simulate_tool",
]  # fmt: skip
