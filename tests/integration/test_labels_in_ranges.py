"""A large file is labeled in ranges: whoever labels which, rows, facts and bytes are those of one pass through it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import meanwhile
import truth_rows
from faultset.errors import InputError
from faultset.labels import divided, duplicates, engine, ranges, writer
from faultset.labels.counting import FileLabels
from faultset.labels.leaks import leaks
from faultset.labels.ranges import Work
from faultset.labels.source_clock import RunTimes
from faultset.labels.windows import Policy, windows
from faultset.moments import Window
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import csv_rows, opening
from faultset.storage.bucket import Bucket

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


def row(number: int, *, late_s: int = 0, temperature: str = "20") -> str:
    now = BEGIN + dt.timedelta(seconds=number - late_s)
    return (
        f"{now:%Y-%m-%d %H:%M:%S} UTC,{20 + number % 90}.5,{12_000 + number % 11},1.5,1.6,1.{number % 7},{temperature}"
    )


def rows(count: int) -> list[str]:
    return [row(number) for number in range(count)]


def work_of(folder: Path, data: bytes, kind: TelemetryKind = "metrics", name: str = "wally117_metrics.csv") -> Work:
    path = folder / name
    path.write_bytes(data)
    injections = [
        truth_rows.injection(name, BEGIN + dt.timedelta(seconds=start), BEGIN + dt.timedelta(seconds=start + 40))
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
    return engine.label_file(work.file, work.node_windows, target, nodes=work.nodes, leak=work.leak, times=work.times)


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


@st.composite
def metrics(draw: st.DrawFn) -> bytes:
    """A file in which anything may stand anywhere, late, twice, or cut off at its end."""
    count = draw(st.integers(100, 400))
    lines = rows(count)
    for place, late_s in draw(st.lists(st.tuples(st.integers(1, count - 1), st.integers(1, 500)), max_size=4)):
        lines[place] = row(place, late_s=late_s)
    for place in draw(st.lists(st.integers(0, count - 1), max_size=4)):
        lines.insert(place, lines[place])
    for place, text in draw(st.lists(st.tuples(st.integers(0, count), ODD), max_size=6)):
        lines.insert(place, text)
    data = csv(lines, ending=draw(st.sampled_from(["\n", "\r\n"])))
    return data[: len(data) - draw(st.integers(0, 40))]


DONE = st.lists(st.integers(0, 11), max_size=6, unique=True)


@settings(max_examples=40, deadline=None)
@given(metrics(), DONE)
def test_any_file_of_metrics_is_labeled_in_ranges_as_in_one_pass(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, done: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    alike(work_of(folder, data), folder, done)


WORDS = st.sampled_from(["plain", 'said "no"', "a\nb", "a,b", "", "\u00b5\u20ac", '"', "one\n\ntwo\n", "x" * 700])
LOGS = "@timestamp,Hostname,log_level,Payload"


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=60, max_size=200), DONE)
def test_any_file_of_logs_is_labeled_in_ranges_as_in_one_pass(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], done: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    lines = []
    for number, text in enumerate(words):
        now = BEGIN + dt.timedelta(seconds=number)
        quoted = '"' + text.replace('"', '""') + '"'
        level = ("INFO", "ERROR")[number % 2]
        lines.append(f"{now:%Y-%m-%dT%H:%M:%S}.000Z,wally11{7 + number % 2 * 5},{level},{quoted}")
    alike(work_of(folder, csv(lines, LOGS), "logs", "nova.csv"), folder, done)


# --- what a cut can fall into -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_cut_may_fall_anywhere_in_a_row(tmp_path: Path, ending: str) -> None:
    lines = rows(150)
    length = len(lines[1] + ending)
    for shift in range(length + 1):
        folder = tmp_path / str(shift)
        folder.mkdir()
        work = work_of(folder, csv([row(0, temperature=" " * shift + "7"), *lines[1:]], ending=ending))
        assert len(ranges.ranges_of(work.file)) > 1
        found = divided.label(work, folder / "joined.parquet")
        assert (found.rows, found.left_out.count) == (150, 0)
        numbers = pq.read_table(folder / "joined.parquet", columns=["source_row"])["source_row"].to_pylist()
        assert numbers == list(range(150))


@pytest.mark.parametrize("word", ["\u00b5\u20ac\U0001f525", "a\nb\nc", 'say ""no""'])
def test_a_cut_may_fall_into_a_letter_a_quoted_line_feed_or_a_quotation_mark(tmp_path: Path, word: str) -> None:
    for shift in range(0, 60, 3):
        folder = tmp_path / str(shift)
        folder.mkdir()
        texts = ["-" * shift, *[word] * 120]
        lines = [f'2019-11-19T22:52:{number % 60:02}.000Z,wally117,INFO,"{text}"' for number, text in enumerate(texts)]
        found = alike(work_of(folder, csv(lines, LOGS), "logs", "nova.csv"), folder, [1, 2, 3])
        assert isinstance(found, FileLabels)
        assert found.rows == 121


def test_a_row_longer_than_a_range_belongs_to_the_one_in_which_it_begins(tmp_path: Path) -> None:
    lines = [f"2019-11-19T22:52:{number % 60:02}.000Z,wally117,INFO,{'x' * 20}" for number in range(200)]
    lines[60] += "y" * 9000
    found = alike(work_of(tmp_path, csv(lines, LOGS), "logs", "nova.csv"), tmp_path, [0, 1, 2, 3, 4])
    assert isinstance(found, FileLabels)
    assert found.rows == 200


def test_a_quotation_mark_that_is_left_open_is_told_as_in_one_pass(tmp_path: Path) -> None:
    lines = [f"2019-11-19T22:52:{number % 60:02}.000Z,wally117,INFO,{'x' * 20}" for number in range(400)]
    lines[150] += '"'
    alike(work_of(tmp_path, csv(lines, LOGS), "logs", "nova.csv"), tmp_path, [0, 1, 2, 3])


# --- what only all of the file tells ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("last", "kind"), [("20.5", "double"), ("warm", "string")])
def test_a_column_has_the_type_that_all_ranges_need(tmp_path: Path, last: str, kind: str) -> None:
    lines = [*rows(300), row(300, temperature=last), row(301)]
    work = work_of(tmp_path, csv(lines))
    found = alike(work, tmp_path, [0, 1, 5])
    assert isinstance(found, FileLabels)
    assert found.columns["temperature"] == kind


def test_ranges_that_disagree_on_a_type_are_labeled_again(tmp_path: Path) -> None:
    lines = rows(300)
    lines[120], lines[240] = row(120, temperature="20.5"), row(240, temperature="warm")
    found = alike(work_of(tmp_path, csv(lines)), tmp_path, list(range(10)))
    assert isinstance(found, FileLabels)
    assert found.columns["temperature"] == "string"


@pytest.mark.parametrize("zone", ["CEST", "CET", ""])
def test_a_repeated_hour_is_told_apart_in_ranges_as_in_one_pass(tmp_path: Path, zone: str) -> None:
    lines = []
    for number in range(300):
        wall = dt.datetime(2019, 10, 27, 1, 30) + dt.timedelta(minutes=number)  # noqa: DTZ001 (a wall clock)
        name = zone
        if wall.hour == 3 and wall.minute < 60 and number < 151:
            wall, name = wall - dt.timedelta(hours=1), "CET" if zone else ""
        lines.append(f"{wall:%Y-%m-%d %H:%M:%S} {name},20.5,12000,1.5,1.6,1.64,20")
    found = alike(work_of(tmp_path, csv(lines)), tmp_path, list(range(8)))
    assert isinstance(found, FileLabels)


def test_a_type_that_shows_behind_a_repeated_hour_is_found(tmp_path: Path) -> None:
    lines = []
    for number in range(300):
        wall = dt.datetime(2019, 10, 27, 2, 0) + dt.timedelta(seconds=30 * number)  # noqa: DTZ001 (a wall clock)
        lines.append(f"{wall:%Y-%m-%d %H:%M:%S},20.5,12000,1.5,1.6,1.64,{'20.5' if number == 290 else '20'}")
    found = alike(work_of(tmp_path, csv(lines)), tmp_path)
    assert isinstance(found, FileLabels)
    assert found.columns["temperature"] == "double"


def test_rows_across_a_cut_are_compared(tmp_path: Path) -> None:
    """Equal neighbours, a step back and the longest gap, each at every place of a file, so also at its cuts."""
    for place in range(40, 110):
        folder = tmp_path / str(place)
        folder.mkdir()
        lines = rows(150)
        lines.insert(place, lines[place - 1])
        found = divided.label(work_of(folder, csv(lines)), folder / "joined.parquet")
        assert (found.duplicates, found.out_of_order) == (1, 0)
        lines = [*lines[:place], *[row(number) for number in range(place + 900, place + 1000)]]
        found = divided.label(work_of(folder, csv(lines)), folder / "joined.parquet")
        assert found.largest_gap_s >= 900
        lines[place] = row(0)
        assert divided.label(work_of(folder, csv(lines)), folder / "joined.parquet").out_of_order == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=30, max_size=200))
def test_identical_rows_are_counted_alike_however_many_are_late(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("late")
    work = work_of(folder, csv([row(number) for number in order]))
    expected = one_pass(work, folder / "few.parquet").duplicates
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_MOST_IN_MEMORY", 3)
        assert one_pass(work, folder / "many.parquet").duplicates == expected
    assert sorted(path.name for path in folder.iterdir()) == ["few.parquet", "many.parquet", "wally117_metrics.csv"]


# --- who labels what --------------------------------------------------------------------------------------------------


def test_ranges_do_not_depend_on_who_labels_them(tmp_path: Path) -> None:
    work = work_of(tmp_path, csv(rows(300)))
    every = ranges.ranges_of(work.file)
    for which in reversed(every):
        assert ranges.label_range(work, which, tmp_path / "backwards") is not None
        assert ranges.label_range(work, which, tmp_path / "forwards") is not None
    divided.label(work, tmp_path / "joined.parquet", ranges=tmp_path / "backwards")
    divided.label(work, tmp_path / "again.parquet", ranges=tmp_path / "forwards")
    divided.label(work, tmp_path / "alone.parquet")
    made = {(tmp_path / name).read_bytes() for name in ("joined.parquet", "again.parquet", "alone.parquet")}
    assert len(made) == 1


def test_a_killed_range_is_labeled_again(tmp_path: Path) -> None:
    work = work_of(tmp_path, csv(rows(300)))
    every, kept = ranges.ranges_of(work.file), tmp_path / "kept"
    # Parsing has threads of its own, which a forked process would not have.
    process = subprocess.run([sys.executable, "-c", _KILLED, work.file.uri, str(kept)], check=False, timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [path.name[:6] for path in kept.iterdir()] == [".00001"]
    assert ranges.read_labeled(work, every[1], kept) is None
    alike(work, tmp_path)


_KILLED = """
import os, signal, sys
from pathlib import Path
from faultset.labels import ranges
from faultset.labels.windows import NodeWindows
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry import csv_rows, opening
opening.HEAD, csv_rows.BLOCK, ranges.RANGE_BYTES = 2000, 500, 3000
file = TelemetryFile("metrics", sys.argv[1], "wally117_metrics.csv", "Europe/Berlin")
which = ranges.ranges_of(file)[1]
kill = lambda rows: os.kill(os.getpid(), signal.SIGKILL)
ranges.label_range(ranges.Work(file, NodeWindows((), {})), which, Path(sys.argv[2]), progress=kill)
"""


def test_a_range_of_a_file_that_was_written_to_since_is_labeled_again(tmp_path: Path) -> None:
    lines = rows(300)
    work = work_of(tmp_path, csv(lines))
    every, kept = ranges.ranges_of(work.file), tmp_path / "kept"
    assert ranges.label_range(work, every[1], kept)
    assert ranges.read_labeled(work, every[1], kept)
    lines[100] = row(100, temperature="31")
    path = Path(work.file.uri)
    state = path.stat()
    path.write_bytes(csv(lines))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))
    assert ranges.read_labeled(work, every[1], kept) is None
    alike(work, tmp_path)


CHANGES = {
    "other values of the same size": lambda lines: [one.removesuffix("20") + "31" for one in lines],
    "rows appended": lambda lines: [*lines, *[row(number) for number in range(len(lines), len(lines) + 300)]],
    "cut": lambda lines: lines[: len(lines) // 2],
    "cut to a few rows": lambda lines: lines[:3],
    "a line put before": lambda lines: ["", *lines],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "written to"])
def test_a_file_that_changes_while_it_is_labeled_is_refused(
    tmp_path: Path, change: Callable[[list[str]], list[str]], *, replaced: bool
) -> None:
    work = work_of(tmp_path, csv(rows(300)))
    path, told = Path(work.file.uri), []

    def progress(count: int) -> None:
        if count > 100 and not told:
            told.append(count)
            meanwhile.put(path, csv(change(rows(300))), replaced=replaced)

    assert answer(divided.label, work, tmp_path / "joined.parquet", progress=progress) == CHANGED
    assert told
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    alike(work, tmp_path)


CHANGED = "wally117_metrics.csv: changed while it was read; build again once the files are whole"


def test_a_file_that_is_gone_while_it_is_labeled_is_told(tmp_path: Path) -> None:
    work = work_of(tmp_path, csv(rows(300)))
    path = Path(work.file.uri)
    found = answer(divided.label, work, tmp_path / "joined.parquet", progress=lambda _: path.unlink(missing_ok=True))
    assert found == CHANGED


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "written to"])
def test_a_range_of_a_file_that_changes_meanwhile_is_not_kept(tmp_path: Path, *, replaced: bool) -> None:
    work = work_of(tmp_path, csv(rows(300)))
    path, every, kept = Path(work.file.uri), ranges.ranges_of(work.file), tmp_path / "kept"
    changed = csv(CHANGES["other values of the same size"](rows(300)))
    found = ranges.label_range(work, every[1], kept, progress=lambda _: meanwhile.put(path, changed, replaced=replaced))
    assert found is None
    assert not list(kept.iterdir())


def test_a_range_of_another_state_of_a_file_teaches_no_types(tmp_path: Path) -> None:
    lines = rows(300)
    work = work_of(tmp_path, csv([*lines[:60], row(60, temperature="warm"), *lines[61:]]))
    every, kept = ranges.ranges_of(work.file), tmp_path / "kept"
    assert any(ranges.label_range(work, which, kept) for which in every)
    assert ranges.learned(work, kept)
    meanwhile.put(Path(work.file.uri), csv(lines), replaced=True)
    assert ranges.learned(work, kept) == {}
    assert ranges.label_range(work, every[-1], kept)
    alike(work, tmp_path)


def test_a_range_of_an_object_is_kept_until_the_object_changes(
    new_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTSET_DATASETS", str(tmp_path / "datasets"))
    bucket = Bucket.at(f"s3://{new_bucket}/x")
    here = work_of(tmp_path, csv(rows(300)))
    bucket.put_file(Path(here.file.uri), here.file.name)
    there = dataclasses.replace(here, file=dataclasses.replace(here.file, uri=bucket.uri_of(here.file.name)))
    every, kept = ranges.ranges_of(there.file), tmp_path / "kept"
    assert ranges.label_range(there, every[1], kept)
    assert ranges.read_labeled(there, every[1], kept)
    other = tmp_path / "other.csv"
    other.write_bytes(csv(rows(301)))

    def replace(_: int) -> None:
        bucket.put_file(other, here.file.name)

    assert answer(divided.label, there, tmp_path / "joined.parquet", progress=replace) == CHANGED
    assert ranges.read_labeled(there, every[1], kept) is None
    assert divided.label(there, tmp_path / "joined.parquet", ranges=kept).rows == 301


FIRST_BLOCKS = {
    "no time can be read": lambda line: f"x{line}",
    "no row is whole": lambda line: line.rpartition(",")[0],
}


@pytest.mark.parametrize("spoil", FIRST_BLOCKS.values(), ids=FIRST_BLOCKS)
def test_a_first_block_that_cannot_be_read_is_told_as_in_one_pass(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    lines = rows(300)
    work = work_of(tmp_path, csv([*map(spoil, lines[:60]), *lines[60:]]))
    assert ranges.label_range(work, ranges.ranges_of(work.file)[2], tmp_path / "kept") is None
    alike(work, tmp_path, [2, 1])


def test_a_first_row_without_an_end_is_told_as_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "ROW_LIMIT", 4000)
    work = work_of(tmp_path, csv([row(0) + "," + "x" * 6000, *rows(300)]))
    assert ranges.label_range(work, ranges.ranges_of(work.file)[-1], tmp_path / "kept") is None
    assert "is a quotation mark left open?" in str(alike(work, tmp_path, [4]))


def test_nothing_half_written_is_left_where_a_file_is_wrong(tmp_path: Path) -> None:
    lines = rows(300)
    lines[200:] = ["garbage"] * 500
    work = work_of(tmp_path, csv(["never,1,2,3,4,5,6", *["x"] * 500]))
    assert isinstance(alike(work, tmp_path), str)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# --- which files ------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_from_any_place_on_is_labeled_as_a_whole(tmp_path: Path) -> None:
    data = csv(rows(300))
    assert ranges.ranges_of(work_of(tmp_path, data).file)
    assert not ranges.ranges_of(work_of(tmp_path, gzip.compress(data, 0), name="wally117_metrics.csv.gz").file)
    lines = [f'{{"@timestamp": "2019-11-19T22:52:00.000Z", "message": "{number}"}}' for number in range(200)]
    path = tmp_path / "logs.ndjson"
    path.write_text("\n".join(lines) + "\n")
    assert not ranges.ranges_of(TelemetryFile("logs", str(path), path.name, None))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**13), st.integers(1, 2**33), st.integers(1, 2**23), st.integers(1, 2**23))
def test_cuts_follow_from_the_size_alone_and_stand_where_blocks_end(
    size: int, most: int, head: int, block: int
) -> None:
    if size > 10_000 * max(most, 3 * block):  # what no test can list
        return
    found = ranges.cuts(size, most, head=head, block=block)
    assert found == ranges.cuts(size, most, head=head, block=block)
    if not found:
        assert size <= max(most, head + 3 * block, head + most)
        return
    assert len(found) > 1
    assert (found[0].start, found[-1].stop) == (head, None)
    assert all(one.stop == other.start for one, other in pairwise(found))
    assert all((one.start - head) % block == 0 for one in found)
    assert max(one.bytes for one in found) <= max(most, 3 * block)
    assert sum(one.bytes for one in found) == size - head
