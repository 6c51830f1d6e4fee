"""TSB-AD's own loading statements read what is exported for it, and its measures score a detector on it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import consumer
from faultset import exports
from faultset.dataset.opening import Dataset

pytestmark = pytest.mark.integration


def test_series_have_the_form_that_is_documented(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "tsb-ad", tmp_path / "out")
    index = pd.read_csv(tmp_path / "out/series.csv").set_index("file")
    assert list(index.index) == sorted(path.name for path in (tmp_path / "out/series").iterdir())
    assert len(index) == 5
    for name, of in index.iterrows():
        parts = str(name).removesuffix(".csv").split("_")
        assert parts[2:5] == ["id", parts[3], "Facility"]
        series = pd.read_csv(tmp_path / "out/series" / str(name))
        assert series.columns[-1] == "Label"
        assert not series.isna().any().any()
        assert series["Label"].to_numpy().argmax() == int(parts[-1])
        assert int(parts[-3]) <= int(parts[-1])
        ours = two_runs.metrics(nodes=of["node"]).sort_values("timestamp", kind="stable")
        assert list(series["Label"]) == list(ours["is_anomalous"].astype(int))
        assert list(series["mem.used"]) == list(ours["mem.used"].astype(float))


def test_its_loader_takes_every_series(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "tsb-ad", tmp_path / "out")
    found = consumer.run("run_tsb_ad.py", tmp_path / "out/series")
    assert len(found) == 5
    for series in found:
        assert series["rows"] == series["in_file"]
        assert 0 < series["train"] == series["train_index"] <= series["first"]
        assert series["anomalous"] > 0
        assert series["features"] == len(two_runs.metrics.values)
    floors = pd.read_csv(tmp_path / "out/floors-anomalies.csv", index_col="floor")
    mean = sum(series["auc_roc"] for series in found) / len(found)
    print(f"isolation forest: AUC-ROC {mean:.2f}\n{floors[['auroc', 'average_precision']].round(2).to_string()}")
    assert mean > floors.loc["chance", "auroc"]
