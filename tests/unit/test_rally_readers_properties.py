"""Whatever the bytes: a run, or one InputError in one line."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from faultset.errors import InputError
from faultset.records.run import HookPlan, RunRecord, TriggerPlan
from faultset.sources.kit.redaction import redact
from faultset.sources.rally.match import ShownHook, match_hooks
from faultset.sources.rally.output import safe_output
from faultset.sources.rally.report import read_report, read_run
from faultset.sources.rally.results import read_results
from rally_samples import (
    call_chart,
    firing,
    hook,
    hook_result,
    iteration,
    old_result,
    page,
    results,
    scenario,
    shown,
    task,
    workload,
)

QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)

HOOKS = [
    hook(),
    hook("echo B", None, periodic={"unit": "time", "step": 2, "start": 0, "end": 10}),
    hook("echo C", "charts"),
]
ERROR = {"iteration": "2", "timestamp": "2019-11-19\n22:51:39.547501", "type": "E", "message": "m", "traceback": "t"}
TRACE = [{"title": "OSProfiler Trace-ID", "widget": "TextArea", "data": ["5677fe98"]}]
ADDITIVE = [{"title": "x", "widget": "Table", "data": {"cols": ["Action", "Count"], "rows": [["foo", 2]]}}]
SCENARIO = scenario(
    3,
    hooks=[shown([firing()]), shown([firing("time: 4")], None), shown([], "charts", additive=ADDITIVE)],
    errors=[ERROR],
    complete_output=[TRACE, TRACE, []],
)
CONFIG = task(hooks=HOOKS)
PROFILER = {"chart_plugin": "OSProfiler", "data": {"trace_id": "a", "conn_str": None}}
DATA = [iteration(1795445840.5, output={"complete": [PROFILER]}), iteration(1795445841.5, error=["E", "m", "t"])]
ENTRIES = [{"config": HOOKS[0], "results": [hook_result(error={"etype": "n/a", "msg": "m", "details": "d"})]}]
RESULTS = results(workload(2, data=DATA, hooks=ENTRIES))
OLD = [old_result(2, result=DATA, hooks=ENTRIES)]


@pytest.fixture(scope="module")
def folder() -> Any:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def check(folder: Path, content: bytes) -> RunRecord | None:
    """Read ``content`` with each reader; what comes out must be a run or one clear line."""
    path = folder / f"input-{os.getpid()}"
    path.write_bytes(content)
    run = None
    for reader in (read_report, read_results, read_run):
        found = outcome(reader, str(path))
        if isinstance(found, InputError):
            assert "\n" not in str(found)
            assert len(str(found)) < 1500
        else:
            assert_sound(found)
            run = found
    return run


def outcome(reader: Callable[[str], RunRecord], path: str) -> RunRecord | InputError:
    try:
        return reader(path)
    except InputError as error:
        return error


def assert_sound(run: RunRecord) -> None:
    assert run.workloads
    for found in run.workloads:
        numbers = found.iterations.number
        assert numbers == sorted(set(numbers))
        assert len(numbers) == len(found.iterations.started_at) == len(found.iterations.duration_s)
        assert len(numbers) == len(found.iterations.idle_s) <= found.iterations_count
        assert found.iterations.errors.keys() <= set(numbers)
        assert found.iterations.trace_ids.keys() <= set(numbers)
        assert 0 <= found.failed_count <= found.iterations_count
        assert found.position >= 0
        for result in found.results:
            assert result.hook_index is None or found.hooks[result.hook_index].name == result.name
            (result.stdout + result.stderr + result.status).encode()
        assert all(index < len(found.hooks) for index in found.charted_hooks)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0, 2**63, 1e308, "", "0", "\ud800", "{", "2026-11-23T14:57:20", "iteration: 5"])
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """All ways to a value inside of ``value``."""
    found = [path]
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        found += places(member, (*path, key))
    return found


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return changed


def removed(value: Any, path: tuple[Any, ...]) -> Any:
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return changed


def test_the_samples_are_sound(folder: Path) -> None:
    report = check(folder, page([{**SCENARIO, "config": json.dumps(CONFIG)}]).encode())
    assert report is not None
    assert report.form == "report"
    assert [result.hook_index for result in report.workloads[0].results] == [0, 1]
    assert report.workloads[0].charted_hooks == {2: 2}
    for content, form in ((RESULTS, "results"), (OLD, "results-old")):
        run = check(folder, json.dumps(content).encode())
        assert run is not None
        assert run.form == form


@QUIET
@given(content=st.binary(max_size=300))
@example(content=b"<!doctype html><meta name=generator content='Rally version 1'>\n$scope.scenarios = [[]]")
@example(content=b"<![n\n$scope.scenarios = 5")
@example(content=b"<?xml version='1.0'?><html>")
@example(content=b"[" * 3000)
@example(content=b'{"tasks":' * 1500 + b"1" + b"}" * 1500)
@example(content=b"\n$scope.scenarios = " * 500)
@example(content=b"[" + b"9" * 5000 + b"]")
def test_any_bytes(folder: Path, content: bytes) -> None:
    check(folder, content)


@QUIET
@given(value=JUNK)
def test_any_scenarios(folder: Path, value: Any) -> None:
    check(folder, page(value).encode("utf-8", "surrogatepass"))


@QUIET
@given(data=st.data(), new=JUNK)
def test_any_value_in_any_place_of_a_scenario(folder: Path, data: Any, new: Any) -> None:
    path = data.draw(st.sampled_from(places(SCENARIO)))
    check(folder, page([replaced({**SCENARIO, "config": json.dumps(CONFIG)}, path, new)]).encode())


@QUIET
@given(data=st.data(), new=JUNK)
def test_any_value_in_any_place_of_a_configuration(folder: Path, data: Any, new: Any) -> None:
    path = data.draw(st.sampled_from(places(CONFIG)))
    config = json.dumps(replaced(CONFIG, path, new))
    check(folder, page([{**SCENARIO, "config": config}]).encode())
    check(folder, page([{**SCENARIO, "config": None}], source=config).encode())


@QUIET
@given(data=st.data(), new=JUNK, whole=st.sampled_from([RESULTS, OLD]))
def test_any_value_in_any_place_of_results(folder: Path, data: Any, new: Any, whole: Any) -> None:
    path = data.draw(st.sampled_from(places(whole)))
    check(folder, json.dumps(replaced(whole, path, new)).encode())


@QUIET
@given(data=st.data(), whole=st.sampled_from([RESULTS, OLD, SCENARIO]))
def test_anything_missing(folder: Path, data: Any, whole: Any) -> None:
    path = data.draw(st.sampled_from([path for path in places(whole) if path]))
    changed = removed(whole, path)
    check(folder, page([changed]).encode() if whole is SCENARIO else json.dumps(changed).encode())


@QUIET
@given(data=st.data())
def test_a_file_with_damaged_bytes(folder: Path, data: Any) -> None:
    wholes = [page([{**SCENARIO, "config": json.dumps(CONFIG)}]), json.dumps(RESULTS), json.dumps(OLD)]
    content = bytearray(data.draw(st.sampled_from(wholes)).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    check(folder, bytes(content))


@QUIET
@given(stdout=st.text(max_size=200), form=st.sampled_from(["report", "results"]))
def test_what_a_hook_printed_comes_out_as_it_was_but_for_secrets(folder: Path, stdout: str, form: str) -> None:
    chart = call_chart(out=stdout)
    if form == "report":
        made = scenario(config=task(hooks=[hook()]), hooks=[shown([firing(charts=[chart])])])
        run = check(folder, page([made]).encode())
    else:
        output = {"additive": [], "complete": [chart]}
        made = workload(hooks=[{"config": hook(), "results": [hook_result(output=output)]}])
        run = check(folder, json.dumps(results(made)).encode())
    assert run is not None
    assert run.workloads[0].results[0].stdout == ("" if stdout == "(empty)" else safe_output(stdout))


@QUIET
@given(
    messages=st.lists(
        st.sampled_from(["no server", "password=HUNTER2", 'say "token: HUNTER2', "-----BEGIN PRIVATE KEY-----", "a\\"])
        | st.text(max_size=30),
        max_size=12,
    )
)
def test_many_errors_are_redacted_as_each_alone_would_be(folder: Path, messages: list[str]) -> None:
    errors = [{"iteration": number, "type": "E", "message": text} for number, text in enumerate(messages, 1)]
    run = check(folder, page([scenario(20, errors=errors)]).encode())
    assert run is not None
    assert [error.message for error in run.workloads[0].iterations.errors.values()] == [redact(m) for m in messages]


@QUIET
@given(data=st.data())
def test_shown_hooks_are_matched_in_order_and_never_twice(data: Any) -> None:
    texts = st.sampled_from(["a", "b", ""])
    events = st.sets(st.integers(1, 6), min_size=1).map(lambda at: TriggerPlan("event", "iteration", tuple(sorted(at))))
    plans = tuple(
        HookPlan(index, "sys_call", data.draw(texts), data.draw(texts), data.draw(events))
        for index in range(data.draw(st.integers(0, 6)))
    )
    kept = [plan for plan in plans if data.draw(st.booleans())]
    hooks = [ShownHook("sys_call", p.description, p.args, tuple(("iteration", v) for v in p.trigger.at)) for p in kept]
    found = [match.index for match in match_hooks(hooks, plans, 10)]
    assert None not in found
    assert found == sorted(set(found))
    for plan, index in zip(kept, found, strict=True):
        # Another than the one it was is only right where nothing tells the two apart.
        assert (plans[index].args, plans[index].description) == (plan.args, plan.description)
        assert set(plan.trigger.at) <= set(plans[index].trigger.at)
