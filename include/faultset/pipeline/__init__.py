"""The use cases: what the DAGs' tasks and the command line call. Nothing outside of the product goes deeper.

A build runs in four steps, each of which hands on a small reference (``Build``), never data: ``extract`` reads the
inputs, ``decide`` makes the truth tables, ``validate`` judges them, ``write`` publishes them as a version.
"""

from __future__ import annotations

from faultset.pipeline.building import Build, Built, build, decide, extract, slugs, validate
from faultset.pipeline.inspecting import inspect, validate_experiment, validate_report
from faultset.pipeline.operating import doctor, new, scenarios, simulate, summary
from faultset.pipeline.publishing import Published, diff, publish, verify, versions, write

__all__ = [
    "Build",
    "Built",
    "Published",
    "build",
    "decide",
    "diff",
    "doctor",
    "extract",
    "inspect",
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
