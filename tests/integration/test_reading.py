"""Datasets opened in Python, and how little of the telemetry a narrow question reads."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from pyarrow import fs

import faultset
from faultset import pipeline, reading, simulator
from faultset.errors import InputError
from faultset.labels import engine
from faultset.labels.windows import NodeWindows
from faultset.records import TelemetryFile
from faultset.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reading")
    simulator.simulate("glance-api-restart", folder / "experiments" / "glance", seed=1)
    settings = Settings(str(folder / "experiments"), str(folder / "datasets"))
    pipeline.publish_by_hand(pipeline.build("glance", settings), settings, reason="a test")
    return folder / "datasets"


class Counting(LocalFileSystem):
    """Counts the bytes that are read."""

    cachable = False
    total = 0

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> Any:
        file = super()._open(path, mode, block_size, **options)
        plain = file.read

        def read(size: int = -1) -> bytes:
            data: bytes = plain(size)
            Counting.total += len(data)
            return data

        file.read = read
        return file


def test_tables_are_rows_pandas_and_arrow(root: Path):
    ds = faultset.open("glance", root=root)
    assert ds.version == "1.0.0"
    assert [row.started_at for row in ds.injections] == sorted(row.started_at for row in ds.injections)
    assert len(ds.targets) == len(ds.targets.pandas()) == ds.targets.arrow().num_rows == 3
    assert {row.source for row in ds.impacts} == {"detected"}


def test_metrics_of_one_injection_on_one_node(root: Path):
    ds = faultset.open("glance", root=root)
    injection = ds.injections[0]
    rows = ds.metrics(nodes=["ctl01"], columns=["mem.used"], during=injection, margin="1min")
    minute = dt.timedelta(minutes=1)
    assert list(rows.columns)[:4] == ["timestamp", "node", "source_row", "mem.used"]
    assert set(rows["node"]) == {"ctl01"}
    assert rows["timestamp"].min() >= injection.started_at - minute
    assert rows["timestamp"].max() < injection.ended_at + minute
    assert isinstance(rows, pd.DataFrame)
    assert rows.arrow().num_rows == len(rows)
    assert rows.loc[rows["is_anomalous"], "phase"].isin(["injection", "recovery"]).all()


@pytest.fixture
def long_files(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Labeled metrics of five nodes, a day and a half around the first injection, in row groups of a few hours."""
    monkeypatch.setattr(engine, "ROW_GROUP_ROWS", 8192)
    begin = faultset.open("glance", root=root).injections[0].started_at.replace(tzinfo=None) - dt.timedelta(hours=20)
    times = np.datetime64(begin, "s") + np.arange(120_000)
    values = np.random.default_rng(1).normal(12e9, 1e8, len(times)).astype(np.int64).tolist()
    texts = np.datetime_as_string(times).tolist()
    rows = "".join(f"{now[:10]} {now[11:]} UTC,20.5,{used},8,1,1,1\n" for now, used in zip(texts, values, strict=True))
    files = []
    for node in ("ctl01", "cmp01", "cmp02", "cmp03", "cmp04"):
        source = tmp_path / f"{node}_metrics.csv"
        source.write_text(f"now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15\n{rows}")
        files.append(tmp_path / f"{node}.parquet")
        engine.label_file(TelemetryFile("metrics", str(source), source.name, "UTC"), NodeWindows((), {}), files[-1])
    return files


def test_a_narrow_question_reads_only_the_row_groups_it_needs(root: Path, long_files: list[Path]):
    injection = faultset.open("glance", root=root).injections[0]
    assert min(pq.read_metadata(file).num_row_groups for file in long_files) > 10
    stored = sum(file.stat().st_size for file in long_files)
    counted = reading.Telemetry("metrics", long_files, fs.PyFileSystem(fs.FSSpecHandler(Counting())))
    Counting.total = 0
    rows = counted.arrow(nodes=["ctl01"], columns=["mem.used"], during=injection, margin="1min")
    assert rows.num_rows > 60
    print(f"{Counting.total:,} bytes read of {stored:,} stored")
    assert Counting.total < 0.25 * stored


@pytest.mark.parametrize("question", [{"columns": ["mem.usd"]}])
def test_an_unknown_column_is_named(root: Path, question: dict[str, Any]):
    with pytest.raises(InputError, match=r"mem\.usd"):
        faultset.open("glance", root=root).metrics(**question)


def test_unknown_datasets_and_versions_are_named(root: Path):
    with pytest.raises(InputError, match="there is no dataset of this name"):
        faultset.open("nova", root=root)
    with pytest.raises(InputError, match=r"there are 1\.0\.0"):
        faultset.open("glance", version="9.9.9", root=root)
