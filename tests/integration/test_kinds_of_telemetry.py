"""A slow service, a failing one and a node full of errors are found as what they are, in traces, logs and metrics."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import faultset_cli
import planted_services
from faultset import catalog
from faultset.pipeline import analysis, telemetry
from faultset.pipeline.gathering import gather
from faultset.tables import ImpactRow, ImpactTestRow
from faultset.truth.decide import decide

pytestmark = pytest.mark.integration

SEEDS = (1, 2, 3)
MOVED = (
    ("traces", planted_services.SERVICES[planted_services.SLOW][0], f"span_duration.{planted_services.SLOW}"),
    ("traces", planted_services.SERVICES[planted_services.FAILING][0], f"span_errors.{planted_services.FAILING}"),
    ("logs", planted_services.NOISY, "log_lines.ERROR"),
)


def analysed(root: Path, seed: int, *, planted: bool = True) -> tuple[planted_services.Planted, analysis.Analysis]:
    """What is found in an experiment, without the metrics, whose files are the simulator's."""
    made = planted_services.write(root / "services", seed, planted=planted)
    experiment = catalog.read_experiment(str(root), "services")
    runs = [
        (catalog.resolve(experiment, run.report), catalog.resolve(experiment, run.results), [])
        for run in experiment.runs
    ]
    evidence = gather(runs, catalog.resolve(experiment, experiment.cluster), services={}, inputs=())
    files = [file for file in telemetry.declared_files(experiment) if file.kind != "metrics"]
    return made, analysis.analyse(decide(evidence), evidence.cluster, files, None)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[planted_services.Planted, analysis.Analysis]]:
    return {seed: analysed(tmp_path_factory.mktemp(f"seed{seed}"), seed) for seed in SEEDS}


def detected(of: analysis.Analysis) -> list[ImpactRow]:
    return [row for row in of.impacts if row.source == "detected" and row.source_kind in ("logs", "traces")]


def asked(of: analysis.Analysis) -> list[ImpactTestRow]:
    return [row for row in of.tests if row.source_kind in ("logs", "traces")]


def test_what_was_planted_is_found_as_what_it_is(found):
    hits = Counter((row.source_kind, row.node, row.kpi) for _, of in found.values() for row in detected(of))
    wanted = sum(len(of.injections) for _, of in found.values())
    assert {moved: hits[moved] >= 0.9 * wanted for moved in MOVED} == dict.fromkeys(MOVED, True), hits


def test_it_goes_the_way_it_went_and_begins_and_ends_as_it_liked(found):
    offs = []
    for made, of in found.values():
        starts = {row.injection_id: row.started_at.timestamp() for row in of.injections}
        for row in detected(of):
            planted = made.moved.get((nearest(starts[row.injection_id], made), row.node, row.kpi))
            if planted:
                assert row.direction == "up"
                offs.append((abs(row.started_at.timestamp() - planted[0]), abs(row.ended_at.timestamp() - planted[1])))
    starts_off, ends_off = (sorted(some)[len(some) // 2] for some in zip(*offs, strict=True))
    assert (starts_off < 4, ends_off < 8) == (True, True), (starts_off, ends_off)


def nearest(start: float, made: planted_services.Planted) -> float:
    return min((one for one, _, _ in made.moved), key=lambda one: abs(one - start))


def test_of_what_nobody_touched_hardly_anything_is_found(found):
    untouched = [
        row for _, of in found.values() for row in asked(of) if (row.source_kind, row.node, row.kpi) not in MOVED
    ]
    false = [(row.node, row.kpi) for row in untouched if row.found]
    assert len(untouched) > 150
    assert len(false) <= 0.015 * len(untouched), false


def test_a_caller_that_waits_is_not_what_was_slow(found):
    callers = [row for _, of in found.values() for row in asked(of) if row.kpi == "span_duration.nova-api"]
    assert sum(row.found for row in callers) <= 1


def test_every_question_says_how_large_a_move_would_have_been_found(found):
    tested = [row for _, of in found.values() for row in asked(of) if row.tested]
    assert all(row.detectable_sd is not None and 2 < row.detectable_sd < 40 for row in tested)


def test_it_is_so_in_a_published_version(tmp_path):
    planted_services.write(tmp_path / "catalog" / "services", 4)
    places = ("--catalog", str(tmp_path / "catalog"), "--datasets", str(tmp_path / "datasets"))
    for command in (("build", "services"), ("publish", "services", "--approve")):
        done = faultset_cli.run(*command, *places)
        assert done.exit_code == 0, done.stderr
    version = tmp_path / "datasets" / "services" / "1.0.0"
    impacts, tests = (pq.read_table(version / f"{name}.parquet").to_pylist() for name in ("impacts", "impact_tests"))
    kinds = Counter((row["source_kind"], row["node"], row["kpi"]) for row in impacts if row["source"] == "detected")
    assert {moved: kinds[moved] >= 3 for moved in MOVED} == dict.fromkeys(MOVED, True), kinds
    others = {row["kpi"] for row in impacts if row["source_kind"] == "traces"} - {kpi for _, _, kpi in MOVED}
    assert len(others) <= 1
    assert {row["source_kind"] for row in tests} == {"metrics", "logs", "traces", "workload"}
    card = (version / "README.md").read_text()
    assert "What was tested, and what could have hidden" in card
    assert f"span_duration.{planted_services.SLOW} | traces" in card
    record = next(row for row in impacts if row["source_kind"] == "traces")
    address = f"{record['injection_id']}/{record['node']}/{record['kpi']}"
    chain = json.loads(faultset_cli.run("why", "services", address, "--json", *places).stdout)
    assert {one["role"] for one in chain["inputs"]} >= {"traces"}
    assert "metrics" not in {one["role"] for one in chain["inputs"]}
