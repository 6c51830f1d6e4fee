"""The simulator's telemetry: every row's truth, what can be wrong with it, and KPI moves of a given size."""

from __future__ import annotations

import csv
import datetime as dt
import json
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultset.errors import InputError
from faultset.simulator import SCENARIOS, RowTruth, row_truth, simulate
from faultset.simulator.rows import pack, unpack
from faultset.simulator.truth import TelemetryTruth, Truth

SMALL = [name for name in SCENARIOS if name != "large"]
SECOND = 1_000_000
HOUR = 3600 * SECOND
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Truth]]:
    root = tmp_path_factory.mktemp("simulated")
    return {name: (root / name, simulate(name, root / name)) for name in SMALL}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(truth: Truth, kind: str) -> list[TelemetryTruth]:
    return [one for one in truth.telemetry if one.kind == kind]


def epoch_us(text: str, zone: dt.tzinfo) -> int:
    moment = dt.datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


def spans_of(tree: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for child in tree["children"] for one in (child, *spans_of(child))]


def as_written(folder: Path, file: TelemetryTruth) -> tuple[np.ndarray, list[str]]:
    """Return the times that the text of the rows says, microseconds since the epoch, and the rows' nodes."""
    path = folder / file.path
    if file.kind == "metrics":
        rows = table(path)
        return np.array([epoch_us(row["now"][:19], BERLIN) for row in rows]), [path.name.split("_")[0]] * len(rows)
    if file.kind == "logs":
        rows = table(path)
        return np.array([epoch_us(row["@timestamp"], BERLIN) for row in rows]), [row["Hostname"] for row in rows]
    if path.suffix == ".csv":
        rows = table(path)
        return np.array([epoch_us(row["Timestamp"], dt.UTC) for row in rows]), [row["Host"] for row in rows]
    spans = [span["info"] for span in spans_of(json.loads(path.read_text()))]
    starts = [span[f"meta.raw_payload.{span['name']}-start"]["timestamp"] for span in spans]
    return np.array([epoch_us(start, dt.UTC) for start in starts]), [span["host"] for span in spans]


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def all_rows(truth: Truth) -> list[tuple[TelemetryTruth, RowTruth]]:
    return [(file, row_truth(truth, file.path)) for file in truth.telemetry]


# --- the truth of each row ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_each_row_says_its_true_time_and_node(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    assert {file.kind for file in truth.telemetry} == {"metrics", "logs", "traces"}
    for file, rows in all_rows(truth):
        said, nodes = as_written(folder, file)
        assert len(said) == len(rows.true_us) == file.rows > 0
        assert (said == rows.true_us // file.resolution_us * file.resolution_us).all()
        assert nodes == rows.node.tolist()
        assert file.started_at_us <= rows.true_us.min()
        assert rows.true_us.max() <= file.ended_at_us


@pytest.mark.parametrize("name", SMALL)
def test_each_row_is_covered_by_the_windows_that_hold_its_time_half_open(name: str, made: dict[str, Any]) -> None:
    _, truth = made[name]
    for _, rows in all_rows(truth):
        for moment, node, ids, hit in zip(rows.true_us, rows.node, rows.injection_ids, rows.hit_by, strict=True):
            covering = [one for one in truth.injections if one.started_at_us <= moment < one.lasts_until_us]
            assert ids == tuple(one.injection_id for one in covering)
            assert hit == tuple(
                one.injection_id for one in covering if any(t.node == node and t.effective for t in one.targets)
            )
        assert (rows.is_anomalous == [bool(ids) for ids in rows.hit_by]).all()


@pytest.mark.parametrize("name", SMALL)
def test_rows_without_a_moved_kpi_are_those_outside_all_moves_of_their_node(name: str, made: dict[str, Any]) -> None:
    _, truth = made[name]
    for _, rows in all_rows(truth):
        for moment, node, kpis in zip(rows.true_us, rows.node, rows.moved_kpis, strict=True):
            moving = {
                move.kpi
                for move in truth.kpi_moves
                if move.node == node and move.started_at_us <= moment < move.ended_at_us
            }
            assert set(kpis) == moving
            assert len(kpis) == len(moving)


@pytest.mark.parametrize("name", SMALL)
def test_outside_boundary_rows_the_text_alone_decides_and_decides_rightly(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    seen = 0
    for file, rows in all_rows(truth):
        said, _ = as_written(folder, file)
        for run in truth.runs:
            cut = 1 if run.results else SECOND
            for one in (one for workload in run.workloads for one in workload.injections):
                start, end = one.started_at_us // cut * cut, one.lasts_until_us // cut * cut
                truly = np.array([one.injection_id in ids for ids in rows.injection_ids])
                wrong = truly != ((said >= start) & (said < end))
                assert not (wrong & ~rows.is_boundary).any()
                seen += int(wrong.sum())
        known = [one.fault_end_known_us for one in truth.injections]
        exact = all(edges and edges[0] == edges[1] for edges in known)
        if file.resolution_us == 1 and exact and all(run.results for run in truth.runs):
            assert not rows.is_boundary.any()
    assert seen > 0
    metrics = np.concatenate([row_truth(truth, file.path).is_boundary for file in files(truth, "metrics")])
    assert 0 < metrics.mean() < (0.05 if all(one.fault_end_known_us for one in truth.injections) else 0.6)


def test_packed_integers_come_back(made: dict[str, Any]) -> None:
    for values in ([], [0], [5, -3, 2**60, -(2**60), 7]):
        assert unpack(pack(np.array(values, dtype=np.int64))).tolist() == values


def test_a_file_that_is_none_of_the_experiments_has_no_rows(made: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"name one of metrics/ctl01_metrics\.csv"):
        row_truth(made["overlap"][1], "metrics/other.csv")


# --- logs -----------------------------------------------------------------------------------------------------------


def test_logs_have_the_columns_of_an_export_and_say_local_time_twice(made: dict[str, Any]) -> None:
    folder, truth = made["glance-api-restart"]
    (file,) = files(truth, "logs")
    assert file.path == "logs/all.csv"
    assert (folder / file.path).read_text().splitlines()[0] == (
        "Hostname,log_level,Timestamp,@timestamp,Payload,programname,python_module,request_id"
    )
    for row in table(folder / file.path):
        assert row["@timestamp"] == row["Timestamp"].replace(" ", "T") + "+01:00"
    assert {row["Hostname"] for row in table(folder / file.path)} == {node.name for node in truth.cluster.nodes}
    assert [file.path for file in files(made["overlap"][1], "logs")] == [
        f"logs/{node}.csv" for node in ("ctl01", "cmp01", "cmp02", "cmp03", "cmp04")
    ]


@pytest.mark.parametrize("name", SMALL)
def test_some_log_lines_hold_commas_quotes_and_newlines_and_some_are_out_of_order(
    name: str, made: dict[str, Any]
) -> None:
    folder, truth = made[name]
    payloads = [row["Payload"] for file in files(truth, "logs") for row in table(folder / file.path)]
    for sign in (",", '"', "\n"):
        assert any(sign in payload for payload in payloads)
    steps = np.concatenate([np.diff(row_truth(truth, file.path).true_us) for file in files(truth, "logs")])
    assert 0 < (steps < 0).mean() < 0.05


@pytest.mark.parametrize("name", ["nova-compute-restart", "glance-api-restart", "neutron-agents-restart"])
def test_errors_burst_on_the_nodes_that_an_injection_hit(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    levels = [row["log_level"] for file in files(truth, "logs") for row in table(folder / file.path)]
    assert levels.count("INFO") > 0.7 * len(levels)
    for one in truth.injections:
        for node in {target.node for target in one.targets}:
            bad = []
            for file in files(truth, "logs"):
                rows = row_truth(truth, file.path)
                near = (rows.true_us >= one.started_at_us) & (rows.true_us < one.ended_at_us + 5 * SECOND)
                cells = table(folder / file.path)
                bad += [
                    cells[row]["log_level"] in {"ERROR", "WARNING"}
                    for row in np.flatnonzero(near & (rows.node == node))
                ]
            hit = any(target.node == node and target.effective for target in one.targets)
            assert (sum(bad) >= 8) == hit


def test_a_failed_iteration_leaves_an_error_while_it_runs(made: dict[str, Any]) -> None:
    folder, truth = made["unreached-triggers"]
    (file,) = [file for file in files(truth, "logs") if file.nodes == ("ctl01",)]
    rows, cells = row_truth(truth, file.path), table(folder / file.path)
    errors = rows.true_us[[row["log_level"] == "ERROR" for row in cells]]
    workload = truth.workloads[0].iteration
    spans = zip(workload.started_at_us, workload.ended_at_us, workload.failed, strict=True)
    broken = [(start, end) for start, end, failed in spans if failed]
    assert broken
    assert all(((errors >= start) & (errors < end)).any() for start, end in broken)


def names_an_injection(row: dict[str, str]) -> bool:
    payload = row["Payload"]
    return (
        ("COMMAND=/usr/bin/docker" in payload and payload.startswith("rally :"))
        or (row["programname"] == "bash" and payload.startswith("rally: "))
        or "Running hook" in payload
        or (row["programname"] == "dockerd" and "failed to exit" in payload)
    )


@pytest.mark.parametrize("name", SMALL)
def test_the_rows_that_leak_are_the_experimenters_own_doing(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    leaked, others = 0, []
    for file in files(truth, "logs"):
        leaks, cells = row_truth(truth, file.path).leaks, table(folder / file.path)
        assert leaks.tolist() == [names_an_injection(row) for row in cells]
        leaked += int(leaks.sum())
        others += [row["Payload"] for row, leak in zip(cells, leaks, strict=True) if not leak]
    assert leaked >= len(truth.injections)
    assert leaked < 0.1 * sum(file.rows for file in files(truth, "logs"))
    assert any("docker restart fluentd" in payload for payload in others)  # no injection, an operator's doing
    assert not row_truth(truth, files(truth, "metrics")[0].path).leaks.any()


# --- traces ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_spans_belong_to_the_traces_of_their_iterations(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    tables = [file for file in files(truth, "traces") if file.path.endswith(".csv")]
    workloads = [workload for workload in truth.workloads if workload.ran]
    assert len(tables) == len(workloads)
    for file, workload in zip(tables, workloads, strict=True):
        rows = table(folder / file.path)
        assert list(rows[0]) == [
            *("Host", "Name", "Service", "Project", "Timestamp", "Iteration_id", "Trace_id", "Parent_id", "Base_id")
        ]
        moments = row_truth(truth, file.path).true_us
        known = {row["Trace_id"] for row in rows} | set(workload.iteration.trace_id)
        for row, moment in zip(rows, moments, strict=True):
            index = int(row["Iteration_id"]) - 1
            assert row["Base_id"] == workload.iteration.trace_id[index]
            assert row["Parent_id"] in known
            assert workload.iteration.started_at_us[index] <= moment <= workload.iteration.ended_at_us[index]
        traced = {int(row["Iteration_id"]) for row in rows}
        assert min(workload.iterations, 15) <= len(traced) <= 40
        assert not workload.injections or traced & set(workload.iteration.injections)


def test_a_span_that_a_fault_cuts_off_has_no_stop(made: dict[str, Any]) -> None:
    folder, truth = made["glance-api-restart"]
    (workload,) = truth.workloads
    rows = table(folder / "traces/GlanceImages.create_and_delete_image.csv")
    stopped = {row["Trace_id"] for row in rows if row["Name"].endswith("-stop")}
    open_in = {int(row["Iteration_id"]) for row in rows if row["Trace_id"] not in stopped}
    failed = {number for number, failed in enumerate(workload.iteration.failed, 1) if failed}
    assert open_in == failed & {int(row["Iteration_id"]) for row in rows}
    assert open_in


@pytest.mark.parametrize("name", SMALL)
def test_one_trace_is_a_tree_of_the_spans_of_the_table(name: str, made: dict[str, Any]) -> None:
    folder, truth = made[name]
    (file,) = [file for file in files(truth, "traces") if file.path.endswith(".json")]
    tree = json.loads((folder / file.path).read_text())
    spans = spans_of(tree)
    trace_id = file.path.removeprefix("traces/osprofiler-").removesuffix(".json")
    assert any(trace_id in workload.iteration.trace_id for workload in truth.workloads)
    rows = table(folder / files(truth, "traces")[0].path)
    assert {span["trace_id"] for span in spans} == {row["Trace_id"] for row in rows if row["Base_id"] == trace_id}
    assert {span["parent_id"] for span in tree["children"]} == {trace_id}
    assert sum(one["count"] for one in tree["stats"].values()) == len(spans) == file.rows
    assert min(span["info"]["started"] for span in spans) == tree["info"]["started"] == 0
    assert max(span["info"]["finished"] for span in spans) == tree["info"]["finished"]


def test_the_table_and_the_tree_of_a_large_experiment_stay_small(tmp_path: Path) -> None:
    truth = simulate("large", tmp_path, iterations=2_000, injections=10)
    assert sum(file.rows for file in files(truth, "traces")) < 2_000


# --- what can be wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-8, -2, -1, 1, 2, 5.5])
@pytest.mark.parametrize("kind", ["metrics", "logs", "traces"])
def test_a_kind_can_be_hours_off_and_its_rows_stay_what_they_are(
    kind: str, hours: float, made: dict[str, Any], tmp_path: Path
) -> None:
    _, plain = made["glance-api-restart"]
    truth = simulate("glance-api-restart", tmp_path, shift_hours={kind: hours})
    assert truth.disturbances.shift_hours == {kind: hours}
    for file, before in zip(truth.telemetry, plain.telemetry, strict=True):
        shift = hours if file.kind == kind else 0.0
        rows = row_truth(truth, file.path)
        assert file.shift_hours == shift
        assert (file.moments, file.rows) == (before.moments, before.rows)
        said, _ = as_written(tmp_path, file)
        assert (said == rows.true_us // file.resolution_us * file.resolution_us + round(shift * HOUR)).all()


def test_one_file_can_be_hours_off_alone(tmp_path: Path) -> None:
    path = "metrics/cmp02_metrics.csv"
    truth = simulate("glance-api-restart", tmp_path, shift_hours={path: -1, "metrics": 0.5, "logs": 2})
    shifts = {file.path: file.shift_hours for file in truth.telemetry if file.kind != "traces"}
    assert shifts[path] == -1
    assert set(shifts.values()) == {-1, 0.5, 2}


def test_gaps_lie_at_random_and_in_windows_and_no_row_lies_in_them(tmp_path: Path) -> None:
    truth = simulate("nova-compute-restart", tmp_path, injections=6, gaps=4)
    whole = 0
    for file, rows in all_rows(truth):
        if file.path.endswith(".json"):
            assert file.gaps == ()
            continue
        assert sum(gap.injection_id is None for gap in file.gaps) == 4
        for gap in file.gaps:
            assert not ((rows.true_us >= gap.started_at_us) & (rows.true_us < gap.ended_at_us)).any()
        covered = {name for ids in rows.injection_ids for name in ids}
        whole += len({one.injection_id for one in truth.injections} - covered)
    inside = [gap for file in truth.telemetry for gap in file.gaps if gap.injection_id]
    assert {gap.injection_id for gap in inside} == {one.injection_id for one in truth.injections}
    assert whole > 0


def test_gaps_take_rows_away_and_change_no_other(made: dict[str, Any], tmp_path: Path) -> None:
    folder, _ = made["nova-compute-restart"]
    truth = simulate("nova-compute-restart", tmp_path, gaps=3)
    for file in truth.telemetry:
        before, after = ((root / file.path).read_text().splitlines() for root in (folder, tmp_path))
        if file.kind == "logs":
            assert set(after) <= set(before)
        if file.kind == "metrics":
            assert len(after) < len(before)


def test_clocks_drift_each_at_its_own_rate(tmp_path: Path) -> None:
    truth = simulate("glance-api-restart", tmp_path, clock_drift_ppm=2_000)
    rates = {drift.node: drift.clock_ppm for drift in truth.drifts}
    assert len(set(rates.values())) == 5
    assert all(1_000 <= abs(rate) <= 2_000 for rate in rates.values())
    for file, rows in all_rows(truth):
        said, _ = as_written(tmp_path, file)
        ahead = np.array([rates[node] for node in rows.node]) * (rows.true_us - file.started_at_us) / 1e6
        assert np.abs(said + file.resolution_us / 2 - rows.true_us - ahead).max() <= file.resolution_us / 2 + 1
        for one in truth.injections:
            truly = np.array([one.injection_id in ids for ids in rows.injection_ids])
            as_read = (said >= one.started_at_us) & (said < one.ended_at_us)
            assert not ((truly != as_read) & ~rows.is_boundary).any()


def test_gaps_never_take_all_of_a_file(tmp_path: Path) -> None:
    truth = simulate("unreached-triggers", tmp_path, iterations=10, gaps=200)
    assert all(file.rows == len(row_truth(truth, file.path).true_us) > 0 for file in truth.telemetry)


def kpi(folder: Path, node: str, name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in table(folder / f"metrics/{node}_metrics.csv")])


def test_levels_drift_by_what_the_truth_says(made: dict[str, Any], tmp_path: Path) -> None:
    folder, plain = made["glance-api-restart"]
    truth = simulate("glance-api-restart", tmp_path, level_drift=20)
    one_sd = {
        (move.node, move.kpi): abs(move.size / move.size_in_robust_sd)
        for move in plain.kpi_moves
        if move.node == "ctl01"
    }
    (drift,) = [drift for drift in truth.drifts if drift.node == "ctl01"]
    rows = row_truth(truth, "metrics/ctl01_metrics.csv")
    hours = (rows.true_us - truth.metrics[0].started_at_us) / HOUR
    for name, rate in drift.level_sd_per_hour.items():
        assert 10 <= abs(rate) <= 20
        gained = kpi(tmp_path, "ctl01", name) - kpi(folder, "ctl01", name)
        expected = rate * one_sd["ctl01", name] * hours
        assert gained == pytest.approx(expected, abs=0.11 if name == "cpu.user" else 4096)


def test_trap_as_summer_time_ends_one_hour_comes_twice(tmp_path: Path) -> None:
    truth = simulate("nova-compute-restart", tmp_path, dst=True)
    change = int(dt.datetime(2025, 10, 26, 1, tzinfo=dt.UTC).timestamp()) * SECOND
    (workload,) = truth.workloads
    assert workload.started_at_us is not None
    assert workload.ended_at_us is not None
    assert workload.started_at_us + 120 * SECOND < change < workload.ended_at_us - 120 * SECOND
    for file in files(truth, "metrics"):
        rows = row_truth(truth, file.path)
        texts = [row["now"] for row in table(tmp_path / file.path)]
        assert {text[19:] for text in texts} == {" CEST"}
        wall = np.array([epoch_us(text[:19], dt.UTC) for text in texts])
        offset = np.where(rows.true_us < change, 2, 1) * HOUR
        assert (wall == (rows.true_us + offset) // SECOND * SECOND).all()
        assert (np.diff(wall) < -HOUR / 2).sum() == 1
        assert rows.is_repeated.tolist() == [text[11:13] == "02" for text in texts]
    for file in files(truth, "logs"):
        rows = row_truth(truth, file.path)
        assert not rows.is_repeated.any()
        stamps = [row["@timestamp"] for row in table(tmp_path / file.path)]
        assert {stamp[-6:] for stamp in stamps} == {"+02:00", "+01:00"}
        assert (as_written(tmp_path, file)[0] == rows.true_us // 1000 * 1000).all()


def test_no_hour_comes_twice_otherwise(made: dict[str, Any]) -> None:
    assert not any(rows.is_repeated.any() for _, truth in made.values() for _, rows in all_rows(truth))


EVERYTHING_WRONG: dict[str, Any] = {
    "shift_hours": {"logs": 2, "metrics/cmp01_metrics.csv": -1.0},
    "gaps": 2,
    "clock_drift_ppm": 50,
    "level_drift": 3,
    "dst": True,
    "kpi_size": 5,
    "kpi_seconds": 20,
}


@pytest.mark.parametrize("name", SMALL)
def test_all_of_it_at_once_writes_the_same_bytes_for_the_same_arguments(name: str, tmp_path: Path) -> None:
    truth = simulate(name, tmp_path / "a", seed=3, **EVERYTHING_WRONG)
    assert simulate(name, tmp_path / "b", seed=3, **EVERYTHING_WRONG) == truth
    assert everything(tmp_path / "a") == everything(tmp_path / "b")


@pytest.mark.parametrize(
    "bad",
    [
        {"shift_hours": {"logs": 0.25}},
        {"shift_hours": {"logs": 15}},
        {"shift_hours": {"logs": float("nan")}},
        {"shift_hours": {"log": 1}},
        {"shift_hours": {"metrics/cmp09_metrics.csv": 1}},
        {"gaps": -1},
        {"clock_drift_ppm": -1},
        {"level_drift": float("nan")},
        {"kpi_size": -5},
        {"kpi_seconds": 0},
    ],
    ids=str,
)
def test_what_cannot_be_wrong_is_refused(bad: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        simulate("nova-compute-restart", tmp_path / "out", **bad)
    assert not (tmp_path / "out").exists()


def test_logs_and_traces_of_another_experiment_are_never_mixed_in(tmp_path: Path) -> None:
    simulate("glance-api-restart", tmp_path)
    with pytest.raises(InputError, match=r"logs/all\.csv is of another experiment"):
        simulate("nova-compute-restart", tmp_path)
    with pytest.raises(InputError, match=r"traces/osprofiler-.* is of another experiment"):
        simulate("glance-api-restart", tmp_path, seed=1)


# --- KPI moves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_faults_move_kpis_by_five_robust_sd_and_more_for_twenty_seconds_and_more(
    name: str, made: dict[str, Any]
) -> None:
    _, truth = made[name]
    by_id = {one.injection_id: one for one in truth.injections}
    assert truth.kpi_moves
    for move in truth.kpi_moves:
        assert abs(move.size_in_robust_sd) >= 5
        full = (by_id[move.injection_id].lasts_until_us + move.ended_at_us) / 2 - move.started_at_us
        assert full >= 20 * SECOND


def test_a_kpi_that_no_fault_moves_is_untouched_to_the_last_digit(made: dict[str, Any], tmp_path: Path) -> None:
    folder, truth = made["neutron-agents-restart"]
    quiet = simulate("neutron-agents-restart", tmp_path, kpi_size=0)
    assert quiet.kpi_moves == ()
    for file in truth.metrics:
        before, after = table(tmp_path / file.path), table(folder / file.path)
        moved = row_truth(truth, file.path).moved_kpis
        for name in before[0]:
            changed = np.array([one[name] != other[name] for one, other in zip(before, after, strict=True)])
            assert not changed[[name not in kpis for kpis in moved]].any()
            assert changed.any() == any(move.node == file.node and move.kpi == name for move in truth.kpi_moves)


@pytest.mark.parametrize(("size", "seconds"), [(3.0, 10), (5.0, 20), (20.0, 60)])
def test_moves_have_the_size_and_the_length_asked_for_and_end_at_once(
    size: float, seconds: int, tmp_path: Path
) -> None:
    quiet = simulate("nova-compute-restart", tmp_path / "quiet", kpi_size=0)
    truth = simulate("nova-compute-restart", tmp_path / "moved", kpi_size=size, kpi_seconds=seconds)
    assert len(truth.kpi_moves) == 8
    assert not quiet.kpi_moves
    for move in truth.kpi_moves:
        assert move.size_in_robust_sd == -size
        assert move.ended_at_us - move.started_at_us == seconds * SECOND
        rows = row_truth(truth, f"metrics/{move.node}_metrics.csv")
        before, after = (kpi(tmp_path / one, move.node, move.kpi) for one in ("quiet", "moved"))
        inside = (rows.true_us >= move.started_at_us) & (rows.true_us < move.ended_at_us)
        assert inside.any()
        assert (after - before)[inside] == pytest.approx(move.size, abs=4096)


# --- reviewed impacts -----------------------------------------------------------------------------------------------


def test_the_reviewed_impacts_are_the_moves_as_a_person_notes_them(made: dict[str, Any]) -> None:
    folder, truth = made["nova-compute-restart"]
    assert truth.reviewed_impacts == "impacts.csv"
    rows = table(folder / "impacts.csv")
    assert ",".join(rows[0]) == ("anomaly_type,node_name,metric_name,start_time,start_timestamp,end_time,end_timestamp")
    moves = {(move.node, move.kpi, move.started_at_us): move for move in truth.kpi_moves}
    assert len(rows) == len(moves) == 8
    for row in rows:
        move = moves[row["node_name"], row["metric_name"], round(float(row["start_timestamp"]) * SECOND)]
        assert row["anomaly_type"] == "boot"
        assert abs(float(row["end_timestamp"]) - move.ended_at_us / SECOND) <= 0.25
        for end in ("start", "end"):
            text = row[f"{end}_time"]
            assert text.endswith(" CEST")
            assert epoch_us(text[:26], BERLIN) == round(float(row[f"{end}_timestamp"]) * SECOND)


def test_without_moves_nobody_has_reviewed_any(made: dict[str, Any], tmp_path: Path) -> None:
    truth = simulate("nova-compute-restart", tmp_path, kpi_size=0)
    assert truth.reviewed_impacts is None
    assert not (tmp_path / "impacts.csv").exists()
    assert "reviewed" not in (tmp_path / "experiment.yaml").read_text()
    assert {name for name, (_, truth) in made.items() if truth.reviewed_impacts} == {"nova-compute-restart"}
