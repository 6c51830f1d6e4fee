"""Labels on files: what is written, row by row, and that nothing half-written is left behind."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import truth_rows
from faultset import tables
from faultset.errors import InputError, SetupError
from faultset.labels import writer
from faultset.labels.engine import FileLabels, label_file
from faultset.labels.leaks import leaks
from faultset.labels.windows import PHASES, NodeWindows, Policy, segments, windows
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import csv_rows as telemetry_rows
from faultset.tables import ImpactRow, InjectionRow

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED = CHECKOUT.parent / "shared" / "real"
HEADER = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"
BEGIN = dt.datetime(2019, 11, 19, 22, 51, 43, tzinfo=dt.UTC)  # 23:51:43 in Berlin
NOTHING = NodeWindows((), {})


def injection(name: str, start: float, end: float, *, begin: dt.datetime = BEGIN) -> InjectionRow:
    return truth_rows.injection(name, begin + dt.timedelta(seconds=start), begin + dt.timedelta(seconds=end))


def some_windows(begin: dt.datetime = BEGIN) -> NodeWindows:
    """Two overlapping injections, the first of which moved a KPI for a while after."""
    moved = ImpactRow(
        "a", "wally117", "mem.used", begin, begin + dt.timedelta(seconds=60), "up", "detected", "test", 5.0, 0.01
    )
    return windows(
        [injection("a", 10, 40, begin=begin), injection("b", 20, 50, begin=begin)],
        [truth_rows.target("a", "wally117"), truth_rows.target("b", "wally122")],
        [moved],
        Policy(),
    )


def metrics(count: int, *, step_s: float = 0.5, begin: dt.datetime = BEGIN, zone_h: int = 1) -> list[str]:
    """Return rows of Berlin's wall clock in winter, which the collector calls CEST all the same."""
    lines = []
    for row in range(count):
        now = begin + dt.timedelta(hours=zone_h, seconds=int(row * step_s))
        lines.append(f"{now:%Y-%m-%d %H:%M:%S} CEST,{20 + row % 7}.5,{12_000_000_000 + row * 4096},8,1.55,1.6,1.64")
    return lines


def file_of(
    folder: Path,
    lines: list[str],
    name: str = "wally117_metrics.csv",
    kind: TelemetryKind = "metrics",
    header: str = HEADER,
) -> TelemetryFile:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return TelemetryFile(kind, str(path), name, "Europe/Berlin")


def labeled(
    file: TelemetryFile, folder: Path, node_windows: NodeWindows | None = None
) -> tuple[FileLabels, pl.DataFrame]:
    target_path = folder / "out.parquet"
    found = label_file(file, node_windows or some_windows(), target_path)
    return found, pl.read_parquet(target_path)


# --- what is written ------------------------------------------------------------------------------------------------


def test_columns_are_the_source_s_then_the_labels_with_the_declared_types(tmp_path: Path) -> None:
    labeled(file_of(tmp_path, metrics(200)), tmp_path)
    schema = pq.read_schema(tmp_path / "out.parquet")
    added = tables.columns(tables.Table("metrics", tables.MetricsLabels, ()))
    assert schema.names == [*HEADER.split(","), *(spec.name for spec in added)]
    for spec in added:
        assert schema.field(spec.name).type == spec.arrow_type
        assert schema.field(spec.name).nullable == spec.nullable
    assert str(schema.field("mem.used").type) == "int64"
    assert str(schema.field("now").type) == "string"


def test_every_row_carries_the_labels_that_the_windows_say(tmp_path: Path) -> None:
    lines = metrics(400)
    _, frame = labeled(file_of(tmp_path, lines), tmp_path)
    parts = segments(some_windows(), "wally117", 1.0)
    assert frame["source_row"].to_list() == list(range(400))
    assert frame["now"].to_list() == [line.split(",")[0] for line in lines]
    for row in frame.iter_rows(named=True):
        place = parts.of(pl.Series([row["timestamp"]]).cast(pl.Int64).to_numpy())[0]
        assert row["timestamp"] == BEGIN + dt.timedelta(seconds=row["source_row"] // 2)
        assert row["node"] == "wally117"
        assert row["phase"] == PHASES[parts.phase[place]]
        assert row["is_anomalous"] == parts.is_anomalous[place]
        assert row["is_boundary"] == parts.is_boundary[place]
        assert tuple(row["injection_ids"]) == parts.injection_ids[place]
        assert tuple(row["node_injection_ids"]) == parts.node_injection_ids[place]
        assert tuple(row["impacted_kpis"]) == parts.impacted_kpis[place]
    assert {tuple(ids) for ids in frame["injection_ids"]} == {(), ("a",), ("a", "b")}


def test_what_was_counted_is_what_stands_in_the_file(tmp_path: Path) -> None:
    found, frame = labeled(file_of(tmp_path, metrics(400)), tmp_path)
    assert found.rows == len(frame) == 400
    assert found.nodes == {"wally117": 400}
    assert found.anomalous == frame["is_anomalous"].sum()
    assert found.boundary == frame["is_boundary"].sum()
    assert found.phases == {phase: (frame["phase"] == phase).sum() for phase in PHASES}
    exploded = frame["injection_ids"].explode()
    assert found.injections == {name: (exploded == name).sum() for name in ("a", "b")}
    assert found.kpis == {"mem.used": frame["impacted_kpis"].list.len().sum()}
    assert (found.first_us, found.last_us) == (
        frame["timestamp"].cast(pl.Int64).min(),
        frame["timestamp"].cast(pl.Int64).max(),
    )
    assert found.abbreviations == {"CEST": 400}
    assert found.columns["cpu.user"] == "double"
    assert (found.out_of_order, found.duplicates, found.largest_gap_s) == (0, 0, 1.0)


def test_the_same_input_gives_the_same_bytes_packed_or_not(tmp_path: Path) -> None:
    file = file_of(tmp_path, metrics(5000))
    label_file(file, some_windows(), tmp_path / "one.parquet")
    label_file(file, some_windows(), tmp_path / "two.parquet")
    packed = tmp_path / "wally117_packed.csv.gz"
    packed.write_bytes(gzip.compress(Path(file.uri).read_bytes()))
    label_file(dataclasses.replace(file, uri=str(packed)), some_windows(), tmp_path / "three.parquet")
    first = (tmp_path / "one.parquet").read_bytes()
    assert first == (tmp_path / "two.parquet").read_bytes() == (tmp_path / "three.parquet").read_bytes()


def test_rows_out_of_order_keep_their_place_and_their_labels(tmp_path: Path) -> None:
    lines = metrics(400)
    _, ordered = labeled(file_of(tmp_path, lines), tmp_path)
    order = sorted(range(400), key=lambda row: (row * 7919) % 401)
    found, frame = labeled(file_of(tmp_path, [lines[row] for row in order]), tmp_path)
    assert found.out_of_order > 0
    assert found.duplicates == 0
    assert frame["source_row"].to_list() == list(range(400))
    assert frame.drop("source_row").equals(ordered[order].drop("source_row"))


def test_identical_rows_are_counted_next_to_each_other_and_far_apart(tmp_path: Path) -> None:
    lines = metrics(100)
    assert labeled(file_of(tmp_path, [*lines[:51], *lines[50:]]), tmp_path)[0].duplicates == 1
    assert labeled(file_of(tmp_path, [*lines, *lines[:30]]), tmp_path)[0].duplicates == 30


def test_a_gap_is_measured(tmp_path: Path) -> None:
    lines = metrics(400)
    assert labeled(file_of(tmp_path, lines[:100] + lines[300:]), tmp_path)[0].largest_gap_s == 101.0


def test_row_groups_are_bounded_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 1000)
    monkeypatch.setattr(telemetry_rows, "BLOCK", 10_000)
    seen: list[int] = []
    file = file_of(tmp_path, metrics(3500))
    label_file(file, some_windows(), tmp_path / "out.parquet", progress=seen.append)
    written = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert [written.row_group(group).num_rows for group in range(4)] == [1000, 1000, 1000, 500]
    assert seen == sorted(seen)
    assert seen[-1] == 3500
    assert pl.read_parquet(tmp_path / "out.parquet")["source_row"].to_list() == list(range(3500))


def test_reading_one_injection_s_rows_touches_only_its_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 1000)
    label_file(file_of(tmp_path, metrics(20_000)), some_windows(), tmp_path / "out.parquet")
    written = pq.ParquetFile(tmp_path / "out.parquet").metadata
    place = written.schema.to_arrow_schema().names.index("timestamp")
    start, end = BEGIN + dt.timedelta(seconds=10), BEGIN + dt.timedelta(seconds=40)
    spans = [written.row_group(group).column(place).statistics for group in range(written.num_row_groups)]
    needed = [span for span in spans if span.min < end and span.max >= start]
    assert len(spans) == 20
    assert len(needed) == 1


# --- the repeated hour and the one that never comes -----------------------------------------------------------------


def clock(texts: list[str]) -> list[str]:
    return [f"{text},20.5,12000000000,8,1.55,1.6,1.64" for text in texts]


def autumn(abbreviations: tuple[str, str]) -> list[str]:
    """Return rows a minute apart through the night of 27 October 2019, whose hour from 02:00 comes twice in Berlin."""
    begin = dt.datetime(2019, 10, 26, 23, 30, tzinfo=dt.UTC)
    texts = []
    for minute in range(150):
        utc = begin + dt.timedelta(minutes=minute)
        summer = utc < dt.datetime(2019, 10, 27, 1, 0, tzinfo=dt.UTC)
        wall = utc + dt.timedelta(hours=2 if summer else 1)
        texts.append(f"{wall:%Y-%m-%d %H:%M:%S} {abbreviations[not summer]}")
    return texts


@pytest.mark.parametrize("abbreviations", [("CEST", "CET"), ("CEST", "CEST")])
def test_the_passes_of_a_repeated_hour_are_told_apart(tmp_path: Path, abbreviations: tuple[str, str]) -> None:
    found, frame = labeled(file_of(tmp_path, clock(autumn(abbreviations))), tmp_path, NOTHING)
    assert found.ambiguous == found.boundary == 0
    assert found.out_of_order == 0
    assert frame["timestamp"].diff().drop_nulls().unique().to_list() == [dt.timedelta(minutes=1)]


def test_a_repeated_hour_is_told_apart_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_rows, "BLOCK", 300)
    found, frame = labeled(file_of(tmp_path, clock(autumn(("CEST", "CEST")))), tmp_path, NOTHING)
    assert found.ambiguous == 0
    assert frame["timestamp"].is_sorted()


def test_abbreviations_tell_the_pass_where_the_order_cannot(tmp_path: Path) -> None:
    texts = sorted(autumn(("CEST", "CET")))
    found, frame = labeled(file_of(tmp_path, clock(texts)), tmp_path, NOTHING)
    assert found.ambiguous == 0
    assert frame["timestamp"].n_unique() == 150


def test_rows_of_a_repeated_hour_that_nothing_tells_apart_are_boundary_rows_and_counted(tmp_path: Path) -> None:
    texts = [text for text in autumn(("CEST", "CEST"))[:90] if not text.endswith("02:30:00 CEST")]
    found, frame = labeled(file_of(tmp_path, clock(texts)), tmp_path, NOTHING)
    twice = frame["now"].str.contains("2019-10-27 02:")
    assert found.ambiguous == found.boundary == twice.sum() > 0
    assert frame.filter(twice)["is_boundary"].all()
    assert frame["timestamp"].is_sorted()


def test_a_time_that_never_came_is_a_boundary_row_and_counted(tmp_path: Path) -> None:
    texts = ["2019-03-31 01:59:59 CET", "2019-03-31 02:30:00 CET", "2019-03-31 03:00:00 CEST"]
    found, frame = labeled(file_of(tmp_path, clock(texts)), tmp_path, NOTHING)
    assert found.nonexistent == 1
    assert frame["is_boundary"].to_list() == [False, True, False]
    assert frame["timestamp"].dt.strftime("%H:%M:%S").to_list() == ["00:59:59", "01:30:00", "01:00:00"]


def test_the_abbreviations_are_counted_and_change_nothing(tmp_path: Path) -> None:
    """Trap: CEST in November is Berlin's winter time."""
    texts = ["2019-11-19 23:51:43 CEST", "2019-11-19 23:51:44 CET", "2019-11-19 23:51:45"]
    found, frame = labeled(file_of(tmp_path, clock(texts)), tmp_path, NOTHING)
    assert found.abbreviations == {"": 1, "CEST": 1, "CET": 1}
    assert frame["timestamp"].to_list() == [BEGIN + dt.timedelta(seconds=second) for second in range(3)]


# --- logs and traces ------------------------------------------------------------------------------------------------

LOGS = "Hostname,log_level,Timestamp,@timestamp,Payload,programname,python_module,request_id"


def log(host: str, second: float, payload: str, *, wall_h: int = 1) -> str:
    utc = BEGIN + dt.timedelta(seconds=second)
    wall = utc + dt.timedelta(hours=wall_h)
    text = payload.replace('"', '""')
    return f'{host},INFO,{wall:%Y-%m-%d %H:%M:%S.%f},{utc:%Y-%m-%dT%H:%M:%S.%f}Z,"{text}",nova-compute,m,'


def test_log_lines_are_labeled_by_their_own_node(tmp_path: Path) -> None:
    lines = [log("wally117.cit.tu-berlin.de", 15, "a\nb, c"), log("wally122", 15, 'say "x"'), log("wally122", 30, "y")]
    lines.append(",INFO,,,no time,x,y,")
    found, frame = labeled(file_of(tmp_path, lines, "logs.csv", "logs", LOGS), tmp_path)
    assert frame["node"].to_list() == ["wally117", "wally122", "wally122", None]
    assert frame["is_anomalous"].to_list() == [True, False, True, False]
    assert [list(ids) for ids in frame["injection_ids"]] == [["a"], ["a"], ["a", "b"], []]
    assert frame["Payload"].to_list() == ["a\nb, c", 'say "x"', "y", "no time"]
    assert frame["timestamp"][3] is None
    assert frame["is_boundary"].to_list() == [False, False, False, True]
    assert found.without_time == 1
    assert found.nodes == {"wally117": 1, "wally122": 2}
    assert found.clock_disagrees == 0


def test_a_wall_clock_that_disagrees_with_the_exact_time_is_measured(tmp_path: Path) -> None:
    lines = [log("wally117", second, "x", wall_h=2) for second in range(20)]
    found, frame = labeled(file_of(tmp_path, lines, "logs.csv", "logs", LOGS), tmp_path)
    assert (found.clock_disagrees, found.clock_difference_s) == (20, 3600)
    assert frame["timestamp"][0] == BEGIN


def test_log_lines_that_name_the_injection_are_marked(tmp_path: Path) -> None:
    payloads = {
        "rally : COMMAND=/usr/bin/docker stop nova_compute": True,
        "Restarting nova-container": True,
        "sh ./restart_nova_compute_nodes.sh": True,
        "docker container restart nova_compute": True,
        "docker container restart of_no_target": False,
        "nova_compute reports 3 instances": False,
        "Starting docker.service": False,
        "restart of the periodic task": False,
    }
    found_leaks = leaks(["sh ./restart_nova_compute_nodes.sh"], [truth_rows.target("a", "wally117")])
    lines = [log("wally117", second, text) for second, text in enumerate(payloads)]
    file = file_of(tmp_path, lines, "logs.csv", "logs", LOGS)
    found = label_file(file, some_windows(), tmp_path / "out.parquet", leak=found_leaks)
    assert pl.read_parquet(tmp_path / "out.parquet")["names_injection"].to_list() == list(payloads.values())
    assert found.names_injection == 4


def test_the_real_trace_is_labeled(tmp_path: Path) -> None:
    source = SHARED / "msod" / "osprofiler_trace_sample.json"
    if not source.exists():
        pytest.skip("the real files are not here")
    file = TelemetryFile("traces", str(source), source.name, "UTC")
    found, frame = labeled(file, tmp_path, NOTHING)
    assert found.rows == len(frame) == source.read_text().count('-start": {')
    assert frame["timestamp"].null_count() == 0
    assert set(frame["node"]) == {"wally113"}


def test_the_real_metrics_are_labeled(tmp_path: Path) -> None:
    source = SHARED / "msod" / "glances_out.csv"
    if not source.exists():
        pytest.skip("the real files are not here")
    file = TelemetryFile("metrics", str(source), "wally117_glances.csv", "Europe/Berlin")
    found, frame = labeled(file, tmp_path, NOTHING)
    assert found.rows == len(frame) == 61_040
    assert frame["timestamp"][0] == dt.datetime(2019, 10, 11, 19, 11, 16, tzinfo=dt.UTC)
    assert found.phases == {"normal": 61_040, "injection": 0, "recovery": 0}


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(file: TelemetryFile, folder: Path, nodes: list[str] | None = None) -> str:
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(InputError) as error:
        label_file(file, some_windows(), folder / "out.parquet", nodes=nodes)
    assert sorted(path.name for path in folder.iterdir()) == before, "something half-written is left"
    return str(error.value)


def test_of_a_file_cut_off_in_the_middle_of_a_row_all_whole_rows_are_labeled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry_rows, "BLOCK", 2000)
    file = file_of(tmp_path, metrics(300))
    data = Path(file.uri).read_bytes()
    cut = data[: len(data) // 2 - 31]
    Path(file.uri).write_bytes(cut)
    found, frame = labeled(file, tmp_path)
    assert found.left_out.count == 1
    assert found.left_out.first[0][0] == cut.count(b"\n") + 1
    assert "cut off" in found.left_out.first[0][1]
    assert frame["source_row"].to_list() == list(range(cut.count(b"\n") - 1))


def test_a_packed_file_cut_off_says_how_far_it_could_be_read(tmp_path: Path) -> None:
    file = file_of(tmp_path, metrics(200_000))
    data = gzip.compress(Path(file.uri).read_bytes())
    Path(file.uri).write_bytes(data[: len(data) * 9 // 10])
    assert "it ends too early, after row" in refused(file, tmp_path)


def test_a_broken_value_is_null_and_the_row_stays(tmp_path: Path) -> None:
    lines = metrics(100)
    lines[70] = lines[70].replace(",8,", ",eight,")
    found, frame = labeled(file_of(tmp_path, lines), tmp_path)
    assert found.nulled.first == ((72, "load.cpucore is 'eight', no number"),)
    assert frame["load.cpucore"].null_count() == 1
    assert len(frame) == 100


def test_a_row_that_is_left_out_moves_no_other_row_and_no_number(tmp_path: Path) -> None:
    lines = metrics(100)
    lines[70] = lines[70].rpartition(",")[0]
    found, frame = labeled(file_of(tmp_path, lines), tmp_path)
    assert found.left_out.first == ((72, "it has 6 instead of 7 fields"),)
    assert frame["source_row"].to_list() == [row for row in range(100) if row != 70]


def test_a_file_of_a_node_that_the_cluster_does_not_have_is_refused(tmp_path: Path) -> None:
    file = file_of(tmp_path, metrics(10), "wally171_metrics.csv")
    assert "no node 'wally171'; did you mean 'wally117'?" in refused(file, tmp_path, ["wally113", "wally117"])


def test_a_log_line_of_another_host_is_kept_counted_and_not_anomalous(tmp_path: Path) -> None:
    lines = [log("wally117", 15, "x"), log("deploy01", 15, "x"), log("deploy01", 45, "x")]
    out = tmp_path / "out.parquet"
    file = file_of(tmp_path, lines, "logs.csv", "logs", LOGS)
    found = label_file(file, some_windows(), out, nodes=["wally117", "wally122"])
    frame = pl.read_parquet(out)
    assert found.strangers == {"deploy01": 2}
    assert frame["node"].to_list() == ["wally117", "deploy01", "deploy01"]
    assert frame["is_anomalous"].to_list() == [True, False, False]
    assert [list(ids) for ids in frame["injection_ids"]] == [["a"], ["a"], ["b"]]


def test_logs_of_no_node_of_the_cluster_at_all_are_refused(tmp_path: Path) -> None:
    lines = [log("wally171", 1, "x"), log("wally171", 2, "x")]
    found = refused(file_of(tmp_path, lines, "logs.csv", "logs", LOGS), tmp_path, ["wally113", "wally117"])
    assert "no row is of a node of the cluster; the cluster has no node 'wally171'; did you mean 'wally117'?" in found


def test_what_the_guard_and_the_cooldown_alone_leave_open_is_counted(tmp_path: Path) -> None:
    bare = some_windows()
    guarded = dataclasses.replace(bare, policy=Policy(guard_before_s=5, cooldown_after_s=10))
    file = file_of(tmp_path, metrics(200, step_s=1))
    without, _ = labeled(file, tmp_path, bare)
    found, frame = labeled(file, tmp_path, guarded)
    assert (without.guarded, without.guarded_anomalous) == (0, 0)
    assert found.boundary == without.boundary + found.guarded
    assert found.anomalous == without.anomalous
    open_rows = frame.filter(pl.col("is_boundary") & pl.col("is_anomalous"))
    assert found.boundary_anomalous == len(open_rows)
    assert found.guarded_anomalous == found.boundary_anomalous - without.boundary_anomalous > 0


def test_a_column_named_like_a_label_is_refused(tmp_path: Path) -> None:
    lines = [f"{log('wally117', 1, 'x')},1"]
    assert "'phase'" in refused(file_of(tmp_path, lines, "logs.csv", "logs", f"{LOGS},phase"), tmp_path)


def test_a_file_without_rows_leaves_nothing(tmp_path: Path) -> None:
    assert "has no rows" in refused(file_of(tmp_path, []), tmp_path)


def test_a_folder_that_is_not_there_is_a_matter_of_the_set_up(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        label_file(file_of(tmp_path, metrics(10)), NOTHING, tmp_path / "nowhere" / "out.parquet")


def test_labeling_does_not_import_pandas(tmp_path: Path) -> None:
    """A file takes less than the second that pandas needs to be imported."""
    file = file_of(tmp_path, metrics(10))
    code = (
        "import sys; from pathlib import Path; from faultset.labels.engine import label_file\n"
        "from faultset.labels.windows import NodeWindows; from faultset.records.telemetry import TelemetryFile\n"
        f"label_file(TelemetryFile('metrics', {file.uri!r}, {file.name!r}, 'UTC'), NodeWindows((), {{}}), "
        f"Path({str(tmp_path / 'out.parquet')!r})); print('pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(CHECKOUT / "include")},
    )
    assert done.stdout.strip() == "False"
