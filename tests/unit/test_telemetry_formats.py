"""Formats beside CSV: Prometheus, OpenMetrics, OTLP, Jaeger, Loki, Elasticsearch, Gnocchi, parquet."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.labels.counting import FileLabels
from faultset.labels.engine import label_file
from faultset.labels.windows import Policy, windows
from faultset.pipeline import formats
from faultset.records.telemetry import TelemetryFile, TelemetryKind
from faultset.sources.telemetry import json_parts
from faultset.sources.telemetry.compression import ByteStream, CutOffError
from faultset.sources.telemetry.events import read_spans
from faultset.sources.telemetry.series import read_file
from faultset.tables import InjectionRow, TargetRow

T0 = 1_763_487_222
HOSTS = (("cmp01", "cmp01"), ("cmp02", "cmp02"), ("192.0.2.12", "cmp02"))
OTLP = Path(__file__).parents[2].parent / "shared" / "real" / "otlp"


def written(folder: Path, text: str, kind: TelemetryKind = "metrics", name: str = "all", **more: Any) -> TelemetryFile:
    path = folder / name
    path.write_text(text)
    return TelemetryFile(kind, str(path), name, "Europe/Berlin", hosts=HOSTS, **more)


def labeled(file: TelemetryFile, folder: Path, start: float | None = None) -> tuple[FileLabels, pl.DataFrame]:
    """Label a file; with ``start``, for an injection of 30 s on cmp01."""
    injections, targets = [], []
    if start is not None:
        begin = dt.datetime.fromtimestamp(start, dt.UTC)
        end = begin + dt.timedelta(seconds=30)
        injections.append(
            InjectionRow(
                "a", "a", "w", "iteration", 1.0, begin, end, 0.0, 0.0, "results", "success", 0, "x", "full", "", None
            )
        )
        targets.append(
            TargetRow("a", "cmp01", None, None, None, "c", "s", "o", "restart", 1, True, True, True, "exact", "")
        )
    found = label_file(
        file, windows(injections, targets, [], Policy()), folder / "out.parquet", nodes=["cmp01", "cmp02"]
    )
    return found, pl.read_parquet(folder / "out.parquet")


# --- Prometheus -----------------------------------------------------------------------------------------------------


def series(name: str, instance: str, values: list[tuple[float, str]], **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, "instance": instance, **labels}, "values": [list(value) for value in values]}


def answer(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(found)}}


MEMORY = [(T0 + 15 * place, str(1000 + place * place % 97)) for place in range(40)]


def test_a_zone_is_asked_for_only_where_times_are_the_wall_clocks(tmp_path: Path) -> None:
    known = written(tmp_path, json.dumps(answer(series("memory", "cmp01", MEMORY))))
    found, _ = labeled(dataclasses.replace(known, time_zone=None), tmp_path)
    assert (found.rows, found.first_us) == (40, T0 * 1_000_000)
    walls = written(tmp_path, "time,memory\n2025-11-18 18:33:42,1\n", name="cmp01.csv")
    walls = dataclasses.replace(walls, time_zone=None)
    for read in (lambda: labeled(walls, tmp_path), lambda: read_file(walls)):
        with pytest.raises(InputError) as error:
            read()
        assert str(error.value) == (
            "cmp01.csv: its times are wall-clock times (2025-11-18 18:33:42), and nothing says in which zone; add "
            "time_zone: to its entry of telemetry in experiment.yaml, such as Europe/Berlin"
        )


LOAD = [(T0 + 0.5 + 15 * place, text) for place, text in enumerate(["1.5", "NaN", "+Inf", "-Inf", "2e3"])]


@pytest.mark.parametrize("layout", ["as it is sent", "indented", "keys sorted", "a list, as of promtool"])
def test_a_range_query_is_read_however_it_is_written(layout: str, tmp_path: Path) -> None:
    document: Any = answer(series("mem", "CMP01:9100", MEMORY, job="n"), series("load", "192.0.2.12:9100", LOAD))
    if layout == "a list, as of promtool":
        document = document["data"]["result"]
    text = json.dumps(
        document,
        indent=2 if layout == "indented" else None,
        sort_keys=layout == "keys sorted",
        separators=(",", ":") if layout == "as it is sent" else None,
    )
    found, frame = labeled(written(tmp_path, text), tmp_path)
    assert found.nodes == {"cmp01": 40, "cmp02": 5}
    assert frame["kpi"].unique(maintain_order=True).to_list() == ['mem{job="n"}', "load"]
    assert frame["value"][:40].to_list() == [float(value) for _, value in MEMORY]
    assert [str(value) for value in frame["value"][40:]] == ["1.5", "nan", "inf", "-inf", "2000.0"]
    assert frame["timestamp"].cast(pl.Int64)[41] == int((T0 + 15.5) * 1e6)
    assert found.out_of_order == 0


def test_a_label_that_names_the_node_wins_over_the_address_that_was_asked(tmp_path: Path) -> None:
    both = (
        series("ready", "192.0.2.9:8080", MEMORY, node=name, nodename="", host="front.example.org")
        for name in ("cmp01", "CMP02.example.org")
    )
    found, frame = labeled(written(tmp_path, json.dumps(answer(*both))), tmp_path)
    assert found.nodes == {"cmp01": 40, "cmp02": 40}
    assert frame["kpi"].unique().to_list() == ['ready{host="front.example.org",nodename=""}']
    assert json.loads(frame["labels"][0])["instance"] == "192.0.2.9:8080"


def test_native_histograms_give_their_count_and_sum(tmp_path: Path) -> None:
    one = {
        "metric": {"__name__": "rpc", "instance": "cmp01:1"},
        "histograms": [[T0, {"count": "3", "sum": "1.5", "buckets": [[0, "0", "1", "3"]]}]],
    }
    _, frame = labeled(written(tmp_path, json.dumps(answer(one))), tmp_path)
    assert frame.select("kpi", "value").rows() == [("rpc_count", 3.0), ("rpc_sum", 1.5)]


def test_a_value_that_stood_may_be_old_and_its_rows_are_open_for_so_long_after_a_fault(tmp_path: Path) -> None:
    flat = [(when, "7") for when, _ in MEMORY]
    text = json.dumps(answer(series("mem", "cmp01:9100", MEMORY), series("flat", "cmp01:9100", flat)))
    found, frame = labeled(written(tmp_path, text), tmp_path, T0 + 60)
    assert found.blur_s == {"flat": 315.0, "mem": 15.0}
    seconds = frame["timestamp"].cast(pl.Int64) / 1e6 - T0
    for kpi, blur in (("mem", 15), ("flat", 315)):
        here = (frame["kpi"] == kpi) & (seconds >= 60) & (seconds < 90 + blur)
        assert frame.filter(here)["is_anomalous"].all()
        assert not frame.filter((frame["kpi"] == kpi) & ~here)["is_anomalous"].any()
    sure = frame.filter(frame["is_anomalous"] & ~frame["is_boundary"])
    assert set(sure["kpi"]) == {"mem"}
    assert (sure["timestamp"].cast(pl.Int64) / 1e6 - T0).to_list() == [75.0]


def test_a_blur_that_is_declared_wins(tmp_path: Path) -> None:
    text = json.dumps(answer(series("mem", "cmp01:9100", MEMORY)))
    found, _ = labeled(written(tmp_path, text, time_blur_s=90.0), tmp_path)
    assert found.blur_s == {"mem": 90.0}


def test_impacts_of_a_counter_are_looked_for_in_its_rate_and_a_restart_is_no_fall(tmp_path: Path) -> None:
    values = [(T0, "100"), (T0 + 10, "150"), (T0 + 20, "30"), (T0 + 30, "40")]
    file = written(tmp_path, json.dumps(answer(series("x_total", "cmp01:9100", values))))
    times, rates = read_file(file).series["cmp01", "x_total"]
    assert rates.tolist() == [5.0, 3.0, 1.0]
    assert times[0] == (T0 + 10) * 1_000_000


def test_a_range_query_that_is_cut_off_says_so(tmp_path: Path) -> None:
    text = json.dumps(answer(series("mem", "cmp01:9100", MEMORY)))
    with pytest.raises(InputError, match="ends too early"):
        labeled(written(tmp_path, text[:-200]), tmp_path)


def test_an_openmetrics_dump_is_read_and_a_page_without_times_is_told(tmp_path: Path) -> None:
    name = 'a{instance="cmp01:9100",x="b} c"}'
    text = (
        f"{name} 1.5 1763487222.000\n{name} 2 1763487222.500\n{name} +Inf 1763487223.500\nb 3 1763487223.500\n# EOF\n"
    )
    _, frame = labeled(written(tmp_path, text), tmp_path)
    assert frame["kpi"].to_list() == ['a{x="b} c"}'] * 3 + ["b"]
    assert frame["value"].to_list() == [1.5, 2.0, float("inf"), 3.0]
    assert frame["node"].to_list() == ["cmp01"] * 3 + [None]
    page = "# HELP a b\n# TYPE a gauge\na 1\n"
    with pytest.raises(InputError, match=r"nearest is OpenMetrics dump: .* has no times"):
        labeled(written(tmp_path, page), tmp_path)


# --- a large document in parts --------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('ab"\\{}[]:, '), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\{', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(objects=st.lists(st.dictionaries(st.text(max_size=3), JSON, max_size=3), max_size=5), block=st.integers(1, 40))
def test_the_parts_of_a_document_are_those_that_a_parser_finds(objects: list[dict[str, Any]], block: int) -> None:
    text = json.dumps({"x": "}]", "data": {"result": objects}}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_parts, "BLOCK", block)
        stream = ByteStream(io.BytesIO(text[3:]), "x", None)
        found = [json.loads(part) for parts in json_parts.elements(text[:3], stream, 3) for part in parts]
    assert found == objects


def test_a_document_that_ends_within_a_value_is_told() -> None:
    with pytest.raises(CutOffError):
        list(json_parts.elements(b'{"data":{"result":[{"a":1},{"b":', ByteStream(io.BytesIO(b""), "x", None), 3))


def test_an_exemplar_behind_a_sample_is_no_part_of_it(tmp_path: Path) -> None:
    sample = f'lat_bucket{{instance="cmp01:9100",le="0.1",path="/{{id}}"}} 4.0 {T0}'
    lines = [f'{sample} # {{trace_id="a"}} 0.05 {T0 + 1}', sample.replace("4.0", "5.0").replace(str(T0), str(T0 + 15))]
    found, frame = labeled(written(tmp_path, "\n".join([*lines, "# EOF", ""])), tmp_path)
    assert frame["value"].to_list() == [4.0, 5.0]
    assert frame["kpi"].unique().to_list() == ['lat_bucket{le="0.1",path="/{id}"}']
    assert (found.nodes, found.last_us) == ({"cmp01": 2}, (T0 + 15) * 1_000_000)


# --- OTLP and Jaeger ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "rows"), [("metrics", "metrics", 10), ("logs", "logs", 1), ("trace", "traces", 1)]
)
def test_the_examples_of_opentelemetry_are_read(name: str, kind: TelemetryKind, rows: int, tmp_path: Path) -> None:
    path = OTLP / f"{name}.json"
    if not path.is_file():
        pytest.skip("the shared real files are not here")
    found, frame = labeled(TelemetryFile(kind, str(path), f"{name}.json", "UTC"), tmp_path)
    assert found.rows == rows
    assert str(frame["timestamp"][0]).startswith("2018-12-13 14:51:00")
    assert found.nodes == {"my.service": rows}


def message(kind: str, host: str, inner: dict[str, Any]) -> str:
    attributes = [{"key": "host.name", "value": {"stringValue": host}}]
    attributes.append({"key": "service.name", "value": {"stringValue": "front"}})
    return json.dumps({f"resource{kind}": [{"resource": {"attributes": attributes}, f"scope{kind}": [inner]}]})


def test_otlp_a_message_a_line_with_a_line_that_is_none(tmp_path: Path) -> None:
    def total(value: int) -> str:
        point = {"timeUnixNano": str((T0 + value) * 10**9), "asInt": str(value), "attributes": []}
        told = {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": [point]}
        return message("Metrics", "CMP01.example.org", {"metrics": [{"name": "requests", "sum": told}]})

    file = written(tmp_path, f"{total(10)}\n{total(30)}\n{{broken\n{total(60)[:-9]}")
    found, frame = labeled(file, tmp_path)
    assert frame.select("node", "kpi", "value", "type").rows() == [
        ("cmp01", "requests", 10.0, "sum, cumulative"),
        ("cmp01", "requests", 30.0, "sum, cumulative"),
    ]
    assert [line for line, _ in found.left_out.first] == [3, 4]
    assert read_file(file).series["cmp01", "requests"][1].tolist() == [1.0]


def test_values_that_no_column_holds_are_null_and_named_by_their_lines(tmp_path: Path) -> None:
    records = [
        {"traceId": 5},
        {"traceId": {"a": 1}},
        {"timeUnixNano": "9" * 23},
        {"spanId": ["b"], "severityText": True},
    ]
    known = {"timeUnixNano": str(T0 * 10**9), "severityText": "INFO", "body": {"stringValue": "text"}}
    lines = [message("Logs", "cmp01", {"logRecords": [{**known, **record}]}) for record in records]
    found, rows = labeled(written(tmp_path, "\n".join(lines), "logs"), tmp_path)
    assert rows["trace_id"].to_list() == ["5", '{"a":1}', None, None]
    assert (rows["span_id"][3], rows["severity"][3]) == ('["b"]', "True")
    assert found.nulled.first == ((3, f"time_unix_nano: '{'9' * 23}' is no number"),)
    assert (found.rows, found.without_time, found.left_out.count) == (4, 1, 0)


def test_spans_of_otlp_and_of_jaeger_say_the_same(tmp_path: Path) -> None:
    def otlp(span: str, parent: str, start: int, took: int, *, failed: bool) -> dict[str, Any]:
        status = {"code": 2} if failed else {}
        start_ns = (T0 * 10**6 + start) * 1000
        times = {"startTimeUnixNano": str(start_ns), "endTimeUnixNano": str(start_ns + took * 1000)}
        return {"traceId": "t", "spanId": span, "parentSpanId": parent, "name": f"op-{span}", "status": status, **times}

    def jaeger(span: str, parent: str, start: int, took: int, *, failed: bool) -> dict[str, Any]:
        tags = [{"key": "error", "type": "bool", "value": True}] if failed else []
        above = [{"refType": "CHILD_OF", "traceID": "t", "spanID": parent}] if parent else []
        times = {"startTime": T0 * 10**6 + start, "duration": took}
        more = {"operationName": f"op-{span}", "processID": "p1", "references": above, "tags": tags}
        return {"traceID": "t", "spanID": span, **times, **more}

    tree = [("a", "", 0, 1000, False), ("b", "a", 100, 300, True)]
    first = message("Spans", "cmp01", {"spans": [otlp(*span[:4], failed=span[4]) for span in tree]})
    host = {"key": "hostname", "type": "string", "value": "cmp01"}
    second = {
        "data": [
            {
                "traceID": "t",
                "spans": [jaeger(*span[:4], failed=span[4]) for span in tree],
                "processes": {"p1": {"serviceName": "front", "tags": [host]}},
            }
        ]
    }
    frames = [read_spans(written(tmp_path, text, "traces")).frame for text in (first, json.dumps(second, indent=1))]
    assert frames[0].equals(frames[1])
    assert frames[0].select("host", "service", "operation", "own_us", "failed").rows() == [
        ("cmp01", "front", "op-a", 700, False),
        ("cmp01", "front", "op-b", 300, True),
    ]


# --- logs -----------------------------------------------------------------------------------------------------------


def loki(count: int) -> str:
    return "".join(
        json.dumps(
            {"labels": {"host": "cmp01", "level": "error"}, "line": "x", "timestamp": f"2025-11-18T17:33:{s:02}Z"}
        )
        + "\n"
        for s in range(count)
    )


def test_lines_of_loki_are_read_and_just_thirty_of_them_are_suspicious(tmp_path: Path) -> None:
    found, frame = labeled(written(tmp_path, loki(30), "logs"), tmp_path)
    assert frame.select("node", "line", "level").row(0) == ("cmp01", "x", "error")
    assert found.rows in found.layout.limits
    assert labeled(written(tmp_path, loki(31), "logs"), tmp_path)[0].rows not in found.layout.limits


def test_hosts_of_loki_are_named_without_their_port(tmp_path: Path) -> None:
    hosts = ["cmp01:9100", "cmp02.example.org:9100", "[2001:db8::1]:9100", "2001:db8::1", ":9100"]
    lines = [{"labels": {"instance": host}, "line": "x", "timestamp": "2025-11-18T17:33:42Z"} for host in hosts]
    _, frame = labeled(written(tmp_path, "\n".join(map(json.dumps, lines)), "logs"), tmp_path)
    assert frame["node"].to_list() == ["cmp01", "cmp02", "2001:db8::1", "2001:db8::1", ":9100"]


def test_documents_of_elasticsearch_become_columns_and_late_fields_are_kept_together(tmp_path: Path) -> None:
    first = {"_source": {"@timestamp": "2025-11-18T17:33:42.5Z", "host": {"name": "cmp01"}, "message": "a", "n": 1}}
    late = {"_source": {**first["_source"], "late": {"x": [1]}}}
    text = "\n".join(json.dumps(one) for one in [first] * 30 + [late])
    _, frame = labeled(written(tmp_path, text, "logs"), tmp_path)
    assert frame.select("node", "host.name", "message", "n").row(0) == ("cmp01", "cmp01", "a", "1")
    assert frame["other_fields"].to_list() == [None] * 30 + ['{"late.x":[1]}']


# --- averages and parquet -------------------------------------------------------------------------------------------


def test_averages_of_gnocchi_are_said_to_be_such(tmp_path: Path) -> None:
    text = "timestamp,granularity,value\n2025-11-18T18:30:00+01:00,300.0,5\n2025-11-18T18:35:00+01:00,300.0,6\n"
    found, _ = labeled(written(tmp_path, text, node="cmp01"), tmp_path)
    assert "averages over buckets of 300 s" in found.layout.values.note
    assert found.row_uncertainty_s == 300.0
    assert found.named_kpis == ("value",)


@pytest.mark.parametrize("zone", ["UTC", None])
def test_parquet_is_read_wide_with_times_of_its_own(zone: str | None, tmp_path: Path) -> None:
    moment = dt.datetime.fromtimestamp(T0, dt.UTC)
    wall = moment if zone else moment.astimezone(dt.timezone(dt.timedelta(hours=1))).replace(tzinfo=None)
    frame = pl.DataFrame({"when": [wall, wall + dt.timedelta(seconds=1)], "cpu": [1.5, None], "n": [1, 2]})
    frame.write_parquet(tmp_path / "cmp01.parquet")
    file = TelemetryFile("metrics", str(tmp_path / "cmp01.parquet"), "cmp01.parquet", "Europe/Berlin", hosts=HOSTS)
    _, out = labeled(file, tmp_path)
    assert out["timestamp"].cast(pl.Int64).to_list() == [T0 * 10**6, (T0 + 1) * 10**6]
    assert out.select("node", "cpu", "n").rows() == [("cmp01", 1.5, 1), ("cmp01", None, 2)]
    values = read_file(file).series["cmp01", "cpu"][1]
    assert np.isnan(values[1])
    assert pq.read_schema(tmp_path / "out.parquet").field("n").type == "int64"


# --- the reference --------------------------------------------------------------------------------------------------


def test_the_reference_page_is_the_registry() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md"
    assert page.read_text(encoding="utf-8") == formats.page()
