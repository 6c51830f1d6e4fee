"""What holds for every export: whole or not there, nothing overwritten unasked, floors, losses said, odd datasets."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import faultset
import releases
from faultset import exports, tables
from faultset.cli import main
from faultset.dataset.opening import Dataset
from faultset.errors import InputError
from faultset.exports.layout import distinct, word
from faultset.release import parquet
from faultset.release.commit import publish

pytestmark = pytest.mark.integration
FLOORS = ["constant", "chance", "always", "never", "largest |z|"]
LAYOUTS = tuple(exports.LAYOUTS)
OF_METRICS = ("rcaeval", "rcabench", "tsb-ad")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_export_has_its_floors_and_says_what_is_lost(two_runs: Dataset, tmp_path: Path, layout: str):
    told: list[tuple[int, int, str]] = []
    found = exports.export(two_runs, layout, tmp_path / "out", tell=lambda *what: told.append(what))
    for task in ("anomalies", "root_causes"):
        floors = pd.read_csv(tmp_path / f"out/floors-{task}.csv", index_col="floor")
        assert list(floors.index) == FLOORS
    page = (tmp_path / "out/EXPORT.md").read_text()
    assert all(f"- {text}" in page for text in found.lost)
    assert json.loads((tmp_path / "out/export.json").read_text())["fingerprint"] == two_runs.manifest.fingerprint
    assert found.files == sum(path.is_file() for path in (tmp_path / "out").rglob("*"))
    assert told
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_export_is_replaced_only_when_asked_and_nothing_else_ever(two_runs: Dataset, tmp_path: Path):
    out = tmp_path / "out"
    exports.export(two_runs, "tsb-ad", out)
    with pytest.raises(InputError, match="an export lies there already"):
        exports.export(two_runs, "tsb-ad", out)
    (out / "mark").touch()
    exports.export(two_runs, "openmetrics", out, replace=True)
    assert not (out / "mark").exists()
    assert not (out / "series").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    for replace in (False, True):
        with pytest.raises(InputError, match="that is no export"):
            exports.export(two_runs, "tsb-ad", tmp_path / "mine", replace=replace)
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


def test_an_export_that_fails_leaves_what_was_there(two_runs: Dataset, tmp_path: Path):
    exports.export(two_runs, "tsb-ad", tmp_path / "out")
    before = sorted(path.name for path in (tmp_path / "out").rglob("*"))
    quiet = metrics("cmp01", is_anomalous=pa.array([False] * 400), phase=pa.array(["normal"] * 400))
    dataset = published(tmp_path / "root", {"metrics/a.parquet": quiet}, nodes=("cmp01",))
    with pytest.raises(InputError, match="no series can be made of it"):
        exports.export(dataset, "tsb-ad", tmp_path / "out", replace=True)
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "root"]


def test_the_command_says_on_stderr_what_is_lost(
    two_runs: Dataset, root_of: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["export", two_runs.slug, str(tmp_path / "out"), "--to", "tsb-ad", "--datasets", str(root_of), "--json"]
    assert main(call) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["layout"] == "tsb-ad"
    assert [f"not carried over: {text}" for text in document["lost"]] == said.err.splitlines()
    assert main(call) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'out'}: an export lies there already")


def test_an_unknown_layout_is_named(two_runs: Dataset, tmp_path: Path):
    with pytest.raises(InputError, match="did you mean rcaeval"):
        exports.export(two_runs, "rcaevel", tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_names_from_outside_are_no_paths():
    assert word("../../etc/passwd\n") == "etc-passwd"
    assert word(None) == word("..") == "unknown"
    assert distinct(["a_b", "a-b", "A_B"], lambda name: name.replace("_", "-")) == {
        "a_b": "a-b", "a-b": "a-b2", "A_B": "A-B3",
    }  # fmt: skip


# --- odd datasets, written by hand -----------------------------------------------------------------------------------


def metrics(node: str, rows: int = 400, **changed: Any) -> pa.Table:
    """A row a second from 200 s before the injection, which the node feels for 40 s."""
    number = np.arange(rows)
    at = releases.START + dt.timedelta(seconds=50)
    times = [at + dt.timedelta(seconds=int(second)) for second in number]
    felt = (number >= 200) & (number < 240)
    columns = {
        "cpu_user": pa.array(np.sin(number) + 5 * felt),
        "Label": pa.array(number),
        "timestamp": pa.array(times, pa.timestamp("us", tz="UTC")),
        "node": pa.array([node] * rows),
        "source_row": pa.array(number),
        "is_anomalous": pa.array(felt),
        "injection_ids": pa.array([["boot.0.250"] if one else [] for one in felt], pa.list_(pa.string())),
        "node_injection_ids": pa.array([["boot.0.250"] if one else [] for one in felt], pa.list_(pa.string())),
        "phase": pa.array(["injection" if one else "normal" for one in felt]),
        "is_boundary": pa.array([False] * rows),
        "impacted_kpis": pa.array([[]] * rows, pa.list_(pa.string())),
    }
    return pa.table(columns | changed)


def published(folder: Path, files: dict[str, pa.Table], nodes: tuple[str, ...] = ("cmp_01.example.org",)) -> Dataset:
    return published_with(folder, files, [releases.target(250, node) for node in nodes])


def published_with(folder: Path, files: dict[str, pa.Table], targets: list[tables.TargetRow]) -> Dataset:
    candidate = releases.candidate(folder, "a", releases.rows() | {"targets": targets})
    for table in (tables.IMPACTS, tables.IMPACT_TESTS):
        parquet.write_table(table, [], candidate.folder / f"{table.name}.parquet")
    for path, data in files.items():
        releases.write_telemetry(candidate.folder, path, data)
    publish(candidate, folder, created_at=releases.NOW)
    return faultset.open(releases.SLUG, root=folder)


def test_nodes_with_dots_and_underscores_and_kpis_named_like_labels(tmp_path: Path):
    nodes = ("cmp_01.example.org", "cmp-01.example.org")
    dataset = published(
        tmp_path / "root", {f"metrics/{place}.parquet": metrics(node) for place, node in enumerate(nodes)}
    )
    for layout in LAYOUTS:
        exports.export(dataset, layout, tmp_path / layout)
    cases = pd.read_parquet(tmp_path / "rcaeval/cases.parquet")
    assert list(cases["root_cause_service"]) == ["cmp-01.example.org2"]
    columns = pd.read_parquet(tmp_path / "rcaeval" / cases["case"][0] / "metrics.parquet").columns
    assert {name.split("_")[0] for name in columns} == {"time", "cmp-01.example.org", "cmp-01.example.org2"}
    assert "cmp_01.example.org is cmp-01.example.org2" in (tmp_path / "rcaeval/EXPORT.md").read_text()
    series = sorted((tmp_path / "tsb-ad/series").iterdir())
    assert len(series) == 2
    for path in series:
        assert path.name.count(".") == 1
        assert list(pd.read_csv(path).columns) == ["cpu_user", "Label2", "Label"]


def test_a_dataset_without_telemetry_is_exported_or_says_why_not(tmp_path: Path):
    dataset = published(tmp_path / "root", {})
    for layout in LAYOUTS:
        if layout in OF_METRICS:
            with pytest.raises(InputError, match="metrics"):
                exports.export(dataset, layout, tmp_path / layout)
            assert not (tmp_path / layout).exists()
        else:
            found = exports.export(dataset, layout, tmp_path / layout)
            assert any(text.startswith("metrics: this dataset has none") for text in found.lost)
            assert "There are no metrics" in (tmp_path / layout / "EXPORT.md").read_text()


def test_a_dataset_whose_labels_are_empty_says_why_it_is_no_series(tmp_path: Path):
    quiet = metrics("cmp01", is_anomalous=pa.array([False] * 400), phase=pa.array(["normal"] * 400))
    dataset = published(tmp_path / "root", {"metrics/a.parquet": quiet}, nodes=("cmp01",))
    with pytest.raises(InputError, match="cmp01: it has no anomalous row"):
        exports.export(dataset, "tsb-ad", tmp_path / "tsb-ad")
    exports.export(dataset, "rcaeval", tmp_path / "rcaeval")
    exports.export(dataset, "huggingface", tmp_path / "huggingface")


def test_an_injection_without_a_known_root_cause_makes_no_case(tmp_path: Path):
    unknown = [releases.target(250, "cmp01", effective=None)]
    dataset = published_with(tmp_path / "root", {"metrics/a.parquet": metrics("cmp01")}, unknown)
    for layout in ("rcaeval", "rcabench"):
        with pytest.raises(InputError, match="of its 1 injections none has a root cause that is known"):
            exports.export(dataset, layout, tmp_path / layout)


def test_an_injection_before_all_metrics_makes_no_case_of_rcaeval(tmp_path: Path):
    late = metrics("cmp01").slice(210)
    dataset = published(tmp_path / "root", {"metrics/a.parquet": late}, nodes=("cmp01",))
    with pytest.raises(InputError, match="there is no row of metrics before it"):
        exports.export(dataset, "rcaeval", tmp_path / "rcaeval")
    with pytest.raises(InputError, match="no row of metrics in its normal time"):
        exports.export(dataset, "rcabench", tmp_path / "rcabench")


def test_spans_of_other_columns_are_exported_and_those_of_unknown_ones_said(tmp_path: Path):
    known = metrics("cmp01").select(["timestamp", "node", "source_row", "is_anomalous", "injection_ids", "phase"])
    known = known.append_column("is_boundary", pa.array([False] * 400))
    spans = known.append_column("spanID", pa.array([f"s{row}" for row in range(400)]))
    spans = spans.append_column("operationName", pa.array(["GET /"] * 400))
    spans = spans.append_column("duration", pa.array(np.full(400, 2500)))
    files = {
        "metrics/a.parquet": metrics("cmp01"),
        "traces/jaeger.parquet": spans,
        "traces/odd.parquet": known.append_column("what", pa.array(["x"] * 400)),
        "logs/odd.parquet": known.append_column("what", pa.array(["x"] * 400)),
    }
    dataset = published(tmp_path / "root", files, nodes=("cmp01",))
    found = exports.export(dataset, "rcaeval", tmp_path / "out")
    case = next(path for path in (tmp_path / "out").iterdir() if path.is_dir())
    traces = pd.read_parquet(case / "traces.parquet")
    assert set(traces["duration"]) == {2500}
    assert len(traces) == 400
    assert any("lines of logs, of which no column is known as text" in text for text in found.lost)
    exports.export(dataset, "rcabench", tmp_path / "rcabench")
