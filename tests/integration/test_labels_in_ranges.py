"""A large file is labeled in ranges: whoever labels which, rows, facts and bytes are those of one pass through it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import truth_rows
from faultset.errors import InputError
from faultset.labels import divided, engine, ranges, writer
from faultset.labels.counting import FileLabels
from faultset.labels.leaks import leaks
from faultset.labels.ranges import Work
from faultset.labels.source_clock import RunTimes
from faultset.labels.windows import Policy, windows
from faultset.moments import Window
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import csv_rows, opening

pytestmark = pytest.mark.integration

BEGIN = dt.datetime(2019, 11, 19, 22, 51, 43, tzinfo=dt.UTC)
HEADER = "now,cpu.user,mem.used,load.min1,load.min5,load.min15,temperature"


@pytest.fixture(scope="module", autouse=True)
def small_ranges() -> Iterator[None]:
    """Everything a few thousand times as small, so that files of some kilobytes have many blocks and ranges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "HEAD", 2000)
        patch.setattr(csv_rows, "BLOCK", 500)
        patch.setattr(ranges, "RANGE_BYTES", 3000)
        patch.setattr(writer, "ROW_GROUP_ROWS", 37)
        yield


def row(number: int, *, late_s: int = 0, temperature: str = "20", ending: str = "") -> str:
    now = BEGIN + dt.timedelta(seconds=number - late_s)
    return f"{now:%Y-%m-%d %H:%M:%S} UTC,{20 + number % 90}.5,{12_000 + number % 11},1.5,1.6,1.{number % 7},{temperature}{ending}"


def rows(count: int) -> list[str]:
    return [row(number) for number in range(count)]


def work_of(folder: Path, data: bytes, kind: TelemetryKind = "metrics", name: str = "wally117_metrics.csv") -> Work:
    path = folder / name
    path.write_bytes(data)
    injections = [
        truth_rows.injection(
            name, BEGIN + dt.timedelta(seconds=start), BEGIN + dt.timedelta(seconds=start + 40)
        )
        for name, start in (("a", 30), ("b", 100))
    ]
    targets = [truth_rows.target("a", "wally117"), truth_rows.target("b", "wally122")]
    run = Window(BEGIN, BEGIN + dt.timedelta(seconds=200))
    return Work(
        TelemetryFile(kind, str(path), name, "Europe/Berlin"),
        windows(injections, targets, (), Policy()),
        nodes=("wally117", "wally122"),
        leak=leaks(["systemctl restart nova-compute"], []) if kind == "logs" else None,
        times=RunTimes(run, tuple(injections), ()),
    )


def csv(lines: list[str], header: str = HEADER, ending: str = "\n") -> bytes:
    return ending.join([header, *lines, ""]).encode()


def one_pass(work: Work, target: Path) -> FileLabels:
    return engine.label_file(
        work.file, work.node_windows, target, nodes=work.nodes, leak=work.leak, times=work.times
    )


def plain(found: FileLabels) -> dict[str, Any]:
    """Return all that is known of a file, the means of bins that ranges share aside."""
    values = {one.name: getattr(found, one.name) for one in dataclasses.fields(found)}
    values["layout"] = found.layout.format
    clock = values.pop("clock")
    evidence = [
        (one.bins_us.tolist(), sorted(one.levels), None if one.errors is None else one.errors.tolist())
        for one in clock.evidence.recordings
    ]
    placed = None if clock.evidence.placed_us is None else clock.evidence.placed_us.tolist()
    return {**values, "clock": (clock.cadence_s, dict(clock.coverage), evidence, placed)}


def answer(label: Any, *arguments: Any, **more: Any) -> FileLabels | str:
    try:
        found: FileLabels = label(*arguments, **more)
    except InputError as error:
        return str(error)
    return found


def alike(work: Work, folder: Path, done: list[int] | None = None) -> FileLabels | str:
    """Label a file in ranges, some of them before, and hold it against one pass; returns what both say."""
    every = ranges.ranges_of(work.file)
    kept = folder / "kept"
    for number in done or []:
        if number < len(every):
            ranges.label_range(work, every[number], kept)
    whole, joined = folder / "whole.parquet", folder / "joined.parquet"
    expected = answer(one_pass, work, whole)
    found = answer(divided.label, work, joined, ranges=kept)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        assert not joined.exists()
        return expected
    assert plain(found) == plain(expected)
    assert pq.read_table(joined).equals(pq.read_table(whole))
    assert pq.read_schema(joined).equals(pq.read_schema(whole))
    again = folder / "again.parquet"
    divided.label(work, again)
    assert again.read_bytes() == joined.read_bytes()
    return found


# --- any file, any of its ranges labeled before -----------------------------------------------------------------------

ODD = st.sampled_from(
    [
        "",
        "\r",
        HEADER,
        "garbage",
        "2019-11-19 22:51:43 UTC,1.5",
        'x,"y',
        "no time,1.5,2,1,1,1,20",
        "2019-11-19 22:51:44 UTC,1.5,N/A,1,1,1,20",
        "2019-11-19 22:51:44 UTC,1.5,2,1,1,1,20.25",
        "2019-11-19 22:51:44 UTC,1.5,2,1,1,1,warm",
        "2019-11-19 22:51:44 UTC,120.5,2,1,1,1,",
        "2019-11-19 22:51:45 CET,1.5,2,1,1,1,\u00b5\u20ac\U0001f525",
        "2019-11-19 22:51:45 UTC,1.5,2,1,1,1,20," + "x" * 1300,
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(100, 400),
    odd=st.lists(st.tuples(st.integers(0, 400), ODD), max_size=6),
    late=st.lists(st.tuples(st.integers(1, 399), st.integers(1, 500)), max_size=4),
    twice=st.lists(st.integers(0, 399), max_size=4),
    ending=st.sampled_from(["\n", "\r\n"]),
    cut=st.integers(0, 40),
    seed=st.integers(0, 2**32),
)
def test_any_file_of_metrics_is_labeled_in_ranges_as_in_one_pass(
    tmp_path_factory: pytest.TempPathFactory,
    count: int,
    odd: list[tuple[int, str]],
    late: list[tuple[int, int]],
    twice: list[int],
    ending: str,
    cut: int,
    seed: int,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = rows(count)
    for place, late_s in late:
        lines[place % count] = row(place % count, late_s=late_s)
    for place in twice:
        lines.insert(place % count, lines[place % count])
    for place, text in odd:
        lines.insert(place % (len(lines) + 1), text)
    data = csv(lines, ending=ending)
    shuffled = random.Random(seed)  # noqa: S311 (which ranges come first)
    done = shuffled.sample(range(12), 6)
    alike(work_of(folder, data[: len(data) - cut]), folder, done)


WORDS = st.sampled_from(["plain", 'said "no"', "a\nb", "a,b", "", "\u00b5\u20ac", '"', "one\n\ntwo\n", "x" * 700])
LOGS = "@timestamp,Hostname,log_level,Payload"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, min_size=60, max_size=200), st.integers(0, 2**32))
def test_any_file_of_logs_is_labeled_in_ranges_as_in_one_pass(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    lines = []
    for number, text in enumerate(words):
        now = BEGIN + dt.timedelta(seconds=number)
        quoted = '"' + text.replace('"', '""') + '"'
        level = ("INFO", "ERROR")[number % 2]
        lines.append(f"{now:%Y-%m-%dT%H:%M:%S}.000Z,wally11{7 + number % 2 * 5},{level},{quoted}")
    done = random.Random(seed).sample(range(12), 6)  # noqa: S311
    alike(work_of(folder, csv(lines, LOGS), "logs", "nova.csv"), folder, done)
