"""Which rows of metrics are held while impacts are found."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import truth_rows
from faultset.errors import InputError
from faultset.moments import epoch_us, from_epoch
from faultset.pipeline.series import Excerpt, read_metrics
from faultset.records.cluster import Cluster, Node
from faultset.records.telemetry import TelemetryFile
from faultset.tables import InjectionRow
from faultset.truth.placement import Placement

BEGIN = 1_763_000_000
HOUR = 3600
HEADER = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15\n"


def injection(start: float, end: float) -> InjectionRow:
    return truth_rows.injection("i", from_epoch(BEGIN + start), from_epoch(BEGIN + end))


def recording(folder: Path, hours: int, name: str = "cmp1_metrics.csv") -> TelemetryFile:
    """A row a minute."""
    begin = dt.datetime.fromtimestamp(BEGIN, dt.UTC)
    times = (begin + dt.timedelta(minutes=minute) for minute in range(hours * 60))
    path = folder / name
    path.write_text(HEADER + "".join(f"{now:%Y-%m-%d %H:%M:%S} UTC,{now.minute},{2**30},8,1,1,1\n" for now in times))
    return TelemetryFile("metrics", str(path), name, "UTC")


def test_all_rows_are_held_where_they_are_few(tmp_path: Path):
    found = read_metrics([recording(tmp_path, 5)], Placement(None), [injection(0, 10)])
    assert found.quiet_share == 1.0
    assert len(found.series["cmp1", "cpu.user"].time_us) == len(found.rows_us["cmp1"]) == 300


def test_of_a_long_recording_all_rows_near_injections_are_held_and_some_quiet_hours(tmp_path: Path):
    one = injection(50.5 * HOUR, 50.6 * HOUR)
    file = recording(tmp_path, 200)
    found = read_metrics([file], Placement(None), [one], held_bytes=Path(file.uri).stat().st_size // 10)
    held = (found.rows_us["cmp1"] // 1_000_000 - BEGIN) // 60
    near = range(50 * 60 - 10, 51 * 60 + 16)
    assert set(near) <= set(held.tolist())
    assert 0.09 < found.quiet_share < 0.11
    assert 18 * 60 < len(held) < 25 * 60
    whole = read_metrics([file], Placement(None), [one])
    kept = np.isin(whole.rows_us["cmp1"], found.rows_us["cmp1"])
    np.testing.assert_array_equal(whole.series["cmp1", "cpu.user"].value[kept], found.series["cmp1", "cpu.user"].value)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)), max_size=5), st.floats(0.01, 1.0))
def test_every_row_within_40_minutes_of_an_injection_is_held(spans: list[tuple[int, int]], share: float):
    injections = [injection(start, start + length) for start, length in spans]
    us = (BEGIN + np.arange(-HOUR, 10**6, 607, dtype=np.int64)) * 1_000_000
    kept = Excerpt.of(injections, share).keeps(us)
    beside = 2400 * 1_000_000
    for one in injections:
        near = (us >= epoch_us(one.started_at) - beside) & (us < epoch_us(one.ended_at) + beside)
        assert kept[near].all()


def test_files_of_one_node_are_one_series_in_order_of_time(tmp_path: Path):
    files = [recording(tmp_path, 2, name) for name in ("cmp1_b.csv", "cmp1_a.csv")]
    found = read_metrics(files, Placement(None), [])
    assert list(found.rows_us) == ["cmp1"]
    for times in (found.rows_us["cmp1"], found.series["cmp1", "mem.used"].time_us):
        assert len(times) == 240
        assert (np.diff(times) >= 0).all()


def test_a_file_named_after_no_node_of_the_cluster_is_an_error_that_names_it(tmp_path: Path):
    cluster = Cluster("os-faults.yaml", (Node("cmp1", "cmp1", "192.0.2.1", "compute", 1),), ())
    with pytest.raises(InputError, match=r"cmp2_metrics\.csv.*cmp2, which the cluster file does not know"):
        read_metrics([recording(tmp_path, 1, "cmp2_metrics.csv")], Placement(cluster), [])
