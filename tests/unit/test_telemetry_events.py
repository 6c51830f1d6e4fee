"""What is read of logs and traces to find impacts by: when lines came, how long spans took, which of them failed."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.records.telemetry import TelemetryFile
from faultset.sources.telemetry.events import Spans, read_lines, read_spans

START = 1_574_000_000
LOG_HEAD = "Hostname,log_level,Timestamp,@timestamp,Payload,programname\n"
TRACE_HEAD = "Host,Name,Service,Project,Timestamp,Iteration_id,Trace_id,Parent_id,Base_id\n"


def file(folder: Path, kind: str, text: str, **more) -> TelemetryFile:
    path = folder / f"{kind}.{'json' if text.startswith(('{', '[')) else 'csv'}"
    path.write_text(text)
    return TelemetryFile(kind, str(path), path.name, "Europe/Berlin", **more)


def stamp(second: float) -> str:
    return dt.datetime.fromtimestamp(START + second, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def line(second: float, level: str = "INFO", host: str = "cmp1.example.org") -> str:
    return f'{host},{level},,{stamp(second)}Z,"a text, in\ntwo lines",nova-compute\n'


def seconds(times) -> list[float]:
    return [(int(us) - START * 1_000_000) / 1e6 for us in times]


# --- logs -----------------------------------------------------------------------------------------------------------


def test_lines_are_counted_by_node_and_level_in_order_of_time(tmp_path):
    text = LOG_HEAD + line(5) + line(1) + line(3, "ERROR") + line(2, "INFO", "ctl1")
    lines = read_lines(file(tmp_path, "logs", text))
    assert {key: seconds(times) for key, times in lines.times.items()} == {
        ("cmp1", "INFO"): [1, 5],
        ("cmp1", "ERROR"): [3],
        ("ctl1", "INFO"): [2],
    }
    assert seconds(lines.recorded["cmp1"]) == [1, 5]


@pytest.mark.parametrize(
    ("written", "level"),
    [
        ("error", "ERROR"),
        (" ERR ", "ERROR"),
        ("warn", "WARNING"),
        ("FATAL", "CRITICAL"),
        ("", "other"),
        ("<b>", "other"),
    ],
)
def test_a_level_is_one_of_a_few_words_however_it_is_written(tmp_path, written, level):
    lines = read_lines(file(tmp_path, "logs", LOG_HEAD + line(1, written)))
    assert list(lines.times) == [("cmp1", level)]


def test_lines_of_no_node_and_of_no_time_tell_nothing(tmp_path):
    text = LOG_HEAD + line(1, host="") + "cmp1,INFO,,,x,y\n" + line(2)
    assert {key: seconds(times) for key, times in read_lines(file(tmp_path, "logs", text)).times.items()} == {
        ("cmp1", "INFO"): [2]
    }


def test_wall_clock_time_shifts_and_renamed_nodes_are_as_declared(tmp_path):
    text = LOG_HEAD + "cmp1,INFO,2019-11-17T15:13:20.000,,x,y\n"
    there = file(tmp_path, "logs", text, shift_us=1_000_000, renamed=(("cmp1", "cmp2"),))
    assert {key: seconds(times) for key, times in read_lines(there).times.items()} == {("cmp2", "INFO"): [1]}


def test_only_the_time_asked_for_is_held(tmp_path):
    text = LOG_HEAD + "".join(line(second) for second in range(100))
    lines = read_lines(file(tmp_path, "logs", text), lambda us: us >= (START + 90) * 1_000_000)
    assert len(lines.times["cmp1", "INFO"]) == 10


# --- traces ---------------------------------------------------------------------------------------------------------


def span(name: str, start: float, stop: float | None, parent: str = "root", service: str = "api", **more) -> str:
    host, project = more.get("host", "ctl1"), more.get("project", "nova")
    rows = [("start", start)] + ([("stop", stop)] if stop is not None else [])
    return "".join(f"{host},rpc-{what},{service},{project},{stamp(at)},1,{name},{parent},root\n" for what, at in rows)


def told(spans: Spans) -> list[tuple]:
    return [
        (row["service"], row["own_us"] and row["own_us"] / 1e6, row["failed"])
        for row in spans.frame.iter_rows(named=True)
    ]


def test_a_span_takes_from_its_start_to_its_stop_wherever_the_rows_stand(tmp_path):
    text = TRACE_HEAD + "".join(reversed((span("a", 1, 3) + span("b", 2, 2.5)).splitlines(keepends=True)))
    assert told(read_spans(file(tmp_path, "traces", text))) == [("nova-api", 2, False), ("nova-api", 0.5, False)]


def test_a_span_does_not_take_what_the_calls_inside_it_take(tmp_path):
    inside = span("b", 2, 6, "a", "compute") + span("c", 4, 8, "a", "conductor")  # two at the same time
    spans = read_spans(file(tmp_path, "traces", TRACE_HEAD + span("a", 1, 10) + inside))
    assert told(spans) == [("nova-api", 3, False), ("nova-compute", 4, False), ("nova-conductor", 4, False)]


def test_a_call_that_outlasts_its_caller_was_not_waited_for(tmp_path):
    spans = read_spans(file(tmp_path, "traces", TRACE_HEAD + span("a", 1, 3) + span("b", 2, 9, "a", "compute")))
    assert told(spans) == [("nova-api", 2, False), ("nova-compute", 7, False)]


def test_of_a_caller_whose_call_never_came_back_it_is_not_known_how_long_it_took_itself(tmp_path):
    spans = read_spans(file(tmp_path, "traces", TRACE_HEAD + span("a", 1, 9) + span("b", 2, None, "a", "compute")))
    assert told(spans) == [("nova-api", None, False), ("nova-compute", None, False)]


def test_a_service_is_called_by_project_and_part(tmp_path):
    parts = [("nova", "compute"), ("nova", "nova-compute"), ("", "horizon"), ("keystone", ""), ("glance", "glance")]
    text = "".join(span(f"s{n}", n, n + 1, service=part, project=project) for n, (project, part) in enumerate(parts))
    names = [service for service, _, _ in told(read_spans(file(tmp_path, "traces", TRACE_HEAD + text)))]
    assert names == ["nova-compute", "nova-compute", "horizon", "keystone", "glance"]


def test_an_error_column_says_that_a_span_failed(tmp_path):
    head = TRACE_HEAD.strip() + ",exception\n"
    rows = span("a", 1, 2).splitlines()
    text = (
        head
        + rows[0]
        + ",\n"
        + rows[1]
        + ",TimeoutError\n"
        + "".join(r + ",None\n" for r in span("b", 3, 4).splitlines())
    )
    assert told(read_spans(file(tmp_path, "traces", text))) == [("nova-api", 1, True), ("nova-api", 1, False)]


def tree(started: str, ended: str | None, exception: str = "None") -> str:
    info = {"host": "ctl1", "name": "wsgi", "service": "public", "project": "keystone", "exception": exception}
    info["meta.raw_payload.wsgi-start"] = {"timestamp": started}
    if ended:
        info["meta.raw_payload.wsgi-stop"] = {"timestamp": ended}
    return json.dumps({"children": [{"info": info, "trace_id": "a", "parent_id": "root", "children": []}]})


def test_a_tree_of_spans_says_the_same(tmp_path):
    text = tree(stamp(1), stamp(1.25))
    spans = read_spans(file(tmp_path, "traces", text))
    assert told(spans) == [("keystone-public", 0.25, False)]
    assert seconds(spans.frame["ended"]) == [1.25]
    assert told(read_spans(file(tmp_path, "traces", tree(stamp(1), stamp(2), "HTTP 500")))) == [
        ("keystone-public", 1, True)
    ]
    assert told(read_spans(file(tmp_path, "traces", tree(stamp(1), None)))) == [("keystone-public", None, False)]


def test_secrets_in_names_of_services_come_out_nowhere(tmp_path):
    text = TRACE_HEAD + span("a", 1, 2, service="mysql -u root -phunter2 " + "x" * 500, project="")
    ((name, _, _),) = told(read_spans(file(tmp_path, "traces", text)))
    assert "hunter2" not in name
    assert len(name) <= 90


def test_a_time_that_cannot_be_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="outside of 1970 to 2200"):
        read_lines(file(tmp_path, "logs", LOG_HEAD + "cmp1,INFO,,2719-11-17T15:13:20.000Z,x,y\n"))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 20)), st.integers(-1, 9)),
        min_size=1,
        max_size=10,
    )
)
def test_own_time_is_never_negative_nor_longer_than_the_span(tmp_path_factory, spans):
    text = "".join(
        span(f"s{n}", start, None if took is None else start + took, f"s{parent}", f"part{n}")
        for n, (start, took, parent) in enumerate(spans)
    )
    found = read_spans(file(tmp_path_factory.mktemp("spans"), "traces", TRACE_HEAD + text))
    assert len(found.frame) == len(spans)
    for service, own, _ in told(found):
        _, took, _ = spans[int(service.removeprefix("nova-part"))]
        assert own is None or 0 <= own <= (took if took is not None else -1)
