"""Sources whose clock is off by hours: each is found and named with the shift that mends it, and none is that is not.

``FAULTSET_LONG=1`` plays every scenario with every shift.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faultset import pipeline, simulator
from faultset.expectations.telemetry_views import shifted
from faultset.pipeline import telemetry
from faultset.pipeline.build_folder import BuildFolder
from faultset.records.telemetry import TelemetryFacts
from faultset.settings import Settings
from faultset.truth import decide

pytestmark = pytest.mark.integration

HOURS = (-8.0, -2.0, -1.0, 1.0, 2.0, 5.5)
SCENARIOS = ("nova-compute-restart", "glance-api-restart", "neutron-agents-restart")
SOURCES = ("metrics", "logs", "traces", "metrics/ctl01_metrics.csv")
EVERY = [(scenario, source, hours) for scenario in SCENARIOS for source in SOURCES for hours in HOURS]
FEW = [(SCENARIOS[n % 3], SOURCES[n % 4], hours) for n, hours in enumerate((*HOURS, *HOURS[::-1]))]
LONG = bool(os.environ.get("FAULTSET_LONG"))


def facts_of(scenario: str, seed: int, folder: Path, **options: object) -> tuple[TelemetryFacts, ...]:
    """Return what a build knows of the labeled files."""
    simulator.simulate(scenario, folder / "experiments" / "x", seed=seed, **options)
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    build = pipeline.extract("x", settings)
    steps = BuildFolder(build, settings)
    evidence, declared = steps.evidence(), steps.declared().files
    truth = decide.decide(evidence)
    labeler = telemetry.Labeler.of(
        "x",
        evidence.cluster,
        workloads=truth.workloads,
        triggers=truth.triggers,
        injections=truth.injections,
        targets=truth.targets,
        iterations=truth.iterations,
        impacts=(),
    )
    paths = telemetry.labeled_paths(declared)
    every = [labeler.label(file, path, folder) for file, path in zip(declared, paths, strict=True)]
    return labeler.with_shifts_of_kinds(every)


def sentences(facts: tuple[TelemetryFacts, ...]) -> Iterator[str]:
    """Return what is said of the clocks, a sentence each."""
    return iter(dict.fromkeys(shifted(facts).values()))


@pytest.mark.parametrize(("scenario", "source", "hours"), EVERY if LONG else FEW)
def test_a_planted_shift_is_found_and_named_and_no_other_source_is(
    scenario: str, source: str, hours: float, tmp_path: Path
) -> None:
    seed = round(hours * 2) + 20
    facts = facts_of(scenario, seed, tmp_path, iterations=60, shift_hours={source: hours})
    # A log line says its offset, so that nothing is off where only the wall clock beside it is.
    off = [one.source for one in facts if one.source.startswith(source)]
    found = {one.source: one.shift_s for one in facts if one.shift_s}
    assert found == dict.fromkeys(off, hours * 3600)
    [said] = sentences(facts)
    assert f"suggested shift: {-hours:+.4g} h" in said
    assert all(name in said for name in off)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("seed", range(30 if LONG else 1))
def test_no_shift_is_reported_where_there_is_none(scenario: str, seed: int, tmp_path: Path) -> None:
    options = {"gaps": seed % 3, "clock_drift_ppm": 100.0 * (seed % 2), "results": seed % 4 != 3}
    facts = facts_of(scenario, seed, tmp_path, iterations=60, **options)
    assert {one.source: one.shift_s for one in facts if one.shift_s} == {}
