"""Faults that outlast their hooks, from an experiment's files to a published dataset, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from faultset import simulator
from faultset_cli import run

pytestmark = pytest.mark.integration

SLUG = "lasting"
EDGE = pd.Timedelta("2s")  # rows of whole seconds, and times of commands, leave so much open beside an edge


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the published version."""
    root = tmp_path_factory.mktemp("lasting")
    simulator.simulate("lasting-faults", root / "catalog" / SLUG, seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAULTSET_CATALOG", str(root / "catalog"))
        patch.setenv("FAULTSET_DATASETS", str(root / "datasets"))
        done = run("publish", SLUG, "--approve", "--json")
    assert done.exit_code == 0, done.stderr
    return root / "datasets" / SLUG / "1.0.0"


@pytest.fixture(scope="module")
def injections(version: Path) -> Any:
    """The frozen queue, the stop that a later hook undoes, that hook, and the stop that nothing undoes."""
    table = pd.read_parquet(version / "injections.parquet").sort_values("started_at")
    return tuple(table.itertuples())


@pytest.fixture(scope="module")
def rows(version: Path) -> pd.DataFrame:
    """Rows of metrics of the controller, which all of the faults hit."""
    (file,) = (version / "metrics").glob("ctl01*.parquet")
    return pd.read_parquet(file)


def between(rows: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    found = rows[(rows["timestamp"] >= start) & (rows["timestamp"] < end)]
    assert len(found) > 10
    return found


def named(rows: pd.DataFrame, injection: Any) -> pd.Series:
    return rows["injection_ids"].map(lambda ids: injection.injection_id in ids)


def test_trap_rows_are_labeled_until_the_end_of_a_freeze_that_returned_at_once(injections: Any, rows: Any) -> None:
    frozen = injections[0]
    assert (frozen.ended_at - frozen.started_at).total_seconds() < 3
    assert (frozen.fault_ended_at - frozen.started_at).total_seconds() == 60
    assert frozen.fault_end_source == "script"
    inside = between(rows, frozen.ended_at + EDGE, frozen.fault_ended_at - EDGE)
    assert named(inside, frozen).all()
    assert (inside["phase"] == "injection").all()
    assert inside["is_anomalous"].all()
    assert not inside["is_boundary"].any()


def test_trap_a_stop_lasts_until_the_hook_that_starts_again(injections: Any, rows: Any) -> None:
    _, stopped, started, _ = injections
    assert stopped.fault_end_source == "reversed_by"
    assert started.injection_id in stopped.fault_end_reason
    assert started.started_at <= stopped.fault_ended_at <= started.ended_at
    inside = between(rows, stopped.ended_at + EDGE, started.started_at - EDGE)
    assert named(inside, stopped).all()
    assert not inside["is_boundary"].any()


def test_trap_a_stop_that_nothing_undoes_leaves_boundary_rows_to_the_end_of_the_run(
    version: Path, injections: Any, rows: Any
) -> None:
    left = injections[3]
    assert left.fault_end_source == "unknown"
    assert pd.isna(left.fault_ended_at)
    run_end = pd.read_parquet(version / "workloads.parquet")["ended_at"].max()
    assert left.fault_open_until == run_end
    inside = between(rows, left.ended_at + EDGE, run_end - EDGE)
    assert named(inside, left).all()
    assert inside["is_boundary"].all()
    after = between(rows, run_end + EDGE, rows["timestamp"].max())
    assert not after["is_boundary"].all()


def test_iterations_follow_the_fault_as_rows_do(version: Path, injections: Any) -> None:
    iterations = pd.read_parquet(version / "iterations.parquet")
    frozen, _, _, left = injections
    during = iterations[
        (iterations["started_at"] > frozen.ended_at + EDGE) & (iterations["ended_at"] < frozen.fault_ended_at)
    ]
    assert len(during) > 5
    assert named(during, frozen).all()
    assert not during["is_boundary"].any()
    open_ones = iterations[iterations["started_at"] > left.ended_at + EDGE]
    assert len(open_ones) > 5
    assert named(open_ones, left).all()
    assert open_ones["is_boundary"].all()


def test_a_finding_the_card_and_why_name_the_fault_whose_end_is_unknown(
    version: Path, injections: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = injections[3]
    manifest = json.loads((version / "manifest.json").read_text())
    findings = [one for one in manifest["validation"]["findings"] if one["expectation"] == "injections.fault_end_known"]
    assert [one["severity"] for one in findings] == ["warning"]
    assert "a fault whose end is unknown" in findings[0]["message"]
    assert left.injection_id in findings[0]["message"]
    card = (version / "README.md").read_text()
    assert "1 injections have a fault whose end is unknown" in card
    assert "freeze of rabbitmq on ctl01 lasts 60 s" in card
    monkeypatch.setenv("FAULTSET_DATASETS", str(version.parents[1]))
    told = run("why", SLUG, left.injection_id)
    assert told.exit_code == 0, told.stderr
    assert "nothing that is known undoes it" in told.stdout


def test_a_declared_end_closes_what_was_open(version: Path, injections: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = version.parents[2] / "catalog"
    left = injections[3]
    end = left.ended_at + pd.Timedelta("40s")
    entry = catalog / SLUG / "experiment.yaml"
    before = entry.read_text()
    entry.write_text(
        f"{before}corrections:\n  - what: injection_time\n    injection: {left.injection_id}\n"
        f"    fault_ended_at: {end.isoformat()}\n    uncertainty_s: 1\n    reason: it was started again by hand\n"
    )
    monkeypatch.setenv("FAULTSET_CATALOG", str(catalog))
    monkeypatch.setenv("FAULTSET_DATASETS", str(version.parents[1]))
    done = run("validate", SLUG, "--json")
    entry.write_text(before)
    assert done.exit_code == 0, done.stderr
    told = [one["expectation"] for one in json.loads(done.stdout)["findings"]]
    assert "injections.fault_end_known" not in told
    assert "corrections.declared" in told
