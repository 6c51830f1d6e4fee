"""What is published of commands takes nothing from decisions: with recognised words alone they are what they were."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from faultset import catalog
from faultset.pipeline.gathering import gather
from faultset.truth import Truth
from faultset.truth.decide import decide

pytestmark = pytest.mark.integration

HOME = Path(__file__).resolve().parents[2]
REAL = HOME.parent / "shared" / "real"
SAMPLES = sorted(path.parent.name for path in (HOME / "experiments").glob("*/experiment.yaml"))
CLUSTER = REAL / "msod" / "os-faults-latest.yaml"

Run = tuple[str, str | None, list[str]]


def decided(runs: list[Run], cluster: Path | None, *, full: bool) -> Truth:
    return decide(gather(runs, str(cluster) if cluster else None, full_commands=full))


def assert_same_decisions(runs: list[Run], cluster: Path | None) -> None:
    whole, recognised = decided(runs, cluster, full=True), decided(runs, cluster, full=False)
    assert whole.injections == recognised.injections
    assert whole.targets == recognised.targets
    assert whole.workloads == recognised.workloads
    assert whole.iterations == recognised.iterations
    hidden = {"action": "", "description": None, "commands_read": None, "commands_unread": None}
    assert [dataclasses.replace(row, **hidden) for row in whole.triggers] == [
        dataclasses.replace(row, **hidden) for row in recognised.triggers
    ]


@pytest.mark.parametrize("slug", SAMPLES)
def test_targets_of_the_samples_are_the_same(slug: str) -> None:
    experiment = catalog.read_experiment(str(HOME / "experiments"), slug)
    runs: list[Run] = [
        (
            catalog.resolve(experiment, run.report),
            catalog.resolve(experiment, run.results) if run.results else None,
            [catalog.resolve(experiment, script) for script in run.hook_scripts],
        )
        for run in experiment.runs
    ]
    assert_same_decisions(runs, Path(catalog.resolve(experiment, experiment.cluster)))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside this checkout")
@pytest.mark.parametrize(
    ("report", "results", "scripts"),
    [
        ("j_boot_delete_report.html", "j_boot_delete_output.json", "nova"),
        ("j_image_output.html", "j_image_output.json", "glance"),
        ("j_network_report.html", "j_network_output.json", "neutron"),
    ],
)
@pytest.mark.parametrize("scripted", [True, False])
def test_targets_of_the_real_experiments_are_the_same(
    report: str, results: str, scripts: str, *, scripted: bool
) -> None:
    named = sorted(str(path) for path in (REAL / "hook_scripts" / scripts).iterdir()) if scripted else []
    for of_json in (str(REAL / "msod" / results), None):
        assert_same_decisions([(str(REAL / "msod" / report), of_json, named)], CLUSTER)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not beside this checkout")
def test_decisions_on_real_rally_files_are_the_same() -> None:
    found = [
        path for version in ("1.5.1", "3.4.0") for path in sorted((REAL / "rally" / version).rglob("results*.json"))
    ]
    assert found
    for path in found:
        assert_same_decisions([(str(path), None, [])], None)
