"""RCAEval reads what is exported for it, its methods run on it, and their scores stand beside the floors."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import consumer
from faultset import exports
from faultset.dataset.opening import Dataset

pytestmark = pytest.mark.integration


def test_cases_have_the_forms_that_are_documented(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "rcaeval", tmp_path / "out")
    cases = pd.read_parquet(tmp_path / "out/cases.parquet").set_index("injection_id")
    assert len(cases) == len(two_runs.injections) > 5
    for injection, cause in zip(two_runs.injections, two_runs.root_causes, strict=True):
        case = cases.loc[injection.injection_id]
        metrics = pd.read_parquet(tmp_path / "out" / case["case"] / "metrics.parquet")
        assert list(metrics.columns).count("time") == 1
        assert metrics["time"].dtype == "int64"
        assert metrics["time"].is_monotonic_increasing
        assert metrics["time"].is_unique
        assert (metrics.dtypes.iloc[1:] == "float64").all()
        assert {name.split("_")[0] for name in metrics.columns[1:]} == {*two_runs.metrics.nodes}
        started = int((tmp_path / "out" / case["case"] / "inject_time.txt").read_text().splitlines()[0])
        assert started == case["inject_time"] == int(injection.started_at.timestamp())
        assert case["root_cause_service"] == cause.nodes[0]
        assert case["n_metrics"] == metrics.shape[1] - 1
        node, kpi = cause.nodes[0], "cpu.user"
        ours = two_runs.wide(nodes=node, columns=kpi)[(node, kpi)].dropna()
        theirs = metrics.set_index(pd.to_datetime(metrics["time"], unit="s", utc=True))[f"{node}_{kpi}"].dropna()
        assert (ours.reindex(theirs.index.as_unit("us")).to_numpy() == theirs.to_numpy()).all()


def test_no_line_of_a_case_names_its_injection(two_runs: Dataset, tmp_path: Path):
    assert two_runs.logs()["names_injection"].any()
    exports.export(two_runs, "rcaeval", tmp_path / "out")
    naming = {*two_runs.logs().query("names_injection")["Payload"]}
    for path in (tmp_path / "out").glob("*/logs.parquet"):
        assert not naming & {*pd.read_parquet(path)["message"]}


def test_its_readers_take_it_and_its_methods_beat_chance(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "rcaeval", tmp_path / "out")
    found = consumer.run("run_rcaeval.py", tmp_path / "out")
    assert len(found["cases"]) == len(two_runs.injections)
    for case in found["cases"]:
        assert case["services"] == list(two_runs.metrics.nodes)
        assert min(case["before"], case["after"], case["logs"], case["traces"]) > 0
    floors = pd.read_csv(tmp_path / "out/floors-cases.csv", index_col="floor")
    table = pd.concat([floors, pd.DataFrame(found["scores"]).T.rename(columns={"ac1": "AC@1", "ac3": "AC@3"})])
    print(table.round(2).to_string())
    assert found["chance_ac1"] == pytest.approx(floors.loc["chance", "AC@1"])
    assert table.loc["baro", "AC@1"] > floors.loc["chance", "AC@1"]
    assert 0 <= table.loc["nsigma", "AC@1"] <= 1
