"""Datasets opened in Python: what is returned, how little of the telemetry a narrow question reads, and from where."""

from __future__ import annotations

import datetime as dt
import functools
import http.server
import io
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from pyarrow import fs

import faultset
from faultset import pipeline, simulator
from faultset.dataset import notebook, roots
from faultset.dataset.columns import type_named
from faultset.dataset.files import LocalFile
from faultset.dataset.opening import Dataset
from faultset.dataset.telemetry import Part, Telemetry
from faultset.errors import InputError, SetupError
from faultset.labels import engine, writer
from faultset.labels.windows import NodeWindows
from faultset.records.telemetry import TelemetryFile
from faultset.settings import Settings

pytestmark = pytest.mark.integration
MINUTE = dt.timedelta(minutes=1)


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


# --- tables and rows --------------------------------------------------------------------------------------------------


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
    assert list(rows.columns)[:4] == ["timestamp", "node", "source_row", "mem.used"]
    assert set(rows["node"]) == {"ctl01"}
    assert rows["timestamp"].min() >= injection.started_at - MINUTE
    assert rows["timestamp"].max() < injection.ended_at + MINUTE
    assert rows.loc[rows["is_anomalous"], "phase"].isin(["injection", "recovery"]).all()


def test_frames_are_plain_and_pickle(root: Path):
    ds = faultset.open("glance", root=root)
    rows = ds.metrics(nodes="ctl01", during=ds.injections[0])
    assert type(rows) is pd.DataFrame
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(rows)), rows)  # noqa: S301 (our own)
    assert rows.arrow().num_rows == ds.metrics.arrow(nodes="ctl01", during=ds.injections[0]).num_rows == len(rows)


def rows_of(ds: Dataset, node: str) -> int:
    return len(ds.metrics(nodes=node))


def test_a_dataset_goes_to_other_processes(root: Path):
    ds = faultset.open("glance", root=root)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(rows_of, [ds], ["ctl01"])) == [rows_of(ds, "ctl01")]


@pytest.mark.parametrize("nodes", ["ctl01", "CTL01", ["Ctl01"]])
def test_host_names_ignore_case_and_one_name_is_a_name(root: Path, nodes: Any):
    assert set(faultset.open("glance", root=root).metrics(nodes=nodes)["node"]) == {"ctl01"}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"columns": ["mem.usd"]}, r'no column "mem\.usd" \(did you mean mem\.used\?\)'),
        ({"columns": "cpu"}, 'no column "cpu"'),
        ({"nodes": ["ctl1"]}, r'no node "ctl1" \(did you mean ctl01\?\)'),
        ({"during": ("2025-11-18 17:00", "2025-11-18 18:00")}, "has no zone"),
        ({"during": ("2025-11-18T18:00Z", "2025-11-18T17:00Z")}, "before it starts"),
        ({"during": "yesterday"}, "no span of time"),
        ({"during": ("2025-11-18T17:00Z", "2025-11-18T18:00Z"), "margin": "-5min"}, "no length of time"),
    ],
)
def test_a_wrong_question_gets_one_line_that_helps(root: Path, question: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        faultset.open("glance", root=root).metrics(**question)


def test_what_is_shown_is_short_and_escaped(root: Path):
    ds = faultset.open("glance", root=root)
    for shown in (ds, ds.metrics, ds.injections, ds.sliding(length="1min", step="1min"), faultset.list(root=root)):
        assert len(repr(shown)) < 3000
        assert len(shown._repr_html_()) < 5000
    hostile = notebook.html("<script>", {"a": "<b>\u202e" + "x" * 1000})
    assert "<script>" not in hostile
    assert "<b>" not in hostile
    assert "\u202e" not in hostile
    assert len(hostile) < 600


@pytest.fixture
def long_files(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Labeled metrics of five nodes, a day and a half around the first injection, in row groups of a few hours."""
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 8192)
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


def part(file: Path, filesystem: fs.FileSystem | None = None) -> Part:
    """A file, with what the manifest says of it."""
    columns = {field.name: type_named(str(field.type)) for field in pq.read_schema(file)}
    return Part(LocalFile(file, filesystem), columns, pq.read_metadata(file).num_rows, nodes=(file.stem,))


def test_a_narrow_question_reads_only_the_row_groups_it_needs(root: Path, long_files: list[Path]):
    injection = faultset.open("glance", root=root).injections[0]
    assert min(pq.read_metadata(file).num_row_groups for file in long_files) > 10
    stored = sum(file.stat().st_size for file in long_files)
    counting = fs.PyFileSystem(fs.FSSpecHandler(Counting()))
    counted = Telemetry("metrics", tuple(part(file, counting) for file in long_files))
    Counting.total = 0
    rows = counted.arrow(nodes=["ctl01"], columns=["mem.used"], during=injection, margin="1min")
    assert rows.num_rows > 60
    print(f"{Counting.total:,} bytes read of {stored:,} stored")
    assert Counting.total < 0.25 * stored


# --- laid out for methods ---------------------------------------------------------------------------------------------


def test_wide_is_time_by_node_and_kpi_with_the_strongest_label_beside(root: Path):
    ds = faultset.open("glance", root=root)
    wide = ds.wide(nodes=["CMP01", "ctl01"], columns=["mem.used", "cpu.user"], during=ds.injections[0], margin="1min")
    assert list(wide.columns)[:4] == [(n, k) for n in ("cmp01", "ctl01") for k in ("mem.used", "cpu.user")]
    assert wide.index.is_monotonic_increasing
    assert wide.index.is_unique
    rows = ds.metrics(nodes="ctl01", columns="mem.used", during=ds.injections[0], margin="1min")
    second = wide.index[10]
    expected = rows[rows["timestamp"].dt.floor("1s") == second]
    assert wide.loc[second, ("ctl01", "mem.used")] == pytest.approx(expected["mem.used"].mean())
    assert wide.loc[second, ("ctl01", "is_anomalous")] == expected["is_anomalous"].any()


def test_all_sources_stand_on_one_clock(root: Path):
    ds = faultset.open("glance", root=root)
    frame = ds.aligned(every="10s", count_by={"logs": "log_level"})
    assert set(frame.columns.get_level_values("source")) == {"metrics", "logs", "traces", "workloads"}
    assert (frame.index[1:] - frame.index[:-1] == pd.Timedelta("10s")).all()
    lines = frame["logs"].xs("rows", axis=1, level="kpi")
    assert lines.sum().sum() == ds.logs.rows
    done = frame["workloads"].xs("iterations", axis=1, level="kpi")
    assert done.sum().sum() == len(ds.iterations)


def test_sliding_windows_carry_the_labels_of_what_they_cover(root: Path):
    ds = faultset.open("glance", root=root)
    windows = ds.sliding(length="30s", step="10s", nodes="ctl01", columns="mem.used")
    assert windows.values.shape == (len(windows), 30, 1)
    rows = ds.metrics(nodes="ctl01", columns="mem.used")
    for start, anomalous in list(zip(windows.starts, windows.is_anomalous, strict=True))[::7]:
        inside = (rows["timestamp"] >= start) & (rows["timestamp"] < start + pd.Timedelta("30s"))
        assert anomalous == rows.loc[inside, "is_anomalous"].any()


def test_no_injection_is_on_both_sides_of_a_split(root: Path):
    ds = faultset.open("glance", root=root)
    tested = []
    for train, test in ds.splits(by="injection", folds=3, seed=0):
        for kind in ("metrics", "logs", "traces"):
            rows = [getattr(part, kind).arrow(columns=[]) for part in (train, test)]
            ids = [{name for names in found["injection_ids"].to_pylist() for name in names} for found in rows]
            assert not ids[0] & ids[1]
            assert sum(found.num_rows for found in rows) == getattr(ds, kind).rows
        assert {row.injection_id for row in test.impacts} <= {row.injection_id for row in test.injections}
        tested += [row.injection_id for row in test.injections]
    assert sorted(tested) == sorted(row.injection_id for row in ds.injections)


def test_the_same_seed_gives_the_same_folds(root: Path):
    ds = faultset.open("glance", root=root)
    folds = [[split.test.within for split in ds.splits(folds=3, seed=seed)] for seed in (7, 7)]
    assert folds[0] == folds[1]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"folds": 4}, "3 groups of injections"),
        ({"by": "windows"}, "one injection into both"),
        ({"by": "node"}, "give"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(root: Path, how: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        list(faultset.open("glance", root=root).splits(**how))


def test_each_task_has_its_floors(root: Path):
    ds = faultset.open("glance", root=root)
    _, test = next(ds.splits(folds=3))
    anomalies, causes = test.floors("anomalies"), test.floors("root_causes")
    names = ["constant", "chance", "always", "never", "largest |z|"]
    assert list(anomalies.index) == list(causes.index) == names
    assert anomalies.loc["always", "recall"] == 1
    assert anomalies.loc["never", "recall"] == 0
    assert anomalies.loc["chance", "auroc"] == 0.5
    assert 0.5 < anomalies.loc["largest |z|", "auroc"] <= 1
    assert causes.loc["chance", "top1"] == pytest.approx(1 / 5)
    assert causes.loc["largest |z|", "top1"] == 1
    with pytest.raises(InputError, match="did you mean anomalies"):
        test.floors("anomaly")


def test_where_each_injection_acted_is_known_with_its_reason(root: Path):
    causes = faultset.open("glance", root=root).root_causes
    assert [cause.nodes for cause in causes] == [("ctl01",)] * 3
    assert [cause.services for cause in causes] == [("glance",)] * 3
    assert all(cause.is_known and cause.why for cause in causes)


# --- roots ------------------------------------------------------------------------------------------------------------


def test_datasets_are_listed_with_their_latest_version(root: Path):
    found = faultset.list(root=root)
    assert [record.slug for record in found] == ["glance"]
    assert "glance" in found
    assert found.pandas().loc[0, "latest"] == "1.0.0"


def test_unknown_datasets_and_versions_are_named(root: Path):
    with pytest.raises(InputError, match=r"there is no dataset of this name \(did you mean glance\?\)"):
        faultset.open("glanze", root=root)
    with pytest.raises(InputError, match=r"there are 1\.0\.0"):
        faultset.open("glance", version="9.9.9", root=root)


class Plain(http.server.SimpleHTTPRequestHandler):
    """A web server that sends whole files; counts what it sends."""

    def log_message(self, *_: Any) -> None:
        pass

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        self.server.sent[self.path] = self.server.sent.get(self.path, 0) + len(data)
        outputfile.write(data)


class Ranged(Plain):
    """One that speaks ranges."""

    def send_head(self) -> Any:
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not wanted or not path.is_file():
            return super().send_head()
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        data = path.read_bytes()
        piece = data[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(piece) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(piece)))
        self.end_headers()
        return io.BytesIO(piece)


@contextmanager
def served(folder: Path, handler: type[Plain]) -> Iterator[tuple[str, dict[str, int]]]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=folder)) as server:
        server.sent = {}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.sent
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("handler", [Ranged, Plain])
def test_a_web_server_gives_the_same_as_a_folder(root: Path, handler: type[Plain]):
    here = faultset.open("glance", root=root)
    with served(root, handler) as (address, _):
        there = faultset.open("glance", root=address)
        assert [found.slug for found in faultset.list(root=address)] == ["glance"]
        assert list(there.injections) == list(here.injections)
        question = {"nodes": "ctl01", "columns": "mem.used", "during": here.injections[1], "margin": "1min"}
        assert there.metrics.arrow(**question).equals(here.metrics.arrow(**question))
        with pytest.raises(InputError, match="did you mean glance"):
            faultset.open("glanc", root=address)


def test_of_a_web_server_only_the_parts_needed_are_fetched(root: Path, long_files: list[Path]):
    with served(long_files[0].parent, Ranged) as (address, sent):
        there = roots.root_at(address)
        file = there.file(long_files[0].name, long_files[0].stat().st_size)
        known = part(long_files[0])
        injection = faultset.open("glance", root=root).injections[0]
        rows = Telemetry("metrics", (Part(file, known.columns, known.rows, known.nodes),))(
            columns="mem.used", during=injection
        )
    assert len(rows)
    fetched, stored = sum(sent.values()), long_files[0].stat().st_size
    print(f"{fetched:,} bytes fetched of {stored:,}")
    assert fetched < 0.4 * stored


def test_what_a_web_server_lacks_is_said(tmp_path: Path):
    with served(tmp_path, Ranged) as (address, _):
        with pytest.raises(InputError, match="there is no dataset of this name"):
            faultset.open("glance", root=address)
        with pytest.raises(SetupError, match=r"index\.json: it is not there"):
            faultset.list(root=address)
    with pytest.raises(SetupError, match="does not answer"):
        faultset.open("glance", root="http://127.0.0.1:9")


def test_a_password_in_an_address_is_not_repeated():
    with pytest.raises(InputError) as caught:
        faultset.open("glance", root="https://me:secret@host/data")
    assert "secret" not in str(caught.value)


def test_a_changed_manifest_is_refused(root: Path, tmp_path: Path):
    for file in root.glob("**/*.json"):
        copy = tmp_path / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        said = file.read_bytes()
        copy.write_bytes(said.replace(b"Restart of", b"Restart oF") if file.name == "manifest.json" else said)
    with served(tmp_path, Ranged) as (address, _), pytest.raises(InputError, match="not the manifest"):
        faultset.open("glance", root=address)
