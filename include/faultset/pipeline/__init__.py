"""The use cases: what the DAGs' tasks and the command line call. Nothing outside of the product goes deeper.

A build runs in steps, each of which hands on a small reference (``Build``, ``Labeling``), never data: ``extract`` reads
the inputs, ``decide`` makes the truth tables and finds impacts, ``label`` labels one file of telemetry, ``validate``
judges all of it, ``write`` publishes it as a version.
"""

from __future__ import annotations

from faultset.pipeline.building import (
    Build,
    Built,
    Labeling,
    build,
    decide,
    extract,
    label,
    labelings,
    slugs,
    validate,
)
from faultset.pipeline.inspecting import inspect, validate_experiment, validate_report
from faultset.pipeline.operating import doctor, new, scenarios, simulate, summary
from faultset.pipeline.publishing import Published, diff, publish, verify, versions, write

__all__ = [
    "Build",
    "Built",
    "Labeling",
    "Published",
    "build",
    "decide",
    "diff",
    "doctor",
    "extract",
    "inspect",
    "label",
    "labelings",
    "new",
    "publish",
    "scenarios",
    "simulate",
    "slugs",
    "summary",
    "validate",
    "validate_experiment",
    "validate_report",
    "verify",
    "versions",
    "write",
]
