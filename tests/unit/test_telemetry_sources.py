"""Telemetry files as they come: formats, packing, clocks, and what is refused by row."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import gzip
import io
import json
import zipfile
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import csv_rows, node_of, wall_clock
from faultset.sources.telemetry.format import NOT_KNOWN, Block, short_name
from faultset.sources.telemetry.opening import kind_of, numbered, open_rows
from faultset.sources.telemetry.problems import ColumnTypeError
from faultset.sources.telemetry.registry import FORMATS
from faultset.sources.telemetry.series import Series, spread_within
from faultset.sources.telemetry.series import read_series as read_all_series

HEADER = "now,cpu.user,mem.used,load.cpucore,load.min1,load.min5,load.min15"
LINE = "2019-11-19 23:51:43 CEST,23.7,12240764928,8,1.55,1.6,1.64"


def metrics(*lines: str, header: str = HEADER, end: str = "\n") -> bytes:
    return ("\n".join((header, *lines)) + end).encode()


def file_of(
    folder: Path, data: bytes, name: str = "wally117_metrics.csv", kind: TelemetryKind = "metrics", zone: str = "UTC"
) -> TelemetryFile:
    path = folder / name
    path.write_bytes(data)
    return TelemetryFile(kind, str(path), name, zone)


def read(file: TelemetryFile) -> pl.DataFrame:
    with open_rows(file) as opened:
        return pl.concat([parse().frame for parse in opened.blocks])


def read_series(file: TelemetryFile, kpis: list[str] | None = None) -> dict[str, Series]:
    return {kpi: series for (_, kpi), series in read_all_series(file, kpis).items()}


def problem(file: TelemetryFile, kpis: list[str] | None = None) -> str:
    with pytest.raises(InputError) as error:
        read_series(file, kpis)
    return str(error.value)


# --- reading --------------------------------------------------------------------------------------------------------


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    frame = read(file_of(tmp_path, metrics(LINE, LINE.replace("23.7", "5"))))
    assert frame.columns == HEADER.split(",")
    assert frame.row(0) == ("2019-11-19 23:51:43 CEST", 23.7, 12240764928, 8, 1.55, 1.6, 1.64)
    assert frame["cpu.user"].to_list() == [23.7, 5.0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n", ""])
def test_line_ends_and_blank_lines_make_no_rows(tmp_path: Path, end: str) -> None:
    data = metrics(LINE, LINE).replace(b"\n", b"\r\n" if "\r" in end else b"\n").rstrip() + end.encode()
    assert len(read(file_of(tmp_path, data))) == 2


def test_a_missing_value_is_kept_as_missing(tmp_path: Path) -> None:
    frame = read(file_of(tmp_path, metrics(LINE.replace("23.7", "").replace("1.64", ""), LINE)))
    assert frame["cpu.user"].to_list() == [None, 23.7]
    assert frame["load.min15"].to_list() == [None, 1.64]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    assert read(file_of(tmp_path, b"\xef\xbb\xbf" + metrics(LINE))).columns[0] == "now"


def test_further_columns_of_the_tool_are_kept_with_their_types(tmp_path: Path) -> None:
    frame = read(file_of(tmp_path, metrics(f"{LINE},1.5,7,eth0", header=f"{HEADER},cpu.idle,fs.used,network.name")))
    assert frame.schema["cpu.idle"] == pl.Float64
    assert frame.schema["fs.used"] == pl.Int64
    assert frame.schema["network.name"] == pl.String


def test_an_integer_column_that_turns_out_to_hold_decimals_is_read_as_decimals(tmp_path: Path) -> None:
    file = file_of(tmp_path, metrics(LINE, LINE.replace("12240764928", "12240764928.5")))
    assert read_series(file, ["mem.used"])["mem.used"][1].tolist() == [12240764928.0, 12240764928.5]


def packed(data: bytes, how: str) -> bytes:
    if how == "gzip":
        return gzip.compress(data)
    if how == "zstd":
        return bytes(pa.compress(data, codec="zstd", asbytes=True))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.csv", data)
    return buffer.getvalue()


@pytest.mark.parametrize("how", ["gzip", "zstd", "zip"])
def test_packed_files_are_told_by_their_bytes(tmp_path: Path, how: str) -> None:
    plain = metrics(*[LINE] * 100)
    assert read(file_of(tmp_path, packed(plain, how))).equals(read(file_of(tmp_path, plain, "plain.csv")))


@pytest.mark.parametrize("how", ["gzip", "zstd", "zip"])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path, how: str) -> None:
    noise = np.random.default_rng(1).integers(0, 10**9, 60_000)
    data = packed(metrics(*(LINE.replace("12240764928", str(value)) for value in noise)), how)
    found = problem(file_of(tmp_path, data[: len(data) // 2]))
    assert "wally117_metrics.csv" in found
    assert "row" in found or "unpacked" in found


def test_a_zip_archive_of_two_files_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.csv", "a")
        archive.writestr("b.csv", "b")
    assert "2 files" in problem(file_of(tmp_path, buffer.getvalue()))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=12)
LOG_COLUMNS = ("Hostname", "log_level", "Timestamp", "@timestamp", "Payload", "programname", "extra")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(texts=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=30), block=st.integers(100, 500))
def test_blocks_of_any_size_give_the_rows_that_csv_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[tuple[str, str]], block: int
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for payload, extra in texts:
        writer.writerow(("wally117", "INFO", "", "2019-11-19T22:51:43.166Z", payload, "nova", extra))
    data = (",".join(LOG_COLUMNS) + "\n" + buffer.getvalue()).encode()
    monkeypatch.setattr(csv_rows, "BLOCK", block)
    frame = read(file_of(tmp_path, data, "logs.csv", "logs"))
    assert frame.select(pl.col("Payload").fill_null(""), pl.col("extra").fill_null("")).rows() == texts


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_the_zone_gives_the_offset_and_not_the_abbreviation(tmp_path: Path) -> None:
    """Trap: files of November say CEST and mean Berlin's winter time, which is UTC+1."""
    file = file_of(tmp_path, metrics(LINE), zone="Europe/Berlin")
    times, _ = read_series(file, ["cpu.user"])["cpu.user"]
    assert times.tolist() == [int(dt.datetime(2019, 11, 19, 22, 51, 43, tzinfo=dt.UTC).timestamp()) * 1_000_000]


def test_rows_of_one_second_are_spread_evenly_within_it(tmp_path: Path) -> None:
    lines = [LINE, LINE.replace("23.7", "24"), LINE.replace(":43 ", ":44 ").replace("23.7", "25")]
    times, values = read_series(file_of(tmp_path, metrics(*lines)), ["cpu.user"])["cpu.user"]
    assert (times - times[0]).tolist() == [0, 500_000, 1_000_000]
    assert values.tolist() == [23.7, 24.0, 25.0]


def test_rows_out_of_order_are_sorted_and_keep_their_order_within_a_second(tmp_path: Path) -> None:
    later = LINE.replace(":43 ", ":50 ").replace("23.7", "9")
    times, values = read_series(file_of(tmp_path, metrics(later, LINE, LINE.replace("23.7", "24"))))["cpu.user"]
    assert (np.diff(times) > 0).all()
    assert values.tolist() == [23.7, 24.0, 9.0]


def test_a_missing_value_is_nan_in_a_series(tmp_path: Path) -> None:
    series = read_series(file_of(tmp_path, metrics(LINE, LINE.replace("23.7", ""))))
    assert np.isnan(series["cpu.user"][1]).tolist() == [False, True]
    assert set(series) == set(HEADER.split(",")) - {"now"}


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_spreading_keeps_order_and_second(seconds: list[int]) -> None:
    us = np.sort(np.array(seconds, np.int64)) * 1_000_000
    spread = spread_within(us, 1_000_000)
    assert (np.diff(spread) > 0).all()
    assert (spread // 1_000_000 == us // 1_000_000).all()


EARLIEST, LATEST = dt.datetime.fromisoformat("1985-01-01"), dt.datetime.fromisoformat("2037-01-01")
ZONES = ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC", "Asia/Kolkata")


@given(
    zone=st.sampled_from(ZONES),
    moments=st.lists(st.datetimes(EARLIEST, LATEST), min_size=1, max_size=20),
)
def test_wall_clock_times_become_utc_as_python_has_it(zone: str, moments: list[dt.datetime]) -> None:
    wall = np.array([np.datetime64(moment.replace(microsecond=0), "us") for moment in moments]).astype(np.int64)
    found = wall_clock.to_utc(wall, zone)
    info = zoneinfo.ZoneInfo(zone)
    for place, moment in enumerate(moments):
        local = moment.replace(microsecond=0, tzinfo=info)
        first = int(local.timestamp()) * 1_000_000
        second = int(local.replace(fold=1).timestamp()) * 1_000_000
        kind = wall_clock.PLAIN if found.kind is None else found.kind[place]
        assert int(found.us[place]) == first
        if kind != wall_clock.SKIPPED:
            assert int(found.second_us[place]) == second
        assert (kind == wall_clock.PLAIN) == (first == second)


def test_a_repeated_hour_and_one_that_never_comes_are_told() -> None:
    wall = np.array(["2019-10-27T01:59:59", "2019-10-27T02:00:00", "2019-10-27T03:00:00"], "datetime64[us]")
    assert wall_clock.to_utc(wall.astype(np.int64), "Europe/Berlin").kind.tolist() == [0, wall_clock.REPEATED, 0]  # type: ignore[union-attr]
    wall = np.array(["2019-03-31T01:59:59", "2019-03-31T02:30:00", "2019-03-31T03:00:00"], "datetime64[us]")
    found = wall_clock.to_utc(wall.astype(np.int64), "Europe/Berlin")
    assert found.kind is not None
    assert found.kind.tolist() == [0, wall_clock.SKIPPED, 0]
    assert (found.us[1] - found.us[0]) == 1801 * 1_000_000


# --- logs and traces ------------------------------------------------------------------------------------------------


def logs(*lines: str) -> bytes:
    return ("\n".join((",".join(LOG_COLUMNS[:-1]), *lines)) + "\n").encode()


def clock_of(file: TelemetryFile) -> Any:
    with open_rows(file) as opened:
        return next(opened.blocks)()


def test_logs_go_by_the_time_that_has_an_offset(tmp_path: Path) -> None:
    data = logs(
        'wally117.cit,INFO,2019-11-19 23:51:43.166,2019-11-19T22:51:43.166+00:00,"a\nb",nova',
        "wally122,INFO,2019-11-19 23:51:44,,x,nova",
        "10.0.0.1,INFO,,2019-11-19T23:51:45+01:00,x,nova",
        ",INFO,,,x,nova",
    )
    block = clock_of(file_of(tmp_path, data, "logs.csv", "logs"))
    base = int(dt.datetime(2019, 11, 19, 22, 51, 43, tzinfo=dt.UTC).timestamp()) * 1_000_000
    assert block.clock.us.tolist() == [base + 166_000, base + 3_601_000_000, base + 2_000_000, NOT_KNOWN]
    assert block.clock.wall.tolist() == [False, True, False, False]
    assert block.clock.beside.tolist() == [base + 3_600_166_000, NOT_KNOWN, NOT_KNOWN, NOT_KNOWN]
    assert block.nodes.to_list() == ["wally117", "wally122", "10.0.0.1", None]


def test_a_trace_csv_is_read_span_by_span(tmp_path: Path) -> None:
    header = "Host,Name,Service,Project,Timestamp,Iteration_id,Trace_id,Parent_id,Base_id"
    data = f"{header}\nwally113,wsgi-start,public,keystone,2019-11-18 12:19:05.045692,1,t,p,b\n".encode()
    block = clock_of(file_of(tmp_path, data, "traces.csv", "traces"))
    assert block.clock.us.tolist() == [
        int(dt.datetime(2019, 11, 18, 12, 19, 5, tzinfo=dt.UTC).timestamp()) * 1_000_000 + 45_692
    ]


def span(name: str, started: str | None, *children: dict[str, Any]) -> dict[str, Any]:
    info: dict[str, Any] = {"name": name, "host": "wally113", "service": "api", "project": "nova", "started": 3}
    if started:
        info[f"meta.raw_payload.{name}-start"] = {"timestamp": started, "base_id": "b"}
    return {"info": info, "trace_id": f"t-{name}", "parent_id": "b", "children": list(children)}


def test_a_span_of_an_osprofiler_tree_is_a_row_parents_first(tmp_path: Path) -> None:
    tree = {
        "info": {"name": "total"},
        "children": [
            span("wsgi", "2019-11-18T12:19:05.045692", span("db", "2019-11-18T12:19:05.1"), span("rpc", None)),
            span("last", "2019-11-18T12:19:06"),
        ],
    }
    block = clock_of(file_of(tmp_path, json.dumps(tree).encode(), "trace.json", "traces", "Europe/Berlin"))
    assert block.frame["name"].to_list() == ["wsgi", "db", "rpc", "last"]
    assert block.frame["base_id"].to_list() == ["b", "b", None, "b"]
    assert block.clock.us[0] == int(dt.datetime(2019, 11, 18, 12, 19, 5, tzinfo=dt.UTC).timestamp()) * 10**6 + 45_692
    assert block.clock.us[2] == NOT_KNOWN


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"children": [1]}', '{"children": [{"info": 3}]}', "[" * 5000])
def test_json_that_is_no_trace_is_refused(tmp_path: Path, text: str) -> None:
    with (
        pytest.raises(InputError, match=r"trace\.json"),
        open_rows(file_of(tmp_path, text.encode(), "trace.json", "traces")) as opened,
    ):
        list(opened.blocks)


# --- what is odd is left out or null, and told ----------------------------------------------------------------------


def blocks(file: TelemetryFile) -> list[Block]:
    with open_rows(file) as opened:
        return [block for block, _ in numbered(file, (parse() for parse in opened.blocks))]


def oddities(file: TelemetryFile) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return line and problem of what was left out, and of what is null."""
    found = blocks(file)
    return [one for block in found for one in block.left_out.first], [
        one for block in found for one in block.nulled.first
    ]


SHORT = "2019-11-19 23:51:44 CEST,1.0"


@pytest.mark.parametrize(("line", "fields"), [(SHORT, 2), (LINE + ",1", 8)])
def test_a_row_of_another_length_than_its_header_is_left_out_and_named(tmp_path: Path, line: str, fields: int) -> None:
    file = file_of(tmp_path, metrics(LINE, line, LINE))
    assert oddities(file) == ([(3, f"it has {fields} instead of 7 fields")], [])
    [block] = blocks(file)
    assert block.frame["cpu.user"].to_list() == [23.7, 23.7]
    assert block.places is not None
    assert block.places.tolist() == [0, 2]
    assert block.rows_in_source == 3


def test_a_last_line_that_is_cut_off_is_left_out_and_named(tmp_path: Path) -> None:
    data = metrics(*[LINE] * 50)
    file = file_of(tmp_path, data[: len(data) - 25])
    assert oddities(file)[0] == [(51, "it has 3 instead of 7 fields; the file is cut off here")]
    assert sum(len(block.frame) for block in blocks(file)) == 49


def test_a_header_that_stands_again_is_no_row(tmp_path: Path) -> None:
    [block] = blocks(file_of(tmp_path, metrics(LINE, HEADER, LINE)))
    assert (block.headers, len(block.frame), block.rows_in_source) == (1, 2, 2)


@pytest.mark.parametrize("text", ["high", "N/A"])
def test_a_text_in_the_place_of_a_number_is_null_and_named(tmp_path: Path, text: str) -> None:
    file = file_of(tmp_path, metrics(LINE, LINE.replace("23.7", text)))
    assert oddities(file) == ([], [(3, f"cpu.user is '{text}', no number")])
    assert read(file)["cpu.user"].to_list() == [23.7, None]


BLANKS = ("", " ", "  ", "\t", "\u00a0")


@pytest.mark.parametrize("before", BLANKS)
@pytest.mark.parametrize("behind", BLANKS)
def test_a_number_among_blanks_is_the_number(tmp_path: Path, before: str, behind: str) -> None:
    odd = LINE.replace("23.7", f"{before}2.5{behind}").replace("12240764928", f"{before}-7{behind}")
    file = file_of(tmp_path, metrics(*[f"{line},9{behind}" for line in (LINE, odd)], header=f"{HEADER},fs.used"))
    assert oddities(file) == ([], [])
    frame = read(file)
    assert frame["cpu.user"].to_list() == [23.7, 2.5]
    assert frame["mem.used"].to_list() == [12240764928, -7]
    assert frame["fs.used"].to_list() == [9, 9]


@pytest.mark.parametrize("blank", BLANKS)
def test_blanks_alone_are_no_value_whatever_else_stands_in_the_block(tmp_path: Path, blank: str) -> None:
    lines = [f"{LINE},7", f"{LINE.replace('23.7', blank)},{blank}", SHORT]
    frame = read(file_of(tmp_path, metrics(*lines, header=f"{HEADER},fs.used")))
    assert frame["cpu.user"].to_list() == [23.7, None]
    assert frame["fs.used"].to_list() == [7, None]


@pytest.mark.parametrize("text", ["\u0667", "\u0661.5", "\uff11", "1_0.5", "12 000", "+-7", "--7"])
@pytest.mark.parametrize("name", ["cpu.user", "mem.used"])
def test_what_is_no_number_in_plain_digits_is_null_and_named(tmp_path: Path, name: str, text: str) -> None:
    odd = LINE.replace({"cpu.user": "23.7", "mem.used": "12240764928"}[name], text)
    file = file_of(tmp_path, metrics(LINE, odd, LINE))
    assert oddities(file) == ([], [(3, f"{name} is {text!r}, no number")])
    assert read(file)[name].null_count() == 1


def test_a_whole_number_may_have_very_many_digits(tmp_path: Path) -> None:
    padded = LINE.replace("12240764928", "0" * 5000 + "7")
    assert read(file_of(tmp_path, metrics(padded, SHORT)))["mem.used"].to_list() == [7]
    with pytest.raises(ColumnTypeError, match=r"mem\.used"):
        read(file_of(tmp_path, metrics(LINE.replace("12240764928", "9" * 300), SHORT)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    text=st.text(st.sampled_from("79.+-eE_ \t\u00a0\u0667\x0b\x1c\u2003\"'ainf"), max_size=8),
    column=st.sampled_from(["23.7", "12240764928", "CEST"]),
)
def test_no_field_spoils_more_than_its_own_row(tmp_path: Path, text: str, column: str) -> None:
    file = file_of(tmp_path, metrics(LINE, LINE.replace(column, text), SHORT, LINE))
    kept = read_series(file)["load.min15"][1].tolist()
    assert kept in ([1.64] * 2, [1.64] * 3)


@pytest.mark.parametrize("text", ['""x', '"a"b', '"" ', '"x"\t'])
def test_letters_behind_a_quotation_mark_belong_to_the_field(tmp_path: Path, text: str) -> None:
    lines = [f"{LINE},eth0", f"{LINE},{text}", f"{LINE},lo"]
    frame = read(file_of(tmp_path, metrics(*lines, header=f"{HEADER},network.name")))
    assert frame["network.name"].to_list() == ["eth0", next(csv.reader([text]))[0], "lo"]


def test_a_column_of_numbers_with_what_tools_write_for_none_stays_one_of_numbers(tmp_path: Path) -> None:
    lines = [f"{LINE},{text}" for text in ("1.5", "N/A", "", "-")]
    frame = read(file_of(tmp_path, metrics(*lines, header=f"{HEADER},sensors.cpu")))
    assert frame["sensors.cpu"].to_list() == [1.5, None, None, None]


@pytest.mark.parametrize("time", ["", "yesterday", "2019-13-01 00:00:00", "2019-11-19 25:51:43"])
def test_a_row_without_a_time_that_can_be_read_is_left_out_and_named(tmp_path: Path, time: str) -> None:
    file = file_of(tmp_path, metrics(LINE, LINE, LINE.replace("2019-11-19 23:51:43 CEST", time)))
    assert oddities(file)[0] == [(4, f"{time!r} is no time that can be read")]


def test_a_log_line_without_a_time_that_can_be_read_is_kept_and_named(tmp_path: Path) -> None:
    data = logs('a,INFO,,2019-11-19T22:51:43Z,"x\ny\nz",nova', "a,INFO,,yesterday,x,nova")
    file = file_of(tmp_path, data, "logs.csv", "logs")
    [block] = blocks(file)
    assert block.nulled.first == ((5, "'' 'yesterday' is no time that can be read"),)
    assert block.clock.us[1] == NOT_KNOWN


def test_rows_far_into_a_file_are_counted_from_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "BLOCK", 500)
    file = file_of(tmp_path, metrics(*[LINE] * 99, LINE.replace("1.6,", ""), LINE))
    assert oddities(file)[0] == [(101, "it has 6 instead of 7 fields")]


def test_a_stray_quotation_mark_spoils_its_own_row_alone(tmp_path: Path) -> None:
    file = file_of(tmp_path, metrics(LINE, '"' + LINE, LINE))
    assert [line for line, _ in oddities(file)[0]] == [3]
    assert len(read(file)) == 2


def test_bytes_that_are_no_text_spoil_their_own_row_alone(tmp_path: Path) -> None:
    broken = LINE.encode().replace(b"CEST", b"C\xff\xfeT")
    file = file_of(tmp_path, metrics(LINE) + broken + b"\n" + LINE.encode() + b"\n")
    assert oddities(file)[0] == [(3, "it is not UTF-8")]


def test_rows_without_one_that_is_whole_are_refused_with_the_first(tmp_path: Path) -> None:
    header = HEADER.removesuffix(",load.min15")
    assert "none of its 2 rows can be read: it has 7 instead of 6 fields" in problem(
        file_of(tmp_path, metrics(LINE, LINE, header=header))
    )


# --- any columns ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["mem.usde", "my_own_gauge"])
def test_a_column_more_or_less_than_the_tool_has_is_read(tmp_path: Path, column: str) -> None:
    file = file_of(tmp_path, metrics(LINE, header=HEADER.replace("mem.used", column)))
    assert read_series(file)[column][1].tolist() == [12240764928.0]


# --- what is refused ------------------------------------------------------------------------------------------------


def test_a_column_twice_is_named(tmp_path: Path) -> None:
    assert "'now' twice" in problem(file_of(tmp_path, metrics(LINE + ",1", header=HEADER + ",now")))


@pytest.mark.parametrize("data", [b"", b"\n\n", metrics(), metrics(end=""), metrics("", "")])
def test_a_file_without_rows_is_refused(tmp_path: Path, data: bytes) -> None:
    assert "wally117_metrics.csv" in problem(file_of(tmp_path, data))


@pytest.mark.parametrize("data", [b"\x00" * 100, b"%PDF-1.4"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, data: bytes) -> None:
    assert "wally117_metrics.csv" in problem(file_of(tmp_path, data))


def test_metrics_that_are_asked_for_and_not_there_are_named(tmp_path: Path) -> None:
    assert "'disk.used'" in problem(file_of(tmp_path, metrics(LINE)), ["disk.used"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.binary(max_size=300), after=st.booleans(), kind=st.sampled_from(["metrics", "logs", "traces"]))
def test_whatever_the_bytes_are_the_only_error_is_an_input_error(
    tmp_path: Path, data: bytes, kind: TelemetryKind, *, after: bool
) -> None:
    head = metrics(LINE) if kind == "metrics" else logs('a,INFO,,2019-11-19T22:51:43Z,"x",nova')
    file = file_of(tmp_path, head + data if after else data, "wally117_x", kind)
    try:
        read_series(file)
    except InputError as error:
        assert "wally117_x" in str(error)  # noqa: PT017 (there need not be one)


# --- names ----------------------------------------------------------------------------------------------------------


def test_the_node_of_metrics_stands_before_the_first_underscore() -> None:
    names = ["metrics/wally113_metrics_1.csv", "wally117.csv", "wally122"]
    assert [node_of(TelemetryFile("metrics", "", name, "UTC")) for name in names] == [
        "wally113",
        "wally117",
        "wally122",
    ]


def test_a_host_is_called_by_its_short_name() -> None:
    hosts = pl.Series(["wally113.cit.tu-berlin.de", "wally117", "130.149.249.123", "::1", " ", None])
    assert short_name(hosts).to_list() == ["wally113", "wally117", "130.149.249.123", "::1", None, None]


def test_every_format_recognises_its_own_sample_and_no_other_one_takes_it(tmp_path: Path) -> None:
    for form in (form for form in FORMATS if form.sample):
        path = tmp_path / "cmp01_sample"
        path.write_bytes(form.sample.encode())
        file = TelemetryFile(form.kinds[0], str(path), path.name, "UTC")
        found = kind_of(file)
        assert found is not None
        assert found[0] is form
        with open_rows(dataclasses.replace(file, kind=found[1].kind)) as opened:
            assert sum(len(parse().frame) for parse in opened.blocks) > 0
